#include "server/emsmdb/private.h"

#include "mapi/entry_id.h"
#include "server/accounts.h"

#include <stdlib.h>
#include <string.h>

/* Mailboxes that a session is logged on to: its own, others', of this loop or another. */

/* Who the caller is to another's mailbox; it outlives the session. */
static int introduce(struct emsmdb_logon *l, const char *dn)
{
	struct directory_snapshot *book = accounts_snapshot(l->home->server);
	const struct directory_user *u = directory_by_dn(book, dn);
	const char *name = u ? u->name : dn;
	int r = mapi_user_entry_id(&l->memory, dn);
	size_t id_size = l->memory.len;
	if (r == 0)
		r = buf_put(&l->memory, name, strlen(name) + 1);
	directory_snapshot_unref(&book);
	if (r < 0)
		return r;
	l->caller = (struct store_caller){.dn = mapi_entry_id_dn(l->memory.data, id_size),
	                                  .name = (const char *)l->memory.data + id_size,
	                                  .entry_id = l->memory.data,
	                                  .entry_id_size = (uint32_t)id_size};
	return 0;
}

int emsmdb_logon_new(struct emsmdb_session *s, struct emsmdb_mailbox *m, uint8_t id, bool owner,
                     struct emsmdb_logon **out)
{
	struct emsmdb_logon *l = (struct emsmdb_logon *)calloc(1, sizeof *l);
	struct emsmdb_object *o;
	if (!l)
		return MW_E_NOMEM;
	l->session = s;
	l->mailbox = m;
	l->home = s->loop;
	l->session_id = s->id;
	l->id = id;
	l->owner = owner;
	l->next = s->logons;
	s->logons = l;
	int r = owner ? 0 : introduce(l, s->dn);
	if (r == 0)
		r = emsmdb_object_new(s, EMSMDB_LOGON, id, &o);
	if (r < 0) {
		s->logons = l->next;
		buf_free(&l->memory);
		free(l);
		return r;
	}
	l->handle = o->handle;
	l->also = m->logons;
	m->logons = l;
	*out = l;
	return 0;
}

struct emsmdb_logon *emsmdb_logon_find(const struct emsmdb_session *s, uint8_t id)
{
	struct emsmdb_logon *l = s->logons;
	while (l && l->id != id)
		l = l->next;
	return l;
}

/* ---- The end ---- */

/* The session knows it no longer, nor its objects: those are in leaving. */
static void detach(struct emsmdb_logon *l)
{
	struct emsmdb_session *s = l->session;
	struct emsmdb_logon **link = &s->logons;
	while (*link != l)
		link = &(*link)->next;
	*link = l->next;
	for (unsigned i = 0; i < s->slot_count; i++) {
		struct emsmdb_object *o = s->objects[i];
		if (!o || o->on != l)
			continue;
		o->next = l->leaving;
		l->leaving = o;
		s->objects[i] = NULL;
		s->object_count--;
	}
}

/* Streams before the messages that they belong to. */
static void end_objects(struct emsmdb_logon *l)
{
	for (struct emsmdb_object **link = &l->leaving; *link;) {
		struct emsmdb_object *o = *link;
		if (o->children > 0) {
			link = &o->next;
			continue;
		}
		*link = o->next;
		if (o->parent)
			o->parent->children--;
		emsmdb_object_end(o);
		link = &l->leaving; /* its parent may be one before it */
	}
}

/* In the mailbox's loop. */
static void finish(struct emsmdb_logon *l)
{
	struct emsmdb_logon **link = &l->mailbox->logons;
	end_objects(l);
	while (*link != l)
		link = &(*link)->also;
	*link = l->also;
	while (l->news) {
		struct emsmdb_notification *n = l->news;
		l->news = n->next;
		emsmdb_news_free(&n);
	}
	emsmdb_mailbox_unref(&l->mailbox);
	buf_free(&l->memory);
	buf_free(&l->pieces);
	free(l);
}

static void arrive(struct server_loop *loop, struct loop_message *message)
{
	(void)loop;
	finish((struct emsmdb_logon *)message);
}

/* What it has brought to the session and nobody has been told. */
static void forget_news(const struct emsmdb_logon *l)
{
	struct emsmdb_session *s = l->session;
	struct emsmdb_notification **link = &s->news;
	while (*link) {
		struct emsmdb_notification *n = *link;
		if (n->on != l) {
			link = &n->next;
			continue;
		}
		*link = n->next;
		s->news_count--;
		emsmdb_news_free(&n);
	}
	s->news_end = link;
}

void emsmdb_logon_release(struct emsmdb_logon *l)
{
	detach(l);
	if (l->mailbox->loop == l->home)
		forget_news(l);
	finish(l);
}

void emsmdb_logons_release(struct emsmdb_session *s)
{
	for (struct emsmdb_logon *l = s->logons, *next; l; l = next) {
		next = l->next;
		if (l->mailbox->loop == s->loop) {
			emsmdb_logon_release(l);
			continue;
		}
		detach(l);
		l->session = NULL;
		l->message.run = arrive;
		loop_post(l->mailbox->loop, &l->message);
	}
}

/* ---- News on their way ---- */

static void deliver(struct server_loop *loop, struct loop_message *message)
{
	struct emsmdb_notification *n = (struct emsmdb_notification *)message;
	struct emsmdb_session *s = emsmdb_session_find(loop, n->session_id);
	if (!s) {
		emsmdb_news_free(&n);
		return;
	}
	emsmdb_news_add(s, n);
	emsmdb_wake_if_news(s);
}

void emsmdb_logon_hear(struct emsmdb_logon *l, struct emsmdb_notification *n)
{
	n->on = l;
	n->session_id = l->session_id;
	if (l->mailbox->loop == l->home) {
		emsmdb_news_add(l->session, n);
		return;
	}
	if (l->news_count == EMSMDB_MAX_NOTIFICATIONS) {
		emsmdb_news_free(&n); /* the client finds out at its next look */
		return;
	}
	l->news_count++;
	n->next = l->news;
	l->news = n;
}

/* What is safe goes to the session's loop, the oldest first. */
static void send_news(struct emsmdb_logon *l)
{
	uint64_t safe = store_synced(l->mailbox->store);
	struct emsmdb_notification **link = &l->news, *oldest_first = NULL;
	while (*link && (*link)->ticket > safe)
		link = &(*link)->next;
	struct emsmdb_notification *ready = *link;
	*link = NULL;
	while (ready) {
		struct emsmdb_notification *next = ready->next;
		ready->next = oldest_first;
		oldest_first = ready;
		ready = next;
	}
	while (oldest_first) {
		struct emsmdb_notification *n = oldest_first;
		oldest_first = n->next;
		l->news_count--;
		n->on = NULL;
		n->message.run = deliver;
		loop_post(l->home, &n->message);
	}
}

void emsmdb_logons_tell(struct emsmdb_mailbox *m)
{
	for (struct emsmdb_logon *l = m->logons; l; l = l->also) {
		if (l->home == m->loop)
			emsmdb_wake_if_news(l->session);
		else if (l->news)
			send_news(l);
	}
}

/* ---- A mailbox that has failed ---- */

/* The session's end, in its own loop. */
struct farewell {
	struct loop_message message;
	uint64_t session;
};

static void end_session(struct server_loop *loop, struct loop_message *message)
{
	struct farewell *f = (struct farewell *)message;
	struct emsmdb_session *s = emsmdb_session_find(loop, f->session);
	if (s)
		emsmdb_session_free(s);
	free(f);
}

void emsmdb_session_end(struct server_loop *home, uint64_t session)
{
	struct farewell *f = (struct farewell *)calloc(1, sizeof *f);
	if (!f)
		return;
	f->message.run = end_session;
	f->session = session;
	loop_post(home, &f->message);
}

void emsmdb_logons_end(struct emsmdb_mailbox *m)
{
	for (const struct emsmdb_logon *l = m->logons; l; l = l->also)
		emsmdb_session_end(l->home, l->session_id);
}
