#include "server/emsmdb/execution.h"
#include "server/emsmdb/rops.h"

#include "mapi/ext_buffer.h"

#include <string.h>

/* The ROPs of a buffer, one after the other: [MS-OXCROPS] 3.2.5.1. */

#define ROP_QUERY_ROWS 0x15
#define ROP_READ_STREAM 0x2C
#define ROP_LOGON 0xFE
#define FLAG_NO_COMPRESSION 0x1u
#define FLAG_NO_XOR_MAGIC 0x2u
#define SLICE_NS (INT64_C(2) * NS_PER_MS)
#define TOO_SMALL_HEAD 3 /* bytes of RopBufferTooSmall before the requests that it hands back */

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

size_t execution_room(const struct execution *x)
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
	size_t room = execution_room(x), after = rop->offset + rop->size, count = x->requests.count - i - 1;
	size_t handed_back = TOO_SMALL_HEAD + x->requests.list_size - after, answered = count * LEAST_ROOM;
	size_t rest = count == 0 ? 0 : handed_back < answered ? handed_back : answered;
	return room > rest ? room - rest : 0;
}

int execution_begin_payload(struct execution *x, size_t max)
{
	buf_clear(&x->payload);
	x->payload.max = max < MAPI_EXT_MAX_PAYLOAD ? max : MAPI_EXT_MAX_PAYLOAD;
	x->answered = false;
	return mapi_rop_writer_begin(&x->writer, x->session->mapi, x->call->arena, &x->payload);
}

int execution_end_payload(struct execution *x)
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

static struct emsmdb_object *object_at(const struct execution *x, unsigned index)
{
	return index < x->requests.handle_count ? emsmdb_object_find(x->session, x->handles[index]) : NULL;
}

static uint32_t check_input(struct execution *x, const struct mapi_rop *rop, const struct rop_row *row,
                            struct emsmdb_object **out)
{
	if (row->kinds == 0)
		return 0;
	struct emsmdb_object *o = object_at(x, input_index(rop));
	if (!o)
		return ecNullObject;
	if (!(row->kinds & o->kind))
		return ecNotSupported;
	*out = o;
	return 0;
}

static void run_again(struct server_loop *loop, struct loop_message *message);

/* The list of a table that the ROP asks, in as many slices as it takes. */
static uint32_t make_list(struct execution *x, struct store_table *t)
{
	struct rop_call *c = &x->current;
	bool more;
	int r = x->session->ending ? MW_E_STATE : store_table_prepare(t, rop_slice_end(c), &more);
	if (r < 0)
		return rop_status(c, r);
	if (more)
		return rop_again(c, x->go_on);
	x->lists = false;
	return x->go_on(c);
}

/* What the ROP needs at its destination; one of another mailbox is asked there. */
static uint32_t check_destination(struct execution *x, struct rop_call *c, const struct rop_row *row)
{
	const struct emsmdb_object *to = row->there ? object_at(x, rop_destination_index(c)) : NULL;
	if (!to) /* the ROP says so */
		return 0;
	if (to->on->mailbox == c->on->mailbox)
		return rop_check_destination(to, row->there);
	x->go_on = rop_across;
	return 0;
}

/* Afterwards the call may be another loop's. */
static uint32_t run_as_caller(struct execution *x, struct rop_call *c)
{
	struct emsmdb_mailbox *mailbox = c->on ? rop_mailbox(c) : NULL;
	struct store_mailbox *m = mailbox ? mailbox->store : NULL;
	const struct rop_row *row = x->unchecked;
	uint32_t status = 0;
	bool table = c->in && c->in->kind == EMSMDB_TABLE;
	if (m)
		store_mailbox_as(m, c->on->owner ? NULL : &c->on->caller);
	x->unchecked = NULL;
	if (row)
		status = rop_check_rights(c, row);
	if (row && status == 0)
		status = check_destination(x, c, row);
	if (mailbox)
		mailbox->actor = c->on;
	if (status == 0)
		status = x->lists && c->in ? make_list(x, c->in->u.table) : x->go_on(c);
	if (status == 0 && table)
		emsmdb_table_used(c);
	if (m) {
		store_mailbox_as(m, NULL);
		mailbox->actor = NULL;
	}
	return status;
}

/* Nothing is written while the mailbox's log begins anew: then it waits for that. */
static uint32_t run_slice(struct execution *x)
{
	struct rop_call *c = &x->current;
	x->again.run = run_again;
	if (c->on && emsmdb_hold(c->on->mailbox, &x->again))
		return ROP_LATER;
	c->slice_ns = time_monotonic_ns();
	return run_as_caller(x, c);
}

static void run_again(struct server_loop *loop, struct loop_message *message)
{
	struct execution *x = (struct execution *)((char *)message - offsetof(struct execution, again));
	(void)loop;
	uint32_t status = run_slice(x);
	if (status != ROP_LATER)
		rop_resume(&x->current, status);
}

uint32_t rop_again(struct rop_call *rop, rop_fn go_on)
{
	struct execution *x = rop->execution;
	x->go_on = go_on;
	x->again.run = run_again;
	if (rop->on)
		rop->on->mailbox->sliced_ns = time_monotonic_ns();
	loop_post(rop->call->at, &x->again);
	return ROP_LATER;
}

int64_t rop_slice_end(const struct rop_call *rop)
{
	return rop->slice_ns + SLICE_NS;
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
	if (c->in) {
		c->on = c->in->on;
		c->logon = c->on->id; /* whatever the request says: what is made of it goes with it */
		c->type = rop->type;
	}
	x->unchecked = c->in ? row : NULL;
	x->go_on = row->run;
	x->lists = c->in && row->lists;
	return run_slice(x);
}

static void release(struct execution *x, const struct mapi_rop *rop)
{
	struct emsmdb_object *o = object_at(x, request_byte(rop, 2));
	mapi_rop_released(x->session->mapi, rop, x->handles, x->requests.handle_count);
	if (!o)
		return;
	if (o->kind == EMSMDB_LOGON)
		emsmdb_logon_release(o->on);
	else
		emsmdb_object_release(o);
}

/* The rest of the list cannot be answered in this buffer: [MS-OXCROPS] 2.2.15.1. */
static int too_small(struct execution *x, const struct mapi_rop *rop)
{
	struct RopBufferTooSmallResponse r = {.SizeNeeded = MAPI_EXT_MAX_PAYLOAD - 1};
	if (execution_room(x) < TOO_SMALL_HEAD + x->requests.list_size - rop->offset)
		return MW_E_LIMIT;
	r.RequestBuffers.data = (uint8_t *)x->input.data + rop->offset;
	r.RequestBuffers.size = (uint32_t)(x->requests.list_size - rop->offset);
	return mapi_rop_write_response(&x->writer, MAPI_ROP_BUFFER_TOO_SMALL, NULL, &r, x->handles,
	                               x->requests.handle_count);
}

static struct rop_call call_of(struct execution *x, const struct mapi_rop *rop, void *response, size_t room)
{
	return (struct rop_call){
	        .session = x->session,
	        .call = x->call,
	        .execution = x,
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

static int write_response(struct execution *x, const struct mapi_rop *rop, uint8_t id, void *data, uint32_t status,
                          size_t room)
{
	size_t max = x->payload.max;
	uint8_t *response = (uint8_t *)data;
	response[1] = (uint8_t)response_index(rop);
	memcpy(response + 4, &status, sizeof status);
	x->payload.max = x->payload.len + room;
	int r = mapi_rop_write_response(&x->writer, id, rop, response, x->handles, x->requests.handle_count);
	x->payload.max = max;
	return r;
}

int execution_promise_to(struct execution *x, struct emsmdb_mailbox *m, uint64_t ticket)
{
	struct execution_promise *p = x->promises;
	while (p && p->mailbox != m)
		p = p->next;
	if (!p) {
		p = arena_new_of(x->call->arena, struct execution_promise);
		if (!p)
			return MW_E_NOMEM;
		p->mailbox = m;
		m->references++;
		p->next = x->promises;
		x->promises = p;
	}
	p->ticket = ticket > p->ticket ? ticket : p->ticket;
	return 0;
}

/* The session's own mailbox, the usual case, needs no list. */
static int promise(struct execution *x, struct emsmdb_mailbox *m, uint64_t ticket)
{
	if (m != x->session->mailbox)
		return execution_promise_to(x, m, ticket);
	x->ticket = ticket > x->ticket ? ticket : x->ticket;
	return 0;
}

int rop_promise_in(struct rop_call *rop, struct emsmdb_mailbox *m, uint64_t ticket)
{
	return ticket ? promise(rop->execution, m, ticket) : 0;
}

/* MW_E_LIMIT: the answer did not fit, and what it opened is closed again. */
static int answer(struct execution *x, uint32_t status)
{
	const struct rop_call *c = &x->current;
	int r = c->ticket ? promise(x, c->on->mailbox, c->ticket) : 0;
	x->last = NULL;
	if (r < 0)
		return r;
	r = status == ecBufferTooSmall && x->answered
	            ? MW_E_LIMIT
	            : write_response(x, x->rop, c->answer_id ? c->answer_id : x->rop->id, c->response, status, c->room);
	if (r == MW_E_LIMIT && c->out_index < c->handle_count && x->handles[c->out_index] != x->handle_before) {
		emsmdb_object_release(emsmdb_object_find(x->session, x->handles[c->out_index]));
		x->handles[c->out_index] = x->handle_before;
	}
	if (r < 0)
		return r;
	x->answered = true;
	if (status == 0 && (x->rop->id == ROP_QUERY_ROWS || x->rop->id == ROP_READ_STREAM)) {
		x->last = x->rop;
		x->remaining = c->left;
	}
	return EXECUTION_DONE;
}

int execution_run(struct execution *x, const struct mapi_rop *rop, size_t room)
{
	const struct idl_type *type = wire_rops_module.responses[rop->id == 0x1F ? 0x20 : rop->id];
	uint8_t *response = (uint8_t *)arena_alloc(x->call->arena, type->size);
	if (!response)
		return MW_E_NOMEM;
	x->rop = rop;
	x->current = call_of(x, rop, response, room);
	x->handle_before = x->current.out_index < x->current.handle_count ? x->handles[x->current.out_index] : 0;
	uint32_t status = run(x, rop, &x->current);
	return status == ROP_LATER ? EXECUTION_AWAY : answer(x, status);
}

void rop_resume(struct rop_call *rop, uint32_t status)
{
	execution_resume(rop->execution, answer(rop->execution, status));
}

/* A ROP that cannot be answered here is handed back with those after it; where even that does not fit, it fails. */
static int hand_back(struct execution *x, const struct mapi_rop *rop, bool *handed)
{
	uint8_t *response;
	int r = too_small(x, rop);
	*handed = r == 0;
	if (r != MW_E_LIMIT || !x->answered)
		return r;
	response = (uint8_t *)arena_alloc(x->call->arena,
	                                  wire_rops_module.responses[rop->id == 0x1F ? 0x20 : rop->id]->size);
	return response ? write_response(x, rop, rop->id, response, ecBufferTooSmall, execution_room(x)) : MW_E_NOMEM;
}

/* In place of what is delayed and all after it, for the whole logon: [MS-OXCROPS] 3.2.4.2, 2.2.15.2.1. */
static int back_off(struct execution *x, const struct mapi_rop *rop)
{
	struct RopBackoffResponse r = {.LogonId = request_byte(rop, 1), .Duration = x->backoff_ms};
	return mapi_rop_write_response(&x->writer, MAPI_ROP_BACKOFF, NULL, &r, x->handles, x->requests.handle_count);
}

/* ---- One after the other ---- */

/* NULL: it is refused. */
static struct server_loop *logon_place(const struct execution *x, const struct mapi_rop *rop)
{
	return rop_logon_place(x->call->server, x->call->arena, (const struct RopLogonRequest *)rop->value);
}

struct server_loop *execution_place(const struct execution *x, const struct mapi_rop *rop)
{
	struct server_loop *here = x->call->at, *place = NULL;
	if (rop->id == ROP_LOGON) {
		const struct emsmdb_logon *old = emsmdb_logon_find(x->session, request_byte(rop, 1));
		place = logon_place(x, rop);
		return place && old ? old->mailbox->loop : place ? place : here; /* the old one goes first */
	}
	const struct emsmdb_object *o =
	        object_at(x, rop->id == MAPI_ROP_RELEASE ? request_byte(rop, 2) : input_index(rop));
	return o ? o->on->mailbox->loop : here;
}

/* A LogonId that is in use: what it stood for goes before the new one is made, perhaps elsewhere. */
static bool release_old(struct execution *x, const struct mapi_rop *rop)
{
	struct emsmdb_logon *old = emsmdb_logon_find(x->session, request_byte(rop, 1));
	if (rop->id != ROP_LOGON || !old || response_index(rop) >= x->requests.handle_count || !logon_place(x, rop))
		return false;
	emsmdb_logon_release(old);
	return true;
}

int execution_after(struct execution *x, int r)
{
	bool handed = false;
	if (r == MW_E_LIMIT) {
		x->last = NULL;
		r = hand_back(x, &x->requests.rops[x->next], &handed);
	}
	x->next++;
	return r < 0 ? r : handed ? EXECUTION_DONE : EXECUTION_GO_ON;
}

int execution_next(struct execution *x)
{
	if (x->next == x->requests.count)
		return EXECUTION_DONE;
	const struct mapi_rop *rop = &x->requests.rops[x->next];
	if (rop->id == MAPI_ROP_RELEASE) {
		release(x, rop);
		x->last = NULL;
		x->next++;
		return EXECUTION_GO_ON;
	}
	if (x->backoff_ms)
		return back_off(x, rop);
	if (release_old(x, rop))
		return EXECUTION_GO_ON;
	size_t room = room_for(x, x->next);
	int r = room < LEAST_ROOM ? MW_E_LIMIT : execution_run(x, rop, room);
	return r == EXECUTION_AWAY ? r : execution_after(x, r);
}
