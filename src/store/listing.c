#include "store/listing.h"
#include "store/category.h"
#include "store/message_private.h"

#include "base/utf16.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 255 /* of one binary value */
#define KEY_MAX 65535

/* ---- A row's key: bytes whose order is that of the sort ---- */

static void put_number(struct buf *out, uint64_t bits)
{
	buf_put_u32be(out, (uint32_t)(bits >> 32));
	buf_put_u32be(out, (uint32_t)bits);
}

static uint64_t order_double(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, 8);
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t order_signed(int64_t v)
{
	return (uint64_t)v ^ UINT64_C(1) << 63;
}

/* Ended by two zeros, so that a shorter one sorts before a longer. */
static void put_bytes(struct buf *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size && i < KEY_BYTES; i++) {
		buf_put_u8(out, data[i]);
		if (data[i] == 0)
			buf_put_u8(out, 0xFF);
	}
	buf_put_u16(out, 0);
}

static void put_value(struct store_mailbox *m, struct buf *out, const struct mapi_value *v)
{
	uint8_t key[STORE_KEY_MAX], guid[16];

	switch (mapi_tag_type(v->tag)) {
	case PTYP_INTEGER16:
		put_number(out, order_signed(v->u.i16));
		break;
	case PTYP_INTEGER32:
		put_number(out, order_signed(v->u.i32));
		break;
	case PTYP_INTEGER64:
	case PTYP_CURRENCY:
		put_number(out, order_signed(v->u.i64));
		break;
	case PTYP_TIME:
		put_number(out, v->u.u64);
		break;
	case PTYP_BOOLEAN:
		buf_put_u8(out, v->u.boolean != 0);
		break;
	case PTYP_FLOATING32:
		put_number(out, order_double((double)v->u.f32));
		break;
	case PTYP_FLOATING64:
	case PTYP_FLOATING_TIME:
		put_number(out, order_double(v->u.f64));
		break;
	case PTYP_STRING:
		put_bytes(out, key, store_text_key(m, v->u.str16, key));
		break;
	case PTYP_BINARY:
		put_bytes(out, v->u.bin.data, v->u.bin.size);
		break;
	case PTYP_GUID:
		guid_to_bytes(&v->u.guid, guid);
		buf_put(out, guid, sizeof guid);
		break;
	default:
		break; /* no order: all alike */
	}
}

static int keep_key(struct store_listing *l, const struct buf *key, const uint16_t *ends, struct store_listed *row)
{
	row->key = arena_copy(l->arena, key->data, key->len);
	row->key_size = (uint32_t)key->len;
	row->ends = arena_copy(l->arena, ends, l->t->category_count * sizeof *ends);
	return row->key && row->ends ? buf_error(key) : MW_E_NOMEM;
}

static int make_key(struct store_listing *l, const struct store_object *o, struct store_listed *row)
{
	struct store_table *t = l->t;
	uint16_t ends[STORE_MAX_CATEGORIES] = {0};
	struct buf key = {.max = KEY_MAX};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->sort_count; i++) {
		size_t begin = key.len;
		struct mapi_value v;
		r = store_row_value(o, l->scratch, t->sort[i].tag, row->instance, &v);
		if (r < 0)
			break;
		buf_put_u8(&key, v.flag == MAPI_FLAG_VALUE);
		if (v.flag == MAPI_FLAG_VALUE)
			put_value(t->m, &key, &v);
		for (size_t j = begin; t->sort[i].descending && j < key.len; j++)
			key.data[j] = (uint8_t)~key.data[j];
		if (i < t->category_count)
			ends[i] = (uint16_t)key.len;
	}
	if (t->descending) /* rows with the same value too, as in a table that is walked */
		put_number(&key, ~row->id);
	if (r >= 0 && key.len > 0)
		r = keep_key(l, &key, ends, row);
	buf_free(&key);
	return r;
}

/* 1 kept, 0 not. */
static int passes(struct store_listing *l, const struct store_object *o)
{
	const struct store_filter *f = &l->t->filter;
	struct mapi_value *values;

	if (!f->keep)
		return 1;
	values = arena_new_array(l->scratch, struct mapi_value, f->count);
	if (!values || store_object_get_many(o, l->scratch, f->tags, f->count, 0, values) < 0)
		return MW_E_NOMEM;
	return f->keep(f->user, values);
}

static int add_row(struct store_listing *l, const struct store_object *o, uint32_t instance)
{
	struct store_listed row = {.id = o->id,
	                           .depth = o->depth,
	                           .instance = instance,
	                           .what = STORE_ROW_LEAF,
	                           .unread = !(o->flags & MF_READ)};

	if (make_key(l, o, &row) < 0)
		return MW_E_NOMEM;
	if (++l->count > STORE_MAX_SORTED)
		return store_say(l->t->m, MW_E_LIMIT, "The folder has too many messages for this order.");
	return buf_put(&l->rows, &row, sizeof row);
}

/* How many rows the message is: [MS-OXCTABL] 2.2.2.2.1, a row for each value; of no value one. */
static int count_instances(struct store_listing *l, const struct store_object *o, uint32_t *count)
{
	uint32_t tag = l->t->instances_of;
	struct mapi_value v;

	*count = 1;
	if (tag == 0)
		return 0;
	if (store_object_get(o, l->scratch, mapi_tag_as(tag, mapi_tag_type(tag) & ~PTYP_INSTANCE), 0, &v) < 0)
		return MW_E_NOMEM;
	if (v.flag == MAPI_FLAG_VALUE && v.count > 0)
		*count = v.count;
	return 0;
}

int store_listing_add(struct store_listing *l, const struct store_object *o)
{
	uint32_t count;
	int r = passes(l, o);

	if (r > 0)
		r = count_instances(l, o, &count) < 0 ? MW_E_NOMEM : 1;
	for (uint32_t i = 0; r > 0 && i < count; i++) {
		int e = add_row(l, o, i);
		r = e < 0 ? e : 1;
	}
	arena_reset(l->scratch);
	return r < 0 ? r : 0;
}

/* ---- What a row is ---- */

static struct store_object fixed_object(const struct store_table *t, size_t i)
{
	const struct store_bag *bags = (const void *)t->fixed->bags.data;

	return (struct store_object){.m = t->m, .kind = STORE_A_ROW, .id = i + 1, .in_table = true, .bag = &bags[i]};
}

int store_listing_add_fixed(struct store_listing *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->t->fixed->bags.len / sizeof(struct store_bag); i++) {
		struct store_object o = fixed_object(l->t, i);
		r = store_listing_add(l, &o);
	}
	return r;
}

static int load_attachment(const struct store_table *t, uint64_t number, struct store_object *out)
{
	for (size_t i = 0; i < t->of->part_count; i++) {
		if (t->of->parts[i]->number == number) {
			*out = store_message_object(t->of->parts[i]);
			return 0;
		}
	}
	return MW_E_NOTFOUND;
}

static int load_message(struct store_table *t, struct arena *arena, uint64_t id, struct store_object *out)
{
	STORE_STMT s = store_statement(t->m, STMT_MESSAGE_GET);
	const void *record;
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)id);
	r = store_step(t->m, s, "Reading a table");
	if (r <= 0)
		return r < 0 ? r : MW_E_NOTFOUND;
	r = store_message_row(t->m, s, out);
	if (r < 0 || out->record.size == 0)
		return r;
	record = arena_copy(arena, out->record.data, out->record.size);
	r = record ? store_record_open(record, out->record.size, &out->record) : MW_E_NOMEM;
	out->record.packer = t->m->packer;
	return r;
}

int store_list_object(struct store_table *t, struct arena *arena, const struct store_listed *row,
                      struct store_object *out)
{
	uint64_t id = row->what == STORE_ROW_LEAF ? row->id : row->first;
	int r = 0;

	if (t->fixed)
		*out = fixed_object(t, (size_t)id - 1);
	else
		r = t->of          ? load_attachment(t, id, out)
		    : t->hierarchy ? store_folder_load(t->m, arena, id, out)
		                   : load_message(t, arena, id, out);

	out->depth = row->depth;
	out->instance = row->instance;
	out->in_table = true;
	return r;
}
