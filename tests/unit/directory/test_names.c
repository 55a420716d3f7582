#include "directory/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct directory *d;
static struct directory_snapshot *s;

/* In the order that a German or an English reader expects: case and accents last. */
static const struct {
	const char *address, *name;
	uint32_t flags;
} people[] = {
        {"zoe@demo.test", "Zoë Zimmer", 0},
        {"alice@demo.test", "alice anders", 0},
        {"bob@demo.test", "Bob", 0},
        {"emil@demo.test", "Émil Ander", 0},
        {"alicia@demo.test", "Alicia Keys-Brown", 0},
        {"bob2@demo.test", "Bob", 0},
        {"erna@demo.test", "Erna", 0},
        {"ghost@demo.test", "Ghost", DIRECTORY_HIDDEN},
        {"admin@demo.test", "Älteste Dame", 0},
};
static const char *const order[] = {"alice@demo.test", "alicia@demo.test", "admin@demo.test", "bob@demo.test",
                                    "bob2@demo.test",  "emil@demo.test",   "erna@demo.test",  "zoe@demo.test"};

static int setup(void **state)
{
	const struct directory_settings set = {.mail_domain = "demo.test"};
	static const char *const more[] = {"info@demo.test", "hello@demo.test", NULL};

	(void)state;
	strcpy(dir, "/tmp/mw-names-XXXXXX");
	if (!mkdtemp(dir) || directory_open(dir, true, &set, &d, NULL) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(people); i++) {
		struct directory_new_user u = {.address = people[i].address,
		                               .name = people[i].name,
		                               .flags = people[i].flags,
		                               .more = i == 2 ? more : NULL};
		struct guid mailbox;
		uint32_t id;
		if (directory_add(d, &u, &id, &mailbox) < 0)
			return -1;
	}
	return directory_snapshot(d, &s);
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	directory_snapshot_unref(&s);
	directory_close(&d);
	snprintf(path, sizeof path, "%s/directory.sqlite", dir);
	unlink(path);
	return rmdir(dir);
}

static void lists_in_order(void **state)
{
	(void)state;
	assert_int_equal(directory_count(s), ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct directory_user *u = directory_at(s, i);
		size_t position = 99;
		assert_string_equal(u->address, order[i]);
		assert_int_equal(directory_position(s, u->id, &position), 0);
		assert_int_equal(position, i);
	}
	assert_null(directory_at(s, ARRAY_SIZE(order)));
	assert_non_null(directory_by_address(s, "ghost@demo.test"));
}

static void seeks(void **state)
{
	static const struct {
		const char *text;
		size_t position;
	} table[] = {{"", 0},    {"a", 0},     {"ALICE ANDERS", 0}, {"alici", 1}, {"Altes", 2}, {"ä", 0},  {"b", 3},
	             {"bob", 3}, {"Bobby", 5}, {"emil", 5},         {"ern", 6},   {"zoe z", 7}, {"zz", 8}, {"Ω", 8}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(directory_seek(s, table[i].text), table[i].position);
}

static void resolves(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *first;
	} table[] = {
	        {"ali", 2, "alice@demo.test"},
	        {"ALICE", 1, "alice@demo.test"},
	        {"and", 2, "alice@demo.test"},
	        {"emi and", 1, "emil@demo.test"},
	        {"Émil", 1, "emil@demo.test"},
	        {"dame, alt", 1, "admin@demo.test"},
	        {"brown", 1, "alicia@demo.test"},
	        {"bob", 2, "bob@demo.test"},
	        {"=bob", 2, "bob@demo.test"},
	        {"=bob2", 1, "bob2@demo.test"},
	        {"=ali", 0, NULL},
	        {"info@demo.test", 1, "bob@demo.test"},
	        {"smtp:hello@demo.test", 1, "bob@demo.test"},
	        {"hello", 1, "bob@demo.test"},
	        {"/o=demo/ou=exchange administrative group (fydibohf23spdlt)/cn=recipients/cn=ZOE", 1, "zoe@demo.test"},
	        {"/o=demo", 0, NULL},
	        {"ghost", 0, NULL},
	        {"", 0, NULL},
	        {"   ", 0, NULL},
	        {"nobody", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct directory_user *users[2] = {NULL, NULL};
		assert_int_equal(directory_resolve(s, table[i].text, users, 2), table[i].count);
		if (table[i].count > 0)
			assert_string_equal(users[0]->address, table[i].first);
		assert_int_equal(directory_resolve(s, table[i].text, NULL, 0), table[i].count);
	}
}

static void finds_as_ntlm_names(void **state)
{
	static const struct {
		const char *domain, *user;
		bool found;
	} table[] = {
	        {"DEMO", "alice", true},
	        {"demo", "Alice", true},
	        {"demo.test", "alice", true},
	        {"", "alice", true},
	        {NULL, "alice", true},
	        {"", "alice@demo.test", true},
	        {"OTHER", "alice", false},
	        {"DEMO", "alice@demo.test", false},
	        {"DEMO", "", false},
	        {"", "", false},
	        {"", "alice@other.test", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(directory_by_account(s, table[i].domain, table[i].user) != NULL, table[i].found);
}

static void long_texts_find_nobody(void **state)
{
	char *text = malloc(100001);

	(void)state;
	memset(text, 'a', 100000);
	text[100000] = 0;
	assert_int_equal(directory_resolve(s, text, NULL, 0), 0);
	assert_null(directory_by_address(s, text));
	assert_int_equal(directory_seek(s, text), directory_count(s));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(lists_in_order),
	        cmocka_unit_test(seeks),
	        cmocka_unit_test(resolves),
	        cmocka_unit_test(finds_as_ntlm_names),
	        cmocka_unit_test(long_texts_find_nobody),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
