#include "store/part.h"

#include "base/cursor.h"
#include "store/attachment.h"

#include <stdlib.h>

/* ---- All bags ---- */

int store_bags_visit(struct store_message *msg, store_bag_visit *visit, void *user)
{
	int r = visit(user, &msg->bag);

	if (r >= 0 && msg->inner)
		r = store_bags_visit(msg->inner, visit, user);
	for (size_t i = 0; r >= 0 && i < msg->part_count; i++)
		r = store_bags_visit(msg->parts[i], visit, user);
	return r;
}

static int find_value(void *user, struct store_bag *bag)
{
	for (size_t i = 0; i < bag->count; i++)
		if (bag->slots[i].external && bag->slots[i].value == *(const uint64_t *)user)
			return MW_E_EXISTS;
	return 0;
}

bool store_bags_have(struct store_message *msg, uint64_t value)
{
	return store_bags_visit(msg, find_value, &value) < 0;
}

static int find_external(void *user, struct store_bag *bag)
{
	(void)user;
	for (size_t i = 0; i < bag->count; i++)
		if (bag->slots[i].external)
			return MW_E_EXISTS;
	return 0;
}

bool store_bags_external(struct store_message *msg)
{
	return store_bags_visit(msg, find_external, NULL) < 0;
}

struct adoption {
	struct store_message *msg;
	uint64_t id;
};

static bool is_kept(void *user, uint64_t value)
{
	return store_bags_have(user, value);
}

static int adopt(void *user, struct store_bag *bag)
{
	struct adoption *a = user;

	return store_values_adopt(a->msg->m, a->id, bag);
}

int store_parts_adopt(struct store_message *msg, uint64_t id, bool had_values)
{
	struct adoption a = {.msg = msg, .id = id};
	int r = had_values ? store_values_drop(msg->m, id, is_kept, msg) : 0;

	return r < 0 ? r : store_bags_visit(msg, adopt, &a);
}

/* ---- Copying ---- */

static int copy_slot(struct store_mailbox *m, struct store_bag *to, struct store_slot *slot, enum store_copying how)
{
	int r;

	if (!slot->external)
		return store_bag_put(to, slot->tag, slot->data, slot->size);
	if (how == STORE_DUPLICATE)
		return store_slot_copy(m, to, slot);
	r = store_bag_put_external(to, slot->tag, slot->value, slot->value_size);
	if (r < 0)
		return r;
	store_bag_slot(to, mapi_tag_id(slot->tag))->fresh = how == STORE_TRANSFER && slot->fresh;
	if (how == STORE_TRANSFER)
		slot->fresh = false;
	return 0;
}

static int copy_bag(struct store_message *to, struct store_message *from, enum store_copying how)
{
	int r = 0;

	for (size_t i = 0; i < to->bag.count; i++)
		store_message_forget(to, to->bag.slots[i].tag);
	store_bag_free(&to->bag);
	for (size_t i = 0; r >= 0 && i < from->bag.count; i++)
		r = copy_slot(to->m, &to->bag, &from->bag.slots[i], how);
	return r;
}

static int copy_recipients(struct store_message *to, const struct store_message *from)
{
	int r = 0;

	store_recipient_clear(to);
	for (size_t i = 0; r >= 0 && i < from->recipient_count; i++)
		r = store_recipient_put(to, &from->recipients[i]);
	return r;
}

struct store_message *store_part_bare(const struct store_message *in, enum store_kind kind, uint32_t number)
{
	struct store_message *msg = calloc(1, sizeof *msg);

	if (msg)
		*msg = (struct store_message){.m = in->m,
		                              .kind = kind,
		                              .number = number,
		                              .writable = true,
		                              .flags_given = true,
		                              .depth = in->depth + (kind == STORE_A_MESSAGE)};
	return msg;
}

int store_parts_room(struct store_message *msg)
{
	size_t cap = msg->part_cap ? msg->part_cap * 2 : 4;
	struct store_message **more;

	if (msg->part_count < msg->part_cap)
		return 0;
	if (msg->part_count >= STORE_MAX_ATTACHMENTS)
		return MW_E_LIMIT;
	more = realloc(msg->parts, cap * sizeof(void *));
	if (!more)
		return MW_E_NOMEM;
	msg->parts = more;
	msg->part_cap = cap;
	return 0;
}

/* A new empty attachment at the end. */
static int add_part(struct store_message *msg, uint32_t number, struct store_message **out)
{
	int r = store_parts_room(msg);
	struct store_message *part = r < 0 ? NULL : store_part_bare(msg, STORE_AN_ATTACHMENT, number);

	if (!part)
		return r < 0 ? r : MW_E_NOMEM;
	msg->parts[msg->part_count++] = part;
	if (number >= msg->next_part)
		msg->next_part = number + 1;
	*out = part;
	return 0;
}

/* What it takes in memory, about. */
static int add_weight(void *user, struct store_bag *bag)
{
	*(size_t *)user += sizeof(struct store_message) + bag->bytes + bag->count * 2 * sizeof(struct store_slot);
	return 0;
}

bool store_parts_too_heavy(struct store_message *msg)
{
	size_t weight = 0;

	(void)!store_bags_visit(msg, add_weight, &weight);
	return weight > STORE_MAX_PARTS;
}

static int copy_all(struct store_message *to, struct store_message *from, enum store_copying how);

static int add_inner(struct store_message *part)
{
	if (part->depth >= STORE_MAX_EMBEDDED)
		return MW_E_LIMIT;
	part->inner = store_part_bare(part, STORE_A_MESSAGE, 0);
	return part->inner ? 0 : MW_E_NOMEM;
}

static int copy_parts(struct store_message *to, struct store_message *from, enum store_copying how)
{
	int r = 0;

	store_parts_free(to);
	if (from->inner) {
		r = add_inner(to);
		if (r >= 0)
			r = copy_all(to->inner, from->inner, how);
	}
	for (size_t i = 0; r >= 0 && i < from->part_count; i++) {
		struct store_message *part;
		r = add_part(to, from->parts[i]->number, &part);
		if (r >= 0)
			r = copy_all(part, from->parts[i], how);
	}
	if (r >= 0)
		to->next_part = from->next_part;
	return r;
}

static int copy_all(struct store_message *to, struct store_message *from, enum store_copying how)
{
	int r = copy_bag(to, from, how);

	if (r >= 0)
		r = copy_recipients(to, from);
	if (r >= 0)
		r = copy_parts(to, from, how);
	to->flags = from->flags;
	to->display_due = from->display_due;
	return r;
}

int store_content_copy(struct store_message *to, struct store_message *from, enum store_copying how)
{
	return copy_all(to, from, how);
}

int store_parts_copy(struct store_message *to, struct store_message *from)
{
	return store_parts_too_heavy(from) ? MW_E_LIMIT : copy_parts(to, from, STORE_DUPLICATE);
}

void store_parts_free(struct store_message *msg)
{
	for (size_t i = 0; i < msg->part_count; i++)
		store_message_close(&msg->parts[i]);
	free(msg->parts);
	msg->parts = NULL;
	msg->part_count = msg->part_cap = 0;
	store_message_close(&msg->inner);
}

/*
 * ---- On disk ----
 *
 * u32 next number, u32 count; count times: u32 number, u32 size, record; u8 1 with a message in it: u32 flags, u32
 * size, record; u32 size, recipients; its attachments
 */

static int put_bag(const struct store_message *msg, struct buf *out)
{
	size_t at = out->len;
	int r = buf_put_u32(out, 0);

	if (r >= 0)
		r = store_bag_encode(&msg->bag, msg->m->packer, out);
	if (r >= 0)
		buf_poke_u32(out, at, (uint32_t)(out->len - at - 4));
	return r;
}

static int put_inner(const struct store_message *msg, struct buf *out)
{
	size_t at;
	int r;

	buf_put_u32(out, msg->flags);
	r = put_bag(msg, out);
	at = out->len;
	if (r >= 0)
		r = buf_put_u32(out, 0);
	if (r >= 0)
		r = store_recipients_encode(msg, out);
	if (r < 0)
		return r;
	buf_poke_u32(out, at, (uint32_t)(out->len - at - 4));
	return store_parts_encode(msg, out);
}

int store_parts_encode(const struct store_message *msg, struct buf *out)
{
	int r;

	if (msg->part_count == 0 && msg->depth == 0)
		return 0;
	buf_put_u32(out, msg->next_part);
	r = buf_put_u32(out, (uint32_t)msg->part_count);
	for (size_t i = 0; r >= 0 && i < msg->part_count; i++) {
		const struct store_message *part = msg->parts[i];
		buf_put_u32(out, part->number);
		r = put_bag(part, out);
		if (r >= 0)
			r = buf_put_u8(out, part->inner != NULL);
		if (r >= 0 && part->inner)
			r = put_inner(part->inner, out);
	}
	return r;
}

static int get_piece(struct cursor *c, const uint8_t **data, uint32_t *size)
{
	if (cursor_u32(c, size) < 0)
		return MW_E_MALFORMED;
	return cursor_bytes(c, *size, data) < 0 ? MW_E_MALFORMED : 0;
}

static int get_bag(struct cursor *c, struct store_bag *bag)
{
	struct store_record record;
	const uint8_t *data;
	uint32_t size;
	int r = get_piece(c, &data, &size);

	if (r >= 0)
		r = store_record_open(data, size, &record);
	return r < 0 ? r : store_bag_load(bag, &record);
}

static int get_parts(struct store_message *msg, struct cursor *c);

static int get_inner(struct store_message *part, struct cursor *c)
{
	const uint8_t *data;
	uint32_t size;
	int r = add_inner(part);

	if (r >= 0 && cursor_u32(c, &part->inner->flags) < 0)
		r = MW_E_MALFORMED;
	if (r >= 0)
		r = get_bag(c, &part->inner->bag);
	if (r >= 0)
		r = get_piece(c, &data, &size);
	if (r >= 0)
		r = store_recipients_load(part->inner, data, size);
	return r < 0 ? r : get_parts(part->inner, c);
}

static int get_part(struct store_message *msg, struct cursor *c)
{
	struct store_message *part;
	uint32_t number;
	uint8_t inner = 0;
	int r = cursor_u32(c, &number) < 0 ? MW_E_MALFORMED : add_part(msg, number, &part);

	if (r >= 0)
		r = get_bag(c, &part->bag);
	if (r >= 0 && cursor_u8(c, &inner) < 0)
		r = MW_E_MALFORMED;
	return r < 0 || !inner ? r : get_inner(part, c);
}

static int get_parts(struct store_message *msg, struct cursor *c)
{
	uint32_t count, next;
	int r = 0;

	if (cursor_u32(c, &next) < 0 || cursor_u32(c, &count) < 0 || count > cursor_left(c))
		return MW_E_MALFORMED;
	for (uint32_t i = 0; r >= 0 && i < count; i++)
		r = get_part(msg, c);
	msg->next_part = next;
	return r;
}

int store_parts_load(struct store_message *msg, const void *data, size_t size)
{
	struct cursor c = cursor_of(data, size);

	return size == 0 ? 0 : get_parts(msg, &c);
}
