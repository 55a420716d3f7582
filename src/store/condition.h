#ifndef MW_STORE_CONDITION_H
#define MW_STORE_CONDITION_H

#include "mapi/restriction.h"
#include "store/private.h"

/* A restriction made ready for a mailbox's rows. */
struct store_condition {
	struct store_mailbox *m;
	struct arena *arena, *scratch; /* scratch: of one row */
	struct mapi_restriction *root; /* as it was given */
	uint32_t *tags;                /* what it asks a row for */
	size_t count;
	uint32_t met[8]; /* rows that each count restriction has let through */
	uint32_t counters;
	bool by_words; /* texts match where words begin with the pattern's */
};

/* A text in the form that is compared: without case, and without marks where they do not count. NULL: out of memory. */
uint16_t *store_text_fold(struct arena *arena, const uint16_t *text, uint16_t level);
/* Copies. MW_E_UNSUPPORTED. */
int store_condition_new(struct store_mailbox *m, const struct mapi_restriction *r, struct store_condition **out);
void store_condition_free(struct store_condition **c);
/* Forgets what count restrictions have counted. */
void store_condition_begin(void *condition);
/* store_filter's keep. */
bool store_condition_keep(void *condition, const struct mapi_value *values);

#endif
