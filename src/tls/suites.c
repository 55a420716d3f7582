#include "tls/observer-private.h"

/* Cipher suites by number, from IANA's registry "TLS Cipher Suites": what a record needs, whatever the key exchange. */

#define AEAD(n, c, h)                                                                                                  \
	{                                                                                                              \
		n, GNUTLS_CIPHER_##c, GNUTLS_MAC_AEAD, GNUTLS_MAC_##h                                                  \
	}
#define CBC(n, c, m, h)                                                                                                \
	{                                                                                                              \
		n, GNUTLS_CIPHER_##c, GNUTLS_MAC_##m, GNUTLS_MAC_##h                                                   \
	}
#define GCM_PAIR(n) AEAD(n, AES_128_GCM, SHA256), AEAD((n) + 1, AES_256_GCM, SHA384)
#define CCM_PAIR(n) AEAD(n, AES_128_CCM, SHA256), AEAD((n) + 1, AES_256_CCM, SHA256)
#define CCM8_PAIR(n) AEAD(n, AES_128_CCM_8, SHA256), AEAD((n) + 1, AES_256_CCM_8, SHA256)
#define CHACHA(n) AEAD(n, CHACHA20_POLY1305, SHA256)
#define SHA1_128(n) CBC(n, AES_128_CBC, SHA1, SHA256)
#define SHA1_256(n) CBC(n, AES_256_CBC, SHA1, SHA256)
#define SHA1_3DES(n) CBC(n, 3DES_CBC, SHA1, SHA256)
#define SHA2_128(n) CBC(n, AES_128_CBC, SHA256, SHA256)
#define SHA2_256(n) CBC(n, AES_256_CBC, SHA256, SHA256)
#define SHA384_256(n) CBC(n, AES_256_CBC, SHA384, SHA384)

static const struct tls_suite suites_13[] = {
        AEAD(0x1301, AES_128_GCM, SHA256), AEAD(0x1302, AES_256_GCM, SHA384),   CHACHA(0x1303),
        AEAD(0x1304, AES_128_CCM, SHA256), AEAD(0x1305, AES_128_CCM_8, SHA256),
};

static const struct tls_suite suites_12[] = {
        /* RFC 5288, 5289, 5487, 8442 */
        GCM_PAIR(0x009C),
        GCM_PAIR(0x009E),
        GCM_PAIR(0x00A0),
        GCM_PAIR(0x00A2),
        GCM_PAIR(0x00A4),
        GCM_PAIR(0x00A6),
        GCM_PAIR(0x00A8),
        GCM_PAIR(0x00AA),
        GCM_PAIR(0x00AC),
        GCM_PAIR(0xC02B),
        GCM_PAIR(0xC02D),
        GCM_PAIR(0xC02F),
        GCM_PAIR(0xC031),
        GCM_PAIR(0xD001),
        /* RFC 6655, 7251 */
        CCM_PAIR(0xC09C),
        CCM_PAIR(0xC09E),
        CCM8_PAIR(0xC0A0),
        CCM8_PAIR(0xC0A2),
        CCM_PAIR(0xC0A4),
        CCM_PAIR(0xC0A6),
        CCM8_PAIR(0xC0A8),
        CCM8_PAIR(0xC0AA),
        CCM_PAIR(0xC0AC),
        CCM8_PAIR(0xC0AE),
        /* RFC 7905 */
        CHACHA(0xCCA8),
        CHACHA(0xCCA9),
        CHACHA(0xCCAA),
        CHACHA(0xCCAB),
        CHACHA(0xCCAC),
        CHACHA(0xCCAD),
        CHACHA(0xCCAE),
        /* RFC 5246, 4492: SHA-1 */
        SHA1_3DES(0x000A),
        SHA1_3DES(0x0013),
        SHA1_3DES(0x0016),
        SHA1_3DES(0xC008),
        SHA1_3DES(0xC012),
        SHA1_128(0x002F),
        SHA1_128(0x0032),
        SHA1_128(0x0033),
        SHA1_128(0x0034),
        SHA1_256(0x0035),
        SHA1_256(0x0038),
        SHA1_256(0x0039),
        SHA1_256(0x003A),
        SHA1_128(0x008C),
        SHA1_256(0x008D),
        SHA1_128(0xC004),
        SHA1_256(0xC005),
        SHA1_128(0xC009),
        SHA1_256(0xC00A),
        SHA1_128(0xC00E),
        SHA1_256(0xC00F),
        SHA1_128(0xC013),
        SHA1_256(0xC014),
        SHA1_128(0xC018),
        SHA1_256(0xC019),
        /* RFC 5246, 5289: SHA-2 */
        SHA2_128(0x003C),
        SHA2_256(0x003D),
        SHA2_128(0x0040),
        SHA2_128(0x0067),
        SHA2_256(0x006A),
        SHA2_256(0x006B),
        SHA2_128(0x006C),
        SHA2_256(0x006D),
        SHA2_128(0xC023),
        SHA384_256(0xC024),
        SHA2_128(0xC025),
        SHA384_256(0xC026),
        SHA2_128(0xC027),
        SHA384_256(0xC028),
        SHA2_128(0xC029),
        SHA384_256(0xC02A),
};

static const struct tls_suite *find(const struct tls_suite *suites, size_t count, uint16_t id)
{
	for (size_t i = 0; i < count; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

const struct tls_suite *tls_suite_find(uint16_t id, uint16_t version)
{
	if (version == TLS_13)
		return find(suites_13, sizeof suites_13 / sizeof suites_13[0], id);
	return version == TLS_12 ? find(suites_12, sizeof suites_12 / sizeof suites_12[0], id) : NULL;
}
