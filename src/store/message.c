#include "store/message_private.h"

#include "base/random.h"
#include "base/time.h"
#include "mapi/tags.h"
#include "store/deleted.h"
#include "store/folder.h"
#include "store/part.h"
#include "store/permission_private.h"
#include "store/search_private.h"

#include <stdlib.h>
#include <string.h>

uint64_t store_message_id(const struct store_message *msg)
{
	return msg->id ? store_id(STORE_REPLID, msg->id) : 0;
}

uint64_t store_message_folder(const struct store_message *msg)
{
	return store_id(STORE_REPLID, msg->folder);
}

bool store_message_writable(const struct store_message *msg)
{
	return msg->writable;
}

void store_message_freeze(struct store_message *msg)
{
	msg->writable = false;
}

struct store_object store_message_object(const struct store_message *msg)
{
	return (struct store_object){.m = msg->m,
	                             .kind = msg->kind,
	                             .id = msg->kind == STORE_AN_ATTACHMENT ? msg->number : msg->id,
	                             .parent = msg->folder,
	                             .change = msg->change,
	                             .modified = msg->modified,
	                             .size = msg->kind == STORE_AN_ATTACHMENT ? store_message_size(msg) : msg->size,
	                             .associated = msg->associated,
	                             .gone = msg->gone,
	                             .flags = msg->flags,
	                             .status = msg->status,
	                             .read_only = !msg->writable,
	                             .bag = &msg->bag};
}

int store_message_row(struct store_mailbox *m, sqlite3_stmt *s, struct store_object *out)
{
	struct store_object o = {.m = m, .kind = STORE_A_MESSAGE};

	o.id = (uint64_t)sqlite3_column_int64(s, 0);
	o.parent = (uint64_t)sqlite3_column_int64(s, 1);
	o.associated = sqlite3_column_int(s, 2) & 1;
	o.gone = sqlite3_column_int(s, 2) & 2;
	o.change = (uint64_t)sqlite3_column_int64(s, 3);
	store_split_flags(sqlite3_column_int64(s, 4), &o.flags, &o.status);
	o.size = (uint64_t)sqlite3_column_int64(s, 5);
	o.modified = (uint64_t)sqlite3_column_int64(s, 6);
	if (store_record_open(sqlite3_column_blob(s, 7), (size_t)sqlite3_column_bytes(s, 7), &o.record) < 0)
		return store_say(m, MW_E_IO, "A message's record is damaged; restore the mailbox from a backup.");
	o.record.packer = m->packer;
	*out = o;
	return 0;
}

/* ---- Opening ---- */

int store_message_defaults(struct store_message *msg, int64_t now)
{
	static uint16_t note[] = {'I', 'P', 'M', '.', 'N', 'o', 't', 'e', 0};
	uint8_t key[16];
	struct mapi_value values[] = {
	        mapi_i32(PidTagImportance, 1),
	        {.tag = PidTagMessageClass, .u.str16 = note},
	        mapi_i32(PidTagSensitivity, 0),
	        mapi_i32(PidTagTrustSender, 1),
	        mapi_i64(PidTagCreationTime, (int64_t)filetime_from_ns(now)),
	        mapi_bytes(PidTagSearchKey, key, sizeof key),
	};
	int r = 0;

	random_system.fill(random_system.user, key, sizeof key);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(values); i++)
		r = store_bag_put_value(&msg->bag, &values[i]);
	return r < 0 ? r : store_message_sign(msg, PidTagCreatorName, PidTagCreatorEntryId);
}

/* [MS-OXCMSG] 3.2.5.2 */
int store_message_create(struct store_mailbox *m, uint64_t folder, bool associated, int64_t now,
                         struct store_message **out)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object f = {0};
	struct store_message *msg;
	uint64_t counter;
	int r;

	if (!store_own_id(folder, &counter))
		return MW_E_NOTFOUND;
	r = arena ? store_folder_load(m, arena, counter, &f) : MW_E_NOMEM;
	if (r >= 0 && f.type == STORE_FOLDER_SEARCH)
		r = MW_E_UNSUPPORTED;
	if (r < 0)
		return r;
	msg = calloc(1, sizeof *msg);
	if (!msg)
		return MW_E_NOMEM;
	*msg = (struct store_message){.m = m,
	                              .kind = STORE_A_MESSAGE,
	                              .folder = counter,
	                              .associated = associated,
	                              .writable = true,
	                              .flags = MF_READ | MF_UNSENT,
	                              .modified = filetime_from_ns(now),
	                              .display_due = true};
	r = store_message_defaults(msg, now);
	if (r < 0)
		store_message_close(&msg);
	else
		*out = msg;
	return r;
}

static int fill(struct store_message *msg, const struct store_object *o, sqlite3_stmt *s)
{
	int r = store_bag_load(&msg->bag, &o->record);

	msg->folder = o->parent;
	msg->id = o->id;
	msg->change = o->change;
	msg->modified = o->modified;
	msg->size = o->size;
	msg->flags = o->flags;
	msg->status = o->status;
	msg->flags_given = true;
	msg->associated = o->associated;
	if (r >= 0)
		r = store_recipients_load(msg, sqlite3_column_blob(s, 8), (size_t)sqlite3_column_bytes(s, 8));
	if (r >= 0)
		r = store_parts_load(msg, sqlite3_column_blob(s, 9), (size_t)sqlite3_column_bytes(s, 9));
	msg->had_values = store_bags_external(msg);
	if (r == MW_E_MALFORMED || r == MW_E_LIMIT)
		return store_say(msg->m, MW_E_IO, "A message's record is damaged; restore the mailbox from a backup.");
	return r;
}

static int load(struct store_message *msg, uint64_t folder, uint64_t id)
{
	STORE_STMT s = store_statement(msg->m, STMT_MESSAGE_GET);
	struct store_object o = {0};
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(msg->m, s, "Reading a message");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	r = store_message_row(msg->m, s, &o);
	if (r >= 0 && folder != 0 && o.parent != folder)
		r = store_found_has(msg->m, folder, id) > 0 ? 0 : MW_E_NOTFOUND;
	if (r >= 0 && o.gone && !msg->gone)
		r = MW_E_NOTFOUND;
	msg->gone = o.gone;
	return r < 0 ? r : fill(msg, &o, s);
}

static int open_message(struct store_mailbox *m, uint64_t folder, uint64_t message, bool writable, bool gone,
                        struct store_message **out)
{
	struct store_message *msg;
	uint64_t in = 0, id;
	int r;

	if (!store_own_id(message, &id) || (folder != 0 && !store_own_id(folder, &in)))
		return MW_E_NOTFOUND;
	msg = calloc(1, sizeof *msg);
	if (!msg)
		return MW_E_NOMEM;
	msg->m = m;
	msg->kind = STORE_A_MESSAGE;
	msg->writable = writable;
	msg->gone = gone;
	r = load(msg, in, id);
	if (r < 0)
		store_message_close(&msg);
	else
		*out = msg;
	return r;
}

int store_message_open(struct store_mailbox *m, uint64_t folder, uint64_t message, bool writable,
                       struct store_message **out)
{
	return open_message(m, folder, message, writable, false, out);
}

int store_message_open_deleted(struct store_mailbox *m, uint64_t folder, uint64_t message, struct store_message **out)
{
	return open_message(m, folder, message, false, true, out);
}

/* Large values that no save has taken have no one left. */
void store_message_forget(struct store_message *msg, uint32_t tag)
{
	struct store_slot *slot = store_bag_slot(&msg->bag, mapi_tag_id(tag));

	if (slot && slot->external && slot->fresh)
		(void)!store_value_delete(msg->m, slot->value);
}

void store_message_close(struct store_message **message)
{
	struct store_message *msg = *message;

	*message = NULL;
	if (!msg)
		return;
	for (size_t i = 0; i < msg->bag.count; i++)
		store_message_forget(msg, msg->bag.slots[i].tag);
	store_bag_free(&msg->bag);
	store_recipients_free(msg);
	store_parts_free(msg);
	free(msg);
}

static int add_size(void *user, struct store_bag *bag)
{
	uint64_t *size = user;

	for (size_t i = 0; i < bag->count; i++)
		*size += bag->slots[i].external ? bag->slots[i].value_size : bag->slots[i].size;
	return 0;
}

uint64_t store_message_size(const struct store_message *msg)
{
	uint64_t size = 0;

	(void)!store_bags_visit((struct store_message *)msg, add_size, &size);
	return size;
}

/* ---- Properties ---- */

int store_message_get(struct store_message *msg, struct arena *arena, const uint32_t *tags, size_t count,
                      struct mapi_value *values)
{
	struct store_object o = {0};
	int r = msg->kind == STORE_A_MESSAGE ? store_recipients_display(msg) : 0;

	if (r < 0)
		return r;
	o = store_message_object(msg);
	return store_object_get_many(&o, arena, tags, count, 0, values);
}

int store_message_all(struct store_message *msg, struct arena *arena, struct mapi_value **values, size_t *count)
{
	struct store_object o = {0};
	int r = msg->kind == STORE_A_MESSAGE ? store_recipients_display(msg) : 0;

	if (r < 0)
		return r;
	o = store_message_object(msg);
	return store_object_all(&o, arena, values, count);
}

static int put_large(struct store_message *msg, uint32_t tag, const void *data, size_t size)
{
	uint64_t value;
	int r = store_value_of(msg->m, data, size, &value);

	if (r < 0)
		return r;
	store_message_forget(msg, tag);
	return store_bag_put_external(&msg->bag, tag, value, size);
}

/* The whole subject and its halves are kept as one: what was said last counts. */
static void part_subject(struct store_message *msg, uint32_t tag)
{
	if (tag == PidTagSubject) {
		store_bag_remove(&msg->bag, mapi_tag_id(PidTagSubjectPrefix));
		store_bag_remove(&msg->bag, mapi_tag_id(PidTagNormalizedSubject));
	}
}

static int put_value(struct store_message *msg, const struct mapi_value *v)
{
	uint16_t type = mapi_tag_type(v->tag);

	if (v->flag != MAPI_FLAG_VALUE)
		return MW_E_UNSUPPORTED;
	if (mapi_value_size(v) > STORE_INLINE_MAX) {
		if (type == PTYP_BINARY || type == PTYP_OBJECT)
			return put_large(msg, v->tag, v->u.bin.data, v->u.bin.size);
		if (type == PTYP_STRING)
			return put_large(msg, v->tag, v->u.str16, mapi_value_size(v) - 2);
	}
	store_message_forget(msg, v->tag);
	part_subject(msg, v->tag);
	return store_bag_put_value(&msg->bag, v);
}

static uint32_t set_one(struct store_message *msg, const struct mapi_value *v, int *r)
{
	uint32_t problem;
	int e;

	if (msg->kind == STORE_A_MESSAGE && v->tag == PidTagMessageFlags && v->flag == MAPI_FLAG_VALUE) {
		if (msg->id != 0)
			return ecComputed;
		msg->flags = (msg->flags & ~MF_CLIENT) | ((uint32_t)v->u.i32 & MF_CLIENT);
		msg->flags_given = true;
		return 0;
	}
	problem = store_object_refuses(msg->kind, v->tag);
	if (problem)
		return problem;
	e = put_value(msg, v);
	if (e == MW_E_LIMIT)
		return ecTooBig;
	if (e == MW_E_UNSUPPORTED)
		return ecNotSupported;
	if (e < 0)
		*r = e;
	return 0;
}

int store_message_set(struct store_message *msg, const struct mapi_value *values, size_t count, uint32_t *problems)
{
	int r = 0;

	if (!msg->writable)
		return MW_E_STATE;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		uint32_t problem = set_one(msg, &values[i], &r);
		if (problems)
			problems[i] = problem;
	}
	return r;
}

int store_message_remove(struct store_message *msg, const uint32_t *tags, size_t count, uint32_t *problems)
{
	if (!msg->writable)
		return MW_E_STATE;
	for (size_t i = 0; i < count; i++) {
		uint32_t problem = store_object_refuses(msg->kind, tags[i]);
		if (!problem) {
			store_message_forget(msg, tags[i]);
			store_bag_remove(&msg->bag, mapi_tag_id(tags[i]));
		}
		if (problems)
			problems[i] = problem;
	}
	return 0;
}
