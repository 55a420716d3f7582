#ifndef MW_AUTH_NTLM_SEAL_H
#define MW_AUTH_NTLM_SEAL_H

#include "auth/auth.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>

/* NTLMSSP_MESSAGE_SIGNATURE with extended session security, MS-NLMP 2.2.2.9.2. */
#define NTLM_SIGNATURE_SIZE 16

/*
 * One direction of a session: its keys, its RC4 stream and its sequence number
 * (MS-NLMP 3.4). What DCE/RPC signs is the PDU up to the auth_value; what it
 * seals is the body alone, and the checksum after it from the same stream.
 */
struct ntlm_seal {
	struct hmac_md5_ctx mac;
	struct arcfour_ctx rc4;
	uint32_t sequence;
	bool key_exchange; /* NTLMSSP_NEGOTIATE_KEY_EXCH: checksums are encrypted too */
	bool lost;         /* the stream's position is not known */
	size_t budget;     /* bytes that may still be tried to find it again */
};

/* A PDU as auth.h has it. */
struct ntlm_pdu {
	uint8_t *data;
	size_t len;
	size_t body, body_len;
	bool sealed;
};

void ntlm_seal_init(struct ntlm_seal *seal, const uint8_t exported_key[16], uint32_t flags, enum auth_side sender);
void ntlm_seal_protect(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, uint8_t signature[NTLM_SIGNATURE_SIZE]);
/* SPNEGO's mechListMIC (MS-SPNG 3.1.5.1): takes a sequence number; the RC4 stream begins anew after it. */
void ntlm_seal_mic(struct ntlm_seal *seal, const uint8_t *data, size_t len, uint8_t signature[NTLM_SIGNATURE_SIZE]);
/* Decrypts the body. MW_E_AUTH when the signature does not fit; the direction has moved on all the same. */
MW_NODISCARD int ntlm_seal_check(struct ntlm_seal *seal, const struct ntlm_pdu *pdu,
                                 const uint8_t signature[NTLM_SIGNATURE_SIZE]);
/*
 * For a direction that is lost: the sequence number stands in clear in the
 * signature, so a signed-only stream's position follows from it. For a sealed
 * one, positions are tried until the signature fits, within a bound. 0 and the
 * body decrypted; MW_E_STATE when not found (body untouched, still lost).
 */
MW_NODISCARD int ntlm_seal_find(struct ntlm_seal *seal, const struct ntlm_pdu *pdu,
                                const uint8_t signature[NTLM_SIGNATURE_SIZE]);

#endif
