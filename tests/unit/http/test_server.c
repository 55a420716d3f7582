#include "base/time.h"
#include "http/field.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define LAST200 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

/* What a client sends, what the handler is told, what goes back. All but the refused requests stand here. */
static const struct {
	const char *in, *log, *out;
} good[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "request GET / 1.1 none 0 keep [Host|a]\nend\n", OK200},
        {"\r\nGET / HTTP/1.1\r\nHost:a  \r\n\r\n", "request GET / 1.1 none 0 keep [Host|a]\nend\n", OK200},
        {"GET / HTTP/1.0\r\n\r\n", "request GET / 1.0 none 0\nend\nclosed\n", LAST200},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "request GET / 1.0 none 0 keep [Connection|Keep-Alive]\nend\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "request HEAD / 1.1 none 0 keep [Host|a]\nend\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"},
        {"RPC_OUT_DATA /rpc/rpcproxy.dll?h:6001 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
         "request RPC_OUT_DATA /rpc/rpcproxy.dll?h:6001 1.1 length 3 keep [Host|a] [Content-Length|3]\nbody "
         "\"abc\"\nend\n",
         OK200},
        {"RPC_IN_DATA / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\nabc",
         "request RPC_IN_DATA / 1.1 length 1073741824 keep [Host|a] [Content-Length|1073741824]\nbody \"abc\"\n", ""},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
         "request POST / 1.1 none 0 keep [Host|a] [Content-Length|0]\nend\n", OK200},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
         "request POST / 1.1 length 2 keep [Host|a] [Content-Length|2] [Content-Length|2]\nbody \"ab\"\nend\n", OK200},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A "
         ";x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
         "request POST / 1.1 chunked 0 keep [Host|a] [Transfer-Encoding|Chunked]\nbody \"abc0123456789\"\nend\n",
         OK200},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n000\r\nX-Sum: 1\r\nY:\r\n\r\n",
         "request POST / 1.1 chunked 0 keep [Host|a] [Transfer-Encoding|chunked]\nbody \"a\"\nend [X-Sum|1] [Y|]\n",
         OK200},
        {"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\nGET /3",
         "request GET /1 1.1 none 0 keep [Host|a]\nend\n"
         "request GET /2 1.1 none 0 [Host|a] [Connection|x, close]\nend\nclosed\n",
         OK200 LAST200},
        {"GET /%zz\xC3\xA4 HTTP/1.1\r\nHost: a\r\nX:\t b\xE4 c \t\r\n\r\n",
         "request GET /%zz\xC3\xA4 1.1 none 0 keep [Host|a] [X|b\xE4 c]\nend\n", OK200},
};

static void run_good(size_t i, size_t step)
{
	struct script s = {0};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, good[i].in, step);
	script_flush(&s);
	assert_string_equal(script_text(&s.log), good[i].log);
	assert_string_equal(script_text(http_output(s.c)), good[i].out);
	script_close(&s);
}

static void takes_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		for (size_t step = 0; step < 8; step++)
			run_good(i, step);
}

/* Beginnings of good requests end without harm, and never with an answer that says yes. */
static void takes_cut_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char cut[512];
		for (size_t n = 0; n < strlen(good[i].in); n++) {
			struct script s = {.keeps_quiet = true};
			memcpy(cut, good[i].in, n);
			cut[n] = '\0';
			script_open(&s, HTTP_SERVER, NULL);
			script_feed(&s, HTTP_FROM_CLIENT, cut, 0);
			http_eof(s.c, HTTP_FROM_CLIENT, 2);
			assert_int_equal(s.closed, 1);
			assert_null(strstr(script_text(http_output(s.c)), " 200 "));
			script_close(&s);
		}
	}
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
	const char *in;
	unsigned status;
	const char *why;
} bad[] = {
        {"GET / HTTP/1.1\nHost: a\n\n", 400, "a line ends with a bare LF"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "a line ends with a bare LF"},
        {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "a bare CR inside a line"},
        {"\r\n\r\nGET / HTTP/1.1\r\n", 400, "no HTTP begins here"},
        {"\rGET / HTTP/1.1\r\n", 400, "no HTTP begins here"},
        {"\x16\x03\x01", 400, "no HTTP begins here"},
        {" GET / HTTP/1.1\r\n", 400, "no HTTP begins here"},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is empty or has control characters"},
        {"GET / \tHTTP/1.1\r\nHost: a\r\n\r\n", 400, "the first line is not HTTP"},
        {"GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is empty or has control characters"},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "the first line is not HTTP"},
        {"GET /\r\nHost: a\r\n\r\n", 400, "the first line is no request"},
        {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the method has bytes that no method has"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "the first line is not HTTP"},
        {"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400, "the first line is not HTTP"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "another version of HTTP than 1.1"},
        {"GET / HTTP/1.1\r\n\r\n", 400, "a request names one Host"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "a request names one Host"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "a field's name has bytes that no name has"},
        {"GET / HTTP/1.1\r\n: a\r\n\r\n", 400, "a field's name has bytes that no name has"},
        {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400, "a folded line"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n\r\n", 400, "a folded line"},
        {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "a field without a colon"},
        {"GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400, "a control character in a field"},
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
         "Content-Length and Transfer-Encoding at once"},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400,
         "Content-Length and Transfer-Encoding at once"},
        {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "two lengths that differ"},
        {POST "Content-Length: 1\r\nContent-Length: 01\r\n\r\n", 400, "two lengths that differ"},
        {POST "Content-Length: 1, 1\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length: +1\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length: -1\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length: 0x10\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length:\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length: 9223372036854775808\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Content-Length: 18446744073709551617\r\n\r\n", 400, "Content-Length is not a number"},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "a Transfer-Encoding other than chunked"},
        {POST "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
         400, "a control character in a field"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
         "more than one Transfer-Encoding"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0"},
        {POST "Expect: 200-maybe\r\n\r\n", 417, "an expectation other than 100-continue"},
        {CHUNKED "\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "g\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "0x1\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "-1\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "1 \r\n", 400, "a chunk's size is not one"},
        {CHUNKED "1 2\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "1\n", 400, "a chunk's size is not one"},
        {CHUNKED "1;a\nb\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "1;a\rb\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "8000000000000000\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "00000000000000001\r\n", 400, "a chunk's size is not one"},
        {CHUNKED "1\r\nabc\r\n", 400, "a chunk is longer than its size"},
        {CHUNKED "1\r\na\n", 400, "a chunk is longer than its size"},
        {CHUNKED "1\r\na\rb", 400, "a chunk is longer than its size"},
        {CHUNKED "0\r\nX\r\n\r\n", 400, "a field without a colon"},
        {CHUNKED "0\r\nX: a\n\r\n", 400, "a line ends with a bare LF"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501,
         "a Transfer-Encoding other than chunked"},
};

static void run_bad(size_t i, size_t step)
{
	char answer[32], log[128];
	struct script s = {0};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, bad[i].in, step);
	script_feed(&s, HTTP_FROM_CLIENT, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", step);
	snprintf(answer, sizeof answer, "HTTP/1.1 %u ", bad[i].status);
	snprintf(log, sizeof log, "damaged %u %s\nclosed", bad[i].status, bad[i].why);
	assert_non_null(strstr(script_text(&s.log), log));
	assert_null(strstr(script_text(&s.log), "smuggled"));
	assert_int_equal(s.closed, 1);
	const char *out = script_text(http_output(s.c));
	assert_memory_equal(out, answer, strlen(answer));
	assert_non_null(strstr(out, "Connection: close\r\n"));
	assert_null(strstr(out + 1, "HTTP/1.1"));
	script_close(&s);
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		for (size_t step = 0; step < 3; step++)
			run_bad(i, step);
}

static void refuses_zero_bytes(void **state)
{
	(void)state;
	static const char in[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
	struct script s = {0};
	script_open(&s, HTTP_SERVER, NULL);
	http_feed(s.c, HTTP_FROM_CLIENT, in, sizeof in - 1, 1);
	assert_non_null(strstr(script_text(&s.log), "damaged 400 a zero byte"));
	script_close(&s);
}

static void holds_limits(void **state)
{
	(void)state;
	static const struct http_limits limits = {.max_head = 64, .max_fields = 2, .max_body = 5};
	static const struct {
		const char *in;
		unsigned status;
	} table[] = {
	        {"GET /0123456789012345678901234567890123456789 HTTP/1.1\r\nHost: abcdefgh", 431},
	        {"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n", 0},
	        {"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n", 431},
	        {POST "Content-Length: 5\r\n\r\n", 0},
	        {POST "Content-Length: 6\r\n\r\n", 413},
	        {CHUNKED "5\r\nabcde\r\n0\r\nA: 1\r\n\r\n", 0},
	        {CHUNKED "5\r\nabcde\r\n1\r\nf", 413},
	        {CHUNKED "6\r\nabcdef", 413},
	        {CHUNKED "0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", 431},
	        {CHUNKED "0\r\nA: 01234567890123456789012345678901234567890123456789012345678901", 431},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct script s = {0};
		char answer[32];
		script_open(&s, HTTP_SERVER, &limits);
		script_feed(&s, HTTP_FROM_CLIENT, table[i].in, 1);
		snprintf(answer, sizeof answer, "HTTP/1.1 %u ", table[i].status);
		const char *out = script_text(http_output(s.c));
		assert_int_equal(strstr(out, answer) != NULL, table[i].status != 0);
		assert_int_equal(s.closed, table[i].status != 0);
		script_close(&s);
	}
}

static void refuse_401(struct script *s, const struct http_head *head)
{
	static const struct http_field fields[] = {{"WWW-Authenticate", "NTLM"}};
	static const struct http_head h = {.status = 401, .fields = fields, .field_count = 1};
	if (!http_field(head, "Authorization"))
		assert_int_equal(http_send(s->c, &h, NULL, 0), 0);
	else
		http_server_continue(s->c);
	/* What was answered may still be read in the callback. */
	assert_string_equal(http_field(head, "Host"), "a");
}

#define REFUSED "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"
#define REFUSED_LAST                                                                                                   \
	"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

/* Answers before the body: the rest of a short one is passed over, a long one ends the connection. */
static void answers_early(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
		unsigned closed;
	} table[] = {
	        {POST "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n",
	         REFUSED OK200, 0},
	        {POST "Content-Length: 9\r\n\r\nabcdefghi", REFUSED_LAST, 1},
	        {CHUNKED "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n",
	         REFUSED OK200, 0},
	        {CHUNKED "6\r\nabcdef\r\n4\r\nghij", REFUSED, 1},
	        {POST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", REFUSED, 0},
	        {POST "Authorization: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
	         "HTTP/1.1 100 Continue\r\n\r\n" OK200, 0},
	        {POST "Authorization: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", OK200, 0},
	        {"POST / HTTP/1.0\r\nHost: a\r\nAuthorization: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na",
	         LAST200, 1},
	};
	static const struct http_limits limits = {.max_discard = 8};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		for (size_t step = 0; step < 2; step++) {
			struct script s = {.on_request = refuse_401};
			script_open(&s, HTTP_SERVER, &limits);
			script_feed(&s, HTTP_FROM_CLIENT, table[i].in, step);
			assert_string_equal(script_text(http_output(s.c)), table[i].out);
			assert_int_equal(s.closed, table[i].closed);
			script_close(&s);
		}
	}
}

/* Who has its answer may leave in the middle of the body. */
static void leaves_early(void **state)
{
	(void)state;
	struct script s = {.on_request = refuse_401};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, POST "Content-Length: 9\r\n\r\nabc", 0);
	http_eof(s.c, HTTP_FROM_CLIENT, 2);
	assert_null(strstr(script_text(&s.log), "damaged"));
	assert_non_null(strstr(script_text(&s.log), "closed\n"));
	script_close(&s);
}

static void at_its_own_pace(struct script *s, const struct http_head *head)
{
	(void)head;
	http_server_no_body_deadline(s->c);
}

/* An IN channel of RPC over HTTP announces a gigabyte and ends when its client goes: no fault. */
static void body_of_its_own_pace_ends(void **state)
{
	(void)state;
	for (int own = 0; own < 2; own++) {
		struct script s = {.on_request = own ? at_its_own_pace : NULL, .keeps_quiet = true};
		script_open(&s, HTTP_SERVER, NULL);
		script_feed(&s, HTTP_FROM_CLIENT, POST "Content-Length: 1073741824\r\n\r\nabc", 0);
		http_eof(s.c, HTTP_FROM_CLIENT, 2);
		assert_int_equal(strstr(script_text(&s.log), "damaged") == NULL, own);
		assert_int_equal(s.closed, 1);
		script_close(&s);
	}
}

static void start_answer(struct script *s, const struct http_head *head)
{
	(void)head;
	static const struct http_head h = {.status = 200, .reason = "Success", .body = HTTP_LENGTH, .length = 1 << 30};
	assert_int_equal(http_send_head(s->c, &h), 0);
}

/* A request and its answer at once, for as long as both like. */
static void streams_both_ways(void **state)
{
	(void)state;
	struct script s = {.on_request = start_answer, .keeps_quiet = true};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, "RPC_IN_DATA / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n", 0);
	for (int i = 0; i < 3; i++) {
		script_feed(&s, HTTP_FROM_CLIENT, "in", 0);
		assert_int_equal(http_send_body(s.c, "out", 3), 0);
	}
	assert_int_equal(http_send_end(s.c, NULL, 0), MW_E_STATE); /* a gigabyte was promised */
	script_flush(&s);
	assert_non_null(strstr(script_text(&s.log), "body \"ininin\"\n"));
	assert_string_equal(script_text(http_output(s.c)),
	                    "HTTP/1.1 200 Success\r\nContent-Length: 1073741824\r\nConnection: close\r\n\r\noutoutout");
	script_close(&s);
}

static void keep_quiet(struct script *s)
{
	(void)s;
}

/* What comes before the answer is not read, and the connection ends with that answer. */
static void refuses_pipelining(void **state)
{
	(void)state;
	struct script s = {.on_end = keep_quiet};
	static const struct http_head ok = {.status = 200};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	assert_null(strstr(script_text(&s.log), "/2"));
	assert_int_equal(http_send(s.c, &ok, "ok", 2), 0);
	assert_string_equal(script_text(http_output(s.c)), LAST200);
	assert_int_equal(s.closed, 1);
	assert_int_equal(http_send(s.c, &ok, "ok", 2), MW_E_STATE);
	script_close(&s);
}

/* Answers as the handler shapes them. */
static void sends(void **state)
{
	(void)state;
	static const struct http_field fields[] = {{"X-A", "1"}};
	static const struct http_field trailers[] = {{"X-Sum", "2"}};
	static const struct {
		const char *request;
		struct http_head head;
		const char *out;
	} table[] = {
	        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	         {.status = 200, .body = HTTP_CHUNKED, .fields = fields, .field_count = 1},
	         "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: "
	         "chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n"
	         "X-Sum: 2\r\n\r\n"},
	        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
	         {.status = 200, .body = HTTP_CHUNKED},
	         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	        {"GET / HTTP/1.0\r\n\r\n",
	         {.status = 200, .body = HTTP_CHUNKED},
	         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc0123456789abcdef"},
	        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	         {.status = 200, .reason = "RPC Error: 6BA", .body = HTTP_TO_CLOSE},
	         "HTTP/1.1 200 RPC Error: 6BA\r\nConnection: close\r\n\r\nabc0123456789abcdef"},
	        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	         {.status = 200, .body = HTTP_LENGTH, .length = 19},
	         "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\nabc0123456789abcdef"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		bool chunked =
		        table[i].head.body == HTTP_CHUNKED && strncmp(table[i].request, "GET / HTTP/1.1", 14) == 0;
		struct script s = {.keeps_quiet = true};
		script_open(&s, HTTP_SERVER, NULL);
		script_feed(&s, HTTP_FROM_CLIENT, table[i].request, 0);
		assert_int_equal(http_send_head(s.c, &table[i].head), 0);
		assert_int_equal(http_send_body(s.c, "abc", 3), 0);
		assert_int_equal(http_send_body(s.c, "", 0), 0);
		assert_int_equal(http_send_body(s.c, "0123456789abcdef", 16), 0);
		assert_int_equal(http_send_end(s.c, trailers, chunked), 0);
		assert_string_equal(script_text(http_output(s.c)), table[i].out);
		script_close(&s);
	}
}

static void does_not_send(void **state)
{
	(void)state;
	static const struct http_field split[] = {{"X", "a\r\nSet-Cookie: b"}}, name[] = {{"X Y", "a"}},
	                               ours[] = {{"content-length", "7"}};
	static const struct http_head table[] = {
	        {.status = 200, .fields = split, .field_count = 1},
	        {.status = 200, .fields = name, .field_count = 1},
	        {.status = 200, .fields = ours, .field_count = 1},
	        {.status = 200, .reason = "a\nb"},
	        {.status = 100},
	        {.status = 1000},
	};
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_SERVER, NULL);
	assert_int_equal(http_send_head(s.c, &(struct http_head){.status = 200}), MW_E_STATE);
	script_feed(&s, HTTP_FROM_CLIENT, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(http_send_head(s.c, &table[i]), MW_E_INVALID);
	assert_int_equal(http_output(s.c)->len, 0);
	static const struct http_head three = {.status = 200, .body = HTTP_LENGTH, .length = 3};
	assert_int_equal(http_send_head(s.c, &three), 0);
	assert_int_equal(http_send_head(s.c, &three), MW_E_STATE);
	assert_int_equal(http_send_body(s.c, "abcd", 4), MW_E_LIMIT);
	script_close(&s);
}

/* Each deadline: what came, when it strikes, and what is said. */
static void keeps_deadlines(void **state)
{
	(void)state;
	static const struct http_limits limits = {
	        .idle_ns = 100 * NS_PER_S, .head_ns = 10 * NS_PER_S, .body_ns = 20 * NS_PER_S};
	static const struct {
		const char *in;
		int64_t at_s; /* 0: never */
		const char *out;
	} table[] = {
	        {"", 10, ""},
	        {"\r\n", 10, ""},
	        {"G", 10, "HTTP/1.1 408 "},
	        {POST "Content-Length: 3\r\n\r\n", 20, "HTTP/1.1 408 "},
	        {CHUNKED, 20, "HTTP/1.1 408 "},
	        {CHUNKED "fff;", 20, "HTTP/1.1 408 "},
	        {POST "Content-Length: 0\r\n\r\n", 0, ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct script s = {.keeps_quiet = true};
		script_open(&s, HTTP_SERVER, &limits);
		script_feed(&s, HTTP_FROM_CLIENT, table[i].in, 0);
		int64_t at = http_deadline(s.c);
		assert_int_equal(at > 1000 * NS_PER_S ? 0 : at / NS_PER_S, table[i].at_s);
		if (table[i].at_s == 0) {
			script_close(&s);
			continue;
		}
		http_tick(s.c, at - 1);
		assert_int_equal(s.closed, 0);
		http_tick(s.c, at);
		assert_int_equal(s.closed, 1);
		const char *out = script_text(http_output(s.c));
		assert_int_equal(strncmp(out, table[i].out, strlen(table[i].out)), 0);
		script_close(&s);
	}
}

/* A body's deadline moves with what comes of it, stands while it is not wanted, and is no one's for a channel. */
static void body_deadline_moves(void **state)
{
	(void)state;
	static const char zeros[10240];
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, POST "Content-Length: 100000\r\n\r\n", 0);
	int64_t first = http_deadline(s.c);
	assert_int_equal(http_feed(s.c, HTTP_FROM_CLIENT, zeros, sizeof zeros, 5 * NS_PER_S), sizeof zeros);
	assert_int_equal(http_deadline(s.c), first + 10 * NS_PER_S);
	http_pause(s.c, true);
	assert_int_equal(http_feed(s.c, HTTP_FROM_CLIENT, zeros, 1, 6 * NS_PER_S), 0);
	assert_true(http_deadline(s.c) == INT64_MAX);
	http_pause(s.c, false);
	http_tick(s.c, 1005 * NS_PER_S);
	assert_int_equal(http_deadline(s.c), first + 1010 * NS_PER_S);
	http_server_no_body_deadline(s.c);
	assert_true(http_deadline(s.c) == INT64_MAX);
	script_close(&s);
}

/* An answer may come long after the last byte: idling begins with the next look at the clock. */
static void idles_from_the_answer(void **state)
{
	(void)state;
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	assert_int_equal(http_send(s.c, &(struct http_head){.status = 200}, NULL, 0), 0);
	http_tick(s.c, 500 * NS_PER_S);
	assert_int_equal(s.closed, 0);
	assert_int_equal(http_deadline(s.c), 620 * NS_PER_S);
	http_close(s.c);
	assert_int_equal(s.closed, 1);
	script_close(&s);
}

static void closes_after_the_answer(void **state)
{
	(void)state;
	struct script s = {.keeps_quiet = true};
	script_open(&s, HTTP_SERVER, NULL);
	script_feed(&s, HTTP_FROM_CLIENT, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
	http_close(s.c);
	assert_int_equal(s.closed, 0);
	assert_int_equal(http_send(s.c, &(struct http_head){.status = 200}, "ok", 2), 0);
	assert_string_equal(script_text(http_output(s.c)), LAST200);
	assert_int_equal(s.closed, 1);
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(takes_requests),
	        cmocka_unit_test(takes_cut_requests),
	        cmocka_unit_test(refuses),
	        cmocka_unit_test(refuses_zero_bytes),
	        cmocka_unit_test(holds_limits),
	        cmocka_unit_test(answers_early),
	        cmocka_unit_test(leaves_early),
	        cmocka_unit_test(body_of_its_own_pace_ends),
	        cmocka_unit_test(streams_both_ways),
	        cmocka_unit_test(refuses_pipelining),
	        cmocka_unit_test(sends),
	        cmocka_unit_test(does_not_send),
	        cmocka_unit_test(keeps_deadlines),
	        cmocka_unit_test(body_deadline_moves),
	        cmocka_unit_test(idles_from_the_answer),
	        cmocka_unit_test(closes_after_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
