#include "auth/ntlm_seal.h"

#include "auth/ntlm_crypto.h"
#include "auth/ntlm_message.h"
#include "base/secret.h"

#include <stdlib.h>

/* How far behind the last known position a sealed stream is searched, and how many bytes are hashed for it. */
#define SEARCH_WINDOW ((size_t)1 << 20)
#define SEARCH_BUDGET ((size_t)1 << 26)
/* Fragments are at most 64 KiB; a checksum takes 8 bytes of the stream. */
#define MAX_PER_PDU (65535u + 8u)

void ntlm_seal_init(struct ntlm_seal *seal, const uint8_t exported_key[16], uint32_t flags, enum auth_side sender)
{
	uint8_t key[16];
	*seal = (struct ntlm_seal){.key_exchange = (flags & NTLMSSP_NEGOTIATE_KEY_EXCH) != 0, .budget = SEARCH_BUDGET};
	ntlm_sign_key(exported_key, sender, key);
	hmac_md5_set_key(&seal->mac, sizeof key, key);
	ntlm_seal_key(exported_key, flags, sender, key);
	arcfour_set_key(&seal->rc4, sizeof key, key);
	secret_wipe(key, sizeof key);
}

static void put_u32(uint8_t *out, uint32_t v)
{
	memcpy(out, &v, sizeof v);
}

/* The first 8 bytes of HMAC_MD5(SigningKey, SeqNum, Message). */
static void checksum(struct hmac_md5_ctx *mac, uint32_t sequence, const struct ntlm_pdu *pdu, uint8_t out[8])
{
	uint8_t number[4];
	put_u32(number, sequence);
	hmac_md5_update(mac, sizeof number, number);
	hmac_md5_update(mac, pdu->len, pdu->data);
	hmac_md5_digest(mac, 8, out);
}

static void assemble(uint8_t signature[NTLM_SIGNATURE_SIZE], const uint8_t sum[8], uint32_t sequence)
{
	put_u32(signature, 1);
	memcpy(signature + 4, sum, 8);
	put_u32(signature + 12, sequence);
}

void ntlm_seal_protect(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, uint8_t signature[NTLM_SIGNATURE_SIZE])
{
	uint8_t sum[8];
	checksum(&seal->mac, seal->sequence, pdu, sum);
	if (pdu->sealed)
		arcfour_crypt(&seal->rc4, pdu->body_len, pdu->data + pdu->body, pdu->data + pdu->body);
	if (seal->key_exchange)
		arcfour_crypt(&seal->rc4, sizeof sum, sum, sum);
	assemble(signature, sum, seal->sequence++);
}

void ntlm_seal_mic(struct ntlm_seal *seal, const uint8_t *data, size_t len, uint8_t signature[NTLM_SIGNATURE_SIZE])
{
	struct arcfour_ctx rc4 = seal->rc4;
	uint8_t number[4], sum[8];
	put_u32(number, seal->sequence);
	hmac_md5_update(&seal->mac, sizeof number, number);
	hmac_md5_update(&seal->mac, len, data);
	hmac_md5_digest(&seal->mac, sizeof sum, sum);
	if (seal->key_exchange)
		arcfour_crypt(&rc4, sizeof sum, sum, sum);
	assemble(signature, sum, seal->sequence++);
	secret_wipe(&rc4, sizeof rc4);
}

int ntlm_seal_check(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, const uint8_t signature[NTLM_SIGNATURE_SIZE])
{
	uint8_t sum[8], expected[NTLM_SIGNATURE_SIZE];
	if (pdu->sealed)
		arcfour_crypt(&seal->rc4, pdu->body_len, pdu->data + pdu->body, pdu->data + pdu->body);
	checksum(&seal->mac, seal->sequence, pdu, sum);
	if (seal->key_exchange)
		arcfour_crypt(&seal->rc4, sizeof sum, sum, sum);
	assemble(expected, sum, seal->sequence++);
	return secret_equal(expected, signature, sizeof expected) ? 0 : MW_E_AUTH;
}

/* ---- Finding a lost position ---- */

static void skip_stream(struct arcfour_ctx *rc4, size_t n)
{
	uint8_t scratch[256];
	while (n > 0) {
		size_t part = n < sizeof scratch ? n : sizeof scratch;
		arcfour_crypt(rc4, part, scratch, scratch);
		n -= part;
	}
	secret_wipe(scratch, sizeof scratch);
}

/* Signed only: every PDU that is missing took 8 bytes of the stream, or none. */
static int find_signed(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, const uint8_t *signature, uint32_t sequence)
{
	struct ntlm_seal tried = *seal;
	size_t missing = sequence - seal->sequence;
	if (tried.key_exchange && missing > SEARCH_WINDOW / 8)
		return MW_E_STATE;
	if (tried.key_exchange)
		skip_stream(&tried.rc4, 8 * missing);
	tried.sequence = sequence;
	int r = ntlm_seal_check(&tried, pdu, signature);
	if (r == 0) {
		tried.lost = false;
		*seal = tried;
	}
	secret_wipe(&tried, sizeof tried);
	return r == 0 ? 0 : MW_E_STATE;
}

/* Everything that one search needs; stream is the key stream from the last known position on. */
struct search {
	struct ntlm_seal *seal;
	const struct ntlm_pdu *pdu;
	const uint8_t *signature;
	uint32_t sequence;
	const uint8_t *stream;
	uint8_t *plain; /* a copy of the PDU */
};

/* Does the signature fit when the body begins at this offset of the stream? */
static bool fits_at(struct search *s, size_t offset)
{
	const struct ntlm_pdu *pdu = s->pdu;
	uint8_t sum[8];
	for (size_t i = 0; i < pdu->body_len; i++)
		s->plain[pdu->body + i] = pdu->data[pdu->body + i] ^ s->stream[offset + i];
	checksum(&s->seal->mac, s->sequence, &(struct ntlm_pdu){.data = s->plain, .len = pdu->len}, sum);
	if (s->seal->key_exchange)
		for (size_t i = 0; i < sizeof sum; i++)
			sum[i] ^= s->stream[offset + pdu->body_len + i];
	return secret_equal(sum, s->signature + 4, sizeof sum);
}

/*
 * Offsets from the nearest on: bodies are padded to 16 bytes by Windows and by
 * us, to 4 or 8 by others, so that multiples of 4 (after the checksums of the
 * missing PDUs) are what can occur.
 */
static bool search_offsets(struct search *s, size_t from, size_t to, size_t *found)
{
	static const size_t steps[] = {16, 4};
	/* Half of what is left, so that the next PDU has a chance too. */
	size_t keep = s->seal->budget / 2;
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		for (size_t at = from; at <= to; at += steps[k]) {
			if (k > 0 && (at - from) % steps[k - 1] == 0)
				continue;
			if (s->seal->budget - keep < s->pdu->len)
				return false;
			s->seal->budget -= s->pdu->len;
			if (fits_at(s, at)) {
				*found = at;
				return true;
			}
		}
	}
	return false;
}

static void found_at(struct search *s, size_t offset)
{
	struct ntlm_seal *seal = s->seal;
	const struct ntlm_pdu *pdu = s->pdu;
	memcpy(pdu->data + pdu->body, s->plain + pdu->body, pdu->body_len);
	skip_stream(&seal->rc4, offset + pdu->body_len + (seal->key_exchange ? 8 : 0));
	seal->sequence = s->sequence + 1;
	seal->lost = false;
}

static int find_sealed(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, const uint8_t *signature, uint32_t sequence)
{
	size_t missing = sequence - seal->sequence;
	size_t from = seal->key_exchange ? 8 * missing : 0;
	size_t to = missing > SEARCH_WINDOW / MAX_PER_PDU ? SEARCH_WINDOW : missing * MAX_PER_PDU;
	if (missing > SEARCH_WINDOW / 8 || from > to)
		return MW_E_STATE;
	size_t stream_len = to + pdu->body_len + 8, offset = 0;
	uint8_t *stream = calloc(1, stream_len), *plain = malloc(pdu->len + 1);
	bool found = false;
	if (stream != NULL && plain != NULL) {
		struct arcfour_ctx rc4 = seal->rc4;
		arcfour_crypt(&rc4, stream_len, stream, stream);
		secret_wipe(&rc4, sizeof rc4);
		memcpy(plain, pdu->data, pdu->len);
		struct search s = {seal, pdu, signature, sequence, stream, plain};
		found = search_offsets(&s, from, to, &offset);
		if (found)
			found_at(&s, offset);
		secret_wipe(stream, stream_len);
	}
	free(stream);
	free(plain);
	return found ? 0 : MW_E_STATE;
}

int ntlm_seal_find(struct ntlm_seal *seal, const struct ntlm_pdu *pdu, const uint8_t signature[NTLM_SIGNATURE_SIZE])
{
	struct cursor c = cursor_of(signature, NTLM_SIGNATURE_SIZE);
	uint32_t version, sequence;
	if (cursor_u32(&c, &version) < 0 || cursor_skip(&c, 8) < 0 || cursor_u32(&c, &sequence) < 0)
		return MW_E_STATE;
	if (version != 1 || sequence < seal->sequence)
		return MW_E_STATE;
	return pdu->sealed ? find_sealed(seal, pdu, signature, sequence) : find_signed(seal, pdu, signature, sequence);
}
