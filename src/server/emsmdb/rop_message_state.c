#include "server/emsmdb/work.h"

/* Read flags and status: [MS-OXCMSG]. */

/* ReadFlags, [MS-OXCMSG] 2.2.3.10.1 */
#define READ_CLEAR 0x04
#define READ_RECEIPTS_ONLY (0x10 | 0x20 | 0x40) /* receipts, which are not sent, and nothing else */

/* ---- Read flags ---- */

static int mark(struct rop_work *w, uint64_t message)
{
	struct rop_call *rop = &w->call;
	bool read = !(w->flags & READ_CLEAR);
	uint64_t ticket = 0;
	if (!rop_may(rop, rop->in->u.folder, message, STORE_ACCESS_MODIFY))
		return MW_E_STATE;
	int r = store_message_set_read(rop_store(rop), rop->in->u.folder, message, read, rop->now, NULL, &ticket);
	rop_promise(rop, ticket);
	return r;
}

/* [MS-OXCMSG] 3.2.5.10; without ids all messages of the folder. */
uint32_t rop_set_read_flags(struct rop_call *rop)
{
	const struct RopSetReadFlagsRequest *q = (const struct RopSetReadFlagsRequest *)rop->request;
	uint64_t *ids = q->MessageIds;
	size_t count = q->MessageIdCount;
	if (q->ReadFlags & READ_RECEIPTS_ONLY)
		return 0;
	int r = count == 0 ? store_message_ids(rop_store(rop), rop->arena, rop->in->u.folder, false, &ids, &count) : 0;
	if (r < 0)
		return rop_status(rop, r);
	struct rop_work *w = rop_work_new(rop, ids, count, offsetof(struct RopSetReadFlagsResponse, PartialCompletion));
	if (!w)
		return ecServerOOM;
	w->step = mark;
	w->flags = q->ReadFlags;
	return rop_work_run(rop, w, q->WantAsynchronous);
}

/* [MS-OXCMSG] 3.2.5.11. ReadStatusChanged is for public folders alone, 2.2.3.11.2. */
uint32_t rop_set_message_read_flag(struct rop_call *rop)
{
	const struct RopSetMessageReadFlagRequest *q = (const struct RopSetMessageReadFlagRequest *)rop->request;
	bool changed;
	uint64_t ticket = 0;
	if (q->ReadFlags & READ_RECEIPTS_ONLY)
		return 0;
	int r = store_message_mark_read(rop->in->u.message, !(q->ReadFlags & READ_CLEAR), rop->now, &changed, &ticket);
	rop_promise(rop, ticket);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* ---- Status ---- */

/* [MS-OXCMSG] 3.2.5.8: the answer is the status before. */
uint32_t rop_set_message_status(struct rop_call *rop)
{
	const struct RopSetMessageStatusRequest *q = (const struct RopSetMessageStatusRequest *)rop->request;
	struct RopSetMessageStatusResponse *a = (struct RopSetMessageStatusResponse *)rop->response;
	uint64_t ticket = 0;
	if (!rop_may(rop, rop->in->u.folder, q->MessageId, STORE_ACCESS_MODIFY))
		return ecAccessDenied;
	int r = store_message_set_status(rop_store(rop), rop->in->u.folder, q->MessageId, q->MessageStatusFlags,
	                                 q->MessageStatusMask, &a->MessageStatusFlags, &ticket);
	rop_promise(rop, ticket);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCMSG] 3.2.5.9; answered as RopSetMessageStatus. */
uint32_t rop_get_message_status(struct rop_call *rop)
{
	const struct RopGetMessageStatusRequest *q = (const struct RopGetMessageStatusRequest *)rop->request;
	struct RopSetMessageStatusResponse *a = (struct RopSetMessageStatusResponse *)rop->response;
	if (!rop_may(rop, rop->in->u.folder, q->MessageId, STORE_ACCESS_READ))
		return ecAccessDenied;
	int r = store_message_status(rop_store(rop), rop->in->u.folder, q->MessageId, &a->MessageStatusFlags);
	return r < 0 ? rop_status(rop, r) : 0;
}
