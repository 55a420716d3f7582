#include "rig.h"

#include "base/arena.h"

/*
 * Attacks that others fell for, by the number under which they became known. The
 * attacker speaks the protocol by hand and has a password of its own.
 */

#define WHOLE (RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG)

/* The server's last answer; parsed into the arena. */
static bool reply(struct rig *r, struct arena *arena, struct rpc_pdu *out)
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

static void send_buf(struct rig *r, struct buf *pdu)
{
	assert_int_equal(buf_error(pdu), 0);
	rpc_feed(r->server, RPC_FROM_CLIENT, pdu->data, pdu->len, r->now);
	buf_clear(pdu);
}

static void put_offer(struct rig *r, enum rpc_ptype ptype, uint32_t group, const struct rpc_sec_trailer *trailer,
                      const struct buf *token)
{
	struct buf MW_CLEANUP(buf_free) pdu = {0};
	struct rpc_syntax ndr = rpc_ndr20;
	struct rpc_context_item item = {.abstract = rig_echo, .transfer_count = 1, .transfers = &ndr};
	struct rpc_bind bind = {.max_xmit_frag = RPC_MAX_FRAG,
	                        .max_recv_frag = RPC_MAX_FRAG,
	                        .assoc_group_id = group,
	                        .context_count = 1,
	                        .contexts = &item};

	rpc_put_header(&pdu, ptype, WHOLE, 1);
	if (ptype == RPC_AUTH3)
		buf_put_zero(&pdu, 4);
	else
		rpc_put_bind(&pdu, &bind);
	rpc_pdu_finish(&pdu, 0, trailer, token ? token->data : NULL, token ? token->len : 0);
	send_buf(r, &pdu);
}

/* A leg of a handshake; what the server sent is in in, what comes back in out. */
static void leg(struct rig *r, struct arena *arena, enum rpc_ptype ptype, const struct rpc_sec_trailer *trailer,
                struct auth_context *auth, const struct rpc_pdu *in, struct rpc_pdu *out)
{
	struct auth_env env = {.now_ns = INT64_C(1795507200000000000), .random = &r->random};
	struct buf MW_CLEANUP(buf_free) token = {0};
	int step = auth_step(auth, &env, in ? cursor_of(in->auth_value, in->header.auth_length) : cursor_of(NULL, 0),
	                     &token, NULL);

	assert_true(step == 0 || step == MW_E_AGAIN);
	put_offer(r, ptype, 0, trailer, &token);
	out->header.ptype = 0xff;
	if (reply(r, arena, out))
		assert_false(reply(r, arena, out));
}

static struct auth_context *client_of(struct rig *r, enum auth_level level)
{
	struct auth_context *auth = NULL;

	assert_int_equal(auth_client_new(AUTH_NTLM, level, &r->client_auth, &auth), 0);
	return auth;
}

/* A further security context by two alter_context. */
static struct auth_context *further(struct rig *r, struct arena *arena, uint32_t id, enum auth_level level)
{
	struct rpc_sec_trailer trailer = {.type = AUTH_NTLM, .level = (uint8_t)level, .context_id = id};
	struct auth_context *auth = client_of(r, level);
	struct rpc_pdu challenge, done;

	leg(r, arena, RPC_ALTER_CONTEXT, &trailer, auth, NULL, &challenge);
	assert_int_equal(challenge.header.ptype, RPC_ALTER_CONTEXT_RESP);
	leg(r, arena, RPC_ALTER_CONTEXT, &trailer, auth, &challenge, &done);
	assert_int_equal(done.header.ptype, RPC_ALTER_CONTEXT_RESP);
	assert_int_equal(done.header.auth_length, 0);
	return auth;
}

/* A fragment of 16 bytes, signed by auth (or NULL: bare). */
static void fragment(struct rig *r, uint8_t flags, uint32_t id, enum auth_level level, struct auth_context *auth)
{
	struct rpc_sec_trailer trailer = {.type = AUTH_NTLM, .level = (uint8_t)level, .context_id = id};
	struct buf MW_CLEANUP(buf_free) pdu = {0};
	size_t value;

	rpc_put_header(&pdu, RPC_REQUEST, flags, 9);
	buf_put_zero(&pdu, 8);
	buf_put(&pdu, "0123456789abcdef", 16);
	value = rpc_pdu_finish(&pdu, 0, auth ? &trailer : NULL, NULL, auth ? auth_signature_size(auth) : 0);
	if (auth)
		assert_int_equal(
		        auth_protect(auth, pdu.data, value, 24, value - 24 - RPC_SEC_TRAILER_SIZE, pdu.data + value),
		        0);
	send_buf(r, &pdu);
}

static void expect_fault(struct rig *r, struct arena *arena, uint32_t status)
{
	struct rpc_pdu pdu;

	assert_true(reply(r, arena, &pdu));
	assert_int_equal(pdu.header.ptype, RPC_FAULT);
	assert_int_equal(pdu.fault_status, status);
	assert_false(reply(r, arena, &pdu));
	assert_true(rig_saw(&r->server_log, "closed"));
	assert_false(rig_saw(&r->server_log, "> request "));
}

static void bind_bare(struct rig *r, struct arena *arena)
{
	struct rpc_pdu ack;

	rig_open(r, 1);
	put_offer(r, RPC_BIND, 0, NULL, NULL);
	assert_true(reply(r, arena, &ack));
	assert_int_equal(ack.header.ptype, RPC_BIND_ACK);
}

/* The rest of a call under another security context than its beginning. */
static void test_cve_2021_23192(void **state)
{
	static const struct {
		bool first, second; /* by the second context, else the first */
		bool bare;          /* the later one without any */
		uint32_t status;
	} table[] = {{false, true, false, RPC_S_SEC_PKG_ERROR},
	             {true, false, false, RPC_S_SEC_PKG_ERROR},
	             {false, false, true, NCA_S_PROTO_ERROR}};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		static const enum auth_level levels[] = {AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PACKET};
		struct auth_context *both[2];
		unsigned a = table[i].first, b = table[i].second;
		struct rig r;
		bind_bare(&r, arena);
		both[0] = further(&r, arena, 1, levels[0]);
		both[1] = further(&r, arena, 2, levels[1]);
		fragment(&r, RPC_PFC_FIRST_FRAG, a + 1, levels[a], both[a]);
		assert_int_equal(rpc_output(r.server)->len, 0);
		fragment(&r, RPC_PFC_LAST_FRAG, b + 1, levels[b], table[i].bare ? NULL : both[b]);
		expect_fault(&r, arena, table[i].status);
		auth_free(&both[0]);
		auth_free(&both[1]);
		rig_close(&r);
	}
}

/* The level, provider or context of a handshake changes between its legs, or it begins anew. */
static void test_cve_2015_5370(void **state)
{
	static const struct {
		enum rpc_ptype ptype;
		struct rpc_sec_trailer trailer;
		uint32_t status;
	} table[] = {
	        {RPC_ALTER_CONTEXT, {AUTH_NTLM, AUTH_LEVEL_CONNECT, 0, 0, 1}, RPC_S_ACCESS_DENIED},
	        {RPC_ALTER_CONTEXT, {AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, 0, 0, 1}, RPC_S_SEC_PKG_ERROR},
	        {RPC_ALTER_CONTEXT, {AUTH_NONE, AUTH_LEVEL_PRIVACY, 0, 0, 1}, RPC_S_ACCESS_DENIED},
	        {RPC_ALTER_CONTEXT, {AUTH_NTLM, AUTH_LEVEL_PRIVACY, 0, 0, 2}, NCA_S_PROTO_ERROR},
	        {RPC_AUTH3, {AUTH_NTLM, AUTH_LEVEL_CONNECT, 0, 0, 1}, NCA_S_PROTO_ERROR},
	        {RPC_AUTH3, {AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, 0, 0, 1}, NCA_S_PROTO_ERROR},
	        {RPC_AUTH3, {AUTH_NTLM, AUTH_LEVEL_PRIVACY, 0, 0, 2}, NCA_S_PROTO_ERROR},
	};
	struct rpc_sec_trailer begun = {.type = AUTH_NTLM, .level = AUTH_LEVEL_PRIVACY, .context_id = 1};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct auth_context *auth;
		struct rpc_pdu challenge;
		struct buf MW_CLEANUP(buf_free) token = {0};
		struct rig r;
		rig_open(&r, i);
		auth = client_of(&r, AUTH_LEVEL_PRIVACY);
		leg(&r, arena, RPC_BIND, &begun, auth, NULL, &challenge);
		assert_int_equal(challenge.header.ptype, RPC_BIND_ACK);
		buf_put_str(&token, "NTLMSSP");
		put_offer(&r, table[i].ptype, 0, &table[i].trailer, &token);
		expect_fault(&r, arena, table[i].status);
		auth_free(&auth);
		rig_close(&r);
	}
}

/* A man in the middle takes protection away from calls that have it. */
static void test_cve_2016_2118(void **state)
{
	static const enum auth_level lower[] = {AUTH_LEVEL_NONE, AUTH_LEVEL_CONNECT, AUTH_LEVEL_PACKET};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(lower); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct rig r;
		rig_open(&r, i);
		rig_bind(&r, AUTH_LEVEL_PRIVACY);
		if (lower[i] == AUTH_LEVEL_NONE) {
			fragment(&r, WHOLE, 1, AUTH_LEVEL_NONE, NULL);
		} else {
			struct rpc_sec_trailer trailer = {
			        .type = AUTH_NTLM, .level = (uint8_t)lower[i], .context_id = 1};
			struct buf MW_CLEANUP(buf_free) pdu = {0};
			rpc_put_header(&pdu, RPC_REQUEST, WHOLE, 9);
			buf_put_zero(&pdu, 24);
			rpc_pdu_finish(&pdu, 0, &trailer, NULL, 16);
			send_buf(&r, &pdu);
		}
		expect_fault(&r, arena, RPC_S_ACCESS_DENIED);
		rig_close(&r);
	}
}

/* Counts that promise more than the PDU holds. */
static void test_cve_2012_1182(void **state)
{
	static const size_t counts[] = {24, 30}; /* of contexts, of transfer syntaxes */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct buf MW_CLEANUP(buf_free) pdu = {0};
		struct rpc_syntax ndr = rpc_ndr20;
		struct rpc_context_item item = {.abstract = rig_echo, .transfer_count = 1, .transfers = &ndr};
		struct rpc_bind bind = {.context_count = 1, .contexts = &item};
		struct rpc_pdu nak;
		struct rig r;
		rig_open(&r, i);
		rpc_put_header(&pdu, RPC_BIND, WHOLE, 1);
		rpc_put_bind(&pdu, &bind);
		rpc_pdu_finish(&pdu, 0, NULL, NULL, 0);
		pdu.data[counts[i]] = 0xff;
		send_buf(&r, &pdu);
		assert_true(reply(&r, arena, &nak));
		assert_int_equal(nak.header.ptype, RPC_BIND_NAK);
		assert_int_equal(nak.nak_reason, 4);
		assert_true(rig_saw(&r.server_log, "announced than fit"));
		rig_close(&r);
	}
}

/* Fragments without a byte, for ever: nothing grows, and what follows is still one call. */
static void test_cve_2022_26809(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	uint8_t empty[24] = {5, 0, 0, 1, 0x10, 0, 0, 0, 24, 0, 0, 0, 9};
	struct rpc_pdu pdu;
	struct rig r;
	(void)state;

	bind_bare(&r, arena);
	for (unsigned i = 0; i < 200000; i++) {
		rpc_feed(r.server, RPC_FROM_CLIENT, empty, sizeof empty, 0);
		empty[3] = 0;
	}
	assert_int_equal(rpc_output(r.server)->len, 0);
	fragment(&r, RPC_PFC_LAST_FRAG, 0, AUTH_LEVEL_NONE, NULL);
	assert_true(reply(&r, arena, &pdu));
	assert_int_equal(pdu.header.ptype, RPC_RESPONSE);
	assert_int_equal(pdu.stub_len, 16);
	rig_close(&r);
}

/* One step of the client's own; its token is sent in this PDU. */
static void offer(struct rig *r, struct arena *arena, enum rpc_ptype ptype, const struct buf *token,
                  struct rpc_pdu *answer)
{
	const struct rpc_sec_trailer trailer = {.type = AUTH_NTLM, .level = AUTH_LEVEL_PRIVACY, .context_id = 1};

	put_offer(r, ptype, 0, &trailer, token);
	if (answer)
		assert_true(reply(r, arena, answer));
}

/* NTLM: what proves a user to one connection (challenge) proves nothing on another, nor once more. */
static void test_ntlm_relayed_and_replayed(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf MW_CLEANUP(buf_free) negotiate = {0}, authenticate = {0};
	struct auth_env env = {.now_ns = INT64_C(1795507200000000000)};
	struct auth_context *client;
	struct rpc_pdu challenge, other;
	struct rig rigs[3];
	(void)state;

	for (unsigned i = 0; i < ARRAY_SIZE(rigs); i++)
		rig_open(&rigs[i], i + 1);
	env.random = &rigs[0].random;
	client = client_of(&rigs[0], AUTH_LEVEL_PRIVACY);
	assert_int_equal(auth_step(client, &env, cursor_of(NULL, 0), &negotiate, NULL), MW_E_AGAIN);
	offer(&rigs[0], arena, RPC_BIND, &negotiate, &challenge);
	assert_int_equal(challenge.header.ptype, RPC_BIND_ACK);
	struct cursor in = cursor_of(challenge.auth_value, challenge.header.auth_length);
	assert_int_equal(auth_step(client, &env, in, &authenticate, NULL), 0);
	for (unsigned i = 1; i < ARRAY_SIZE(rigs); i++) {
		if (i == 2) /* by now it was good once */
			offer(&rigs[0], arena, RPC_ALTER_CONTEXT, &authenticate, &challenge);
		offer(&rigs[i], arena, RPC_BIND, &negotiate, &other);
		assert_int_equal(other.header.ptype, RPC_BIND_ACK);
		offer(&rigs[i], arena, RPC_ALTER_CONTEXT, &authenticate, NULL);
		expect_fault(&rigs[i], arena, RPC_S_SEC_PKG_ERROR);
	}
	assert_int_equal(challenge.header.ptype, RPC_ALTER_CONTEXT_RESP);
	auth_free(&client);
	for (unsigned i = 0; i < ARRAY_SIZE(rigs); i++)
		rig_close(&rigs[i]);
}

static void no_rundown(void *object)
{
	(void)object;
}

/* Handles are an association's own, and a group is joined only where its number is known. */
static void test_stolen_handle_and_group(void **state)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct idl_context_handle handle;
	struct rpc_association *owner, *thief;
	struct rpc_pdu nak;
	struct rig r, other;
	int object;
	(void)state;

	bind_bare(&r, arena);
	owner = rpc_server_association(r.server);
	assert_int_equal(rpc_handle_create(owner, &rig_interface, &object, no_rundown, &handle), 0);
	rig_open(&other, 2);
	rpc_associations_free(&other.associations);
	other.associations = NULL;
	other.setup.associations = r.associations;
	put_offer(&other, RPC_BIND, 0, NULL, NULL);
	thief = rpc_server_association(other.server);
	assert_ptr_not_equal(owner, thief);
	assert_null(rpc_handle_find(thief, &rig_interface, &handle));
	assert_ptr_equal(rpc_handle_find(owner, &rig_interface, &handle), &object);
	rpc_connection_free(&other.server);
	/* A guess at the number. */
	other.server = rig_connection(&other, RPC_SERVER, rig_server_event);
	put_offer(&other, RPC_BIND, rpc_association_id(owner) ^ 1, NULL, NULL);
	assert_true(reply(&other, arena, &nak));
	assert_int_equal(nak.header.ptype, RPC_BIND_NAK);
	assert_null(rpc_server_association(other.server));
	rig_close(&other);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_cve_2021_23192),
	        cmocka_unit_test(test_cve_2015_5370),
	        cmocka_unit_test(test_cve_2016_2118),
	        cmocka_unit_test(test_cve_2012_1182),
	        cmocka_unit_test(test_cve_2022_26809),
	        cmocka_unit_test(test_stolen_handle_and_group),
	        cmocka_unit_test(test_ntlm_relayed_and_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
