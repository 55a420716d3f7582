#include "fixture.h"

#define BIG (5u << 20)

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

static void write_pattern(struct store_stream *s, size_t size, size_t piece)
{
	uint8_t *buf = malloc(piece);

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		for (size_t i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		assert_int_equal(store_stream_write(s, buf, n), 0);
	}
	free(buf);
}

static void check_pattern(struct store_stream *s, size_t size, size_t piece)
{
	uint8_t *buf = malloc(piece);
	size_t at = 0;
	int64_t n;

	assert_int_equal(store_stream_size(s), size);
	assert_int_equal(store_stream_seek(s, 0), 0);
	while ((n = store_stream_read(s, buf, piece)) > 0) {
		for (int64_t i = 0; i < n; i++)
			assert_int_equal(buf[i], byte_at(at + (size_t)i));
		at += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, size);
	free(buf);
}

static uint64_t streamed(uint32_t tag, size_t size, size_t piece)
{
	struct store_message *msg = NULL;
	struct store_stream *s = NULL;
	uint64_t id;

	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_stream_open(msg, tag, STORE_STREAM_CREATE, &s), 0);
	write_pattern(s, size, piece);
	assert_int_equal(store_stream_close(&s), 0);
	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	id = store_message_id(msg);
	store_message_close(&msg);
	return id;
}

static void sizes_round_trip(void **state)
{
	static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 65535, 65536, 65537, 200000, BIG};
	static const size_t pieces[] = {1000, 4096, 65536, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t id = streamed(PidTagHtml, sizes[i], pieces[i % 4]);
		struct store_message *msg = NULL;
		struct store_stream *s = NULL;
		struct mapi_value v;

		fixture_reopen();
		assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &msg), 0);
		v = get_one(msg, PidTagHtml);
		if (sizes[i] > STORE_INLINE_MAX)
			assert_int_equal(v.u.error, ecMAPIOOM);
		else
			assert_int_equal(v.u.bin.size, sizes[i]);
		assert_in_range(get_one(msg, PidTagMessageSize).u.i32, sizes[i], sizes[i] + 1000);
		assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_READ, &s), 0);
		check_pattern(s, sizes[i], pieces[(i + 1) % 4]);
		assert_int_equal(store_stream_write(s, "x", 1), MW_E_STATE);
		assert_int_equal(store_stream_close(&s), 0);
		store_message_close(&msg);
	}
}

static int64_t leftovers(void)
{
	/* Chunks that belong to no message can be seen only in the file. */
	char path[256];
	struct store_why why;
	int64_t size;
	FILE *f;

	store_mailbox_close(&fixture_m);
	fixture_path(path, sizeof path, "");
	f = fopen(path, "r");
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	fclose(f);
	assert_int_equal(store_mailbox_open(&fixture_place, &fixture_guid, &fixture_m, &why), 0);
	return size;
}

static void changes_reach_the_message_at_commit_and_the_disk_at_save(void **state)
{
	uint64_t id = streamed(PidTagHtml, 200000, 5000);
	struct store_message *msg = NULL, *reader = NULL;
	struct store_stream *w = NULL, *r = NULL;
	uint8_t b[4];

	(void)state;
	assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
	assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_WRITE, &w), 0);
	assert_int_equal(store_stream_seek(w, 100000), 0);
	assert_int_equal(store_stream_write(w, "ABCD", 4), 0);
	assert_int_equal(store_stream_commit(w), 0);
	assert_int_equal(store_stream_write(w, "EFGH", 4), 0); /* after the commit: not the message's yet */

	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &reader), 0);
	assert_int_equal(store_stream_open(reader, PidTagHtml, STORE_STREAM_READ, &r), 0);
	check_pattern(r, 200000, 7777); /* as saved */
	assert_int_equal(store_stream_close(&r), 0);
	store_message_close(&reader);

	assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &reader), 0);
	assert_int_equal(store_stream_open(reader, PidTagHtml, STORE_STREAM_READ, &r), 0);
	assert_int_equal(store_stream_seek(r, 100000), 0);
	assert_int_equal(store_stream_read(r, b, 4), 4);
	assert_memory_equal(b, "ABCD", 4);
	assert_int_equal(store_stream_read(r, b, 1), 1);
	assert_int_equal(b[0], byte_at(100004));
	assert_int_equal(store_stream_close(&r), 0);
	store_message_close(&reader);

	assert_int_equal(store_stream_close(&w), 0);
	store_message_close(&msg);
	fixture_reopen();
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &reader), 0);
	assert_int_equal(store_stream_open(reader, PidTagHtml, STORE_STREAM_READ, &r), 0);
	assert_int_equal(store_stream_size(r), 200000);
	assert_int_equal(store_stream_close(&r), 0);
	store_message_close(&reader);
}

static void texts_are_utf16(void **state)
{
	static const uint16_t text[] = {'B', 'o', 'd', 'y', 0x20AC};
	struct store_message *msg = NULL;
	struct store_stream *s = NULL;
	struct mapi_value v;
	uint8_t back[16];

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_stream_open(msg, PidTagBody, STORE_STREAM_READ, &s), MW_E_NOTFOUND);
	assert_int_equal(store_stream_open(msg, PidTagImportance, STORE_STREAM_READ, &s), MW_E_INVALID);
	assert_int_equal(store_stream_open(msg, PidTagBody, STORE_STREAM_CREATE, &s), 0);
	assert_int_equal(store_stream_write(s, text, sizeof text), 0);
	assert_int_equal(store_stream_close(&s), 0);
	v = get_one(msg, PidTagBody);
	assert_string_equal(value_text(&v), "Body€");
	assert_int_equal(store_stream_open(msg, PidTagBody, STORE_STREAM_READ, &s), 0);
	assert_int_equal(store_stream_read(s, back, sizeof back), sizeof text);
	assert_memory_equal(back, text, sizeof text);
	assert_int_equal(store_stream_close(&s), 0);
	store_message_close(&msg);
}

static void sizes_can_be_set(void **state)
{
	static const uint64_t to[] = {10, 40000, 100, 70000, 65536, 32768, 0, 131072};
	struct store_message *msg = NULL;
	struct store_stream *s = NULL;

	(void)state;
	assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
	assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_CREATE, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		uint64_t before = store_stream_size(s), least = before < to[i] ? before : to[i];
		uint8_t b = 0xEE;
		assert_int_equal(store_stream_set_size(s, to[i]), 0);
		assert_int_equal(store_stream_size(s), to[i]);
		/* What was cut off does not come back. */
		if (to[i] > least) {
			assert_int_equal(store_stream_seek(s, least), 0);
			assert_int_equal(store_stream_read(s, &b, 1), 1);
			assert_int_equal(b, 0);
		}
		assert_int_equal(store_stream_seek(s, 0), 0);
		write_pattern(s, to[i], 30000);
		if (i % 2)
			assert_int_equal(store_stream_commit(s), 0);
		check_pattern(s, to[i], 9999);
	}
	assert_int_equal(store_stream_set_size(s, STORE_MAX_VALUE + 1), MW_E_LIMIT);
	assert_int_equal(store_stream_seek(s, STORE_MAX_VALUE + 1), MW_E_LIMIT);
	assert_int_equal(store_stream_seek(s, STORE_MAX_VALUE), 0);
	assert_int_equal(store_stream_write(s, "x", 1), MW_E_LIMIT);
	assert_int_equal(store_stream_read(s, (uint8_t[1]){0}, 1), 0);
	assert_int_equal(store_stream_close(&s), 0);
	store_message_close(&msg);
}

static void nothing_is_left_behind(void **state)
{
	struct store_message *msg = NULL;
	struct store_stream *s = NULL;
	int64_t size;

	(void)state;
	for (int i = 0; i < 6; i++) {
		/* Never saved; replaced; deleted: the room is used again. */
		uint64_t id;
		assert_int_equal(store_message_create(fixture_m, inbox(), false, NOW, &msg), 0);
		assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_CREATE, &s), 0);
		write_pattern(s, 1 << 20, 65536);
		assert_int_equal(store_stream_close(&s), 0);
		store_message_close(&msg);
		id = streamed(PidTagHtml, 1 << 20, 65536);
		assert_int_equal(store_message_open(fixture_m, inbox(), id, true, &msg), 0);
		assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_CREATE, &s), 0);
		write_pattern(s, 1 << 20, 65536);
		assert_int_equal(store_stream_close(&s), 0);
		assert_int_equal(store_message_save(msg, false, NOW, NULL), 0);
		store_message_close(&msg);
		assert_int_equal(store_message_delete(fixture_m, inbox(), id, NOW, NULL), 0);
	}
	size = leftovers();
	assert_true(size < 3 << 20);
}

static void large_values_are_set_whole_too(void **state)
{
	uint8_t *data = malloc(300000);
	struct mapi_value v = mapi_bytes(PidTagHtml, data, 300000);
	struct store_message *msg = NULL;
	struct store_stream *s = NULL;
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < 300000; i++)
		data[i] = byte_at(i);
	id = save_with(inbox(), &v, 1);
	assert_int_equal(store_message_open(fixture_m, inbox(), id, false, &msg), 0);
	assert_int_equal(store_stream_open(msg, PidTagHtml, STORE_STREAM_READ, &s), 0);
	check_pattern(s, 300000, 10000);
	assert_int_equal(store_stream_close(&s), 0);
	store_message_close(&msg);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FIXTURE_TEST(sizes_round_trip),
	        FIXTURE_TEST(changes_reach_the_message_at_commit_and_the_disk_at_save),
	        FIXTURE_TEST(texts_are_utf16),
	        FIXTURE_TEST(sizes_can_be_set),
	        FIXTURE_TEST(nothing_is_left_behind),
	        FIXTURE_TEST(large_values_are_set_whole_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
