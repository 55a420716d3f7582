#include "tls/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What a client trusts, and what it was shown. */

int tls_roots_load(const void *pem, size_t len, struct tls_roots **out)
{
	struct tls_roots *r = (struct tls_roots *)calloc(1, sizeof *r);
	const gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem, (unsigned)len};
	if (!r || gnutls_certificate_allocate_credentials(&r->credentials) < 0) {
		free(r);
		return MW_E_NOMEM;
	}
	atomic_init(&r->references, 1);
	int n = pem ? len > UINT32_MAX
	                        ? -1
	                        : gnutls_certificate_set_x509_trust_mem(r->credentials, &text, GNUTLS_X509_FMT_PEM)
	            : gnutls_certificate_set_x509_system_trust(r->credentials);
	if (n < 0 || (n == 0 && pem)) {
		tls_roots_unref(&r);
		return MW_E_INVALID;
	}
	*out = r;
	return 0;
}

struct tls_roots *tls_roots_ref(struct tls_roots *roots)
{
	atomic_fetch_add(&roots->references, 1);
	return roots;
}

void tls_roots_unref(struct tls_roots **roots)
{
	struct tls_roots *r = TAKE_PTR(*roots);
	if (!r || atomic_fetch_sub(&r->references, 1) > 1)
		return;
	gnutls_certificate_free_credentials(r->credentials);
	free(r);
}

/* ---- The peer's certificate in words ---- */

static void put_name(int (*get)(gnutls_x509_crt_t, char *, size_t *), gnutls_x509_crt_t cert, char *out, size_t size)
{
	if (get(cert, out, &size) < 0)
		*out = 0;
}

int tls_certificate(const struct tls_session *t, char *out, size_t size)
{
	unsigned count = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(t->gnutls, &count);
	gnutls_x509_crt_t cert;
	char subject[200], issuer[200], until[16] = "";
	struct tm tm;
	if (!der || count == 0 || gnutls_x509_crt_init(&cert) < 0)
		return MW_E_STATE;
	int r = gnutls_x509_crt_import(cert, &der[0], GNUTLS_X509_FMT_DER) < 0 ? MW_E_MALFORMED : 0;
	if (r == 0) {
		time_t end = gnutls_x509_crt_get_expiration_time(cert);
		put_name(gnutls_x509_crt_get_dn, cert, subject, sizeof subject);
		put_name(gnutls_x509_crt_get_issuer_dn, cert, issuer, sizeof issuer);
		if (gmtime_r(&end, &tm))
			(void)strftime(until, sizeof until, "%F", &tm);
		snprintf(out, size, "%s, issued by %s, until %s", subject, issuer, until);
	}
	gnutls_x509_crt_deinit(cert);
	return r;
}
