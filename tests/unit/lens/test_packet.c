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

/* A datagram around the other one, its length left to the frame. */
#define IN_IP(protocol) "\x45\0\0\0\0\1\0\0\x40" protocol "\0\0\x0b\0\0\1\x0b\0\0\2"
#define ETHER4 "\1\2\3\4\5\6\1\2\3\4\5\6\x08\0"

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
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\0\x40\xaa\xaa\3\0\0\0\x08\0", 22, false}, /* LLC with SNAP */
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x88\x64\x11\0\0\1\0\x40\0\x21", 22, false},
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x88\x64\x11\0\0\1\0\x40\0\x57", 22, true},
        {1, "\1\2\3\4\5\6\1\2\3\4\5\6\x88\x47\0\1\0\x40\0\2\1\x40", 22, false}, /* two labels */
        {219, "\0\2\1\x40\0\0\0\0\1\2\3\4\5\6\1\2\3\4\5\6\x08\0", 22, false},   /* a pseudowire */
        {9, "\xff\3\0\x21", 4, false},
        {9, "\x57", 1, true},
        {50, "\xff\3\0\x57", 4, true},
        {51, "\x11\0\0\1\0\x40\0\x21", 8, false},
        {104, "\x0f\0\x08\0", 4, false},
        {101, IN_IP("\x04"), 20, false},
        {101, IN_IP("\x29"), 20, true},
        {101, IN_IP("\x2f") "\0\0\x08\0", 24, false},
        {101, IN_IP("\x2f") "\xb0\0\x86\xdd\0\0\0\0\0\0\0\1\0\0\0\2", 36, true}, /* checksum, key, sequence */
        {101, IN_IP("\x2f") "\x20\0\x65\x58\0\0\0\7" ETHER4, 42, false},
        {101, IN_IP("\x2f") "\x10\0\x88\xbe\0\0\0\7\1\1\1\1\2\2\2\2" ETHER4, 50, false}, /* ERSPAN */
        {101, IN_IP("\x11") "\x80\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\7\0" ETHER4, 50, false},
        {101, IN_IP("\x11") "\x80\0\x17\xc1\0\0\0\0\1\0\x65\x58\0\0\7\0\0\0\0\0" ETHER4, 54, false},
        {101, IN_IP("\x33") "\4\4\0\0\0\0\0\1\0\0\0\1aaaabbbbcccc", 44, false},
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

/* ---- Fragments ---- */

#define DATAGRAM 100

struct part {
	unsigned from, end;
	bool more, other; /* other: with other bytes */
};

/* Parts of one datagram: a TCP header of 20 bytes and text. */
static bool put_part(struct lens_packet_state *state, bool is6, struct part p, struct lens_segment *out)
{
	static struct buf b;
	uint8_t whole[DATAGRAM] = {3, 0xE8, 0, 135, [12] = 0x50, [13] = 0x10};
	uint16_t n = (uint16_t)(p.end - p.from);
	for (unsigned i = 20; i < DATAGRAM; i++)
		whole[i] = (uint8_t)((p.other ? 'A' : 'a') + i % 26);
	buf_clear(&b);
	if (is6) {
		buf_put_u32be(&b, 0x60000000);
		buf_put_u16be(&b, (uint16_t)(n + 8));
		buf_put(&b, "\x2c\x40", 2);
		for (int i = 0; i < 32; i++)
			buf_put_u8(&b, (uint8_t)i);
		buf_put(&b, "\6\0", 2);
		buf_put_u16be(&b, (uint16_t)(p.from | p.more));
		buf_put_u32be(&b, 0x12345678);
	} else {
		buf_put(&b, "\x45\0", 2);
		buf_put_u16be(&b, (uint16_t)(n + 20));
		buf_put_u16be(&b, 77);
		buf_put_u16be(&b, (uint16_t)(p.from / 8 | (p.more ? 0x2000 : 0)));
		buf_put(&b, "\x40\6\0\0\1\1\1\1\2\2\2\2", 12);
	}
	buf_put(&b, whole + p.from, n);
	return lens_packet_next(state, 101, b.data, b.len, b.len, out);
}

struct fragment_row {
	struct part parts[6];
	bool whole; /* the last of them makes it so */
	uint64_t lost;
};

static const struct fragment_row fragment_rows[] = {
        {{{0, 48, true, false}, {48, 100, false, false}}, true, 0},
        {{{48, 100, false, false}, {0, 48, true, false}}, true, 0},
        {{{48, 72, true, false}, {0, 24, true, false}, {72, 100, false, false}, {24, 48, true, false}}, true, 0},
        {{{0, 48, true, false}, {0, 48, true, false}, {48, 100, false, false}}, true, 0},   /* twice */
        {{{0, 48, true, false}, {0, 48, true, true}}, false, 2},                            /* with other bytes */
        {{{0, 48, true, false}, {40, 100, false, false}}, false, 2},                        /* overlapping */
        {{{0, 48, true, false}, {72, 100, false, false}, {40, 80, true, false}}, false, 3}, /* over a hole's edges */
        {{{0, 48, true, false}, {56, 100, false, false}}, false, 0},                        /* a hole */
        {{{48, 100, false, false}, {48, 80, false, false}}, false, 2},                      /* two ends */
        {{{0, 47, true, false}}, false, 1},                                                 /* not in eights */
};

static void joins_fragments(void **state)
{
	(void)state;
	for (int is6 = 0; is6 < 2; is6++)
		for (size_t r = 0; r < ARRAY_SIZE(fragment_rows); r++) {
			const struct fragment_row *row = &fragment_rows[r];
			struct lens_packet_state s = {.fragments = lens_fragments_new()};
			struct lens_segment seg;
			bool whole = false;
			for (size_t i = 0; i < ARRAY_SIZE(row->parts) && row->parts[i].end; i++) {
				assert_false(whole);
				whole = put_part(&s, is6, row->parts[i], &seg);
			}
			assert_int_equal(whole, row->whole);
			assert_int_equal(s.counts.fragments_lost, row->lost);
			if (whole) {
				assert_int_equal(seg.to.port, 135);
				assert_int_equal(seg.from.family, is6 ? 6 : 4);
				assert_int_equal(seg.captured, DATAGRAM - 20);
				for (unsigned i = 0; i < DATAGRAM - 20; i++)
					assert_int_equal(seg.data[i], 'a' + (i + 20) % 26);
			}
			lens_fragments_free(&s.fragments);
		}
}

/* Beginnings without end: memory stays bounded, and a whole one still comes through. */
static void bears_endless_fragments(void **state)
{
	(void)state;
	struct lens_packet_state s = {.fragments = lens_fragments_new()};
	struct lens_segment seg;
	static uint8_t frame[20 + 1480] = {0x45, 0, 0x05, 0xDC, [8] = 64, 6};
	for (unsigned i = 0; i < 20000; i++) {
		frame[4] = (uint8_t)(i >> 8);
		frame[5] = (uint8_t)i;
		frame[6] = 0x20 | (uint8_t)(i % 31);
		assert_false(lens_packet_next(&s, 101, frame, sizeof frame, sizeof frame, &seg));
	}
	assert_true(s.counts.fragments_lost > 19000);
	assert_false(put_part(&s, false, (struct part){0, 48, true, false}, &seg));
	assert_true(put_part(&s, false, (struct part){48, 100, false, false}, &seg));
	lens_fragments_free(&s.fragments);
}

/* ---- IPsec ---- */

/* ESP in transport mode around a TCP segment of 3 bytes, whose checksum is right unless spoilt. */
static bool put_esp(struct lens_packet_state *state, size_t iv, size_t icv, bool spoilt, struct lens_segment *out)
{
	uint8_t tcp[24] = {3, 0xE8, 0, 135, [12] = 0x50, [13] = 0x10, [20] = 'a', 'b', 'c'};
	struct buf b = {0};
	uint32_t sum = 6 + 23 + 0x0101 * 2 + 0x0202 * 2;
	for (int i = 0; i < 24; i += 2)
		sum += (uint32_t)(tcp[i] << 8 | tcp[i + 1]);
	sum = (sum & 0xFFFF) + (sum >> 16);
	tcp[16] = (uint8_t)(~sum >> 8);
	tcp[17] = (uint8_t)(~sum + spoilt);
	buf_put(&b, "\x45\0\0\0\0\1\0\0\x40\x32\0\0\1\1\1\1\2\2\2\2", 20);
	buf_put(&b, "\0\0\x10\0\0\0\0\1", 8);
	buf_put_zero(&b, iv);
	buf_put(&b, tcp, 23);
	buf_put(&b, "\1\2\3\3\6", 5);
	buf_put_zero(&b, icv);
	bool open = lens_packet_next(state, 101, b.data, b.len, b.len, out);
	if (open) {
		assert_int_equal(out->to.port, 135);
		assert_int_equal(out->captured, 3);
		assert_memory_equal(out->data, "abc", 3);
	}
	buf_free(&b);
	return open;
}

static void opens_esp_without_encryption(void **state)
{
	(void)state;
	static const size_t ivs[] = {0, 0, 8, 0, 0}, icvs[] = {12, 16, 16, 24, 32};
	struct lens_packet_state s = {0};
	struct lens_segment seg;
	for (size_t i = 0; i < ARRAY_SIZE(ivs); i++) {
		assert_true(put_esp(&s, ivs[i], icvs[i], false, &seg));
		assert_false(put_esp(&s, ivs[i], icvs[i], true, &seg));
		assert_int_equal(s.counts.sealed, i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_every_link_type),
	        cmocka_unit_test(passes_over_what_is_no_tcp),
	        cmocka_unit_test(takes_the_frames_length_after_offloading),
	        cmocka_unit_test(joins_fragments),
	        cmocka_unit_test(bears_endless_fragments),
	        cmocka_unit_test(opens_esp_without_encryption),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
