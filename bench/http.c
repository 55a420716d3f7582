#include "load.h"
#include "session.h"

#include "auth/auth.h"
#include "base/base64.h"
#include "base/time.h"
#include "http/field.h"
#include "http/http.h"
#include "ndr/ndr.h"
#include "tls/tls.h"
#include "wire/mapihttp.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * usage: bench-http execute PORT CONNECTIONS SECONDS DOMAIN\\USER PASSWORD DN
 *        bench-http metrics PORT CONNECTIONS SECONDS
 *
 * Requests as fast as answers come, one at a time on each connection: Execute with an empty list of ROPs over TLS,
 * each connection with a session of its own; or GET /metrics, a page of about 1 KB, without TLS. Prints as
 * bench-generator.
 */

#define MAX_CONNECTIONS 64

struct client {
	int fd;
	struct tls_session *tls; /* NULL: plain */
	struct http_connection *http;
	char context[96], sequence[96], cookies[200];
	struct buf body;
	char authorization[2048], challenge[2048]; /* NTLM's tokens on their way */
	unsigned status;
	bool answered;
};

static void take_cookies(struct client *c, const struct http_head *head)
{
	unsigned at = 0;
	for (const char *v; (v = http_field_next(head, "Set-Cookie", &at));) {
		char *into = strncmp(v, "MapiContext=", 12) == 0 ? c->context : c->sequence;
		snprintf(into, sizeof c->context, "%.*s", (int)strcspn(v, ";"), v);
	}
	snprintf(c->cookies, sizeof c->cookies, "%s; %s", c->context, c->sequence);
}

static void on_event(void *user, struct http_connection *http, const struct http_event *e)
{
	struct client *c = (struct client *)user;
	(void)http;
	if (e->type == HTTP_EV_RESPONSE) {
		const char *challenge = http_field(e->head, "WWW-Authenticate");
		c->status = e->head->status;
		snprintf(c->challenge, sizeof c->challenge, "%s", challenge ? challenge : "");
		take_cookies(c, e->head);
	} else if (e->type == HTTP_EV_BODY) {
		buf_put(&c->body, e->data, e->len);
	} else if (e->type == HTTP_EV_END) {
		c->answered = true;
	} else if (e->type == HTTP_EV_DAMAGED || e->type == HTTP_EV_CLOSED) {
		fail("the connection ended: %s", e->why ? e->why : "by the server");
	}
}

static void flush(struct client *c)
{
	struct buf *out = http_output(c->http);
	if (c->tls && out->len > 0) {
		if (tls_send(c->tls, out->data, out->len) < 0)
			fail("TLS: %s", tls_why(c->tls));
		buf_clear(out);
		out = tls_output(c->tls);
	} else if (c->tls) {
		out = tls_output(c->tls);
	}
	send_all(c->fd, out->data, out->len);
	buf_clear(out);
}

static void receive(struct client *c)
{
	uint8_t bytes[65536];
	ssize_t n = read(c->fd, bytes, sizeof bytes);
	if (n <= 0)
		fail("the server closed a connection");
	if (!c->tls) {
		http_feed(c->http, HTTP_FROM_SERVER, bytes, (size_t)n, 0);
		return;
	}
	if (tls_feed(c->tls, bytes, (size_t)n) < 0)
		fail("TLS: %s", tls_why(c->tls));
	struct buf *plain = tls_plain(c->tls);
	http_feed(c->http, HTTP_FROM_SERVER, plain->data, plain->len, 0);
	buf_clear(plain);
}

static void open_client(struct client *c, uint16_t port, bool tls)
{
	const struct tls_config config = {.role = TLS_CLIENT, .insecure = true};
	const struct http_config http = {.role = HTTP_CLIENT, .on_event = on_event, .user = c};
	c->fd = connect_to(port);
	c->http = http_connection_new(&http, 0);
	if (!c->http || (tls && (tls_new(&config, &c->tls) < 0 || tls_begin(c->tls) < 0)))
		fail("cannot begin");
	while (tls && !tls_ready(c->tls)) {
		flush(c);
		receive(c);
	}
	flush(c);
}

static void ask(struct client *c, const char *type, const void *body, size_t size)
{
	struct http_field fields[7] = {
	        {"Host", "127.0.0.1"},     {"Content-Type", "application/mapi-http"},
	        {"X-RequestType", type},   {"X-RequestId", "{5A9C1A2E-0000-0000-0000-000000000000}:1"},
	        {"X-ClientInfo", "bench"},
	};
	struct http_head head = {.method = "POST", .target = "/mapi/emsmdb/", .fields = fields, .field_count = 5};
	if (c->authorization[0])
		fields[head.field_count++] = (struct http_field){"Authorization", c->authorization};
	if (c->cookies[0])
		fields[head.field_count++] = (struct http_field){"Cookie", c->cookies};
	if (http_send(c->http, &head, body, size) < 0)
		fail("cannot send a request");
	c->answered = false;
	buf_clear(&c->body);
	flush(c);
}

static void ask_metrics(struct client *c)
{
	const struct http_field host = {"Host", "127.0.0.1"};
	const struct http_head head = {.method = "GET", .target = "/metrics", .fields = &host, .field_count = 1};
	if (http_send(c->http, &head, NULL, 0) < 0)
		fail("cannot send a request");
	c->answered = false;
	buf_clear(&c->body);
	flush(c);
}

static void encode(const struct idl_type *type, const void *value, struct buf *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	if (ndr_encode(&n, type, value) < 0)
		fail("cannot encode a body");
}

/* The answer says DONE, and its body no error. */
static void check_execute(const struct client *c)
{
	static const char done[] = "PROCESSING\r\nDONE\r\n", end[] = "\r\n\r\n";
	const uint8_t *body = c->body.len > sizeof done ? memmem(c->body.data, c->body.len, end, 4) : NULL;
	static const uint8_t success[8];
	if (c->status != 200 || !body || memcmp(c->body.data, done, sizeof done - 1) != 0 ||
	    memcmp(body + 4, success, 8) != 0)
		fail("a request failed: HTTP %u, %.*s", c->status, (int)(c->body.len < 200 ? c->body.len : 200),
		     (const char *)c->body.data);
}

static void put_token(struct client *c, const struct buf *token)
{
	struct buf text MW_CLEANUP(buf_free) = {0};
	buf_put_str(&text, "NTLM ");
	base64_put(&text, token->data, token->len);
	if (text.len >= sizeof c->authorization)
		fail("a token is too long");
	snprintf(c->authorization, sizeof c->authorization, "%.*s", (int)text.len, (const char *)text.data);
	ask(c, "PING", NULL, 0);
	while (!c->answered)
		receive(c);
}

/* NTLM once for the connection, as Outlook does. */
static void authenticate(struct client *c, const char *user, const char *password)
{
	const char *slash = strchr(user, '\\');
	char domain[64] = "";
	snprintf(domain, sizeof domain, "%.*s", slash ? (int)(slash - user) : 0, user);
	const struct auth_client_config config = {
	        .domain = domain, .user = slash ? slash + 1 : user, .password = password};
	const struct auth_env env = {.now_ns = time_now_ns(), .random = &random_system};
	struct buf token MW_CLEANUP(buf_free) = {0}, challenge MW_CLEANUP(buf_free) = {0};
	struct auth_context *ntlm;
	if (auth_client_new(AUTH_NTLM, AUTH_LEVEL_NONE, &config, &ntlm) < 0 ||
	    auth_step(ntlm, &env, cursor_of("", 0), &token, NULL) != MW_E_AGAIN)
		fail("NTLM does not begin");
	put_token(c, &token);
	buf_clear(&token);
	if (strncmp(c->challenge, "NTLM ", 5) != 0 ||
	    base64_decode(&challenge, c->challenge + 5, strlen(c->challenge + 5)) < 0 ||
	    auth_step(ntlm, &env, cursor_of(challenge.data, challenge.len), &token, NULL) != 0)
		fail("NTLM does not go on: %s", c->challenge);
	put_token(c, &token);
	if (c->status != 200)
		fail("the user is refused");
	c->authorization[0] = '\0';
	auth_free(&ntlm);
}

static void log_on(struct client *c, const char *dn)
{
	const struct MapiConnectRequest q = {
	        .UserDn = (char *)(uintptr_t)dn, .DefaultCodePage = 1252, .LcidSort = 0x409};
	struct buf body MW_CLEANUP(buf_free) = {0};
	encode(&MapiConnectRequest_type, &q, &body);
	ask(c, "Connect", body.data, body.len);
	while (!c->answered)
		receive(c);
	check_execute(c);
}

static void encode_noop(struct buf *out)
{
	/* RPC_HEADER_EXT: version 0, last, 2 bytes; then RopSize 2 and no handles. [MS-OXCRPC] 2.2.2.1 */
	static uint8_t empty[] = {0, 0, 4, 0, 2, 0, 2, 0, 2, 0};
	const struct MapiExecuteRequest q = {
	        .Flags = 3, .RopBufferSize = sizeof empty, .RopBuffer = empty, .MaxRopOut = 0x8008};
	encode(&MapiExecuteRequest_type, &q, out);
}

/* Takes the last answer; a session is not left behind, since a user may have so many only. */
static void log_off(struct client *c, bool session)
{
	while (!c->answered)
		receive(c);
	if (!session)
		return;
	ask(c, "Disconnect", "\0\0\0", 4);
	while (!c->answered)
		receive(c);
}

static void run(struct client *clients, unsigned count, double seconds, const struct buf *noop)
{
	struct pollfd polls[MAX_CONNECTIONS];
	struct load_result r = {0};
	double start = load_now(), cpu = load_cpu();
	for (unsigned i = 0; i < count; i++) {
		polls[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		noop ? ask(&clients[i], "Execute", noop->data, noop->len) : ask_metrics(&clients[i]);
	}
	while ((r.seconds = load_now() - start) < seconds && poll(polls, count, 1000) > 0)
		for (unsigned i = 0; i < count; i++) {
			struct client *c = &clients[i];
			if (!(polls[i].revents & POLLIN))
				continue;
			receive(c);
			if (!c->answered)
				continue;
			if (noop)
				check_execute(c);
			else if (c->status != 200)
				fail("HTTP %u", c->status);
			r.calls++;
			noop ? ask(c, "Execute", noop->data, noop->len) : ask_metrics(c);
		}
	r.cpu = load_cpu() - cpu;
	for (unsigned i = 0; i < count; i++)
		log_off(&clients[i], noop != NULL);
	load_print(&r, 0, r.calls ? clients[0].body.len : 0);
}

int main(int argc, char **argv)
{
	static struct client clients[MAX_CONNECTIONS];
	struct buf noop = {0};
	bool execute = argc == 8 && strcmp(argv[1], "execute") == 0;
	unsigned count = argc >= 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if ((!execute && !(argc == 5 && strcmp(argv[1], "metrics") == 0)) || count == 0 || count > MAX_CONNECTIONS)
		fail("usage: bench-http execute PORT CONNECTIONS SECONDS USER PASSWORD DN | metrics PORT CONNECTIONS "
		     "SECONDS");
	if (execute)
		encode_noop(&noop);
	for (unsigned i = 0; i < count; i++) {
		open_client(&clients[i], (uint16_t)strtoul(argv[2], NULL, 10), execute);
		if (!execute)
			continue;
		authenticate(&clients[i], argv[5], argv[6]);
		log_on(&clients[i], argv[7]);
	}
	run(clients, count, strtod(argv[4], NULL), execute ? &noop : NULL);
	return 0;
}
