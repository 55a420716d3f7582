#ifndef MW_AUTH_PROVIDER_H
#define MW_AUTH_PROVIDER_H

#include "auth/auth.h"

/*
 * What stands behind auth.h, for those who implement a provider only. A
 * provider's context begins with a struct auth_context; its functions get that
 * pointer back. auth.c has checked the arguments (ranges lie inside the PDU).
 */
struct auth_provider {
	int (*step)(struct auth_context *ctx, const struct auth_env *env, struct cursor in, struct buf *out,
	            uint32_t *status);
	void (*watch)(struct auth_context *ctx, enum auth_side from, struct cursor token);
	void (*get_info)(const struct auth_context *ctx, struct auth_info *out);
	size_t (*signature_size)(const struct auth_context *ctx);
	int (*protect)(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
	               uint8_t *signature);
	int (*check)(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
	             size_t body_len, const uint8_t *signature, size_t signature_len);
	void (*lost)(struct auth_context *ctx, enum auth_side from);
	int (*session_key)(const struct auth_context *ctx, uint8_t out[16]);
	/* For SPNEGO: a signature over a list of mechanisms by the own side, appended to out, and the check of
	 * one. MW_E_UNSUPPORTED when the mechanism did not negotiate signing. NULL: likewise. */
	int (*mic)(struct auth_context *ctx, const uint8_t *data, size_t len, struct buf *out);
	int (*check_mic)(struct auth_context *ctx, enum auth_side from, const uint8_t *data, size_t len,
	                 const uint8_t *mic, size_t mic_len);
	/* NULL where the PDU's header is signed always. */
	void (*sign_header)(struct auth_context *ctx, bool on);
	void (*destroy)(struct auth_context *ctx);
};

struct auth_context {
	const struct auth_provider *provider;
	enum auth_role role;
	enum auth_type type;
	enum auth_level level;
};

static inline bool auth_level_signs(enum auth_level level)
{
	return level >= AUTH_LEVEL_CALL;
}

/* spnego_client.c, spnego_server.c, spnego_observer.c. */
MW_NODISCARD int spnego_client_new(enum auth_level level, const struct auth_client_config *config,
                                   struct auth_context **out);
MW_NODISCARD int spnego_server_new(enum auth_level level, const struct auth_server_config *config,
                                   struct auth_context **out);
MW_NODISCARD int spnego_observer_new(enum auth_level level, const struct auth_observer_config *config,
                                     struct auth_context **out);
/* ntlm_client.c, ntlm_server.c, ntlm_observer.c. */
MW_NODISCARD int ntlm_client_new(enum auth_level level, const struct auth_client_config *config,
                                 struct auth_context **out);
MW_NODISCARD int ntlm_server_new(enum auth_level level, const struct auth_server_config *config,
                                 struct auth_context **out);
MW_NODISCARD int ntlm_observer_new(enum auth_type type, enum auth_level level,
                                   const struct auth_observer_config *config, struct auth_context **out);
/* kerberos_client.c, kerberos_server.c (MW_E_UNSUPPORTED without a keytab), kerberos_observer.c. */
MW_NODISCARD int kerberos_client_new(enum auth_level level, const struct auth_client_config *config,
                                     struct auth_context **out);
MW_NODISCARD int kerberos_observer_new(enum auth_level level, const struct auth_observer_config *config,
                                       struct auth_context **out);
MW_NODISCARD int kerberos_server_new(enum auth_level level, const struct auth_server_config *config,
                                     struct auth_context **out);
/* Before the first step: negotiate signing at any level, for the sake of mechListMIC. */
void ntlm_want_mic(struct auth_context *ctx);
/* opaque.c: an observer's view of a provider that cannot be opened. */
MW_NODISCARD int opaque_observer_new(enum auth_type type, enum auth_level level, struct auth_context **out);

#endif
