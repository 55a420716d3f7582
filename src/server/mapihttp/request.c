#include "base/text.h"
#include "base/time.h"
#include "mapi/context.h"
#include "server/mapihttp/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often a client hears that its request is still worked on, 2.2.3.3.5; what is faster is answered at once. */
#define PENDING_PERIOD_MS 15000u
#define PATIENCE_NS (INT64_C(1) * NS_PER_S)
#define SERVER_APPLICATION "Exchange/15.00.1497.000"

#define STRINGIZE(x) #x
#define TEXT_OF(x) STRINGIZE(x)

/* ---- Answers ---- */

struct answer_fields {
	struct http_field list[12];
	unsigned count;
	char code[12], context[MAPIHTTP_COOKIE], sequence[MAPIHTTP_COOKIE];
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
	add(f, "X-PendingPeriod", "15000");
	add(f, "X-ExpirationInfo", "900000");
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
static void refuse(struct web_request *r, enum mapihttp_code code)
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

static void begin(struct mapihttp_request *q, struct web_request *r)
{
	struct answer_fields f;
	fill_fields(&f, r, MAPIHTTP_SUCCESS, q->context);
	const struct http_head head = {.status = 200, .body = HTTP_CHUNKED, .fields = f.list, .field_count = f.count};
	q->begun = true;
	web_begin(r, &head);
}

/* The meta tags and late header lines of 2.2.7 and 2.2.2.2, then the body: one chunk when all is there at once. */
static void finish_answer(struct mapihttp_request *q, struct web_request *r, int result)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	char date[40];
	struct tm tm;
	int64_t took = time_monotonic_ns() - q->began_ns;
	time_t started = (time_t)((time_now_ns() - took) / NS_PER_S);
	if (result < 0 && !q->begun) {
		refuse(r, MAPIHTTP_UNKNOWN_FAILURE);
		return;
	}
	if (!q->begun) {
		begin(q, r);
		buf_put_str(&out, "PROCESSING\r\n");
	}
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&started, &tm));
	buf_put_str(&out, "DONE\r\n");
	if (result < 0)
		buf_printf(&out, "X-ResponseCode: %d\r\n", MAPIHTTP_UNKNOWN_FAILURE);
	buf_printf(&out, "X-ElapsedTime: %lld\r\nX-StartTime: %s\r\n\r\n", (long long)(took / NS_PER_MS), date);
	if (result == 0)
		buf_put(&out, q->answer.data, q->answer.len);
	if (buf_error(&out) < 0) {
		web_abort(r);
		return;
	}
	web_send(r, out.data, out.len);
	web_end(r);
}

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
		x->expires_ns = time_monotonic_ns() + MAPIHTTP_EXPIRY_MS * NS_PER_MS;
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
		finish_answer(q, r, result);
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
		refuse(r, call ? MAPIHTTP_INVALID_BODY : MAPIHTTP_UNKNOWN_FAILURE);
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

static void run_with_cookie(struct web_request *r);

/* A context of that account and of this endpoint, in this loop. */
static enum mapihttp_code find_context(const struct web_request *r, const struct mapihttp_type *type,
                                       struct mapihttp_context **out)
{
	unsigned loop;
	uint8_t key[MAPIHTTP_KEY];
	int e = mapihttp_cookie_context(r, type->endpoint, &loop, key);
	if (e < 0)
		return e == MW_E_NOTFOUND ? MAPIHTTP_MISSING_COOKIE : MAPIHTTP_INVALID_CONTEXT_COOKIE;
	struct mapihttp_context *x = mapihttp_context_find(r->loop, key);
	if (!x || x->endpoint != type->endpoint)
		return MAPIHTTP_CONTEXT_NOT_FOUND;
	if (x->account != r->account) {
		log_line(r->server->config.log, LOG_WARNING,
		         "MAPI over HTTP: %s at %s sent the cookie of another user's session", r->user, r->peer);
		return MAPIHTTP_CONTEXT_NOT_FOUND;
	}
	if (type->sequenced && (x->executing || !mapihttp_cookie_sequence_fits(r, x)))
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

static enum mapihttp_endpoint endpoint_of(const struct web_request *r)
{
	return r->route->end == mapihttp_nspi ? MAPIHTTP_NSPI : MAPIHTTP_EMSMDB;
}

static void run_with_cookie(struct web_request *r)
{
	const struct mapihttp_type *type = find_type(endpoint_of(r), http_field(r->head, "X-RequestType"));
	struct mapihttp_context *x = NULL;
	enum mapihttp_code code = find_context(r, type, &x);
	if (code != MAPIHTTP_SUCCESS)
		refuse(r, code);
	else
		run(r, type, x);
}

static void run_making_context(struct web_request *r)
{
	const struct mapihttp_type *type = find_type(endpoint_of(r), http_field(r->head, "X-RequestType"));
	struct mapihttp_context *x;
	if (mapihttp_context_new(r->loop, type->endpoint, r->account, &x) < 0)
		refuse(r, MAPIHTTP_UNKNOWN_FAILURE);
	else
		run(r, type, x);
}

/* ---- A request that came ---- */

/* PING, 2.2.3.3.6: says that the endpoint is there, and keeps a context alive. */
static void answer_ping(struct web_request *r)
{
	struct answer_fields f;
	fill_fields(&f, r, MAPIHTTP_SUCCESS, NULL);
	const struct http_head head = {.status = 200, .fields = f.list, .field_count = f.count};
	web_answer(r, &head, NULL, 0);
}

/* What 3.2.5 has checked before the request type is looked at. */
static enum mapihttp_code check(const struct web_request *r)
{
	static const char *const needed[] = {"X-RequestType", "X-RequestId", "X-ClientInfo"};
	if (strcmp(r->head->method, "POST") != 0)
		return MAPIHTTP_INVALID_VERB;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!http_field(r->head, needed[i]))
			return MAPIHTTP_MISSING_HEADER;
	const char *content = http_field(r->head, "Content-Type");
	if (r->body.len > 0 && (!content || text_casecmp(content, "application/mapi-http") != 0))
		return MAPIHTTP_INVALID_HEADER;
	return MAPIHTTP_SUCCESS;
}

static void take(struct web_request *r, enum mapihttp_endpoint endpoint)
{
	enum mapihttp_code code = check(r);
	const char *name = http_field(r->head, "X-RequestType");
	if (code != MAPIHTTP_SUCCESS) {
		refuse(r, code);
		return;
	}
	if (strcmp(name, "PING") == 0) {
		answer_ping(r);
		return;
	}
	const struct mapihttp_type *type = find_type(endpoint, name);
	unsigned loop;
	uint8_t key[MAPIHTTP_KEY];
	if (!type)
		refuse(r, MAPIHTTP_INVALID_REQUEST_TYPE);
	else if (type->uses == MAPIHTTP_NO_CONTEXT)
		run(r, type, NULL);
	else if (type->uses == MAPIHTTP_MAKES_CONTEXT)
		web_move(r, service_loop_of_account(r->server, r->account, r->loop), run_making_context);
	else if (mapihttp_cookie_context(r, endpoint, &loop, key) == 0)
		web_move(r, &r->server->loops[loop], run_with_cookie);
	else
		run_with_cookie(r);
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
		begin(q, r);
		web_send(r, "PROCESSING\r\n", 12);
		q->told_ns = now_ns;
	} else if (q->begun && now_ns - q->told_ns >= PENDING_PERIOD_MS * NS_PER_MS) {
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
