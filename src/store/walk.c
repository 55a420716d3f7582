#include "store/table_private.h"
#include "store/words.h"

#include <stdio.h>
#include <string.h>

static const char *const column_names[STORE_INDEX_COUNT] = {
        [STORE_BY_NATURE] = "0",      [STORE_BY_DELIVERY] = "delivered",    [STORE_BY_MODIFICATION] = "modified",
        [STORE_BY_SIZE] = "size",     [STORE_BY_IMPORTANCE] = "importance", [STORE_BY_SUBJECT] = "subject",
        [STORE_BY_SENDER] = "sender", [STORE_BY_CLASS] = "class",
};

/*
 * Rows beyond (column, id) are two ranges of the index: those with the same column and a further id, then those with
 * a further column. (A row value comparison would walk all rows with the same column.)
 */
enum range { ALL, SAME, FURTHER };

struct walk {
	bool ascending, inclusive, whole;
	enum range range;
};

static const char *const order_indexes[STORE_INDEX_COUNT] = {
        [STORE_BY_MODIFICATION] = "message_modified", [STORE_BY_SIZE] = "message_size",
        [STORE_BY_IMPORTANCE] = "message_importance", [STORE_BY_SUBJECT] = "message_subject",
        [STORE_BY_SENDER] = "message_sender",         [STORE_BY_CLASS] = "message_class",
};

bool store_walk_has_behind(const struct store_table *t)
{
	return order_indexes[t->index] != NULL;
}

static void put_select(const struct store_table *t, struct walk w, const char *from, struct buf *out)
{
	const char *column = column_names[t->index], *beyond = w.ascending ? ">" : "<";

	buf_printf(out, "SELECT %s, %s AS place FROM message%s folder = ?1 AND associated = ?2",
	           w.whole ? STORE_MESSAGE_COLUMNS : "id", column, from);
	if (w.range == SAME && t->index == STORE_BY_NATURE)
		buf_printf(out, " AND id %s%s ?4", beyond, w.inclusive ? "=" : "");
	else if (w.range == SAME)
		buf_printf(out, " AND %s = ?3 AND id %s%s ?4", column, beyond, w.inclusive ? "=" : "");
	else if (w.range == FURTHER)
		buf_printf(out, " AND %s %s ?3", column, beyond);
}

/* Rows that the index of the order does not have yet are sorted and come between those it has. */
static int make_sql(const struct store_table *t, struct walk w, bool behind, struct buf *out)
{
	const char *dir = w.ascending ? "ASC" : "DESC";
	char from[96] = " WHERE";

	if (order_indexes[t->index])
		snprintf(from, sizeof from, " INDEXED BY %s WHERE words IS NOT NULL AND", order_indexes[t->index]);
	put_select(t, w, from, out);
	if (behind) {
		buf_put_str(out, " UNION ALL ");
		put_select(t, w, " INDEXED BY message_behind WHERE words IS NULL AND", out);
	}
	if (t->index == STORE_BY_NATURE)
		buf_printf(out, " ORDER BY id %s", dir);
	else
		buf_printf(out, " ORDER BY place %s, id %s", dir, dir);
	return buf_put_u8(out, 0);
}

static void finalize(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

/* 1: the visitor has enough. */
static int walk_range(struct store_table *t, struct walk w, store_visit *visit, void *user)
{
	MW_CLEANUP(finalize) sqlite3_stmt *s = NULL;
	MW_CLEANUP(buf_free) struct buf sql = {0};
	unsigned behind = 0;
	int rc, r = 0;

	if (store_walk_has_behind(t))
		r = store_words_behind(t->m, t->folder, t->associated, 1, &behind);
	if (r >= 0)
		r = make_sql(t, w, behind > 0, &sql);
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(t->m->db, (const char *)sql.data, -1, &s, NULL);
	if (rc != SQLITE_OK)
		return store_fail(t->m, "Reading a table", rc);
	sqlite3_bind_int64(s, 1, (int64_t)t->folder);
	sqlite3_bind_int(s, 2, t->associated);
	if (w.range != ALL && t->key)
		sqlite3_bind_value(s, 3, t->key);
	if (w.range == SAME)
		sqlite3_bind_int64(s, 4, (int64_t)t->anchor);
	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
		r = visit(user, s);
	if (r == 0 && rc != SQLITE_DONE)
		return store_fail(t->m, "Reading a table", rc);
	return r;
}

int store_walk(struct store_table *t, bool forward, bool whole, store_visit *visit, void *user)
{
	struct walk w = {.ascending = forward != t->descending, .inclusive = !forward, .whole = whole};
	int r;

	if (!t->anchored) {
		w.range = ALL;
		r = forward ? walk_range(t, w, visit, user) : 0;
		return r < 0 ? r : 0;
	}
	w.range = SAME;
	r = walk_range(t, w, visit, user);
	if (r == 0 && t->index != STORE_BY_NATURE) {
		w.range = FURTHER;
		r = walk_range(t, w, visit, user);
	}
	return r < 0 ? r : 0;
}

int store_walk_one(const struct store_table *t, uint64_t id, store_visit *visit, void *user)
{
	MW_CLEANUP(finalize) sqlite3_stmt *s = NULL;
	MW_CLEANUP(buf_free) struct buf sql = {0};
	int rc, r;

	put_select(t, (struct walk){.whole = true, .range = ALL}, " WHERE", &sql);
	buf_put_str(&sql, " AND id = ?4");
	r = buf_put_u8(&sql, 0);
	if (r < 0)
		return r;
	rc = sqlite3_prepare_v2(t->m->db, (const char *)sql.data, -1, &s, NULL);
	if (rc != SQLITE_OK)
		return store_fail(t->m, "Reading a table", rc);
	sqlite3_bind_int64(s, 1, (int64_t)t->folder);
	sqlite3_bind_int(s, 2, t->associated);
	sqlite3_bind_int64(s, 4, (int64_t)id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		r = visit(user, s);
		return r < 0 ? r : 0;
	}
	return rc == SQLITE_DONE ? 0 : store_fail(t->m, "Reading a table", rc);
}

void store_walk_begin(struct store_table *t)
{
	t->anchored = false;
	sqlite3_value_free(t->key);
	t->key = NULL;
	t->before = 0;
	t->stale = false;
}

int store_walk_anchor(struct store_table *t, sqlite3_stmt *row)
{
	sqlite3_value *key = NULL;

	if (t->index != STORE_BY_NATURE) {
		key = sqlite3_value_dup(sqlite3_column_value(row, sqlite3_column_count(row) - 1));
		if (!key)
			return MW_E_NOMEM;
	}
	sqlite3_value_free(t->key);
	t->key = key;
	t->anchor = (uint64_t)sqlite3_column_int64(row, 0);
	t->anchored = true;
	return 0;
}

/* ---- Counting and seeking ---- */

struct count {
	struct store_table *t;
	uint64_t want, seen;
	bool anchor; /* the last row seen becomes the anchor */
};

static int count_row(void *user, sqlite3_stmt *row)
{
	struct count *c = user;

	c->seen++;
	if (c->seen < c->want)
		return 0;
	return c->anchor && store_walk_anchor(c->t, row) < 0 ? MW_E_NOMEM : 1;
}

int store_walk_position(struct store_table *t, uint32_t *before)
{
	struct count c = {.t = t, .want = UINT64_MAX};
	int r;

	if (t->stale) {
		r = store_walk(t, false, false, count_row, &c);
		if (r < 0)
			return r;
		t->before = (uint32_t)c.seen;
		t->stale = false;
	}
	*before = t->before;
	return 0;
}

/* The last row of the walk is not known before its end. */
struct last {
	struct store_table *t;
	uint64_t seen;
};

static int keep_last(void *user, sqlite3_stmt *row)
{
	struct last *l = user;

	l->seen++;
	return store_walk_anchor(l->t, row);
}

static int forward(struct store_table *t, uint64_t rows, uint64_t *moved)
{
	struct count c = {.t = t, .want = rows, .anchor = true};
	int r = rows > 0 ? store_walk(t, true, false, count_row, &c) : 0;

	if (r >= 0 && c.seen < rows) {
		/* Fewer were left: once more, to the end. */
		struct last l = {.t = t};
		r = c.seen > 0 ? store_walk(t, true, false, keep_last, &l) : 0;
	}
	*moved = c.seen;
	t->before += (uint32_t)c.seen;
	return r;
}

static int backward(struct store_table *t, uint64_t rows, uint64_t *moved)
{
	struct count c = {.t = t, .want = rows + 1, .anchor = true};
	uint32_t before = t->before;
	int r = store_walk(t, false, false, count_row, &c);

	if (r < 0)
		return r;
	if (c.seen <= rows) {
		store_walk_begin(t);
		*moved = c.seen;
		return 0;
	}
	*moved = rows;
	t->before = before - (uint32_t)rows;
	return 0;
}

static int to_end(struct store_table *t)
{
	struct count c = {.t = t, .want = 1, .anchor = true};
	uint32_t all;
	int r = store_table_total(t, &all);

	if (r < 0)
		return r;
	/* The last row is the first one of the other direction. */
	store_walk_begin(t);
	t->descending = !t->descending;
	r = store_walk(t, true, false, count_row, &c);
	t->descending = !t->descending;
	t->before = c.seen > 0 ? all : 0;
	return r;
}

int store_walk_seek(struct store_table *t, enum store_origin origin, int32_t rows, int32_t *moved)
{
	uint64_t way = (uint64_t)(rows < 0 ? -(int64_t)rows : rows), done = 0;
	int r = 0;

	if (origin == STORE_BEGIN)
		store_walk_begin(t);
	else if (origin == STORE_END)
		r = to_end(t);
	if (r >= 0)
		r = rows < 0 ? backward(t, way, &done) : forward(t, way, &done);
	if (r >= 0 && moved)
		*moved = rows < 0 ? -(int32_t)done : (int32_t)done;
	return r;
}
