#include "store/keep.h"

#include "fixture.h"

#include "store/check.h"

#include <sys/stat.h>

/* Copies of a mailbox that is open meanwhile, put back, and files made smaller. */

static char copy[128];

static int setup(void **state)
{
	int r = fixture_setup(state);

	snprintf(copy, sizeof copy, "%s/copy.sqlite", fixture_dir);
	return r;
}

static int teardown(void **state)
{
	unlink(copy);
	return fixture_teardown(state);
}

static uint32_t messages(void)
{
	struct store_folder_info info;

	assert_int_equal(store_folder_info(fixture_m, inbox(), &info), 0);
	return info.content_count;
}

static void note(void *user, uint64_t done, uint64_t total)
{
	uint64_t *last = user;

	assert_true(done >= *last && done <= total);
	*last = done;
}

static int backup(void)
{
	struct store_kept kept;
	struct store_why why;
	uint64_t done = 0;
	char path[256];

	fixture_path(path, sizeof path, "");
	assert_int_equal(store_sync(fixture_m), 0); /* what was not committed yet, nobody was promised */
	int r = store_backup(path, copy, note, &done, &kept, &why);
	assert_true(r != 0 || (done == kept.after && done > 0));
	return r;
}

static int restore(const struct guid *mailbox, unsigned flags)
{
	struct store_kept kept;
	struct store_why why;

	return store_restore(&fixture_place, mailbox, copy, flags, NULL, NULL, &kept, &why);
}

static void there_and_back(void **state)
{
	(void)state;
	save_subject(inbox(), "one");
	assert_int_equal(backup(), 0);
	save_subject(inbox(), "two");
	assert_int_equal(backup(), MW_E_EXISTS);
	assert_int_equal(restore(&fixture_guid, STORE_RESTORE_REPLACE), MW_E_BUSY);
	store_mailbox_close(&fixture_m);
	assert_int_equal(restore(&fixture_guid, 0), MW_E_EXISTS);
	fixture_open();
	assert_int_equal(messages(), 2);
	store_mailbox_close(&fixture_m);
	assert_int_equal(restore(&fixture_guid, STORE_RESTORE_REPLACE), 0);
	fixture_open();
	assert_int_equal(messages(), 1);
}

static void of_another(void **state)
{
	struct guid other = fixture_guid;
	struct store_mailbox *m = NULL;
	char path[256], text[GUID_TEXT_SIZE];

	(void)state;
	save_subject(inbox(), "one");
	assert_int_equal(backup(), 0);
	other.data1++;
	assert_int_equal(restore(&other, 0), MW_E_INVALID);
	assert_int_equal(store_mailbox_open(&fixture_place, &other, &m, NULL), MW_E_NOTFOUND);
	assert_int_equal(restore(&other, STORE_RESTORE_ADOPT), 0);
	assert_int_equal(store_mailbox_open(&fixture_place, &other, &m, NULL), 0);
	store_mailbox_close(&m);
	guid_format(&other, text);
	snprintf(path, sizeof path, "%s/mailboxes/%s.sqlite", fixture_dir, text);
	unlink(path);
	strcat(path, ".lock");
	unlink(path);
}

static void no_mailbox(void **state)
{
	FILE *f = fopen(copy, "w");

	(void)state;
	fputs("something else entirely", f);
	fclose(f);
	store_mailbox_close(&fixture_m);
	assert_int_equal(restore(&fixture_guid, STORE_RESTORE_REPLACE), MW_E_MALFORMED);
	fixture_open();
}

static void smaller(void **state)
{
	struct store_kept kept;
	struct store_why why;
	bool partial = false;
	uint64_t ticket = 0;
	char path[256];

	(void)state;
	fixture_path(path, sizeof path, "");
	for (int i = 0; i < 300; i++)
		save_subject(inbox(), "a subject that takes some room");
	assert_int_equal(store_folder_empty(fixture_m, inbox(), false, NOW, &partial, &ticket), 0);
	save_subject(inbox(), "stays");
	assert_int_equal(store_compact(path, &kept, &why), MW_E_BUSY);
	store_mailbox_close(&fixture_m);
	assert_int_equal(store_compact(path, &kept, &why), 0);
	assert_true(kept.after < kept.before);
	fixture_open();
	assert_int_equal(messages(), 1);
	assert_int_equal(store_compact("/no/such/file", &kept, &why), MW_E_NOTFOUND);
}

/* store/folder.h: who does not wait for the disk gives no ticket. */
static void without_a_ticket(void **state)
{
	bool partial = true;
	uint64_t folder = 0;

	(void)state;
	save_subject(inbox(), "goes");
	assert_int_equal(store_folder_empty(fixture_m, inbox(), false, NOW, &partial, NULL), 0);
	assert_false(partial);
	assert_int_equal(messages(), 0);
	assert_int_equal(store_folder_create(fixture_m, inbox(), "below", NULL, NOW, &folder, NULL), 0);
	assert_int_equal(store_folder_delete(fixture_m, folder, 0, NOW, &partial, NULL), 0);
	assert_false(partial);
	assert_int_equal(store_folder_find(fixture_m, inbox(), "below", &folder), MW_E_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
	        cmocka_unit_test_setup_teardown(of_another, setup, teardown),
	        cmocka_unit_test_setup_teardown(no_mailbox, setup, teardown),
	        cmocka_unit_test_setup_teardown(smaller, setup, teardown),
	        cmocka_unit_test_setup_teardown(without_a_ticket, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
