#include "store/outbox.h"

#include "base/random.h"
#include "base/time.h"
#include "store/message_private.h"

#include <stdio.h>
#include <string.h>

#define DOING "Queueing a message"

/* ---- Rows ---- */

static int read_row(struct store_mailbox *m, sqlite3_stmt *s, struct store_submission *out)
{
	int r = store_step(m, s, "Reading the outbox");
	const void *id;

	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	id = sqlite3_column_blob(s, 1);
	if (!id || sqlite3_column_bytes(s, 1) != STORE_SUBMISSION)
		return store_say(m, MW_E_IO, "The outbox is damaged; restore the mailbox from a backup.");
	out->message = store_id(STORE_REPLID, (uint64_t)sqlite3_column_int64(s, 0));
	memcpy(out->id, id, STORE_SUBMISSION);
	out->state = (enum store_outbox_state)sqlite3_column_int(s, 2);
	out->due = (uint64_t)sqlite3_column_int64(s, 3);
	out->since = (uint64_t)sqlite3_column_int64(s, 4);
	return 0;
}

int store_outbox_next(struct store_mailbox *m, struct store_submission *out)
{
	STORE_STMT s = store_statement(m, STMT_OUTBOX_NEXT);

	return s ? read_row(m, s, out) : MW_E_IO;
}

int store_outbox_find(struct store_mailbox *m, uint64_t message, struct store_submission *out)
{
	STORE_STMT s = store_statement(m, STMT_OUTBOX_FIND);
	uint64_t id;

	if (!store_own_id(message, &id))
		return MW_E_NOTFOUND;
	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	return read_row(m, s, out);
}

static int drop_row(struct store_mailbox *m, uint64_t id)
{
	STORE_STMT s = store_statement(m, STMT_OUTBOX_DELETE);

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	return store_run(m, s, DOING);
}

static int finish(struct store_mailbox *m, int r, uint64_t *ticket)
{
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, ticket);
}

int store_outbox_set(struct store_mailbox *m, uint64_t message, enum store_outbox_state state, uint64_t due,
                     uint64_t *ticket)
{
	STORE_STMT s = store_statement(m, STMT_OUTBOX_SET);
	uint64_t id;
	int r = store_own_id(message, &id) ? 0 : MW_E_NOTFOUND;

	if (r >= 0)
		r = s ? store_begin(m) : MW_E_IO;
	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_int(s, 2, (int)state);
	sqlite3_bind_int64(s, 3, (int64_t)due);
	r = store_run(m, s, DOING);
	if (r >= 0 && sqlite3_changes(m->db) == 0)
		r = MW_E_NOTFOUND;
	return finish(m, r, ticket);
}

/* ---- Submitting ---- */

struct queueing {
	enum store_outbox_state state;
	uint64_t due, since;
};

static int queue(void *user, struct store_message *msg, uint64_t id)
{
	const struct queueing *q = user;
	STORE_STMT s = store_statement(msg->m, STMT_OUTBOX_ADD);
	uint8_t submission[STORE_SUBMISSION];

	if (!s)
		return MW_E_IO;
	random_system.fill(random_system.user, submission, sizeof submission);
	sqlite3_bind_int64(s, 1, (int64_t)id);
	sqlite3_bind_blob(s, 2, submission, sizeof submission, SQLITE_STATIC);
	sqlite3_bind_int(s, 3, (int)q->state);
	sqlite3_bind_int64(s, 4, (int64_t)q->due);
	sqlite3_bind_int64(s, 5, (int64_t)q->since);
	return store_run(msg->m, s, DOING);
}

/* Who is over that limit may receive, but not send. */
static int check_quota(struct store_mailbox *m)
{
	uint64_t size = 0;
	int r = m->limits.send > 0 ? store_mailbox_size(m, &size) : 0;

	return r >= 0 && size > m->limits.send ? store_say(m, MW_E_FULL, "The mailbox may not send.") : r;
}

int store_message_submit(struct store_message *msg, enum store_outbox_state state, uint64_t due, int64_t now,
                         uint64_t *ticket)
{
	uint64_t since = filetime_from_ns(now);
	struct queueing q = {.state = state, .due = due > since ? due : since, .since = since};
	const struct store_arrival how = {.kind = STORE_CREATED, .also = queue, .user = &q};
	uint32_t before = msg->flags;
	int r;

	if (msg->owner || msg->associated)
		return MW_E_INVALID;
	if (before & MF_SUBMITTED)
		return MW_E_EXISTS;
	r = check_quota(msg->m);
	if (r < 0)
		return r;
	msg->flags |= MF_SUBMITTED;
	r = store_message_write(msg, false, &how, now, ticket);
	if (r < 0)
		msg->flags = before;
	return r;
}

/* ---- What becomes of it ---- */

/* 1 found, 0 gone; the message is in the outbox either way. */
static int find(struct store_mailbox *m, uint64_t message, struct store_object *o)
{
	STORE_STMT s = store_statement(m, STMT_MESSAGE_GET);
	struct store_submission row;
	uint64_t id;
	int r = store_outbox_find(m, message, &row);

	if (r < 0)
		return r;
	if (!s || !store_own_id(message, &id))
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(m, s, "Reading a message");
	if (r <= 0)
		return r;
	r = store_message_row(m, s, o);
	o->record = (struct store_record){0}; /* it was the statement's */
	return r < 0 ? r : 1;
}

static void tell(struct store_mailbox *m, enum store_change_kind kind, const struct store_object *o, uint64_t ticket)
{
	struct store_change c = {.kind = kind,
	                         .folder = store_id(STORE_REPLID, o->parent),
	                         .message = store_id(STORE_REPLID, o->id),
	                         .message_flags = o->flags,
	                         .message_class = "",
	                         .change_number = store_id(STORE_REPLID, o->change),
	                         .ticket = ticket};

	store_tell(m, &c);
}

static int forget(struct store_mailbox *m, uint64_t message, uint64_t *ticket)
{
	uint64_t id = store_id_counter(message);
	int r = store_begin(m);

	return r < 0 ? r : finish(m, drop_row(m, id), ticket);
}

int store_outbox_abort(struct store_mailbox *m, uint64_t message, uint64_t *ticket)
{
	struct store_object o = {0};
	int r = find(m, message, &o);

	if (r == 0)
		return forget(m, message, ticket);
	if (r > 0)
		r = store_reserve_ids(m, 1);
	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	r = store_message_write_flags(m, &o, o.flags & ~MF_SUBMITTED, o.status);
	o.flags &= ~MF_SUBMITTED;
	if (r >= 0)
		r = drop_row(m, o.id);
	r = finish(m, r, ticket);
	if (r >= 0)
		tell(m, STORE_MODIFIED, &o, *ticket);
	return r;
}

static int clear_and_drop(struct store_mailbox *m, const struct store_object *o)
{
	int r = store_message_write_flags(m, o, (o->flags & ~(MF_SUBMITTED | MF_UNSENT)) | MF_READ | MF_EVER_READ,
	                                  o->status);

	if (r >= 0 && !(o->flags & MF_READ)) {
		struct store_counts by = {.unread = -1};
		int32_t contents, unread;
		r = store_folder_count(m, o->parent, &by, &contents, &unread);
	}
	return r < 0 ? r : drop_row(m, o->id);
}

static int put_away(struct store_mailbox *m, struct store_object *o, uint64_t message, uint64_t folder)
{
	uint64_t from = store_id(STORE_REPLID, o->parent), moved, ticket;
	int r = clear_and_drop(m, o);

	if (r >= 0 && folder == 0)
		r = store_message_delete(m, from, message, 0, &ticket);
	else if (r >= 0 && folder != from)
		r = store_message_move(m, from, message, folder, 0, &moved, &ticket);
	return r;
}

/* One commit, so that no crash leaves a message that was sent where it was written. */
int store_outbox_sent(struct store_mailbox *m, uint64_t message, uint64_t folder, uint64_t *ticket)
{
	struct store_object o = {0};
	int r = find(m, message, &o);

	if (r == 0)
		return forget(m, message, ticket);
	if (r > 0)
		r = store_reserve_ids(m, 8);
	if (r >= 0)
		r = store_begin_together(m, 0);
	if (r < 0)
		return r;
	r = finish(m, put_away(m, &o, message, folder), ticket);
	if (r >= 0 && folder == store_id(STORE_REPLID, o.parent)) {
		o.flags &= ~(MF_SUBMITTED | MF_UNSENT);
		tell(m, STORE_MODIFIED, &o, *ticket);
	}
	return r;
}

/* ---- At the recipient's ---- */

int store_delivered(struct store_mailbox *m, const uint8_t id[STORE_SUBMISSION], bool *yes)
{
	STORE_STMT s = store_statement(m, STMT_DELIVERED_FIND);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_blob(s, 1, id, STORE_SUBMISSION, SQLITE_STATIC);
	r = store_step(m, s, "Reading deliveries");
	if (r >= 0)
		*yes = r > 0;
	return r < 0 ? r : 0;
}

struct noting {
	const uint8_t *id;
	uint64_t time;
};

static int note(void *user, struct store_message *msg, uint64_t id)
{
	const struct noting *n = user;
	STORE_STMT s = store_statement(msg->m, STMT_DELIVERED_ADD);

	(void)id;
	if (!s)
		return MW_E_IO;
	sqlite3_bind_blob(s, 1, n->id, STORE_SUBMISSION, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)n->time);
	return store_run(msg->m, s, "Delivering a message");
}

int store_message_deliver_once(struct store_message *msg, const uint8_t id[STORE_SUBMISSION], bool always, int64_t now,
                               uint64_t *ticket)
{
	struct noting n = {.id = id, .time = filetime_from_ns(now)};
	const struct store_arrival how = {.kind = STORE_NEW_MAIL, .always = always, .also = note, .user = &n};
	bool there = false;
	int r = store_delivered(msg->m, id, &there);

	if (r < 0 || there)
		return r < 0 ? r : MW_E_EXISTS;
	return store_message_write(msg, false, &how, now, ticket);
}

/* ---- From outside ---- */

bool store_outbox_waits(const struct store_place *place, const struct guid *mailbox)
{
	char path[4200], text[GUID_TEXT_SIZE];
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	bool waits = false;

	guid_format(mailbox, text);
	snprintf(path, sizeof path, "%s/mailboxes/%s.sqlite", place->state, text);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, place->vfs) == SQLITE_OK) {
		sqlite3_busy_timeout(db, 1000);
		if (sqlite3_prepare_v2(db, "SELECT 1 FROM outbox LIMIT 1", -1, &s, NULL) == SQLITE_OK)
			waits = sqlite3_step(s) == SQLITE_ROW;
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return waits;
}
