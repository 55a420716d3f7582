#include "rig.h"

/* Peers that lie. No request of theirs may reach the server's user, and what is refused is refused as specified. */

#define NDR "045d888aeb1cc9119fe808002b104860 02000000"
#define NDR64 "33057171babe37498319b5dbef9ccc36 01000000"
#define FEATURES "2c1cb76c129840450300000000000000 01000000"
#define BIND(contexts) "05000b03 10000000 %L 0000 01000000 d016 d016 00000000 " contexts
#define ECHO_CONTEXT "01000000 0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR
#define BIND_ECHO BIND(ECHO_CONTEXT)
/* PFC_CONC_MPX */
#define BIND_CONCURRENT "05000b13 10000000 %L 0000 01000000 d016 d016 00000000 " ECHO_CONTEXT
/* With a security trailer and a token of one byte. */
#define BIND_AUTH(trailer) "05000b03 10000000 %L 0100 01000000 d016 d016 00000000 " ECHO_CONTEXT trailer "00"

/* Hex with %L for the fragment's own length. */
static size_t pdu_of(const char *hex, uint8_t *out, size_t max)
{
	struct buf MW_CLEANUP(buf_free) text = {0};
	const char *mark = strstr(hex, "%L");
	size_t n;

	buf_put(&text, hex, mark ? (size_t)(mark - hex) : strlen(hex));
	if (mark) {
		buf_put_str(&text, "0000");
		buf_put_str(&text, mark + 2);
	}
	n = rig_hex(rig_text(&text), out, max);
	if (mark) {
		out[8] = (uint8_t)n;
		out[9] = (uint8_t)(n >> 8);
	}
	return n;
}

static void send_hex(struct rig *r, const char *hex)
{
	uint8_t bytes[2048];
	size_t n = pdu_of(hex, bytes, sizeof bytes);
	uint8_t *exact = malloc(n);

	memcpy(exact, bytes, n);
	rpc_feed(r->server, RPC_FROM_CLIENT, exact, n, r->now);
	free(exact);
}

/* The server's next PDU. */
static bool next_reply(struct rig *r, struct arena *arena, struct rpc_pdu *out)
{
	struct buf *b = rpc_output(r->server);
	uint8_t *kept;

	if (b->len == 0)
		return false;
	kept = arena_copy(arena, b->data, b->len);
	assert_int_equal(rpc_pdu_parse(arena, kept, b->len, out, NULL, NULL), 0);
	buf_consume(b, out->header.frag_length);
	return true;
}

struct attempt {
	const char *name;
	const char *pdus[4]; /* after the bind, unless the first one is "-" */
	uint8_t ptype;       /* of the last answer; 0xff: none */
	uint32_t status;     /* of a fault, reason of a bind_nak */
	const char *why;     /* NULL: the connection goes on */
};

static const struct attempt attempts[] = {
        {"a request before the bind",
         {"-", "05000003 10000000 %L 0000 01000000 00000000 0000 0000 61"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "a request before the bind"},
        {"alter_context before the bind",
         {"-", "05000e03 10000000 %L 0000 01000000 d016 d016 00000000 00000000"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "alter_context before the bind"},
        {"auth3 before the bind",
         {"-", "05001003 10000000 %L 0100 01000000 00000000 0a050000 00000000 00"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "auth3 before the bind"},
        {"a bind of version 4",
         {"-", "04000b03 10000000 4800 0000 01000000"},
         RPC_BIND_NAK,
         4,
         "no RPC PDU begins here"},
        {"a web browser", {"-", "474554202f20485454502f312e310d0a0d0a"}, 0xff, 0, "no RPC PDU begins here"},
        {"an unknown authentication type",
         {"-", BIND_AUTH("63050000 00000000")},
         RPC_BIND_NAK,
         8,
         "an authentication type that is not offered"},
        {"a level that is none",
         {"-", BIND_AUTH("0a010000 00000000")},
         RPC_BIND_NAK,
         0,
         "an authentication type that is not offered"},
        {"a token that is none",
         {"-", BIND_AUTH("0a060000 00000000")},
         RPC_BIND_NAK,
         9,
         "the authentication was refused"},
        {"level call", {"-", BIND_AUTH("0a030000 00000000")}, RPC_BIND_NAK, 9, "the authentication was refused"},
        {"an empty context list (CVE-2015-5370)",
         {"-", BIND("00000000")},
         RPC_BIND_NAK,
         0,
         "presentation contexts that contradict each other, or none"},
        {"a context without transfer syntaxes",
         {"-", BIND("01000000 0000 00 00 11111111 2222 3333 4444555555555555 0100 0000")},
         RPC_BIND_NAK,
         0,
         "presentation contexts that contradict each other, or none"},
        {"features negotiated twice",
         {"-", BIND("02000000 0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" FEATURES
                    "0100 01 00 11111111 2222 3333 4444555555555555 0100 0000" FEATURES)},
         RPC_BIND_NAK,
         0,
         "presentation contexts that contradict each other, or none"},
        {"another interface for a context that stands",
         {"05000e03 10000000 %L 0000 01000000 d016 d016 00000000 01000000"
          "0000 01 00 aaaaaaaa bbbb cccc ddddeeeeeeeeeeee 0300 0100" NDR},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "presentation contexts that contradict each other, or none"},
        {"another transfer syntax for a context that stands",
         {"05000e03 10000000 %L 0000 01000000 d016 d016 00000000 01000000"
          "0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR64},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "presentation contexts that contradict each other, or none"},
        {"authentication none in alter_context (CVE-2015-5370)",
         {"05000e03 10000000 %L 0100 01000000 d016 d016 00000000 " ECHO_CONTEXT "00050000 00000000 00"},
         RPC_FAULT,
         RPC_S_ACCESS_DENIED,
         "authentication begun anew or changed"},
        {"more padding than a bind has",
         {"-", BIND_AUTH("0a05ff00 00000000")},
         RPC_BIND_NAK,
         4,
         "more authentication padding than fits"},
        {"a group that is not there",
         {"-", "05000b03 10000000 %L 0000 01000000 d016 d016 78563412" ECHO_CONTEXT},
         RPC_BIND_NAK,
         0,
         "the client names an association group that is not there"},
        {"a second bind", {BIND_ECHO}, RPC_BIND_NAK, 0, "a second bind"},
        {"authentication beyond the fragment",
         {"05000003 10000000 %L f000 02000000 08000000 0000 0000 6161616161616161"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "authentication reaches beyond the fragment"},
        {"more padding than stub",
         {"05000003 10000000 %L 0400 02000000 08000000 0000 0000 61616161 0a050500 00000000 00000000"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "more authentication padding than stub"},
        {"protection nobody agreed on",
         {"05000003 10000000 %L 0400 02000000 08000000 0000 0000 61616161 0a050000 00000000 00000000"},
         RPC_FAULT,
         RPC_S_ACCESS_DENIED,
         "a security context that was never made"},
        {"a fragment without its beginning",
         {"05000002 10000000 %L 0000 02000000 08000000 0000 0000 61616161"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "fragment of a call whose beginning is missing"},
        {"the same call twice",
         {"05000001 10000000 %L 0000 02000000 08000000 0000 0000 61616161",
          "05000001 10000000 %L 0000 02000000 08000000 0000 0000 61616161"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "a call that begins twice"},
        {"a call between the fragments of another",
         {"05000001 10000000 %L 0000 02000000 08000000 0000 0000 61616161",
          "05000003 10000000 %L 0000 03000000 08000000 0000 0000 61616161"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "a call between the fragments of another"},
        {"a fragment with protection that the first had not (CVE-2021-23192)",
         {"05000001 10000000 %L 0000 02000000 08000000 0000 0000 61616161",
          "05000002 10000000 %L 0400 02000000 08000000 0000 0000 61616161 0a050000 00000000 00000000"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "a fragment without the protection of the first"},
        {"a huge alloc_hint on the first fragment",
         {"05000001 10000000 %L 0000 02000000 ffffffff 0000 0000 61616161"},
         RPC_FAULT,
         RPC_S_ACCESS_DENIED,
         "a call is announced that is longer than the limit"},
        {"a call that is cancelled as it begins",
         {"05000007 10000000 %L 0000 02000000 08000000 0000 0000 61616161"},
         RPC_FAULT,
         RPC_S_NO_CALL_ACTIVE,
         "a call that is cancelled as it begins"},
        {"a response",
         {"05000203 10000000 %L 0000 02000000 08000000 00000000 6161"},
         0xff,
         0,
         "a PDU that the other side sends"},
        {"an unknown context",
         {"05000003 10000000 %L 0000 02000000 08000000 0700 0000 61616161"},
         RPC_FAULT,
         NCA_S_UNK_IF,
         NULL},
        {"an unknown context, in fragments",
         {"05000001 10000000 %L 0000 02000000 08000000 0700 0000 61616161",
          "05000000 10000000 %L 0000 02000000 08000000 0700 0000 61616161",
          "05000002 10000000 %L 0000 02000000 08000000 0700 0000 61616161"},
         RPC_FAULT,
         NCA_S_UNK_IF,
         NULL},
        {"auth3 out of the blue",
         {"05001003 10000000 %L 0100 01000000 00000000 0a050000 00000000 00"},
         RPC_FAULT,
         NCA_S_PROTO_ERROR,
         "auth3 without a handshake that waits for it"},
        {"orphaned and cancelled without a call",
         {"05001303 10000000 1000 0000 09000000", "05001203 10000000 1000 0000 09000000"},
         0xff,
         0,
         NULL},
};

static void try_one(const struct attempt *a)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu reply = {.header.ptype = 0xff};
	bool bare = strcmp(a->pdus[0], "-") == 0;
	struct rig r;

	rig_open(&r, 1);
	if (!bare) {
		send_hex(&r, BIND_ECHO);
		assert_true(next_reply(&r, arena, &reply));
		assert_int_equal(reply.header.ptype, RPC_BIND_ACK);
		reply.header.ptype = 0xff;
	}
	for (unsigned i = bare; i < ARRAY_SIZE(a->pdus) && a->pdus[i]; i++)
		send_hex(&r, a->pdus[i]);
	while (next_reply(&r, arena, &reply))
		continue;
	assert_int_equal(reply.header.ptype, a->ptype);
	assert_int_equal(reply.header.ptype == RPC_BIND_NAK ? reply.nak_reason : reply.fault_status, a->status);
	assert_false(rig_saw(&r.server_log, "> request "));
	assert_int_equal(rig_saw(&r.server_log, "closed"), a->why != NULL);
	if (a->why)
		assert_true(rig_saw(&r.server_log, a->why));
	/* What goes on works: a good call is answered. */
	if (!a->why && rpc_server_association(r.server)) {
		send_hex(&r, "05000003 10000000 %L 0000 08000000 08000000 0000 0000 61616161");
		assert_true(next_reply(&r, arena, &reply));
		assert_int_equal(reply.header.ptype, RPC_RESPONSE);
	}
	rig_close(&r);
}

static void test_attempts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		print_message("  %s\n", attempts[i].name);
		try_one(&attempts[i]);
	}
}

static void test_results(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu ack;
	struct rig r;
	(void)state;

	rig_open(&r, 1);
	send_hex(&r, "05000b03 10000000 %L 0000 01000000 b810 d007 00000000 04000000"
	             "0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR
	             "0100 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR64
	             "0200 01 00 11111111 2222 3333 4444555555555555 0100 0000" FEATURES
	             "0300 02 00 11111111 2222 3333 4444555555555555 0900 0000" NDR64 NDR);
	assert_true(next_reply(&r, arena, &ack));
	assert_int_equal(ack.bind.result_count, 4);
	assert_int_equal(ack.bind.results[0].result, 2);
	assert_int_equal(ack.bind.results[0].reason, 2);
	assert_int_equal(ack.bind.results[1].result, 0);
	assert_memory_equal(&ack.bind.results[1].transfer, &rpc_ndr64, sizeof rpc_ndr64);
	assert_int_equal(ack.bind.results[2].result, 3);
	assert_int_equal(ack.bind.results[2].reason, 3);
	assert_int_equal(ack.bind.results[3].result, 2);
	assert_int_equal(ack.bind.results[3].reason, 1);
	assert_string_equal(ack.bind.secondary_address, "49152");
	/* PFC_MAYBE: the call runs, no answer goes out. */
	send_hex(&r, "05000043 10000000 %L 0000 02000000 00000000 0100 0000 61");
	send_hex(&r, "05000043 10000000 %L 0000 03000000 00000000 0100 0100 61");
	assert_true(rig_saw(&r.server_log, "> request 3 ctx1 11111111 op1"));
	assert_int_equal(rpc_output(r.server)->len, 0);
	/* One size for both, and never below 2,048. */
	assert_int_equal(ack.bind.max_recv_frag, 2048);
	assert_int_equal(ack.bind.max_xmit_frag, 2048);
	rig_close(&r);
}

static void test_small_receiver(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	uint8_t request[5024] = {5, 0, 0, 3, 0x10, 0, 0, 0, 0xa0, 0x13, 0, 0, 2};
	size_t total = 0;
	struct rig r;
	(void)state;

	/* A client that says it takes 3,007 bytes gets 3,000 in one fragment, one that says 8 gets 2,048. */
	for (unsigned max = 0; max < 2; max++) {
		rig_open(&r, 1);
		send_hex(&r, max ? "05000b03 10000000 %L 0000 01000000 d016 bf0b 00000000 01000000"
		                   "0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR
		                 : "05000b03 10000000 %L 0000 01000000 0800 0800 00000000 01000000"
		                   "0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR);
		assert_true(next_reply(&r, arena, &pdu));
		rpc_feed(r.server, RPC_FROM_CLIENT, request, sizeof request, 0);
		total = 0;
		while (next_reply(&r, arena, &pdu)) {
			assert_int_equal(pdu.header.ptype, RPC_RESPONSE);
			assert_true(pdu.header.frag_length <= (max ? 3000 : 2048));
			assert_int_equal(pdu.alloc_hint, 5000 - total);
			total += pdu.stub_len;
		}
		assert_int_equal(total, 5000);
		rig_close(&r);
	}
}

/* As Windows: fragments of two calls never mix, whether or not concurrent multiplexing was agreed on. */
static void test_interleaved(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	(void)state;

	for (unsigned concurrent = 0; concurrent < 2; concurrent++) {
		struct rig r;
		rig_open(&r, 1);
		send_hex(&r, concurrent ? BIND_CONCURRENT : BIND_ECHO);
		assert_true(next_reply(&r, arena, &pdu));
		assert_int_equal(pdu.header.flags, concurrent ? 0x13 : 0x03);
		send_hex(&r, "05000001 10000000 %L 0000 02000000 00000000 0000 0000 61626364");
		send_hex(&r, "05000001 10000000 %L 0000 03000000 00000000 0000 0400 31323334");
		assert_true(next_reply(&r, arena, &pdu));
		assert_int_equal(pdu.header.ptype, RPC_FAULT);
		assert_int_equal(pdu.header.call_id, concurrent ? 3 : 2);
		assert_int_equal(pdu.fault_status, NCA_S_PROTO_ERROR);
		assert_true(rig_saw(&r.server_log, "closed"));
		rig_close(&r);
	}
}

/* Whole calls run side by side only where that was agreed on. */
static void test_concurrent(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	(void)state;

	for (unsigned concurrent = 0; concurrent < 2; concurrent++) {
		struct rig r;
		rig_open(&r, 1);
		send_hex(&r, concurrent ? BIND_CONCURRENT : BIND_ECHO);
		assert_true(next_reply(&r, arena, &pdu));
		send_hex(&r, "05000003 10000000 %L 0000 02000000 00000000 0000 0200 61");
		send_hex(&r, "05000003 10000000 %L 0000 03000000 00000000 0000 0000 62");
		assert_true(next_reply(&r, arena, &pdu));
		assert_int_equal(pdu.header.call_id, 3);
		assert_int_equal(pdu.header.ptype, concurrent ? RPC_RESPONSE : RPC_FAULT);
		/* An id that is taken is refused in any case. */
		if (concurrent) {
			send_hex(&r, "05000003 10000000 %L 0000 02000000 00000000 0000 0000 62");
			assert_true(next_reply(&r, arena, &pdu));
			assert_int_equal(pdu.fault_status, NCA_S_PROTO_ERROR);
		}
		assert_true(rig_saw(&r.server_log, "closed"));
		rig_close(&r);
	}
}

/* Operation and context count in the first fragment; orphaned and co_cancel leave a request that is not whole. */
static void test_later_fragments(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	struct rig r;
	(void)state;

	rig_open(&r, 1);
	send_hex(&r, BIND_ECHO);
	assert_true(next_reply(&r, arena, &pdu));
	send_hex(&r, "05000001 10000000 %L 0000 02000000 00000000 0000 0000 61626364");
	send_hex(&r, "05001303 10000000 1000 0000 02000000");
	send_hex(&r, "05001203 10000000 1000 0000 02000000");
	send_hex(&r, "05000006 10000000 %L 0000 02000000 00000000 6f00 6f00 65");
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.header.ptype, RPC_RESPONSE);
	assert_int_equal(pdu.context_id, 0);
	assert_int_equal(pdu.stub_len, 5);
	assert_true(rig_saw(&r.server_log, "> request 2 ctx0 11111111 op0 frags2 len5"));
	rig_close(&r);
}

static void limited(struct rig *r, struct rpc_limits limits)
{
	struct rpc_config config = {
	        .role = RPC_SERVER,
	        .on_event = rig_server_event,
	        .user = r,
	        .limits = limits,
	        .random = &r->random,
	        .server = &r->setup,
	};

	rig_open(r, 1);
	rpc_connection_free(&r->server);
	r->server = rpc_connection_new(&config);
}

/* CVE-2022-26809 is a sum of fragments that wrapped; ours ends beyond the limit, whatever each one says. */
static void test_too_long(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	uint8_t fragment[1024] = {5, 0, 0, 1, 0x10, 0, 0, 0, 0, 4, 0, 0, 2};
	(void)state;

	/* 4 MiB are 4,194 fragments and a bit; the default limit lets exactly that much through. */
	for (unsigned beyond = 0; beyond < 2; beyond++) {
		size_t left = ((size_t)4 << 20) + beyond;
		struct rig r;
		rig_open(&r, 1);
		send_hex(&r, BIND_ECHO);
		assert_true(next_reply(&r, arena, &pdu));
		for (unsigned i = 0; left > 0 && !rig_saw(&r.server_log, "closed"); i++) {
			size_t n = left < 1000 ? left : 1000;
			left -= n;
			fragment[3] = (uint8_t)((i == 0 ? 1 : 0) | (left == 0 ? 2 : 0));
			fragment[8] = (uint8_t)(24 + n);
			fragment[9] = (uint8_t)((24 + n) >> 8);
			fragment[12] = 2;
			rpc_feed(r.server, RPC_FROM_CLIENT, fragment, 24 + n, 0);
		}
		assert_true(next_reply(&r, arena, &pdu));
		assert_int_equal(pdu.header.ptype, beyond ? RPC_FAULT : RPC_RESPONSE);
		if (beyond) {
			assert_int_equal(pdu.fault_status, RPC_S_ACCESS_DENIED);
			assert_int_equal(pdu.header.flags, 3);
			assert_false(next_reply(&r, arena, &pdu));
		}
		assert_int_equal(rig_saw(&r.server_log, "closed"), beyond);
		rig_close(&r);
	}
}

static void test_limits(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	uint8_t fragment[1024] = {5, 0, 0, 1, 0x10, 0, 0, 0, 0, 4, 0, 0, 2};
	struct rig r;
	(void)state;

	limited(&r, (struct rpc_limits){.max_calls = 3, .max_contexts = 1});
	send_hex(&r, "05000b13 10000000 %L 0000 01000000 d016 d016 00000000 02000000"
	             "0000 01 00 11111111 2222 3333 4444555555555555 0100 0000" NDR
	             "0100 01 00 aaaaaaaa bbbb cccc ddddeeeeeeeeeeee 0300 0100" NDR);
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.bind.results[0].result, 0);
	assert_int_equal(pdu.bind.results[1].reason, 3);
	/* Three parked calls, and a fourth. */
	send_hex(&r, "05000003 10000000 %L 0000 03000000 00000000 0000 0200 61");
	send_hex(&r, "05000003 10000000 %L 0000 04000000 00000000 0000 0200 61");
	send_hex(&r, "05000003 10000000 %L 0000 05000000 00000000 0000 0200 61");
	assert_false(next_reply(&r, arena, &pdu));
	send_hex(&r, "05000003 10000000 %L 0000 06000000 00000000 0000 0200 61");
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.fault_status, NCA_S_SERVER_TOO_BUSY);
	/* In fragments: one fault, and the rest is passed over. */
	for (unsigned i = 0; i < 4; i++) {
		fragment[3] = i == 0 ? 1 : i == 3 ? 2 : 0;
		fragment[12] = 7;
		rpc_feed(r.server, RPC_FROM_CLIENT, fragment, sizeof fragment, 0);
	}
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.fault_status, NCA_S_SERVER_TOO_BUSY);
	assert_false(next_reply(&r, arena, &pdu));
	assert_false(rig_saw(&r.server_log, "closed"));
	rig_close(&r);
}

/* ---- Tampering with protected PDUs ---- */

/* One byte of the request, then of the answer, changes on its way: neither is believed. */
static void test_every_byte(void **state)
{
	static const enum auth_level levels[] = {AUTH_LEVEL_PACKET, AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};
	(void)state;

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		for (unsigned side = 0; side < 2; side++) {
			for (size_t at = 0; at < 64; at++) {
				uint32_t id = 0;
				struct rig r;
				rig_open(&r, at);
				rig_bind(&r, levels[l]);
				r.flip[side] = r.sent[side] + at;
				assert_int_equal(rpc_client_call(r.client, 0, OP_ECHO, NULL, "0123456789", 10, &id), 0);
				assert_true(rpc_output(r.client)->len == 64);
				rig_run(&r);
				assert_int_equal(rig_saw(&r.server_log, "> request "), side == 1);
				assert_false(rig_saw(&r.client_log, "< response "));
				rig_close(&r);
			}
		}
	}
}

/* The client's next PDU, changed by the test and fed to the server. */
static void forge(struct rig *r, const char *stub, size_t at, uint8_t value, uint32_t status, const char *why)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf *out = rpc_output(r->client);
	struct rpc_pdu pdu;
	uint32_t id;

	assert_int_equal(rpc_client_call(r->client, 0, OP_ECHO, NULL, stub, strlen(stub), &id), 0);
	assert_true(at < out->len && out->data[at] != value);
	out->data[at] = value;
	rpc_feed(r->server, RPC_FROM_CLIENT, out->data, out->len, 0);
	buf_clear(out);
	assert_true(next_reply(r, arena, &pdu));
	assert_int_equal(pdu.header.ptype, RPC_FAULT);
	assert_int_equal(pdu.fault_status, status);
	assert_false(rig_saw(&r->server_log, "> request "));
	assert_true(rig_saw(&r->server_log, why));
}

static void test_forged_trailer(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		uint32_t status;
		const char *why;
	} table[] = {
	        {40, 9, RPC_S_ACCESS_DENIED, "authentication type or level differ"},
	        {41, 2, RPC_S_ACCESS_DENIED, "authentication type or level differ"},
	        {41, 6, RPC_S_ACCESS_DENIED, "authentication type or level differ"},
	        {42, 0, RPC_S_SEC_PKG_ERROR, "the signature does not verify"},
	        {44, 99, RPC_S_ACCESS_DENIED, "a security context that was never made"},
	        {24, 'X', RPC_S_SEC_PKG_ERROR, "the signature does not verify"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct rig r;
		rig_open(&r, i);
		rig_bind(&r, AUTH_LEVEL_INTEGRITY);
		forge(&r, "0123456789", table[i].at, table[i].value, table[i].status, table[i].why);
		assert_true(rig_saw(&r.server_log, "closed"));
		rig_close(&r);
	}
}

static void test_stripped(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct rpc_pdu pdu;
	struct rig r;
	(void)state;

	rig_open(&r, 1);
	rig_bind(&r, AUTH_LEVEL_PACKET);
	send_hex(&r, "05000003 10000000 %L 0000 02000000 00000000 0000 0000 61616161");
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.fault_status, RPC_S_ACCESS_DENIED);
	assert_true(rig_saw(&r.server_log, "protection is missing"));
	rig_close(&r);

	/* At level connect a request may come without its verifier, [MS-RPCE] 3.3.1.5.4. */
	rig_open(&r, 1);
	rig_bind(&r, AUTH_LEVEL_CONNECT);
	send_hex(&r, "05000003 10000000 %L 0000 02000000 00000000 0000 0000 61616161");
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.header.ptype, RPC_RESPONSE);
	assert_true(rig_saw(&r.server_log, "> request 2 ctx0 11111111 op0 frags1 len4 sum"));
	rig_close(&r);

	/* But not before the handshake is over. */
	rig_open(&r, 1);
	struct rpc_client_bind bind = {.interfaces = &rig_echo,
	                               .interface_count = 1,
	                               .auth_type = AUTH_NTLM,
	                               .level = AUTH_LEVEL_CONNECT,
	                               .auth = &r.client_auth};
	assert_int_equal(rpc_client_bind(r.client, &bind, 0), 0);
	rig_carry(&r, RPC_FROM_CLIENT, SIZE_MAX);
	assert_true(next_reply(&r, arena, &pdu));
	send_hex(&r, "05000003 10000000 %L 0000 02000000 00000000 0000 0000 61616161");
	assert_true(next_reply(&r, arena, &pdu));
	assert_int_equal(pdu.fault_status, NCA_S_PROTO_ERROR);
	assert_false(rig_saw(&r.server_log, "> request "));
	rig_close(&r);
}

static void test_replay(void **state)
{
	uint8_t kept[512];
	uint32_t id;
	size_t n;
	struct rig r;
	(void)state;

	rig_open(&r, 3);
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	assert_int_equal(rpc_client_call(r.client, 0, OP_ECHO, NULL, "once", 4, &id), 0);
	n = rpc_output(r.client)->len;
	assert_true(n <= sizeof kept);
	memcpy(kept, rpc_output(r.client)->data, n);
	rig_run(&r);
	assert_int_equal(r.answers, 1);
	rpc_feed(r.server, RPC_FROM_CLIENT, kept, n, 0);
	assert_true(rig_saw(&r.server_log, "the signature does not verify"));
	rig_close(&r);
}

/* [MS-RPCE] 2.2.2.13: signature, bitmask, pcontext, header2; then changed byte by byte. */
#define TRAILER                                                                                                        \
	"8ae3137102f43671 0100 0400 01000000 0280 2800 11111111 2222 3333 4444555555555555 0100 0000" NDR              \
	" 0340 1000 00000000 10000000 02000000 0000 0000"

static void with_trailer(const char *stub_hex, size_t flip, bool good, size_t len)
{
	uint8_t stub[512];
	size_t n = rig_hex(stub_hex, stub, sizeof stub);
	uint32_t id;
	struct rig r;

	rig_open(&r, 1);
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	if (flip < n)
		stub[flip] ^= 0x55;
	assert_int_equal(rpc_client_call(r.client, 0, OP_ECHO, NULL, stub, n, &id), 0);
	assert_int_equal(id, 2);
	rig_run(&r);
	assert_int_equal(r.fault, good ? 0 : RPC_S_ACCESS_DENIED);
	assert_int_equal(rig_saw(&r.server_log, "closed"), !good);
	if (good)
		assert_int_equal(r.answer.len, len);
	else
		assert_false(rig_saw(&r.server_log, "> request "));
	rig_close(&r);
}

static void test_verification_trailer(void **state)
{
	(void)state;
	with_trailer("61626364", SIZE_MAX, true, 4);
	with_trailer("61626364" TRAILER, SIZE_MAX, true, 4);
	/* Not at a multiple of 4: it is no trailer. */
	with_trailer("616263" TRAILER, SIZE_MAX, true, 83);
	for (size_t at = 24; at < 64; at++)
		with_trailer("61626364" TRAILER, at, false, 0);
	/* ptype, drep, call id, context, operation */
	with_trailer("61626364" TRAILER, 68, false, 0);
	for (size_t at = 72; at < 84; at++)
		with_trailer("61626364" TRAILER, at, false, 0);
	/* An unknown command, that may be passed over or not; one that is cut off; no end. */
	with_trailer("8ae3137102f43671 0940 0400 01000000", SIZE_MAX, true, 0);
	with_trailer("8ae3137102f43671 09c0 0400 01000000", SIZE_MAX, false, 0);
	with_trailer("8ae3137102f43671 0940 0800 01000000", SIZE_MAX, false, 0);
	with_trailer("8ae3137102f43671 0100 0400 01000000", SIZE_MAX, false, 0);
}

/* ---- Servers that lie ---- */

static void test_lying_server(void **state)
{
	static const struct {
		enum auth_level level;
		const char *pdu, *why;
	} table[] = {
	        {AUTH_LEVEL_NONE, "05000203 10000000 %L 0000 09000000 00000000 00000000 6161", "an answer to no call"},
	        {AUTH_LEVEL_NONE, "05000f03 10000000 %L 0000 01000000 d016 d016 01000000 0000 0000 00000000",
	         "an answer to no bind"},
	        {AUTH_LEVEL_PACKET, "05000203 10000000 %L 0000 02000000 00000000 00000000 6161",
	         "the answer is not protected as agreed"},
	        {AUTH_LEVEL_NONE, "05000003 10000000 %L 0000 02000000 00000000 00000000 6161",
	         "a PDU that the other side sends"},
	        {AUTH_LEVEL_NONE, "05000202 10000000 %L 0000 02000000 00000000 00000000 6161",
	         "fragment of a call whose beginning is missing"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint8_t bytes[256];
		size_t n = pdu_of(table[i].pdu, bytes, sizeof bytes);
		uint32_t id;
		struct rig r;
		rig_open(&r, i);
		rig_bind(&r, table[i].level);
		assert_int_equal(rpc_client_call(r.client, 0, OP_PARK, NULL, "x", 1, &id), 0);
		rpc_feed(r.client, RPC_FROM_SERVER, bytes, n, 0);
		assert_true(rig_saw(&r.client_log, table[i].why));
		assert_true(rig_saw(&r.client_log, "closed"));
		assert_int_equal(r.answers, 0);
		assert_int_equal(rpc_client_call(r.client, 0, OP_PARK, NULL, "x", 1, &id), MW_E_STATE);
		rig_close(&r);
	}
}

/* A recorded conversation with random damage, into every role: it ends, and nothing is read or kept out of bounds. */
static void test_random_damage(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 150; seed++) {
		struct rig r;
		rig_open(&r, seed);
		r.small_chunks = seed % 2;
		r.flip[seed % 2] = noise_next(&r.noise) % 1500;
		struct rpc_client_bind bind = {.interfaces = &rig_echo,
		                               .interface_count = 1,
		                               .auth_type = seed % 3 ? AUTH_NTLM : AUTH_NONE,
		                               .level = AUTH_LEVEL_PRIVACY,
		                               .auth = &r.client_auth};
		assert_int_equal(rpc_client_bind(r.client, &bind, 0), 0);
		rig_run(&r);
		for (unsigned i = 0; i < 5; i++) {
			uint8_t *stub = rig_bytes(&r, 200);
			uint32_t id;
			if (rpc_client_call(r.client, 0, OP_ECHO, NULL, stub, 200, &id) == 0)
				rig_run(&r);
			free(stub);
		}
		rpc_eof(r.observer, RPC_FROM_CLIENT, 0);
		rpc_eof(r.observer, RPC_FROM_SERVER, 0);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_attempts),       cmocka_unit_test(test_results),
	        cmocka_unit_test(test_small_receiver), cmocka_unit_test(test_interleaved),
	        cmocka_unit_test(test_concurrent),     cmocka_unit_test(test_later_fragments),
	        cmocka_unit_test(test_too_long),       cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_every_byte),     cmocka_unit_test(test_forged_trailer),
	        cmocka_unit_test(test_stripped),       cmocka_unit_test(test_verification_trailer),
	        cmocka_unit_test(test_replay),         cmocka_unit_test(test_lying_server),
	        cmocka_unit_test(test_random_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
