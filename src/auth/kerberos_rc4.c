#include "auth/kerberos_open.h"

#include "auth/der.h"
#include "base/secret.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>

/* RFC 4757 7: tokens of the RC4 cipher, in the frame of RFC 1964 1.2. */

#define KEY 16
enum { SIGN_USAGE = 15, SEAL_USAGE = 13 };

struct rc4_token {
	const uint8_t *head; /* 8 bytes: TOK_ID, SGN_ALG, SEAL_ALG, filler */
	uint8_t sequence[8], sum[8], confounder[8];
};

static int take_token(const struct kerberos_pdu *pdu, struct rc4_token *out)
{
	static const uint8_t mic[8] = {1, 1, 0x11, 0, 0xff, 0xff, 0xff, 0xff},
	                     wrap[8] = {2, 1, 0x11, 0, 0x10, 0, 0xff, 0xff};
	struct cursor frame = cursor_of(pdu->token, pdu->token_len), oid;
	int r;
	/* In DCE style the frame's length may count the body too, which is elsewhere: it is passed over. */
	if ((r = cursor_skip(&frame, 2)) < 0)
		return r;
	if ((r = der_take_tagged(&frame, 6, &oid)) < 0 || (r = cursor_bytes(&frame, 8, &out->head)) < 0 ||
	    (r = cursor_copy(&frame, out->sequence, 8)) < 0 || (r = cursor_copy(&frame, out->sum, 8)) < 0)
		return r;
	if (pdu->sealed && (r = cursor_copy(&frame, out->confounder, 8)) < 0)
		return r;
	return memcmp(out->head, pdu->sealed ? wrap : mic, 8) == 0 ? 0 : MW_E_MALFORMED;
}

static void hmac(const uint8_t key[KEY], const void *data, size_t len, uint8_t out[KEY])
{
	struct hmac_md5_ctx ctx;
	hmac_md5_set_key(&ctx, KEY, key);
	hmac_md5_update(&ctx, len, data);
	hmac_md5_digest(&ctx, KEY, out);
}

/* HMAC(HMAC(key, 0), salt), the shape of both Kseq and Kcrypt. */
static void salted(const uint8_t key[KEY], const uint8_t *salt, size_t len, struct arcfour_ctx *out)
{
	static const uint8_t zeros[4];
	uint8_t k[KEY];
	hmac(key, zeros, sizeof zeros, k);
	hmac(k, salt, len, k);
	arcfour_set_key(out, KEY, k);
	secret_wipe(k, sizeof k);
}

static void checksum(const uint8_t key[KEY], const struct kerberos_pdu *pdu, const struct rc4_token *t,
                     uint8_t out[KEY])
{
	const uint8_t usage[4] = {pdu->sealed ? SEAL_USAGE : SIGN_USAGE};
	uint8_t sign[KEY], digest[MD5_DIGEST_SIZE];
	struct md5_ctx md5;
	md5_init(&md5);
	md5_update(&md5, sizeof usage, usage);
	md5_update(&md5, 8, t->head);
	if (pdu->sealed)
		md5_update(&md5, 8, t->confounder);
	if (pdu->sign_header)
		md5_update(&md5, pdu->len, pdu->data);
	else
		md5_update(&md5, pdu->body_len, pdu->data + pdu->body);
	md5_digest(&md5, sizeof digest, digest);
	hmac(key, "signaturekey", sizeof "signaturekey", sign);
	hmac(sign, digest, sizeof digest, out);
	secret_wipe(sign, sizeof sign);
}

int kerberos_open_rc4(const krb5_keyblock *key, const struct kerberos_pdu *pdu)
{
	struct arcfour_ctx rc4;
	struct rc4_token t;
	uint8_t local[KEY], sum[KEY];
	int r = key->length == KEY ? take_token(pdu, &t) : MW_E_STATE;
	if (r < 0)
		return r;
	salted(key->contents, t.sum, sizeof t.sum, &rc4);
	arcfour_crypt(&rc4, sizeof t.sequence, t.sequence, t.sequence);
	if (pdu->sealed) {
		for (size_t i = 0; i < KEY; i++)
			local[i] = key->contents[i] ^ 0xf0;
		salted(local, t.sequence, 4, &rc4);
		arcfour_crypt(&rc4, sizeof t.confounder, t.confounder, t.confounder);
		arcfour_crypt(&rc4, pdu->body_len, pdu->data + pdu->body, pdu->data + pdu->body);
	}
	checksum(key->contents, pdu, &t, sum);
	secret_wipe(local, sizeof local);
	/* The direction stands behind the sequence number. */
	bool by_acceptor = t.sequence[4] == 0xff;
	return secret_equal(sum, t.sum, sizeof t.sum) && by_acceptor == (pdu->from == AUTH_FROM_SERVER) ? 0 : MW_E_AUTH;
}
