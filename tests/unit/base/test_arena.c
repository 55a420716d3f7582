#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void allocations_are_zeroed_and_aligned(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t n = 0; n < 20000; n = n * 2 + 1) {
			uint8_t *p = arena_alloc(a, n);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xa5, n);
		}
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
	}
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void allocations_do_not_overlap(void **state)
{
	struct arena *a = arena_new(0);
	uint8_t *p[300];

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		p[i] = arena_alloc(a, i * 3);
		memset(p[i], (int)i, i * 3);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t k = 0; k < i * 3; k++)
			assert_int_equal(p[i][k], (uint8_t)i);
	arena_free(&a);
}

static void ceiling_holds_until_reset(void **state)
{
	struct arena *a = arena_new(64);

	(void)state;
	assert_null(arena_alloc(a, 65));
	assert_non_null(arena_alloc(a, 48));
	assert_int_equal(arena_used(a), 48);
	assert_true(arena_held(a) > 1024 && arena_held(a) < 2048);
	assert_null(arena_alloc(a, 17));
	assert_non_null(arena_alloc(a, 0));
	assert_int_equal(arena_used(a), 64);
	assert_null(arena_alloc(a, 0));
	arena_reset(a);
	assert_non_null(arena_alloc(a, 64));
	arena_free(&a);
}

static void overflow_is_out_of_memory(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_null(arena_array(a, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 15));
	assert_non_null(arena_array(a, 0, SIZE_MAX));
	arena_free(&a);
}

static void large_block_is_not_kept(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	memset(arena_alloc(a, 1 << 20), 1, 1 << 20);
	arena_reset(a);
	assert_non_null(arena_alloc(a, 1));
	arena_free(&a);
}

static void text_is_copied(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(arena_strdup(a, "alice"), "alice");
	assert_string_equal(arena_strndup(a, "alice", 3), "ali");
	assert_string_equal(arena_strndup(a, "al", 9), "al");
	assert_string_equal(arena_printf(a, "%s:%d", "epm", 135), "epm:135");
	assert_memory_equal(arena_copy(a, "a\0b", 3), "a\0b", 3);
	assert_non_null(arena_copy(a, NULL, 0));
	arena_free(&a);
}

static void text_beyond_ceiling_is_null(void **state)
{
	struct arena *a = arena_new(16);

	(void)state;
	assert_null(arena_strdup(a, "0123456789abcdef"));
	assert_null(arena_printf(a, "%020d", 1));
	assert_null(arena_copy(a, "0123456789abcdefg", 17));
	assert_int_equal(arena_used(a), 0);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(allocations_are_zeroed_and_aligned),
	        cmocka_unit_test(allocations_do_not_overlap),
	        cmocka_unit_test(ceiling_holds_until_reset),
	        cmocka_unit_test(overflow_is_out_of_memory),
	        cmocka_unit_test(large_block_is_not_kept),
	        cmocka_unit_test(text_is_copied),
	        cmocka_unit_test(text_beyond_ceiling_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
