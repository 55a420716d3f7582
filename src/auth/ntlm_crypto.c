#include "auth/ntlm_crypto.h"

#include "auth/ntlm_message.h"
#include "base/secret.h"

#include <nettle/arcfour.h>
#include <nettle/des.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <nettle/md5.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

static void md4_unit(struct md4_ctx *md4, uint16_t unit)
{
	md4_update(md4, 2, (const uint8_t[]){(uint8_t)unit, (uint8_t)(unit >> 8)});
}

static void md5_u32(struct md5_ctx *md5, uint32_t v)
{
	md5_update(md5, 4, (const uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)});
}

/* Two addresses of no type and no length, then the application's data (RFC 2744 3.11, MS-NLMP 2.2.2.1). */
void ntlm_channel_hash(const uint8_t *binding, size_t len, uint8_t out[16])
{
	struct md5_ctx md5;
	md5_init(&md5);
	for (unsigned i = 0; i < 4; i++)
		md5_u32(&md5, 0);
	md5_u32(&md5, (uint32_t)len);
	md5_update(&md5, len, binding);
	md5_digest(&md5, 16, out);
}

void ntlm_nt_hash(const char *password, uint8_t out[16])
{
	struct md4_ctx md4;
	md4_init(&md4);
	int32_t len = (int32_t)strnlen(password, INT32_MAX);
	for (int32_t i = 0; i < len;) {
		UChar32 c;
		U8_NEXT_OR_FFFD((const uint8_t *)password, i, len, c);
		if (c > 0xffff) {
			md4_unit(&md4, U16_LEAD(c));
			md4_unit(&md4, U16_TRAIL(c));
		} else {
			md4_unit(&md4, (uint16_t)c);
		}
	}
	md4_digest(&md4, 16, out);
	secret_wipe(&md4, sizeof md4);
}

/* By UTF-16 unit, as Windows does it: surrogate pairs stay as they are. */
static uint16_t upper_unit(uint16_t unit)
{
	if (U16_IS_SURROGATE(unit))
		return unit;
	UChar32 upper = u_toupper(unit);
	return upper > 0xffff ? unit : (uint16_t)upper;
}

void ntlm_ntowfv2(const uint8_t nt_hash[16], struct ntlm_bytes user, struct ntlm_bytes domain, uint8_t out[16])
{
	struct hmac_md5_ctx hmac;
	hmac_md5_set_key(&hmac, 16, nt_hash);
	for (size_t i = 0; i + 1 < user.len; i += 2) {
		uint16_t unit = upper_unit((uint16_t)(user.data[i] | user.data[i + 1] << 8));
		hmac_md5_update(&hmac, 2, (const uint8_t[]){(uint8_t)unit, (uint8_t)(unit >> 8)});
	}
	hmac_md5_update(&hmac, domain.len, domain.data);
	hmac_md5_digest(&hmac, 16, out);
	secret_wipe(&hmac, sizeof hmac);
}

void ntlm_hmac_md5(const uint8_t key[16], const struct ntlm_bytes *parts, size_t count, uint8_t out[16])
{
	struct hmac_md5_ctx hmac;
	hmac_md5_set_key(&hmac, 16, key);
	for (size_t i = 0; i < count; i++)
		hmac_md5_update(&hmac, parts[i].len, parts[i].data);
	hmac_md5_digest(&hmac, 16, out);
	secret_wipe(&hmac, sizeof hmac);
}

void ntlm_v2_proof(const uint8_t response_key[16], const uint8_t server_challenge[8], struct ntlm_bytes temp,
                   uint8_t out[16])
{
	ntlm_hmac_md5(response_key, (const struct ntlm_bytes[]){{server_challenge, 8}, temp}, 2, out);
}

void ntlm_v2_session_base_key(const uint8_t response_key[16], const uint8_t proof[16], uint8_t out[16])
{
	ntlm_hmac_md5(response_key, &(struct ntlm_bytes){proof, 16}, 1, out);
}

/* 56 bits spread over 8 bytes; DES ignores the parity bit. */
static void des_seven(const uint8_t key[7], const uint8_t data[8], uint8_t out[8])
{
	uint8_t spread[8];
	uint64_t bits = 0;
	for (int i = 0; i < 7; i++)
		bits = bits << 8 | key[i];
	for (int i = 0; i < 8; i++)
		spread[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
	struct des_ctx des;
	/* Answers 0 for a weak key, which is used all the same. */
	(void)des_set_key(&des, spread);
	des_encrypt(&des, 8, out, data);
	secret_wipe(&des, sizeof des);
	secret_wipe(spread, sizeof spread);
}

void ntlm_desl(const uint8_t key[16], const uint8_t data[8], uint8_t out[24])
{
	uint8_t padded[21] = {0};
	memcpy(padded, key, 16);
	for (int i = 0; i < 3; i++)
		des_seven(padded + 7 * i, data, out + 8 * i);
	secret_wipe(padded, sizeof padded);
}

static void md5_of(const struct ntlm_bytes *parts, size_t count, size_t out_len, uint8_t *out)
{
	struct md5_ctx md5;
	md5_init(&md5);
	for (size_t i = 0; i < count; i++)
		md5_update(&md5, parts[i].len, parts[i].data);
	md5_digest(&md5, out_len, out);
	secret_wipe(&md5, sizeof md5);
}

void ntlm_v1_ess_challenge(const uint8_t server[8], const uint8_t client[8], uint8_t out[8])
{
	md5_of((const struct ntlm_bytes[]){{server, 8}, {client, 8}}, 2, 8, out);
}

void ntlm_v1_session_base_key(const uint8_t nt_hash[16], uint8_t out[16])
{
	struct md4_ctx md4;
	md4_init(&md4);
	md4_update(&md4, 16, nt_hash);
	md4_digest(&md4, 16, out);
	secret_wipe(&md4, sizeof md4);
}

void ntlm_v1_ess_kxkey(const uint8_t session_base_key[16], const uint8_t server[8], const uint8_t client[8],
                       uint8_t out[16])
{
	ntlm_hmac_md5(session_base_key, (const struct ntlm_bytes[]){{server, 8}, {client, 8}}, 2, out);
}

void ntlm_rc4k(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	struct arcfour_ctx rc4;
	arcfour_set_key(&rc4, 16, key);
	arcfour_crypt(&rc4, 16, out, in);
	secret_wipe(&rc4, sizeof rc4);
}

/* The magic constants count with their NUL. */
static void magic_key(const uint8_t *key, size_t key_len, const char *magic, uint8_t out[16])
{
	md5_of((const struct ntlm_bytes[]){{key, key_len}, {(const uint8_t *)magic, strlen(magic) + 1}}, 2, 16, out);
}

void ntlm_sign_key(const uint8_t exported[16], enum auth_side sender, uint8_t out[16])
{
	magic_key(exported, 16,
	          sender == AUTH_FROM_CLIENT ? "session key to client-to-server signing key magic constant"
	                                     : "session key to server-to-client signing key magic constant",
	          out);
}

void ntlm_seal_key(const uint8_t exported[16], uint32_t flags, enum auth_side sender, uint8_t out[16])
{
	size_t len = flags & NTLMSSP_NEGOTIATE_128 ? 16 : flags & NTLMSSP_NEGOTIATE_56 ? 7 : 5;
	magic_key(exported, len,
	          sender == AUTH_FROM_CLIENT ? "session key to client-to-server sealing key magic constant"
	                                     : "session key to server-to-client sealing key magic constant",
	          out);
}
