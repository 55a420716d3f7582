#include "base/text.h"
#include "base/time.h"
#include "mapi/context.h"
#include "server/mapihttp/private.h"

#include <stdlib.h>
#include <string.h>

/* What is faster is answered at once, without PROCESSING before it. */
#define PATIENCE_NS (INT64_C(1) * NS_PER_S)

/* The address book has its own form of values. */
static struct mapi_shape_context *context_of(const struct mapihttp_request *q)
{
	static const struct mapi_shape_context book = {.extended_rules = true, .address_book = true};
	/* Not written to: the tables' contexts are shared with those that are. */
	return q->type->endpoint == MAPIHTTP_NSPI ? (struct mapi_shape_context *)(uintptr_t)&book : NULL;
}

int mapihttp_put(struct mapihttp_request *q, const struct idl_type *type, const void *value)
{
	struct ndr n = ndr_encoder(NDR_PACKED, q->call->arena, &q->answer);
	n.context = context_of(q);
	return ndr_encode(&n, type, value);
}

/* ---- A request's life ---- */

static void free_request(struct mapihttp_request *q)
{
	struct mapihttp_request **link = &q->loop->mapi_requests;
	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	struct mapihttp_context *x = q->context;
	if (x) {
		mapihttp_context_touch(x);
		if (--x->running == 0 && x->ended)
			mapihttp_context_end(x);
	}
	conn_drop_watches(&q->watches);
	buf_free(&q->answer);
	free(q);
}

static void on_finished(struct service_call *call)
{
	struct mapihttp_request *q = (struct mapihttp_request *)call->caller_user;
	struct web_request *r = web_find(q->loop, q->web);
	struct mapihttp_context *x = q->context;
	int result = call->result == SERVICE_FAULT ? MW_E_STATE : q->type->answer(q, call->args);
	if (q->type->sequenced && x)
		x->executing = false;
	if (q->type->uses == MAPIHTTP_ENDS_CONTEXT && x)
		x->ended = true;
	if (q->type->uses == MAPIHTTP_MAKES_CONTEXT && x && result < 0)
		x->ended = true;
	if (r)
		mapihttp_finish(q, r, result);
	service_call_free(call);
	q->call = NULL;
	free_request(q);
}

static const struct service_caller caller = {.finished = on_finished};

static struct service_call *new_call(struct mapihttp_request *q, const struct web_request *r)
{
	struct service_call *call = service_call_new(q->loop, q->type->service, q->type->opnum);
	if (!call)
		return NULL;
	call->caller = &caller;
	call->caller_user = q;
	call->group = q->context ? q->context->group : NULL;
	call->watches = &q->watches;
	call->conn = q->web;
	call->port = q->type->endpoint == MAPIHTTP_NSPI ? SERVER_PORT_NSPI : SERVER_PORT_STORE;
	memcpy(call->local_ip, r->local_ip, sizeof call->local_ip);
	call->auth_type = r->auth_type;
	call->level = r->secure ? AUTH_LEVEL_PRIVACY : AUTH_LEVEL_CONNECT;
	call->account = r->account;
	call->user = arena_strdup(call->arena, r->user);
	q->call = call;
	return call;
}

static int decode(struct mapihttp_request *q, const struct web_request *r)
{
	struct service_call *call = q->call;
	void *body = NULL;
	if (q->type->request) {
		struct ndr n = ndr_decoder(NDR_PACKED, call->arena, cursor_of(r->body.data, r->body.len));
		n.context = context_of(q);
		body = arena_alloc(call->arena, q->type->request->size);
		int e = body ? ndr_decode(&n, q->type->request, body) : MW_E_NOMEM;
		if (e == 0 && cursor_left(&n.in) > 0)
			e = MW_E_MALFORMED;
		if (e < 0)
			return e;
	}
	return q->type->fill ? q->type->fill(q, call->args, body) : 0;
}

static struct mapihttp_request *new_request(struct web_request *r, const struct mapihttp_type *type,
                                            struct mapihttp_context *x)
{
	struct mapihttp_request *q = (struct mapihttp_request *)calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->loop = r->loop;
	q->web = r->id;
	q->type = type;
	q->context = x;
	if (x)
		x->running++;
	q->began_ns = q->told_ns = time_monotonic_ns();
	q->next = r->loop->mapi_requests;
	r->loop->mapi_requests = q;
	return q;
}

/* Where the context is, and all that can be refused is. */
static void run(struct web_request *r, const struct mapihttp_type *type, struct mapihttp_context *x)
{
	struct mapihttp_request *q = new_request(r, type, x);
	struct service_call *call = q ? new_call(q, r) : NULL;
	int e = call ? decode(q, r) : MW_E_NOMEM;
	if (e < 0) {
		mapihttp_refuse(r, call ? MAPIHTTP_INVALID_BODY : MAPIHTTP_UNKNOWN_FAILURE);
		if (x && type->uses == MAPIHTTP_MAKES_CONTEXT)
			x->ended = true;
		if (call)
			service_call_free(call);
		if (q)
			free_request(q);
		return;
	}
	if (type->sequenced && x) {
		x->executing = true;
		mapihttp_context_renew(x);
	}
	r->state = q;
	atomic_fetch_add(&r->server->calls_in, 1);
	enum service_result result = type->service->methods[type->opnum](call, call->args);
	if (result != SERVICE_LATER)
		service_finish(call, result);
}

static enum mapihttp_endpoint endpoint_of(const struct web_request *r)
{
	return r->route->end == mapihttp_nspi ? MAPIHTTP_NSPI : MAPIHTTP_EMSMDB;
}

/* A context of that account and of this endpoint, in this loop. */
static enum mapihttp_code find_context(const struct web_request *r, bool sequenced, struct mapihttp_context **out)
{
	unsigned loop;
	uint8_t key[MAPIHTTP_KEY];
	int e = mapihttp_cookie_context(r, endpoint_of(r), &loop, key);
	if (e < 0)
		return e == MW_E_NOTFOUND ? MAPIHTTP_MISSING_COOKIE : MAPIHTTP_INVALID_CONTEXT_COOKIE;
	struct mapihttp_context *x = mapihttp_context_find(r->loop, key);
	if (!x || x->endpoint != endpoint_of(r))
		return MAPIHTTP_CONTEXT_NOT_FOUND;
	if (x->account != r->account) {
		log_line(r->server->config.log, LOG_WARNING,
		         "MAPI over HTTP: %s at %s sent the cookie of another user's session", r->user, r->peer);
		return MAPIHTTP_CONTEXT_NOT_FOUND;
	}
	if (sequenced && (x->executing || !mapihttp_cookie_sequence_fits(r, x)))
		return MAPIHTTP_INVALID_SEQUENCE;
	*out = x;
	return MAPIHTTP_SUCCESS;
}

static const struct mapihttp_type *find_type(enum mapihttp_endpoint endpoint, const char *name)
{
	for (const struct mapihttp_type *t = mapihttp_types; t->name; t++)
		if (t->endpoint == endpoint && strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static void run_with_cookie(struct web_request *r)
{
	const struct mapihttp_type *type = find_type(endpoint_of(r), http_field(r->head, "X-RequestType"));
	struct mapihttp_context *x = NULL;
	enum mapihttp_code code = find_context(r, type->sequenced, &x);
	if (code != MAPIHTTP_SUCCESS)
		mapihttp_refuse(r, code);
	else
		run(r, type, x);
}

static void run_making_context(struct web_request *r)
{
	const struct mapihttp_type *type = find_type(endpoint_of(r), http_field(r->head, "X-RequestType"));
	struct mapihttp_context *x;
	if (mapihttp_context_new(r->loop, type->endpoint, r->account, &x) < 0)
		mapihttp_refuse(r, MAPIHTTP_UNKNOWN_FAILURE);
	else
		run(r, type, x);
}

/* What still runs in it comes to its end; a wait ends now. */
static void end_with_waits(struct mapihttp_context *x)
{
	x->ended = true;
	for (const struct mapihttp_request *q = x->loop->mapi_requests; q; q = q->next)
		if (q->context == x)
			conn_tell_watches(q->watches, q->loop, q->web, true, 0);
	mapihttp_context_end(x);
}

/* Connect or Bind with the cookie of a session, 3.2.5.6: that one ends before the new one is made. */
static void run_reconnecting(struct web_request *r)
{
	struct mapihttp_context *x = NULL;
	enum mapihttp_code code = find_context(r, false, &x);
	if (code != MAPIHTTP_SUCCESS) {
		mapihttp_refuse(r, code);
		return;
	}
	end_with_waits(x);
	web_move(r, service_loop_of_account(r->server, r->account, r->loop), run_making_context);
}

/* ---- A request that came ---- */

/* PING, 2.2.6: says that the endpoint is there, and with a cookie that the session shall live on, 3.2.5.3. */
static void answer_ping(struct web_request *r)
{
	struct mapihttp_context *x = NULL;
	enum mapihttp_code code = find_context(r, false, &x);
	if (code != MAPIHTTP_SUCCESS && code != MAPIHTTP_MISSING_COOKIE) {
		mapihttp_refuse(r, code);
		return;
	}
	if (x)
		mapihttp_context_touch(x);
	mapihttp_answer_empty(r);
}

/* What 3.2.5 has checked before the request type is looked at. */
static enum mapihttp_code check(const struct web_request *r)
{
	static const char *const needed[] = {"X-RequestType", "X-RequestId", "X-ClientInfo"};
	if (strcmp(r->head->method, "POST") != 0)
		return MAPIHTTP_INVALID_VERB;
	if (!mapihttp_is_ours(r))
		return MAPIHTTP_INVALID_PATH;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!http_field(r->head, needed[i]))
			return MAPIHTTP_MISSING_HEADER;
	const char *content = http_field(r->head, "Content-Type");
	if (r->body.len > 0 && (!content || text_casecmp(content, "application/mapi-http") != 0))
		return MAPIHTTP_INVALID_HEADER;
	return MAPIHTTP_SUCCESS;
}

/* Where the context of the request's cookie is; without a usable one here, which is for then to say. */
static void move_to_context(struct web_request *r, void (*then)(struct web_request *r))
{
	unsigned loop;
	uint8_t key[MAPIHTTP_KEY];
	bool there = mapihttp_cookie_context(r, endpoint_of(r), &loop, key) == 0;
	web_move(r, there ? &r->server->loops[loop] : r->loop, then);
}

static bool has_cookie(const struct web_request *r)
{
	unsigned loop;
	uint8_t key[MAPIHTTP_KEY];
	return mapihttp_cookie_context(r, endpoint_of(r), &loop, key) != MW_E_NOTFOUND;
}

static void take(struct web_request *r, enum mapihttp_endpoint endpoint)
{
	enum mapihttp_code code = check(r);
	const char *name = http_field(r->head, "X-RequestType");
	if (code != MAPIHTTP_SUCCESS) {
		mapihttp_refuse(r, code);
		return;
	}
	if (strcmp(name, "PING") == 0) {
		move_to_context(r, answer_ping);
		return;
	}
	const struct mapihttp_type *type = find_type(endpoint, name);
	if (!type)
		mapihttp_refuse(r, MAPIHTTP_INVALID_REQUEST_TYPE);
	else if (type->uses != MAPIHTTP_MAKES_CONTEXT)
		move_to_context(r, run_with_cookie);
	else if (has_cookie(r))
		move_to_context(r, run_reconnecting);
	else
		web_move(r, service_loop_of_account(r->server, r->account, r->loop), run_making_context);
}

void mapihttp_emsmdb(struct web_request *r)
{
	take(r, MAPIHTTP_EMSMDB);
}

void mapihttp_nspi(struct web_request *r)
{
	take(r, MAPIHTTP_NSPI);
}

/* The client has gone: what only waits is given up, what runs comes to its end unheard. */
void mapihttp_gone(struct web_request *r)
{
	struct mapihttp_request *q = (struct mapihttp_request *)r->state;
	if (q)
		conn_tell_watches(q->watches, q->loop, q->web, true, 0);
}

/* ---- Time ---- */

static void tell_pending(struct mapihttp_request *q, int64_t now_ns)
{
	struct web_request *r = web_find(q->loop, q->web);
	if (!r)
		return;
	if (!q->begun && now_ns - q->began_ns >= PATIENCE_NS) {
		mapihttp_begin(q, r);
		web_send(r, "PROCESSING\r\n", 12);
		q->told_ns = now_ns;
	} else if (q->begun && now_ns - q->told_ns >= q->loop->server->config.pending_ms * NS_PER_MS) {
		web_send(r, "PENDING\r\n", 9);
		q->told_ns = now_ns;
	}
}

void mapihttp_tick(struct server_loop *loop, int64_t now_ns)
{
	for (struct mapihttp_request *q = loop->mapi_requests, *next; q; q = next) {
		next = q->next;
		tell_pending(q, now_ns);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(loop->mapi_contexts); i++)
		for (struct mapihttp_context *x = loop->mapi_contexts[i], *next; x; x = next) {
			next = x->next;
			if (x->running == 0 && now_ns > x->expires_ns)
				mapihttp_context_end(x);
		}
}

void mapihttp_end(struct server_loop *loop)
{
	for (unsigned i = 0; i < ARRAY_SIZE(loop->mapi_contexts); i++)
		for (struct mapihttp_context *x = loop->mapi_contexts[i], *next; x; x = next) {
			next = x->next;
			mapihttp_context_end(x);
		}
}
