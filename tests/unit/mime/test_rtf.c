#include "mime/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* [MS-OXRTFCP] 4.1.1 and 4.1.2 */
static const uint8_t hello[] = {0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a, 0x46, 0x75, 0xf1,
                                0xc5, 0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32,
                                0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62,
                                0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0};
static const uint8_t crossing[] = {0x1a, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x4c, 0x5a,
                                   0x46, 0x75, 0xe2, 0xd4, 0x4b, 0x51, 0x41, 0x00, 0x04, 0x20,
                                   0x57, 0x58, 0x59, 0x5a, 0x0d, 0x6e, 0x7d, 0x01, 0x0e, 0xb0};

static void examples(void **state)
{
	struct arena *arena = arena_new(0);
	char *rtf;
	size_t size;
	(void)state;
	assert_int_equal(mime_unpack_rtf(arena, hello, sizeof hello, &rtf, &size), 0);
	assert_string_equal(rtf, "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
	assert_int_equal(size, strlen(rtf));
	assert_int_equal(mime_unpack_rtf(arena, crossing, sizeof crossing, &rtf, &size), 0);
	assert_string_equal(rtf, "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
	arena_free(&arena);
}

static void damaged(void **state)
{
	struct arena *arena = arena_new(0);
	uint8_t copy[sizeof hello];
	char *rtf;
	size_t size;
	(void)state;
	for (size_t n = 0; n < sizeof hello; n++)
		assert_int_equal(mime_unpack_rtf(arena, hello, n, &rtf, &size), MW_E_MALFORMED);
	for (size_t i = 0; i < sizeof hello; i++) {
		memcpy(copy, hello, sizeof hello);
		copy[i] ^= 0x40;
		/* The announced size alone may be too large without harm. */
		int r = mime_unpack_rtf(arena, copy, sizeof copy, &rtf, &size);
		assert_true(r == MW_E_MALFORMED || (i >= 4 && i < 8));
	}
	memcpy(copy, hello, sizeof hello);
	memset(copy + 4, 0xFF, 4); /* four gigabytes in 29 bytes */
	assert_int_equal(mime_unpack_rtf(arena, copy, sizeof copy, &rtf, &size), MW_E_MALFORMED);
	arena_free(&arena);
}

static void plain_copy(void **state)
{
	static const uint8_t packed[] = "\x14\0\0\0\x08\0\0\0MELA\0\0\0\0{\\rtf1 }";
	struct arena *arena = arena_new(0);
	char *rtf;
	size_t size;
	(void)state;
	assert_int_equal(mime_unpack_rtf(arena, packed, sizeof packed - 1, &rtf, &size), 0);
	assert_string_equal(rtf, "{\\rtf1 }");
	arena_free(&arena);
}

static void telling(void **state)
{
	static const struct {
		const char *rtf, *text;
		bool html;
	} rows[] = {
	        {"{\\rtf1\\ansi hello world\\par next\\tab x}", "hello world\nnext\tx", false},
	        {"{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\*\\generator Riched;}\\'e4\\'80 \\{\\}}", "ä€ {}", false},
	        {"{\\rtf1\\ansicpg1251 \\'cf\\'f0}", "Пр", false},
	        {"{\\rtf1\\uc1 \\u8364 ?\\u-3913\\'3f!}", "€\xef\x82\xb7!", false},
	        {"{\\rtf1\\fromhtml1 {\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 bold{\\*\\htmltag92 </b>}\\htmlrtf "
	         "}\\htmlrtf0 }",
	         "<b>bold</b>", true},
	        {"{\\rtf1 }}}}}}after", "after", false},
	        {"{\\rtf1", "", false},
	        {"{\\rtf1\\", "", false},
	        {"{\\rtf1\\'", "", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena *arena = arena_new(0);
		bool html;
		char *text;
		assert_int_equal(mime_text_of_rtf(arena, rows[i].rtf, strlen(rows[i].rtf), &html, &text), 0);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(html, rows[i].html);
		arena_free(&arena);
	}
}

static void deep(void **state)
{
	struct arena *arena = arena_new(0);
	static char rtf[100000];
	bool html;
	char *text;
	(void)state;
	memset(rtf, '{', sizeof rtf);
	memcpy(rtf, "{\\rtf1 ", 7);
	assert_int_equal(mime_text_of_rtf(arena, rtf, sizeof rtf, &html, &text), 0);
	memset(rtf + 50000, '}', 49999);
	rtf[sizeof rtf - 1] = 'x';
	assert_int_equal(mime_text_of_rtf(arena, rtf, sizeof rtf, &html, &text), 0);
	assert_string_equal(text, "x");
	assert_int_equal(mime_text_of_rtf(arena, "nothing", 7, &html, &text), MW_E_MALFORMED);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(damaged),
	                                   cmocka_unit_test(plain_copy), cmocka_unit_test(telling),
	                                   cmocka_unit_test(deep)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
