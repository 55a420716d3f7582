#include "rig.h"

/* The observer on what was recorded: in any portions, with holes, from the middle, one side only. */

static void record(struct rig *r, enum auth_level level, unsigned calls)
{
	rig_open(r, 42);
	rig_bind(r, level);
	for (unsigned i = 0; i < calls; i++) {
		size_t len = i % 4 == 3 ? 14000 : 40 + i;
		uint8_t *stub = rig_bytes(r, len);
		rig_call(r, i % 5 == 4 ? OP_FAULT : OP_REVERSE, stub, len);
		free(stub);
	}
	buf_put_u8(&r->observer_log, 0);
}

static unsigned count(struct buf *log, const char *what)
{
	unsigned n = 0;

	for (const char *p = rig_text(log); (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void test_portions(void **state)
{
	static const size_t portions[] = {1, 2, 3, 7, 15, 16, 17, 100, 5840, 1 << 20};
	(void)state;

	for (int level = AUTH_LEVEL_NONE; level <= AUTH_LEVEL_PRIVACY; level++) {
		struct buf MW_CLEANUP(buf_free) live = {0};
		struct rig r;
		record(&r, (enum auth_level)level, 6);
		buf_put(&live, r.observer_log.data, r.observer_log.len);
		for (size_t i = 0; i < ARRAY_SIZE(portions); i++) {
			rig_observe_anew(&r);
			rig_play(&r, &(struct rig_replay){.portion = portions[i]});
			assert_string_equal(rig_text(&r.observer_log), (char *)live.data);
		}
		rig_close(&r);
	}
}

/* A hole anywhere: both sides go on, and what follows is still opened and verified. */
static void test_holes(void **state)
{
	static const size_t sizes[] = {1, 20, 700, 6000};
	(void)state;

	for (int level = AUTH_LEVEL_NONE; level <= AUTH_LEVEL_PRIVACY; level += 5) {
		struct rig r;
		record(&r, (enum auth_level)level, 12);
		for (unsigned side = 0; side < 2; side++) {
			/* After the handshake, and before the last calls. */
			for (uint64_t at = 700; at < 20000; at += 397) {
				struct rig_replay how = {.portion = 1460};
				how.from[side] = at;
				how.to[side] = at + sizes[at % 4];
				rig_observe_anew(&r);
				rig_play(&r, &how);
				assert_int_equal(count(&r.observer_log, " gap "), 1);
				assert_int_equal(count(&r.observer_log, "BAD"), 0);
				assert_true(rig_saw(&r.observer_log, "> request 13 ctx0 11111111 op4 frags3"));
				assert_true(rig_saw(&r.observer_log, "< response 13 ctx0 11111111 op4 frags3"));
				if (level == AUTH_LEVEL_PRIVACY)
					assert_true(count(&r.observer_log, "signed opened") >= 12);
				assert_int_equal(count(&r.observer_log, "sealed"), 0);
			}
		}
		rig_close(&r);
	}
}

/* The same hole in different portions gives the same events. */
static void test_holes_in_portions(void **state)
{
	struct rig r;
	(void)state;

	record(&r, AUTH_LEVEL_NONE, 8);
	for (uint64_t at = 10; at < 16000; at += 1237) {
		struct buf MW_CLEANUP(buf_free) first = {0};
		for (size_t portion = 1; portion < 4000; portion = portion * 7 + 1) {
			struct rig_replay how = {.portion = portion, .from = {at, at}, .to = {at + 300, at + 30}};
			rig_observe_anew(&r);
			rig_play(&r, &how);
			rig_text(&r.observer_log);
			if (first.len == 0)
				buf_put(&first, r.observer_log.data, r.observer_log.len + 1);
			assert_string_equal((char *)first.data, (char *)r.observer_log.data);
		}
	}
	rig_close(&r);
}

static void test_midstream(void **state)
{
	struct rig r;
	(void)state;

	/* The capture begins in the middle of a PDU of each side; no bind is seen. */
	record(&r, AUTH_LEVEL_NONE, 8);
	rig_observe_anew(&r);
	rpc_gap(r.observer, RPC_FROM_CLIENT, 0);
	rpc_gap(r.observer, RPC_FROM_SERVER, 0);
	assert_int_equal(r.observer_log.len, 0);
	rpc_assume_interface(r.observer, 0, &rig_other);
	rig_play(&r, &(struct rig_replay){.portion = 900, .skip = {false, false}, .from = {0, 0}, .to = {333, 555}});
	assert_true(rig_saw(&r.observer_log, "> request 9 ctx0 aaaaaaaa op4"));
	assert_true(rig_saw(&r.observer_log, "< response 9 ctx0 aaaaaaaa op4"));
	rig_close(&r);

	/* Without assumption the interface is not known, but the call is. */
	record(&r, AUTH_LEVEL_CONNECT, 8);
	rig_observe_anew(&r);
	rig_play(&r, &(struct rig_replay){.portion = 900, .from = {0, 0}, .to = {600, 600}});
	assert_true(rig_saw(&r.observer_log, "> request 9 ctx0 ? op4 frags3 len14000"));
	assert_true(rig_saw(&r.observer_log, "< response 9 ctx0 ? op4 frags3 len14000"));
	rig_close(&r);
}

static void test_one_side(void **state)
{
	struct rig r;
	(void)state;

	record(&r, AUTH_LEVEL_NONE, 200);
	/* The client's alone: what was offered stands for what was accepted. */
	rig_observe_anew(&r);
	rig_play(&r, &(struct rig_replay){.portion = 1000, .skip = {false, true}});
	assert_int_equal(count(&r.observer_log, "> request"), 200);
	assert_int_equal(count(&r.observer_log, "11111111 op"), 200);
	assert_int_equal(count(&r.observer_log, "<"), 0);
	/* The server's alone: answers to requests that nobody saw. */
	rig_observe_anew(&r);
	rig_play(&r, &(struct rig_replay){.portion = 1000, .skip = {true, false}});
	assert_int_equal(count(&r.observer_log, "< response"), 160);
	assert_int_equal(count(&r.observer_log, "< fault"), 40);
	assert_int_equal(count(&r.observer_log, " op"), 0);
	rig_close(&r);
}

static void feed_hex(struct rig *r, enum rpc_side side, const char *hex)
{
	uint8_t bytes[1024];
	size_t n = rig_hex(hex, bytes, sizeof bytes);

	for (size_t i = 0; i < n; i++)
		rpc_feed(r->observer, side, bytes + i, 1, 0);
}

static void test_damage(void **state)
{
	struct rig r;
	(void)state;

	rig_open(&r, 1);
	/* A good header and a bad body: the next PDU is found where the header says. */
	feed_hex(&r, RPC_FROM_CLIENT, "05000003 10000000 2000 f000 05000000 08000000 0000 0200 6161616161616161");
	assert_string_equal(rig_text(&r.observer_log), "> damaged 5 authentication reaches beyond the fragment\n");
	feed_hex(&r, RPC_FROM_CLIENT, "05000003 10000000 1a00 0000 06000000 08000000 0000 0200 6161");
	assert_true(rig_saw(&r.observer_log, "> request 6 ctx0 ? op2 frags1 len2"));
	/* Bytes that are none of ours, then PDUs again; told once. */
	buf_clear(&r.observer_log);
	feed_hex(&r, RPC_FROM_CLIENT, "0505050505050505 0500000310000000ffff00000500000000000000 00112233445566778899");
	feed_hex(&r, RPC_FROM_CLIENT, "05000003 10000000 1a00 0000 07000000 08000000 0000 0200 6161");
	assert_string_equal(rig_text(&r.observer_log),
	                    "> damaged 0 no RPC PDU begins here\n> request 7 ctx0 ? op2 frags1 len2 sum4c250437\n");
	/* The tail of a call, its beginning unseen. */
	buf_clear(&r.observer_log);
	feed_hex(&r, RPC_FROM_SERVER, "05000202 10000000 1a00 0000 09000000 08000000 0000 0000 6161");
	assert_true(rig_saw(&r.observer_log, "< damaged 9 fragment of a call whose beginning is missing"));
	/* It ends inside a PDU. */
	feed_hex(&r, RPC_FROM_SERVER, "05000202 10000000 1a00 0000");
	rpc_eof(r.observer, RPC_FROM_SERVER, 0);
	assert_true(rig_saw(&r.observer_log, "< damaged 0 the stream ends inside a PDU"));
	rig_close(&r);
}

static void test_flipped_bit(void **state)
{
	struct rig r;
	(void)state;

	/* In a sealed answer: shown as a mismatch, and the next call verifies again. */
	rig_open(&r, 7);
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	rig_call(&r, OP_ECHO, "abcd", 4);
	r.flip[RPC_FROM_SERVER] = r.sent[RPC_FROM_SERVER] + 30;
	rig_call(&r, OP_ECHO, "abcd", 4);
	assert_true(rig_saw(&r.observer_log, "< response 3 ctx0 11111111 op0 frags1 len4"));
	assert_int_equal(count(&r.observer_log, "BAD opened"), 1);
	assert_true(rig_saw(&r.client_log, "the answer's signature does not verify"));
	rig_close(&r);
}

/* A sealed PDU whose header was damaged cannot be opened; those that follow can. */
static void test_lost_position(void **state)
{
	struct buf *tape;
	struct rig r;
	(void)state;

	record(&r, AUTH_LEVEL_PRIVACY, 6);
	tape = &r.tape;
	/* The last but one request: its auth_length is made too large. */
	for (size_t i = tape->len - 1; i > 5; i--) {
		uint8_t *p = tape->data + i;
		if (tape->len - i > 16 && p[0] == 5 && p[1] == 0 && p[2] == RPC_REQUEST && p[3] == 3 && p[4] == 0x10 &&
		    p[12] == 6) {
			p[11] = 0x70;
			break;
		}
	}
	rig_observe_anew(&r);
	rig_play(&r, &(struct rig_replay){.portion = 5000});
	assert_true(rig_saw(&r.observer_log, "> damaged 6 authentication reaches beyond the fragment"));
	assert_int_equal(count(&r.observer_log, "BAD"), 0);
	assert_int_equal(count(&r.observer_log, "sealed"), 0);
	assert_true(rig_saw(&r.observer_log, "> request 7 ctx0 11111111 op4 frags1 len45"));
	rig_close(&r);
}

struct span {
	uint64_t first, end;
	unsigned events;
};

static void note_span(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct span *s = user;

	(void)c;
	if (e->from != RPC_FROM_SERVER)
		return;
	/* Without holes each event begins where the one before it ended. */
	assert_int_equal(e->first, s->end);
	s->first = e->first;
	s->end = e->end;
	s->events++;
}

static void test_offsets(void **state)
{
	struct span span = {0};
	struct rig r;
	(void)state;

	record(&r, AUTH_LEVEL_INTEGRITY, 8);
	rpc_connection_free(&r.observer);
	struct rpc_config config = {.role = RPC_OBSERVER, .on_event = note_span, .user = &span};
	r.observer = rpc_connection_new(&config);
	rig_play(&r, &(struct rig_replay){.portion = 777});
	assert_int_equal(span.events, 9);
	assert_int_equal(span.end, r.sent[RPC_FROM_SERVER]);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_portions),          cmocka_unit_test(test_holes),
	        cmocka_unit_test(test_holes_in_portions), cmocka_unit_test(test_midstream),
	        cmocka_unit_test(test_one_side),          cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_flipped_bit),       cmocka_unit_test(test_lost_position),
	        cmocka_unit_test(test_offsets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
