#ifndef MW_AUTH_SPNEGO_MESSAGE_H
#define MW_AUTH_SPNEGO_MESSAGE_H

#include "base/buf.h"
#include "base/cursor.h"

/*
 * The tokens of SPNEGO (RFC 4178 4.2, MS-SPNG 2.2) to and from structures.
 * Private to src/auth. What is parsed points into the token. Definite lengths
 * of at most 4 bytes alone; unknown fields are passed over; bytes behind the
 * outermost element are ignored, as Windows does.
 */

struct spnego_bytes {
	const uint8_t *data; /* NULL: the field is absent */
	size_t len;
};

enum spnego_mech {
	SPNEGO_NO_MECH,
	SPNEGO_OTHER, /* an OID that we do not know */
	SPNEGO_KRB5,
	SPNEGO_MS_KRB5, /* Kerberos too: one bit is wrong in the OID that Windows prefers, MS-SPNG 3.1.5.2 */
	SPNEGO_NTLM,
};

/* negState; absent is what Windows clients send. */
enum spnego_state {
	SPNEGO_STATE_ABSENT = -1,
	SPNEGO_ACCEPT_COMPLETED = 0,
	SPNEGO_ACCEPT_INCOMPLETE = 1,
	SPNEGO_REJECT = 2,
	SPNEGO_REQUEST_MIC = 3,
};

#define SPNEGO_MAX_MECHS 16

struct spnego_token {
	bool is_init; /* NegTokenInit, else NegTokenResp */
	/* NegTokenInit: mechanisms beyond SPNEGO_MAX_MECHS are left out of mechs, never of mech_list. */
	struct spnego_bytes mech_list; /* the DER of MechTypeList: what mechListMIC covers */
	enum spnego_mech mechs[SPNEGO_MAX_MECHS];
	size_t mech_count;
	/* NegTokenResp. */
	enum spnego_state state;
	enum spnego_mech mech; /* supportedMech; SPNEGO_NO_MECH when absent */
	/* Both. */
	struct spnego_bytes token, mic; /* mechToken or responseToken; mechListMIC */
};

/* MW_E_TRUNCATED, MW_E_MALFORMED. */
MW_NODISCARD int spnego_parse(struct cursor in, struct spnego_token *out);
/* The AP-REQ inside the frame of RFC 4121 4.1; anything else stays as it is. */
struct cursor spnego_unframe_krb5(struct cursor token);
/* Appends; state, mech, token and mic where they are there. mech_list is built by spnego_put_mechs. */
MW_NODISCARD int spnego_build(const struct spnego_token *token, struct buf *out);
/* The DER of a MechTypeList. */
MW_NODISCARD int spnego_put_mechs(const enum spnego_mech *mechs, size_t count, struct buf *out);

#endif
