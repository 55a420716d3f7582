#include "server/emsmdb/rops.h"

#include "store/attachment.h"

/* Attachments and the messages in them: [MS-OXCMSG] 2.2.3.12 to 2.2.3.17. */

#define OPEN_READ_WRITE 0x01 /* OpenAttachmentFlags, OpenModeFlags; 3 is best access */
#define OPEN_BEST_ACCESS 0x03
#define OPEN_CREATE 0x02

static uint32_t status_of(const struct rop_call *rop, int r)
{
	return r == MW_E_LIMIT ? ecMaxAttachmentExceeded : r < 0 ? rop_status(rop, r) : 0;
}

/* An object that lives on the input object. */
static int add_object(struct rop_call *rop, enum emsmdb_kind kind, struct emsmdb_object **out)
{
	struct emsmdb_object *o;
	int r = emsmdb_object_new(rop->session, kind, rop->logon, &o);
	if (r < 0)
		return r;
	o->parent = rop->in;
	rop->in->children++;
	rop_put_handle(rop, o);
	*out = o;
	return 0;
}

static int add_attachment(struct rop_call *rop, struct store_message *attachment)
{
	struct emsmdb_object *o;
	int r = add_object(rop, EMSMDB_ATTACHMENT, &o);
	if (r < 0)
		store_message_close(&attachment);
	else
		o->u.message = attachment;
	return r;
}

/* [MS-OXCMSG] 3.2.5.12 */
uint32_t rop_open_attachment(struct rop_call *rop)
{
	const struct RopOpenAttachmentRequest *q = (const struct RopOpenAttachmentRequest *)rop->request;
	struct store_message *msg = rop->in->u.message, *attachment;
	int r = store_attachment_open(msg, q->AttachmentID, q->OpenAttachmentFlags & OPEN_READ_WRITE, &attachment);
	if (r == MW_E_STATE && q->OpenAttachmentFlags == OPEN_BEST_ACCESS)
		r = store_attachment_open(msg, q->AttachmentID, false, &attachment);
	if (r == 0)
		r = add_attachment(rop, attachment);
	return status_of(rop, r);
}

/* [MS-OXCMSG] 3.2.5.13 */
uint32_t rop_create_attachment(struct rop_call *rop)
{
	struct RopCreateAttachmentResponse *a = (struct RopCreateAttachmentResponse *)rop->response;
	struct store_message *attachment;
	int r = store_attachment_create(rop->in->u.message, rop->now, &attachment);
	if (r == 0) {
		a->AttachmentID = store_attachment_number(attachment);
		r = add_attachment(rop, attachment);
	}
	return status_of(rop, r);
}

/* [MS-OXCMSG] 3.2.5.14 */
uint32_t rop_delete_attachment(struct rop_call *rop)
{
	const struct RopDeleteAttachmentRequest *q = (const struct RopDeleteAttachmentRequest *)rop->request;
	return status_of(rop, store_attachment_delete(rop->in->u.message, q->AttachmentID));
}

/* [MS-OXCMSG] 3.2.5.15 */
uint32_t rop_save_changes_attachment(struct rop_call *rop)
{
	return status_of(rop, store_attachment_save(rop->in->u.message, rop->now));
}

/* [MS-OXCMSG] 3.2.5.17 */
uint32_t rop_get_attachment_table(struct rop_call *rop)
{
	struct store_table *table;
	struct emsmdb_object *o;
	int r = store_attachment_table(rop->in->u.message, &table);
	if (r < 0)
		return rop_status(rop, r);
	r = add_object(rop, EMSMDB_TABLE, &o);
	if (r < 0) {
		store_table_close(&table);
		return rop_status(rop, r);
	}
	o->u.table = table;
	return 0;
}

/* What RopOpenMessage tells, at its place in this response. */
static int describe(struct rop_call *rop, struct store_message *msg, struct RopOpenEmbeddedMessageResponse *a)
{
	struct RopOpenMessageResponse m = {0};
	int r = rop_describe_message(rop, msg, &m);
	a->HasNamedProperties = m.HasNamedProperties;
	a->SubjectPrefix = m.SubjectPrefix;
	a->NormalizedSubject = m.NormalizedSubject;
	a->RecipientCount = m.RecipientCount;
	a->RecipientColumns = m.RecipientColumns;
	a->RowCount = m.RowCount;
	a->RecipientRows = m.RecipientRows;
	return r;
}

/* [MS-OXCMSG] 3.2.5.16; an embedded message has no id of its own. */
uint32_t rop_open_embedded_message(struct rop_call *rop)
{
	const struct RopOpenEmbeddedMessageRequest *q = (const struct RopOpenEmbeddedMessageRequest *)rop->request;
	struct store_message *attachment = rop->in->u.message, *msg;
	struct emsmdb_object *o = NULL;
	bool create = q->OpenModeFlags == OPEN_CREATE;
	int r = store_attachment_message(attachment, create, q->OpenModeFlags == OPEN_READ_WRITE, rop->now, &msg);
	if (r < 0)
		return status_of(rop, r);
	r = describe(rop, msg, (struct RopOpenEmbeddedMessageResponse *)rop->response);
	if (r == 0)
		r = add_object(rop, EMSMDB_MESSAGE, &o);
	if (r != 0) {
		store_message_close(&msg);
		return rop_status(rop, r);
	}
	o->u.message = msg;
	o->code_page = q->CodePageId;
	return 0;
}

/* [MS-OXCROPS] 2.2.6.18: the numbers of the attachments as they are saved in the message. */
uint32_t rop_get_valid_attachments(struct rop_call *rop)
{
	struct RopGetValidAttachmentsResponse *a = (struct RopGetValidAttachmentsResponse *)rop->response;
	size_t count = store_attachment_count(rop->in->u.message);
	a->AttachmentIdArray = arena_new_array(rop->arena, uint32_t, count);
	if (!a->AttachmentIdArray)
		return ecServerOOM;
	a->AttachmentIdCount = (uint16_t)count;
	for (size_t i = 0; i < count; i++)
		a->AttachmentIdArray[i] = store_attachment_number_at(rop->in->u.message, i);
	return 0;
}
