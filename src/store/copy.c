#include "store/message_private.h"

/* Copies of what messages hold. */

static int copy_value(struct store_mailbox *m, struct store_bag *bag, const struct store_slot *slot)
{
	uint64_t value;
	int r = store_value_new(m, &value);

	if (r >= 0)
		r = store_value_copy(m, slot->value, value);
	return r < 0 ? r : store_bag_put_external(bag, slot->tag, value, slot->value_size);
}

static int copy_slot(struct store_mailbox *m, struct store_bag *bag, const struct store_slot *slot)
{
	if (slot->external)
		return copy_value(m, bag, slot);
	return store_bag_put(bag, slot->tag, slot->data, slot->size);
}

static void empty(struct store_message *msg)
{
	for (size_t i = 0; i < msg->bag.count; i++)
		store_message_forget(msg, msg->bag.slots[i].tag);
	store_bag_free(&msg->bag);
}

int store_message_take(struct store_message *msg, const struct store_message *from)
{
	int r = 0;

	empty(msg);
	for (size_t i = 0; r >= 0 && i < from->bag.count; i++)
		r = copy_slot(msg->m, &msg->bag, &from->bag.slots[i]);
	store_recipient_clear(msg);
	for (size_t i = 0; r >= 0 && i < from->recipient_count; i++)
		r = store_recipient_put(msg, &from->recipients[i]);
	return r;
}
