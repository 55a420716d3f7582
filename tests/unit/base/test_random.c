#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void fill_ones(void *user, void *out, size_t n)
{
	(void)user;
	memset(out, 0xff, n);
}

static void fill_zeros(void *user, void *out, size_t n)
{
	(void)user;
	memset(out, 0, n);
}

static void guid_is_version_4(void **state)
{
	char text[GUID_TEXT_SIZE];
	struct guid g;

	(void)state;
	random_guid(&(struct random_source){.fill = fill_ones}, &g);
	guid_format(&g, text);
	assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	random_guid(&(struct random_source){.fill = fill_zeros}, &g);
	guid_format(&g, text);
	assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
}

static void system_fills_exactly(void **state)
{
	uint8_t bytes[1026] = {0};
	size_t zeros = 0;

	(void)state;
	random_system.fill(random_system.user, bytes + 1, 1024);
	random_system.fill(random_system.user, bytes + 1, 0);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1025], 0);
	for (size_t i = 1; i < 1025; i++)
		zeros += bytes[i] == 0;
	/* Four are expected; a part left unfilled would be many more. */
	assert_true(zeros < 64);
}

static void system_does_not_repeat(void **state)
{
	struct guid a;
	struct guid b;

	(void)state;
	random_guid(&random_system, &a);
	random_guid(&random_system, &b);
	assert_false(guid_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guid_is_version_4),
	        cmocka_unit_test(system_fills_exactly),
	        cmocka_unit_test(system_does_not_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
