#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/tower.h"

#include <string.h>

/* nspi over ncacn_ip_tcp, port 4997, 192.168.0.2: the layout of C706 appendix L. */
static const uint8_t nspi_tcp[] = {
        0x05, 0x00, 0x13, 0x00, 0x0D, 0x18, 0x5A, 0xCC, 0xF5, 0x64, 0x42, 0x1A, 0x10, 0x8C, 0x59,
        0x08, 0x00, 0x2B, 0x2F, 0x84, 0x26, 0x38, 0x00, 0x02, 0x00, 0x00, 0x00, 0x13, 0x00, 0x0D,
        0x04, 0x5D, 0x88, 0x8A, 0xEB, 0x1C, 0xC9, 0x11, 0x9F, 0xE8, 0x08, 0x00, 0x2B, 0x10, 0x48,
        0x60, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x0B, 0x02, 0x00, 0x00, 0x00, 0x01,
        0x00, 0x07, 0x02, 0x00, 0x13, 0x85, 0x01, 0x00, 0x09, 0x04, 0x00, 0xC0, 0xA8, 0x00, 0x02,
};

static void reads_and_writes(void **state)
{
	(void)state;
	struct epm_tower t;
	struct buf out = {0};
	char text[GUID_TEXT_SIZE];
	assert_int_equal(epm_tower_parse(cursor_of(nspi_tcp, sizeof nspi_tcp), &t), 0);
	guid_format(&t.interface, text);
	assert_string_equal(text, "f5cc5a18-4264-101a-8c59-08002b2f8426");
	assert_int_equal(t.major, 56);
	assert_int_equal(t.transfer_major, 2);
	assert_int_equal(t.protocol, EPM_NCACN_IP_TCP);
	assert_int_equal(t.port, 4997);
	assert_int_equal(t.ip[0], 192);
	assert_int_equal(t.ip[3], 2);
	assert_int_equal(epm_tower_build(&t, &out), 0);
	assert_int_equal(out.len, sizeof nspi_tcp);
	assert_memory_equal(out.data, nspi_tcp, sizeof nspi_tcp);
	buf_free(&out);
}

static void each_protocol_round_trips(void **state)
{
	(void)state;
	for (enum epm_protocol p = EPM_NCACN_IP_TCP; p <= EPM_NCALRPC; p++) {
		struct epm_tower t = {.protocol = p, .major = 1, .transfer_major = 2}, back;
		struct buf out = {0};
		if (p == EPM_NCACN_NP || p == EPM_NCALRPC)
			strcpy(t.name, "\\pipe\\x");
		else
			t.port = 0x1234;
		if (p == EPM_NCACN_NP)
			strcpy(t.host, "\\\\HOST");
		assert_int_equal(epm_tower_build(&t, &out), 0);
		assert_int_equal(epm_tower_parse(cursor_of(out.data, out.len), &back), 0);
		assert_memory_equal(&t, &back, sizeof t);
		buf_free(&out);
	}
	assert_int_equal(epm_tower_build(&(struct epm_tower){0}, &(struct buf){0}), MW_E_INVALID);
	assert_string_equal(epm_protocol_name(EPM_NCACN_HTTP), "ncacn_http");
}

static void no_cut_passes(void **state)
{
	(void)state;
	struct epm_tower t;
	for (size_t n = 0; n < sizeof nspi_tcp; n++)
		assert_true(epm_tower_parse(cursor_of(nspi_tcp, n), &t) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_and_writes),
	        cmocka_unit_test(each_protocol_round_trips),
	        cmocka_unit_test(no_cut_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
