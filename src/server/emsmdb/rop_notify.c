#include "server/emsmdb/rops.h"

#include <stdlib.h>
#include <string.h>

/* Subscriptions, and the news that they bring: [MS-OXCNOTIF] 3.1. */

static unsigned kinds_of(uint16_t types)
{
	unsigned kinds = 0;
	if (types & MAPI_NOTIFY_NEW_MAIL)
		kinds |= STORE_NEW_MAIL;
	if (types & MAPI_NOTIFY_CREATED)
		kinds |= STORE_CREATED;
	if (types & MAPI_NOTIFY_DELETED)
		kinds |= STORE_DELETED;
	if (types & MAPI_NOTIFY_MODIFIED)
		kinds |= STORE_MODIFIED;
	if (types & MAPI_NOTIFY_MOVED)
		kinds |= STORE_MOVED;
	if (types & MAPI_NOTIFY_SEARCH)
		kinds |= STORE_SEARCH_DONE;
	if (types & MAPI_NOTIFY_COPIED)
		kinds |= STORE_COPIED;
	return kinds;
}

static void describe(const struct store_change *c, struct mapi_notification *n)
{
	static const struct {
		enum store_change_kind kind;
		uint16_t flags;
	} types[] = {
	        {STORE_NEW_MAIL, MAPI_NOTIFY_NEW_MAIL},  {STORE_CREATED, MAPI_NOTIFY_CREATED},
	        {STORE_DELETED, MAPI_NOTIFY_DELETED},    {STORE_MODIFIED, MAPI_NOTIFY_MODIFIED},
	        {STORE_MOVED, MAPI_NOTIFY_MOVED},        {STORE_COPIED, MAPI_NOTIFY_COPIED},
	        {STORE_SEARCH_DONE, MAPI_NOTIFY_SEARCH},
	};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].kind == c->kind)
			n->flags = types[i].flags;
	if (c->message)
		n->flags |= MAPI_NOTIFY_M;
	n->folder_id = c->folder;
	n->message_id = c->message;
	n->parent_folder_id = c->parent;
	n->old_folder_id = c->old_folder;
	n->old_message_id = c->old_message;
	n->old_parent_folder_id = c->old_parent;
	n->message_flags = c->message_flags;
	/* No list of tags is borrowed from the store beyond this call: 0 is an empty one. */
	if (!c->message && c->kind == STORE_MODIFIED && c->content_count >= 0) {
		n->flags |= MAPI_NOTIFY_T;
		n->total_count = (uint32_t)c->content_count;
	}
	if (!c->message && c->kind == STORE_MODIFIED && c->unread_count >= 0) {
		n->flags |= MAPI_NOTIFY_U;
		n->unread_count = (uint32_t)c->unread_count;
	}
}

static void heard(void *user, const struct store_change *change)
{
	const struct emsmdb_object *o = (const struct emsmdb_object *)user;
	struct emsmdb_notification *n = (struct emsmdb_notification *)calloc(1, sizeof *n);
	if (!n)
		return; /* the client finds out at its next look at the table */
	n->handle = o->handle;
	n->logon = o->on->id;
	n->ticket = change->ticket;
	describe(change, &n->data);
	if (change->kind == STORE_NEW_MAIL) {
		n->message_class.str8 = strdup(change->message_class);
		n->data.message_class = n->message_class;
	}
	emsmdb_logon_hear(o->on, n);
}

/* [MS-OXCNOTIF] 3.2.5.1 */
uint32_t rop_register_notification(struct rop_call *rop)
{
	const struct RopRegisterNotificationRequest *q = (const struct RopRegisterNotificationRequest *)rop->request;
	struct emsmdb_object *o;
	/* Others hear of folders that they may read, no more. */
	if (!rop->on->owner &&
	    (q->WantWholeStore || (q->MessageId && !rop_may(rop, q->FolderId, q->MessageId, STORE_ACCESS_READ))))
		return ecAccessDenied;
	int r = emsmdb_object_new(rop->session, EMSMDB_SUBSCRIPTION, rop->logon, &o);
	if (r < 0)
		return rop_status(rop, r);
	uint64_t folder = q->WantWholeStore ? 0 : q->FolderId, message = q->WantWholeStore ? 0 : q->MessageId;
	r = store_observe(rop_store(rop), kinds_of(q->NotificationTypes), folder, message, heard, o, &o->u.observer);
	if (r < 0) {
		emsmdb_object_release(o);
		return rop_status(rop, r);
	}
	rop_put_handle(rop, o);
	return 0;
}
