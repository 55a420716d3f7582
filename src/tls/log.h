#ifndef MW_TLS_LOG_H
#define MW_TLS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Secrets of TLS connections, by what names them on the wire; read from the text that clients and servers write
 * (SSLKEYLOGFILE, draft-ietf-tls-keylogfile) and that captures carry in their decryption secrets blocks. Also what an
 * observer remembers of sessions that may be resumed. Bounded: what comes beyond LOG_MAX secrets is not taken.
 */
enum tls_secret_kind {
	TLS_MASTER, /* CLIENT_RANDOM: of TLS 1.2 and before */
	TLS_CLIENT_EARLY,
	TLS_CLIENT_HANDSHAKE,
	TLS_SERVER_HANDSHAKE,
	TLS_CLIENT_TRAFFIC, /* _0 */
	TLS_SERVER_TRAFFIC,
	TLS_SESSION, /* the master secret of a session, by its id or its ticket's hash */
};

#define TLS_ID_SIZE 32 /* the client's random; a session's id with zeros behind it */
#define TLS_SECRET_MAX 48

struct tls_secret {
	uint8_t bytes[TLS_SECRET_MAX];
	uint8_t len; /* 48: a master secret, or of SHA-384; 32: of SHA-256 */
};

struct tls_log;

/* NULL: out of memory. */
struct tls_log *tls_log_new(void);
/* NULL: out of memory. */
struct tls_log *tls_log_copy(const struct tls_log *log);
/* Wipes it. */
void tls_log_free(struct tls_log **log);
/* Whole lines; what is no line of a secret that is known here is passed over. Yields how many secrets were taken. */
size_t tls_log_read(struct tls_log *log, const void *text, size_t len);
/* The first secret counts. MW_E_LIMIT, MW_E_NOMEM. */
int tls_log_add(struct tls_log *log, enum tls_secret_kind kind, const uint8_t id[TLS_ID_SIZE],
                const struct tls_secret *secret);
/* NULL: not known. Lives until the next secret is added. */
const struct tls_secret *tls_log_find(const struct tls_log *log, enum tls_secret_kind kind,
                                      const uint8_t id[TLS_ID_SIZE]);
size_t tls_log_count(const struct tls_log *log);

#endif
