#include "rpch_rig.h"

#include "http/rts.h"

/* Peers that break the rules: each ends its own connection, or its own channel, with the reason. */

static void put_rts(struct buf *out, const struct rts *rts)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	buf_clear(out);
	assert_int_equal(rts_encode(arena, rts, out), 0);
}

static void feed_rts(struct rpch_connection *c, struct rpch_channel *ch, const struct rts *rts)
{
	struct buf MW_CLEANUP(buf_free) out = {0};
	put_rts(&out, rts);
	rpch_feed(c, ch, out.data, out.len, 1000000);
}

static void open_rig(struct rig *r)
{
	rig_start(r, 1, (struct rpch_config){0}, (struct rpch_config){.owner = 0});
	r->whole = true;
	rig_run(r);
	assert_true(r->client_open && r->server_open);
}

/* ---- Channels of strangers ---- */

static const struct guid odd = {1, 2, 3, {4}};

enum cookie { RIGHT, WRONG };

static const struct stranger {
	const char *name;
	enum rts_kind kind;
	enum cookie connection, predecessor;
	uint64_t owner;
	const char *why;
} strangers[] = {
        {"a second OUT channel", RTS_CONN_A1, RIGHT, RIGHT, 0, "a second channel where there is one"},
        {"a second IN channel", RTS_CONN_B1, RIGHT, RIGHT, 0, "a second channel where there is one"},
        {"another connection", RTS_CONN_A1, WRONG, RIGHT, 0, "another virtual connection's cookie"},
        {"a successor of another connection", RTS_IN_A1, WRONG, RIGHT, 0, "another virtual connection's cookie"},
        {"a successor IN channel, not knowing the cookie", RTS_IN_A1, RIGHT, WRONG, 0,
         "a successor that does not know its predecessor's cookie"},
        {"a successor IN channel of another user", RTS_IN_A1, RIGHT, RIGHT, 7, "a channel that another user asks for"},
        {"a successor OUT channel that nobody wants", RTS_OUT_A3, RIGHT, RIGHT, 0,
         "a successor of a channel that is not to be replaced"},
};

static void check_stranger(const struct stranger *s)
{
	struct rig r = {0};
	struct buf MW_CLEANUP(buf_free) bytes = {0}, pdu = {0};
	struct rpch_opening opening;
	struct rpch_channel *ch = NULL;
	const char *why = NULL;
	open_rig(&r);
	bool in = s->kind == RTS_CONN_B1 || s->kind == RTS_IN_A1;
	struct rts rts = {.kind = s->kind, .version = 1, .window = 65536, .lifetime = 1 << 30};
	rts.cookies[0] = s->connection == RIGHT ? r.connection_cookie : odd;
	rts.cookies[1] = s->predecessor == RIGHT ? rpch_channel(r.client, in ? RPCH_IN : RPCH_OUT)->cookie : odd;
	rts.cookies[2] = odd;
	put_rts(&bytes, &rts);
	assert_int_equal(rpch_read_opening(in ? RPCH_IN : RPCH_OUT, bytes.data, bytes.len, &opening, &why), 0);
	int got = rpch_attach(r.server, &opening, s->owner, r.now, &ch, &why);
	if (got != (s->owner ? MW_E_AUTH : MW_E_STATE) || strcmp(why, s->why) != 0)
		fail_msg("%s: %d, %s", s->name, got, why ? why : "-");
	/* The connection has not noticed. */
	rig_pdu(&r, &pdu, 1);
	assert_int_equal(rpch_send(r.client, pdu.data, pdu.len, r.now), 0);
	rig_run(&r);
	assert_int_equal(r.server_got.len, pdu.len);
	rig_stop(&r);
}

static void test_strangers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		check_stranger(&strangers[i]);
}

/* What a channel may begin with. */
static void test_openings(void **state)
{
	(void)state;
	for (int d = RPCH_IN; d <= RPCH_OUT; d++)
		for (enum rts_kind kind = RTS_CONN_A1; kind <= RTS_FLOW_ACK_TO; kind++) {
			struct buf MW_CLEANUP(buf_free) bytes = {0};
			struct rpch_opening opening;
			const char *why = NULL;
			put_rts(&bytes, &(struct rts){.kind = kind, .version = 1, .window = 8192});
			bool may = d == RPCH_IN ? kind == RTS_CONN_B1 || kind == RTS_IN_A1
			                        : kind == RTS_CONN_A1 || kind == RTS_OUT_A3;
			for (size_t n = 0; n < bytes.len; n++)
				assert_int_not_equal(rpch_read_opening(d, bytes.data, n, &opening, &why), 0);
			assert_int_equal(rpch_read_opening(d, bytes.data, bytes.len, &opening, &why),
			                 may ? 0 : MW_E_MALFORMED);
		}
	struct rpch_opening opening;
	const char *why = NULL;
	assert_int_equal(rpch_read_opening(RPCH_IN, "GET / HTTP/1.1\r\n\r\n", 18, &opening, &why), MW_E_MALFORMED);
}

/* ---- RTS PDUs where they do not belong ---- */

/* Each kind on a channel of an open connection; those listed are taken, the others end it. */
static void check_kinds(bool server, enum rpch_direction direction, uint64_t taken)
{
	for (enum rts_kind kind = RTS_OTHER + 1; kind <= RTS_FLOW_ACK_TO; kind++) {
		struct rig r = {0};
		open_rig(&r);
		struct rpch_connection *c = server ? r.server : r.client;
		struct rts rts = {.kind = kind, .version = 1, .window = 65536, .keepalive = 60000, .timeout = 120000};
		rts.destination = server ? RTS_FD_OUT_PROXY : RTS_FD_CLIENT;
		rts.ack.ChannelCookie = rpch_channel(c, !direction)->cookie;
		rts.ack.AvailableWindow = 65536;
		feed_rts(c, rpch_channel(c, direction), &rts);
		const char *over = server ? r.server_over : r.client_over;
		if ((over == NULL) != (taken >> kind & 1))
			fail_msg("%s to the %s: %s", rts_name(kind), server ? "server" : "client",
			         over ? over : "taken");
		rig_stop(&r);
	}
}

static void test_kinds(void **state)
{
	const uint64_t one = 1;
	(void)state;
	check_kinds(true, RPCH_IN, one << RTS_PING | one << RTS_KEEP_ALIVE | one << RTS_FLOW_ACK_TO);
	check_kinds(true, RPCH_OUT, one << RTS_OUT_R2_C1);
	check_kinds(false, RPCH_OUT,
	            one << RTS_PING | one << RTS_FLOW_ACK_TO | one << RTS_FLOW_ACK | one << RTS_OUT_A2);
	check_kinds(false, RPCH_IN, 0);
}

/* A client that has heard nothing, or CONN/A3 alone. */
static void test_order(void **state)
{
	(void)state;
	for (enum rts_kind kind = RTS_OTHER + 1; kind <= RTS_FLOW_ACK_TO; kind++) {
		struct rig r = {0};
		rig_start(&r, 1, (struct rpch_config){0}, (struct rpch_config){0});
		feed_rts(r.client, rpch_channel(r.client, RPCH_OUT), &(struct rts){.kind = kind, .window = 8192});
		assert_int_equal(r.client_over == NULL, kind == RTS_CONN_A3 || kind == RTS_PING);
		if (kind == RTS_CONN_A3) {
			feed_rts(r.client, rpch_channel(r.client, RPCH_OUT), &(struct rts){.kind = RTS_CONN_A3});
			assert_string_equal(r.client_over, "an RTS PDU out of order");
		}
		rig_stop(&r);
	}
}

static void test_wrong_destination(void **state)
{
	struct rig r = {0};
	(void)state;

	open_rig(&r);
	feed_rts(r.client, rpch_channel(r.client, RPCH_OUT),
	         &(struct rts){.kind = RTS_OUT_A2, .destination = RTS_FD_SERVER});
	assert_string_equal(r.client_over, "an RTS PDU that is not for the client");
	rig_stop(&r);
}

/* ---- Bytes that are no PDUs, and PDUs that may not come ---- */

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
	        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	        "\5\0\0\3\x10\0\0\0\x0f\0\0\0\0\0\0\0\0",
	        "\5\0\0\3\0\0\0\0\0\x0f\0\0\0\0\0\0\0",
	        "\4\0\0\3\x10\0\0\0\x18\0\0\0\0\0\0\0",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		for (size_t step = 1; step <= 16; step += 15) {
			struct rig r = {0};
			open_rig(&r);
			for (size_t at = 0; at < 16; at += step)
				rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), garbage[i] + at, step, r.now);
			assert_string_equal(r.server_over, "no RPC PDU");
			rig_stop(&r);
		}
}

/* Big-endian RPC PDUs are as good as others. */
static void test_big_endian(void **state)
{
	static const uint8_t pdu[] = {5, 0, 18, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1};
	struct rig r = {0};
	(void)state;

	open_rig(&r);
	assert_int_equal(rpch_send(r.client, pdu, sizeof pdu, r.now), 0);
	rig_run(&r);
	assert_int_equal(r.server_got.len, sizeof pdu);
	rig_stop(&r);
}

static void test_too_early(void **state)
{
	static const uint8_t pdu[] = {5, 0, 18, 3, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 1};
	struct rig r = {.whole = true};
	(void)state;

	rig_start(&r, 1, (struct rpch_config){0}, (struct rpch_config){0});
	rig_move(&r, r.links[1]); /* CONN/B1 alone */
	rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), pdu, sizeof pdu, r.now);
	assert_string_equal(r.server_over, "an RPC PDU where only RTS PDUs may be");
	rig_stop(&r);
}

/* ---- Windows ---- */

static void test_window_overrun(void **state)
{
	struct rig r = {0};
	struct buf MW_CLEANUP(buf_free) pdus = {0};
	size_t within = 0;
	(void)state;

	open_rig(&r);
	rpch_hold(r.server, true, r.now);
	while (pdus.len < 65536) {
		within = pdus.len;
		rig_pdu(&r, &pdus, 1);
	}
	rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), pdus.data, within, r.now);
	assert_null(r.server_over);
	assert_int_equal(r.server_got.len, 0);
	rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), pdus.data + within, pdus.len - within, r.now);
	assert_string_equal(r.server_over, "more bytes than the window has room for");
	rig_stop(&r);
}

static const struct {
	uint32_t received, window;
	bool other_channel;
	const char *why; /* NULL: taken, or passed over */
} acknowledgements[] = {
        {0, 65536, false, NULL},
        {1000, 65536, false, NULL},
        {1000, 0, false, NULL},
        {1001, 65536, false, "acknowledgement"},
        {1000, 65537, false, "acknowledgement"},
        {0, 999, false, "acknowledgement"},
        {UINT32_MAX, 65536, false, "acknowledgement"},
        {1001, UINT32_MAX, true, NULL},
};

static void test_acknowledgements(void **state)
{
	static uint8_t pdu[1000] = {5, 0, 2, 3, 16, 0, 0, 0, 1000 & 255, 1000 >> 8};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(acknowledgements); i++) {
		struct rig r = {0};
		struct rts rts = {.kind = RTS_FLOW_ACK_TO, .destination = RTS_FD_OUT_PROXY};
		open_rig(&r);
		assert_int_equal(rpch_send(r.server, pdu, sizeof pdu, r.now), 0);
		rts.ack.BytesReceived = acknowledgements[i].received;
		rts.ack.AvailableWindow = acknowledgements[i].window;
		rts.ack.ChannelCookie =
		        acknowledgements[i].other_channel ? odd : rpch_channel(r.server, RPCH_OUT)->cookie;
		feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &rts);
		assert_int_equal(r.server_over == NULL, acknowledgements[i].why == NULL);
		if (acknowledgements[i].why)
			assert_non_null(strstr(r.server_over, acknowledgements[i].why));
		rig_stop(&r);
	}
}

/* The window is shut, then opened: what waited goes in order. */
static void test_shut_window(void **state)
{
	static uint8_t pdu[1000] = {5, 0, 2, 3, 16, 0, 0, 0, 1000 & 255, 1000 >> 8};
	struct rts rts = {.kind = RTS_FLOW_ACK_TO, .destination = RTS_FD_OUT_PROXY};
	struct rig r = {0};
	(void)state;

	open_rig(&r);
	rts.ack.ChannelCookie = rpch_channel(r.server, RPCH_OUT)->cookie;
	feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &rts);
	assert_int_equal(rpch_send(r.server, pdu, sizeof pdu, r.now), 0);
	assert_int_equal(rpch_waiting(r.server), 1000);
	rts.ack.AvailableWindow = 1001;
	feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &rts);
	assert_int_equal(rpch_waiting(r.server), 0);
	rig_run(&r);
	assert_int_equal(r.client_got.len, 1000);
	rig_stop(&r);
}

/* Its owner pings, but never opens it. */
static void test_window_stays_shut(void **state)
{
	static uint8_t pdu[1000] = {5, 0, 2, 3, 16, 0, 0, 0, 1000 & 255, 1000 >> 8};
	struct rts rts = {.kind = RTS_FLOW_ACK_TO, .destination = RTS_FD_OUT_PROXY};
	struct rig r = {0};
	(void)state;

	open_rig(&r);
	rts.ack.ChannelCookie = rpch_channel(r.server, RPCH_OUT)->cookie;
	feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &rts);
	assert_int_equal(rpch_send(r.server, pdu, sizeof pdu, r.now), 0);
	for (int seconds = 60; seconds <= 240; seconds += 60) {
		int64_t now = r.now + seconds * INT64_C(1000000000);
		struct buf MW_CLEANUP(buf_free) ping = {0};
		put_rts(&ping, &(struct rts){.kind = RTS_PING});
		rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), ping.data, ping.len, now);
		assert_null(r.server_over);
		rpch_tick(r.server, now);
	}
	assert_string_equal(r.server_over, "the peer's window stays shut");
	rig_stop(&r);
}

/* ---- Successors ---- */

/* An IN channel whose successor is there: what a client may say then. */
static void open_successor(struct rig *r, struct rpch_channel **ch, bool separate)
{
	struct rpch_opening opening = {.direction = RPCH_IN, .successor = true, .channel = odd, .version = 1};
	const char *why = NULL;
	rig_start(r, 1, (struct rpch_config){0}, (struct rpch_config){.separate_proxies = separate});
	r->whole = true;
	rig_run(r);
	opening.connection = r->connection_cookie;
	opening.predecessor = rpch_channel(r->server, RPCH_IN)->cookie;
	assert_int_equal(rpch_attach(r->server, &opening, 0, r->now, ch, &why), 0);
	(*ch)->user = r->links[1];
}

static void test_switch_with_wrong_cookie(void **state)
{
	struct rig r = {0};
	struct rpch_channel *next;
	(void)state;

	open_successor(&r, &next, false);
	feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &(struct rts){.kind = RTS_COOKIE, .cookies = {{9}}});
	assert_string_equal(r.server_over, "a switch to an IN channel that is no successor");
	rig_stop(&r);
}

/* A successor's bytes wait until its predecessor has ended; too many do not. */
static void test_early_bytes(void **state)
{
	static uint8_t many[300000];
	static const uint8_t pdu[] = {5, 0, 18, 3, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 1};
	struct rig r = {0};
	struct rpch_channel *next;
	(void)state;

	open_successor(&r, &next, true);
	rpch_feed(r.server, next, pdu, sizeof pdu, r.now);
	assert_int_equal(r.server_got.len, 0);
	feed_rts(r.server, rpch_channel(r.server, RPCH_IN), &(struct rts){.kind = RTS_COOKIE, .cookies = {odd}});
	assert_null(r.server_over);
	assert_int_equal(r.server_got.len, sizeof pdu);
	assert_ptr_equal(rpch_channel(r.server, RPCH_IN), next);
	rig_stop(&r);

	memset(&r, 0, sizeof r);
	open_successor(&r, &next, false);
	rpch_feed(r.server, next, many, sizeof many, r.now);
	assert_non_null(strstr(r.server_over, "before it is in use"));
	rig_stop(&r);
}

/* The loss of any channel ends the connection, but of one that has been replaced. */
static void test_lost(void **state)
{
	struct rig r = {0};
	struct rpch_channel *next;
	(void)state;

	open_successor(&r, &next, false);
	rpch_lost(r.server, next, "reset", r.now);
	assert_string_equal(r.server_over, "reset");
	assert_int_equal(rpch_send(r.server, "", 0, r.now), MW_E_STATE);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_strangers),
	        cmocka_unit_test(test_openings),
	        cmocka_unit_test(test_kinds),
	        cmocka_unit_test(test_order),
	        cmocka_unit_test(test_wrong_destination),
	        cmocka_unit_test(test_garbage),
	        cmocka_unit_test(test_big_endian),
	        cmocka_unit_test(test_too_early),
	        cmocka_unit_test(test_window_overrun),
	        cmocka_unit_test(test_acknowledgements),
	        cmocka_unit_test(test_shut_window),
	        cmocka_unit_test(test_switch_with_wrong_cookie),
	        cmocka_unit_test(test_window_stays_shut),
	        cmocka_unit_test(test_early_bytes),
	        cmocka_unit_test(test_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
