#include "micro.h"

#include "load.h"
#include "session.h"

#include <krb5.h>
#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <string.h>

/* Each call is sealed and opened each way: four times its bytes, in pieces as large as a fragment's body. */
#define PIECE 5776
#define TIMES 4

struct rc4 {
	struct arcfour_ctx cipher;
	struct hmac_md5_ctx mac;
};

static void rc4_piece(struct rc4 *c, uint8_t *data, size_t size)
{
	uint8_t sum[8];
	hmac_md5_update(&c->mac, size, data);
	hmac_md5_digest(&c->mac, sizeof sum, sum);
	arcfour_crypt(&c->cipher, size, data, data);
}

static void rc4_call(void *user)
{
	static uint8_t data[PIECE];
	for (int i = 0; i < TIMES; i++)
		for (size_t left = SEALED_BYTES; left > 0; left -= left < PIECE ? left : PIECE)
			rc4_piece((struct rc4 *)user, data, left < PIECE ? left : PIECE);
}

struct aes {
	krb5_context krb5;
	krb5_key key;
	unsigned header, trailer;
};

/* RFC 3962 by MIT krb5 alone: no GSS, no token. */
static void aes_piece(struct aes *c, uint8_t *data, size_t size)
{
	uint8_t header[64], trailer[64];
	krb5_crypto_iov iov[] = {
	        {.flags = KRB5_CRYPTO_TYPE_HEADER, .data = {.length = c->header, .data = (char *)header}},
	        {.flags = KRB5_CRYPTO_TYPE_DATA, .data = {.length = (unsigned)size, .data = (char *)data}},
	        {.flags = KRB5_CRYPTO_TYPE_TRAILER, .data = {.length = c->trailer, .data = (char *)trailer}},
	};
	if (krb5_k_encrypt_iov(c->krb5, c->key, 24, NULL, iov, 3) != 0 ||
	    krb5_k_decrypt_iov(c->krb5, c->key, 24, NULL, iov, 3) != 0)
		fail("the cipher failed");
}

static void aes_call(void *user)
{
	static uint8_t data[PIECE];
	for (int i = 0; i < TIMES / 2; i++)
		for (size_t left = SEALED_BYTES; left > 0; left -= left < PIECE ? left : PIECE)
			aes_piece((struct aes *)user, data, left < PIECE ? left : PIECE);
}

static void measure(void (*call)(void *user), void *user, double seconds)
{
	uint64_t calls = 0;
	double start = load_now(), now;
	call(user);
	for (start = load_now(); (now = load_now()) - start < seconds; calls++)
		call(user);
	printf("{\"calls\": %llu, \"seconds\": %.6f, \"cpu\": 0}\n", (unsigned long long)calls, now - start);
}

void cipher_run(const char *provider, double seconds)
{
	static const uint8_t key[16] = {1, 2, 3};
	if (strcmp(provider, "ntlm") == 0) {
		struct rc4 c;
		arcfour_set_key(&c.cipher, sizeof key, key);
		hmac_md5_set_key(&c.mac, sizeof key, key);
		measure(rc4_call, &c, seconds);
		return;
	}
	struct aes c = {0};
	krb5_keyblock block;
	if (krb5_init_context(&c.krb5) != 0 ||
	    krb5_c_make_random_key(c.krb5, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &block) != 0 ||
	    krb5_k_create_key(c.krb5, &block, &c.key) != 0 ||
	    krb5_c_crypto_length(c.krb5, block.enctype, KRB5_CRYPTO_TYPE_HEADER, &c.header) != 0 ||
	    krb5_c_crypto_length(c.krb5, block.enctype, KRB5_CRYPTO_TYPE_TRAILER, &c.trailer) != 0)
		fail("no AES key");
	measure(aes_call, &c, seconds);
	krb5_free_keyblock_contents(c.krb5, &block);
	krb5_k_free_key(c.krb5, c.key);
	krb5_free_context(c.krb5);
}
