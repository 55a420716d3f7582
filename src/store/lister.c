#include "store/condition.h"
#include "store/listing.h"
#include "store/message_private.h"
#include "store/permission_private.h"
#include "store/words.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

/* How a table's list is made, piece by piece, so that whoever owns the mailbox can do other things in between. */

#define DOING "Reading a table"
#define LISTING_MAX ((size_t)512 << 20)
#define DEPTH_MAX 256
#define FIRST_RUN 512    /* rows that are sorted at once */
#define MERGE_CHECK 1024 /* rows merged between two looks at the clock */

enum phase { BEGIN, DOCUMENTS, BEHIND, NO_WORDS, BY_NATURE, FOUND, RUNS, MERGES, END };

/* 1 not ended: it is time to stop. */
static int is_over(int64_t until)
{
	return time_monotonic_ns() >= until;
}

/* ---- Collecting ---- */

static int add_row(struct store_listing *l, sqlite3_stmt *s)
{
	struct store_object o;
	int r = store_message_row(l->t->m, s, &o);

	if (r < 0)
		return r;
	o.in_table = true;
	if (l->t->guarded) {
		uint32_t access;
		r = store_object_access(&o, &access);
		if (r < 0 || !(access & STORE_ACCESS_READ))
			return r < 0 ? r : 0;
	}
	return store_listing_add(l, &o);
}

/* Rows behind the last one: ?1 folder, ?2 the last one, ?3 associated. 1: there may be more. */
static int collect_rows(struct store_listing *l, enum store_statement which, int64_t until)
{
	STORE_STMT s = store_statement(l->t->m, which);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)l->t->folder);
	sqlite3_bind_int64(s, 2, (int64_t)l->after);
	if (which == STMT_LIST_NATURE)
		sqlite3_bind_int(s, 3, l->t->associated);
	while ((r = store_step(l->t->m, s, DOING)) > 0) {
		l->after = (uint64_t)sqlite3_column_int64(s, 0);
		r = add_row(l, s);
		if (r < 0 || is_over(until))
			return r < 0 ? r : 1;
	}
	return r;
}

/* The statement is done with before the next piece: an open one would keep the log from beginning anew. */
static int list_documents(struct store_listing *l, const char *query)
{
	STORE_STMT s = store_statement(l->t->m, STMT_LIST_WORDS);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_text(s, 1, query, -1, SQLITE_STATIC);
	while ((r = store_step(l->t->m, s, DOING)) > 0)
		buf_put_u64(&l->documents, (uint64_t)sqlite3_column_int64(s, 0));
	return r < 0 ? r : buf_error(&l->documents);
}

static int add_document(struct store_listing *l, uint64_t document)
{
	STORE_STMT s = store_statement(l->t->m, STMT_LIST_DOCUMENT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)l->t->folder);
	sqlite3_bind_int64(s, 2, (int64_t)document);
	r = store_step(l->t->m, s, DOING);
	return r > 0 ? add_row(l, s) : r;
}

static int collect_documents(struct store_listing *l, int64_t until)
{
	size_t count = l->documents.len / sizeof(uint64_t);

	while (l->after < count) {
		uint64_t document;
		memcpy(&document, l->documents.data + l->after++ * sizeof document, sizeof document);
		int r = add_document(l, document);
		if (r < 0 || is_over(until))
			return r < 0 ? r : 1;
	}
	return 0;
}

static int add_folders(struct store_listing *l, struct arena *arena, uint64_t parent, uint32_t depth)
{
	uint64_t *ids = NULL;
	size_t count = 0;
	int r = depth < DEPTH_MAX ? store_folder_children(l->t->m, arena, parent, &ids, &count)
	                          : store_say(l->t->m, MW_E_LIMIT, "The folders lie too deep.");

	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct store_object o;
		uint32_t rights;
		r = store_folder_load(l->t->m, arena, ids[i], &o);
		o.depth = depth;
		o.in_table = true;
		if (r >= 0)
			r = store_rights_in(l->t->m, ids[i], &rights);
		if (r >= 0 && rights & STORE_MAY_SEE)
			r = store_listing_add(l, &o);
		if (r >= 0 && l->t->deep)
			r = add_folders(l, arena, ids[i], depth + 1);
	}
	return r;
}

static int add_attachments(struct store_listing *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->t->of->part_count; i++) {
		struct store_object o = store_message_object(l->t->of->parts[i]);
		o.in_table = true;
		r = store_listing_add(l, &o);
	}
	return r;
}

/* What the index of words knows to have them narrows the folder, unless there is no such restriction. */
static int choose_messages(struct store_listing *l, struct arena *arena)
{
	const struct store_condition *c = l->t->condition;
	const char *query = c && !l->t->associated ? store_words_query(arena, c->root, false) : "";

	l->phase = l->t->search ? l->t->associated ? RUNS : FOUND : query && *query ? DOCUMENTS : BY_NATURE;
	return !query ? MW_E_NOMEM : l->phase == DOCUMENTS ? list_documents(l, query) : 0;
}

static int begin(struct store_listing *l)
{
	STORE_ARENA arena = arena_new(LISTING_MAX);
	struct store_table *t = l->t;

	if (!arena)
		return MW_E_NOMEM;
	if (t->filter.begin)
		t->filter.begin(t->filter.user);
	l->phase = RUNS;
	if (t->of)
		return add_attachments(l);
	if (t->fixed)
		return store_listing_add_fixed(l);
	return t->hierarchy ? add_folders(l, arena, t->folder, 1) : choose_messages(l, arena);
}

/* ---- Sorting ---- */

static int compare(const void *a, const void *b)
{
	const struct store_listed *x = a, *y = b;
	size_t n = x->key_size < y->key_size ? x->key_size : y->key_size;
	int c = n > 0 ? memcmp(x->key, y->key, n) : 0;

	if (c == 0)
		c = (x->key_size > y->key_size) - (x->key_size < y->key_size);
	if (c == 0)
		c = (x->id > y->id) - (x->id < y->id);
	return c ? c : (x->instance > y->instance) - (x->instance < y->instance);
}

/* Folders without a sort keep the order of the tree. */
static bool is_sorted(const struct store_listing *l)
{
	return l->count < 2 || (l->t->sort_count == 0 && (l->t->hierarchy || l->t->fixed));
}

static int sort_runs(struct store_listing *l, int64_t until)
{
	struct store_listed *rows = (void *)l->rows.data;

	while (!is_sorted(l) && l->done < l->count) {
		size_t n = l->count - l->done < FIRST_RUN ? l->count - l->done : FIRST_RUN;
		qsort(rows + l->done, n, sizeof *rows, compare);
		l->done += n;
		if (is_over(until))
			return 1;
	}
	l->width = is_sorted(l) ? l->count + 1 : FIRST_RUN;
	l->done = 0;
	l->sorted = arena_copy(l->arena, l->count ? (void *)rows : (void *)"", l->rows.len);
	buf_free(&l->rows);
	l->spare = l->width < l->count ? arena_new_array(l->arena, struct store_listed, l->count) : l->sorted;
	return l->sorted && l->spare ? 0 : MW_E_NOMEM;
}

/* Of the two runs at done, some rows; 1: not all. */
static int merge(struct store_listing *l, int64_t until)
{
	size_t rest = l->count - l->done, n = l->width < rest ? l->width : rest;
	size_t m = rest - n < l->width ? rest - n : l->width;
	const struct store_listed *a = l->sorted + l->done, *b = a + n;
	struct store_listed *out = l->spare + l->done;

	while (l->left + l->right < n + m) {
		bool first = l->right == m || (l->left < n && compare(&a[l->left], &b[l->right]) <= 0);
		size_t at = l->left + l->right;
		out[at] = first ? a[l->left++] : b[l->right++];
		if (at % MERGE_CHECK == 0 && is_over(until))
			return 1;
	}
	l->done += n + m;
	l->left = l->right = 0;
	return 0;
}

static int merge_all(struct store_listing *l, int64_t until)
{
	while (l->width < l->count) {
		struct store_listed *swap = l->spare;
		while (l->done < l->count)
			if (merge(l, until))
				return 1;
		l->spare = l->sorted;
		l->sorted = swap;
		l->width *= 2;
		l->done = 0;
	}
	return 0;
}

/* ---- The list ---- */

/* Where the row before the position is now; else the same number of rows before it. */
static size_t find_again(const struct store_table *t, const struct store_listed *rows, size_t count)
{
	const struct store_listed *before = t->at > 0 ? &t->rows[t->at - 1] : NULL;

	for (size_t i = 0; before && i < count; i++)
		if (rows[i].id == before->id && rows[i].instance == before->instance)
			return i + 1;
	return t->at < count ? t->at : count;
}

/* The rows that the leaves are seen as, in place of those before. */
static int show(struct store_table *t, struct store_listed *leaves, size_t count)
{
	struct buf view = {0};
	struct store_listed *rows = leaves;
	size_t row_count = count;
	int r = t->category_count > 0 ? store_category_view(t, leaves, count, &view) : 0;

	if (r < 0) {
		buf_free(&view);
		return r;
	}
	if (t->category_count > 0) {
		rows = (void *)view.data;
		row_count = view.len / sizeof *rows;
	}
	t->at = t->listed ? find_again(t, rows, row_count) : 0;
	buf_free(&t->view);
	t->view = view;
	t->leaves = leaves;
	t->leaf_count = count;
	t->rows = rows;
	t->row_count = row_count;
	t->listed = true;
	return 0;
}

static int take(struct store_listing *l)
{
	struct store_table *t = l->t;
	int r = show(t, l->sorted, l->count);

	if (r < 0)
		return r;
	arena_free(&t->arena);
	t->arena = TAKE_PTR(l->arena);
	t->stale = false;
	t->stale_next = l->heard;
	return 0;
}

/* 1: there is more to do in this phase. */
static int run_phase(struct store_listing *l, int64_t until)
{
	switch (l->phase) {
	case BEGIN:
		return begin(l);
	case DOCUMENTS:
		return collect_documents(l, until);
	case BEHIND:
		return collect_rows(l, STMT_LIST_BEHIND, until);
	case NO_WORDS:
		return collect_rows(l, STMT_LIST_NO_WORDS, until);
	case BY_NATURE:
		return collect_rows(l, STMT_LIST_NATURE, until);
	case FOUND:
		return collect_rows(l, STMT_LIST_FOUND, until);
	case RUNS:
		return sort_runs(l, until);
	default:
		return merge_all(l, until);
	}
}

static int next_phase(int phase)
{
	switch (phase) {
	case DOCUMENTS:
		return BEHIND;
	case BEHIND:
		return NO_WORDS;
	case RUNS:
		return MERGES;
	case MERGES:
		return END;
	default:
		return RUNS;
	}
}

static int run(struct store_listing *l, int64_t until)
{
	while (l->phase != END) {
		int was = l->phase, r = run_phase(l, until);
		if (r != 0)
			return r;
		if (was != BEGIN) /* that one says itself what comes next */
			l->phase = next_phase(was);
		l->after = 0;
	}
	return take(l);
}

static int new_listing(struct store_table *t)
{
	struct store_listing *l = calloc(1, sizeof *l);

	if (!l)
		return MW_E_NOMEM;
	l->t = t;
	l->arena = arena_new(LISTING_MAX);
	l->scratch = arena_new(LISTING_MAX);
	t->listing = l;
	return l->arena && l->scratch ? 0 : MW_E_NOMEM;
}

void store_listing_free(struct store_listing **listing)
{
	struct store_listing *l = *listing;

	*listing = NULL;
	if (!l)
		return;
	buf_free(&l->rows);
	buf_free(&l->documents);
	arena_free(&l->arena);
	arena_free(&l->scratch);
	free(l);
}

int store_list_some(struct store_table *t, int64_t until, bool *more)
{
	int r = 0;

	*more = false;
	if (t->listed && !t->of && (t->kept || !t->stale))
		return 0;
	if (!t->listing)
		r = new_listing(t);
	if (r >= 0)
		r = run(t->listing, until);
	*more = r > 0;
	if (r <= 0)
		store_listing_free(&t->listing);
	return r < 0 ? r : 0;
}

int store_list(struct store_table *t)
{
	bool more;

	return store_list_some(t, INT64_MAX, &more);
}

int store_list_again(struct store_table *t)
{
	return t->listed ? show(t, t->leaves, t->leaf_count) : store_list(t);
}
