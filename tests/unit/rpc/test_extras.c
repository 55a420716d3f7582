#include "rig.h"

/* What our client does as Windows' do: NDR64 beside NDR 2.0, features, the verification trailer. */

static void bind_all(struct rig *r, enum auth_level level)
{
	struct rpc_client_bind bind = {
	        .interfaces = &rig_echo,
	        .interface_count = 1,
	        .extras = RPC_OFFER_NDR64 | RPC_OFFER_FEATURES | RPC_SEND_TRAILER,
	        .auth_type = level == AUTH_LEVEL_NONE ? AUTH_NONE : AUTH_NTLM,
	        .level = level,
	        .auth = &r->client_auth,
	};
	assert_int_equal(rpc_client_bind(r->client, &bind, r->now), 0);
	rig_run(r);
	assert_true(rpc_client_ready(r->client));
}

static void offers(void **state)
{
	struct rig r;
	uint16_t id, first;
	enum ndr_syntax syntax;
	(void)state;
	rig_open(&r, 1);
	bind_all(&r, AUTH_LEVEL_PRIVACY);
	assert_int_equal(rpc_client_context(r.client, &rig_echo, &id, &syntax), 0);
	assert_int_equal(id, 1);
	assert_int_equal(syntax, NDR_64);
	assert_int_equal(rpc_client_context(r.client, &rig_other, &id, &syntax), MW_E_NOTFOUND);
	/* Contexts 0 and 1 are echo's, 2 negotiated features. */
	assert_int_equal(rpc_client_alter(r.client, &rig_other, &first, r.now), 0);
	rig_run(&r);
	assert_int_equal(first, 3);
	assert_int_equal(rpc_client_context(r.client, &rig_other, &id, &syntax), 0);
	assert_int_equal(id, 4);
	assert_int_equal(syntax, NDR_64);
	rig_close(&r);
}

static const uint8_t signature[8] = {0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71};

/* Where the next trailer begins in what was carried, from there on; its end: none. */
static size_t find(const struct rig *r, size_t from)
{
	for (size_t i = from; i + sizeof signature <= r->tape.len; i++)
		if (memcmp(r->tape.data + i, signature, sizeof signature) == 0)
			return i;
	return r->tape.len;
}

static unsigned count(const struct rig *r)
{
	unsigned n = 0;
	for (size_t at = find(r, 0); at < r->tape.len; at = find(r, at + 1))
		n++;
	return n;
}

/* Signature, bitmask, then the context's two syntaxes, the second of which is NDR64: no fragment's end in between. */
static bool is_whole(const struct rig *r)
{
	static const uint8_t commands[12] = {1, 0, 4, 0, 1, 0, 0, 0, 2, 0x40, 40, 0};
	uint8_t ndr64[16];
	size_t at = find(r, 0);
	guid_to_bytes(&rpc_ndr64.uuid, ndr64);
	return at + 60 <= r->tape.len && memcmp(r->tape.data + at + 8, commands, sizeof commands) == 0 &&
	       memcmp(r->tape.data + at + 40, ndr64, sizeof ndr64) == 0;
}

/* A first call of that length. Up to the trailer the stub is filled to a multiple of 4. */
static void first_call(enum auth_level level, size_t len)
{
	struct rig r;
	uint32_t id;
	rig_open(&r, 1);
	bind_all(&r, level);
	uint8_t *stub = rig_bytes(&r, len);
	assert_int_equal(rpc_client_call(r.client, 1, OP_ECHO, NULL, stub, len, &id), 0);
	rig_run(&r);
	assert_int_equal(r.answer.len, (len + 3) & ~(size_t)3);
	assert_memory_equal(r.answer.data, stub, len);
	assert_true(level == AUTH_LEVEL_PRIVACY || is_whole(&r));
	free(stub);
	rig_close(&r);
}

/* Each length of stub near the end of a fragment: the trailer is taken off, and never cut in two. */
static void trailers(void **state)
{
	static const enum auth_level levels[] = {AUTH_LEVEL_PACKET, AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};
	(void)state;
	for (size_t l = 0; l < ARRAY_SIZE(levels); l++)
		for (size_t len = 5680; len < 5840; len++) {
			first_call(levels[l], len);
			first_call(levels[l], 2 * len);
		}
}

/* Once for each context where headers are signed; not at all where nothing is. */
static void how_often(void **state)
{
	struct rig r;
	uint16_t id;
	uint32_t call;
	(void)state;
	rig_open(&r, 1);
	bind_all(&r, AUTH_LEVEL_INTEGRITY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rpc_client_call(r.client, 1, OP_ECHO, NULL, "abc", 3, &call), 0);
		rig_run(&r);
	}
	assert_int_equal(count(&r), 1);
	assert_int_equal(rpc_client_alter(r.client, &rig_other, &id, r.now), 0);
	rig_run(&r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rpc_client_call(r.client, (uint16_t)(id + 1), OP_ECHO, NULL, "abc", 3, &call), 0);
		rig_run(&r);
	}
	assert_int_equal(count(&r), 2);
	rig_close(&r);
	rig_open(&r, 1);
	bind_all(&r, AUTH_LEVEL_CONNECT);
	assert_int_equal(rpc_client_call(r.client, 1, OP_ECHO, NULL, "abc", 3, &call), 0);
	rig_run(&r);
	assert_int_equal(count(&r), 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(offers),
	        cmocka_unit_test(trailers),
	        cmocka_unit_test(how_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
