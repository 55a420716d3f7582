#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 10. */
static const struct {
	const char *plain, *text;
} pairs[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xFE", "+//+"},
};

static void both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct buf b MW_CLEANUP(buf_free) = {0};
		assert_int_equal(base64_put(&b, pairs[i].plain, strlen(pairs[i].plain)), 0);
		assert_int_equal(b.len, strlen(pairs[i].text));
		if (b.len > 0)
			assert_memory_equal(b.data, pairs[i].text, b.len);
		buf_clear(&b);
		assert_int_equal(base64_decode(&b, pairs[i].text, strlen(pairs[i].text)), 0);
		assert_int_equal(b.len, strlen(pairs[i].plain));
		if (b.len > 0)
			assert_memory_equal(b.data, pairs[i].plain, b.len);
	}
}

static void refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "Z", "Zg", "Zg=", "Zg==Zg==", "Zm9v=", "====", "Z===", "Zh==", "Zm9=", "Zm9v\n", "Zm 9", "Zm-_"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct buf b MW_CLEANUP(buf_free) = {0};
		buf_put_u8(&b, 7);
		assert_int_equal(base64_decode(&b, bad[i], strlen(bad[i])), MW_E_MALFORMED);
		assert_int_equal(b.len, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways), cmocka_unit_test(refuses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
