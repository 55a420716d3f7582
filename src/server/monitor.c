#include "server/monitor.h"

#include <string.h>

/* For supervisors: whether it serves, and figures in the text format of Prometheus 0.0.4. */

static bool is_read_only(struct web_request *r)
{
	if (strcmp(r->head->method, "GET") == 0 || strcmp(r->head->method, "HEAD") == 0)
		return true;
	web_refuse(r, 405, "GET and HEAD are what this path knows.");
	return false;
}

static void answer_text(struct web_request *r, const char *type, const void *data, size_t len)
{
	const struct http_field fields[] = {{"Content-Type", type}, {"Cache-Control", "no-store"}};
	const struct http_head head = {.status = 200, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	web_answer(r, &head, data, len);
}

void monitor_health(struct web_request *r)
{
	if (is_read_only(r))
		answer_text(r, "text/plain", "ok\n", 3);
}

static void put_figure(struct buf *out, const char *name, const char *type, const char *help, unsigned long value)
{
	buf_printf(out, "# HELP mapiwire_%s %s\n# TYPE mapiwire_%s %s\nmapiwire_%s %lu\n", name, help, name, type, name,
	           value);
}

static void put_answers(struct buf *out, const struct server *s)
{
	buf_put_str(out, "# HELP mapiwire_http_answers_total Answers over HTTP, by class of status.\n"
	                 "# TYPE mapiwire_http_answers_total counter\n");
	for (unsigned i = 2; i < ARRAY_SIZE(s->http_answers); i++)
		buf_printf(out, "mapiwire_http_answers_total{class=\"%uxx\"} %lu\n", i,
		           atomic_load(&s->http_answers[i]));
}

void monitor_metrics(struct web_request *r)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	const struct server *s = r->server;
	if (!is_read_only(r))
		return;
	put_figure(&out, "connections", "gauge", "Open connections, this one included.", atomic_load(&s->connections));
	put_figure(&out, "rpc_calls_total", "counter", "RPC requests that came.", atomic_load(&s->calls_in));
	put_figure(&out, "rpc_faults_total", "counter", "RPC faults that were answered.", atomic_load(&s->faults_out));
	put_figure(&out, "rpc_pdus_received_total", "counter", "RPC PDUs that came.", atomic_load(&s->pdus_in));
	put_figure(&out, "rpc_pdus_sent_total", "counter", "RPC PDUs that were sent.", atomic_load(&s->pdus_out));
	put_figure(&out, "http_requests_total", "counter", "Requests that came over HTTP.",
	           atomic_load(&s->http_requests));
	put_answers(&out, s);
	if (buf_error(&out) < 0)
		web_refuse(r, 503, "Out of memory.");
	else
		answer_text(r, "text/plain; version=0.0.4", out.data, out.len);
}
