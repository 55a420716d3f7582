/*
 * NTLM from a hostile peer, in each role. The first byte says what the rest is:
 * 'm' a message (parsed, rebuilt, parsed again: the same), 'o' an observed
 * session, 'c' the challenge to a client, 's' the two tokens to a server,
 * 'f' a secrets file. Sequences are records: verb, length (2 bytes), bytes.
 */
#include "fuzz.h"
#include "still.h"

#include "auth/auth_secrets.h"
#include "auth/ntlm_message.h"

#include <stdlib.h>

static const struct auth_env env = {INT64_C(1795507200000000000), &source};

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain;
	if (strcmp(name, "User") != 0)
		return MW_E_NOTFOUND;
	out->id = 1;
	ntlm_nt_hash("Password", out->nt_hash);
	return 0;
}

/* ---- Messages ---- */

static bool same(struct ntlm_bytes a, struct ntlm_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_pairs(struct ntlm_bytes pairs)
{
	struct ntlm_av av;
	if (ntlm_av_parse(pairs, &av) < 0)
		return;
	must(av.end <= pairs.len);
	(void)ntlm_av_flags(&av);
}

static void check_negotiate(struct cursor in)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	struct ntlm_negotiate m, again;
	if (ntlm_negotiate_parse(in, &m) < 0)
		return;
	must(ntlm_negotiate_build(&m, &b) == 0 && ntlm_negotiate_parse(cursor_of(b.data, b.len), &again) == 0);
	must(m.flags == again.flags && same(m.domain, again.domain) && same(m.workstation, again.workstation));
}

static void check_challenge(struct cursor in)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	struct ntlm_challenge m, again;
	if (ntlm_challenge_parse(in, &m) < 0)
		return;
	check_pairs(m.target_info);
	must(ntlm_challenge_build(&m, &b) == 0 && ntlm_challenge_parse(cursor_of(b.data, b.len), &again) == 0);
	must(same(m.target_name, again.target_name) && same(m.target_info, again.target_info));
	must(m.flags == again.flags && memcmp(m.server_challenge, again.server_challenge, 8) == 0);
}

static void check_authenticate(struct cursor in)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	struct ntlm_authenticate m, again;
	struct ntlm_v2_response response;
	if (ntlm_authenticate_parse(in, &m) < 0)
		return;
	if (ntlm_v2_response_parse(m.nt_response, &response) == 0)
		must(response.temp.len + 16 == m.nt_response.len);
	must(ntlm_authenticate_build(&m, &b) == 0 && ntlm_authenticate_parse(cursor_of(b.data, b.len), &again) == 0);
	must(same(m.lm_response, again.lm_response) && same(m.nt_response, again.nt_response));
	must(same(m.domain, again.domain) && same(m.user, again.user) && same(m.workstation, again.workstation));
	must(same(m.session_key, again.session_key) && m.flags == again.flags);
}

/* ---- Sessions ---- */

struct record {
	uint8_t verb;
	const uint8_t *data;
	uint16_t len;
};

static bool next_record(struct cursor *c, struct record *out)
{
	return cursor_u8(c, &out->verb) == 0 && cursor_u16(c, &out->len) == 0 &&
	       cursor_bytes(c, out->len, &out->data) == 0;
}

/* A PDU is the record's bytes but the last 16, its body what follows the first 24. */
static void observe_pdu(struct auth_context *ctx, enum auth_side side, const struct record *r)
{
	if (r->len < 40)
		return;
	size_t len = r->len - 16u;
	uint8_t *pdu = malloc(len);
	must(pdu != NULL);
	memcpy(pdu, r->data, len);
	(void)!auth_check(ctx, side, pdu, len, 24, len - 24, r->data + len, 16);
	free(pdu);
}

static void observe(struct cursor c)
{
	static const struct auth_secret secrets[] = {
	        {.kind = AUTH_SECRET_SESSION_KEY, .domain = "Other", .user = "User"},
	        {.kind = AUTH_SECRET_PASSWORD, .domain = "", .user = "User", .password = "Password"},
	};
	static const struct auth_observer_config config = {secrets, ARRAY_SIZE(secrets)};
	struct auth_context *ctx;
	struct auth_info info;
	struct record r;
	must(auth_observer_new(AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, &config, &ctx) == 0);
	while (next_record(&c, &r)) {
		enum auth_side side = r.verb & 1 ? AUTH_FROM_SERVER : AUTH_FROM_CLIENT;
		if (r.verb & 2)
			observe_pdu(ctx, side, &r);
		else
			auth_watch(ctx, side, cursor_of(r.data, r.len));
		if (r.verb & 4)
			auth_lost(ctx, side);
		auth_get_info(ctx, &info);
	}
	auth_free(&ctx);
}

static void step_through(struct auth_context *ctx, struct cursor c)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct record r;
	uint8_t key[16];
	while (next_record(&c, &r)) {
		size_t before = out.len;
		int code = auth_step(ctx, &env, cursor_of(r.data, r.len), &out, NULL);
		must(code == 0 || code == MW_E_AGAIN || out.len == before);
		must(code != 0 || auth_session_key(ctx, key) == 0);
	}
	auth_free(&ctx);
}

static void be_client(struct cursor c)
{
	static const struct auth_client_config config = {.domain = "Domain", .user = "User", .password = "Password"};
	struct auth_context *ctx;
	struct buf out MW_CLEANUP(buf_free) = {0};
	must(auth_client_new(AUTH_NTLM, AUTH_LEVEL_CONNECT, &config, &ctx) == 0);
	must(auth_step(ctx, &env, cursor_of("", 0), &out, NULL) == MW_E_AGAIN);
	step_through(ctx, c);
}

static void be_server(struct cursor c)
{
	static const struct auth_server_config config = {.netbios_domain = "Domain",
	                                                 .netbios_computer = "MAIL",
	                                                 .find_account = find_account,
	                                                 .allow_ntlm_v1 = true};
	struct auth_context *ctx;
	must(auth_server_new(AUTH_NTLM, AUTH_LEVEL_PRIVACY, &config, &ctx) == 0);
	step_through(ctx, c);
}

static void parse_file(struct cursor c)
{
	struct auth_secrets secrets = {0};
	struct auth_secrets_error error = {0};
	int r = auth_secrets_parse((const char *)cursor_here(&c), cursor_left(&c), &secrets, &error);
	must(r == 0 || r == MW_E_LIMIT || (r == MW_E_INVALID && error.line > 0 && error.what != NULL));
	for (size_t i = 0; i < secrets.count; i++)
		must(secrets.list[i].user != NULL && *secrets.list[i].user != '\0');
	auth_secrets_free(&secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t what;
	if (cursor_u8(&c, &what) < 0)
		return 0;
	if (what == 'm') {
		check_negotiate(c);
		check_challenge(c);
		check_authenticate(c);
	} else if (what == 'o') {
		observe(c);
	} else if (what == 'c') {
		be_client(c);
	} else if (what == 's') {
		be_server(c);
	} else if (what == 'f') {
		parse_file(c);
	}
	return 0;
}
