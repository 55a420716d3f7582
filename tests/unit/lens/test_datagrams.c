#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lens/lens.h"

#include <string.h>

/* UDP: what is told of a question and its answer. */

#define TEXT(s) (s), sizeof(s) - 1
#define LINK_RAW 101
#define MESSENGER "\xb7\x4e\x17\x5a\x80\xfa\x06\x41\x8a\x1c\x31\x50\x8a\x9c\x0e\x01"
#define MGMT_LE "\x80\xbd\xa8\xaf\x8a\x7d\xc9\x11\xbe\xf4\x08\x00\x2b\x10\x29\x89"
#define MGMT_BE "\xaf\xa8\xbd\x80\x7d\x8a\x11\xc9\xbe\xf4\x08\x00\x2b\x10\x29\x89"
#define NIL "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ACTIVITY "0123456789abcdef"
/* is_server_listening (2) of mgmt, activity's call 7; body of 4 bytes */
#define CALL_LE(ptype, fragment)                                                                                       \
	"\4" ptype "\x28\0\x10\0\0\0" NIL MGMT_LE ACTIVITY "\0\0\0\0"                                                  \
	"\1\0\0\0"                                                                                                     \
	"\7\0\0\0"                                                                                                     \
	"\2\0\xff\xff\xff\xff\4\0" fragment "\0\0\0"
#define CALL_BE(ptype)                                                                                                 \
	"\4" ptype "\x28\0\0\0\0\0" NIL MGMT_BE ACTIVITY "\0\0\0\0"                                                    \
	"\0\0\0\1"                                                                                                     \
	"\0\0\0\7"                                                                                                     \
	"\0\2\xff\xff\xff\xff\0\4\0\0\0\0"
#define STRANGE                                                                                                        \
	"\4\0\x28\0\x10\0\0\0" NIL MESSENGER ACTIVITY "\0\0\0\0"                                                       \
	"\1\0\0\0"                                                                                                     \
	"\7\0\0\0"                                                                                                     \
	"\2\0\xff\xff\xff\xff\4\0\0\0\0\0"

struct row {
	uint16_t port;
	bool rpc;
	const char *ask;
	size_t ask_len;
	const char *answer;
	size_t answer_len;
	const char *told;
};

static const struct row rows[] = {
        {1026, true, TEXT(CALL_LE("\0", "\0") "body"), TEXT(CALL_LE("\2", "\0") "body"),
         "connectionless RPC request, rpc__mgmt_is_server_listening mgmt; "
         "connectionless RPC response, rpc__mgmt_is_server_listening mgmt 1.0 ms; "},
        {135, true, TEXT(CALL_BE("\0") "body"), TEXT(CALL_BE("\3") "\x1c\1\0\2"),
         "connectionless RPC request, rpc__mgmt_is_server_listening mgmt; "
         "connectionless RPC fault, rpc__mgmt_is_server_listening: nca_op_rng_error mgmt 1.0 ms (nca_op_rng_error); "},
        {1026, true, TEXT(CALL_LE("\0", "\1") "body"), TEXT(CALL_LE("\4", "\0") "body"), ""},
        {1026, true, TEXT(STRANGE "body"), TEXT("\4\2"),
         "connectionless RPC request, opnum 2 of 5a174eb7-fa80-4106-8a1c-31508a9c0e01 "
         "5a174eb7-fa80-4106-8a1c-31508a9c0e01; "},
        {88, false,
         TEXT("\x6a\x1e\x30\x1c"
              "aaaaaaaaaaaa"),
         TEXT("\x7e\x0d\x30\x0b\xa0\3\2\1\5\xa6\3\2\1\x25"
              "\x02"),
         "Kerberos AS-REQ kerberos; KRB-ERROR: KRB_AP_ERR_SKEW kerberos 1.0 ms (KRB_AP_ERR_SKEW); "},
        {53, false,
         TEXT("\1\2\1\0\0\1\0\0\0\0\0\0"
              "\4mail\7example\0"
              "\0\1\0\1"),
         TEXT("\1\2\x81\x83\0\1\0\0\0\0\0\0"),
         "DNS query for mail.example dns; DNS answer: NXDOMAIN dns 1.0 ms (NXDOMAIN); "},
        {53, false, TEXT("\1\2\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1"), TEXT("\1\3\x81\x80\0\1\0\1\0\0\0\0"),
         "DNS query for  dns; DNS answer: 1 record dns; "},
        {389, false,
         TEXT("\x30\x25\2\1\5\x63\x20\4\0\xa0\x1c\xa3\x1a\4\x09"
              "DnsDomain"
              "\4\x0d"
              "demo.example."),
         TEXT("\x30\x0c\2\1\5\x64\7\4\0\x30\3"
              "aaa"),
         "CLDAP search for a domain controller of demo.example cldap; CLDAP answer cldap 1.0 ms; "},
        {5000, false, TEXT("\1\2\1\0\0\1\0\0\0\0\0\0"), TEXT("nothing that we know"), ""},
};

static struct buf told;
static bool carries_rpc;

static void on_event(void *user, const struct lens_event *e)
{
	(void)user;
	assert_int_equal(e->kind, LENS_CONTEXT);
	assert_string_equal(e->transport, "udp");
	assert_true(e->conn->datagrams);
	assert_int_equal(e->conn->rpc, carries_rpc);
	buf_put_str(&told, e->summary);
	if (e->iface_name || e->iface)
		buf_printf(&told, " %s", e->iface_name ? e->iface_name : e->iface);
	if (e->took_ns >= 0)
		buf_printf(&told, " %.1f ms", (double)e->took_ns / 1e6);
	if (e->status)
		buf_printf(&told, " (%s)", e->status);
	buf_put_str(&told, "; ");
}

static void pass(struct lens *lens, bool from_client, uint16_t port, const char *data, size_t len, int64_t time_ns)
{
	uint8_t frame[512] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 1};
	uint16_t from = from_client ? 50000 : port, to = from_client ? port : 50000;
	const uint8_t udp[8] = {(uint8_t)(from >> 8),      (uint8_t)from,     (uint8_t)(to >> 8), (uint8_t)to,
	                        (uint8_t)((len + 8) >> 8), (uint8_t)(len + 8)};
	frame[2] = (uint8_t)((len + 28) >> 8);
	frame[3] = (uint8_t)(len + 28);
	frame[from_client ? 19 : 15] = 2;
	memcpy(frame + 20, udp, sizeof udp);
	memcpy(frame + 28, data, len);
	lens_frame(lens, LINK_RAW, frame, len + 28, len + 28, time_ns);
}

static void play(const struct row *row, size_t ask, size_t answer, bool keep)
{
	struct lens *lens = lens_new(&(struct lens_options){.keep_events = keep}, &(struct lens_sink){on_event, NULL});
	struct lens_totals totals;
	assert_non_null(lens);
	buf_clear(&told);
	carries_rpc = row->rpc;
	pass(lens, true, row->port, row->ask, ask, 1000000000);
	pass(lens, false, row->port, row->answer, answer, 1001000000);
	lens_end(lens);
	lens_get_totals(lens, &totals);
	assert_int_equal(totals.connections, 0);
	lens_free(&lens);
	buf_put_u8(&told, 0);
}

static void names_questions_and_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int keep = 0; keep < 2; keep++) {
			play(&rows[i], rows[i].ask_len, rows[i].answer_len, keep);
			assert_string_equal((const char *)told.data, rows[i].told);
		}
}

static void on_anything(void *user, const struct lens_event *e)
{
	(void)user;
	assert_non_null(e->summary);
}

/* Cut anywhere, and with each byte changed. */
static void bears_anything(void **state)
{
	(void)state;
	struct lens *lens = lens_new(&(struct lens_options){0}, &(struct lens_sink){on_anything, NULL});
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char copy[256];
		for (size_t n = 0; n < rows[i].ask_len; n++)
			pass(lens, true, rows[i].port, rows[i].ask, n, 0);
		memcpy(copy, rows[i].ask, rows[i].ask_len);
		for (size_t n = 0; n < rows[i].ask_len; n++)
			for (int bit = 0; bit < 8; bit++) {
				copy[n] ^= (char)(1 << bit);
				pass(lens, true, rows[i].port, copy, rows[i].ask_len, 0);
				pass(lens, false, rows[i].port, copy, rows[i].ask_len, 0);
				copy[n] ^= (char)(1 << bit);
			}
	}
	lens_free(&lens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_questions_and_answers),
	        cmocka_unit_test(bears_anything),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_free(&told);
	return failed;
}
