#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapiwire.h"

static const struct {
	const char *text;
	int result;
	const char *uuid, *name;
	unsigned major, minor;
} rows[] = {
        {"nspi", 0, "f5cc5a18-4264-101a-8c59-08002b2f8426", "nspi", 56, 0},
        {"NSPI", 0, "f5cc5a18-4264-101a-8c59-08002b2f8426", "nspi", 56, 0},
        {"store", 0, "a4f1db00-ca47-1067-b31f-00dd010662da", "emsmdb", 0, 81},
        {"emsmdb", 0, "a4f1db00-ca47-1067-b31f-00dd010662da", "emsmdb", 0, 81},
        {"epm", 0, "e1af8308-5d1f-11c9-91a4-08002b14a0fa", "epm", 3, 0},
        {"mgmt", 0, "afa8bd80-7d8a-11c9-bef4-08002b102989", "mgmt", 1, 0},
        {"rfr", 0, "1544f5e0-613c-11d1-93df-00c04fd7bd09", "rfr", 1, 0},
        {"asyncemsmdb", 0, "5261574a-4572-206e-b268-6b199213b4e4", "asyncemsmdb", 0, 1},
        /* The version of a UUID that we know is ours where none is said. */
        {"F5CC5A18-4264-101A-8C59-08002B2F8426", 0, "f5cc5a18-4264-101a-8c59-08002b2f8426", "nspi", 56, 0},
        {"f5cc5a18-4264-101a-8c59-08002b2f8426/1.2", 0, "f5cc5a18-4264-101a-8c59-08002b2f8426", "nspi", 1, 2},
        {"11111111-2222-3333-4444-555555555555", 0, "11111111-2222-3333-4444-555555555555", "", 0, 0},
        {"{11111111-2222-3333-4444-555555555555}/7", 0, "11111111-2222-3333-4444-555555555555", "", 7, 0},
        {"", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"nspi/56.0", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"11111111-2222-3333-4444-55555555555", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"11111111-2222-3333-4444-555555555555/x", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"11111111-2222-3333-4444-555555555555/1.70000", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"11111111-2222-3333-4444-555555555555/1.2.3", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
        {"11111111-2222-3333-4444-5555555555551111111111111111111111111111", MAPIWIRE_E_ARGUMENT, NULL, NULL, 0, 0},
};

static void names_and_uuids(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mapiwire_interface got = {.major = 999};
		assert_int_equal(mapiwire_interface_named(rows[i].text, &got), rows[i].result);
		if (rows[i].result < 0) {
			assert_int_equal(got.major, 999);
			continue;
		}
		assert_string_equal(got.uuid, rows[i].uuid);
		assert_string_equal(got.name, rows[i].name);
		assert_int_equal(got.major, rows[i].major);
		assert_int_equal(got.minor, rows[i].minor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names_and_uuids)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
