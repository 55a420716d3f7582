#include "store/message_private.h"

#include "base/cursor.h"
#include "base/utf16.h"
#include "mapi/tags.h"

#include <stdlib.h>
#include <string.h>

/* In the database: u32 count; count times: u32 row id, u8 type, u32 size, a record of that size. */
#define LEAST_ROW 9
#define ARENA_MAX ((size_t)64 << 20)

size_t store_recipient_count(const struct store_message *msg)
{
	return msg->recipient_count;
}

const struct store_recipient *store_recipient_at(const struct store_message *msg, size_t index)
{
	return index < msg->recipient_count ? &msg->recipients[index] : NULL;
}

void store_recipients_free(struct store_message *msg)
{
	free(msg->recipients);
	arena_free(&msg->recipient_arena);
}

static int room(struct store_message *msg)
{
	size_t cap = msg->recipient_cap ? msg->recipient_cap * 2 : 8;
	struct store_recipient *more;

	if (!msg->recipient_arena)
		msg->recipient_arena = arena_new(ARENA_MAX);
	if (!msg->recipient_arena)
		return MW_E_NOMEM;
	if (msg->recipient_count < msg->recipient_cap)
		return 0;
	if (msg->recipient_count >= STORE_MAX_RECIPIENTS)
		return MW_E_LIMIT;
	more = realloc(msg->recipients, cap * sizeof *more);
	if (!more)
		return MW_E_NOMEM;
	msg->recipients = more;
	msg->recipient_cap = cap;
	return 0;
}

static size_t lower_bound(const struct store_message *msg, uint32_t row_id)
{
	size_t low = 0, high = msg->recipient_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (msg->recipients[middle].row_id < row_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void place(struct store_message *msg, const struct store_recipient *r)
{
	size_t i = lower_bound(msg, r->row_id);

	if (i == msg->recipient_count || msg->recipients[i].row_id != r->row_id) {
		memmove(&msg->recipients[i + 1], &msg->recipients[i], (msg->recipient_count - i) * sizeof *r);
		msg->recipient_count++;
	}
	msg->recipients[i] = *r;
}

/* ---- Between values and records ---- */

static int encode_values(const struct store_recipient *r, struct buf *out)
{
	struct store_bag bag = {0};
	int e = 0;

	for (uint32_t i = 0; e >= 0 && i < r->count; i++)
		if (r->values[i].flag == MAPI_FLAG_VALUE)
			e = store_bag_put_value(&bag, &r->values[i]);
	if (e >= 0)
		e = store_bag_encode(&bag, NULL, out);
	store_bag_free(&bag);
	return e;
}

static int decode_values(struct arena *arena, const void *data, size_t size, struct store_recipient *out)
{
	struct store_record record;
	int r = store_record_open(data, size, &record);

	if (r < 0)
		return r;
	out->values = arena_new_array(arena, struct mapi_value, record.count);
	if (!out->values)
		return MW_E_NOMEM;
	for (unsigned i = 0; r >= 0 && i < record.count; i++) {
		struct store_field f;
		store_record_at(&record, i, &f);
		r = f.external ? MW_E_MALFORMED : store_decode(arena, &f, &out->values[i]);
	}
	out->count = record.count;
	return r;
}

int store_recipient_put(struct store_message *msg, const struct store_recipient *r)
{
	struct store_recipient row = {.row_id = r->row_id, .type = r->type};
	struct buf b = {.max = STORE_MAX_RECORD};
	int e = msg->writable ? room(msg) : MW_E_STATE;

	if (e >= 0)
		e = encode_values(r, &b);
	if (e >= 0)
		e = decode_values(msg->recipient_arena, b.data, b.len, &row);
	buf_free(&b);
	if (e < 0)
		return e == MW_E_UNSUPPORTED ? MW_E_INVALID : e;
	place(msg, &row);
	msg->display_due = true;
	return 0;
}

int store_recipient_remove(struct store_message *msg, uint32_t row_id)
{
	size_t i = lower_bound(msg, row_id);

	if (!msg->writable)
		return MW_E_STATE;
	if (i == msg->recipient_count || msg->recipients[i].row_id != row_id)
		return MW_E_NOTFOUND;
	msg->recipient_count--;
	memmove(&msg->recipients[i], &msg->recipients[i + 1], (msg->recipient_count - i) * sizeof *msg->recipients);
	msg->display_due = true;
	return 0;
}

void store_recipient_clear(struct store_message *msg)
{
	msg->recipient_count = 0;
	if (msg->recipient_arena)
		arena_reset(msg->recipient_arena);
	msg->display_due = true;
}

int store_recipients_load(struct store_message *msg, const void *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint32_t count, length;
	int e = 0;

	if (size == 0)
		return 0;
	if (cursor_u32(&c, &count) < 0 || count > cursor_left(&c) / LEAST_ROW)
		return MW_E_MALFORMED;
	for (uint32_t i = 0; e >= 0 && i < count; i++) {
		struct store_recipient r = {0};
		const uint8_t *record;

		if (cursor_u32(&c, &r.row_id) < 0 || cursor_u8(&c, &r.type) < 0 || cursor_u32(&c, &length) < 0 ||
		    cursor_bytes(&c, length, &record) < 0)
			return MW_E_MALFORMED;
		e = room(msg);
		if (e >= 0)
			e = decode_values(msg->recipient_arena, record, length, &r);
		if (e >= 0)
			place(msg, &r);
	}
	return e;
}

int store_recipients_encode(const struct store_message *msg, struct buf *out)
{
	int e = 0;

	if (msg->recipient_count == 0)
		return 0;
	buf_put_u32(out, (uint32_t)msg->recipient_count);
	for (size_t i = 0; e >= 0 && i < msg->recipient_count; i++) {
		const struct store_recipient *r = &msg->recipients[i];
		size_t at;

		buf_put_u32(out, r->row_id);
		buf_put_u8(out, r->type);
		at = out->len;
		buf_put_u32(out, 0);
		if (buf_error(out) < 0)
			return buf_error(out);
		e = encode_values(r, out);
		if (e >= 0)
			buf_poke_u32(out, at, (uint32_t)(out->len - at - 4));
	}
	return e;
}

/* ---- PidTagDisplayTo and its like, [MS-OXOMSG] 2.2.1.7 to 2.2.1.9: names with "; " between ---- */

static const uint16_t *name_of(const struct store_recipient *r)
{
	static const uint32_t candidates[] = {PidTagDisplayName, PidTagSmtpAddress, PidTagEmailAddress};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		const struct mapi_value *v = mapi_find(r->values, r->count, candidates[i]);
		if (v && v->tag == candidates[i] && v->u.str16[0])
			return v->u.str16;
	}
	return NULL;
}

static int display(struct store_message *msg, uint32_t tag, uint8_t type)
{
	static const uint16_t between[] = {';', ' '};
	struct buf b = {.max = STORE_INLINE_MAX};
	struct mapi_value v = {.tag = tag};
	int r;

	for (size_t i = 0; i < msg->recipient_count; i++) {
		const uint16_t *name = name_of(&msg->recipients[i]);
		if ((msg->recipients[i].type & 0xF) != type || !name)
			continue;
		if (b.len > 0)
			buf_put(&b, between, sizeof between);
		buf_put(&b, name, utf16_len(name) * 2);
	}
	/* Beyond what one value holds the list ends with the last name that fits. */
	if (buf_error(&b) == MW_E_LIMIT)
		b.error = 0;
	b.max += 2;
	r = buf_put_u16(&b, 0);
	v.u.str16 = (uint16_t *)(void *)b.data;
	if (r >= 0)
		r = store_bag_put_value(&msg->bag, &v);
	buf_free(&b);
	return r;
}

int store_recipients_display(struct store_message *msg)
{
	int r = 0;

	if (!msg->display_due)
		return 0;
	r = display(msg, PidTagDisplayTo, 1);
	if (r >= 0)
		r = display(msg, PidTagDisplayCc, 2);
	if (r >= 0)
		r = display(msg, PidTagDisplayBcc, 3);
	if (r >= 0)
		msg->display_due = false;
	return r;
}
