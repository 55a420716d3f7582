#include "store/category.h"
#include "store/condition.h"
#include "store/message_private.h"
#include "store/permission_private.h"
#include "store/table_private.h"
#include "store/words.h"

#include "base/utf16.h"

#include <stdlib.h>
#include <string.h>

#define LISTING_MAX ((size_t)512 << 20)
#define DEPTH_MAX 256
#define KEY_BYTES 255 /* of one binary value */
#define KEY_MAX 65535

struct listing {
	struct store_table *t;
	struct arena *arena, *scratch;
	struct buf rows; /* struct store_listed */
	size_t count;
};

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

static int keep_key(struct listing *l, const struct buf *key, const uint16_t *ends, struct store_listed *row)
{
	row->key = arena_copy(l->arena, key->data, key->len);
	row->key_size = (uint32_t)key->len;
	row->ends = arena_copy(l->arena, ends, l->t->category_count * sizeof *ends);
	return row->key && row->ends ? buf_error(key) : MW_E_NOMEM;
}

static int make_key(struct listing *l, const struct store_object *o, struct store_listed *row)
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
static int passes(struct listing *l, const struct store_object *o)
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

static int add_row(struct listing *l, const struct store_object *o, uint32_t instance)
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
static int count_instances(struct listing *l, const struct store_object *o, uint32_t *count)
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

static int add(struct listing *l, const struct store_object *o)
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
	return r;
}

static int add_message(void *user, sqlite3_stmt *s)
{
	struct listing *l = user;
	struct store_object o;
	int r = store_message_row(l->t->m, s, &o);

	if (r < 0)
		return r;
	o.in_table = true;
	if (l->t->guarded) {
		uint32_t access;
		r = store_object_access(&o, &access);
		if (r < 0 || !(access & STORE_ACCESS_READ))
			return r < 0 ? r : 0;
	}
	r = add(l, &o);
	return r < 0 ? r : 0;
}

/* ---- Folders ---- */

static int add_folders(struct listing *l, struct arena *arena, uint64_t parent, uint32_t depth)
{
	uint64_t *ids = NULL;
	size_t count = 0;
	int r = depth < DEPTH_MAX ? store_folder_children(l->t->m, arena, parent, &ids, &count)
	                          : store_say(l->t->m, MW_E_LIMIT, "The folders lie too deep.");

	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct store_object o;
		uint32_t rights;
		r = store_folder_load(l->t->m, arena, ids[i], &o);
		o.depth = depth;
		o.in_table = true;
		if (r >= 0)
			r = store_rights_in(l->t->m, ids[i], &rights);
		if (r >= 0 && rights & STORE_MAY_SEE)
			r = add(l, &o);
		if (r >= 0 && l->t->deep)
			r = add_folders(l, arena, ids[i], depth + 1);
	}
	return r;
}

/* ---- The list ---- */

static int compare(const void *a, const void *b)
{
	const struct store_listed *x = a, *y = b;
	size_t n = x->key_size < y->key_size ? x->key_size : y->key_size;
	int c = n > 0 ? memcmp(x->key, y->key, n) : 0;

	if (c == 0)
		c = (x->key_size > y->key_size) - (x->key_size < y->key_size);
	if (c == 0)
		c = (x->id > y->id) - (x->id < y->id);
	return c ? c : (x->instance > y->instance) - (x->instance < y->instance);
}

static int add_attachments(struct listing *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->t->of->part_count; i++) {
		struct store_object o = store_message_object(l->t->of->parts[i]);
		o.in_table = true;
		r = add(l, &o);
	}
	return r;
}

static struct store_object fixed_object(const struct store_table *t, size_t i)
{
	const struct store_bag *bags = (const void *)t->fixed->bags.data;

	return (struct store_object){.m = t->m, .kind = STORE_A_ROW, .id = i + 1, .in_table = true, .bag = &bags[i]};
}

static int add_fixed(struct listing *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->t->fixed->bags.len / sizeof(struct store_bag); i++) {
		struct store_object o = fixed_object(l->t, i);
		r = add(l, &o);
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

/* What the search folder has found; it has no associated messages. */
static int add_found(struct listing *l)
{
	STORE_STMT s = store_statement(l->t->m, STMT_FOUND_ROWS);
	int r = s ? 1 : MW_E_IO;

	if (s)
		sqlite3_bind_int64(s, 1, (int64_t)l->t->folder);
	while (r > 0 && !l->t->associated && (r = store_step(l->t->m, s, "Reading a table")) > 0) {
		int e = add_message(l, s);
		r = e < 0 ? e : 1;
	}
	return r < 0 ? r : 0;
}

static int add_rows_of(struct listing *l, enum store_statement which, const char *query)
{
	STORE_STMT s = store_statement(l->t->m, which);
	int r = s ? 1 : MW_E_IO;

	if (s)
		sqlite3_bind_int64(s, 1, (int64_t)l->t->folder);
	if (s && query)
		sqlite3_bind_text(s, 2, query, -1, SQLITE_STATIC);
	while (r > 0 && (r = store_step(l->t->m, s, "Reading a table")) > 0) {
		int e = add_message(l, s);
		r = e < 0 ? e : 1;
	}
	return r < 0 ? r : 0;
}

/* What the index of words knows to have them, and what it does not know yet. 1: there was no such restriction. */
static int add_by_words(struct listing *l, struct arena *arena)
{
	const struct store_condition *c = l->t->condition;
	const char *query = c && !l->t->associated ? store_words_query(arena, c->root, false) : "";
	int r = query ? 0 : MW_E_NOMEM;

	if (r < 0 || !*query)
		return r < 0 ? r : 1;
	r = add_rows_of(l, STMT_WORDS_ROWS, query);
	return r < 0 ? r : add_rows_of(l, STMT_WORDS_REST, NULL);
}

static int collect(struct listing *l)
{
	STORE_ARENA arena = arena_new(LISTING_MAX);
	struct store_table all = *l->t;
	int r;

	if (!arena)
		return MW_E_NOMEM;
	if (l->t->of)
		return add_attachments(l);
	if (l->t->fixed)
		return add_fixed(l);
	if (l->t->hierarchy)
		return add_folders(l, arena, l->t->folder, 1);
	if (l->t->search)
		return add_found(l);
	r = add_by_words(l, arena);
	if (r <= 0)
		return r;
	all.index = STORE_BY_NATURE;
	all.descending = false;
	all.anchored = false;
	all.key = NULL;
	return store_walk(&all, true, true, add_message, l);
}

/* Where the row before the position is now; else the same number of rows before it. */
static size_t find_again(const struct store_table *t, const struct store_listed *rows, size_t count)
{
	const struct store_listed *before = t->at > 0 ? &t->rows[t->at - 1] : NULL;

	for (size_t i = 0; before && i < count; i++)
		if (rows[i].id == before->id && rows[i].instance == before->instance)
			return i + 1;
	return t->at < count ? t->at : count;
}

/* The rows that the leaves are seen as, in place of those before. */
static int show(struct store_table *t, struct store_listed *leaves, size_t count)
{
	struct buf view = {0};
	struct store_listed *rows = leaves;
	size_t row_count = count;
	int r = t->category_count > 0 ? store_category_view(t, leaves, count, &view) : 0;

	if (r < 0) {
		buf_free(&view);
		return r;
	}
	if (t->category_count > 0) {
		rows = (void *)view.data;
		row_count = view.len / sizeof *rows;
	}
	t->at = t->listed ? find_again(t, rows, row_count) : 0;
	buf_free(&t->view);
	t->view = view;
	t->leaves = leaves;
	t->leaf_count = count;
	t->rows = rows;
	t->row_count = row_count;
	t->listed = true;
	return 0;
}

static int take(struct store_table *t, struct listing *l)
{
	struct store_listed *leaves;
	int r;

	/* Folders without a sort keep the order of the tree. */
	if (l->count > 1 && (t->sort_count > 0 || !(t->hierarchy || t->fixed)))
		qsort(l->rows.data, l->count, sizeof(struct store_listed), compare);
	leaves = arena_copy(l->arena, l->count ? (void *)l->rows.data : (void *)"", l->rows.len);
	r = leaves ? show(t, leaves, l->count) : MW_E_NOMEM;
	if (r < 0)
		return r;
	arena_free(&t->arena);
	t->arena = TAKE_PTR(l->arena);
	t->stale = false;
	return 0;
}

int store_list_again(struct store_table *t)
{
	return t->listed ? show(t, t->leaves, t->leaf_count) : store_list(t);
}

int store_list(struct store_table *t)
{
	struct listing l = {.t = t};
	int r;

	if (t->listed && !t->stale && !t->of)
		return 0;
	l.arena = arena_new(LISTING_MAX);
	l.scratch = arena_new(LISTING_MAX);
	if (t->filter.begin)
		t->filter.begin(t->filter.user);
	r = l.arena && l.scratch ? collect(&l) : MW_E_NOMEM;
	if (r >= 0)
		r = take(t, &l);
	buf_free(&l.rows);
	arena_free(&l.arena);
	arena_free(&l.scratch);
	return r;
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
