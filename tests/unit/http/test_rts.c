#include "rig.h"

#include "http/rts.h"

#include "ndr/print.h"

/* RTS PDUs, [MS-RPCH] 2.2.4: as bytes by hand from the specification, and every kind there and back. */

#define HEAD(size) "05001403 10000000" size "0000 00000000"
#define VC "11111111222233334444555555555555"
#define OLD "aaaaaaaabbbbccccddddeeeeeeeeeeee"
#define NEW "01020304050607080910111213141516"

static const struct sample {
	enum rts_kind kind;
	const char *hex;
	struct rts says;
} samples[] = {
        {RTS_CONN_A1,
         HEAD("4c00") "0000 0400 06000000 01000000 03000000" VC "03000000" OLD "00000000 00000100",
         {.version = 1, .window = 65536, .cookie_count = 2}},
        {RTS_CONN_A3, HEAD("1c00") "0000 0100 02000000 c0d40100", {.timeout = 120000}},
        {RTS_CONN_B1,
         HEAD("6800") "0000 0600 06000000 01000000 03000000" VC "03000000" OLD
                      "04000000 00000040 05000000 e0930400 0c000000" NEW,
         {.version = 1, .lifetime = 0x40000000, .keepalive = 300000, .cookie_count = 2}},
        {RTS_CONN_C2,
         HEAD("2c00") "0000 0300 06000000 01000000 00000000 00000100 02000000 c0d40100",
         {.version = 1, .window = 65536, .timeout = 120000}},
        {RTS_IN_A1,
         HEAD("5800") "0400 0400 06000000 01000000 03000000" VC "03000000" OLD "03000000" NEW,
         {.version = 1, .cookie_count = 3}},
        {RTS_IN_R1_A4,
         HEAD("3400") "0000 0400 0d000000 00000000 06000000 01000000 00000000 00000100 02000000 c0d40100",
         {.version = 1, .window = 65536, .timeout = 120000}},
        {RTS_IN_R2_A4, HEAD("1c00") "0000 0100 0d000000 00000000", {.version = 0}},
        {RTS_OUT_A3,
         HEAD("6000") "0400 0500 06000000 01000000 03000000" VC "03000000" OLD "03000000" NEW "00000000 00000100",
         {.version = 1, .window = 65536, .cookie_count = 3}},
        {RTS_OUT_R1_A6,
         HEAD("2c00") "1000 0300 0d000000 00000000 06000000 01000000 02000000 c0d40100",
         {.version = 1, .timeout = 120000}},
        {RTS_OUT_R2_A7,
         HEAD("3800") "1000 0300 0d000000 02000000 03000000" NEW "06000000 01000000",
         {.version = 1, .destination = RTS_FD_SERVER, .cookie_count = 1}},
        {RTS_OUT_R2_A7,
         HEAD("3800") "0000 0300 0d000000 02000000 03000000" NEW "06000000 01000000",
         {.version = 1, .destination = RTS_FD_SERVER, .cookie_count = 1}},
        {RTS_OUT_R2_B3, HEAD("1800") "2000 0100 0a000000", {.version = 0}},
        {RTS_OUT_R2_C1, HEAD("1800") "0100 0100 07000000", {.version = 0}},
        {RTS_OUT_R2_C1, HEAD("1f00") "0100 0100 08000000 03000000 000000", {.version = 0}},
        {RTS_PING, HEAD("1400") "0100 0000", {.version = 0}},
        {RTS_ECHO, HEAD("1400") "4000 0000", {.version = 0}},
        {RTS_FLOW_ACK_TO,
         HEAD("3800") "0200 0200 0d000000 03000000 01000000 00800000 00000100" OLD,
         {.destination = RTS_FD_OUT_PROXY, .ack = {.BytesReceived = 32768, .AvailableWindow = 65536}}},
        {RTS_CONN_B2,
         HEAD("8000") "0800 0700 06000000 01000000 03000000" VC "03000000" OLD
                      "00000000 00000100 02000000 c0d40100 0c000000" NEW "0b000000 00000000 7f000001"
                      "000000000000000000000000",
         {.version = 1, .window = 65536, .timeout = 120000, .cookie_count = 2}},
        {RTS_OTHER, HEAD("1c00") "0000 0100 06000000 01000000", {.version = 1}},
};

static void test_samples(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct rts *says = &samples[i].says;
		uint8_t bytes[256];
		size_t n = rig_hex(samples[i].hex, bytes, sizeof bytes);
		const char *why = NULL;
		struct rts rts;
		if (rts_decode(arena, bytes, n, NULL, &rts, &why) != 0)
			fail_msg("%s: %s", rts_name(samples[i].kind), why);
		assert_true(rts_is(bytes));
		assert_string_equal(rts_name(rts.kind), rts_name(samples[i].kind));
		assert_int_equal(rts.version, says->version);
		assert_int_equal(rts.window, says->window);
		assert_int_equal(rts.timeout, says->timeout);
		assert_int_equal(rts.lifetime, says->lifetime);
		assert_int_equal(rts.keepalive, says->keepalive);
		assert_int_equal(rts.destination, says->destination);
		assert_int_equal(rts.cookie_count, says->cookie_count);
		assert_int_equal(rts.ack.BytesReceived, says->ack.BytesReceived);
		assert_int_equal(rts.ack.AvailableWindow, says->ack.AvailableWindow);
	}
}

/* What was decoded is encoded to the same bytes, but where a kind has two forms. */
static void test_back(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct buf MW_CLEANUP(buf_free) out = {0};
		uint8_t bytes[256];
		size_t n = rig_hex(samples[i].hex, bytes, sizeof bytes);
		bool second = i > 0 && samples[i].kind == samples[i - 1].kind;
		struct rts rts;
		assert_int_equal(rts_decode(arena, bytes, n, NULL, &rts, NULL), 0);
		if (rts.kind == RTS_OTHER) {
			assert_int_equal(rts_encode(arena, &rts, &out), MW_E_INVALID);
		} else if (!second) {
			assert_int_equal(rts_encode(arena, &rts, &out), 0);
			assert_int_equal(out.len, n);
			assert_memory_equal(out.data, bytes, n);
		}
	}
}

/* Every kind there is, encoded and read again as that kind. */
static void test_kinds(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (enum rts_kind kind = RTS_CONN_A1; kind <= RTS_FLOW_ACK_TO; kind++) {
		struct buf MW_CLEANUP(buf_free) out = {0};
		struct rts rts = {.kind = kind, .window = 0x2000}, back;
		assert_int_equal(rts_encode(arena, &rts, &out), 0);
		assert_int_equal(rts_decode(arena, out.data, out.len, NULL, &back, NULL), 0);
		assert_string_equal(rts_name(back.kind), rts_name(kind));
		assert_int_equal(back.kind, kind);
	}
}

/* Cut at every length, with the honest length of the whole and with that of the rest. */
static void test_truncation(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		uint8_t bytes[256];
		size_t n = rig_hex(samples[i].hex, bytes, sizeof bytes);
		for (size_t cut = 0; cut < n; cut++) {
			const char *why = NULL;
			struct rts rts;
			assert_true(rts_decode(arena, bytes, cut, NULL, &rts, &why) < 0 && why);
		}
		for (size_t cut = 10; cut < n; cut++) {
			struct rts rts;
			bytes[8] = (uint8_t)cut;
			assert_true(rts_decode(arena, bytes, cut, NULL, &rts, NULL) < 0);
		}
	}
}

static const struct {
	const char *hex, *why;
} refused[] = {
        {"04001403 10000000 1400 0000 00000000 0100 0000", "version"},
        {"05000003 10000000 1400 0000 00000000 0100 0000", "not an RTS"},
        {"05001401 10000000 1400 0000 00000000 0100 0000", "flags"},
        {"05001483 10000000 1400 0000 00000000 0100 0000", "flags"},
        {"05001403 00000000 1400 0000 00000000 0100 0000", "little-endian"},
        {"05001403 10000000 1500 0000 00000000 0100 0000", "lengths"},
        {"05001403 10000000 1400 0100 00000000 0100 0000", "lengths"},
        {"05001403 10000000 1400 0000 01000000 0100 0000", "call id"},
        {"05001403 10000000 1800 0000 00000000 0100 0000 07000000", "behind"},
        {"05001403 10000000 1800 0000 00000000 0100 0100 0f000000", "command"},
        {"05001403 10000000 1c00 0000 00000000 0000 0100 00000000 ff1f0000", "command"},
        {"05001403 10000000 1c00 0000 00000000 0000 0100 00000000 01000400", "command"},
        {"05001403 10000000 1c00 0000 00000000 0100 0100 08000000 ffffffff", "command"},
        {"05001403 10000000 1800 0000 00000000 0000 ffff 07000000", "command"},
};

static void test_refused(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint8_t bytes[64];
		size_t n = rig_hex(refused[i].hex, bytes, sizeof bytes);
		const char *why = "";
		struct rts rts;
		assert_true(rts_decode(arena, bytes, n, NULL, &rts, &why) < 0);
		if (!strstr(why, refused[i].why))
			fail_msg("%s: told '%s'", refused[i].hex, why);
	}
}

/* The lens prints by the same tables. */
static void test_print(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf MW_CLEANUP(buf_free) out = {0};
	struct ndr_printer printer = {.arena = arena, .out = &out};
	struct ndr_tracer tracer = ndr_print_to(&printer);
	uint8_t bytes[256];
	size_t n = rig_hex(samples[0].hex, bytes, sizeof bytes);
	struct rts rts;
	(void)state;

	assert_int_equal(rts_decode(arena, bytes, n, &tracer, &rts, NULL), 0);
	buf_put_u8(&out, 0);
	assert_non_null(strstr((char *)out.data, "CommandType = RTS_CMD_RECEIVE_WINDOW_SIZE"));
	assert_non_null(strstr((char *)out.data, "ReceiveWindowSize = 65536"));
	assert_non_null(strstr((char *)out.data, "Cookie = 11111111-2222-3333-4444-555555555555"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples), cmocka_unit_test(test_back),  cmocka_unit_test(test_kinds),
	        cmocka_unit_test(test_refused), cmocka_unit_test(test_print), cmocka_unit_test(test_truncation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
