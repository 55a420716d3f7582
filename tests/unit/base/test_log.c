#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct seen {
	int lines;
	enum log_level level;
	char text[2048];
};

static void remember(void *user, enum log_level level, const char *line)
{
	struct seen *seen = user;

	seen->lines++;
	seen->level = level;
	assert_true(strlen(line) < sizeof seen->text);
	memcpy(seen->text, line, strlen(line) + 1);
}

static void level_decides(void **state)
{
	struct seen seen = {0};
	struct log log = {LOG_WARNING, remember, &seen};

	(void)state;
	log_line(&log, LOG_INFO, "no");
	assert_int_equal(seen.lines, 0);
	log_line(&log, LOG_WARNING, "port %d is taken", 135);
	log_line(&log, LOG_ERROR, "port %d is taken", 135);
	assert_int_equal(seen.lines, 2);
	assert_int_equal(seen.level, LOG_ERROR);
	assert_string_equal(seen.text, "port 135 is taken");
}

static void no_sink_is_silence(void **state)
{
	struct log log = {0};

	(void)state;
	log_line(NULL, LOG_ERROR, "x");
	log_line(&log, LOG_ERROR, "x");
}

static void line_is_harmless(void **state)
{
	struct seen seen = {0};
	struct log log = {LOG_DEBUG, remember, &seen};

	(void)state;
	log_line(&log, LOG_INFO, "user %s", "eve\n2026 error: \x1b[2J");
	assert_string_equal(seen.text, "user eve\\x0a2026 error: \\x1b[2J");
}

static void long_line_is_cut_at_a_character(void **state)
{
	struct seen seen = {0};
	struct log log = {LOG_DEBUG, remember, &seen};
	char text[1500];

	(void)state;
	for (size_t len = 995; len < 1010; len++) {
		memset(text, 'a', len);
		memcpy(text + len, "ééé", sizeof "ééé");
		log_line(&log, LOG_INFO, "%s", text);
		assert_true(strlen(seen.text) <= 1000);
		assert_null(strstr(seen.text, "\\x"));
		if (len + 6 > 1000)
			assert_string_equal(seen.text + strlen(seen.text) - 3, "…");
		else
			assert_string_equal(seen.text, text);
	}
	memset(text, '\x1b', 999);
	text[999] = 0;
	log_line(&log, LOG_INFO, "%s", text);
	assert_int_equal(strlen(seen.text), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(level_decides),
	        cmocka_unit_test(no_sink_is_silence),
	        cmocka_unit_test(line_is_harmless),
	        cmocka_unit_test(long_line_is_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
