#include "server/emsmdb/rop_more.h"

#include <stddef.h>
#include <string.h>

/* Recipients read back, read flags and status: [MS-OXCMSG]. */

/* ReadFlags, [MS-OXCMSG] 2.2.3.10.1 */
#define READ_CLEAR 0x04
#define READ_RECEIPTS_ONLY (0x10 | 0x20 | 0x40) /* receipts, which are not sent, and nothing else */
#define MAX_ROWS 255
#define ROWS_HEAD 16

/* [MS-OXCMSG] 3.2.5.4 */
uint32_t rop_remove_all_recipients(struct rop_call *rop)
{
	store_recipient_clear(rop->in->u.message);
	return 0;
}

/* An upper bound of what a row takes. */
static size_t row_size(const struct mapi_recipient *row)
{
	const uint16_t *texts[] = {row->email.str16, row->display_name.str16, row->simple_name.str16,
	                           row->transmittable_name.str16};
	const char *bytes[] = {row->x500_dn, row->address_type};
	size_t n = 32;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		n += texts[i] ? utf16_len(texts[i]) * 2 + 2 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++)
		n += bytes[i] ? strlen(bytes[i]) + 1 : 0;
	return n;
}

static size_t first_from(const struct store_message *msg, uint32_t row_id)
{
	size_t i = 0, n = store_recipient_count(msg);
	while (i < n && store_recipient_at(msg, i)->row_id < row_id)
		i++;
	return i;
}

/* [MS-OXCMSG] 3.2.5.6: as many rows as fit; the client asks on from the last. */
uint32_t rop_read_recipients(struct rop_call *rop)
{
	const struct RopReadRecipientsRequest *q = (const struct RopReadRecipientsRequest *)rop->request;
	struct RopReadRecipientsResponse *a = (struct RopReadRecipientsResponse *)rop->response;
	const struct store_message *msg = rop->in->u.message;
	size_t n = store_recipient_count(msg), used = ROWS_HEAD;
	a->RecipientRows = arena_new_array(rop->arena, struct ReadRecipientRow, MAX_ROWS);
	if (!a->RecipientRows)
		return ecServerOOM;
	for (size_t i = first_from(msg, q->RowId); i < n && a->RowCount < MAX_ROWS; i++) {
		const struct store_recipient *r = store_recipient_at(msg, i);
		struct mapi_recipient *row = rop_recipient_row(rop->arena, r);
		if (!row)
			return ecServerOOM;
		used += row_size(row);
		if (used > rop->room)
			break;
		a->RecipientRows[a->RowCount++] = (struct ReadRecipientRow){
		        .RowId = r->row_id,
		        .RecipientType = r->type,
		        .CodePageId = (uint16_t)rop->session->code_page,
		        .RecipientRow = row,
		};
	}
	if (a->RowCount == 0)
		return used > ROWS_HEAD ? ecBufferTooSmall : ecNotFound;
	return 0;
}

_Static_assert(sizeof(struct RopReloadCachedInformationResponse) == sizeof(struct RopOpenMessageResponse) &&
                       offsetof(struct RopReloadCachedInformationResponse, HasNamedProperties) ==
                               offsetof(struct RopOpenMessageResponse, HasNamedProperties) &&
                       offsetof(struct RopReloadCachedInformationResponse, RecipientRows) ==
                               offsetof(struct RopOpenMessageResponse, RecipientRows),
               "one body: [MS-OXCROPS] 2.2.6.1.2, 2.2.6.7.2");

/* [MS-OXCMSG] 3.2.5.7 */
uint32_t rop_reload_cached_information(struct rop_call *rop)
{
	int r = rop_describe_message(rop, rop->in->u.message, (struct RopOpenMessageResponse *)rop->response);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* ---- Read flags ---- */

static int mark(struct rop_call *rop, uint64_t message, bool read)
{
	uint64_t ticket = 0;
	int r = store_message_set_read(rop_store(rop), rop->in->u.folder, message, read, rop->now, NULL, &ticket);
	rop_promise(rop, ticket);
	return r;
}

/* [MS-OXCMSG] 3.2.5.10; without ids all messages of the folder. */
uint32_t rop_set_read_flags(struct rop_call *rop)
{
	const struct RopSetReadFlagsRequest *q = (const struct RopSetReadFlagsRequest *)rop->request;
	struct RopSetReadFlagsResponse *a = (struct RopSetReadFlagsResponse *)rop->response;
	uint64_t *ids = q->MessageIds;
	size_t count = q->MessageIdCount;
	if (q->ReadFlags & READ_RECEIPTS_ONLY)
		return 0;
	int r = count == 0 ? store_message_ids(rop_store(rop), rop->arena, rop->in->u.folder, &ids, &count) : 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		int e = mark(rop, ids[i], !(q->ReadFlags & READ_CLEAR));
		a->PartialCompletion |= e < 0;
		r = e == MW_E_IO || e == MW_E_NOMEM ? e : 0;
	}
	return r < 0 ? rop_status(rop, r) : 0;
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
	int r = store_message_status(rop_store(rop), rop->in->u.folder, q->MessageId, &a->MessageStatusFlags);
	return r < 0 ? rop_status(rop, r) : 0;
}
