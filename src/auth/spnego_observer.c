#include "auth/spnego.h"

/*
 * The third role: finds out which mechanism the two settle on and shows its
 * observer what is inside the tokens. What is inside tells more surely than the
 * list which mechanism it is, so that captures that begin late are read too.
 */

static int new_mechanism(struct spnego_context *s, enum spnego_mech mech)
{
	struct auth_context *inner;
	int r;
	if (mech == SPNEGO_NTLM)
		r = ntlm_observer_new(AUTH_NTLM, s->base.level, s->config.observer, &inner);
	else
		r = kerberos_observer_new(s->base.level, s->config.observer, &inner);
	if (r == 0)
		spnego_set_inner(s, mech, inner);
	return r;
}

static void saw_inner(struct spnego_context *s, enum auth_side from, struct cursor token)
{
	enum spnego_mech mech = spnego_is_raw_ntlm(token) ? SPNEGO_NTLM : SPNEGO_KRB5;
	bool same = s->inner != NULL && (s->mech == SPNEGO_NTLM) == (mech == SPNEGO_NTLM);
	if (same || new_mechanism(s, mech) == 0)
		auth_watch(s->inner, from, token);
}

/* A MIC takes a sequence number of its side; whether it fits is between those two. */
static void saw_mic(struct spnego_context *s, enum auth_side from, struct spnego_bytes mic)
{
	if (s->inner != NULL && mic.data != NULL)
		(void)!spnego_check_mic(s, from, mic);
}

static void saw_init(struct spnego_context *s, const struct spnego_token *t)
{
	buf_clear(&s->mech_list);
	if (buf_put(&s->mech_list, t->mech_list.data, t->mech_list.len) < 0)
		buf_clear(&s->mech_list);
}

static void observer_watch(struct auth_context *ctx, enum auth_side from, struct cursor token)
{
	struct spnego_context *s = spnego_of(ctx);
	struct spnego_token t;
	if (cursor_left(&token) == 0)
		return;
	if (spnego_is_raw_ntlm(token)) {
		saw_inner(s, from, token);
		return;
	}
	if (spnego_parse(token, &t) < 0)
		return;
	if (t.is_init)
		saw_init(s, &t);
	if (t.token.len > 0)
		saw_inner(s, from, spnego_cursor(t.token));
	saw_mic(s, from, t.mic);
}

static void observer_lost(struct auth_context *ctx, enum auth_side from)
{
	struct spnego_context *s = spnego_of(ctx);
	if (s->inner != NULL)
		auth_lost(s->inner, from);
}

static void observer_info(const struct auth_context *ctx, struct auth_info *out)
{
	const struct spnego_context *s = (const struct spnego_context *)ctx;
	spnego_get_info(ctx, out);
	if (s->inner == NULL && s->stage == SPNEGO_FAILED)
		out->key = AUTH_KEY_NO_HANDSHAKE;
}

static int observer_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                          size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct spnego_context *s = spnego_of(ctx);
	/* Protected PDUs pass by and the handshake never did. */
	if (s->inner == NULL)
		s->stage = SPNEGO_FAILED;
	return spnego_check(ctx, from, pdu, pdu_len, body, body_len, signature, signature_len);
}

static const struct auth_provider observer_provider = {
        .watch = observer_watch,
        .get_info = observer_info,
        .signature_size = spnego_signature_size,
        .check = observer_check,
        .lost = observer_lost,
        .session_key = spnego_session_key,
        .sign_header = spnego_sign_header,
        .destroy = spnego_destroy,
};

int spnego_observer_new(enum auth_level level, const struct auth_observer_config *config, struct auth_context **out)
{
	struct spnego_context *s;
	int r = spnego_context_new(&observer_provider, AUTH_OBSERVER, level, &s);
	if (r < 0)
		return r;
	s->config.observer = config;
	*out = &s->base;
	return 0;
}
