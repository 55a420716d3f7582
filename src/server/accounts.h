#ifndef MW_SERVER_ACCOUNTS_H
#define MW_SERVER_ACCOUNTS_H

#include "directory/snapshot.h"
#include "server/loop.h"

/* The directory as all loops read it, and what NTLM and Kerberos ask of it (server->auth). */

/* As whoever serves. why as in server_new. */
MW_NODISCARD int accounts_open(struct server *s, char why[512]);
void accounts_close(struct server *s);
/* The newest state; the caller unrefs it. From any thread. */
struct directory_snapshot *accounts_snapshot(struct server *s);
/* Whether "GUID@domain", or the GUID alone, names a mailbox of this server. */
bool accounts_has_mailbox(struct server *s, const char *name, size_t len);

#endif
