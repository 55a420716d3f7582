#ifndef MW_STORE_STORE_H
#define MW_STORE_STORE_H

#include "base/arena.h"
#include "base/guid.h"
#include "mapi/property.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What people have: mailboxes, each one SQLite file (STATE/mailboxes/GUID.sqlite) with one owner.
 *
 *   store/store.h     what all parts share: ids, changes        store/mailbox.h   create, open, names, receive folders
 *   store/folder.h    folders                                   store/message.h   messages, recipients
 *   store/stream.h    one large value, piece by piece           store/table.h     contents and hierarchy tables
 *   store/sync.h      when a commit is safe on disk
 *
 * A mailbox and everything opened on it belong to one thread, its owner's; only store_job_run may run elsewhere.
 * Everything opened on a mailbox is closed before it. Values come out in the caller's arena and go in borrowed.
 *
 * Errors: MW_E_NOTFOUND no such object; MW_E_IO the database or disk refused (full, read-only, damaged):
 * store_mailbox_error has a sentence; MW_E_LIMIT beyond a bound of ours; MW_E_BUSY another owner;
 * MW_E_STATE changed meanwhile by someone else, or opened for reading; MW_E_INVALID a senseless argument.
 *
 * Getters fill one value a tag, in order: the value with the stored type, or mapi_error. A tag with
 * PTYP_UNSPECIFIED takes any type; of PTYP_STRING8 a text comes as PTYP_STRING (its tag says so): the translator
 * converts it with its session's code page. Texts go in as PTYP_STRING only. A value above
 * STORE_INLINE_MAX is the error ecMAPIOOM ("not enough memory"): open it as a stream.
 */
struct store_mailbox;

#define STORE_INLINE_MAX 32768u
#define STORE_MAX_VALUE ((uint64_t)512 << 20) /* one streamed value */
#define STORE_MAX_PROPERTIES 4096u            /* on one object */
#define STORE_MAX_RECORD ((size_t)8 << 20)    /* all inline values of one object */
#define STORE_MAX_RECIPIENTS 16384u
#define STORE_MAX_NAMED 0x7FFFu /* 0x8000 to 0xFFFE */

/*
 * Folder and message ids as the ROPs carry them ([MS-OXCDATA] 2.2.1.1, 2.2.1.2), read as a little-endian
 * integer: a 16-bit replica id, then a 48-bit counter whose bytes stand most significant first.
 */
#define STORE_REPLID 1 /* this mailbox's own replica */

static inline uint64_t store_id(uint16_t replid, uint64_t counter)
{
	return __builtin_bswap64(counter & 0xFFFFFFFFFFFFu) | replid;
}

static inline uint16_t store_id_replid(uint64_t id)
{
	return (uint16_t)id;
}

static inline uint64_t store_id_counter(uint64_t id)
{
	return __builtin_bswap64(id & ~(uint64_t)0xFFFF);
}

/* The 13 of RopLogon, in its order ([MS-OXCSTOR] 2.2.1.1.3), and those that Outlook makes its home in. */
enum store_special {
	STORE_ROOT,
	STORE_DEFERRED_ACTION,
	STORE_SPOOLER_QUEUE,
	STORE_IPM_SUBTREE,
	STORE_INBOX,
	STORE_OUTBOX,
	STORE_SENT_ITEMS,
	STORE_DELETED_ITEMS,
	STORE_COMMON_VIEWS,
	STORE_SCHEDULE,
	STORE_SEARCH,
	STORE_VIEWS,
	STORE_SHORTCUTS,
	STORE_LOGON_FOLDERS, /* how many RopLogon names */
	STORE_CALENDAR = STORE_LOGON_FOLDERS,
	STORE_CONTACTS,
	STORE_DRAFTS,
	STORE_TASKS,
	STORE_NOTES,
	STORE_JOURNAL,
	STORE_SPECIAL_COUNT,
};

/* The same in every mailbox. */
static inline uint64_t store_special_id(enum store_special which)
{
	return store_id(STORE_REPLID, (uint64_t)which + 1);
}

#endif
