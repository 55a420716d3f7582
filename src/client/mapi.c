#include "client/mapi.h"

#include "base/text.h"
#include "base/time.h"
#include "http/field.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/nspi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection whose calls are requests of MAPI over HTTP: [MS-OXCMAPIHTTP] 3.1.5. */

#define CONTENT_TYPE "application/mapi-http"
/* 2.2.3.2.5: servers tell versions apart by it, and know no other names. The oldest Outlook that speaks this. */
#define CLIENT_APPLICATION "Outlook/15.0.4815.1002"

struct client_mapi {
	struct client_context *context;
	struct client_web *web;   /* NULL: to be opened with the next request */
	struct client_call *call; /* under way */
};

struct client_mapi_request {
	const struct client_mapi_type *type;
	struct buf body;
	struct http_mapi answer;
	unsigned status; /* of HTTP; 0: no answer yet */
	int code;        /* X-ResponseCode; -1: none, so this is not an answer of MAPI over HTTP */
	int error;       /* MW_E_* of taking the cookies */
	bool lost;       /* the connection ended before the answer did */
	bool repeated;
};

/* ---- What comes ---- */

static int64_t milliseconds(const char *text)
{
	char *end;
	long long ms = text ? strtoll(text, &end, 10) : 0;
	return text && end != text && ms > 0 && ms < INT32_MAX ? ms * NS_PER_MS : 0;
}

static int code_of(const char *text)
{
	char *end;
	long code = text ? strtol(text, &end, 10) : -1;
	return text && end != text && code >= 0 && code < 1000 ? (int)code : -1;
}

static void take_head(struct client_mapi *x, struct client_mapi_request *q, const struct http_head *head)
{
	q->status = head->status;
	q->code = code_of(http_field(head, "X-ResponseCode"));
	if (q->status != 200 || q->code < 0)
		return;
	int64_t expiry_ns = milliseconds(http_field(head, "X-ExpirationInfo"));
	if (expiry_ns > 0)
		x->context->expiry_ns = expiry_ns;
	q->error = client_context_take_cookies(x->context, head);
}

static void finish(struct client_mapi *x)
{
	struct client_call *call = x->call;
	x->call = NULL;
	call->done = true;
	call->arrived_ns = time_monotonic_ns();
}

static void on_event(void *user, struct client_web *w, const struct client_web_event *e)
{
	struct client_mapi *x = ((struct client_conn *)user)->mapi;
	struct client_mapi_request *q = x->call ? x->call->request : NULL;
	(void)w;
	if (!q)
		return;
	if (e->type != CLIENT_WEB_READY && e->type != CLIENT_WEB_LOST)
		x->context->used_ns = time_monotonic_ns();
	switch (e->type) {
	case CLIENT_WEB_HEAD:
		take_head(x, q, e->head);
		break;
	case CLIENT_WEB_BODY:
		if (q->status == 200)
			http_mapi_feed(&q->answer, e->data, e->len);
		break;
	case CLIENT_WEB_END:
		finish(x);
		break;
	case CLIENT_WEB_LOST:
		q->lost = true;
		finish(x);
		break;
	default:
		break;
	}
}

/* ---- What goes ---- */

static int open_web(struct client_conn *c)
{
	struct client_mapi *x = c->mapi;
	if (x->web && client_web_is_up(x->web))
		return 0;
	client_web_close(&x->web);
	return client_web_open(c->m, on_event, c, &x->web);
}

static const char *path_of(const struct mapiwire *m, enum client_endpoint endpoint)
{
	static const char *const usual[] = {[CLIENT_EMSMDB] = "/mapi/emsmdb/", [CLIENT_NSPI] = "/mapi/nspi/"};
	return m->site->mapi_paths[endpoint] ? m->site->mapi_paths[endpoint] : usual[endpoint];
}

/* The session's own; where a new one begins, those of one that was not taken leave of, so that the server ends it,
 * 3.2.5.6. */
static int cookies_of(struct client_conn *c, const struct client_mapi_request *q, struct arena *arena, const char **out)
{
	char **stale = &c->m->stale[c->mapi->context->endpoint];
	if (!q->type->begins || !*stale)
		return client_context_cookies(c->mapi->context, arena, out);
	*out = arena_strdup(arena, *stale);
	free(*stale);
	*stale = NULL;
	return *out ? 0 : MW_E_NOMEM;
}

/* 2.2.3.2, 2.2.3.3 */
static int put_request(struct client_web *w, struct client_context *x, const char *path, const char *type,
                       const char *cookies, const struct buf *body)
{
	char id[64], info[40];
	snprintf(id, sizeof id, "{%s}:%u", x->group, ++x->counter);
	snprintf(info, sizeof info, "{%s}", x->group);
	const struct http_field fields[] = {
	        {"Content-Type", CONTENT_TYPE},
	        {"X-RequestType", type},
	        {"X-RequestId", id},
	        {"X-ClientInfo", info},
	        {"X-ClientApplication", CLIENT_APPLICATION},
	        {"Cookie", cookies},
	};
	const struct client_web_request request = {
	        .method = "POST",
	        .target = path,
	        .fields = fields,
	        .field_count = ARRAY_SIZE(fields) - (cookies ? 0 : 1),
	        .body = body->data,
	        .len = body->len,
	};
	int r = client_web_ask(w, &request);
	if (r == 0)
		client_web_process(w);
	return r;
}

static int put_call(struct client_call *call, struct arena *arena)
{
	struct client_conn *c = call->conn;
	const struct client_mapi_request *q = call->request;
	struct client_context *x = c->mapi->context;
	const char *cookies = NULL;
	int r = cookies_of(c, q, arena, &cookies);
	return r != 0 ? r : put_request(c->mapi->web, x, path_of(c->m, x->endpoint), q->type->name, cookies, &q->body);
}

static int ask(struct client_call *call)
{
	struct client_conn *c = call->conn;
	struct client_mapi_request *q = call->request;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(CLIENT_ARENA_LIMIT);
	if (!arena)
		return client_fail_inside(c->m, MW_E_NOMEM, q->type->name);
	int r = open_web(c);
	if (r != 0)
		return r;
	http_mapi_free(&q->answer);
	http_mapi_init(&q->answer);
	q->status = 0;
	q->code = -1;
	q->lost = false;
	call->done = false;
	c->mapi->call = call;
	r = put_call(call, arena);
	if (r == 0)
		return 0;
	c->mapi->call = NULL;
	return client_fail_inside(c->m, r, q->type->name);
}

static int send_request(struct client_call *call, const struct client_mapi_type *type, const void *args)
{
	struct mapiwire *m = call->conn->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(CLIENT_ARENA_LIMIT);
	struct client_mapi_request *q = (struct client_mapi_request *)calloc(1, sizeof *q);
	call->request = q;
	if (!q || !arena)
		return client_fail_inside(m, MW_E_NOMEM, call->method->name);
	q->type = type;
	http_mapi_init(&q->answer);
	if (!type->name) {
		call->done = true;
		return 0;
	}
	int r = type->request ? client_mapi_encode(type, arena, args, &q->body) : 0;
	return r == 0 ? ask(call) : client_fail_inside(m, r, type->name);
}

static int send_call(struct client_call *call, unsigned context, const void *args)
{
	const struct client_mapi_type *type = client_mapi_type(call->conn->interfaces[context], call->method->opnum);
	if (!type)
		return client_fail_inside(call->conn->m, MW_E_UNSUPPORTED, call->method->name);
	return send_request(call, type, args);
}

/* ---- What it says ---- */

static int fail_gone(struct client_conn *c, const char *name, int code)
{
	const char *said = http_mapi_response_name(code);
	c->mapi->context->lost = true;
	return client_fail_on(c->m, MAPIWIRE_E_LOST, CAUSE_SESSION_GONE, " (%s: %s)", name, said ? said : "");
}

/* X-ResponseCode, 2.2.3.3.3 */
static int fail_code(struct client_call *call, int code)
{
	struct client_conn *c = call->conn;
	const struct client_mapi_type *type = call->request->type;
	const char *said = http_mapi_response_name(code);
	switch (code) {
	case HTTP_MAPI_R_CONTEXT_NOT_FOUND:
	case HTTP_MAPI_R_INVALID_COOKIE:
	case HTTP_MAPI_R_MISSING_COOKIE:
	case HTTP_MAPI_R_INVALID_SEQUENCE:
		if (!type->begins)
			return fail_gone(c, type->name, code);
		break;
	case HTTP_MAPI_R_ANONYMOUS:
		return client_fail_on(c->m, MAPIWIRE_E_REFUSED, CAUSE_ANONYMOUS_REFUSED, "%s", "");
	case HTTP_MAPI_R_NO_PRIVILEGE:
		return client_fail_on(c->m, MAPIWIRE_E_STATUS, CAUSE_NO_MAILBOX_ACCESS, "%s", "");
	case HTTP_MAPI_R_SHUTTING_DOWN:
		return client_fail_on(c->m, MAPIWIRE_E_STATUS, CAUSE_SERVER_BUSY, " (%s: %s)", type->name, said);
	default:
		break;
	}
	(void)client_fail_on(c->m, MAPIWIRE_E_STATUS, CAUSE_CALL_FAILED, "%s: X-ResponseCode %d%s%s", type->name, code,
	                     said ? ", " : "", said ? said : "");
	c->m->said->error.status = (uint32_t)code;
	return MAPIWIRE_E_STATUS;
}

/* Whether a request whose connection ended before a byte of its answer may go out once more: it changes nothing, or the
 * server would know by the sequence cookie that it has executed it. */
static bool may_repeat(const struct client_conn *c, const struct client_mapi_request *q)
{
	if (!q->lost || q->status != 0 || q->repeated)
		return false;
	return q->type->repeat == CLIENT_REPEAT ||
	       (q->type->repeat == CLIENT_REPEAT_IN_SEQUENCE && c->mapi->context->sequenced);
}

/* The answer as HTTP and the meta tags have it. */
static int check_answer(struct client_call *call)
{
	struct client_conn *c = call->conn;
	const struct client_mapi_request *q = call->request;
	const char *name = q->type->name;
	if (q->lost)
		return client_web_fail(c->mapi->web, name);
	if (q->status != 200)
		return client_web_fail_status(c->mapi->web, name);
	if (q->code < 0)
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_MAPI_HTTP, "%s",
		                      path_of(c->m, c->mapi->context->endpoint));
	if (q->code > 0)
		return fail_code(call, q->code);
	int r = http_mapi_end(&q->answer);
	if (r == 0 && q->answer.code > 0)
		return fail_code(call, q->answer.code);
	if (r == MW_E_MALFORMED)
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "%s: %s", name, q->answer.why);
	return r == 0 && q->error == 0 ? 0 : client_fail_inside(c->m, r != 0 ? r : q->error, name);
}

static int take(struct client_call *call, struct arena *arena, void *args, bool *again)
{
	struct client_mapi_request *q = call->request;
	struct client_context *x = call->conn->mapi->context;
	int r;
	if (!q->type->name)
		return q->type->read(arena, NULL, args);
	if (may_repeat(call->conn, q)) {
		q->repeated = true;
		r = ask(call);
		*again = r == 0;
		return r;
	}
	r = check_answer(call);
	if (r != 0 || !q->type->response)
		return r;
	r = client_mapi_decode(q->type, arena, q->answer.body.data, q->answer.body.len, args);
	if (r != 0)
		return client_fail_inside(call->conn->m, r, q->type->name);
	x->live = x->live || q->type->begins;
	if (q->type->ends)
		x->live = false;
	call->conn->served = true;
	return 0;
}

/* There is no other way to say so than to go away. Whether it was executed then nobody knows; and the next sequence
 * cookie is lost. */
static bool cancel(struct client_call *call, bool orphan)
{
	struct client_mapi *x = call->conn->mapi;
	if (!orphan || x->call != call)
		return false;
	x->call = NULL;
	client_web_close(&x->web);
	if (call->request->type->repeat == CLIENT_REPEAT_IN_SEQUENCE)
		x->context->lost = true;
	return true;
}

static void drop(struct client_call *call)
{
	struct client_mapi_request *q = call->request;
	if (!q)
		return;
	if (call->conn->mapi->call == call)
		call->conn->mapi->call = NULL;
	http_mapi_free(&q->answer);
	buf_free(&q->body);
	free(q);
}

const struct client_carrier client_mapi_carrier = {send_call, take, cancel, drop};

/* ---- Connections ---- */

static struct client_conn *conn_new(struct mapiwire *m, const struct idl_interface *interface,
                                    struct client_context *context)
{
	struct client_conn *c = client_conn_room(m) ? (struct client_conn *)calloc(1, sizeof *c) : NULL;
	struct client_mapi *x = c ? (struct client_mapi *)calloc(1, sizeof *x) : NULL;
	if (!x) {
		free(c);
		return NULL;
	}
	x->context = context;
	context->references++;
	*c = (struct client_conn){
	        .next = m->conns,
	        .m = m,
	        .carrier = &client_mapi_carrier,
	        .mapi = x,
	        .port = m->site->port,
	        .level = m->site->tls ? AUTH_LEVEL_PRIVACY : AUTH_LEVEL_CONNECT,
	        .open = true,
	        .idle = true,
	        .interfaces = {interface},
	        .interface_count = 1,
	};
	m->conns = c;
	return c;
}

static int open_with(struct mapiwire *m, const struct idl_interface *interface, struct client_context *context,
                     struct client_conn **out)
{
	struct client_conn *c = conn_new(m, interface, context);
	if (!c)
		return client_fail_inside(m, MW_E_NOMEM, "a connection");
	int r = open_web(c);
	if (r != 0)
		client_close(&c);
	else
		*out = c;
	return r;
}

int client_mapi_open(struct mapiwire *m, const struct idl_interface *interface, struct client_conn **out)
{
	if (interface != &wire_emsmdb_interface && interface != &wire_nspi_interface)
		return client_fail_inside(m, MW_E_INVALID, interface->alias ? interface->alias : interface->name);
	struct client_context *x = client_context_new(interface == &wire_nspi_interface ? CLIENT_NSPI : CLIENT_EMSMDB);
	if (!x)
		return client_fail_inside(m, MW_E_NOMEM, "a session");
	int r = open_with(m, interface, x, out);
	client_context_unref(&x);
	return r;
}

int client_mapi_open_beside(const struct client_conn *c, const struct idl_interface *interface,
                            struct client_conn **out)
{
	return open_with(c->m, interface, c->mapi->context, out);
}

/* A session that nobody took leave of is named to the server when the next one begins. */
static void keep_stale(struct mapiwire *m, const struct client_context *x)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const char *cookies = NULL;
	char **stale = &m->stale[x->endpoint];
	if (x->references > 1 || !x->live || !arena || client_context_cookies(x, arena, &cookies) != 0 || !cookies)
		return;
	free(*stale);
	*stale = strdup(cookies);
}

void client_mapi_close(struct client_conn *c)
{
	struct client_mapi *x = c->mapi;
	client_web_close(&x->web);
	keep_stale(c->m, x->context);
	client_context_unref(&x->context);
	free(x);
	c->mapi = NULL;
}

bool client_mapi_is_up(const struct client_conn *c)
{
	const struct client_context *x = c->mapi->context;
	if (c->mapi->call)
		return !x->lost;
	return !x->lost && (x->expiry_ns == 0 || time_monotonic_ns() - x->used_ns < x->expiry_ns);
}

/* ---- Whether a session is still there ---- */

static const struct idl_method ping_method = {.name = "PING"};
static const struct client_mapi_type ping_type = {.name = "PING", .repeat = CLIENT_REPEAT};

static int ping(struct client_conn *c)
{
	struct client_call *call = (struct client_call *)calloc(1, sizeof *call);
	if (!call)
		return client_fail_inside(c->m, MW_E_NOMEM, ping_type.name);
	call->conn = c;
	call->method = &ping_method;
	call->next = c->calls;
	c->calls = call;
	int r = send_request(call, &ping_type, NULL);
	if (r == 0)
		return client_call_end(&call, NULL, NULL, client_deadline(c->m));
	client_call_drop(&call);
	return r;
}

int client_mapi_ask_ping(struct mapiwire *m, struct client_web *w)
{
	const struct buf nothing = {0};
	struct client_context *x = client_context_new(CLIENT_EMSMDB);
	if (!x)
		return MW_E_NOMEM;
	int r = put_request(w, x, path_of(m, CLIENT_EMSMDB), ping_type.name, NULL, &nothing);
	client_context_unref(&x);
	return r;
}

int client_mapi_fail_absent(struct mapiwire *m)
{
	return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_MAPI_HTTP, "%s (404 Not Found)",
	                      path_of(m, CLIENT_EMSMDB));
}

int client_mapi_check_ping(struct mapiwire *m, const struct http_head *head)
{
	if (code_of(http_field(head, "X-ResponseCode")) >= 0)
		return 0;
	return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_MAPI_HTTP, "%s", path_of(m, CLIENT_EMSMDB));
}

int client_mapi_confirm(struct client_conn *c)
{
	struct client_mapi *x = c->mapi;
	return x->web && client_web_is_up(x->web) ? 0 : ping(c);
}
