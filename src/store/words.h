#ifndef MW_STORE_WORDS_H
#define MW_STORE_WORDS_H

#include "mapi/restriction.h"
#include "store/store.h"

/*
 * An index of the words in subjects and bodies (FTS5, without texts and places), so that a search need not look at
 * every message. It is behind: messages are put in later, when there is time (store_words_step); until then, and
 * always in the end, a message itself is asked whether it meets the restriction. What is indexed is the folded text
 * (without case and marks), of messages that are not associated; values above STORE_INLINE_MAX are left out, which no
 * restriction sees either.
 */

/* Indexes up to max messages; *more: there are others. Nothing is committed when there was nothing to do. */
MW_NODISCARD int store_words_step(struct store_mailbox *m, unsigned max, bool *more);

/*
 * An FTS5 query that every message which meets the restriction meets too; "" when there is none that would help.
 * by_words: texts match by the beginnings of their words (store/search.h). NULL: out of memory.
 */
char *store_words_query(struct arena *arena, const struct mapi_restriction *r, bool by_words);

/* How many messages of the folder are behind, max at most: neither their words nor the orders other than by arrival and
 * delivery are indexed. */
MW_NODISCARD int store_words_behind(struct store_mailbox *m, uint64_t folder, int associated, unsigned max,
                                    unsigned *count);

#endif
