#include "store/object.h"

#include "base/utf16.h"

#include <string.h>

static bool find_stored(const struct store_object *o, uint32_t tag, struct store_field *out)
{
	const struct store_slot *slot;

	if (!o->bag)
		return store_record_find(&o->record, mapi_tag_id(tag), out);
	slot = store_bag_slot(o->bag, mapi_tag_id(tag));
	if (slot)
		store_slot_field(slot, out);
	return slot != NULL;
}

/* A text asked for as PTYP_STRING8 comes as it is kept. */
static bool type_fits(uint32_t asked, uint32_t kept)
{
	uint16_t type = mapi_tag_type(asked);

	if (type == PTYP_UNSPECIFIED || type == mapi_tag_type(kept))
		return true;
	return (type & ~PTYP_MULTIPLE) == PTYP_STRING8 && mapi_tag_type(kept) == ((type & PTYP_MULTIPLE) | PTYP_STRING);
}

static int get_stored(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	struct store_field f;
	int r;

	if (!find_stored(o, tag, &f) || !type_fits(tag, f.tag))
		return MW_E_NOTFOUND;
	if (f.external) {
		*out = mapi_error(f.tag, ecMAPIOOM);
		return 0;
	}
	r = store_decode(arena, &f, out);
	return r == MW_E_MALFORMED ? MW_E_NOTFOUND : r;
}

static int get_any(const struct store_object *o, struct arena *arena, uint32_t tag, struct mapi_value *out)
{
	const struct store_computed *c = store_computed_find(o->kind, tag);
	int r = MW_E_NOTFOUND;

	if (!c || c->mode != STORE_ALWAYS)
		r = get_stored(o, arena, tag, out);
	if (r == MW_E_NOTFOUND && c && c->compute && (o->in_table || !c->only_in_tables))
		r = c->compute(o, arena, c->tag, out);
	return r;
}

static void cut_to(struct mapi_value *v, size_t cut)
{
	if (mapi_tag_type(v->tag) == PTYP_STRING && utf16_len(v->u.str16) > cut)
		v->u.str16[cut] = 0;
	if (mapi_tag_type(v->tag) == PTYP_BINARY && v->u.bin.size > cut * 2)
		v->u.bin.size = (uint32_t)cut * 2;
}

int store_object_get(const struct store_object *o, struct arena *arena, uint32_t tag, size_t cut,
                     struct mapi_value *out)
{
	struct mapi_value v;
	int r = get_any(o, arena, tag, &v);

	if (r == MW_E_NOMEM)
		return r;
	if (r < 0)
		v = mapi_error(tag, ecNotFound);
	else if (cut > 0)
		cut_to(&v, cut);
	*out = v;
	return 0;
}

int store_object_get_many(const struct store_object *o, struct arena *arena, const uint32_t *tags, size_t count,
                          size_t cut, struct mapi_value *values)
{
	for (size_t i = 0; i < count; i++)
		if (store_object_get(o, arena, tags[i], cut, &values[i]) < 0)
			return MW_E_NOMEM;
	return 0;
}

static size_t stored_count(const struct store_object *o)
{
	return o->bag ? o->bag->count : o->record.count;
}

static uint32_t stored_tag(const struct store_object *o, size_t index)
{
	struct store_field f;

	if (o->bag)
		return o->bag->slots[index].tag;
	store_record_at(&o->record, (unsigned)index, &f);
	return f.tag;
}

static bool is_value(const struct mapi_value *v)
{
	return v->flag == MAPI_FLAG_VALUE || v->u.error == ecMAPIOOM;
}

int store_object_all(const struct store_object *o, struct arena *arena, struct mapi_value **values, size_t *count)
{
	size_t stored = stored_count(o), n = 0;
	struct mapi_value *out = arena_new_array(arena, struct mapi_value, stored + store_computed_count);

	if (!out)
		return MW_E_NOMEM;
	for (size_t i = 0; i < stored; i++) {
		uint32_t tag = stored_tag(o, i);
		const struct store_computed *c = store_computed_find(o->kind, tag);
		if (c && c->mode == STORE_ALWAYS)
			continue;
		if (store_object_get(o, arena, tag, 0, &out[n]) < 0)
			return MW_E_NOMEM;
		n += is_value(&out[n]);
	}
	for (size_t i = 0; i < store_computed_count; i++) {
		const struct store_computed *c = &store_computed[i];
		struct store_field f;
		if (!(c->kinds & o->kind) || (c->mode != STORE_ALWAYS && find_stored(o, c->tag, &f)))
			continue;
		if (store_object_get(o, arena, c->tag, 0, &out[n]) < 0)
			return MW_E_NOMEM;
		n += is_value(&out[n]);
	}
	*values = out;
	*count = n;
	return 0;
}

uint32_t store_object_refuses(enum store_kind kind, uint32_t tag)
{
	const struct store_computed *c = store_computed_find(kind, mapi_tag_as(tag, PTYP_UNSPECIFIED));

	if (mapi_tag_id(tag) == 0 || mapi_tag_id(tag) == 0xFFFF)
		return ecNotSupported;
	return c && c->mode != STORE_FALLBACK ? ecComputed : 0;
}
