#ifndef MW_STORE_PRIVATE_H
#define MW_STORE_PRIVATE_H

#include "base/buf.h"
#include "mapi/status.h"
#include "store/change.h"
#include "store/mailbox.h"
#include "store/schema.h"
#include "store/sync.h"

#include <sqlite3.h>

/* Changes that are committed together: group.c. */
struct store_group {
	bool open, inside; /* inside: between store_begin_together and its end */
	unsigned depth;    /* of such inside it */
	unsigned changes;  /* in it */
	int64_t pages;     /* that they may take in the log */
};

struct store_mailbox {
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
	struct guid guid, replica;
	char *path, *vfs;
	int lock; /* file descriptor, -1 */
	char *owner_name, *owner_address, *owner_dn;
	void *collator;              /* UCollator */
	struct store_packer *packer; /* record.h */
	uint64_t next_id, end_id;
	uint64_t committed, synced, changes;
	bool failed; /* a sync did: nothing can be promised */
	bool sync_under_way, checkpoint_under_way;
	int64_t log_pages; /* in the write-ahead log after the last commit */
	int64_t log_due;   /* how many there are when the next checkpoint may begin */
	bool log_moved;    /* the last checkpoint has moved all but those written meanwhile */
	int64_t log_room;  /* that are in the log's file, written or not */
	struct store_group group;
	struct store_observer *observers;
	struct store_table *tables;
	struct store_search *searches; /* search_private.h */
	struct store_limits limits;
	const struct store_caller *caller; /* permission.h; NULL: the owner */
	uint64_t rights_folder;            /* the caller's rights in that folder */
	uint32_t rights;
	char error[256];
};

/* ---- mailbox.c ---- */
/* Keeps SQLite's message as a sentence; yields our code. */
int store_fail(struct store_mailbox *m, const char *doing, int rc);
int store_say(struct store_mailbox *m, int error, const char *text);
/* A prepared statement, ready for binding; NULL after a failure, which store_mailbox_error tells. Give it back
 * by STORE_STMT. */
sqlite3_stmt *store_statement(struct store_mailbox *m, enum store_statement which);
static inline void store_reset(sqlite3_stmt **s)
{
	if (*s) {
		sqlite3_reset(*s);
		sqlite3_clear_bindings(*s);
	}
}
#define STORE_STMT MW_CLEANUP(store_reset) sqlite3_stmt *
/* Steps a statement without rows. */
int store_run(struct store_mailbox *m, sqlite3_stmt *s, const char *doing);
/* 1 a row, 0 no more, negative error. */
int store_step(struct store_mailbox *m, sqlite3_stmt *s, const char *doing);
/* One write at a time; store_commit yields the new ticket. */
int store_begin(struct store_mailbox *m);
/* The same for a small change (so many bytes of values): it may be committed with others, at the next sync. Inside
 * another it is a part of that, which fails when the part does. */
int store_begin_together(struct store_mailbox *m, size_t bytes);
int store_commit(struct store_mailbox *m, uint64_t *ticket);
void store_rollback(struct store_mailbox *m);
/* Commits what waits to be committed together; before a statement that changes something by itself. After a failure
 * the mailbox has failed. */
int store_group_end(struct store_mailbox *m);
/* To be asked after every failure: SQLite rolls all back after some, also what others believe to be done. */
void store_group_check(struct store_mailbox *m);

/* ---- sync.c ---- */
/* The log as the VFS has it; NULL: there is none. */
sqlite3_file *store_log_file(struct store_mailbox *m);

/* ---- logon.c ---- */
/* All that the folders hold, each message once. */
int store_mailbox_size(struct store_mailbox *m, uint64_t *size);

/* ---- ids.c: counters, without the replica id ---- */
#define STORE_FIRST_ID 0x10000 /* below are the special folders */
/* After this, that many store_next_id calls cannot fail nor ever repeat, crash or not. Not inside a transaction. */
int store_reserve_ids(struct store_mailbox *m, unsigned count);
uint64_t store_next_id(struct store_mailbox *m);
/* Ids of other replicas name nothing here. */
bool store_own_id(uint64_t id, uint64_t *counter);
void store_put_counter(uint64_t counter, uint8_t out[6]);
/* 46 bytes, [MS-OXCDATA] 2.2.4.1; 70 bytes, 2.2.4.2; 22 bytes, [MS-OXCFXICS] 2.2.2.2. NULL: out of memory. */
#define STORE_FOLDER_ENTRY_ID 46
#define STORE_MESSAGE_ENTRY_ID 70
#define STORE_SOURCE_KEY 22
uint8_t *store_folder_entry_id(struct store_mailbox *m, struct arena *arena, uint64_t folder);
uint8_t *store_message_entry_id(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t message);
uint8_t *store_source_key(struct store_mailbox *m, struct arena *arena, uint64_t counter);

/* ---- change.c ---- */
/* Of what changes nothing that is kept: tables need not hear of it. */
void store_tell_observers(struct store_mailbox *m, const struct store_change *change);
void store_tell(struct store_mailbox *m, const struct store_change *change);

/* ---- keys.c ---- */
int store_open_collator(struct store_mailbox *m);
#define STORE_KEY_MAX 512
/* A key that sorts as people expect, of the text's first characters; bytes, at most STORE_KEY_MAX. */
size_t store_text_key(struct store_mailbox *m, const uint16_t *text, uint8_t out[STORE_KEY_MAX]);
/* What decides whether two folder names are the same. NULL: out of memory. */
char *store_name_key(struct arena *arena, const char *name);

static inline void store_arena_end(struct arena **arena)
{
	arena_free(arena);
}
#define STORE_ARENA MW_CLEANUP(store_arena_end) struct arena *

#endif
