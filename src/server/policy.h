#ifndef MW_SERVER_POLICY_H
#define MW_SERVER_POLICY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What an administrator keeps out: clients by version, mailboxes that are on another server. Written as texts in
 * struct server_config, read where they are asked for.
 *
 * Versions: "0.0.0-11.65535.65535;14.0.6126.5000", ranges or single ones, joined by ; or a comma. Of three numbers they
 * are major, build and revision, as Exchange's BlockedClientVersions has them; of four also the minor one.
 * Mailboxes: "alice=mail2.demo.test,bob=mail3.demo.test", by account.
 */

/* One sentence about what is wrong with either text (NULL: nothing is kept out), or MW_E_INVALID. */
MW_NODISCARD int policy_check(const char *blocked, const char *moved, char why[512]);

/* words: rgwClientVersion, [MS-OXCRPC] 3.1.4.1.3.1, in either form. */
bool policy_blocks(const char *blocked, const uint16_t words[3]);
/* Major, minor, build, revision. */
void policy_version(const uint16_t words[3], uint16_t out[4]);
/* Where a mailbox is instead: by the list, else by the directory's redirect (NULL: none). In the arena. */
struct policy_elsewhere {
	bool moved;
	const char *server;  /* its name; NULL: an address alone is known */
	const char *address; /* to ask for there; NULL */
	const char *url;     /* of its Autodiscover service; NULL */
};
struct policy_elsewhere policy_find(struct arena *arena, const char *moved, const char *account, const char *redirect);

#endif
