#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct mapiwire *client(enum mapiwire_level level)
{
	const struct mapiwire_options o = {
	        .host = "h", .mapper_port = 4135, .domain = "DEMO", .user = "alice", .password = "x", .level = level};
	struct mapiwire *m = NULL;
	assert_int_equal(mapiwire_new(&o, &m), 0);
	assert_int_equal(mapiwire_error(m)->code, 0);
	assert_string_equal(mapiwire_error(m)->cause, "none");
	return m;
}

/* How a socket's connect fails, to what a person is told. */
static void connects_that_fail(void **state)
{
	static const struct {
		bool dynamic;
		int error;
		const char *cause;
		int exit_code;
	} rows[] = {
	        {false, ECONNREFUSED, "port-refused", 11},      {false, ETIMEDOUT, "port-filtered", 12},
	        {false, EHOSTUNREACH, "port-filtered", 12},     {true, ECONNREFUSED, "dynamic-port-refused", 13},
	        {true, ETIMEDOUT, "dynamic-port-blocked", 14},  {true, ENETUNREACH, "dynamic-port-blocked", 14},
	        {true, ECONNRESET, "dynamic-port-refused", 13},
	};
	struct mapiwire *m = client(MAPIWIRE_LEVEL_PRIVACY);
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client_conn c = {.m = m, .port = 49161, .port_text = "49161", .dynamic = rows[i].dynamic};
		assert_int_equal(client_fail_connect(&c, rows[i].error), MAPIWIRE_E_UNREACHABLE);
		assert_string_equal(mapiwire_error(m)->cause, rows[i].cause);
		assert_int_equal(mapiwire_error(m)->exit_code, rows[i].exit_code);
		assert_non_null(strstr(mapiwire_error(m)->sentence, "49161"));
	}
	mapiwire_free(&m);
}

static void blocked_port_names_mapper_and_setting(void **state)
{
	struct mapiwire *m = client(MAPIWIRE_LEVEL_PRIVACY);
	struct client_conn c = {
	        .m = m, .port = 49161, .port_text = "49161", .dynamic = true, .setting = client_setting_store};
	(void)state;
	assert_int_equal(client_fail_connect(&c, ETIMEDOUT), MAPIWIRE_E_UNREACHABLE);
	assert_string_equal(
	        mapiwire_error(m)->sentence,
	        "The mapper hands out 49161, but nothing answers there; 4135 does. A firewall, most likely.");
	assert_string_equal(mapiwire_error(m)->attempt,
	                    "Open 49161, or fix the port (--store-port; Exchange 2010: MSExchangeRPC TCP/IP Port).");
	mapiwire_free(&m);
}

static void statuses(void **state)
{
	static const struct {
		enum mapiwire_level level;
		enum cause_family family;
		uint32_t status;
		int code;
		const char *cause, *name, *says;
	} rows[] = {
	        {MAPIWIRE_LEVEL_PRIVACY, CAUSE_OF_FAULT, 5, MAPIWIRE_E_REFUSED, "credentials-refused",
	         "nca_s_fault_access_denied", "DEMO\\alice"},
	        {MAPIWIRE_LEVEL_NONE, CAUSE_OF_FAULT, 5, MAPIWIRE_E_STATUS, "anonymous-refused", NULL, "Anonymous"},
	        {MAPIWIRE_LEVEL_CONNECT, CAUSE_OF_MAPI, ecNotEncrypted, MAPIWIRE_E_STATUS, "encryption-required",
	         "ecNotEncrypted", "encryption"},
	        {MAPIWIRE_LEVEL_PRIVACY, CAUSE_OF_MAPI, ecUnknownUser, MAPIWIRE_E_STATUS, "unknown-mailbox",
	         "ecUnknownUser", "NspiBind"},
	        {MAPIWIRE_LEVEL_PRIVACY, CAUSE_OF_MAPI, 0x12345678, MAPIWIRE_E_STATUS, "call-failed", "",
	         "NspiBind: 0x12345678"},
	        {MAPIWIRE_LEVEL_PRIVACY, CAUSE_OF_BIND_NAK, 8, MAPIWIRE_E_REFUSED, "auth-type-refused", NULL, ""},
	        {MAPIWIRE_LEVEL_PRIVACY, CAUSE_OF_PROVIDER, 1, MAPIWIRE_E_REFUSED, "interface-refused", NULL,
	         "NspiBind"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mapiwire *m = client(rows[i].level);
		assert_int_equal(client_fail_status(m, rows[i].family, rows[i].status, "NspiBind"), rows[i].code);
		const struct mapiwire_error *e = mapiwire_error(m);
		assert_string_equal(e->cause, rows[i].cause);
		assert_int_equal(e->status, rows[i].status);
		assert_non_null(strstr(e->sentence, rows[i].says));
		if (rows[i].name)
			assert_string_equal(e->status_name, rows[i].name);
		mapiwire_free(&m);
	}
}

static void arguments(void **state)
{
	struct mapiwire *m = NULL;
	const struct mapiwire_options no_host = {.host = ""}, bad_level = {.host = "h", .level = 7},
	                              no_file = {.host = "h", .capture = "/no/such/dir/x.pcapng"};
	(void)state;
	assert_int_equal(mapiwire_new(&no_host, &m), MAPIWIRE_E_ARGUMENT);
	assert_int_equal(mapiwire_new(&bad_level, &m), MAPIWIRE_E_ARGUMENT);
	assert_int_equal(mapiwire_new(&no_file, &m), MAPIWIRE_E_FILE);
	assert_null(m);
	assert_int_equal(mapiwire_free(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(connects_that_fail),
	        cmocka_unit_test(blocked_port_names_mapper_and_setting),
	        cmocka_unit_test(statuses),
	        cmocka_unit_test(arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
