#include "auth/auth.h"

#include "auth/provider.h"
#include "base/text.h"

static const struct {
	enum auth_type type;
	const char *name;
} type_names[] = {
        {AUTH_NONE, "none"},        {AUTH_SPNEGO, "spnego"},     {AUTH_NTLM, "ntlm"},
        {AUTH_SCHANNEL_TLS, "tls"}, {AUTH_KERBEROS, "kerberos"}, {AUTH_NETLOGON, "schannel"},
};

static const struct {
	enum auth_level level;
	const char *name;
} level_names[] = {
        {AUTH_LEVEL_NONE, "none"},       {AUTH_LEVEL_CONNECT, "connect"},     {AUTH_LEVEL_CALL, "call"},
        {AUTH_LEVEL_PACKET, "packet"},   {AUTH_LEVEL_INTEGRITY, "integrity"}, {AUTH_LEVEL_PRIVACY, "privacy"},
        {AUTH_LEVEL_DEFAULT, "connect"},
};

const char *auth_type_name(enum auth_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "unknown";
}

const char *auth_level_name(enum auth_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (level_names[i].level == level)
			return level_names[i].name;
	return "unknown";
}

int auth_level_parse(const char *name, enum auth_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (text_casecmp(level_names[i].name, name) != 0)
			continue;
		*out = level_names[i].level;
		return 0;
	}
	return MW_E_INVALID;
}

int auth_client_new(enum auth_type type, enum auth_level level, const struct auth_client_config *config,
                    struct auth_context **out)
{
	if (type == AUTH_NTLM)
		return ntlm_client_new(level, config, out);
	if (type == AUTH_SPNEGO)
		return spnego_client_new(level, config, out);
	if (type == AUTH_KERBEROS)
		return kerberos_client_new(level, config, out);
	return MW_E_UNSUPPORTED;
}

int auth_server_new(enum auth_type type, enum auth_level level, const struct auth_server_config *config,
                    struct auth_context **out)
{
	if (type == AUTH_NTLM)
		return ntlm_server_new(level, config, out);
	if (type == AUTH_SPNEGO)
		return spnego_server_new(level, config, out);
	if (type == AUTH_KERBEROS)
		return kerberos_server_new(level, config, out);
	return MW_E_UNSUPPORTED;
}

int auth_observer_new(enum auth_type type, enum auth_level level, const struct auth_observer_config *config,
                      struct auth_context **out)
{
	if (type == AUTH_NTLM)
		return ntlm_observer_new(type, level, config, out);
	if (type == AUTH_SPNEGO)
		return spnego_observer_new(level, config, out);
	if (type == AUTH_KERBEROS)
		return kerberos_observer_new(level, config, out);
	return opaque_observer_new(type, level, out);
}

void auth_free(struct auth_context **ctx)
{
	if (ctx == NULL || *ctx == NULL)
		return;
	(*ctx)->provider->destroy(*ctx);
	*ctx = NULL;
}

int auth_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out, uint32_t *status)
{
	uint32_t ignored;
	if (ctx->provider->step == NULL)
		return MW_E_STATE;
	return ctx->provider->step(ctx, env, in, out, status != NULL ? status : &ignored);
}

void auth_watch(struct auth_context *ctx, enum auth_side from, struct cursor token)
{
	if (ctx->provider->watch != NULL)
		ctx->provider->watch(ctx, from, token);
}

void auth_get_info(const struct auth_context *ctx, struct auth_info *out)
{
	ctx->provider->get_info(ctx, out);
	out->type = ctx->type;
	if (ctx->type != AUTH_SPNEGO)
		out->mechanism = ctx->type;
	out->level = ctx->level;
}

size_t auth_signature_size(const struct auth_context *ctx)
{
	return ctx->provider->signature_size(ctx);
}

int auth_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                 uint8_t *signature)
{
	if (ctx->provider->protect == NULL)
		return MW_E_STATE;
	if (body > pdu_len || body_len > pdu_len - body)
		return MW_E_INVALID;
	return ctx->provider->protect(ctx, pdu, pdu_len, body, body_len, signature);
}

int auth_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
               size_t body_len, const uint8_t *signature, size_t signature_len)
{
	if (body > pdu_len || body_len > pdu_len - body)
		return MW_E_INVALID;
	return ctx->provider->check(ctx, from, pdu, pdu_len, body, body_len, signature, signature_len);
}

void auth_lost(struct auth_context *ctx, enum auth_side from)
{
	if (ctx->provider->lost != NULL)
		ctx->provider->lost(ctx, from);
}

void auth_sign_header(struct auth_context *ctx, bool on)
{
	if (ctx->provider->sign_header != NULL)
		ctx->provider->sign_header(ctx, on);
}

int auth_session_key(const struct auth_context *ctx, uint8_t out[16])
{
	if (ctx->provider->session_key == NULL)
		return MW_E_STATE;
	return ctx->provider->session_key(ctx, out);
}
