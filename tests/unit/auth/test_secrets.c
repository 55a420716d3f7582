#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/auth_secrets.h"
#include "util.h"

static const char file[] = "\xef\xbb\xbf# my secrets\r\n"
                           "\r\n"
                           "password DEMO\\alice  two  spaces \r\n"
                           "  password\tDEMO\\bob\ttab\n"
                           "password carol\n"
                           "password \\dave x#y\n"
                           "   # indented comment\n"
                           "nthash DEMO\\erin A4F49c406510bdcab6824ee7c30fd852\n"
                           " keytab  a path/with spaces.keytab\r\n"
                           "sessionkey DEMO\\frank@demo.test 55555555555555555555555555555555";

static void good(void **state)
{
	(void)state;
	static const struct {
		int kind;
		const char *domain, *user, *password, *key;
	} expected[] = {
	        {AUTH_SECRET_PASSWORD, "DEMO", "alice", " two  spaces ", NULL},
	        {AUTH_SECRET_PASSWORD, "DEMO", "bob", "tab", NULL},
	        {AUTH_SECRET_PASSWORD, "", "carol", "", NULL},
	        {AUTH_SECRET_PASSWORD, "", "dave", "x#y", NULL},
	        {AUTH_SECRET_NTHASH, "DEMO", "erin", NULL, "a4f49c406510bdcab6824ee7c30fd852"},
	        {AUTH_SECRET_SESSION_KEY, "DEMO", "frank@demo.test", NULL, "55555555555555555555555555555555"},
	};
	struct auth_secrets secrets = {0};
	struct auth_secrets_error error = {0};
	assert_int_equal(auth_secrets_parse(file, sizeof file - 1, &secrets, &error), 0);
	assert_int_equal(secrets.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < secrets.count; i++) {
		const struct auth_secret *s = &secrets.list[i];
		assert_int_equal(s->kind, expected[i].kind);
		assert_string_equal(s->domain, expected[i].domain);
		assert_string_equal(s->user, expected[i].user);
		if (expected[i].password != NULL)
			assert_string_equal(s->password, expected[i].password);
		else
			assert_hex(s->key, sizeof s->key, expected[i].key);
	}
	assert_string_equal(secrets.keytab, "a path/with spaces.keytab");
	auth_secrets_free(&secrets);
	assert_null(secrets.list);
	assert_int_equal(secrets.count, 0);
}

static void bad(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
	        {"Password DEMO\\alice x", 1},
	        {"alice", 1},
	        {"keytab\n", 1},
	        {"keytab a\nkeytab b", 2},
	        {"keytabs a", 1},
	        {"# ok\n\npassword", 3},
	        {"password DEMO\\ x", 1},
	        {"password a b\nnthash DEMO\\alice", 2},
	        {"nthash a 5555", 1},
	        {"nthash a 5555555555555555555555555555555g", 1},
	        {"nthash a 55555555555555555555555555555555 55", 1},
	        {"sessionkey a 555555555555555555555555555555555\n", 1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct auth_secrets secrets = {0};
		struct auth_secrets_error error = {0};
		assert_int_equal(auth_secrets_parse(cases[i].text, strlen(cases[i].text), &secrets, &error),
		                 MW_E_INVALID);
		assert_int_equal(error.line, cases[i].line);
		assert_non_null(error.what);
		assert_null(secrets.list);
	}
}

static void odd(void **state)
{
	(void)state;
	struct auth_secrets secrets = {0};
	struct auth_secrets_error error = {0};
	assert_int_equal(auth_secrets_parse("", 0, &secrets, &error), 0);
	assert_int_equal(secrets.count, 0);
	auth_secrets_free(&secrets);
	assert_int_equal(auth_secrets_parse("password a b\0c", 14, &secrets, &error), MW_E_INVALID);
	char *large = calloc(2, 1 << 20);
	assert_non_null(large);
	memset(large, '\n', 2 << 20);
	assert_int_equal(auth_secrets_parse(large, 2 << 20, &secrets, &error), MW_E_LIMIT);
	assert_int_equal(auth_secrets_parse(large, 1 << 20, &secrets, &error), 0);
	auth_secrets_free(&secrets);
	free(large);
	for (size_t len = 0; len < sizeof file; len++)
		if (auth_secrets_parse(file, len, &secrets, &error) == 0)
			auth_secrets_free(&secrets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good),
	        cmocka_unit_test(bad),
	        cmocka_unit_test(odd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
