#include "auth/kerberos_open.h"

#include "base/cursor.h"
#include "base/secret.h"

#include <stdlib.h>

/* Token header of RFC 4121 4.2.6. */
#define HEADER 16
enum { BY_ACCEPTOR = 1, SEALED = 2, ACCEPTOR_SUBKEY = 4 };
enum { TOK_MIC = 0x0404, TOK_WRAP = 0x0504 };
/* RFC 4121 2. */
enum { ACCEPTOR_SEAL = 22, ACCEPTOR_SIGN = 23, INITIATOR_SEAL = 24, INITIATOR_SIGN = 25 };
/* Larger than any token of ours: header, EC, copy of the header, checksum, confounder. */
#define MAX_TOKEN 256

struct cfx_header {
	uint16_t type, ec, rrc;
	uint8_t flags;
};

static int take_header(const struct kerberos_pdu *pdu, struct cfx_header *out)
{
	struct cursor c = cursor_of(pdu->token, pdu->token_len);
	uint8_t filler;
	c.big_endian = true;
	if (pdu->token_len < HEADER || pdu->token_len > MAX_TOKEN || cursor_u16(&c, &out->type) < 0 ||
	    cursor_u8(&c, &out->flags) < 0 || cursor_u8(&c, &filler) < 0 || cursor_u16(&c, &out->ec) < 0 ||
	    cursor_u16(&c, &out->rrc) < 0)
		return MW_E_MALFORMED;
	bool by_acceptor = out->flags & BY_ACCEPTOR;
	if (out->type != (pdu->sealed ? TOK_WRAP : TOK_MIC) || by_acceptor != (pdu->from == AUTH_FROM_SERVER))
		return MW_E_MALFORMED;
	return pdu->sealed && !(out->flags & SEALED) ? MW_E_MALFORMED : 0;
}

static krb5_crypto_iov part(krb5_cryptotype type, void *data, size_t len)
{
	return (krb5_crypto_iov){.flags = type, .data = {.length = (unsigned)len, .data = data}};
}

/*
 * In DCE style all but the body is rotated in front of it: padding of EC bytes,
 * the encrypted copy of the header, checksum, confounder.
 */
static int open_sealed(krb5_context krb5, const krb5_keyblock *key, const struct kerberos_pdu *pdu,
                       const struct cfx_header *h)
{
	uint8_t rotated[MAX_TOKEN];
	unsigned confounder = 0, checksum = 0;
	size_t len = pdu->token_len - HEADER, end = pdu->body + pdu->body_len;
	if (krb5_c_crypto_length(krb5, key->enctype, KRB5_CRYPTO_TYPE_HEADER, &confounder) != 0 ||
	    krb5_c_crypto_length(krb5, key->enctype, KRB5_CRYPTO_TYPE_TRAILER, &checksum) != 0)
		return MW_E_STATE;
	if (h->rrc != HEADER + checksum || len != (size_t)h->ec + HEADER + checksum + confounder)
		return MW_E_MALFORMED;
	memcpy(rotated, pdu->token + HEADER, len);
	size_t inner = (size_t)h->ec + HEADER;
	krb5_cryptotype outer = pdu->sign_header ? KRB5_CRYPTO_TYPE_SIGN_ONLY : KRB5_CRYPTO_TYPE_EMPTY;
	krb5_crypto_iov iov[] = {
	        part(KRB5_CRYPTO_TYPE_HEADER, rotated + inner + checksum, confounder),
	        part(outer, pdu->data, pdu->body),
	        part(KRB5_CRYPTO_TYPE_DATA, pdu->data + pdu->body, pdu->body_len),
	        part(outer, pdu->data + end, pdu->len - end),
	        part(KRB5_CRYPTO_TYPE_DATA, rotated, inner),
	        part(KRB5_CRYPTO_TYPE_TRAILER, rotated + inner, checksum),
	};
	krb5_keyusage usage = pdu->from == AUTH_FROM_SERVER ? ACCEPTOR_SEAL : INITIATOR_SEAL;
	if (krb5_c_decrypt_iov(krb5, key, usage, NULL, iov, ARRAY_SIZE(iov)) != 0)
		return MW_E_AUTH;
	/* The copy has no RRC: it was made before the rotation. */
	const uint8_t *copy = rotated + h->ec;
	return memcmp(copy, pdu->token, 6) == 0 && memcmp(copy + 8, pdu->token + 8, 8) == 0 ? 0 : MW_E_AUTH;
}

/* The MIC is over the message, then the token's header. */
static int check_mic(krb5_context krb5, const krb5_keyblock *key, const struct kerberos_pdu *pdu)
{
	const uint8_t *from = pdu->sign_header ? pdu->data : pdu->data + pdu->body;
	size_t len = pdu->sign_header ? pdu->len : pdu->body_len;
	uint8_t *message = malloc(len + HEADER);
	krb5_checksum sum;
	if (message == NULL)
		return MW_E_NOMEM;
	memcpy(message, from, len);
	memcpy(message + len, pdu->token, HEADER);
	krb5_data input = {.length = (unsigned)(len + HEADER), .data = (char *)message};
	krb5_keyusage usage = pdu->from == AUTH_FROM_SERVER ? ACCEPTOR_SIGN : INITIATOR_SIGN;
	krb5_error_code code = krb5_c_make_checksum(krb5, 0, key, usage, &input, &sum);
	free(message);
	if (code != 0)
		return MW_E_STATE;
	bool fits =
	        sum.length == pdu->token_len - HEADER && secret_equal(sum.contents, pdu->token + HEADER, sum.length);
	krb5_free_checksum_contents(krb5, &sum);
	return fits ? 0 : MW_E_AUTH;
}

int kerberos_open(krb5_context krb5, const struct kerberos_keys *keys, const struct kerberos_pdu *pdu)
{
	const krb5_keyblock *key = keys->acceptor.contents != NULL ? &keys->acceptor : &keys->initiator;
	struct cfx_header h;
	if (key->contents == NULL)
		return MW_E_STATE;
	if (key->enctype == ENCTYPE_ARCFOUR_HMAC)
		return kerberos_open_rc4(key, pdu);
	int r = take_header(pdu, &h);
	if (r < 0)
		return r;
	key = h.flags & ACCEPTOR_SUBKEY ? &keys->acceptor : &keys->initiator;
	if (key->contents == NULL)
		return MW_E_STATE;
	return pdu->sealed ? open_sealed(krb5, key, pdu, &h) : check_mic(krb5, key, pdu);
}
