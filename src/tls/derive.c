#include "tls/observer-private.h"

#include "base/buf.h"
#include "base/secret.h"

#include <string.h>

/* Keys from secrets: TLS 1.3 by HKDF (RFC 8446 7.1 to 7.3, RFC 5869), TLS 1.2 by its PRF (RFC 5246 5). */

#define HASH_MAX 64

bool tls_expand_label(gnutls_mac_algorithm_t hash, const struct tls_secret *secret, const char *label,
                      const struct cursor *context, uint8_t *out, size_t out_len)
{
	struct buf info MW_CLEANUP(buf_free) = {0};
	const gnutls_datum_t key = {(unsigned char *)(uintptr_t)secret->bytes, secret->len};
	size_t context_len = context ? cursor_left(context) : 0;
	if (context_len > HASH_MAX || out_len > UINT16_MAX)
		return false;
	buf_put_u16be(&info, (uint16_t)out_len);
	buf_put_u8(&info, (uint8_t)(strlen("tls13 ") + strlen(label)));
	buf_put_str(&info, "tls13 ");
	buf_put_str(&info, label);
	buf_put_u8(&info, (uint8_t)context_len);
	if (context_len)
		buf_put(&info, cursor_here(context), context_len);
	const gnutls_datum_t datum = {info.data, (unsigned)info.len};
	return buf_error(&info) == 0 && gnutls_hkdf_expand(hash, &key, &datum, out, out_len) == 0;
}

bool tls_next_secret(gnutls_mac_algorithm_t hash, struct tls_secret *secret)
{
	struct tls_secret next = {.len = secret->len};
	if (!tls_expand_label(hash, secret, "traffic upd", NULL, next.bytes, next.len))
		return false;
	*secret = next;
	secret_wipe(&next, sizeof next);
	return true;
}

/* A(i) || seed, hashed; A(i) = HMAC(secret, A(i-1)), A(0) = seed. */
bool tls_prf(gnutls_mac_algorithm_t hash, const struct tls_secret *secret, const char *label, const uint8_t *seed,
             size_t seed_len, uint8_t *out, size_t out_len)
{
	size_t size = gnutls_hmac_get_len(hash);
	uint8_t a[HASH_MAX], block[HASH_MAX];
	gnutls_hmac_hd_t h;
	if (size == 0 || size > HASH_MAX || gnutls_hmac_init(&h, hash, secret->bytes, secret->len) < 0)
		return false;
	gnutls_hmac(h, label, strlen(label));
	gnutls_hmac(h, seed, seed_len);
	gnutls_hmac_output(h, a);
	while (out_len > 0) {
		size_t n = out_len < size ? out_len : size;
		gnutls_hmac(h, a, size);
		gnutls_hmac(h, label, strlen(label));
		gnutls_hmac(h, seed, seed_len);
		gnutls_hmac_output(h, block);
		memcpy(out, block, n);
		out += n;
		out_len -= n;
		gnutls_hmac(h, a, size);
		gnutls_hmac_output(h, a);
	}
	gnutls_hmac_deinit(h, NULL);
	secret_wipe(a, sizeof a);
	secret_wipe(block, sizeof block);
	return true;
}
