#include "server/emsmdb/across.h"

#include <string.h>

/*
 * From one mailbox into another: RopMoveCopyMessages, RopMoveFolder, RopCopyFolder ([MS-OXCFOLD] 2.2.1.6 to 2.2.1.8)
 * and RopCopyTo and RopCopyProperties ([MS-OXCPRPT]; across_copy.c). Messages go as parcels (store/parcel.h) with the
 * call between the two loops. What is moved is deleted only when its copies are safe on disk.
 */

/* ---- Between the loops ---- */

static struct emsmdb_logon *side_of(const struct across *c, bool there)
{
	return there ? c->to->on : c->rop->on;
}

static void run_step(struct across *c)
{
	struct emsmdb_logon *l = side_of(c, c->there);
	struct emsmdb_mailbox *m = l->mailbox;
	if (c->writes && emsmdb_hold(m, &c->message))
		return;
	store_mailbox_as(m->store, l->owner ? NULL : &l->caller);
	m->actor = l;
	c->step(c);
	/* The call may be another loop's by now, or answered; the mailbox is this one's still. */
	m->actor = NULL;
	store_mailbox_as(m->store, NULL);
}

static void run_message(struct server_loop *loop, struct loop_message *message)
{
	(void)loop;
	run_step((struct across *)message);
}

static void run_moved(struct server_loop *loop, struct service_call *call)
{
	(void)loop;
	run_step(((struct execution *)call->state)->across);
}

/* A round of the loop lies between two steps, so that others have their turn and the stack stays flat. */
void across_go(struct across *c, bool there, bool writes, across_step step)
{
	struct server_loop *to = side_of(c, there)->mailbox->loop;
	c->there = there;
	c->writes = writes;
	c->step = step;
	c->message.run = run_message;
	if (to == c->rop->call->at)
		loop_post(to, &c->message);
	else
		service_move(c->rop->call, to, run_moved);
}

static void answer(struct across *c)
{
	store_message_close(&c->message_open);
	rop_resume(c->rop, c->status == ROP_LATER ? rop_status(c->rop, c->result) : c->status);
}

/* In the source's loop the ROP ends as it began. */
void across_end(struct across *c, uint32_t status)
{
	c->status = status;
	across_go(c, false, false, answer);
}

void across_fail(struct across *c, int r)
{
	c->result = r;
	across_end(c, ROP_LATER); /* what that is, the source's loop says */
}

/* ---- One parcel ---- */

static void keep_piece(struct across *c);

static void fetch_piece(struct across *c)
{
	c->result = store_parcel_fetch(c->parcel, side_of(c, false)->mailbox->store);
	across_go(c, true, true, keep_piece);
}

static void go_on_with_parcel(struct across *c)
{
	if (store_parcel_lacks(c->parcel))
		across_go(c, false, false, fetch_piece);
	else
		c->arrived(c);
}

void across_drop_parcel(struct across *c)
{
	if (c->parcel)
		store_parcel_discard(c->parcel, side_of(c, true)->mailbox->store);
	store_parcel_free(&c->parcel);
}

static void keep_piece(struct across *c)
{
	int r = c->result < 0 ? c->result : store_parcel_keep(c->parcel, side_of(c, true)->mailbox->store);
	if (r == 0) {
		go_on_with_parcel(c);
		return;
	}
	across_drop_parcel(c);
	c->result = r;
	c->lost(c);
}

static void unpack(struct across *c)
{
	int r = store_parcel_arrive(c->parcel, side_of(c, true)->mailbox->store);
	if (r == 0) {
		go_on_with_parcel(c);
		return;
	}
	across_drop_parcel(c);
	c->result = r;
	c->lost(c);
}

void across_send(struct across *c)
{
	across_go(c, true, true, unpack);
}

/* ---- Messages, one after the other ---- */

static void next_message(struct across *c);

/* What one message came to: the rest goes on but after a failure of a mailbox. */
static void note_result(struct across *c, int r)
{
	struct across_item *item = &c->items[c->item_at];
	item->done = r == 0;
	c->partial |= r < 0;
	store_message_close(&c->message_open);
	c->item_at++;
	if (r == MW_E_IO || r == MW_E_NOMEM)
		across_fail(c, r);
	else
		next_message(c);
}

static void back_with_result(struct across *c)
{
	note_result(c, c->result);
}

static void lost(struct across *c)
{
	across_go(c, false, false, back_with_result);
}

static void arrived(struct across *c)
{
	const struct across_item *item = &c->items[c->item_at];
	uint64_t id, ticket = 0;
	c->result = store_parcel_put(c->parcel, side_of(c, true)->mailbox->store, c->branches[item->branch].there,
	                             item->associated, c->rop->now, &id, &ticket);
	store_parcel_free(&c->parcel);
	if (c->result == 0 && rop_promise_in(c->rop, side_of(c, true)->mailbox, ticket) < 0)
		c->result = MW_E_NOMEM;
	c->ticket = ticket > c->ticket ? ticket : c->ticket;
	lost(c);
}

static int pack(struct across *c, const struct across_item *item)
{
	uint64_t folder = c->branches[item->branch].source;
	uint32_t access = STORE_ACCESS_READ | (c->moves ? STORE_ACCESS_DELETE : 0);
	if (!rop_may(c->rop, folder, item->source, access))
		return MW_E_STATE;
	int r = store_message_open(rop_store(c->rop), folder, item->source, false, &c->message_open);
	return r < 0 ? r : store_parcel_pack(c->message_open, &c->parcel);
}

static void finish(struct across *c);

static void next_message(struct across *c)
{
	if (c->item_at == c->item_count) {
		finish(c);
		return;
	}
	int r = pack(c, &c->items[c->item_at]);
	if (r < 0)
		note_result(c, r);
	else
		across_send(c);
}

/* ---- Their end ---- */

static void delete_sources(struct across *c)
{
	struct rop_call *rop = c->rop;
	int r = 0;
	if (c->result < 0) {
		across_fail(c, c->result);
		return;
	}
	for (size_t i = 0; r == 0 && !c->whole_folder && i < c->item_count; i++) {
		uint64_t ticket = 0;
		int e = !c->items[i].done ? 0
		                          : store_message_delete(rop_store(rop), c->branches[0].source,
		                                                 c->items[i].source, rop->now, &ticket);
		rop_promise(rop, ticket);
		c->partial |= e < 0;
		r = e == MW_E_IO ? e : 0;
	}
	if (c->whole_folder && !c->partial)
		r = store_folder_delete(rop_store(rop), c->branches[0].source,
		                        STORE_DELETE_MESSAGES | STORE_DELETE_FOLDERS, rop->now, &c->partial,
		                        &rop->ticket);
	*c->partial_out = c->partial;
	if (r < 0)
		across_fail(c, r);
	else
		across_end(c, 0);
}

static void safe(struct emsmdb_waiter *w, bool failed)
{
	struct across *c = (struct across *)w->user;
	c->result = failed ? MW_E_IO : 0;
	across_go(c, false, true, delete_sources);
}

static void wait_until_safe(struct across *c)
{
	c->waiter = (struct emsmdb_waiter){.ticket = c->ticket, .safe = safe, .user = c};
	emsmdb_when_safe(side_of(c, true)->mailbox, &c->waiter);
}

static void finish(struct across *c)
{
	*c->partial_out = c->partial;
	if (c->moves && c->ticket)
		across_go(c, true, false, wait_until_safe);
	else
		across_end(c, 0);
}

static void start_messages(struct across *c)
{
	c->arrived = arrived;
	c->lost = lost;
	next_message(c);
}

/* ---- Folders ---- */

/* At the destination: a folder for each branch, then back for the messages. */
static int make_branch(struct across *c, struct across_branch *b)
{
	struct emsmdb_mailbox *m = side_of(c, true)->mailbox;
	uint64_t above = b == c->branches ? c->to->u.folder : c->branches[b->above].there, ticket = 0;
	int r = store_folder_create(m->store, above, b->name, NULL, c->rop->now, &b->there, &ticket);
	if (r == 0 && b->value_count > 0)
		r = store_folder_set(m->store, b->there, b->values, b->value_count, c->rop->now, NULL, &ticket);
	c->ticket = ticket > c->ticket ? ticket : c->ticket;
	return r < 0 ? r : rop_promise_in(c->rop, m, c->ticket);
}

static void make_branches(struct across *c)
{
	uint32_t status = rop_check_destination(c->to, STORE_MAY_CREATE_FOLDER);
	int r = 0;
	for (size_t i = 0; status == 0 && r == 0 && i < c->branch_count; i++)
		r = make_branch(c, &c->branches[i]);
	if (status != 0)
		across_end(c, status);
	else if (r < 0)
		across_fail(c, r);
	else
		across_go(c, false, false, start_messages);
}

static void check_place(struct across *c)
{
	uint32_t status = rop_check_destination(c->to, STORE_MAY_CREATE);
	if (status != 0)
		across_end(c, status);
	else
		across_go(c, false, false, start_messages);
}

/* ---- Beginning ---- */

static uint32_t move_messages(struct across *c)
{
	const struct RopMoveCopyMessagesRequest *q = (const struct RopMoveCopyMessagesRequest *)c->rop->request;
	c->partial_out = &((struct RopMoveCopyMessagesResponse *)c->rop->response)->PartialCompletion;
	c->moves = !q->WantCopy;
	c->branches = arena_new_of(c->rop->arena, struct across_branch);
	c->items = arena_new_array(c->rop->arena, struct across_item, q->MessageIdCount);
	if (!c->branches || !c->items)
		return ecServerOOM;
	c->branches[0] = (struct across_branch){.source = c->rop->in->u.folder, .there = c->to->u.folder};
	c->branch_count = 1;
	for (unsigned i = 0; i < q->MessageIdCount; i++)
		c->items[c->item_count++] = (struct across_item){.source = q->MessageIds[i]};
	across_go(c, true, false, check_place);
	return ROP_LATER;
}

static uint32_t begin_folder(struct across *c, uint64_t folder, const char *name, bool deep)
{
	if (!name || !*name)
		return name ? ecInvalidParam : ecServerOOM;
	int r = across_list_folder(c, folder, name, deep);
	if (r < 0)
		return rop_status(c->rop, r);
	across_go(c, true, true, make_branches);
	return ROP_LATER;
}

static uint32_t move_folder(struct across *c)
{
	const struct RopMoveFolderRequest *q = (const struct RopMoveFolderRequest *)c->rop->request;
	c->partial_out = &((struct RopMoveFolderResponse *)c->rop->response)->PartialCompletion;
	c->moves = c->whole_folder = true;
	return begin_folder(c, q->FolderId, rop_text(c->rop, q->NewFolderName, q->NewFolderNameString8), true);
}

static uint32_t copy_folder(struct across *c)
{
	const struct RopCopyFolderRequest *q = (const struct RopCopyFolderRequest *)c->rop->request;
	c->partial_out = &((struct RopCopyFolderResponse *)c->rop->response)->PartialCompletion;
	return begin_folder(c, q->FolderId, rop_text(c->rop, q->NewFolderName, q->NewFolderNameString8),
	                    q->WantRecursive);
}

uint32_t rop_across(struct rop_call *rop)
{
	struct across *c = arena_new_of(rop->arena, struct across);
	if (!c)
		return ecServerOOM;
	c->rop = rop;
	c->to = emsmdb_object_find(rop->session, rop->handles[rop_destination_index(rop)]);
	rop->execution->across = c;
	/* Of the kind that the source is of: what rop_destination asks for inside one mailbox. */
	if (!(c->to->kind & rop->in->kind)) {
		((struct RopMoveCopyMessagesResponse *)rop->response)->DestHandleIndex = rop_destination_index(rop);
		return ecDstNullObject;
	}
	switch (rop->id) {
	case 0x33:
		return move_messages(c);
	case 0x35:
		return move_folder(c);
	case 0x36:
		return copy_folder(c);
	default:
		return across_copy(c);
	}
}
