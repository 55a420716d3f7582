#include "base/time.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* MS-DTYP 2.3.3 counts from 1601; 2003-06-30 16:52:06.123456 UTC is second 1056991926. */
static void filetime(void **state)
{
	static const struct {
		int64_t ns;
		uint64_t filetime;
	} rows[] = {
	        {0, 116444736000000000},
	        {100, 116444736000000001},
	        {-100, 116444735999999999},
	        {INT64_C(1056991926123456000), 127014655261234560},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(filetime_from_ns(rows[i].ns) == rows[i].filetime);
		assert_true(filetime_to_ns(rows[i].filetime) == rows[i].ns);
	}
	assert_true(filetime_from_ns(199) == 116444736000000001);
	assert_true(filetime_from_ns(-1) == 116444735999999999);
}

static void filetime_saturates(void **state)
{
	(void)state;
	assert_true(filetime_to_ns(0) == INT64_MIN);
	assert_true(filetime_to_ns(UINT64_MAX) == INT64_MAX);
	assert_true(filetime_to_ns(INT64_MAX) == INT64_MAX);
	assert_true(filetime_to_ns((uint64_t)INT64_MAX + 1) == INT64_MAX);
	assert_true(filetime_to_ns(filetime_from_ns(INT64_MAX)) <= INT64_MAX);
	assert_true(filetime_to_ns(filetime_from_ns(INT64_MIN)) == INT64_MIN);
}

static void formats(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
	        {0, "1970-01-01 00:00:00.000000Z"},
	        {INT64_C(1056991926123456000), "2003-06-30 16:52:06.123456Z"},
	        {INT64_C(1056991926123456999), "2003-06-30 16:52:06.123456Z"},
	        {-1, "1969-12-31 23:59:59.999999Z"},
	        {INT64_MAX, "2262-04-11 23:47:16.854775Z"},
	        {INT64_MIN, "1677-09-21 00:12:43.145224Z"},
	};
	char text[TIME_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(time_format(rows[i].ns, text), rows[i].text);
}

static void clocks_advance(void **state)
{
	int64_t a = time_monotonic_ns();
	int64_t b = time_monotonic_ns();

	(void)state;
	assert_true(b >= a);
	assert_true(time_now_ns() > INT64_C(1700000000) * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(filetime),
	        cmocka_unit_test(filetime_saturates),
	        cmocka_unit_test(formats),
	        cmocka_unit_test(clocks_advance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
