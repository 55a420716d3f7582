#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint16_t narrow[] = {'H', 'i', 0xE4, 0}, wide[] = {'H', 0x20AC, 0xD83D, 0xDE00, 0}, empty[] = {0};
static uint8_t raw[] = {0, 1, 2, 0xFF};
static union mapi_datum ints[] = {{.i32 = 1}, {.i32 = -2}, {.i32 = 3}};
static union mapi_datum texts[] = {{.str16 = narrow}, {.str16 = empty}, {.str16 = wide}};
static union mapi_datum blobs[] = {{.bin = {4, raw}}, {.bin = {0, raw}}};

/* One of each type that is kept. */
static const struct mapi_value values[] = {
        {.tag = MAPI_TAG(0x1001, PTYP_INTEGER16), .u.i16 = -7},
        {.tag = MAPI_TAG(0x1002, PTYP_INTEGER32), .u.i32 = INT32_MIN},
        {.tag = MAPI_TAG(0x1003, PTYP_FLOATING32), .u.f32 = 1.5f},
        {.tag = MAPI_TAG(0x1004, PTYP_FLOATING64), .u.f64 = -2.25},
        {.tag = MAPI_TAG(0x1005, PTYP_CURRENCY), .u.i64 = 12345},
        {.tag = MAPI_TAG(0x1006, PTYP_FLOATING_TIME), .u.f64 = 36526.5},
        {.tag = MAPI_TAG(0x1007, PTYP_BOOLEAN), .u.boolean = 1},
        {.tag = MAPI_TAG(0x1008, PTYP_INTEGER64), .u.i64 = INT64_MIN},
        {.tag = MAPI_TAG(0x1009, PTYP_STRING), .u.str16 = narrow},
        {.tag = MAPI_TAG(0x100A, PTYP_STRING), .u.str16 = wide},
        {.tag = MAPI_TAG(0x100B, PTYP_STRING), .u.str16 = empty},
        {.tag = MAPI_TAG(0x100C, PTYP_TIME), .u.u64 = UINT64_MAX},
        {.tag = MAPI_TAG(0x100D, PTYP_GUID), .u.guid = {1, 2, 3, {4}}},
        {.tag = MAPI_TAG(0x100E, PTYP_BINARY), .u.bin = {4, raw}},
        {.tag = MAPI_TAG(0x100F, PTYP_BINARY), .u.bin = {0, NULL}},
        {.tag = MAPI_TAG(0x1010, PTYP_INTEGER32 | PTYP_MULTIPLE), .count = 3, .u.multi = ints},
        {.tag = MAPI_TAG(0x1011, PTYP_STRING | PTYP_MULTIPLE), .count = 3, .u.multi = texts},
        {.tag = MAPI_TAG(0x1012, PTYP_BINARY | PTYP_MULTIPLE), .count = 2, .u.multi = blobs},
        {.tag = MAPI_TAG(0x1013, PTYP_INTEGER32 | PTYP_MULTIPLE), .count = 0, .u.multi = ints},
};

static void fill(struct store_bag *bag, struct buf *out)
{
	/* Backwards: the bag sorts. */
	for (size_t i = ARRAY_SIZE(values); i-- > 0;)
		assert_int_equal(store_bag_put_value(bag, &values[i]), 0);
	assert_int_equal(store_bag_encode(bag, NULL, out), 0);
}

static void round_trip(void **state)
{
	struct arena *arena = arena_new(0);
	struct store_bag bag = {0}, again = {0};
	struct buf b = {0}, c = {0};
	struct store_record r;

	(void)state;
	fill(&bag, &b);
	assert_int_equal(store_record_open(b.data, b.len, &r), 0);
	assert_int_equal(r.count, ARRAY_SIZE(values));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct store_field f;
		struct mapi_value v;
		assert_true(store_record_find(&r, mapi_tag_id(values[i].tag), &f));
		assert_int_equal(store_decode(arena, &f, &v), 0);
		assert_int_equal(v.tag, values[i].tag);
		assert_int_equal(mapi_value_compare(&v, &values[i]), 0);
	}
	assert_false(store_record_find(&r, 0x1000, &(struct store_field){0}));
	assert_false(store_record_find(&r, 0x1014, &(struct store_field){0}));
	assert_int_equal(store_bag_load(&again, &r), 0);
	assert_int_equal(store_bag_encode(&again, NULL, &c), 0);
	assert_int_equal(b.len, c.len);
	assert_memory_equal(b.data, c.data, b.len);
	store_bag_free(&bag);
	store_bag_free(&again);
	buf_free(&b);
	buf_free(&c);
	arena_free(&arena);
}

static void read_whatever(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(1 << 20);
	struct store_record r;

	if (store_record_open(data, size, &r) == 0) {
		for (unsigned i = 0; i < r.count; i++) {
			struct store_field f;
			struct mapi_value v;
			store_record_at(&r, i, &f);
			if (store_decode(arena, &f, &v) == 0)
				assert_true(mapi_value_size(&v) < 1 << 20);
		}
	}
	arena_free(&arena);
}

/* Damaged bytes are an error or another value, never a read beyond them (AddressSanitizer looks on). */
static void takes_damage(void **state)
{
	struct store_bag bag = {0};
	struct buf b = {0};

	(void)state;
	fill(&bag, &b);
	for (size_t n = 0; n <= b.len; n++) {
		uint8_t *cut = malloc(n ? n : 1);
		memcpy(cut, b.data, n);
		read_whatever(cut, n);
		free(cut);
	}
	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		read_whatever(b.data, b.len);
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	store_bag_free(&bag);
	buf_free(&b);
}

static void bag_changes(void **state)
{
	struct store_bag bag = {0};
	struct mapi_value a = mapi_i32(MAPI_TAG(0x3001, PTYP_INTEGER32), 1);
	struct mapi_value b = {.tag = MAPI_TAG(0x3001, PTYP_STRING), .u.str16 = narrow};
	struct mapi_value ansi = {.tag = MAPI_TAG(0x3002, PTYP_STRING8), .u.str8 = (char[]){"x"}};

	(void)state;
	assert_int_equal(store_bag_put_value(&bag, &a), 0);
	assert_int_equal(store_bag_put_value(&bag, &b), 0); /* one type a property */
	assert_int_equal(bag.count, 1);
	assert_int_equal(store_bag_slot(&bag, 0x3001)->tag, b.tag);
	assert_int_equal(store_bag_put_value(&bag, &ansi), MW_E_UNSUPPORTED);
	assert_true(store_bag_remove(&bag, 0x3001));
	assert_false(store_bag_remove(&bag, 0x3001));
	assert_int_equal(bag.bytes, 0);
	for (uint32_t i = 0; i < STORE_MAX_PROPERTIES; i++) {
		a.tag = MAPI_TAG(0x2000 + i, PTYP_INTEGER32);
		assert_int_equal(store_bag_put_value(&bag, &a), 0);
	}
	a.tag = MAPI_TAG(0x1000, PTYP_INTEGER32);
	assert_int_equal(store_bag_put_value(&bag, &a), MW_E_LIMIT);
	store_bag_free(&bag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(round_trip),
	        cmocka_unit_test(takes_damage),
	        cmocka_unit_test(bag_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
