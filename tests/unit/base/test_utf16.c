#include "base/utf16.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct row {
	const char *utf8;
	uint16_t units[8];
	size_t n;
};

static const struct row exact[] = {
        {"", {0}, 0},
        {"A", {'A'}, 1},
        {"ü", {0xfc}, 1},
        {"€", {0x20ac}, 1},
        {"\xed\x9f\xbf", {0xd7ff}, 1},
        {"\xee\x80\x80", {0xe000}, 1},
        {"\xef\xbf\xbf", {0xffff}, 1},
        {"\xf0\x90\x80\x80", {0xd800, 0xdc00}, 2},
        {"😀x", {0xd83d, 0xde00, 'x'}, 3},
        {"\xf4\x8f\xbf\xbf", {0xdbff, 0xdfff}, 2},
};

static void goes_both_ways(void **state)
{
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
		const struct row *r = &exact[i];
		size_t n = 99;
		uint16_t *units = utf8_to_utf16(a, r->utf8, &n);

		assert_int_equal(n, r->n);
		assert_memory_equal(units, r->units, (n + 1) * sizeof *units);
		assert_int_equal(utf16_len(units), n);
		assert_string_equal(utf16_to_utf8(a, r->units, r->n), r->utf8);
		assert_non_null(utf8_to_utf16(a, r->utf8, NULL));
	}
	arena_free(&a);
}

static void bad_units_become_replacements(void **state)
{
	static const struct row rows[] = {
	        {"\ufffd", {0xd800}, 1},
	        {"\ufffd", {0xdc00}, 1},
	        {"\ufffdA", {0xd800, 'A'}, 2},
	        {"\ufffd\ufffd", {0xdc00, 0xd800}, 2},
	        {"\ufffd\xf0\x90\x80\x80", {0xd800, 0xd800, 0xdc00}, 3},
	        {"A\ufffd", {'A', 0xdbff, 0, 0xdc00}, 4},
	        {"A", {'A', 0, 'B'}, 3},
	        {"", {0, 'B'}, 2},
	        {"AB", {'A', 'B', 'C'}, 2},
	        {"\ufffd", {0xd83d, 0xde00}, 1},
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(utf16_to_utf8(a, rows[i].units, rows[i].n), rows[i].utf8);
	arena_free(&a);
}

static void bad_utf8_becomes_replacements(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* the same text, well-formed */
	} rows[] = {
	        {"\x80", "\ufffd"},
	        {"a\xffz", "a\ufffdz"},
	        {"\xc3", "\ufffd"},
	        {"\xc3(", "\ufffd("},
	        {"\xe2\x82", "\ufffd"},
	        {"\xe2\x82\xc3\xbc", "\ufffdü"},
	        {"\xf0\x9f\x98z", "\ufffdz"},
	        {"\xc0\x80", "\ufffd\ufffd"},
	        {"\xc1\xbf", "\ufffd\ufffd"},
	        {"\xe0\x9f\xbf", "\ufffd\ufffd\ufffd"},
	        {"\xed\xa0\xbd\xed\xb8\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"},
	        {"\xf0\x8f\xbf\xbf", "\ufffd\ufffd\ufffd\ufffd"},
	        {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
	        {"\xf5\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
	};
	struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n;
		uint16_t *units = utf8_to_utf16(a, rows[i].in, &n);
		assert_string_equal(utf16_to_utf8(a, units, n), rows[i].out);
	}
	arena_free(&a);
}

static void little_endian_bytes_of_any_alignment(void **state)
{
	static const uint8_t bytes[] = {0xee, 'A', 0, 0x3d, 0xd8, 0x00, 0xde, 'B'};
	struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(utf16le_to_utf8(a, bytes + 1, 7), "A😀");
	assert_string_equal(utf16le_to_utf8(a, bytes + 1, 6), "A😀");
	assert_string_equal(utf16le_to_utf8(a, bytes + 1, 4), "A\ufffd");
	assert_string_equal(utf16le_to_utf8(a, bytes + 1, 1), "");
	assert_string_equal(utf16le_to_utf8(a, NULL, 0), "");
	arena_free(&a);
}

static void ceiling_is_null(void **state)
{
	struct arena *a = arena_new(16);
	uint16_t units[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		units[i] = 'x';
	assert_null(utf16_to_utf8(a, units, ARRAY_SIZE(units)));
	assert_null(utf8_to_utf16(a, "12345678", NULL));
	assert_non_null(utf8_to_utf16(a, "1234567", NULL));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(goes_both_ways),
	        cmocka_unit_test(bad_units_become_replacements),
	        cmocka_unit_test(bad_utf8_becomes_replacements),
	        cmocka_unit_test(little_endian_bytes_of_any_alignment),
	        cmocka_unit_test(ceiling_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
