#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "causes/causes.h"

#include <string.h>

/* Every cause has its row, an id and an exit code of its own, and markers that cause_explain knows. */
static void rows_are_whole(void **state)
{
	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const struct cause_row *row = cause_get((enum cause)i);
		char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
		assert_non_null(row->id);
		cause_explain((enum cause)i, &(struct cause_about){.detail = "X"}, sentence, attempt);
		assert_null(strpbrk(sentence, "%{}"));
		assert_null(strpbrk(attempt, "%{}"));
		assert_int_equal(sentence[strlen(sentence) - 1], '.');
		assert_int_equal(attempt[strlen(attempt) - 1], '.');
		assert_true(i == CAUSE_NONE ? row->exit_code == 0 : row->exit_code >= 10);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(cause_get((enum cause)k)->id, row->id);
			assert_int_not_equal(cause_get((enum cause)k)->exit_code, row->exit_code);
		}
	}
}

static void details_are_filled_in(void **state)
{
	char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
	const struct cause_about about = {.detail = "49161", .mapper_port = "4135", .setting = "--nspi-port"};
	(void)state;
	cause_explain(CAUSE_DYNAMIC_PORT_BLOCKED, &about, sentence, attempt);
	assert_string_equal(
	        sentence, "The mapper hands out 49161, but nothing answers there; 4135 does. A firewall, most likely.");
	assert_string_equal(attempt, "Open 49161, or fix the port (--nspi-port).");
	cause_explain(CAUSE_DYNAMIC_PORT_BLOCKED, &(struct cause_about){.detail = "1"}, sentence, attempt);
	assert_non_null(strstr(sentence, "135 does"));
	assert_non_null(strstr(attempt, "--rfr-port"));
}

/* A detail from the wire that is too long is cut, and not in the middle of a character. */
static void long_details_are_cut(void **state)
{
	char detail[1001], sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
	(void)state;
	for (int shift = 0; shift < 3; shift++) {
		memset(detail, 'x', sizeof detail);
		for (size_t i = (size_t)shift; i + 3 < sizeof detail; i += 3)
			memcpy(detail + i, "€", 3);
		detail[999] = 0;
		cause_explain(CAUSE_UNKNOWN_MAILBOX, &(struct cause_about){.detail = detail}, sentence, attempt);
		size_t n = strlen(sentence);
		assert_true(n < CAUSE_TEXT_SIZE && n > CAUSE_TEXT_SIZE - 8);
		assert_true(memcmp(sentence + n - 3, "€", 3) == 0);
	}
}

static void statuses(void **state)
{
	(void)state;
	assert_int_equal(cause_of_status(CAUSE_OF_MAPI, 0x970), CAUSE_ENCRYPTION_REQUIRED);
	assert_int_equal(cause_of_status(CAUSE_OF_MAPI, 0x3EB), CAUSE_UNKNOWN_MAILBOX);
	assert_int_equal(cause_of_status(CAUSE_OF_FAULT, 5), CAUSE_CREDENTIALS_REFUSED);
	assert_int_equal(cause_of_status(CAUSE_OF_EPM, 0x16C9A0D6), CAUSE_INTERFACE_NOT_REGISTERED);
	assert_int_equal(cause_of_status(CAUSE_OF_BIND_NAK, 0), CAUSE_BIND_REFUSED);
	assert_int_equal(cause_of_status(CAUSE_OF_MAPI, 0), CAUSE_NONE);
	assert_int_equal(cause_of_status(CAUSE_OF_MAPI, 0xDEAD), CAUSE_CALL_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rows_are_whole),
	        cmocka_unit_test(details_are_filled_in),
	        cmocka_unit_test(long_details_are_cut),
	        cmocka_unit_test(statuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
