#include "store/message_private.h"
#include "store/search_private.h"

#define DOING "Searching"
#define DEPTH_MAX 256
#define SCRATCH_MAX ((size_t)64 << 20)

/* What search folders show, kept up to date: called inside the transaction that changes a message. */

static struct store_search *search_of(struct store_mailbox *m, uint64_t folder)
{
	for (struct store_search *s = m->searches; s; s = s->next)
		if (s->folder == folder)
			return s;
	return NULL;
}

static int count(struct store_mailbox *m, uint64_t folder, int sign, uint32_t flags, uint64_t size)
{
	struct store_counts by = {.contents = sign, .unread = flags & MF_READ ? 0 : sign, .size = sign * (int64_t)size};
	struct store_search *s = search_of(m, folder);
	int32_t contents, unread;
	int r = store_folder_count(m, folder, &by, &contents, &unread);

	if (r >= 0 && s) {
		s->touched = true;
		s->contents = contents;
		s->unread = unread;
	}
	return r;
}

/* ---- Leaving ---- */

static int drop_one(struct store_mailbox *m, uint64_t folder, uint64_t id)
{
	STORE_STMT s = store_statement(m, STMT_FOUND_DROP);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, (int64_t)id);
	return store_run(m, s, DOING);
}

static int folders_with(struct store_mailbox *m, uint64_t id, uint64_t *folders, size_t *n)
{
	STORE_STMT s = store_statement(m, STMT_FOUND_OF);
	int r = s ? 1 : MW_E_IO;

	*n = 0;
	if (s)
		sqlite3_bind_int64(s, 1, (int64_t)id);
	while (r > 0 && *n < STORE_MAX_SEARCHES && (r = store_step(m, s, DOING)) > 0)
		folders[(*n)++] = (uint64_t)sqlite3_column_int64(s, 0);
	return r < 0 ? r : 0;
}

int store_found_drop(struct store_mailbox *m, uint64_t id, uint32_t flags, uint64_t size)
{
	uint64_t folders[STORE_MAX_SEARCHES];
	size_t n;
	int r = m->searches ? folders_with(m, id, folders, &n) : 0;

	for (size_t i = 0; r >= 0 && m->searches && i < n; i++) {
		r = drop_one(m, folders[i], id);
		if (r >= 0)
			r = count(m, folders[i], -1, flags, size);
	}
	return r;
}

/* ---- Coming ---- */

static int parent_of(struct store_mailbox *m, uint64_t folder, uint64_t *parent)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_PARENT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	r = store_step(m, s, DOING);
	*parent = r > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	return r < 0 ? r : 0;
}

static bool names(const struct store_search *s, uint64_t folder)
{
	for (size_t i = 0; i < s->scope_count; i++)
		if (s->scope[i] == folder)
			return true;
	return false;
}

/* 1: it looks there. */
static int looks_in(struct store_mailbox *m, const struct store_search *s, uint64_t folder)
{
	int r = 0;

	for (unsigned depth = 0; r >= 0 && folder != 0 && depth < DEPTH_MAX; depth++) {
		if (names(s, folder))
			return 1;
		if (!(s->flags & SEARCH_RECURSIVE))
			return 0;
		r = parent_of(m, folder, &folder);
	}
	return r;
}

/* 1: the message is one of those looked for. */
static int matches(struct store_mailbox *m, struct store_search *s, struct arena *scratch, const struct store_object *o)
{
	struct mapi_value *values;
	int r = looks_in(m, s, o->parent);

	if (r <= 0)
		return r;
	values = arena_new_array(scratch, struct mapi_value, s->condition->count);
	if (!values || store_object_get_many(o, scratch, s->condition->tags, s->condition->count, 0, values) < 0)
		return MW_E_NOMEM;
	store_condition_begin(s->condition);
	return store_condition_keep(s->condition, values);
}

static int add(struct store_mailbox *m, uint64_t folder, const struct store_object *o)
{
	STORE_STMT s = store_statement(m, STMT_FOUND_ADD);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, (int64_t)o->id);
	r = store_run(m, s, DOING);
	if (r < 0 || sqlite3_changes(m->db) == 0)
		return r;
	return count(m, folder, 1, o->flags, o->size);
}

static int look_for(struct store_mailbox *m, struct store_search *s, struct arena *scratch,
                    const struct store_object *o)
{
	int r = matches(m, s, scratch, o);

	if (r > 0)
		r = add(m, s->folder, o);
	arena_reset(scratch);
	return r;
}

static int look_for_all(struct store_mailbox *m, const struct store_object *o)
{
	STORE_ARENA scratch = arena_new(SCRATCH_MAX);
	int r = scratch ? 0 : MW_E_NOMEM;

	for (struct store_search *s = m->searches; r >= 0 && s; s = s->next)
		if (!(s->flags & SEARCH_FIXED) || s->running)
			r = look_for(m, s, scratch, o);
	return r;
}

int store_found_look(struct store_mailbox *m, uint64_t id)
{
	STORE_STMT s = m->searches ? store_statement(m, STMT_FOUND_LOOK) : NULL;
	struct store_object o;
	int r;

	if (!m->searches)
		return 0;
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(m, s, DOING);
	if (r > 0)
		r = store_message_row(m, s, &o) < 0 ? MW_E_IO : 1;
	if (r <= 0)
		return r;
	o.in_table = true;
	return o.associated ? 0 : look_for_all(m, &o);
}

int store_found_has(struct store_mailbox *m, uint64_t folder, uint64_t id)
{
	STORE_STMT s = store_statement(m, STMT_FOUND_HAS);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, (int64_t)id);
	return store_step(m, s, DOING);
}

void store_searches_tell(struct store_mailbox *m, uint64_t ticket)
{
	for (struct store_search *s = m->searches; s; s = s->next) {
		struct store_change c = {.kind = STORE_MODIFIED,
		                         .folder = store_id(STORE_REPLID, s->folder),
		                         .counts_only = true,
		                         .content_count = s->contents,
		                         .unread_count = s->unread,
		                         .message_class = "",
		                         .ticket = ticket};
		if (!s->touched)
			continue;
		s->touched = false;
		store_tell(m, &c);
	}
}

/* ---- The first look, in slices ---- */

static int write_at(struct store_mailbox *m, const struct store_search *search, bool running, uint64_t at)
{
	STORE_STMT s = store_statement(m, STMT_SEARCH_AT);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)search->folder);
	sqlite3_bind_int(s, 2, running);
	sqlite3_bind_int64(s, 3, (int64_t)at);
	return store_run(m, s, DOING);
}

/* Up to max messages behind *at; fewer: it was the end. */
static int look_through(struct store_mailbox *m, struct store_search *search, unsigned max, uint64_t *at,
                        unsigned *seen)
{
	STORE_ARENA scratch = arena_new(SCRATCH_MAX);
	STORE_STMT s = store_statement(m, STMT_SEARCH_NEXT);
	int r = s && scratch ? 1 : MW_E_NOMEM;

	*seen = 0;
	if (s) {
		sqlite3_bind_int64(s, 1, (int64_t)*at);
		sqlite3_bind_int64(s, 2, max);
	}
	while (r > 0 && (r = store_step(m, s, DOING)) > 0) {
		struct store_object o;
		int e = store_message_row(m, s, &o);
		o.in_table = true;
		if (e >= 0)
			e = look_for(m, search, scratch, &o);
		*at = o.id;
		(*seen)++;
		r = e < 0 ? e : 1;
	}
	return r < 0 ? r : 0;
}

static int step(struct store_mailbox *m, struct store_search *search, unsigned max, uint64_t *ticket)
{
	struct store_change done = {.kind = STORE_SEARCH_DONE,
	                            .folder = store_id(STORE_REPLID, search->folder),
	                            .content_count = -1,
	                            .unread_count = -1,
	                            .message_class = ""};
	uint64_t at = search->at;
	unsigned seen;
	int r = store_begin(m);

	if (r < 0)
		return r;
	r = look_through(m, search, max, &at, &seen);
	if (r >= 0)
		r = write_at(m, search, seen == max, at);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	r = store_commit(m, ticket);
	if (r < 0)
		return r;
	search->at = at;
	search->running = seen == max;
	store_searches_tell(m, *ticket);
	done.ticket = *ticket;
	if (!search->running)
		store_tell(m, &done);
	return 0;
}

static struct store_search *running(struct store_mailbox *m)
{
	struct store_search *s = m->searches;

	while (s && !s->running)
		s = s->next;
	return s;
}

int store_search_step(struct store_mailbox *m, unsigned max, bool *more, uint64_t *ticket)
{
	struct store_search *s = running(m);
	int r = s ? step(m, s, max, ticket) : 0;

	*more = running(m) != NULL;
	return r;
}

int store_searches(struct store_mailbox *m, bool *any, bool *is_running)
{
	*any = m->searches != NULL;
	*is_running = running(m) != NULL;
	return 0;
}
