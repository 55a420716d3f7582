#ifndef MW_TLS_OBSERVER_PRIVATE_H
#define MW_TLS_OBSERVER_PRIVATE_H

#include "base/cursor.h"
#include "tls/log.h"
#include "tls/observer.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

/* Inside the observer: cipher suites, key derivation, records of one direction, hello messages. */

#define TLS_HEADER 5
#define TLS_MAX_PLAIN 16384
#define TLS_MAX_BODY (TLS_MAX_PLAIN + 2048) /* RFC 5246 6.2.3 */
#define TLS_12 0x0303
#define TLS_13 0x0304

enum { TLS_CCS = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

/* ---- suites.c ---- */

struct tls_suite {
	uint16_t id;
	gnutls_cipher_algorithm_t cipher;
	gnutls_mac_algorithm_t mac;  /* of CBC records; else GNUTLS_MAC_AEAD */
	gnutls_mac_algorithm_t hash; /* of its key derivation */
};

/* NULL: not one that is opened here. */
const struct tls_suite *tls_suite_find(uint16_t id, uint16_t version);

/* ---- derive.c ---- */

/* RFC 8446 7.1. false: the lengths do not fit. */
bool tls_expand_label(gnutls_mac_algorithm_t hash, const struct tls_secret *secret, const char *label,
                      const struct cursor *context, uint8_t *out, size_t out_len);
/* RFC 5246 5. */
bool tls_prf(gnutls_mac_algorithm_t hash, const struct tls_secret *secret, const char *label, const uint8_t *seed,
             size_t seed_len, uint8_t *out, size_t out_len);
/* RFC 8446 7.2: the next application traffic secret. */
bool tls_next_secret(gnutls_mac_algorithm_t hash, struct tls_secret *secret);

/* ---- opener.c: the records of one direction under one key ---- */

struct tls_opener {
	const struct tls_suite *suite; /* NULL: not set up */
	uint16_t version;
	bool mac_last; /* CBC: encrypt, then MAC (RFC 7366) */
	gnutls_aead_cipher_hd_t aead;
	gnutls_cipher_hd_t cbc;
	gnutls_hmac_hd_t hmac;
	uint8_t iv[12];
	size_t iv_len, tag_len;
};

/* A record: its header and what is behind it. */
struct tls_record {
	uint8_t header[TLS_HEADER];
	const uint8_t *body;
	size_t len;
};

struct tls_opened {
	uint8_t type;
	size_t len;
	size_t skipped; /* bytes of the body before the first of the text */
	uint8_t text[TLS_MAX_BODY];
};

bool tls_opener_13(struct tls_opener *o, const struct tls_suite *suite, const struct tls_secret *secret);
/* seed: the server's random and the client's. */
bool tls_opener_12(struct tls_opener *o, const struct tls_suite *suite, const struct tls_secret *master,
                   const uint8_t seed[2 * TLS_ID_SIZE], bool from_client, bool mac_last);
void tls_opener_close(struct tls_opener *o);
/* false: it is not the record of that number under this key. */
bool tls_open(struct tls_opener *o, uint64_t number, const struct tls_record *r, struct tls_opened *out);

/* ---- hello.c ---- */

struct tls_hello {
	uint16_t version; /* chosen, or the highest offered */
	const uint8_t *random;
	const uint8_t *session;
	size_t session_len;
	struct cursor suites; /* offered; or the one that was chosen */
	bool retry;           /* HelloRetryRequest */
	bool early;           /* early_data */
	bool mac_last, compressed;
	const uint8_t *ticket; /* RFC 5077 */
	size_t ticket_len;
	const uint8_t *name; /* of the server */
	size_t name_len;
};

/* body: behind the message's header. */
MW_NODISCARD int tls_hello_parse(struct cursor body, bool from_client, struct tls_hello *out);

#endif
