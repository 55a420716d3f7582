#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void has_special_folders(void **state)
{
	static const struct {
		enum store_special which;
		const char *name, *class;
		enum store_special parent;
	} table[] = {
	        {STORE_IPM_SUBTREE, "Top of Information Store", NULL, STORE_ROOT},
	        {STORE_INBOX, "Inbox", "IPF.Note", STORE_IPM_SUBTREE},
	        {STORE_SEARCH, "Finder", NULL, STORE_ROOT},
	        {STORE_SHORTCUTS, "Shortcuts", NULL, STORE_ROOT},
	        {STORE_CALENDAR, "Calendar", "IPF.Appointment", STORE_IPM_SUBTREE},
	        {STORE_CONTACTS, "Contacts", "IPF.Contact", STORE_IPM_SUBTREE},
	        {STORE_NOTES, "Notes", "IPF.StickyNote", STORE_IPM_SUBTREE},
	        {STORE_JOURNAL, "Journal", "IPF.Journal", STORE_IPM_SUBTREE},
	};

	(void)state;
	assert_int_equal(STORE_LOGON_FOLDERS, 13);
	assert_int_equal(info_of(store_special_id(STORE_ROOT)).child_count, 8);
	assert_int_equal(info_of(store_special_id(STORE_IPM_SUBTREE)).child_count, 10);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint32_t tags[] = {PidTagDisplayName, PidTagContainerClass, PidTagParentFolderId, PidTagRights};
		struct mapi_value v[4];
		assert_int_equal(
		        store_folder_get(fixture_m, store_special_id(table[i].which), fixture_arena, tags, 4, v), 0);
		assert_string_equal(value_text(&v[0]), table[i].name);
		if (table[i].class)
			assert_string_equal(value_text(&v[1]), table[i].class);
		else
			assert_int_equal(v[1].flag, MAPI_FLAG_ERROR);
		assert_true((uint64_t)v[2].u.i64 == store_special_id(table[i].parent));
	}
}

static void ids_look_as_on_the_wire(void **state)
{
	/* [MS-OXCDATA] 2.2.1.1: replica id 1, counter 5, its bytes most significant first. */
	static const uint8_t inbox_bytes[8] = {1, 0, 0, 0, 0, 0, 0, 5};
	uint32_t tags[] = {PidTagEntryId, PidTagIpmAppointmentEntryId};
	uint64_t id = inbox();
	uint8_t own[16], replica[16];
	struct guid g;
	struct mapi_value v[2];
	const uint8_t *e;

	(void)state;
	assert_memory_equal(&id, inbox_bytes, 8);
	assert_int_equal(store_id_counter(id), 5);
	assert_int_equal(store_folder_get(fixture_m, id, fixture_arena, tags, 2, v), 0);
	/* [MS-OXCDATA] 2.2.4.1 */
	assert_int_equal(v[0].u.bin.size, 46);
	e = v[0].u.bin.data;
	guid_to_bytes(&fixture_guid, own);
	assert_int_equal(store_replica_guid(fixture_m, STORE_REPLID, &g), 0);
	guid_to_bytes(&g, replica);
	assert_memory_equal(e, "\0\0\0\0", 4);
	assert_memory_equal(e + 4, own, 16);
	assert_memory_equal(e + 20, "\1\0", 2);
	assert_memory_equal(e + 22, replica, 16);
	assert_memory_equal(e + 38, "\0\0\0\0\0\5\0\0", 8);
	assert_int_equal(v[1].u.bin.size, 46);
	assert_int_equal(v[1].u.bin.data[43], STORE_CALENDAR + 1);
}

static void has_one_owner(void **state)
{
	const struct store_owner owner = {.name = "Mallory", .address = "m@demo.test", .dn = "/o=DEMO/cn=m"};
	const struct guid other = {1, 2, 3, {4}};
	struct store_mailbox *second = NULL;
	struct store_why why;

	(void)state;
	assert_int_equal(store_mailbox_open(&fixture_place, &fixture_guid, &second, &why), MW_E_BUSY);
	assert_string_equal(why.text, "The mailbox is in use by another server or tool.");
	assert_int_equal(store_mailbox_create(&fixture_place, &fixture_guid, &owner, NOW, &why), MW_E_EXISTS);
	assert_int_equal(store_mailbox_open(&fixture_place, &other, &second, &why), MW_E_NOTFOUND);
	assert_null(second);
	/* The refused opening has not loosened the first one's hold. */
	assert_int_equal(store_mailbox_open(&fixture_place, &fixture_guid, &second, &why), MW_E_BUSY);
	fixture_reopen();
	assert_int_equal(store_mailbox_set_owner(fixture_m, &owner), 0);
	fixture_reopen();
	{
		uint32_t tag = PidTagMailboxOwnerName;
		struct mapi_value v;
		assert_int_equal(store_mailbox_get(fixture_m, fixture_arena, &tag, 1, &v), 0);
		assert_string_equal(value_text(&v), "Mallory");
	}
}

static void says_what_the_store_is(void **state)
{
	uint32_t tags[] = {PidTagIpmSubtreeEntryId, PidTagMessageSizeExtended, PidTagMailboxOwnerName, PidTagSubject};
	struct mapi_value v[4], *all;
	size_t count;

	(void)state;
	assert_int_equal(store_mailbox_get(fixture_m, fixture_arena, tags, 4, v), 0);
	assert_int_equal(v[0].u.bin.size, 46);
	assert_int_equal(v[1].u.i64, 0);
	assert_int_equal(v[3].flag, MAPI_FLAG_ERROR);
	assert_int_equal(v[3].u.error, ecNotFound);
	assert_int_equal(store_mailbox_all(fixture_m, fixture_arena, &all, &count), 0);
	assert_true(count > 15);
	assert_non_null(mapi_find(all, count, PidTagValidFolderMask));
}

static void finds_receive_folders(void **state)
{
	static const struct {
		const char *class, *matched;
		enum store_special folder;
	} table[] = {
	        {"", "", STORE_INBOX},          {"IPM.Note", "IPM", STORE_INBOX},
	        {"ipm", "IPM", STORE_INBOX},    {"IPMX", "", STORE_INBOX},
	        {"IPC.Any", "IPC", STORE_ROOT}, {"REPORT.IPM.Note.NDR", "REPORT.IPM", STORE_INBOX},
	        {"...", "", STORE_INBOX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t folder;
		char *matched;
		assert_int_equal(store_receive_folder(fixture_m, fixture_arena, table[i].class, &folder, &matched), 0);
		assert_true(folder == store_special_id(table[i].folder));
		assert_string_equal(matched, table[i].matched);
	}
}

static void keeps_replicas(void **state)
{
	const struct guid foreign = {9, 9, 9, {9}};
	struct guid own, g;
	uint16_t id, again;

	(void)state;
	assert_int_equal(store_replica_guid(fixture_m, STORE_REPLID, &own), 0);
	assert_int_equal(store_replica_id(fixture_m, &own, &id), 0);
	assert_int_equal(id, STORE_REPLID);
	assert_int_equal(store_replica_guid(fixture_m, 77, &g), MW_E_NOTFOUND);
	assert_int_equal(store_replica_id(fixture_m, &foreign, &id), 0);
	assert_int_not_equal(id, STORE_REPLID);
	fixture_reopen();
	assert_int_equal(store_replica_id(fixture_m, &foreign, &again), 0);
	assert_int_equal(again, id);
	assert_int_equal(store_replica_guid(fixture_m, id, &g), 0);
	assert_true(guid_equal(&g, &foreign));
}

static void keeps_named_properties(void **state)
{
	static uint16_t keywords[] = {'K', 'e', 'y', 0}, lower[] = {'k', 'e', 'y', 0};
	const struct guid set = {0x62002, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}};
	const struct mapi_property_name names[] = {
	        {.kind = MAPI_NAME_LID, .guid = set, .lid = 0x8205},
	        {.kind = MAPI_NAME_STRING, .guid = set, .name = keywords},
	        {.kind = MAPI_NAME_STRING, .guid = set, .name = lower},
	        {.kind = MAPI_NAME_LID, .guid = {0x20328, 0, 0, {0xC0, 0, 0, 0, 0, 0, 0, 0x46}}, .lid = 0x0037},
	        {.kind = MAPI_NAME_LID, .guid = set, .lid = 0x8205},
	        {.kind = MAPI_NAME_NONE},
	};
	struct mapi_property_name back[3], *all;
	uint16_t ids[6], again[6], *all_ids;
	uint64_t ticket = 1;
	size_t count;

	(void)state;
	assert_int_equal(store_names_to_ids(fixture_m, names, 6, false, ids, &ticket), 0);
	assert_int_equal(ids[0], 0);
	assert_int_equal(ticket, 0);
	assert_int_equal(store_names_to_ids(fixture_m, names, 6, true, ids, &ticket), 0);
	assert_true(ticket > 0);
	assert_int_equal(ids[0], 0x8000);
	assert_int_equal(ids[1], 0x8001);
	assert_int_equal(ids[2], 0x8002); /* names are exact */
	assert_int_equal(ids[3], 0x0037); /* PS_MAPI */
	assert_int_equal(ids[4], ids[0]);
	assert_int_equal(ids[5], 0);
	fixture_reopen();
	assert_int_equal(store_names_to_ids(fixture_m, names, 6, false, again, NULL), 0);
	assert_memory_equal(ids, again, sizeof ids);
	ids[2] = 0x9000;
	assert_int_equal(store_ids_to_names(fixture_m, fixture_arena, ids, 3, back), 0);
	assert_int_equal(back[0].kind, MAPI_NAME_LID);
	assert_int_equal(back[0].lid, 0x8205);
	assert_true(guid_equal(&back[1].guid, &set));
	assert_int_equal(utf16_len(back[1].name), 3);
	assert_memory_equal(back[1].name, keywords, sizeof keywords);
	assert_int_equal(back[2].kind, MAPI_NAME_NONE);
	assert_int_equal(store_names_all(fixture_m, fixture_arena, &all, &all_ids, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(all_ids[2], 0x8002);
}

static void makes_and_changes_folders(void **state)
{
	struct mapi_value set[] = {text_value(PidTagDisplayName, "Projekte"), text_value(PidTagComment, "work"),
	                           mapi_i32(PidTagContentCount, 7)};
	uint32_t problems[3], tag = PidTagComment;
	struct mapi_value v;
	uint64_t id = 0, same = 0;

	(void)state;
	assert_int_equal(store_folder_create(fixture_m, inbox(), "Projects", "IPF.Note", NOW, &id, NULL), 0);
	assert_true(store_id_counter(id) >= 0x10000);
	assert_int_equal(store_folder_create(fixture_m, inbox(), "PROJECTS", NULL, NOW, &same, NULL), MW_E_EXISTS);
	assert_true(same == id);
	assert_int_equal(store_folder_create(fixture_m, inbox(), "", NULL, NOW, &same, NULL), MW_E_INVALID);
	assert_int_equal(store_folder_create(fixture_m, id ^ 1, "x", NULL, NOW, &same, NULL), MW_E_NOTFOUND);
	assert_int_equal(info_of(inbox()).child_count, 1);
	assert_int_equal(store_folder_set(fixture_m, id, set, 3, NOW, problems, NULL), 0);
	assert_int_equal(problems[0], 0);
	assert_int_equal(problems[2], ecComputed);
	assert_int_equal(store_folder_find(fixture_m, inbox(), "projects", &same), MW_E_NOTFOUND);
	assert_int_equal(store_folder_find(fixture_m, inbox(), "projekte", &same), 0);
	assert_true(same == id);
	fixture_reopen();
	assert_int_equal(store_folder_get(fixture_m, id, fixture_arena, &tag, 1, &v), 0);
	assert_string_equal(value_text(&v), "work");
	assert_int_equal(store_folder_remove(fixture_m, id, &tag, 1, NOW, problems, NULL), 0);
	assert_int_equal(store_folder_get(fixture_m, id, fixture_arena, &tag, 1, &v), 0);
	assert_int_equal(v.flag, MAPI_FLAG_ERROR);
}

static void ids_never_repeat(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++) {
			uint64_t id = store_id_counter(save_subject(inbox(), "x"));
			assert_true(id > last);
			last = id;
		}
		fixture_reopen();
	}
}

static void overwrite(const char *path, long at, const void *data, size_t size)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, at), (ssize_t)size);
	close(fd);
}

static void damaged_files_are_errors(void **state)
{
	uint8_t noise[4096];
	char path[256];
	struct store_why why;
	int opened = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		save_subject(inbox(), "something to damage");
	store_mailbox_close(&fixture_m);
	fixture_path(path, sizeof path, "");
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * 31 + 7);
	/* From the last page to the first: fewer and fewer things are as they were. */
	for (long page = 60; page >= 0; page--) {
		overwrite(path, page * 4096, noise, sizeof noise);
		if (store_mailbox_open(&fixture_place, &fixture_guid, &fixture_m, &why) < 0) {
			assert_true(strlen(why.text) > 10);
			continue;
		}
		opened++;
		{
			struct store_table *t = NULL;
			struct store_message *msg = NULL;
			uint32_t tags[] = {PidTagMid, PidTagSubject};
			struct mapi_row *rows;
			size_t count = 300;
			int r = store_contents_table(fixture_m, inbox(), false, &t);
			if (r == 0) {
				assert_int_equal(store_table_set_columns(t, tags, 2), 0);
				if (store_table_rows(t, fixture_arena, true, true, 0, &rows, &count) < 0)
					assert_true(strlen(store_mailbox_error(fixture_m)) > 10);
				store_table_close(&t);
			}
			if (store_message_create(fixture_m, inbox(), false, NOW, &msg) == 0)
				(void)!store_message_save(msg, false, NOW, NULL);
			store_message_close(&msg);
		}
		store_mailbox_close(&fixture_m);
	}
	assert_true(opened > 0);
	assert_int_equal(store_mailbox_open(&fixture_place, &fixture_guid, &fixture_m, &why), MW_E_MALFORMED);
}

static void protect(bool on)
{
	char path[256];

	chmod(fixture_dir, 0755);
	fixture_path(path, sizeof path, "");
	chmod(path, on ? 0444 : 0600);
	fixture_path(path, sizeof path, ".lock");
	chmod(path, on ? 0444 : 0600);
	snprintf(path, sizeof path, "%s/mailboxes", fixture_dir);
	chmod(path, on ? 0555 : 0700);
}

/* As someone who may only read, since root may always write. */
static int read_only_child(uint64_t id)
{
	struct store_mailbox *m = NULL;
	struct store_message *msg = NULL;
	int r = 0;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 1;
	if (store_mailbox_open(&fixture_place, &fixture_guid, &m, NULL) < 0)
		return 2;
	if (store_message_open(m, inbox(), id, true, &msg) < 0)
		r = 3;
	else if (store_message_save(msg, false, NOW, NULL) != MW_E_IO)
		r = 4;
	else if (!strstr(store_mailbox_error(m), "permissions"))
		r = 5;
	store_message_close(&msg);
	store_mailbox_close(&m);
	return r;
}

static void read_only_files_can_be_read(void **state)
{
	uint64_t id = save_subject(inbox(), "to be read");
	int status;
	pid_t pid;

	(void)state;
	store_mailbox_close(&fixture_m);
	protect(true);
	pid = fork();
	if (pid == 0)
		_exit(read_only_child(id));
	assert_true(waitpid(pid, &status, 0) == pid);
	protect(false);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(has_special_folders),
	        FIXTURE_TEST(ids_look_as_on_the_wire),
	        FIXTURE_TEST(has_one_owner),
	        FIXTURE_TEST(says_what_the_store_is),
	        FIXTURE_TEST(finds_receive_folders),
	        FIXTURE_TEST(keeps_replicas),
	        FIXTURE_TEST(keeps_named_properties),
	        FIXTURE_TEST(makes_and_changes_folders),
	        FIXTURE_TEST(ids_never_repeat),
	        FIXTURE_TEST(damaged_files_are_errors),
	        FIXTURE_TEST(read_only_files_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
