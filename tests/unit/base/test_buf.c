#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>

#include <string.h>

static void puts_are_little_endian_unless_named(void **state)
{
	static const uint8_t expected[] = {0x11, 0x22, 0x11, 0x44, 0x33, 0x22, 0x11, 8,    7,   6,   5,   4, 3,
	                                   2,    1,    0x11, 0x22, 0x11, 0x22, 0x33, 0x44, 'o', 'k', '7', 0, 0};
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_put_u8(&b, 0x11), 0);
	assert_int_equal(buf_put_u16(&b, 0x1122), 0);
	assert_int_equal(buf_put_u32(&b, 0x11223344), 0);
	assert_int_equal(buf_put_u64(&b, 0x0102030405060708), 0);
	assert_int_equal(buf_put_u16be(&b, 0x1122), 0);
	assert_int_equal(buf_put_u32be(&b, 0x11223344), 0);
	assert_int_equal(buf_put_str(&b, "ok"), 0);
	assert_int_equal(buf_printf(&b, "%d", 7), 0);
	assert_int_equal(buf_put_zero(&b, 2), 0);
	assert_int_equal(b.len, sizeof expected);
	assert_memory_equal(b.data, expected, sizeof expected);
	buf_poke_u16(&b, 1, 0xaabb);
	buf_poke_u32(&b, b.len - 4, 0);
	assert_int_equal(b.data[1], 0xbb);
	assert_int_equal(b.data[b.len - 4], 0);
	buf_free(&b);
	assert_null(b.data);
}

static void failed_put_changes_nothing_and_sticks(void **state)
{
	struct buf b = {.max = 4};

	(void)state;
	assert_int_equal(buf_put_u16(&b, 1), 0);
	assert_int_equal(buf_put(&b, "abc", 3), MW_E_LIMIT);
	assert_int_equal(b.len, 2);
	assert_int_equal(buf_error(&b), MW_E_LIMIT);
	assert_int_equal(buf_put_u8(&b, 1), MW_E_LIMIT);
	assert_int_equal(buf_printf(&b, "x"), MW_E_LIMIT);
	assert_null(buf_extend(&b, 0));
	assert_int_equal(b.len, 2);
	buf_trim(&b);
	assert_int_equal(b.cap, b.len);
	buf_clear(&b);
	assert_int_equal(buf_put_u32(&b, 1), 0);
	assert_null(buf_extend(&b, SIZE_MAX));
	buf_free(&b);
	assert_int_equal(b.max, 4);
}

static void printf_fills_to_the_last_byte(void **state)
{
	struct buf b = {.max = 4};

	(void)state;
	assert_int_equal(buf_printf(&b, "%s", "abcd"), 0);
	assert_memory_equal(b.data, "abcd", 4);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, "e"), MW_E_LIMIT);
	buf_free(&b);
}

/* In what room there is, and beyond it. */
static void decimals_and_prints_agree(void **state)
{
	static const uint64_t values[] = {0, 9, 10, 12345, UINT64_MAX / 10, UINT64_MAX};

	(void)state;
	for (size_t already = 0; already < 300; already++)
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			struct buf a = {0}, b = {0};
			buf_put_zero(&a, already);
			buf_put_zero(&b, already);
			assert_int_equal(buf_put_decimal(&a, values[i]), 0);
			assert_int_equal(buf_printf(&b, "%" PRIu64, values[i]), 0);
			assert_int_equal(a.len, b.len);
			assert_memory_equal(a.data, b.data, a.len);
			buf_free(&a);
			buf_free(&b);
		}
}

static void default_maximum_holds(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_null(buf_extend(&b, BUF_DEFAULT_MAX + 1));
	assert_int_equal(buf_error(&b), MW_E_LIMIT);
	buf_free(&b);
}

static void aligns_to_the_start(void **state)
{
	static const struct {
		size_t len, align, padded;
	} table[] = {{0, 8, 0}, {1, 8, 8}, {7, 8, 8}, {8, 8, 8}, {9, 4, 12}, {3, 1, 3}, {5, 16, 16}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct buf b = {0};
		memset(buf_extend(&b, table[i].len), 1, table[i].len);
		assert_int_equal(buf_align(&b, table[i].align), 0);
		assert_int_equal(b.len, table[i].padded);
		for (size_t k = table[i].len; k < b.len; k++)
			assert_int_equal(b.data[k], 0);
		buf_free(&b);
	}
}

static void grows_and_consumes(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_consume(&b, 0);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(buf_put_u32(&b, i), 0);
	for (uint32_t i = 0; i < 10; i++) {
		assert_memory_equal(b.data, &i, 4);
		buf_consume(&b, 4);
	}
	buf_consume(&b, b.len);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(puts_are_little_endian_unless_named),
	        cmocka_unit_test(failed_put_changes_nothing_and_sticks),
	        cmocka_unit_test(printf_fills_to_the_last_byte),
	        cmocka_unit_test(decimals_and_prints_agree),
	        cmocka_unit_test(default_maximum_holds),
	        cmocka_unit_test(aligns_to_the_start),
	        cmocka_unit_test(grows_and_consumes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
