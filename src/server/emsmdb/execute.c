#include "server/emsmdb/rop.h"

#include "mapi/ext_buffer.h"

#include <string.h>

/*
 * EcDoRpcExt2, [MS-OXCRPC] 3.1.4.2: the extended buffer comes off, each ROP is
 * executed in order ([MS-OXCROPS] 3.2.5.1), news is added, and the answers go back in
 * one payload, or in several when the client chains.
 */

/* pulFlags, [MS-OXCRPC] 3.1.4.2 */
#define FLAG_NO_COMPRESSION 0x1u
#define FLAG_NO_XOR_MAGIC 0x2u
#define FLAG_CHAIN 0x4u

#define ROP_QUERY_ROWS 0x15
#define ROP_READ_STREAM 0x2C
#define READ_MAXIMUM 0xBABE
/* A ROP is not begun in less room than this, which holds every response of fixed size: what it did could not be told.
 */
#define LEAST_ROOM 192
#define TOO_SMALL_HEAD 3 /* bytes of RopBufferTooSmall before the requests that it hands back */
/* Payloads after the first are not worth their header in less. */
#define LEAST_CHAINED 8192

struct execution {
	struct emsmdb_session *session;
	struct service_call *call;
	struct EcDoRpcExt2_args *args;
	struct mapi_rop_list requests;
	uint32_t *handles;
	struct buf payload; /* one answer payload at a time */
	struct buf out;     /* the extended buffer */
	size_t last_header; /* of the newest payload in out */
	struct mapi_rop_writer writer;
	bool answered; /* the payload has a response */
	uint64_t ticket;
	int64_t now;
	uint32_t backoff_ms; /* the client is to come back after that */
	/* The last ROP executed, if it succeeded and a chain may go on with it. */
	const struct mapi_rop *last;
	size_t remaining; /* rows or bytes still asked for by it; 0: there are no more */
};

static const struct rop_row *find_row(uint8_t id)
{
	for (unsigned i = 0; i < rop_row_count; i++)
		if (rop_rows[i].id == id)
			return &rop_rows[i];
	return NULL;
}

static uint8_t request_byte(const struct mapi_rop *rop, unsigned at)
{
	return ((const uint8_t *)rop->value)[at];
}

/* The index that the response repeats: [MS-OXCROPS] heads are (in), (in, out), (out), (src, dst), (resp, in). */
static unsigned response_index(const struct mapi_rop *rop)
{
	bool output = rop->type->field_count > 3 && strcmp(rop->type->fields[3].name, "OutputHandleIndex") == 0;
	return request_byte(rop, output ? 3 : 2);
}

/* Where the object to work on stands: the second index of (resp, in), else the first. */
static unsigned input_index(const struct mapi_rop *rop)
{
	bool response_first =
	        rop->type->field_count > 3 && strcmp(rop->type->fields[2].name, "ResponseHandleIndex") == 0;
	return request_byte(rop, response_first ? 3 : 2);
}

static size_t room_left(const struct execution *x)
{
	size_t handles = x->requests.handle_count * sizeof(uint32_t);
	size_t used = x->payload.len + handles;
	return used < x->payload.max ? x->payload.max - used : 0;
}

/*
 * What the response of requests.rops[i] may take. The ROPs after it must still be answered, each in the least room,
 * or be handed back: so that no call fails of which a part was done.
 */
static size_t room_for(const struct execution *x, unsigned i)
{
	const struct mapi_rop *rop = &x->requests.rops[i];
	size_t room = room_left(x), after = rop->offset + rop->size, count = x->requests.count - i - 1;
	size_t handed_back = TOO_SMALL_HEAD + x->requests.list_size - after, answered = count * LEAST_ROOM;
	size_t rest = count == 0 ? 0 : handed_back < answered ? handed_back : answered;
	return room > rest ? room - rest : 0;
}

/* Begins a payload of at most max bytes. */
static int begin_payload(struct execution *x, size_t max)
{
	buf_clear(&x->payload);
	x->payload.max = max < MAPI_EXT_MAX_PAYLOAD ? max : MAPI_EXT_MAX_PAYLOAD;
	x->answered = false;
	return mapi_rop_writer_begin(&x->writer, x->session->mapi, x->call->arena, &x->payload);
}

static int end_payload(struct execution *x)
{
	unsigned flags = MAPI_EXT_LAST;
	if (!(x->args->pulFlags & FLAG_NO_XOR_MAGIC))
		flags |= MAPI_EXT_XOR_MAGIC;
	if (!(x->args->pulFlags & FLAG_NO_COMPRESSION))
		flags |= MAPI_EXT_COMPRESSED;
	int r = mapi_rop_writer_end(&x->writer, x->handles, x->requests.handle_count);
	if (r < 0)
		return r;
	if (x->out.len > 0) /* the one before is no longer the last: RPC_HEADER_EXT.Flags at +2 */
		buf_poke_u16(&x->out, x->last_header + 2,
		             (uint16_t)((x->out.data[x->last_header + 2] | x->out.data[x->last_header + 3] << 8) &
		                        ~MAPI_EXT_LAST));
	x->last_header = x->out.len;
	return mapi_ext_append(&x->out, x->payload.data, x->payload.len, flags);
}

/* ---- One ROP ---- */

static uint32_t check_input(struct execution *x, const struct mapi_rop *rop, const struct rop_row *row,
                            struct emsmdb_object **out)
{
	if (row->kinds == 0)
		return 0;
	unsigned index = input_index(rop);
	if (index >= x->requests.handle_count)
		return ecNullObject;
	struct emsmdb_object *o = emsmdb_object_find(x->session, x->handles[index]);
	if (!o)
		return ecNullObject;
	if (!(row->kinds & o->kind))
		return ecNotSupported;
	*out = o;
	return 0;
}

static uint32_t run(struct execution *x, const struct mapi_rop *rop, struct rop_call *c)
{
	const struct rop_row *row = find_row(rop->id);
	if (!row) {
		log_line(x->call->server->config.log, LOG_INFO, "Rop%s is not served", rop->name);
		return ecNotSupported;
	}
	uint32_t status = check_input(x, rop, row, &c->in);
	if (status != 0)
		return status;
	if (c->out_index >= x->requests.handle_count)
		return ecNullObject;
	if (c->in)
		c->logon = c->in->logon; /* whatever the request says: what is made of it goes with it */
	return row->run(c);
}

static void release(struct execution *x, const struct mapi_rop *rop)
{
	unsigned index = request_byte(rop, 2);
	struct emsmdb_object *o =
	        index < x->requests.handle_count ? emsmdb_object_find(x->session, x->handles[index]) : NULL;
	mapi_rop_released(x->session->mapi, rop, x->handles, x->requests.handle_count);
	if (!o)
		return;
	if (o->kind == EMSMDB_LOGON)
		emsmdb_logon_release(x->session, o->logon);
	else
		emsmdb_object_release(o);
}

/* The rest of the list cannot be answered in this buffer: [MS-OXCROPS] 2.2.15.1. */
static int too_small(struct execution *x, const struct mapi_rop *rop, struct cursor payload)
{
	struct RopBufferTooSmallResponse r = {.SizeNeeded = MAPI_EXT_MAX_PAYLOAD - 1};
	if (room_left(x) < TOO_SMALL_HEAD + x->requests.list_size - rop->offset)
		return MW_E_LIMIT;
	r.RequestBuffers.data = (uint8_t *)payload.data + rop->offset;
	r.RequestBuffers.size = (uint32_t)(x->requests.list_size - rop->offset);
	return mapi_rop_write_response(&x->writer, MAPI_ROP_BUFFER_TOO_SMALL, NULL, &r, x->handles,
	                               x->requests.handle_count);
}

static struct rop_call call_of(struct execution *x, const struct mapi_rop *rop, void *response, size_t room)
{
	return (struct rop_call){
	        .session = x->session,
	        .call = x->call,
	        .arena = x->call->arena,
	        .id = rop->id,
	        .logon = request_byte(rop, 1),
	        .request = rop->value,
	        .response = response,
	        .handles = x->handles,
	        .handle_count = x->requests.handle_count,
	        .out_index = (uint8_t)response_index(rop),
	        .room = room,
	        .first = !x->answered,
	        .now = x->now,
	};
}

static int write_response(struct execution *x, const struct mapi_rop *rop, uint8_t *response, uint32_t status,
                          size_t room)
{
	size_t max = x->payload.max;
	response[1] = (uint8_t)response_index(rop);
	memcpy(response + 4, &status, sizeof status);
	x->payload.max = x->payload.len + room;
	int r = mapi_rop_write_response(&x->writer, rop->id, rop, response, x->handles, x->requests.handle_count);
	x->payload.max = max;
	return r;
}

/* MW_E_LIMIT: the answer did not fit, and what it opened is closed again. */
static int execute(struct execution *x, const struct mapi_rop *rop, size_t room)
{
	const struct idl_type *type = wire_rops_module.responses[rop->id == 0x1F ? 0x20 : rop->id];
	uint8_t *response = (uint8_t *)arena_alloc(x->call->arena, type->size);
	if (!response)
		return MW_E_NOMEM;
	struct rop_call c = call_of(x, rop, response, room);
	uint32_t before = c.out_index < c.handle_count ? x->handles[c.out_index] : 0;
	uint32_t status = run(x, rop, &c);
	if (c.ticket > x->ticket)
		x->ticket = c.ticket;
	x->last = NULL;
	int r = status == ecBufferTooSmall && x->answered ? MW_E_LIMIT : write_response(x, rop, response, status, room);
	if (r == MW_E_LIMIT && c.out_index < c.handle_count && x->handles[c.out_index] != before) {
		emsmdb_object_release(emsmdb_object_find(x->session, x->handles[c.out_index]));
		x->handles[c.out_index] = before;
	}
	if (r < 0)
		return r;
	x->answered = true;
	if (status == 0 && (rop->id == ROP_QUERY_ROWS || rop->id == ROP_READ_STREAM)) {
		x->last = rop;
		x->remaining = c.left;
	}
	return 0;
}

/* A ROP that cannot be answered here is handed back with those after it; where even that does not fit, it fails. */
static int hand_back(struct execution *x, const struct mapi_rop *rop, struct cursor payload, bool *handed)
{
	uint8_t *response;
	int r = too_small(x, rop, payload);
	*handed = r == 0;
	if (r != MW_E_LIMIT || !x->answered)
		return r;
	response = (uint8_t *)arena_alloc(x->call->arena,
	                                  wire_rops_module.responses[rop->id == 0x1F ? 0x20 : rop->id]->size);
	return response ? write_response(x, rop, response, ecBufferTooSmall, room_left(x)) : MW_E_NOMEM;
}

/* In place of what is delayed and all after it, for the whole logon: [MS-OXCROPS] 3.2.4.2, 2.2.15.2.1. */
static int back_off(struct execution *x, const struct mapi_rop *rop)
{
	struct RopBackoffResponse r = {.LogonId = request_byte(rop, 1), .Duration = x->backoff_ms};
	return mapi_rop_write_response(&x->writer, MAPI_ROP_BACKOFF, NULL, &r, x->handles, x->requests.handle_count);
}

static int execute_all(struct execution *x, struct cursor payload)
{
	for (unsigned i = 0; i < x->requests.count; i++) {
		const struct mapi_rop *rop = &x->requests.rops[i];
		if (rop->id == MAPI_ROP_RELEASE) {
			release(x, rop);
			x->last = NULL;
			continue;
		}
		if (x->backoff_ms)
			return back_off(x, rop);
		bool handed = false;
		size_t room = room_for(x, i);
		int r = room < LEAST_ROOM ? MW_E_LIMIT : execute(x, rop, room);
		if (r == MW_E_LIMIT) {
			x->last = NULL;
			r = hand_back(x, rop, payload, &handed);
		}
		if (r < 0 || handed)
			return r;
	}
	return 0;
}

/* ---- News ---- */

static int add_news(struct execution *x)
{
	struct emsmdb_session *s = x->session;
	uint64_t safe = store_synced(s->mailbox->store);
	if (safe < x->ticket)
		safe = x->ticket;
	while (s->news && s->news->ticket <= safe) {
		struct emsmdb_notification *n = s->news;
		struct RopNotifyResponse r = {
		        .NotificationHandle = n->handle, .LogonId = n->logon, .NotificationData = n->data};
		int rc = mapi_rop_write_response(&x->writer, MAPI_ROP_NOTIFY, NULL, &r, x->handles,
		                                 x->requests.handle_count);
		if (rc == MW_E_LIMIT || room_left(x) == 0)
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

static int chain(struct execution *x, size_t limit)
{
	for (unsigned n = 1; n < MAPI_EXT_MAX_PAYLOADS && x->last && x->remaining > 0; n++) {
		if (x->out.len + MAPI_EXT_HEADER_SIZE + LEAST_CHAINED > limit)
			return 0;
		struct mapi_rop rop = *x->last;
		rop.value = (void *)next_request(x);
		int r = rop.value ? begin_payload(x, limit - x->out.len - MAPI_EXT_HEADER_SIZE) : MW_E_NOMEM;
		if (r == 0)
			r = execute(x, &rop, room_left(x));
		struct mapi_rop *kept = arena_new_of(x->call->arena, struct mapi_rop);
		if (r < 0 || !kept) {
			x->last = NULL; /* it is this loop's */
			return r == MW_E_LIMIT ? 0 : r < 0 ? r : MW_E_NOMEM;
		}
		if (!x->last) /* it failed: a row that does not fit into what is left, say. The client asks again. */
			return 0;
		*kept = rop;
		x->last = kept;
		r = end_payload(x);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- The call ---- */

static int read_requests(struct execution *x, struct cursor *payload)
{
	struct mapi_ext_payload *payloads;
	unsigned count;
	int r = mapi_ext_decode(x->call->arena, cursor_of(x->args->rgbIn, x->args->cbIn), &payloads, &count);
	if (r < 0)
		return r;
	/* Further payloads would be packed requests, which only fast transfer has. */
	if (count != 1)
		return MW_E_UNSUPPORTED;
	*payload = payloads[0].data;
	r = mapi_decode_requests(x->session->mapi, x->call->arena, *payload, NULL, &x->requests);
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

static int answer(struct execution *x)
{
	struct cursor payload;
	size_t limit = x->args->pcbOut;
	int r = read_requests(x, &payload);
	if (r < 0)
		return r;
	if (limit < MAPI_EXT_HEADER_SIZE + LEAST_ROOM)
		return MW_E_LIMIT;
	r = begin_payload(x, limit - MAPI_EXT_HEADER_SIZE);
	if (r == 0)
		r = execute_all(x, payload);
	bool chained = x->args->pulFlags & FLAG_CHAIN && x->last && x->remaining > 0;
	if (r == 0 && !chained)
		r = add_news(x);
	if (r == 0)
		r = end_payload(x);
	if (r == 0 && chained)
		r = chain(x, limit);
	return r;
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

static void run_ext2(struct service_call *call, struct emsmdb_session *s)
{
	struct execution x = {
	        .session = s, .call = call, .args = (struct EcDoRpcExt2_args *)call->args, .now = time_now_ns()};
	if (call->account != s->account) {
		service_finish(call, service_fault(call, RPC_S_ACCESS_DENIED));
		return;
	}
	x.backoff_ms = count_call(s, call->server->config.calls_per_second, x.now);
	if (x.backoff_ms && !s->takes_backoff) {
		service_finish(call, service_fault(call, NCA_S_SERVER_TOO_BUSY));
		return;
	}
	int r = answer(&x);
	if (r == 0)
		r = keep_answer(&x);
	if (r < 0) {
		log_line(call->server->config.log, LOG_WARNING, "EcDoRpcExt2 of %s: %s", call->user ? call->user : "?",
		         mw_strerror(r));
		x.args->ReturnValue = (int32_t)call_status(x.args, r);
		x.args->pcbOut = 0;
		x.args->rgbOut = NULL;
	}
	x.args->pulFlags = 0;
	x.args->pcbAuxOut = 0;
	x.args->rgbAuxOut = NULL;
	buf_free(&x.payload);
	buf_free(&x.out);
	emsmdb_finish_when_safe(s->mailbox, call, x.ticket);
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
