#include "base/time.h"
#include "base/utf16.h"
#include "client/private.h"

#include <string.h>

/* Property values, outside and inside. */

static int put_texts(struct arena *arena, const struct mapi_value *in, struct mapiwire_value *out)
{
	out->text = mapi_value_utf8(arena, in, CLIENT_CODE_PAGE);
	return out->text ? 0 : MW_E_NOMEM;
}

static int put_guid(struct arena *arena, const struct guid *g, struct mapiwire_value *out)
{
	uint8_t *bytes = (uint8_t *)arena_alloc(arena, 16);
	if (!bytes)
		return MW_E_NOMEM;
	guid_to_bytes(g, bytes);
	out->bytes = bytes;
	out->size = 16;
	return 0;
}

static int put_one(struct arena *arena, const struct mapi_value *in, struct mapiwire_value *out)
{
	*out = (struct mapiwire_value){.tag = in->tag};
	switch (mapi_tag_type(in->tag)) {
	case PTYP_INTEGER16:
		out->integer = in->u.i16;
		return 0;
	case PTYP_INTEGER32:
		out->integer = in->u.i32;
		return 0;
	case PTYP_INTEGER64:
	case PTYP_CURRENCY:
		out->integer = in->u.i64;
		return 0;
	case PTYP_TIME:
		out->integer = filetime_to_ns(in->u.u64);
		return 0;
	case PTYP_BOOLEAN:
		out->integer = in->u.boolean;
		return 0;
	case PTYP_ERROR_CODE:
		out->integer = in->u.error;
		return 0;
	case PTYP_FLOATING32:
		out->real = in->u.f32;
		return 0;
	case PTYP_FLOATING64:
	case PTYP_FLOATING_TIME:
		out->real = in->u.f64;
		return 0;
	case PTYP_STRING8:
	case PTYP_STRING:
		return put_texts(arena, in, out);
	case PTYP_GUID:
		return put_guid(arena, &in->u.guid, out);
	case PTYP_BINARY:
	case PTYP_OBJECT:
		out->bytes = in->u.bin.data;
		out->size = in->u.bin.size;
		return 0;
	default: /* absent, or of a type that has no form outside */
		out->tag = mapi_tag_as(in->tag, PTYP_NULL);
		return 0;
	}
}

int client_put_value(struct mapiwire *m, struct arena *arena, const struct mapi_value *in, struct mapiwire_value *out)
{
	int r = 0;
	if (!(mapi_tag_type(in->tag) & PTYP_MULTIPLE)) {
		r = put_one(arena, in, out);
		return r < 0 ? client_fail_inside(m, r, "a property") : 0;
	}
	struct mapiwire_value *list = arena_new_array(arena, struct mapiwire_value, in->count);
	for (uint32_t i = 0; list && r == 0 && i < in->count; i++) {
		const struct mapi_value one = {.tag = in->tag & ~(uint32_t)PTYP_MULTIPLE, .u = in->u.multi[i]};
		r = put_one(arena, &one, &list[i]);
	}
	if (!list || r < 0)
		return client_fail_inside(m, list ? r : MW_E_NOMEM, "a property");
	*out = (struct mapiwire_value){.tag = in->tag, .list = list, .size = in->count};
	return 0;
}

static int take(struct arena *arena, const struct mapiwire_value *in, struct mapi_value *out)
{
	*out = (struct mapi_value){.tag = in->tag};
	switch (mapi_tag_type(in->tag)) {
	case PTYP_INTEGER16:
		out->u.i16 = (int16_t)in->integer;
		return 0;
	case PTYP_INTEGER32:
		out->u.i32 = (int32_t)in->integer;
		return 0;
	case PTYP_INTEGER64:
	case PTYP_CURRENCY:
		out->u.i64 = in->integer;
		return 0;
	case PTYP_TIME:
		out->u.u64 = filetime_from_ns(in->integer);
		return 0;
	case PTYP_BOOLEAN:
		out->u.boolean = in->integer != 0;
		return 0;
	case PTYP_FLOATING64:
	case PTYP_FLOATING_TIME:
		out->u.f64 = in->real;
		return 0;
	case PTYP_STRING8:
	case PTYP_STRING:
		return in->text ? mapi_text(arena, in->tag, in->text, CLIENT_CODE_PAGE, out) : MW_E_INVALID;
	case PTYP_GUID:
		if (in->size != 16)
			return MW_E_INVALID;
		guid_from_bytes((const uint8_t *)in->bytes, &out->u.guid);
		return 0;
	case PTYP_BINARY:
		if (in->size > UINT32_MAX)
			return MW_E_INVALID;
		*out = mapi_bytes(in->tag, in->bytes, (uint32_t)in->size);
		return 0;
	default:
		return MW_E_INVALID;
	}
}

int client_take_value(struct mapiwire *m, struct arena *arena, const struct mapiwire_value *in, struct mapi_value *out)
{
	int r = take(arena, in, out);
	return r < 0 ? client_fail_inside(m, r, "a property") : 0;
}

int client_rows_new(struct mapiwire *m, struct arena **arena, size_t count, size_t columns, struct mapiwire_rows *out)
{
	struct mapiwire_value *values = (struct mapiwire_value *)arena_array(*arena, count * columns, sizeof *values);
	if (!values)
		return client_fail_inside(m, MW_E_NOMEM, "rows");
	*out = (struct mapiwire_rows){.count = count, .columns = columns, .values = values, .owner = TAKE_PTR(*arena)};
	return 0;
}

void mapiwire_rows_free(struct mapiwire_rows *r)
{
	struct arena *arena = (struct arena *)r->owner;
	arena_free(&arena);
	*r = (struct mapiwire_rows){0};
}

const struct mapiwire_value *mapiwire_row_find(const struct mapiwire_rows *r, size_t row, uint32_t tag)
{
	for (size_t i = 0; row < r->count && i < r->columns; i++) {
		const struct mapiwire_value *v = &r->values[row * r->columns + i];
		uint16_t type = mapi_tag_type(v->tag);
		if (mapi_tag_id(v->tag) == mapi_tag_id(tag) && type != PTYP_ERROR_CODE && type != PTYP_NULL)
			return v;
	}
	return NULL;
}
