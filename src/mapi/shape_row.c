#include "mapi/shape.h"
#include "mapi/status.h"

/* Rows and recipients: [MS-OXCDATA] 2.8. */

/* FlaggedPropertyValue, 2.11.5. The name of the property stands for flag and value together. */
static int flagged_value(struct ndr *n, const char *name, uint16_t type, struct mapi_value *v)
{
	int r = shape_raw(n, name, &v->flag, 1);
	if (r < 0)
		return r;
	switch (v->flag) {
	case MAPI_FLAG_VALUE:
		return shape_value(n, name, type, v);
	case MAPI_FLAG_ABSENT:
		if (shape_decodes(n))
			v->tag = mapi_tag_as(v->tag, PTYP_NULL);
		shape_note(n, name, 1, "absent");
		return 0;
	case MAPI_FLAG_ERROR:
		if (shape_decodes(n))
			v->tag = mapi_tag_as(v->tag, PTYP_ERROR_CODE);
		r = shape_raw(n, name, &v->u.error, sizeof v->u.error);
		if (r >= 0 && shape_traces(n)) {
			const char *status = mapi_status_name(v->u.error);
			shape_note(n, name, 5, "%s (0x%08X)", status ? status : "error", v->u.error);
		}
		return r;
	}
	return shape_fail(n, name, MW_E_MALFORMED);
}

/* Encoding: the type that a column of PtypUnspecified announces. */
static uint16_t announced_type(const struct mapi_value *v)
{
	return mapi_tag_type(v->tag);
}

/* Whether a value may stand in a column. */
static bool value_fits(uint16_t column, const struct mapi_value *v)
{
	if (column & PTYP_INSTANCE)
		column &= 0x0FFF;
	return v->flag != MAPI_FLAG_VALUE || mapi_tag_type(v->tag) == column;
}

static int column_value(struct ndr *n, uint32_t column, bool flagged, struct mapi_value *v)
{
	const char *name = shape_label(n, column);
	uint16_t type = mapi_tag_type(column);
	int r;
	if (shape_decodes(n))
		v->tag = column;
	else if (v->flag != MAPI_FLAG_VALUE && !flagged)
		return shape_fail(n, name, MW_E_INVALID);
	if (type == PTYP_UNSPECIFIED) {
		type = shape_decodes(n) ? 0 : announced_type(v);
		if ((r = shape_raw(n, name, &type, sizeof type)) < 0)
			return r;
	} else if (!shape_decodes(n) && !value_fits(type, v)) {
		return shape_fail(n, name, MW_E_INVALID);
	}
	return flagged ? flagged_value(n, name, type, v) : shape_value(n, name, type, v);
}

static int opaque_row(struct ndr *n, struct mapi_row *row)
{
	if (shape_decodes(n) && cursor_left(&n->in) == 0)
		return shape_fail(n, "PropertyRow", MW_E_TRUNCATED);
	if (shape_decodes(n))
		row->flagged = *cursor_here(&n->in);
	return shape_rest(n, "PropertyRow", &row->opaque);
}

/* Room for the values of a row; a PtypNull takes no bytes, every other column one at least. */
static int row_values(struct ndr *n, const struct mapi_shape_context *c, uint16_t count, struct mapi_row *row)
{
	size_t least = count;
	if (!shape_decodes(n))
		return count && !row->values ? shape_fail(n, "PropertyRow", MW_E_INVALID) : 0;
	for (uint16_t i = 0; !row->flagged && i < count; i++)
		least -= mapi_tag_type(c->columns[i]) == PTYP_NULL;
	if (least > cursor_left(&n->in))
		return shape_fail(n, "PropertyRow", MW_E_TRUNCATED);
	row->values = arena_new_array(n->arena, struct mapi_value, count);
	return row->values ? 0 : MW_E_NOMEM;
}

static int row_of(struct ndr *n, const struct mapi_shape_context *c, struct mapi_row *row)
{
	if (shape_decodes(n) ? !c->columns_known : row->opaque.size > 0)
		return opaque_row(n, row);
	uint16_t count = c->columns_known ? c->column_count : row->count;
	if (!shape_decodes(n) && count != row->count)
		return shape_fail(n, "PropertyRow", MW_E_INVALID);
	int r = ndr_u8(n, "Flag", &row->flagged);
	if (r < 0)
		return r;
	if (row->flagged > 1)
		return shape_fail(n, "Flag", MW_E_MALFORMED);
	if ((r = row_values(n, c, count, row)) < 0)
		return r;
	for (uint16_t i = 0; r >= 0 && i < count; i++)
		r = column_value(n, c->columns_known ? c->columns[i] : row->values[i].tag, row->flagged,
		                 &row->values[i]);
	if (r >= 0)
		row->count = count;
	return r;
}

int mapi_shape_row(struct ndr *n, void *value)
{
	return n ? row_of(n, shape_context(n), value) : SHAPE_LAYOUT(value, struct mapi_row);
}

int mapi_shape_row_set(struct ndr *n, void *value)
{
	struct mapi_row_set *set = value;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_row_set);
	if ((r = ndr_u16(n, "RowCount", &set->count)) < 0 ||
	    (r = ndr_array(n, (void **)&set->rows, set->count, sizeof *set->rows, 1)) < 0)
		return r;
	for (uint16_t i = 0; r >= 0 && i < set->count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = row_of(n, shape_context(n), &set->rows[i]);
		ndr_leave(n);
		if (set->rows[i].opaque.size)
			break;
	}
	return r;
}

int mapi_shape_recipient_columns(struct ndr *n, void *value)
{
	struct mapi_tags *t = value;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_tags);
	if ((r = ndr_u16(n, "ColumnCount", &t->count)) < 0 ||
	    (r = shape_tags(n, "RecipientColumns", t->count, &t->tags)) < 0)
		return r;
	struct mapi_shape_context *c = n->context;
	if (c) {
		c->recipient_columns = t->tags;
		c->recipient_column_count = t->count;
		c->recipient_columns_known = true;
	}
	return 0;
}

/* What is there by the low three bits of RecipientFlags. */
static int recipient_address(struct ndr *n, struct mapi_recipient *p)
{
	int r;
	switch (p->flags & MAPI_RECIPIENT_TYPE) {
	case 0:
		return p->flags & MAPI_RECIPIENT_O ? shape_str8(n, "AddressType", &p->address_type) : 0;
	case 1:
		if ((r = ndr_u8(n, "AddressPrefixUsed", &p->address_prefix_used)) < 0 ||
		    (r = ndr_u8(n, "DisplayType", &p->display_type)) < 0)
			return r;
		return shape_str8(n, "X500DN", &p->x500_dn);
	case 6:
	case 7:
		r = shape_sized(n, "EntryID", 2, &p->entry_id);
		return r < 0 ? r : shape_sized(n, "SearchKey", 2, &p->search_key);
	default:
		return 0;
	}
}

static int recipient_names(struct ndr *n, struct mapi_recipient *p)
{
	bool unicode = p->flags & MAPI_RECIPIENT_U;
	int r = 0;
	if (p->flags & MAPI_RECIPIENT_E)
		r = shape_string(n, "EmailAddress", unicode, &p->email);
	if (r >= 0 && (p->flags & MAPI_RECIPIENT_D))
		r = shape_string(n, "DisplayName", unicode, &p->display_name);
	if (r >= 0 && (p->flags & MAPI_RECIPIENT_I))
		r = shape_string(n, "SimpleDisplayName", unicode, &p->simple_name);
	if (r >= 0 && (p->flags & MAPI_RECIPIENT_T))
		r = shape_string(n, "TransmittableDisplayName", unicode, &p->transmittable_name);
	return r;
}

/* The first RecipientColumnCount of the message's columns. */
static int recipient_row(struct ndr *n, struct mapi_recipient *p)
{
	const struct mapi_shape_context *c = shape_context(n);
	struct mapi_shape_context own = *c;
	int r = ndr_u16(n, "RecipientColumnCount", &p->column_count);
	if (r < 0)
		return r;
	own.columns = c->recipient_columns;
	own.column_count = p->column_count;
	own.columns_known = c->recipient_columns_known || p->column_count == 0;
	if (c->recipient_columns_known && p->column_count > c->recipient_column_count)
		return shape_fail(n, "RecipientColumnCount", MW_E_MALFORMED);
	ndr_enter(n, "RecipientProperties");
	r = row_of(n, &own, &p->properties);
	ndr_leave(n);
	return r;
}

int mapi_shape_recipient(struct ndr *n, void *value)
{
	struct mapi_recipient **v = value;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_recipient *);
	if (!shape_decodes(n) && !*v)
		return 0;
	struct mapi_recipient *p = shape_decodes(n) ? arena_new_of(n->arena, struct mapi_recipient) : *v;
	if (!p)
		return MW_E_NOMEM;
	if ((r = ndr_u16(n, "RecipientFlags", &p->flags)) < 0 || (r = recipient_address(n, p)) < 0 ||
	    (r = recipient_names(n, p)) < 0 || (r = recipient_row(n, p)) < 0)
		return r;
	*v = p;
	return 0;
}

/* [MS-OXCMAPIHTTP] 2.2.1.7: columns, then rows of them. */
static int book_rows(struct ndr *n, struct mapi_book_rows *b)
{
	const struct mapi_shape_context *outer = shape_context(n);
	void *kept = n->context;
	int r = ndr_u32(n, "PropertyTagCount", &b->column_count);
	if (r >= 0 && b->column_count > UINT16_MAX)
		r = shape_fail(n, "PropertyTagCount", MW_E_LIMIT);
	if (r < 0 || (r = shape_tags(n, "PropertyTags", (uint16_t)b->column_count, &b->columns)) < 0 ||
	    (r = ndr_u32(n, "RowCount", &b->row_count)) < 0 ||
	    (r = ndr_array(n, (void **)&b->rows, b->row_count, sizeof *b->rows, 1)) < 0)
		return r;
	struct mapi_shape_context c = *outer;
	c.columns = b->columns;
	c.column_count = (uint16_t)b->column_count;
	c.columns_known = true;
	n->context = &c;
	for (uint32_t i = 0; r >= 0 && i < b->row_count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = row_of(n, &c, &b->rows[i]);
		ndr_leave(n);
	}
	n->context = kept;
	return r;
}

int mapi_shape_book_rows(struct ndr *n, void *value)
{
	return n ? book_rows(n, value) : SHAPE_LAYOUT(value, struct mapi_book_rows);
}
