#include "store/category.h"

#include "base/cursor.h"
#include "mapi/tags.h"
#include "store/table_private.h"

#include <stdlib.h>
#include <string.h>

#define CATEGORY_REPLID 0xFE /* no message has it */
#define STATE_VERSION 1
#define STATE_MAX 65535

/* The heading of all rows whose keys begin like that. */
static uint64_t heading_id(size_t level, const uint8_t *key, size_t size)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ level;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ key[i]) * UINT64_C(0x100000001B3);
	return hash << 16 | CATEGORY_REPLID;
}

static bool is_toggled(const struct store_table *t, uint64_t id)
{
	for (size_t i = 0; i < t->toggled_count; i++)
		if (t->toggled[i] == id)
			return true;
	return false;
}

static int toggle(struct store_table *t, uint64_t id)
{
	uint64_t *more;

	for (size_t i = 0; i < t->toggled_count; i++) {
		if (t->toggled[i] == id) {
			t->toggled[i] = t->toggled[--t->toggled_count];
			return 0;
		}
	}
	if (t->toggled_count == STORE_MAX_TOGGLED)
		return MW_E_LIMIT;
	more = realloc(t->toggled, (t->toggled_count + 1) * sizeof *more);
	if (!more)
		return MW_E_NOMEM;
	t->toggled = more;
	more[t->toggled_count++] = id;
	return 0;
}

/* ---- The view: headings among the leaves ---- */

struct viewing {
	struct store_table *t;
	struct buf *rows;
	size_t at[STORE_MAX_CATEGORIES]; /* of the open headings in rows; SIZE_MAX: not visible */
	bool expanded[STORE_MAX_CATEGORIES];
};

static int open_heading(struct viewing *v, const struct store_listed *leaf, size_t level)
{
	struct store_listed row = *leaf;
	bool visible = true;

	row.id = heading_id(level, leaf->key, leaf->ends[level]);
	row.instance = 0;
	row.first = leaf->id;
	row.first_instance = leaf->instance;
	row.depth = (uint32_t)level;
	v->expanded[level] = (level < v->t->expanded_count) != is_toggled(v->t, row.id);
	row.what = v->expanded[level] ? STORE_ROW_EXPANDED : STORE_ROW_COLLAPSED;
	for (size_t i = 0; i < level; i++)
		visible = visible && v->expanded[i];
	v->at[level] = visible ? v->rows->len : SIZE_MAX;
	return visible ? buf_put(v->rows, &row, sizeof row) : 0;
}

static int put_leaf(struct viewing *v, const struct store_listed *leaf)
{
	struct store_listed row = *leaf;
	bool visible = true;

	row.depth = (uint32_t)v->t->category_count;
	for (size_t i = 0; i < v->t->category_count; i++) {
		struct store_listed *heading = (void *)(v->rows->data + (v->at[i] == SIZE_MAX ? 0 : v->at[i]));
		visible = visible && v->expanded[i];
		if (v->at[i] != SIZE_MAX) {
			heading->leaves++;
			heading->unread_leaves += leaf->unread;
		}
	}
	return visible ? buf_put(v->rows, &row, sizeof row) : 0;
}

/* The first category in which they differ; all of them: the count. */
static size_t differ_at(const struct store_table *t, const struct store_listed *a, const struct store_listed *b)
{
	for (size_t i = 0; a && i < t->category_count; i++)
		if (a->ends[i] != b->ends[i] || memcmp(a->key, b->key, a->ends[i]) != 0)
			return i;
	return a ? t->category_count : 0;
}

int store_category_view(struct store_table *t, const struct store_listed *leaves, size_t count, struct buf *rows)
{
	struct viewing v = {.t = t, .rows = rows};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		for (size_t level = differ_at(t, i > 0 ? &leaves[i - 1] : NULL, &leaves[i]);
		     r >= 0 && level < t->category_count; level++)
			r = open_heading(&v, &leaves[i], level);
		if (r >= 0)
			r = put_leaf(&v, &leaves[i]);
	}
	return r;
}

static bool is_category(const struct store_table *t, const struct store_listed *row, uint32_t tag)
{
	for (size_t i = 0; i <= row->depth && i < t->category_count; i++)
		if (mapi_tag_id(t->sort[i].tag) == mapi_tag_id(tag))
			return true;
	return false;
}

static int heading_key(struct arena *arena, const struct store_listed *row, struct mapi_value *out)
{
	uint8_t *key = arena_alloc(arena, 12);

	if (!key)
		return MW_E_NOMEM;
	memcpy(key, &row->id, 8);
	*out = mapi_bytes(PidTagInstanceKey, key, 12);
	return 0;
}

int store_category_value(struct store_table *t, struct arena *arena, const struct store_listed *row,
                         const struct store_object *leaf, uint32_t tag, struct mapi_value *out)
{
	switch (mapi_tag_id(tag)) {
	case PidTagRowType >> 16:
		*out = mapi_i32(PidTagRowType, row->what);
		return 0;
	case PidTagDepth >> 16:
		*out = mapi_i32(PidTagDepth, (int32_t)row->depth);
		return 0;
	case PidTagInstID >> 16:
		*out = mapi_i64(PidTagInstID, (int64_t)row->id);
		return 0;
	case PidTagInstanceNum >> 16:
		*out = mapi_i32(PidTagInstanceNum, 0);
		return 0;
	case PidTagContentCount >> 16:
		*out = mapi_i32(PidTagContentCount, (int32_t)row->leaves);
		return 0;
	case PidTagContentUnreadCount >> 16:
		*out = mapi_i32(PidTagContentUnreadCount, (int32_t)row->unread_leaves);
		return 0;
	case PidTagInstanceKey >> 16:
		return heading_key(arena, row, out);
	default:
		if (is_category(t, row, tag))
			return store_row_value(leaf, arena, tag, row->first_instance, out);
		*out = mapi_error(tag, ecNotFound);
		return 0;
	}
}

/* ---- Expanding and collapsing ---- */

static int find_row(struct store_table *t, uint64_t id, uint32_t instance, size_t *out)
{
	int r = store_list(t);

	for (size_t i = 0; r >= 0 && i < t->row_count; i++) {
		const struct store_listed *row = &t->rows[i];
		/* Leaves are listed by counters; clients know them by ids. */
		if ((row->what == STORE_ROW_LEAF ? store_id(STORE_REPLID, row->id) : row->id) == id &&
		    row->instance == instance) {
			*out = i;
			return 0;
		}
	}
	return r < 0 ? r : MW_E_NOTFOUND;
}

static int change(struct store_table *t, uint64_t heading, int from, uint32_t *row, uint32_t *rows)
{
	size_t at = 0, before;
	int r = t->category_count > 0 ? find_row(t, heading, 0, &at) : MW_E_INVALID;

	if (r < 0)
		return r;
	if (t->rows[at].what == STORE_ROW_LEAF)
		return MW_E_INVALID;
	if (t->rows[at].what != from)
		return MW_E_EXISTS;
	r = toggle(t, heading);
	before = t->row_count;
	if (r >= 0)
		r = store_list_again(t);
	if (r < 0)
		return r;
	*row = (uint32_t)at;
	*rows = (uint32_t)(t->row_count > before ? t->row_count - before : before - t->row_count);
	return 0;
}

int store_table_expand(struct store_table *t, uint64_t heading, uint32_t *row, uint32_t *rows)
{
	return change(t, heading, STORE_ROW_COLLAPSED, row, rows);
}

int store_table_collapse(struct store_table *t, uint64_t heading, uint32_t *rows)
{
	uint32_t row;

	return change(t, heading, STORE_ROW_EXPANDED, &row, rows);
}

/* ---- The state that a client keeps: u8 version, u8 categories, u64 row, u32 instance, u16 count, u64 toggled ---- */

int store_table_collapse_state(struct store_table *t, struct arena *arena, uint64_t row, uint32_t instance,
                               const void **data, size_t *size)
{
	struct buf b = {.max = STATE_MAX};
	int r = t->category_count > 0 ? 0 : MW_E_INVALID;

	if (r < 0)
		return r;
	buf_put_u8(&b, STATE_VERSION);
	buf_put_u8(&b, (uint8_t)t->category_count);
	buf_put_u64(&b, row);
	buf_put_u32(&b, instance);
	buf_put_u16(&b, (uint16_t)t->toggled_count);
	r = t->toggled_count > 0 ? buf_put(&b, t->toggled, t->toggled_count * sizeof *t->toggled) : buf_error(&b);
	if (r >= 0) {
		*data = arena_copy(arena, b.data, b.len);
		*size = b.len;
		r = *data ? 0 : MW_E_NOMEM;
	}
	buf_free(&b);
	return r;
}

static int read_toggled(struct store_table *t, struct cursor *c, uint16_t count)
{
	uint64_t *ids = count > STORE_MAX_TOGGLED || cursor_left(c) != (size_t)count * 8
	                        ? NULL
	                        : malloc(count > 0 ? (size_t)count * 8 : 1);

	if (!ids)
		return MW_E_MALFORMED;
	if (cursor_copy(c, ids, (size_t)count * 8) < 0) {
		free(ids);
		return MW_E_MALFORMED;
	}
	free(t->toggled);
	t->toggled = ids;
	t->toggled_count = count;
	return 0;
}

int store_table_set_collapse_state(struct store_table *t, const void *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t version, categories;
	uint64_t row;
	uint32_t instance;
	uint16_t count;
	size_t at = 0;
	int r;

	if (cursor_u8(&c, &version) < 0 || version != STATE_VERSION || cursor_u8(&c, &categories) < 0 ||
	    categories != t->category_count || categories == 0 || cursor_u64(&c, &row) < 0 ||
	    cursor_u32(&c, &instance) < 0 || cursor_u16(&c, &count) < 0)
		return MW_E_MALFORMED;
	r = read_toggled(t, &c, count);
	if (r >= 0)
		r = store_list_again(t);
	if (r >= 0)
		r = find_row(t, row, instance, &at);
	if (r == MW_E_NOTFOUND)
		r = 0;
	if (r >= 0)
		t->at = at;
	return r;
}
