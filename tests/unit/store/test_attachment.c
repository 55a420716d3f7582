#include "fixture.h"

#include "store/attachment.h"
#include "store/schema.h"
#include "store/words.h"

#include <sqlite3.h>

/* Attachments in the store: what becomes of large values, and files of the version before them. */

static int64_t ask(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	char path[256];
	int64_t value = -1;

	assert_int_equal(store_sync(fixture_m), 0); /* commits */
	fixture_path(path, sizeof path, "");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return value;
}

static void execute(const char *sql)
{
	sqlite3 *db = NULL;
	char path[256], *error = NULL;

	fixture_path(path, sizeof path, "");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, sql, NULL, NULL, &error);
	assert_null(error);
	sqlite3_close(db);
}

/* A large value on the attachment, which is then saved into its message. */
static void fill(struct store_message *a, uint8_t byte)
{
	static uint8_t data[100000];
	struct mapi_value v = mapi_bytes(PidTagAttachDataBinary, data, sizeof data);

	memset(data, byte, sizeof data);
	assert_int_equal(store_message_set(a, &v, 1, NULL), 0);
	assert_int_equal(store_attachment_save(a, NOW), 0);
}

static struct store_message *with_attachment(uint64_t *id, uint32_t *number)
{
	struct store_message *msg, *a;

	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_attachment_create(msg, NOW, &a), 0);
	fill(a, 1);
	*number = store_attachment_number(a);
	store_message_close(&a);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	*id = store_message_id(msg);
	return msg;
}

static uint8_t first_byte(struct store_message *msg, uint32_t number)
{
	struct store_message *a;
	struct store_stream *s;
	uint8_t byte = 0;

	assert_int_equal(store_attachment_open(msg, number, false, &a), 0);
	assert_int_equal(store_stream_open(a, PidTagAttachDataBinary, STORE_STREAM_READ, &s), 0);
	assert_int_equal(store_stream_read(s, &byte, 1), 1);
	assert_int_equal(store_stream_close(&s), 0);
	store_message_close(&a);
	return byte;
}

static void test_a_value_that_is_replaced_goes(void **state)
{
	struct store_message *msg, *a;
	uint64_t id;
	uint32_t number;

	(void)state;
	msg = with_attachment(&id, &number);
	assert_int_equal(ask("SELECT count(*) FROM value"), 1);
	assert_int_equal(store_attachment_open(msg, number, true, &a), 0);
	fill(a, 2);
	fill(a, 3);
	assert_int_equal(first_byte(msg, number), 3);
	store_message_close(&a);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	store_message_close(&msg);
	assert_int_equal(ask("SELECT count(*) FROM value"), 1);
	assert_int_equal(ask("SELECT count(*) FROM value WHERE message = 0"), 0);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &msg), 0);
	assert_int_equal(first_byte(msg, number), 3);
	store_message_close(&msg);
}

static void test_what_is_dropped_leaves_nothing(void **state)
{
	struct store_message *msg, *a;
	uint64_t id;
	uint32_t number;

	(void)state;
	msg = with_attachment(&id, &number);
	assert_int_equal(store_attachment_create(msg, NOW, &a), 0);
	fill(a, 9);
	store_message_close(&a);
	store_message_close(&msg);
	assert_int_equal(ask("SELECT count(*) FROM value"), 1);
	assert_int_equal(store_message_delete(fixture_m, inbox(), id, NOW, NULL), 0);
	assert_int_equal(ask("SELECT count(*) FROM value"), 0);
	assert_int_equal(ask("SELECT count(*) FROM chunk"), 0);
}

static void test_another_save_of_the_message_keeps_them(void **state)
{
	struct store_message *msg;
	struct mapi_value v = mapi_i32(PidTagImportance, 2);
	uint64_t id;
	uint32_t number;

	(void)state;
	msg = with_attachment(&id, &number);
	store_message_close(&msg);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(store_message_set(msg, &v, 1, NULL), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	assert_int_equal(first_byte(msg, number), 1);
	store_message_close(&msg);
	fixture_reopen();
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(first_byte(msg, number), 1);
	store_message_close(&msg);
}

static void test_messages_in_messages_have_a_depth(void **state)
{
	struct store_message *chain[2 * STORE_MAX_EMBEDDED + 2], *more;
	int n = 0;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &chain[n]), 0);
	for (int i = 0; i < STORE_MAX_EMBEDDED; i++) {
		assert_int_equal(store_attachment_create(chain[n], NOW, &chain[n + 1]), 0);
		assert_int_equal(store_attachment_message(chain[n + 1], true, true, NOW, &chain[n + 2]), 0);
		n += 2;
	}
	assert_int_equal(store_attachment_create(chain[n], NOW, &chain[n + 1]), 0);
	n++;
	assert_int_equal(store_attachment_message(chain[n], true, true, NOW, &more), MW_E_LIMIT);
	for (; n > 0; n--) {
		if (n % 2)
			assert_int_equal(store_attachment_save(chain[n], NOW), 0);
		else
			assert_int_equal(store_message_save(chain[n], false, NOW, NULL), 0);
		store_message_close(&chain[n]);
	}
	assert_int_equal(store_message_save(chain[0], false, NOW, NULL), 0);
	uint64_t id = store_message_id(chain[0]);
	store_message_close(&chain[0]);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &chain[0]), 0);
	assert_int_equal(store_attachment_count(chain[0]), 1);
	store_message_close(&chain[0]);
}

/* A message copied into what is in it, again and again, comes to an end. */
static void test_a_message_in_itself_does_not_grow_for_ever(void **state)
{
	struct store_message *msg, *a, *inner;
	uint32_t problem;
	int rounds = 0, r = 0;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_attachment_create(msg, NOW, &a), 0);
	assert_int_equal(store_attachment_message(a, true, true, NOW, &inner), 0);
	for (; r == 0 && rounds < 40; rounds++) {
		r = store_message_copy_property(msg, inner, PidTagMessageAttachments, 0, &problem);
		for (int i = 0; r == 0 && i < 2; i++) {
			struct store_message *more;
			assert_int_equal(store_attachment_create(inner, NOW, &more), 0);
			fill(more, 1);
			store_message_close(&more);
		}
		if (r == 0)
			r = store_message_save(inner, false, NOW, NULL);
		if (r == 0)
			r = store_attachment_save(a, NOW);
	}
	assert_int_equal(r, MW_E_LIMIT);
	assert_true(rounds < 40);
	store_message_close(&inner);
	store_message_close(&a);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	store_message_close(&msg);
	assert_int_equal(ask("SELECT count(*) FROM value WHERE message = 0"), 0);
}

/* What the versions after 7 have added. */
#define UNDO_8                                                                                                         \
	"DROP TABLE permission; DROP TABLE member; DROP TABLE per_user; DROP INDEX message_deleted;"                   \
	"ALTER TABLE message DROP COLUMN deleted;"
/* The indexes of version 6 in place of the newest. */
#define ORDERS_OF_6                                                                                                    \
	"DROP INDEX message_behind; DROP INDEX message_modified; DROP INDEX message_size;"                             \
	"DROP INDEX message_importance; DROP INDEX message_subject; DROP INDEX message_sender;"                        \
	"DROP INDEX message_class;"                                                                                    \
	"CREATE INDEX message_behind ON message(id) WHERE words IS NULL AND associated = 0;"                           \
	"CREATE INDEX message_modified ON message(folder, associated, modified);"                                      \
	"CREATE INDEX message_size ON message(folder, associated, size);"                                              \
	"CREATE INDEX message_importance ON message(folder, associated, importance);"                                  \
	"CREATE INDEX message_subject ON message(folder, associated, subject);"                                        \
	"CREATE INDEX message_sender ON message(folder, associated, sender);"                                          \
	"CREATE INDEX message_class ON message(folder, associated, class)"

/* A file of version 6 is: what it had indexed stays so. */
static void test_files_with_whole_indexes_are_upgraded(void **state)
{
	bool more;

	(void)state;
	save_subject(inbox(), "one");
	assert_int_equal(store_words_step(fixture_m, 10, &more), 0);
	save_subject(inbox(), "two");
	store_mailbox_close(&fixture_m);
	execute(UNDO_8);
	execute(ORDERS_OF_6);
	execute("PRAGMA user_version = 6");
	fixture_open();
	assert_int_equal(ask("PRAGMA user_version"), STORE_SCHEMA_VERSION);
	assert_int_equal(ask("SELECT count(*) FROM message INDEXED BY message_subject WHERE words IS NOT NULL"
	                     " AND folder = 5 AND associated = 0"),
	                 1);
	assert_int_equal(ask("SELECT count(*) FROM message INDEXED BY message_behind WHERE words IS NULL"), 1);
}

/* A file of version 1 is made into one of the newest when it is opened. */
static void test_files_without_attachments_are_upgraded(void **state)
{
	struct store_message *msg;
	uint64_t old, id;
	uint32_t number;

	(void)state;
	old = save_subject(inbox(), "of old");
	store_mailbox_close(&fixture_m);
	execute(UNDO_8);
	execute(ORDERS_OF_6);
	execute("DROP TABLE outbox; DROP TABLE delivered; DROP TABLE search; DROP TABLE found;"
	        "DROP TABLE word; DROP INDEX message_behind; DROP INDEX message_words; ALTER TABLE message DROP COLUMN "
	        "words;"
	        "ALTER TABLE message DROP COLUMN attachments; PRAGMA user_version = 1");
	fixture_open();
	assert_int_equal(ask("PRAGMA user_version"), STORE_SCHEMA_VERSION);
	assert_int_equal(store_message_open(fixture_m, inbox(), old, true, &msg), 0);
	struct mapi_value v = get_one(msg, PidTagSubject);
	assert_string_equal(value_text(&v), "of old");
	assert_int_equal(store_attachment_count(msg), 0);
	store_message_close(&msg);
	msg = with_attachment(&id, &number);
	store_message_close(&msg);
	fixture_reopen();
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(first_byte(msg, number), 1);
	store_message_close(&msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(test_a_value_that_is_replaced_goes),
	        FIXTURE_TEST(test_what_is_dropped_leaves_nothing),
	        FIXTURE_TEST(test_another_save_of_the_message_keeps_them),
	        FIXTURE_TEST(test_messages_in_messages_have_a_depth),
	        FIXTURE_TEST(test_a_message_in_itself_does_not_grow_for_ever),
	        FIXTURE_TEST(test_files_without_attachments_are_upgraded),
	        FIXTURE_TEST(test_files_with_whole_indexes_are_upgraded),
	};

	return cmocka_run_group_tests_name("store attachment", tests, NULL, NULL);
}
