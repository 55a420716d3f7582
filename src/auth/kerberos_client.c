#include "auth/kerberos.h"

#include "auth/ntlm.h" /* the NTSTATUS codes */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The initiator. Its first step may ask the KDC, and waits for the answer. */

static gss_OID_set_desc krb5_alone(void)
{
	return (gss_OID_set_desc){1, (gss_OID)gss_mech_krb5};
}

static int import_name(const char *text, gss_name_t *out)
{
	gss_buffer_desc name = kerberos_buffer(text, strlen(text));
	OM_uint32 minor;
	return gss_import_name(&minor, &name, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, out) == GSS_S_COMPLETE
	               ? 0
	               : MW_E_INVALID;
}

static int by_password(struct kerberos_context *k, uint32_t *status)
{
	const struct auth_client_config *config = k->config.client;
	gss_buffer_desc password = kerberos_buffer(config->password, strlen(config->password));
	gss_OID_set_desc mechs = krb5_alone();
	gss_name_t name = GSS_C_NO_NAME;
	char text[1024];
	OM_uint32 major, minor, ignored;
	int n = config->realm != NULL ? snprintf(text, sizeof text, "%s@%s", config->user, config->realm)
	                              : snprintf(text, sizeof text, "%s", config->user);
	int r = n < (int)sizeof text ? import_name(text, &name) : MW_E_INVALID;
	if (r < 0)
		return r;
	major = gss_acquire_cred_with_password(&minor, name, &password, GSS_C_INDEFINITE, &mechs, GSS_C_INITIATE,
	                                       &k->cred, NULL, NULL);
	gss_release_name(&ignored, &name);
	return kerberos_outcome(major, minor, status);
}

static int by_ccache(struct kerberos_context *k, uint32_t *status)
{
	gss_key_value_element_desc element = {"ccache", k->config.client->ccache};
	gss_key_value_set_desc store = {element.value ? 1 : 0, &element};
	gss_OID_set_desc mechs = krb5_alone();
	OM_uint32 minor;
	OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs, GSS_C_INITIATE, &store,
	                                        &k->cred, NULL, NULL);
	return kerberos_outcome(major, minor, status);
}

/* MIT krb5 asks for integrity and confidentiality unless it is told not to. A server signs as it was asked: Samba's
 * makes signatures of privacy's size below it, and then fails. */
static int ask_for_no_more(struct kerberos_context *k, uint32_t *status)
{
	gss_buffer_desc nothing = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	OM_uint32 major = gss_set_cred_option(&minor, &k->cred, (gss_OID)GSS_KRB5_CRED_NO_CI_FLAGS_X, &nothing);
	return kerberos_outcome(major, minor, status);
}

/* The target without a realm is the default realm's; the ticket cache named, else a password, else the default one. */
static int prepare(struct kerberos_context *k, uint32_t *status)
{
	const struct auth_client_config *config = k->config.client;
	int r = import_name(config->target, &k->target);
	if (r < 0)
		return r;
	r = config->ccache == NULL && config->password != NULL ? by_password(k, status) : by_ccache(k, status);
	return r == 0 ? ask_for_no_more(k, status) : r;
}

static int exchange(struct kerberos_context *k, const struct auth_env *env, struct cursor in, struct buf *out,
                    uint32_t *status)
{
	struct gss_channel_bindings_struct channel = kerberos_channel(env);
	gss_buffer_desc token = kerberos_buffer(cursor_here(&in), cursor_left(&in)), reply = GSS_C_EMPTY_BUFFER;
	OM_uint32 wanted = GSS_C_MUTUAL_FLAG | GSS_C_DCE_STYLE | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG |
	                   (auth_level_signs(k->base.level) ? GSS_C_INTEG_FLAG : 0) |
	                   (k->base.level == AUTH_LEVEL_PRIVACY ? GSS_C_CONF_FLAG : 0);
	OM_uint32 major, minor, ignored, flags = 0;
	if (k->base.level == AUTH_LEVEL_NONE)
		wanted = GSS_C_MUTUAL_FLAG;
	major = gss_init_sec_context(&minor, k->cred, &k->gss, k->target, (gss_OID)gss_mech_krb5, wanted, 0,
	                             env->binding_len > 0 ? &channel : GSS_C_NO_CHANNEL_BINDINGS, &token, NULL, &reply,
	                             &flags, NULL);
	int r = kerberos_outcome(major, minor, status);
	if (r == 0)
		r = kerberos_finish(k, flags, status);
	if ((r == 0 || r == MW_E_AGAIN) && buf_put(out, reply.value, reply.length) < 0)
		r = MW_E_NOMEM;
	gss_release_buffer(&ignored, &reply);
	return r;
}

static int client_step(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
                       uint32_t *status)
{
	struct kerberos_context *k = kerberos_of(ctx);
	int r = 0;
	if (k->stage == KERBEROS_DONE || k->stage == KERBEROS_FAILED ||
	    (k->stage == KERBEROS_START) != (cursor_left(&in) == 0))
		return MW_E_STATE;
	*status = STATUS_INVALID_PARAMETER;
	if (k->stage == KERBEROS_START)
		r = prepare(k, status);
	if (r == 0)
		r = exchange(k, env, in, out, status);
	k->stage = r == 0 ? KERBEROS_DONE : r == MW_E_AGAIN ? KERBEROS_HALFWAY : KERBEROS_FAILED;
	if (r == 0 || r == MW_E_AGAIN)
		*status = 0;
	return r;
}

static const struct auth_provider client_provider = {
        .step = client_step,
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

int kerberos_client_new(enum auth_level level, const struct auth_client_config *config, struct auth_context **out)
{
	struct kerberos_context *k;
	if (config->target == NULL || (config->password != NULL && config->user == NULL))
		return MW_E_INVALID;
	int r = kerberos_context_new(&client_provider, AUTH_CLIENT, level, &k);
	if (r < 0)
		return r;
	k->config.client = config;
	*out = &k->base;
	return 0;
}

/* ---- Whose tickets there are ---- */

static int owner_of(krb5_context krb5, krb5_ccache cache, char out[256])
{
	krb5_principal owner = NULL;
	char *text = NULL;
	if (krb5_cc_get_principal(krb5, cache, &owner) != 0)
		return MW_E_NOTFOUND;
	int r = krb5_unparse_name(krb5, owner, &text) == 0 && strlen(text) < 256 ? 0 : MW_E_NOTFOUND;
	if (r == 0)
		snprintf(out, 256, "%s", text);
	krb5_free_unparsed_name(krb5, text);
	krb5_free_principal(krb5, owner);
	return r;
}

int auth_ticket_owner(const char *ccache, char out[256])
{
	krb5_context krb5;
	krb5_ccache cache = NULL;
	if (krb5_init_context(&krb5) != 0)
		return MW_E_NOTFOUND;
	int r = (ccache ? krb5_cc_resolve(krb5, ccache, &cache) : krb5_cc_default(krb5, &cache)) == 0 ? 0
	                                                                                              : MW_E_NOTFOUND;
	if (r == 0)
		r = owner_of(krb5, cache, out);
	if (cache)
		krb5_cc_close(krb5, cache);
	krb5_free_context(krb5);
	return r;
}
