#include "mapi/rop_buffer.h"

#include "mapi/rop_state.h"
#include "mapi/rop_trace.h"
#include "wire/rops.h"

#include <string.h>

#define MAX_ROPS 0x10000 /* a ROP has two bytes at least, and RopSize is a u16 */

/* One pass over a payload. */
struct walk {
	struct mapi_session *session;
	struct arena *arena;
	const struct ndr_tracer *tracer;
	struct cursor in; /* of the whole payload, cut at RopSize */
	struct mapi_rop_list *list;
	unsigned capacity;
	/* Responses: the requests, the next one to be answered, and the table as it is between two ROPs. */
	const struct mapi_rop_list *requests;
	unsigned next;
	uint32_t *current;
	unsigned current_count;
};

/* RopSize, and the handles behind the ROPs. */
static int open_payload(struct walk *w, struct cursor payload)
{
	struct mapi_rop_list *list = w->list;
	uint16_t size;
	payload.big_endian = false;
	if (cursor_u16(&payload, &size) < 0)
		return MW_E_TRUNCATED;
	if (size < 2)
		return MW_E_MALFORMED;
	if (size > payload.len)
		return MW_E_TRUNCATED;
	list->list_size = size;
	list->handle_count = (unsigned)((payload.len - size) / 4);
	list->handles = arena_copy(w->arena, payload.data + size, (size_t)list->handle_count * 4);
	if (!list->handles)
		return MW_E_NOMEM;
	w->in = payload;
	w->in.len = size;
	return 0;
}

static struct mapi_rop *add(struct walk *w)
{
	struct mapi_rop_list *list = w->list;
	if (list->count == w->capacity) {
		unsigned capacity = w->capacity ? 2 * w->capacity : 16;
		struct mapi_rop *rops = arena_new_array(w->arena, struct mapi_rop, capacity);
		if (!rops || capacity > MAX_ROPS)
			return NULL;
		if (list->count)
			memcpy(rops, list->rops, list->count * sizeof *rops);
		list->rops = rops;
		w->capacity = capacity;
	}
	list->rops[list->count] = (struct mapi_rop){0};
	return &list->rops[list->count++];
}

static int stop(struct walk *w, int error, size_t offset, const char *where)
{
	w->list->error = error;
	w->list->error_offset = offset;
	w->list->error_where = where;
	return error;
}

#define FAILED_HEAD 6 /* RopId, index, ReturnValue */

/*
 * Some servers answer a failure with the head alone where the specification has one layout for every
 * result (ReadStream, WriteStream, CopyToStream, SetReadFlags ...). At the end of the ROPs it can be told.
 */
static bool is_bare_failure(const struct walk *w, const struct idl_type *type)
{
	struct cursor c = w->in;
	uint32_t status;
	if (type->message != IDL_RESPONSE || cursor_left(&c) != FAILED_HEAD || type->field_count < 4)
		return false;
	return cursor_skip(&c, 2) >= 0 && cursor_u32(&c, &status) >= 0 && status != 0;
}

/* What is missing is taken for zeros. */
static int decode_bare_failure(const struct walk *w, const struct idl_type *type, void *value, struct cursor *end)
{
	uint8_t padded[FAILED_HEAD + 64] = {0};
	memcpy(padded, cursor_here(&w->in), FAILED_HEAD);
	struct ndr n = ndr_decoder(NDR_PACKED, w->arena, cursor_of(padded, sizeof padded));
	int r = ndr_decode(&n, type, value);
	*end = w->in;
	end->pos = end->len;
	return r;
}

/* One ROP of a type at the position. */
static int decode_rop(struct walk *w, uint8_t id, const struct idl_type *type, struct mapi_shape_context *context,
                      struct mapi_rop *rop)
{
	struct rop_trace trace;
	struct ndr_tracer tracer;
	struct ndr n = ndr_decoder(NDR_PACKED, w->arena, w->in);
	void *value = type ? arena_alloc(w->arena, type->size) : NULL;
	if (!type)
		return stop(w, MW_E_UNSUPPORTED, w->in.pos, "RopId");
	if (!value)
		return MW_E_NOMEM;
	n.tracer = rop_trace_begin(&trace, &tracer, w->tracer);
	n.context = context;
	int r = ndr_decode(&n, type, value);
	rop_trace_flush(&trace);
	if (r == MW_E_TRUNCATED && is_bare_failure(w, type))
		r = decode_bare_failure(w, type, value, &n.in);
	if (r < 0)
		return stop(w, r, n.where_offset, n.where);
	*rop = (struct mapi_rop){.id = id,
	                         .name = mapi_rop_name(id),
	                         .type = type,
	                         .value = value,
	                         .offset = w->in.pos,
	                         .size = n.in.pos - w->in.pos};
	rop_read_head(rop);
	w->in.pos = n.in.pos;
	return 0;
}

static int next_request(struct walk *w)
{
	struct mapi_shape_context context;
	struct mapi_rop rop;
	const uint8_t *at = cursor_here(&w->in);
	rop_request_context(w->session, cursor_left(&w->in) > 1 ? at[1] : 0, &context);
	int r = decode_rop(w, at[0], wire_rops_module.requests[at[0]], &context, &rop);
	if (r < 0)
		return r;
	/* Later ROPs of the same buffer have their layout from it, and its answer is not there yet. */
	if (rop.id == 0xFE)
		mapi_session_set_logon(w->session, rop.logon_id,
		                       ((const struct RopLogonRequest *)rop.value)->LogonFlags & 0x01);
	struct mapi_rop *kept = add(w);
	if (!kept)
		return MW_E_NOMEM;
	*kept = rop;
	return 0;
}

int mapi_decode_requests(struct mapi_session *s, struct arena *arena, struct cursor payload,
                         const struct ndr_tracer *tracer, struct mapi_rop_list *list)
{
	struct mapi_rop_list found = {0};
	struct walk w = {.session = s, .arena = arena, .tracer = tracer, .list = &found};
	int r = open_payload(&w, payload);
	while (r >= 0 && cursor_left(&w.in))
		r = next_request(&w);
	if (r < 0 && !found.error)
		return r;
	*list = found;
	return 0;
}

static bool stands_alone(uint8_t id)
{
	return id == MAPI_ROP_NOTIFY || id == MAPI_ROP_PENDING || id == MAPI_ROP_BACKOFF ||
	       id == MAPI_ROP_BUFFER_TOO_SMALL;
}

static struct rop_handles current_handles(const struct walk *w)
{
	return (struct rop_handles){w->current, w->current_count};
}

/* Releases have no response: those before the next one are done. */
static void pass_releases(struct walk *w)
{
	while (w->requests && w->next < w->requests->count && w->requests->rops[w->next].id == MAPI_ROP_RELEASE)
		mapi_rop_released(w->session, &w->requests->rops[w->next++], w->current, w->current_count);
}

/* The request that a response with this RopId answers. [MS-OXCROPS] 2.2.6.9.2: 0x20 also answers 0x1F. */
static const struct mapi_rop *find_request(struct walk *w, uint8_t id)
{
	if (!w->requests || stands_alone(id))
		return NULL;
	pass_releases(w);
	if (w->next == w->requests->count)
		return NULL;
	const struct mapi_rop *request = &w->requests->rops[w->next];
	return request->id == id || (request->id == 0x1F && id == 0x20) ? request : NULL;
}

/* The new object's handle stands in the response's table. */
static void take_new_handle(struct walk *w, const struct mapi_rop *request)
{
	int i = request->output;
	if (i >= 0 && (unsigned)i < w->list->handle_count && (unsigned)i < w->current_count)
		w->current[i] = w->list->handles[i];
}

static uint32_t notify_handle(struct cursor in)
{
	uint32_t handle;
	return cursor_skip(&in, 1) < 0 || cursor_u32(&in, &handle) < 0 ? MAPI_NO_HANDLE : handle;
}

static int next_response(struct walk *w)
{
	struct mapi_shape_context context;
	struct mapi_rop rop;
	uint8_t id = *cursor_here(&w->in);
	const struct mapi_rop *request = find_request(w, id);
	if (request)
		id = request->id;
	rop_response_context(w->session, id, request, current_handles(w), notify_handle(w->in), &context);
	int r = decode_rop(w, id, wire_rops_module.responses[id], &context, &rop);
	if (r < 0)
		return r;
	rop.request = request;
	if (request) {
		w->next++;
		if (rop.status == 0) {
			take_new_handle(w, request);
			rop_learn(w->session, w->arena, request, rop.value, current_handles(w));
		}
	}
	struct mapi_rop *kept = add(w);
	if (!kept)
		return MW_E_NOMEM;
	*kept = rop;
	return 0;
}

/* The table between ROPs: the requests', with room for what the responses' has more. */
static int start_handles(struct walk *w)
{
	const struct mapi_rop_list *q = w->requests;
	unsigned asked = q ? q->handle_count : 0, answered = w->list->handle_count;
	w->current_count = asked > answered ? asked : answered;
	w->current = arena_new_array(w->arena, uint32_t, w->current_count);
	if (!w->current)
		return MW_E_NOMEM;
	if (answered)
		memcpy(w->current, w->list->handles, (size_t)answered * 4);
	if (asked)
		memcpy(w->current, q->handles, (size_t)asked * 4);
	return 0;
}

int mapi_decode_responses(struct mapi_session *s, struct arena *arena, struct cursor payload,
                          const struct mapi_rop_list *requests, const struct ndr_tracer *tracer,
                          struct mapi_rop_list *list)
{
	struct mapi_rop_list found = {0};
	struct walk w = {.session = s, .arena = arena, .tracer = tracer, .list = &found, .requests = requests};
	int r = open_payload(&w, payload);
	if (r >= 0)
		r = start_handles(&w);
	while (r >= 0 && cursor_left(&w.in))
		r = next_response(&w);
	if (r < 0 && !found.error)
		return r;
	if (r >= 0)
		pass_releases(&w);
	*list = found;
	return 0;
}
