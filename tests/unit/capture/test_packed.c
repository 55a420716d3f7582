#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "capture/capture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* Compressed captures, Network Monitor's, comments, and what is said of what cannot be read. */

static char path[64];
static bool spoilt; /* bytes may be others */

static const char *store(const char *suffix, const void *data, size_t len)
{
	strcpy(path, "/tmp/mapiwire-test-XXXXXX");
	strcat(path, suffix);
	int fd = mkstemps(path, (int)strlen(suffix));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	return path;
}

struct seen {
	int end;
	unsigned frames;
	int64_t first_ns, last_ns;
	int linktype;
	size_t bytes;
	const char *why;
	char comments[64];
};

static struct seen read_all(const char *suffix, const struct buf *b)
{
	struct seen s = {0};
	struct capture_reader *r = NULL;
	struct capture_frame f;
	s.end = capture_open(store(suffix, b->data, b->len), &r, &s.why);
	unlink(path);
	if (s.end < 0)
		return s;
	while ((s.end = capture_next(r, &f)) > 0) {
		s.last_ns = f.time_ns;
		if (s.frames++ == 0)
			s.first_ns = f.time_ns;
		s.bytes += f.captured;
		s.linktype = f.linktype;
		for (uint32_t i = 0; i < f.captured && !spoilt; i++)
			assert_int_equal(f.data[i], (uint8_t)(f.number + i));
	}
	const struct capture_extra *e;
	for (size_t i = 0; (e = capture_get_extra(r, i)); i++)
		if (e->kind == CAPTURE_COMMENT) {
			size_t n = strlen(s.comments);
			assert_true(e->len < sizeof s.comments - n - 4);
			s.comments[n++] = (char)('0' + e->type);
			memcpy(s.comments + n, e->data, e->len);
		}
	capture_close(&r);
	return s;
}

static void put_frame(struct buf *b, unsigned number, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		buf_put_u8(b, (uint8_t)(number + i));
}

#define FRAMES 300

static void put_pcap(struct buf *b)
{
	buf_put(b, "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0", 24);
	for (unsigned n = 1; n <= FRAMES; n++) {
		buf_put_u32(b, 1000 + n);
		buf_put_u32(b, 5);
		buf_put_u32(b, n * 7);
		buf_put_u32(b, n * 7);
		put_frame(b, n, n * 7);
	}
}

static void gzip(struct buf *out, const void *data, size_t len)
{
	z_stream z = {0};
	static uint8_t room[1 << 20];
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = room;
	z.avail_out = sizeof room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_put(out, room, sizeof room - z.avail_out);
	deflateEnd(&z);
}

static void zstd(struct buf *out, const void *data, size_t len)
{
	static uint8_t room[1 << 20];
	size_t n = ZSTD_compress(room, sizeof room, data, len, 3);
	assert_false(ZSTD_isError(n));
	buf_put(out, room, n);
}

typedef void (*pack_fn)(struct buf *out, const void *data, size_t len);
static const pack_fn packers[] = {gzip, zstd};

static void unpacks(void **state)
{
	(void)state;
	struct buf plain = {0};
	put_pcap(&plain);
	const struct seen expected = read_all("", &plain);
	assert_int_equal(expected.frames, FRAMES);
	for (size_t p = 0; p < ARRAY_SIZE(packers); p++)
		for (size_t members = 1; members < 4; members++) {
			struct buf packed = {0};
			size_t step = plain.len / members + 1;
			for (size_t at = 0; at < plain.len; at += step)
				packers[p](&packed, plain.data + at, step < plain.len - at ? step : plain.len - at);
			struct seen s = read_all("", &packed);
			assert_int_equal(s.end, 0);
			assert_int_equal(s.frames, FRAMES);
			assert_int_equal(s.bytes, expected.bytes);
			assert_int_equal(s.last_ns, expected.last_ns);
			buf_free(&packed);
		}
	buf_free(&plain);
}

/* Cut anywhere: what is whole comes out, and the end is told. */
static void tells_of_cuts(void **state)
{
	(void)state;
	struct buf plain = {0};
	put_pcap(&plain);
	for (size_t p = 0; p < ARRAY_SIZE(packers); p++) {
		struct buf packed = {0};
		packers[p](&packed, plain.data, plain.len);
		const size_t whole = packed.len;
		for (packed.len = 5; packed.len < whole; packed.len += 97) {
			struct seen s = read_all("", &packed);
			assert_true(s.end == MW_E_TRUNCATED || (s.end == MW_E_MALFORMED && s.why && !s.frames));
		}
		packed.len = whole;
		packed.data[whole / 2] ^= 0x55;
		packed.data[whole / 2 + 9] ^= 0x55;
		spoilt = true;
		struct seen s = read_all("", &packed);
		spoilt = false;
		/* gzip has a checksum; Zstandard's is left out by many. */
		assert_true(s.end < 0 || packers[p] == zstd);
		buf_free(&packed);
	}
	buf_free(&plain);
}

static void unpacks_once(void **state)
{
	(void)state;
	struct buf plain = {0}, once = {0}, twice = {0};
	put_pcap(&plain);
	gzip(&once, plain.data, plain.len);
	zstd(&twice, once.data, once.len);
	struct seen s = read_all("", &twice);
	assert_int_equal(s.end, MW_E_MALFORMED);
	assert_non_null(strstr(s.why, "compressed again"));
	buf_free(&plain);
	buf_free(&once);
	buf_free(&twice);
}

/* 2024-02-29 12:00:00.5; frames 10 s and 11 s later, and between them a record that is none where trailers say so. */
static void put_netmon(struct buf *b, uint8_t minor)
{
	static const uint8_t trailers[] = {0, 2, 6, 15};
	static const uint16_t begun[] = {2024, 2, 4, 29, 12, 0, 0, 500};
	buf_put(b, "GMBU", 4);
	buf_put_u8(b, minor);
	buf_put_u8(b, 2);
	buf_put_u16(b, 1);
	for (size_t i = 0; i < ARRAY_SIZE(begun); i++)
		buf_put_u16(b, begun[i]);
	buf_put_zero(b, 128 - b->len);
	for (unsigned n = 1; n <= 3; n++) {
		bool none = n == 2;
		if (none && !minor)
			continue;
		buf_put_u64(b, 10000000 + (n > 1) * 1000000);
		buf_put_u32(b, 60);
		buf_put_u32(b, 60);
		put_frame(b, n == 3 ? 2 : n, 60);
		uint8_t trailer[15] = {none ? 0xFB : 1, none ? 0xFF : 0};
		const uint64_t utc = UINT64_C(133536816105000000) + (n > 1) * UINT64_C(10000000);
		memcpy(trailer + 6, &utc, 8);
		buf_put(b, trailer, trailers[minor]);
	}
	uint32_t end = (uint32_t)b->len;
	memcpy(b->data + 24, &end, 4);
	buf_put_zero(b, 8);
}

static void reads_network_monitor(void **state)
{
	(void)state;
	for (uint8_t minor = 0; minor < 5; minor++) {
		struct buf b = {0};
		if (minor < 4)
			put_netmon(&b, minor);
		else
			buf_put(&b, "GMBU\4\2", 6), buf_put_zero(&b, 200);
		struct seen s = read_all(".cap", &b);
		if (minor == 4) {
			assert_int_equal(s.end, MW_E_MALFORMED);
		} else {
			assert_int_equal(s.end, 0);
			assert_int_equal(s.frames, 2);
			assert_int_equal(s.linktype, 1);
			assert_int_equal(s.first_ns, INT64_C(1709208010500000000));
			assert_int_equal(s.last_ns, INT64_C(1709208011500000000));
		}
		for (size_t n = 0; minor < 4 && n < b.len - 8; n++) {
			struct buf cut = {.data = b.data, .len = n};
			assert_true(read_all(".cap", &cut).end < 0);
		}
		buf_free(&b);
	}
}

static void names_the_converter(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_put_zero(&b, 4096);
	struct seen s = read_all(".etl", &b);
	assert_int_equal(s.end, MW_E_MALFORMED);
	assert_non_null(strstr(s.why, "etl2pcapng"));
	buf_free(&b);
}

static void option(struct buf *b, uint16_t type, const char *text)
{
	size_t n = strlen(text);
	buf_put_u16(b, type);
	buf_put_u16(b, (uint16_t)n);
	buf_put(b, text, n);
	buf_align(b, 4);
}

static void block(struct buf *b, uint32_t type, const struct buf *body)
{
	buf_put_u32(b, type);
	buf_put_u32(b, (uint32_t)body->len + 12);
	buf_put(b, body->data, body->len);
	buf_put_u32(b, (uint32_t)body->len + 12);
}

static void keeps_comments(void **state)
{
	(void)state;
	struct buf b = {0}, body = {0};
	buf_put(&body, "\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16);
	option(&body, 4, "a program");
	option(&body, 1, "whole");
	option(&body, 0, "");
	block(&b, 0x0A0D0D0A, &body);
	buf_clear(&body);
	buf_put(&body, "\1\0\0\0\0\0\0\0", 8);
	block(&b, 1, &body);
	for (unsigned n = 1; n <= 2; n++) {
		buf_clear(&body);
		buf_put_zero(&body, 12);
		buf_put_u32(&body, 5);
		buf_put_u32(&body, 5);
		put_frame(&body, n, 5);
		buf_align(&body, 4);
		option(&body, 1, n == 1 ? "one" : "two");
		if (n == 2)
			buf_put(&body, "\1\0\xff\xff", 4); /* a comment that ends beyond its block */
		block(&b, 6, &body);
	}
	struct seen s = read_all("", &b);
	assert_int_equal(s.end, 0);
	assert_int_equal(s.frames, 2);
	assert_string_equal(s.comments, "0whole1one2two");
	buf_free(&b);
	buf_free(&body);
}

/* Frames by time, whatever the order of the files; one that is cut is told at the end. */
static void joins_files(void **state)
{
	(void)state;
	static const char *const orders[][3] = {{"124", "35", "6"}, {"6", "35", "124"}, {"", "", "123456"}};
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++)
		for (int cut = 0; cut < 2; cut++) {
			char names[3][64];
			const char *paths[3];
			size_t which;
			const char *why = NULL;
			struct capture_reader *r = NULL;
			struct capture_frame f;
			int64_t n = 0, end;
			for (size_t i = 0; i < 3; i++) {
				struct buf b = {0};
				buf_put(&b, "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0", 24);
				for (const char *c = orders[o][i]; *c; c++) {
					buf_put_u32(&b, (uint32_t)(*c - '0'));
					buf_put_zero(&b, 12);
				}
				if (cut && i == 1)
					buf_put_zero(&b, 5);
				strcpy(names[i], store("", b.data, b.len));
				paths[i] = names[i];
				buf_free(&b);
			}
			assert_int_equal(capture_open_files(paths, 3, &r, &which, &why), 0);
			while ((end = capture_next(r, &f)) > 0) {
				assert_int_equal(f.number, ++n);
				assert_int_equal(f.time_ns, n * INT64_C(1000000000));
			}
			assert_int_equal(n, 6);
			assert_int_equal(end, cut ? MW_E_TRUNCATED : 0);
			capture_close(&r);
			paths[2] = "/nonexistent";
			assert_int_equal(capture_open_files(paths, 3, &r, &which, &why), MW_E_IO);
			assert_int_equal(which, 2);
			for (size_t i = 0; i < 3; i++)
				unlink(names[i]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(unpacks),
	        cmocka_unit_test(tells_of_cuts),
	        cmocka_unit_test(unpacks_once),
	        cmocka_unit_test(reads_network_monitor),
	        cmocka_unit_test(names_the_converter),
	        cmocka_unit_test(keeps_comments),
	        cmocka_unit_test(joins_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
