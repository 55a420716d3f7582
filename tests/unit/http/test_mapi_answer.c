#include "http/mapi_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Bodies of answers by [MS-OXCMAPIHTTP] 2.2.7 and 4.2, and what a server may get wrong. */
static const struct {
	const char *bytes;
	size_t len;
	int end, code;
	int64_t elapsed;
	unsigned pending;
	const char *body;
} table[] = {
#define A(text) text, sizeof text - 1
        {A("PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\nX-ResponseCode: 0\r\nX-ElapsedTime: 34016\r\n"
           "X-StartTime: Fri, 23 Aug 2013 22:11:40 GMT\r\n\r\nbody\r\n"),
         0, 0, 34016, 2, "body\r\n"},
        {A("PROCESSING\r\nDONE\r\nX-ElapsedTime: 3\r\nX-StartTime: now\r\n\r\nbody"), 0, -1, 3, 0, "body"},
        {A("DONE\r\n\r\nbody"), 0, -1, -1, 0, "body"},
        {A("PROCESSING\r\nDONE\r\nx-responsecode:10\r\n\r\n<html>"), 0, 10, -1, 0, "<html>"},
        {A("PROCESSING\r\nDONE\r\n\r\n"), 0, -1, -1, 0, ""},
        /* without tags at all */
        {A(""), 0, -1, -1, 0, ""},
        {A("\0\0\0\0DONE\r\n"), 0, -1, -1, 0, NULL},
        {A("PROCESSIN\r\n"), 0, -1, -1, 0, "PROCESSIN\r\n"},
        {A("DONE\rx"), 0, -1, -1, 0, "DONE\rx"},
        /* cut */
        {A("PROCESSING\r\n"), MW_E_TRUNCATED, -1, -1, 0, ""},
        {A("PROC"), MW_E_TRUNCATED, -1, -1, 0, ""},
        {A("PROCESSING\r\nPENDING\r\nPEND"), MW_E_TRUNCATED, -1, -1, 1, ""},
        {A("PROCESSING\r\nDONE\r\nX-ElapsedTime: 3\r\n"), MW_E_TRUNCATED, -1, 3, 0, ""},
        /* wrong */
        {A("PROCESSING\r\nHELLO\r\n"), MW_E_MALFORMED, -1, -1, 0, ""},
        {A("PROCESSING\r\nDONE\r\nno colon\r\n\r\n"), MW_E_MALFORMED, -1, -1, 0, ""},
        {A("PROCESSING\r\nDONE\r\nX-ResponseCode: many\r\n\r\n"), MW_E_MALFORMED, -1, -1, 0, ""},
        {A("PROCESSING\r\nDONE\r\nX-ResponseCode: 99999999999\r\n\r\n"), MW_E_MALFORMED, -1, -1, 0, ""},
        {A("PROCESSING\r\nDONE\r\nX-Elapsed\0Time: 3\r\n\r\n"), MW_E_MALFORMED, -1, -1, 0, ""},
#undef A
};

static void check(size_t i, size_t piece)
{
	struct http_mapi a;
	http_mapi_init(&a);
	for (size_t at = 0; at < table[i].len; at += piece) {
		size_t left = table[i].len - at;
		http_mapi_feed(&a, table[i].bytes + at, left < piece ? left : piece);
	}
	if (http_mapi_end(&a) != table[i].end)
		fail_msg("row %zu in pieces of %zu: %d, not %d (%s)", i, piece, http_mapi_end(&a), table[i].end,
		         a.why ? a.why : "");
	assert_int_equal(a.pending, table[i].pending);
	assert_int_equal(a.elapsed_ms, table[i].elapsed);
	if (table[i].end != MW_E_MALFORMED)
		assert_int_equal(a.code, table[i].code);
	const char *body = table[i].body ? table[i].body : table[i].bytes;
	size_t len = table[i].body ? strlen(body) : table[i].len;
	assert_int_equal(a.body.len, len);
	if (len > 0)
		assert_memory_equal(a.body.data, body, len);
	http_mapi_free(&a);
}

/* Tags that come in pieces of every size mean the same. */
static void split_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		for (size_t piece = 1; piece <= table[i].len + 1; piece++)
			check(i, piece);
}

static void bounded(void **state)
{
	(void)state;
	struct http_mapi a;
	char line[300];
	memset(line, 'a', sizeof line);
	http_mapi_init(&a);
	http_mapi_feed(&a, "DONE\r\n", 6);
	http_mapi_feed(&a, line, sizeof line);
	assert_int_equal(http_mapi_end(&a), MW_E_MALFORMED);
	http_mapi_free(&a);
	http_mapi_init(&a);
	http_mapi_feed(&a, "DONE\r\n", 6);
	for (int i = 0; i < 100; i++)
		http_mapi_feed(&a, "a: b\r\n", 6);
	assert_int_equal(http_mapi_end(&a), MW_E_MALFORMED);
	http_mapi_free(&a);
	/* for hours, without growing */
	http_mapi_init(&a);
	for (int i = 0; i < 100000; i++)
		http_mapi_feed(&a, "PENDING\r\n", 9);
	assert_int_equal(a.pending, 100000);
	assert_int_equal(a.body.cap, 0);
	http_mapi_free(&a);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(http_mapi_response_name(HTTP_MAPI_R_CONTEXT_NOT_FOUND), "Context Not Found");
	assert_string_equal(http_mapi_response_name(HTTP_MAPI_R_INVALID_SEQUENCE), "Invalid Sequence");
	assert_null(http_mapi_response_name(-1));
	assert_null(http_mapi_response_name(1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(split_anywhere),
	        cmocka_unit_test(bounded),
	        cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
