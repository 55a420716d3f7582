#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
	const char *in;
	const char *out;
};

static void check_rows(int (*put)(struct buf *, const char *), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf b = {0};
		assert_int_equal(put(&b, rows[i].in), 0);
		assert_int_equal(buf_put_u8(&b, 0), 0);
		assert_string_equal((char *)b.data, rows[i].out);
		buf_free(&b);
	}
}

static void terminal(void **state)
{
	static const struct row rows[] = {
	        {"", ""},
	        {"DEMO\\alice Grüße 你好 😀", "DEMO\\alice Grüße 你好 😀"},
	        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
	        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
	        {"a\r\n\tb\x7f", "a\\x0d\\x0a\\x09b\\x7f"},
	        {"\xc2\x9b"
	         "31m",
	         "\\u{9b}31m"},
	        {"a\u202eb\u202c\u2066\u2069\u200f", "a\\u{202e}b\\u{202c}\\u{2066}\\u{2069}\\u{200f}"},
	        {"\u061c\u2028\ufeff\u200b", "\\u{61c}\\u{2028}\\u{feff}\\u{200b}"},
	        {"\U000e0041", "\\u{e0041}"},
	        {"e\u0301 \u05e9 \U0001f468\u200d\U0001f469", "e\u0301 \u05e9 \U0001f468\u200d\U0001f469"},
	        {"\xff", "\\xff"},
	        {"a\x80z", "a\\x80z"},
	        {"\xc3", "\\xc3"},
	        {"\xe2\x82", "\\xe2\\x82"},
	        {"\xe2\x82(", "\\xe2\\x82("},
	        {"\xc0\xaf", "\\xc0\\xaf"},
	        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
	        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
	        {"\x9b\x33", "\\x9b3"},
	};

	(void)state;
	check_rows(text_put_terminal, rows, ARRAY_SIZE(rows));
}

static void json(void **state)
{
	static const struct row rows[] = {
	        {"", "\"\""},
	        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
	        {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\""},
	        {"Grüße 😀", "\"Grüße 😀\""},
	        {"</script><!--", "\"\\u003c/script>\\u003c!--\""},
	        {"\xc2\x85\u2028\u202e\ufffe", "\"\\u0085\\u2028\\u202e\\ufffe\""},
	        {"\U000e0041", "\"\\udb40\\udc41\""},
	        {"\xff\xe2\x82(", "\"\ufffd\ufffd(\""},
	        {"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
	};

	(void)state;
	check_rows(text_put_json, rows, ARRAY_SIZE(rows));
}

static void html(void **state)
{
	static const struct row rows[] = {
	        {"", ""},
	        {"<b a='1' c=\"2\">&amp;", "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;"},
	        {"a\tb\nc\rd", "a\tb\nc\rd"},
	        {"\x01\x1b\x7f\xc2\x85", "\\x01\\x1b\\x7f\\x85"},
	        {"\u202eevil\uffff", "\\u{202e}evil\\u{ffff}"},
	        {"ü\xfc", "ü\ufffd"},
	};

	(void)state;
	check_rows(text_put_html, rows, ARRAY_SIZE(rows));
}

static void hex(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x0f, 0xa5, 0xff};
	static const struct {
		size_t n, max;
		const char *out;
	} rows[] = {
	        {0, 8, ""}, {4, 8, "000fa5ff"}, {4, 4, "000fa5ff"}, {4, 3, "000fa5… (4 bytes)"}, {4, 0, "… (4 bytes)"},
	        {0, 0, ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = {0};
		assert_int_equal(text_put_hex(&b, bytes, rows[i].n, rows[i].max), 0);
		assert_int_equal(buf_put_u8(&b, 0), 0);
		assert_string_equal((char *)b.data, rows[i].out);
		buf_free(&b);
	}
}

static void puts_report_the_limit(void **state)
{
	struct buf b = {.max = 3};

	(void)state;
	assert_int_equal(text_put_terminal(&b, "\x1b"), MW_E_LIMIT);
	buf_clear(&b);
	assert_int_equal(text_put_json(&b, "ab"), MW_E_LIMIT);
	buf_clear(&b);
	assert_int_equal(text_put_html(&b, "<"), MW_E_LIMIT);
	buf_clear(&b);
	assert_int_equal(text_put_hex(&b, "ab", 2, 2), MW_E_LIMIT);
	buf_free(&b);
}

static void width(void **state)
{
	static const struct {
		const char *in;
		size_t width;
	} rows[] = {
	        {"", 0},        {"abc", 3},        {"Grüße", 5},      {"你好", 4},   {"ｱ", 1},
	        {"Ａ", 2},      {"e\u0301", 1},    {"😀", 2},          {"한글", 4},   {"\u202e", 8},
	        {"\x1b[0m", 7}, {"\xff\xfe", 8},   {"\xc2\x85", 6},   {"\u061c", 7}, {"\U000e0041", 9},
	        {"\u200d", 0},  {"\U0002fffd", 2}, {"\U00100000", 1}, {"⋮→", 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(text_width(rows[i].in), rows[i].width);
}

/* What cannot be shown as it is takes the columns of its escape: the two functions agree. */
static void width_agrees_with_terminal(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[] = {(char)c, 0};
		struct buf b = {0};

		assert_int_equal(text_put_terminal(&b, text), 0);
		assert_int_equal(text_width(text), b.len);
		buf_free(&b);
	}
}

static void casecmp(void **state)
{
	(void)state;
	assert_int_equal(text_casecmp("", ""), 0);
	assert_int_equal(text_casecmp("Alice@Demo.TEST", "aLICE@dEMO.test"), 0);
	assert_true(text_casecmp("a", "B") < 0);
	assert_true(text_casecmp("B", "a") > 0);
	assert_true(text_casecmp("a", "ab") < 0);
	assert_true(text_casecmp("ab", "a") > 0);
	assert_true(text_casecmp("[", "{") != 0);
	assert_true(text_casecmp("@", "`") != 0);
	assert_true(text_casecmp("Ä", "ä") != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(terminal),
	        cmocka_unit_test(json),
	        cmocka_unit_test(html),
	        cmocka_unit_test(hex),
	        cmocka_unit_test(puts_report_the_limit),
	        cmocka_unit_test(width),
	        cmocka_unit_test(width_agrees_with_terminal),
	        cmocka_unit_test(casecmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
