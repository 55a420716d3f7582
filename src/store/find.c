#include "store/condition.h"
#include "store/restrict.h"
#include "store/table_private.h"

#include "mapi/tags.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

/* Tables narrowed and searched, and places to come back to. */

#define BATCH 64
#define SCRATCH_MAX ((size_t)64 << 20)

int store_table_restrict(struct store_table *t, const struct mapi_restriction *restriction)
{
	struct store_condition *c = NULL;
	struct store_filter f = {.keep = store_condition_keep, .begin = store_condition_begin};
	int r = restriction ? store_condition_new(t->m, restriction, &c) : 0;

	if (r < 0)
		return r;
	if (c) {
		f.tags = c->tags;
		f.count = c->count;
		f.user = c;
	}
	r = store_table_filter(t, c ? &f : NULL);
	if (r < 0) {
		store_condition_free(&c);
		return r;
	}
	store_condition_free(&t->condition);
	t->condition = c;
	return 0;
}

/* ---- Rows with other columns than the client's ---- */

struct looking {
	struct store_table *t;
	struct arena *arena;
	uint32_t *columns; /* the client's, while others are in their place */
	size_t column_count;
};

static struct looking look_for(struct store_table *t, struct arena *arena, uint32_t *tags, size_t count)
{
	struct looking l = {.t = t, .arena = arena, .columns = t->columns, .column_count = t->column_count};

	t->columns = tags;
	t->column_count = count;
	return l;
}

static void look_no_more(struct looking *l)
{
	l->t->columns = l->columns;
	l->t->column_count = l->column_count;
}

/* Visits rows from the position, which moves along; 1 when one is kept: the position is then behind it. 2: it is time
 * to stop. */
static int search(struct looking *l, bool forward, bool (*keep)(void *user, const struct mapi_value *values),
                  void *user, int64_t until)
{
	for (;;) {
		struct mapi_row *rows;
		size_t count = BATCH;
		int r = store_table_rows(l->t, l->arena, forward, true, 0, &rows, &count);

		if (r < 0 || count == 0)
			return r < 0 ? r : 0;
		for (size_t i = 0; i < count; i++) {
			int32_t back = (int32_t)(count - i - 1);
			if (!keep(user, rows[i].values))
				continue;
			r = back > 0 ? store_table_seek(l->t, STORE_CURRENT, forward ? -back : back, NULL) : 0;
			return r < 0 ? r : 1;
		}
		arena_reset(l->arena);
		if (time_monotonic_ns() >= until)
			return 2;
	}
}

struct store_find {
	struct store_table *t;
	struct arena *arena;
	struct store_condition *condition;
	bool forward;
	uint32_t position; /* where the table stood */
};

int store_find_new(struct store_table *t, const struct mapi_restriction *restriction, bool forward,
                   struct store_find **out)
{
	struct store_find *f = calloc(1, sizeof *f);
	uint32_t count;
	int r;

	if (!f)
		return MW_E_NOMEM;
	*f = (struct store_find){.t = t, .forward = forward, .arena = arena_new(SCRATCH_MAX)};
	r = f->arena ? store_condition_new(t->m, restriction, &f->condition) : MW_E_NOMEM;
	if (r >= 0)
		r = store_table_position(t, &f->position, &count);
	if (r < 0) {
		store_find_free(&f);
		return r;
	}
	t->kept = true;
	*out = f;
	return 0;
}

void store_find_free(struct store_find **find)
{
	struct store_find *f = *find;

	*find = NULL;
	if (!f)
		return;
	f->t->kept = false;
	store_condition_free(&f->condition);
	arena_free(&f->arena);
	free(f);
}

int store_find_step(struct store_find *f, int64_t until, bool *more)
{
	uint32_t *none = (uint32_t[]){PidTagInstID};
	const struct store_condition *c = f->condition;
	struct looking l = look_for(f->t, f->arena, c->count ? c->tags : none, c->count ? c->count : 1);
	int r = search(&l, f->forward, store_condition_keep, f->condition, until);

	look_no_more(&l);
	*more = r == 2;
	if (r == 1) /* behind the row, seen in the direction of the search */
		return f->forward ? store_table_seek(f->t, STORE_CURRENT, -1, NULL) : 0;
	if (r == 0) {
		r = store_table_seek(f->t, STORE_BEGIN, (int32_t)f->position, NULL);
		return r < 0 ? r : MW_E_NOTFOUND;
	}
	return r < 0 ? r : 0;
}

int store_table_find(struct store_table *t, const struct mapi_restriction *restriction, bool forward)
{
	struct store_find *f = NULL;
	bool more;
	int r = store_find_new(t, restriction, forward, &f);

	if (r >= 0)
		r = store_find_step(f, INT64_MAX, &more);
	store_find_free(&f);
	return r;
}

/* ---- Bookmarks ---- */

static uint32_t id_tag(const struct store_table *t)
{
	return t->of ? PidTagAttachNumber : t->hierarchy ? PidTagFolderId : PidTagInstID;
}

/* 0: none. */
static uint64_t id_of(const struct mapi_value *v)
{
	if (v->flag != MAPI_FLAG_VALUE)
		return 0;
	return mapi_tag_type(v->tag) == PTYP_INTEGER32 ? (uint64_t)(uint32_t)v->u.i32 + 1 : v->u.u64;
}

struct wanted {
	uint64_t id;
};

static bool is_wanted(void *user, const struct mapi_value *values)
{
	const struct wanted *w = user;

	return id_of(&values[0]) == w->id;
}

static int id_here(struct store_table *t, uint64_t *id)
{
	STORE_ARENA arena = arena_new(SCRATCH_MAX);
	uint32_t tag = id_tag(t);
	struct mapi_row *rows;
	size_t count = 1;
	int r = MW_E_NOMEM;

	if (arena) {
		struct looking l = look_for(t, arena, &tag, 1);
		r = store_table_rows(t, arena, true, false, 0, &rows, &count);
		look_no_more(&l);
	}
	if (r >= 0)
		*id = count > 0 ? id_of(&rows[0].values[0]) : 0;
	return r;
}

int store_table_mark(struct store_table *t, struct store_mark *out)
{
	struct store_mark mark = {0};
	uint32_t count;
	int r = store_table_position(t, &mark.position, &count);

	if (r >= 0)
		r = id_here(t, &mark.id);
	if (r >= 0)
		*out = mark;
	return r;
}

/* 1: the position is at that row. */
static int search_id(struct store_table *t, uint64_t id)
{
	STORE_ARENA arena = arena_new(SCRATCH_MAX);
	struct wanted w = {.id = id};
	uint32_t tag = id_tag(t);
	int r = arena ? store_table_seek(t, STORE_BEGIN, 0, NULL) : MW_E_NOMEM;

	if (r >= 0) {
		struct looking l = look_for(t, arena, &tag, 1);
		r = search(&l, true, is_wanted, &w, INT64_MAX);
		look_no_more(&l);
	}
	if (r <= 0)
		return r;
	r = store_table_seek(t, STORE_CURRENT, -1, NULL);
	return r < 0 ? r : 1;
}

int store_table_return(struct store_table *t, const struct store_mark *mark, bool *gone)
{
	uint64_t here = 0;
	int r = store_table_seek(t, mark->id ? STORE_BEGIN : STORE_END,
	                         mark->id ? (int32_t)(mark->position & INT32_MAX) : 0, NULL);

	*gone = false;
	if (r < 0 || mark->id == 0)
		return r;
	r = id_here(t, &here);
	if (r < 0 || here == mark->id)
		return r;
	r = search_id(t, mark->id);
	*gone = r == 0;
	if (r != 0)
		return r < 0 ? r : 0;
	return store_table_seek(t, STORE_BEGIN, (int32_t)(mark->position & INT32_MAX), NULL);
}

void store_table_reset(struct store_table *t)
{
	(void)!store_table_set_columns(t, NULL, 0);
	(void)!store_table_sort(t, NULL, 0);
	(void)!store_table_restrict(t, NULL);
}
