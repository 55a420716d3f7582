#include "store/folder.h"

#include "base/time.h"
#include "base/utf16.h"
#include "mapi/tags.h"
#include "store/object.h"
#include "store/permission_private.h"
#include "store/search.h"

#include <string.h>

#define NAME_MAX_BYTES 1024

static int keep_text_and_record(struct arena *arena, sqlite3_stmt *s, struct store_object *out)
{
	const char *name = (const char *)sqlite3_column_text(s, 10);
	const void *record = sqlite3_column_blob(s, 11);
	size_t size = (size_t)sqlite3_column_bytes(s, 11);

	out->name = arena_strdup(arena, name ? name : "");
	record = arena_copy(arena, size > 0 ? record : "", size);
	if (!out->name || !record)
		return MW_E_NOMEM;
	return store_record_open(record, size, &out->record);
}

int store_folder_load(struct store_mailbox *m, struct arena *arena, uint64_t counter, struct store_object *out)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_GET);
	struct store_object o = {.m = m, .kind = STORE_A_FOLDER, .id = counter};
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)counter);
	r = store_step(m, s, "Reading a folder");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	o.parent = (uint64_t)sqlite3_column_int64(s, 1);
	o.type = (uint32_t)sqlite3_column_int(s, 2);
	o.change = (uint64_t)sqlite3_column_int64(s, 3);
	o.modified = (uint64_t)sqlite3_column_int64(s, 4);
	o.contents = (uint32_t)sqlite3_column_int64(s, 5);
	o.unread = (uint32_t)sqlite3_column_int64(s, 6);
	o.associated_count = (uint32_t)sqlite3_column_int64(s, 7);
	o.deleted = (uint32_t)sqlite3_column_int64(s, 8);
	o.size = (uint64_t)sqlite3_column_int64(s, 9);
	o.children = (uint32_t)sqlite3_column_int64(s, 12);
	r = keep_text_and_record(arena, s, &o);
	if (r == MW_E_MALFORMED)
		return store_say(m, MW_E_IO, "A folder's record is damaged; restore the mailbox from a backup.");
	if (r >= 0)
		*out = o;
	return r;
}

static int load(struct store_mailbox *m, struct arena *arena, uint64_t folder, struct store_object *out)
{
	uint64_t counter;

	if (!store_own_id(folder, &counter))
		return MW_E_NOTFOUND;
	return store_folder_load(m, arena, counter, out);
}

int store_folder_info(struct store_mailbox *m, uint64_t folder, struct store_folder_info *out)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};
	int r = arena ? load(m, arena, folder, &o) : MW_E_NOMEM;

	if (r < 0)
		return r;
	*out = (struct store_folder_info){.id = folder,
	                                  .parent = o.parent ? store_id(STORE_REPLID, o.parent) : 0,
	                                  .type = (int32_t)o.type,
	                                  .content_count = o.contents,
	                                  .unread_count = o.unread,
	                                  .associated_count = o.associated_count,
	                                  .child_count = o.children};
	return 0;
}

int store_folder_get(struct store_mailbox *m, uint64_t folder, struct arena *arena, const uint32_t *tags, size_t count,
                     struct mapi_value *values)
{
	struct store_object o = {0};
	int r = load(m, arena, folder, &o);

	return r < 0 ? r : store_object_get_many(&o, arena, tags, count, 0, values);
}

int store_folder_all(struct store_mailbox *m, uint64_t folder, struct arena *arena, struct mapi_value **values,
                     size_t *count)
{
	struct store_object o = {0};
	int r = load(m, arena, folder, &o);

	return r < 0 ? r : store_object_all(&o, arena, values, count);
}

/* 1 and the child's counter, 0 when there is none. */
static int find_child(struct store_mailbox *m, uint64_t parent, const char *key, uint64_t *child)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_FIND);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)parent);
	sqlite3_bind_text(s, 2, key, -1, SQLITE_STATIC);
	r = store_step(m, s, "Reading a folder");
	if (r > 0)
		*child = (uint64_t)sqlite3_column_int64(s, 0);
	return r;
}

int store_folder_find(struct store_mailbox *m, uint64_t parent, const char *name, uint64_t *out)
{
	STORE_ARENA arena = arena_new(0);
	char *key = arena && strnlen(name, NAME_MAX_BYTES) < NAME_MAX_BYTES ? store_name_key(arena, name) : NULL;
	uint64_t counter, child;
	int r;

	if (!key)
		return MW_E_INVALID;
	if (!store_own_id(parent, &counter))
		return MW_E_NOTFOUND;
	r = find_child(m, counter, key, &child);
	if (r > 0)
		*out = store_id(STORE_REPLID, child);
	return r > 0 ? 0 : r < 0 ? r : MW_E_NOTFOUND;
}

/* What a new folder is. */
struct birth {
	const char *name, *key, *container_class;
	enum store_folder_type type;
	int64_t now;
};

static int insert(struct store_mailbox *m, uint64_t id, uint64_t parent, const struct birth *b,
                  const struct buf *record)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_ADD);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int64(s, 2, (int64_t)parent);
	sqlite3_bind_int(s, 3, (int)b->type);
	sqlite3_bind_int64(s, 4, (int64_t)store_next_id(m));
	sqlite3_bind_int64(s, 5, (int64_t)filetime_from_ns(b->now));
	sqlite3_bind_text(s, 6, b->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, b->key, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 8, record->data, (int)record->len, SQLITE_STATIC);
	return store_run(m, s, "Making a folder");
}

static int create(struct store_mailbox *m, struct arena *arena, uint64_t parent, const struct birth *b,
                  struct store_change *change)
{
	struct buf record = {0};
	uint64_t id, ticket = 0;
	int r = store_folder_record(arena, b->container_class, b->now, &record);

	if (r >= 0)
		r = store_reserve_ids(m, 2);
	if (r >= 0)
		r = store_begin(m);
	if (r >= 0) {
		id = store_next_id(m);
		r = insert(m, id, parent, b, &record);
		if (r >= 0)
			r = store_permissions_inherit(m, id, parent);
		if (r >= 0)
			r = store_commit(m, &ticket);
		else
			store_rollback(m);
		change->folder = store_id(STORE_REPLID, id);
		change->ticket = ticket;
	}
	buf_free(&record);
	return r;
}

static int make(struct store_mailbox *m, uint64_t parent, struct birth *b, uint64_t *out, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	struct store_change change = {
	        .kind = STORE_CREATED, .parent = parent, .content_count = -1, .unread_count = -1, .message_class = ""};
	struct store_object above = {0};
	uint64_t child;
	size_t units = 0;
	int r;

	if (!arena || strnlen(b->name, NAME_MAX_BYTES) >= NAME_MAX_BYTES || !utf8_to_utf16(arena, b->name, &units) ||
	    units == 0 || units > 255)
		return arena ? MW_E_INVALID : MW_E_NOMEM;
	b->key = store_name_key(arena, b->name);
	r = b->key ? load(m, arena, parent, &above) : MW_E_NOMEM;
	if (r >= 0 && above.type == STORE_FOLDER_SEARCH)
		r = MW_E_UNSUPPORTED;
	if (r >= 0)
		r = find_child(m, above.id, b->key, &child);
	if (r > 0) {
		*out = store_id(STORE_REPLID, child);
		return MW_E_EXISTS;
	}
	if (r >= 0)
		r = create(m, arena, above.id, b, &change);
	if (r < 0)
		return r;
	*out = change.folder;
	if (ticket)
		*ticket = change.ticket;
	store_tell(m, &change);
	return 0;
}

int store_folder_create(struct store_mailbox *m, uint64_t parent, const char *name, const char *container_class,
                        int64_t now, uint64_t *out, uint64_t *ticket)
{
	struct birth b = {.name = name,
	                  .container_class = container_class ? container_class : "",
	                  .type = STORE_FOLDER_GENERIC,
	                  .now = now};

	return make(m, parent, &b, out, ticket);
}

int store_search_create(struct store_mailbox *m, uint64_t parent, const char *name, int64_t now, uint64_t *out,
                        uint64_t *ticket)
{
	struct birth b = {.name = name, .container_class = "", .type = STORE_FOLDER_SEARCH, .now = now};

	return make(m, parent, &b, out, ticket);
}

/* ---- Changing properties ---- */

/* What a change does to one property: 0 or an ec* code; MW_E_NOMEM. */
static int change_one(struct arena *arena, struct store_bag *bag, struct store_object *o, const struct mapi_value *v,
                      uint32_t *problem)
{
	int r;

	*problem = 0;
	if (v->tag == PidTagDisplayName && v->flag == MAPI_FLAG_VALUE) {
		size_t units = utf16_len(v->u.str16);
		char *name = utf16_to_utf8(arena, v->u.str16, units);
		if (!name)
			return MW_E_NOMEM;
		if (units == 0 || units > 255)
			*problem = ecPropBadValue;
		else
			o->name = name;
		return 0;
	}
	*problem = store_object_refuses(STORE_A_FOLDER, v->tag);
	if (*problem)
		return 0;
	r = mapi_value_size(v) > STORE_INLINE_MAX ? MW_E_LIMIT : store_bag_put_value(bag, v);
	if (r == MW_E_LIMIT)
		*problem = ecTooBig;
	else if (r == MW_E_UNSUPPORTED)
		*problem = ecNotSupported;
	return r == MW_E_NOMEM ? r : 0;
}

static int update(struct store_mailbox *m, struct arena *arena, const struct store_object *o,
                  const struct store_bag *bag, int64_t now, struct store_change *change)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_SET);
	struct buf record = {0};
	char *key = store_name_key(arena, o->name);
	uint64_t cn = store_next_id(m);
	int r = s && key ? store_bag_encode(bag, NULL, &record) : MW_E_NOMEM;

	if (r >= 0) {
		sqlite3_bind_int64(s, 1, (int64_t)o->id);
		sqlite3_bind_int64(s, 2, (int64_t)cn);
		sqlite3_bind_int64(s, 3, (int64_t)filetime_from_ns(now));
		sqlite3_bind_text(s, 4, o->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 5, key, -1, SQLITE_STATIC);
		sqlite3_bind_blob(s, 6, record.data, (int)record.len, SQLITE_STATIC);
		r = store_run(m, s, "Changing a folder");
		if (r < 0 && sqlite3_errcode(m->db) == SQLITE_CONSTRAINT)
			r = store_say(m, MW_E_EXISTS, "A folder of that name is there already.");
	}
	change->change_number = store_id(STORE_REPLID, cn);
	buf_free(&record);
	return r;
}

static int write_change(struct store_mailbox *m, struct arena *arena, const struct store_object *o,
                        const struct store_bag *bag, int64_t now, uint64_t *ticket)
{
	struct store_change change = {.kind = STORE_MODIFIED,
	                              .folder = store_id(STORE_REPLID, o->id),
	                              .parent = o->parent ? store_id(STORE_REPLID, o->parent) : 0,
	                              .content_count = -1,
	                              .unread_count = -1,
	                              .message_class = ""};
	int r = store_reserve_ids(m, 1);

	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	r = update(m, arena, o, bag, now, &change);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	r = store_commit(m, &change.ticket);
	if (r < 0)
		return r;
	if (ticket)
		*ticket = change.ticket;
	store_tell(m, &change);
	return 0;
}

static int set_all(struct arena *arena, struct store_bag *bag, struct store_object *o, const struct mapi_value *values,
                   size_t count, uint32_t *problems)
{
	int r = store_bag_load(bag, &o->record);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		uint32_t problem;
		r = change_one(arena, bag, o, &values[i], &problem);
		if (problems)
			problems[i] = problem;
	}
	return r;
}

int store_folder_set(struct store_mailbox *m, uint64_t folder, const struct mapi_value *values, size_t count,
                     int64_t now, uint32_t *problems, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	struct store_bag bag = {0};
	struct store_object o = {0};
	int r = arena ? load(m, arena, folder, &o) : MW_E_NOMEM;

	if (r >= 0)
		r = set_all(arena, &bag, &o, values, count, problems);
	if (r >= 0)
		r = write_change(m, arena, &o, &bag, now, ticket);
	store_bag_free(&bag);
	return r;
}

int store_folder_remove(struct store_mailbox *m, uint64_t folder, const uint32_t *tags, size_t count, int64_t now,
                        uint32_t *problems, uint64_t *ticket)
{
	STORE_ARENA arena = arena_new(0);
	struct store_bag bag = {0};
	struct store_object o = {0};
	int r = arena ? load(m, arena, folder, &o) : MW_E_NOMEM;

	if (r >= 0)
		r = store_bag_load(&bag, &o.record);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		uint32_t problem = store_object_refuses(STORE_A_FOLDER, tags[i]);
		if (!problem)
			store_bag_remove(&bag, mapi_tag_id(tags[i]));
		if (problems)
			problems[i] = problem;
	}
	if (r >= 0)
		r = write_change(m, arena, &o, &bag, now, ticket);
	store_bag_free(&bag);
	return r;
}

int store_folder_count(struct store_mailbox *m, uint64_t folder, const struct store_counts *by, int32_t *contents,
                       int32_t *unread)
{
	STORE_STMT s = store_statement(m, STMT_FOLDER_COUNT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)folder);
	sqlite3_bind_int(s, 2, by->contents);
	sqlite3_bind_int(s, 3, by->unread);
	sqlite3_bind_int(s, 4, by->associated);
	sqlite3_bind_int(s, 5, by->deleted);
	sqlite3_bind_int64(s, 6, by->size);
	r = store_step(m, s, "Counting a folder's messages");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	*contents = sqlite3_column_int(s, 0);
	*unread = sqlite3_column_int(s, 1);
	/* A statement that returns rows ends only when it is stepped past them. */
	r = store_step(m, s, "Counting a folder's messages");
	return r < 0 ? r : 0;
}
