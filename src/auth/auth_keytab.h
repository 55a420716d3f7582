#ifndef MW_AUTH_AUTH_KEYTAB_H
#define MW_AUTH_AUTH_KEYTAB_H

#include "base/error.h"

#include <stddef.h>

/*
 * The keys of Kerberos services, read from a file or from its bytes into memory: the process may lose its right to
 * read the file, and needs no KDC. What a server accepts, and an observer opens, is any of its keys. Threads may share
 * one.
 */
struct auth_keytab;

#define AUTH_KEYTAB_WHY 256
#define AUTH_KEYTAB_MAX ((size_t)1 << 20) /* bytes of a file that is read */

/* MW_E_IO with a phrase in why ("No such file or directory", ...), MW_E_NOTFOUND when it holds no key, MW_E_NOMEM. */
MW_NODISCARD int auth_keytab_open(const char *path, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY]);
/* The same from the file's bytes. */
MW_NODISCARD int auth_keytab_from(const void *bytes, size_t size, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY]);
/* Other keys from now on, for handshakes that begin; on failure the old ones stay. From any thread. */
MW_NODISCARD int auth_keytab_replace(struct auth_keytab *keytab, const void *bytes, size_t size,
                                     char why[AUTH_KEYTAB_WHY]);
#define AUTH_KEYTAB_NAME 256
/* The principal of its first key: "exchangeMDB/mail.demo.test@DEMO.TEST"; "" for one of more characters than there is
 * room for. */
void auth_keytab_principal(const struct auth_keytab *keytab, char out[AUTH_KEYTAB_NAME]);
void auth_keytab_free(struct auth_keytab **keytab);

#endif
