#ifndef MW_TLS_PRIVATE_H
#define MW_TLS_PRIVATE_H

#include "tls/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>

/* TLS 1.0 and 1.1 are not spoken (RFC 8996). */
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls_keys {
	gnutls_priority_t priority; /* parsed once, for all sessions */
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket_key;
	atomic_uint references;
};

struct tls_roots {
	gnutls_certificate_credentials_t credentials;
	atomic_uint references;
};

struct tls_session {
	enum tls_role role;
	gnutls_session_t gnutls;
	struct tls_keys *keys;
	struct tls_roots *roots;              /* a client's */
	gnutls_certificate_credentials_t own; /* or, of one that trusts anybody */
	const uint8_t *in;                    /* what is being fed, and how much of it is left */
	size_t in_left;
	struct buf plain, output;
	bool ready, ended, insecure;
	int error;
	char why[TLS_WHY];
	char *server_name;
	tls_key_log_fn key_log;
	void *user;
};

#endif
