#include "web.h"

#include "session.h"

#include "auth/auth.h"
#include "base/base64.h"
#include "base/time.h"
#include "http/field.h"
#include "ndr/ndr.h"
#include "wire/mapihttp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void take_cookies(struct web *w, const struct http_head *head)
{
	unsigned at = 0;
	bool any = false;
	for (const char *v; (v = http_field_next(head, "Set-Cookie", &at)); any = true) {
		char *into = strncmp(v, "MapiContext=", 12) == 0 ? w->context : w->sequence;
		snprintf(into, sizeof w->context, "%.*s", (int)strcspn(v, ";"), v);
	}
	if (any)
		snprintf(w->cookies, sizeof w->cookies, "%s; %s", w->context, w->sequence);
}

static void on_event(void *user, struct http_connection *http, const struct http_event *e)
{
	struct web *w = (struct web *)user;
	(void)http;
	if (e->type == HTTP_EV_RESPONSE) {
		const char *challenge = http_field(e->head, "WWW-Authenticate");
		w->status = e->head->status;
		snprintf(w->challenge, sizeof w->challenge, "%s", challenge ? challenge : "");
		take_cookies(w, e->head);
	} else if (e->type == HTTP_EV_BODY && w->on_body) {
		w->on_body(w->user, e->data, e->len);
	} else if (e->type == HTTP_EV_BODY) {
		buf_put(&w->body, e->data, e->len);
	} else if (e->type == HTTP_EV_END) {
		w->answered = true;
	} else if (e->type == HTTP_EV_DAMAGED || e->type == HTTP_EV_CLOSED) {
		fail("the connection ended: %s", e->why ? e->why : "by the server");
	}
}

void web_flush(struct web *w)
{
	struct buf *out = http_output(w->http);
	if (w->tls) {
		if (out->len > 0 && tls_send(w->tls, out->data, out->len) < 0)
			fail("TLS: %s", tls_why(w->tls));
		buf_clear(out);
		out = tls_output(w->tls);
	}
	send_all(w->fd, out->data, out->len);
	buf_clear(out);
}

void web_hear(struct web *w)
{
	uint8_t bytes[65536];
	ssize_t n = read(w->fd, bytes, sizeof bytes);
	if (n <= 0)
		fail("the server closed a connection");
	if (!w->tls) {
		http_feed(w->http, HTTP_FROM_SERVER, bytes, (size_t)n, 0);
		return;
	}
	if (tls_feed(w->tls, bytes, (size_t)n) < 0)
		fail("TLS: %s", tls_why(w->tls));
	struct buf *plain = tls_plain(w->tls);
	http_feed(w->http, HTTP_FROM_SERVER, plain->data, plain->len, 0);
	buf_free(plain);
}

void web_open(struct web *w, uint16_t port, bool tls)
{
	const struct tls_config config = {.role = TLS_CLIENT, .insecure = true};
	const struct http_config http = {.role = HTTP_CLIENT, .on_event = on_event, .user = w};
	w->fd = connect_to(port);
	w->http = http_connection_new(&http, 0);
	if (!w->http || (tls && (tls_new(&config, &w->tls) < 0 || tls_begin(w->tls) < 0)))
		fail("cannot begin");
	while (tls && !tls_ready(w->tls)) {
		web_flush(w);
		web_hear(w);
	}
	web_flush(w);
}

void web_close(struct web *w)
{
	http_connection_free(&w->http);
	tls_free(&w->tls);
	buf_free(&w->body);
	close(w->fd);
}

void web_ask(struct web *w, const struct http_head *head, const void *body, size_t size)
{
	if (http_send(w->http, head, body, size) < 0)
		fail("cannot send a request");
	w->answered = false;
	buf_clear(&w->body);
	web_flush(w);
}

void web_await(struct web *w)
{
	while (!w->answered)
		web_hear(w);
}

void web_basic(const char *user, const char *password, char out[512])
{
	char text[256];
	struct buf b MW_CLEANUP(buf_free) = {0};
	int n = snprintf(text, sizeof text, "%s:%s", user, password);
	base64_put(&b, (const uint8_t *)text, (size_t)n);
	snprintf(out, 512, "Basic %.*s", (int)b.len, (const char *)b.data);
}

static void put_token(struct web *w, const struct buf *token)
{
	char authorization[2048];
	struct buf text MW_CLEANUP(buf_free) = {0};
	base64_put(&text, token->data, token->len);
	snprintf(authorization, sizeof authorization, "NTLM %.*s", (int)text.len, (const char *)text.data);
	web_ask_mapi(w, authorization, "PING", NULL, 0);
	web_await(w);
}

void web_log_on(struct web *w, const char *user, const char *password)
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
	put_token(w, &token);
	buf_clear(&token);
	if (strncmp(w->challenge, "NTLM ", 5) != 0 ||
	    base64_decode(&challenge, w->challenge + 5, strlen(w->challenge + 5)) < 0 ||
	    auth_step(ntlm, &env, cursor_of(challenge.data, challenge.len), &token, NULL) != 0)
		fail("NTLM does not go on: %s", w->challenge);
	put_token(w, &token);
	if (w->status != 200)
		fail("the user is refused");
	auth_free(&ntlm);
}

/* ---- MAPI over HTTP ---- */

void web_ask_mapi(struct web *w, const char *authorization, const char *type, const void *body, size_t size)
{
	struct http_field fields[7] = {
	        {"Host", "127.0.0.1"},     {"Content-Type", "application/mapi-http"},
	        {"X-RequestType", type},   {"X-RequestId", "{5A9C1A2E-0000-0000-0000-000000000000}:1"},
	        {"X-ClientInfo", "bench"},
	};
	struct http_head head = {.method = "POST", .target = "/mapi/emsmdb/", .fields = fields, .field_count = 5};
	if (authorization)
		fields[head.field_count++] = (struct http_field){"Authorization", authorization};
	if (w->cookies[0])
		fields[head.field_count++] = (struct http_field){"Cookie", w->cookies};
	web_ask(w, &head, body, size);
}

const uint8_t *web_mapi_body(const struct web *w, size_t *len)
{
	static const char end[] = "\r\n\r\n";
	static const uint8_t success[8];
	const uint8_t *body = (const uint8_t *)memmem(w->body.data, w->body.len, end, 4);
	*len = body ? (size_t)(w->body.data + w->body.len - body - 4) : 0;
	if (w->status != 200 || w->body.len < 12 || memcmp(w->body.data, "PROCESSING\r\n", 12) != 0 || *len < 8 ||
	    memcmp(body + 4, success, 8) != 0)
		fail("a request failed: HTTP %u, %.*s", w->status, (int)(w->body.len < 200 ? w->body.len : 200),
		     (const char *)w->body.data);
	return body + 4;
}

static void encode(const struct idl_type *type, const void *value, struct buf *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	if (ndr_encode(&n, type, value) < 0)
		fail("cannot encode a body");
}

void web_connect_mapi(struct web *w, const char *dn)
{
	const struct MapiConnectRequest q = {
	        .UserDn = (char *)(uintptr_t)dn, .DefaultCodePage = 1252, .LcidSort = 0x409};
	struct buf body MW_CLEANUP(buf_free) = {0};
	size_t len;
	encode(&MapiConnectRequest_type, &q, &body);
	web_ask_mapi(w, NULL, "Connect", body.data, body.len);
	web_await(w);
	web_mapi_body(w, &len);
}

void web_disconnect_mapi(struct web *w)
{
	web_ask_mapi(w, NULL, "Disconnect", "\0\0\0", 4);
	web_await(w);
	w->cookies[0] = '\0';
}

void web_execute(struct web *w, const void *rops, size_t size)
{
	const struct MapiExecuteRequest q = {.Flags = 3,
	                                     .RopBufferSize = (uint32_t)size,
	                                     .RopBuffer = (uint8_t *)(uintptr_t)rops,
	                                     .MaxRopOut = 0x8008};
	struct buf body MW_CLEANUP(buf_free) = {0};
	encode(&MapiExecuteRequest_type, &q, &body);
	web_ask_mapi(w, NULL, "Execute", body.data, body.len);
}
