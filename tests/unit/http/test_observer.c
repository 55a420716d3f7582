#include "script.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define SEEN(path) "request GET " path " 1.1 none 0 keep [Host|a]\nend\n"
#define POST3 "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
#define POSTED "request POST /p 1.1 length 9 keep [Host|a] [Content-Length|9]\n"

/* One side's bytes; '\1' stands for a gap of three bytes. */
static const struct {
	enum http_side from;
	const char *in, *log;
} seen[] = {
        {HTTP_FROM_CLIENT, GET("/1") GET("/2"), SEEN("/1") SEEN("/2")},
        {HTTP_FROM_CLIENT, GET("/1") "\n\nrubbish\r\n" GET("/2"),
         SEEN("/1") "damaged 400 no HTTP begins here\n" SEEN("/2")},
        {HTTP_FROM_CLIENT, "GET / HTTP/1.1\r\nHost : a\r\n\r\nxyz" GET("/2"),
         "damaged 400 a field's name has bytes that no name has\n" SEEN("/2")},
        {HTTP_FROM_CLIENT, POST3 "abc\1def" GET("/2"), POSTED "body \"abc\"\ngap 3\nbody \"def\"\nend\n" SEEN("/2")},
        {HTTP_FROM_CLIENT, POST3 "abcdefg\1de" GET("/2"), POSTED "body \"abcdefg\"\ngap 3\n" SEEN("/2")},
        {HTTP_FROM_CLIENT, "\1Host: a\r\n\r\n" GET("/2"), "gap 3\n" SEEN("/2")},
        {HTTP_FROM_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 304 -\r\n\r\n",
         "response 200 OK 1.1 length 1 keep [Content-Length|1]\nbody \"a\"\nend\nresponse 304 - 1.1 none 0 "
         "keep\nend\n"},
        {HTTP_FROM_SERVER, "\1...\r\nHTTP/1.1 304 -\r\n\r\n", "gap 3\nresponse 304 - 1.1 none 0 keep\nend\n"},
        {HTTP_FROM_SERVER, "HTTP/1.1 200 OK\r\n\r\nab\1cd",
         "response 200 OK 1.1 to-close 0\nbody \"ab\"\ngap 3\nbody \"cd\"\n"},
};

static void feed_with_gaps(struct script *s, enum http_side from, const char *text, size_t step)
{
	for (const char *p = text; *p;) {
		char part[256];
		size_t n = strcspn(p, "\1");
		snprintf(part, sizeof part, "%.*s", (int)n, p);
		script_feed(s, from, part, step);
		p += n;
		if (*p) {
			http_gap(s->c, from, 3);
			p++;
		}
	}
}

static void watches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		for (size_t step = 0; step < 4; step++) {
			struct script s = {.keeps_quiet = true};
			script_open(&s, HTTP_OBSERVER, NULL);
			feed_with_gaps(&s, seen[i].from, seen[i].in, step);
			script_flush(&s);
			assert_string_equal(script_text(&s.log), seen[i].log);
			assert_int_equal(s.closed, 0);
			script_close(&s);
		}
	}
}

/* What has a body follows from what was asked. */
static void pairs(void **state)
{
	(void)state;
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_OBSERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/"), 1);
	buf_clear(&s.log);
	script_feed(&s, HTTP_FROM_SERVER,
	            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 1);
	assert_string_equal(script_text(&s.log),
	                    "response 200 OK 1.1 none 5 keep [Content-Length|5]\nend\n"
	                    "response 200 OK 1.1 length 1 keep [Content-Length|1]\nbody \"a\"\nend\n");
	script_close(&s);
}

static void begins_in_the_middle(void **state)
{
	(void)state;
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_OBSERVER, NULL);
	http_gap(s.c, HTTP_FROM_CLIENT, 0);
	script_feed(&s, HTTP_FROM_CLIENT, "ength: 3\r\n\r\nabc" GET("/1"), 1);
	assert_string_equal(script_text(&s.log), SEEN("/1"));
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(watches),
	        cmocka_unit_test(pairs),
	        cmocka_unit_test(begins_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
