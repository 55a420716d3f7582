#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void each_code_has_its_own_phrase(void **state)
{
	(void)state;
	for (int a = MW_OK; a >= MW_E_BUSY; a--) {
		assert_true(strlen(mw_strerror(a)) > 0);
		assert_string_not_equal(mw_strerror(a), mw_strerror(1));
		for (int b = MW_OK; b > a; b--)
			assert_string_not_equal(mw_strerror(a), mw_strerror(b));
	}
}

static void take_ptr_leaves_null(void **state)
{
	char text[] = "x";
	char *p = text;

	(void)state;
	assert_ptr_equal(TAKE_PTR(p), text);
	assert_null(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_code_has_its_own_phrase),
	        cmocka_unit_test(take_ptr_leaves_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
