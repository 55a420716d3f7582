#include "server/emsmdb/execution.h"

#include "mapi/ext_buffer.h"

/*
 * EcDoRpcExt2, [MS-OXCRPC] 3.1.4.2: the extended buffer comes off, each ROP is executed in order (run.c), news is
 * added, and the answers go back in one payload, or in several when the client chains.
 */

/* pulFlags, [MS-OXCRPC] 3.1.4.2 */
#define FLAG_CHAIN 0x4u
#define ROP_QUERY_ROWS 0x15
#define READ_MAXIMUM 0xBABE
/* Payloads after the first are not worth their header in less. */
#define LEAST_CHAINED 8192

/* ---- News ---- */

/* Of a table that is gone, or shows other columns or rows by now. */
static bool is_out_of_date(struct emsmdb_session *s, const struct emsmdb_notification *n)
{
	const struct emsmdb_object *o = n->of_table ? emsmdb_object_find(s, n->handle) : NULL;
	return n->of_table && (!o || o->view != n->view);
}

static int add_news(struct execution *x)
{
	struct emsmdb_session *s = x->session;
	while (s->news && emsmdb_news_safe(s, s->news, x->ticket)) {
		struct emsmdb_notification *n = s->news;
		if (is_out_of_date(s, n)) {
			emsmdb_news_drop(s);
			continue;
		}
		struct RopNotifyResponse r = {
		        .NotificationHandle = n->handle, .LogonId = n->logon, .NotificationData = n->data};
		int rc = mapi_rop_write_response(&x->writer, MAPI_ROP_NOTIFY, NULL, &r, x->handles,
		                                 x->requests.handle_count);
		if (rc == MW_E_LIMIT || execution_room(x) == 0)
			return 0; /* the rest comes with the next answer */
		if (rc < 0)
			return rc;
		emsmdb_news_drop(s);
	}
	return 0;
}

/* ---- Chains ([MS-OXCRPC] 3.1.4.2.1.2) ---- */

/* The request that asks for what is left. */
static const void *next_request(struct execution *x)
{
	if (x->last->id == ROP_QUERY_ROWS) {
		struct RopQueryRowsRequest *q = arena_new_of(x->call->arena, struct RopQueryRowsRequest);
		if (!q)
			return NULL;
		*q = *(const struct RopQueryRowsRequest *)x->last->value;
		q->RowCount = (uint16_t)x->remaining;
		return q;
	}
	struct RopReadStreamRequest *q = arena_new_of(x->call->arena, struct RopReadStreamRequest);
	if (!q)
		return NULL;
	*q = *(const struct RopReadStreamRequest *)x->last->value;
	q->ByteCount = READ_MAXIMUM;
	q->MaximumByteCount = (uint32_t)x->remaining;
	return q;
}

/* One that failed (a row that does not fit into what is left, say) is left out: the client asks again. */
static int after_link(struct execution *x, int r)
{
	if (r < 0 || !x->last)
		return r == MW_E_LIMIT ? EXECUTION_DONE : r;
	r = execution_end_payload(x);
	x->chained++;
	return r < 0 ? r : EXECUTION_GO_ON;
}

/* Whether there is another payload to fill, and its place is here. */
static int next_link(struct execution *x)
{
	if (!x->last || x->remaining == 0 || x->chained == MAPI_EXT_MAX_PAYLOADS - 1 ||
	    x->out.len + MAPI_EXT_HEADER_SIZE + LEAST_CHAINED > x->limit)
		return EXECUTION_DONE;
	struct mapi_rop *rop = arena_new_of(x->call->arena, struct mapi_rop);
	if (!rop)
		return MW_E_NOMEM;
	*rop = *x->last;
	rop->value = (void *)next_request(x);
	int r = rop->value ? execution_begin_payload(x, x->limit - x->out.len - MAPI_EXT_HEADER_SIZE) : MW_E_NOMEM;
	if (r < 0)
		return r;
	r = execution_run(x, rop, execution_room(x));
	return r == EXECUTION_AWAY ? r : after_link(x, r);
}

/* ---- The call ---- */

static int read_requests(struct execution *x)
{
	struct mapi_ext_payload *payloads;
	unsigned count;
	int r = mapi_ext_decode(x->call->arena, cursor_of(x->args->rgbIn, x->args->cbIn), &payloads, &count);
	if (r < 0)
		return r;
	/* Further payloads would be packed requests, which only fast transfer has. */
	if (count != 1)
		return MW_E_UNSUPPORTED;
	x->input = payloads[0].data;
	r = mapi_decode_requests(x->session->mapi, x->call->arena, x->input, NULL, &x->requests);
	if (r == 0 && x->requests.error)
		r = x->requests.error;
	if (r == MW_E_LIMIT) /* a restriction too deep, say: no larger buffer would help */
		r = MW_E_MALFORMED;
	if (r < 0)
		return r;
	x->handles = (uint32_t *)arena_copy(x->call->arena, x->requests.handles,
	                                    x->requests.handle_count * sizeof(uint32_t));
	return x->handles ? 0 : MW_E_NOMEM;
}

static int begin(struct execution *x)
{
	int r = read_requests(x);
	x->limit = x->args->pcbOut;
	if (r < 0)
		return r;
	if (x->limit < MAPI_EXT_HEADER_SIZE + LEAST_ROOM)
		return MW_E_LIMIT;
	return execution_begin_payload(x, x->limit - MAPI_EXT_HEADER_SIZE);
}

/* Puts the extended buffer into the call, which outlives this function. */
static int keep_answer(struct execution *x)
{
	uint8_t *copy = (uint8_t *)arena_copy(x->call->arena, x->out.data, x->out.len);
	if (!copy)
		return MW_E_NOMEM;
	x->args->rgbOut = copy;
	x->args->pcbOut = (uint32_t)x->out.len;
	x->args->pulTransTime = (uint32_t)((time_now_ns() - x->now) / NS_PER_MS);
	return 0;
}

/* The ReturnValue that stands for a failure of the whole call: [MS-OXCRPC] 3.1.4.2, [MS-OXCROPS] 3.2.5.1. */
static uint32_t call_status(const struct EcDoRpcExt2_args *a, int error)
{
	if (a->cbIn < MAPI_EXT_HEADER_SIZE || a->pcbOut < MAPI_EXT_HEADER_SIZE)
		return ecRpcFailed;
	return error == MW_E_LIMIT ? ecBufferTooSmall : error == MW_E_NOMEM ? ecServerOOM : ecRpcFormat;
}

static void fail(struct execution *x, int r)
{
	log_line(x->call->server->config.log, LOG_WARNING, "EcDoRpcExt2 of %s: %s", x->call->user ? x->call->user : "?",
	         mw_strerror(r));
	x->args->ReturnValue = (int32_t)call_status(x->args, r);
	x->args->pcbOut = 0;
	x->args->rgbOut = NULL;
}

/* How long the client is to wait, in ms: it has had its calls of this second. 0: not at all. */
static uint32_t count_call(struct emsmdb_session *s, unsigned limit, int64_t now)
{
	int64_t second = now / NS_PER_S;
	if (s->second != second) {
		s->second = second;
		s->second_calls = 0;
	}
	if (limit == 0 || ++s->second_calls <= limit)
		return 0;
	return (uint32_t)((NS_PER_S - now % NS_PER_S + NS_PER_MS - 1) / NS_PER_MS);
}

/* ---- Its end ---- */

/* The answer waits for the commits of several mailboxes in their loops, one after the other. */
static void settle(struct server_loop *loop, struct service_call *call);

static void settled(struct emsmdb_waiter *w, bool failed)
{
	struct service_call *call = (struct service_call *)w->user;
	struct execution *x = (struct execution *)call->state;
	emsmdb_mailbox_unref(&x->promises->mailbox);
	x->promises = x->promises->next;
	x->failed |= failed;
	settle(call->at, call);
}

static void settle(struct server_loop *loop, struct service_call *call)
{
	struct execution *x = (struct execution *)call->state;
	struct execution_promise *p = x->promises;
	if (!p) {
		service_finish(call, x->failed ? service_fault(call, NCA_S_COMM_FAILURE) : SERVICE_DONE);
	} else if (p->mailbox->loop != loop) {
		service_move(call, p->mailbox->loop, settle);
	} else {
		p->waiter = (struct emsmdb_waiter){.ticket = p->ticket, .safe = settled, .user = call};
		emsmdb_when_safe(p->mailbox, &p->waiter);
	}
}

static void start(struct service_call *call, struct emsmdb_session *s);

/* The session's next call, if one waits. */
static void run_queued(struct emsmdb_session *s)
{
	struct service_call *next = s->queued;
	bool gone = s->ending;
	s->running = s->queued = NULL;
	if (gone)
		emsmdb_session_free(s);
	while (next) {
		struct service_call *call = next;
		next = (struct service_call *)call->message.next;
		call->message.next = NULL;
		if (!gone) {
			s->queued = next;
			start(call, s);
			return;
		}
		service_finish(call, service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH));
	}
}

/* In the session's loop: the answer is as it will be. */
static void conclude(struct execution *x)
{
	struct emsmdb_session *s = x->session;
	struct service_call *call = x->call;
	int r = x->error;
	if (r == 0)
		r = keep_answer(x);
	if (r < 0)
		fail(x, r);
	x->args->pulFlags = 0;
	x->args->pcbAuxOut = 0;
	x->args->rgbAuxOut = NULL;
	buf_free(&x->payload);
	buf_free(&x->out);
	x->failed = s->ending;
	if (x->promises && x->ticket && execution_promise_to(x, s->mailbox, x->ticket) < 0)
		x->failed = true;
	if (x->promises || x->failed)
		settle(call->at, call);
	else
		emsmdb_finish_when_safe(s->mailbox, call, x->ticket);
	run_queued(s);
}

/* ---- Step by step ---- */

static int end_rops(struct execution *x)
{
	bool chains = x->args->pulFlags & FLAG_CHAIN && x->last && x->remaining > 0;
	x->is_chain = chains;
	x->phase = chains ? EXECUTION_CHAIN : EXECUTION_NEWS;
	return chains ? execution_end_payload(x) : 0;
}

static int end_news(struct execution *x)
{
	int r = !x->session->ending ? add_news(x) : 0;
	return r < 0 ? r : execution_end_payload(x);
}

/* What follows from what a step came to. */
static int outcome(struct execution *x, int r)
{
	if (r == EXECUTION_DONE && x->phase == EXECUTION_ROPS)
		r = end_rops(x);
	else if (r == EXECUTION_DONE)
		x->phase = EXECUTION_NEWS;
	if (r < 0) {
		x->error = r;
		x->phase = EXECUTION_NEWS;
	}
	return r == EXECUTION_AWAY ? r : EXECUTION_GO_ON;
}

static void arrive(struct server_loop *loop, struct service_call *call)
{
	(void)loop;
	execution_go_on((struct execution *)call->state);
}

static struct server_loop *place(const struct execution *x)
{
	if (x->phase == EXECUTION_NEWS)
		return x->session->loop;
	return x->phase == EXECUTION_ROPS && x->next < x->requests.count
	               ? execution_place(x, &x->requests.rops[x->next])
	               : x->call->at;
}

static int step(struct execution *x)
{
	struct server_loop *to = place(x);
	if (to != x->call->at) {
		service_move(x->call, to, arrive);
		return EXECUTION_AWAY;
	}
	if (x->phase != EXECUTION_NEWS)
		return outcome(x, x->phase == EXECUTION_ROPS ? execution_next(x) : next_link(x));
	if (x->error == 0 && !x->is_chain)
		x->error = end_news(x);
	conclude(x);
	return EXECUTION_AWAY;
}

void execution_go_on(struct execution *x)
{
	while (step(x) == EXECUTION_GO_ON)
		;
}

void execution_resume(struct execution *x, int r)
{
	if (outcome(x, x->phase == EXECUTION_ROPS ? execution_after(x, r) : after_link(x, r)) == EXECUTION_GO_ON)
		execution_go_on(x);
}

static enum service_result refuse(struct service_call *call, const struct emsmdb_session *s, const struct execution *x)
{
	if (call->account != s->account)
		return service_fault(call, RPC_S_ACCESS_DENIED);
	if (!x || (x->backoff_ms && !s->takes_backoff))
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	return SERVICE_DONE;
}

static void start(struct service_call *call, struct emsmdb_session *s)
{
	struct execution *x = arena_new_of(call->arena, struct execution);
	s->running = call;
	if (x) {
		*x = (struct execution){.session = s,
		                        .call = call,
		                        .args = (struct EcDoRpcExt2_args *)call->args,
		                        .now = time_now_ns()};
		x->backoff_ms = count_call(s, call->server->config.calls_per_second, x->now);
	}
	enum service_result refused = refuse(call, s, x);
	if (refused != SERVICE_DONE) {
		service_finish(call, refused);
		run_queued(s);
		return;
	}
	call->state = x;
	x->error = begin(x);
	x->phase = x->error < 0 ? EXECUTION_NEWS : EXECUTION_ROPS;
	execution_go_on(x);
}

static void run_ext2(struct service_call *call, struct emsmdb_session *s)
{
	struct service_call **end = &s->queued;
	if (!s->running) {
		start(call, s);
		return;
	}
	while (*end)
		end = (struct service_call **)&(*end)->message.next;
	call->message.next = NULL;
	*end = call;
}

enum service_result emsmdb_rpc_ext2(struct service_call *call, void *args)
{
	const struct EcDoRpcExt2_args *a = (const struct EcDoRpcExt2_args *)args;
	const struct emsmdb_ref *ref = emsmdb_find_ref(call, &a->pcxh);
	if (!ref)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	if (call->level != AUTH_LEVEL_PRIVACY && !call->server->config.encryption_optional)
		return service_fault(call, RPC_S_ACCESS_DENIED);
	emsmdb_with_session(call, ref, run_ext2);
	return SERVICE_LATER;
}
