#ifndef MW_AUTH_KERBEROS_H
#define MW_AUTH_KERBEROS_H

#include "auth/auth_keytab.h"
#include "auth/provider.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * Kerberos by MIT krb5 (MS-KILE, RFC 4121; DCE style with its third leg,
 * MS-KILE 3.4.5.1): the context of client and server. Private to src/auth.
 */

/* MS-ERREF 2.3.1; 2.1.1 for what Windows' clients say of a ticket before it goes anywhere. */
#define STATUS_NO_LOGON_SERVERS 0xC000005Eu
#define STATUS_PASSWORD_EXPIRED 0xC0000071u
#define SEC_E_TARGET_UNKNOWN 0x80090303u
#define SEC_E_NO_CREDENTIALS 0x8009030Eu
#define SEC_E_CONTEXT_EXPIRED 0x80090317u
#define STATUS_TIME_DIFFERENCE_AT_DC 0xC0000133u
#define STATUS_NO_KERB_KEY 0xC0000322u

/* One reading of a keytab; whoever uses it holds it meanwhile. */
struct keytab_keys {
	atomic_uint refs;
	krb5_context krb5;
	krb5_keytab keys;       /* a copy in memory */
	gss_cred_id_t acceptor; /* for all of them */
	char name[64];
	char first[AUTH_KEYTAB_NAME]; /* the principal of the first of them */
};

struct auth_keytab {
	pthread_mutex_t lock;
	struct keytab_keys *keys;
};

struct keytab_keys *kerberos_keys_hold(const struct auth_keytab *keytab);
void kerberos_keys_release(struct keytab_keys *keys);

enum kerberos_stage { KERBEROS_START, KERBEROS_HALFWAY, KERBEROS_DONE, KERBEROS_FAILED };

struct kerberos_context {
	struct auth_context base;
	enum kerberos_stage stage;
	union {
		const struct auth_client_config *client;
		const struct auth_server_config *server;
	} config;
	gss_ctx_id_t gss;
	gss_cred_id_t cred; /* client */
	gss_name_t target;  /* client */
	bool sign_header;
	size_t signature; /* bytes, once the handshake is done */
	char *user, *realm;
	uint64_t account_id;
};

static inline struct kerberos_context *kerberos_of(struct auth_context *ctx)
{
	return (struct kerberos_context *)ctx;
}

static inline gss_buffer_desc kerberos_buffer(const void *data, size_t len)
{
	return (gss_buffer_desc){.length = len, .value = (void *)data};
}

MW_NODISCARD int kerberos_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_level level,
                                      struct kerberos_context **out);
/* What a GSS call said, as auth_step answers: MW_E_AGAIN, MW_E_AUTH with *status, MW_E_NOMEM, MW_E_MALFORMED. */
int kerberos_outcome(OM_uint32 major, OM_uint32 minor, uint32_t *status);
/* The handshake is over: does it hold what the level needs? MW_E_AUTH when not. */
MW_NODISCARD int kerberos_finish(struct kerberos_context *k, OM_uint32 flags, uint32_t *status);

/* The parts of struct auth_provider that both roles share. */
void kerberos_get_info(const struct auth_context *ctx, struct auth_info *out);
size_t kerberos_signature_size(const struct auth_context *ctx);
int kerberos_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                     uint8_t *signature);
int kerberos_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                   size_t body_len, const uint8_t *signature, size_t signature_len);
int kerberos_session_key(const struct auth_context *ctx, uint8_t out[16]);
int kerberos_make_mic(struct auth_context *ctx, const uint8_t *data, size_t len, struct buf *out);
int kerberos_check_mic(struct auth_context *ctx, enum auth_side from, const uint8_t *data, size_t len,
                       const uint8_t *mic, size_t mic_len);
void kerberos_sign_header(struct auth_context *ctx, bool on);
void kerberos_destroy(struct auth_context *ctx);

/* The bindings of a step; of use only while its env is. */
static inline struct gss_channel_bindings_struct kerberos_channel(const struct auth_env *env)
{
	return (struct gss_channel_bindings_struct){
	        .initiator_addrtype = GSS_C_AF_UNSPEC,
	        .acceptor_addrtype = GSS_C_AF_UNSPEC,
	        .application_data = {env->binding_len, (void *)(uintptr_t)env->binding},
	};
}

#endif
