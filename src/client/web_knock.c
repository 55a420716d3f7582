#include "client/mapi.h"
#include "http/rpch.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether a web server lets this user in: one request that does nothing. */

/* An echo request, [MS-RPCH] 2.1.2.1.5: a body too short for a channel's first PDU. */
static int ask_rpc_proxy(struct client_web *w, struct mapiwire *m)
{
	static const uint8_t body[4] = {0};
	static const struct http_field fields[] = {{"Accept", "application/rpc"},
	                                           {"Cache-Control", "no-cache"},
	                                           {"User-Agent", "MSRPC"},
	                                           {"Pragma", "no-cache"}};
	char *target = client_rpc_http_target(m, CLIENT_HTTP_STORE);
	const struct client_web_request request = {.method = "RPC_IN_DATA",
	                                           .target = target,
	                                           .fields = fields,
	                                           .field_count = ARRAY_SIZE(fields),
	                                           .body = body,
	                                           .len = sizeof body};
	int r = target ? client_web_ask(w, &request) : MW_E_NOMEM;
	free(target);
	return r;
}

static int check_echo(struct mapiwire *m, struct client_web *w)
{
	return client_web_body(w)->len == RPCH_ECHO_SIZE ? 0
	                                                 : client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
	                                                                  "what answers is no proxy of RPC over HTTP");
}

static int ask(struct client_web *w, struct mapiwire *m)
{
	bool mapi = m->transport == MAPIWIRE_MAPI_HTTP;
	const char *what = mapi ? "PING" : "the echo";
	int r = mapi ? client_mapi_ask_ping(m, w) : ask_rpc_proxy(w, m);
	if (r < 0)
		return client_fail_inside(m, r, "a request");
	r = client_web_await(w, CLIENT_WEB_UNTIL_END, client_deadline(m), what);
	if (r != 0)
		return r;
	unsigned status = client_web_answer(w)->status;
	if (mapi && status == 404) /* as Exchange's, where it is not switched on */
		return client_mapi_fail_absent(m);
	if (status != 200)
		return client_web_fail_status(w, what);
	return mapi ? client_mapi_check_ping(m, client_web_answer(w)) : check_echo(m, w);
}

static int knock(struct client_web *w, struct mapiwire *m, struct mapiwire_web_report *out)
{
	int r = ask(w, m);
	if (r != 0)
		return r;
	struct client_web_times times = client_web_times(w);
	*out = (struct mapiwire_web_report){.connect_ns = times.connect_ns,
	                                    .tls_ns = times.tls_ns,
	                                    .auth_ns = times.auth_ns,
	                                    .answer_ns = times.first_byte_ns,
	                                    .tls = client_web_tls(w),
	                                    .auth = client_web_auth(w)};
	snprintf(out->certificate, sizeof out->certificate, "%s", client_web_certificate(w));
	return 0;
}

int mapiwire_web_knock(struct mapiwire *m, struct mapiwire_web_report *out)
{
	struct client_web *w = NULL;
	client_no_error(m);
	if (m->transport == MAPIWIRE_TCP)
		return client_fail_inside(m, MW_E_INVALID, "a client without HTTP");
	int r = client_web_open(m, NULL, NULL, &w);
	if (r == 0)
		r = knock(w, m, out);
	client_web_close(&w);
	return r;
}
