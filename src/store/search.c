#include "store/search_private.h"

#include "store/folder.h"
#include "store/message_private.h"

#include <stdlib.h>
#include <string.h>

#define DOING "Keeping a search"

/* ---- In memory ---- */

static void free_search(struct store_search **search)
{
	struct store_search *s = *search;

	*search = NULL;
	if (!s)
		return;
	store_condition_free(&s->condition);
	arena_free(&s->arena);
	free(s);
}

void store_searches_free(struct store_mailbox *m)
{
	while (m->searches) {
		struct store_search *s = m->searches;
		m->searches = s->next;
		free_search(&s);
	}
}

static struct store_search **link_of(struct store_mailbox *m, uint64_t folder)
{
	struct store_search **link = &m->searches;

	while (*link && (*link)->folder != folder)
		link = &(*link)->next;
	return link;
}

void store_search_forget(struct store_mailbox *m, uint64_t folder)
{
	struct store_search **link = link_of(m, folder), *s = *link;

	if (s) {
		*link = s->next;
		free_search(&s);
	}
}

/* Made ready from what is kept. */
static int make(struct store_mailbox *m, uint64_t folder, uint32_t flags, const void *restriction, size_t size,
                const void *scope, size_t scope_size, struct store_search **out)
{
	struct store_search *s = calloc(1, sizeof *s);
	struct mapi_restriction *r = NULL;
	int e = s ? 0 : MW_E_NOMEM;

	if (e >= 0 && !(s->arena = arena_new(0)))
		e = MW_E_NOMEM;
	if (e >= 0)
		e = mapi_restriction_decode(s->arena, restriction, size, &r);
	if (e >= 0)
		e = store_condition_new(m, r, &s->condition);
	if (e >= 0) {
		s->folder = folder;
		s->flags = flags;
		s->scope = arena_copy(s->arena, scope, scope_size);
		s->scope_count = scope_size / sizeof *s->scope;
		s->condition->by_words = flags & SEARCH_BY_WORDS;
		e = s->scope ? 0 : MW_E_NOMEM;
	}
	if (e < 0)
		free_search(&s);
	else
		*out = s;
	return e;
}

/* One that cannot be read is left out: the folder then is one that was never given criteria. */
int store_searches_load(struct store_mailbox *m)
{
	STORE_STMT s = store_statement(m, STMT_SEARCH_ALL);
	struct store_search **end = &m->searches;
	int r = s ? 1 : MW_E_IO;

	while (r > 0 && (r = store_step(m, s, DOING)) > 0) {
		uint64_t folder = (uint64_t)sqlite3_column_int64(s, 0);
		uint32_t flags = (uint32_t)sqlite3_column_int64(s, 1);
		int e = make(m, folder, flags, sqlite3_column_blob(s, 4), (size_t)sqlite3_column_bytes(s, 4),
		             sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5), end);
		if (e == MW_E_NOMEM)
			return e;
		if (e < 0)
			continue;
		(*end)->running = sqlite3_column_int(s, 2);
		(*end)->at = (uint64_t)sqlite3_column_int64(s, 3);
		end = &(*end)->next;
	}
	return r < 0 ? r : 0;
}

/* ---- Setting ---- */

struct kept {
	struct buf restriction, scope;
	uint32_t flags;
};

static int check_folder(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t *counter,
                        uint32_t *type)
{
	struct store_object o = {0};
	int r = store_own_id(folder, counter) ? store_folder_load(m, arena, *counter, &o) : MW_E_NOTFOUND;

	*type = o.type;
	return r;
}

static int put_scope(struct store_mailbox *m, struct arena *arena, const struct store_criteria *c,
                     const struct store_search *old, struct buf *out)
{
	int r = c->folder_count > STORE_MAX_SCOPE ? MW_E_LIMIT : 0;

	if (c->folder_count == 0)
		return old ? buf_put(out, old->scope, old->scope_count * 8) : MW_E_INVALID;
	for (size_t i = 0; r >= 0 && i < c->folder_count; i++) {
		uint64_t counter;
		uint32_t type;
		r = check_folder(m, arena, c->folders[i], &counter, &type);
		if (r >= 0 && type == STORE_FOLDER_SEARCH)
			r = MW_E_UNSUPPORTED;
		if (r >= 0)
			r = buf_put_u64(out, counter);
	}
	return r;
}

static int write_row(struct store_mailbox *m, uint64_t folder, const struct kept *k, bool running)
{
	STORE_STMT s = store_statement(m, STMT_SEARCH_PUT);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int64(s, 2, k->flags);
	sqlite3_bind_int(s, 3, running);
	sqlite3_bind_int64(s, 4, 0);
	sqlite3_bind_blob(s, 5, k->restriction.data, (int)k->restriction.len, SQLITE_STATIC);
	sqlite3_bind_blob(s, 6, k->scope.data, (int)k->scope.len, SQLITE_STATIC);
	return store_run(m, s, DOING);
}

static int run_on(struct store_mailbox *m, enum store_statement which, uint64_t folder)
{
	STORE_STMT s = store_statement(m, which);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	return store_run(m, s, DOING);
}

/* What it has found is forgotten, and it begins to look. */
static int begin_anew(struct store_mailbox *m, struct store_search *s, const struct kept *k, uint64_t *ticket)
{
	int r = store_begin(m);

	if (r < 0)
		return r;
	r = write_row(m, s->folder, k, true);
	if (r >= 0)
		r = run_on(m, STMT_FOUND_CLEAR, s->folder);
	if (r >= 0)
		r = run_on(m, STMT_FOLDER_EMPTY, s->folder);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	r = store_commit(m, ticket);
	if (r >= 0) {
		s->running = true;
		s->at = 0;
		s->touched = true;
		s->contents = s->unread = 0;
	}
	return r;
}

static int put_criteria(struct store_mailbox *m, struct arena *arena, const struct store_criteria *c,
                        const struct store_search *old, struct kept *k)
{
	const struct mapi_restriction *r = c->restriction ? c->restriction : old ? old->condition->root : NULL;
	int e = r ? mapi_restriction_encode(arena, r, &k->restriction) : MW_E_INVALID;

	if (e >= 0)
		e = put_scope(m, arena, c, old, &k->scope);
	k->flags = (c->recursive ? SEARCH_RECURSIVE : 0u) | (c->fixed ? SEARCH_FIXED : 0u) |
	           (c->by_words ? SEARCH_BY_WORDS : 0u);
	return e;
}

static size_t count_searches(const struct store_mailbox *m)
{
	size_t n = 0;

	for (const struct store_search *s = m->searches; s; s = s->next)
		n++;
	return n;
}

static int set(struct store_mailbox *m, struct arena *arena, uint64_t folder, const struct store_criteria *c,
               struct kept *k, uint64_t *ticket)
{
	struct store_search **link = link_of(m, folder), *s = NULL;
	int r = put_criteria(m, arena, c, *link, k);

	if (r >= 0 && !*link && count_searches(m) >= STORE_MAX_SEARCHES)
		r = MW_E_LIMIT;
	if (r >= 0)
		r = make(m, folder, k->flags, k->restriction.data, k->restriction.len, k->scope.data, k->scope.len, &s);
	if (r >= 0)
		r = begin_anew(m, s, k, ticket);
	if (r < 0) {
		free_search(&s);
		return r;
	}
	store_search_forget(m, folder);
	s->next = m->searches;
	m->searches = s;
	store_searches_tell(m, *ticket);
	return 0;
}

int store_search_set(struct store_mailbox *m, uint64_t folder, const struct store_criteria *c, bool *running,
                     uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	struct kept k = {.restriction = {.max = STORE_MAX_RESTRICTION}};
	uint64_t counter = 0;
	uint32_t type = 0;
	int r = arena ? check_folder(m, arena, folder, &counter, &type) : MW_E_NOMEM;

	if (r >= 0 && type != STORE_FOLDER_SEARCH)
		r = MW_E_STATE;
	if (r >= 0)
		r = set(m, arena, counter, c, &k, ticket);
	buf_free(&k.restriction);
	buf_free(&k.scope);
	*running = r >= 0;
	return r;
}

int store_search_stop(struct store_mailbox *m, uint64_t folder, uint64_t *ticket)
{
	STORE_STMT s = store_statement(m, STMT_SEARCH_AT);
	uint64_t counter;
	struct store_search *search = store_own_id(folder, &counter) ? *link_of(m, counter) : NULL;
	int r;

	if (!search || !s)
		return search ? MW_E_IO : MW_E_INVALID;
	r = store_begin(m);
	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 1, (int64_t)counter);
	sqlite3_bind_int(s, 2, 0);
	sqlite3_bind_int64(s, 3, (int64_t)search->at);
	r = store_run(m, s, DOING);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	search->running = false;
	return store_commit(m, ticket);
}

int store_search_get(struct store_mailbox *m, struct arena *arena, uint64_t folder, struct store_criteria *out,
                     bool *running)
{
	uint64_t counter, *folders;
	uint32_t type = 0;
	const struct store_search *s;
	int r = check_folder(m, arena, folder, &counter, &type);

	if (r < 0 || type != STORE_FOLDER_SEARCH)
		return r < 0 ? r : MW_E_STATE;
	s = *link_of(m, counter);
	if (!s)
		return MW_E_INVALID;
	folders = arena_new_array(arena, uint64_t, s->scope_count);
	for (size_t i = 0; folders && i < s->scope_count; i++)
		folders[i] = store_id(STORE_REPLID, s->scope[i]);
	*out = (struct store_criteria){.restriction = s->condition->root,
	                               .folders = folders,
	                               .folder_count = s->scope_count,
	                               .recursive = s->flags & SEARCH_RECURSIVE,
	                               .fixed = s->flags & SEARCH_FIXED,
	                               .by_words = s->flags & SEARCH_BY_WORDS};
	*running = s->running;
	return folders ? 0 : MW_E_NOMEM;
}

int store_search_remove(struct store_mailbox *m, uint64_t folder)
{
	int r = run_on(m, STMT_SEARCH_DELETE, folder);

	return r < 0 ? r : run_on(m, STMT_FOUND_CLEAR, folder);
}

int store_searches_restart(struct store_mailbox *m, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	int r = arena ? 0 : MW_E_NOMEM;

	for (struct store_search *s = m->searches; r >= 0 && s; s = s->next) {
		struct kept k = {.flags = s->flags};
		if (!(s->flags & SEARCH_RECURSIVE) || s->flags & SEARCH_FIXED)
			continue;
		r = mapi_restriction_encode(arena, s->condition->root, &k.restriction);
		if (r >= 0)
			r = buf_put(&k.scope, s->scope, s->scope_count * 8);
		if (r >= 0)
			r = begin_anew(m, s, &k, ticket);
		buf_free(&k.restriction);
		buf_free(&k.scope);
	}
	if (r >= 0)
		store_searches_tell(m, *ticket);
	return r;
}
