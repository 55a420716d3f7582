#include "tls/observer-private.h"

#include "base/secret.h"

#include <string.h>

/* Records under a key: RFC 8446 5.2, RFC 5246 6.2.3, RFC 5288, 6655, 7905, 7366. */

#define KEY_MAX 32
#define MAC_MAX 48
#define EXPLICIT 8 /* bytes of an AEAD nonce of TLS 1.2 that stand in the record */
#define SALT 4     /* and those that do not */
#define NONCE 12
#define AAD_MAX (8 + TLS_HEADER)

static bool start_aead(struct tls_opener *o, const struct tls_suite *suite, uint8_t *key)
{
	const gnutls_datum_t datum = {key, (unsigned)gnutls_cipher_get_key_size(suite->cipher)};
	o->tag_len = gnutls_cipher_get_tag_size(suite->cipher);
	return gnutls_aead_cipher_init(&o->aead, suite->cipher, &datum) == 0;
}

static bool start_cbc(struct tls_opener *o, const struct tls_suite *suite, uint8_t *key, const uint8_t *mac_key)
{
	uint8_t iv[16] = {0};
	const gnutls_datum_t datum = {key, (unsigned)gnutls_cipher_get_key_size(suite->cipher)};
	o->iv_len = gnutls_cipher_get_block_size(suite->cipher);
	const gnutls_datum_t iv_datum = {iv, (unsigned)o->iv_len};
	o->tag_len = gnutls_hmac_get_len(suite->mac);
	if (gnutls_hmac_init(&o->hmac, suite->mac, mac_key, o->tag_len) < 0) {
		o->hmac = NULL;
		return false;
	}
	return gnutls_cipher_init(&o->cbc, suite->cipher, &datum, &iv_datum) == 0;
}

static bool done(struct tls_opener *o, const struct tls_suite *suite, bool good)
{
	if (good)
		o->suite = suite;
	else
		tls_opener_close(o);
	return good;
}

bool tls_opener_13(struct tls_opener *o, const struct tls_suite *suite, const struct tls_secret *secret)
{
	uint8_t key[KEY_MAX];
	size_t size = gnutls_cipher_get_key_size(suite->cipher);
	*o = (struct tls_opener){.version = TLS_13, .iv_len = NONCE};
	bool good = secret->len == gnutls_hmac_get_len(suite->hash) && size <= sizeof key &&
	            tls_expand_label(suite->hash, secret, "key", NULL, key, size) &&
	            tls_expand_label(suite->hash, secret, "iv", NULL, o->iv, NONCE) && start_aead(o, suite, key);
	secret_wipe(key, sizeof key);
	return done(o, suite, good);
}

bool tls_opener_12(struct tls_opener *o, const struct tls_suite *suite, const struct tls_secret *master,
                   const uint8_t seed[2 * TLS_ID_SIZE], bool from_client, bool mac_last)
{
	uint8_t block[2 * (MAC_MAX + KEY_MAX + NONCE)];
	bool aead = suite->mac == GNUTLS_MAC_AEAD;
	size_t key = gnutls_cipher_get_key_size(suite->cipher), mac = aead ? 0 : gnutls_hmac_get_len(suite->mac);
	size_t iv = !aead ? 0 : suite->cipher == GNUTLS_CIPHER_CHACHA20_POLY1305 ? NONCE : SALT;
	*o = (struct tls_opener){.version = TLS_12, .mac_last = mac_last, .iv_len = iv};
	if (key > KEY_MAX || mac > MAC_MAX ||
	    !tls_prf(suite->hash, master, "key expansion", seed, 2 * TLS_ID_SIZE, block, 2 * (key + mac + iv)))
		return false;
	/* RFC 5246 6.3: both MAC keys, both keys, both IVs, the client's first. */
	uint8_t *at = block + (from_client ? 0 : mac), *keys = block + 2 * mac + (from_client ? 0 : key);
	memcpy(o->iv, block + 2 * (mac + key) + (from_client ? 0 : iv), iv);
	bool good = aead ? start_aead(o, suite, keys) : start_cbc(o, suite, keys, at);
	secret_wipe(block, sizeof block);
	return done(o, suite, good);
}

void tls_opener_close(struct tls_opener *o)
{
	if (o->aead)
		gnutls_aead_cipher_deinit(o->aead);
	if (o->cbc)
		gnutls_cipher_deinit(o->cbc);
	if (o->hmac)
		gnutls_hmac_deinit(o->hmac, NULL);
	secret_wipe(o, sizeof *o);
	*o = (struct tls_opener){0};
}

/* ---- Opening ---- */

static void put_number(uint8_t out[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(number >> (56 - 8 * i));
}

/* The IV with the record's number laid over its end. */
static void laid_over(const struct tls_opener *o, uint64_t number, uint8_t nonce[NONCE])
{
	uint8_t n[8];
	put_number(n, number);
	memcpy(nonce, o->iv, NONCE);
	for (unsigned i = 0; i < 8; i++)
		nonce[NONCE - 8 + i] ^= n[i];
}

/* RFC 5246 6.2.3.3: number, type, version, length of the text. */
static void put_aad(uint8_t aad[AAD_MAX], uint64_t number, const uint8_t header[TLS_HEADER], size_t len)
{
	put_number(aad, number);
	memcpy(aad + 8, header, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
}

static bool open_aead(struct tls_opener *o, uint64_t number, const struct tls_record *r, struct tls_opened *out)
{
	uint8_t nonce[NONCE], aad[AAD_MAX];
	bool explicit = o->iv_len == SALT, is_13 = o->version == TLS_13;
	size_t skip = explicit ? EXPLICIT : 0, aad_len = is_13 ? TLS_HEADER : AAD_MAX;
	if (r->len < skip + o->tag_len || r->len - skip - o->tag_len > sizeof out->text)
		return false;
	size_t len = r->len - skip - o->tag_len;
	if (explicit) {
		memcpy(nonce, o->iv, SALT);
		memcpy(nonce + SALT, r->body, EXPLICIT);
	} else {
		laid_over(o, number, nonce);
	}
	if (is_13)
		memcpy(aad, r->header, TLS_HEADER);
	else
		put_aad(aad, number, r->header, len);
	out->len = sizeof out->text;
	out->skipped = skip;
	out->type = r->header[0];
	return gnutls_aead_cipher_decrypt(o->aead, nonce, sizeof nonce, aad, aad_len, o->tag_len, r->body + skip,
	                                  r->len - skip, out->text, &out->len) == 0;
}

/* RFC 8446 5.4: zeros, and before them the type. */
static bool take_inner_type(struct tls_opened *out)
{
	while (out->len > 0 && out->text[out->len - 1] == 0)
		out->len--;
	if (out->len == 0)
		return false;
	out->type = out->text[--out->len];
	return true;
}

static bool mac_fits(struct tls_opener *o, uint64_t number, const struct tls_record *r, const uint8_t *data, size_t len,
                     const uint8_t *mac)
{
	uint8_t aad[AAD_MAX], made[MAC_MAX];
	put_aad(aad, number, r->header, len);
	gnutls_hmac(o->hmac, aad, sizeof aad);
	gnutls_hmac(o->hmac, data, len);
	gnutls_hmac_output(o->hmac, made);
	return secret_equal(made, mac, o->tag_len);
}

static bool decrypt_cbc(struct tls_opener *o, const struct tls_record *r, size_t len, struct tls_opened *out)
{
	gnutls_cipher_set_iv(o->cbc, (void *)(uintptr_t)r->body, o->iv_len);
	return gnutls_cipher_decrypt2(o->cbc, r->body + o->iv_len, len, out->text, sizeof out->text) == 0;
}

/* Without its padding; false when that is none. */
static bool strip(struct tls_opened *out)
{
	size_t pad = (size_t)out->text[out->len - 1] + 1;
	if (pad > out->len)
		return false;
	for (size_t i = out->len - pad; i < out->len; i++)
		if (out->text[i] != pad - 1)
			return false;
	out->len -= pad;
	return true;
}

static bool open_cbc(struct tls_opener *o, uint64_t number, const struct tls_record *r, struct tls_opened *out)
{
	size_t outside = o->iv_len + (o->mac_last ? o->tag_len : 0);
	if (r->len <= outside || (r->len - outside) % o->iv_len != 0 || r->len - outside > sizeof out->text)
		return false;
	out->type = r->header[0];
	out->skipped = o->iv_len;
	out->len = r->len - outside;
	if (o->mac_last && !mac_fits(o, number, r, r->body, r->len - o->tag_len, r->body + r->len - o->tag_len))
		return false;
	if (!decrypt_cbc(o, r, out->len, out) || !strip(out))
		return false;
	if (o->mac_last)
		return true;
	if (out->len < o->tag_len)
		return false;
	out->len -= o->tag_len;
	return mac_fits(o, number, r, out->text, out->len, out->text + out->len);
}

bool tls_open(struct tls_opener *o, uint64_t number, const struct tls_record *r, struct tls_opened *out)
{
	if (!o->suite)
		return false;
	if (o->cbc)
		return open_cbc(o, number, r, out);
	return open_aead(o, number, r, out) && (o->version != TLS_13 || take_inner_type(out));
}
