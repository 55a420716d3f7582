#include "store/message_private.h"

#include "store/folder.h"
#include "store/permission_private.h"
#include "store/search_private.h"

/*
 * Folders and what is in them, deleted: one transaction a folder, from the leaves up, so that a failure leaves whole
 * folders.
 */

#define DOING "Deleting a folder"
#define DEPTH_MAX 256
#define IDS_MAX ((size_t)256 << 20)

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

int store_folder_messages(struct store_mailbox *m, struct arena *arena, uint64_t folder, bool associated,
                          struct store_present **out, size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_MESSAGES);
	struct buf rows = {.max = IDS_MAX};
	int r = s ? 1 : MW_E_IO;

	if (s) {
		sqlite3_bind_int64(s, 1, (int64_t)folder);
		sqlite3_bind_int(s, 2, associated);
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

int store_message_ids(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t **ids, size_t *count)
{
	struct store_present *rows = NULL;
	uint64_t counter, *out;
	size_t n = 0;
	int r = store_own_id(folder, &counter) ? store_folder_messages(m, arena, counter, false, &rows, &n)
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

struct removal {
	struct store_mailbox *m;
	struct arena *arena;
	unsigned flags;
	bool partial;
	uint64_t ticket;
};

/* ---- Messages ---- */

static void tell_messages(struct removal *x, uint64_t folder, bool associated, const struct store_present *rows,
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

static int drop_rows(struct removal *x, uint64_t folder, bool associated, const struct store_present *rows,
                     size_t count, struct store_change *change)
{
	struct store_counts by = {.deleted = (int)count};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = store_found_drop(x->m, rows[i].id, rows[i].flags, rows[i].size);
		if (r >= 0)
			r = store_message_delete_row(x->m, rows[i].id);
		by.size -= (int64_t)rows[i].size;
		by.unread -= !associated && !(rows[i].flags & MF_READ);
	}
	*(associated ? &by.associated : &by.contents) = -(int)count;
	return r < 0 ? r : store_folder_count(x->m, folder, &by, &change->content_count, &change->unread_count);
}

static int remove_messages(struct removal *x, uint64_t folder, bool associated)
{
	struct store_change change = {0};
	struct store_present *rows = NULL;
	size_t count = 0;
	int r = store_folder_messages(x->m, x->arena, folder, associated, &rows, &count);

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
	x->ticket = change.ticket;
	tell_messages(x, folder, associated, rows, count, &change);
	return 0;
}

/* ---- Folders ---- */

static int remove_folder(struct removal *x, uint64_t folder, unsigned depth);

static int remove_children(struct removal *x, uint64_t folder, unsigned depth)
{
	uint64_t *ids = NULL;
	size_t count = 0;
	int r = store_folder_children(x->m, x->arena, folder, &ids, &count);

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = remove_folder(x, ids[i], depth + 1);
	return r;
}

static int drop_folder(struct removal *x, const struct store_object *o)
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
	if (r >= 0 && o->type == STORE_FOLDER_SEARCH)
		r = store_search_remove(x->m, o->id);
	if (r < 0) {
		store_rollback(x->m);
		return r;
	}
	r = store_commit(x->m, &change.ticket);
	if (r < 0)
		return r;
	x->ticket = change.ticket;
	store_search_forget(x->m, o->id);
	store_tell(x->m, &change);
	return 0;
}

/* Special folders stay, and so does what holds them. */
static int remove_folder(struct removal *x, uint64_t folder, unsigned depth)
{
	struct store_object o = {0};
	int r = depth < DEPTH_MAX ? 0 : store_say(x->m, MW_E_LIMIT, "The folders lie too deep.");

	if (r >= 0 && x->flags & STORE_DELETE_FOLDERS)
		r = remove_children(x, folder, depth);
	if (r >= 0 && x->flags & STORE_DELETE_MESSAGES)
		r = remove_messages(x, folder, false);
	if (r >= 0)
		r = store_folder_load(x->m, x->arena, folder, &o);
	if (r < 0)
		return r;
	if (folder < STORE_FIRST_ID || o.children > 0 || (o.contents > 0 && o.type != STORE_FOLDER_SEARCH)) {
		x->partial = true;
		return 0;
	}
	r = remove_messages(x, folder, true);
	return r < 0 ? r : drop_folder(x, &o);
}

static int begin(struct removal *x, uint64_t folder, uint64_t *counter)
{
	struct store_object o = {0};

	if (!store_own_id(folder, counter))
		return MW_E_NOTFOUND;
	return x->arena ? store_folder_load(x->m, x->arena, *counter, &o) : MW_E_NOMEM;
}

int store_folder_delete(struct store_mailbox *m, uint64_t folder, unsigned flags, int64_t now, bool *partial,
                        uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(IDS_MAX);
	struct removal x = {.m = m, .arena = arena, .flags = flags};
	uint64_t counter = 0;
	int r = begin(&x, folder, &counter);

	(void)now;
	if (r >= 0 && counter < STORE_FIRST_ID)
		r = MW_E_STATE;
	if (r >= 0)
		r = remove_folder(&x, counter, 0);
	*ticket = x.ticket;
	if (r >= 0)
		*partial = x.partial;
	return r;
}

int store_folder_empty(struct store_mailbox *m, uint64_t folder, bool associated, int64_t now, bool *partial,
                       uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(IDS_MAX);
	struct removal x = {.m = m, .arena = arena, .flags = STORE_DELETE_MESSAGES | STORE_DELETE_FOLDERS};
	uint64_t counter = 0;
	int r = begin(&x, folder, &counter);

	(void)now;
	if (r >= 0)
		r = remove_children(&x, counter, 0);
	if (r >= 0)
		r = remove_messages(&x, counter, false);
	if (r >= 0 && associated)
		r = remove_messages(&x, counter, true);
	*ticket = x.ticket;
	if (r >= 0)
		*partial = x.partial;
	return r;
}
