#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/spnego_message.h"
#include "util.h"

/* SPNEGO around NTLM: client against server in memory with an observer beside them; then with somebody between. */

static const char password[] = "Passw0rd, with spaces";

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain;
	if (strcmp(name, "alice") != 0)
		return MW_E_NOTFOUND;
	out->id = 7;
	ntlm_nt_hash(password, out->nt_hash);
	return 0;
}

#define LEGS 4

struct world {
	struct test_random random;
	struct random_source source;
	struct auth_env env;
	struct auth_client_config client_config;
	struct auth_server_config server_config;
	struct auth_secret secret;
	struct auth_observer_config observer_config;
	struct auth_context *client, *server, *observer;
	struct buf tokens[LEGS];
	uint32_t status;
};

static void open_world(struct world *w, enum auth_level level)
{
	*w = (struct world){.random = {42}};
	w->source = (struct random_source){test_fill, &w->random};
	w->env = (struct auth_env){INT64_C(1795507200000000000), &w->source};
	w->client_config = (struct auth_client_config){
	        .domain = "DEMO", .user = "alice", .password = password, .workstation = "WS"};
	w->server_config = (struct auth_server_config){
	        .netbios_domain = "DEMO", .netbios_computer = "MAIL", .find_account = find_account};
	w->secret = (struct auth_secret){
	        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = password};
	w->observer_config = (struct auth_observer_config){.secrets = &w->secret, .secret_count = 1};
	assert_int_equal(auth_client_new(AUTH_SPNEGO, level, &w->client_config, &w->client), 0);
	assert_int_equal(auth_server_new(AUTH_SPNEGO, level, &w->server_config, &w->server), 0);
	assert_int_equal(auth_observer_new(AUTH_SPNEGO, level, &w->observer_config, &w->observer), 0);
}

static void close_world(struct world *w)
{
	auth_free(&w->client);
	auth_free(&w->server);
	auth_free(&w->observer);
	for (int i = 0; i < LEGS; i++)
		buf_free(&w->tokens[i]);
}

static struct cursor token(const struct world *w, int leg)
{
	return cursor_of(w->tokens[leg].data, w->tokens[leg].len);
}

/* Leg 0 is the client's first; the token of each leg is kept. */
static int step(struct world *w, int leg)
{
	struct auth_context *ctx = leg % 2 == 0 ? w->client : w->server;
	struct cursor in = leg > 0 ? token(w, leg - 1) : cursor_of(NULL, 0);
	return auth_step(ctx, &w->env, in, &w->tokens[leg], &w->status);
}

/* Runs the legs [from, to), each of which must ask for more. */
static void steps(struct world *w, int from, int to)
{
	for (int leg = from; leg < to; leg++)
		assert_int_equal(step(w, leg), MW_E_AGAIN);
}

static int last_step(struct world *w)
{
	struct buf MW_CLEANUP(buf_free) nothing = {0};
	int r = auth_step(w->client, &w->env, token(w, 3), &nothing, &w->status);
	assert_int_equal(nothing.len, 0);
	return r;
}

static void shake(struct world *w)
{
	steps(w, 0, 3);
	assert_int_equal(step(w, 3), 0);
	assert_int_equal(last_step(w), 0);
	for (int leg = 0; leg < LEGS; leg++)
		auth_watch(w->observer, leg % 2 == 0 ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER, token(w, leg));
}

/* ---- What a token holds, and tokens that were never sent ---- */

static struct spnego_token parse(const struct world *w, int leg)
{
	struct spnego_token t;
	assert_int_equal(spnego_parse(token(w, leg), &t), 0);
	return t;
}

static void replace(struct world *w, int leg, const struct spnego_token *t)
{
	struct buf fresh = {0};
	assert_int_equal(spnego_build(t, &fresh), 0);
	buf_free(&w->tokens[leg]);
	w->tokens[leg] = fresh;
}

/* ---- PDUs ---- */

#define PDU_SIZE 120
#define BODY 24
#define BODY_SIZE 80

static void exchange(struct world *w, enum auth_side from, unsigned number)
{
	struct auth_context *sender = from == AUTH_FROM_CLIENT ? w->client : w->server;
	struct auth_context *receiver = from == AUTH_FROM_CLIENT ? w->server : w->client;
	uint8_t plain[PDU_SIZE], sent[PDU_SIZE], seen[PDU_SIZE], signature[16];
	for (size_t i = 0; i < PDU_SIZE; i++)
		plain[i] = (uint8_t)(number * 31 + i);
	memcpy(sent, plain, PDU_SIZE);
	assert_int_equal(auth_signature_size(sender), sizeof signature);
	assert_int_equal(auth_protect(sender, sent, PDU_SIZE, BODY, BODY_SIZE, signature), 0);
	memcpy(seen, sent, PDU_SIZE);
	assert_int_equal(auth_check(receiver, from, sent, PDU_SIZE, BODY, BODY_SIZE, signature, 16), 0);
	assert_memory_equal(sent, plain, PDU_SIZE);
	assert_int_equal(auth_check(w->observer, from, seen, PDU_SIZE, BODY, BODY_SIZE, signature, 16), 0);
	assert_memory_equal(seen, plain, PDU_SIZE);
}

static void every_level(void **state)
{
	(void)state;
	for (int level = AUTH_LEVEL_CONNECT; level <= AUTH_LEVEL_PRIVACY; level++) {
		struct world w;
		struct auth_info info;
		uint8_t keys[2][16];
		open_world(&w, (enum auth_level)level);
		shake(&w);
		for (unsigned i = 0; i < 4; i++) {
			exchange(&w, AUTH_FROM_CLIENT, i);
			exchange(&w, AUTH_FROM_SERVER, i + 50);
		}
		auth_get_info(w.server, &info);
		assert_int_equal(info.type, AUTH_SPNEGO);
		assert_int_equal(info.mechanism, AUTH_NTLM);
		assert_int_equal(info.account_id, 7);
		assert_true(info.complete);
		auth_get_info(w.observer, &info);
		assert_int_equal(info.key, AUTH_KEY_FITS);
		assert_string_equal(info.user, "alice");
		assert_int_equal(auth_session_key(w.client, keys[0]), 0);
		assert_int_equal(auth_session_key(w.server, keys[1]), 0);
		assert_memory_equal(keys[0], keys[1], 16);
		close_world(&w);
	}
}

/* Both prove the list, at each level: the tokens have what RFC 4178 says, no more. */
static void what_is_sent(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_CONNECT);
	shake(&w);
	struct spnego_token t = parse(&w, 0);
	assert_true(t.is_init && t.mech_count == 1 && t.mechs[0] == SPNEGO_NTLM && t.mic.data == NULL);
	assert_hex(t.mech_list.data, t.mech_list.len, "300c 060a 2b06010401823702020a");
	t = parse(&w, 1);
	assert_true(!t.is_init && t.state == SPNEGO_ACCEPT_INCOMPLETE && t.mech == SPNEGO_NTLM && t.mic.data == NULL);
	t = parse(&w, 2);
	assert_int_equal(t.mic.len, 16);
	t = parse(&w, 3);
	assert_true(t.state == SPNEGO_ACCEPT_COMPLETED && t.token.len == 0 && t.mic.len == 16);
	close_world(&w);
}

static void raw_ntlm(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY);
	auth_free(&w.client);
	assert_int_equal(auth_client_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &w.client_config, &w.client), 0);
	steps(&w, 0, 2);
	assert_int_equal(step(&w, 2), 0);
	assert_int_equal(step(&w, 3), 0);
	assert_int_equal(w.tokens[3].len, 0);
	for (int leg = 0; leg < 3; leg++)
		auth_watch(w.observer, leg % 2 == 0 ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER, token(&w, leg));
	exchange(&w, AUTH_FROM_CLIENT, 1);
	exchange(&w, AUTH_FROM_SERVER, 2);
	close_world(&w);
}

static void wrong_password(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY);
	w.client_config.password = "wrong";
	steps(&w, 0, 3);
	assert_int_equal(step(&w, 3), MW_E_AUTH);
	assert_int_equal(w.status, 0xC000006D);
	assert_int_equal(step(&w, 3), MW_E_STATE);
	close_world(&w);
}

/* ---- Somebody between the two ---- */

/* A stronger first choice put in front makes the server ask for a MIC; that MIC covers what the client sent. */
static void changed_list(void **state)
{
	(void)state;
	static const enum spnego_mech longer[] = {SPNEGO_OTHER, SPNEGO_NTLM};
	for (int strip = 0; strip < 2; strip++) {
		struct world w;
		struct buf MW_CLEANUP(buf_free) list = {0};
		open_world(&w, AUTH_LEVEL_PRIVACY);
		steps(&w, 0, 1);
		struct spnego_token t = parse(&w, 0);
		assert_int_equal(spnego_put_mechs(longer, 2, &list), 0);
		t.mech_list = (struct spnego_bytes){list.data, list.len};
		replace(&w, 0, &t);
		assert_int_equal(step(&w, 1), MW_E_AGAIN);
		t = parse(&w, 1);
		assert_int_equal(t.state, SPNEGO_REQUEST_MIC);
		assert_int_equal(t.token.len, 0);
		/* The client's token, which the server did not take, once more. */
		t = parse(&w, 0);
		struct spnego_token again = {.state = SPNEGO_ACCEPT_INCOMPLETE, .token = t.token};
		struct buf MW_CLEANUP(buf_free) resent = {0}, challenge = {0}, end = {0};
		assert_int_equal(spnego_build(&again, &resent), 0);
		assert_int_equal(auth_step(w.server, &w.env, cursor_of(resent.data, resent.len), &challenge, &w.status),
		                 MW_E_AGAIN);
		assert_int_equal(
		        auth_step(w.client, &w.env, cursor_of(challenge.data, challenge.len), &w.tokens[2], &w.status),
		        MW_E_AGAIN);
		t = parse(&w, 2);
		if (strip)
			t.mic = (struct spnego_bytes){0};
		replace(&w, 2, &t);
		assert_int_equal(auth_step(w.server, &w.env, token(&w, 2), &end, &w.status), MW_E_AUTH);
		assert_int_equal(w.status, 0xC0000022);
		assert_int_equal(end.len, 0);
		close_world(&w);
	}
}

static void flipped_mic(void **state)
{
	(void)state;
	for (int leg = 2; leg < 4; leg++) {
		for (int byte = 0; byte < 16; byte++) {
			struct world w;
			uint8_t mic[16];
			open_world(&w, AUTH_LEVEL_INTEGRITY);
			steps(&w, 0, 3);
			if (leg == 3)
				assert_int_equal(step(&w, 3), 0);
			struct spnego_token t = parse(&w, leg);
			memcpy(mic, t.mic.data, sizeof mic);
			mic[byte] ^= 1;
			t.mic.data = mic;
			replace(&w, leg, &t);
			assert_int_equal(leg == 2 ? step(&w, 3) : last_step(&w), MW_E_AUTH);
			close_world(&w);
		}
	}
}

/* The server asked for a MIC and then gives none; or chooses what was not offered; or rejects. */
static void client_refuses(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY);
	steps(&w, 0, 2);
	struct spnego_token t = parse(&w, 1);
	t.state = SPNEGO_REQUEST_MIC;
	replace(&w, 1, &t);
	steps(&w, 2, 3);
	assert_int_equal(step(&w, 3), 0);
	t = parse(&w, 3);
	t.mic = (struct spnego_bytes){0};
	replace(&w, 3, &t);
	assert_int_equal(last_step(&w), MW_E_AUTH);
	close_world(&w);
	static const struct {
		enum spnego_state state;
		enum spnego_mech mech;
		int result;
	} cases[] = {{SPNEGO_ACCEPT_INCOMPLETE, SPNEGO_KRB5, MW_E_AUTH},
	             {SPNEGO_REJECT, SPNEGO_NTLM, MW_E_AUTH},
	             {SPNEGO_ACCEPT_COMPLETED, SPNEGO_NTLM, MW_E_MALFORMED}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		open_world(&w, AUTH_LEVEL_PRIVACY);
		steps(&w, 0, 2);
		t = parse(&w, 1);
		t.state = cases[i].state;
		t.mech = cases[i].mech;
		replace(&w, 1, &t);
		assert_int_equal(step(&w, 2), cases[i].result);
		assert_int_equal(step(&w, 2), MW_E_STATE);
		close_world(&w);
	}
}

/* A server that never has enough must not keep the client going. */
static void endless_server(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY);
	steps(&w, 0, 3);
	assert_int_equal(step(&w, 3), 0);
	struct spnego_token t = parse(&w, 3);
	t.state = SPNEGO_ACCEPT_INCOMPLETE;
	replace(&w, 3, &t);
	assert_int_equal(last_step(&w), MW_E_MALFORMED);
	close_world(&w);
}

/* ---- Bytes ---- */

static void cut_at_every_length(void **state)
{
	(void)state;
	struct world whole;
	open_world(&whole, AUTH_LEVEL_PRIVACY);
	shake(&whole);
	for (int leg = 0; leg < LEGS; leg++) {
		for (size_t len = 0; len < whole.tokens[leg].len; len++) {
			struct world w;
			uint8_t *copy = malloc(len + 1);
			struct buf MW_CLEANUP(buf_free) out = {0};
			open_world(&w, AUTH_LEVEL_PRIVACY);
			for (int i = 0; i <= leg; i++)
				assert_int_equal(step(&w, i), i == 3 ? 0 : MW_E_AGAIN);
			memcpy(copy, whole.tokens[leg].data, len);
			assert_true(auth_step(leg % 2 == 0 ? w.server : w.client, &w.env, cursor_of(copy, len), &out,
			                      NULL) < 0);
			assert_int_equal(out.len, 0);
			auth_watch(w.observer, leg % 2 == 0 ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER,
			           cursor_of(copy, len));
			free(copy);
			close_world(&w);
		}
	}
	close_world(&whole);
}

static void tables(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
	} cases[] = {
	        {"a1 02 3000", 0},
	        {"a1 02 3000 ffff", 0}, /* surplus bytes behind it */
	        {"a1 07 3005 a003 0a0101", 0},
	        {"a1 07 3005 a003 0a0104", MW_E_MALFORMED}, /* no such state */
	        {"a1 08 3006 a004 0a020001", MW_E_MALFORMED},
	        {"a1 0c 300a a003 0a0101 a003 0a0101", MW_E_MALFORMED}, /* twice */
	        {"a1 06 3004 a202 0400", 0},
	        {"a1 06 3004 a202 0500", MW_E_MALFORMED},
	        {"a1 06 3004 a901 00", MW_E_TRUNCATED},
	        {"a1 05 3003 a901 00", 0}, /* an unknown field */
	        {"a1 80 3000 0000", MW_E_MALFORMED},
	        {"a1 85 0000000002 3000", MW_E_MALFORMED},
	        {"a1 84 ffffffff 3000", MW_E_TRUNCATED},
	        {"a1 81 02 3000", 0},
	        {"a2 02 3000", MW_E_MALFORMED},
	        {"a0 02 3000", MW_E_MALFORMED}, /* no mechanisms */
	        {"a0 06 3004 a002 3000", MW_E_MALFORMED},
	        {"a0 0a 3008 a006 3004 06022a03", 0},
	        {"a0 0a 3008 a006 3004 04022a03", MW_E_MALFORMED},
	        {"60 0e 0606 2b0601050502 a004 3002 0500", MW_E_MALFORMED},
	        {"60 0e 0606 2b0601050503 a004 3002 0500", MW_E_MALFORMED},
	        {"", MW_E_TRUNCATED},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hex h = unhex(cases[i].text);
		struct spnego_token t;
		if (spnego_parse(cursor_of(h.data, h.len), &t) != cases[i].result)
			fail_msg("case %zu: %s", i, cases[i].text);
	}
}

/* NegTokenInit2 as servers send it: hints in place 3. */
static void hints(void **state)
{
	(void)state;
	struct hex h = unhex("a0 1c 301a a006 3004 06022a03 a308 3006 a004 1b026162 a406 0404 01020304");
	struct spnego_token t;
	assert_int_equal(spnego_parse(cursor_of(h.data, h.len), &t), 0);
	assert_int_equal(t.mechs[0], SPNEGO_OTHER);
	assert_hex(t.mic.data, t.mic.len, "01020304");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_level),    cmocka_unit_test(what_is_sent),        cmocka_unit_test(raw_ntlm),
	        cmocka_unit_test(wrong_password), cmocka_unit_test(changed_list),        cmocka_unit_test(flipped_mic),
	        cmocka_unit_test(client_refuses), cmocka_unit_test(endless_server),      cmocka_unit_test(tables),
	        cmocka_unit_test(hints),          cmocka_unit_test(cut_at_every_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
