#include "base/time.h"
#include "server/mapihttp/private.h"

#include <stdio.h>
#include <time.h>

/* Answers: header fields, meta tags, refusals. */

#define SERVER_APPLICATION "Exchange/15.00.1497.000"

struct answer_fields {
	struct http_field list[12];
	unsigned count;
	char code[12], pending[12], expiry[12], context[MAPIHTTP_COOKIE], sequence[MAPIHTTP_COOKIE];
};

static void add(struct answer_fields *f, const char *name, const char *value)
{
	if (value)
		f->list[f->count++] = (struct http_field){name, value};
}

/* What every answer says, 2.2.3.3; what the client said of itself comes back to it. */
static void fill_fields(struct answer_fields *f, const struct web_request *r, enum mapihttp_code code,
                        const struct mapihttp_context *x)
{
	static const char *const echoed[] = {"X-RequestType", "X-RequestId", "X-ClientInfo"};
	f->count = 0;
	snprintf(f->code, sizeof f->code, "%d", code);
	add(f, "Content-Type", code == MAPIHTTP_SUCCESS ? "application/mapi-http" : "text/html");
	add(f, "Cache-Control", "private");
	for (size_t i = 0; i < ARRAY_SIZE(echoed); i++)
		add(f, echoed[i], http_field(r->head, echoed[i]));
	add(f, "X-ResponseCode", f->code);
	add(f, "X-ServerApplication", SERVER_APPLICATION);
	if (code != MAPIHTTP_SUCCESS)
		return;
	snprintf(f->pending, sizeof f->pending, "%u", r->server->config.pending_ms);
	snprintf(f->expiry, sizeof f->expiry, "%u", r->server->config.context_ms);
	add(f, "X-PendingPeriod", f->pending);
	add(f, "X-ExpirationInfo", f->expiry);
	if (x && !x->ended) {
		mapihttp_context_put_cookies(x, f->context, f->sequence);
		add(f, "Set-Cookie", f->context);
		add(f, "Set-Cookie", f->sequence);
	}
}

static const char *explain(enum mapihttp_code code)
{
	switch (code) {
	case MAPIHTTP_INVALID_VERB:
		return "Requests of MAPI over HTTP are POSTs.";
	case MAPIHTTP_INVALID_PATH:
		return "This server has no such mailbox: ask Autodiscover anew.";
	case MAPIHTTP_INVALID_HEADER:
		return "A header field has a value that it cannot have.";
	case MAPIHTTP_INVALID_REQUEST_TYPE:
		return "This endpoint does not know the request type.";
	case MAPIHTTP_INVALID_CONTEXT_COOKIE:
		return "The context cookie is not one of this server's.";
	case MAPIHTTP_MISSING_HEADER:
		return "X-RequestType, X-RequestId or X-ClientInfo is missing.";
	case MAPIHTTP_TOO_LARGE:
		return "The body is too large.";
	case MAPIHTTP_CONTEXT_NOT_FOUND:
		return "There is no such session context: connect anew.";
	case MAPIHTTP_INVALID_BODY:
		return "The body is not what the request type asks for.";
	case MAPIHTTP_MISSING_COOKIE:
		return "The context cookie is missing: connect first.";
	case MAPIHTTP_INVALID_SEQUENCE:
		return "The sequence cookie is not the newest one.";
	default:
		return "The server cannot do this now.";
	}
}

/* 2.2.2.2: an answer of another X-ResponseCode than 0 has a page for people. */
void mapihttp_refuse(struct web_request *r, enum mapihttp_code code)
{
	struct answer_fields f;
	char page[256];
	fill_fields(&f, r, code, NULL);
	int n = snprintf(page, sizeof page, "<html><head><title>MAPI over HTTP</title></head><body>%s</body></html>\n",
	                 explain(code));
	const struct http_head head = {.status = 200, .fields = f.list, .field_count = f.count};
	log_line(r->server->config.log, LOG_INFO, "MAPI over HTTP: %s at %s: X-ResponseCode %d", r->user, r->peer,
	         code);
	web_answer(r, &head, page, (size_t)n);
}

void mapihttp_begin(struct mapihttp_request *q, struct web_request *r)
{
	struct answer_fields f;
	fill_fields(&f, r, MAPIHTTP_SUCCESS, q->context);
	const struct http_head head = {.status = 200, .body = HTTP_CHUNKED, .fields = f.list, .field_count = f.count};
	q->begun = true;
	web_begin(r, &head);
}

/* The meta tags and late header lines of 2.2.7 and 2.2.2.2, then the body: one chunk when all is there at once. */
void mapihttp_finish(struct mapihttp_request *q, struct web_request *r, int result)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	int64_t took = time_monotonic_ns() - q->began_ns;
	time_t started = (time_t)((time_now_ns() - took) / NS_PER_S);
	if (result < 0 && !q->begun) {
		mapihttp_refuse(r, MAPIHTTP_UNKNOWN_FAILURE);
		return;
	}
	if (!q->begun) {
		mapihttp_begin(q, r);
		buf_put_str(&out, "PROCESSING\r\n");
	}
	buf_put_str(&out, "DONE\r\n");
	if (result < 0)
		buf_printf(&out, "X-ResponseCode: %d\r\n", MAPIHTTP_UNKNOWN_FAILURE);
	buf_put_str(&out, "X-ElapsedTime: ");
	buf_put_decimal(&out, (uint64_t)(took / NS_PER_MS));
	buf_put_str(&out, "\r\nX-StartTime: ");
	buf_put_str(&out, web_date(r->loop, started));
	buf_put_str(&out, "\r\n\r\n");
	if (result == 0)
		buf_put(&out, q->answer.data, q->answer.len);
	if (buf_error(&out) < 0) {
		web_abort(r);
		return;
	}
	web_send(r, out.data, out.len);
	web_end(r);
}

void mapihttp_answer_empty(struct web_request *r)
{
	struct answer_fields f;
	fill_fields(&f, r, MAPIHTTP_SUCCESS, NULL);
	const struct http_head head = {.status = 200, .fields = f.list, .field_count = f.count};
	web_answer(r, &head, NULL, 0);
}
