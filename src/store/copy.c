#include "store/message_private.h"

#include "mapi/tags.h"
#include "store/part.h"

/* Copies of what messages hold. */

static int copy_value(struct store_mailbox *m, struct store_bag *bag, const struct store_slot *slot)
{
	uint64_t value;
	int r = store_value_new(m, &value);

	if (r >= 0)
		r = store_value_copy(m, slot->value, value);
	return r < 0 ? r : store_bag_put_external(bag, slot->tag, value, slot->value_size);
}

int store_slot_copy(struct store_mailbox *m, struct store_bag *bag, const struct store_slot *slot)
{
	if (slot->external)
		return copy_value(m, bag, slot);
	return store_bag_put(bag, slot->tag, slot->data, slot->size);
}

int store_message_take(struct store_message *msg, struct store_message *from)
{
	return store_content_copy(msg, from, STORE_DUPLICATE);
}

int store_message_tags(struct store_message *msg, struct arena *arena, uint32_t **tags, size_t *count)
{
	struct mapi_value *values;
	size_t n;
	int r = store_message_all(msg, arena, &values, &n);
	uint32_t *out = r >= 0 ? arena_new_array(arena, uint32_t, n) : NULL;

	if (!out)
		return r < 0 ? r : MW_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		/* Of a large value there is only an error there. */
		const struct store_slot *slot = values[i].flag == MAPI_FLAG_ERROR
		                                        ? store_bag_slot(&msg->bag, mapi_tag_id(values[i].tag))
		                                        : NULL;
		out[i] = slot ? slot->tag : values[i].tag;
	}
	*tags = out;
	*count = n;
	return 0;
}

static int copy_recipients(struct store_message *from, struct store_message *to, unsigned flags)
{
	int r = 0;

	if (flags & STORE_COPY_KEEP && to->recipient_count > 0)
		return 0;
	store_recipient_clear(to);
	for (size_t i = 0; r >= 0 && i < from->recipient_count; i++)
		r = store_recipient_put(to, &from->recipients[i]);
	return r;
}

static int copy_attachments(struct store_message *from, struct store_message *to)
{
	int r = store_parts_copy(to, from);

	if (to->part_count > 0)
		to->flags |= MF_HAS_ATTACH;
	return r;
}

static int copy_property(struct store_message *from, struct store_message *to, uint32_t tag, unsigned flags,
                         uint32_t *problem, struct arena *arena)
{
	const struct store_slot *slot = store_bag_slot(&from->bag, mapi_tag_id(tag));
	int r;

	*problem = store_object_refuses(to->kind, tag);
	if (*problem)
		return 0;
	if (!slot) { /* what follows from other properties: the halves of a subject */
		struct mapi_value v;
		uint32_t as = mapi_tag_type(tag) == PTYP_STRING8 ? mapi_tag_as(tag, PTYP_STRING) : tag;
		r = store_message_get(from, arena, &as, 1, &v);
		*problem = r >= 0 && v.flag != MAPI_FLAG_VALUE ? ecNotFound : 0;
		return r < 0 || *problem ? r : store_message_set(to, &v, 1, problem);
	}
	if (flags & STORE_COPY_KEEP && store_bag_slot(&to->bag, mapi_tag_id(tag)))
		return 0;
	store_message_forget(to, tag);
	return store_slot_copy(to->m, &to->bag, slot);
}

int store_message_copy_property(struct store_message *from, struct store_message *to, uint32_t tag, unsigned flags,
                                uint32_t *problem)
{
	STORE_ARENA arena = arena_new(0);
	int r;

	*problem = 0;
	if (!to->writable || from->m != to->m)
		return MW_E_STATE;
	if (from == to)
		return 0;
	if (!arena)
		return MW_E_NOMEM;
	if (mapi_tag_id(tag) == mapi_tag_id(PidTagMessageRecipients))
		return copy_recipients(from, to, flags);
	if (mapi_tag_id(tag) == mapi_tag_id(PidTagMessageAttachments))
		return flags & STORE_COPY_KEEP && to->part_count > 0 ? 0 : copy_attachments(from, to);
	if (mapi_tag_id(tag) == mapi_tag_id(PidTagAttachDataObject) && from->inner && to->kind == from->kind)
		return store_parts_copy(to, from);
	r = copy_property(from, to, tag, flags, problem, arena);
	if (r == MW_E_LIMIT) {
		*problem = ecTooBig;
		r = 0;
	}
	return r;
}
