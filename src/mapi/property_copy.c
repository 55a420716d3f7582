#include "base/utf16.h"
#include "mapi/property.h"
#include "mapi/shape.h"

#include <string.h>

/* Deep copies and sizes. Restrictions and rule actions are copied by encoding and decoding them. */

static int copy_bytes(struct arena *arena, struct mapi_binary *b)
{
	b->data = b->size ? arena_copy(arena, b->data, b->size) : arena_alloc(arena, 0);
	return b->data ? 0 : MW_E_NOMEM;
}

static int copy_server_id(struct arena *arena, union mapi_datum *d)
{
	d->server_id = arena_copy(arena, d->server_id, sizeof *d->server_id);
	return d->server_id ? copy_bytes(arena, &d->server_id->opaque) : MW_E_NOMEM;
}

static void free_buf(struct buf *b)
{
	buf_free(b);
}

/* There and back through the extended form, whose counts hold all that memory does. */
static int copy_shaped(struct arena *arena, uint16_t type, union mapi_datum *d)
{
	MW_CLEANUP(free_buf) struct buf bytes = {0};
	struct mapi_shape_context wide = {.extended_rules = true};
	struct mapi_value v = {.tag = type, .u = *d};
	struct ndr out = ndr_encoder(NDR_PACKED, arena, &bytes);
	out.context = &wide;
	int r = shape_value(&out, "value", type, &v);
	if (r < 0)
		return r;
	struct ndr in = ndr_decoder(NDR_PACKED, arena, cursor_of(bytes.data, bytes.len));
	in.context = &wide;
	r = shape_value(&in, "value", type, &v);
	if (r >= 0)
		*d = v.u;
	return r;
}

int mapi_restriction_encode(struct arena *arena, const struct mapi_restriction *r, struct buf *out)
{
	struct mapi_shape_context wide = {.extended_rules = true};
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	n.context = &wide;
	return shape_restriction(&n, (struct mapi_restriction *)r);
}

int mapi_restriction_decode(struct arena *arena, const void *data, size_t size, struct mapi_restriction **out)
{
	struct mapi_shape_context wide = {.extended_rules = true};
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(data, size));
	struct mapi_restriction *r = arena_new_of(arena, struct mapi_restriction);
	n.context = &wide;
	int e = r ? shape_restriction(&n, r) : MW_E_NOMEM;
	if (e >= 0)
		*out = r;
	return e < 0 ? e : 0;
}

static int copy_datum(struct arena *arena, uint16_t type, union mapi_datum *d)
{
	switch (type) {
	case PTYP_STRING8:
		d->str8 = arena_strdup(arena, d->str8);
		return d->str8 ? 0 : MW_E_NOMEM;
	case PTYP_STRING:
		d->str16 = arena_copy(arena, d->str16, 2 * (utf16_len(d->str16) + 1));
		return d->str16 ? 0 : MW_E_NOMEM;
	case PTYP_BINARY:
	case PTYP_OBJECT:
		return copy_bytes(arena, &d->bin);
	case PTYP_SERVER_ID:
		return copy_server_id(arena, d);
	case PTYP_RESTRICTION:
	case PTYP_RULE_ACTION:
		return copy_shaped(arena, type, d);
	default:
		return 0;
	}
}

int mapi_value_copy(struct arena *arena, const struct mapi_value *v, struct mapi_value *out)
{
	uint16_t type = mapi_tag_type(v->tag);
	struct mapi_value w = *v;
	int r = 0;
	if (v->flag == MAPI_FLAG_VALUE && (type & PTYP_MULTIPLE)) {
		w.u.multi = arena_new_array(arena, union mapi_datum, v->count);
		if (!w.u.multi)
			return MW_E_NOMEM;
		for (uint32_t i = 0; r >= 0 && i < v->count; i++) {
			w.u.multi[i] = v->u.multi[i];
			r = copy_datum(arena, type & 0x0FFF, &w.u.multi[i]);
		}
	} else if (v->flag == MAPI_FLAG_VALUE) {
		r = copy_datum(arena, type, &w.u);
	}
	if (r >= 0)
		*out = w;
	return r;
}

size_t mapi_type_size(uint16_t type)
{
	switch (type) {
	case PTYP_BOOLEAN:
		return 1;
	case PTYP_INTEGER16:
		return 2;
	case PTYP_INTEGER32:
	case PTYP_FLOATING32:
	case PTYP_ERROR_CODE:
		return 4;
	case PTYP_FLOATING64:
	case PTYP_CURRENCY:
	case PTYP_FLOATING_TIME:
	case PTYP_INTEGER64:
	case PTYP_TIME:
		return 8;
	case PTYP_GUID:
		return 16;
	default:
		return 0;
	}
}

static size_t datum_size(uint16_t type, const union mapi_datum *d)
{
	switch (type) {
	case PTYP_STRING8:
		return strlen(d->str8) + 1;
	case PTYP_STRING:
		return 2 * (utf16_len(d->str16) + 1);
	case PTYP_BINARY:
	case PTYP_OBJECT:
		return 2 + (size_t)d->bin.size;
	case PTYP_SERVER_ID:
		return d->server_id->ours == 1 ? 23 : 3 + (size_t)d->server_id->opaque.size;
	default:
		return mapi_type_size(type);
	}
}

/* Restrictions and rule actions: by encoding them into a scratch buffer. */
static size_t shaped_size(const struct mapi_value *v)
{
	MW_CLEANUP(free_buf) struct buf bytes = {0};
	MW_CLEANUP(arena_cleanup) struct arena *scratch = arena_new(0);
	struct mapi_value copy = *v;
	if (!scratch)
		return 0;
	struct ndr out = ndr_encoder(NDR_PACKED, scratch, &bytes);
	return shape_value(&out, "value", mapi_tag_type(v->tag), &copy) < 0 ? 0 : bytes.len;
}

size_t mapi_value_size(const struct mapi_value *v)
{
	uint16_t type = mapi_tag_type(v->tag);
	size_t size = 4;
	if (v->flag == MAPI_FLAG_ABSENT)
		return 0;
	if (type == PTYP_RESTRICTION || type == PTYP_RULE_ACTION)
		return shaped_size(v);
	if (!(type & PTYP_MULTIPLE))
		return datum_size(type, &v->u);
	for (uint32_t i = 0; i < v->count; i++)
		size += datum_size(type & 0x0FFF, &v->u.multi[i]);
	return size;
}
