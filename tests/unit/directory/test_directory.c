#include "directory/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/mw-directory-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/directory.sqlite", dir);
	unlink(path);
	return rmdir(dir);
}

static struct directory *make(void)
{
	struct directory *d = NULL;
	const struct directory_settings set = {.mail_domain = "demo.test"};

	assert_int_equal(directory_open(dir, true, &set, &d, NULL), 0);
	return d;
}

static uint32_t add(struct directory *d, const char *address, const char *name)
{
	struct directory_new_user u = {.address = address, .name = name};
	struct guid mailbox;
	uint32_t id = 0;

	assert_int_equal(directory_nt_hash("Secret1!", u.nt_hash), 0);
	assert_int_equal(directory_add(d, &u, &id, &mailbox), 0);
	assert_true(id >= 16);
	return id;
}

/* [MS-NLMP] 4.2.2.1.2: NTOWFv1 of "Password". */
static void hashes_as_specified(void **state)
{
	static const uint8_t expected[16] = {0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca,
	                                     0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52};
	uint8_t hash[16], other[16];
	char longest[258];

	(void)state;
	assert_int_equal(directory_nt_hash("Password", hash), 0);
	assert_memory_equal(hash, expected, 16);
	assert_int_equal(directory_nt_hash("p\xc3\xa4ss\xf0\x9f\x98\x80", other), 0);
	assert_int_equal(directory_nt_hash("bad \xff utf-8", hash), MW_E_INVALID);
	assert_memory_equal(hash, expected, 16);
	memset(longest, 'x', 257);
	longest[257] = 0;
	assert_int_equal(directory_nt_hash(longest, hash), MW_E_INVALID);
	longest[256] = 0;
	assert_int_equal(directory_nt_hash(longest, hash), 0);
}

static void has_defaults_and_a_private_file(void **state)
{
	struct directory *d = make();
	struct directory_snapshot *s = NULL;
	const struct directory_settings *set;
	struct stat st;
	char path[128];

	(void)state;
	assert_int_equal(directory_snapshot(d, &s), 0);
	set = directory_settings(s);
	assert_string_equal(set->mail_domain, "demo.test");
	assert_string_equal(set->ntlm_domain, "DEMO");
	assert_string_equal(set->organisation, "DEMO");
	snprintf(path, sizeof path, "%s/directory.sqlite", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	directory_snapshot_unref(&s);
	directory_close(&d);
	assert_null(d);
}

static void adds_changes_and_removes(void **state)
{
	struct directory *d = make();
	struct directory_snapshot *s = NULL;
	const struct directory_user *u;
	uint32_t alice = add(d, "alice@demo.test", "Alice Anders"), bob;
	uint8_t hash[16] = {1, 2, 3};

	(void)state;
	assert_int_equal(directory_snapshot(d, &s), 0);
	u = directory_by_account(s, "DEMO", "ALICE");
	assert_non_null(u);
	assert_int_equal(u->id, alice);
	assert_string_equal(u->dn, "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=alice");
	assert_false(guid_is_nil(&u->mailbox));
	assert_int_equal(directory_set_nt_hash(d, alice, hash), 0);
	assert_int_equal(directory_set_flags(d, alice, DIRECTORY_LOCKED), 0);
	assert_int_equal(directory_set_name(d, alice, "Alice A."), 0);
	assert_int_equal(directory_set_name(d, 4711, "Nobody"), MW_E_NOTFOUND);
	assert_string_equal(directory_error(d), "There is no such user.");
	assert_string_equal(u->name, "Alice Anders"); /* the snapshot is of its moment */
	directory_snapshot_unref(&s);

	assert_int_equal(directory_snapshot(d, &s), 0);
	u = directory_by_id(s, alice);
	assert_string_equal(u->name, "Alice A.");
	assert_int_equal(u->flags, DIRECTORY_LOCKED);
	assert_memory_equal(u->nt_hash, hash, 16);
	directory_snapshot_unref(&s);

	assert_int_equal(directory_remove(d, alice), 0);
	assert_int_equal(directory_remove(d, alice), MW_E_NOTFOUND);
	bob = add(d, "alice@demo.test", "Another Alice");
	assert_true(bob > alice); /* an id is never given twice */
	directory_close(&d);
}

static void redirects(void **state)
{
	static const struct {
		const char *where;
		int error;
	} table[] = {
	        {"alice@sub.demo.test", 0},
	        {"https://mail2.demo.test", 0},
	        {"https://mail2.demo.test:444/autodiscover/autodiscover.xml?x=y", 0},
	        {"http://mail2.demo.test/", MW_E_INVALID},
	        {"https://", MW_E_INVALID},
	        {"https:///x", MW_E_INVALID},
	        {"https://a@b/", MW_E_INVALID},
	        {"https://a\\b/", MW_E_INVALID},
	        {"https://a/ b", MW_E_INVALID},
	        {"https://a/\r\nb", MW_E_INVALID},
	        {"https://\xC3\xA4/", MW_E_INVALID},
	        {"mail2.demo.test", MW_E_INVALID},
	        {"", MW_E_INVALID},
	        {NULL, 0},
	};
	struct directory *d = make();
	uint32_t alice = add(d, "alice@demo.test", "Alice");
	const char *last = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct directory_snapshot *s = NULL;
		assert_int_equal(directory_set_redirect(d, alice, table[i].where), table[i].error);
		last = table[i].error == 0 ? table[i].where : last;
		assert_int_equal(directory_snapshot(d, &s), 0);
		const char *now = directory_by_id(s, alice)->redirect;
		assert_true(last ? now && strcmp(now, last) == 0 : !now);
		directory_snapshot_unref(&s);
	}
	directory_close(&d);
}

/* A file of the version before redirects is brought to this one when it is opened, and keeps its users. */
static void upgrades(void **state)
{
	struct directory *d = make();
	uint32_t alice = add(d, "alice@demo.test", "Alice");
	struct directory_snapshot *s = NULL;
	char path[128];
	sqlite3 *db;

	(void)state;
	directory_close(&d);
	snprintf(path, sizeof path, "%s/directory.sqlite", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db, "ALTER TABLE user DROP COLUMN redirect; PRAGMA user_version = 1", NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(directory_open(dir, false, NULL, &d, NULL), 0);
	assert_int_equal(directory_snapshot(d, &s), 0);
	assert_string_equal(directory_by_id(s, alice)->name, "Alice");
	assert_null(directory_by_id(s, alice)->redirect);
	directory_snapshot_unref(&s);
	assert_int_equal(directory_set_redirect(d, alice, "bob@demo.test"), 0);
	directory_close(&d);
}

static void refuses(void **state)
{
	static const char *const taken[] = {"Alice@Demo.test", NULL};
	static const struct {
		struct directory_new_user user;
		int error;
	} table[] = {
	        {{.address = "alice"}, MW_E_INVALID},
	        {{.address = "@demo.test"}, MW_E_INVALID},
	        {{.address = "a@b@c"}, MW_E_INVALID},
	        {{.address = "a b@demo.test"}, MW_E_INVALID},
	        {{.address = "x@demo.test", .name = "two\nlines"}, MW_E_INVALID},
	        {{.address = "x@demo.test", .account = "DEMO\\x"}, MW_E_INVALID},
	        {{.address = "x@demo.test", .account = "o/cn=x"}, MW_E_INVALID},
	        {{.address = "ALICE@demo.test"}, MW_E_EXISTS},
	        {{.address = "other@demo.test", .account = "Alice"}, MW_E_EXISTS},
	        {{.address = "third@demo.test", .more = taken}, MW_E_EXISTS},
	};
	struct directory *d = make();
	struct directory_snapshot *s = NULL;

	(void)state;
	add(d, "alice@demo.test", "Alice");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint32_t id = 99;
		struct guid mailbox;
		assert_int_equal(directory_add(d, &table[i].user, &id, &mailbox), table[i].error);
		assert_int_equal(id, 99);
		assert_true(strlen(directory_error(d)) > 10);
	}
	assert_int_equal(directory_snapshot(d, &s), 0);
	assert_int_equal(directory_count(s), 1); /* nothing of a refused user stays */
	directory_snapshot_unref(&s);
	directory_close(&d);
}

static void sees_other_processes(void **state)
{
	struct directory *server = make(), *tool = NULL;
	struct directory_snapshot *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(directory_open(dir, false, NULL, &tool, NULL), 0);
	assert_int_equal(directory_snapshot(server, &a), 0);
	assert_int_equal(directory_snapshot(server, &b), 0);
	assert_ptr_equal(a, b); /* nothing changed: nothing read */
	directory_snapshot_unref(&b);
	add(tool, "carol@demo.test", "Carol");
	assert_int_equal(directory_snapshot(server, &b), 0);
	assert_true(directory_version(b) > directory_version(a));
	assert_null(directory_by_address(a, "carol@demo.test"));
	assert_non_null(directory_by_address(b, "SMTP:Carol@DEMO.test"));
	directory_snapshot_unref(&a);
	directory_snapshot_unref(&b);
	directory_close(&tool);
	directory_close(&server);
}

static void says_why_a_file_does_not_open(void **state)
{
	struct directory *d = NULL;
	struct directory_why why;
	char path[128];
	FILE *f;

	(void)state;
	assert_int_equal(directory_open(dir, false, NULL, &d, &why), MW_E_NOTFOUND);
	assert_true(strstr(why.text, "not there") != NULL);
	assert_int_equal(directory_open(dir, true, NULL, &d, &why), MW_E_INVALID);
	assert_true(strstr(why.text, "mail domain") != NULL);
	snprintf(path, sizeof path, "%s/directory.sqlite", dir);
	f = fopen(path, "w");
	for (int i = 0; i < 2000; i++)
		fputs("no database ", f);
	fclose(f);
	assert_int_equal(directory_open(dir, true, NULL, &d, &why), MW_E_MALFORMED);
	assert_null(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hashes_as_specified),
	        cmocka_unit_test_setup_teardown(has_defaults_and_a_private_file, setup, teardown),
	        cmocka_unit_test_setup_teardown(adds_changes_and_removes, setup, teardown),
	        cmocka_unit_test_setup_teardown(redirects, setup, teardown),
	        cmocka_unit_test_setup_teardown(upgrades, setup, teardown),
	        cmocka_unit_test_setup_teardown(refuses, setup, teardown),
	        cmocka_unit_test_setup_teardown(sees_other_processes, setup, teardown),
	        cmocka_unit_test_setup_teardown(says_why_a_file_does_not_open, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
