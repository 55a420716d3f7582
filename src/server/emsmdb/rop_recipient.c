#include "server/emsmdb/rops.h"

#include <string.h>

/* Recipients: [MS-OXCMSG], rows of [MS-OXCDATA] 2.8.3.2. */

#define MAX_ROWS 255
#define ROWS_HEAD 16

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
