#ifndef MW_STORE_KEEP_H
#define MW_STORE_KEEP_H

#include "store/mailbox.h"

#include <stdbool.h>

/*
 * Mailbox files kept and made smaller: copies of one moment beside the running owner, put in place again, and rewritten
 * without what was deleted. All are whole when they return, or were never there.
 */

/* How far it is, in bytes; from time to time. */
typedef void store_progress(void *user, uint64_t done, uint64_t total);

struct store_kept {
	uint64_t before, after; /* bytes of the file: of the old and the new one */
};

/* A copy of the mailbox in `from` as it was at one moment, whatever its owner writes meanwhile; `to` is there only once
 * it is whole and safe on disk. MW_E_EXISTS: `to` is there already. MW_E_NOTFOUND, MW_E_MALFORMED: `from` is not, or no
 * mailbox. */
MW_NODISCARD int store_backup(const char *from, const char *to, store_progress *progress, void *user,
                              struct store_kept *out, struct store_why *why);

enum {
	STORE_RESTORE_REPLACE = 1, /* in the place of a mailbox that is there; else MW_E_EXISTS */
	STORE_RESTORE_ADOPT = 2,   /* it becomes this mailbox, whichever it was; else MW_E_INVALID when it is another */
};
/* A checked copy becomes the mailbox, which nobody may own meanwhile: MW_E_BUSY. Check it before (store_check). */
MW_NODISCARD int store_restore(const struct store_place *place, const struct guid *mailbox, const char *from,
                               unsigned flags, store_progress *progress, void *user, struct store_kept *out,
                               struct store_why *why);

/* Rewrites the file without free pages. MW_E_BUSY: it has an owner. */
MW_NODISCARD int store_compact(const char *path, struct store_kept *out, struct store_why *why);

#endif
