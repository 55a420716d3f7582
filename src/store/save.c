#include "store/message_private.h"

#include "base/time.h"
#include "mapi/tags.h"
#include "store/deleted.h"
#include "store/part.h"
#include "store/permission_private.h"
#include "store/search_private.h"

#include <string.h>

/* Everything that writes a message. */

/* ---- What the sort columns hold ---- */

static size_t key_of(const struct store_object *o, struct arena *arena, uint32_t tag, uint8_t out[STORE_KEY_MAX])
{
	struct mapi_value v;

	if (store_object_get(o, arena, tag, 0, &v) < 0 || v.tag != tag)
		return 0;
	return store_text_key(o->m, v.u.str16, out);
}

static void bind_key(sqlite3_stmt *s, int index, const struct store_object *o, struct arena *arena, uint32_t tag)
{
	uint8_t key[STORE_KEY_MAX];
	size_t n = key_of(o, arena, tag, key);

	if (n > 0)
		sqlite3_bind_blob(s, index, key, (int)n, SQLITE_TRANSIENT);
	else
		sqlite3_bind_zeroblob(s, index, 0);
}

static int64_t number_of(const struct store_object *o, struct arena *arena, uint32_t tag)
{
	struct mapi_value v;

	if (store_object_get(o, arena, tag, 0, &v) < 0 || v.tag != tag)
		return 0;
	return mapi_tag_type(tag) == PTYP_INTEGER32 ? v.u.i32 : v.u.i64;
}

struct saved {
	struct buf record, recipients, parts;
	uint64_t id, change, size, modified;
	uint32_t flags, status;
	bool is_new;
};

static void bind_all(sqlite3_stmt *s, struct arena *arena, const struct store_message *msg, const struct saved *w)
{
	struct store_object o = store_message_object(msg);

	sqlite3_bind_int64(s, 1, (int64_t)w->id);
	sqlite3_bind_int64(s, 2, (int64_t)msg->folder);
	sqlite3_bind_int(s, 3, msg->associated);
	sqlite3_bind_int64(s, 4, (int64_t)w->change);
	sqlite3_bind_int64(s, 5, store_join_flags(w->flags, w->status));
	sqlite3_bind_int64(s, 6, (int64_t)w->size);
	sqlite3_bind_int64(s, 7, (int64_t)w->modified);
	sqlite3_bind_int64(s, 8, number_of(&o, arena, PidTagMessageDeliveryTime));
	sqlite3_bind_int64(s, 9, number_of(&o, arena, PidTagImportance));
	bind_key(s, 10, &o, arena, PidTagSubject);
	bind_key(s, 11, &o, arena, PidTagSenderName);
	bind_key(s, 12, &o, arena, PidTagMessageClass);
	sqlite3_bind_blob(s, 13, w->record.data, (int)w->record.len, SQLITE_STATIC);
	if (w->recipients.len > 0)
		sqlite3_bind_blob(s, 14, w->recipients.data, (int)w->recipients.len, SQLITE_STATIC);
	else
		sqlite3_bind_zeroblob(s, 14, 0);
	if (w->parts.len > 0)
		sqlite3_bind_blob(s, 15, w->parts.data, (int)w->parts.len, SQLITE_STATIC);
	else
		sqlite3_bind_zeroblob(s, 15, 0);
}

static int write_row(struct store_message *msg, const struct saved *w)
{
	STORE_ARENA arena = arena_new(0);
	STORE_STMT s = store_statement(msg->m, w->is_new ? STMT_MESSAGE_ADD : STMT_MESSAGE_SET);
	int r;

	if (!arena || !s)
		return arena ? MW_E_IO : MW_E_NOMEM;
	bind_all(s, arena, msg, w);
	r = store_run(msg->m, s, "Saving a message");
	if (r >= 0 && sqlite3_changes(msg->m->db) == 0)
		return MW_E_NOTFOUND;
	return r;
}

/* What a message is to its reader, however it lies on disk. */
static uint64_t size_of(struct store_message *msg, const struct saved *w)
{
	return store_message_size(msg) + msg->bag.count * sizeof(uint32_t) + w->recipients.len;
}

/* ---- Saving ---- */

/* The row as it is now: who changed it, and what counts. 1 found, 0 not. */
struct present {
	uint64_t change, size;
	uint32_t flags, status;
};

static int read_present(struct store_mailbox *m, uint64_t id, struct present *out)
{
	STORE_STMT s = store_statement(m, STMT_MESSAGE_CHANGE);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(m, s, "Reading a message");
	if (r > 0) {
		out->change = (uint64_t)sqlite3_column_int64(s, 0);
		store_split_flags(sqlite3_column_int64(s, 1), &out->flags, &out->status);
		out->size = (uint64_t)sqlite3_column_int64(s, 2);
	}
	return r;
}

static int prepare(struct store_message *msg, int64_t now, struct saved *w)
{
	int r = store_recipients_display(msg);

	if (r >= 0)
		r = store_message_sign(msg, PidTagLastModifierName, PidTagLastModifierEntryId);
	if (r >= 0)
		r = store_bag_encode(&msg->bag, msg->m->packer, &w->record);
	if (r >= 0)
		r = store_recipients_encode(msg, &w->recipients);
	if (r >= 0)
		r = store_parts_encode(msg, &w->parts);
	if (r >= 0)
		r = store_reserve_ids(msg->m, 2);
	if (r < 0)
		return r;
	w->is_new = msg->id == 0;
	w->size = size_of(msg, w);
	w->modified = filetime_from_ns(now);
	w->flags = msg->part_count > 0 ? msg->flags | MF_HAS_ATTACH : msg->flags & ~MF_HAS_ATTACH;
	if (w->is_new)
		w->flags |= MF_UNMODIFIED | (msg->flags_given ? 0 : MF_EVER_READ);
	else
		w->flags &= ~MF_UNMODIFIED;
	return 0;
}

/* The read flag belongs to the row: another session may have set it meanwhile (store_message_set_read). */
static int meet_present(struct store_message *msg, bool force, struct saved *w, struct present *old)
{
	int r = read_present(msg->m, msg->id, old);

	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	if ((old->change != msg->change && !force) || old->flags & MF_SUBMITTED)
		return MW_E_STATE;
	w->status = old->status;
	w->flags = (w->flags & ~(MF_READ | MF_EVER_READ)) | (old->flags & (MF_READ | MF_EVER_READ));
	return 0;
}

/* A mailbox that is full takes nothing that makes it fuller; what makes it smaller it takes. */
static int check_quota(struct store_mailbox *m, uint64_t size, uint64_t before)
{
	uint64_t all = 0;
	int r;

	if (m->limits.message > 0 && size > m->limits.message && size > before)
		return store_say(m, MW_E_LIMIT, "The message is larger than this server takes.");
	if (m->limits.receive == 0 || size <= before)
		return 0;
	r = store_mailbox_size(m, &all);
	if (r >= 0 && all + (size - before) > m->limits.receive)
		r = store_say(m, MW_E_FULL, "The mailbox is full.");
	return r;
}

static int in_transaction(struct store_message *msg, bool force, const struct store_arrival *how, struct saved *w,
                          struct store_change *change)
{
	struct store_counts by = {0};
	struct present old = {0};
	int r = w->is_new ? 0 : meet_present(msg, force, w, &old);

	if (r >= 0 && !how->always)
		r = check_quota(msg->m, w->size, old.size);
	if (r < 0)
		return r;
	w->id = w->is_new ? store_next_id(msg->m) : msg->id;
	w->change = store_next_id(msg->m);
	by.size = (int64_t)(w->size - old.size);
	if (w->is_new) {
		by.contents = !msg->associated;
		by.associated = msg->associated;
		by.unread = !msg->associated && !(w->flags & MF_READ);
	}
	r = w->is_new ? 0 : store_found_drop(msg->m, w->id, old.flags, old.size);
	if (r >= 0)
		r = write_row(msg, w);
	if (r >= 0)
		r = store_found_look(msg->m, w->id);
	if (r >= 0)
		r = store_parts_adopt(msg, w->id, msg->had_values);
	if (r >= 0)
		r = store_folder_count(msg->m, msg->folder, &by, &change->content_count, &change->unread_count);
	if (r >= 0 && how->also)
		r = how->also(how->user, msg, w->id);
	return r;
}

static int settle(void *user, struct store_bag *bag)
{
	(void)user;
	for (size_t i = 0; i < bag->count; i++)
		bag->slots[i].fresh = false;
	return 0;
}

static void become(struct store_message *msg, const struct saved *w)
{
	msg->id = w->id;
	msg->change = w->change;
	msg->size = w->size;
	msg->flags = w->flags;
	msg->status = w->status;
	msg->modified = w->modified;
	msg->flags_given = true;
	(void)!store_bags_visit(msg, settle, NULL);
	msg->had_values = store_bags_external(msg);
}

void store_tell_counts(struct store_mailbox *m, const struct store_change *message)
{
	struct store_change folder = {.kind = STORE_MODIFIED,
	                              .folder = message->folder,
	                              .counts_only = true,
	                              .content_count = message->content_count,
	                              .unread_count = message->unread_count,
	                              .message_class = "",
	                              .ticket = message->ticket};

	store_tell(m, &folder);
}

static void tell_saved(struct store_message *msg, const struct saved *w, const struct store_arrival *how,
                       struct store_change *change)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = store_message_object(msg);
	struct mapi_value class;
	char *text = NULL;

	if (arena && store_object_get(&o, arena, PidTagMessageClass, 0, &class) == 0 && class.tag == PidTagMessageClass)
		text = mapi_value_utf8(arena, &class, 0);
	change->kind = w->is_new ? how->kind : STORE_MODIFIED;
	change->folder = store_message_folder(msg);
	change->old_folder = how->old_folder;
	change->old_message = how->old_message;
	change->message = store_message_id(msg);
	change->associated = msg->associated;
	change->message_flags = msg->flags;
	change->message_class = text ? text : "";
	change->change_number = store_id(STORE_REPLID, w->change);
	store_tell(msg->m, change);
	if (w->is_new)
		store_tell_counts(msg->m, change);
}

static int save_prepared(struct store_message *msg, bool force, const struct store_arrival *how, struct saved *w,
                         struct store_change *change)
{
	int r = store_begin_together(msg->m, w->record.len + w->recipients.len + w->parts.len);

	if (r < 0)
		return r;
	r = in_transaction(msg, force, how, w, change);
	if (r < 0) {
		store_rollback(msg->m);
		return r;
	}
	return store_commit(msg->m, &change->ticket);
}

int store_message_write(struct store_message *msg, bool force, const struct store_arrival *how, int64_t now,
                        uint64_t *ticket)
{
	struct store_change change = {.content_count = -1, .unread_count = -1};
	struct saved w = {.record = {.max = STORE_MAX_RECORD * 2}, .parts = {.max = STORE_MAX_RECORD * 4}};
	int r;

	if (msg->owner) {
		if (ticket)
			*ticket = 0;
		return store_embedded_save(msg);
	}
	r = msg->writable ? prepare(msg, now, &w) : MW_E_STATE;

	if (r >= 0)
		r = save_prepared(msg, force, how, &w, &change);
	if (r >= 0) {
		become(msg, &w);
		if (ticket)
			*ticket = change.ticket;
		tell_saved(msg, &w, how, &change);
	}
	buf_free(&w.record);
	buf_free(&w.recipients);
	buf_free(&w.parts);
	return r;
}

int store_message_save(struct store_message *msg, bool force, int64_t now, uint64_t *ticket)
{
	const struct store_arrival how = {.kind = STORE_CREATED};

	if (msg->flags & MF_SUBMITTED) /* it is on its way as it is: [MS-OXOMSG] 2.2.4.1 */
		return MW_E_STATE;
	return store_message_write(msg, force, &how, now, ticket);
}

int store_message_deliver(struct store_message *msg, int64_t now, uint64_t *ticket)
{
	const struct store_arrival how = {.kind = STORE_NEW_MAIL};

	return store_message_write(msg, false, &how, now, ticket);
}

/* ---- Read flag and deletion: on the row, without opening the message ---- */

int store_message_find(struct store_mailbox *m, uint64_t folder, uint64_t message, struct store_object *out)
{
	int r = store_message_find_any(m, folder, message, out);

	return r >= 0 && out->gone ? MW_E_NOTFOUND : r;
}

int store_message_find_any(struct store_mailbox *m, uint64_t folder, uint64_t message, struct store_object *out)
{
	STORE_STMT s = NULL;
	uint64_t in, id;
	int r;

	if (!store_own_id(folder, &in) || !store_own_id(message, &id))
		return MW_E_NOTFOUND;
	s = store_statement(m, STMT_MESSAGE_GET);
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(m, s, "Reading a message");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	r = store_message_row(m, s, out);
	out->record = (struct store_record){0}; /* it was the statement's */
	if (r >= 0 && out->parent != in)
		r = store_found_has(m, in, id) > 0 ? 0 : MW_E_NOTFOUND;
	return r;
}

int store_message_write_flags(struct store_mailbox *m, const struct store_object *o, uint32_t flags, uint32_t status)
{
	STORE_STMT s = store_statement(m, STMT_MESSAGE_READ);
	int r = s ? store_found_drop(m, o->id, o->flags, o->size) : MW_E_IO;

	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 1, (int64_t)o->id);
	sqlite3_bind_int64(s, 2, store_join_flags(flags, status));
	sqlite3_bind_int64(s, 3, (int64_t)store_next_id(m));
	r = store_run(m, s, "Marking a message");
	return r < 0 ? r : store_found_look(m, o->id);
}

/* Inside a transaction: the row goes, also from what searches have found. */
static int delete_found_row(struct store_mailbox *m, const struct store_object *o)
{
	int r = store_found_drop(m, o->id, o->flags, o->size);

	return r < 0 ? r : store_message_delete_row(m, o->id);
}

int store_message_delete_row(struct store_mailbox *m, uint64_t id)
{
	STORE_STMT s = store_statement(m, STMT_MESSAGE_DELETE);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_run(m, s, "Deleting a message");
	return r < 0 ? r : store_values_drop(m, id, NULL, NULL);
}

/* The row's change and the folder's counters as one; flags: the new ones. */
static int change_row(struct store_mailbox *m, const struct store_object *o, uint32_t flags, uint32_t status,
                      const struct store_counts *by, struct store_change *change)
{
	int r = store_reserve_ids(m, 1);

	if (r >= 0)
		r = store_begin_together(m, 0);
	if (r < 0)
		return r;
	r = store_message_write_flags(m, o, flags, status);
	if (r >= 0)
		r = store_folder_count(m, o->parent, by, &change->content_count, &change->unread_count);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, &change->ticket);
}

int store_message_set_read(struct store_mailbox *m, uint64_t folder, uint64_t message, bool read, int64_t now,
                           bool *changed, uint64_t *ticket)
{
	struct store_change change = {.kind = STORE_MODIFIED, .folder = folder, .message = message};
	struct store_counts by = {0};
	struct store_object o;
	int r = store_message_find(m, folder, message, &o);

	(void)now; /* the time of last modification stays: [MS-OXCMSG] 2.2.2.2 */
	if (r < 0)
		return r;
	if (changed)
		*changed = ((o.flags & MF_READ) != 0) != read;
	if (ticket)
		*ticket = 0;
	if (((o.flags & MF_READ) != 0) == read)
		return 0;
	change.folder = store_id(STORE_REPLID, o.parent);
	by.unread = o.associated ? 0 : read ? -1 : 1;
	change.associated = o.associated;
	change.message_flags = read ? o.flags | MF_READ | MF_EVER_READ : o.flags & ~MF_READ;
	change.message_class = "";
	change.change_number = store_id(STORE_REPLID, o.change);
	r = change_row(m, &o, change.message_flags, o.status, &by, &change);
	if (r < 0)
		return r;
	if (ticket)
		*ticket = change.ticket;
	store_tell(m, &change);
	store_tell_counts(m, &change);
	return 0;
}

/* What goes from the folder's counters; of one that was deleted before, nothing is left in them. */
static struct store_counts counts_gone(const struct store_object *o)
{
	struct store_counts by = {.deleted = 1, .size = -(int64_t)o->size};

	if (o->gone)
		return (struct store_counts){0};
	by.contents = o->associated ? 0 : -1;
	by.associated = o->associated ? -1 : 0;
	by.unread = !o->associated && !(o->flags & MF_READ) ? -1 : 0;
	return by;
}

static int discard_found_row(struct store_mailbox *m, const struct store_object *o, int64_t now)
{
	int r = store_found_drop(m, o->id, o->flags, o->size);

	return r < 0 ? r : store_discard_row(m, o->id, now);
}

/* now: it is kept as deleted then; 0: for good. */
static int take_away(struct store_mailbox *m, const struct store_object *o, int64_t now, uint64_t *ticket)
{
	struct store_change change = {.kind = STORE_DELETED, .message_class = ""};
	struct store_counts by = counts_gone(o);
	int r = store_begin_together(m, o->size);

	if (r < 0)
		return r;
	r = now ? discard_found_row(m, o, now) : delete_found_row(m, o);
	if (r >= 0)
		r = store_folder_count(m, o->parent, &by, &change.content_count, &change.unread_count);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	r = store_commit(m, &change.ticket);
	if (r < 0)
		return r;
	if (ticket)
		*ticket = change.ticket;
	change.folder = store_id(STORE_REPLID, o->parent);
	change.message = store_id(STORE_REPLID, o->id);
	change.associated = o->associated;
	change.message_flags = o->flags;
	if (!o->gone) {
		store_tell(m, &change);
		store_tell_counts(m, &change);
	}
	return 0;
}

int store_message_delete(struct store_mailbox *m, uint64_t folder, uint64_t message, int64_t now, uint64_t *ticket)
{
	struct store_object o;
	int r = store_message_find_any(m, folder, message, &o);

	(void)now;
	if (r >= 0 && o.flags & MF_SUBMITTED)
		r = MW_E_STATE;
	return r < 0 ? r : take_away(m, &o, 0, ticket);
}

int store_message_discard(struct store_mailbox *m, uint64_t folder, uint64_t message, int64_t now, uint64_t *ticket)
{
	struct store_object o;
	int r = store_message_find(m, folder, message, &o);

	if (r >= 0 && o.flags & MF_SUBMITTED)
		r = MW_E_STATE;
	return r < 0 ? r : take_away(m, &o, now, ticket);
}

int store_message_announce(struct store_mailbox *m, uint64_t folder, uint64_t message, const char *message_class,
                           uint32_t flags)
{
	struct store_object o = {0};
	int r = store_message_find(m, folder, message, &o);
	const struct store_change change = {.kind = STORE_NEW_MAIL,
	                                    .folder = folder,
	                                    .message = message,
	                                    .associated = o.associated,
	                                    .message_flags = flags,
	                                    .message_class = message_class ? message_class : "",
	                                    .content_count = -1,
	                                    .unread_count = -1,
	                                    .ticket = store_committed(m)};

	if (r >= 0)
		store_tell_observers(m, &change);
	return r;
}

int store_message_status(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t *status)
{
	struct store_object o;
	int r = store_message_find(m, folder, message, &o);

	if (r >= 0)
		*status = o.status;
	return r;
}

int store_message_set_status(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t status, uint32_t mask,
                             uint32_t *before, uint64_t *ticket)
{
	struct store_change change = {.kind = STORE_MODIFIED, .folder = folder, .message = message};
	struct store_counts by = {0};
	struct store_object o;
	int r = store_message_find(m, folder, message, &o);

	if (r < 0)
		return r;
	*before = o.status;
	*ticket = 0;
	status = (o.status & ~mask) | (status & mask);
	if (status == o.status)
		return 0;
	r = change_row(m, &o, o.flags, status, &by, &change);
	if (r < 0)
		return r;
	*ticket = change.ticket;
	change.folder = store_id(STORE_REPLID, o.parent);
	change.associated = o.associated;
	change.message_flags = o.flags;
	change.message_class = "";
	change.change_number = store_id(STORE_REPLID, o.change);
	store_tell(m, &change);
	return 0;
}

int store_message_mark_read(struct store_message *msg, bool read, int64_t now, bool *changed, uint64_t *ticket)
{
	int r = 0;

	*ticket = 0;
	*changed = ((msg->flags & MF_READ) != 0) != read;
	if (msg->id != 0)
		r = store_message_set_read(msg->m, store_message_folder(msg), store_message_id(msg), read, now, changed,
		                           ticket);
	if (r >= 0)
		msg->flags = read ? msg->flags | MF_READ | MF_EVER_READ : msg->flags & ~MF_READ;
	return r;
}
