#include "store/check.h"

#include "fixture.h"

#include <sqlite3.h>

/* What `store check` finds in a mailbox that is open meanwhile, and in one that somebody has changed by hand. */

static char heard[1024];

static void hear(void *user, const char *text)
{
	size_t len = strlen(heard);

	(void)user;
	snprintf(heard + len, sizeof heard - len, "%s\n", text);
}

static struct store_checked checked(void)
{
	struct store_checked out;
	struct store_why why;
	char path[256];

	heard[0] = 0;
	fixture_path(path, sizeof path, "");
	if (store_check(path, hear, NULL, &out, &why) < 0)
		fail_msg("%s", why.text);
	return out;
}

static void by_hand(const char *sql)
{
	sqlite3 *db = NULL;
	char path[256];

	fixture_path(path, sizeof path, "");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void fill(void)
{
	struct store_message *msg = NULL;

	save_subject(inbox(), "one");
	save_subject(inbox(), "two");
	save_subject(store_special_id(STORE_DRAFTS), "three");
	assert_int_equal(store_message_create(fixture_m, inbox(), true, NOW, &msg), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	store_message_close(&msg);
}

static void whole_while_it_is_open(void **state)
{
	struct store_checked found;

	(void)state;
	fill();
	assert_int_equal(store_sync(fixture_m), 0);
	found = checked();
	assert_string_equal(heard, "");
	assert_int_equal(found.faults, 0);
	assert_int_equal(found.folders, STORE_SPECIAL_COUNT);
	assert_int_equal(found.messages, 4);
	save_subject(inbox(), "written after the check");
	assert_int_equal(store_sync(fixture_m), 0);
	assert_int_equal(checked().messages, 5);
	assert_string_equal(heard, "");
}

static void every_rule_is_seen_to_break(void **state)
{
	static const struct {
		const char *sql, *told;
	} cases[] = {
	        {"DELETE FROM mailbox", "missing records of the mailbox itself: 1\n"},
	        {"UPDATE message SET folder = 999 WHERE id = (SELECT min(id) FROM message)",
	         "messages in a folder that does not exist: 1\nfolders that count other messages than they hold: 1\n"
	         "folders with another size than their messages: 1\n"},
	        {"UPDATE folder SET parent = 999 WHERE id = 3", "folders below one that does not exist: 1\n"},
	        {"UPDATE folder SET contents = contents + 1 WHERE id = 5",
	         "folders that count other messages than they hold: 1\n"},
	        {"UPDATE folder SET unread = unread + 1", "folders that count other messages than they hold: 19\n"},
	        {"UPDATE folder SET associated = 7 WHERE id = 5",
	         "folders that count other messages than they hold: 1\n"},
	        {"UPDATE folder SET size = size - 1 WHERE id = 5",
	         "folders with another size than their messages: 1\n"},
	        {"INSERT INTO value(message, size) VALUES(999, 1)",
	         "large values of a message that does not exist: 1\n"},
	        {"INSERT INTO chunk VALUES(99 << 16, x'00')", "pieces of a large value that does not exist: 1\n"},
	        {"UPDATE message SET change = (SELECT max(change) FROM message)", "change numbers given twice: 3\n"},
	        {"UPDATE mailbox SET next_id = (SELECT max(change) FROM message)",
	         "ids or change numbers above the counter: 1\n"},
	        {"INSERT INTO receive VALUES('IPM.Odd', 999)",
	         "message classes received in a folder that does not exist: 1\n"},
	        {"INSERT INTO outbox VALUES(999, x'00', 0, 0, 0)", "submissions of a message that does not exist: 1\n"},
	        {"INSERT INTO search VALUES(999, 0, 0, 0, x'', x'')", "searches of a folder that does not exist: 1\n"},
	        {"INSERT INTO found VALUES(5, 999)", "search results that do not exist: 1\n"},
	};

	(void)state;
	fill();
	store_mailbox_close(&fixture_m);
	by_hand("PRAGMA journal_mode = DELETE");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char copy[1100], path[256];
		fixture_path(path, sizeof path, "");
		snprintf(copy, sizeof copy, "cp %s %s.kept", path, path);
		assert_int_equal(system(copy), 0);
		by_hand(cases[i].sql);
		assert_true(checked().faults > 0);
		assert_string_equal(heard, cases[i].told);
		snprintf(copy, sizeof copy, "mv %s.kept %s", path, path);
		assert_int_equal(system(copy), 0);
	}
	assert_int_equal(checked().faults, 0);
}

static void a_log_that_a_crash_left_is_read_and_stays(void **state)
{
	char path[256], log[256], text[1100];
	long before;
	FILE *f;

	(void)state;
	save_subject(inbox(), "in the log only");
	assert_int_equal(store_sync(fixture_m), 0);
	fixture_path(path, sizeof path, "");
	fixture_path(log, sizeof log, "-wal");
	snprintf(text, sizeof text, "cp %s %s.x; cp %s %s.x-wal", path, path, log, path);
	assert_int_equal(system(text), 0);
	store_mailbox_close(&fixture_m);
	snprintf(text, sizeof text, "mv %s.x %s; mv %s.x-wal %s", path, path, path, log);
	assert_int_equal(system(text), 0);
	assert_int_equal(checked().messages, 1);
	assert_string_equal(heard, "");
	f = fopen(log, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	before = ftell(f);
	fclose(f);
	assert_true(before > 0);
}

static void what_is_no_mailbox(void **state)
{
	struct store_checked out;
	struct store_why why;
	char path[256];

	(void)state;
	store_mailbox_close(&fixture_m);
	fixture_path(path, sizeof path, "");
	by_hand("PRAGMA user_version = 99");
	assert_int_equal(store_check(path, hear, NULL, &out, &why), MW_E_MALFORMED);
	by_hand("PRAGMA application_id = 1");
	assert_int_equal(store_check(path, hear, NULL, &out, &why), MW_E_MALFORMED);
	assert_string_equal(why.text, "the file is no mailbox");
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(store_check(path, hear, NULL, &out, &why), MW_E_MALFORMED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_check(path, hear, NULL, &out, &why), MW_E_NOTFOUND);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(whole_while_it_is_open),
	        FIXTURE_TEST(every_rule_is_seen_to_break),
	        FIXTURE_TEST(a_log_that_a_crash_left_is_read_and_stays),
	        FIXTURE_TEST(what_is_no_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
