#include "auth/spnego.h"

#include <stdlib.h>

int spnego_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_level level,
                       struct spnego_context **out)
{
	struct spnego_context *s = calloc(1, sizeof *s);
	if (s == NULL)
		return MW_E_NOMEM;
	s->base = (struct auth_context){provider, role, AUTH_SPNEGO, level};
	*out = s;
	return 0;
}

void spnego_set_inner(struct spnego_context *s, enum spnego_mech mech, struct auth_context *inner)
{
	auth_free(&s->inner);
	s->inner = inner;
	s->mech = mech;
	s->inner_done = false;
	auth_sign_header(inner, s->sign_header);
}

void spnego_destroy(struct auth_context *ctx)
{
	struct spnego_context *s = spnego_of(ctx);
	auth_free(&s->inner);
	buf_free(&s->mech_list);
	free(s);
}

int spnego_make_mic(struct spnego_context *s, struct buf *out)
{
	const struct auth_provider *p = s->inner->provider;
	return p->mic != NULL ? p->mic(s->inner, s->mech_list.data, s->mech_list.len, out) : MW_E_UNSUPPORTED;
}

int spnego_check_mic(struct spnego_context *s, enum auth_side from, struct spnego_bytes mic)
{
	const struct auth_provider *p = s->inner->provider;
	if (p->check_mic == NULL ||
	    p->check_mic(s->inner, from, s->mech_list.data, s->mech_list.len, mic.data, mic.len) < 0)
		return MW_E_AUTH;
	s->mic_verified = true;
	return 0;
}

bool spnego_is_raw_ntlm(struct cursor token)
{
	static const char signature[8] = "NTLMSSP";
	return cursor_left(&token) >= sizeof signature && memcmp(cursor_here(&token), signature, sizeof signature) == 0;
}

void spnego_get_info(const struct auth_context *ctx, struct auth_info *out)
{
	const struct spnego_context *s = (const struct spnego_context *)ctx;
	*out = (struct auth_info){0};
	if (s->inner != NULL)
		auth_get_info(s->inner, out);
	if (ctx->role != AUTH_OBSERVER)
		out->complete = s->stage == SPNEGO_DONE;
}

size_t spnego_signature_size(const struct auth_context *ctx)
{
	const struct spnego_context *s = (const struct spnego_context *)ctx;
	return s->inner != NULL ? auth_signature_size(s->inner) : 0;
}

int spnego_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                   uint8_t *signature)
{
	struct spnego_context *s = spnego_of(ctx);
	if (s->stage != SPNEGO_DONE)
		return MW_E_STATE;
	return auth_protect(s->inner, pdu, pdu_len, body, body_len, signature);
}

int spnego_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                 size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct spnego_context *s = spnego_of(ctx);
	if (s->inner == NULL || (ctx->role != AUTH_OBSERVER && s->stage != SPNEGO_DONE))
		return auth_level_signs(ctx->level) ? MW_E_STATE : 0;
	return auth_check(s->inner, from, pdu, pdu_len, body, body_len, signature, signature_len);
}

int spnego_session_key(const struct auth_context *ctx, uint8_t out[16])
{
	const struct spnego_context *s = (const struct spnego_context *)ctx;
	if (s->inner == NULL || (ctx->role != AUTH_OBSERVER && s->stage != SPNEGO_DONE))
		return MW_E_STATE;
	return auth_session_key(s->inner, out);
}

void spnego_sign_header(struct auth_context *ctx, bool on)
{
	struct spnego_context *s = spnego_of(ctx);
	s->sign_header = on;
	if (s->inner != NULL)
		auth_sign_header(s->inner, on);
}
