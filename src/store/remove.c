#include "store/message_private.h"

#include "store/folder.h"
#include "store/permission_private.h"
#include "store/search_private.h"

#include <stdlib.h>
#include <string.h>

/*
 * Folders and what is in them, deleted: from the leaves up, so many messages or one folder a transaction. What folders
 * there are is listed at the beginning; one that comes later keeps the one above it.
 */

#define DOING "Deleting a folder"
#define DEPTH_MAX 256
#define IDS_MAX ((size_t)256 << 20)
#define MESSAGES_A_STEP 32
#define FOLDERS_MAX 100000

int store_folder_children(struct store_mailbox *m, struct arena *arena, uint64_t parent, uint64_t **out, size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_CHILDREN);
	struct buf ids = {0};
	int r = s ? 1 : MW_E_IO;

	if (s)
		sqlite3_bind_int64(s, 1, (int64_t)parent);
	while (r > 0 && (r = store_step(m, s, "Reading folders")) > 0)
		buf_put_u64(&ids, (uint64_t)sqlite3_column_int64(s, 0));
	if (r >= 0) {
		*out = arena_copy(arena, ids.data ? (void *)ids.data : (void *)"", ids.len);
		*count = ids.len / 8;
		r = *out && !buf_error(&ids) ? 0 : MW_E_NOMEM;
	}
	buf_free(&ids);
	return r;
}

int store_folder_messages(struct store_mailbox *m, struct arena *arena, uint64_t folder, bool associated, int max,
                          struct store_present **out, size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_MESSAGES);
	struct buf rows = {.max = IDS_MAX};
	int r = s ? 1 : MW_E_IO;

	if (s) {
		sqlite3_bind_int64(s, 1, (int64_t)folder);
		sqlite3_bind_int(s, 2, associated);
		sqlite3_bind_int(s, 3, max);
	}
	while (r > 0 && (r = store_step(m, s, "Reading a folder's messages")) > 0) {
		struct store_present row = {.id = (uint64_t)sqlite3_column_int64(s, 0),
		                            .flags = (uint32_t)sqlite3_column_int64(s, 1),
		                            .size = (uint64_t)sqlite3_column_int64(s, 2)};
		buf_put(&rows, &row, sizeof row);
	}
	if (r >= 0) {
		*out = arena_copy(arena, rows.data ? (void *)rows.data : (void *)"", rows.len);
		*count = rows.len / sizeof **out;
		r = *out && !buf_error(&rows) ? 0 : MW_E_NOMEM;
	}
	buf_free(&rows);
	return r;
}

int store_folder_ids(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t **ids, size_t *count)
{
	uint64_t counter;
	int r = store_own_id(folder, &counter) ? store_folder_children(m, arena, counter, ids, count) : MW_E_NOTFOUND;

	for (size_t i = 0; r >= 0 && i < *count; i++)
		(*ids)[i] = store_id(STORE_REPLID, (*ids)[i]);
	return r;
}

int store_message_ids(struct store_mailbox *m, struct arena *arena, uint64_t folder, bool associated, uint64_t **ids,
                      size_t *count)
{
	struct store_present *rows = NULL;
	uint64_t counter, *out;
	size_t n = 0;
	int r = store_own_id(folder, &counter) ? store_folder_messages(m, arena, counter, associated, -1, &rows, &n)
	                                       : MW_E_NOTFOUND;

	if (r < 0)
		return r;
	out = arena_new_array(arena, uint64_t, n);
	for (size_t i = 0; out && i < n; i++)
		out[i] = store_id(STORE_REPLID, rows[i].id);
	*ids = out;
	*count = n;
	return out ? 0 : MW_E_NOMEM;
}

/* Of one folder: its messages, what is associated with it, itself. */
enum phase { MESSAGES, CHECK, ASSOCIATED, FOLDER };

struct store_removal {
	struct store_mailbox *m;
	unsigned flags;
	bool empty, associated; /* the first folder itself stays; what is associated with it goes */
	int64_t keeps;          /* its messages are kept as deleted then; 0: they go for good */
	uint64_t folder;
	struct buf folders; /* u64, the leaves first; the last is the one asked for */
	size_t at;
	enum phase phase;
	struct store_progress progress;
};

/* ---- Messages ---- */

static void tell_messages(struct store_removal *x, uint64_t folder, bool associated, const struct store_present *rows,
                          size_t count, const struct store_change *counts)
{
	struct store_change c = *counts;

	for (size_t i = 0; i < count; i++) {
		c.kind = STORE_DELETED;
		c.folder = store_id(STORE_REPLID, folder);
		c.message = store_id(STORE_REPLID, rows[i].id);
		c.associated = associated;
		c.message_flags = rows[i].flags;
		c.message_class = "";
		store_tell(x->m, &c);
	}
	if (count > 0)
		store_tell_counts(x->m, &c);
}

static int drop_rows(struct store_removal *x, uint64_t folder, bool associated, const struct store_present *rows,
                     size_t count, struct store_change *change)
{
	struct store_counts by = {.deleted = (int)count};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = store_found_drop(x->m, rows[i].id, rows[i].flags, rows[i].size);
		if (r >= 0)
			r = x->keeps && folder == x->folder ? store_discard_row(x->m, rows[i].id, x->keeps)
			                                    : store_message_delete_row(x->m, rows[i].id);
		by.size -= (int64_t)rows[i].size;
		by.unread -= !associated && !(rows[i].flags & MF_READ);
	}
	*(associated ? &by.associated : &by.contents) = -(int)count;
	return r < 0 ? r : store_folder_count(x->m, folder, &by, &change->content_count, &change->unread_count);
}

/* Some of them; 1: there may be more. */
static int remove_messages(struct store_removal *x, uint64_t folder, bool associated)
{
	STORE_ARENA arena = arena_new(0);
	struct store_change change = {0};
	struct store_present *rows = NULL;
	size_t count = 0;
	int r = arena ? store_folder_messages(x->m, arena, folder, associated, MESSAGES_A_STEP, &rows, &count)
	              : MW_E_NOMEM;

	if (r < 0 || count == 0)
		return r;
	r = store_begin(x->m);
	if (r < 0)
		return r;
	r = drop_rows(x, folder, associated, rows, count, &change);
	if (r < 0) {
		store_rollback(x->m);
		return r;
	}
	r = store_commit(x->m, &change.ticket);
	if (r < 0)
		return r;
	x->progress.ticket = change.ticket;
	x->progress.done += count;
	tell_messages(x, folder, associated, rows, count, &change);
	return count == MESSAGES_A_STEP;
}

/* ---- Folders ---- */

static int drop_folder(struct store_removal *x, const struct store_object *o)
{
	struct store_change change = {.kind = STORE_DELETED,
	                              .folder = store_id(STORE_REPLID, o->id),
	                              .parent = store_id(STORE_REPLID, o->parent),
	                              .content_count = -1,
	                              .unread_count = -1,
	                              .message_class = ""};
	STORE_STMT s = store_statement(x->m, STMT_FOLDER_DELETE);
	int r = s ? store_begin(x->m) : MW_E_IO;

	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 1, (int64_t)o->id);
	r = store_run(x->m, s, DOING);
	sqlite3_reset(s);
	if (r >= 0)
		r = store_permissions_drop(x->m, o->id);
	if (r >= 0)
		r = store_deleted_drop(x->m, o->id);
	if (r >= 0 && o->type == STORE_FOLDER_SEARCH)
		r = store_search_remove(x->m, o->id);
	if (r < 0) {
		store_rollback(x->m);
		return r;
	}
	r = store_commit(x->m, &change.ticket);
	if (r < 0)
		return r;
	x->progress.ticket = change.ticket;
	x->progress.done++;
	store_search_forget(x->m, o->id);
	store_tell(x->m, &change);
	return 0;
}

static int load(struct store_removal *x, struct arena *arena, uint64_t folder, struct store_object *o)
{
	return arena ? store_folder_load(x->m, arena, folder, o) : MW_E_NOMEM;
}

/* Special folders stay, and so does what holds them. 1: it can go. */
static int may_go(struct store_removal *x, uint64_t folder)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};
	int r = load(x, arena, folder, &o);

	if (r < 0)
		return r;
	if (folder >= STORE_FIRST_ID && o.children == 0 && (o.contents == 0 || o.type == STORE_FOLDER_SEARCH))
		return 1;
	x->progress.partial = true;
	return 0;
}

static int remove_folder(struct store_removal *x, uint64_t folder)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};
	int r = load(x, arena, folder, &o);

	if (r >= 0 && (o.children > 0 || o.associated_count > 0 || (o.contents > 0 && o.type != STORE_FOLDER_SEARCH))) {
		x->progress.partial = true; /* something has come meanwhile */
		return 0;
	}
	return r < 0 ? r : drop_folder(x, &o);
}

static void next_folder(struct store_removal *x)
{
	x->at++;
	x->phase = MESSAGES;
}

/* The folder that is only emptied. */
static int step_emptied(struct store_removal *x, uint64_t folder)
{
	int r = x->phase == MESSAGES ? remove_messages(x, folder, false)
	        : x->associated      ? remove_messages(x, folder, true)
	                             : 0;

	if (r == 0 && x->phase == MESSAGES)
		x->phase = ASSOCIATED;
	else if (r == 0)
		next_folder(x);
	return r < 0 ? r : 0;
}

static int step(struct store_removal *x, uint64_t folder)
{
	int r = 0;

	switch (x->phase) {
	case MESSAGES:
		r = x->flags & STORE_DELETE_MESSAGES ? remove_messages(x, folder, false) : 0;
		x->phase = r == 0 ? CHECK : MESSAGES;
		break;
	case CHECK:
		r = may_go(x, folder);
		if (r == 0)
			next_folder(x);
		else
			x->phase = ASSOCIATED;
		break;
	case ASSOCIATED:
		r = remove_messages(x, folder, true);
		x->phase = r == 0 ? FOLDER : ASSOCIATED;
		break;
	default:
		r = remove_folder(x, folder);
		next_folder(x);
	}
	/* Somebody else was faster. */
	if (r == MW_E_NOTFOUND) {
		next_folder(x);
		r = 0;
	}
	return r < 0 ? r : 0;
}

int store_removal_step(struct store_removal *x, bool *more)
{
	size_t count = x->folders.len / sizeof(uint64_t);
	uint64_t folder;
	int r = 0;

	if (x->at < count) {
		memcpy(&folder, x->folders.data + x->at * sizeof folder, sizeof folder);
		r = x->empty && x->at == count - 1 ? step_emptied(x, folder) : step(x, folder);
	}
	*more = r >= 0 && x->at < count;
	return r;
}

void store_removal_keep(struct store_removal *x, int64_t now)
{
	x->keeps = now;
}

const struct store_progress *store_removal_progress(const struct store_removal *x)
{
	return &x->progress;
}

/* ---- The beginning ---- */

static int list_folders(struct store_removal *x, struct arena *arena, uint64_t folder, unsigned depth)
{
	struct store_object o = {0};
	uint64_t *ids = NULL;
	size_t count = 0;
	int r = depth < DEPTH_MAX ? load(x, arena, folder, &o)
	                          : store_say(x->m, MW_E_LIMIT, "The folders lie too deep.");

	if (r >= 0 && x->flags & STORE_DELETE_FOLDERS)
		r = store_folder_children(x->m, arena, folder, &ids, &count);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = list_folders(x, arena, ids[i], depth + 1);
	x->progress.total += o.contents + o.associated_count + 1;
	return r < 0 ? r : buf_put(&x->folders, &folder, sizeof folder);
}

static int begin(struct store_removal *x, uint64_t folder)
{
	STORE_ARENA arena = arena_new(IDS_MAX);

	if (!store_own_id(folder, &x->folder))
		return MW_E_NOTFOUND;
	if (!x->empty && x->folder < STORE_FIRST_ID)
		return MW_E_STATE;
	return arena ? list_folders(x, arena, x->folder, 0) : MW_E_NOMEM;
}

static int new_removal(const struct store_removal *model, uint64_t folder, struct store_removal **out)
{
	struct store_removal *x = malloc(sizeof *x);
	int r;

	if (!x)
		return MW_E_NOMEM;
	*x = *model;
	x->folders.max = FOLDERS_MAX * sizeof(uint64_t);
	r = begin(x, folder);
	if (r < 0)
		store_removal_free(&x);
	else
		*out = x;
	return r;
}

int store_folder_delete_begin(struct store_mailbox *m, uint64_t folder, unsigned flags, struct store_removal **out)
{
	const struct store_removal model = {.m = m, .flags = flags};

	return new_removal(&model, folder, out);
}

int store_folder_empty_begin(struct store_mailbox *m, uint64_t folder, bool associated, struct store_removal **out)
{
	const struct store_removal model = {
	        .m = m, .flags = STORE_DELETE_MESSAGES | STORE_DELETE_FOLDERS, .empty = true, .associated = associated};

	return new_removal(&model, folder, out);
}

void store_removal_free(struct store_removal **removal)
{
	struct store_removal *x = *removal;

	*removal = NULL;
	if (x)
		buf_free(&x->folders);
	free(x);
}

/* ---- All of it ---- */

static int run(struct store_removal *x, bool *partial, uint64_t *ticket)
{
	bool more = true;
	int r = 0;

	while (r >= 0 && more)
		r = store_removal_step(x, &more);
	if (ticket)
		*ticket = x->progress.ticket;
	if (r >= 0)
		*partial = x->progress.partial;
	store_removal_free(&x);
	return r;
}

int store_folder_delete(struct store_mailbox *m, uint64_t folder, unsigned flags, int64_t now, bool *partial,
                        uint64_t *ticket)
{
	struct store_removal *x = NULL;
	int r = store_folder_delete_begin(m, folder, flags, &x);

	(void)now;
	return r < 0 ? r : run(x, partial, ticket);
}

int store_folder_empty(struct store_mailbox *m, uint64_t folder, bool associated, int64_t now, bool *partial,
                       uint64_t *ticket)
{
	struct store_removal *x = NULL;
	int r = store_folder_empty_begin(m, folder, associated, &x);

	(void)now;
	return r < 0 ? r : run(x, partial, ticket);
}
