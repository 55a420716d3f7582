#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discover/discover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a password may go, and what is told; with local files, since this asks nobody. Servers: tests/peers. */

static const struct {
	const char *host, *domain;
	bool below;
} hosts[] = {
        {"demo.test", "demo.test", true},
        {"DEMO.test", "demo.TEST", true},
        {"mail.demo.test", "demo.test", true},
        {"a.b.demo.test", "demo.test", true},
        {"test", "demo.test", false},
        {"xdemo.test", "demo.test", false},
        {"demo.test.evil", "demo.test", false},
        {"evil.test", "demo.test", false},
        {"", "demo.test", false},
        {".demo.test", "demo.test", true},
};

static void test_below(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		assert_int_equal(discover_is_below(hosts[i].host, hosts[i].domain), hosts[i].below);
}

static void test_no_address(void **state)
{
	static const char *const wrong[] = {
	        "alice",    "@demo.test", "alice@",      "alice@demo test",    "alice@demo.test/x",
	        "alice@-x", "alice@a@",   "alice@.test", "alice@demo.test:80", "a@b\\c",
	        "a@[::1]"};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct autodiscover_found found;
		struct discover_config config = {.address = wrong[i], .timeout_ns = 1000000};
		assert_int_equal(discover(arena, &config, &found), MW_E_INVALID);
	}
}

struct log {
	struct buf text;
};

static void on_try(void *user, const struct discover_try *t)
{
	struct log *log = user;
	buf_printf(&log->text, "%d %s %s: %s\n", (int)t->step, t->found ? "+" : "-", t->where, t->what);
}

/* The domain does not exist (RFC 6761), so all tries fail in order, and the local file is the last. */
static void run_local(const char *xml, int expected, const char *last)
{
	char path[] = "/tmp/mapiwire-discover-XXXXXX";
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct autodiscover_found found = {0};
	struct log log = {0};
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, xml, strlen(xml)) == (ssize_t)strlen(xml));
	close(fd);
	struct discover_config config = {.address = "alice@demo.invalid",
	                                 .local_xml = path,
	                                 .timeout_ns = 2000000000,
	                                 .tried = on_try,
	                                 .told = &log};
	assert_int_equal(discover(arena, &config, &found), expected);
	buf_put_u8(&log.text, 0);
	const char *text = (const char *)log.text.data, *at = text;
	static const char *const order[] = {"1 - _ldap._tcp.demo.invalid", "2 - https://demo.invalid/autodiscover/",
	                                    "3 - https://autodiscover.demo.invalid/",
	                                    "4 - http://autodiscover.demo.invalid/",
	                                    "5 - _autodiscover._tcp.demo.invalid"};
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("%s is not in order in: %s", order[i], text);
	}
	if (!strstr(at, last))
		fail_msg("no %s in: %s", last, text);
	unlink(path);
	buf_free(&log.text);
}

#define ACCOUNT(inside) "<Autodiscover><Response><Account>" inside "</Account></Response></Autodiscover>"

static void test_order(void **state)
{
	(void)state;
	run_local(ACCOUNT("<Action>settings</Action><Protocol><Type>EXCH</Type></Protocol>"), 0, "6 + ");
	run_local(ACCOUNT("<Action>redirectUrl</Action><RedirectUrl>https://evil.invalid/autodiscover/autodiscover.xml"
	                  "</RedirectUrl>"),
	          MW_E_NOTFOUND, "https://evil.invalid/autodiscover/autodiscover.xml: not below the address's domain");
	run_local(ACCOUNT("<Action>redirectUrl</Action><RedirectUrl>https://demo.invalid@evil.invalid/</RedirectUrl>"),
	          MW_E_NOTFOUND, "no https address");
	run_local(ACCOUNT("<Action>redirectUrl</Action><RedirectUrl>http://mail.demo.invalid/</RedirectUrl>"),
	          MW_E_NOTFOUND, "no https address");
	run_local(ACCOUNT("<Action>redirectAddr</Action><RedirectAddr>alice@evil.invalid</RedirectAddr>"),
	          MW_E_NOTFOUND, "alice@evil.invalid: not of the address's domain or below it");
	run_local(ACCOUNT("<Action>redirectAddr</Action><RedirectAddr>alice@invalid</RedirectAddr>"), MW_E_NOTFOUND,
	          "alice@invalid: not of the address's domain or below it");
	/* Of a domain below: from the start on, there. */
	run_local(ACCOUNT("<Action>redirectAddr</Action><RedirectAddr>al@sub.demo.invalid</RedirectAddr>"),
	          MW_E_NOTFOUND, "https://sub.demo.invalid/autodiscover/");
	run_local("<html/>", MW_E_NOTFOUND, "no answer of Autodiscover's");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_below),
	        cmocka_unit_test(test_no_address),
	        cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
