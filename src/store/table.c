#include "mapi/tags.h"
#include "store/attachment.h"
#include "store/category.h"
#include "store/condition.h"
#include "store/deleted.h"
#include "store/folder.h"
#include "store/listing.h"
#include "store/message_private.h"
#include "store/permission_private.h"
#include "store/table_private.h"
#include "store/words.h"

#include <stdlib.h>
#include <string.h>

#define CUT 255 /* [MS-OXCTABL] 2.2.2.5: characters of a text in a row */
#define FILTER_TAGS_MAX 1024
#define BEHIND_MAX 500 /* rows that a walk sorts itself */

/* ---- Opening and closing ---- */

static int open_table(struct store_mailbox *m, uint64_t folder, struct store_table *model, struct store_table **out)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object f;
	struct store_table *t;
	uint32_t rights = 0;
	int r;

	if (!store_own_id(folder, &model->folder))
		return MW_E_NOTFOUND;
	r = arena ? store_folder_load(m, arena, model->folder, &f) : MW_E_NOMEM;
	if (r < 0)
		return r;
	t = malloc(sizeof *t);
	if (!t)
		return MW_E_NOMEM;
	*t = *model;
	t->m = m;
	t->search = !t->hierarchy && f.type == STORE_FOLDER_SEARCH;
	t->caller = m->caller;
	if (m->caller && !t->hierarchy)
		r = store_rights_in(m, t->folder, &rights);
	if (r < 0) {
		free(t);
		return r;
	}
	t->guarded = m->caller && !t->hierarchy && (t->search || !(rights & STORE_MAY_READ));
	t->walked = t->walked && !t->search && !t->guarded;
	t->next = m->tables;
	m->tables = t;
	*out = t;
	return 0;
}

int store_contents_table(struct store_mailbox *m, uint64_t folder, bool associated, struct store_table **out)
{
	struct store_table model = {.associated = associated, .walked = true};

	return open_table(m, folder, &model, out);
}

int store_deleted_table(struct store_mailbox *m, uint64_t folder, bool associated, struct store_table **out)
{
	struct store_table model = {.associated = associated ? 3 : 2, .walked = true};

	return open_table(m, folder, &model, out);
}

int store_hierarchy_table(struct store_mailbox *m, uint64_t folder, bool deep, struct store_table **out)
{
	struct store_table model = {.hierarchy = true, .deep = deep};

	return open_table(m, folder, &model, out);
}

static void forget_list(struct store_table *t)
{
	store_listing_free(&t->listing);
	arena_free(&t->arena);
	buf_free(&t->view);
	t->rows = t->leaves = NULL;
	t->row_count = t->leaf_count = t->at = 0;
	t->listed = false;
}

int store_attachment_table(struct store_message *msg, struct store_table **out)
{
	struct store_table *t = calloc(1, sizeof *t);

	if (!t)
		return MW_E_NOMEM;
	t->m = msg->m;
	t->of = msg;
	t->next = t->m->tables;
	t->m->tables = t;
	*out = t;
	return 0;
}

int store_fixed_table(struct store_mailbox *m, const uint32_t *all_columns, size_t count, struct store_table **out)
{
	struct store_table *t = calloc(1, sizeof *t);
	struct store_fixed *f = calloc(1, sizeof *f);

	if (!t || !f) {
		free(t);
		free(f);
		return MW_E_NOMEM;
	}
	f->columns = all_columns;
	f->column_count = count;
	t->m = m;
	t->fixed = f;
	t->next = m->tables;
	m->tables = t;
	*out = t;
	return 0;
}

int store_table_add_row(struct store_table *t, const struct mapi_value *values, size_t count)
{
	struct store_bag bag = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = store_bag_put_value(&bag, &values[i]);
	if (r >= 0)
		r = buf_put(&t->fixed->bags, &bag, sizeof bag);
	if (r < 0)
		store_bag_free(&bag);
	return r;
}

static void free_fixed(struct store_fixed *f)
{
	struct store_bag *bags = f ? (void *)f->bags.data : NULL;

	for (size_t i = 0; f && i < f->bags.len / sizeof *bags; i++)
		store_bag_free(&bags[i]);
	if (f)
		buf_free(&f->bags);
	free(f);
}

void store_table_close(struct store_table **table)
{
	struct store_table *t = *table;

	*table = NULL;
	if (!t)
		return;
	for (struct store_table **p = &t->m->tables; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	store_walk_begin(t);
	forget_list(t);
	free(t->columns);
	free(t->toggled);
	free((void *)t->filter.tags);
	store_condition_free(&t->condition);
	free_fixed(t->fixed);
	free(t);
}

void store_table_hear(struct store_mailbox *m, const struct store_change *change)
{
	uint64_t folder = store_id_counter(change->folder), parent = store_id_counter(change->parent);
	uint64_t old = store_id_counter(change->old_folder), old_parent = store_id_counter(change->old_parent);

	for (struct store_table *t = m->tables; t; t = t->next) {
		bool stale;
		if (t->fixed)
			continue;
		if (t->hierarchy)
			stale = change->message == 0 &&
			        (t->deep || parent == t->folder || old_parent == t->folder || change->counts_only);
		else if (t->search) /* any message may come or go */
			stale = change->message != 0 || folder == t->folder;
		else
			stale = change->message != 0 && (folder == t->folder || old == t->folder);
		t->stale |= stale;
		if (t->listing)
			t->listing->heard |= stale;
		if (stale && t->heard)
			store_table_tell(t, change);
	}
}

/* ---- Columns ---- */

static uint32_t *copy_tags(const uint32_t *tags, size_t count)
{
	uint32_t *out = malloc(count ? count * sizeof *tags : 1);

	if (out && count > 0)
		memcpy(out, tags, count * sizeof *tags);
	return out;
}

static void settle(struct store_table *t);

static bool is_instances(uint32_t tag)
{
	return (mapi_tag_type(tag) & (PTYP_MULTIPLE | PTYP_INSTANCE)) == (PTYP_MULTIPLE | PTYP_INSTANCE);
}

/* The multiple value that has a row for each of its values: the first that the order or the columns name so. */
static uint32_t instances_of(const struct store_table *t)
{
	for (size_t i = 0; i < t->sort_count; i++)
		if (is_instances(t->sort[i].tag))
			return t->sort[i].tag;
	for (size_t i = 0; i < t->column_count; i++)
		if (is_instances(t->columns[i]))
			return t->columns[i];
	return 0;
}

int store_table_set_columns(struct store_table *t, const uint32_t *tags, size_t count)
{
	uint32_t *columns;

	if (count > STORE_MAX_COLUMNS)
		return MW_E_LIMIT;
	columns = copy_tags(tags, count);
	if (!columns)
		return MW_E_NOMEM;
	free(t->columns);
	t->columns = columns;
	t->column_count = count;
	if (instances_of(t) != t->instances_of)
		settle(t);
	return 0;
}

const uint32_t *store_table_columns(const struct store_table *t, size_t *count)
{
	*count = t->column_count;
	return t->columns;
}

static const uint32_t contents_columns[] = {
        PidTagFolderId,
        PidTagMid,
        PidTagInstID,
        PidTagInstanceNum,
        PidTagEntryId,
        PidTagInstanceKey,
        PidTagRecordKey,
        PidTagParentEntryId,
        PidTagSourceKey,
        PidTagChangeKey,
        PidTagSubject,
        PidTagNormalizedSubject,
        PidTagSubjectPrefix,
        PidTagMessageClass,
        PidTagMessageFlags,
        PidTagMessageSize,
        PidTagMessageDeliveryTime,
        PidTagClientSubmitTime,
        PidTagCreationTime,
        PidTagLastModificationTime,
        PidTagSenderName,
        PidTagSentRepresentingName,
        PidTagDisplayTo,
        PidTagDisplayCc,
        PidTagImportance,
        PidTagSensitivity,
        PidTagHasAttachments,
        PidTagMessageStatus,
        PidTagRead,
        PidTagAccess,
        PidTagAccessLevel,
        PidTagObjectType,
        PidTagRowType,
};

static const uint32_t attachments_columns[] = {
        PidTagAttachNumber,    PidTagAttachSize,           PidTagAttachMethod,      PidTagAttachFilename,
        PidTagDisplayName,     PidTagAttachLongFilename,   PidTagAttachExtension,   PidTagAttachMimeTag,
        PidTagAttachContentId, PidTagAttachFlags,          PidTagRenderingPosition, PidTagAttachmentHidden,
        PidTagCreationTime,    PidTagLastModificationTime, PidTagInstanceKey,       PidTagRecordKey,
        PidTagObjectType,
};

static const uint32_t folders_columns[] = {
        PidTagFolderId,
        PidTagParentFolderId,
        PidTagEntryId,
        PidTagInstanceKey,
        PidTagRecordKey,
        PidTagParentEntryId,
        PidTagSourceKey,
        PidTagChangeKey,
        PidTagDisplayName,
        PidTagContainerClass,
        PidTagFolderType,
        PidTagContentCount,
        PidTagContentUnreadCount,
        PidTagAssociatedContentCount,
        PidTagSubfolders,
        PidTagDepth,
        PidTagAccess,
        PidTagAccessLevel,
        PidTagRights,
        PidTagComment,
        PidTagCreationTime,
        PidTagLastModificationTime,
        PidTagMessageSize,
        PidTagObjectType,
        PidTagRowType,
};

const uint32_t *store_table_all_columns(const struct store_table *t, size_t *count)
{
	if (t->fixed) {
		*count = t->fixed->column_count;
		return t->fixed->columns;
	}
	if (t->of) {
		*count = ARRAY_SIZE(attachments_columns);
		return attachments_columns;
	}
	*count = t->hierarchy ? ARRAY_SIZE(folders_columns) : ARRAY_SIZE(contents_columns);
	return t->hierarchy ? folders_columns : contents_columns;
}

/* ---- Order and filter ---- */

static bool find_index(uint32_t tag, enum store_index *out)
{
	static const uint32_t tags[STORE_INDEX_COUNT] = {
	        [STORE_BY_DELIVERY] = PidTagMessageDeliveryTime,
	        [STORE_BY_MODIFICATION] = PidTagLastModificationTime,
	        [STORE_BY_SIZE] = PidTagMessageSize,
	        [STORE_BY_IMPORTANCE] = PidTagImportance,
	        [STORE_BY_SUBJECT] = PidTagSubject,
	        [STORE_BY_SENDER] = PidTagSenderName,
	        [STORE_BY_CLASS] = PidTagMessageClass,
	};

	if (mapi_tag_type(tag) == PTYP_STRING8)
		tag = mapi_tag_as(tag, PTYP_STRING);
	for (int i = STORE_BY_DELIVERY; i < STORE_INDEX_COUNT; i++) {
		if (tags[i] == tag) {
			*out = (enum store_index)i;
			return true;
		}
	}
	return false;
}

/* Decides how the table is read, and goes to its beginning. */
static void settle(struct store_table *t)
{
	enum store_index index = STORE_BY_NATURE;
	bool indexed = t->sort_count == 0 || (t->sort_count == 1 && find_index(t->sort[0].tag, &index));

	store_walk_begin(t);
	forget_list(t);
	t->instances_of = instances_of(t);
	t->walked = !t->hierarchy && !t->search && !t->of && !t->fixed && !t->guarded && !t->filter.keep && indexed &&
	            t->category_count == 0 && t->instances_of == 0;
	t->index = index;
	t->descending = t->sort_count == 1 && t->sort[0].descending;
	t->stale = false;
}

int store_table_sort(struct store_table *t, const struct store_sort *keys, size_t count)
{
	return store_table_categorize(t, keys, count, 0, 0);
}

int store_table_categorize(struct store_table *t, const struct store_sort *keys, size_t count, size_t categories,
                           size_t expanded)
{
	if (count > STORE_MAX_SORT_KEYS || categories > STORE_MAX_CATEGORIES)
		return MW_E_LIMIT;
	if (categories > count || expanded > categories || (categories > 0 && (t->hierarchy || t->of || t->fixed)))
		return MW_E_INVALID;
	free(t->toggled);
	t->toggled = NULL;
	t->toggled_count = 0;
	t->category_count = categories;
	t->expanded_count = expanded;
	for (size_t i = 0; i < count; i++)
		t->sort[i] = keys[i];
	t->sort_count = count;
	settle(t);
	return 0;
}

int store_table_filter(struct store_table *t, const struct store_filter *filter)
{
	struct store_filter f = {0};

	if (filter) {
		if (filter->count > FILTER_TAGS_MAX)
			return MW_E_LIMIT;
		f = *filter;
		f.tags = copy_tags(filter->tags, filter->count);
		if (!f.tags)
			return MW_E_NOMEM;
	}
	free((void *)t->filter.tags);
	t->filter = f;
	settle(t);
	return 0;
}

/* A walk that finds many rows behind would sort them at every question: then all are listed, once. 1: so it is. */
static int is_far_behind(struct store_table *t)
{
	unsigned behind = 0;
	int r = t->walked && store_walk_has_behind(t)
	                ? store_words_behind(t->m, t->folder, t->associated, BEHIND_MAX + 1, &behind)
	                : 0;

	return r < 0 ? r : behind > BEHIND_MAX;
}

/* From the row it stands at. */
static void become_listed(struct store_table *t)
{
	uint64_t anchor = t->anchored ? t->anchor : 0;

	t->at = anchor ? t->before < t->row_count ? t->before : t->row_count : 0;
	for (size_t i = 0; anchor && i < t->row_count; i++)
		if (t->rows[i].id == anchor)
			t->at = i + 1;
	store_walk_begin(t);
	t->walked = false;
}

int store_table_prepare(struct store_table *t, int64_t until, bool *more)
{
	int r = is_far_behind(t);

	*more = false;
	if (r < 0 || (t->walked && r == 0))
		return r;
	if (t->stale_next && !t->listing) {
		t->stale_next = false;
		t->stale = true;
	}
	r = store_list_some(t, until, more);
	if (r >= 0 && !*more && t->walked)
		become_listed(t);
	return r;
}

static int choose_way(struct store_table *t)
{
	int r = is_far_behind(t);

	if (r <= 0)
		return r;
	r = store_list(t);
	if (r >= 0)
		become_listed(t);
	return r;
}

/* ---- Position ---- */

/* What was deleted has no counter. */
static int count_deleted(const struct store_table *t, uint32_t *count)
{
	STORE_STMT s = store_statement(t->m, STMT_DELETED_COUNT);
	int r;

	if (!s)
		return MW_E_IO;
	sqlite3_bind_int64(s, 1, (int64_t)t->folder);
	sqlite3_bind_int(s, 2, t->associated);
	r = store_step(t->m, s, "Reading a table");
	if (r > 0)
		*count = (uint32_t)sqlite3_column_int64(s, 0);
	return r < 0 ? r : 0;
}

int store_table_total(const struct store_table *t, uint32_t *count)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object f;
	int r;

	if (t->associated > 1)
		return count_deleted(t, count);
	r = arena ? store_folder_load(t->m, arena, t->folder, &f) : MW_E_NOMEM;

	if (r >= 0)
		*count = t->associated ? f.associated_count : f.contents;
	return r;
}

int store_table_position(struct store_table *t, uint32_t *position, uint32_t *count)
{
	uint32_t before, all = 0;
	int r = choose_way(t);

	if (r < 0)
		return r;
	if (!t->walked) {
		r = store_list(t);
		before = (uint32_t)t->at;
		all = (uint32_t)t->row_count;
	} else {
		r = store_walk_position(t, &before);
		if (r >= 0)
			r = store_table_total(t, &all);
	}
	if (r < 0)
		return r;
	*position = before;
	*count = all;
	return 0;
}

int store_table_seek(struct store_table *t, enum store_origin origin, int32_t rows, int32_t *moved)
{
	int64_t from, to;
	int r = choose_way(t);

	if (r < 0)
		return r;
	if (t->walked)
		return store_walk_seek(t, origin, rows, moved);
	r = store_list(t);
	if (r < 0)
		return r;
	from = origin == STORE_BEGIN ? 0 : origin == STORE_END ? (int64_t)t->row_count : (int64_t)t->at;
	to = from + rows;
	to = to < 0 ? 0 : to > (int64_t)t->row_count ? (int64_t)t->row_count : to;
	t->at = (size_t)to;
	if (moved)
		*moved = (int32_t)(to - from);
	return 0;
}

/* ---- Rows ---- */

struct reading {
	struct store_table *t;
	struct arena *arena;
	struct mapi_row *all;
	size_t count, max, bytes, max_bytes;
	bool full; /* max_bytes reached: the row at hand is not taken */
};

int store_row_value(const struct store_object *o, struct arena *arena, uint32_t tag, uint32_t instance,
                    struct mapi_value *out)
{
	uint16_t type = mapi_tag_type(tag);
	struct mapi_value v;

	if (!is_instances(tag))
		return store_object_get(o, arena, tag, CUT, out);
	type &= (uint16_t) ~(PTYP_MULTIPLE | PTYP_INSTANCE);
	if (store_object_get(o, arena, mapi_tag_as(tag, type | PTYP_MULTIPLE), CUT, &v) < 0)
		return MW_E_NOMEM;
	if (v.flag != MAPI_FLAG_VALUE || instance >= v.count)
		*out = mapi_error(tag, ecNotFound);
	else /* text asked for in a code page comes as PTYP_STRING, as everywhere */
		*out = (struct mapi_value){.tag = mapi_tag_as(tag, mapi_tag_type(v.tag) & ~PTYP_MULTIPLE),
		                           .u = v.u.multi[instance]};
	return 0;
}

/* row: of a listed table, else NULL. */
static int make_row(struct reading *q, const struct store_listed *row, const struct store_object *o)
{
	size_t n = q->t->column_count, bytes = 0;
	struct mapi_value *values = arena_new_array(q->arena, struct mapi_value, n);
	bool heading = row && q->t->category_count > 0 && row->what != STORE_ROW_LEAF;
	int r = values ? 0 : MW_E_NOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = heading ? store_category_value(q->t, q->arena, row, o, q->t->columns[i], &values[i])
		            : store_row_value(o, q->arena, q->t->columns[i], o->instance, &values[i]);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		bytes += values[i].flag == MAPI_FLAG_VALUE ? mapi_value_size(&values[i]) : 5;
	if (q->max_bytes > 0 && q->count > 0 && bytes > q->max_bytes - q->bytes) {
		q->full = true;
		return 0;
	}
	q->bytes += bytes < q->max_bytes - q->bytes ? bytes : q->max_bytes - q->bytes;
	q->all[q->count++] = mapi_row_of(values, (uint16_t)n);
	return 0;
}

/* It goes with the next list; until then it keeps its place. */
static int make_gone_row(struct reading *q, const struct store_listed *row)
{
	struct store_object o = {.m = q->t->m,
	                         .kind = q->t->hierarchy ? STORE_A_FOLDER : STORE_A_MESSAGE,
	                         .id = row->id,
	                         .parent = q->t->folder,
	                         .name = "",
	                         .instance = row->instance,
	                         .in_table = true};

	return make_row(q, row, &o);
}

static int read_walked(void *user, sqlite3_stmt *s)
{
	struct reading *q = user;
	struct store_object o;
	int r = store_message_row(q->t->m, s, &o);

	if (r < 0)
		return r;
	o.in_table = true;
	r = make_row(q, NULL, &o);
	if (r < 0)
		return r;
	return q->full || q->count == q->max;
}

static int read_listed(struct reading *q, bool forward)
{
	struct store_table *t = q->t;
	int r = store_list(t);

	for (size_t i = 0; r >= 0 && q->count < q->max && !q->full; i++) {
		const struct store_listed *row;
		struct store_object o;
		if (forward ? i >= t->row_count - t->at : i >= t->at)
			break;
		row = &t->rows[forward ? t->at + i : t->at - 1 - i];
		r = store_list_object(t, q->arena, row, &o);
		if (r >= 0)
			r = make_row(q, row, &o);
		else if (r == MW_E_NOTFOUND && row->what == STORE_ROW_LEAF) /* deleted since it was listed */
			r = make_gone_row(q, row);
	}
	return r;
}

int store_table_rows(struct store_table *t, struct arena *arena, bool forward, bool advance, size_t max_bytes,
                     struct mapi_row **rows, size_t *count)
{
	struct reading q = {.t = t, .arena = arena, .max_bytes = max_bytes, .max = *count};
	uint32_t all = 0;
	int r;

	if (t->column_count == 0)
		return MW_E_STATE;
	r = choose_way(t);
	if (r < 0)
		return r;
	/* No more rows than there are, whatever a client asks for. */
	r = t->walked ? store_table_total(t, &all) : store_list(t);
	if (r < 0)
		return r;
	if (!t->walked)
		all = (uint32_t)t->row_count;
	if (q.max > all)
		q.max = all;
	q.all = arena_new_array(arena, struct mapi_row, q.max);
	if (!q.all)
		return MW_E_NOMEM;
	if (q.max > 0)
		r = t->walked ? store_walk(t, forward, true, read_walked, &q) : read_listed(&q, forward);
	if (r >= 0 && advance && q.count > 0) {
		int32_t way = (int32_t)q.count;
		r = store_table_seek(t, STORE_CURRENT, forward ? way : -way, NULL);
	}
	if (r < 0)
		return r;
	*rows = q.all;
	*count = q.count;
	return 0;
}
