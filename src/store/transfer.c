#include "store/message_private.h"

#include "base/time.h"
#include "base/utf16.h"
#include "store/deleted.h"
#include "store/folder.h"
#include "store/search_private.h"

#include <stdlib.h>
#include <string.h>

/* Messages and folders, moved and copied inside one mailbox. */

#define DEPTH_MAX 256
#define IDS_MAX ((size_t)256 << 20)

/* ---- Messages ---- */

static struct store_counts counts_of(const struct store_object *o, int sign)
{
	struct store_counts by = {.size = sign * (int64_t)o->size};

	if (o->gone && sign < 0) /* nothing counts it where it was deleted */
		return (struct store_counts){0};
	by.contents = o->associated ? 0 : sign;
	by.associated = o->associated ? sign : 0;
	by.unread = !o->associated && !(o->flags & MF_READ) ? sign : 0;
	return by;
}

static int run_move(struct store_mailbox *m, uint64_t from, uint64_t id, uint64_t folder, uint64_t change)
{
	STORE_STMT s = store_statement(m, STMT_MESSAGE_MOVE);
	STORE_STMT values = store_statement(m, STMT_VALUES_MOVE);
	int r;

	if (!s || !values)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)from);
	sqlite3_bind_int64(s, 2, (int64_t)id);
	sqlite3_bind_int64(s, 3, (int64_t)folder);
	sqlite3_bind_int64(s, 4, (int64_t)change);
	r = store_run(m, s, "Moving a message");
	if (r < 0)
		return r;
	sqlite3_bind_int64(values, 1, (int64_t)from);
	sqlite3_bind_int64(values, 2, (int64_t)id);
	return store_run(m, values, "Moving a message");
}

static int move_row(const struct store_object *o, uint64_t id, uint64_t to, struct store_change *there,
                    struct store_change *here)
{
	struct store_counts by = counts_of(o, 1), back = counts_of(o, -1);
	int r = store_found_drop(o->m, o->id, o->flags, o->size);

	if (r >= 0)
		r = run_move(o->m, o->id, id, to, store_next_id(o->m));
	if (r >= 0)
		r = store_found_look(o->m, id);
	if (r >= 0)
		r = store_folder_count(o->m, to, &by, &there->content_count, &there->unread_count);
	if (r >= 0)
		r = store_folder_count(o->m, o->parent, &back, &here->content_count, &here->unread_count);
	return r;
}

static int move(const struct store_object *o, uint64_t to, struct store_change *there, struct store_change *here)
{
	uint64_t id;
	int r = store_reserve_ids(o->m, 2);

	if (r >= 0)
		r = store_begin_together(o->m, 0);
	if (r < 0)
		return r;
	id = store_next_id(o->m);
	r = move_row(o, id, to, there, here);
	if (r < 0) {
		store_rollback(o->m);
		return r;
	}
	there->message = store_id(STORE_REPLID, id);
	return store_commit(o->m, &there->ticket);
}

static int find_folder(struct store_mailbox *m, uint64_t folder, uint64_t *counter)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};

	if (!store_own_id(folder, counter))
		return MW_E_NOTFOUND;
	return arena ? store_folder_load(m, arena, *counter, &o) : MW_E_NOMEM;
}

/* One that something may be put into. */
static int find_place(struct store_mailbox *m, uint64_t folder, uint64_t *counter)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};
	int r = MW_E_NOTFOUND;

	if (store_own_id(folder, counter))
		r = arena ? store_folder_load(m, arena, *counter, &o) : MW_E_NOMEM;
	return r >= 0 && o.type == STORE_FOLDER_SEARCH ? MW_E_UNSUPPORTED : r;
}

int store_message_move(struct store_mailbox *m, uint64_t folder, uint64_t message, uint64_t to, int64_t now,
                       uint64_t *moved, uint64_t *ticket)
{
	struct store_change there = {
	        .kind = STORE_MOVED, .folder = to, .old_folder = folder, .old_message = message, .message_class = ""};
	struct store_change here = {.folder = folder};
	struct store_object o = {0};
	uint64_t counter = 0;
	int r = find_place(m, to, &counter);

	(void)now; /* the time of last modification stays */
	if (r >= 0)
		r = store_message_find_any(m, folder, message, &o);
	if (r >= 0 && o.flags & MF_SUBMITTED)
		r = MW_E_STATE;
	if (r >= 0)
		r = move(&o, counter, &there, &here);
	if (r < 0)
		return r;
	there.old_folder = here.folder = store_id(STORE_REPLID, o.parent);
	if (o.gone) { /* it comes back from nowhere */
		there.kind = STORE_CREATED;
		there.old_folder = there.old_message = 0;
	}
	there.associated = o.associated;
	there.message_flags = o.flags;
	here.ticket = *ticket = there.ticket;
	*moved = there.message;
	store_tell(m, &there);
	store_tell_counts(m, &here);
	store_tell_counts(m, &there);
	return 0;
}

int store_message_copy(struct store_mailbox *m, uint64_t folder, uint64_t message, uint64_t to, int64_t now,
                       uint64_t *copy, uint64_t *ticket)
{
	const struct store_arrival how = {.kind = STORE_COPIED, .old_folder = folder, .old_message = message};
	struct store_message *from = NULL, *msg = NULL;
	int r = store_message_open_deleted(m, folder, message, &from);

	if (r >= 0)
		r = store_message_create(m, to, from->associated, now, &msg);
	if (r >= 0)
		r = store_message_take(msg, from);
	if (r >= 0) {
		msg->flags = from->flags & ~MF_SUBMITTED;
		msg->flags_given = true;
		r = store_message_write(msg, false, &how, now, ticket);
	}
	if (r >= 0)
		*copy = store_message_id(msg);
	store_message_close(&msg);
	store_message_close(&from);
	return r;
}

/* ---- Folders ---- */

/* Whether a folder is the other one or above it. */
static int is_above(struct store_mailbox *m, uint64_t above, uint64_t folder)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {.parent = folder};

	for (int depth = 0; arena && o.parent != 0; depth++) {
		int r = depth > DEPTH_MAX ? MW_E_LIMIT : store_folder_load(m, arena, o.parent, &o);
		if (r < 0)
			return r;
		if (o.id == above)
			return 1;
	}
	return arena ? 0 : MW_E_NOMEM;
}

/* Both are there, the one may go into the other, and the name is none of another's. */
static int check(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name, uint64_t *counter,
                 uint64_t *above)
{
	uint64_t taken;
	int r = find_folder(m, folder, counter);

	if (r >= 0)
		r = find_place(m, parent, above);
	if (r >= 0)
		r = is_above(m, *counter, *above);
	if (r != 0)
		return r < 0 ? r : MW_E_INVALID;
	r = store_folder_find(m, parent, name, &taken);
	if (r == 0 && taken != folder)
		return MW_E_EXISTS;
	return r < 0 && r != MW_E_NOTFOUND ? r : 0;
}

static int write_place(const struct store_object *o, struct arena *arena, uint64_t parent, const char *name,
                       int64_t now)
{
	STORE_STMT s = store_statement(o->m, STMT_FOLDER_MOVE);
	char *key = store_name_key(arena, name);

	if (!s || !key)
		return s ? MW_E_NOMEM : MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)o->id);
	sqlite3_bind_int64(s, 2, (int64_t)parent);
	sqlite3_bind_int64(s, 3, (int64_t)store_next_id(o->m));
	sqlite3_bind_int64(s, 4, (int64_t)filetime_from_ns(now));
	sqlite3_bind_text(s, 5, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, key, -1, SQLITE_STATIC);
	return store_run(o->m, s, "Moving a folder");
}

static int place(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name, int64_t now,
                 struct store_change *change)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};
	size_t units = 0;
	int r = arena ? store_folder_load(m, arena, folder, &o) : MW_E_NOMEM;

	if (r >= 0 && (!utf8_to_utf16(arena, name, &units) || units == 0 || units > 255))
		r = MW_E_INVALID;
	if (r >= 0)
		r = store_reserve_ids(m, 1);
	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	change->old_parent = store_id(STORE_REPLID, o.parent);
	r = write_place(&o, arena, parent, name, now);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, &change->ticket);
}

int store_folder_move(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name, int64_t now,
                      uint64_t *ticket)
{
	struct store_change change = {.kind = STORE_MOVED,
	                              .folder = folder,
	                              .parent = parent,
	                              .old_folder = folder,
	                              .content_count = -1,
	                              .unread_count = -1,
	                              .message_class = ""};
	uint64_t counter = 0, above = 0;
	int r = check(m, folder, parent, name, &counter, &above);

	if (r >= 0 && counter < STORE_FIRST_ID)
		r = MW_E_STATE;
	if (r >= 0)
		r = place(m, counter, above, name, now, &change);
	if (r < 0)
		return r;
	*ticket = change.ticket;
	store_tell(m, &change);
	return m->searches ? store_searches_restart(m, ticket) : 0;
}

struct copying {
	struct store_mailbox *m;
	struct arena *arena;
	int64_t now;
	bool deep, partial;
	uint64_t *ticket;
};

static int copy_messages(struct copying *c, uint64_t from, uint64_t to, bool associated)
{
	struct store_present *rows = NULL;
	size_t count = 0;
	int r = store_folder_messages(c->m, c->arena, from, associated, -1, &rows, &count);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		uint64_t copy;
		if (store_message_copy(c->m, store_id(STORE_REPLID, from), store_id(STORE_REPLID, rows[i].id), to,
		                       c->now, &copy, c->ticket) < 0)
			c->partial = true;
	}
	return r;
}

/* The properties of a folder but for what is its own alone. */
static int copy_properties(struct copying *c, const struct store_object *from, uint64_t to)
{
	struct mapi_value *values = arena_new_array(c->arena, struct mapi_value, from->record.count);
	size_t n = 0;
	int r = values ? 0 : MW_E_NOMEM;

	for (unsigned i = 0; r >= 0 && i < from->record.count; i++) {
		struct store_field f;
		store_record_at(&from->record, i, &f);
		if (!f.external && !store_object_refuses(STORE_A_FOLDER, f.tag))
			r = store_decode(c->arena, &f, &values[n++]);
	}
	return r < 0 || n == 0 ? r : store_folder_set(c->m, to, values, n, c->now, NULL, c->ticket);
}

static int copy_folder(struct copying *c, uint64_t from, uint64_t parent, const char *name, unsigned depth)
{
	struct store_object o = {0};
	uint64_t to = 0, *ids = NULL;
	size_t count = 0;
	int r = depth < DEPTH_MAX ? store_folder_load(c->m, c->arena, from, &o) : MW_E_LIMIT;

	if (r >= 0)
		r = store_folder_create(c->m, parent, name ? name : o.name, NULL, c->now, &to, c->ticket);
	if (r >= 0)
		r = copy_properties(c, &o, to);
	if (r >= 0)
		r = copy_messages(c, from, to, false);
	if (r >= 0)
		r = copy_messages(c, from, to, true);
	if (r >= 0 && c->deep)
		r = store_folder_children(c->m, c->arena, from, &ids, &count);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = copy_folder(c, ids[i], to, NULL, depth + 1);
	return r;
}

int store_folder_copy(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name, bool deep,
                      int64_t now, bool *partial, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(IDS_MAX);
	struct copying c = {.m = m, .arena = arena, .now = now, .deep = deep, .ticket = ticket};
	uint64_t counter = 0, above = 0, taken;
	int r = arena ? check(m, folder, parent, name, &counter, &above) : MW_E_NOMEM;

	if (r >= 0 && store_folder_find(m, parent, name, &taken) == 0)
		r = MW_E_EXISTS;
	if (r >= 0)
		r = copy_folder(&c, counter, parent, name, 0);
	if (r >= 0)
		*partial = c.partial;
	return r;
}
