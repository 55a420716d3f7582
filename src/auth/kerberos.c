#include "auth/kerberos.h"

#include "auth/ntlm.h" /* the NTSTATUS codes */
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>

int kerberos_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_level level,
                         struct kerberos_context **out)
{
	struct kerberos_context *k = calloc(1, sizeof *k);
	if (k == NULL)
		return MW_E_NOMEM;
	k->base = (struct auth_context){provider, role, AUTH_KERBEROS, level};
	*out = k;
	return 0;
}

void kerberos_destroy(struct auth_context *ctx)
{
	struct kerberos_context *k = kerberos_of(ctx);
	OM_uint32 minor;
	gss_delete_sec_context(&minor, &k->gss, GSS_C_NO_BUFFER);
	gss_release_cred(&minor, &k->cred);
	gss_release_name(&minor, &k->target);
	free(k->user);
	free(k->realm);
	free(k);
}

void kerberos_get_info(const struct auth_context *ctx, struct auth_info *out)
{
	const struct kerberos_context *k = (const struct kerberos_context *)ctx;
	*out = (struct auth_info){.complete = k->stage == KERBEROS_DONE,
	                          .domain = k->realm,
	                          .user = k->user,
	                          .account_id = k->account_id};
}

/* ---- The handshake's end ---- */

/* What a person can do something about has a status of its own. */
static const struct {
	krb5_error_code code;
	uint32_t status;
} statuses[] = {
        {KRB5KRB_AP_ERR_SKEW, STATUS_TIME_DIFFERENCE_AT_DC},
        {KRB5KRB_AP_ERR_TKT_NYV, STATUS_TIME_DIFFERENCE_AT_DC},
        {KRB5_KDCREP_SKEW, STATUS_TIME_DIFFERENCE_AT_DC},
        {KRB5_KT_NOTFOUND, STATUS_NO_KERB_KEY},
        {KRB5_KT_KVNONOTFOUND, STATUS_NO_KERB_KEY},
        {KRB5KRB_AP_ERR_NOKEY, STATUS_NO_KERB_KEY},
        {KRB5KRB_AP_ERR_NOT_US, STATUS_NO_KERB_KEY},
        {KRB5KRB_AP_WRONG_PRINC, STATUS_NO_KERB_KEY},
        {KRB5KRB_AP_ERR_MODIFIED, STATUS_NO_KERB_KEY}, /* a server's word for a ticket that it cannot open */
        {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, SEC_E_TARGET_UNKNOWN},
        {KRB5_KDC_UNREACH, STATUS_NO_LOGON_SERVERS},
        {KRB5_REALM_UNKNOWN, STATUS_NO_LOGON_SERVERS},
        {KRB5_REALM_CANT_RESOLVE, STATUS_NO_LOGON_SERVERS},
        {KRB5_CONFIG_NODEFREALM, STATUS_NO_LOGON_SERVERS},
        {KRB5KRB_AP_ERR_TKT_EXPIRED, SEC_E_CONTEXT_EXPIRED},
        {KRB5KDC_ERR_KEY_EXP, STATUS_PASSWORD_EXPIRED},
        {KRB5KDC_ERR_NAME_EXP, STATUS_ACCOUNT_EXPIRED},
        {KRB5KDC_ERR_CLIENT_REVOKED, STATUS_ACCOUNT_LOCKED_OUT},
        {KRB5_FCC_NOFILE, SEC_E_NO_CREDENTIALS},
        {KRB5_CC_NOTFOUND, SEC_E_NO_CREDENTIALS},
        {KRB5_CC_FORMAT, SEC_E_NO_CREDENTIALS},
};

static uint32_t status_of(OM_uint32 routine, OM_uint32 minor)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].code == (krb5_error_code)minor)
			return statuses[i].status;
	if (routine == GSS_S_CREDENTIALS_EXPIRED)
		return SEC_E_CONTEXT_EXPIRED;
	return routine == GSS_S_NO_CRED && minor == 0 ? SEC_E_NO_CREDENTIALS : STATUS_LOGON_FAILURE;
}

int kerberos_outcome(OM_uint32 major, OM_uint32 minor, uint32_t *status)
{
	OM_uint32 routine = GSS_ROUTINE_ERROR(major);
	if (GSS_CALLING_ERROR(major) || routine == GSS_S_DEFECTIVE_TOKEN)
		return MW_E_MALFORMED;
	if (routine != 0) {
		*status = status_of(routine, minor);
		return (int)minor == ENOMEM ? MW_E_NOMEM : MW_E_AUTH;
	}
	return major & GSS_S_CONTINUE_NEEDED ? MW_E_AGAIN : 0;
}

/* What the library tells of the session key: the key, and an OID whose last arc is its enctype. */
static int inquire_key(const struct kerberos_context *k, gss_buffer_set_t *out)
{
	OM_uint32 minor;
	gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
	if (gss_inquire_sec_context_by_oid(&minor, k->gss, GSS_C_INQ_SSPI_SESSION_KEY, &set) != GSS_S_COMPLETE)
		return MW_E_UNSUPPORTED;
	if (set->count < 2 || set->elements[0].length < 16 || set->elements[1].length < 1) {
		gss_release_buffer_set(&minor, &set);
		return MW_E_UNSUPPORTED;
	}
	*out = set;
	return 0;
}

static void release_key(gss_buffer_set_t *set)
{
	OM_uint32 minor;
	secret_wipe((*set)->elements[0].value, (*set)->elements[0].length);
	gss_release_buffer_set(&minor, set);
}

static bool is_rc4(const struct kerberos_context *k)
{
	gss_buffer_set_t set;
	if (inquire_key(k, &set) < 0)
		return false;
	const gss_buffer_desc *oid = &set->elements[1];
	bool rc4 = ((const uint8_t *)oid->value)[oid->length - 1] == ENCTYPE_ARCFOUR_HMAC;
	release_key(&set);
	return rc4;
}

/* RFC 4757 7.2 in its frame. gss_get_mic_iov_length (1.20) adds a confounder that MICs do not have. */
#define RC4_MIC_SIZE 37

/* How long signatures are: with either mechanism's keys always the same, [MS-RPCE] 3.3.1.5.2.2. */
static int measure(struct kerberos_context *k)
{
	gss_iov_buffer_desc iov[] = {{.type = GSS_IOV_BUFFER_TYPE_HEADER},
	                             {.type = GSS_IOV_BUFFER_TYPE_DATA, .buffer = {16, NULL}}};
	OM_uint32 major, minor;
	if (!auth_level_signs(k->base.level))
		return 0;
	if (k->base.level == AUTH_LEVEL_PRIVACY) {
		major = gss_wrap_iov_length(&minor, k->gss, 1, GSS_C_QOP_DEFAULT, NULL, iov, 2);
	} else {
		iov[0].type = GSS_IOV_BUFFER_TYPE_MIC_TOKEN;
		major = gss_get_mic_iov_length(&minor, k->gss, GSS_C_QOP_DEFAULT, iov, 2);
	}
	if (major != GSS_S_COMPLETE)
		return MW_E_UNSUPPORTED;
	k->signature = iov[0].buffer.length;
	if (k->base.level != AUTH_LEVEL_PRIVACY && is_rc4(k))
		k->signature = RC4_MIC_SIZE;
	return 0;
}

int kerberos_finish(struct kerberos_context *k, OM_uint32 flags, uint32_t *status)
{
	OM_uint32 needed = k->base.level == AUTH_LEVEL_NONE ? 0 : GSS_C_DCE_STYLE | GSS_C_MUTUAL_FLAG;
	/* From a client that did not ask for it Windows takes the handshake; every signature is checked all the same.
	 */
	if (auth_level_signs(k->base.level) && k->base.role == AUTH_CLIENT)
		needed |= GSS_C_INTEG_FLAG;
	if (k->base.level == AUTH_LEVEL_PRIVACY)
		needed |= GSS_C_CONF_FLAG;
	if ((flags & needed) != needed) {
		*status = STATUS_NOT_SUPPORTED;
		return MW_E_AUTH;
	}
	return measure(k);
}

/* ---- Signatures and seals ---- */

size_t kerberos_signature_size(const struct auth_context *ctx)
{
	return ((const struct kerberos_context *)ctx)->signature;
}

void kerberos_sign_header(struct auth_context *ctx, bool on)
{
	kerberos_of(ctx)->sign_header = on;
}

/* A PDU as gss_wrap_iov has it: token, header, body, trailer; the outer two only when they are signed. */
#define IOV_COUNT 4
static void fill_iov(const struct kerberos_context *k, gss_iov_buffer_desc iov[IOV_COUNT], uint8_t *pdu, size_t pdu_len,
                     size_t body, size_t body_len, const uint8_t *signature)
{
	OM_uint32 outer = k->sign_header ? GSS_IOV_BUFFER_TYPE_SIGN_ONLY : GSS_IOV_BUFFER_TYPE_EMPTY;
	size_t end = body + body_len;
	iov[0] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_HEADER, kerberos_buffer(signature, k->signature)};
	iov[1] = (gss_iov_buffer_desc){outer, kerberos_buffer(pdu, body)};
	iov[2] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_DATA, kerberos_buffer(pdu + body, body_len)};
	iov[3] = (gss_iov_buffer_desc){outer, kerberos_buffer(pdu + end, pdu_len - end)};
}

/* What a MIC covers. */
static gss_buffer_desc signed_part(const struct kerberos_context *k, uint8_t *pdu, size_t pdu_len, size_t body,
                                   size_t body_len)
{
	return k->sign_header ? kerberos_buffer(pdu, pdu_len) : kerberos_buffer(pdu + body, body_len);
}

static int sign(struct kerberos_context *k, gss_buffer_desc message, uint8_t *signature)
{
	gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = gss_get_mic(&minor, k->gss, GSS_C_QOP_DEFAULT, &message, &token);
	int r = major == GSS_S_COMPLETE && token.length == k->signature ? 0 : MW_E_STATE;
	if (r == 0)
		memcpy(signature, token.value, token.length);
	gss_release_buffer(&minor, &token);
	return r;
}

int kerberos_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                     uint8_t *signature)
{
	struct kerberos_context *k = kerberos_of(ctx);
	gss_iov_buffer_desc iov[IOV_COUNT];
	OM_uint32 minor;
	int sealed = 0;
	if (k->stage != KERBEROS_DONE)
		return MW_E_STATE;
	if (!auth_level_signs(ctx->level))
		return 0;
	if (ctx->level != AUTH_LEVEL_PRIVACY)
		return sign(k, signed_part(k, pdu, pdu_len, body, body_len), signature);
	fill_iov(k, iov, pdu, pdu_len, body, body_len, signature);
	OM_uint32 major = gss_wrap_iov(&minor, k->gss, 1, GSS_C_QOP_DEFAULT, &sealed, iov, IOV_COUNT);
	return major == GSS_S_COMPLETE && sealed ? 0 : MW_E_STATE;
}

int kerberos_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                   size_t body_len, const uint8_t *signature, size_t signature_len)
{
	struct kerberos_context *k = kerberos_of(ctx);
	gss_iov_buffer_desc iov[IOV_COUNT];
	OM_uint32 minor, major;
	int sealed = 1;
	uint8_t copy[256];
	(void)from; /* the token says which side made it, and must not be our own */
	if (!auth_level_signs(ctx->level))
		return 0;
	if (k->stage != KERBEROS_DONE)
		return MW_E_STATE;
	if (ctx->level == AUTH_LEVEL_PRIVACY) {
		/* It is decrypted in place. */
		if (signature_len > sizeof copy)
			return MW_E_AUTH;
		memcpy(copy, signature, signature_len);
		fill_iov(k, iov, pdu, pdu_len, body, body_len, copy);
		iov[0].buffer.length = signature_len;
		major = gss_unwrap_iov(&minor, k->gss, &sealed, NULL, iov, IOV_COUNT);
	} else {
		gss_buffer_desc message = signed_part(k, pdu, pdu_len, body, body_len);
		gss_buffer_desc token = kerberos_buffer(signature, signature_len);
		major = gss_verify_mic(&minor, k->gss, &message, &token, NULL);
	}
	/* Old, repeated or missing tokens come as additional bits of a success. */
	return major == GSS_S_COMPLETE && sealed ? 0 : MW_E_AUTH;
}

int kerberos_make_mic(struct auth_context *ctx, const uint8_t *data, size_t len, struct buf *out)
{
	struct kerberos_context *k = kerberos_of(ctx);
	gss_buffer_desc message = kerberos_buffer(data, len), token = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	if (k->stage != KERBEROS_DONE)
		return MW_E_STATE;
	if (gss_get_mic(&minor, k->gss, GSS_C_QOP_DEFAULT, &message, &token) != GSS_S_COMPLETE)
		return MW_E_UNSUPPORTED;
	int r = buf_put(out, token.value, token.length);
	gss_release_buffer(&minor, &token);
	return r;
}

int kerberos_check_mic(struct auth_context *ctx, enum auth_side from, const uint8_t *data, size_t len,
                       const uint8_t *mic, size_t mic_len)
{
	struct kerberos_context *k = kerberos_of(ctx);
	gss_buffer_desc message = kerberos_buffer(data, len), token = kerberos_buffer(mic, mic_len);
	OM_uint32 minor;
	(void)from;
	if (k->stage != KERBEROS_DONE)
		return MW_E_STATE;
	return gss_verify_mic(&minor, k->gss, &message, &token, NULL) == GSS_S_COMPLETE ? 0 : MW_E_AUTH;
}

/* The first 16 bytes of the key that the two agreed on: what Windows' QueryContextAttributes gives. */
int kerberos_session_key(const struct auth_context *ctx, uint8_t out[16])
{
	const struct kerberos_context *k = (const struct kerberos_context *)ctx;
	gss_buffer_set_t set;
	if (k->stage != KERBEROS_DONE || inquire_key(k, &set) < 0)
		return MW_E_STATE;
	memcpy(out, set->elements[0].value, 16);
	release_key(&set);
	return 0;
}
