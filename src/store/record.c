#include "store/record.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define HEAD 4
#define ENTRY 8
#define EXTERNAL 0x80000000u
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
	return u32_at(entry(r, index) + 4) & ~EXTERNAL;
}

static int check_entries(const struct store_record *r, size_t room)
{
	size_t before = 0;

	for (unsigned i = 0; i < r->count; i++) {
		size_t end = end_of(r, i);
		bool external = u32_at(entry(r, i) + 4) & EXTERNAL;

		if (end < before || end > room || (external && end - before != EXTERNAL_SIZE))
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
	                            .size = (uint32_t)((end & ~EXTERNAL) - begin),
	                            .external = end & EXTERNAL};
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

int store_bag_load(struct store_bag *bag, const struct store_record *r)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct store_field f;
		int e;

		store_record_at(r, i, &f);
		e = f.external ? store_bag_put_external(bag, f.tag, f.value, f.value_size)
		               : store_bag_put(bag, f.tag, f.data, f.size);
		if (e < 0)
			return e;
		if (f.external)
			store_bag_slot(bag, (uint16_t)(f.tag >> 16))->fresh = false;
	}
	return 0;
}

int store_bag_encode(const struct store_bag *bag, struct buf *out)
{
	uint32_t end = 0;

	buf_put_u8(out, VERSION);
	buf_put_u8(out, 0);
	buf_put_u16(out, (uint16_t)bag->count);
	for (size_t i = 0; i < bag->count; i++) {
		const struct store_slot *s = &bag->slots[i];
		end += s->external ? EXTERNAL_SIZE : s->size;
		buf_put_u32(out, s->tag);
		buf_put_u32(out, s->external ? end | EXTERNAL : end);
	}
	for (size_t i = 0; i < bag->count; i++) {
		const struct store_slot *s = &bag->slots[i];
		if (s->external) {
			buf_put_u64(out, s->value);
			buf_put_u64(out, s->value_size);
		} else {
			buf_put(out, s->data, s->size);
		}
	}
	return buf_error(out);
}
