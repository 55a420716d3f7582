#include "auth/ntlm.h"

#include "base/secret.h"
#include "base/time.h"

/* MS-NLMP 3.1: the client. NTLMv2 with a MIC, always. */

#define CLIENT_FLAGS                                                                                                   \
	(NTLMSSP_NEGOTIATE_UNICODE | NTLMSSP_REQUEST_TARGET | NTLMSSP_NEGOTIATE_NTLM | NTLMSSP_NEGOTIATE_ALWAYS_SIGN | \
	 NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLMSSP_NEGOTIATE_VERSION | NTLMSSP_NEGOTIATE_128 |              \
	 NTLMSSP_NEGOTIATE_56)

/* 3.1.5.1.1; key exchange has a meaning only where something is signed (3.1.5.1.2). */
static uint32_t client_flags(enum auth_level level)
{
	uint32_t flags = CLIENT_FLAGS | ntlm_required_flags(level);
	return auth_level_signs(level) ? flags | NTLMSSP_NEGOTIATE_KEY_EXCH : flags;
}

static int send_negotiate(struct ntlm_context *n, struct buf *out)
{
	bool more = n->wants_mic && !auth_level_signs(n->base.level);
	n->flags = client_flags(more ? AUTH_LEVEL_INTEGRITY : n->base.level);
	buf_clear(&n->negotiate);
	struct ntlm_negotiate m = {.flags = n->flags};
	memcpy(m.version, ntlm_version, sizeof m.version);
	int r = ntlm_negotiate_build(&m, &n->negotiate);
	if (r < 0 || (r = buf_put(out, n->negotiate.data, n->negotiate.len)) < 0)
		return r;
	n->stage = NTLM_HALFWAY;
	return MW_E_AGAIN;
}

/* ---- The answer to the CHALLENGE_MESSAGE, 3.1.5.1.2 ---- */

struct answer {
	struct ntlm_context *n;
	const struct auth_env *env;
	const struct ntlm_challenge *challenge;
	struct ntlm_av av;   /* of the challenge */
	struct arena *arena; /* for the length of this step */
	struct ntlm_authenticate message;
	uint8_t exported_key[16], wrapped_key[16];
};

static void response_key(const struct answer *a, uint8_t out[16])
{
	const struct auth_client_config *config = a->n->config.client;
	uint8_t nt_hash[16];
	if (config->nt_hash != NULL)
		memcpy(nt_hash, config->nt_hash, sizeof nt_hash);
	else
		ntlm_nt_hash(config->password, nt_hash);
	ntlm_ntowfv2(nt_hash, a->message.user, a->message.domain, out);
	secret_wipe(nt_hash, sizeof nt_hash);
}

/* The server's pairs as they came, with our flags instead of its, and what only we know. */
static int put_pairs(const struct answer *a, struct buf *out)
{
	uint8_t bindings[16] = {0};
	const struct auth_client_config *config = a->n->config.client;
	struct cursor c = cursor_of(a->challenge->target_info.data, a->av.end);
	uint16_t id, len;
	const uint8_t *value;
	while (cursor_u16(&c, &id) == 0 && cursor_u16(&c, &len) == 0 && cursor_bytes(&c, len, &value) == 0)
		if (id != MsvAvFlags && id != MsvAvChannelBindings && id != MsvAvTargetName)
			ntlm_av_put(out, (enum ntlm_av_id)id, value, len);
	uint32_t flags = ntlm_av_flags(&a->av) | NTLM_AV_FLAG_MIC;
	struct ntlm_bytes target;
	int r = ntlm_wide(a->arena, config->target, &target);
	if (r < 0)
		return r;
	ntlm_av_put(out, MsvAvFlags, &flags, sizeof flags);
	if (config->channel_bindings != NULL)
		memcpy(bindings, config->channel_bindings, sizeof bindings);
	else if (a->env->binding_len > 0)
		ntlm_channel_hash(a->env->binding, a->env->binding_len, bindings);
	ntlm_av_put(out, MsvAvChannelBindings, bindings, sizeof bindings);
	ntlm_av_put(out, MsvAvTargetName, target.data, target.len);
	return ntlm_av_put(out, MsvAvEOL, NULL, 0);
}

/* NTLMv2_CLIENT_CHALLENGE, 2.2.2.7, and the four zeros that 3.3.2 adds. */
static int put_temp(const struct answer *a, struct buf *out)
{
	struct ntlm_bytes stamp = a->av.value[MsvAvTimestamp];
	uint8_t client_challenge[8];
	a->env->random->fill(a->env->random->user, client_challenge, sizeof client_challenge);
	buf_put_u8(out, 1);
	buf_put_u8(out, 1);
	buf_put_zero(out, 6);
	if (stamp.len == 8)
		buf_put(out, stamp.data, stamp.len);
	else
		buf_put_u64(out, filetime_from_ns(a->env->now_ns));
	buf_put(out, client_challenge, sizeof client_challenge);
	buf_put_zero(out, 4);
	int r = put_pairs(a, out);
	return r < 0 ? r : buf_put_zero(out, 4);
}

static int make_names(struct answer *a)
{
	const struct auth_client_config *config = a->n->config.client;
	int r;
	if ((r = ntlm_wide(a->arena, config->domain, &a->message.domain)) < 0 ||
	    (r = ntlm_wide(a->arena, config->user, &a->message.user)) < 0 ||
	    (r = ntlm_wide(a->arena, config->workstation, &a->message.workstation)) < 0)
		return r;
	return 0;
}

/* NTChallengeResponse into response, and the session keys that follow from it. */
static int make_response(struct answer *a, struct buf *response)
{
	uint8_t key[16], base_key[16];
	int r;
	if ((r = buf_put_zero(response, 16)) < 0 || (r = put_temp(a, response)) < 0)
		return r;
	struct ntlm_bytes temp = {response->data + 16, response->len - 16};
	response_key(a, key);
	ntlm_v2_proof(key, a->challenge->server_challenge, temp, response->data);
	ntlm_v2_session_base_key(key, response->data, base_key);
	if (a->message.flags & NTLMSSP_NEGOTIATE_KEY_EXCH) {
		a->env->random->fill(a->env->random->user, a->exported_key, sizeof a->exported_key);
		ntlm_rc4k(base_key, a->exported_key, a->wrapped_key);
		a->message.session_key = (struct ntlm_bytes){a->wrapped_key, sizeof a->wrapped_key};
	} else {
		memcpy(a->exported_key, base_key, sizeof base_key);
	}
	a->message.nt_response = (struct ntlm_bytes){response->data, response->len};
	secret_wipe(key, sizeof key);
	secret_wipe(base_key, sizeof base_key);
	return 0;
}

static int send_answer(struct answer *a, struct buf *out)
{
	static const uint8_t no_lm_response[24];
	struct ntlm_context *n = a->n;
	uint8_t mic[16];
	struct buf MW_CLEANUP(buf_free) token = {0};
	a->message.lm_response = (struct ntlm_bytes){no_lm_response, sizeof no_lm_response};
	a->message.has_mic_field = true;
	memcpy(a->message.version, ntlm_version, sizeof a->message.version);
	int r = ntlm_authenticate_build(&a->message, &token);
	if (r < 0)
		return r;
	n->flags = a->message.flags;
	ntlm_set_key(n, a->exported_key);
	ntlm_mic(n, cursor_of(token.data, token.len), mic);
	memcpy(token.data + NTLM_MIC_OFFSET, mic, sizeof mic);
	return buf_put(out, token.data, token.len);
}

static int answer_challenge(struct answer *a, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) response = {0};
	int r;
	if ((r = make_names(a)) < 0 || (r = make_response(a, &response)) < 0)
		return r;
	return send_answer(a, out);
}

static int note_challenge(struct ntlm_context *n, struct cursor in, const struct ntlm_challenge *m)
{
	n->info.target_name = ntlm_text(n, m->target_name, m->flags);
	if (n->info.target_name == NULL)
		return MW_E_NOMEM;
	buf_clear(&n->challenge);
	return buf_put(&n->challenge, cursor_here(&in), cursor_left(&in));
}

static int take_challenge(struct ntlm_context *n, const struct auth_env *env, struct cursor in, struct buf *out,
                          uint32_t *status)
{
	struct ntlm_challenge challenge;
	int r = ntlm_challenge_parse(in, &challenge);
	if (r < 0)
		return r;
	uint32_t required = ntlm_required_flags(n->base.level);
	if ((challenge.flags & required) != required) {
		*status = STATUS_NOT_SUPPORTED;
		return MW_E_AUTH;
	}
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct answer a = {.n = n, .env = env, .challenge = &challenge, .arena = arena};
	if (arena == NULL)
		return MW_E_NOMEM;
	if ((r = ntlm_av_parse(challenge.target_info, &a.av)) < 0 || (r = note_challenge(n, in, &challenge)) < 0)
		return r;
	a.message.flags = n->flags & challenge.flags;
	a.message.flags |= challenge.flags & NTLMSSP_NEGOTIATE_TARGET_INFO;
	r = answer_challenge(&a, out);
	secret_wipe(a.exported_key, sizeof a.exported_key);
	return r;
}

static int client_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct ntlm_context *n = ntlm_of(ctx);
	if (n->stage == NTLM_START)
		return cursor_left(&in) > 0 ? MW_E_STATE : send_negotiate(n, out);
	if (n->stage != NTLM_HALFWAY)
		return MW_E_STATE;
	*status = STATUS_INVALID_PARAMETER;
	int r = take_challenge(n, env, in, out, status);
	n->stage = r == 0 ? NTLM_DONE : NTLM_FAILED;
	if (r == 0)
		*status = 0;
	return r;
}

static const struct auth_provider client_provider = {
        .step = client_step,
        .get_info = ntlm_get_info,
        .signature_size = ntlm_signature_size,
        .protect = ntlm_protect,
        .check = ntlm_check,
        .session_key = ntlm_session_key,
        .mic = ntlm_make_mic,
        .check_mic = ntlm_check_mic,
        .destroy = ntlm_destroy,
};

int ntlm_client_new(enum auth_level level, const struct auth_client_config *config, struct auth_context **out)
{
	struct ntlm_context *n;
	if (config->user == NULL || (config->password == NULL && config->nt_hash == NULL))
		return MW_E_INVALID;
	int r = ntlm_context_new(&client_provider, AUTH_CLIENT, AUTH_NTLM, level, &n);
	if (r < 0)
		return r;
	n->config.client = config;
	n->info.domain = config->domain;
	n->info.user = config->user;
	n->info.workstation = config->workstation;
	*out = &n->base;
	return 0;
}
