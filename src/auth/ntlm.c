#include "auth/ntlm.h"

#include "base/secret.h"
#include "base/utf16.h"

#include <stdlib.h>

const uint8_t ntlm_version[8] = {6, 1, 0, 0, 0, 0, 0, 15};

int ntlm_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_type type,
                     enum auth_level level, struct ntlm_context **out)
{
	struct ntlm_context *n = calloc(1, sizeof *n);
	if (n == NULL)
		return MW_E_NOMEM;
	n->base = (struct auth_context){provider, role, type, level};
	n->arena = arena_new((size_t)1 << 20);
	if (n->arena == NULL) {
		free(n);
		return MW_E_NOMEM;
	}
	*out = n;
	return 0;
}

void ntlm_destroy(struct auth_context *ctx)
{
	struct ntlm_context *n = ntlm_of(ctx);
	buf_free(&n->negotiate);
	buf_free(&n->challenge);
	arena_free(&n->arena);
	secret_wipe(n, sizeof *n);
	free(n);
}

void ntlm_get_info(const struct auth_context *ctx, struct auth_info *out)
{
	const struct ntlm_context *n = ntlm_of_const(ctx);
	*out = n->info;
	out->complete = n->stage == NTLM_DONE;
	out->flags = n->flags;
}

size_t ntlm_signature_size(const struct auth_context *ctx)
{
	(void)ctx;
	return NTLM_SIGNATURE_SIZE;
}

static struct ntlm_pdu pdu_of(const struct auth_context *ctx, uint8_t *data, size_t len, size_t body, size_t body_len)
{
	return (struct ntlm_pdu){data, len, body, body_len, ctx->level == AUTH_LEVEL_PRIVACY};
}

int ntlm_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                 uint8_t *signature)
{
	struct ntlm_context *n = ntlm_of(ctx);
	if (!auth_level_signs(ctx->level)) {
		memset(signature, 0, NTLM_SIGNATURE_SIZE);
		signature[0] = 1;
		return 0;
	}
	if (n->stage != NTLM_DONE || !n->has_key)
		return MW_E_STATE;
	enum auth_side own = ctx->role == AUTH_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER;
	struct ntlm_pdu p = pdu_of(ctx, pdu, pdu_len, body, body_len);
	ntlm_seal_protect(&n->seal[own], &p, signature);
	return 0;
}

int ntlm_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
               size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct ntlm_context *n = ntlm_of(ctx);
	if (!auth_level_signs(ctx->level))
		return 0;
	if (n->stage != NTLM_DONE || !n->has_key)
		return MW_E_STATE;
	if (signature_len != NTLM_SIGNATURE_SIZE)
		return MW_E_AUTH;
	struct ntlm_seal *seal = &n->seal[from == AUTH_FROM_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER];
	struct ntlm_pdu p = pdu_of(ctx, pdu, pdu_len, body, body_len);
	return seal->lost ? ntlm_seal_find(seal, &p, signature) : ntlm_seal_check(seal, &p, signature);
}

void ntlm_lost(struct auth_context *ctx, enum auth_side from)
{
	ntlm_of(ctx)->seal[from == AUTH_FROM_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER].lost = true;
}

/* ---- mechListMIC ---- */

void ntlm_want_mic(struct auth_context *ctx)
{
	ntlm_of(ctx)->wants_mic = true;
}

static bool can_sign(const struct ntlm_context *n)
{
	const uint32_t needed = NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY;
	return n->stage == NTLM_DONE && n->has_key && (n->flags & needed) == needed;
}

int ntlm_make_mic(struct auth_context *ctx, const uint8_t *data, size_t len, struct buf *out)
{
	struct ntlm_context *n = ntlm_of(ctx);
	enum auth_side own = ctx->role == AUTH_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER;
	uint8_t signature[NTLM_SIGNATURE_SIZE];
	if (!can_sign(n))
		return MW_E_UNSUPPORTED;
	ntlm_seal_mic(&n->seal[own], data, len, signature);
	return buf_put(out, signature, sizeof signature);
}

int ntlm_check_mic(struct auth_context *ctx, enum auth_side from, const uint8_t *data, size_t len, const uint8_t *mic,
                   size_t mic_len)
{
	struct ntlm_context *n = ntlm_of(ctx);
	enum auth_side side = from == AUTH_FROM_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER;
	uint8_t signature[NTLM_SIGNATURE_SIZE];
	if (!can_sign(n))
		return MW_E_UNSUPPORTED;
	ntlm_seal_mic(&n->seal[side], data, len, signature);
	return mic_len == sizeof signature && secret_equal(signature, mic, sizeof signature) ? 0 : MW_E_AUTH;
}

int ntlm_session_key(const struct auth_context *ctx, uint8_t out[16])
{
	const struct ntlm_context *n = ntlm_of_const(ctx);
	if (n->stage != NTLM_DONE || !n->has_key)
		return MW_E_STATE;
	memcpy(out, n->exported_key, sizeof n->exported_key);
	return 0;
}

void ntlm_set_key(struct ntlm_context *n, const uint8_t exported_key[16])
{
	memcpy(n->exported_key, exported_key, sizeof n->exported_key);
	n->has_key = true;
	for (int side = AUTH_FROM_CLIENT; side <= AUTH_FROM_SERVER; side++) {
		bool lost = n->seal[side].lost;
		ntlm_seal_init(&n->seal[side], exported_key, n->flags, (enum auth_side)side);
		n->seal[side].lost = lost;
	}
}

uint32_t ntlm_required_flags(enum auth_level level)
{
	uint32_t flags = NTLMSSP_NEGOTIATE_NTLM;
	/* Over HTTP there are clients that know no Unicode: curl. */
	if (level != AUTH_LEVEL_NONE)
		flags |= NTLMSSP_NEGOTIATE_UNICODE;
	if (auth_level_signs(level))
		flags |= NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY | NTLMSSP_NEGOTIATE_128;
	if (level == AUTH_LEVEL_PRIVACY)
		flags |= NTLMSSP_NEGOTIATE_SEAL;
	return flags;
}

bool ntlm_v1_base_key(const struct ntlm_context *n, const struct ntlm_authenticate *m, const uint8_t nt_hash[16],
                      uint8_t base_key[16])
{
	const struct ntlm_bytes nt = m->nt_response, lm = m->lm_response;
	uint8_t challenge[8], response[24], key[16];
	if (nt.len != 24 || lm.len < 8)
		return false;
	ntlm_v1_ess_challenge(n->server_challenge, lm.data, challenge);
	ntlm_desl(nt_hash, challenge, response);
	if (!secret_equal(response, nt.data, sizeof response))
		return false;
	ntlm_v1_session_base_key(nt_hash, key);
	ntlm_v1_ess_kxkey(key, n->server_challenge, lm.data, base_key);
	secret_wipe(key, sizeof key);
	return true;
}

void ntlm_unwrap_key(const struct ntlm_authenticate *m, uint32_t flags, const uint8_t key_exchange_key[16],
                     uint8_t out[16])
{
	if (flags & NTLMSSP_NEGOTIATE_KEY_EXCH && m->session_key.len == 16)
		ntlm_rc4k(key_exchange_key, m->session_key.data, out);
	else
		memcpy(out, key_exchange_key, 16);
}

void ntlm_mic(const struct ntlm_context *n, struct cursor authenticate, uint8_t out[16])
{
	static const uint8_t zeros[16];
	const uint8_t *token = cursor_here(&authenticate);
	size_t rest = NTLM_MIC_OFFSET + sizeof zeros;
	ntlm_hmac_md5(n->exported_key,
	              (const struct ntlm_bytes[]){{n->negotiate.data, n->negotiate.len},
	                                          {n->challenge.data, n->challenge.len},
	                                          {token, NTLM_MIC_OFFSET},
	                                          {zeros, sizeof zeros},
	                                          {token + rest, cursor_left(&authenticate) - rest}},
	              5, out);
}

const char *ntlm_text(struct ntlm_context *n, struct ntlm_bytes text, uint32_t flags)
{
	if (flags & NTLMSSP_NEGOTIATE_UNICODE)
		return utf16le_to_utf8(n->arena, text.data, text.len);
	/* An OEM code page that we are not told: only ASCII is certain. */
	char *s = arena_strndup(n->arena, (const char *)text.data, text.len);
	for (char *p = s; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return s;
}

int ntlm_note_names(struct ntlm_context *n, const struct ntlm_authenticate *m, uint32_t flags)
{
	const char *domain = ntlm_text(n, m->domain, flags);
	const char *user = ntlm_text(n, m->user, flags);
	const char *workstation = ntlm_text(n, m->workstation, flags);
	if (domain == NULL || user == NULL || workstation == NULL)
		return MW_E_NOMEM;
	n->info.domain = domain;
	n->info.user = user;
	n->info.workstation = workstation;
	return 0;
}

int ntlm_wide(struct arena *arena, const char *text, struct ntlm_bytes *out)
{
	size_t units = 0;
	uint16_t *wide = utf8_to_utf16(arena, text != NULL ? text : "", &units);
	if (wide == NULL)
		return MW_E_NOMEM;
	*out = (struct ntlm_bytes){(const uint8_t *)wide, 2 * units};
	return 0;
}
