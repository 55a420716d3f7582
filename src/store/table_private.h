#ifndef MW_STORE_TABLE_PRIVATE_H
#define MW_STORE_TABLE_PRIVATE_H

#include "store/object.h"
#include "store/table_news.h"

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
	const uint8_t *key;   /* memcmp's order is the table's */
	const uint16_t *ends; /* of the categories' parts of it */
	uint32_t instance;    /* of a multiple value: which of them */
	uint8_t what;         /* PidTagRowType */
	bool unread;
	/* a heading */
	uint32_t leaves, unread_leaves, first_instance;
	uint64_t first; /* the first leaf */
};

/* Rows that are values and no more. */
struct store_fixed {
	struct buf bags; /* struct store_bag */
	const uint32_t *columns;
	size_t column_count;
};

struct store_table {
	struct store_mailbox *m;
	struct store_table *next;
	uint64_t folder;                   /* counter */
	bool hierarchy, deep, search;      /* search: of a search folder */
	uint8_t associated;                /* as the column: 0, 1, and with 2 more of what was deleted */
	struct store_message *of;          /* a table of its attachments */
	struct store_fixed *fixed;         /* a table of rows that are what they were at its opening */
	const struct store_caller *caller; /* who opened it */
	bool guarded;                      /* not every message in it is for the caller to read */
	uint32_t *columns;
	size_t column_count;
	struct store_sort sort[STORE_MAX_SORT_KEYS];
	size_t sort_count;
	size_t category_count, expanded_count; /* store/category.h */
	uint64_t *toggled;
	size_t toggled_count;
	uint32_t instances_of;             /* one row a value of this; 0: one row a message */
	struct store_filter filter;        /* keep NULL: none */
	struct store_condition *condition; /* what the filter stands on, NULL: none of ours */
	bool stale;                        /* something changed in the folder, */
	bool stale_next;                   /* after the list was begun: it is made anew for the next question */
	bool kept;                         /* the list is not made anew for now */
	store_table_heard *heard;          /* store/table_news.h */
	void *heard_by;
	unsigned told;
	/* walked */
	bool walked, descending;
	enum store_index index;
	bool anchored;      /* false: at the beginning */
	uint64_t anchor;    /* the row before the position */
	sqlite3_value *key; /* its column, NULL by nature */
	uint32_t before;    /* rows before the position; when stale, counted again on demand */
	/* listed */
	struct arena *arena;
	struct store_listed *rows, *leaves; /* leaves: the rows without headings */
	size_t row_count, leaf_count, at;
	struct buf view; /* what rows is, with headings */
	bool listed;
	struct store_listing *listing; /* on its way: listing.h */
};

/* ---- table_news.c ---- */
/* What the change is to the table's rows, of which it may be one. */
void store_table_tell(struct store_table *t, const struct store_change *change);

/* Notes that tables of that folder are behind. */
void store_table_hear(struct store_mailbox *m, const struct store_change *change);

/* How many rows there are without filter and headings. */
int store_table_total(const struct store_table *t, uint32_t *count);

/* ---- walk.c ---- */
/* Called for a row: 1 to stop behind it, 0 to go on, negative to fail. The row's columns begin as
 * STORE_MESSAGE_COLUMNS when whole, else with the id; the last is the sort column. */
typedef int store_visit(void *user, sqlite3_stmt *row);
/* From the position to the table's end, or back to its beginning. */
int store_walk(struct store_table *t, bool forward, bool whole, store_visit *visit, void *user);
/* That one message's row, wherever the position is. */
int store_walk_one(const struct store_table *t, uint64_t id, store_visit *visit, void *user);
/* The row becomes the one before the position. */
int store_walk_anchor(struct store_table *t, sqlite3_stmt *row);
void store_walk_begin(struct store_table *t);
/* Its index may be behind: what is not in it yet is sorted when it is read. */
bool store_walk_has_behind(const struct store_table *t);
int store_walk_position(struct store_table *t, uint32_t *before);
int store_walk_seek(struct store_table *t, enum store_origin origin, int32_t rows, int32_t *moved);

/* ---- lister.c ---- */
/* Lists the ids unless the list is fresh; the position stays at its row. */
int store_list(struct store_table *t);
/* The same until that moment (monotonic ns); *more: it is to go on. */
int store_list_some(struct store_table *t, int64_t until, bool *more);
/* The same list with other headings expanded. */
int store_list_again(struct store_table *t);

/* ---- listing.c ---- */
int store_list_object(struct store_table *t, struct arena *arena, const struct store_listed *row,
                      struct store_object *out);

/* A column of a row: of a multiple value with PTYP_INSTANCE the one that the row stands for. */
int store_row_value(const struct store_object *o, struct arena *arena, uint32_t tag, uint32_t instance,
                    struct mapi_value *out);

/* ---- category.c ---- */
/* Puts what is visible of the leaves and their headings, as struct store_listed. */
int store_category_view(struct store_table *t, const struct store_listed *leaves, size_t count, struct buf *rows);
/* A column of a heading; leaf: the first below it. */
int store_category_value(struct store_table *t, struct arena *arena, const struct store_listed *row,
                         const struct store_object *leaf, uint32_t tag, struct mapi_value *out);

#endif
