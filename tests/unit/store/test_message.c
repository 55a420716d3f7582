#include "fixture.h"

static void new_message_has_defaults(void **state)
{
	struct store_message *msg = NULL;
	uint64_t ticket = 0;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_message_id(msg), 0);
	/* [MS-OXCMSG] 3.2.5.2 */
	assert_int_equal(get_one(msg, PidTagMessageFlags).u.i32, 0x9);
	assert_int_equal(get_one(msg, PidTagImportance).u.i32, 1);
	assert_string_equal(value_text((struct mapi_value[]){get_one(msg, PidTagMessageClass)}), "IPM.Note");
	assert_int_equal(get_one(msg, PidTagAccess).u.i32, 3);
	assert_int_equal(get_one(msg, PidTagEntryId).u.error, ecNotFound);
	assert_int_equal(info_of(inbox()).content_count, 0);
	assert_int_equal(store_message_save(msg, false, NOW, &ticket), 0);
	assert_true(ticket > 0);
	assert_true(store_message_id(msg) != 0);
	assert_int_equal(get_one(msg, PidTagMessageFlags).u.i32 & ~2, 0x409);
	assert_int_equal(get_one(msg, PidTagEntryId).u.bin.size, 70);
	assert_int_equal(get_one(msg, PidTagChangeKey).u.bin.size, 22);
	assert_int_equal(get_one(msg, PidTagPredecessorChangeList).u.bin.size, 23);
	assert_true((uint64_t)get_one(msg, PidTagMid).u.i64 == store_message_id(msg));
	assert_int_equal(info_of(inbox()).content_count, 1);
	store_message_close(&msg);
	assert_int_equal(store_message_create(fixture_m, store_id(1, 4711), false, NOW, &msg), MW_E_NOTFOUND);
	assert_int_equal(store_message_create(fixture_m, store_id(2, 5), false, NOW, &msg), MW_E_NOTFOUND);
}

static void keeps_what_was_set(void **state)
{
	struct mapi_value set[] = {
	        text_value(PidTagSubject, "RE: Grüße"),
	        mapi_i64(PidTagMessageDeliveryTime, 1234567890),
	        mapi_i32(MAPI_TAG(0x8005, PTYP_INTEGER32), 42),
	        mapi_i32(PidTagMessageSize, 1),
	        {.tag = MAPI_TAG(0x6001, PTYP_STRING8), .u.str8 = (char[]){"ansi"}},
	        mapi_i32(PidTagMessageFlags, 0x8),
	};
	uint32_t problems[6], tags[] = {PidTagSubject,
	                                PidTagSubjectPrefix,
	                                PidTagNormalizedSubject,
	                                mapi_tag_as(PidTagSubject, PTYP_UNSPECIFIED),
	                                mapi_tag_as(PidTagSubject, PTYP_STRING8),
	                                mapi_tag_as(PidTagSubject, PTYP_INTEGER32)};
	struct store_message *msg = NULL;
	struct mapi_value v[6], *all;
	size_t count;
	uint64_t id;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_message_set(msg, set, 6, problems), 0);
	assert_int_equal(problems[0], 0);
	assert_int_equal(problems[3], ecComputed);
	assert_int_equal(problems[4], ecNotSupported);
	assert_int_equal(problems[5], 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	id = store_message_id(msg);
	store_message_close(&msg);
	fixture_reopen();
	assert_int_equal(info_of(inbox()).unread_count, 1);
	assert_int_equal(store_message_open(fixture_m, 0, id, false, &msg), 0);
	assert_int_equal(store_message_get(msg, fixture_arena, tags, 6, v), 0);
	assert_string_equal(value_text(&v[0]), "RE: Grüße");
	assert_string_equal(value_text(&v[1]), "RE: ");
	assert_string_equal(value_text(&v[2]), "Grüße");
	assert_string_equal(value_text(&v[3]), "RE: Grüße");
	assert_string_equal(value_text(&v[4]), "RE: Grüße"); /* the translator converts */
	assert_int_equal(v[5].u.error, ecNotFound);
	assert_int_equal(store_message_all(msg, fixture_arena, &all, &count), 0);
	assert_int_equal(mapi_find(all, count, MAPI_TAG(0x8005, PTYP_INTEGER32))->u.i32, 42);
	assert_non_null(mapi_find(all, count, PidTagDisplayTo));
	assert_null(mapi_find(all, count, PidTagInstID)); /* in tables only */
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(all[i].tag, all[j].tag);
	assert_int_equal(store_message_set(msg, set, 1, NULL), MW_E_STATE); /* opened for reading */
	assert_int_equal(store_message_save(msg, false, NOW, NULL), MW_E_STATE);
	store_message_close(&msg);
	assert_int_equal(store_message_open(fixture_m, store_special_id(STORE_OUTBOX), id, false, &msg), MW_E_NOTFOUND);
}

static void normalizes_subjects(void **state)
{
	/* [MS-OXCMSG] 2.2.1.10 */
	static const struct {
		const char *subject, *prefix, *rest;
	} table[] = {
	        {"FW: hello", "FW: ", "hello"},
	        {"hello", "", "hello"},
	        {"Long: hello", "", "Long: hello"},
	        {"1: hello", "", "1: hello"},
	        {"RE:hello", "", "RE:hello"},
	        {": x", "", ": x"},
	        {"", "", ""},
	        {"WG: ", "WG: ", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct store_message *msg = NULL;
		struct mapi_value v = text_value(PidTagSubject, table[i].subject);
		assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
		assert_int_equal(store_message_set(msg, &v, 1, NULL), 0);
		v = get_one(msg, PidTagSubjectPrefix);
		assert_string_equal(value_text(&v), table[i].prefix);
		v = get_one(msg, PidTagNormalizedSubject);
		assert_string_equal(value_text(&v), table[i].rest);
		store_message_close(&msg);
	}
}

static void put_recipient(struct store_message *msg, uint32_t row, uint8_t type, const char *name)
{
	struct mapi_value values[] = {text_value(PidTagDisplayName, name),
	                              text_value(PidTagSmtpAddress, "someone@demo.test")};
	const struct store_recipient r = {.row_id = row, .type = type, .count = 2, .values = values};

	assert_int_equal(store_recipient_put(msg, &r), 0);
}

static void keeps_recipients(void **state)
{
	struct store_message *msg = NULL;
	struct mapi_value v;
	uint64_t id;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	put_recipient(msg, 2, 1, "Carol");
	put_recipient(msg, 0, 1, "Bob");
	put_recipient(msg, 1, 2, "Dave");
	put_recipient(msg, 7, 3, "Eve");
	put_recipient(msg, 2, 1, "Carla"); /* in its place */
	v = get_one(msg, PidTagDisplayTo);
	assert_string_equal(value_text(&v), "Bob; Carla");
	assert_int_equal(store_recipient_remove(msg, 7), 0);
	assert_int_equal(store_recipient_remove(msg, 7), MW_E_NOTFOUND);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	id = store_message_id(msg);
	store_message_close(&msg);
	fixture_reopen();
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(store_recipient_count(msg), 3);
	assert_int_equal(store_recipient_at(msg, 1)->row_id, 1);
	assert_int_equal(store_recipient_at(msg, 1)->type, 2);
	v = *mapi_find(store_recipient_at(msg, 2)->values, store_recipient_at(msg, 2)->count, PidTagDisplayName);
	assert_string_equal(value_text(&v), "Carla");
	v = get_one(msg, PidTagDisplayCc);
	assert_string_equal(value_text(&v), "Dave");
	store_recipient_clear(msg);
	v = get_one(msg, PidTagDisplayTo);
	assert_string_equal(value_text(&v), "");
	assert_null(store_recipient_at(msg, 0));
	store_message_close(&msg);
}

static void second_saver_learns_of_the_first(void **state)
{
	uint64_t id = save_subject(inbox(), "shared");
	struct mapi_value mine = text_value(PidTagSubject, "mine"), yours = text_value(PidTagSubject, "yours");
	struct store_message *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &a), 0);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &b), 0);
	assert_int_equal(store_message_set(a, &mine, 1, NULL), 0);
	assert_int_equal(store_message_set(b, &yours, 1, NULL), 0);
	assert_int_equal(store_message_save(a, false, NOW, NULL), 0);
	assert_int_equal(store_message_save(a, false, NOW, NULL), 0);
	assert_int_equal(store_message_save(b, false, NOW, NULL), MW_E_STATE);
	assert_int_equal(store_message_save(b, true, NOW, NULL), 0);
	assert_int_equal(info_of(inbox()).content_count, 1);
	assert_int_equal(store_message_delete(fixture_m, inbox(), id, NOW, NULL), 0);
	assert_int_equal(store_message_save(a, true, NOW, NULL), MW_E_NOTFOUND);
	store_message_close(&a);
	store_message_close(&b);
}

static void counters_follow(void **state)
{
	struct mapi_value unread = mapi_i32(PidTagMessageFlags, 0);
	uint64_t a = save_with(inbox(), &unread, 1), b = save_with(inbox(), &unread, 1);
	uint64_t outbox = store_special_id(STORE_OUTBOX);
	struct store_message *msg = NULL;
	bool changed;
	uint64_t ticket;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), true, NOW, &msg), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	store_message_close(&msg);
	assert_int_equal(info_of(inbox()).content_count, 2);
	assert_int_equal(info_of(inbox()).unread_count, 2);
	assert_int_equal(info_of(inbox()).associated_count, 1);
	assert_int_equal(store_message_set_read(fixture_m, inbox(), a, true, NOW, &changed, &ticket), 0);
	assert_true(changed && ticket > 0);
	assert_int_equal(store_message_set_read(fixture_m, inbox(), a, true, NOW, &changed, &ticket), 0);
	assert_true(!changed && ticket == 0);
	assert_int_equal(info_of(inbox()).unread_count, 1);
	assert_int_equal(store_message_set_read(fixture_m, outbox, a, true, NOW, NULL, NULL), MW_E_NOTFOUND);
	assert_int_equal(store_message_delete(fixture_m, outbox, b, NOW, NULL), MW_E_NOTFOUND);
	assert_int_equal(store_message_delete(fixture_m, inbox(), b, NOW, NULL), 0);
	assert_int_equal(store_message_delete(fixture_m, inbox(), b, NOW, NULL), MW_E_NOTFOUND);
	fixture_reopen();
	assert_int_equal(info_of(inbox()).content_count, 1);
	assert_int_equal(info_of(inbox()).unread_count, 0);
	assert_int_equal(store_message_open(fixture_m, inbox(), a, false, &msg), 0);
	assert_true(get_one(msg, PidTagRead).u.boolean);
	store_message_close(&msg);
	assert_int_equal(store_message_delete(fixture_m, inbox(), a, NOW, NULL), 0);
	{
		uint32_t tag = PidTagMessageSizeExtended;
		struct mapi_value v;
		assert_int_equal(store_folder_get(fixture_m, inbox(), fixture_arena, &tag, 1, &v), 0);
		assert_true(v.u.i64 > 0); /* the associated one is left */
	}
}

/* A change of the read flag by another session is not lost, and is no conflict. */
static void read_flag_is_the_rows(void **state)
{
	struct mapi_value unread = mapi_i32(PidTagMessageFlags, 0), subject = text_value(PidTagSubject, "s");
	uint64_t id = save_with(inbox(), &unread, 1);
	struct store_message *msg = NULL;

	(void)state;
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(store_message_set_read(fixture_m, inbox(), id, true, NOW, NULL, NULL), 0);
	assert_int_equal(store_message_set(msg, &subject, 1, NULL), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	assert_true(get_one(msg, PidTagRead).u.boolean);
	assert_int_equal(info_of(inbox()).unread_count, 0);
	store_message_close(&msg);
}

struct heard {
	struct store_change changes[16];
	char class[64];
	size_t count;
};

static void hear(void *user, const struct store_change *change)
{
	struct heard *h = user;

	assert_true(h->count < ARRAY_SIZE(h->changes));
	snprintf(h->class, sizeof h->class, "%s", change->message_class);
	h->changes[h->count++] = *change;
}

static void observers_hear(void **state)
{
	struct heard all = {0}, folder = {0}, one = {0}, other = {0};
	struct store_observer *o[4];
	struct store_message *msg = NULL;
	uint64_t id, child, ticket;

	(void)state;
	id = save_subject(inbox(), "first");
	assert_int_equal(store_observe(fixture_m, ~0u, 0, 0, hear, &all, &o[0]), 0);
	assert_int_equal(store_observe(fixture_m, STORE_NEW_MAIL | STORE_DELETED, inbox(), 0, hear, &folder, &o[1]), 0);
	assert_int_equal(store_observe(fixture_m, STORE_MODIFIED, inbox(), id, hear, &one, &o[2]), 0);
	assert_int_equal(store_observe(fixture_m, ~0u, store_special_id(STORE_OUTBOX), 0, hear, &other, &o[3]), 0);

	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_message_deliver(msg, NOW, &ticket), 0);
	assert_int_equal(all.count, 2); /* the message, then its folder's counts */
	assert_int_equal(all.changes[0].kind, STORE_NEW_MAIL);
	assert_true(all.changes[0].message == store_message_id(msg));
	assert_true(all.changes[0].ticket == ticket);
	assert_int_equal(all.changes[1].kind, STORE_MODIFIED);
	assert_true(all.changes[1].counts_only);
	assert_int_equal(all.changes[1].content_count, 2);
	assert_int_equal(folder.count, 1);
	assert_string_equal(folder.class, "IPM.Note");
	store_message_close(&msg);

	assert_int_equal(store_message_set_read(fixture_m, inbox(), id, false, NOW, NULL, NULL), 0);
	assert_int_equal(one.count, 1);
	assert_int_equal(store_message_delete(fixture_m, inbox(), id, NOW, NULL), 0);
	assert_int_equal(folder.count, 2);
	assert_int_equal(folder.changes[1].kind, STORE_DELETED);
	assert_int_equal(other.count, 0);
	assert_int_equal(
	        store_folder_create(fixture_m, store_special_id(STORE_OUTBOX), "Later", NULL, NOW, &child, NULL), 0);
	assert_int_equal(other.count, 1);
	assert_true(other.changes[0].folder == child);
	for (int i = 0; i < 4; i++)
		store_observe_end(&o[i]);
	save_subject(inbox(), "unheard");
	assert_int_equal(one.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(new_message_has_defaults),
	        FIXTURE_TEST(keeps_what_was_set),
	        FIXTURE_TEST(normalizes_subjects),
	        FIXTURE_TEST(keeps_recipients),
	        FIXTURE_TEST(second_saver_learns_of_the_first),
	        FIXTURE_TEST(counters_follow),
	        FIXTURE_TEST(read_flag_is_the_rows),
	        FIXTURE_TEST(observers_hear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
