#include "auth/ntlm.h"

#include "base/secret.h"
#include "base/text.h"

/*
 * The third role: sees the three messages and, with a secret, derives what the
 * two sides derived. A wrong secret never yields keys: the client's response
 * proves the password, the MIC a session key.
 */

/* One attempt to open a handshake. */
struct handshake {
	struct ntlm_context *n;
	struct cursor token; /* the AUTHENTICATE_MESSAGE */
	struct ntlm_authenticate message;
	bool is_v2;
	struct ntlm_v2_response v2;
};

static bool same_text(const char *a, const char *b)
{
	return text_casecmp(a, b) == 0;
}

/* The user must match; the domain too, unless either side leaves it open. */
static bool is_for(const struct auth_secret *secret, const struct auth_info *info)
{
	const char *domain = secret->domain != NULL ? secret->domain : "";
	if (secret->user == NULL || !same_text(secret->user, info->user))
		return false;
	return *domain == '\0' || *info->domain == '\0' || same_text(domain, info->domain);
}

static bool v2_base_key(const struct handshake *h, const uint8_t nt_hash[16], uint8_t base_key[16])
{
	const struct ntlm_bytes domains[] = {h->message.domain, {h->message.domain.data, 0}};
	uint8_t key[16], proof[16];
	bool fits = false;
	for (size_t i = 0; i < ARRAY_SIZE(domains) && !fits; i++) {
		ntlm_ntowfv2(nt_hash, h->message.user, domains[i], key);
		ntlm_v2_proof(key, h->n->server_challenge, h->v2.temp, proof);
		fits = secret_equal(proof, h->v2.proof, sizeof proof);
	}
	if (fits)
		ntlm_v2_session_base_key(key, proof, base_key);
	secret_wipe(key, sizeof key);
	return fits;
}

static bool exported_key(const struct handshake *h, const struct auth_secret *secret, uint8_t out[16])
{
	uint8_t nt_hash[16], base_key[16];
	if (secret->kind == AUTH_SECRET_SESSION_KEY) {
		memcpy(out, secret->key, 16);
		return true;
	}
	if (secret->kind == AUTH_SECRET_NTHASH)
		memcpy(nt_hash, secret->key, sizeof nt_hash);
	else
		ntlm_nt_hash(secret->password != NULL ? secret->password : "", nt_hash);
	bool fits =
	        h->is_v2 ? v2_base_key(h, nt_hash, base_key) : ntlm_v1_base_key(h->n, &h->message, nt_hash, base_key);
	if (fits)
		ntlm_unwrap_key(&h->message, h->n->flags, base_key, out);
	secret_wipe(nt_hash, sizeof nt_hash);
	secret_wipe(base_key, sizeof base_key);
	return fits;
}

static void forget_key(struct ntlm_context *n)
{
	n->has_key = false;
	n->unproven = false;
	secret_wipe(n->exported_key, sizeof n->exported_key);
}

/*
 * After a proven password a MIC that does not fit was tampered with; the keys
 * are right all the same. A session key is proved by the MIC or, where there is
 * none, by the first signature: until then both directions count as lost, so
 * that a wrong key touches nothing.
 */
static enum auth_key_state try_secret(struct handshake *h, const struct auth_secret *secret)
{
	struct ntlm_context *n = h->n;
	uint8_t key[16], mic[16];
	if (!exported_key(h, secret, key))
		return AUTH_KEY_WRONG_PROOF;
	ntlm_set_key(n, key);
	secret_wipe(key, sizeof key);
	if (n->info.mic_present) {
		ntlm_mic(n, h->token, mic);
		n->info.mic_ok = secret_equal(mic, h->message.mic, sizeof mic);
	}
	if (secret->kind != AUTH_SECRET_SESSION_KEY || n->info.mic_ok)
		return AUTH_KEY_FITS;
	if (n->info.mic_present) {
		forget_key(n);
		return AUTH_KEY_WRONG_PROOF;
	}
	n->unproven = true;
	ntlm_lost(&n->base, AUTH_FROM_CLIENT);
	ntlm_lost(&n->base, AUTH_FROM_SERVER);
	return AUTH_KEY_UNKNOWN;
}

static enum auth_key_state try_secrets(struct handshake *h)
{
	const struct auth_observer_config *config = h->n->config.observer;
	enum auth_key_state state = AUTH_KEY_NO_SUCH_USER;
	if (config == NULL || config->secret_count == 0)
		return AUTH_KEY_NO_SECRETS;
	for (size_t i = 0; i < config->secret_count; i++) {
		if (!is_for(&config->secrets[i], &h->n->info))
			continue;
		state = try_secret(h, &config->secrets[i]);
		if (state != AUTH_KEY_WRONG_PROOF)
			return state;
	}
	return state;
}

/* Anonymous sessions have no secret: their base key is zeros. */
static enum auth_key_state open_anonymous(struct handshake *h)
{
	static const uint8_t no_key[16];
	uint8_t key[16];
	h->n->info.anonymous = true;
	ntlm_unwrap_key(&h->message, h->n->flags, no_key, key);
	ntlm_set_key(h->n, key);
	secret_wipe(key, sizeof key);
	return AUTH_KEY_FITS;
}

/* Without extended session security a CRC and one RC4 stream for both directions: not ours to open. */
static enum auth_key_state open_handshake(struct handshake *h)
{
	const struct ntlm_authenticate *m = &h->message;
	if (!(h->n->flags & NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY))
		return AUTH_KEY_UNSUPPORTED;
	if (m->user.len == 0 && m->nt_response.len == 0)
		return open_anonymous(h);
	h->is_v2 = m->nt_response.len >= NTLM_V2_RESPONSE_MIN;
	if (h->is_v2 && ntlm_v2_response_parse(m->nt_response, &h->v2) < 0)
		return AUTH_KEY_UNSUPPORTED;
	if (!h->is_v2 && m->nt_response.len != 24)
		return AUTH_KEY_UNSUPPORTED;
	h->n->info.mic_present = h->is_v2 && m->has_mic_field && ntlm_av_flags(&h->v2.av) & NTLM_AV_FLAG_MIC;
	return try_secrets(h);
}

/* ---- What passes by ---- */

static int keep(struct buf *where, struct cursor token)
{
	buf_clear(where);
	return buf_put(where, cursor_here(&token), cursor_left(&token));
}

/* A new handshake on the same context replaces the old one. */
static void saw_negotiate(struct ntlm_context *n, struct cursor token)
{
	struct ntlm_negotiate m;
	if (ntlm_negotiate_parse(token, &m) < 0 || keep(&n->negotiate, token) < 0)
		return;
	buf_clear(&n->challenge);
	forget_key(n);
	n->info = (struct auth_info){.key = AUTH_KEY_UNKNOWN};
	n->flags = m.flags;
	n->stage = NTLM_START;
}

static void saw_challenge(struct ntlm_context *n, struct cursor token)
{
	struct ntlm_challenge m;
	if (n->stage == NTLM_DONE || ntlm_challenge_parse(token, &m) < 0 || keep(&n->challenge, token) < 0)
		return;
	memcpy(n->server_challenge, m.server_challenge, sizeof n->server_challenge);
	n->flags = m.flags;
	n->info.key = AUTH_KEY_UNKNOWN;
	n->info.target_name = ntlm_text(n, m.target_name, m.flags);
	n->stage = NTLM_HALFWAY;
}

static void saw_authenticate(struct ntlm_context *n, struct cursor token)
{
	struct handshake h = {.n = n, .token = token};
	if (n->stage == NTLM_DONE || ntlm_authenticate_parse(token, &h.message) < 0)
		return;
	/* Clients of old leave the flags out: what the server chose holds then. */
	uint32_t flags = h.message.flags != 0 ? h.message.flags : n->flags;
	if (ntlm_note_names(n, &h.message, flags) < 0)
		return;
	bool challenged = n->stage == NTLM_HALFWAY;
	n->flags = challenged ? n->flags & flags : flags;
	n->stage = NTLM_DONE;
	n->info.key = challenged ? open_handshake(&h) : AUTH_KEY_NO_HANDSHAKE;
}

static void observer_watch(struct auth_context *ctx, enum auth_side from, struct cursor token)
{
	struct ntlm_context *n = ntlm_of(ctx);
	enum ntlm_type type;
	if (cursor_left(&token) == 0)
		return;
	if (ntlm_message_type(token, &type) < 0) {
		if (n->stage == NTLM_START && n->negotiate.len == 0)
			n->info.key = AUTH_KEY_UNSUPPORTED;
		return;
	}
	if (type == NTLM_NEGOTIATE && from == AUTH_FROM_CLIENT)
		saw_negotiate(n, token);
	else if (type == NTLM_CHALLENGE && from == AUTH_FROM_SERVER)
		saw_challenge(n, token);
	else if (type == NTLM_AUTHENTICATE && from == AUTH_FROM_CLIENT)
		saw_authenticate(n, token);
}

static int observer_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                          size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct ntlm_context *n = ntlm_of(ctx);
	/* Protected PDUs pass by and the handshake never did. */
	if (n->stage != NTLM_DONE && n->info.key == AUTH_KEY_UNKNOWN)
		n->info.key = AUTH_KEY_NO_HANDSHAKE;
	int r = ntlm_check(ctx, from, pdu, pdu_len, body, body_len, signature, signature_len);
	if (n->unproven) {
		n->info.key = r == 0 ? AUTH_KEY_FITS : AUTH_KEY_WRONG_PROOF;
		n->unproven = r != 0;
	}
	return r;
}

static const struct auth_provider observer_provider = {
        .watch = observer_watch,
        .get_info = ntlm_get_info,
        .signature_size = ntlm_signature_size,
        .check = observer_check,
        .lost = ntlm_lost,
        .session_key = ntlm_session_key,
        .check_mic = ntlm_check_mic,
        .destroy = ntlm_destroy,
};

int ntlm_observer_new(enum auth_type type, enum auth_level level, const struct auth_observer_config *config,
                      struct auth_context **out)
{
	struct ntlm_context *n;
	int r = ntlm_context_new(&observer_provider, AUTH_OBSERVER, type, level, &n);
	if (r < 0)
		return r;
	n->config.observer = config;
	*out = &n->base;
	return 0;
}
