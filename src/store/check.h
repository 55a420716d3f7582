#ifndef MW_STORE_CHECK_H
#define MW_STORE_CHECK_H

#include "base/error.h"
#include "store/mailbox.h"

#include <stdint.h>

/*
 * Whether a mailbox file is whole: SQLite's own integrity check, then what the store relies on (everything belongs
 * to something that is there, counters are what can be counted, ids and change numbers are below the counter and
 * change numbers unique). All of it sees one moment, read beside the owner's writes, and changes nothing.
 */
struct store_checked {
	uint64_t folders, messages;
	uint64_t faults; /* sentences told */
};

/* One fault, an English sentence without a full stop; text lives for the call. */
typedef void store_fault(void *user, const char *text);

/* 0 when it was checked, faults or none. MW_E_NOTFOUND: no such file; MW_E_MALFORMED: no mailbox, or of another
 * version; MW_E_IO: it cannot be opened. why as store_mailbox_open. */
MW_NODISCARD int store_check(const char *path, store_fault *fault, void *user, struct store_checked *out,
                             struct store_why *why);

#endif
