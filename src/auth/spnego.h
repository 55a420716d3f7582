#ifndef MW_AUTH_SPNEGO_H
#define MW_AUTH_SPNEGO_H

#include "auth/provider.h"
#include "auth/spnego_message.h"

/*
 * SPNEGO (RFC 4178, MS-SPNG) around one mechanism's context, to which all but
 * the handshake is handed on. Private to src/auth.
 */

enum spnego_stage { SPNEGO_START, SPNEGO_MIDDLE, SPNEGO_DONE, SPNEGO_FAILED };

struct spnego_context {
	struct auth_context base;
	enum spnego_stage stage;
	union {
		const struct auth_client_config *client;
		const struct auth_server_config *server;
		const struct auth_observer_config *observer;
	} config;
	struct auth_context *inner; /* NULL until a mechanism is tried */
	enum spnego_mech mech;      /* of inner */
	struct buf mech_list;       /* the client's, as mechListMIC covers it */
	bool raw;                   /* server, observer: NTLM came without SPNEGO around it */
	bool sign_header;
	bool inner_done;
	bool mic_required; /* the client's first choice was not taken (RFC 4178 5), or the server asked for it */
	bool mic_verified; /* the peer's */
	bool last_sent;    /* client: nothing is left to say */
	/* Client: what was offered. */
	enum spnego_mech offer[3];
	size_t offer_count;
	bool answered;
};

static inline struct spnego_context *spnego_of(struct auth_context *ctx)
{
	return (struct spnego_context *)ctx;
}

static inline struct cursor spnego_cursor(struct spnego_bytes b)
{
	return cursor_of(b.data, b.len);
}

MW_NODISCARD int spnego_context_new(const struct auth_provider *provider, enum auth_role role, enum auth_level level,
                                    struct spnego_context **out);
/* Takes ownership of inner; frees the one before. */
void spnego_set_inner(struct spnego_context *s, enum spnego_mech mech, struct auth_context *inner);
/* mechListMIC of the own side. 0, MW_E_UNSUPPORTED when the mechanism cannot sign (nothing is appended). */
MW_NODISCARD int spnego_make_mic(struct spnego_context *s, struct buf *out);
/* The peer's; MW_E_AUTH when it does not fit. */
MW_NODISCARD int spnego_check_mic(struct spnego_context *s, enum auth_side from, struct spnego_bytes mic);
/* A token without SPNEGO around it, MS-SPNG 3.2.5.2. */
bool spnego_is_raw_ntlm(struct cursor token);

/* The parts of struct auth_provider that the roles share: all goes to the mechanism once the handshake is done. */
void spnego_get_info(const struct auth_context *ctx, struct auth_info *out);
size_t spnego_signature_size(const struct auth_context *ctx);
int spnego_protect(struct auth_context *ctx, uint8_t *pdu, size_t pdu_len, size_t body, size_t body_len,
                   uint8_t *signature);
int spnego_check(struct auth_context *ctx, enum auth_side from, uint8_t *pdu, size_t pdu_len, size_t body,
                 size_t body_len, const uint8_t *signature, size_t signature_len);
int spnego_session_key(const struct auth_context *ctx, uint8_t out[16]);
void spnego_sign_header(struct auth_context *ctx, bool on);
void spnego_destroy(struct auth_context *ctx);

#endif
