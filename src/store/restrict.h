#ifndef MW_STORE_RESTRICT_H
#define MW_STORE_RESTRICT_H

#include "mapi/restriction.h"
#include "store/table.h"

/*
 * Restrictions of [MS-OXCDATA] 2.12 on tables. Texts in them are PTYP_STRING and compare as the mailbox's names do:
 * without regard to case. A row that lacks a property meets no condition on it but that it is unequal to something.
 * Only values that a record holds are looked at: of a larger one (a long body) nothing matches.
 */

/* Copied; NULL: none. Goes to the beginning. MW_E_UNSUPPORTED: a condition that has no meaning here. */
MW_NODISCARD int store_table_restrict(struct store_table *t, const struct mapi_restriction *restriction);
/*
 * The first row that meets the restriction, from the position on or before it; the position is then in front of that
 * row. MW_E_NOTFOUND: none, and the position as before.
 */
MW_NODISCARD int store_table_find(struct store_table *t, const struct mapi_restriction *restriction, bool forward);

/* The same piece by piece. Until it is freed the table asks nothing else; a table that is listed stays as it was. */
struct store_find;
MW_NODISCARD int store_find_new(struct store_table *t, const struct mapi_restriction *restriction, bool forward,
                                struct store_find **out);
/* Until that moment (monotonic ns); *more: call again. */
MW_NODISCARD int store_find_step(struct store_find *f, int64_t until, bool *more);
void store_find_free(struct store_find **f);

/* A place to come back to. id 0: the end. */
struct store_mark {
	uint64_t id;
	uint32_t position;
};
MW_NODISCARD int store_table_mark(struct store_table *t, struct store_mark *out);
/* *gone: its row is no longer there; then the position is where it was. */
MW_NODISCARD int store_table_return(struct store_table *t, const struct store_mark *mark, bool *gone);
/* As when it was opened, but for what was opened on it: no columns, order, filter; at the beginning. */
void store_table_reset(struct store_table *t);

#endif
