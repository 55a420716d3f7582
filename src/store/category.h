#ifndef MW_STORE_CATEGORY_H
#define MW_STORE_CATEGORY_H

#include "store/table.h"

/*
 * Contents tables in categories ([MS-OXCTABL] 2.2.2.3): above the rows that have the same values of the first sort
 * keys stands a heading for each, with an id of its own (PidTagInstID), the values of those keys, PidTagRowType,
 * PidTagDepth, PidTagContentCount and PidTagContentUnreadCount. A heading that is collapsed hides what is below it.
 */
#define STORE_MAX_CATEGORIES 4u
#define STORE_MAX_TOGGLED 4096u /* headings that are not as they were at first */
#define STORE_ROW_LEAF 1        /* PidTagRowType */
#define STORE_ROW_EXPANDED 3
#define STORE_ROW_COLLAPSED 4

/* As store_table_sort, with the first keys as categories, the first of those expanded. MW_E_INVALID. */
MW_NODISCARD int store_table_categorize(struct store_table *t, const struct store_sort *keys, size_t count,
                                        size_t categories, size_t expanded);
/*
 * Shows what is below a heading: *row is the heading's place and *rows how many came behind it. MW_E_NOTFOUND: no
 * such row; MW_E_INVALID: it is no heading; MW_E_EXISTS: it is expanded already; MW_E_LIMIT: STORE_MAX_TOGGLED.
 */
MW_NODISCARD int store_table_expand(struct store_table *t, uint64_t heading, uint32_t *row, uint32_t *rows);
/* The same the other way: *rows are gone. MW_E_EXISTS: it is collapsed already. */
MW_NODISCARD int store_table_collapse(struct store_table *t, uint64_t heading, uint32_t *rows);

/* Which headings are collapsed and one row, to be kept by the client (2.2.2.19, 2.2.2.20). In the arena. */
MW_NODISCARD int store_table_collapse_state(struct store_table *t, struct arena *arena, uint64_t row, uint32_t instance,
                                            const void **data, size_t *size);
/* The position is then in front of that row, or of the first. MW_E_MALFORMED: not made by this kind of table. */
MW_NODISCARD int store_table_set_collapse_state(struct store_table *t, const void *data, size_t size);

#endif
