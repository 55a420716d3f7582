#include "rpch_rig.h"

#include "http/rts.h"

/* Client against server, over a network that delays channels as it likes. */

static void test_opens(void **state)
{
	struct rig r = {0};
	(void)state;

	rig_start(&r, 1, (struct rpch_config){0}, (struct rpch_config){0});
	assert_int_equal(rpch_channel(r.client, RPCH_OUT)->output.len, RPCH_OUT_LENGTH);
	rig_run(&r);
	assert_true(r.client_open && r.server_open);
	assert_null(r.client_over);
	assert_null(r.server_over);
	rig_stop(&r);
}

/* What is sent before the connection stands goes out afterwards. */
static void test_waits(void **state)
{
	struct rig r = {0};
	struct buf MW_CLEANUP(buf_free) pdu = {0};
	(void)state;

	rig_start(&r, 2, (struct rpch_config){0}, (struct rpch_config){0});
	rig_pdu(&r, &pdu, 1);
	assert_int_equal(rpch_send(r.client, pdu.data, pdu.len, r.now), 0);
	assert_int_equal(rpch_waiting(r.client), pdu.len);
	rig_run(&r);
	assert_int_equal(r.server_got.len, pdu.len);
	assert_memory_equal(r.server_got.data, pdu.data, pdu.len);
	assert_int_equal(rpch_send(r.client, pdu.data, pdu.len - 1, r.now), MW_E_MALFORMED);
	rig_stop(&r);
}

#define SEEDS 4

struct traffic {
	uint32_t client_window, server_window, client_lifetime, server_lifetime;
	bool separate, holds;
	unsigned pdus;
	unsigned recycled[2]; /* at least so often */
};

static const struct traffic traffics[] = {
        {0, 0, 0, 0, false, false, 300, {0, 0}},
        {8192, 8192, 0, 0, false, false, 300, {0, 0}},
        {65536, 65536, 131072, 131072, false, false, 300, {4, 4}},
        {65536, 65536, 131072, 131072, true, false, 300, {4, 4}},
        {8192, 8192, 40000, 40000, false, false, 300, {20, 20}},
        {8192, 8192, 40000, 40000, true, true, 300, {20, 20}},
        {262144, 8192, 131072, 40000, false, true, 400, {4, 20}},
        {8192, 65536, 131072, 131072, true, true, 400, {4, 4}},
};

static void maybe_hold(struct rig *r, const struct traffic *t)
{
	if (!t->holds)
		return;
	rpch_hold(r->client, noise_next(&r->noise) % 3 == 0, r->now);
	rpch_hold(r->server, noise_next(&r->noise) % 3 == 0, r->now);
}

static void send_some(struct rig *r, struct rpch_connection *c, struct buf *all, uint32_t number)
{
	size_t before = all->len;
	for (unsigned n = noise_next(&r->noise) % 4; n > 0; n--)
		rig_pdu(r, all, number + n);
	assert_int_equal(rpch_send(c, all->data + before, all->len - before, r->now), 0);
}

static void check_all(struct rig *r, const struct buf *up, const struct buf *down)
{
	if (r->client_over || r->server_over)
		fail_msg("client: %s, server: %s", r->client_over ? r->client_over : "-",
		         r->server_over ? r->server_over : "-");
	assert_int_equal(r->server_got.len, up->len);
	assert_int_equal(r->client_got.len, down->len);
	assert_memory_equal(r->server_got.data, up->data, up->len);
	assert_memory_equal(r->client_got.data, down->data, down->len);
}

static void run_traffic(const struct traffic *t, uint64_t seed)
{
	struct rig r = {0};
	struct buf MW_CLEANUP(buf_free) up = {0}, down = {0};
	struct rpch_config client = {.window = t->client_window, .lifetime = t->client_lifetime};
	struct rpch_config server = {.window = t->server_window, .lifetime = t->server_lifetime};
	server.separate_proxies = t->separate;
	rig_start(&r, seed, client, server);
	for (unsigned i = 0; i < t->pdus; i++) {
		send_some(&r, r.client, &up, i);
		send_some(&r, r.server, &down, i);
		maybe_hold(&r, t);
		for (unsigned n = noise_next(&r.noise) % 8; n > 0; n--)
			rig_move(&r, r.links[r.link_count - 1 -
			                     noise_next(&r.noise) % (r.link_count < 4 ? r.link_count : 4)]);
	}
	rpch_hold(r.client, false, r.now);
	rpch_hold(r.server, false, r.now);
	rig_run(&r);
	check_all(&r, &up, &down);
	assert_true(r.done[RPCH_IN] >= t->recycled[RPCH_IN]);
	assert_true(r.done[RPCH_OUT] >= t->recycled[RPCH_OUT]);
	rig_stop(&r);
}

static void test_traffic(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(traffics); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			run_traffic(&traffics[i], seed);
}

/* No channel carries more than its Content-Length. */
static void test_lifetime(void **state)
{
	struct rig r = {0};
	struct buf MW_CLEANUP(buf_free) pdu = {0};
	(void)state;

	rig_start(&r, 20, (struct rpch_config){.lifetime = 50000}, (struct rpch_config){.lifetime = 50000});
	rig_run(&r);
	/* The client's successor never comes through: the network has lost it. */
	while (rpch_waiting(r.server) == 0 && !r.server_over) {
		struct rpch_channel *out = rpch_channel(r.server, RPCH_OUT);
		pdu.len = 0;
		rig_pdu(&r, &pdu, 1);
		assert_int_equal(rpch_send(r.server, pdu.data, pdu.len, r.now), 0);
		r.most_of_one[RPCH_OUT] += out->output.len;
		rpch_feed(r.client, rpch_channel(r.client, RPCH_OUT), out->output.data, out->output.len, r.now);
		buf_clear(&out->output);
		struct rpch_channel *in = rpch_channel(r.client, RPCH_IN);
		rpch_feed(r.server, rpch_channel(r.server, RPCH_IN), in->output.data, in->output.len, r.now);
		buf_clear(&in->output);
	}
	assert_null(r.server_over);
	assert_in_range(r.most_of_one[RPCH_OUT], 40000, 50000);
	rpch_tick(r.server, r.now + 61 * INT64_C(1000000000));
	assert_string_equal(r.server_over, "a channel was not replaced in time");
	rig_stop(&r);
}

static void run_time(struct rig *r, int64_t seconds)
{
	for (int64_t end = r->now + seconds * 1000000000; r->now < end; r->now += 5000000000) {
		rpch_tick(r->client, r->now);
		rpch_tick(r->server, r->now);
		rig_run(r);
	}
}

/* Two sides that say nothing for a day ping each other, and nothing else happens. */
static void test_pings(void **state)
{
	struct rig r = {.whole = true};
	(void)state;

	rig_start(&r, 21, (struct rpch_config){0}, (struct rpch_config){0});
	rig_run(&r);
	uint64_t up = r.carried[RPCH_IN], down = r.carried[RPCH_OUT];
	assert_true(rpch_deadline(r.client) <= r.now + 60 * INT64_C(1000000000));
	run_time(&r, 86400);
	assert_null(r.client_over);
	assert_null(r.server_over);
	assert_in_range((r.carried[RPCH_IN] - up) / RTS_HEADER_SIZE, 86400 / 70, 86400 / 60);
	assert_in_range((r.carried[RPCH_OUT] - down) / RTS_HEADER_SIZE, 86400 / 70, 86400 / 60);
	rig_stop(&r);
}

/* A peer that is gone without a word. */
static void test_silence(void **state)
{
	struct rig r = {.whole = true};
	(void)state;

	rig_start(&r, 22, (struct rpch_config){0}, (struct rpch_config){0});
	rig_run(&r);
	rpch_tick(r.server, r.now + 239 * INT64_C(1000000000));
	assert_null(r.server_over);
	rpch_tick(r.server, r.now + 240 * INT64_C(1000000000));
	assert_string_equal(r.server_over, "the peer is silent, without even a ping");
	rpch_tick(r.client, r.now + 240 * INT64_C(1000000000));
	assert_string_equal(r.client_over, "the peer is silent, without even a ping");
	rig_stop(&r);
}

/* One channel alone is given up. */
static void test_setup(void **state)
{
	struct rig r = {.whole = true};
	(void)state;

	rig_start(&r, 23, (struct rpch_config){0}, (struct rpch_config){0});
	rig_move(&r, r.links[0]);
	rpch_tick(r.server, r.now + 59 * INT64_C(1000000000));
	assert_null(r.server_over);
	rpch_tick(r.server, rpch_deadline(r.server));
	assert_string_equal(r.server_over, "the second channel did not come in time");
	assert_int_equal(rpch_deadline(r.server), INT64_MAX);
	rig_stop(&r);
}

static void test_echo(void **state)
{
	static const uint8_t echo[] = {5, 0, 20, 3, 16, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0};
	struct buf MW_CLEANUP(buf_free) out = {0};
	(void)state;

	rpch_put_echo(&out);
	assert_int_equal(out.len, RPCH_ECHO_SIZE);
	assert_memory_equal(out.data, echo, sizeof echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_opens),    cmocka_unit_test(test_waits),   cmocka_unit_test(test_traffic),
	        cmocka_unit_test(test_pings),    cmocka_unit_test(test_silence), cmocka_unit_test(test_setup),
	        cmocka_unit_test(test_lifetime), cmocka_unit_test(test_echo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
