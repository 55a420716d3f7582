#ifndef MW_STORE_TABLE_H
#define MW_STORE_TABLE_H

#include "store/store.h"

/*
 * A view of a folder's messages or subfolders ([MS-OXCTABL]): live, with a position between rows.
 * Rows are read as they are asked for: sorted by one indexed column (PidTagSubject, PidTagMessageDeliveryTime,
 * PidTagSenderName, PidTagMessageSize, PidTagImportance, PidTagMessageClass, PidTagLastModificationTime, or unsorted)
 * the cost depends on the rows asked for, not on the folder. Any other order, and a filter, lists the folder's ids
 * first (bounded: MW_E_LIMIT above STORE_MAX_SORTED rows).
 * A change in the folder shows at the next query; the position stays at its row.
 */
struct store_table;

#define STORE_MAX_SORTED 1000000u
#define STORE_MAX_COLUMNS 1024u
#define STORE_MAX_SORT_KEYS 8u

struct store_sort {
	uint32_t tag;
	bool descending;
};

/* Keeps a row or not; asked with the row's values of tags, errors where there is none. */
struct store_filter {
	const uint32_t *tags; /* copied */
	size_t count;
	bool (*keep)(void *user, const struct mapi_value *values);
	void (*begin)(void *user); /* may be NULL: the rows will be asked from the first on */
	void *user;                /* lives as long as the table or until the next filter */
};

MW_NODISCARD int store_contents_table(struct store_mailbox *m, uint64_t folder, bool associated,
                                      struct store_table **out);
/* deep: all folders below, parents before children. */
MW_NODISCARD int store_hierarchy_table(struct store_mailbox *m, uint64_t folder, bool deep, struct store_table **out);
/* A table of rows that somebody fills in and that never change; all_columns is static. */
MW_NODISCARD int store_fixed_table(struct store_mailbox *m, const uint32_t *all_columns, size_t count,
                                   struct store_table **out);
MW_NODISCARD int store_table_add_row(struct store_table *t, const struct mapi_value *values, size_t count);
void store_table_close(struct store_table **t);

/* Copied. A table without columns has none. PidTagMid, PidTagFid, PidTagInstID, PidTagInstanceNum are columns too. */
MW_NODISCARD int store_table_set_columns(struct store_table *t, const uint32_t *tags, size_t count);
const uint32_t *store_table_columns(const struct store_table *t, size_t *count);
/* Every property that can be a column here: what RopQueryColumnsAll answers. Static. */
const uint32_t *store_table_all_columns(const struct store_table *t, size_t *count);
/* count 0: natural order. Goes to the beginning. */
MW_NODISCARD int store_table_sort(struct store_table *t, const struct store_sort *keys, size_t count);
/* NULL: none. Goes to the beginning. */
MW_NODISCARD int store_table_filter(struct store_table *t, const struct store_filter *filter);

/* Makes the list that the next questions need, where they need one, until that moment (monotonic ns); *more: call again
 * before them. Without it they make it themselves, however long that takes. */
MW_NODISCARD int store_table_prepare(struct store_table *t, int64_t until, bool *more);

/* Rows before the position, and all rows. */
MW_NODISCARD int store_table_position(struct store_table *t, uint32_t *position, uint32_t *count);
enum store_origin { STORE_BEGIN, STORE_CURRENT, STORE_END };
/* *moved (may be NULL): by how many rows, less than asked at an end. */
MW_NODISCARD int store_table_seek(struct store_table *t, enum store_origin origin, int32_t rows, int32_t *moved);

/*
 * Up to *count rows from the position, forward or backward (then in the order walked), each with a value or an error
 * a column, in the arena; *count becomes how many. A text longer than 255 characters and bytes longer than 510
 * are cut ([MS-OXCTABL] 2.2.2.5). advance moves the position past them.
 * max_bytes (0: none): stops before the row that would make the values' sizes exceed it, never before the first.
 */
MW_NODISCARD int store_table_rows(struct store_table *t, struct arena *arena, bool forward, bool advance,
                                  size_t max_bytes, struct mapi_row **rows, size_t *count);

#endif
