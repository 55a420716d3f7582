/*
 * SPNEGO from a hostile peer. The first byte says what the rest is: 'm' a token
 * (parsed, rebuilt, parsed again: the same), 'o' an observed session, 'c' tokens
 * to a client, 's' to a server. Sequences are records: side, length (2 bytes), bytes.
 */
#include "fuzz.h"
#include "still.h"

#include "auth/auth.h"
#include "auth/ntlm_crypto.h"
#include "auth/spnego_message.h"

static const struct auth_env env = {INT64_C(1795507200000000000), &source};

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain, (void)name;
	out->id = 1;
	ntlm_nt_hash("Password", out->nt_hash);
	return 0;
}

static bool same(struct spnego_bytes a, struct spnego_bytes b)
{
	return a.len == b.len && (a.data == NULL) == (b.data == NULL) &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void message(struct cursor c)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	struct spnego_token t, again;
	if (spnego_parse(c, &t) < 0)
		return;
	must(spnego_build(&t, &b) == 0 && spnego_parse(cursor_of(b.data, b.len), &again) == 0);
	must(t.is_init == again.is_init && t.state == again.state && t.mech_count == again.mech_count);
	must(same(t.mech_list, again.mech_list) && same(t.token, again.token) && same(t.mic, again.mic));
	must(t.mech == again.mech || t.mech == SPNEGO_OTHER);
	must(memcmp(t.mechs, again.mechs, t.mech_count * sizeof t.mechs[0]) == 0);
}

static bool next_record(struct cursor *c, uint8_t *side, struct cursor *record)
{
	uint16_t len;
	return cursor_u8(c, side) == 0 && cursor_u16(c, &len) == 0 && cursor_child(c, len, record) == 0;
}

static void session(struct auth_context *ctx, struct cursor c, bool observes)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct cursor record;
	struct auth_info info;
	uint8_t side;
	while (next_record(&c, &side, &record)) {
		size_t before = out.len;
		if (observes) {
			auth_watch(ctx, side & 1 ? AUTH_FROM_SERVER : AUTH_FROM_CLIENT, record);
		} else {
			int r = auth_step(ctx, &env, record, &out, NULL);
			must(r == 0 || r == MW_E_AGAIN || out.len == before);
		}
		auth_get_info(ctx, &info);
	}
	auth_free(&ctx);
}

static void role(uint8_t what, struct cursor c)
{
	static const struct auth_client_config client = {.domain = "Domain", .user = "User", .password = "Password"};
	static const struct auth_server_config server = {
	        .netbios_domain = "Domain", .netbios_computer = "MAIL", .find_account = find_account};
	static const struct auth_secret secret = {
	        .kind = AUTH_SECRET_PASSWORD, .domain = "", .user = "User", .password = "Password"};
	static const struct auth_observer_config observer = {.secrets = &secret, .secret_count = 1};
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct auth_context *ctx;
	if (what == 'c') {
		must(auth_client_new(AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, &client, &ctx) == 0);
		must(auth_step(ctx, &env, cursor_of(NULL, 0), &out, NULL) == MW_E_AGAIN);
	} else if (what == 's') {
		must(auth_server_new(AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, &server, &ctx) == 0);
	} else {
		must(auth_observer_new(AUTH_SPNEGO, AUTH_LEVEL_PRIVACY, &observer, &ctx) == 0);
	}
	session(ctx, c, what == 'o');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t what;
	if (cursor_u8(&c, &what) < 0)
		return 0;
	if (what == 'm')
		message(c);
	else if (what == 'c' || what == 's' || what == 'o')
		role(what, c);
	return 0;
}
