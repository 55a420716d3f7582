#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scene.h"

#include <stdio.h>

/* The scene's store call in a named pipe: SMB1 and SMB2, by writes and reads, and by transactions. */

static const uint8_t file_id[16] = {0xAA, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
#define FID 0x4011

/* Ids of the requests; an answer repeats that of its own. */
static uint64_t next_id, write_id, read_id;

static size_t begin(struct buf *b)
{
	size_t at = b->len;
	buf_put_zero(b, 4);
	return at;
}

static void end(struct buf *b, size_t at)
{
	size_t n = b->len - at - 4;
	b->data[at + 1] = (uint8_t)(n >> 16);
	b->data[at + 2] = (uint8_t)(n >> 8);
	b->data[at + 3] = (uint8_t)n;
}

/* ---- SMB2 ---- */

static size_t begin2(struct buf *b, uint16_t command, bool answer, uint64_t id, uint32_t status)
{
	size_t at = begin(b);
	buf_put(b, "\xfeSMB\x40\0\0\0", 8);
	buf_put_u32(b, status);
	buf_put_u16(b, command);
	buf_put_u16(b, 1);
	buf_put_u32(b, answer);
	buf_put_u32(b, 0);
	buf_put_u64(b, id);
	buf_put_u32(b, 0xFEFF);
	buf_put_u32(b, 7);
	buf_put_zero(b, 24);
	return at;
}

static void wide(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_put_u16(b, (uint8_t)*s);
}

static void play(struct scene *s, bool from_client, struct buf *b)
{
	capture_data(s->w, s->conn, from_client, b->data, b->len, s->now);
	buf_clear(b);
}

static void open2(struct scene *s)
{
	struct buf b = {0};
	next_id = 1;
	size_t at = begin2(&b, 3, true, 1, 0);
	buf_put(&b, "\x10\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	end(&b, at);
	play(s, false, &b);
	at = begin2(&b, 5, false, 2, 0);
	buf_put_zero(&b, 44);
	buf_put_u16(&b, 64 + 56);
	buf_put_u16(&b, 8);
	buf_put_zero(&b, 8);
	wide(&b, "demo");
	end(&b, at);
	play(s, true, &b);
	at = begin2(&b, 5, true, 2, 0);
	buf_put_zero(&b, 64);
	buf_put(&b, file_id, 16);
	buf_put_zero(&b, 8);
	end(&b, at);
	play(s, false, &b);
	buf_free(&b);
	next_id = 3;
}

static void write2(bool from_client, const struct buf *data, struct buf *out)
{
	size_t at;
	if (from_client) {
		at = begin2(out, 9, false, write_id = next_id++, 0);
		buf_put_u16(out, 49);
		buf_put_u16(out, 64 + 48);
		buf_put_u32(out, (uint32_t)data->len);
		buf_put_u64(out, 0);
		buf_put(out, file_id, 16);
		buf_put_zero(out, 16);
		buf_put(out, data->data, data->len);
		end(out, at);
		at = begin2(out, 8, false, read_id = next_id++, 0);
		buf_put_zero(out, 16);
		buf_put(out, file_id, 16);
		buf_put_zero(out, 17);
		end(out, at);
		return;
	}
	at = begin2(out, 9, true, write_id, 0);
	buf_put_zero(out, 17);
	end(out, at);
	at = begin2(out, 8, true, read_id, 0x103); /* pending, and then at last */
	buf_put_zero(out, 9);
	end(out, at);
	at = begin2(out, 8, true, read_id, 0);
	buf_put_u16(out, 17);
	buf_put_u16(out, 80);
	buf_put_u32(out, (uint32_t)data->len);
	buf_put_zero(out, 8);
	buf_put(out, data->data, data->len);
	end(out, at);
}

static void transact2(bool from_client, const struct buf *data, struct buf *out)
{
	size_t at = begin2(out, 11, !from_client, from_client ? next_id : next_id++, 0);
	buf_put_u16(out, 57);
	buf_put_u16(out, 0);
	buf_put_u32(out, 0x0011C017);
	buf_put(out, file_id, 16);
	buf_put_u32(out, 64 + 56);
	buf_put_u32(out, from_client ? (uint32_t)data->len : 0);
	if (from_client)
		buf_put_u32(out, 0);
	buf_put_u32(out, 64 + 56);
	buf_put_u32(out, from_client ? 0 : (uint32_t)data->len);
	buf_put_zero(out, from_client ? 12 : 16);
	buf_put(out, data->data, data->len);
	end(out, at);
}

/* ---- SMB1 ---- */

static size_t begin1(struct buf *b, uint8_t command, bool answer, uint64_t id)
{
	size_t at = begin(b);
	buf_put(b, "\xffSMB", 4);
	buf_put_u8(b, command);
	buf_put_u32(b, 0);
	buf_put_u8(b, answer ? 0x88 : 0x08);
	buf_put_u16(b, 0xC001);
	buf_put_zero(b, 12);
	buf_put_u16(b, 9); /* tree */
	buf_put_u16(b, 77);
	buf_put_u16(b, 1);
	buf_put_u16(b, (uint16_t)id);
	return at;
}

static void words(struct buf *b, const uint16_t *w, unsigned n)
{
	buf_put_u8(b, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		buf_put_u16(b, w[i]);
}

static void open1(struct scene *s)
{
	struct buf b = {0};
	size_t at = begin(&b);
	b.data[at] = 0x81;
	buf_put_zero(&b, 68);
	end(&b, at);
	play(s, true, &b);
	buf_put(&b, "\x82\0\0\0", 4);
	play(s, false, &b);
	at = begin1(&b, 0x75, true, 1);
	words(&b, (uint16_t[]){0xFF, 0, 0}, 3);
	buf_put_u16(&b, 4);
	buf_put(&b, "IPC", 4);
	end(&b, at);
	play(s, false, &b);
	at = begin1(&b, 0xA2, false, 2);
	words(&b, (uint16_t[24]){0xFF}, 24);
	buf_put_u16(&b, 22);
	buf_put_u8(&b, 0);
	wide(&b, "\\PIPE\\demo");
	buf_put_u8(&b, 0);
	end(&b, at);
	play(s, true, &b);
	at = begin1(&b, 0xA2, true, 2);
	/* FID is at the fifth byte, which is odd */
	words(&b, (uint16_t[34]){0xFF, 0, (uint16_t)(FID << 8), FID >> 8}, 34);
	buf_put_u16(&b, 0);
	end(&b, at);
	play(s, false, &b);
	buf_free(&b);
	next_id = 3;
}

static void write1(bool from_client, const struct buf *data, struct buf *out)
{
	uint16_t n = (uint16_t)data->len;
	size_t at;
	if (from_client) {
		/* The length stands before the message, as in a raw write that begins one. */
		at = begin1(out, 0x2F, false, write_id = next_id++);
		words(out, (uint16_t[]){0xFF, 0, FID, 0, 0, 0, 0, 8 | 4, 0, 0, (uint16_t)(n + 2), 64, 0, 0}, 14);
		buf_put_u16(out, (uint16_t)(n + 3));
		buf_put_u8(out, 0);
		buf_put_u16(out, n);
		buf_put(out, data->data, n);
		end(out, at);
		at = begin1(out, 0x2E, false, read_id = next_id++);
		words(out, (uint16_t[12]){0xFF, 0, FID}, 12);
		buf_put_u16(out, 0);
		end(out, at);
		return;
	}
	at = begin1(out, 0x2F, true, write_id);
	words(out, (uint16_t[6]){0xFF, 0, n}, 6);
	buf_put_u16(out, 0);
	end(out, at);
	at = begin1(out, 0x2E, true, read_id);
	words(out, (uint16_t[12]){0xFF, 0, 0, 0, 0, n, 60}, 12);
	buf_put_u16(out, (uint16_t)(n + 1));
	buf_put_u8(out, 0);
	buf_put(out, data->data, n);
	end(out, at);
}

static void transact1(bool from_client, const struct buf *data, struct buf *out)
{
	uint16_t n = (uint16_t)data->len;
	size_t at = begin1(out, 0x25, !from_client, from_client ? next_id : next_id++);
	if (from_client) {
		words(out, (uint16_t[]){0, n, 0, 1024, 0, 0, 0, 0, 0, 0, 0, n, 84, 2, 0x26, FID}, 16);
		buf_put_u16(out, (uint16_t)(n + 17));
		buf_put_u8(out, 0);
		wide(out, "\\PIPE\\");
		buf_put_zero(out, 4);
	} else {
		words(out, (uint16_t[]){0, n, 0, 0, 0, 0, n, 56, 0, 0}, 10);
		buf_put_u16(out, (uint16_t)(n + 1));
		buf_put_u8(out, 0);
	}
	buf_put(out, data->data, n);
	end(out, at);
}

/* ---- What is told ---- */

struct told {
	unsigned answered, in_pipe, named, damaged, gaps, context;
};

static void on_event(void *user, const struct lens_event *e)
{
	struct told *t = user;
	if (e->kind >= LENS_BIND && e->kind <= LENS_FAULT) {
		t->in_pipe += strcmp(e->transport, "pipe") == 0;
		t->named += e->pipe && strcmp(e->pipe, "demo") == 0;
	}
	t->answered += e->kind == LENS_RESPONSE && e->request && e->status && strcmp(e->status, "ok") == 0 &&
	               strcmp(e->iface, "emsmdb") == 0;
	t->damaged += e->damaged != NULL;
	t->gaps += e->kind == LENS_GAP;
	t->context += e->kind == LENS_CONTEXT;
	assert_true(e->frame >= 1 && e->last_frame >= e->frame);
}

/* Frames from first on, without the one to drop. */
static struct told look(const char *path, uint64_t first, uint64_t drop)
{
	struct told t = {0};
	struct lens *lens = lens_new(&(struct lens_options){0}, &(struct lens_sink){on_event, &t});
	struct lens_totals totals;
	struct capture_reader *r = NULL;
	struct capture_frame f;
	assert_non_null(lens);
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (capture_next(r, &f) > 0)
		if (f.number >= first && f.number != drop)
			lens_frame(lens, f.linktype, f.data, f.captured, f.original, f.time_ns);
	capture_close(&r);
	lens_end(lens);
	lens_get_totals(lens, &totals);
	assert_int_equal(totals.connections, 1);
	assert_int_equal(totals.smb_sealed, t.context);
	lens_free(&lens);
	return t;
}

struct mode {
	void (*open)(struct scene *s);
	void (*wrap)(bool from_client, const struct buf *data, struct buf *out);
};

static const struct mode modes[] = {{open2, write2}, {open2, transact2}, {open1, write1}, {open1, transact1}};

static void play_mode(const struct mode *mode, enum auth_level level, size_t portion, char path[64])
{
	struct scene s = scene_begin(level, portion, path);
	s.open = mode->open;
	s.wrap = mode->wrap;
	scene_ask_store(&s);
	scene_end(&s);
}

static void opens_pipes(void **state)
{
	(void)state;
	static const size_t portions[] = {0, 1, 7, 60};
	static const enum auth_level levels[] = {AUTH_LEVEL_NONE, AUTH_LEVEL_INTEGRITY};
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++)
		for (size_t p = 0; p < ARRAY_SIZE(portions); p++)
			for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
				char path[64];
				play_mode(&modes[m], levels[l], portions[p], path);
				struct told t = look(path, 1, 0);
				assert_int_equal(t.answered, 1);
				assert_int_equal(t.in_pipe, levels[l] == AUTH_LEVEL_NONE ? 4 : 5);
				assert_int_equal(t.named, t.in_pipe);
				assert_int_equal(t.damaged, 0);
				unlink(path);
			}
}

/* The frame with the bind. */
static uint64_t find_bind(const char *path)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;
	uint64_t found = 0;
	assert_int_equal(capture_open(path, &r, NULL), 0);
	while (!found && capture_next(r, &f) > 0)
		if (memmem(f.data, f.captured, &scene_emsmdb.uuid, 16))
			found = f.number;
	capture_close(&r);
	assert_true(found > 4);
	return found;
}

/* Joined after the file was opened: still RPC, without the pipe's name. */
static void joins_midway(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		char path[64];
		play_mode(&modes[m], AUTH_LEVEL_NONE, 0, path);
		struct told t = look(path, find_bind(path), 0);
		assert_int_equal(t.answered, 1);
		assert_int_equal(t.in_pipe, 4);
		assert_int_equal(t.named, 0);
		unlink(path);
	}
}

static void goes_on_after_losses(void **state)
{
	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		char path[64];
		unsigned answered = 0;
		play_mode(&modes[m], AUTH_LEVEL_NONE, 100, path);
		for (uint64_t drop = 1; drop < 40; drop++)
			answered += look(path, 1, drop).answered;
		assert_true(answered > 10 && answered < 39);
		unlink(path);
	}
}

/* MS-SMB2 2.2.41: signature, nonce, size, flags, session; the rest is ciphertext. */
static void seal3(bool from_client, const struct buf *data, struct buf *out)
{
	(void)from_client;
	size_t at = begin(out);
	buf_put(out, "\xfdSMB", 4);
	buf_put_zero(out, 48);
	for (size_t i = 0; i < data->len; i++)
		buf_put_u8(out, data->data[i] ^ 0x5A);
	buf_put_zero(out, 16);
	end(out, at);
}

static void tells_what_is_encrypted(void **state)
{
	(void)state;
	static const size_t portions[] = {0, 1, 7, 60};
	for (size_t p = 0; p < ARRAY_SIZE(portions); p++) {
		char path[64];
		play_mode(&(struct mode){open2, seal3}, AUTH_LEVEL_NONE, portions[p], path);
		struct told t = look(path, 1, 0);
		assert_int_equal(t.context, 1);
		assert_int_equal(t.answered + t.in_pipe + t.damaged, 0);
		unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(opens_pipes),
	        cmocka_unit_test(joins_midway),
	        cmocka_unit_test(goes_on_after_losses),
	        cmocka_unit_test(tells_what_is_encrypted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
