#include "fixture.h"

#include "base/time.h"
#include "store/restrict.h"
#include "store/words.h"

#include <sqlite3.h>

#define MANY 5000

static const uint32_t columns[] = {PidTagMid,        PidTagSubject,     PidTagMessageDeliveryTime,
                                   PidTagImportance, PidTagMessageSize, PidTagSenderName};

/* A fixed shuffle: every number below MANY once. */
static uint32_t shuffled(uint32_t i)
{
	return i * 1237u % MANY;
}

static void fill(void)
{
	static const char *const senders[] = {"alice", "Bob", "Émile", "Zoë", "emil", "Carol", ""};

	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t n = shuffled(i);
		char subject[64];
		struct mapi_value v[4];
		snprintf(subject, sizeof subject, "%s %05u", n % 2 ? "subject" : "Subject", n);
		v[0] = text_value(PidTagSubject, subject);
		v[1] = mapi_i64(PidTagMessageDeliveryTime, 1000000 + (int64_t)shuffled(n) / 3);
		v[2] = mapi_i32(PidTagImportance, (int32_t)(n % 3));
		v[3] = text_value(PidTagSenderName, senders[n % 7]);
		save_with(inbox(), v, 4);
		arena_reset(fixture_arena);
	}
}

static int fill_once(void **state)
{
	/* Many saves, none of which anyone is told of: this is about tables. */
	if (fixture_setup(state) < 0)
		return -1;
	fill();
	return 0;
}

/* The orders of all but so many are indexed. */
static int index_but(uint32_t behind)
{
	for (uint32_t left = MANY - behind; left > 0;) {
		bool more;
		uint32_t n = left < 250 ? left : 250;
		if (store_words_step(fixture_m, n, &more) < 0)
			return -1;
		left -= n;
	}
	return 0;
}

static int fill_and_index(void **state)
{
	return fill_once(state) < 0 ? -1 : index_but(200);
}

static struct store_table *open_sorted(uint32_t tag, bool descending)
{
	const struct store_sort sort = {.tag = tag, .descending = descending};
	struct store_table *t = NULL;

	assert_int_equal(store_contents_table(fixture_m, inbox(), false, &t), 0);
	assert_int_equal(store_table_set_columns(t, columns, ARRAY_SIZE(columns)), 0);
	assert_int_equal(store_table_sort(t, &sort, tag ? 1 : 0), 0);
	return t;
}

/* Every id in the order of the table, read in windows of that many rows. */
static uint64_t *read_all(struct store_table *t, size_t window, bool forward)
{
	uint64_t *ids = calloc(MANY, sizeof *ids);
	size_t n = 0;

	for (;;) {
		struct mapi_row *rows;
		size_t count = window;
		assert_int_equal(store_table_rows(t, fixture_arena, forward, true, 0, &rows, &count), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(n < MANY);
			ids[n++] = (uint64_t)rows[i].values[0].u.i64;
		}
		arena_reset(fixture_arena);
		if (count == 0)
			break;
	}
	assert_int_equal(n, MANY);
	return ids;
}

/* The value that decides, as a list made by brute force sees it: a table that is not walked but sorted in memory. */
static uint64_t *listed_order(uint32_t tag, bool descending)
{
	const struct store_sort sort[] = {{.tag = tag, .descending = descending},
	                                  {.tag = PidTagMid, .descending = descending}};
	struct store_table *t = NULL;
	uint64_t *ids;

	assert_int_equal(store_contents_table(fixture_m, inbox(), false, &t), 0);
	assert_int_equal(store_table_set_columns(t, columns, ARRAY_SIZE(columns)), 0);
	assert_int_equal(store_table_sort(t, sort, 2), 0);
	ids = read_all(t, 1000, true);
	store_table_close(&t);
	return ids;
}

static int64_t deciding(uint64_t id, uint32_t tag)
{
	struct store_message *msg = NULL;
	int64_t out = 0;
	struct mapi_value v;

	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &msg), 0);
	v = get_one(msg, tag);
	if (v.flag == MAPI_FLAG_VALUE)
		out = mapi_tag_type(tag) == PTYP_INTEGER32 ? v.u.i32 : v.u.i64;
	store_message_close(&msg);
	return out;
}

static void orders_agree(void **state)
{
	static const uint32_t tags[] = {
	        PidTagSubject,    PidTagMessageDeliveryTime, PidTagSenderName,          PidTagMessageSize,
	        PidTagImportance, PidTagMessageClass,        PidTagLastModificationTime};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		for (int descending = 0; descending < 2; descending++) {
			struct store_table *t = open_sorted(tags[i], descending);
			uint64_t *walked = read_all(t, 77, true), *listed = listed_order(tags[i], descending);
			uint64_t *back = read_all(t, 1000, false);
			for (size_t j = 0; j < MANY; j++) {
				/* As numbers on the wire ids compare otherwise than by age: only what decides counts.
				 */
				assert_true(walked[j] == back[MANY - 1 - j]);
				if (mapi_tag_type(tags[i]) != PTYP_STRING && j % 97 == 0)
					assert_int_equal(deciding(walked[j], tags[i]), deciding(listed[j], tags[i]));
			}
			free(walked);
			free(listed);
			free(back);
			store_table_close(&t);
			arena_reset(fixture_arena);
		}
	}
}

static void subjects_in_order(void **state)
{
	struct store_table *t = open_sorted(PidTagSubject, false);
	size_t count = MANY;
	struct mapi_row *rows;

	(void)state;
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &count), 0);
	assert_int_equal(count, MANY);
	for (size_t i = 0; i < count; i++) {
		char expected[64];
		snprintf(expected, sizeof expected, "%s %05zu", i % 2 ? "subject" : "Subject", i);
		assert_string_equal(value_text(&rows[i].values[1]), expected);
	}
	store_table_close(&t);
}

static void positions_are_exact(void **state)
{
	static const struct {
		enum store_origin origin;
		int32_t rows, moved;
		uint32_t position;
	} table[] = {
	        {STORE_BEGIN, 0, 0, 0},
	        {STORE_BEGIN, 10, 10, 10},
	        {STORE_CURRENT, 5, 5, 15},
	        {STORE_CURRENT, -7, -7, 8},
	        {STORE_CURRENT, -20, -8, 0},
	        {STORE_CURRENT, -1, 0, 0},
	        {STORE_END, 0, 0, MANY},
	        {STORE_END, -3, -3, MANY - 3},
	        {STORE_CURRENT, 9, 3, MANY},
	        {STORE_END, 5, 0, MANY},
	        {STORE_END, -MANY, -MANY, 0},
	        {STORE_BEGIN, -5, 0, 0},
	        {STORE_BEGIN, MANY + 1, MANY, MANY},
	        {STORE_BEGIN, 4999, 4999, 4999},
	        {STORE_CURRENT, INT32_MAX, 1, MANY},
	        {STORE_CURRENT, INT32_MIN, -MANY, 0},
	};
	/* Importance has three values only: the ends of ranges are where it goes wrong. */
	static const uint32_t tags[] = {PidTagImportance, PidTagMessageDeliveryTime, 0, PidTagConversationTopic};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
		for (int descending = 0; descending < 2; descending++) {
			struct store_table *t = open_sorted(tags[k], descending && tags[k]);
			uint64_t *ids = read_all(t, 1000, true);
			for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
				uint32_t position, count;
				int32_t moved = 99;
				struct mapi_row *rows;
				size_t n = 1;
				assert_int_equal(store_table_seek(t, table[i].origin, table[i].rows, &moved), 0);
				assert_int_equal(moved, table[i].moved);
				assert_int_equal(store_table_position(t, &position, &count), 0);
				assert_int_equal(position, table[i].position);
				assert_int_equal(count, MANY);
				assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &n), 0);
				assert_int_equal(n, position < MANY);
				if (n > 0)
					assert_true((uint64_t)rows[0].values[0].u.i64 == ids[position]);
				n = 1;
				assert_int_equal(store_table_rows(t, fixture_arena, false, false, 0, &rows, &n), 0);
				assert_int_equal(n, position > 0);
				if (n > 0)
					assert_true((uint64_t)rows[0].values[0].u.i64 == ids[position - 1]);
			}
			free(ids);
			store_table_close(&t);
		}
	}
}

static void bytes_bound_the_rows(void **state)
{
	struct store_table *t = open_sorted(PidTagMessageDeliveryTime, true);
	struct mapi_row *rows;
	uint32_t position, count;
	size_t n = 50;

	(void)state;
	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 500, &rows, &n), 0);
	assert_in_range(n, 2, 12);
	assert_int_equal(store_table_position(t, &position, &count), 0);
	assert_int_equal(position, n);
	n = 50;
	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 1, &rows, &n), 0);
	assert_int_equal(n, 1); /* never before the first */
	n = 0;
	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 0, &rows, &n), 0);
	assert_int_equal(n, 0);
	store_table_close(&t);
}

static void first_rows_cost_no_listing(void **state)
{
	struct store_table *t = open_sorted(PidTagMessageDeliveryTime, true);
	int64_t best = INT64_MAX;
	struct mapi_row *rows;

	(void)state;
	for (int i = 0; i < 20; i++) {
		size_t n = 50;
		int64_t begin = time_monotonic_ns(), took;
		assert_int_equal(store_table_seek(t, STORE_BEGIN, 0, NULL), 0);
		assert_int_equal(store_table_rows(t, fixture_arena, true, true, 0, &rows, &n), 0);
		took = time_monotonic_ns() - begin;
		best = took < best ? took : best;
	}
	/* 0.2 ms without sanitizers; the bound only tells a walk from a listing of all. */
	assert_true(best < 20 * NS_PER_MS);
	store_table_close(&t);
}

static bool important(void *user, const struct mapi_value *values)
{
	(void)user;
	return values[0].flag == MAPI_FLAG_VALUE && values[0].u.i32 == 2;
}

static void filters(void **state)
{
	const uint32_t tag = PidTagImportance;
	const struct store_filter filter = {.tags = &tag, .count = 1, .keep = important};
	struct store_table *t = open_sorted(PidTagMessageDeliveryTime, false);
	struct mapi_row *rows;
	uint32_t position, count;
	size_t n = 10;
	int64_t last = 0;

	(void)state;
	assert_int_equal(store_table_filter(t, &filter), 0);
	assert_int_equal(store_table_position(t, &position, &count), 0);
	assert_int_equal(count, MANY / 3);
	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 0, &rows, &n), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].values[3].u.i32, 2);
		assert_true(rows[i].values[2].u.i64 >= last);
		last = rows[i].values[2].u.i64;
	}
	assert_int_equal(store_table_filter(t, NULL), 0);
	assert_int_equal(store_table_position(t, &position, &count), 0);
	assert_int_equal(count, MANY);
	store_table_close(&t);
}

static uint64_t next_id(struct store_table *t, bool advance)
{
	struct mapi_row *rows;
	size_t n = 1;

	assert_int_equal(store_table_rows(t, fixture_arena, true, advance, 0, &rows, &n), 0);
	return n ? (uint64_t)rows[0].values[0].u.i64 : 0;
}

static uint64_t dated(int64_t when)
{
	struct mapi_value v = mapi_i64(PidTagMessageDeliveryTime, when);

	return save_with(inbox(), &v, 1);
}

static void tables_live(void **state)
{
	/* Walked by one key, listed by two. */
	static const struct store_sort sort[] = {{PidTagMessageDeliveryTime, false}, {PidTagImportance, false}};

	(void)state;
	for (size_t keys = 1; keys <= 2; keys++) {
		uint64_t a = dated(100), b = dated(200), c = dated(300), d;
		struct store_table *t = NULL;
		uint32_t position, count;

		assert_int_equal(store_contents_table(fixture_m, inbox(), false, &t), 0);
		assert_int_equal(store_table_set_columns(t, columns, ARRAY_SIZE(columns)), 0);
		assert_int_equal(store_table_sort(t, sort, keys), 0);
		assert_true(next_id(t, true) == a);
		assert_true(next_id(t, true) == b);
		d = dated(150); /* before the position */
		assert_true(next_id(t, false) == c);
		assert_int_equal(store_table_position(t, &position, &count), 0);
		assert_int_equal(position, 3);
		assert_int_equal(count, 4);
		assert_int_equal(store_message_delete(fixture_m, inbox(), a, NOW, NULL), 0);
		assert_int_equal(store_table_position(t, &position, &count), 0);
		assert_int_equal(position, 2);
		assert_int_equal(store_message_delete(fixture_m, inbox(), c, NOW, NULL), 0);
		assert_true(next_id(t, true) == 0);
		assert_int_equal(store_table_seek(t, STORE_BEGIN, 0, NULL), 0);
		assert_true(next_id(t, true) == d);
		assert_int_equal(store_message_delete(fixture_m, inbox(), b, NOW, NULL), 0);
		assert_int_equal(store_message_delete(fixture_m, inbox(), d, NOW, NULL), 0);
		store_table_close(&t);
	}
}

static void folders_as_rows(void **state)
{
	static const uint32_t tags[] = {PidTagFolderId, PidTagDisplayName, PidTagDepth, PidTagSubfolders};
	struct store_table *t = NULL;
	struct mapi_row *rows;
	uint64_t child, grandchild;
	size_t n = 100, deep = 100;

	(void)state;
	assert_int_equal(store_hierarchy_table(fixture_m, store_special_id(STORE_IPM_SUBTREE), false, &t), 0);
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &n), MW_E_STATE); /* no columns */
	assert_int_equal(store_table_set_columns(t, tags, 4), 0);
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &n), 0);
	assert_int_equal(n, 10);
	assert_string_equal(value_text(&rows[0].values[1]), "Calendar"); /* by name */
	assert_int_equal(rows[0].values[2].u.i32, 1);
	assert_int_equal(store_folder_create(fixture_m, inbox(), "Below", NULL, NOW, &child, NULL), 0);
	assert_int_equal(store_folder_create(fixture_m, child, "Deeper", NULL, NOW, &grandchild, NULL), 0);
	store_table_close(&t);
	assert_int_equal(store_hierarchy_table(fixture_m, store_special_id(STORE_IPM_SUBTREE), true, &t), 0);
	assert_int_equal(store_table_set_columns(t, tags, 4), 0);
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &deep), 0);
	assert_int_equal(deep, 12);
	for (size_t i = 0; i < deep; i++) {
		if ((uint64_t)rows[i].values[0].u.i64 != inbox())
			continue;
		assert_true(rows[i].values[3].u.boolean);
		assert_string_equal(value_text(&rows[i + 1].values[1]), "Below");
		assert_string_equal(value_text(&rows[i + 2].values[1]), "Deeper");
		assert_int_equal(rows[i + 2].values[2].u.i32, 3);
	}
	store_table_close(&t);
}

static void save_numbered(const char *subject, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		char text[64];
		struct mapi_value v[2];
		snprintf(text, sizeof text, "%s %05u", subject, i);
		v[0] = text_value(PidTagSubject, text);
		v[1] = mapi_i32(PidTagImportance, 1);
		save_with(inbox(), v, 2);
	}
}

static const char *next_subject(struct store_table *t)
{
	struct mapi_row *rows;
	size_t count = 1;

	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 0, &rows, &count), 0);
	assert_int_equal(count, 1);
	return value_text(&rows[0].values[1]);
}

/* Many new messages, whose place the index does not know: the table goes on behind the row it stood at. */
static void many_that_are_behind(void **state)
{
	struct store_table *by_subject, *by_importance;
	uint32_t position, count;
	bool more;

	(void)state;
	save_numbered("m", 0, 20);
	assert_int_equal(store_words_step(fixture_m, 15, &more), 0);
	by_subject = open_sorted(PidTagSubject, false);
	by_importance = open_sorted(PidTagImportance, true); /* all alike: the newest first */
	for (int i = 0; i < 8; i++) {
		(void)next_subject(by_subject);
		(void)next_subject(by_importance);
	}
	save_numbered("a", 0, 300);
	save_numbered("z", 0, 300);
	assert_string_equal(next_subject(by_subject), "m 00008");
	assert_int_equal(store_table_position(by_subject, &position, &count), 0);
	assert_int_equal(position, 309);
	assert_int_equal(count, 620);
	assert_string_equal(next_subject(by_importance), "m 00011");
	do
		assert_int_equal(store_words_step(fixture_m, 250, &more), 0);
	while (more);
	assert_string_equal(next_subject(by_subject), "m 00009");
	store_table_close(&by_subject);
	store_table_close(&by_importance);
}

static struct store_table *open_listed(uint32_t tag)
{
	const struct store_sort sort[] = {{.tag = tag}, {.tag = PidTagImportance, .descending = true}};
	struct store_table *t = NULL;

	assert_int_equal(store_contents_table(fixture_m, inbox(), false, &t), 0);
	assert_int_equal(store_table_set_columns(t, columns, ARRAY_SIZE(columns)), 0);
	assert_int_equal(store_table_sort(t, sort, 2), 0);
	return t;
}

/* As small as pieces get: one row, or a look at the clock. */
static unsigned prepare_slowly(struct store_table *t)
{
	unsigned pieces = 1;
	bool more;

	for (;; pieces++) {
		assert_int_equal(store_table_prepare(t, 0, &more), 0);
		if (!more)
			return pieces;
	}
}

static void a_list_made_in_pieces(void **state)
{
	static const uint32_t tags[] = {PidTagSubject, PidTagSenderName, PidTagMessageDeliveryTime};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		struct store_table *t = open_listed(tags[i]), *at_once = open_listed(tags[i]);
		uint64_t *a, *b;
		assert_true(prepare_slowly(t) > MANY);
		a = read_all(t, 500, true);
		b = read_all(at_once, 500, true);
		assert_memory_equal(a, b, MANY * sizeof *a);
		free(a);
		free(b);
		store_table_close(&t);
		store_table_close(&at_once);
	}
}

static struct mapi_restriction subject_is(struct mapi_value *v)
{
	return (struct mapi_restriction){
	        .type = MAPI_RES_PROPERTY, .relop = MAPI_RELOP_EQ, .tag = PidTagSubject, .values = v};
}

static void find_slowly(struct store_table *t, const char *subject, bool forward, int expected)
{
	struct mapi_value v = text_value(PidTagSubject, subject);
	struct mapi_restriction r = subject_is(&v);
	struct store_find *f = NULL;
	bool more = true;
	int e = 0;

	assert_int_equal(store_find_new(t, &r, forward, &f), 0);
	while (e == 0 && more)
		e = store_find_step(f, 0, &more);
	store_find_free(&f);
	assert_int_equal(e, expected);
}

static uint32_t position_of(struct store_table *t)
{
	uint32_t position, count;

	assert_int_equal(store_table_position(t, &position, &count), 0);
	return position;
}

static void a_row_found_in_pieces(void **state)
{
	struct store_table *tables[] = {open_sorted(PidTagSubject, false), open_listed(PidTagSubject)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct store_table *t = tables[i];
		find_slowly(t, "Subject 03000", true, 0);
		assert_int_equal(position_of(t), 3000);
		find_slowly(t, "subject 00077", false, 0);
		assert_int_equal(position_of(t), 77);
		find_slowly(t, "subject 00077", true, 0); /* the row it stands at */
		assert_int_equal(position_of(t), 77);
		find_slowly(t, "Subject 00010", true, MW_E_NOTFOUND);
		assert_int_equal(position_of(t), 77);
		find_slowly(t, "subject 04999", true, 0);
		assert_int_equal(position_of(t), MANY - 1);
		store_table_close(&t);
	}
}

/* What happens while a list is made shows in the next one; what is gone keeps its place until then. */
static void changes_between_the_pieces(void **state)
{
	struct store_table *t = open_listed(PidTagSubject);
	struct mapi_row *rows;
	uint64_t first, last;
	size_t count = 9;
	bool more;

	(void)state;
	first = save_subject(inbox(), "a");
	save_subject(inbox(), "b");
	last = save_subject(inbox(), "c");
	assert_int_equal(store_table_prepare(t, 0, &more), 0);
	assert_int_equal(store_table_prepare(t, 0, &more), 0);
	assert_true(more);
	assert_int_equal(store_message_delete(fixture_m, inbox(), first, NOW, NULL), 0);
	save_subject(inbox(), "d");
	prepare_slowly(t);
	assert_int_equal(store_message_delete(fixture_m, inbox(), last, NOW, NULL), 0);
	save_subject(inbox(), "e");
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &count), 0);
	assert_int_equal(count, 3); /* b, d, e: the last changes are known to be such */
	assert_string_equal(value_text(&rows[0].values[1]), "b");
	assert_string_equal(value_text(&rows[2].values[1]), "e");
	prepare_slowly(t);
	count = 9;
	assert_int_equal(store_table_rows(t, fixture_arena, true, false, 0, &rows, &count), 0);
	assert_int_equal(count, 3);
	store_table_close(&t);
}

/* A search does not begin anew with every change. */
static void a_search_beside_changes(void **state)
{
	struct store_table *t = open_listed(PidTagSubject);
	struct mapi_value v = text_value(PidTagSubject, "m 00399");
	struct mapi_restriction r = subject_is(&v);
	struct store_find *f = NULL;
	uint64_t gone = save_subject(inbox(), "m 00200a");
	bool more = true;

	(void)state;
	save_numbered("m", 0, 400);
	prepare_slowly(t);
	assert_int_equal(store_find_new(t, &r, true, &f), 0);
	assert_int_equal(store_find_step(f, 0, &more), 0);
	assert_true(more);
	save_subject(inbox(), "a");
	assert_int_equal(store_message_delete(fixture_m, inbox(), gone, NOW, NULL), 0);
	while (more)
		assert_int_equal(store_find_step(f, 0, &more), 0);
	store_find_free(&f);
	assert_string_equal(next_subject(t), "m 00399");
	store_table_close(&t);
}

int main(void)
{
	const struct CMUnitTest many[] = {
	        cmocka_unit_test(orders_agree),
	        cmocka_unit_test(subjects_in_order),
	        cmocka_unit_test(positions_are_exact),
	        cmocka_unit_test(bytes_bound_the_rows),
	        cmocka_unit_test(first_rows_cost_no_listing),
	        cmocka_unit_test(filters),
	        cmocka_unit_test(a_list_made_in_pieces),
	        cmocka_unit_test(a_row_found_in_pieces),
	};
	const struct CMUnitTest few[] = {
	        FIXTURE_TEST(tables_live),
	        FIXTURE_TEST(folders_as_rows),
	        FIXTURE_TEST(many_that_are_behind),
	        FIXTURE_TEST(changes_between_the_pieces),
	        FIXTURE_TEST(a_search_beside_changes),
	};
	int r = cmocka_run_group_tests(many, fill_and_index, fixture_teardown);

	return r ? r : cmocka_run_group_tests(few, NULL, NULL);
}
