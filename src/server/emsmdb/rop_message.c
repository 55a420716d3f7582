#include "server/emsmdb/rops.h"

#include "store/deleted.h"

#include <stddef.h>

/* OpenModeFlags, [MS-OXCMSG] 2.2.3.1.1: 0 read-only, 1 read-write, 3 best access */
#define OPEN_READ_WRITE 0x01
#define OPEN_BEST_ACCESS 0x03
#define OPEN_SOFT_DELETED 0x04
/* SaveFlags, [MS-OXCMSG] 2.2.3.3.1 */
#define SAVE_THEN_READ_ONLY 0x01
#define SAVE_THEN_READ_WRITE 0x02
#define SAVE_FORCE 0x04
#define MAX_ROWS_ON_OPEN 255

static struct mapi_typed_string typed(const struct mapi_value *v)
{
	struct mapi_typed_string t = {.type = MAPI_STRING_EMPTY};
	if (v->flag == MAPI_FLAG_VALUE && mapi_tag_type(v->tag) == PTYP_STRING && v->u.str16[0]) {
		t.type = MAPI_STRING_UNICODE;
		t.str16 = v->u.str16;
	}
	return t;
}

static int fill_recipients(struct rop_call *rop, const struct store_message *msg, struct RopOpenMessageResponse *a)
{
	size_t n = store_recipient_count(msg), rows = n < MAX_ROWS_ON_OPEN ? n : MAX_ROWS_ON_OPEN;
	a->RecipientCount = (uint16_t)n;
	a->RowCount = (uint8_t)rows;
	a->RecipientRows = arena_new_array(rop->arena, struct OpenRecipientRow, rows);
	for (size_t i = 0; a->RecipientRows && i < rows; i++) {
		const struct store_recipient *r = store_recipient_at(msg, i);
		a->RecipientRows[i].RecipientType = r->type;
		a->RecipientRows[i].CodePageId = (uint16_t)rop->session->code_page;
		a->RecipientRows[i].RecipientRow = rop_recipient_row(rop->arena, r);
		if (!a->RecipientRows[i].RecipientRow)
			return MW_E_NOMEM;
	}
	return a->RecipientRows ? 0 : MW_E_NOMEM;
}

static int has_named(struct rop_call *rop, struct store_message *msg, uint8_t *out)
{
	struct mapi_value *values;
	size_t count;
	int r = store_message_all(msg, rop->arena, &values, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		*out |= mapi_tag_is_named(values[i].tag);
	return r;
}

int rop_describe_message(struct rop_call *rop, struct store_message *msg, struct RopOpenMessageResponse *a)
{
	static const uint32_t tags[] = {PidTagSubjectPrefix, PidTagNormalizedSubject};
	struct mapi_value values[ARRAY_SIZE(tags)];
	int r = store_message_get(msg, rop->arena, tags, ARRAY_SIZE(tags), values);
	if (r < 0)
		return r;
	a->SubjectPrefix = typed(&values[0]);
	a->NormalizedSubject = typed(&values[1]);
	r = has_named(rop, msg, &a->HasNamedProperties);
	return r < 0 ? r : fill_recipients(rop, msg, a);
}

int rop_add_message(struct rop_call *rop, struct store_message *msg, uint16_t code_page)
{
	struct emsmdb_object *o;
	int r = emsmdb_object_new(rop->session, EMSMDB_MESSAGE, rop->logon, &o);
	if (r < 0)
		return r;
	o->u.message = msg;
	o->code_page = code_page;
	rop_put_handle(rop, o);
	return 0;
}

/* [MS-OXCMSG] 3.2.5.1 */
uint32_t rop_open_message(struct rop_call *rop)
{
	const struct RopOpenMessageRequest *q = (const struct RopOpenMessageRequest *)rop->request;
	struct RopOpenMessageResponse *a = (struct RopOpenMessageResponse *)rop->response;
	struct store_message *msg;
	bool writable = q->OpenModeFlags & OPEN_READ_WRITE;
	uint64_t folder = q->FolderId;
	if (!rop_may(rop, folder, q->MessageId, STORE_ACCESS_READ))
		return ecAccessDenied;
	if (writable && !rop_may(rop, folder, q->MessageId, STORE_ACCESS_MODIFY)) {
		if ((q->OpenModeFlags & OPEN_BEST_ACCESS) != OPEN_BEST_ACCESS)
			return ecAccessDenied;
		writable = false;
	}
	int r = store_message_open(rop_store(rop), folder, q->MessageId, writable, &msg);
	if (r == MW_E_NOTFOUND && q->OpenModeFlags & OPEN_SOFT_DELETED && rop->on->owner)
		r = store_message_open_deleted(rop_store(rop), folder, q->MessageId, &msg);
	if (r < 0)
		return rop_status(rop, r);
	r = rop_describe_message(rop, msg, a);
	if (r == 0)
		r = rop_add_message(rop, msg, q->CodePageId);
	if (r < 0) {
		store_message_close(&msg);
		return rop_status(rop, r);
	}
	return 0;
}

/* [MS-OXCMSG] 3.2.5.2 */
uint32_t rop_create_message(struct rop_call *rop)
{
	const struct RopCreateMessageRequest *q = (const struct RopCreateMessageRequest *)rop->request;
	struct store_message *msg;
	int r = store_message_create(rop_store(rop), q->FolderId, q->AssociatedFlag, rop->now, &msg);
	if (r < 0)
		return r == MW_E_UNSUPPORTED ? ecSearchFolder : rop_status(rop, r);
	r = rop_add_message(rop, msg, q->CodePageId);
	if (r < 0) {
		store_message_close(&msg);
		return rop_status(rop, r);
	}
	return 0; /* HasMessageId 0: the id comes with the save */
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

/* [MS-OXCMSG] 3.2.5.3 */
uint32_t rop_save_changes_message(struct rop_call *rop)
{
	const struct RopSaveChangesMessageRequest *q = (const struct RopSaveChangesMessageRequest *)rop->request;
	struct RopSaveChangesMessageResponse *a = (struct RopSaveChangesMessageResponse *)rop->response;
	if (!store_message_writable(rop->in->u.message))
		return ecAccessDenied;
	int r = store_message_save(rop->in->u.message, q->SaveFlags & SAVE_FORCE, rop->now, &rop->ticket);
	if (r < 0)
		return r == MW_E_STATE ? ecObjectModified : r == MW_E_LIMIT ? ecMessageTooBig : rop_status(rop, r);
	if ((q->SaveFlags & (SAVE_THEN_READ_ONLY | SAVE_THEN_READ_WRITE)) == SAVE_THEN_READ_ONLY)
		store_message_freeze(rop->in->u.message);
	a->InputHandleIndex = q->InputHandleIndex;
	a->MessageId = store_message_id(rop->in->u.message);
	return 0;
}
