#include "client/web-private.h"

#include "base/time.h"

#include <errno.h>
#include <stdio.h>

/* The blocking form: everything waits in client_wait, and what went wrong is said in words. */

int client_web_fail(struct client_web *w, const char *what)
{
	const struct web_end *e = &w->end;
	if (e->by_status)
		return client_fail_status(w->m, CAUSE_OF_FAULT, e->status, e->detail);
	if (e->cause == CAUSE_CONNECTION_LOST)
		return client_fail_on(w->m, e->code, e->cause, " of %s", what);
	return client_fail(w->m, e->code, e->cause, e->status, &(struct cause_about){.detail = e->detail});
}

/* [MS-RPCH] 2.1.2.1.3: "RPC Error: 6ba". */
static bool is_rpc_error(const struct http_head *head, unsigned *error)
{
	return sscanf(head->reason, "RPC Error: %8x", error) == 1;
}

static enum cause cause_of_answer(unsigned status)
{
	switch (status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return CAUSE_WEB_REDIRECT;
	case 403:
		return CAUSE_WEB_FORBIDDEN;
	case 502:
	case 503:
	case 504:
		return CAUSE_WEB_UNAVAILABLE;
	default:
		return CAUSE_HTTP_STATUS;
	}
}

int client_web_fail_status(struct client_web *w, const char *what)
{
	unsigned error = 0;
	if (!w->has_answer)
		return client_web_fail(w, what);
	if (is_rpc_error(&w->answer, &error))
		return client_fail_on(w->m, MAPIWIRE_E_REFUSED, CAUSE_RPC_PROXY_REFUSED, "%s: %s", what,
		                      w->answer.reason);
	const char *to = http_field(&w->answer, "Location");
	const char *reason = *w->answer.reason ? w->answer.reason : http_reason(w->answer.status);
	bool sends_on = cause_of_answer(w->answer.status) == CAUSE_WEB_REDIRECT && to;
	client_fail_on(w->m, MAPIWIRE_E_STATUS, cause_of_answer(w->answer.status), "%s with %u %s%s%.200s%s", what,
	               w->answer.status, reason, sends_on ? ": it sends on to " : "", sends_on ? to : "",
	               sends_on ? ", where no password goes" : "");
	w->m->said->error.status = w->answer.status;
	return MAPIWIRE_E_STATUS;
}

/* A wait that was not for nothing: 0, or why the connection is over. */
static int outcome(struct client_web *w, int r, const char *what)
{
	if (r == 0)
		return 0;
	if (r == MW_E_TIMEOUT && w->stage == WEB_CONNECTING)
		web_lose(w, MAPIWIRE_E_UNREACHABLE, CAUSE_PORT_FILTERED, 0, "%s", w->port_text);
	if (r == MW_E_TIMEOUT && w->stage == WEB_SHAKING)
		web_lose(w, MAPIWIRE_E_TIMEOUT, CAUSE_TLS_FAILED, 0, "%s: what listens there does not answer it",
		         w->site->authority);
	web_lose(w, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, 0, "%s", "");
	if (w->end.cause == CAUSE_PORT_FILTERED || w->end.cause == CAUSE_TLS_FAILED)
		return client_web_fail(w, what);
	return client_failed(client_fail_wait(w->m, r, what));
}

int client_web_fail_late(struct client_web *w, const char *what)
{
	return outcome(w, MW_E_TIMEOUT, w->stage == WEB_SHAKING ? "TLS's handshake" : what);
}

int client_web_await(struct client_web *w, enum client_web_until until, int64_t deadline, const char *what)
{
	const bool *flags[] = {&w->ready, &w->headed, &w->whole};
	int r = client_wait(w->m, flags[until], NULL, NULL, deadline);
	if (r != 0)
		return outcome(w, r, what);
	/* It may have ended after what was waited for. */
	bool there = w->end.code == 0 || (w->has_answer && w->doing == WEB_IDLE);
	return there ? 0 : client_failed(client_web_fail(w, what));
}

static int await_up(struct client_web *w)
{
	int r = client_wait(w->m, &w->up, NULL, NULL, client_deadline(w->m));
	if (r != 0)
		return outcome(w, r, w->stage == WEB_SHAKING ? "TLS's handshake" : "a connect");
	return w->stage == WEB_OVER ? client_failed(client_web_fail(w, "TLS's handshake")) : 0;
}

static int try_address(struct client_web *w, const struct client_address *address)
{
	int error = client_web_connect(w, address);
	if (error == 0)
		return await_up(w);
	w->end.error = error;
	return client_fail_on(w->m, MAPIWIRE_E_UNREACHABLE, CAUSE_PORT_FILTERED, "%s", w->port_text);
}

int client_web_open(struct mapiwire *m, client_web_event_fn *on_event, void *user, struct client_web **out)
{
	int r = client_find_host(m);
	if (r != 0)
		return r;
	struct client_web *w = client_web_new(m, on_event, user);
	if (!w)
		return client_fail_inside(m, MW_E_NOMEM, "a connection");
	for (unsigned i = 0; i < m->address_count; i++) {
		unsigned which = (m->address + i) % m->address_count;
		r = try_address(w, &m->addresses[which]);
		m->address = r == 0 ? which : m->address;
		if (r != MAPIWIRE_E_UNREACHABLE)
			break;
	}
	if (r != 0)
		client_web_close(&w);
	else
		*out = w;
	return r;
}

bool client_web_is_up(struct client_web *w)
{
	if (w)
		client_web_process(w);
	return w && w->stage == WEB_UP;
}

const struct http_head *client_web_answer(const struct client_web *w)
{
	return w->has_answer ? &w->answer : NULL;
}

struct buf *client_web_body(struct client_web *w)
{
	return &w->body;
}
