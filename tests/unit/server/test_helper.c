#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/helper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The process that reads files for the server. */
static char path[64];
static struct helper *helper;
static struct helper_snapshot got;

static void write_file(const char *text, size_t size)
{
	char fresh[80];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	FILE *f = fopen(fresh, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(fresh, path), 0);
}

static int start(void **state)
{
	static const char name[] = "/tmp/mw-helper-XXXXXX";
	(void)state;
	memcpy(path, name, sizeof name);
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	const struct helper_paths paths = {.part = {[HELPER_KEYTAB] = {path}}};
	write_file("first", 5);
	return helper_start(&paths, false, &helper);
}

static int stop(void **state)
{
	(void)state;
	helper_stop(&helper);
	return unlink(path) == 0 || access(path, F_OK) < 0 ? 0 : -1;
}

static void expect(const char *text)
{
	struct pollfd p = {.fd = helper_fd(helper), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(helper_next(helper, &got), 0);
	assert_string_equal(got.trouble, "");
	assert_int_equal(got.size[0], strlen(text));
	assert_memory_equal(got.bytes, text, got.size[0]);
	assert_int_equal(got.size[1], 0);
}

static void hands_over_what_changes(void **state)
{
	(void)state;
	assert_int_equal(helper_first(helper, HELPER_KEYTAB, &got), 0);
	assert_int_equal(got.size[0], 5);
	assert_int_equal(helper_next(helper, &got), MW_E_AGAIN);
	write_file("other", 5);
	expect("other");
	helper_ask(helper);
	expect("other");
}

static void says_what_it_cannot_read(void **state)
{
	static char large[HELPER_MAX];
	(void)state;
	expect("first");
	assert_int_equal(unlink(path), 0);
	struct pollfd p = {.fd = helper_fd(helper), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(helper_next(helper, &got), 0);
	assert_string_equal(got.trouble, "No such file or directory");
	assert_int_equal(got.size[0], 0);
	write_file(large, sizeof large);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(helper_next(helper, &got), 0);
	assert_string_equal(got.trouble, "it is larger than 64 KiB");
	write_file("back", 4);
	expect("back");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
	        TEST(hands_over_what_changes),
	        TEST(says_what_it_cannot_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
