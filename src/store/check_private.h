#ifndef MW_STORE_CHECK_PRIVATE_H
#define MW_STORE_CHECK_PRIVATE_H

#include "store/mailbox.h"

#include <sqlite3.h>

/* check.c: a mailbox file opened beside its owner, for reading (query_only); close it with sqlite3_close in any case.
 */
MW_NODISCARD int store_open_beside(const char *path, sqlite3 **db, struct store_why *why);
/* Begins a transaction: all that is read from here on is of one moment. MW_E_MALFORMED: no mailbox of ours. */
MW_NODISCARD int store_identify(sqlite3 *db, struct store_why *why);

#endif
