#include "auth/ntlm.h"

#include "base/secret.h"
#include "base/time.h"

/*
 * MS-NLMP 3.2: the server. NTLMv2, and NTLMv1 with extended session security where the configuration allows it; LM
 * and plain NTLMv1 never. A MIC is verified whenever the client announced it.
 */

/* What we can do; the client chooses from it. */
#define SERVER_FLAGS                                                                                                   \
	(NTLMSSP_NEGOTIATE_UNICODE | NTLMSSP_REQUEST_TARGET | NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_SEAL |        \
	 NTLMSSP_NEGOTIATE_NTLM | NTLMSSP_NEGOTIATE_ALWAYS_SIGN | NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY |         \
	 NTLMSSP_NEGOTIATE_VERSION | NTLMSSP_NEGOTIATE_128 | NTLMSSP_NEGOTIATE_KEY_EXCH | NTLMSSP_NEGOTIATE_56)

static int refuse(uint32_t *status, uint32_t code)
{
	*status = code;
	return MW_E_AUTH;
}

/* ---- NEGOTIATE_MESSAGE to CHALLENGE_MESSAGE, 3.2.5.1.1 ---- */

static int put_name(struct arena *arena, struct buf *out, enum ntlm_av_id id, const char *name)
{
	struct ntlm_bytes wide;
	if (name == NULL)
		return 0;
	int r = ntlm_wide(arena, name, &wide);
	return r < 0 ? r : ntlm_av_put(out, id, wide.data, wide.len);
}

static int put_target_info(const struct auth_server_config *config, struct arena *arena, int64_t now_ns,
                           struct buf *out)
{
	uint64_t now = filetime_from_ns(now_ns);
	int r;
	if ((r = put_name(arena, out, MsvAvNbDomainName, config->netbios_domain)) < 0 ||
	    (r = put_name(arena, out, MsvAvNbComputerName, config->netbios_computer)) < 0 ||
	    (r = put_name(arena, out, MsvAvDnsDomainName, config->dns_domain)) < 0 ||
	    (r = put_name(arena, out, MsvAvDnsComputerName, config->dns_computer)) < 0)
		return r;
	ntlm_av_put(out, MsvAvTimestamp, &now, sizeof now);
	return ntlm_av_put(out, MsvAvEOL, NULL, 0);
}

static int send_challenge(struct ntlm_context *n, const struct auth_env *env, struct cursor in, struct buf *out)
{
	const struct auth_server_config *config = n->config.server;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf MW_CLEANUP(buf_free) info = {0};
	struct ntlm_challenge m = {.flags = n->flags};
	int r;
	if (arena == NULL)
		return MW_E_NOMEM;
	if (!(n->flags & NTLMSSP_NEGOTIATE_UNICODE))
		m.target_name = (struct ntlm_bytes){(const uint8_t *)config->netbios_domain,
		                                    config->netbios_domain ? strlen(config->netbios_domain) : 0};
	else if ((r = ntlm_wide(arena, config->netbios_domain, &m.target_name)) < 0)
		return r;
	if ((r = put_target_info(config, arena, env->now_ns, &info)) < 0)
		return r;
	env->random->fill(env->random->user, n->server_challenge, sizeof n->server_challenge);
	memcpy(m.server_challenge, n->server_challenge, sizeof m.server_challenge);
	m.target_info = (struct ntlm_bytes){info.data, info.len};
	if (m.flags & NTLMSSP_NEGOTIATE_VERSION)
		memcpy(m.version, ntlm_version, sizeof m.version);
	buf_clear(&n->negotiate);
	buf_clear(&n->challenge);
	if ((r = buf_put(&n->negotiate, cursor_here(&in), cursor_left(&in))) < 0 ||
	    (r = ntlm_challenge_build(&m, &n->challenge)) < 0)
		return r;
	return buf_put(out, n->challenge.data, n->challenge.len);
}

static int take_negotiate(struct ntlm_context *n, const struct auth_env *env, struct cursor in, struct buf *out,
                          uint32_t *status)
{
	struct ntlm_negotiate m;
	int r = ntlm_negotiate_parse(in, &m);
	if (r < 0)
		return r;
	/* Windows judges by the last word on signing and sealing, not by the first. */
	uint32_t required = ntlm_required_flags(n->base.level) & ~(NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_SEAL);
	if ((m.flags & required) != required)
		return refuse(status, STATUS_NOT_SUPPORTED);
	n->flags = (m.flags & SERVER_FLAGS) | (m.flags & NTLMSSP_NEGOTIATE_UNICODE ? 0 : NTLMSSP_NEGOTIATE_OEM) |
	           NTLMSSP_NEGOTIATE_TARGET_INFO | NTLMSSP_REQUEST_TARGET | NTLMSSP_TARGET_TYPE_DOMAIN;
	if ((r = send_challenge(n, env, in, out)) < 0)
		return r;
	n->stage = NTLM_HALFWAY;
	return MW_E_AGAIN;
}

/* ---- AUTHENTICATE_MESSAGE, 3.2.5.1.2 ---- */

/* Does the proof fit the password hash? With this domain, and, as 3.2.5.1.2 has it, with none. */
static bool proof_fits(const struct ntlm_context *n, const uint8_t nt_hash[16], const struct ntlm_authenticate *m,
                       const struct ntlm_v2_response *response, uint8_t base_key[16])
{
	const struct ntlm_bytes domains[] = {m->domain, {m->domain.data, 0}};
	uint8_t key[16], proof[16];
	bool fits = false;
	for (size_t i = 0; i < ARRAY_SIZE(domains) && !fits; i++) {
		ntlm_ntowfv2(nt_hash, m->user, domains[i], key);
		ntlm_v2_proof(key, n->server_challenge, response->temp, proof);
		fits = secret_equal(proof, response->proof, sizeof proof);
	}
	if (fits)
		ntlm_v2_session_base_key(key, proof, base_key);
	secret_wipe(key, sizeof key);
	secret_wipe(proof, sizeof proof);
	return fits;
}

/* An unknown user takes the same path with a hash that nobody has, so that the time does not tell. response NULL: the
 * message's is NTLMv1. */
static int verify_user(struct ntlm_context *n, const struct auth_env *env, const struct ntlm_authenticate *m,
                       const struct ntlm_v2_response *response, uint8_t base_key[16], uint32_t *status)
{
	const struct auth_server_config *config = n->config.server;
	struct auth_account account = {0};
	int found = config->find_account(config->user, n->info.domain, n->info.user, &account);
	if (found < 0 && found != MW_E_NOTFOUND && found != MW_E_AUTH)
		return found;
	if (found < 0)
		env->random->fill(env->random->user, account.nt_hash, sizeof account.nt_hash);
	bool fits = response ? proof_fits(n, account.nt_hash, m, response, base_key)
	                     : ntlm_v1_base_key(n, m, account.nt_hash, base_key);
	secret_wipe(account.nt_hash, sizeof account.nt_hash);
	if (found == MW_E_AUTH)
		return refuse(status, STATUS_ACCOUNT_LOCKED_OUT);
	if (found < 0 || !fits)
		return refuse(status, STATUS_LOGON_FAILURE);
	if (account.refused)
		return refuse(status, account.refused);
	n->info.account_id = account.id;
	return 0;
}

static int verify_mic(struct ntlm_context *n, struct cursor in, const struct ntlm_authenticate *m, uint32_t av_flags,
                      uint32_t *status)
{
	uint8_t mic[16];
	if (!(av_flags & NTLM_AV_FLAG_MIC))
		return n->config.server->require_mic ? refuse(status, STATUS_LOGON_FAILURE) : 0;
	if (!m->has_mic_field)
		return refuse(status, STATUS_LOGON_FAILURE);
	n->info.mic_present = true;
	ntlm_mic(n, in, mic);
	n->info.mic_ok = secret_equal(mic, m->mic, sizeof mic);
	return n->info.mic_ok ? 0 : refuse(status, STATUS_LOGON_FAILURE);
}

static bool is_anonymous(const struct ntlm_authenticate *m)
{
	return m->user.len == 0 && m->nt_response.len == 0;
}

/*
 * The client's last word on the flags: it may drop some of what it offered, never what the level needs. Without
 * SIGN the handshake succeeds, as Windows' does; every PDU's signature is asked for and checked all the same.
 */
static int settle_flags(struct ntlm_context *n, const struct ntlm_authenticate *m, uint32_t *status)
{
	uint32_t required = ntlm_required_flags(n->base.level) & ~NTLMSSP_NEGOTIATE_SIGN;
	/* Nothing of an anonymous caller's is protected by how the key is used: everyone knows the key. */
	if (is_anonymous(m))
		required &= NTLMSSP_NEGOTIATE_SEAL;
	if ((n->flags & m->flags & required) != required)
		return refuse(status, STATUS_NOT_SUPPORTED);
	n->flags &= m->flags;
	return 0;
}

static void finish(struct ntlm_context *n, const struct ntlm_authenticate *m, const uint8_t base_key[16])
{
	uint8_t exported[16];
	ntlm_unwrap_key(m, n->flags, base_key, exported);
	ntlm_set_key(n, exported);
	secret_wipe(exported, sizeof exported);
}

static int accept_anonymous(struct ntlm_context *n, const struct ntlm_authenticate *m, uint32_t *status)
{
	static const uint8_t no_key[16];
	if (!n->config.server->allow_anonymous)
		return refuse(status, STATUS_ACCESS_DENIED);
	n->info.anonymous = true;
	finish(n, m, no_key);
	return 0;
}

/* NTLMv1 has no MIC: a bidding down that it would show stays unseen, which is why it must be asked for. */
static int accept_v1(struct ntlm_context *n, const struct auth_env *env, const struct ntlm_authenticate *m,
                     uint32_t *status)
{
	const struct auth_server_config *config = n->config.server;
	uint8_t base_key[16];
	if (!config->allow_ntlm_v1 || config->require_mic || !(n->flags & NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY))
		return refuse(status, STATUS_NTLM_BLOCKED);
	if (env->binding_required) /* NTLMv1 cannot be bound to a channel */
		return refuse(status, STATUS_BAD_BINDINGS);
	int r = verify_user(n, env, m, NULL, base_key, status);
	if (r < 0)
		return r;
	finish(n, m, base_key);
	secret_wipe(base_key, sizeof base_key);
	return 0;
}

/* Whether the client has made its answer for this very channel: [MS-NLMP] 3.2.5.1.2. */
static int check_channel(const struct auth_env *env, const struct ntlm_av *av, uint32_t *status)
{
	static const uint8_t none[16];
	struct ntlm_bytes said = av->value[MsvAvChannelBindings];
	uint8_t hash[16];
	if (env->binding_len == 0)
		return 0;
	if (said.len != sizeof hash || memcmp(said.data, none, sizeof none) == 0)
		return env->binding_required ? refuse(status, STATUS_BAD_BINDINGS) : 0;
	ntlm_channel_hash(env->binding, env->binding_len, hash);
	return secret_equal(said.data, hash, sizeof hash) ? 0 : refuse(status, STATUS_BAD_BINDINGS);
}

/* NTOWFv2 is made of Unicode names, whatever the message has them in: 3.3.2. */
static int widen_names(struct ntlm_context *n, struct ntlm_authenticate *m)
{
	if (n->flags & NTLMSSP_NEGOTIATE_UNICODE)
		return 0;
	int r = ntlm_wide(n->arena, n->info.user, &m->user);
	return r < 0 ? r : ntlm_wide(n->arena, n->info.domain, &m->domain);
}

static int accept_user(struct ntlm_context *n, const struct auth_env *env, struct cursor in,
                       const struct ntlm_authenticate *m, uint32_t *status)
{
	struct ntlm_v2_response response;
	uint8_t base_key[16];
	/* LM and NTLMv1 answers have 24 bytes, or none in the place of the NT response. */
	if (m->nt_response.len < NTLM_V2_RESPONSE_MIN)
		return accept_v1(n, env, m, status);
	int r = ntlm_v2_response_parse(m->nt_response, &response);
	if (r < 0)
		return r;
	struct ntlm_authenticate wide = *m;
	if ((r = widen_names(n, &wide)) < 0)
		return r;
	if ((r = verify_user(n, env, &wide, &response, base_key, status)) < 0)
		return r;
	finish(n, m, base_key);
	secret_wipe(base_key, sizeof base_key);
	if ((r = check_channel(env, &response.av, status)) < 0)
		return r;
	return verify_mic(n, in, m, ntlm_av_flags(&response.av), status);
}

static int take_authenticate(struct ntlm_context *n, const struct auth_env *env, struct cursor in, uint32_t *status)
{
	struct ntlm_authenticate m;
	int r = ntlm_authenticate_parse(in, &m);
	if (r < 0)
		return r;
	if ((r = settle_flags(n, &m, status)) < 0 || (r = ntlm_note_names(n, &m, n->flags)) < 0)
		return r;
	return is_anonymous(&m) ? accept_anonymous(n, &m, status) : accept_user(n, env, in, &m, status);
}

static int server_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct ntlm_context *n = ntlm_of(ctx);
	int r = MW_E_STATE;
	*status = STATUS_INVALID_PARAMETER;
	if (n->stage == NTLM_START)
		r = take_negotiate(n, env, in, out, status);
	else if (n->stage == NTLM_HALFWAY)
		r = take_authenticate(n, env, in, status);
	if (r == MW_E_AGAIN || r == 0)
		*status = 0;
	/* MW_E_AGAIN of the directory: the same token comes again. */
	if (r == 0)
		n->stage = NTLM_DONE;
	else if (r != MW_E_AGAIN && r != MW_E_STATE) {
		n->stage = NTLM_FAILED;
		n->has_key = false;
		secret_wipe(n->exported_key, sizeof n->exported_key);
	}
	if (n->stage == NTLM_DONE || n->stage == NTLM_FAILED) {
		buf_free(&n->negotiate); /* no MIC is to come */
		buf_free(&n->challenge);
	}
	return r;
}

static const struct auth_provider server_provider = {
        .step = server_step,
        .get_info = ntlm_get_info,
        .signature_size = ntlm_signature_size,
        .protect = ntlm_protect,
        .check = ntlm_check,
        .session_key = ntlm_session_key,
        .mic = ntlm_make_mic,
        .check_mic = ntlm_check_mic,
        .destroy = ntlm_destroy,
};

int ntlm_server_new(enum auth_level level, const struct auth_server_config *config, struct auth_context **out)
{
	struct ntlm_context *n;
	if (config->find_account == NULL)
		return MW_E_INVALID;
	int r = ntlm_context_new(&server_provider, AUTH_SERVER, AUTH_NTLM, level, &n);
	if (r < 0)
		return r;
	n->config.server = config;
	*out = &n->base;
	return 0;
}
