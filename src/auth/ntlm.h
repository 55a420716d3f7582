#ifndef MW_AUTH_NTLM_H
#define MW_AUTH_NTLM_H

#include "auth/ntlm_message.h"
#include "auth/ntlm_seal.h"
#include "auth/provider.h"
#include "base/arena.h"

/* The NTLM context of all three roles, and what they share. Private to src/auth. */

/* MS-ERREF 2.3.1 */
#define STATUS_NO_MEMORY 0xC0000017u
#define STATUS_ACCESS_DENIED 0xC0000022u
#define STATUS_INVALID_PARAMETER 0xC000000Du
#define STATUS_LOGON_FAILURE 0xC000006Du
#define STATUS_NOT_SUPPORTED 0xC00000BBu
#define STATUS_ACCOUNT_EXPIRED 0xC0000193u
#define STATUS_ACCOUNT_LOCKED_OUT 0xC0000234u
#define STATUS_NTLM_BLOCKED 0xC0000418u
#define STATUS_BAD_BINDINGS 0xC000035Bu

enum ntlm_stage { NTLM_START, NTLM_HALFWAY, NTLM_DONE, NTLM_FAILED };

struct ntlm_context {
	struct auth_context base;
	enum ntlm_stage stage;
	union {
		const struct auth_client_config *client;
		const struct auth_server_config *server;
		const struct auth_observer_config *observer;
	} config;
	struct arena *arena;             /* strings of info */
	struct buf negotiate, challenge; /* as they were on the wire: the MIC covers them */
	uint32_t flags;                  /* client: offered; server: chosen; then negotiated */
	uint8_t server_challenge[8];
	uint8_t exported_key[16];
	bool has_key;
	bool wants_mic;           /* inside SPNEGO */
	bool unproven;            /* observer: a session key from the secrets that only a signature can prove */
	struct ntlm_seal seal[2]; /* by enum auth_side */
	struct auth_info info;
};

static inline struct ntlm_context *ntlm_of(struct auth_context *ctx)
{
	return (struct ntlm_context *)ctx;
}

static inline const struct ntlm_context *ntlm_of_const(const struct auth_context *ctx)
{
	return (const struct ntlm_context *)ctx;
}

MW_NODISCARD int ntlm_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_type type,
                                  enum auth_level level, struct ntlm_context **out);

/* VERSION, 2.2.2.10: for debugging only, but some find the MIC by its flag. The last byte is NTLMSSP_REVISION_W2K3. */
extern const uint8_t ntlm_version[8];

/* The parts of struct auth_provider that the roles share. */
void ntlm_get_info(const struct auth_context *ctx, struct auth_info *out);
size_t ntlm_signature_size(const struct auth_context *ctx);
int ntlm_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                 uint8_t *signature);
int ntlm_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
               size_t body_len, const uint8_t *signature, size_t signature_len);
void ntlm_lost(struct auth_context *ctx, enum auth_side from);
int ntlm_session_key(const struct auth_context *ctx, uint8_t out[16]);
int ntlm_make_mic(struct auth_context *ctx, const uint8_t *data, size_t len, struct buf *out);
int ntlm_check_mic(struct auth_context *ctx, enum auth_side from, const uint8_t *data, size_t len, const uint8_t *mic,
                   size_t mic_len);
void ntlm_destroy(struct auth_context *ctx);

/* Remembers the exported session key and derives both directions from it and the negotiated flags. */
void ntlm_set_key(struct ntlm_context *n, const uint8_t exported_key[16]);
/* What a level needs negotiated: nothing below packet. */
uint32_t ntlm_required_flags(enum auth_level level);
/* An exported session key comes encrypted when key exchange was negotiated and the field has one. */
void ntlm_unwrap_key(const struct ntlm_authenticate *m, uint32_t flags, const uint8_t key_exchange_key[16],
                     uint8_t out[16]);
/*
 * NTLMv1 with extended session security, MS-NLMP 3.3.1 ("NTLM2 session response"): false when the response does not
 * prove this hash; else the key that the session's is encrypted with.
 */
bool ntlm_v1_base_key(const struct ntlm_context *n, const struct ntlm_authenticate *m, const uint8_t nt_hash[16],
                      uint8_t base_key[16]);
/* The MIC of an AUTHENTICATE_MESSAGE that has a MIC field; the field itself counts as zeros. */
void ntlm_mic(const struct ntlm_context *n, struct cursor authenticate, uint8_t out[16]);
/* UTF-16LE, or OEM where the flags say so, as UTF-8 in the context's arena; NULL when out of memory. */
const char *ntlm_text(struct ntlm_context *n, struct ntlm_bytes text, uint32_t flags);
/* Fills info from an AUTHENTICATE_MESSAGE. */
MW_NODISCARD int ntlm_note_names(struct ntlm_context *n, const struct ntlm_authenticate *m, uint32_t flags);
/* UTF-8 to UTF-16LE in the arena. */
MW_NODISCARD int ntlm_wide(struct arena *arena, const char *text, struct ntlm_bytes *out);

#endif
