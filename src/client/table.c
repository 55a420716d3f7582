#include "client/store.h"

#include <stdlib.h>

/* Tables: [MS-OXCTABL]. */

#define DEPTH 0x04 /* TableFlags of RopGetHierarchyTable, [MS-OXCFOLD] 2.2.1.13.1 */

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
		t->o.handle = client_rops_made(&b, at);
	t->o.epoch = s->epoch;
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
	t->o.store = s;
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
	struct mapiwire_table *t = TAKE_PTR(*table);
	client_object_close(t ? &t->o : NULL);
}

uint32_t mapiwire_table_count(const struct mapiwire_table *t)
{
	return t->count;
}

int client_put_rows(struct mapiwire *m, struct arena **arena, const struct mapi_row_set *set, size_t columns,
                    struct mapiwire_rows *out)
{
	struct arena *keep = *arena;
	struct mapiwire_rows rows = {0};
	int r = client_rows_new(m, arena, set->count, columns, &rows);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < set->count; i++) {
		const struct mapi_row *row = &set->rows[i];
		if (row->count != columns)
			r = client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "a row lacks columns");
		for (size_t c = 0; r == 0 && c < columns; c++)
			r = client_put_value(m, keep, &row->values[c], &rows.values[i * columns + c]);
	}
	if (r != 0)
		mapiwire_rows_free(&rows);
	else
		*out = rows;
	return r;
}

static int read_rows(struct mapiwire_table *t, unsigned max, struct mapiwire_rows *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(t->o.store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, t->o.store, arena);
	const struct RopQueryRowsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, t->o.handle),
	        .ForwardRead = 1,
	        .RowCount = (uint16_t)(max < 0x7FFF ? max : 0x7FFF),
	};
	int r = client_rops_do(&b, ROP_QUERY_ROWS, &q, &answer);
	if (r != 0)
		return r;
	return client_put_rows(t->o.store->m, &arena, &((const struct RopQueryRowsResponse *)answer)->RowData,
	                       t->columns, out);
}

int mapiwire_table_read(struct mapiwire_table *t, unsigned max, struct mapiwire_rows *out)
{
	int r = client_object_enter(&t->o, "the table");
	if (r != 0)
		return r;
	r = read_rows(t, max, out);
	client_store_leave(t->o.store);
	return r;
}

/* RopRestrict, and how many rows are left. Nothing but a size of zero takes a restriction away. */
static int restrict_table(struct mapiwire_table *t, const struct mapiwire_restriction *in)
{
	struct mapiwire *m = t->o.store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	struct mapi_restriction *out = arena ? arena_new_array(arena, struct mapi_restriction, 1) : NULL;
	const void *answer = NULL;
	client_rops_begin(&b, t->o.store, arena);
	int r = out ? 0 : client_fail_inside(m, MW_E_NOMEM, "a restriction");
	if (r == 0 && in)
		r = client_take_restriction(m, arena, in, out);
	if (r != 0)
		return r;
	uint8_t at = client_rops_handle(&b, t->o.handle);
	const struct RopRestrictRequest q = {.InputHandleIndex = at, .RestrictionData = in ? out : NULL};
	client_rops_add(&b, ROP_RESTRICT, &q);
	client_rops_add(&b, ROP_QUERY_POSITION, &(struct RopQueryPositionRequest){.InputHandleIndex = at});
	r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_RESTRICT, &answer);
	if (r == 0)
		r = client_rops_answer(&b, ROP_QUERY_POSITION, &answer);
	if (r == 0)
		t->count = ((const struct RopQueryPositionResponse *)answer)->Denominator;
	return r;
}

int mapiwire_table_restrict(struct mapiwire_table *t, const struct mapiwire_restriction *in)
{
	int r = client_object_enter(&t->o, "the table");
	if (r != 0)
		return r;
	r = restrict_table(t, in);
	client_store_leave(t->o.store);
	return r;
}
