#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lens/interfaces.h"

#include <string.h>

static const struct lens_known *find(const char *uuid, uint16_t major, uint16_t minor)
{
	struct guid g;
	assert_int_equal(guid_parse(uuid, &g), 0);
	return lens_known_find(&g, major, minor);
}

static void finds_interfaces_and_methods(void **state)
{
	(void)state;
	const struct lens_known *k = find("12345778-1234-abcd-ef00-0123456789ab", 0, 0);
	assert_non_null(k);
	assert_string_equal(lens_known_name(k), "lsarpc");
	assert_string_equal(lens_known_method(k, 0), "LsarClose");
	assert_null(lens_known_method(k, 60000));
	k = find("367abb81-9844-35f1-ad32-98f038001003", 2, 0);
	assert_string_equal(lens_known_method(k, 15), "ROpenSCManagerW");
	assert_null(find("367abb81-9844-35f1-ad32-98f038001004", 2, 0));
	assert_null(find("ffffffff-ffff-ffff-ffff-ffffffffffff", 0, 0));
	assert_null(find("00000000-0000-0000-0000-000000000000", 0, 0));
}

static void prefers_the_version(void **state)
{
	(void)state;
	assert_int_equal(find("c6b5235a-e413-481d-9ac8-31681b1faaf5", 1, 1)->minor, 1);
	assert_int_equal(find("c6b5235a-e413-481d-9ac8-31681b1faaf5", 1, 0)->minor, 0);
	assert_non_null(find("c6b5235a-e413-481d-9ac8-31681b1faaf5", 7, 0));
}

static void is_sorted_and_whole(void **state)
{
	(void)state;
	assert_true(lens_known_count > 1000);
	for (unsigned i = 0; i < lens_known_count; i++) {
		const struct lens_known *k = &lens_known[i];
		struct guid g;
		memcpy(&g, k->uuid, sizeof g);
		assert_ptr_equal(lens_known_find(&g, k->major, k->minor), k);
		if (i > 0)
			assert_true(memcmp(lens_known[i - 1].uuid, k->uuid, sizeof k->uuid) <= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(finds_interfaces_and_methods),
	        cmocka_unit_test(prefers_the_version),
	        cmocka_unit_test(is_sorted_and_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
