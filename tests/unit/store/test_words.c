#include "fixture.h"

#include "base/random.h"
#include "mapi/restriction.h"
#include "store/restrict.h"
#include "store/words.h"

/* The index of words changes how long a search takes, never what it finds. */

static const char *const texts[] = {
        "The quick brown fox jumps over the lazy dog",
        "quick-brown; FOX, jumped",
        "Straße nach Süden, Größe 42",
        "STRASSE",
        "naïve café",
        "cafe au lait",
        "a1b2 c3",
        "foo",
        "foobar barfoo",
        "foo bar",
        "bar foo baz",
        "",
        "x_y z-w",
        "don't stop",
        "日本語 テスト",
        ("e\xcc\x81"
         "clair"),
        "numbers 1234 5678",
        "½ price",
        "tab\tand\nline",
};
static const char *const patterns[] = {
        "quick brown", "brown fox", "the",  "fox ",  " fox ",     "FOX, j", "straße", "strasse",     "cafe", "café",
        "foo",         "foo ba",    "oo b", " bar ", "bar foo b", "a1b2",   "y z",    "don't",       "日本", "語 テ",
        "éclair",      "1234 5",    "½",    "and",   "and line",  "s",      "",       "bar foo baz",
};

static struct mapi_restriction content(struct mapi_value *v, uint32_t tag, const char *pattern, uint16_t low,
                                       uint16_t high)
{
	*v = text_value(tag, pattern);
	return (struct mapi_restriction){
	        .type = MAPI_RES_CONTENT, .tag = tag, .fuzzy_low = low, .fuzzy_high = high, .values = v};
}

static size_t found(const struct mapi_restriction *r, uint64_t *ids, size_t max)
{
	static const uint32_t column = PidTagMid;
	struct store_table *t = NULL;
	struct mapi_row *rows;
	size_t count = max;

	assert_int_equal(store_contents_table(fixture_m, inbox(), false, &t), 0);
	assert_int_equal(store_table_set_columns(t, &column, 1), 0);
	assert_int_equal(store_table_restrict(t, r), 0);
	assert_int_equal(store_table_rows(t, fixture_arena, true, true, 0, &rows, &count), 0);
	for (size_t i = 0; i < count; i++)
		ids[i] = rows[i].values[0].u.u64;
	store_table_close(&t);
	return count;
}

static void index_all(void)
{
	bool more = true;

	while (more)
		assert_int_equal(store_words_step(fixture_m, 5, &more), 0);
}

static void save_texts(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (int body = 0; body < 2; body++) {
			struct mapi_value v = text_value(body ? PidTagBody : PidTagSubject, texts[i]);
			save_with(inbox(), &v, 1);
		}
}

static void check(const struct mapi_restriction *r, uint64_t (*before)[64], size_t *counts, size_t *at, bool first)
{
	uint64_t ids[64];
	size_t n = found(r, ids, ARRAY_SIZE(ids));

	if (first) {
		counts[*at] = n;
		memcpy(before[*at], ids, sizeof ids);
	} else {
		assert_int_equal(n, counts[*at]);
		assert_memory_equal(ids, before[*at], n * sizeof *ids);
	}
	(*at)++;
}

static void ask_all(uint64_t (*before)[64], size_t *counts, bool first)
{
	static const uint16_t highs[] = {0, MAPI_FUZZY_IGNORE_CASE, MAPI_FUZZY_LOOSE};
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		for (uint16_t low = MAPI_FUZZY_FULL; low <= MAPI_FUZZY_PREFIX; low++)
			for (size_t h = 0; h < ARRAY_SIZE(highs); h++)
				for (int body = 0; body < 2; body++) {
					struct mapi_value v;
					struct mapi_restriction r = content(&v, body ? PidTagBody : PidTagSubject,
					                                    patterns[i], low, highs[h]);
					check(&r, before, counts, &at, first);
				}
}

static void the_index_finds_the_same(void **state)
{
	enum { QUESTIONS = ARRAY_SIZE(patterns) * 3 * 3 * 2 };
	static uint64_t before[QUESTIONS][64];
	static size_t counts[QUESTIONS];
	size_t all = 0;

	(void)state;
	save_texts();
	ask_all(before, counts, true);
	for (size_t i = 0; i < QUESTIONS; i++)
		all += counts[i];
	assert_true(all > 300);
	index_all();
	ask_all(before, counts, false);
}

static void what_is_changed_or_new_is_found_at_once(void **state)
{
	struct mapi_value v, words = text_value(PidTagSubject, "old words here");
	struct mapi_restriction old = content(&v, PidTagSubject, "old words", MAPI_FUZZY_PREFIX, 0);
	struct mapi_value v2;
	struct mapi_restriction fresh = content(&v2, PidTagSubject, "fresh words", MAPI_FUZZY_PREFIX, 0);
	struct store_message *msg = NULL;
	uint64_t ids[8], id = save_with(inbox(), &words, 1);

	(void)state;
	index_all();
	assert_int_equal(found(&old, ids, 8), 1);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	words = text_value(PidTagSubject, "fresh words here");
	assert_int_equal(store_message_set(msg, &words, 1, NULL), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	store_message_close(&msg);
	assert_int_equal(found(&old, ids, 8), 0);
	assert_int_equal(found(&fresh, ids, 8), 1);
	index_all();
	assert_int_equal(found(&old, ids, 8), 0);
	assert_int_equal(found(&fresh, ids, 8), 1);
	assert_int_equal(store_message_delete(fixture_m, inbox(), id, NOW, NULL), 0);
	assert_int_equal(found(&fresh, ids, 8), 0);
}

static void which_words_the_index_is_asked_for(void **state)
{
	static const struct {
		const char *pattern;
		uint16_t low;
		bool by_words;
		const char *query;
	} cases[] = {
	        {"Quick Brown", MAPI_FUZZY_PREFIX, false, "\"quick\" AND \"brown\"*"},
	        {"Quick Brown", MAPI_FUZZY_FULL, false, "\"quick\" AND \"brown\""},
	        {"Quick Brown", MAPI_FUZZY_SUBSTRING, false, "\"brown\"*"},
	        {" quick ", MAPI_FUZZY_SUBSTRING, false, "\"quick\""},
	        {"quick", MAPI_FUZZY_SUBSTRING, false, ""},
	        {"quick", MAPI_FUZZY_SUBSTRING, true, "\"quick\"*"},
	        {"a\" OR \"b", MAPI_FUZZY_PREFIX, false, "\"a\" AND \"or\" AND \"b\"*"},
	        {"日本", MAPI_FUZZY_PREFIX, false, ""},
	        {"Größe", MAPI_FUZZY_PREFIX, false, "\"grosse\"*"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mapi_value v;
		struct mapi_restriction r = content(&v, PidTagBody, cases[i].pattern, cases[i].low, 0);
		assert_string_equal(store_words_query(fixture_arena, &r, cases[i].by_words), cases[i].query);
	}
}

static void of_trees(void **state)
{
	struct mapi_value v[3];
	struct mapi_restriction two[] = {content(&v[0], PidTagSubject, "alpha", MAPI_FUZZY_PREFIX, 0),
	                                 content(&v[1], PidTagBody, "beta", MAPI_FUZZY_PREFIX, 0)};
	struct mapi_restriction mixed[] = {content(&v[2], PidTagSubject, "gamma", MAPI_FUZZY_FULL, 0),
	                                   {.type = MAPI_RES_EXIST, .tag = PidTagBody}};
	struct mapi_restriction either = {.type = MAPI_RES_OR, .count = 2, .children = two};
	struct mapi_restriction both = {.type = MAPI_RES_AND, .count = 2, .children = mixed};
	struct mapi_restriction other = {.type = MAPI_RES_OR, .count = 2, .children = mixed};
	struct mapi_restriction not = {.type = MAPI_RES_NOT, .children = two};

	(void)state;
	assert_string_equal(store_words_query(fixture_arena, &either, false), "((\"alpha\"*) OR (\"beta\"*))");
	assert_string_equal(store_words_query(fixture_arena, &both, false), "\"gamma\"");
	assert_string_equal(store_words_query(fixture_arena, &other, false), "");
	assert_string_equal(store_words_query(fixture_arena, &not, false), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(the_index_finds_the_same),
	        FIXTURE_TEST(what_is_changed_or_new_is_found_at_once),
	        FIXTURE_TEST(which_words_the_index_is_asked_for),
	        FIXTURE_TEST(of_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
