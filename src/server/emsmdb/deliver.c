#include "server/emsmdb/outbox.h"

#include "server/accounts.h"

#include <stdlib.h>

/* ---- Between the loops ---- */

static void post(struct emsmdb_delivery *d, struct server_loop *to,
                 void (*run)(struct server_loop *loop, struct loop_message *m))
{
	d->message.run = run;
	loop_post(to, &d->message);
}

static void come_home(struct server_loop *loop, struct loop_message *m)
{
	struct emsmdb_delivery *d = (struct emsmdb_delivery *)m;
	(void)loop;
	emsmdb_delivered(d);
	free(d);
}

/* In the recipient's loop: the end, good or bad. */
static void go_home(struct emsmdb_delivery *d, int result)
{
	d->result = result;
	if (d->mailbox && d->parcel)
		store_parcel_discard(d->parcel, d->mailbox->store);
	store_parcel_free(&d->parcel);
	emsmdb_mailbox_unref(&d->mailbox);
	post(d, d->home, come_home);
}

/* ---- What the recipient's copy says, [MS-OXOMSG] 2.2.1 ---- */

static int add_receiver(struct arena *arena, const struct emsmdb_delivery *d, struct mapi_value *values)
{
	struct directory_snapshot *book = accounts_snapshot(d->to->server);
	const struct directory_user *u = directory_by_mailbox(book, &d->recipient);
	int r = u ? address_put(arena, u, &address_received_by, values) : MW_E_NOTFOUND;
	if (r == 0)
		r = address_put(arena, u, &address_received_representing, values + ADDRESS_VALUES);
	directory_snapshot_unref(&book);
	return r;
}

static void drop_blind(struct store_message *msg)
{
	for (size_t i = store_recipient_count(msg); i-- > 0;) {
		const struct store_recipient *r = store_recipient_at(msg, i);
		if ((r->type & 0xF) == 3)
			(void)!store_recipient_remove(msg, r->row_id);
	}
}

static int address(struct emsmdb_delivery *d, struct store_message *msg, int64_t now)
{
	static const uint32_t private_tags[] = {PidTagDeleteAfterSubmit, PidTagSentMailSvrEID, PidTagSentMailEntryId,
	                                        PidTagDeferredSendTime};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct mapi_value values[2 * ADDRESS_VALUES + 6] = {
	        [2 * ADDRESS_VALUES] = mapi_i64(PidTagMessageDeliveryTime, (int64_t)filetime_from_ns(now)),
	        mapi_i64(PidTagCreationTime, (int64_t)filetime_from_ns(now)),
	        mapi_i32(PidTagMessageFlags, 0),
	        mapi_boolean(PidTagMessageToMe, d->kinds & 1 << 1),
	        mapi_boolean(PidTagMessageCcMe, d->kinds & 1 << 2),
	        mapi_boolean(PidTagMessageRecipientMe, d->kinds & (1 << 1 | 1 << 2)),
	};
	int r = arena ? add_receiver(arena, d, values) : MW_E_NOMEM;
	if (r == 0)
		r = store_message_set(msg, values, ARRAY_SIZE(values), NULL);
	if (r == 0)
		r = store_message_remove(msg, private_tags, ARRAY_SIZE(private_tags), NULL);
	if (r == 0)
		drop_blind(msg);
	return r;
}

/* ---- Step by step ---- */

static void safe(struct emsmdb_waiter *w, bool failed)
{
	go_home((struct emsmdb_delivery *)w->user, failed ? MW_E_IO : 0);
}

static int open_and_deliver(struct emsmdb_delivery *d, int64_t now, uint64_t *ticket)
{
	struct store_message *msg = NULL;
	struct store_mailbox *m = d->mailbox->store;
	int r = store_parcel_open(d->parcel, m, 0, now, &msg);
	if (r == 0)
		r = address(d, msg, now);
	if (r == 0)
		r = store_message_deliver_once(msg, d->id, false, now, ticket);
	store_message_close(&msg);
	return r;
}

static void complete(struct emsmdb_delivery *d)
{
	uint64_t ticket = 0;
	int r = open_and_deliver(d, time_now_ns(), &ticket);
	store_parcel_free(&d->parcel);
	if (r < 0) {
		go_home(d, r == MW_E_EXISTS ? 0 : r);
		return;
	}
	d->waiter = (struct emsmdb_waiter){.ticket = ticket, .safe = safe, .user = d};
	emsmdb_when_safe(d->mailbox, &d->waiter);
}

static void fetch(struct server_loop *loop, struct loop_message *m);

static void go_on(struct emsmdb_delivery *d)
{
	if (store_parcel_lacks(d->parcel))
		post(d, d->home, fetch);
	else
		complete(d);
}

static void keep(struct server_loop *loop, struct loop_message *m)
{
	struct emsmdb_delivery *d = (struct emsmdb_delivery *)m;
	if (emsmdb_hold(d->mailbox, m))
		return;
	int r = d->result < 0 ? d->result : store_parcel_keep(d->parcel, d->mailbox->store);
	(void)loop;
	if (r < 0)
		go_home(d, r);
	else
		go_on(d);
}

static void fetch(struct server_loop *loop, struct loop_message *m)
{
	struct emsmdb_delivery *d = (struct emsmdb_delivery *)m;
	(void)loop;
	d->result = store_parcel_fetch(d->parcel, d->outgoing->mailbox->store);
	post(d, d->to, keep);
}

static void arrive(struct server_loop *loop, struct loop_message *m)
{
	struct emsmdb_delivery *d = (struct emsmdb_delivery *)m;
	bool there = false;
	int r = emsmdb_mailbox_ref(loop, &d->recipient, &d->mailbox);
	if (r == 0)
		r = store_delivered(d->mailbox->store, d->id, &there);
	if (r == 0 && !there)
		r = store_parcel_arrive(d->parcel, d->mailbox->store);
	if (r < 0 || there)
		go_home(d, r);
	else
		go_on(d);
}

void emsmdb_deliver(struct emsmdb_delivery *d)
{
	d->to = emsmdb_owner_of(d->home->server, &d->recipient);
	post(d, d->to, arrive);
}
