#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void wipes_exactly(void **state)
{
	uint8_t bytes[] = {1, 2, 3, 4};
	static const uint8_t expected[] = {1, 0, 0, 4};

	(void)state;
	secret_wipe(bytes + 1, 2);
	assert_memory_equal(bytes, expected, 4);
	secret_wipe(NULL, 0);
}

static void compares_every_byte(void **state)
{
	uint8_t a[16] = {0};
	uint8_t b[16] = {0};

	(void)state;
	assert_true(secret_equal(a, b, 16));
	assert_true(secret_equal(NULL, NULL, 0));
	for (size_t i = 0; i < 16; i++)
		for (int bit = 0; bit < 8; bit++) {
			b[i] ^= (uint8_t)(1 << bit);
			assert_false(secret_equal(a, b, 16));
			assert_true(secret_equal(a, b, i));
			b[i] = 0;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(wipes_exactly),
	        cmocka_unit_test(compares_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
