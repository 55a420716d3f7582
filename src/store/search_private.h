#ifndef MW_STORE_SEARCH_PRIVATE_H
#define MW_STORE_SEARCH_PRIVATE_H

#include "store/condition.h"
#include "store/object.h"
#include "store/search.h"

/* One search folder that has criteria; in memory as long as the mailbox is open. */
struct store_search {
	struct store_search *next;
	uint64_t folder; /* counter */
	uint32_t flags;
	bool running;
	uint64_t at; /* the last message that the first look has seen */
	struct arena *arena;
	struct store_condition *condition;
	uint64_t *scope; /* counters */
	size_t scope_count;
	bool touched; /* its counters changed in this commit */
	int32_t contents, unread;
};

/* Flags in the database. */
enum { SEARCH_RECURSIVE = 1, SEARCH_FIXED = 2, SEARCH_BY_WORDS = 4 };

/* Reads all of them: when the mailbox is opened. */
int store_searches_load(struct store_mailbox *m);
void store_searches_free(struct store_mailbox *m);
/* Inside a transaction: what was found no longer is, as the message is now (before its change). */
int store_found_drop(struct store_mailbox *m, uint64_t id, uint32_t flags, uint64_t size);
/* Inside a transaction: the message, as it now stands, where it is found. */
int store_found_look(struct store_mailbox *m, uint64_t id);
/* 1: it is found there. */
int store_found_has(struct store_mailbox *m, uint64_t folder, uint64_t id);
/* Inside a transaction: all that the folder has of searches. */
int store_search_remove(struct store_mailbox *m, uint64_t folder);
/* After the folder is gone. */
void store_search_forget(struct store_mailbox *m, uint64_t folder);
/* After a commit: folders whose counters have changed. */
void store_searches_tell(struct store_mailbox *m, uint64_t ticket);
/* Folders lie elsewhere now: searches that look below folders look again. */
int store_searches_restart(struct store_mailbox *m, uint64_t *ticket);

#endif
