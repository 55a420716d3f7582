#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mapi/property.h"
#include "mapi/status.h"
#include "mapi/tags.h"

#include <stdlib.h>
#include <string.h>

static int make_arena(void **state)
{
	*state = arena_new(1 << 20);
	return *state ? 0 : -1;
}

static int drop_arena(void **state)
{
	struct arena *arena = *state;
	arena_free(&arena);
	return 0;
}

static void names_of_tags(void **state)
{
	(void)state;
	assert_string_equal(mapi_tag_name(PidTagSubject), "PidTagSubject");
	assert_string_equal(mapi_tag_name(MAPI_TAG(0x0037, PTYP_STRING8)), "PidTagSubject");
	assert_string_equal(mapi_tag_name(0x66750102), mapi_tag_name(0x66750102));
	/* Two properties share 0x3701: the type tells which. */
	assert_string_equal(mapi_tag_name(0x37010102), "PidTagAttachDataBinary");
	assert_string_equal(mapi_tag_name(0x3701000D), "PidTagAttachDataObject");
	assert_null(mapi_tag_name(0x8006101E));
	assert_true(mapi_tag_is_named(0x8006101E));
	assert_string_equal(mapi_address_book_tag_name(0x800F101F), "PidTagAddressBookProxyAddresses");
	assert_string_equal(mapi_type_name(0x1102), "PtypMultipleBinary");
	assert_string_equal(mapi_type_name(PTYP_STRING), "PtypString");
	assert_null(mapi_type_name(0x0099));
}

static void names_of_codes(void **state)
{
	(void)state;
	assert_string_equal(mapi_status_name(ecNotFound), "MAPI_E_NOT_FOUND");
	assert_string_equal(mapi_status_name(ecNotEncrypted), "ecNotEncrypted");
	assert_string_equal(mapi_code_name(MAPI_CODES_NTSTATUS, 0xC000006D), "STATUS_LOGON_FAILURE");
	assert_string_equal(mapi_code_name(MAPI_CODES_NCA_FAULT, 0x1C010002), "nca_op_rng_error");
	assert_string_equal(mapi_code_name(MAPI_CODES_PROVIDER_REASON, 1), "abstract_syntax_not_supported");
	assert_null(mapi_status_name(0x12345678));
}

static void text_in_both_types(void **state)
{
	struct arena *arena = *state;
	static const char text[] = "Gr\xC3\xBC\xC3\x9F"
	                           "e \xE2\x82\xAC";
	struct mapi_value wide, narrow, back;
	assert_int_equal(mapi_text(arena, PidTagSubject, text, 0, &wide), 0);
	assert_string_equal(mapi_value_utf8(arena, &wide, 0), text);
	assert_int_equal(mapi_value_convert(arena, &wide, PTYP_STRING8, 1252, &narrow), 0);
	assert_int_equal(mapi_tag_type(narrow.tag), PTYP_STRING8);
	assert_string_equal(narrow.u.str8, "Gr\xFC\xDF"
	                                   "e \x80");
	assert_int_equal(mapi_value_convert(arena, &narrow, PTYP_STRING, 1252, &back), 0);
	assert_int_equal(mapi_value_compare(&wide, &back), 0);
	/* Latin-1 has no euro sign. */
	assert_int_equal(mapi_value_convert(arena, &wide, PTYP_STRING8, 28591, &narrow), 0);
	assert_string_equal(narrow.u.str8, "Gr\xFC\xDF"
	                                   "e ?");
	struct mapi_value number = mapi_i32(PidTagImportance, 1);
	assert_int_equal(mapi_value_convert(arena, &number, PTYP_STRING, 0, &back), MW_E_INVALID);
}

static void order_of_values(void **state)
{
	struct arena *arena = *state;
	struct mapi_value ascending[] = {
	        mapi_i32(PidTagImportance, -5),
	        mapi_i32(PidTagImportance, 0),
	        mapi_i32(PidTagImportance, 7),
	        mapi_boolean(PidTagRead, false),
	        mapi_boolean(PidTagRead, true),
	        mapi_i64(PidTagChangeNumber, INT64_MIN),
	        mapi_i64(PidTagChangeNumber, INT64_MAX),
	        {0},
	        {0},
	        {0},
	        mapi_i64(PidTagCreationTime, 1),
	        mapi_i64(PidTagCreationTime, -1), /* a FILETIME has no sign */
	        mapi_bytes(PidTagEntryId, "ab", 2),
	        mapi_bytes(PidTagEntryId, "abc", 3),
	        mapi_bytes(PidTagEntryId, "b", 1),
	};
	assert_int_equal(mapi_text(arena, PidTagSubject, "", 0, &ascending[7]), 0);
	assert_int_equal(mapi_text(arena, PidTagSubject, "a", 0, &ascending[8]), 0);
	assert_int_equal(mapi_text(arena, PidTagSubject, "ab", 0, &ascending[9]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
			int c = mapi_value_compare(&ascending[i], &ascending[k]);
			assert_true(i < k ? c < 0 : i > k ? c > 0 : c == 0);
		}
}

static void copies_are_deep(void **state)
{
	struct arena *arena = *state;
	uint8_t bytes[] = {1, 2, 3};
	union mapi_datum many[] = {{.bin = {3, bytes}}, {.bin = {0, NULL}}};
	struct mapi_value v = {.tag = MAPI_TAG(0x7000, PTYP_MULTIPLE | PTYP_BINARY), .count = 2, .u.multi = many};
	struct mapi_value copy;
	assert_int_equal(mapi_value_copy(arena, &v, &copy), 0);
	assert_int_equal(mapi_value_compare(&v, &copy), 0);
	assert_int_equal(mapi_value_size(&v), 4 + 2 + 3 + 2);
	bytes[0] = 9;
	assert_int_not_equal(mapi_value_compare(&v, &copy), 0);
}

static void rows_know_their_errors(void **state)
{
	(void)state;
	struct mapi_value values[] = {mapi_i32(PidTagImportance, 1), mapi_error(PidTagSubject, ecNotFound)};
	assert_int_equal(mapi_row_of(values, 1).flagged, 0);
	assert_int_equal(mapi_row_of(values, 2).flagged, 1);
	assert_ptr_equal(mapi_find(values, 2, PidTagImportance), &values[0]);
	assert_null(mapi_find(values, 2, PidTagSubject));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_of_tags),
	        cmocka_unit_test(names_of_codes),
	        cmocka_unit_test_setup_teardown(text_in_both_types, make_arena, drop_arena),
	        cmocka_unit_test_setup_teardown(order_of_values, make_arena, drop_arena),
	        cmocka_unit_test_setup_teardown(copies_are_deep, make_arena, drop_arena),
	        cmocka_unit_test(rows_know_their_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
