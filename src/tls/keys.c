#include "tls/private.h"

#include "base/secret.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELF_SIGNED_DAYS INT64_C(3650)

static int set_pair(struct tls_keys *k, const void *cert, size_t cert_len, const void *key, size_t key_len)
{
	const gnutls_datum_t c = {(unsigned char *)(uintptr_t)cert, (unsigned)cert_len};
	const gnutls_datum_t s = {(unsigned char *)(uintptr_t)key, (unsigned)key_len};
	int r = gnutls_certificate_set_x509_key_mem(k->credentials, &c, &s, GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		r = gnutls_session_ticket_key_generate(&k->ticket_key);
	if (r >= 0)
		r = gnutls_priority_init(&k->priority, TLS_PRIORITY, NULL);
	return r;
}

int tls_keys_load(const void *cert_pem, size_t cert_len, const void *key_pem, size_t key_len, struct tls_keys **out,
                  char why[TLS_WHY])
{
	struct tls_keys *k = (struct tls_keys *)calloc(1, sizeof *k);
	if (!k || gnutls_certificate_allocate_credentials(&k->credentials) < 0) {
		free(k);
		snprintf(why, TLS_WHY, "out of memory");
		return MW_E_NOMEM;
	}
	atomic_init(&k->references, 1);
	int r = cert_len > UINT32_MAX || key_len > UINT32_MAX ? GNUTLS_E_INVALID_REQUEST
	                                                      : set_pair(k, cert_pem, cert_len, key_pem, key_len);
	if (r < 0) {
		snprintf(why, TLS_WHY, "%s",
		         r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? "the key is not that of the certificate"
		         : r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || r == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR ||
		                         r == GNUTLS_E_BASE64_DECODING_ERROR
		                 ? "it is not PEM text of a certificate, or of an unencrypted key"
		                 : gnutls_strerror(r));
		tls_keys_unref(&k);
		return MW_E_INVALID;
	}
	*out = k;
	return 0;
}

struct tls_keys *tls_keys_ref(struct tls_keys *keys)
{
	atomic_fetch_add(&keys->references, 1);
	return keys;
}

void tls_keys_unref(struct tls_keys **keys)
{
	struct tls_keys *k = *keys;
	*keys = NULL;
	if (!k || atomic_fetch_sub(&k->references, 1) != 1)
		return;
	gnutls_certificate_free_credentials(k->credentials);
	if (k->priority)
		gnutls_priority_deinit(k->priority);
	if (k->ticket_key.data) {
		secret_wipe(k->ticket_key.data, k->ticket_key.size);
		gnutls_free(k->ticket_key.data);
	}
	free(k);
}

/* ---- One's own ---- */

static int put_exported(struct buf *out, int r, gnutls_datum_t *text)
{
	if (r < 0)
		return MW_E_NOMEM;
	r = buf_put(out, text->data, text->size);
	secret_wipe(text->data, text->size);
	gnutls_free(text->data);
	return r;
}

static int name_host(gnutls_x509_crt_t cert, const char *host)
{
	uint8_t ip[16];
	int size = inet_pton(AF_INET, host, ip) == 1 ? 4 : inet_pton(AF_INET6, host, ip) == 1 ? 16 : 0;
	int r = gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, host, (unsigned)strlen(host));
	if (r >= 0 && size > 0)
		r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, ip, (unsigned)size,
		                                         GNUTLS_FSAN_SET);
	else if (r >= 0)
		r = gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host),
		                                         GNUTLS_FSAN_SET);
	return r;
}

static int fill_certificate(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key, const char *host, int64_t now_ns)
{
	uint8_t serial[16];
	time_t now = (time_t)(now_ns / NS_PER_S);
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
	serial[0] &= 0x7F;
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(cert, serial, sizeof serial);
	if (r >= 0)
		r = gnutls_x509_crt_set_version(cert, 3);
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(cert, now - 3600);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(cert, now + (time_t)(SELF_SIGNED_DAYS * 86400));
	if (r >= 0)
		r = name_host(cert, host);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(cert, key);
	/* Its own root: a client may be given this file as the one to trust. */
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(cert, 1, -1);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0);
	return r;
}

int tls_make_self_signed(const char *host, int64_t now_ns, struct buf *cert_pem, struct buf *key_pem)
{
	gnutls_x509_crt_t cert = NULL;
	gnutls_x509_privkey_t key = NULL;
	gnutls_datum_t text = {0};
	int r = gnutls_x509_crt_init(&cert);
	if (r >= 0)
		r = gnutls_x509_privkey_init(&key);
	if (r >= 0)
		r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
		                                 0);
	if (r >= 0)
		r = fill_certificate(cert, key, host, now_ns);
	if (r >= 0)
		r = put_exported(cert_pem, gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text), &text);
	if (r >= 0)
		r = put_exported(key_pem, gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), &text);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(cert);
	return r < 0 ? MW_E_INVALID : 0;
}
