#include "server/emsmdb/outbox.h"

#include "server/accounts.h"

#include <stdlib.h>
#include <string.h>

/* From the first to the next try, doubled each time up to the longest. */
#define RETRY_FIRST_NS NS_PER_S
#define RETRY_LONGEST_NS (INT64_C(60) * NS_PER_S)
/* What could not be delivered by then is reported. */
#define GIVE_UP_NS (INT64_C(2) * 24 * 3600 * NS_PER_S)

/* ---- Holding the mailbox ---- */

static void let_go(struct emsmdb_mailbox *m)
{
	if (!m->held)
		return;
	m->held = false;
	emsmdb_mailbox_unref(&m);
}

static void hold(struct emsmdb_mailbox *m)
{
	m->references += !m->held;
	m->held = true;
}

static void free_outgoing(struct emsmdb_outgoing *o)
{
	o->mailbox->outgoing = NULL;
	store_message_close(&o->message);
	arena_free(&o->arena);
	free(o);
}

/* ---- Who gets it ---- */

static char *text_of(struct arena *arena, const struct store_recipient *r, uint32_t tag)
{
	const struct mapi_value *v = mapi_find(r->values, r->count, tag);
	return v ? mapi_value_utf8(arena, v, 0) : NULL;
}

static const struct directory_user *user_of(const struct directory_snapshot *book, struct arena *arena,
                                            const struct store_recipient *r)
{
	const char *type = text_of(arena, r, PidTagAddressType), *email = text_of(arena, r, PidTagEmailAddress);
	const char *smtp = text_of(arena, r, PidTagSmtpAddress);
	const struct directory_user *u = NULL;
	if (email && type && strcmp(type, "EX") == 0)
		u = directory_by_dn(book, email);
	else if (email)
		u = directory_by_address(book, email);
	return u || !smtp ? u : directory_by_address(book, smtp);
}

static struct outbox_target *target_of(struct emsmdb_outgoing *o, const struct guid *mailbox)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->targets[i].failure == OUTBOX_SENT && guid_equal(&o->targets[i].mailbox, mailbox))
			return &o->targets[i];
	return NULL;
}

/* One delivery a mailbox, however often it is named. */
static void add_target(struct emsmdb_outgoing *o, const struct store_recipient *r, const struct directory_user *u)
{
	struct outbox_target *t = u ? target_of(o, &u->mailbox) : NULL;
	uint8_t kind = (uint8_t)(1u << (r->type & 3));
	if (t) {
		t->kinds |= kind;
		return;
	}
	o->targets[o->count++] = (struct outbox_target){.mailbox = u ? u->mailbox : (struct guid){0},
	                                                .row_id = r->row_id,
	                                                .kinds = kind,
	                                                .failure = u ? OUTBOX_SENT : OUTBOX_UNKNOWN};
}

static int resolve(struct emsmdb_outgoing *o)
{
	struct directory_snapshot *book = accounts_snapshot(o->mailbox->loop->server);
	size_t n = store_recipient_count(o->message);
	o->targets = arena_new_array(o->arena, struct outbox_target, n);
	for (size_t i = 0; o->targets && i < n; i++) {
		const struct store_recipient *r = store_recipient_at(o->message, i);
		add_target(o, r, user_of(book, o->arena, r));
	}
	directory_snapshot_unref(&book);
	return o->targets ? 0 : MW_E_NOMEM;
}

/* ---- The end ---- */

/* Where what was sent is kept: as its sender said, else among the sent items; 0: nowhere. [MS-OXOMSG] 2.2.3.8, 2.2.3.10
 */
static uint64_t folder_after(const struct emsmdb_outgoing *o)
{
	static const uint32_t tags[] = {PidTagDeleteAfterSubmit, PidTagSentMailSvrEID};
	struct mapi_value v[ARRAY_SIZE(tags)];
	struct store_folder_info info;
	uint64_t folder = store_special_id(STORE_SENT_ITEMS);
	if (store_message_get(o->message, o->arena, tags, ARRAY_SIZE(tags), v) < 0)
		return folder;
	if (v[0].tag == tags[0] && v[0].u.boolean)
		return 0;
	if (v[1].tag == tags[1] && v[1].u.server_id->ours &&
	    store_folder_info(o->mailbox->store, v[1].u.server_id->folder_id, &info) == 0)
		folder = v[1].u.server_id->folder_id;
	return folder;
}

static bool has_failure(const struct emsmdb_outgoing *o, bool later)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->targets[i].failure != OUTBOX_SENT && (o->targets[i].failure == OUTBOX_LATER) == later)
			return true;
	return false;
}

/* When to try again. */
static int64_t retry_at(struct emsmdb_mailbox *m, int64_t now)
{
	int64_t wait = m->outbox_wait_ns > 0 ? 2 * m->outbox_wait_ns : RETRY_FIRST_NS;
	m->outbox_wait_ns = wait < RETRY_LONGEST_NS ? wait : RETRY_LONGEST_NS;
	return now + m->outbox_wait_ns;
}

static int64_t age(const struct emsmdb_outgoing *o, int64_t now)
{
	return now - filetime_to_ns(o->submission.since);
}

/* Reports what failed, and puts away what was sent. */
static int conclude(struct emsmdb_outgoing *o, int64_t now)
{
	struct emsmdb_mailbox *m = o->mailbox;
	uint64_t folder = folder_after(o), ticket = 0;
	int r = has_failure(o, false) || has_failure(o, true) ? emsmdb_report(o, now, &ticket) : 0;
	store_message_close(&o->message);
	return r < 0 ? r : store_outbox_sent(m->store, o->submission.message, folder, &ticket);
}

static void finish(struct emsmdb_outgoing *o)
{
	struct emsmdb_mailbox *m = o->mailbox;
	int64_t now = time_now_ns();
	bool stopping = atomic_load(&m->loop->server->stopping);
	bool later = has_failure(o, true) && (stopping || age(o, now) < GIVE_UP_NS);
	int r = later ? 0 : conclude(o, now);
	if (r < 0)
		log_line(m->loop->server->config.log, LOG_ERROR, "a message that was sent stays in the outbox: %s",
		         store_mailbox_error(m->store));
	free_outgoing(o);
	bool again = later || r < 0;
	m->outbox_wait_ns = again ? m->outbox_wait_ns : 0;
	m->outbox_ns = again ? retry_at(m, now) : 0;
	m->outbox_ticket = store_committed(m->store);
	if (stopping || store_mailbox_failed(m->store))
		let_go(m);
	else
		emsmdb_sync(m); /* and then to the next one */
}

/* ---- One recipient after the other ---- */

static void send_next(struct emsmdb_outgoing *o)
{
	while (o->at < o->count && o->targets[o->at].failure != OUTBOX_SENT)
		o->at++;
	if (o->at == o->count || atomic_load(&o->mailbox->loop->server->stopping)) {
		for (size_t i = o->at; i < o->count; i++)
			o->targets[i].failure = OUTBOX_LATER;
		finish(o);
		return;
	}
	struct emsmdb_delivery *d = (struct emsmdb_delivery *)calloc(1, sizeof *d);
	if (!d || store_parcel_pack(o->message, &d->parcel) < 0) {
		free(d);
		o->targets[o->at].failure = OUTBOX_LATER;
		o->at = o->count;
		finish(o);
		return;
	}
	d->home = o->mailbox->loop;
	d->outgoing = o;
	d->recipient = o->targets[o->at].mailbox;
	d->kinds = o->targets[o->at].kinds;
	memcpy(d->id, o->submission.id, sizeof d->id);
	emsmdb_deliver(d);
}

void emsmdb_delivered(const struct emsmdb_delivery *d)
{
	struct emsmdb_outgoing *o = d->outgoing;
	enum outbox_failure failure = d->result == 0                                      ? OUTBOX_SENT
	                              : d->result == MW_E_NOTFOUND                        ? OUTBOX_NO_MAILBOX
	                              : d->result == MW_E_LIMIT || d->result == MW_E_FULL ? OUTBOX_TOO_BIG
	                                                                                  : OUTBOX_LATER;
	if (failure == OUTBOX_LATER) {
		char guid[GUID_TEXT_SIZE];
		guid_format(&d->recipient, guid);
		log_line(o->mailbox->loop->server->config.log, LOG_WARNING,
		         "a message cannot be delivered to mailbox %s now (%s); it is tried again", guid,
		         mw_strerror(d->result));
	}
	o->targets[o->at++].failure = failure;
	send_next(o);
}

/* ---- Looking ---- */

static int begin(struct emsmdb_mailbox *m, const struct store_submission *s)
{
	struct emsmdb_outgoing *o = (struct emsmdb_outgoing *)calloc(1, sizeof *o);
	uint64_t ticket;
	if (!o)
		return MW_E_NOMEM;
	o->mailbox = m;
	o->submission = *s;
	o->arena = arena_new(0);
	int r = o->arena ? store_message_open(m->store, 0, s->message, false, &o->message) : MW_E_NOMEM;
	if (r == 0)
		r = resolve(o);
	if (r == MW_E_NOTFOUND) { /* deleted meanwhile: nothing is left to send */
		r = store_outbox_sent(m->store, s->message, 0, &ticket);
		m->outbox_ticket = r < 0 ? m->outbox_ticket : ticket;
		free_outgoing(o);
		if (r == 0)
			emsmdb_sync(m);
		return r;
	}
	if (r < 0) {
		free_outgoing(o);
		return r;
	}
	m->outgoing = o;
	send_next(o);
	return 0;
}

void emsmdb_outbox_look(struct emsmdb_mailbox *m)
{
	struct store_submission s;
	int64_t now = time_now_ns();
	if (m->outgoing || now < m->outbox_ns || m->outbox_ticket > store_synced(m->store) ||
	    atomic_load(&m->loop->server->stopping))
		return;
	int r = store_outbox_next(m->store, &s);
	if (r == MW_E_NOTFOUND) {
		m->outbox_ns = INT64_MAX;
		let_go(m);
		return;
	}
	hold(m);
	if (r == 0 && s.state != STORE_OUTBOX_QUEUED) {
		m->outbox_ns = INT64_MAX; /* until a client says otherwise */
		return;
	}
	if (r == 0 && filetime_to_ns(s.due) > now) {
		m->outbox_ns = filetime_to_ns(s.due);
		return;
	}
	if (r < 0 || begin(m, &s) < 0) {
		log_line(m->loop->server->config.log, LOG_ERROR, "an outbox cannot be read: %s",
		         store_mailbox_error(m->store));
		m->outbox_ns = retry_at(m, now);
	}
}

void emsmdb_outbox_changed(struct emsmdb_mailbox *m, uint64_t ticket)
{
	m->outbox_ns = 0;
	if (ticket > m->outbox_ticket)
		m->outbox_ticket = ticket;
}

void emsmdb_outbox_stop(struct emsmdb_mailbox *m)
{
	if (!m->outgoing)
		let_go(m);
}
