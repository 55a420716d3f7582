#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ntlm.h"
#include "util.h"

/* Client against server in memory, and an observer beside them, at every level. */

struct account {
	const char *domain, *name, *password;
	int result;
};

static const struct account accounts[] = {
        {"DEMO", "alice", "Passw0rd, with spaces", 0},
        {"DEMO", "ärger", "Schlüssel", 0},
        {"DEMO", "empty", "", 0},
        {"DEMO", "locked", "Passw0rd", MW_E_AUTH},
        {"DEMO", "broken", "Passw0rd", MW_E_IO},
        {"DEMO", "expired", "Passw0rd", 0},
};

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user;
	for (size_t i = 0; i < ARRAY_SIZE(accounts); i++) {
		if (strcmp(accounts[i].name, name) != 0)
			continue;
		if (*domain != '\0' && strcmp(accounts[i].domain, domain) != 0)
			continue;
		if (accounts[i].result < 0)
			return accounts[i].result;
		out->id = i + 100;
		out->refused = strcmp(name, "expired") == 0 ? STATUS_ACCOUNT_EXPIRED : 0;
		ntlm_nt_hash(accounts[i].password, out->nt_hash);
		return 0;
	}
	return MW_E_NOTFOUND;
}

struct world {
	enum auth_level level;
	struct test_random random;
	struct random_source source;
	struct auth_env env;
	struct auth_client_config client_config;
	struct auth_server_config server_config;
	struct auth_observer_config observer_config;
	struct auth_secret secret;
	struct auth_context *client, *server, *observer;
	struct buf tokens[3];
	uint32_t status;
};

static void open_world(struct world *w, enum auth_level level, const char *user, const char *password)
{
	*w = (struct world){.level = level, .random = {42}};
	w->source = (struct random_source){test_fill, &w->random};
	w->env = (struct auth_env){INT64_C(1795507200000000000), &w->source};
	w->client_config = (struct auth_client_config){.domain = "DEMO",
	                                               .user = user,
	                                               .password = password,
	                                               .workstation = "WS1",
	                                               .target = "exchangeMDB/mail.demo.test"};
	w->server_config = (struct auth_server_config){.netbios_domain = "DEMO",
	                                               .netbios_computer = "MAIL",
	                                               .dns_domain = "demo.test",
	                                               .dns_computer = "mail.demo.test",
	                                               .find_account = find_account};
	w->secret = (struct auth_secret){
	        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = user, .password = password};
	w->observer_config = (struct auth_observer_config){&w->secret, 1};
}

static void start(struct world *w)
{
	assert_int_equal(auth_client_new(AUTH_NTLM, w->level, &w->client_config, &w->client), 0);
	assert_int_equal(auth_server_new(AUTH_NTLM, w->level, &w->server_config, &w->server), 0);
	assert_int_equal(auth_observer_new(AUTH_NTLM, w->level, &w->observer_config, &w->observer), 0);
}

static struct cursor token(const struct world *w, int leg)
{
	return cursor_of(w->tokens[leg].data, w->tokens[leg].len);
}

/* The first two legs and the third token; what the server says to it is the caller's. */
static void three_tokens(struct world *w)
{
	start(w);
	assert_int_equal(auth_step(w->client, &w->env, cursor_of("", 0), &w->tokens[0], &w->status), MW_E_AGAIN);
	assert_int_equal(auth_step(w->server, &w->env, token(w, 0), &w->tokens[1], &w->status), MW_E_AGAIN);
	assert_int_equal(auth_step(w->client, &w->env, token(w, 1), &w->tokens[2], &w->status), 0);
}

static int last_leg(struct world *w)
{
	struct buf MW_CLEANUP(buf_free) nothing = {0};
	int r = auth_step(w->server, &w->env, token(w, 2), &nothing, &w->status);
	assert_int_equal(nothing.len, 0);
	auth_watch(w->observer, AUTH_FROM_CLIENT, token(w, 0));
	auth_watch(w->observer, AUTH_FROM_SERVER, token(w, 1));
	auth_watch(w->observer, AUTH_FROM_CLIENT, token(w, 2));
	return r;
}

static void close_world(struct world *w)
{
	auth_free(&w->client);
	auth_free(&w->server);
	auth_free(&w->observer);
	for (int i = 0; i < 3; i++)
		buf_free(&w->tokens[i]);
}

static void shake(struct world *w)
{
	three_tokens(w);
	assert_int_equal(last_leg(w), 0);
	assert_int_equal(w->status, 0);
}

/* ---- PDUs ---- */

#define PDU_SIZE 120
#define BODY 24
#define BODY_SIZE 80

struct pdu {
	uint8_t data[PDU_SIZE], signature[NTLM_SIGNATURE_SIZE];
};

static struct pdu plain_pdu(unsigned number)
{
	struct pdu p;
	for (size_t i = 0; i < PDU_SIZE; i++)
		p.data[i] = (uint8_t)(number * 31 + i);
	return p;
}

static struct pdu send_pdu(struct auth_context *from, unsigned number)
{
	struct pdu p = plain_pdu(number);
	assert_int_equal(auth_protect(from, p.data, PDU_SIZE, BODY, BODY_SIZE, p.signature), 0);
	return p;
}

static int check_pdu(struct auth_context *to, enum auth_side from, struct pdu *p)
{
	return auth_check(to, from, p->data, PDU_SIZE, BODY, BODY_SIZE, p->signature, sizeof p->signature);
}

static void receive_pdu(struct auth_context *to, enum auth_side from, struct pdu p, unsigned number)
{
	struct pdu plain = plain_pdu(number);
	assert_int_equal(check_pdu(to, from, &p), 0);
	assert_memory_equal(p.data, plain.data, PDU_SIZE);
}

static const enum auth_level levels[] = {AUTH_LEVEL_DEFAULT, AUTH_LEVEL_CONNECT,   AUTH_LEVEL_CALL,
                                         AUTH_LEVEL_PACKET,  AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};

static void every_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct world w;
		struct auth_info info;
		uint8_t client_key[16], server_key[16], observer_key[16];
		open_world(&w, levels[i], "alice", "Passw0rd, with spaces");
		shake(&w);
		assert_int_equal(auth_session_key(w.client, client_key), 0);
		assert_int_equal(auth_session_key(w.server, server_key), 0);
		assert_int_equal(auth_session_key(w.observer, observer_key), 0);
		assert_memory_equal(client_key, server_key, 16);
		assert_memory_equal(client_key, observer_key, 16);
		auth_get_info(w.server, &info);
		assert_true(info.complete && info.mic_present && info.mic_ok && !info.anonymous);
		assert_int_equal(info.account_id, 100);
		assert_string_equal(info.user, "alice");
		auth_get_info(w.observer, &info);
		assert_true(info.complete && info.mic_present && info.mic_ok);
		assert_int_equal(info.key, AUTH_KEY_FITS);
		assert_string_equal(info.target_name, "DEMO");
		for (unsigned n = 0; n < 5; n++) {
			struct pdu request = send_pdu(w.client, n);
			bool sealed = memcmp(request.data + BODY, plain_pdu(n).data + BODY, BODY_SIZE) != 0;
			assert_int_equal(sealed, levels[i] == AUTH_LEVEL_PRIVACY);
			assert_memory_equal(request.data, plain_pdu(n).data, BODY);
			receive_pdu(w.observer, AUTH_FROM_CLIENT, request, n);
			receive_pdu(w.server, AUTH_FROM_CLIENT, request, n);
			struct pdu response = send_pdu(w.server, n + 100);
			receive_pdu(w.observer, AUTH_FROM_SERVER, response, n + 100);
			receive_pdu(w.client, AUTH_FROM_SERVER, response, n + 100);
		}
		close_world(&w);
	}
}

static void connect_verifier(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_CONNECT, "alice", "Passw0rd, with spaces");
	shake(&w);
	struct pdu p = send_pdu(w.client, 1);
	assert_int_equal(auth_signature_size(w.client), sizeof p.signature);
	assert_hex(p.signature, sizeof p.signature, "01000000000000000000000000000000");
	close_world(&w);
}

/* Any bit of the PDU or of its signature. */
static void flipped_bits(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(struct pdu); bit += 5) {
		struct world w;
		open_world(&w, bit % 2 ? AUTH_LEVEL_INTEGRITY : AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
		shake(&w);
		struct pdu p = send_pdu(w.client, 1), seen;
		((uint8_t *)&p)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		seen = p;
		assert_int_equal(check_pdu(w.server, AUTH_FROM_CLIENT, &p), MW_E_AUTH);
		assert_int_equal(check_pdu(w.observer, AUTH_FROM_CLIENT, &seen), MW_E_AUTH);
		/* The observer's direction has moved on: the next one fits. */
		receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 2), 2);
		close_world(&w);
	}
}

static void replayed_and_short(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_INTEGRITY, "alice", "Passw0rd, with spaces");
	shake(&w);
	struct pdu p = send_pdu(w.client, 1);
	struct pdu again = p;
	assert_int_equal(check_pdu(w.server, AUTH_FROM_CLIENT, &p), 0);
	assert_int_equal(check_pdu(w.server, AUTH_FROM_CLIENT, &again), MW_E_AUTH);
	assert_int_equal(auth_check(w.client, AUTH_FROM_SERVER, p.data, PDU_SIZE, BODY, BODY_SIZE, p.signature, 15),
	                 MW_E_AUTH);
	assert_int_equal(auth_check(w.client, AUTH_FROM_SERVER, p.data, PDU_SIZE, BODY, PDU_SIZE, p.signature, 16),
	                 MW_E_INVALID);
	close_world(&w);
}

/* ---- Who is refused, and how ---- */

static const struct {
	const char *domain, *user, *password;
	int result;
	uint32_t status;
} logons[] = {
        {"DEMO", "alice", "Passw0rd, with spaces", 0, 0},
        {"", "alice", "Passw0rd, with spaces", 0, 0},
        {"DEMO", "ärger", "Schlüssel", 0, 0},
        {"DEMO", "empty", "", 0, 0},
        {"DEMO", "alice", "wrong", MW_E_AUTH, STATUS_LOGON_FAILURE},
        {"DEMO", "alice", "", MW_E_AUTH, STATUS_LOGON_FAILURE},
        {"OTHER", "alice", "Passw0rd, with spaces", MW_E_AUTH, STATUS_LOGON_FAILURE},
        {"DEMO", "nobody", "Passw0rd", MW_E_AUTH, STATUS_LOGON_FAILURE},
        {"DEMO", "locked", "Passw0rd", MW_E_AUTH, STATUS_ACCOUNT_LOCKED_OUT},
        {"DEMO", "locked", "wrong", MW_E_AUTH, STATUS_ACCOUNT_LOCKED_OUT},
        {"DEMO", "expired", "Passw0rd", MW_E_AUTH, STATUS_ACCOUNT_EXPIRED},
        {"DEMO", "expired", "wrong", MW_E_AUTH, STATUS_LOGON_FAILURE}, /* only its owner learns that it has expired */
        {"DEMO", "broken", "Passw0rd", MW_E_IO, STATUS_INVALID_PARAMETER},
};

static void who_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logons); i++) {
		struct world w;
		uint8_t key[16];
		open_world(&w, AUTH_LEVEL_PRIVACY, logons[i].user, logons[i].password);
		w.client_config.domain = logons[i].domain;
		three_tokens(&w);
		assert_int_equal(last_leg(&w), logons[i].result);
		assert_int_equal(w.status, logons[i].status);
		assert_int_equal(auth_session_key(w.server, key), logons[i].result == 0 ? 0 : MW_E_STATE);
		if (logons[i].result < 0) {
			struct pdu p = plain_pdu(1);
			assert_int_equal(auth_protect(w.server, p.data, PDU_SIZE, BODY, BODY_SIZE, p.signature),
			                 MW_E_STATE);
			assert_int_equal(last_leg(&w), MW_E_STATE);
		}
		close_world(&w);
	}
}

static void nt_hash_instead(void **state)
{
	(void)state;
	struct world w;
	uint8_t hash[16];
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", NULL);
	ntlm_nt_hash("Passw0rd, with spaces", hash);
	w.client_config.nt_hash = hash;
	w.secret.kind = AUTH_SECRET_NTHASH;
	memcpy(w.secret.key, hash, 16);
	shake(&w);
	receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 1), 1);
	close_world(&w);
}

/* Rebuilds the third token after a change, as a client would that is not ours. */
static void rebuild(struct world *w, void (*change)(struct ntlm_authenticate *m))
{
	struct ntlm_authenticate m;
	struct buf out = {0};
	assert_int_equal(ntlm_authenticate_parse(token(w, 2), &m), 0);
	change(&m);
	assert_int_equal(ntlm_authenticate_build(&m, &out), 0);
	buf_free(&w->tokens[2]);
	w->tokens[2] = out;
}

static const uint8_t zeros[24];

static void as_v1(struct ntlm_authenticate *m)
{
	m->nt_response = (struct ntlm_bytes){zeros, 24};
}

static void as_lm(struct ntlm_authenticate *m)
{
	m->nt_response.len = 0;
}

static void as_anonymous(struct ntlm_authenticate *m)
{
	m->user.len = m->domain.len = m->nt_response.len = 0;
	m->lm_response.len = 1;
}

static void without_mic(struct ntlm_authenticate *m)
{
	m->has_mic_field = false;
}

static void wrong_mic(struct ntlm_authenticate *m)
{
	m->mic[7] ^= 0x10;
}

static void other_workstation(struct ntlm_authenticate *m)
{
	m->workstation.len = 2;
}

static void weaker(struct ntlm_authenticate *m)
{
	m->flags &= ~NTLMSSP_NEGOTIATE_128;
}

static void unsealed(struct ntlm_authenticate *m)
{
	m->flags &= ~NTLMSSP_NEGOTIATE_SEAL;
}

static const struct {
	void (*change)(struct ntlm_authenticate *m);
	uint32_t status;
} changes[] = {
        {as_v1, STATUS_NTLM_BLOCKED},         {as_lm, STATUS_NTLM_BLOCKED},
        {as_anonymous, STATUS_ACCESS_DENIED}, {without_mic, STATUS_LOGON_FAILURE},
        {wrong_mic, STATUS_LOGON_FAILURE},    {other_workstation, STATUS_LOGON_FAILURE},
        {weaker, STATUS_NOT_SUPPORTED},       {unsealed, STATUS_NOT_SUPPORTED},
};

static void changed_authenticate(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct world w;
		open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
		three_tokens(&w);
		rebuild(&w, changes[i].change);
		assert_int_equal(last_leg(&w), MW_E_AUTH);
		assert_int_equal(w.status, changes[i].status);
		close_world(&w);
	}
}

/* A man in the middle changes the first or second token: the MIC covers them. */
static void changed_negotiation(void **state)
{
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
	start(&w);
	assert_int_equal(auth_step(w.client, &w.env, cursor_of("", 0), &w.tokens[0], NULL), MW_E_AGAIN);
	w.tokens[0].data[12] |= NTLMSSP_NEGOTIATE_OEM;
	assert_int_equal(auth_step(w.server, &w.env, token(&w, 0), &w.tokens[1], NULL), MW_E_AGAIN);
	assert_int_equal(auth_step(w.client, &w.env, token(&w, 1), &w.tokens[2], NULL), 0);
	assert_int_equal(last_leg(&w), MW_E_AUTH);
	assert_int_equal(w.status, STATUS_LOGON_FAILURE);
	struct auth_info info;
	auth_get_info(w.observer, &info);
	assert_int_equal(info.key, AUTH_KEY_FITS);
	assert_true(info.mic_present && !info.mic_ok);
	close_world(&w);
}

/* A level that the peer did not negotiate. */
static void level_mismatch(void **state)
{
	(void)state;
	struct world w;
	struct auth_context *strict;
	open_world(&w, AUTH_LEVEL_INTEGRITY, "alice", "Passw0rd, with spaces");
	start(&w);
	assert_int_equal(auth_server_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &w.server_config, &strict), 0);
	assert_int_equal(auth_step(w.client, &w.env, cursor_of("", 0), &w.tokens[0], NULL), MW_E_AGAIN);
	assert_int_equal(auth_step(strict, &w.env, token(&w, 0), &w.tokens[1], &w.status), MW_E_AGAIN);
	assert_int_equal(auth_step(w.client, &w.env, token(&w, 1), &w.tokens[2], NULL), 0);
	buf_clear(&w.tokens[0]);
	assert_int_equal(auth_step(strict, &w.env, token(&w, 2), &w.tokens[0], &w.status), MW_E_AUTH);
	assert_int_equal(w.status, STATUS_NOT_SUPPORTED);
	assert_int_equal(w.tokens[0].len, 0);
	auth_free(&strict);
	close_world(&w);
}

static void anonymous_when_allowed(void **state)
{
	(void)state;
	struct world w;
	struct auth_info info;
	open_world(&w, AUTH_LEVEL_CONNECT, "alice", "Passw0rd, with spaces");
	w.server_config.allow_anonymous = true;
	three_tokens(&w);
	rebuild(&w, as_anonymous);
	assert_int_equal(last_leg(&w), 0);
	auth_get_info(w.server, &info);
	assert_true(info.anonymous && info.complete);
	assert_int_equal(info.account_id, 0);
	close_world(&w);
}

/* A session key opens what it belongs to; a wrong one is told from the MIC. */
static void observer_session_key(void **state)
{
	(void)state;
	for (int wrong = 0; wrong < 2; wrong++) {
		struct world w;
		struct auth_info info;
		open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
		w.secret.kind = AUTH_SECRET_SESSION_KEY;
		three_tokens(&w);
		assert_int_equal(auth_session_key(w.client, w.secret.key), 0);
		w.secret.key[3] ^= (uint8_t)wrong;
		assert_int_equal(last_leg(&w), 0);
		auth_get_info(w.observer, &info);
		assert_int_equal(info.key, wrong ? AUTH_KEY_WRONG_PROOF : AUTH_KEY_FITS);
		struct pdu p = send_pdu(w.client, 1), before = p;
		assert_int_equal(check_pdu(w.observer, AUTH_FROM_CLIENT, &p), wrong ? MW_E_STATE : 0);
		if (wrong)
			assert_memory_equal(&p, &before, sizeof p);
		close_world(&w);
	}
}

/* Without a MIC the first signature tells; a wrong key touches no byte. */
static void observer_unproven_key(void **state)
{
	(void)state;
	/* NTLM2 session of MS-NLMP 4.2.3: no MIC. */
	static const char challenge[] = "4e544c4d53535000 02000000 0000000038000000 33820a82 0123456789abcdef"
	                                "0000000000000000 0000000000000000 060070170000000f";
	static const char authenticate[] = "4e544c4d53535000 03000000 1800180050000000 1800180068000000"
	                                   "0000000048000000 0800080048000000 0000000048000000 0000000080000000"
	                                   "35820882 0501280a0000000f 5500730065007200"
	                                   "aaaaaaaaaaaaaaaa00000000000000000000000000000000"
	                                   "7537f803ae367128ca458204bde7caf81e97ed2683267232";
	struct hex key = unhex("eb93429a8bd952f8b89c55b87f475edc"), two = unhex(challenge), three = unhex(authenticate);
	for (int wrong = 0; wrong < 2; wrong++) {
		struct auth_secret secret = {.kind = AUTH_SECRET_SESSION_KEY, .domain = "", .user = "User"};
		struct auth_observer_config config = {&secret, 1};
		struct auth_context *ctx;
		struct auth_info info;
		struct ntlm_seal sender;
		struct pdu p = plain_pdu(5);
		memcpy(secret.key, key.data, 16);
		secret.key[0] ^= (uint8_t)wrong;
		assert_int_equal(auth_observer_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &config, &ctx), 0);
		auth_watch(ctx, AUTH_FROM_SERVER, cursor_of(two.data, two.len));
		auth_watch(ctx, AUTH_FROM_CLIENT, cursor_of(three.data, three.len));
		auth_get_info(ctx, &info);
		assert_int_equal(info.key, AUTH_KEY_UNKNOWN);
		ntlm_seal_init(&sender, key.data, 0x820a8233, AUTH_FROM_CLIENT);
		ntlm_seal_protect(&sender, &(struct ntlm_pdu){p.data, PDU_SIZE, BODY, BODY_SIZE, true}, p.signature);
		struct pdu before = p;
		assert_int_equal(check_pdu(ctx, AUTH_FROM_CLIENT, &p), wrong ? MW_E_STATE : 0);
		assert_memory_equal(p.data, wrong ? before.data : plain_pdu(5).data, PDU_SIZE);
		auth_get_info(ctx, &info);
		assert_int_equal(info.key, wrong ? AUTH_KEY_WRONG_PROOF : AUTH_KEY_FITS);
		auth_free(&ctx);
	}
}

static void observer_without(void **state)
{
	(void)state;
	struct world w;
	struct auth_info info;
	struct pdu p = plain_pdu(1);
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
	w.observer_config.secret_count = 0;
	start(&w);
	auth_get_info(w.observer, &info);
	assert_int_equal(info.key, AUTH_KEY_UNKNOWN);
	assert_int_equal(check_pdu(w.observer, AUTH_FROM_CLIENT, &p), MW_E_STATE);
	auth_get_info(w.observer, &info);
	assert_int_equal(info.key, AUTH_KEY_NO_HANDSHAKE);
	close_world(&w);
	shake(&w);
	auth_get_info(w.observer, &info);
	assert_int_equal(info.key, AUTH_KEY_NO_SECRETS);
	assert_string_equal(info.user, "alice");
	close_world(&w);
}

/* ---- After a gap ---- */

static void after_a_gap(void **state)
{
	(void)state;
	for (size_t i = 2; i < ARRAY_SIZE(levels); i++)
		for (unsigned missing = 0; missing < 20; missing += 3) {
			struct world w;
			open_world(&w, levels[i], "alice", "Passw0rd, with spaces");
			shake(&w);
			receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 0), 0);
			for (unsigned n = 0; n < missing; n++)
				send_pdu(w.client, n);
			auth_lost(w.observer, AUTH_FROM_CLIENT);
			struct pdu damaged = send_pdu(w.client, 1), before;
			damaged.data[PDU_SIZE - 1] ^= 1;
			before = damaged;
			assert_int_equal(check_pdu(w.observer, AUTH_FROM_CLIENT, &damaged), MW_E_STATE);
			assert_memory_equal(damaged.data, before.data, levels[i] == AUTH_LEVEL_PRIVACY ? PDU_SIZE : 0);
			receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 2), 2);
			receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 3), 3);
			receive_pdu(w.observer, AUTH_FROM_SERVER, send_pdu(w.server, 4), 4);
			close_world(&w);
		}
}

/* A sequence number from the past or from far ahead, and a search that never ends well: lost, and soon said so. */
static void gap_beyond_bounds(void **state)
{
	(void)state;
	static const uint32_t numbers[] = {0, 5000, 0x7fffffff, 0xffffffff};
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "Passw0rd, with spaces");
	shake(&w);
	receive_pdu(w.observer, AUTH_FROM_CLIENT, send_pdu(w.client, 0), 0);
	auth_lost(w.observer, AUTH_FROM_CLIENT);
	struct pdu p = send_pdu(w.client, 1), garbage = p;
	for (unsigned i = 0; i < 40; i++) {
		memcpy(garbage.signature + 12, &numbers[i % ARRAY_SIZE(numbers)], 4);
		assert_int_equal(check_pdu(w.observer, AUTH_FROM_CLIENT, &garbage), MW_E_STATE);
		assert_memory_equal(garbage.data, p.data, PDU_SIZE);
	}
	receive_pdu(w.observer, AUTH_FROM_CLIENT, p, 1);
	close_world(&w);
}

/* ---- Other providers ---- */

static void other_providers(void **state)
{
	(void)state;
	static const enum auth_type types[] = {AUTH_NETLOGON, AUTH_SCHANNEL_TLS};
	struct world w;
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "x");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct auth_context *ctx = NULL;
		struct auth_info info;
		struct pdu p = plain_pdu(1);
		assert_int_equal(auth_client_new(types[i], w.level, &w.client_config, &ctx), MW_E_UNSUPPORTED);
		assert_int_equal(auth_server_new(types[i], w.level, &w.server_config, &ctx), MW_E_UNSUPPORTED);
		assert_null(ctx);
		assert_int_equal(auth_observer_new(types[i], w.level, &w.observer_config, &ctx), 0);
		auth_watch(ctx, AUTH_FROM_CLIENT, cursor_of("x", 1));
		auth_get_info(ctx, &info);
		assert_int_equal(info.key, AUTH_KEY_UNSUPPORTED);
		assert_int_equal(info.type, types[i]);
		assert_int_equal(check_pdu(ctx, AUTH_FROM_CLIENT, &p), MW_E_STATE);
		auth_free(&ctx);
	}
}

/* tests/peers/test_kerberos.py has the rest: it needs a KDC. */
static void kerberos_without_keys(void **state)
{
	(void)state;
	struct world w;
	struct auth_context *ctx = NULL;
	struct auth_info info;
	struct pdu p = plain_pdu(1);
	open_world(&w, AUTH_LEVEL_PRIVACY, "alice", "x");
	assert_int_equal(auth_server_new(AUTH_KERBEROS, w.level, &w.server_config, &ctx), MW_E_UNSUPPORTED);
	assert_null(ctx);
	assert_int_equal(auth_observer_new(AUTH_KERBEROS, w.level, &w.observer_config, &ctx), 0);
	auth_watch(ctx, AUTH_FROM_CLIENT, cursor_of("x", 1));
	assert_int_equal(check_pdu(ctx, AUTH_FROM_CLIENT, &p), MW_E_STATE);
	auth_get_info(ctx, &info);
	assert_int_equal(info.key, AUTH_KEY_NO_HANDSHAKE);
	auth_free(&ctx);
	assert_int_equal(auth_observer_new(AUTH_KERBEROS, w.level, &w.observer_config, &ctx), 0);
	auth_watch(ctx, AUTH_FROM_CLIENT, cursor_of("\x6e\x02\x30\x00", 4));
	auth_get_info(ctx, &info);
	assert_int_equal(info.key, AUTH_KEY_NO_SECRETS);
	auth_free(&ctx);
}

static void names(void **state)
{
	(void)state;
	enum auth_level level = AUTH_LEVEL_NONE;
	assert_string_equal(auth_type_name(AUTH_NTLM), "ntlm");
	assert_string_equal(auth_type_name(AUTH_NETLOGON), "schannel");
	assert_string_equal(auth_type_name((enum auth_type)77), "unknown");
	assert_string_equal(auth_level_name(AUTH_LEVEL_DEFAULT), "connect");
	assert_string_equal(auth_level_name(AUTH_LEVEL_PRIVACY), "privacy");
	assert_int_equal(auth_level_parse("integrity", &level), 0);
	assert_int_equal(level, AUTH_LEVEL_INTEGRITY);
	assert_int_equal(auth_level_parse("connect", &level), 0);
	assert_int_equal(level, AUTH_LEVEL_CONNECT);
	assert_int_equal(auth_level_parse("secret", &level), MW_E_INVALID);
}

/* A handshake is good on the channel that it was made for, RFC 5056; whom that concerns is the server's affair. */
static void channel_bindings(void **state)
{
	static const char here[] = "tls-server-end-point:here", there[] = "tls-server-end-point:there";
	static const struct {
		const char *client, *server; /* NULL: none */
		bool required;
		int result;
	} table[] = {
	        {here, here, false, 0},         {here, here, true, 0},  {there, here, false, MW_E_AUTH},
	        {there, here, true, MW_E_AUTH}, {NULL, here, false, 0}, {NULL, here, true, MW_E_AUTH},
	        {here, NULL, false, 0},         {NULL, NULL, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct world w;
		open_world(&w, AUTH_LEVEL_NONE, "alice", "Passw0rd, with spaces");
		w.env.binding = (const uint8_t *)table[i].client;
		w.env.binding_len = table[i].client ? strlen(table[i].client) : 0;
		three_tokens(&w);
		w.env.binding = (const uint8_t *)table[i].server;
		w.env.binding_len = table[i].server ? strlen(table[i].server) : 0;
		w.env.binding_required = table[i].required;
		assert_int_equal(last_leg(&w), table[i].result);
		assert_int_equal(w.status, table[i].result ? STATUS_BAD_BINDINGS : 0);
		close_world(&w);
	}
}

static void passwords(void **state)
{
	static const struct {
		const char *domain, *user, *password;
		int result;
		uint32_t status;
	} table[] = {
	        {"DEMO", "alice", "Passw0rd, with spaces", 0, 0},
	        {"", "alice", "Passw0rd, with spaces", 0, 0},
	        {"DEMO", "empty", "", 0, 0},
	        {"DEMO", "alice", "passw0rd, with spaces", MW_E_AUTH, STATUS_LOGON_FAILURE},
	        {"OTHER", "alice", "Passw0rd, with spaces", MW_E_AUTH, STATUS_LOGON_FAILURE},
	        {"DEMO", "nobody", "", MW_E_AUTH, STATUS_LOGON_FAILURE},
	        {"DEMO", "locked", "Passw0rd", MW_E_AUTH, STATUS_ACCOUNT_LOCKED_OUT},
	        {"DEMO", "expired", "Passw0rd", MW_E_AUTH, STATUS_ACCOUNT_EXPIRED},
	        {"DEMO", "expired", "wrong", MW_E_AUTH, STATUS_LOGON_FAILURE},
	        {"DEMO", "broken", "Passw0rd", MW_E_IO, 0},
	};
	(void)state;
	struct world w;
	open_world(&w, AUTH_LEVEL_NONE, "alice", "");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t account = 0;
		uint32_t status = 0;
		assert_int_equal(auth_check_password(&w.server_config, &w.env, table[i].domain, table[i].user,
		                                     table[i].password, &account, &status),
		                 table[i].result);
		assert_int_equal(status, table[i].status);
		assert_int_equal(account != 0, table[i].result == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_level),           cmocka_unit_test(connect_verifier),
	        cmocka_unit_test(flipped_bits),          cmocka_unit_test(replayed_and_short),
	        cmocka_unit_test(who_is_refused),        cmocka_unit_test(nt_hash_instead),
	        cmocka_unit_test(changed_authenticate),  cmocka_unit_test(changed_negotiation),
	        cmocka_unit_test(level_mismatch),        cmocka_unit_test(anonymous_when_allowed),
	        cmocka_unit_test(observer_session_key),  cmocka_unit_test(observer_unproven_key),
	        cmocka_unit_test(observer_without),      cmocka_unit_test(gap_beyond_bounds),
	        cmocka_unit_test(after_a_gap),           cmocka_unit_test(other_providers),
	        cmocka_unit_test(kerberos_without_keys), cmocka_unit_test(names),
	        cmocka_unit_test(channel_bindings),      cmocka_unit_test(passwords),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
