#include "rig.h"

/* PDUs as real peers send them, and what they say. */

#define EPM "0883afe11f5dc91191a408002b14a0fa 0300 0000"
#define NDR "045d888aeb1cc9119fe808002b104860 0200 0000"
#define SECURITY "0a 05 00 00 07000000 0102030405060708"

struct sample {
	const char *name, *hex;
	uint8_t ptype;
	uint32_t call_id;
	/* Where they apply: */
	uint16_t context_id, opnum;
	size_t body, stub_len;
	uint32_t status;
	const char *address;
	uint8_t contexts, results;
	bool auth;
	bool rebuilt; /* our builders make the same bytes */
};

static const struct sample samples[] = {
        {.name = "bind, as Outlook sends it",
         .hex = "05000b03 10000000 4800 0000 01000000 d016 d016 00000000 01000000 0000 01 00" EPM NDR,
         .ptype = RPC_BIND,
         .call_id = 1,
         .contexts = 1,
         .rebuilt = true},
        {.name = "bind without fragment flags",
         .hex = "05000b00 10000000 4800 0000 01000000 b810 b810 00000000 01000000 0000 01 00" EPM NDR,
         .ptype = RPC_BIND,
         .call_id = 1,
         .contexts = 1,
         .rebuilt = true},
        {.name = "bind, big-endian",
         .hex = "05000b03 00000000 0048 0000 00000102 16d0 16d0 00000000 01000000 0000 01 00"
                "e1af83085d1f11c991a408002b14a0fa 00000003 8a885d041ceb11c99fe808002b104860 00000002",
         .ptype = RPC_BIND,
         .call_id = 0x102,
         .contexts = 1},
        {.name = "bind without contexts",
         .hex = "05000b03 10000000 1c00 0000 01000000 d016 d016 00000000 00000000",
         .ptype = RPC_BIND,
         .call_id = 1,
         .rebuilt = true},
        {.name = "bind_ack",
         .hex = "05000c03 10000000 3c00 0000 01000000 d016 d016 e5c80000 0400 31333500 0000 01000000 0000 0000" NDR,
         .ptype = RPC_BIND_ACK,
         .call_id = 1,
         .address = "135",
         .results = 1,
         .rebuilt = true},
        {.name = "bind_ack whose address has no NUL",
         .hex = "05000c03 10000000 3c00 0000 01000000 b810 b810 78563412 0300 414243 000000 01000000 0000 0000" NDR,
         .ptype = RPC_BIND_ACK,
         .call_id = 1,
         .address = "ABC",
         .results = 1},
        {.name = "alter_context_resp",
         .hex = "05000f03 10000000 3800 0000 03000000 d016 d016 01000000 0000 0000 01000000 0000 0000" NDR,
         .ptype = RPC_ALTER_CONTEXT_RESP,
         .call_id = 3,
         .address = "",
         .results = 1,
         .rebuilt = true},
        {.name = "bind_nak with versions",
         .hex = "05000d03 10000000 1800 0000 01000000 0400 01 0500 000000",
         .ptype = RPC_BIND_NAK,
         .call_id = 1,
         .status = 4},
        {.name = "bind_nak with a reason only",
         .hex = "05000d03 10000000 1200 0000 01000000 0800",
         .ptype = RPC_BIND_NAK,
         .call_id = 1,
         .status = 8},
        {.name = "request",
         .hex = "05000003 10000000 2000 0000 01000000 08000000 0000 2a00 0000000000000000",
         .ptype = RPC_REQUEST,
         .call_id = 1,
         .opnum = 42,
         .body = 24,
         .stub_len = 8},
        {.name = "request with an object, protected",
         .hex = "05000083 10000000 4000 0800 09000000 08000000 0200 0300 000102030405060708090a0b0c0d0e0f"
                "aabbccdd eeff0000" SECURITY,
         .ptype = RPC_REQUEST,
         .call_id = 9,
         .context_id = 2,
         .opnum = 3,
         .body = 40,
         .stub_len = 8,
         .auth = true},
        {.name = "response, padded and protected",
         .hex = "05000203 10000000 3000 0800 01000000 04000000 0000 00 00 aabbccdd eeff0000"
                "0a 06 04 00 07000000 0102030405060708",
         .ptype = RPC_RESPONSE,
         .call_id = 1,
         .body = 24,
         .stub_len = 4,
         .auth = true},
        {.name = "fault",
         .hex = "05000323 10000000 2000 0000 01000000 20000000 0000 00 00 0200011c 00000000",
         .ptype = RPC_FAULT,
         .call_id = 1,
         .body = 32,
         .status = NCA_S_OP_RNG_ERROR},
        {.name = "fault without its reserved bytes",
         .hex = "05000303 10000000 1c00 0000 01000000 00000000 0000 00 00 05000000",
         .ptype = RPC_FAULT,
         .call_id = 1,
         .body = 28,
         .status = 5},
        {.name = "auth3",
         .hex = "05001003 10000000 2400 0800 02000000 d016d016" SECURITY,
         .ptype = RPC_AUTH3,
         .call_id = 2,
         .auth = true},
        {.name = "shutdown", .hex = "05001103 10000000 1000 0000 05000000", .ptype = RPC_SHUTDOWN, .call_id = 5},
        {.name = "co_cancel", .hex = "05001203 10000000 1000 0000 06000000", .ptype = RPC_CO_CANCEL, .call_id = 6},
        {.name = "orphaned, protected",
         .hex = "05001303 10000000 2000 0800 07000000" SECURITY,
         .ptype = RPC_ORPHANED,
         .call_id = 7,
         .auth = true},
};

static void check_sample(const struct sample *s, const struct rpc_pdu *p)
{
	assert_int_equal(p->header.ptype, s->ptype);
	assert_int_equal(p->header.call_id, s->call_id);
	assert_int_equal(p->context_id, s->context_id);
	assert_int_equal(p->opnum, s->opnum);
	assert_int_equal(p->stub_len, s->stub_len);
	if (s->body)
		assert_int_equal(p->body, s->body);
	assert_int_equal(p->bind.context_count, s->contexts);
	assert_int_equal(p->bind.result_count, s->results);
	assert_int_equal(p->has_auth, s->auth);
	assert_int_equal(s->ptype == RPC_BIND_NAK ? p->nak_reason : p->fault_status, s->status);
	if (s->address)
		assert_string_equal(p->bind.secondary_address, s->address);
	if (s->contexts) {
		assert_int_equal(p->bind.contexts[0].abstract.uuid.data1, 0xe1af8308);
		assert_int_equal(p->bind.contexts[0].abstract.major, 3);
		assert_memory_equal(&p->bind.contexts[0].transfers[0], &rpc_ndr20, sizeof rpc_ndr20);
	}
	if (s->results)
		assert_memory_equal(&p->bind.results[0].transfer, &rpc_ndr20, sizeof rpc_ndr20);
	if (s->auth) {
		assert_int_equal(p->trailer.context_id, 7);
		assert_int_equal(p->auth_value[7], 8);
	}
}

static void check_rebuilt(const struct rpc_pdu *p, const uint8_t *bytes, size_t n)
{
	struct buf MW_CLEANUP(buf_free) out = {0};

	rpc_put_header(&out, p->header.ptype, p->header.flags, p->header.call_id);
	if (p->bind.secondary_address)
		rpc_put_bind_ack(&out, &p->bind);
	else
		rpc_put_bind(&out, &p->bind);
	rpc_pdu_finish(&out, 0, NULL, NULL, 0);
	assert_int_equal(buf_error(&out), 0);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.data, bytes, n);
}

static void test_samples(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		uint8_t bytes[256];
		size_t n = rig_hex(samples[i].hex, bytes, sizeof bytes), at = 0;
		const char *why = NULL;
		struct rpc_pdu pdu;
		int r = rpc_pdu_parse(arena, bytes, n, &pdu, &why, &at);
		if (r < 0)
			print_error("%s: %s at %zu\n", samples[i].name, why, at);
		assert_int_equal(r, 0);
		assert_int_equal(pdu.header.frag_length, n);
		check_sample(&samples[i], &pdu);
		if (samples[i].rebuilt)
			check_rebuilt(&pdu, bytes, n);
		assert_true(rpc_looks_like(bytes, n));
		assert_true(rpc_looks_like(bytes, n < 24 ? n : 24));
	}
}

/* Cut short, with an honest and with a lying frag_length: refused with a reason, or still whole. */
static void test_truncation(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		uint8_t bytes[256];
		size_t n = rig_hex(samples[i].hex, bytes, sizeof bytes);
		for (size_t len = 0; len < n; len++) {
			uint8_t *cut = malloc(len ? len : 1);
			const char *why = NULL;
			struct rpc_pdu pdu;
			size_t at = 0;
			memcpy(cut, bytes, len);
			assert_int_equal(rpc_pdu_parse(arena, cut, len, &pdu, &why, &at), MW_E_TRUNCATED);
			assert_non_null(why);
			if (len >= RPC_HEADER_SIZE) {
				cut[8] = bytes[4] ? (uint8_t)len : 0;
				cut[9] = bytes[4] ? 0 : (uint8_t)len;
				why = NULL;
				if (rpc_pdu_parse(arena, cut, len, &pdu, &why, &at) < 0) {
					assert_non_null(why);
					assert_true(at <= len);
				} else {
					assert_true(pdu.body + pdu.body_len <= len);
				}
			}
			free(cut);
		}
	}
}

static void test_bad_headers(void **state)
{
	static const char *const bad[] = {
	        "04000b03 10000000 4800 0000 01000000", /* connectionless version */
	        "05020b03 10000000 4800 0000 01000000", /* minor version */
	        "05000103 10000000 4800 0000 01000000", /* ping: connectionless */
	        "05001403 10000000 4800 0000 01000000", /* RTS: of RPC over HTTP only */
	        "05000b03 20000000 4800 0000 01000000", /* integer format */
	        "05000b03 10040000 4800 0000 01000000", /* floating point format */
	        "05000b03 10000000 0f00 0000 01000000", /* shorter than its header */
	        "474554202f20485454502f312e310d0a",     /* GET / HTTP/1.1 */
	};
	struct rpc_header h;
	uint8_t bytes[16];
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t n = rig_hex(bad[i], bytes, sizeof bytes);
		assert_int_equal(rpc_header_parse(cursor_of(bytes, n), &h), MW_E_MALFORMED);
		assert_int_equal(rpc_header_parse(cursor_of(bytes, n - 1), &h), MW_E_AGAIN);
		assert_false(rpc_looks_like(bytes, n));
	}
	assert_false(rpc_looks_like((const uint8_t *)"\5\0\13\3\20\0\0\0\110", 9));
	assert_true(rpc_looks_like((const uint8_t *)"\5\0\13\3\20\0\0\0\110\0", 10));
}

struct broken {
	const char *hex, *why;
	size_t at;
};

static void test_reasons(void **state)
{
	static const struct broken table[] = {
	        {"05000003 10000000 2000 1900 01000000 08000000 0000 2a00 0000000000000000",
	         "authentication reaches beyond the fragment", 10},
	        {"05000003 10000000 2000 0900 01000000 08000000 0000 2a00 0000000000000000",
	         "authentication reaches beyond the fragment", 10},
	        {"05000003 10000000 2800 0400 01000000 08000000 0000 2a00 00000000 0a 05 05 00 00000000 01020304",
	         "more authentication padding than stub", 30},
	        {"05000b03 10000000 2000 0000 01000000 d016 d016 00000000 ff000000 00000000",
	         "more contexts announced than fit", 28},
	        {"05000b03 10000000 3400 0000 01000000 d016 d016 00000000 01000000 0000 02 00" EPM,
	         "more transfer syntaxes announced than fit", 52},
	        {"05000c03 10000000 2000 0000 01000000 d016 d016 00000000 ffff 0000 00000000",
	         "secondary address is cut off", 26},
	        {"05001003 10000000 1400 0000 01000000 00000000", "auth3 without authentication", 16},
	        {"05000083 10000000 2000 0000 01000000 08000000 0000 2a00 0000000000000000", "object UUID is cut off",
	         24},
	};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint8_t bytes[256];
		size_t n = rig_hex(table[i].hex, bytes, sizeof bytes), at = 99;
		const char *why = NULL;
		struct rpc_pdu pdu;
		assert_true(rpc_pdu_parse(arena, bytes, n, &pdu, &why, &at) < 0);
		assert_string_equal(why, table[i].why);
		assert_int_equal(at, table[i].at);
	}
}

static void test_trailer_alignment(void **state)
{
	struct rpc_sec_trailer trailer = {.type = 10, .level = 6, .context_id = 1};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	(void)state;

	/* [MS-RPCE] 2.2.2.11: the trailer stands at a multiple of 16 from the stub's first byte. */
	for (size_t len = 0; len < 40; len++) {
		struct buf MW_CLEANUP(buf_free) out = {0};
		struct rpc_pdu pdu;
		rpc_put_header(&out, RPC_REQUEST, 3, 1);
		buf_put_zero(&out, 8 + len);
		size_t value = rpc_pdu_finish(&out, 0, &trailer, NULL, 16);
		assert_int_equal(value, out.len - 16);
		assert_int_equal(rpc_pdu_parse(arena, out.data, out.len, &pdu, NULL, NULL), 0);
		assert_int_equal(pdu.stub_len, len);
		assert_int_equal(pdu.body_len % 16, 0);
		assert_true(pdu.body_len - len < 16);
	}
}

static void test_names(void **state)
{
	uint64_t features = 0;
	struct rpc_syntax s = {{0x6cb71c2c, 0x9812, 0x4540, {3, 0, 0, 0, 0, 0, 0, 0}}, 1, 0};
	(void)state;

	assert_string_equal(rpc_ptype_name(RPC_ALTER_CONTEXT_RESP), "alter_context_resp");
	assert_string_equal(rpc_ptype_name(77), "unknown");
	assert_string_equal(rpc_nak_reason_name(8), "authentication_type_not_recognized");
	assert_null(rpc_nak_reason_name(10));
	assert_string_equal(rpc_provider_reason_name(1), "abstract_syntax_not_supported");
	assert_null(rpc_provider_reason_name(4));
	assert_true(rpc_is_feature_negotiation(&s, &features));
	assert_int_equal(features, 3);
	assert_false(rpc_is_feature_negotiation(&rpc_ndr64, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples),           cmocka_unit_test(test_truncation),
	        cmocka_unit_test(test_bad_headers),       cmocka_unit_test(test_reasons),
	        cmocka_unit_test(test_trailer_alignment), cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
