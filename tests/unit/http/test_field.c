#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct http_field fields[] = {
        {"Host", "mail.demo.test"},
        {"Connection", " keep-alive , Upgrade"},
        {"connection", "close,"},
        {"Cookie", "MapiContext=abc; MapiSequence=\"7\"; empty="},
        {"cookie", "late=1;MapiContextX=no"},
};
static const struct http_head head = {.fields = fields, .field_count = ARRAY_SIZE(fields)};

static void lookup(void **state)
{
	(void)state;
	unsigned at = 0;
	assert_string_equal(http_field(&head, "HOST"), "mail.demo.test");
	assert_null(http_field(&head, "Hos"));
	assert_string_equal(http_field_next(&head, "Connection", &at), " keep-alive , Upgrade");
	assert_string_equal(http_field_next(&head, "Connection", &at), "close,");
	assert_null(http_field_next(&head, "Connection", &at));
}

static void lists(void **state)
{
	(void)state;
	static const struct {
		const char *token;
		bool there;
	} table[] = {
	        {"keep-alive", true}, {"UPGRADE", true}, {"close", true},
	        {"keep", false},      {"alive", false},  {"", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(http_field_has(&head, "Connection", table[i].token), table[i].there);
}

static void cookies(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value; /* NULL: not there */
	} table[] = {
	        {"MapiContext", "abc"}, {"MapiSequence", "7"}, {"empty", ""},  {"late", "1"},
	        {"MapiContextX", "no"}, {"mapicontext", NULL}, {"Mapi", NULL}, {"abc", NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char value[4] = "?";
		assert_int_equal(http_cookie(&head, table[i].name, value, sizeof value), table[i].value != NULL);
		if (table[i].value)
			assert_string_equal(value, table[i].value);
	}
	char small[3];
	assert_false(http_cookie(&head, "MapiContext", small, sizeof small));
}

static void tokens_and_values(void **state)
{
	(void)state;
	assert_true(http_is_token("RPC_IN_DATA"));
	assert_true(http_is_token("X-ClientInfo"));
	assert_false(http_is_token(""));
	assert_false(http_is_token("a b"));
	assert_false(http_is_token("a:"));
	assert_false(http_is_token("a\xE4"));
	assert_true(http_is_value(""));
	assert_true(http_is_value("a\tb \xE4"));
	assert_false(http_is_value("a\r\nb: c"));
	assert_false(http_is_value("a\x7F"));
}

static void targets(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		int result;
		const char *path, *query;
	} table[] = {
	        {"/", 0, "/", NULL},
	        {"/rpc/rpcproxy.dll?host:6001", 0, "/rpc/rpcproxy.dll", "host:6001"},
	        {"/a%20b?", 0, "/a b", ""},
	        {"/a?b?c", 0, "/a", "b?c"},
	        {"http://mail/x", 0, "/x", NULL},
	        {"HTTPS://mail:443", 0, "/", NULL},
	        {"https://mail?q", 0, "/", "q"},
	        {"*", MW_E_MALFORMED, NULL, NULL},
	        {"", MW_E_MALFORMED, NULL, NULL},
	        {"?q", MW_E_MALFORMED, NULL, NULL},
	        {"mail:443", MW_E_MALFORMED, NULL, NULL},
	        {"/%", MW_E_MALFORMED, NULL, NULL},
	        {"/%4", MW_E_MALFORMED, NULL, NULL},
	        {"/%4g", MW_E_MALFORMED, NULL, NULL},
	        {"/a%00", MW_E_MALFORMED, NULL, NULL},
	        {"/a\\b", MW_E_MALFORMED, NULL, NULL},
	        {"/a/../b", MW_E_MALFORMED, NULL, NULL},
	        {"/a/%2e%2E", MW_E_MALFORMED, NULL, NULL},
	        {"/a%2F..%2fb", MW_E_MALFORMED, NULL, NULL},
	        {"/a..b/...", 0, "/a..b/...", NULL},
	        {"/0123456789012345678901234567890", MW_E_LIMIT, NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char path[32];
		const char *query = "untouched";
		assert_int_equal(http_target_path(table[i].target, path, sizeof path, &query), table[i].result);
		if (table[i].result != 0)
			continue;
		assert_string_equal(path, table[i].path);
		if (table[i].query)
			assert_string_equal(query, table[i].query);
		else
			assert_null(query);
	}
}

static void challenges(void **state)
{
	static const struct http_field offers[] = {
	        {"WWW-Authenticate", "Negotiate"},
	        {"www-authenticate", "Basic realm=\"a, NTLM \\\" b\", charset=\"UTF-8\" , NTLM  TlRM=  ,Digest"},
	};
	static const struct http_head answer = {.fields = offers, .field_count = ARRAY_SIZE(offers)};
	static const struct {
		const char *scheme, *token; /* NULL: not offered */
	} table[] = {
	        {"negotiate", ""}, {"Negotiat", NULL}, {"NTLM", "TlRM="}, {"Digest", ""},
	        {"b", NULL},       {"TlRM=", NULL},    {"Bearer", NULL},  {"Basic", "realm=\"a, NTLM \\\" b\""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *token = NULL;
		size_t len = 0;
		assert_int_equal(http_challenge(&answer, table[i].scheme, &token, &len), table[i].token != NULL);
		if (!table[i].token)
			continue;
		assert_int_equal(len, strlen(table[i].token));
		assert_memory_equal(token, table[i].token, len);
	}
}

static void reasons(void **state)
{
	(void)state;
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_reason(999), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(lookup),     cmocka_unit_test(lists),
	        cmocka_unit_test(cookies),    cmocka_unit_test(tokens_and_values),
	        cmocka_unit_test(targets),    cmocka_unit_test(reasons),
	        cmocka_unit_test(challenges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
