#ifndef MW_STORE_TABLE_NEWS_H
#define MW_STORE_TABLE_NEWS_H

#include "store/table.h"

/*
 * What becomes of a table's rows when something changes ([MS-OXCNOTIF] 2.2.1.1.1), told as store/change.h tells: in the
 * owner's thread, with the ticket of the change. A table is told of only after it was viewed and until it has told
 * enough (STORE_TABLE_NEWS_MAX rows, then once that it has changed); each view begins anew.
 */
enum store_table_event {
	STORE_TABLE_CHANGED = 1, /* somehow */
	STORE_ROW_ADDED = 3,
	STORE_ROW_DELETED = 4,
	STORE_ROW_MODIFIED = 5,
};
#define STORE_TABLE_NEWS_MAX 32u
#define STORE_TABLE_NEWS_ROWS 1000u /* a longer list is not gone through for one row */

struct store_table_row_id {
	uint64_t folder, message; /* message 0: a folder's row */
	uint32_t instance;
};

struct store_table_news {
	enum store_table_event event;
	bool of_messages;
	struct store_table_row_id row, after; /* after: all zeros in front of the first */
	const struct mapi_value *values;      /* of a row added or modified, a value or error a column */
	size_t count;
	uint64_t ticket;
};

typedef void store_table_heard(void *user, const struct store_table_news *news);

/* The table was viewed: from now on heard is told. It must not touch the table. NULL: nobody. */
void store_table_watch(struct store_table *t, store_table_heard *heard, void *user);

#endif
