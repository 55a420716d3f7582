#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lens/scrub.h"
#include "wire/tower.h"

#include <ctype.h>
#include <string.h>

static const uint8_t key[16] = "0123456789abcdef";

static void text(struct lens_scrub *s, const char *in, char *out)
{
	memcpy(out, in, strlen(in) + 1);
	lens_scrub_text(s, (uint8_t *)out, strlen(out));
}

static void wide(struct lens_scrub *s, const char *in, char *out)
{
	uint8_t units[256];
	size_t n = strlen(in);
	for (size_t i = 0; i < n; i++) {
		units[2 * i] = (uint8_t)in[i];
		units[2 * i + 1] = 0;
	}
	lens_scrub_wide(s, units, 2 * n);
	for (size_t i = 0; i < n; i++) {
		out[i] = (char)units[2 * i];
		assert_int_equal(units[2 * i + 1], 0);
	}
	out[n] = 0;
}

/* The same everywhere, of the same shape, and never what it was. */
static void words_become_others(void **state)
{
	(void)state;
	static const char *const words[] = {
	        "a",
	        "Z",
	        "7",
	        "alice",
	        "ALICE",
	        "Wonderland1",
	        "x-y",
	        "meeting at 10:30",
	        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct lens_scrub *s = lens_scrub_new(key);
	char one[128], two[128];
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		text(s, words[i], one);
		wide(s, words[i], two);
		assert_string_equal(one, two);
		assert_int_equal(strlen(one), strlen(words[i]));
		assert_string_not_equal(one, words[i]);
		for (size_t k = 0; one[k]; k++) {
			assert_int_equal(!isupper((uint8_t)one[k]), !isupper((uint8_t)words[i][k]));
			assert_int_equal(!isdigit((uint8_t)one[k]), !isdigit((uint8_t)words[i][k]));
			if (!isalnum((uint8_t)words[i][k]))
				assert_int_equal(one[k], words[i][k]);
		}
	}
	text(s, "alice", one);
	text(s, "ALICE", two);
	for (size_t k = 0; k < 5; k++)
		assert_int_equal(toupper(one[k]), two[k]);
	lens_scrub_free(&s);
}

/* Ten thousand short words: none stays, by chance either. */
static void no_word_stays(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key);
	for (unsigned i = 0; i < 10000; i++) {
		char before[3] = {(char)('a' + i % 26), i % 3 ? (char)('a' + i / 26 % 26) : 0}, after[3];
		if (strcmp(before, "o") == 0 || strcmp(before, "cn") == 0 || strcmp(before, "ou") == 0 ||
		    strcmp(before, "ex") == 0)
			continue;
		text(s, before, after);
		assert_string_not_equal(before, after);
	}
	lens_scrub_free(&s);
}

static void protocol_words_stay(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key);
	char out[64];
	text(s, "/o=demo/cn=Recipients/cn=bob", out);
	assert_memory_equal(out, "/o=", 3);
	assert_memory_equal(out + 7, "/cn=Recipients/cn=", 18);
	assert_null(strstr(out, "bob"));
	text(s, "IPM.Note", out);
	assert_string_equal(out, "IPM.Note");
	lens_scrub_free(&s);
}

static void another_key_makes_other_words(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key), *t = lens_scrub_new((const uint8_t *)"another key of 16");
	char one[16], two[16];
	text(s, "Wonderland", one);
	text(t, "Wonderland", two);
	assert_string_not_equal(one, two);
	lens_scrub_free(&s);
	lens_scrub_free(&t);
}

/* Letters outside of ASCII become letters; a surrogate or a byte of UTF-8 is one. */
static void letters_of_all_scripts(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key);
	uint8_t units[] = {0x1a, 0x4f, 0x58, 0x54, 0x20, 0, 0x3d, 0xd8, 0, 0xde}, odd[] = {'b', 0, 'c'};
	char out[16];
	lens_scrub_wide(s, units, sizeof units);
	for (size_t i = 0; i < sizeof units; i += 2) {
		assert_int_equal(units[i + 1], 0);
		assert_true(i == 4 ? units[i] == ' ' : isalpha(units[i]));
	}
	lens_scrub_wide(s, odd, sizeof odd);
	assert_int_equal(odd[2], 0);
	text(s, "Z\xc3\xa9", out);
	assert_true(isalpha(out[1]) && isalpha(out[2]));
	lens_scrub_free(&s);
}

static void bytes_and_addresses(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key);
	uint8_t a[100], b[100], four[4] = {192, 168, 0, 2}, again[4] = {192, 168, 0, 2},
	                        six[16] = {0xFE, 0x80, [15] = 1}, none[4] = {0};
	memset(a, 7, sizeof a);
	memset(b, 7, sizeof b);
	lens_scrub_bytes(s, a, sizeof a);
	lens_scrub_bytes(s, b, sizeof b);
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, a + 32, 32);
	lens_scrub_bytes(s, b, sizeof b - 1);
	assert_memory_not_equal(a, b, sizeof a);
	lens_scrub_address(s, 4, four);
	lens_scrub_address(s, 6, six);
	lens_scrub_address(s, 4, again);
	lens_scrub_address(s, 4, none);
	assert_memory_equal(four, ((uint8_t[]){10, 0, 0, 1}), 4);
	assert_memory_equal(again, four, 4);
	assert_memory_equal(six, ((uint8_t[16]){0xFD, [15] = 2}), 16);
	assert_memory_equal(none, ((uint8_t[4]){0}), 4);
	lens_scrub_free(&s);
}

static void towers_keep_their_ports(void **state)
{
	(void)state;
	struct lens_scrub *s = lens_scrub_new(key);
	struct epm_tower t = {.interface = {1, 2, 3, {4}},
	                      .protocol = EPM_NCACN_IP_TCP,
	                      .port = 6001,
	                      .ip = {1, 2, 3, 4}},
	                 out;
	struct buf b = {0};
	assert_int_equal(epm_tower_build(&t, &b), 0);
	lens_scrub_tower(s, b.data, b.len);
	assert_int_equal(epm_tower_parse(cursor_of(b.data, b.len), &out), 0);
	assert_int_equal(out.port, 6001);
	assert_memory_equal(out.ip, ((uint8_t[]){10, 0, 0, 1}), 4);
	buf_clear(&b);
	t = (struct epm_tower){.protocol = EPM_NCACN_NP, .name = "\\pipe\\lsass", .host = "MAILHOST"};
	assert_int_equal(epm_tower_build(&t, &b), 0);
	lens_scrub_tower(s, b.data, b.len);
	assert_int_equal(epm_tower_parse(cursor_of(b.data, b.len), &out), 0);
	assert_string_equal(out.name, "\\pipe\\lsass");
	assert_string_not_equal(out.host, "MAILHOST");
	for (size_t n = 0; n < b.len; n++) /* cut anywhere */
		lens_scrub_tower(s, b.data, n);
	buf_free(&b);
	lens_scrub_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(words_become_others),     cmocka_unit_test(no_word_stays),
	        cmocka_unit_test(protocol_words_stay),     cmocka_unit_test(another_key_makes_other_words),
	        cmocka_unit_test(letters_of_all_scripts),  cmocka_unit_test(bytes_and_addresses),
	        cmocka_unit_test(towers_keep_their_ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
