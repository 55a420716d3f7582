#ifndef MW_MAPI_ROP_STATE_H
#define MW_MAPI_ROP_STATE_H

#include "mapi/context.h"
#include "mapi/rop_buffer.h"

/* What the layout of a ROP needs from the session, and what a pair of ROPs teaches it. Not for other folders. */

struct rop_handles {
	const uint32_t *handles;
	unsigned count;
};

static inline uint32_t rop_handle(struct rop_handles h, int index)
{
	return index >= 0 && (unsigned)index < h.count ? h.handles[index] : MAPI_NO_HANDLE;
}

void rop_request_context(struct mapi_session *s, uint8_t logon_id, struct mapi_shape_context *c);
/* request may be NULL; notify_handle counts for RopNotify only. */
void rop_response_context(struct mapi_session *s, uint8_t id, const struct mapi_rop *request, struct rop_handles h,
                          uint32_t notify_handle, struct mapi_shape_context *c);
/* h: the table after the response. */
void rop_learn(struct mapi_session *s, struct arena *arena, const struct mapi_rop *request, const void *response,
               struct rop_handles h);
/* The heads of a ROP: indexes, logon, status. */
void rop_read_head(struct mapi_rop *rop);

#endif
