#include "http/field.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct http_head get = {.method = "GET", .target = "/"}, head = {.method = "HEAD", .target = "/"},
                              connect = {.method = "CONNECT", .target = "a:443"};

/* What was asked, what the server sends, what the caller is told. */
static const struct {
	const struct http_head *asked;
	const char *in, *log;
} answers[] = {
        {&get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "response 200 OK 1.1 length 2 keep [Content-Length|2]\nbody \"ok\"\nend\n"},
        {&get, "HTTP/1.1 200 Success\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n",
         "response 200 Success 1.1 chunked 0 keep [Transfer-Encoding|chunked]\nbody \"ok\"\nend [A|b]\n"},
        {&get, "HTTP/1.1 200\r\n\r\nuntil\r\n\r\nthe end",
         "response 200  1.1 to-close 0\nbody \"until\r\n\r\nthe end\"\nend\nclosed\n"},
        {&get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "response 200 OK 1.0 length 2 [Content-Length|2]\nbody \"ok\"\nend\nclosed\n"},
        {&get, "HTTP/1.1 204 No Content\r\n\r\n", "response 204 No Content 1.1 none 0 keep\nend\n"},
        {&get, "HTTP/1.1 304 -\r\nContent-Length: 99\r\n\r\n",
         "response 304 - 1.1 none 99 keep [Content-Length|99]\nend\n"},
        {&head, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
         "response 200 OK 1.1 none 99 keep [Content-Length|99]\nend\n"},
        {&head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "response 200 OK 1.1 none 0 keep [Transfer-Encoding|chunked]\nend\n"},
        {&get,
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
         "response 100 Continue 1.1 none 0 keep\nresponse 103 x 1.1 none 0 keep [A|b]\n"
         "response 200 OK 1.1 length 1 keep [Content-Length|1]\nbody \"a\"\nend\n"},
        {&connect, "HTTP/1.1 200 OK\r\n\r\nanything",
         "response 200 OK 1.1 to-close 0\nbody \"anything\"\nend\nclosed\n"},
        {&get, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
         "response 200 OK 1.1 length 3 keep [Content-Length|3]\nbody \"ok\"\n"
         "damaged 400 the connection ended inside a message\nclosed the connection ended inside a message\n"},
        {&get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n",
         "response 200 OK 1.1 length 1 keep [Content-Length|1]\nbody \"a\"\nend\ndamaged 0 an answer to nothing\n"
         "closed an answer to nothing\n"},
        {&get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "damaged 400 Content-Length and Transfer-Encoding at once\nclosed Content-Length and Transfer-Encoding at "
         "once\n"},
        {&get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
         "damaged 400 two lengths that differ\nclosed two lengths that differ\n"},
        {&get, "HTTP/1.1 20 OK\r\n\r\n",
         "damaged 400 the status is not three digits\nclosed the status is not three digits\n"},
        {&get, "HTTP/1.1 2000 OK\r\n\r\n",
         "damaged 400 the status is not three digits\nclosed the status is not three digits\n"},
        {&get, "HTTP/1.1 099 OK\r\n\r\n",
         "damaged 400 the status is not three digits\nclosed the status is not three digits\n"},
        {&get, "ICY 200 OK\r\n\r\n", "damaged 400 the first line is no answer\nclosed the first line is no answer\n"},
        {&get, "HTTP/3.1 200 OK\r\n\r\n",
         "damaged 505 another version of HTTP than 1.1\nclosed another version of HTTP than 1.1\n"},
        {&get, "", "closed the peer left\n"},
};

static void run(size_t i, size_t step)
{
	struct script s = {0};
	script_open(&s, HTTP_CLIENT, NULL);
	assert_int_equal(http_send(s.c, answers[i].asked, NULL, 0), 0);
	script_feed(&s, HTTP_FROM_SERVER, answers[i].in, step);
	bool open = s.closed == 0;
	http_eof(s.c, HTTP_FROM_SERVER, 1);
	script_flush(&s);
	const char *log = script_text(&s.log), *expected = answers[i].log;
	assert_memory_equal(log, expected, strlen(expected));
	/* An end of the connection between two requests is orderly. */
	if (open && !strstr(expected, "closed"))
		assert_string_equal(log + strlen(expected), "closed\n");
	script_close(&s);
}

static void reads_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		for (size_t step = 0; step < 4; step++)
			run(i, step);
}

static void sends_requests(void **state)
{
	(void)state;
	static const struct http_field fields[] = {{"Host", "a"}};
	static const struct {
		struct http_head head;
		const char *body, *out;
	} table[] = {
	        {{.method = "GET", .target = "/a?b", .fields = fields, .field_count = 1},
	         "",
	         "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"},
	        {{.method = "RPC_IN_DATA", .target = "/"}, "", "RPC_IN_DATA / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
	        {{.method = "POST", .target = "/"}, "ab", "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct script s = {0};
		script_open(&s, HTTP_CLIENT, NULL);
		assert_int_equal(http_send(s.c, &table[i].head, table[i].body, strlen(table[i].body)), 0);
		assert_string_equal(script_text(http_output(s.c)), table[i].out);
		assert_int_equal(http_send(s.c, &table[i].head, NULL, 0), MW_E_STATE);
		script_close(&s);
	}
}

static void does_not_send(void **state)
{
	(void)state;
	static const struct http_head table[] = {
	        {.method = "G T", .target = "/"},
	        {.method = "GET", .target = ""},
	        {.method = "GET", .target = "/ HTTP/1.1"},
	        {.method = "GET", .target = "/\r\nX: y"},
	        {.method = "GET", .target = "/", .body = HTTP_TO_CLOSE},
	};
	struct script s = {0};
	script_open(&s, HTTP_CLIENT, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(http_send_head(s.c, &table[i]), MW_E_INVALID);
	assert_int_equal(http_output(s.c)->len, 0);
	script_close(&s);
}

/* One request after the other, each while its answer comes already. */
static void streams_both_ways(void **state)
{
	(void)state;
	static const struct http_head in = {.method = "RPC_IN_DATA", .target = "/", .body = HTTP_CHUNKED};
	struct script s = {0};
	script_open(&s, HTTP_CLIENT, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(http_send_head(s.c, &in), 0);
		script_feed(&s, HTTP_FROM_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 1);
		assert_int_equal(http_send_body(s.c, "xyz", 3), 0);
		script_feed(&s, HTTP_FROM_SERVER, "cd", 1);
		assert_int_equal(http_send_head(s.c, &in), MW_E_STATE);
		assert_int_equal(http_send_end(s.c, NULL, 0), 0);
	}
	http_close(s.c);
	script_flush(&s);
	const char *log = script_text(&s.log), *first = strstr(log, "body \"abcd\"\nend\n");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, "body \"abcd\"\nend\nclosed\n"));
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_answers),
	        cmocka_unit_test(sends_requests),
	        cmocka_unit_test(does_not_send),
	        cmocka_unit_test(streams_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
