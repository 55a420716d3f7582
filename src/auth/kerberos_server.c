#include "auth/kerberos.h"

#include "auth/ntlm.h" /* the NTSTATUS codes */
#include "auth/spnego_message.h"

#include <stdlib.h>

/* The acceptor: holds the service's keys, never asks a KDC. */

static int refuse(uint32_t *status, uint32_t code)
{
	*status = code;
	return MW_E_AUTH;
}

/* alice@DEMO.TEST into its two halves; services and hosts (with a /) and quoted names are no users of ours. */
static int split_name(struct kerberos_context *k, gss_buffer_desc name)
{
	const char *text = name.value, *at = memchr(text, '@', name.length);
	if (at == NULL || at == text || memchr(text, '/', name.length) != NULL ||
	    memchr(text, '\\', name.length) != NULL || memchr(text, '\0', name.length) != NULL)
		return MW_E_AUTH;
	k->user = strndup(text, (size_t)(at - text));
	k->realm = strndup(at + 1, name.length - (size_t)(at + 1 - text));
	return k->user != NULL && k->realm != NULL ? 0 : MW_E_NOMEM;
}

static int note_name(struct kerberos_context *k, gss_name_t client)
{
	gss_buffer_desc name = GSS_C_EMPTY_BUFFER;
	gss_OID type = GSS_C_NO_OID;
	OM_uint32 minor;
	if (gss_display_name(&minor, client, &name, &type) != GSS_S_COMPLETE)
		return MW_E_AUTH;
	int r = gss_oid_equal(type, GSS_KRB5_NT_PRINCIPAL_NAME) ? split_name(k, name) : MW_E_AUTH;
	gss_release_buffer(&minor, &name);
	return r;
}

static int find_account(struct kerberos_context *k, uint32_t *status)
{
	const struct auth_server_config *config = k->config.server;
	struct auth_account account = {0};
	int r = config->find_account(config->user, k->realm, k->user, &account);
	if (r == MW_E_AUTH)
		return refuse(status, STATUS_ACCOUNT_LOCKED_OUT);
	if (r == MW_E_NOTFOUND)
		return refuse(status, STATUS_LOGON_FAILURE);
	if (account.refused)
		return refuse(status, account.refused);
	k->account_id = account.id;
	return r;
}

static int accept_client(struct kerberos_context *k, gss_name_t client, OM_uint32 flags, uint32_t *status)
{
	int r = kerberos_finish(k, flags, status);
	if (r < 0)
		return r;
	if ((r = note_name(k, client)) < 0)
		return r == MW_E_AUTH ? refuse(status, STATUS_LOGON_FAILURE) : r;
	return find_account(k, status);
}

static int take_token(struct kerberos_context *k, const struct auth_env *env, struct cursor in, struct buf *out,
                      uint32_t *status)
{
	struct gss_channel_bindings_struct channel = kerberos_channel(env);
	gss_buffer_desc token = kerberos_buffer(cursor_here(&in), cursor_left(&in)), reply = GSS_C_EMPTY_BUFFER;
	gss_name_t client = GSS_C_NO_NAME;
	OM_uint32 major, minor, ignored, flags = 0;
	struct keytab_keys *held = kerberos_keys_hold(k->config.server->keytab);
	major = gss_accept_sec_context(&minor, &k->gss, held->acceptor, &token,
	                               env->binding_len > 0 ? &channel : GSS_C_NO_CHANNEL_BINDINGS, &client, NULL,
	                               &reply, &flags, NULL, NULL);
	kerberos_keys_release(held);
	int r = major == GSS_S_BAD_BINDINGS ? refuse(status, STATUS_BAD_BINDINGS)
	                                    : kerberos_outcome(major, minor, status);
	if (r == 0 && env->binding_required && !(flags & GSS_C_CHANNEL_BOUND_FLAG))
		r = refuse(status, STATUS_BAD_BINDINGS);
	if (r == 0)
		r = accept_client(k, client, flags, status);
	if ((r == 0 || r == MW_E_AGAIN) && buf_put(out, reply.value, reply.length) < 0)
		r = MW_E_NOMEM;
	gss_release_buffer(&ignored, &reply);
	gss_release_name(&ignored, &client);
	return r;
}

static int server_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct kerberos_context *k = kerberos_of(ctx);
	if (k->stage == KERBEROS_DONE || k->stage == KERBEROS_FAILED)
		return MW_E_STATE;
	*status = STATUS_INVALID_PARAMETER;
	/* In DCE style AP-REQs come bare; impacket frames them all the same, and Windows takes both, MIT krb5 not. */
	struct cursor token = ctx->level == AUTH_LEVEL_NONE ? in : spnego_unframe_krb5(in);
	int r = take_token(k, env, token, out, status);
	k->stage = r == 0 ? KERBEROS_DONE : r == MW_E_AGAIN ? KERBEROS_HALFWAY : KERBEROS_FAILED;
	if (r == 0 || r == MW_E_AGAIN)
		*status = 0;
	return r;
}

static const struct auth_provider server_provider = {
        .step = server_step,
        .get_info = kerberos_get_info,
        .signature_size = kerberos_signature_size,
        .protect = kerberos_protect,
        .check = kerberos_check,
        .session_key = kerberos_session_key,
        .mic = kerberos_make_mic,
        .check_mic = kerberos_check_mic,
        .sign_header = kerberos_sign_header,
        .destroy = kerberos_destroy,
};

int kerberos_server_new(enum auth_level level, const struct auth_server_config *config, struct auth_context **out)
{
	struct kerberos_context *k;
	if (config->keytab == NULL)
		return MW_E_UNSUPPORTED;
	if (config->find_account == NULL)
		return MW_E_INVALID;
	int r = kerberos_context_new(&server_provider, AUTH_SERVER, level, &k);
	if (r < 0)
		return r;
	k->config.server = config;
	*out = &k->base;
	return 0;
}
