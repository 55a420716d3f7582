#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/book.h"
#include "client/private.h"

#include <string.h>

struct world {
	struct mapiwire *m;
	struct arena *arena;
};

static int set_up(void **state)
{
	static struct world w;
	const struct mapiwire_options o = {.host = "h"};
	w.arena = arena_new(0);
	*state = &w;
	return w.arena ? mapiwire_new(&o, &w.m) : -1;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	arena_free(&w->arena);
	return mapiwire_free(&w->m);
}

/* What goes in comes out again. */
static void round_trip(void **state)
{
	struct world *w = *state;
	const struct mapiwire_value values[] = {
	        {.tag = MAPI_TAG(0x1000, PTYP_INTEGER16), .integer = -3},
	        {.tag = MAPI_TAG(0x1000, PTYP_INTEGER32), .integer = INT32_MIN},
	        {.tag = MAPI_TAG(0x1000, PTYP_INTEGER64), .integer = INT64_MAX},
	        {.tag = MAPI_TAG(0x1000, PTYP_BOOLEAN), .integer = 1},
	        {.tag = MAPI_TAG(0x1000, PTYP_TIME), .integer = INT64_C(1700000000123456700)},
	        {.tag = MAPI_TAG(0x1000, PTYP_FLOATING64), .real = 0.25},
	        {.tag = MAPI_TAG(0x1000, PTYP_STRING), .text = "Grüße 🙂"},
	        {.tag = MAPI_TAG(0x1000, PTYP_STRING8), .text = "Grüße"},
	        {.tag = MAPI_TAG(0x1000, PTYP_STRING), .text = ""},
	        {.tag = MAPI_TAG(0x1000, PTYP_BINARY), .bytes = "\0\1\2", .size = 3},
	        {.tag = MAPI_TAG(0x1000, PTYP_GUID), .bytes = "0123456789abcdef", .size = 16},
	};
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const struct mapiwire_value *v = &values[i];
		struct mapi_value inside;
		struct mapiwire_value out;
		assert_int_equal(client_take_value(w->m, w->arena, v, &inside), 0);
		assert_int_equal(client_put_value(w->m, w->arena, &inside, &out), 0);
		assert_int_equal(out.tag, v->tag);
		assert_true(out.integer == v->integer && out.real == v->real && out.size == v->size);
		if (v->text)
			assert_string_equal(out.text, v->text);
		if (v->size)
			assert_memory_equal(out.bytes, v->bytes, v->size);
	}
}

static void refused(void **state)
{
	struct world *w = *state;
	const struct mapiwire_value values[] = {
	        {.tag = MAPI_TAG(0x1000, PTYP_STRING)},
	        {.tag = MAPI_TAG(0x1000, PTYP_GUID), .bytes = "short", .size = 5},
	        {.tag = MAPI_TAG(0x1000, PTYP_RESTRICTION)},
	        {.tag = MAPI_TAG(0x1000, PTYP_BINARY), .size = (size_t)UINT32_MAX + 1},
	};
	struct mapi_value inside;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_int_equal(client_take_value(w->m, w->arena, &values[i], &inside), MAPIWIRE_E_ARGUMENT);
}

static void lists_errors_and_what_is_absent(void **state)
{
	struct world *w = *state;
	char one[] = "a", two[] = "b";
	union mapi_datum both[] = {{.str8 = one}, {.str8 = two}};
	const struct mapi_value list = {
	        .tag = MAPI_TAG(0x1000, PTYP_MULTIPLE | PTYP_STRING8), .count = 2, .u.multi = both};
	const struct mapi_value missing = mapi_error(PidTagSubject, ecNotFound);
	struct mapiwire_value v[2];
	const struct mapiwire_rows rows = {.count = 1, .columns = 2, .values = v};
	assert_int_equal(client_put_value(w->m, w->arena, &list, &v[0]), 0);
	assert_int_equal(v[0].size, 2);
	assert_string_equal(v[0].list[1].text, "b");
	assert_int_equal(client_put_value(w->m, w->arena, &missing, &v[1]), 0);
	assert_int_equal(v[1].integer, ecNotFound);
	assert_ptr_equal(mapiwire_row_find(&rows, 0, MAPI_TAG(0x1000, PTYP_UNSPECIFIED)), &v[0]);
	assert_null(mapiwire_row_find(&rows, 0, PidTagSubject)); /* an error is no value */
	assert_null(mapiwire_row_find(&rows, 1, MAPI_TAG(0x1000, PTYP_UNSPECIFIED)));
}

/* Rows of the address book as a server may send them, broken ones too. */
static void address_book_rows(void **state)
{
	struct world *w = *state;
	uint16_t name[] = {'A', 0};
	struct PropertyValue_r good[] = {
	        {.ulPropTag = PidTagDisplayName, .Value.lpszW = name},
	        {.ulPropTag = mapi_tag_as(PidTagComment, PTYP_ERROR_CODE), .Value.err = (int32_t)ecNotFound},
	};
	struct PropertyValue_r null_text[] = {{.ulPropTag = PidTagDisplayName}, good[1]};
	const struct PropertyRow_r rows[] = {
	        {.cValues = 2, .lpProps = good},
	        {.cValues = 2, .lpProps = null_text},
	        {.cValues = 1, .lpProps = good},
	        {.cValues = 2, .lpProps = NULL},
	};
	struct mapiwire_value out[2];
	assert_int_equal(client_book_row(w->m, w->arena, &rows[0], 2, out), 0);
	assert_string_equal(out[0].text, "A");
	for (size_t i = 1; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(client_book_row(w->m, w->arena, &rows[i], 2, out), MAPIWIRE_E_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(round_trip, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(lists_errors_and_what_is_absent, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(address_book_rows, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
