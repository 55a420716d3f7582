#include "auth/ntlm.h"
#include "auth/spnego.h"

/* RFC 4178 3.2, MS-SPNG 3.2: the acceptor. */

static int refuse(uint32_t *status, uint32_t code)
{
	*status = code;
	return MW_E_AUTH;
}

/* MW_E_UNSUPPORTED: not a mechanism of ours. */
static int new_mechanism(struct spnego_context *s, enum spnego_mech mech)
{
	struct auth_context *inner;
	int r = MW_E_UNSUPPORTED;
	if (mech == SPNEGO_NTLM)
		r = ntlm_server_new(s->base.level, s->config.server, &inner);
	else if (mech == SPNEGO_KRB5 || mech == SPNEGO_MS_KRB5)
		r = kerberos_server_new(s->base.level, s->config.server, &inner);
	if (r < 0)
		return r;
	spnego_set_inner(s, mech, inner);
	return 0;
}

/* The client's order decides. */
static int choose(struct spnego_context *s, const struct spnego_token *t)
{
	int r = MW_E_UNSUPPORTED;
	for (size_t i = 0; i < t->mech_count; i++) {
		if ((r = new_mechanism(s, t->mechs[i])) == MW_E_UNSUPPORTED)
			continue;
		s->mic_required = i > 0;
		break;
	}
	return r;
}

static int take_raw(struct spnego_context *s, const struct auth_env *env, struct cursor in, struct buf *out,
                    uint32_t *status)
{
	int r = 0;
	if (!s->raw)
		r = new_mechanism(s, SPNEGO_NTLM);
	s->raw = true;
	return r < 0 ? r : auth_step(s->inner, env, in, out, status);
}

/* The client proved its list, or need not: RFC 4178 5. */
static int check_list(struct spnego_context *s, const struct spnego_token *t, uint32_t *status)
{
	if (t->mic.data != NULL)
		return spnego_check_mic(s, AUTH_FROM_CLIENT, t->mic) < 0 ? refuse(status, STATUS_ACCESS_DENIED) : 0;
	return s->mic_required ? refuse(status, STATUS_ACCESS_DENIED) : 0;
}

/* Builds the answer to a leg that went well so far (r: 0 or MW_E_AGAIN). */
static int send_resp(struct spnego_context *s, bool first, int r, const struct buf *reply, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) mic = {0};
	struct spnego_token resp = {.token = {reply->data, reply->len}};
	if (r == MW_E_AGAIN)
		resp.state = first && s->mic_required ? SPNEGO_REQUEST_MIC : SPNEGO_ACCEPT_INCOMPLETE;
	if (first)
		resp.mech = s->mech;
	if (r == 0 && s->mic_verified) {
		int error = spnego_make_mic(s, &mic);
		if (error < 0)
			return error;
		resp.mic = (struct spnego_bytes){mic.data, mic.len};
	}
	int error = spnego_build(&resp, out);
	return error < 0 ? error : r;
}

static int take_token(struct spnego_context *s, const struct auth_env *env, const struct spnego_token *t, bool first,
                      struct buf *out, uint32_t *status)
{
	struct buf MW_CLEANUP(buf_free) reply = {0};
	int r = MW_E_AGAIN;
	/* The first token was made for the client's first choice, and may be left out. */
	if (!first || (t->token.data != NULL && !s->mic_required))
		r = auth_step(s->inner, env, spnego_cursor(t->token), &reply, status);
	if (r == 0) {
		int error = check_list(s, t, status);
		if (error < 0)
			return error;
	} else if (r != MW_E_AGAIN) {
		return r;
	}
	return send_resp(s, first, r, &reply, out);
}

static int take_init(struct spnego_context *s, const struct auth_env *env, struct cursor in, struct buf *out,
                     uint32_t *status)
{
	struct spnego_token t;
	int r = spnego_parse(in, &t);
	if (r < 0)
		return r;
	if (!t.is_init)
		return MW_E_MALFORMED;
	if ((r = buf_put(&s->mech_list, t.mech_list.data, t.mech_list.len)) < 0)
		return r;
	if ((r = choose(s, &t)) < 0)
		return r == MW_E_UNSUPPORTED ? refuse(status, STATUS_NOT_SUPPORTED) : r;
	return take_token(s, env, &t, true, out, status);
}

static int take_resp(struct spnego_context *s, const struct auth_env *env, struct cursor in, struct buf *out,
                     uint32_t *status)
{
	struct spnego_token t;
	int r = spnego_parse(in, &t);
	if (r < 0)
		return r;
	if (t.is_init || (t.mech != SPNEGO_NO_MECH && t.mech != s->mech))
		return MW_E_MALFORMED;
	if (t.state == SPNEGO_REJECT)
		return refuse(status, STATUS_LOGON_FAILURE);
	return take_token(s, env, &t, false, out, status);
}

static int server_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct spnego_context *s = spnego_of(ctx);
	int r;
	if (s->stage == SPNEGO_DONE || s->stage == SPNEGO_FAILED)
		return MW_E_STATE;
	*status = STATUS_INVALID_PARAMETER;
	if (s->raw || (s->stage == SPNEGO_START && spnego_is_raw_ntlm(in)))
		r = take_raw(s, env, in, out, status);
	else if (s->stage == SPNEGO_START)
		r = take_init(s, env, in, out, status);
	else
		r = take_resp(s, env, in, out, status);
	s->stage = r == MW_E_AGAIN ? SPNEGO_MIDDLE : r == 0 ? SPNEGO_DONE : SPNEGO_FAILED;
	if (r == MW_E_AGAIN || r == 0)
		*status = 0;
	return r;
}

static const struct auth_provider server_provider = {
        .step = server_step,
        .get_info = spnego_get_info,
        .signature_size = spnego_signature_size,
        .protect = spnego_protect,
        .check = spnego_check,
        .session_key = spnego_session_key,
        .sign_header = spnego_sign_header,
        .destroy = spnego_destroy,
};

int spnego_server_new(enum auth_level level, const struct auth_server_config *config, struct auth_context **out)
{
	struct spnego_context *s;
	if (config->find_account == NULL)
		return MW_E_INVALID;
	int r = spnego_context_new(&server_provider, AUTH_SERVER, level, &s);
	if (r < 0)
		return r;
	s->config.server = config;
	*out = &s->base;
	return 0;
}
