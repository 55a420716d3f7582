#include "client/mapi.h"

#include "mapi/status.h"
#include "wire/emsmdb.h"
#include "wire/nspi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Bodies are written out here by hand from [MS-OXCMAPIHTTP] 2.2.4 and 2.2.5. */

static struct arena *arena;

static int begin(void **state)
{
	(void)state;
	arena = arena_new((size_t)1 << 20);
	return arena ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void connect_request(void **state)
{
	(void)state;
	static const uint8_t expected[] = "/o=x\0"                             /* UserDn */
	                                  "\1\0\0\0\xE4\4\0\0\t\4\0\0\7\4\0\0" /* Flags, code page, sort, string */
	                                  "\0\0\0";                            /* no auxiliary buffer */
	struct buf out MW_CLEANUP(buf_free) = {0};
	const struct EcDoConnectEx_args a = {
	        .szUserDN = (char *)"/o=x", .ulFlags = 1, .ulCpid = 1252, .ulLcidSort = 0x409, .ulLcidString = 0x407};
	const struct client_mapi_type *type = client_mapi_type(&wire_emsmdb_interface, 10);
	assert_string_equal(type->name, "Connect");
	assert_int_equal(client_mapi_encode(type, arena, &a, &out), 0);
	assert_int_equal(out.len, sizeof expected);
	assert_memory_equal(out.data, expected, sizeof expected);
}

static void connect_answer(void **state)
{
	(void)state;
	static const uint8_t body[] = "\0\0\0\0\0\0\0\0"                 /* StatusCode, ErrorCode */
	                              "\x60\xEA\0\0\6\0\0\0\x10\x27\0\0" /* polls, retries, delay */
	                              "/o=x\0A\0\xE9\0\0\0"              /* DnPrefix, DisplayName */
	                              "\3\0\0\0abc";                     /* auxiliary buffer */
	struct EcDoConnectEx_args a = {.ReturnValue = 7};
	const struct client_mapi_type *type = client_mapi_type(&wire_emsmdb_interface, 10);
	assert_int_equal(client_mapi_decode(type, arena, body, sizeof body - 1, &a), 0);
	assert_int_equal(a.ReturnValue, 0);
	assert_int_equal(a.pcmsPollsMax, 60000);
	assert_int_equal(a.pcRetry, 6);
	assert_int_equal(a.pcmsRetryDelay, 10000);
	assert_string_equal(a.szDNPrefix, "/o=x");
	assert_string_equal(a.szDisplayName, "A\xC3\xA9");
	assert_int_equal(a.pcbAuxOut, 3);
	assert_false(guid_is_nil(&a.pcxh.uuid));
	/* cut anywhere it is no answer */
	for (size_t n = 0; n < sizeof body - 1; n++)
		assert_true(client_mapi_decode(type, arena, body, n, &a) < 0);
}

/* 2.2.4.1.3: a StatusCode that is not 0 stands for the method's error; so does ErrorCode. */
static void failures(void **state)
{
	(void)state;
	static const uint8_t failed[] = "\xEB\3\4\x80\0\0\0\0",
	                     refused[] = "\0\0\0\0\5\0\7\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct EcDoRpcExt2_args a = {0};
	const struct client_mapi_type *type = client_mapi_type(&wire_emsmdb_interface, 11);
	assert_int_equal(client_mapi_decode(type, arena, failed, sizeof failed - 1, &a), 0);
	assert_int_equal((uint32_t)a.ReturnValue, 0x800403EB);
	assert_int_equal(client_mapi_decode(type, arena, refused, sizeof refused - 1, &a), 0);
	assert_int_equal((uint32_t)a.ReturnValue, 0x80070005);
	assert_int_equal(client_mapi_decode(type, arena, "\1\0", 2, &a), MW_E_TRUNCATED);
}

/* Columns in another order than was asked, one that is not there, one whose value is an error: 2.2.1.7. */
static void rows(void **state)
{
	(void)state;
	static const uint8_t body[] = "\0\0\0\0\0\0\0\0\0"       /* no State */
	                              "\1\2\0\0\0"               /* two columns: */
	                              "\3\0\xFE\x0F\x1F\0\1\x30" /* PidTagObjectType, PidTagDisplayName */
	                              "\2\0\0\0"                 /* two rows */
	                              "\0\6\0\0\0\xFF"
	                              "B\0\0\0"                      /* 6, "B" */
	                              "\1\0\6\0\0\0\x0A\x0F\1\4\x80" /* 6, MAPI_E_NOT_FOUND */
	                              "\0\0\0\0";
	uint32_t tags[] = {0x3001001F, 0x0FFE0003, 0x3003001F};
	struct PropertyTagArray_r asked = {3, tags};
	struct NspiQueryRows_args a = {.pPropTags = &asked};
	const struct client_mapi_type *type = client_mapi_type(&wire_nspi_interface, 3);
	assert_int_equal(client_mapi_decode(type, arena, body, sizeof body - 1, &a), 0);
	assert_int_equal(a.ppRows->cRows, 2);
	const struct PropertyValue_r *first = a.ppRows->aRow[0].lpProps, *second = a.ppRows->aRow[1].lpProps;
	assert_int_equal(a.ppRows->aRow[0].cValues, 3);
	assert_int_equal(first[0].ulPropTag, 0x3001001F);
	assert_int_equal(first[0].Value.lpszW[0], 'B');
	assert_int_equal(first[1].Value.l, 6);
	assert_int_equal(first[2].ulPropTag, 0x3003000A);
	assert_int_equal((uint32_t)first[2].Value.err, ecNotFound);
	assert_int_equal(second[0].ulPropTag, 0x3001000A);
	assert_int_equal((uint32_t)second[0].Value.err, ecNotFound);
	for (size_t n = 0; n < sizeof body - 1; n++)
		assert_true(client_mapi_decode(type, arena, body, n, &a) < 0);
}

/* ---- Cookies ---- */

static int take(struct client_context *x, const char *first, const char *second)
{
	const struct http_field fields[] = {{"Set-Cookie", first}, {"set-cookie", second}};
	const struct http_head head = {.fields = fields, .field_count = second ? 2 : 1};
	return client_context_take_cookies(x, &head);
}

static const char *said(const struct client_context *x)
{
	const char *text = "?";
	assert_int_equal(client_context_cookies(x, arena, &text), 0);
	return text;
}

static void cookies(void **state)
{
	(void)state;
	struct client_context *x = client_context_new(CLIENT_EMSMDB);
	assert_non_null(x);
	assert_null(said(x));
	assert_int_equal(take(x, "MapiContext=a1==; path=/mapi; secure; HttpOnly", " MapiSequence = 1;x=y"), 0);
	assert_string_equal(said(x), "MapiContext=a1==; MapiSequence=1");
	assert_false(x->sequenced);
	assert_int_equal(take(x, "MapiSequence=2", "no-pair"), 0);
	assert_string_equal(said(x), "MapiContext=a1==; MapiSequence=2");
	assert_true(x->sequenced);
	/* what could end a header line, or is none */
	assert_int_equal(take(x, "a b=c", "=x"), 0);
	assert_int_equal(take(x, "evil=a\r\nX: y", NULL), 0);
	assert_string_equal(said(x), "MapiContext=a1==; MapiSequence=2");
	client_context_unref(&x);
}

static void cookies_without_end(void **state)
{
	(void)state;
	struct client_context *x = client_context_new(CLIENT_NSPI);
	char text[CLIENT_MAX_COOKIE + 8];
	int r = 0;
	for (int i = 0; r == 0 && i < 100; i++) {
		snprintf(text, sizeof text, "c%d=1", i);
		r = take(x, text, NULL);
	}
	assert_int_equal(r, MW_E_LIMIT);
	assert_int_equal(x->cookie_count, CLIENT_MAX_COOKIES);
	memset(text, 'a', sizeof text);
	memcpy(text, "c=", 2);
	text[sizeof text - 1] = '\0';
	assert_int_equal(take(x, text, NULL), MW_E_LIMIT);
	client_context_unref(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(connect_request, begin, end),
	        cmocka_unit_test_setup_teardown(connect_answer, begin, end),
	        cmocka_unit_test_setup_teardown(failures, begin, end),
	        cmocka_unit_test_setup_teardown(rows, begin, end),
	        cmocka_unit_test_setup_teardown(cookies, begin, end),
	        cmocka_unit_test_setup_teardown(cookies_without_end, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
