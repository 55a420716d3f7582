#include "mapi/rop_state.h"
#include "wire/rops.h"

#define MAX_LIST 0xFFFF /* RopSize is a u16 */

int mapi_rop_writer_begin(struct mapi_rop_writer *w, struct mapi_session *s, struct arena *arena, struct buf *out)
{
	size_t start = out->len;
	int r = buf_put_u16(out, 0);
	if (r < 0)
		return r;
	*w = (struct mapi_rop_writer){.session = s, .arena = arena, .out = out, .start = start};
	return 0;
}

static int write_rop(struct mapi_rop_writer *w, const struct idl_type *type, uint8_t id,
                     struct mapi_shape_context *context, const void *value)
{
	size_t at = w->out->len;
	int before = w->out->error;
	struct ndr n = ndr_encoder(NDR_PACKED, w->arena, w->out);
	if (!type)
		return MW_E_UNSUPPORTED;
	n.context = context;
	int r = ndr_encode(&n, type, value);
	if (r >= 0 && w->out->len - w->start > MAX_LIST)
		r = MW_E_LIMIT;
	if (r < 0) {
		/* The caller may go on with a smaller ROP: that this one did not fit is no error of the buffer. */
		w->out->len = at;
		w->out->error = before;
		return r;
	}
	w->out->data[at] = id;
	return 0;
}

int mapi_rop_write_request(struct mapi_rop_writer *w, uint8_t id, const void *value)
{
	/* All requests begin with RopId and LogonId. */
	uint8_t logon_id = ((const uint8_t *)value)[1];
	struct mapi_shape_context context;
	rop_request_context(w->session, logon_id, &context);
	int r = write_rop(w, wire_rops_module.requests[id], id, &context, value);
	if (r >= 0 && id == 0xFE)
		mapi_session_set_logon(w->session, logon_id,
		                       ((const struct RopLogonRequest *)value)->LogonFlags & 0x01);
	return r;
}

int mapi_rop_write_response(struct mapi_rop_writer *w, uint8_t id, const struct mapi_rop *request, const void *value,
                            const uint32_t *handles, unsigned handle_count)
{
	struct rop_handles h = {handles, handle_count};
	const struct idl_type *type = wire_rops_module.responses[id];
	struct mapi_rop rop = {.type = type, .value = (void *)(uintptr_t)value};
	struct mapi_shape_context context;
	uint32_t notified =
	        id == MAPI_ROP_NOTIFY ? ((const struct RopNotifyResponse *)value)->NotificationHandle : MAPI_NO_HANDLE;
	rop_response_context(w->session, id, request, h, notified, &context);
	/* The answer to GetMessageStatus has the other's RopId, [MS-OXCROPS] 2.2.6.9.2. */
	int r = write_rop(w, type, id == 0x1F ? 0x20 : id, &context, value);
	if (r < 0 || !request)
		return r;
	rop_read_head(&rop);
	if (rop.status == 0)
		rop_learn(w->session, w->arena, request, value, h);
	return 0;
}

int mapi_rop_writer_end(struct mapi_rop_writer *w, const uint32_t *handles, unsigned handle_count)
{
	size_t size = w->out->len - w->start;
	int r = handle_count ? buf_put(w->out, handles, (size_t)handle_count * 4) : 0;
	if (r < 0)
		return r;
	buf_poke_u16(w->out, w->start, (uint16_t)size);
	return 0;
}
