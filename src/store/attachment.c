#include "store/attachment.h"

#include "base/time.h"
#include "mapi/tags.h"
#include "store/part.h"

#include <stdlib.h>

/* ---- Attachments as they are opened ---- */

size_t store_attachment_count(const struct store_message *msg)
{
	return msg->part_count;
}

uint32_t store_attachment_number_at(const struct store_message *msg, size_t index)
{
	return msg->parts[index]->number;
}

uint32_t store_attachment_number(const struct store_message *attachment)
{
	return attachment->number;
}

static struct store_message *part_of(const struct store_message *msg, uint32_t number)
{
	for (size_t i = 0; i < msg->part_count; i++)
		if (msg->parts[i]->number == number)
			return msg->parts[i];
	return NULL;
}

static int touch(struct store_message *a, int64_t now)
{
	struct mapi_value time = mapi_i64(PidTagLastModificationTime, (int64_t)filetime_from_ns(now));

	return store_bag_put_value(&a->bag, &time);
}

static int put_defaults(struct store_message *a, int64_t now)
{
	struct mapi_value values[] = {
	        mapi_i64(PidTagCreationTime, (int64_t)filetime_from_ns(now)),
	        mapi_i32(PidTagRenderingPosition, -1),
	};
	int r = touch(a, now);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(values); i++)
		r = store_bag_put_value(&a->bag, &values[i]);
	return r;
}

/* [MS-OXCMSG] 3.2.5.13 */
int store_attachment_create(struct store_message *msg, int64_t now, struct store_message **out)
{
	struct store_message *a;
	int r;

	if (!msg->writable)
		return MW_E_STATE;
	if (msg->part_count >= STORE_MAX_ATTACHMENTS)
		return MW_E_LIMIT;
	a = store_part_bare(msg, STORE_AN_ATTACHMENT, msg->next_part);
	if (!a)
		return MW_E_NOMEM;
	a->owner = msg;
	r = put_defaults(a, now);
	if (r < 0) {
		store_message_close(&a);
		return r;
	}
	msg->next_part++; /* a number is not used again, even when this one is not saved */
	*out = a;
	return 0;
}

int store_attachment_open(struct store_message *msg, uint32_t number, bool writable, struct store_message **out)
{
	struct store_message *part = part_of(msg, number), *a;
	int r;

	if (!part)
		return MW_E_NOTFOUND;
	if (writable && !msg->writable)
		return MW_E_STATE;
	a = store_part_bare(msg, STORE_AN_ATTACHMENT, number);
	if (!a)
		return MW_E_NOMEM;
	r = store_content_copy(a, part, STORE_BORROW);
	a->owner = msg;
	a->writable = writable;
	if (r < 0)
		store_message_close(&a);
	else
		*out = a;
	return r;
}

/* Values that are nobody's on disk yet stay, when the new one has them too. */
static int let_go(void *user, struct store_bag *bag)
{
	struct store_message *in = user;

	for (size_t i = 0; i < bag->count; i++)
		if (bag->slots[i].external && bag->slots[i].fresh && store_bags_have(in, bag->slots[i].value))
			bag->slots[i].fresh = false;
	return 0;
}

static int find_fresh(void *user, struct store_bag *bag)
{
	for (size_t i = 0; i < bag->count; i++)
		if (bag->slots[i].external && bag->slots[i].fresh && bag->slots[i].value == *(uint64_t *)user)
			return MW_E_EXISTS;
	return 0;
}

static bool is_fresh(struct store_message *msg, uint64_t value)
{
	return store_bags_visit(msg, find_fresh, &value) < 0;
}

/* What the old one had fresh and the new one borrowed is fresh in the new one. */
static int take_over(void *user, struct store_bag *bag)
{
	struct store_message *old = user;

	for (size_t i = 0; i < bag->count; i++)
		if (bag->slots[i].external && !bag->slots[i].fresh)
			bag->slots[i].fresh = is_fresh(old, bag->slots[i].value);
	return 0;
}

/* What was saved before gives way. */
static void replace(struct store_message **place, struct store_message *saved)
{
	if (*place) {
		(void)!store_bags_visit(saved, take_over, *place);
		(void)!store_bags_visit(*place, let_go, saved);
		store_message_close(place);
	}
	*place = saved;
}

static int save_copy(struct store_message *from, struct store_message **out)
{
	struct store_message *saved = store_part_bare(from, from->kind, from->number);
	int r = !saved ? MW_E_NOMEM : store_parts_too_heavy(from) ? MW_E_LIMIT : 0;

	if (saved)
		saved->depth = from->depth;
	if (r >= 0)
		r = store_content_copy(saved, from, STORE_TRANSFER);
	if (r < 0)
		store_message_close(&saved);
	else
		*out = saved;
	return r;
}

int store_attachment_save(struct store_message *a, int64_t now)
{
	struct store_message *msg = a->owner, *saved, **place = NULL;
	int r = a->writable && msg->writable ? touch(a, now) : MW_E_STATE;

	for (size_t i = 0; i < msg->part_count; i++)
		if (msg->parts[i]->number == a->number)
			place = &msg->parts[i];
	if (r >= 0 && !place)
		r = store_parts_room(msg);
	if (r >= 0)
		r = save_copy(a, &saved);
	if (r < 0)
		return r;
	if (!place) {
		place = &msg->parts[msg->part_count++];
		*place = NULL;
	}
	replace(place, saved);
	msg->flags |= MF_HAS_ATTACH;
	return 0;
}

int store_attachment_delete(struct store_message *msg, uint32_t number)
{
	size_t i = 0;

	if (!msg->writable)
		return MW_E_STATE;
	while (i < msg->part_count && msg->parts[i]->number != number)
		i++;
	if (i == msg->part_count)
		return MW_E_NOTFOUND;
	store_message_close(&msg->parts[i]);
	for (msg->part_count--; i < msg->part_count; i++)
		msg->parts[i] = msg->parts[i + 1];
	if (msg->part_count == 0)
		msg->flags &= ~MF_HAS_ATTACH;
	return 0;
}

int store_attachment_message(struct store_message *a, bool create, bool writable, int64_t now,
                             struct store_message **out)
{
	struct store_message *msg;
	int r;

	if (!create && !a->inner)
		return MW_E_NOTFOUND;
	if ((create || writable) && !a->writable)
		return MW_E_STATE;
	if (a->depth >= STORE_MAX_EMBEDDED)
		return MW_E_LIMIT;
	msg = store_part_bare(a, STORE_A_MESSAGE, 0);
	if (!msg)
		return MW_E_NOMEM;
	msg->flags = MF_READ | MF_UNSENT;
	msg->display_due = true;
	r = create ? store_message_defaults(msg, now) : store_content_copy(msg, a->inner, STORE_BORROW);
	msg->owner = a;
	msg->writable = create || writable;
	if (r < 0)
		store_message_close(&msg);
	else
		*out = msg;
	return r;
}

int store_embedded_save(struct store_message *msg)
{
	struct store_message *saved;
	int r = msg->writable && msg->owner->writable ? store_recipients_display(msg) : MW_E_STATE;

	if (r >= 0)
		r = save_copy(msg, &saved);
	if (r >= 0)
		replace(&msg->owner->inner, saved);
	return r;
}
