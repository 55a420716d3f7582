#include "mime/mbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The messages of an mbox, each followed by a "|". */
static char *split(const char *data, size_t size)
{
	char path[] = "/tmp/mboxXXXXXX", *out = calloc(1, size + 1000);
	int fd = mkstemp(path), r;
	struct mime_mbox *m = NULL;
	struct mime_source source;
	size_t at = 0;
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
	assert_int_equal(mime_mbox_open(path, &m), 0);
	unlink(path);
	assert_int_equal(mime_mbox_size(m), size);
	while ((r = mime_mbox_next(m, &source)) == 1) {
		if (source.data) {
			memcpy(out + at, source.data, source.size);
			at += source.size;
		} else {
			ssize_t n = pread(source.fd, out + at, size, 0);
			assert_true(n > 0);
			at += (size_t)n;
		}
		out[at++] = '|';
	}
	assert_int_equal(r, 0);
	assert_int_equal(mime_mbox_position(m), size);
	mime_mbox_close(&m);
	return out;
}

static void splitting(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	        {"", ""},
	        {"\n\n", ""},
	        {"From a\nS: 1\n\nx\n\nFrom b\nS: 2\n\ny\n", "S: 1\n\nx\n|S: 2\n\ny\n|"},
	        {"From a\nS: 1\n\nx\n\n", "S: 1\n\nx\n|"},
	        {"From a\nS: 1\n\nx\nFrom here on\n\n>From b\n>>From c\n>> From d\n",
	         "S: 1\n\nx\nFrom here on\n\nFrom b\n>From c\n>> From d\n|"},
	        {"From a\r\nS: 1\r\n\r\nx\r\n\r\nFrom b\r\nS: 2\r\n", "S: 1\r\n\nx\r\n|S: 2\r\n|"},
	        {"S: 1\n\nno separator", "S: 1\n\nno separator|"},
	        {"From a", "|"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *out = split(rows[i].in, strlen(rows[i].in));
		assert_string_equal(out, rows[i].out);
		free(out);
	}
}

/* Lines longer than the window, and a message larger than what is held in memory. */
static void large(void **state)
{
	size_t size = 3 << 20, at;
	char *data = malloc(size + 100);
	(void)state;
	assert_non_null(data);
	memcpy(data, "From a\nS: 1\n\n", at = 13);
	memset(data + at, 'x', size);
	memcpy(data + at + size, "\n\nFrom b\nS: 2\n", 14);
	char *out = split(data, at + size + 14);
	assert_memory_equal(out, "S: 1\n\nxxx", 9);
	assert_int_equal(strspn(out + 6, "x"), size);
	assert_string_equal(out + 6 + size, "\n|S: 2\n|");
	free(out);
	free(data);
}

static void writing(void **state)
{
	static const char message[] = "S: 1\n\nFrom x\n>From y\nend";
	char *text = NULL, path[] = "/tmp/mboxXXXXXX";
	size_t size;
	int fd = mkstemp(path);
	(void)state;
	unlink(path);
	assert_int_equal(write(fd, message, sizeof message - 1), sizeof message - 1);
	FILE *f = open_memstream(&text, &size);
	assert_int_equal(mime_mbox_append(f, "a b@c\n", INT64_C(1000000000) * 1000000000, fd), 0);
	assert_int_equal(mime_mbox_append(f, "", 0, fd), 0);
	fclose(f);
	assert_string_equal(text, "From a_b@c_ Sun Sep  9 01:46:40 2001\nS: 1\n\n>From x\n>>From y\nend\n\n"
	                          "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nS: 1\n\n>From x\n>>From y\nend\n\n");
	char *out = split(text, size);
	assert_string_equal(out, "S: 1\n\nFrom x\n>From y\nend\n|S: 1\n\nFrom x\n>From y\nend\n|");
	free(out);
	free(text);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(splitting), cmocka_unit_test(large),
	                                   cmocka_unit_test(writing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
