#include "store/private.h"
#include "store/search_private.h"
#include "store/table_private.h"

#include <stdlib.h>

struct store_observer {
	struct store_mailbox *m;
	struct store_observer *next;
	unsigned kinds;
	uint64_t folder, message;
	store_heard *heard;
	void *user;
};

int store_observe(struct store_mailbox *m, unsigned kinds, uint64_t folder, uint64_t message, store_heard *heard,
                  void *user, struct store_observer **out)
{
	struct store_observer *o = calloc(1, sizeof *o);

	if (!o)
		return MW_E_NOMEM;
	*o = (struct store_observer){.m = m,
	                             .next = m->observers,
	                             .kinds = kinds,
	                             .folder = folder,
	                             .message = message,
	                             .heard = heard,
	                             .user = user};
	m->observers = o;
	*out = o;
	return 0;
}

void store_observe_end(struct store_observer **observer)
{
	struct store_observer *o = *observer;

	*observer = NULL;
	if (!o)
		return;
	for (struct store_observer **p = &o->m->observers; *p; p = &(*p)->next) {
		if (*p == o) {
			*p = o->next;
			break;
		}
	}
	free(o);
}

static bool concerns(const struct store_observer *o, const struct store_change *c)
{
	if (!(o->kinds & c->kind))
		return false;
	if (o->folder == 0)
		return true;
	if (o->message != 0)
		return o->message == c->message || o->message == c->old_message;
	if (c->message == 0 && (o->folder == c->parent || (c->old_parent && o->folder == c->old_parent)))
		return true;
	return o->folder == c->folder || (c->old_folder && o->folder == c->old_folder);
}

void store_tell_observers(struct store_mailbox *m, const struct store_change *change)
{
	for (const struct store_observer *o = m->observers; o; o = o->next)
		if (concerns(o, change))
			o->heard(o->user, change);
}

void store_tell(struct store_mailbox *m, const struct store_change *change)
{
	store_table_hear(m, change);
	store_tell_observers(m, change);
	if (!change->counts_only)
		store_searches_tell(m, change->ticket);
}
