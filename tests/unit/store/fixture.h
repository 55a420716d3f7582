#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include "base/arena.h"
#include "base/utf16.h"
#include "mapi/status.h"
#include "mapi/tags.h"
#include "store/change.h"
#include "store/folder.h"
#include "store/mailbox.h"
#include "store/message.h"
#include "store/stream.h"
#include "store/sync.h"
#include "store/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* One fresh mailbox for each test, in a folder of its own. */
#define NOW INT64_C(1790000000000000000)

static char fixture_dir[64];
static struct store_place fixture_place;
static const struct guid fixture_guid = {0x11223344, 0x5566, 0x7788, {1, 2, 3, 4, 5, 6, 7, 8}};
static struct store_mailbox *fixture_m;
static struct arena *fixture_arena;

static inline void fixture_path(char *out, size_t size, const char *suffix)
{
	char text[GUID_TEXT_SIZE];

	guid_format(&fixture_guid, text);
	snprintf(out, size, "%s/mailboxes/%s.sqlite%s", fixture_dir, text, suffix);
}

static inline void fixture_open(void)
{
	struct store_why why;

	if (store_mailbox_open(&fixture_place, &fixture_guid, &fixture_m, &why) < 0)
		fail_msg("%s", why.text);
}

static inline void fixture_reopen(void)
{
	store_mailbox_close(&fixture_m);
	fixture_open();
}

static inline int fixture_setup(void **state)
{
	const struct store_owner owner = {.name = "Alice", .address = "alice@demo.test", .dn = "/o=DEMO/cn=alice"};

	(void)state;
	snprintf(fixture_dir, sizeof fixture_dir, "/tmp/mw-store-XXXXXX");
	if (!mkdtemp(fixture_dir))
		return -1;
	fixture_place = (struct store_place){.state = fixture_dir};
	fixture_arena = arena_new(0);
	if (store_mailbox_create(&fixture_place, &fixture_guid, &owner, NOW, NULL) < 0)
		return -1;
	return store_mailbox_open(&fixture_place, &fixture_guid, &fixture_m, NULL);
}

static inline int fixture_teardown(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	char path[256];

	(void)state;
	store_mailbox_close(&fixture_m);
	arena_free(&fixture_arena);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		fixture_path(path, sizeof path, suffixes[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/mailboxes", fixture_dir);
	rmdir(path);
	return rmdir(fixture_dir);
}

static inline struct mapi_value text_value(uint32_t tag, const char *utf8)
{
	return (struct mapi_value){.tag = tag, .u.str16 = utf8_to_utf16(fixture_arena, utf8, NULL)};
}

static inline const char *value_text(const struct mapi_value *v)
{
	assert_int_equal(v->flag, MAPI_FLAG_VALUE);
	assert_int_equal(mapi_tag_type(v->tag), PTYP_STRING);
	return utf16_to_utf8(fixture_arena, v->u.str16, utf16_len(v->u.str16));
}

static inline uint64_t inbox(void)
{
	return store_special_id(STORE_INBOX);
}

/* A saved message with these properties. */
static inline uint64_t save_with(uint64_t folder, const struct mapi_value *values, size_t count)
{
	struct store_message *msg = NULL;
	uint64_t id;

	assert_int_equal(store_message_create(fixture_m, folder, false, NOW, &msg), 0);
	assert_int_equal(store_message_set(msg, values, count, NULL), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	id = store_message_id(msg);
	store_message_close(&msg);
	return id;
}

static inline uint64_t save_subject(uint64_t folder, const char *subject)
{
	struct mapi_value v = text_value(PidTagSubject, subject);

	return save_with(folder, &v, 1);
}

static inline struct mapi_value get_one(struct store_message *msg, uint32_t tag)
{
	struct mapi_value v = {0};

	assert_int_equal(store_message_get(msg, fixture_arena, &tag, 1, &v), 0);
	return v;
}

static inline struct store_folder_info info_of(uint64_t folder)
{
	struct store_folder_info info;

	assert_int_equal(store_folder_info(fixture_m, folder, &info), 0);
	return info;
}

#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
