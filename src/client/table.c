#include "client/store.h"

#include <stdlib.h>

/* Tables: [MS-OXCTABL]. */

#define DEPTH 0x04 /* TableFlags of RopGetHierarchyTable, [MS-OXCFOLD] 2.2.1.13.1 */

struct mapiwire_table {
	struct mapiwire_store *store;
	uint32_t handle;
	unsigned epoch;
	uint32_t count;
	size_t columns;
};

struct wanted {
	uint64_t folder;
	enum mapiwire_table_kind kind;
	const uint32_t *tags;
	size_t tag_count;
	struct SortOrder order; /* PropertyTag 0: none */
};

static void add_table(struct client_rops *b, const struct wanted *w, uint8_t in, uint8_t out)
{
	const struct RopGetHierarchyTableRequest folders = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = out,
	        .TableFlags = w->kind == MAPIWIRE_FOLDERS_DEEP ? DEPTH : 0,
	};
	const struct RopGetContentsTableRequest messages = {.InputHandleIndex = in, .OutputHandleIndex = out};
	if (w->kind == MAPIWIRE_MESSAGES)
		client_rops_add(b, ROP_GET_CONTENTS_TABLE, &messages);
	else
		client_rops_add(b, ROP_GET_HIERARCHY_TABLE, &folders);
}

/* Folder, table, columns, order: one round trip, as Outlook does it. */
static void add_requests(struct client_rops *b, const struct wanted *w, uint8_t out)
{
	uint8_t logon = client_rops_handle(b, b->store->logon), folder = client_rops_handle(b, MAPI_NO_HANDLE);
	const struct RopOpenFolderRequest open = {
	        .InputHandleIndex = logon, .OutputHandleIndex = folder, .FolderId = w->folder};
	const struct RopSetColumnsRequest columns = {
	        .InputHandleIndex = out,
	        .PropertyTagCount = (uint16_t)w->tag_count,
	        .PropertyTags = (uint32_t *)w->tags,
	};
	const struct RopSortTableRequest sort = {
	        .InputHandleIndex = out, .SortOrderCount = 1, .SortOrders = (struct SortOrder *)&w->order};
	client_rops_add(b, ROP_OPEN_FOLDER, &open);
	add_table(b, w, folder, out);
	client_rops_add(b, ROP_SET_COLUMNS, &columns);
	if (w->order.PropertyTag)
		client_rops_add(b, ROP_SORT_TABLE, &sort);
	client_rops_release(b, folder);
}

static int read_answers(struct client_rops *b, const struct wanted *w, uint32_t *count)
{
	const void *a = NULL;
	uint8_t table = w->kind == MAPIWIRE_MESSAGES ? ROP_GET_CONTENTS_TABLE : ROP_GET_HIERARCHY_TABLE;
	int r = client_rops_answer(b, ROP_OPEN_FOLDER, &a);
	if (r == 0)
		r = client_rops_answer(b, table, &a);
	/* The two answers have one shape. */
	if (r == 0)
		*count = table == ROP_GET_CONTENTS_TABLE ? ((const struct RopGetContentsTableResponse *)a)->RowCount
		                                         : ((const struct RopGetHierarchyTableResponse *)a)->RowCount;
	if (r == 0)
		r = client_rops_answer(b, ROP_SET_COLUMNS, &a);
	if (r == 0 && w->order.PropertyTag)
		r = client_rops_answer(b, ROP_SORT_TABLE, &a);
	return r;
}

static int open_table(struct mapiwire_store *s, const struct wanted *w, struct mapiwire_table *t)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	client_rops_begin(&b, s, arena);
	uint8_t at = client_rops_handle(&b, MAPI_NO_HANDLE);
	add_requests(&b, w, at);
	int r = client_rops_run(&b);
	if (r == 0)
		r = read_answers(&b, w, &t->count);
	if (r == 0)
		t->handle = client_rops_made(&b, at);
	t->epoch = s->epoch;
	return r;
}

int mapiwire_table_open(struct mapiwire_store *s, uint64_t folder, enum mapiwire_table_kind kind, const uint32_t *tags,
                        size_t tag_count, uint32_t sort_tag, bool descending, struct mapiwire_table **out)
{
	const struct wanted w = {folder, kind, tags, tag_count, {sort_tag, descending}};
	client_no_error(s->m);
	if (tag_count == 0 || tag_count > UINT16_MAX)
		return client_fail_inside(s->m, MW_E_INVALID, "the list of columns");
	struct mapiwire_table *t = (struct mapiwire_table *)calloc(1, sizeof *t);
	if (!t)
		return client_fail_inside(s->m, MW_E_NOMEM, "a table");
	t->store = s;
	t->columns = tag_count;
	int r = client_store_enter(s);
	if (r == 0) {
		r = open_table(s, &w, t);
		client_store_leave(s);
	}
	if (r != 0)
		free(t);
	else
		*out = t;
	return r;
}

void mapiwire_table_close(struct mapiwire_table **table)
{
	struct mapiwire_table *t = *table;
	if (!t)
		return;
	*table = NULL;
	client_release(t->store, t->handle, t->epoch);
	free(t);
}

uint32_t mapiwire_table_count(const struct mapiwire_table *t)
{
	return t->count;
}

static int put_rows(struct mapiwire_table *t, struct arena **arena, const struct mapi_row_set *set,
                    struct mapiwire_rows *out)
{
	struct mapiwire *m = t->store->m;
	struct arena *keep = *arena;
	struct mapiwire_rows rows = {0};
	int r = client_rows_new(m, arena, set->count, t->columns, &rows);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < set->count; i++) {
		const struct mapi_row *row = &set->rows[i];
		if (row->count != t->columns)
			r = client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "a row lacks columns");
		for (size_t c = 0; r == 0 && c < t->columns; c++)
			r = client_put_value(m, keep, &row->values[c], &rows.values[i * t->columns + c]);
	}
	if (r != 0)
		mapiwire_rows_free(&rows);
	else
		*out = rows;
	return r;
}

static int read_rows(struct mapiwire_table *t, unsigned max, struct mapiwire_rows *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(t->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, t->store, arena);
	const struct RopQueryRowsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, t->handle),
	        .ForwardRead = 1,
	        .RowCount = (uint16_t)(max < 0x7FFF ? max : 0x7FFF),
	};
	client_rops_add(&b, ROP_QUERY_ROWS, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_QUERY_ROWS, &answer);
	return r != 0 ? r : put_rows(t, &arena, &((const struct RopQueryRowsResponse *)answer)->RowData, out);
}

int mapiwire_table_read(struct mapiwire_table *t, unsigned max, struct mapiwire_rows *out)
{
	client_no_error(t->store->m);
	int r = client_store_enter_same(t->store, t->epoch, "the table");
	if (r != 0)
		return r;
	r = read_rows(t, max, out);
	client_store_leave(t->store);
	return r;
}
