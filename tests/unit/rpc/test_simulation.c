#include "rig.h"

/*
 * A network in memory between a client and a server, with an observer on the wire.
 * For each seed it cuts, delays and merges what either side writes, and lets one
 * side run ahead of the other; calls begin, wait, are cancelled, orphaned and
 * answered in any order, and further interfaces are bound meanwhile. Whatever it
 * does: every call gets its answer, once, and the observer sees them as they were.
 */

#define SEEDS 10000
#define MOST_CALLS 5
#define MOST_STEPS 200000
#define MOST_CONTEXTS 3

struct sim_call {
	uint32_t id;
	uint16_t opnum;
	uint8_t *stub;
	size_t len;
	uint16_t context;
	bool has_object;
	struct guid object;
	bool asked, answered, orphaned, cancelled;
};

struct sim {
	struct rig rig; /* first: events come with its address */
	struct sim_call calls[MOST_CALLS];
	unsigned planned, issued, parked_count;
	unsigned parked[MOST_CALLS];
	uint16_t contexts;                    /* accepted */
	unsigned seen_requests, seen_answers; /* by the observer */
	bool over, altering;
};

/* Over all seeds. */
static unsigned calls, answered, orphaned, cancelled, alters, fragmented;

static struct sim_call *call_of(struct sim *s, uint32_t id)
{
	for (unsigned i = 0; i < s->issued; i++)
		if (s->calls[i].id == id)
			return &s->calls[i];
	return NULL;
}

static void answer(struct sim *s, const struct sim_call *call)
{
	struct buf MW_CLEANUP(buf_free) reply = {0};
	int r;

	for (size_t i = 0; i < call->len; i++)
		buf_put_u8(&reply, call->stub[call->opnum == OP_ECHO ? i : call->len - 1 - i]);
	if (call->opnum == OP_FAULT)
		r = rpc_server_fault(s->rig.server, call->id, RIG_FAULT);
	else
		r = rpc_server_respond(s->rig.server, call->id, reply.data, reply.len);
	assert_true(r == 0 || (r == MW_E_NOTFOUND && call->orphaned));
}

static const struct rpc_syntax *interface_of(uint16_t context)
{
	return context & 1 ? &rig_other : &rig_echo;
}

static void on_server(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct sim *s = user;
	struct sim_call *call;

	(void)c;
	s->over = s->over || e->type == RPC_EV_CLOSED || e->type == RPC_EV_DAMAGED;
	if (e->type != RPC_EV_REQUEST)
		return;
	call = call_of(s, e->call_id);
	assert_non_null(call);
	assert_false(call->asked);
	assert_int_equal(e->opnum, call->opnum);
	assert_int_equal(e->context_id, call->context);
	assert_memory_equal(e->interface, interface_of(call->context), sizeof *e->interface);
	assert_int_equal(e->object != NULL, call->has_object);
	if (e->object)
		assert_true(guid_equal(e->object, &call->object));
	fragmented += e->fragments > 1;
	assert_int_equal(e->stub_len, call->len);
	assert_memory_equal(e->stub, call->stub, call->len);
	call->asked = true;
	if (call->opnum == OP_PARK)
		s->parked[s->parked_count++] = (unsigned)(call - s->calls);
	else
		answer(s, call);
}

static void on_client(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct sim *s = user;
	struct sim_call *call;

	(void)c;
	s->over = s->over || e->type == RPC_EV_CLOSED || e->type == RPC_EV_DAMAGED;
	if (e->type == RPC_EV_ALTER_ACK && s->altering) { /* else a leg of the handshake */
		assert_int_equal(e->bind->results[0].result, 0);
		s->altering = false;
		s->contexts++;
	}
	if (e->type != RPC_EV_RESPONSE && e->type != RPC_EV_FAULT)
		return;
	call = call_of(s, e->call_id);
	assert_non_null(call);
	assert_false(call->answered || call->orphaned);
	call->answered = true;
	assert_int_equal(e->type, call->opnum == OP_FAULT ? RPC_EV_FAULT : RPC_EV_RESPONSE);
	if (e->type == RPC_EV_FAULT) {
		assert_int_equal(e->status, RIG_FAULT);
		return;
	}
	assert_int_equal(e->stub_len, call->len);
	for (size_t i = 0; i < call->len; i++)
		assert_int_equal(e->stub[i], call->stub[call->opnum == OP_ECHO ? i : call->len - 1 - i]);
}

static void on_wire(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct sim *s = user;

	(void)c;
	assert_true(e->type != RPC_EV_DAMAGED && e->type != RPC_EV_GAP && e->signature != RPC_SIG_BAD);
	s->seen_requests += e->type == RPC_EV_REQUEST;
	s->seen_answers += e->type == RPC_EV_RESPONSE || e->type == RPC_EV_FAULT;
}

static uint64_t any(struct sim *s, uint64_t n)
{
	return noise_next(&s->rig.noise) % n;
}

static void issue(struct sim *s)
{
	static const uint16_t ops[] = {OP_ECHO, OP_REVERSE, OP_PARK, OP_PARK, OP_FAULT};
	struct sim_call *call = &s->calls[s->issued];

	if (s->issued == s->planned || !rpc_client_ready(s->rig.client))
		return;
	call->opnum = ops[any(s, ARRAY_SIZE(ops))];
	call->len = any(s, 12) == 0 ? any(s, 14000) : any(s, 80);
	call->stub = rig_bytes(&s->rig, call->len);
	call->context = (uint16_t)any(s, s->contexts);
	call->has_object = any(s, 3) == 0;
	noise_fill(&s->rig.noise, &call->object, sizeof call->object);
	assert_int_equal(rpc_client_call(s->rig.client, call->context, call->opnum,
	                                 call->has_object ? &call->object : NULL, call->stub, call->len, &call->id),
	                 0);
	s->issued++;
}

/* A further interface, with calls under way; not before the last one was answered. */
static void alter(struct sim *s)
{
	uint16_t id;

	if (!rpc_client_ready(s->rig.client) || s->altering || s->contexts == MOST_CONTEXTS)
		return;
	assert_int_equal(rpc_client_alter(s->rig.client, interface_of(s->contexts), &id, s->rig.now), 0);
	assert_int_equal(id, s->contexts);
	s->altering = true;
	alters++;
}

/* Cancelled calls are answered all the same, orphaned ones never. */
static void give_up(struct sim *s)
{
	struct sim_call *call = s->issued ? &s->calls[any(s, s->issued)] : NULL;
	bool orphan = any(s, 2);

	if (!call || call->answered || call->orphaned || call->cancelled)
		return;
	assert_int_equal(rpc_client_cancel(s->rig.client, call->id, orphan), 0);
	call->orphaned = orphan;
	call->cancelled = true;
}

static void unpark(struct sim *s)
{
	unsigned at;

	if (s->parked_count == 0)
		return;
	at = (unsigned)any(s, s->parked_count);
	answer(s, &s->calls[s->parked[at]]);
	s->parked[at] = s->parked[--s->parked_count];
}

static void step(struct sim *s)
{
	static const size_t portions[] = {3, 40, 1500, 60000};

	switch (any(s, 10)) {
	case 0:
	case 1:
		issue(s);
		break;
	case 2:
		unpark(s);
		break;
	case 3:
		if (any(s, 4) == 0)
			give_up(s);
		else if (any(s, 8) == 0)
			alter(s);
		break;
	default:
		rig_carry(&s->rig, (enum rpc_side)any(s, 2), 1 + any(s, portions[any(s, ARRAY_SIZE(portions))]));
		s->rig.now += (int64_t)any(s, 1000000);
	}
}

static bool is_done(const struct sim *s)
{
	for (unsigned i = 0; i < s->issued; i++)
		if (!s->calls[i].answered && !s->calls[i].orphaned)
			return false;
	return s->issued == s->planned && s->parked_count == 0 && !s->altering && rpc_output(s->rig.client)->len == 0 &&
	       rpc_output(s->rig.server)->len == 0;
}

static unsigned count_answered(const struct sim *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->issued; i++)
		n += s->calls[i].answered;
	return n;
}

static void simulate(uint64_t seed)
{
	static const enum auth_level levels[] = {AUTH_LEVEL_NONE, AUTH_LEVEL_CONNECT, AUTH_LEVEL_PACKET,
	                                         AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};
	struct rpc_client_bind bind = {.interfaces = &rig_echo, .interface_count = 1};
	struct sim s = {.contexts = 1};

	rig_open(&s.rig, seed);
	rpc_connection_free(&s.rig.client);
	rpc_connection_free(&s.rig.server);
	rpc_connection_free(&s.rig.observer);
	s.rig.client = rig_connection(&s.rig, RPC_CLIENT, on_client);
	s.rig.server = rig_connection(&s.rig, RPC_SERVER, on_server);
	s.rig.observer = rig_connection(&s.rig, RPC_OBSERVER, on_wire);
	s.planned = 1 + (unsigned)any(&s, MOST_CALLS);
	bind.level = levels[any(&s, ARRAY_SIZE(levels))];
	if (bind.level != AUTH_LEVEL_NONE)
		bind.auth_type = any(&s, 2) ? AUTH_NTLM : AUTH_SPNEGO;
	bind.auth = &s.rig.client_auth;
	assert_int_equal(rpc_client_bind(s.rig.client, &bind, 0), 0);
	for (unsigned i = 0; !is_done(&s); i++) {
		step(&s);
		if (i == MOST_STEPS || s.over)
			fail_msg("seed %llu: %s after %u steps", (unsigned long long)seed, s.over ? "over" : "stuck",
			         i);
	}
	assert_int_equal(s.seen_requests, s.issued);
	assert_true(s.seen_answers >= count_answered(&s));
	calls += s.issued;
	for (unsigned i = 0; i < s.issued; i++) {
		answered += s.calls[i].answered;
		orphaned += s.calls[i].orphaned;
		cancelled += s.calls[i].cancelled && s.calls[i].answered;
		free(s.calls[i].stub);
	}
	rig_close(&s.rig);
}

static void test_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		simulate(seed);
	print_message(
	        "  %u calls: %u answered (%u of them cancelled), %u orphaned; %u in fragments; %u alter_context\n",
	        calls, answered, cancelled, orphaned, fragmented, alters);
	/* It is about something. */
	assert_true(calls > 2 * SEEDS && orphaned > SEEDS / 100 && cancelled > SEEDS / 100);
	assert_true(alters > SEEDS / 10 && fragmented > SEEDS / 10);
	assert_int_equal(calls, answered + orphaned);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
