#include "mapi/property.h"

#include "base/utf16.h"
#include "mapi/code_page.h"

#include <string.h>

int mapi_text(struct arena *arena, uint32_t tag, const char *utf8, uint32_t code_page, struct mapi_value *out)
{
	struct mapi_value v = {.tag = tag};
	uint16_t *units = utf8_to_utf16(arena, utf8, NULL);
	if (!units)
		return MW_E_NOMEM;
	switch (mapi_tag_type(tag)) {
	case PTYP_STRING:
		v.u.str16 = units;
		break;
	case PTYP_STRING8:
		v.u.str8 = code_page_from_utf16(arena, code_page, units);
		if (!v.u.str8)
			return MW_E_UNSUPPORTED;
		break;
	default:
		return MW_E_INVALID;
	}
	*out = v;
	return 0;
}

char *mapi_value_utf8(struct arena *arena, const struct mapi_value *v, uint32_t code_page)
{
	const uint16_t *units = NULL;
	if (v->flag != MAPI_FLAG_VALUE)
		return NULL;
	if (mapi_tag_type(v->tag) == PTYP_STRING)
		units = v->u.str16;
	else if (mapi_tag_type(v->tag) == PTYP_STRING8)
		units = code_page_to_utf16(arena, code_page, v->u.str8);
	return units ? utf16_to_utf8(arena, units, utf16_len(units)) : NULL;
}

static int convert_datum(struct arena *arena, uint16_t from, uint32_t code_page, const union mapi_datum *in,
                         union mapi_datum *out)
{
	if (from == PTYP_STRING8) {
		out->str16 = code_page_to_utf16(arena, code_page, in->str8);
		return out->str16 ? 0 : MW_E_UNSUPPORTED;
	}
	out->str8 = code_page_from_utf16(arena, code_page, in->str16);
	return out->str8 ? 0 : MW_E_UNSUPPORTED;
}

static bool convertible(uint16_t from, uint16_t to)
{
	uint16_t a = from & 0x0FFF, b = to & 0x0FFF;
	return (from & PTYP_MULTIPLE) == (to & PTYP_MULTIPLE) &&
	       ((a == PTYP_STRING && b == PTYP_STRING8) || (a == PTYP_STRING8 && b == PTYP_STRING));
}

int mapi_value_convert(struct arena *arena, const struct mapi_value *v, uint16_t type, uint32_t code_page,
                       struct mapi_value *out)
{
	uint16_t from = mapi_tag_type(v->tag);
	struct mapi_value w = *v;
	int r = 0;
	if (from == type) {
		*out = w;
		return 0;
	}
	if (v->flag != MAPI_FLAG_VALUE || !convertible(from, type))
		return MW_E_INVALID;
	w.tag = mapi_tag_as(v->tag, type);
	if (!(from & PTYP_MULTIPLE)) {
		r = convert_datum(arena, from, code_page, &v->u, &w.u);
	} else {
		w.u.multi = arena_new_array(arena, union mapi_datum, v->count);
		if (!w.u.multi)
			return MW_E_NOMEM;
		for (uint32_t i = 0; r >= 0 && i < v->count; i++)
			r = convert_datum(arena, from & 0x0FFF, code_page, &v->u.multi[i], &w.u.multi[i]);
	}
	if (r >= 0)
		*out = w;
	return r;
}

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_float(double a, double b)
{
	if (a != a || b != b)
		return (b != b) - (a != a);
	return (a > b) - (a < b);
}

static int compare_units(const uint16_t *a, const uint16_t *b)
{
	while (*a && *a == *b)
		a++, b++;
	return order(*a, *b);
}

static int compare_bytes(const struct mapi_binary *a, const struct mapi_binary *b)
{
	uint32_t n = a->size < b->size ? a->size : b->size;
	int c = n ? memcmp(a->data, b->data, n) : 0;
	return c ? c : order(a->size, b->size);
}

static int compare_server_ids(const struct mapi_server_id *a, const struct mapi_server_id *b)
{
	int c = order(a->ours, b->ours);
	if (c == 0 && a->ours != 1)
		return compare_bytes(&a->opaque, &b->opaque);
	if (c == 0)
		c = memcmp(&a->folder_id, &b->folder_id, sizeof a->folder_id);
	if (c == 0)
		c = memcmp(&a->message_id, &b->message_id, sizeof a->message_id);
	return c ? c : order(a->instance, b->instance);
}

static int compare_datum(uint16_t type, const union mapi_datum *a, const union mapi_datum *b)
{
	switch (type) {
	case PTYP_INTEGER16:
		return order(a->i16, b->i16);
	case PTYP_INTEGER32:
		return order(a->i32, b->i32);
	case PTYP_FLOATING32:
		return compare_float((double)a->f32, (double)b->f32);
	case PTYP_FLOATING64:
	case PTYP_FLOATING_TIME:
		return compare_float(a->f64, b->f64);
	case PTYP_ERROR_CODE:
		return order(a->error, b->error);
	case PTYP_BOOLEAN:
		return order(a->boolean != 0, b->boolean != 0);
	case PTYP_INTEGER64:
	case PTYP_CURRENCY:
		return order(a->i64, b->i64);
	case PTYP_TIME:
		return (a->u64 > b->u64) - (a->u64 < b->u64);
	case PTYP_STRING8:
		return strcmp(a->str8, b->str8);
	case PTYP_STRING:
		return compare_units(a->str16, b->str16);
	case PTYP_GUID:
		return memcmp(&a->guid, &b->guid, sizeof a->guid);
	case PTYP_BINARY:
	case PTYP_OBJECT:
		return compare_bytes(&a->bin, &b->bin);
	case PTYP_SERVER_ID:
		return compare_server_ids(a->server_id, b->server_id);
	default:
		return 0;
	}
}

int mapi_value_compare(const struct mapi_value *a, const struct mapi_value *b)
{
	uint16_t type = mapi_tag_type(a->tag);
	int c = order(type, mapi_tag_type(b->tag));
	if (c || !(type & PTYP_MULTIPLE))
		return c ? c : compare_datum(type, &a->u, &b->u);
	uint32_t n = a->count < b->count ? a->count : b->count;
	for (uint32_t i = 0; c == 0 && i < n; i++)
		c = compare_datum(type & 0x0FFF, &a->u.multi[i], &b->u.multi[i]);
	return c ? c : order(a->count, b->count);
}

const struct mapi_value *mapi_find(const struct mapi_value *values, size_t count, uint32_t tag)
{
	for (size_t i = 0; i < count; i++)
		if (mapi_tag_id(values[i].tag) == mapi_tag_id(tag) && values[i].flag == MAPI_FLAG_VALUE)
			return &values[i];
	return NULL;
}

struct mapi_row mapi_row_of(struct mapi_value *values, uint16_t count)
{
	struct mapi_row row = {.count = count, .values = values};
	for (uint16_t i = 0; i < count; i++)
		if (values[i].flag != MAPI_FLAG_VALUE)
			row.flagged = 1;
	return row;
}
