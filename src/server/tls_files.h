#ifndef MW_SERVER_TLS_FILES_H
#define MW_SERVER_TLS_FILES_H

#include "server/loop.h"
#include "tls/tls.h"

/* The certificate and key that HTTPS is served with, and the file that its secrets are logged to. */

/* Before rights are dropped: reads them, or makes a pair in the state directory when none is named; opens the key log.
 * why as in server_new. */
MW_NODISCARD int tls_files_open(struct server *s, char why[512]);
void tls_files_close(struct server *s);
/* Others than before, for connections to come, as the helper has read them; reason: a phrase, on failure. */
MW_NODISCARD int tls_files_take(struct server *s, const void *cert, size_t cert_len, const void *key, size_t key_len,
                                char reason[TLS_WHY]);
/* Reads the pair in the state directory again, when that is the one; what cannot be read is logged, and the old ones
 * stay. In a loop. */
void tls_files_reload(struct server *s);
/* The newest; the caller unrefs them. NULL: there are none. From any thread. */
struct tls_keys *tls_files_keys(struct server *s);
/* tls_key_log_fn: appends to the log; user is the server. From any thread. */
void tls_files_log(void *user, const char *line, size_t len);
/* What a session holds, about. */
#define TLS_SESSION_ABOUT ((size_t)24 << 10)

#endif
