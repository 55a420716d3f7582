#include "server/emsmdb/rop_more.h"

#include <string.h>

/* OpenModeFlags, [MS-OXCMSG] 2.2.3.1.1: 0 read-only, 1 read-write, 3 best access */
#define OPEN_READ_WRITE 0x01
#define OPEN_BEST_ACCESS 0x03
#define SAVE_FORCE 0x04 /* SaveFlags, [MS-OXCMSG] 2.2.3.3.1 */
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

static const uint16_t *recipient_text(const struct store_recipient *r, uint32_t tag)
{
	const struct mapi_value *v = mapi_find(r->values, r->count, tag);
	return v && mapi_tag_type(v->tag) == PTYP_STRING ? v->u.str16 : NULL;
}

/* A RecipientRow without columns: what is known by name, [MS-OXCDATA] 2.8.3.2. */
struct mapi_recipient *rop_recipient_row(struct arena *arena, const struct store_recipient *r)
{
	struct mapi_recipient *row = arena_new_of(arena, struct mapi_recipient);
	const uint16_t *type = recipient_text(r, PidTagAddressType);
	const uint16_t *email = recipient_text(r, PidTagEmailAddress), *name = recipient_text(r, PidTagDisplayName);
	if (!row)
		return NULL;
	row->flags = MAPI_RECIPIENT_U;
	char *type8 = type ? utf16_to_utf8(arena, type, utf16_len(type)) : NULL;
	if (type8 && strcmp(type8, "SMTP") == 0) {
		row->flags |= 3;
	} else if (type8 && strcmp(type8, "EX") == 0 && email) {
		row->flags |= 1;
		row->x500_dn = utf16_to_utf8(arena, email, utf16_len(email));
		email = NULL;
		if (!row->x500_dn)
			return NULL;
	} else if (type8) {
		row->flags |= MAPI_RECIPIENT_O;
		row->address_type = type8;
	}
	if (email) {
		row->flags |= MAPI_RECIPIENT_E;
		row->email.str16 = (uint16_t *)email;
	}
	if (name) {
		row->flags |= MAPI_RECIPIENT_D | MAPI_RECIPIENT_S;
		row->display_name.str16 = (uint16_t *)name;
	}
	return row;
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
	int r = store_message_open(rop_store(rop), q->FolderId, q->MessageId, writable, &msg);
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

/* ---- Recipients ---- */

static int add_text(struct rop_call *rop, struct store_recipient *r, uint32_t tag, const struct mapi_string *s,
                    uint32_t code_page)
{
	struct mapi_value in = {0}, *out;
	if (s->str16)
		in = (struct mapi_value){.tag = mapi_tag_as(tag, PTYP_STRING), .u.str16 = s->str16};
	else if (s->str8)
		in = (struct mapi_value){.tag = mapi_tag_as(tag, PTYP_STRING8), .u.str8 = s->str8};
	else
		return 0;
	int rc = rop_convert_in(rop, &in, 1, code_page, &out);
	if (rc == 0)
		r->values[r->count++] = *out;
	return rc;
}

static const char *address_type(const struct mapi_recipient *row)
{
	switch (row->flags & MAPI_RECIPIENT_TYPE) {
	case 1:
		return "EX";
	case 3:
		return "SMTP";
	case 4:
		return "FAX";
	default:
		return row->address_type;
	}
}

/* AddressPrefixUsed characters of the prefix that EcDoConnectEx told stand before the DN: [MS-OXCDATA] 2.8.3.2. */
static char *full_dn(const struct rop_call *rop, const struct mapi_recipient *row)
{
	const char *own = rop->session->dn, *last = strrchr(own, '=');
	size_t prefix = last ? (size_t)(last - own) + 1 : 0;
	if (!row->x500_dn)
		return NULL;
	if (row->address_prefix_used < prefix)
		prefix = row->address_prefix_used;
	return arena_printf(rop->arena, "%.*s%s", (int)prefix, own, row->x500_dn);
}

/* What stands beside the columns of a RecipientRow, as properties. */
static int add_fixed(struct rop_call *rop, const struct mapi_recipient *row, struct store_recipient *r, uint32_t cp)
{
	struct mapi_string type = {.str8 = (char *)address_type(row)}, dn = {.str8 = full_dn(rop, row)};
	if (row->x500_dn && !dn.str8)
		return MW_E_NOMEM;
	int rc = add_text(rop, r, PidTagAddressType, &type, cp);
	if (rc == 0)
		rc = add_text(rop, r, PidTagEmailAddress, row->x500_dn ? &dn : &row->email, cp);
	if (rc == 0)
		rc = add_text(rop, r, PidTagDisplayName, &row->display_name, cp);
	if (rc == 0)
		rc = add_text(rop, r, PidTagTransmittableDisplayName,
		              row->flags & MAPI_RECIPIENT_S ? &row->display_name : &row->transmittable_name, cp);
	return rc;
}

static int put_recipient(struct rop_call *rop, const struct ModifyRecipientRow *q, const struct mapi_tags *columns,
                         uint32_t cp)
{
	const struct mapi_recipient *row = q->RecipientRow;
	struct store_recipient r = {.row_id = q->RowId, .type = q->RecipientType};
	struct mapi_value *columns_in;
	unsigned n = row->column_count < columns->count ? row->column_count : columns->count;
	r.values = arena_new_array(rop->arena, struct mapi_value, n + 4u);
	int rc = r.values ? add_fixed(rop, row, &r, cp) : MW_E_NOMEM;
	if (rc == 0)
		rc = rop_convert_in(rop, row->properties.values, n, cp, &columns_in);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		if (columns_in[i].flag == MAPI_FLAG_VALUE && mapi_tag_type(columns_in[i].tag) != PTYP_ERROR_CODE &&
		    !mapi_find(r.values, r.count, columns_in[i].tag))
			r.values[r.count++] = columns_in[i];
	return rc < 0 ? rc : store_recipient_put(rop->in->u.message, &r);
}

/* [MS-OXCMSG] 3.2.5.5 */
uint32_t rop_modify_recipients(struct rop_call *rop)
{
	const struct RopModifyRecipientsRequest *q = (const struct RopModifyRecipientsRequest *)rop->request;
	for (unsigned i = 0; i < q->RowCount; i++) {
		const struct ModifyRecipientRow *row = &q->RecipientRows[i];
		int r = row->RecipientRow ? put_recipient(rop, row, &q->RecipientColumns, rop_code_page(rop, rop->in))
		                          : store_recipient_remove(rop->in->u.message, row->RowId);
		if (r < 0 && r != MW_E_NOTFOUND)
			return r == MW_E_LIMIT ? ecTooManyRecips : rop_status(rop, r);
	}
	return 0;
}

/* [MS-OXCMSG] 3.2.5.3 */
uint32_t rop_save_changes_message(struct rop_call *rop)
{
	const struct RopSaveChangesMessageRequest *q = (const struct RopSaveChangesMessageRequest *)rop->request;
	struct RopSaveChangesMessageResponse *a = (struct RopSaveChangesMessageResponse *)rop->response;
	int r = store_message_save(rop->in->u.message, q->SaveFlags & SAVE_FORCE, rop->now, &rop->ticket);
	if (r < 0)
		return r == MW_E_STATE ? ecObjectModified : r == MW_E_LIMIT ? ecMessageTooBig : rop_status(rop, r);
	a->InputHandleIndex = q->InputHandleIndex;
	a->MessageId = store_message_id(rop->in->u.message);
	return 0;
}
