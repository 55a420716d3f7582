#ifndef MW_TLS_TLS_H
#define MW_TLS_TLS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One TLS 1.2 or 1.3 connection by GnuTLS as a state machine over memory: records in, plain bytes out, and back.
 * No socket, no file; certificates and keys come as PEM text. GnuTLS has its own clock and randomness.
 */

/* ---- A server's certificate and key; counted, and shared by threads ---- */

struct tls_keys;
#define TLS_WHY 160

/* why: a phrase ("the key does not fit the certificate"). */
MW_NODISCARD int tls_keys_load(const void *cert_pem, size_t cert_len, const void *key_pem, size_t key_len,
                               struct tls_keys **out, char why[TLS_WHY]);
struct tls_keys *tls_keys_ref(struct tls_keys *keys);
void tls_keys_unref(struct tls_keys **keys);
/* A key of its own and a certificate that it signs itself, for a host name or an IP address, for ten years from
 * now_ns on. PEM, appended. Wipe the key. */
MW_NODISCARD int tls_make_self_signed(const char *host, int64_t now_ns, struct buf *cert_pem, struct buf *key_pem);

/* ---- What a client trusts; read once, counted, and shared by its connections and threads ---- */

struct tls_roots;
/* PEM, or NULL: the system's. MW_E_INVALID: there is no certificate in it. */
MW_NODISCARD int tls_roots_load(const void *pem, size_t len, struct tls_roots **out);
struct tls_roots *tls_roots_ref(struct tls_roots *roots);
void tls_roots_unref(struct tls_roots **roots);

/* ---- A connection ---- */

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* One line of an SSLKEYLOGFILE, with its line end. May be called in any thread that has a session. */
typedef void (*tls_key_log_fn)(void *user, const char *line, size_t len);

struct tls_config {
	enum tls_role role;
	struct tls_keys *keys; /* server; a reference is taken */
	/* Client: the name that its server must prove, which also goes into SNI; sni: another one does, "" none (RFC
	 * 6066 has no addresses there). */
	const char *server_name, *sni;
	struct tls_roots *roots; /* a reference is taken; NULL with insecure only */
	bool insecure;           /* take whatever certificate comes */
	tls_key_log_fn key_log;  /* NULL: secrets stay here */
	void *user;              /* its */
};

struct tls_session;
MW_NODISCARD int tls_new(const struct tls_config *config, struct tls_session **out);
void tls_free(struct tls_session **t);

/*
 * Bytes of the peer's. What they say in plain is appended to tls_plain, what is to go back to tls_output. Negative:
 * the connection is over (MW_E_AUTH: the peer is not who it should be), and tls_why says why; output may hold an alert.
 */
MW_NODISCARD int tls_feed(struct tls_session *t, const void *data, size_t len);
/* Client: begins. Server: nothing to do. */
MW_NODISCARD int tls_begin(struct tls_session *t);
/* Plain bytes to the peer, as records in tls_output; before the handshake is over: MW_E_STATE. */
MW_NODISCARD int tls_send(struct tls_session *t, const void *data, size_t len);
/* No more will be sent: close_notify. */
void tls_end(struct tls_session *t);
struct buf *tls_plain(struct tls_session *t);
struct buf *tls_output(struct tls_session *t);
bool tls_ready(const struct tls_session *t); /* the handshake is over */
bool tls_ended(const struct tls_session *t); /* the peer sends no more, and said so */
const char *tls_why(const struct tls_session *t);
/* "TLS1.3" and the like; NULL before the handshake. */
const char *tls_version(const struct tls_session *t);

/* Client: "CN=mail.demo.test, issued by CN=demo, until 2027-01-31": text of the peer's, be it trusted or not.
 * MW_E_STATE: there is none. */
MW_NODISCARD int tls_certificate(const struct tls_session *t, char *out, size_t size);

/* The application data of RFC 5929's tls-server-end-point binding: its name, a colon, the certificate's hash. */
#define TLS_BINDING_MAX 96
MW_NODISCARD int tls_channel_binding(const struct tls_session *t, uint8_t out[TLS_BINDING_MAX], size_t *len);

#endif
