#ifndef MW_STORE_TABLE_PRIVATE_H
#define MW_STORE_TABLE_PRIVATE_H

#include "store/object.h"
#include "store/table.h"

/*
 * Two ways to be a table. Walked: sorted by an indexed column; the position is the key of the row before it, and
 * rows come straight from the index. Listed: any other order, a filter, or folders; the ids are listed once and
 * again after a change.
 */
enum store_index {
	STORE_BY_NATURE,
	STORE_BY_DELIVERY,
	STORE_BY_MODIFICATION,
	STORE_BY_SIZE,
	STORE_BY_IMPORTANCE,
	STORE_BY_SUBJECT,
	STORE_BY_SENDER,
	STORE_BY_CLASS,
	STORE_INDEX_COUNT,
};

/* One listed row: what it is and where it belongs. */
struct store_listed {
	uint64_t id;
	uint32_t depth, key_size;
	const uint8_t *key; /* memcmp's order is the table's */
};

struct store_table {
	struct store_mailbox *m;
	struct store_table *next;
	uint64_t folder; /* counter */
	bool hierarchy, deep, associated;
	struct store_message *of; /* a table of its attachments */
	uint32_t *columns;
	size_t column_count;
	struct store_sort sort[STORE_MAX_SORT_KEYS];
	size_t sort_count;
	struct store_filter filter;        /* keep NULL: none */
	struct store_condition *condition; /* what the filter stands on, NULL: none of ours */
	bool stale;                        /* something changed in the folder */
	/* walked */
	bool walked, descending;
	enum store_index index;
	bool anchored;      /* false: at the beginning */
	uint64_t anchor;    /* the row before the position */
	sqlite3_value *key; /* its column, NULL by nature */
	uint32_t before;    /* rows before the position; when stale, counted again on demand */
	/* listed */
	struct arena *arena;
	struct store_listed *rows;
	size_t row_count, at;
	bool listed;
};

/* Notes that tables of that folder are behind. */
void store_table_hear(struct store_mailbox *m, const struct store_change *change);

/* ---- walk.c ---- */
/* Called for a row: 1 to stop behind it, 0 to go on, negative to fail. The row's columns begin as
 * STORE_MESSAGE_COLUMNS when whole, else with the id; the last is the sort column. */
typedef int store_visit(void *user, sqlite3_stmt *row);
/* From the position to the table's end, or back to its beginning. */
int store_walk(struct store_table *t, bool forward, bool whole, store_visit *visit, void *user);
/* The row becomes the one before the position. */
int store_walk_anchor(struct store_table *t, sqlite3_stmt *row);
void store_walk_begin(struct store_table *t);
int store_walk_position(struct store_table *t, uint32_t *before);
int store_walk_seek(struct store_table *t, enum store_origin origin, int32_t rows, int32_t *moved);

/* ---- listing.c ---- */
/* Lists the ids unless the list is fresh; the position stays at its row. */
int store_list(struct store_table *t);
int store_list_object(struct store_table *t, struct arena *arena, const struct store_listed *row,
                      struct store_object *out);

#endif
