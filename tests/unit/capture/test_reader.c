#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "capture/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files are built in memory in either byte order and read back. */
struct image {
	struct buf b;
	bool big;
};

static void put32(struct image *f, uint32_t v)
{
	buf_put_u32(&f->b, f->big ? __builtin_bswap32(v) : v);
}

static void put16(struct image *f, uint16_t v)
{
	buf_put_u16(&f->b, f->big ? __builtin_bswap16(v) : v);
}

static char *store(const void *data, size_t len)
{
	static char path[64];
	strcpy(path, "/tmp/mapiwire-test-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	return path;
}

struct summary {
	int end;
	unsigned frames;
	struct capture_frame last;
	uint8_t last_byte;
	unsigned extras;
};

static struct summary read_all(const void *data, size_t len)
{
	struct summary s = {0};
	struct capture_reader *r = NULL;
	const char *why = NULL, *path = store(data, len);
	s.end = capture_open(path, &r, &why);
	unlink(path);
	if (s.end < 0) {
		assert_non_null(why);
		return s;
	}
	struct capture_frame f;
	while ((s.end = capture_next(r, &f)) > 0) {
		s.frames++;
		s.last = f;
		s.last_byte = f.captured ? f.data[f.captured - 1] : 0;
	}
	if (s.end == MW_E_MALFORMED)
		assert_true(*capture_why(r));
	while (capture_get_extra(r, s.extras))
		s.extras++;
	capture_close(&r);
	assert_null(r);
	return s;
}

static void pcap_head(struct image *f, uint32_t magic, uint32_t linktype)
{
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, linktype);
}

static void pcap_frame(struct image *f, uint32_t s, uint32_t fraction, uint32_t captured, uint32_t original)
{
	put32(f, s);
	put32(f, fraction);
	put32(f, captured);
	put32(f, original);
	for (uint32_t i = 0; i < captured; i++)
		buf_put_u8(&f->b, (uint8_t)(i + 1));
}

static void reads_pcap(void **state)
{
	(void)state;
	static const struct {
		uint32_t magic;
		bool big;
		int64_t fraction_ns;
	} rows[] = {
	        {0xA1B2C3D4u, false, 7000}, {0xA1B2C3D4u, true, 7000}, {0xA1B23C4Du, false, 7}, {0xA1B23C4Du, true, 7}};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image f = {.big = rows[i].big};
		pcap_head(&f, rows[i].magic, 12);
		pcap_frame(&f, 1, 2, 3, 3);
		pcap_frame(&f, 100, 7, 60, 1500);
		struct summary s = read_all(f.b.data, f.b.len);
		assert_int_equal(s.end, 0);
		assert_int_equal(s.frames, 2);
		assert_int_equal(s.last.number, 2);
		assert_int_equal(s.last.time_ns, 100 * INT64_C(1000000000) + rows[i].fraction_ns);
		assert_int_equal(s.last.linktype, 101);
		assert_int_equal(s.last.captured, 60);
		assert_int_equal(s.last.original, 1500);
		assert_int_equal(s.last_byte, 60);
		buf_free(&f.b);
	}
}

static void refuses_what_is_no_capture(void **state)
{
	(void)state;
	struct image f = {0};
	pcap_head(&f, 0xA1B2CD34u, 1);
	assert_int_equal(read_all(f.b.data, f.b.len).end, MW_E_MALFORMED);
	assert_int_equal(read_all("", 0).end, MW_E_MALFORMED);
	assert_int_equal(read_all("hello, world, this is text", 26).end, MW_E_MALFORMED);
	assert_int_equal(read_all("\x1f\x8b\x08\x00", 4).end, MW_E_MALFORMED);
	struct capture_reader *r = NULL;
	assert_int_equal(capture_open("/nonexistent/file", &r, NULL), MW_E_IO);
	assert_null(r);
	buf_free(&f.b);
}

static void bounds_pcap_lengths(void **state)
{
	(void)state;
	struct image f = {0};
	pcap_head(&f, 0xA1B2C3D4u, 1);
	pcap_frame(&f, 1, 2, 3, 3);
	size_t at = f.b.len + 8;
	pcap_frame(&f, 1, 2, 0, 3);
	buf_poke_u32(&f.b, at, 0xFFFFFFF0u);
	struct summary s = read_all(f.b.data, f.b.len);
	assert_int_equal(s.end, MW_E_MALFORMED);
	assert_int_equal(s.frames, 1);
	buf_free(&f.b);
}

static size_t block_begin(struct image *f, uint32_t type)
{
	size_t at = f->b.len;
	put32(f, type);
	put32(f, 0);
	return at;
}

static void block_end(struct image *f, size_t at)
{
	buf_align(&f->b, 4);
	uint32_t len = (uint32_t)(f->b.len - at + 4);
	buf_poke_u32(&f->b, at + 4, f->big ? __builtin_bswap32(len) : len);
	put32(f, len);
}

static void section(struct image *f)
{
	size_t at = block_begin(f, 0x0A0D0D0Au);
	put32(f, 0x1A2B3C4Du);
	put16(f, 1);
	put16(f, 0);
	put32(f, UINT32_MAX);
	put32(f, UINT32_MAX);
	block_end(f, at);
}

/* resolution 0xFF: no such option */
static void interface(struct image *f, uint16_t linktype, uint8_t resolution, int64_t offset)
{
	size_t at = block_begin(f, 1);
	put16(f, linktype);
	put16(f, 0);
	put32(f, 96);
	if (resolution != 0xFF) {
		put16(f, 9);
		put16(f, 1);
		buf_put_u8(&f->b, resolution);
		buf_put_zero(&f->b, 3);
	}
	if (offset) {
		put16(f, 14);
		put16(f, 8);
		put32(f, f->big ? (uint32_t)((uint64_t)offset >> 32) : (uint32_t)offset);
		put32(f, f->big ? (uint32_t)offset : (uint32_t)((uint64_t)offset >> 32));
	}
	block_end(f, at);
}

static void enhanced(struct image *f, uint32_t on, uint64_t ticks, uint32_t captured)
{
	size_t at = block_begin(f, 6);
	put32(f, on);
	put32(f, (uint32_t)(ticks >> 32));
	put32(f, (uint32_t)ticks);
	put32(f, captured);
	put32(f, captured + 5);
	for (uint32_t i = 0; i < captured; i++)
		buf_put_u8(&f->b, (uint8_t)(i + 1));
	block_end(f, at);
}

static void reads_resolutions(void **state)
{
	(void)state;
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t ticks;
		int64_t ns;
	} rows[] = {
	        {0xFF, 0, 1000001, 1000001000},
	        {9, 0, 1000001, 1000001},
	        {3, 0, 5, 5000000},
	        {0, 0, 5, INT64_C(5000000000)},
	        {12, 0, 5000, 5},
	        {0x80 | 10, 0, 1024, 1000000000},
	        {9, 3, 7, INT64_C(3000000007)},
	        {9, -1, 7, INT64_C(-999999993)},
	        {0, 0, UINT64_MAX, INT64_MAX},
	        {127, 0, UINT64_MAX, INT64_C(18446744073)},
	        {0xFE, 0, UINT64_MAX, INT64_C(1999999999)},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int big = 0; big < 2; big++) {
			struct image f = {.big = big};
			section(&f);
			interface(&f, 1, rows[i].resolution, rows[i].offset);
			enhanced(&f, 0, rows[i].ticks, 9);
			struct summary s = read_all(f.b.data, f.b.len);
			assert_int_equal(s.end, 0);
			assert_int_equal(s.frames, 1);
			assert_int_equal(s.last.time_ns, rows[i].ns);
			assert_int_equal(s.last.original, 14);
			assert_int_equal(s.last_byte, 9);
			buf_free(&f.b);
		}
}

/* Two sections of different byte order, several link types, secrets, names, blocks we do not know. */
static void whole_file(struct image *f)
{
	section(f);
	interface(f, 1, 9, 0);
	interface(f, 101, 9, 0);
	enhanced(f, 1, 1, 20);
	size_t at = block_begin(f, 10);
	put32(f, 0x544c534bu);
	put32(f, 5);
	buf_put_str(&f->b, "hello");
	block_end(f, at);
	at = block_begin(f, 0x0BADu);
	buf_put_zero(&f->b, 40);
	block_end(f, at);
	f->big = true;
	section(f);
	interface(f, 0, 6, 0);
	at = block_begin(f, 4);
	put16(f, 1);
	put16(f, 9);
	buf_put(&f->b, "\x7f\0\0\1abcd\0", 9);
	buf_put_zero(&f->b, 3);
	put32(f, 0);
	block_end(f, at);
	at = block_begin(f, 3); /* simple: cut to the snapshot length */
	put32(f, 200);
	for (unsigned i = 0; i < 96; i++)
		buf_put_u8(&f->b, (uint8_t)(i + 1));
	block_end(f, at);
	at = block_begin(f, 2);
	put16(f, 0);
	put16(f, 0);
	put32(f, 0);
	put32(f, 17);
	put32(f, 3);
	put32(f, 4);
	buf_put(&f->b, "\1\2\3", 3);
	block_end(f, at);
}

static void reads_pcapng(void **state)
{
	(void)state;
	struct image f = {0};
	whole_file(&f);
	struct summary s = read_all(f.b.data, f.b.len);
	assert_int_equal(s.end, 0);
	assert_int_equal(s.frames, 3);
	assert_int_equal(s.extras, 2);
	assert_int_equal(s.last.linktype, 0);
	assert_int_equal(s.last.time_ns, 17000);
	assert_int_equal(s.last_byte, 3);
	buf_free(&f.b);
}

/* Cut at every length, and each byte flipped: an error or fewer frames, never a crash (sanitizers watch). */
static void survives_damage(void **state)
{
	(void)state;
	struct image f = {0};
	whole_file(&f);
	for (size_t n = 0; n < f.b.len; n++)
		assert_true(read_all(f.b.data, n).frames < 3);
	for (size_t i = 0; i < f.b.len; i++) {
		f.b.data[i] ^= 0xFF;
		assert_true(read_all(f.b.data, f.b.len).frames <= 3);
		f.b.data[i] ^= 0xFF;
	}
	buf_free(&f.b);
}

/* More than the window holds, so that frames straddle its refills. */
static void reads_beyond_the_window(void **state)
{
	(void)state;
	struct image f = {0};
	pcap_head(&f, 0xA1B2C3D4u, 1);
	for (uint32_t i = 0; i < 3000; i++)
		pcap_frame(&f, i, 0, 1 + i % 700, 1500);
	pcap_frame(&f, 9, 0, 600000, 600000);
	struct summary s = read_all(f.b.data, f.b.len);
	assert_int_equal(s.end, 0);
	assert_int_equal(s.frames, 3001);
	assert_int_equal(s.last_byte, (uint8_t)600000);
	buf_free(&f.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_pcap),
	        cmocka_unit_test(refuses_what_is_no_capture),
	        cmocka_unit_test(bounds_pcap_lengths),
	        cmocka_unit_test(reads_resolutions),
	        cmocka_unit_test(reads_pcapng),
	        cmocka_unit_test(survives_damage),
	        cmocka_unit_test(reads_beyond_the_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
