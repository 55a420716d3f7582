#include "base/time.h"
#include "mapi/shape.h"
#include "mapi/status.h"

#include <inttypes.h>

/* Property values in the ROP form and in that of extended rules: [MS-OXCDATA] 2.11. */

static unsigned binary_width(const struct ndr *n)
{
	return shape_context(n)->extended_rules ? 4 : 2;
}

/* Of the types whose bytes are told as one number; a GUID is shaped by its parts. */
static size_t fixed_size(uint16_t type)
{
	return type == PTYP_GUID ? 0 : mapi_type_size(type);
}

/* Fewest bytes of one value. */
static size_t least_size(uint16_t type)
{
	size_t fixed = fixed_size(type);
	switch (type) {
	case PTYP_NULL:
		return 0;
	case PTYP_GUID:
		return 16;
	case PTYP_STRING:
	case PTYP_BINARY:
	case PTYP_OBJECT:
	case PTYP_SERVER_ID:
	case PTYP_RULE_ACTION:
		return 2;
	default:
		return fixed ? fixed : 1;
	}
}

static void note_fixed(struct ndr *n, const char *name, uint16_t type, const union mapi_datum *d)
{
	char time[TIME_TEXT_SIZE];
	const char *status;
	switch (type) {
	case PTYP_BOOLEAN:
		shape_note(n, name, 1, "%s", d->boolean ? "true" : "false");
		break;
	case PTYP_INTEGER16:
		shape_note(n, name, 2, "%d", d->i16);
		break;
	case PTYP_INTEGER32:
		shape_note(n, name, 4, "%" PRId32 " (0x%08" PRIX32 ")", d->i32, (uint32_t)d->i32);
		break;
	case PTYP_ERROR_CODE:
		status = mapi_status_name(d->error);
		shape_note(n, name, 4, status ? "%s (0x%08" PRIX32 ")" : "%s0x%08" PRIX32, status ? status : "",
		           d->error);
		break;
	case PTYP_FLOATING32:
		shape_note(n, name, 4, "%g", (double)d->f32);
		break;
	case PTYP_FLOATING64:
	case PTYP_FLOATING_TIME:
		shape_note(n, name, 8, "%g", d->f64);
		break;
	case PTYP_TIME:
		shape_note(n, name, 8, "%s", time_format(filetime_to_ns(d->u64), time));
		break;
	case PTYP_CURRENCY:
		shape_note(n, name, 8, "%" PRId64 "/10000", d->i64);
		break;
	default:
		shape_note(n, name, 8, "0x%016" PRIX64, d->u64);
		break;
	}
}

/* PtypServerId, 2.11.1.4: a size, and inside it ours or not. */
static int server_id_body(struct ndr *n, struct mapi_server_id *id)
{
	int r = ndr_u8(n, "Ours", &id->ours);
	if (r < 0)
		return r;
	if (id->ours != 1)
		return shape_rest(n, "Data", &id->opaque);
	if ((r = shape_object_id(n, "FolderId", &id->folder_id)) < 0 ||
	    (r = shape_object_id(n, "MessageId", &id->message_id)) < 0)
		return r;
	return ndr_u32(n, "Instance", &id->instance);
}

static int server_id(struct ndr *n, const char *name, struct mapi_server_id **v)
{
	struct ndr_bound bound;
	size_t at = shape_decodes(n) ? 0 : n->out->len;
	uint16_t size = 0;
	if (shape_decodes(n) && !(*v = arena_new_of(n->arena, struct mapi_server_id)))
		return MW_E_NOMEM;
	if (!*v)
		return shape_fail(n, name, MW_E_INVALID);
	int r = shape_raw(n, name, &size, sizeof size);
	if (r < 0 || (r = ndr_bound_enter(n, size, &bound)) < 0)
		return r;
	ndr_enter(n, name);
	r = shape_decodes(n) && size == 0 ? 0 : server_id_body(n, *v);
	ndr_leave(n);
	size_t written = ndr_bound_leave(n, &bound);
	if (r < 0 || shape_decodes(n))
		return r;
	if (written > UINT16_MAX)
		return shape_fail(n, name, MW_E_LIMIT);
	buf_poke_u16(n->out, at, (uint16_t)written);
	return 0;
}

static int restriction(struct ndr *n, const char *name, struct mapi_restriction **v)
{
	if (shape_decodes(n) && !(*v = arena_new_of(n->arena, struct mapi_restriction)))
		return MW_E_NOMEM;
	if (!*v)
		return shape_fail(n, name, MW_E_INVALID);
	ndr_enter(n, name);
	int r = shape_restriction(n, *v);
	ndr_leave(n);
	return r;
}

static int rule_actions(struct ndr *n, const char *name, struct mapi_rule_actions **v)
{
	if (shape_decodes(n) && !(*v = arena_new_of(n->arena, struct mapi_rule_actions)))
		return MW_E_NOMEM;
	if (!*v)
		return shape_fail(n, name, MW_E_INVALID);
	ndr_enter(n, name);
	int r = shape_rule_actions(n, *v);
	ndr_leave(n);
	return r;
}

/* One value of a type without PTYP_MULTIPLE. */
static int datum(struct ndr *n, const char *name, uint16_t type, union mapi_datum *d)
{
	size_t size = fixed_size(type);
	if (size) {
		int r = shape_raw(n, name, d, size);
		if (r >= 0 && shape_traces(n))
			note_fixed(n, name, type, d);
		return r;
	}
	switch (type) {
	case PTYP_NULL:
		return 0;
	case PTYP_STRING8:
		return shape_str8(n, name, &d->str8);
	case PTYP_STRING:
		return shape_str16(n, name, &d->str16);
	case PTYP_GUID:
		return ndr_guid(n, name, &d->guid);
	case PTYP_BINARY:
		return shape_sized(n, name, binary_width(n), &d->bin);
	case PTYP_OBJECT:
		return shape_sized(n, name, 2, &d->bin);
	case PTYP_SERVER_ID:
		return server_id(n, name, &d->server_id);
	case PTYP_RESTRICTION:
		return restriction(n, name, &d->restriction);
	case PTYP_RULE_ACTION:
		return rule_actions(n, name, &d->actions);
	default:
		return shape_fail(n, name, MW_E_MALFORMED);
	}
}

#define HAS_VALUE 0xFF

/* [MS-OXCMAPIHTTP] 2.2.1.1: what may be NULL, and each of many, says first whether it is there. */
static int presence(struct ndr *n, const char *name, bool *there)
{
	uint8_t has = *there ? HAS_VALUE : 0;
	int r = shape_raw(n, name, &has, 1);
	if (r >= 0 && has != 0 && has != HAS_VALUE)
		return shape_fail(n, name, MW_E_MALFORMED);
	*there = has != 0;
	return r;
}

static bool may_be_null(const struct ndr *n, uint16_t type)
{
	return shape_context(n)->address_book && (type == PTYP_STRING8 || type == PTYP_STRING || type == PTYP_BINARY);
}

static int book_datum(struct ndr *n, const char *name, uint16_t type, union mapi_datum *d)
{
	bool there = type == PTYP_STRING8  ? d->str8 != NULL
	             : type == PTYP_STRING ? d->str16 != NULL
	                                   : d->bin.data != NULL;
	if (!may_be_null(n, type))
		return datum(n, name, type, d);
	int r = presence(n, name, &there);
	return r < 0 || !there ? r : datum(n, name, type, d);
}

static int multiple(struct ndr *n, const char *name, uint16_t type, struct mapi_value *v)
{
	bool there = true;
	ndr_enter(n, name);
	int r = shape_context(n)->address_book ? presence(n, "HasValue", &there) : 0;
	if (r >= 0 && there)
		r = ndr_u32(n, "Count", &v->count);
	if (r >= 0 && there)
		r = ndr_array(n, (void **)&v->u.multi, v->count, sizeof *v->u.multi,
		              may_be_null(n, type) ? 1 : least_size(type));
	for (uint32_t i = 0; r >= 0 && i < v->count; i++)
		r = book_datum(n, shape_index(n, i), type, &v->u.multi[i]);
	ndr_leave(n);
	return r;
}

/* A type, many of it, or an instance of many (2.11.1.3). There cannot be many nothings. */
static bool is_type(uint16_t type)
{
	uint16_t flags = type & 0xF000;
	if (flags == 0)
		return true;
	return (flags == PTYP_MULTIPLE || flags == (PTYP_MULTIPLE | PTYP_INSTANCE)) && least_size(type & 0x0FFF) > 0;
}

int shape_value(struct ndr *n, const char *name, uint16_t type, struct mapi_value *v)
{
	if (!is_type(type))
		return shape_fail(n, name, MW_E_MALFORMED);
	/* A multivalue instance is one value of the type below (2.11.1.3). */
	bool many = (type & PTYP_MULTIPLE) && !(type & PTYP_INSTANCE);
	if (type & PTYP_INSTANCE)
		type &= 0x0FFF;
	if (shape_decodes(n))
		v->tag = mapi_tag_as(v->tag, type);
	int r = shape_down(n);
	if (r < 0)
		return shape_fail(n, name, r);
	r = many ? multiple(n, name, type & 0x0FFF, v) : book_datum(n, name, type, &v->u);
	shape_up(n);
	return r;
}

int shape_tagged_value(struct ndr *n, struct mapi_value *v)
{
	int r = shape_raw(n, "PropertyTag", &v->tag, sizeof v->tag);
	return r < 0 ? r : shape_value(n, shape_label(n, v->tag), mapi_tag_type(v->tag), v);
}

int shape_tagged_values(struct ndr *n, uint32_t count, struct mapi_value **values)
{
	int r = ndr_array(n, (void **)values, count, sizeof **values, 4);
	for (uint32_t i = 0; r >= 0 && i < count; i++)
		r = shape_tagged_value(n, &(*values)[i]);
	return r;
}

int mapi_shape_tagged_value(struct ndr *n, void *value)
{
	return n ? shape_tagged_value(n, value) : SHAPE_LAYOUT(value, struct mapi_value);
}
