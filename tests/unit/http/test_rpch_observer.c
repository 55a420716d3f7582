#include "rpch_rig.h"

#include "http/rpch_observer.h"

/* What an observer makes of a client and a server, and of what is not captured. */

struct watch {
	struct rpch_observer *observer;
	struct buf up, down;                 /* RPC PDUs that it handed out */
	unsigned rts, damaged, gaps, others; /* others: PDUs of another connection than the first */
	struct rpch_seen *seen[RIG_MAX_LINKS];
};

static void on_sight(void *user, const struct rpch_sight *s)
{
	struct watch *w = user;
	w->rts += s->type == RPCH_SAW_RTS;
	w->damaged += s->type == RPCH_SAW_DAMAGED;
	w->gaps += s->type == RPCH_SAW_GAP;
	if (s->type != RPCH_SAW_PDU)
		return;
	buf_put(s->from_client ? &w->up : &w->down, s->data, s->len);
	w->others += s->channel->connection != 1;
}

static void on_wire(void *user, unsigned link, bool from_client, const void *data, size_t len)
{
	struct rig *r = user;
	struct watch *w = r->watch;
	if (!w->seen[link])
		w->seen[link] = rpch_observe_channel(w->observer, r->links[link]->direction, NULL);
	rpch_observe(w->observer, w->seen[link], from_client, data, len);
}

static void watch_start(struct rig *r, struct watch *w, uint64_t seed, bool separate)
{
	struct rpch_config server = {.lifetime = 131072, .separate_proxies = separate};
	w->observer = rpch_observer_new(on_sight, w);
	assert_non_null(w->observer);
	r->watch = w;
	r->on_wire = on_wire;
	rig_start(r, seed, (struct rpch_config){.lifetime = 131072}, server);
}

static void watch_stop(struct rig *r, struct watch *w)
{
	rpch_observer_free(&w->observer);
	buf_free(&w->up);
	buf_free(&w->down);
	rig_stop(r);
}

/* All PDUs in order, over many replaced channels, with nothing damaged. */
static void test_follows(void **state)
{
	static struct watch w;
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct rig r = {0};
		memset(&w, 0, sizeof w);
		watch_start(&r, &w, seed, seed % 2);
		for (unsigned i = 0; i < 300; i++) {
			struct buf MW_CLEANUP(buf_free) pdu = {0};
			rig_pdu(&r, &pdu, i);
			assert_int_equal(rpch_send(i % 2 ? r.client : r.server, pdu.data, pdu.len, r.now), 0);
			rig_move(&r, r.links[r.link_count - 1 -
			                     noise_next(&r.noise) % (r.link_count < 4 ? r.link_count : 4)]);
		}
		rig_run(&r);
		assert_null(r.server_over);
		assert_true(r.done[RPCH_IN] >= 2 && r.done[RPCH_OUT] >= 2);
		assert_int_equal(w.damaged + w.gaps + w.others, 0);
		assert_int_equal(w.up.len, r.server_got.len);
		assert_memory_equal(w.up.data, r.server_got.data, w.up.len);
		assert_int_equal(w.down.len, r.client_got.len);
		assert_memory_equal(w.down.data, r.client_got.data, w.down.len);
		assert_true(w.rts > 20);
		watch_stop(&r, &w);
	}
}

/* Missing bytes are told, and reading goes on with the next PDU; without the first PDU the connection is unknown. */
static void test_gaps(void **state)
{
	static const uint8_t pdu[24] = {5, 0, 0, 3, 16, 0, 0, 0, 24, 0, 0, 0, 1};
	static struct watch w;
	(void)state;
	memset(&w, 0, sizeof w);
	w.observer = rpch_observer_new(on_sight, &w);
	struct rpch_seen *ch = rpch_observe_channel(w.observer, RPCH_IN, NULL);
	rpch_observe(w.observer, ch, true, pdu + 5, 19);
	rpch_observe(w.observer, ch, true, pdu, 24);
	assert_int_equal(w.damaged, 1);
	assert_int_equal(w.up.len, 24);
	rpch_observe(w.observer, ch, true, pdu, 10);
	rpch_observe_gap(w.observer, ch, true, 100);
	rpch_observe(w.observer, ch, true, "xyz", 3);
	rpch_observe(w.observer, ch, true, pdu, 24);
	assert_int_equal(w.gaps, 1);
	assert_int_equal(w.up.len, 48);
	assert_int_equal(w.others, 2);
	assert_int_equal(ch->connection, 0);
	buf_free(&w.up);
	rpch_observer_free(&w.observer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_follows),
	        cmocka_unit_test(test_gaps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
