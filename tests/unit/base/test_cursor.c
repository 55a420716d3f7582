#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_in_both_byte_orders(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct cursor c = cursor_of(bytes, sizeof bytes);
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	(void)state;
	assert_int_equal(cursor_u8(&c, &u8), 0);
	assert_int_equal(cursor_u16(&c, &u16), 0);
	assert_int_equal(cursor_u32(&c, &u32), 0);
	assert_int_equal(cursor_u64(&c, &u64), 0);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(u8, 1);
	assert_int_equal(u16, 0x0302);
	assert_int_equal(u32, 0x07060504);
	assert_true(u64 == 0x0f0e0d0c0b0a0908);
	c = cursor_of(bytes, sizeof bytes);
	c.big_endian = true;
	assert_int_equal(cursor_skip(&c, 1), 0);
	assert_int_equal(cursor_u16(&c, &u16), 0);
	assert_int_equal(cursor_u32(&c, &u32), 0);
	assert_int_equal(cursor_u64(&c, &u64), 0);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(u32, 0x04050607);
	assert_true(u64 == 0x08090a0b0c0d0e0f);
}

static void what_does_not_fit_moves_nothing(void **state)
{
	static const uint8_t bytes[7] = {0};
	struct cursor c = cursor_of(bytes, sizeof bytes);
	struct cursor child = {0};
	const uint8_t *p = NULL;
	uint64_t u64 = 42;
	uint8_t copy[8] = {42};

	(void)state;
	assert_int_equal(cursor_u64(&c, &u64), MW_E_TRUNCATED);
	assert_int_equal(cursor_bytes(&c, SIZE_MAX, &p), MW_E_TRUNCATED);
	assert_int_equal(cursor_child(&c, 8, &child), MW_E_TRUNCATED);
	assert_int_equal(cursor_copy(&c, copy, 8), MW_E_TRUNCATED);
	assert_int_equal(cursor_skip(&c, 8), MW_E_TRUNCATED);
	assert_int_equal(c.pos, 0);
	assert_int_equal(u64, 42);
	assert_int_equal(copy[0], 42);
	assert_null(p);
	assert_null(child.data);
}

static void child_is_bounded_and_keeps_the_order(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4};
	struct cursor c = cursor_of(bytes, sizeof bytes);
	struct cursor child;
	uint16_t u16;

	(void)state;
	c.big_endian = true;
	assert_int_equal(cursor_child(&c, 2, &child), 0);
	assert_int_equal(cursor_u16(&child, &u16), 0);
	assert_int_equal(u16, 0x0102);
	assert_int_equal(cursor_u16(&child, &u16), MW_E_TRUNCATED);
	assert_int_equal(cursor_left(&c), 2);
}

static void no_bytes_may_be_null(void **state)
{
	struct cursor c = cursor_of(NULL, 0);
	const uint8_t *p;

	(void)state;
	assert_int_equal(cursor_bytes(&c, 0, &p), 0);
	assert_non_null(p);
	assert_int_equal(cursor_skip(&c, 1), MW_E_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_in_both_byte_orders),
	        cmocka_unit_test(what_does_not_fit_moves_nothing),
	        cmocka_unit_test(child_is_bounded_and_keeps_the_order),
	        cmocka_unit_test(no_bytes_may_be_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
