#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lens/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What came out, as text: bytes of side 0 as they are, of side 1 in capitals, gaps "[n]", ends "." and "!". */
static struct buf out;
static uint64_t last_frame;

static void on_data(void *user, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	(void)user;
	for (size_t i = 0; i < len; i++)
		buf_put_u8(&out, side ? (uint8_t)(data[i] - 32) : data[i]);
	last_frame = stamp->frame;
}

static void on_gap(void *user, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	(void)user;
	(void)side;
	(void)stamp;
	buf_printf(&out, side ? "<%llu>" : "[%llu]", (unsigned long long)n);
}

static void on_end(void *user, unsigned side, const struct lens_stamp *stamp)
{
	(void)user;
	(void)stamp;
	buf_put_str(&out, side ? "!" : ".");
}

static const struct lens_stream_sink sink = {on_data, on_gap, on_end};

struct step {
	uint32_t seq; /* relative to the base of its side */
	const char *data;
	uint8_t flags; /* TCP_ACK comes by itself when ack is not 0 */
	uint32_t ack;
	unsigned side;
	size_t cut; /* bytes that were sent but not captured */
};

#define STEPS 12
#define FLUSH 0xFF /* as flags: the capture ends */
#define IDLE 0xFE  /* as flags: seq frames without data */

struct row {
	const char *name, *out;
	struct step steps[STEPS];
};

static const struct row rows[] = {
        {"in order", "abcdef", {{0, "abc"}, {3, "def"}}},
        {"handshake, data, end",
         "abcXY.!",
         {{0, NULL, TCP_SYN},
          {0, NULL, TCP_SYN, 1, 1},
          {1, "abc", 0, 1},
          {1, "xy", 0, 4, 1},
          {4, NULL, TCP_FIN, 3},
          {3, NULL, TCP_FIN, 5, 1},
          {5, NULL, 0, 4}}},
        {"data on the SYN", "abcd", {{0, "abc", TCP_SYN}, {4, "d"}}},
        {"data on the FIN", "abcd.", {{0, "abc"}, {3, "d", TCP_FIN}}},
        {"out of order", "abcdefghi", {{0, "abc"}, {6, "ghi"}, {3, "def"}}},
        {"backwards", "abcdef", {{0, "a"}, {5, "f"}, {4, "e"}, {3, "d"}, {2, "c"}, {1, "b"}}},
        {"repeated", "abcdef", {{0, "abc"}, {0, "abc"}, {3, "def"}, {0, "abcdef"}}},
        {"repeated, other bytes: the first copy counts", "abcdef", {{0, "abc"}, {0, "xyzdef"}}},
        {"overlapping among those held", "abcdefgh", {{0, "ab"}, {4, "efgh"}, {3, "def"}, {2, "cd"}}},
        {"a probe for life", "abc", {{0, "ab"}, {1, "x"}, {1, NULL}, {2, "c"}}},
        {"lost in the network, sent again",
         "abcdefg",
         {{0, "abc", 0, 1}, {4, "efg"}, {1, NULL, 0, 3, 1}, {1, NULL, 0, 3, 1}, {20, NULL, IDLE}, {3, "d"}}},
        {"lost by the capture", "abc[3]ghi", {{0, "abc", 0, 1}, {6, "ghi", 0, 1}, {1, NULL, 0, 9, 1}, {9, NULL, IDLE}}},
        {"lost by the capture, and answered",
         "abc[3]ghiX",
         {{0, "abc", 0, 1}, {6, "ghi", 0, 1}, {1, NULL, 0, 9, 1}, {1, "x", 0, 9, 1}}},
        {"captured late, after its acknowledgement",
         "abcdefghi",
         {{0, "abc", 0, 1}, {6, "ghi", 0, 1}, {1, NULL, 0, 9, 1}, {2, NULL, IDLE}, {3, "def"}}},
        {"lost by the capture, nothing behind it", "abc[3]", {{0, "abc", 0, 1}, {1, NULL, 0, 6, 1}, {9, NULL, IDLE}}},
        {"lost by the capture, the connection ends",
         "abc[3].",
         {{0, "abc", 0, 1}, {6, NULL, TCP_FIN, 1}, {1, NULL, 0, 7, 1}, {9, NULL, IDLE}}},
        {"the end is no lost byte", "abc.", {{0, "abc", TCP_FIN, 1}, {1, NULL, 0, 4, 1}, {90, NULL, IDLE}}},
        {"lost, the receiver not captured", "ab[2]ef", {{0, "ab"}, {4, "ef"}, {70, NULL, IDLE}}},
        {"lost, the capture ends", "ab[2]ef[1]h", {{0, "ab"}, {4, "ef"}, {7, "h"}, {0, NULL, FLUSH}}},
        {"frames cut by the capture", "ab[2]ef", {{0, "ab", 0, 0, 0, 2}, {4, "ef"}}},
        {"a cut frame among those held", "abcd[2]gh", {{0, "ab"}, {3, "d", 0, 0, 0, 2}, {2, "c"}, {6, "gh"}}},
        {"joined midway: begins where it begins", "def", {{1, NULL, 0, 9, 1}, {3, "def", 0, 1}}},
        {"nothing after the end", "ab.", {{0, "ab", TCP_FIN}, {2, "cd"}}},
};

static void play(const struct row *r, uint32_t base)
{
	struct lens_streams all = {.sink = &sink, .stream_limit = 1 << 20, .total_limit = 1 << 20};
	struct lens_stream s = {0};
	struct lens_stamp stamp = {0};
	buf_clear(&out);
	for (size_t i = 0; i < STEPS; i++) {
		const struct step *t = &r->steps[i];
		if (!t->data && !t->flags && !t->ack && !t->seq)
			continue;
		stamp.frame++;
		if (t->flags == FLUSH) {
			lens_stream_flush(&all, &s, &stamp);
			continue;
		}
		struct lens_segment seg = {
		        .seq = base + t->seq,
		        .ack = base + t->ack,
		        .flags = (uint8_t)(t->flags | (t->ack ? TCP_ACK : 0)),
		        .data = (const uint8_t *)t->data,
		        .captured = t->data ? strlen(t->data) : 0,
		};
		seg.len = seg.captured + t->cut;
		if (t->flags == IDLE) {
			seg = (struct lens_segment){.seq = s.half[0].next, .data = (const uint8_t *)""};
			for (unsigned n = 0; n < t->seq; n++)
				lens_stream_segment(&all, &s, 0, &seg, &stamp);
			continue;
		}
		lens_stream_segment(&all, &s, t->side, &seg, &stamp);
	}
	lens_stream_drop(&all, &s);
	assert_int_equal(all.held, 0);
	assert_null(all.oldest);
	buf_put_u8(&out, 0);
	if (strcmp((char *)out.data, r->out) != 0)
		fail_msg("%s (base %u): got %s, not %s", r->name, base, (char *)out.data, r->out);
}

static void reassembles(void **state)
{
	(void)state;
	/* The last two make the sequence numbers wrap inside. */
	static const uint32_t bases[] = {0, 1000, 0x7FFFFFFE, 0xFFFFFFFF, 0xFFFFFFFB};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
			play(&rows[i], bases[b]);
	buf_free(&out);
}

/* All orders of six segments yield the same bytes. */
static void any_order(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 720; n++) {
		struct row r = {"any order", "abcdefghijklm", {{0, "a"}}};
		static const struct step six[] = {{1, "bc"}, {3, "de"}, {5, "fg"}, {7, "hi"}, {9, "jk"}, {11, "lm"}};
		struct step left[6];
		memcpy(left, six, sizeof left);
		unsigned code = n;
		for (unsigned i = 0; i < 6; i++) {
			unsigned pick = code % (6 - i);
			code /= 6 - i;
			r.steps[1 + i] = left[pick];
			memmove(&left[pick], &left[pick + 1], (5 - pick) * sizeof *left);
		}
		play(&r, 0xFFFFFFF8);
	}
	buf_free(&out);
}

static void keeps_its_bounds(void **state)
{
	(void)state;
	struct lens_streams all = {.sink = &sink, .stream_limit = 100000, .total_limit = 1000000};
	static struct lens_stream streams[64];
	static uint8_t data[1000];
	struct lens_stamp stamp = {0};
	memset(streams, 0, sizeof streams);
	memset(data, 'x', sizeof data);
	buf_clear(&out);
	/* A hole in each, never filled; later streams push the first ones out. */
	for (unsigned i = 0; i < 64; i++) {
		struct lens_segment seg = {.seq = 1, .data = data, .captured = 1, .len = 1};
		lens_stream_segment(&all, &streams[i], 0, &seg, &stamp);
		for (uint32_t n = 0; n < 50; n++) {
			seg = (struct lens_segment){
			        .seq = 1000 + n * 1000, .data = data, .captured = 1000, .len = 1000};
			lens_stream_segment(&all, &streams[i], 0, &seg, &stamp);
			assert_true(all.held <= 1000000);
			assert_true(streams[i].half[0].held <= 100000);
		}
	}
	assert_null(streams[0].half[0].first);
	assert_non_null(streams[63].half[0].first);
	assert_true(all.dropped > 0);
	for (unsigned i = 0; i < 64; i++)
		lens_stream_drop(&all, &streams[i]);
	assert_int_equal(all.held, 0);
	buf_free(&out);
}

static void tells_which_frame_brought_a_byte(void **state)
{
	(void)state;
	struct lens_streams all = {.sink = &sink, .stream_limit = 100000, .total_limit = 1000000};
	struct lens_stream s = {0};
	buf_clear(&out);
	static const struct step steps[] = {{0, "a"}, {2, "c"}, {1, "b"}};
	for (size_t i = 0; i < 3; i++) {
		struct lens_segment seg = {
		        .seq = steps[i].seq, .data = (const uint8_t *)steps[i].data, .captured = 1, .len = 1};
		lens_stream_segment(&all, &s, 0, &seg, &(struct lens_stamp){.frame = i + 1});
	}
	assert_int_equal(last_frame, 2);
	buf_free(&out);
}

/* The FIN was seen, what stands before it was not, and the other side has acknowledged less than it was sent. */
static void ends_though_acknowledgements_lag(void **state)
{
	(void)state;
	struct lens_streams all = {.sink = &sink, .stream_limit = 100000, .total_limit = 1000000};
	struct lens_stream s = {0};
	struct lens_stamp stamp = {.frame = 1};
	buf_clear(&out);
	struct lens_segment sent = {.seq = 10, .data = (const uint8_t *)"a", .captured = 1, .len = 1};
	struct lens_segment answer = {.seq = 0, .ack = 10, .flags = TCP_ACK};
	struct lens_segment fin = {.seq = 15, .flags = TCP_FIN};
	lens_stream_segment(&all, &s, 0, &sent, &stamp);
	lens_stream_segment(&all, &s, 1, &answer, &stamp);
	lens_stream_segment(&all, &s, 0, &fin, &stamp);
	assert_int_equal(lens_stream_flush(&all, &s, &stamp), 4);
	buf_put_u8(&out, 0);
	assert_string_equal((const char *)out.data, "a[4].");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reassembles),
	        cmocka_unit_test(any_order),
	        cmocka_unit_test(keeps_its_bounds),
	        cmocka_unit_test(tells_which_frame_brought_a_byte),
	        cmocka_unit_test(ends_though_acknowledgements_lag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
