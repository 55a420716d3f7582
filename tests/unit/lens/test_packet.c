#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lens/packet.h"

#include <string.h>

/* IPv4 with four bytes of options, TCP with four bytes of options and len bytes "abc...". total 0: as offloading leaves
 * it. */
static void put_ip4(struct buf *b, size_t len, uint16_t fragment, bool offloaded)
{
	size_t total = 24 + 24 + len;
	buf_put_u8(b, 0x46);
	buf_put_u8(b, 0);
	buf_put_u16be(b, offloaded ? 0 : (uint16_t)total);
	buf_put_u16be(b, 1);
	buf_put_u16be(b, fragment);
	buf_put(b, "\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2\1\1\1\1", 16);
	buf_put_u16be(b, 1000);
	buf_put_u16be(b, 135);
	buf_put_u32be(b, 0x11223344);
	buf_put_u32be(b, 0x55667788);
	buf_put(b, "\x60\x18\xff\xff\0\0\0\0\1\1\1\1", 12);
	for (size_t i = 0; i < len; i++)
		buf_put_u8(b, (uint8_t)('a' + i));
}

/* The same over IPv6, behind a hop-by-hop and a routing header. */
static void put_ip6(struct buf *b, size_t len)
{
	buf_put_u32be(b, 0x60000000);
	buf_put_u16be(b, (uint16_t)(8 + 16 + 20 + len));
	buf_put(b, "\0\x40", 2);
	for (int i = 0; i < 32; i++)
		buf_put_u8(b, (uint8_t)i);
	buf_put(b, "\x2b\0\1\4\0\0\0\0", 8);
	buf_put(b, "\x06\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	buf_put_u16be(b, 1000);
	buf_put_u16be(b, 135);
	buf_put_u32be(b, 0x11223344);
	buf_put_u32be(b, 0x55667788);
	buf_put(b, "\x50\x18\xff\xff\0\0\0\0", 8);
	for (size_t i = 0; i < len; i++)
		buf_put_u8(b, (uint8_t)('a' + i));
}

struct link_row {
	int linktype;
	const char *head;
	size_t size;
	bool is6;
};

static const struct link_row links[] = {
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x08\0", 14, false},
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x81\0\0\7\x08\0", 18, false},
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x88\xa8\0\7\x81\0\0\7\x86\xdd", 22, true},
        {101, "", 0, false},
        {101, "", 0, true},
        {12, "", 0, false},
        {228, "", 0, false},
        {229, "", 0, true},
        {0, "\2\0\0\0", 4, false},
        {0, "\0\0\0\2", 4, false},
        {0, "\x1e\0\0\0", 4, true},
        {108, "\0\0\0\x18", 4, true},
        {113, "\0\0\0\1\0\6\1\2\3\4\5\6\0\0\x08\0", 16, false},
        {276, "\x86\xdd\0\0\0\0\0\1\0\1\0\6\1\2\3\4\5\6\0\0", 20, true},
};

static void reads_every_link_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct buf b = {0};
		struct lens_segment s;
		buf_put(&b, links[i].head, links[i].size);
		if (links[i].is6)
			put_ip6(&b, 3);
		else
			put_ip4(&b, 3, 0x4000, false);
		size_t whole = b.len;
		buf_put_zero(&b, links[i].linktype == 1 ? 6 : 0); /* padding of short frames */
		assert_true(lens_packet(links[i].linktype, b.data, b.len, b.len, &s));
		assert_int_equal(s.from.family, links[i].is6 ? 6 : 4);
		assert_int_equal(s.from.port, 1000);
		assert_int_equal(s.to.port, 135);
		assert_int_equal(s.seq, 0x11223344);
		assert_int_equal(s.ack, 0x55667788);
		assert_int_equal(s.flags, 0x18);
		assert_int_equal(s.len, 3);
		assert_int_equal(s.captured, 3);
		assert_memory_equal(s.data, "abc", 3);
		/* Cut anywhere: no segment, or one that knows what is missing. */
		for (size_t n = 0; n < whole; n++)
			if (lens_packet(links[i].linktype, b.data, n, b.len, &s)) {
				assert_int_equal(s.len, 3);
				assert_int_equal(s.captured, n - (whole - 3));
			} else {
				assert_true(n < whole - 3);
			}
		buf_free(&b);
	}
}

static void passes_over_what_is_no_tcp(void **state)
{
	(void)state;
	struct buf b = {0};
	struct lens_segment s;
	put_ip4(&b, 3, 0x2000, false);
	assert_false(lens_packet(101, b.data, b.len, b.len, &s)); /* a fragment */
	assert_false(lens_packet(9999, b.data, b.len, b.len, &s));
	buf_clear(&b);
	put_ip4(&b, 3, 0, false);
	b.data[9] = 17;
	assert_false(lens_packet(101, b.data, b.len, b.len, &s)); /* UDP */
	b.data[9] = 6;
	b.data[0] = 0x41;
	assert_false(lens_packet(101, b.data, b.len, b.len, &s)); /* header length below 20 */
	b.data[0] = 0x46;
	b.data[24 + 12] = 0xF0;
	assert_false(lens_packet(101, b.data, b.len, b.len, &s)); /* TCP header beyond the datagram */
	buf_free(&b);
}

static void takes_the_frames_length_after_offloading(void **state)
{
	(void)state;
	struct buf b = {0};
	struct lens_segment s;
	put_ip4(&b, 20, 0, true);
	assert_true(lens_packet(101, b.data, b.len, b.len, &s));
	assert_int_equal(s.len, 20);
	assert_true(lens_packet(101, b.data, b.len - 5, b.len, &s));
	assert_int_equal(s.len, 20);
	assert_int_equal(s.captured, 15);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_every_link_type),
	        cmocka_unit_test(passes_over_what_is_no_tcp),
	        cmocka_unit_test(takes_the_frames_length_after_offloading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
