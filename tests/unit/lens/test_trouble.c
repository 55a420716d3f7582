#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "lens/lens.h"
#include "lens/packet.h"

#include <string.h>

/* Segments of one connection to port 135, as raw IPv4 frames; the times are in ms. */

#define LINKTYPE_RAW 101

struct step {
	int at_ms;
	bool server;
	uint8_t flags;
	uint32_t seq, ack; /* from 1000 and 5000 on, which are the two SYNs */
	uint16_t len, window;
};

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void feed(struct lens *lens, const struct step *s)
{
	uint8_t f[40 + 200] = {0x45};
	const uint8_t ends[2][4] = {{10, 0, 0, 7}, {10, 0, 0, 1}};
	size_t len = 40u + s->len;
	f[2] = (uint8_t)(len >> 8);
	f[3] = (uint8_t)len;
	f[8] = 64;
	f[9] = 6;
	memcpy(f + 12, ends[s->server], 4);
	memcpy(f + 16, ends[!s->server], 4);
	f[20] = s->server ? 0 : 156; /* 40000 to 135 and back */
	f[21] = s->server ? 135 : 64;
	f[22] = s->server ? 156 : 0;
	f[23] = s->server ? 64 : 135;
	put32(f + 24, s->seq);
	put32(f + 28, s->ack);
	f[32] = 5 << 4;
	f[33] = s->flags;
	f[34] = (uint8_t)(s->window >> 8);
	f[35] = (uint8_t)s->window;
	/* Each begins a PDU that never ends: RPC 5.0, a bind. */
	static const uint8_t bind[16] = {5, 0, 11, 3, 0x10, 0, 0, 0, 0xff, 0x0f, 0, 0, 1};
	memcpy(f + 40, bind, s->len < sizeof bind ? s->len : sizeof bind);
	lens_frame(lens, LINKTYPE_RAW, f, len, len, NS_PER_S + s->at_ms * NS_PER_MS);
}

static void nothing(void *user, const struct lens_event *e)
{
	(void)user, (void)e;
}

static struct lens_conn play(const struct step *steps, size_t count)
{
	struct lens *lens = lens_new(&(struct lens_options){0}, &(struct lens_sink){nothing, NULL});
	assert_non_null(lens);
	for (size_t i = 0; i < count; i++)
		feed(lens, &steps[i]);
	lens_end(lens);
	const struct lens_conn *c = lens_get_conn(lens, 1);
	assert_non_null(c);
	struct lens_conn copy = *c;
	lens_free(&lens);
	return copy;
}

#define S TCP_SYN
#define A TCP_ACK
#define SA (TCP_SYN | TCP_ACK)
#define HANDSHAKE                                                                                                      \
	{0, false, S, 1000, 0, 0, 100}, {20, true, SA, 5000, 1001, 0, 100},                                            \
	{                                                                                                              \
		21, false, A, 1001, 5001, 0, 100                                                                       \
	}
#define PLAY(steps) play(steps, sizeof(steps) / sizeof((steps)[0]))

static void quiet_connection(void **state)
{
	const struct step steps[] = {HANDSHAKE,
	                             {30, false, A, 1001, 5001, 100, 100},
	                             {55, true, A, 5001, 1101, 50, 100},
	                             {60, false, A, 1101, 5051, 0, 100}};
	(void)state;
	struct lens_conn c = PLAY(steps);
	assert_true(c.rpc);
	assert_int_equal(c.trouble.resent, 0);
	assert_int_equal(c.trouble.zero_windows, 0);
	assert_int_equal(c.trouble.silence_ns, 0);
	assert_false(c.trouble.cut);
	assert_int_equal(c.rtt_ns, 20 * NS_PER_MS);
	assert_int_equal(c.client_rtt_ns, 1 * NS_PER_MS);
	assert_int_equal(c.trouble.spoke[0], 4);
	assert_int_equal(c.trouble.spoke[1], 2);
}

/* Time is lost from the first copy on, once: 200 ms, then 400 more; and nothing is timed by what was sent twice. */
static void sent_again(void **state)
{
	const struct step steps[] = {HANDSHAKE,
	                             {100, false, A, 1001, 5001, 100, 100},
	                             {300, false, A, 1001, 5001, 100, 100},
	                             {700, false, A, 1001, 5001, 100, 100},
	                             {701, true, A, 5001, 1101, 0, 100}};
	(void)state;
	struct lens_conn c = PLAY(steps);
	assert_int_equal(c.trouble.resent, 2);
	assert_int_equal(c.trouble.resend_ns, 600 * NS_PER_MS);
	assert_int_equal(c.trouble.resent_frames[0], 5);
	assert_int_equal(c.trouble.resent_frames[1], 6);
	assert_int_equal(c.rtt_ns, 20 * NS_PER_MS);
}

/* The same frame twice at once is the capture's doing. */
static void captured_twice(void **state)
{
	const struct step steps[] = {
	        HANDSHAKE, {100, false, A, 1001, 5001, 100, 100}, {100, false, A, 1001, 5001, 100, 100}};
	(void)state;
	assert_int_equal(PLAY(steps).trouble.resent, 0);
}

static void shut_window(void **state)
{
	const struct step steps[] = {HANDSHAKE,
	                             {100, false, A, 1001, 5001, 100, 100},
	                             {101, true, A, 5001, 1101, 0, 0},
	                             {300, false, A, 1100, 5001, 1, 100}, /* a probe: nothing is lost */
	                             {301, true, A, 5001, 1101, 0, 0},
	                             {901, true, A, 5001, 1101, 0, 100}};
	(void)state;
	struct lens_conn c = PLAY(steps);
	assert_int_equal(c.trouble.zero_windows, 1);
	assert_int_equal(c.trouble.zero_ns, 800 * NS_PER_MS);
	assert_int_equal(c.trouble.zero_frames[0], 5);
	assert_true(c.trouble.zero_by_server);
	assert_int_equal(c.trouble.resent, 0);
}

/* Keep-alives of both kinds, and a server's reset behind a silence. */
static void silence(void **state)
{
	const struct step steps[] = {HANDSHAKE,
	                             {100, false, A, 1001, 5001, 100, 100},
	                             {120, true, A, 5001, 1101, 50, 100},
	                             {20120, false, A, 1100, 5051, 1, 100},
	                             {20121, true, A, 5050, 1101, 0, 100},
	                             {90121, false, A, 1101, 5051, 100, 100},
	                             {90122, true, TCP_RST, 5051, 0, 0, 0}};
	(void)state;
	struct lens_conn c = PLAY(steps);
	assert_int_equal(c.trouble.keep_alives, 2);
	assert_int_equal(c.trouble.silence_ns, 70 * NS_PER_S);
	assert_int_equal(c.trouble.silence_frame, 8);
	assert_int_equal(c.trouble.heard[0], 1);
	assert_int_equal(c.trouble.heard[1], 1);
	assert_true(c.trouble.cut && c.trouble.cut_by_server && c.trouble.cut_by_reset);
	assert_int_equal(c.trouble.cut_frame, 9);
}

/* What is sent again into the dark does not make the silence shorter. */
static void dead_after_silence(void **state)
{
	const struct step steps[] = {HANDSHAKE,
	                             {100, false, A, 1001, 5001, 100, 100},
	                             {120, true, A, 5001, 1101, 50, 100},
	                             {90120, false, A, 1101, 5051, 100, 100},
	                             {91120, false, A, 1101, 5051, 100, 100},
	                             {93120, false, A, 1101, 5051, 100, 100}};
	(void)state;
	struct lens_conn c = PLAY(steps);
	assert_int_equal(c.trouble.silence_ns, 90 * NS_PER_S);
	assert_int_equal(c.trouble.heard[0], 3);
	assert_int_equal(c.trouble.heard[1], 0);
	assert_int_equal(c.trouble.resent, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(quiet_connection), cmocka_unit_test(sent_again), cmocka_unit_test(captured_twice),
	        cmocka_unit_test(shut_window),      cmocka_unit_test(silence),    cmocka_unit_test(dead_after_silence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
