#ifndef MW_AUTH_AUTH_KEYTAB_H
#define MW_AUTH_AUTH_KEYTAB_H

#include "base/error.h"

/*
 * The keys of Kerberos services, read once from a file: the process may lose
 * its right to read it afterwards, and needs no KDC. A changed file is seen by a
 * new start. What a server accepts, and an observer opens, is any of its keys.
 * Threads may share one.
 */
struct auth_keytab;

#define AUTH_KEYTAB_WHY 256

/* MW_E_IO with a phrase in why ("No such file or directory", ...), MW_E_NOTFOUND when it holds no key, MW_E_NOMEM. */
MW_NODISCARD int auth_keytab_open(const char *path, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY]);
void auth_keytab_free(struct auth_keytab **keytab);

#endif
