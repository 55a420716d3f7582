#include "store/record.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define VERSION 1
#define HEAD 4
#define ENTRY 8
#define EXTERNAL 0x80000000u
#define PACKED 0x40000000u
#define PACKED_HEAD 4
#define PACK_FROM 512 /* bytes; what is shorter is not worth it */
#define PACK_LEVEL 1
#define EXTERNAL_SIZE 16

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static const uint8_t *entry(const struct store_record *r, unsigned index)
{
	return r->data + HEAD + (size_t)index * ENTRY;
}

static size_t end_of(const struct store_record *r, unsigned index)
{
	return u32_at(entry(r, index) + 4) & ~(EXTERNAL | PACKED);
}

static int check_entries(const struct store_record *r, size_t room)
{
	size_t before = 0;

	for (unsigned i = 0; i < r->count; i++) {
		size_t end = end_of(r, i);
		bool external = u32_at(entry(r, i) + 4) & EXTERNAL, packed = u32_at(entry(r, i) + 4) & PACKED;

		if (end < before || end > room || (external && end - before != EXTERNAL_SIZE) ||
		    (packed && (external || end - before < PACKED_HEAD)))
			return MW_E_MALFORMED;
		if (i > 0 && u32_at(entry(r, i - 1)) >> 16 >= u32_at(entry(r, i)) >> 16)
			return MW_E_MALFORMED;
		before = end;
	}
	return 0;
}

int store_record_open(const void *data, size_t size, struct store_record *out)
{
	struct store_record r = {.data = data, .size = size};
	uint16_t count;

	if (size == 0) {
		*out = (struct store_record){0};
		return 0;
	}
	if (size < HEAD || r.data[0] != VERSION)
		return MW_E_MALFORMED;
	memcpy(&count, r.data + 2, 2);
	r.count = count;
	if (r.count > (size - HEAD) / ENTRY || check_entries(&r, size - HEAD - (size_t)r.count * ENTRY) < 0)
		return MW_E_MALFORMED;
	*out = r;
	return 0;
}

void store_record_at(const struct store_record *r, unsigned index, struct store_field *out)
{
	size_t begin = index > 0 ? end_of(r, index - 1) : 0;
	uint32_t end = u32_at(entry(r, index) + 4);

	*out = (struct store_field){.tag = u32_at(entry(r, index)),
	                            .data = entry(r, r->count) + begin,
	                            .size = (uint32_t)((end & ~(EXTERNAL | PACKED)) - begin),
	                            .external = end & EXTERNAL,
	                            .packed = end & PACKED,
	                            .packer = r->packer};
	if (out->external) {
		memcpy(&out->value, out->data, 8);
		memcpy(&out->value_size, out->data + 8, 8);
	}
}

bool store_record_find(const struct store_record *r, uint16_t id, struct store_field *out)
{
	unsigned low = 0, high = r->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (u32_at(entry(r, middle)) >> 16 < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == r->count || u32_at(entry(r, low)) >> 16 != id)
		return false;
	store_record_at(r, low, out);
	return true;
}

/* ---- Packed values ---- */

struct store_packer {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

struct store_packer *store_packer_new(void)
{
	struct store_packer *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->pack = ZSTD_createCCtx();
	p->unpack = ZSTD_createDCtx();
	if (!p->pack || !p->unpack)
		store_packer_free(&p);
	return p;
}

void store_packer_free(struct store_packer **packer)
{
	struct store_packer *p = *packer;

	*packer = NULL;
	if (!p)
		return;
	ZSTD_freeCCtx(p->pack);
	ZSTD_freeDCtx(p->unpack);
	free(p);
}

size_t store_unpacked_size(const struct store_field *f)
{
	return f->packed ? u32_at(f->data) : f->size;
}

int store_unpack(const struct store_field *f, uint8_t *out, size_t size)
{
	const uint8_t *from = f->data + PACKED_HEAD;
	size_t n = f->packer ? ZSTD_decompressDCtx(f->packer->unpack, out, size, from, f->size - PACKED_HEAD)
	                     : ZSTD_decompress(out, size, from, f->size - PACKED_HEAD);

	return ZSTD_isError(n) || n != size ? MW_E_MALFORMED : 0;
}

/* 1 packed, 0 it is not worth it. */
static int pack(const struct store_slot *slot, struct store_packer *packer, struct buf *out)
{
	size_t at = out->len, most = slot->size - slot->size / 8;
	uint8_t *to;
	size_t n;

	if (!packer || slot->external || slot->size < PACK_FROM)
		return 0;
	to = buf_extend(out, PACKED_HEAD + most);
	if (!to)
		return buf_error(out);
	n = ZSTD_compressCCtx(packer->pack, to + PACKED_HEAD, most, slot->data, slot->size, PACK_LEVEL);
	out->len = ZSTD_isError(n) ? at : at + PACKED_HEAD + n;
	if (out->len > at)
		buf_poke_u32(out, at, slot->size);
	return out->len > at;
}

/* ---- In the making ---- */

void store_bag_free(struct store_bag *bag)
{
	for (size_t i = 0; i < bag->count; i++)
		free(bag->slots[i].data);
	free(bag->slots);
	*bag = (struct store_bag){0};
}

static size_t lower_bound(const struct store_bag *bag, uint16_t id)
{
	size_t low = 0, high = bag->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bag->slots[middle].tag >> 16 < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct store_slot *store_bag_slot(const struct store_bag *bag, uint16_t id)
{
	size_t i = lower_bound(bag, id);

	return i < bag->count && bag->slots[i].tag >> 16 == id ? &bag->slots[i] : NULL;
}

static int grow(struct store_bag *bag)
{
	size_t cap = bag->cap ? bag->cap * 2 : 32;
	struct store_slot *slots;

	if (bag->count < bag->cap)
		return 0;
	if (bag->count >= STORE_MAX_PROPERTIES)
		return MW_E_LIMIT;
	slots = realloc(bag->slots, cap * sizeof *slots);
	if (!slots)
		return MW_E_NOMEM;
	bag->slots = slots;
	bag->cap = cap;
	return 0;
}

static int put(struct store_bag *bag, const struct store_slot *slot)
{
	struct store_slot *there = store_bag_slot(bag, (uint16_t)(slot->tag >> 16));
	size_t i, old = there ? there->size : 0;
	int r = there ? 0 : grow(bag);

	if (r < 0)
		return r;
	if (bag->bytes - old + slot->size > STORE_MAX_RECORD)
		return MW_E_LIMIT;
	bag->bytes += slot->size - old;
	if (there) {
		free(there->data);
		*there = *slot;
		return 0;
	}
	i = lower_bound(bag, (uint16_t)(slot->tag >> 16));
	memmove(&bag->slots[i + 1], &bag->slots[i], (bag->count - i) * sizeof *slot);
	bag->slots[i] = *slot;
	bag->count++;
	return 0;
}

int store_bag_put(struct store_bag *bag, uint32_t tag, const void *data, size_t size)
{
	struct store_slot slot = {.tag = tag, .size = (uint32_t)size};
	int r;

	if (size > STORE_MAX_RECORD)
		return MW_E_LIMIT;
	slot.data = malloc(size ? size : 1);
	if (!slot.data)
		return MW_E_NOMEM;
	if (size > 0)
		memcpy(slot.data, data, size);
	r = put(bag, &slot);
	if (r < 0)
		free(slot.data);
	return r;
}

int store_bag_put_external(struct store_bag *bag, uint32_t tag, uint64_t value, uint64_t size)
{
	const struct store_slot slot = {
	        .tag = tag, .external = true, .fresh = true, .value = value, .value_size = size};

	return put(bag, &slot);
}

int store_bag_put_value(struct store_bag *bag, const struct mapi_value *v)
{
	struct buf b = {.max = STORE_MAX_RECORD};
	int r = store_encode(v, &b);

	if (r >= 0)
		r = store_bag_put(bag, v->tag, b.data, b.len);
	buf_free(&b);
	return r;
}

bool store_bag_remove(struct store_bag *bag, uint16_t id)
{
	size_t i = lower_bound(bag, id);

	if (i == bag->count || bag->slots[i].tag >> 16 != id)
		return false;
	bag->bytes -= bag->slots[i].size;
	free(bag->slots[i].data);
	bag->count--;
	memmove(&bag->slots[i], &bag->slots[i + 1], (bag->count - i) * sizeof *bag->slots);
	return true;
}

void store_slot_field(const struct store_slot *slot, struct store_field *out)
{
	*out = (struct store_field){.tag = slot->tag,
	                            .data = slot->data,
	                            .size = slot->size,
	                            .external = slot->external,
	                            .value = slot->value,
	                            .value_size = slot->value_size};
}

static int load_packed(struct store_bag *bag, const struct store_field *f)
{
	size_t size = store_unpacked_size(f);
	uint8_t *bytes = size > STORE_MAX_RECORD ? NULL : malloc(size ? size : 1);
	int r = bytes ? store_unpack(f, bytes, size) : size > STORE_MAX_RECORD ? MW_E_MALFORMED : MW_E_NOMEM;

	if (r >= 0)
		r = store_bag_put(bag, f->tag, bytes, size);
	free(bytes);
	return r;
}

int store_bag_load(struct store_bag *bag, const struct store_record *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct store_field f;
		int e;

		store_record_at(r, i, &f);
		e = f.external ? store_bag_put_external(bag, f.tag, f.value, f.value_size)
		    : f.packed ? load_packed(bag, &f)
		               : store_bag_put(bag, f.tag, f.data, f.size);
		if (e < 0)
			return e;
		if (f.external)
			store_bag_slot(bag, (uint16_t)(f.tag >> 16))->fresh = false;
	}
	return 0;
}

/* One value's bytes; the flag that goes with them. */
static int put_bytes(const struct store_slot *s, struct store_packer *packer, struct buf *out, uint32_t *flag)
{
	int r = pack(s, packer, out);

	*flag = s->external ? EXTERNAL : r > 0 ? PACKED : 0;
	if (s->external) {
		buf_put_u64(out, s->value);
		return buf_put_u64(out, s->value_size);
	}
	return r != 0 || s->size == 0 ? r : buf_put(out, s->data, s->size);
}

int store_bag_encode(const struct store_bag *bag, struct store_packer *packer, struct buf *out)
{
	size_t at, begin;
	int r = 0;

	buf_put_u8(out, VERSION);
	buf_put_u8(out, 0);
	buf_put_u16(out, (uint16_t)bag->count);
	at = out->len;
	buf_put_zero(out, bag->count * ENTRY);
	begin = out->len;
	for (size_t i = 0; r >= 0 && buf_error(out) == 0 && i < bag->count; i++) {
		uint32_t flag;
		r = put_bytes(&bag->slots[i], packer, out, &flag);
		if (r < 0 || buf_error(out) < 0)
			break;
		buf_poke_u32(out, at + i * ENTRY, bag->slots[i].tag);
		buf_poke_u32(out, at + i * ENTRY + 4, (uint32_t)(out->len - begin) | flag);
	}
	return r < 0 ? r : buf_error(out);
}
