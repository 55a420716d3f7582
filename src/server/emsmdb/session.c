#include "server/emsmdb/rop.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_BITS 12 /* EMSMDB_MAX_OBJECTS fits */
#define ASYNC_NOTIFICATION_PENDING 0x00000001u

static struct emsmdb_session **bucket(struct emsmdb_loop *l, uint64_t id)
{
	return &l->sessions[id % ARRAY_SIZE(l->sessions)];
}

static unsigned count_sessions(const struct emsmdb_mailbox *m)
{
	unsigned n = 0;
	for (const struct emsmdb_session *s = m->sessions; s; s = s->next)
		n++;
	return n;
}

int emsmdb_session_new(struct server_loop *loop, const struct guid *mailbox, uint32_t code_page,
                       struct emsmdb_session **out)
{
	struct emsmdb_loop *l = loop->store;
	unsigned most = loop->server->config.max_sessions;
	if (l->session_count >= EMSMDB_MAX_SESSIONS)
		return MW_E_LIMIT;
	struct emsmdb_session *s = (struct emsmdb_session *)calloc(1, sizeof *s);
	if (s)
		s->mapi = mapi_session_new(code_page);
	int r = s && s->mapi ? emsmdb_mailbox_ref(loop, mailbox, &s->mailbox) : MW_E_NOMEM;
	if (r < 0) {
		if (s)
			mapi_session_free(&s->mapi);
		free(s);
		return r;
	}
	if (count_sessions(s->mailbox) >= (most ? most : EMSMDB_MAX_SESSIONS_EACH)) {
		emsmdb_mailbox_unref(&s->mailbox);
		mapi_session_free(&s->mapi);
		free(s);
		return MW_E_LIMIT;
	}
	s->loop = loop;
	s->code_page = code_page;
	s->id = ++l->next_session;
	s->news_end = &s->news;
	s->next = s->mailbox->sessions;
	s->mailbox->sessions = s;
	s->hash_next = *bucket(l, s->id);
	*bucket(l, s->id) = s;
	l->session_count++;
	*out = s;
	return 0;
}

struct emsmdb_session *emsmdb_session_find(struct server_loop *loop, uint64_t id)
{
	struct emsmdb_session *s = *bucket(loop->store, id);
	while (s && s->id != id)
		s = s->hash_next;
	return s;
}

static void unlink_session(struct emsmdb_session *s)
{
	struct emsmdb_session **link = &s->mailbox->sessions;
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	link = bucket(s->loop->store, s->id);
	while (*link != s)
		link = &(*link)->hash_next;
	*link = s->hash_next;
	s->loop->store->session_count--;
}

/* What a call that runs elsewhere still needs goes when it is back: execute.c. */
void emsmdb_session_free(struct emsmdb_session *s)
{
	if (!s->ending) {
		emsmdb_wake(s, false);
		unlink_session(s);
		s->ending = true;
	}
	if (s->running)
		return;
	emsmdb_logons_release(s);
	while (s->news)
		emsmdb_news_drop(s);
	emsmdb_mailbox_unref(&s->mailbox);
	mapi_session_free(&s->mapi);
	free(s->objects);
	free(s->dn);
	free(s);
}

/* ---- Objects ---- */

static int free_slot(struct emsmdb_session *s, unsigned *out)
{
	if (s->object_count < s->slot_count) {
		for (unsigned i = 0; i < s->slot_count; i++)
			if (!s->objects[i]) {
				*out = i;
				return 0;
			}
	}
	if (s->slot_count >= 1u << SLOT_BITS)
		return MW_E_BUSY;
	unsigned count = s->slot_count ? s->slot_count * 2 : 16;
	struct emsmdb_object **bigger = (struct emsmdb_object **)realloc(s->objects, count * sizeof(void *));
	if (!bigger)
		return MW_E_NOMEM;
	memset(bigger + s->slot_count, 0, (count - s->slot_count) * sizeof(void *));
	*out = s->slot_count;
	s->objects = bigger;
	s->slot_count = count;
	return 0;
}

int emsmdb_object_new(struct emsmdb_session *s, enum emsmdb_kind kind, uint8_t logon, struct emsmdb_object **out)
{
	unsigned slot, most = s->loop->server->config.max_objects;
	if (s->object_count >= (most ? most : EMSMDB_MAX_OBJECTS))
		return MW_E_BUSY;
	int r = free_slot(s, &slot);
	if (r < 0)
		return r;
	struct emsmdb_object *o = (struct emsmdb_object *)calloc(1, sizeof *o);
	if (!o)
		return MW_E_NOMEM;
	o->kind = kind;
	o->on = emsmdb_logon_find(s, logon);
	o->session = s;
	/* A released handle does not come back soon: the upper bits count. Never 0, never 0xFFFFFFFF. */
	s->generation = s->generation % 0xFFFE + 1;
	o->handle = (uint32_t)s->generation << SLOT_BITS | slot;
	s->objects[slot] = o;
	s->object_count++;
	*out = o;
	return 0;
}

struct emsmdb_object *emsmdb_object_find(struct emsmdb_session *s, uint32_t handle)
{
	unsigned slot = handle & ((1u << SLOT_BITS) - 1);
	struct emsmdb_object *o = slot < s->slot_count ? s->objects[slot] : NULL;
	return o && o->handle == handle && !o->released ? o : NULL;
}

void emsmdb_object_end(struct emsmdb_object *o)
{
	if (o->work)
		emsmdb_work_end(o->work);
	switch (o->kind) {
	case EMSMDB_MESSAGE:
	case EMSMDB_ATTACHMENT:
		store_message_close(&o->u.message);
		break;
	case EMSMDB_TABLE:
		store_table_close(&o->u.table);
		break;
	case EMSMDB_STREAM:
		if (o->u.stream)
			(void)store_stream_close(&o->u.stream);
		(void)emsmdb_text_close(&o->text);
		break;
	case EMSMDB_SUBSCRIPTION:
		store_observe_end(&o->u.observer);
		break;
	default:
		break;
	}
	free(o);
}

void emsmdb_object_release(struct emsmdb_object *o)
{
	struct emsmdb_session *s = o->session;
	if (o->children > 0) {
		o->released = true; /* its streams still need it */
		return;
	}
	s->objects[o->handle & ((1u << SLOT_BITS) - 1)] = NULL;
	s->object_count--;
	struct emsmdb_object *parent = o->parent;
	emsmdb_object_end(o);
	if (parent && --parent->children == 0 && parent->released)
		emsmdb_object_release(parent);
}

/* ---- News ---- */

void emsmdb_news_free(struct emsmdb_notification **n)
{
	if (*n)
		free((*n)->message_class.str8);
	if (*n)
		arena_free(&(*n)->arena);
	free(*n);
	*n = NULL;
}

void emsmdb_news_drop(struct emsmdb_session *s)
{
	struct emsmdb_notification *n = s->news;
	s->news = n->next;
	if (!s->news)
		s->news_end = &s->news;
	s->news_count--;
	emsmdb_news_free(&n);
}

void emsmdb_news_add(struct emsmdb_session *s, struct emsmdb_notification *n)
{
	if (s->news_count >= EMSMDB_MAX_NOTIFICATIONS)
		emsmdb_news_drop(s);
	n->next = NULL;
	*s->news_end = n;
	s->news_end = &n->next;
	s->news_count++;
}

bool emsmdb_news_safe(const struct emsmdb_session *s, const struct emsmdb_notification *n, uint64_t promised)
{
	if (!n->on)
		return true;
	return n->ticket <= store_synced(n->on->mailbox->store) ||
	       (n->on->mailbox == s->mailbox && n->ticket <= promised);
}

/* ---- Parked waits ---- */

void emsmdb_wake(struct emsmdb_session *s, bool news)
{
	struct service_call *call = s->parked;
	if (!call)
		return;
	s->parked = NULL;
	struct EcDoAsyncWaitEx_args *a = (struct EcDoAsyncWaitEx_args *)call->args;
	a->pulFlagsOut = news ? ASYNC_NOTIFICATION_PENDING : 0;
	a->ReturnValue = 0;
	service_finish(call, SERVICE_DONE);
}

void emsmdb_wake_if_news(struct emsmdb_session *s)
{
	if (s->parked && s->news && emsmdb_news_safe(s, s->news, 0))
		emsmdb_wake(s, true);
}
