#include "base/guid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The endpoint mapper's interface. */
static const char epm[] = "e1af8308-5d1f-11c9-91a4-08002b14a0fa";
static const uint8_t epm_wire[16] = {0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11,
                                     0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa};

static void parses_all_spellings(void **state)
{
	static const char *const spellings[] = {
	        "e1af8308-5d1f-11c9-91a4-08002b14a0fa", "E1AF8308-5D1F-11C9-91A4-08002B14A0FA",
	        "{e1af8308-5d1f-11c9-91a4-08002b14a0fa}", "{E1af8308-5D1f-11c9-91A4-08002b14a0fA}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		char text[GUID_TEXT_SIZE];
		uint8_t wire[16];
		struct guid g;

		assert_int_equal(guid_parse(spellings[i], &g), 0);
		guid_format(&g, text);
		assert_string_equal(text, epm);
		guid_to_bytes(&g, wire);
		assert_memory_equal(wire, epm_wire, 16);
	}
}

static void refuses_other_text(void **state)
{
	static const char *const bad[] = {"",
	                                  "{",
	                                  "{}",
	                                  "e1af8308",
	                                  "e1af8308-5d1f-11c9-91a4-08002b14a0f",
	                                  "e1af8308-5d1f-11c9-91a4-08002b14a0fa0",
	                                  "e1af8308-5d1f-11c9-91a4-08002b14a0fa}",
	                                  "{e1af8308-5d1f-11c9-91a4-08002b14a0fa",
	                                  "{e1af8308-5d1f-11c9-91a4-08002b14a0fa} ",
	                                  "{e1af8308-5d1f-11c9-91a4-08002b14a0fa}}",
	                                  " e1af8308-5d1f-11c9-91a4-08002b14a0fa",
	                                  "e1af83085-d1f-11c9-91a4-08002b14a0fa",
	                                  "e1af8308-5d1f-11c9-91a4-08002b14a0fg",
	                                  "e1af8308-5d1f-11c9-91a4+08002b14a0fa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct guid g = {.data1 = 42};
		assert_int_equal(guid_parse(bad[i], &g), MW_E_INVALID);
		assert_int_equal(g.data1, 42);
	}
}

static void compares(void **state)
{
	struct guid g;

	(void)state;
	guid_from_bytes(epm_wire, &g);
	assert_int_equal(g.data1, 0xe1af8308);
	assert_false(guid_is_nil(&g));
	assert_false(guid_equal(&g, &(struct guid){0}));
	assert_true(guid_equal(&g, &g));
	assert_true(guid_is_nil(&(struct guid){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(parses_all_spellings),
	        cmocka_unit_test(refuses_other_text),
	        cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
