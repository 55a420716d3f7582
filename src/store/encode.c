#include "base/cursor.h"
#include "base/utf16.h"
#include "store/record.h"

#include <string.h>

/* Values in records. Multiple ones: u32 count, then each, with a u32 length where it varies. */

enum { NARROW = 0, WIDE = 1 }; /* how a text's characters stand */

static int put_text(const uint16_t *text, struct buf *out)
{
	size_t n = utf16_len(text);
	uint16_t all = 0;
	uint8_t *to;

	for (size_t i = 0; i < n; i++)
		all |= text[i];
	buf_put_u8(out, all < 256 ? NARROW : WIDE);
	if (all >= 256)
		return buf_put(out, text, n * 2);
	to = buf_extend(out, n);
	for (size_t i = 0; to && i < n; i++)
		to[i] = (uint8_t)text[i];
	return buf_error(out);
}

static int put_fixed(uint16_t type, const union mapi_datum *u, struct buf *out)
{
	uint8_t guid[16];

	if (type == PTYP_GUID) {
		guid_to_bytes(&u->guid, guid);
		return buf_put(out, guid, sizeof guid);
	}
	if (type == PTYP_BOOLEAN)
		return buf_put_u8(out, u->boolean != 0);
	return buf_put(out, u, mapi_type_size(type)); /* all of them begin where the union does */
}

/* [MS-OXCDATA] 2.11.1.4, without its size. */
static int put_server_id(const struct mapi_server_id *id, struct buf *out)
{
	buf_put_u8(out, id->ours);
	if (!id->ours)
		return id->opaque.size > 0 ? buf_put(out, id->opaque.data, id->opaque.size) : buf_error(out);
	buf_put_u64(out, id->folder_id);
	buf_put_u64(out, id->message_id);
	return buf_put_u32(out, id->instance);
}

static int put_one(uint16_t type, const union mapi_datum *u, struct buf *out)
{
	if (mapi_type_size(type))
		return put_fixed(type, u, out);
	switch (type) {
	case PTYP_STRING:
		return put_text(u->str16, out);
	case PTYP_BINARY:
	case PTYP_OBJECT:
		return u->bin.size > 0 ? buf_put(out, u->bin.data, u->bin.size) : 0;
	case PTYP_SERVER_ID:
		return put_server_id(u->server_id, out);
	default:
		return MW_E_UNSUPPORTED;
	}
}

static int put_many(uint16_t type, const struct mapi_value *v, struct buf *out)
{
	buf_put_u32(out, v->count);
	for (uint32_t i = 0; i < v->count; i++) {
		size_t at = out->len;
		int r;

		if (!mapi_type_size(type))
			buf_put_u32(out, 0);
		r = put_one(type, &v->u.multi[i], out);
		if (r < 0 || buf_error(out) < 0)
			return r < 0 ? r : buf_error(out);
		if (!mapi_type_size(type))
			buf_poke_u32(out, at, (uint32_t)(out->len - at - 4));
	}
	return buf_error(out);
}

int store_encode(const struct mapi_value *v, struct buf *out)
{
	uint16_t type = mapi_tag_type(v->tag);

	if (v->flag != MAPI_FLAG_VALUE)
		return MW_E_UNSUPPORTED;
	if (type & PTYP_MULTIPLE)
		return put_many(type & ~PTYP_MULTIPLE, v, out);
	return put_one(type, &v->u, out);
}

static int get_text(struct arena *arena, struct cursor *c, union mapi_datum *u)
{
	uint8_t form;
	size_t n;

	if (cursor_u8(c, &form) < 0 || form > WIDE)
		return MW_E_MALFORMED;
	n = form == WIDE ? cursor_left(c) / 2 : cursor_left(c);
	u->str16 = arena_new_array(arena, uint16_t, n + 1);
	if (!u->str16)
		return MW_E_NOMEM;
	if (form == WIDE)
		return cursor_copy(c, u->str16, n * 2);
	for (size_t i = 0; i < n; i++)
		u->str16[i] = cursor_here(c)[i];
	return cursor_skip(c, n);
}

static int get_fixed(uint16_t type, struct cursor *c, union mapi_datum *u)
{
	uint8_t guid[16];

	if (type == PTYP_GUID) {
		if (cursor_copy(c, guid, sizeof guid) < 0)
			return MW_E_MALFORMED;
		guid_from_bytes(guid, &u->guid);
		return 0;
	}
	return cursor_copy(c, u, mapi_type_size(type)) < 0 ? MW_E_MALFORMED : 0;
}

static int get_server_id(struct arena *arena, struct cursor *c, union mapi_datum *u)
{
	struct mapi_server_id *id = arena_new_of(arena, struct mapi_server_id);

	if (!id)
		return MW_E_NOMEM;
	u->server_id = id;
	if (cursor_u8(c, &id->ours) < 0)
		return MW_E_MALFORMED;
	if (id->ours)
		return cursor_u64(c, &id->folder_id) < 0 || cursor_u64(c, &id->message_id) < 0 ||
		                       cursor_u32(c, &id->instance) < 0
		               ? MW_E_MALFORMED
		               : 0;
	id->opaque.size = (uint32_t)cursor_left(c);
	id->opaque.data = arena_copy(arena, cursor_here(c), cursor_left(c));
	return id->opaque.data ? cursor_skip(c, id->opaque.size) : MW_E_NOMEM;
}

static int get_one(struct arena *arena, uint16_t type, struct cursor *c, union mapi_datum *u)
{
	if (mapi_type_size(type))
		return get_fixed(type, c, u);
	switch (type) {
	case PTYP_STRING:
		return get_text(arena, c, u);
	case PTYP_BINARY:
	case PTYP_OBJECT:
		u->bin.size = (uint32_t)cursor_left(c);
		u->bin.data = arena_copy(arena, cursor_here(c), cursor_left(c));
		return u->bin.data ? cursor_skip(c, u->bin.size) : MW_E_NOMEM;
	case PTYP_SERVER_ID:
		return get_server_id(arena, c, u);
	default:
		return MW_E_MALFORMED;
	}
}

static int get_many(struct arena *arena, uint16_t type, struct cursor *c, struct mapi_value *v)
{
	size_t least = mapi_type_size(type) ? mapi_type_size(type) : 4;

	if (cursor_u32(c, &v->count) < 0 || v->count > cursor_left(c) / least)
		return MW_E_MALFORMED;
	v->u.multi = arena_new_array(arena, union mapi_datum, v->count);
	if (!v->u.multi)
		return MW_E_NOMEM;
	for (uint32_t i = 0; i < v->count; i++) {
		struct cursor one = *c;
		uint32_t size;
		int r;

		if (mapi_type_size(type)) {
			r = get_one(arena, type, c, &v->u.multi[i]);
		} else {
			if (cursor_u32(c, &size) < 0 || cursor_child(c, size, &one) < 0)
				return MW_E_MALFORMED;
			r = get_one(arena, type, &one, &v->u.multi[i]);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int unpack(struct arena *arena, const struct store_field *f, struct cursor *out)
{
	size_t size = store_unpacked_size(f);
	uint8_t *bytes = size > STORE_MAX_RECORD ? NULL : arena_alloc(arena, size);

	if (!bytes)
		return size > STORE_MAX_RECORD ? MW_E_MALFORMED : MW_E_NOMEM;
	*out = cursor_of(bytes, size);
	return store_unpack(f, bytes, size);
}

int store_decode(struct arena *arena, const struct store_field *f, struct mapi_value *out)
{
	struct mapi_value v = {.tag = f->tag};
	struct cursor c = cursor_of(f->data, f->size);
	uint16_t type = mapi_tag_type(f->tag);
	int r = f->external ? MW_E_UNSUPPORTED : f->packed ? unpack(arena, f, &c) : 0;

	if (r < 0)
		return r;
	if (type & PTYP_MULTIPLE)
		r = get_many(arena, type & ~PTYP_MULTIPLE, &c, &v);
	else
		r = get_one(arena, type, &c, &v.u);
	if (r < 0)
		return r == MW_E_NOMEM ? r : MW_E_MALFORMED;
	*out = v;
	return 0;
}
