#ifndef MW_AUTH_NTLM_CRYPTO_H
#define MW_AUTH_NTLM_CRYPTO_H

#include "auth/auth.h"

#include <stddef.h>
#include <stdint.h>

/* The functions of MS-NLMP 3.3 and 3.4.5, under its names. Private to src/auth. */

/* Borrowed bytes: a field of a message, or part of what a MAC covers. */
struct ntlm_bytes {
	const uint8_t *data;
	size_t len;
};

/* NTOWFv1: MD4 of the password in UTF-16LE. */
void ntlm_nt_hash(const char *password, uint8_t out[16]);
/* NTOWFv2 from NTOWFv1. user and domain are UTF-16LE, as they stand in the AUTHENTICATE_MESSAGE. */
void ntlm_ntowfv2(const uint8_t nt_hash[16], struct ntlm_bytes user, struct ntlm_bytes domain, uint8_t out[16]);

void ntlm_hmac_md5(const uint8_t key[16], const struct ntlm_bytes *parts, size_t count, uint8_t out[16]);
/* NTProofStr; temp is the NTLMv2_CLIENT_CHALLENGE with its trailing four zeros. */
void ntlm_v2_proof(const uint8_t response_key[16], const uint8_t server_challenge[8], struct ntlm_bytes temp,
                   uint8_t out[16]);
void ntlm_v2_session_base_key(const uint8_t response_key[16], const uint8_t proof[16], uint8_t out[16]);

/* DESL: 24 bytes from a 16-byte key and 8 bytes of data. The NTLMv1 response. */
void ntlm_desl(const uint8_t key[16], const uint8_t data[8], uint8_t out[24]);
/* The challenge that DESL covers with extended session security: MD5(server, client)[0..7]. */
void ntlm_v1_ess_challenge(const uint8_t server[8], const uint8_t client[8], uint8_t out[8]);
void ntlm_v1_session_base_key(const uint8_t nt_hash[16], uint8_t out[16]);
/* KXKEY for NTLMv1 with extended session security; for NTLMv2 it is the session base key itself. */
void ntlm_v1_ess_kxkey(const uint8_t session_base_key[16], const uint8_t server[8], const uint8_t client[8],
                       uint8_t out[16]);

/* RC4K of a 16-byte session key. */
void ntlm_rc4k(const uint8_t key[16], const uint8_t in[16], uint8_t out[16]);

/* SIGNKEY and SEALKEY with extended session security; the mode is the sender. */
void ntlm_sign_key(const uint8_t exported[16], enum auth_side sender, uint8_t out[16]);
void ntlm_seal_key(const uint8_t exported[16], uint32_t flags, enum auth_side sender, uint8_t out[16]);

#endif
