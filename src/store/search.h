#ifndef MW_STORE_SEARCH_H
#define MW_STORE_SEARCH_H

#include "mapi/restriction.h"
#include "store/store.h"

/*
 * Search folders ([MS-OXCFOLD] 2.2.1.4, 2.2.1.5): a folder of type STORE_FOLDER_SEARCH shows the messages of other
 * folders that meet a restriction, and goes on to do so. What it shows is kept in the mailbox, and changed in the
 * commit that changes a message. The first look through the mailbox goes in slices (store_search_step), which survive
 * a crash. Associated messages are never found.
 */
struct store_criteria {
	struct mapi_restriction *restriction;
	uint64_t *folders; /* where it looks */
	size_t folder_count;
	bool recursive; /* and in all folders below those */
	bool fixed;     /* what it found once stays: no message comes or goes later, but deleted ones do */
	bool by_words;  /* texts match by the beginnings of their words: CONTENT_INDEXED_SEARCH */
};

#define STORE_MAX_SEARCHES 256u
#define STORE_MAX_SCOPE 1024u
#define STORE_MAX_RESTRICTION ((size_t)65536)

MW_NODISCARD int store_search_create(struct store_mailbox *m, uint64_t parent, const char *name, int64_t now,
                                     uint64_t *out, uint64_t *ticket);
/*
 * Begins the search anew; *running: slices are wanted. restriction NULL, folder_count 0: as before. MW_E_STATE: the
 * folder is no search folder; MW_E_INVALID: something is missing that was never given; MW_E_UNSUPPORTED: a
 * restriction without meaning here; MW_E_NOTFOUND: a folder is not there; MW_E_LIMIT.
 */
MW_NODISCARD int store_search_set(struct store_mailbox *m, uint64_t folder, const struct store_criteria *c,
                                  bool *running, uint64_t *ticket);
/* Ends the first look where it is. */
MW_NODISCARD int store_search_stop(struct store_mailbox *m, uint64_t folder, uint64_t *ticket);
/* In the arena. MW_E_INVALID: never set. */
MW_NODISCARD int store_search_get(struct store_mailbox *m, struct arena *arena, uint64_t folder,
                                  struct store_criteria *out, bool *running);
/* Whether any search folder was ever given criteria, and whether one of them still looks. */
MW_NODISCARD int store_searches(struct store_mailbox *m, bool *any, bool *running);
/* Looks at up to max messages for a search that is running. *running: there is more to do. The last slice of one is
 * told to observers as STORE_SEARCH_DONE. */
MW_NODISCARD int store_search_step(struct store_mailbox *m, unsigned max, bool *running, uint64_t *ticket);

#endif
