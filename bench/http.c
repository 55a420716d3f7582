#include "load.h"
#include "session.h"
#include "web.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * usage: bench-http page PORT CONNECTIONS SECONDS [PID]
 *        bench-http autodiscover PORT CONNECTIONS SECONDS DOMAIN\\USER PASSWORD ADDRESS
 *        bench-http sessions PORT SECONDS DOMAIN\\USER PASSWORD DN
 *
 * Requests as fast as answers come, one at a time on each connection, in TLS: GET /, a page of 1 KB that is always the
 * same; or an Autodiscover request (POX), where each connection has logged on by NTLM once. sessions: a new connection
 * with TLS, NTLM, Connect and Disconnect of MAPI over HTTP, one after the other. Prints as bench-generator.
 */

#define MAX_CONNECTIONS 64

struct question {
	struct http_head head;
	struct http_field fields[2];
	char body[1024];
	const char *expected; /* in the answer */
};

static void ask(struct web *w, const struct question *q)
{
	web_ask(w, &q->head, q->body, strlen(q->body));
}

static void check(const struct web *w, const struct question *q)
{
	if (w->status != 200 || !memmem(w->body.data, w->body.len, q->expected, strlen(q->expected)))
		fail("HTTP %u: %.*s", w->status, (int)(w->body.len < 200 ? w->body.len : 200),
		     (const char *)w->body.data);
}

static void ask_for_page(struct question *q)
{
	q->fields[0] = (struct http_field){"Host", "127.0.0.1"};
	q->head = (struct http_head){.method = "GET", .target = "/", .fields = q->fields, .field_count = 1};
	q->expected = "</html>";
}

static void ask_autodiscover(struct question *q, const char *address)
{
	q->fields[0] = (struct http_field){"Host", "127.0.0.1"};
	q->fields[1] = (struct http_field){"Content-Type", "text/xml"};
	q->head = (struct http_head){
	        .method = "POST", .target = "/autodiscover/autodiscover.xml", .fields = q->fields, .field_count = 2};
	snprintf(
	        q->body, sizeof q->body,
	        "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">"
	        "<Request><EMailAddress>%.200s</EMailAddress><AcceptableResponseSchema>"
	        "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
	        "</AcceptableResponseSchema></Request></Autodiscover>",
	        address);
	q->expected = "<Action>settings</Action>";
}

static void run(struct web *webs, unsigned count, double seconds, const struct question *q, const char *server)
{
	struct pollfd polls[MAX_CONNECTIONS];
	struct load_result r = {0};
	double start = load_now(), cpu = load_cpu(), server_cpu = load_cpu_of(server);
	for (unsigned i = 0; i < count; i++) {
		polls[i] = (struct pollfd){.fd = webs[i].fd, .events = POLLIN};
		ask(&webs[i], q);
	}
	while ((r.seconds = load_now() - start) < seconds && poll(polls, count, 1000) > 0)
		for (unsigned i = 0; i < count; i++) {
			struct web *w = &webs[i];
			if (!(polls[i].revents & POLLIN))
				continue;
			web_hear(w);
			if (!w->answered)
				continue;
			check(w, q);
			r.calls++;
			ask(w, q);
		}
	r.cpu = load_cpu() - cpu;
	r.server_cpu = load_cpu_of(server) - server_cpu;
	load_print(&r, strlen(q->body), r.calls ? webs[0].body.len : 0);
}

static void run_sessions(uint16_t port, double seconds, const char *user, const char *password, const char *dn)
{
	struct load_result r = {0};
	double start = load_now(), cpu = load_cpu();
	while ((r.seconds = load_now() - start) < seconds) {
		struct web w = {0};
		web_open(&w, port, true);
		web_log_on(&w, user, password);
		web_connect_mapi(&w, dn);
		web_disconnect_mapi(&w);
		web_close(&w);
		r.calls++;
	}
	r.cpu = load_cpu() - cpu;
	load_print(&r, 0, 0);
}

int main(int argc, char **argv)
{
	static struct web webs[MAX_CONNECTIONS];
	struct question q = {0};
	uint16_t port = argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;
	if (argc == 7 && strcmp(argv[1], "sessions") == 0) {
		run_sessions(port, strtod(argv[3], NULL), argv[4], argv[5], argv[6]);
		return 0;
	}
	bool page = (argc == 5 || argc == 6) && strcmp(argv[1], "page") == 0;
	unsigned count = argc >= 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if ((!page && !(argc == 8 && strcmp(argv[1], "autodiscover") == 0)) || count == 0 || count > MAX_CONNECTIONS)
		fail("usage: bench-http page PORT CONNECTIONS SECONDS | autodiscover PORT CONNECTIONS SECONDS USER "
		     "PASSWORD "
		     "ADDRESS | sessions PORT SECONDS USER PASSWORD DN");
	if (page)
		ask_for_page(&q);
	else
		ask_autodiscover(&q, argv[7]);
	for (unsigned i = 0; i < count; i++) {
		web_open(&webs[i], port, true);
		if (!page)
			web_log_on(&webs[i], argv[5], argv[6]);
	}
	run(webs, count, strtod(argv[4], NULL), &q, page ? argv[5] : NULL);
	return 0;
}
