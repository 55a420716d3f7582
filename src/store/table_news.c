#include "store/table_news.h"

#include "store/message_private.h"
#include "store/permission_private.h"
#include "store/table_private.h"

#include <string.h>

void store_table_watch(struct store_table *t, store_table_heard *heard, void *user)
{
	t->heard = heard;
	t->heard_by = user;
	t->told = 0;
}

/* One change as this table sees it. */
struct telling {
	struct store_table *t;
	struct arena *arena;
	const struct store_change *change;
};

static void tell(const struct telling *x, struct store_table_news *n)
{
	struct store_table *t = x->t;

	if (t->told > STORE_TABLE_NEWS_MAX)
		return;
	if (t->told++ == STORE_TABLE_NEWS_MAX || n->event == STORE_TABLE_CHANGED) {
		t->told = STORE_TABLE_NEWS_MAX + 1;
		*n = (struct store_table_news){.event = STORE_TABLE_CHANGED};
	}
	n->of_messages = !t->hierarchy;
	n->ticket = x->change->ticket;
	t->heard(t->heard_by, n);
}

static void tell_changed(const struct telling *x)
{
	struct store_table_news n = {.event = STORE_TABLE_CHANGED};

	tell(x, &n);
}

static int read_values(const struct telling *x, const struct store_object *o, struct store_table_news *n)
{
	struct mapi_value *values = arena_new_array(x->arena, struct mapi_value, x->t->column_count);
	int r = values ? 0 : MW_E_NOMEM;

	for (size_t i = 0; r >= 0 && i < x->t->column_count; i++)
		r = store_row_value(o, x->arena, x->t->columns[i], o->instance, &values[i]);
	n->values = values;
	n->count = x->t->column_count;
	return r;
}

static struct store_table_row_id id_of(const struct store_table *t, uint64_t folder, uint64_t id, uint32_t instance)
{
	if (t->hierarchy)
		return (struct store_table_row_id){.folder = store_id(STORE_REPLID, id)};
	return (struct store_table_row_id){store_id(STORE_REPLID, folder), store_id(STORE_REPLID, id), instance};
}

/* ---- In tables that walk an index: where the row is, is asked for ---- */

struct neighbours {
	uint64_t own, before;
};

static int note(void *user, sqlite3_stmt *row)
{
	struct neighbours *n = user;
	uint64_t id = (uint64_t)sqlite3_column_int64(row, 0);

	if (id == n->own)
		return 0;
	n->before = id;
	return 1;
}

struct placing {
	struct store_table at; /* as the table, at the row */
	const struct telling *x;
	struct store_table_news *news;
	uint64_t id;
	bool found;
};

static int place(void *user, sqlite3_stmt *row)
{
	struct placing *p = user;
	struct store_object o;
	int r;

	if ((uint64_t)sqlite3_column_int64(row, 0) != p->id)
		return 0;
	r = store_message_row(p->x->t->m, row, &o);
	o.in_table = true;
	if (r >= 0)
		r = read_values(p->x, &o, p->news);
	if (r >= 0)
		r = store_walk_anchor(&p->at, row);
	p->found = r >= 0;
	return r < 0 ? r : 1;
}

static int tell_walked(const struct telling *x, uint64_t id, enum store_table_event event)
{
	struct store_table_news n = {.event = event, .row = id_of(x->t, x->t->folder, id, 0)};
	struct placing p = {.at = *x->t, .x = x, .news = &n, .id = id};
	struct neighbours near = {.own = id};
	int r;

	if (event == STORE_ROW_DELETED) {
		tell(x, &n);
		return 0;
	}
	p.at.anchored = false;
	p.at.key = NULL;
	r = store_walk_one(&p.at, id, place, &p);
	if (r >= 0 && p.found)
		r = store_walk(&p.at, false, false, note, &near);
	if (r >= 0 && p.found) {
		if (near.before)
			n.after = id_of(x->t, x->t->folder, near.before, 0);
		tell(x, &n);
	}
	store_walk_begin(&p.at);
	return r;
}

/* ---- In listed ones: by what was listed, and what is now ---- */

static const struct store_listed *find_row(const struct store_table *t, uint64_t id)
{
	for (size_t i = 0; i < t->row_count; i++)
		if (t->rows[i].id == id)
			return &t->rows[i];
	return NULL;
}

static int tell_listed(const struct telling *x, uint64_t id, bool changes_places)
{
	struct store_table *t = x->t;
	bool before = find_row(t, id) != NULL;
	const struct store_listed *row;
	struct store_table_news n = {.row = id_of(t, t->folder, id, 0)};
	struct store_object o = {0};
	int r = changes_places ? store_list(t) : 0;

	row = r < 0 ? NULL : find_row(t, id);
	if (r < 0 || (!before && !row))
		return r;
	n.event = !row ? STORE_ROW_DELETED : before ? STORE_ROW_MODIFIED : STORE_ROW_ADDED;
	if (row) {
		r = store_list_object(t, x->arena, row, &o);
		if (r >= 0)
			r = read_values(x, &o, &n);
		if (!t->hierarchy)
			n.row.folder = store_id(STORE_REPLID, o.parent);
		if (row > t->rows)
			n.after = id_of(t, t->folder, row[-1].id, row[-1].instance);
	}
	if (r >= 0)
		tell(x, &n);
	return r;
}

/* ---- Which rows a change is about ---- */

static int tell_row(const struct telling *x, uint64_t id, enum store_table_event event, bool changes_places)
{
	struct store_table *t = x->t;

	if (t->walked)
		return tell_walked(x, id, event);
	if (!t->listed)
		return 0; /* nobody has seen it */
	if (t->category_count > 0 || t->instances_of || t->row_count > STORE_TABLE_NEWS_ROWS || t->listing || t->kept) {
		tell_changed(x);
		return 0;
	}
	return tell_listed(x, id, changes_places);
}

static int tell_folder(const struct telling *x)
{
	const struct store_change *c = x->change;
	/* A counter that is nobody's order or filter moves no row. */
	bool moves = !c->counts_only || x->t->sort_count > 0 || x->t->filter.keep;
	uint64_t id = store_id_counter(c->folder);

	if (c->kind == STORE_SEARCH_DONE)
		return 0;
	return tell_row(x, id, STORE_ROW_MODIFIED, moves);
}

static int tell_message(const struct telling *x)
{
	const struct store_change *c = x->change;
	const struct store_table *t = x->t;
	bool here = t->search || store_id_counter(c->folder) == t->folder;
	bool gone = c->kind == STORE_MOVED && (t->search || store_id_counter(c->old_folder) == t->folder);
	enum store_table_event event = c->kind == STORE_MODIFIED  ? STORE_ROW_MODIFIED
	                               : c->kind == STORE_DELETED ? STORE_ROW_DELETED
	                                                          : STORE_ROW_ADDED;
	int r = gone ? tell_row(x, store_id_counter(c->old_message), STORE_ROW_DELETED, true) : 0;

	return r >= 0 && here ? tell_row(x, store_id_counter(c->message), event, true) : r;
}

void store_table_tell(struct store_table *t, const struct store_change *change)
{
	STORE_ARENA arena = arena_new(0);
	struct telling x = {.t = t, .arena = arena, .change = change};
	const struct store_caller *caller = t->m->caller;
	int r;

	if (!arena || !t->heard || t->column_count == 0 || t->of || t->told > STORE_TABLE_NEWS_MAX ||
	    t->hierarchy != (change->message == 0) || (!t->hierarchy && change->associated != t->associated))
		return;
	store_mailbox_as(t->m, t->caller);
	r = t->hierarchy ? tell_folder(&x) : tell_message(&x);
	store_mailbox_as(t->m, caller);
	if (r < 0)
		tell_changed(&x);
}
