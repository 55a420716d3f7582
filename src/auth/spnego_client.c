#include "auth/ntlm.h"
#include "auth/spnego.h"

/* RFC 4178 3.2, MS-SPNG 3.1: the initiator. It trusts the server's choice only as far as mechListMIC proves it. */

static int refuse(uint32_t *status, uint32_t code)
{
	*status = code;
	return MW_E_AUTH;
}

static int new_mechanism(struct spnego_context *s, enum spnego_mech mech)
{
	struct auth_context *inner;
	int r;
	if (mech == SPNEGO_NTLM)
		r = ntlm_client_new(s->base.level, s->config.client, &inner);
	else
		r = kerberos_client_new(s->base.level, s->config.client, &inner);
	if (r < 0)
		return r;
	if (mech == SPNEGO_NTLM)
		ntlm_want_mic(inner);
	spnego_set_inner(s, mech, inner);
	return 0;
}

/* ---- NegTokenInit ---- */

static int step_inner(struct spnego_context *s, const struct auth_env *env, struct cursor in, struct buf *reply,
                      uint32_t *status)
{
	int r = auth_step(s->inner, env, in, reply, status);
	s->inner_done = r == 0;
	return r == MW_E_AGAIN ? 0 : r;
}

static int begin_with(struct spnego_context *s, enum spnego_mech mech, const struct auth_env *env, struct buf *token,
                      uint32_t *status)
{
	int r = new_mechanism(s, mech);
	return r < 0 ? r : step_inner(s, env, cursor_of(NULL, 0), token, status);
}

/* Windows' order. Kerberos is left out where no ticket can be had: nobody between has a say in that but by
 * keeping the KDC away, as with Windows. */
static int begin(struct spnego_context *s, const struct auth_env *env, struct buf *token, uint32_t *status)
{
	const struct auth_client_config *config = s->config.client;
	bool ntlm = config->user != NULL && (config->password != NULL || config->nt_hash != NULL);
	int r = MW_E_UNSUPPORTED;
	if (config->kerberos && (r = begin_with(s, SPNEGO_MS_KRB5, env, token, status)) == 0) {
		s->offer[s->offer_count++] = SPNEGO_MS_KRB5;
		s->offer[s->offer_count++] = SPNEGO_KRB5;
	}
	if (ntlm && r < 0)
		r = begin_with(s, SPNEGO_NTLM, env, token, status);
	if (ntlm)
		s->offer[s->offer_count++] = SPNEGO_NTLM;
	return r;
}

static int send_init(struct spnego_context *s, const struct auth_env *env, struct buf *out, uint32_t *status)
{
	struct buf MW_CLEANUP(buf_free) token = {0};
	int r;
	if ((r = begin(s, env, &token, status)) < 0 ||
	    (r = spnego_put_mechs(s->offer, s->offer_count, &s->mech_list)) < 0)
		return r;
	const struct spnego_token init = {
	        .is_init = true, .mech_list = {s->mech_list.data, s->mech_list.len}, .token = {token.data, token.len}};
	return spnego_build(&init, out);
}

/* ---- NegTokenResp ---- */

static bool offered(const struct spnego_context *s, enum spnego_mech mech)
{
	for (size_t i = 0; i < s->offer_count; i++)
		if (s->offer[i] == mech)
			return true;
	return false;
}

/* The first answer names the mechanism. One that was not the first choice must be proved by a MIC. */
static int settle_mech(struct spnego_context *s, const struct spnego_token *t, uint32_t *status)
{
	enum spnego_mech mech = t->mech != SPNEGO_NO_MECH ? t->mech : s->mech;
	if (s->answered)
		return mech == s->mech ? 0 : MW_E_MALFORMED;
	s->answered = true;
	if (!offered(s, mech))
		return refuse(status, STATUS_NOT_SUPPORTED);
	s->mic_required = mech != s->offer[0];
	if ((mech == SPNEGO_NTLM) == (s->mech == SPNEGO_NTLM)) {
		s->mech = mech;
		return 0;
	}
	return t->token.len == 0 ? new_mechanism(s, mech) : MW_E_MALFORMED;
}

/* The mechanism's next leg, then the server's MIC, which may come with its last token. */
static int take_parts(struct spnego_context *s, const struct auth_env *env, const struct spnego_token *t,
                      struct buf *reply, uint32_t *status)
{
	int r = 0;
	if (!s->inner_done)
		r = step_inner(s, env, spnego_cursor(t->token), reply, status);
	else if (t->token.len > 0)
		r = MW_E_MALFORMED;
	if (r < 0 || t->mic.data == NULL)
		return r;
	if (!s->inner_done)
		return MW_E_MALFORMED;
	return spnego_check_mic(s, AUTH_FROM_SERVER, t->mic) < 0 ? refuse(status, STATUS_ACCESS_DENIED) : 0;
}

static int send_resp(struct spnego_context *s, const struct buf *reply, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) mic = {0};
	if (s->last_sent)
		return MW_E_MALFORMED;
	if (s->inner_done) {
		int r = spnego_make_mic(s, &mic);
		if (r < 0 && (r != MW_E_UNSUPPORTED || s->mic_required))
			return r;
		s->last_sent = true;
	}
	const struct spnego_token resp = {
	        .state = SPNEGO_ACCEPT_INCOMPLETE, .token = {reply->data, reply->len}, .mic = {mic.data, mic.len}};
	int r = spnego_build(&resp, out);
	return r < 0 ? r : MW_E_AGAIN;
}

static int take_resp(struct spnego_context *s, const struct auth_env *env, struct cursor in, struct buf *out,
                     uint32_t *status)
{
	struct buf MW_CLEANUP(buf_free) reply = {0};
	struct spnego_token t;
	int r = spnego_parse(in, &t);
	if (r < 0)
		return r;
	if (t.is_init)
		return MW_E_MALFORMED;
	if (t.state == SPNEGO_REJECT)
		return refuse(status, STATUS_LOGON_FAILURE);
	if ((r = settle_mech(s, &t, status)) < 0)
		return r;
	s->mic_required |= t.state == SPNEGO_REQUEST_MIC;
	if ((r = take_parts(s, env, &t, &reply, status)) < 0)
		return r;
	if (t.state != SPNEGO_ACCEPT_COMPLETED)
		return send_resp(s, &reply, out);
	if (!s->inner_done || reply.len > 0)
		return MW_E_MALFORMED;
	return s->mic_required && !s->mic_verified ? refuse(status, STATUS_ACCESS_DENIED) : 0;
}

static int client_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct spnego_context *s = spnego_of(ctx);
	int r;
	*status = STATUS_INVALID_PARAMETER;
	if (s->stage == SPNEGO_START && cursor_left(&in) == 0) {
		r = send_init(s, env, out, status);
		r = r == 0 ? MW_E_AGAIN : r;
	} else if (s->stage == SPNEGO_MIDDLE) {
		r = take_resp(s, env, in, out, status);
	} else {
		return MW_E_STATE;
	}
	s->stage = r == MW_E_AGAIN ? SPNEGO_MIDDLE : r == 0 ? SPNEGO_DONE : SPNEGO_FAILED;
	if (r == MW_E_AGAIN || r == 0)
		*status = 0;
	return r;
}

static const struct auth_provider client_provider = {
        .step = client_step,
        .get_info = spnego_get_info,
        .signature_size = spnego_signature_size,
        .protect = spnego_protect,
        .check = spnego_check,
        .session_key = spnego_session_key,
        .sign_header = spnego_sign_header,
        .destroy = spnego_destroy,
};

int spnego_client_new(enum auth_level level, const struct auth_client_config *config, struct auth_context **out)
{
	struct spnego_context *s;
	if (!config->kerberos && (config->user == NULL || (config->password == NULL && config->nt_hash == NULL)))
		return MW_E_INVALID;
	int r = spnego_context_new(&client_provider, AUTH_CLIENT, level, &s);
	if (r < 0)
		return r;
	s->config.client = config;
	*out = &s->base;
	return 0;
}
