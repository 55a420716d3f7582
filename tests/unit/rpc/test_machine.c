#include "rig.h"

static const enum auth_level levels[] = {AUTH_LEVEL_NONE,   AUTH_LEVEL_CONNECT,   AUTH_LEVEL_CALL,
                                         AUTH_LEVEL_PACKET, AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};

/* What the observer saw of each side is what the receiver of that side saw. */
static void same_for_all(struct rig *r)
{
	rig_same(&r->observer_log, &r->server_log, "> ");
	rig_same(&r->observer_log, &r->client_log, "< ");
}

static void echo(struct rig *r, size_t len)
{
	uint8_t *stub = rig_bytes(r, len);
	unsigned before = r->answers;

	rig_call(r, OP_ECHO, stub, len);
	assert_int_equal(r->answers, before + 1);
	assert_int_equal(r->fault, 0);
	assert_int_equal(r->answer.len, len);
	if (len)
		assert_memory_equal(r->answer.data, stub, len);
	free(stub);
}

static void test_every_level(void **state)
{
	static const size_t sizes[] = {0,    1,    2,    4,    15,   16,   17,   1000, 1400,
	                               5776, 5784, 5792, 5800, 5816, 5817, 6000, 20000};
	(void)state;

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		struct rig r;
		rig_open(&r, l);
		rig_bind(&r, levels[l]);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			echo(&r, sizes[i]);
		same_for_all(&r);
		assert_true(rig_saw(&r.client_log, "bind_ack"));
		assert_false(rig_saw(&r.observer_log, "damaged"));
		if (levels[l] >= AUTH_LEVEL_CALL)
			assert_true(rig_saw(&r.observer_log, "signed"));
		if (levels[l] == AUTH_LEVEL_PRIVACY)
			assert_true(rig_saw(&r.observer_log, "signed opened ntlm/privacy"));
		rig_close(&r);
	}
}

/* SPNEGO's further legs go by alter_context; what it negotiates protects as ever. */
static void test_spnego(void **state)
{
	static const size_t sizes[] = {0, 1, 16, 5784, 20000};
	(void)state;

	for (size_t l = 1; l < ARRAY_SIZE(levels); l++) {
		struct rig r;
		rig_open(&r, l);
		r.auth_type = AUTH_SPNEGO;
		r.small_chunks = l % 2;
		rig_bind(&r, levels[l]);
		assert_true(rpc_client_ready(r.client));
		assert_true(rig_saw(&r.client_log, "alter_ack"));
		assert_false(rig_saw(&r.observer_log, "auth3"));
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			echo(&r, sizes[i]);
		same_for_all(&r);
		assert_false(rig_saw(&r.observer_log, "damaged"));
		if (levels[l] == AUTH_LEVEL_PRIVACY)
			assert_true(rig_saw(&r.observer_log, "signed opened spnego/privacy"));
		rig_close(&r);
	}
}

/* Unlike auth3, alter_context has an answer: the client is told before its first call. */
static void test_spnego_refused(void **state)
{
	struct rig r;
	(void)state;

	rig_open(&r, 7);
	r.auth_type = AUTH_SPNEGO;
	r.client_auth.password = "wrong";
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	assert_false(rpc_client_ready(r.client));
	assert_true(rig_saw(&r.server_log, "the authentication was refused"));
	assert_true(rig_saw(&r.client_log, "< fault 2"));
	rig_close(&r);
}

static void test_long_calls(void **state)
{
	(void)state;
	for (size_t l = 0; l < ARRAY_SIZE(levels); l += 5) {
		struct rig r;
		rig_open(&r, l);
		rig_bind(&r, levels[l]);
		echo(&r, 1000003);
		same_for_all(&r);
		rig_close(&r);
	}
}

static void test_sealed_without_secret(void **state)
{
	struct rig r;
	(void)state;

	rig_open(&r, 1);
	r.observer_auth.secret_count = 0;
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	echo(&r, 100);
	assert_true(rig_saw(&r.observer_log, "unchecked sealed"));
	assert_true(rig_saw(&r.client_log, "signed opened"));
	rig_close(&r);
}

static void test_several_contexts(void **state)
{
	struct rpc_syntax three[] = {rig_echo, rig_unknown, rig_other};
	struct rpc_client_bind bind = {.interfaces = three, .interface_count = 3};
	uint16_t context = 0;
	uint32_t id;
	struct rig r;
	(void)state;

	rig_open(&r, 2);
	assert_int_equal(rpc_client_bind(r.client, &bind, 0), 0);
	rig_run(&r);
	assert_true(rig_saw(&r.client_log, "bind_ack 1 0/0 2/1 0/0"));
	assert_int_equal(rpc_client_call(r.client, 1, 0, NULL, "x", 1, &id), MW_E_NOTFOUND);
	assert_int_equal(rpc_client_call(r.client, 2, OP_REVERSE, NULL, "abc", 3, &id), 0);
	rig_run(&r);
	assert_memory_equal(r.answer.data, "cba", 3);
	assert_int_equal(rpc_client_alter(r.client, &rig_other, &context, 0), 0);
	assert_int_equal(context, 3);
	assert_int_equal(rpc_client_alter(r.client, &rig_other, &context, 0), MW_E_STATE);
	rig_run(&r);
	assert_int_equal(rpc_client_call(r.client, 3, OP_REVERSE, NULL, "xyz", 3, &id), 0);
	rig_run(&r);
	assert_memory_equal(r.answer.data, "zyx", 3);
	assert_true(rig_saw(&r.observer_log, "< response 4 ctx3 aaaaaaaa op4"));
	same_for_all(&r);
	rig_close(&r);
}

static void test_faults(void **state)
{
	struct rig r;
	(void)state;

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		rig_open(&r, 3);
		rig_bind(&r, levels[l]);
		rig_call(&r, OP_FAULT, "1234", 4);
		assert_int_equal(r.fault, RIG_FAULT);
		rig_call(&r, 99, "1234", 4);
		assert_int_equal(r.fault, NCA_S_OP_RNG_ERROR);
		echo(&r, 10);
		assert_true(rig_saw(&r.observer_log, "fault 2 ctx0 11111111 op1"));
		same_for_all(&r);
		rig_close(&r);
	}
}

static void test_parked_calls(void **state)
{
	uint8_t *big;
	struct rig r;
	(void)state;

	rig_open(&r, 4);
	rig_bind(&r, AUTH_LEVEL_INTEGRITY);
	rig_call(&r, OP_PARK, "a", 1);
	rig_call(&r, OP_PARK, "b", 1);
	rig_call(&r, OP_PARK, "c", 1);
	echo(&r, 100);
	assert_int_equal(r.parked_count, 3);
	assert_int_equal(rpc_client_cancel(r.client, r.parked[1], true), 0);
	assert_int_equal(rpc_client_cancel(r.client, r.parked[2], false), 0);
	rig_run(&r);
	assert_true(rig_saw(&r.server_log, "> orphaned 3"));
	assert_true(rig_saw(&r.server_log, "> cancel 4"));
	assert_int_equal(rpc_server_respond(r.server, r.parked[1], "late", 4), MW_E_NOTFOUND);
	big = rig_bytes(&r, 9000);
	assert_int_equal(rpc_server_respond(r.server, r.parked[2], big, 9000), 0);
	assert_int_equal(rpc_server_respond(r.server, r.parked[0], "early", 5), 0);
	rig_run(&r);
	assert_int_equal(r.answered_id, r.parked[0]);
	assert_memory_equal(r.answer.data, "early", 5);
	assert_int_equal(rpc_server_respond(r.server, r.parked[0], "twice", 5), MW_E_NOTFOUND);
	assert_int_equal(rpc_client_cancel(r.client, r.parked[0], false), MW_E_NOTFOUND);
	same_for_all(&r);
	free(big);
	rig_close(&r);
}

/* The server's answer and the orphaned PDU cross on the wire. */
static void test_orphaned_crosses(void **state)
{
	uint32_t id;
	struct rig r;
	(void)state;

	rig_open(&r, 5);
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	assert_int_equal(rpc_client_call(r.client, 0, OP_ECHO, NULL, "abc", 3, &id), 0);
	rig_carry(&r, RPC_FROM_CLIENT, SIZE_MAX);
	assert_int_equal(rpc_client_cancel(r.client, id, true), 0);
	rig_run(&r);
	assert_int_equal(r.answers, 0);
	echo(&r, 10);
	rig_close(&r);
}

static void test_object(void **state)
{
	struct guid object = {0xfeedbeef, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};
	uint8_t *stub;
	uint32_t id;
	struct rig r;
	(void)state;

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		rig_open(&r, 6);
		rig_bind(&r, levels[l]);
		stub = rig_bytes(&r, 12345);
		assert_int_equal(rpc_client_call(r.client, 0, OP_OBJECT, &object, stub, 12345, &id), 0);
		rig_run(&r);
		assert_int_equal(r.answer.len, 12345);
		assert_memory_equal(r.answer.data, stub, 12345);
		assert_true(rig_saw(&r.server_log, "objectfeedbeef"));
		same_for_all(&r);
		free(stub);
		rig_close(&r);
	}
}

static void test_wrong_password(void **state)
{
	static const enum auth_level some[] = {AUTH_LEVEL_CONNECT, AUTH_LEVEL_INTEGRITY, AUTH_LEVEL_PRIVACY};
	struct rig r;
	(void)state;

	for (size_t l = 0; l < ARRAY_SIZE(some); l++) {
		rig_open(&r, 7);
		r.client_auth.password = "wrong";
		rig_bind(&r, some[l]);
		assert_true(rig_saw(&r.client_log, "bind_ack"));
		assert_true(rig_saw(&r.server_log, "> auth3 1 refusedc000006"));
		rig_call(&r, OP_ECHO, "abc", 3);
		assert_int_equal(r.fault, RPC_S_ACCESS_DENIED);
		assert_true(rig_saw(&r.server_log, "closed"));
		assert_false(rig_saw(&r.server_log, "request"));
		rig_close(&r);
	}
}

static void test_no_authentication_offered(void **state)
{
	struct rig r;
	(void)state;

	rig_open(&r, 8);
	r.setup.auth = NULL;
	rig_bind(&r, AUTH_LEVEL_PRIVACY);
	assert_true(rig_saw(&r.client_log, "< bind_nak 1 status8"));
	assert_true(rig_saw(&r.client_log, "closed"));
	assert_true(rig_saw(&r.server_log, "closed"));
	rig_close(&r);
}

static void test_groups(void **state)
{
	struct rpc_client_bind bind = {.interfaces = &rig_echo, .interface_count = 1};
	struct rpc_association *group;
	uint32_t id;
	struct rig r;
	(void)state;

	rig_open(&r, 9);
	rig_bind(&r, AUTH_LEVEL_NONE);
	id = rpc_client_group(r.client);
	assert_int_equal(id >> 24, 5);
	assert_int_equal(rpc_association_id(rpc_server_association(r.server)), id);
	assert_int_equal(rpc_association_join(r.associations, id, &group), 0);
	rpc_connection_free(&r.client);
	rpc_connection_free(&r.server);
	r.client = rig_connection(&r, RPC_CLIENT, rig_client_event);
	r.server = rig_connection(&r, RPC_SERVER, rig_server_event);
	bind.assoc_group_id = id;
	assert_int_equal(rpc_client_bind(r.client, &bind, 0), 0);
	rig_run(&r);
	assert_ptr_equal(rpc_server_association(r.server), group);
	rpc_association_leave(&group);
	rpc_connection_free(&r.client);
	rpc_connection_free(&r.server);
	/* The last connection has left: the group is gone. */
	r.client = rig_connection(&r, RPC_CLIENT, rig_client_event);
	r.server = rig_connection(&r, RPC_SERVER, rig_server_event);
	assert_int_equal(rpc_client_bind(r.client, &bind, 0), 0);
	rig_run(&r);
	assert_true(rig_saw(&r.client_log, "bind_nak 1 status0"));
	rig_close(&r);
}

static void test_deadlines(void **state)
{
	struct rig r;
	(void)state;

	rig_open(&r, 10);
	r.now = 1000;
	assert_true(rpc_deadline(r.server) == INT64_MAX);
	rpc_feed(r.server, RPC_FROM_CLIENT, "\5\0\13", 3, r.now);
	assert_true(rpc_deadline(r.server) == 1000 + INT64_C(60000000000));
	rpc_tick(r.server, 2000);
	assert_int_equal(r.server_log.len, 0);
	rpc_tick(r.server, INT64_C(60000001000));
	assert_true(rig_saw(&r.server_log, "closed 0 a PDU was begun and not finished in time"));
	assert_true(rpc_deadline(r.server) == INT64_MAX);
	rig_close(&r);

	/* A handshake that the client does not finish. */
	rig_open(&r, 10);
	struct rpc_client_bind bind = {.interfaces = &rig_echo,
	                               .interface_count = 1,
	                               .auth_type = AUTH_NTLM,
	                               .level = AUTH_LEVEL_PRIVACY,
	                               .auth = &r.client_auth};
	assert_int_equal(rpc_client_bind(r.client, &bind, 5), 0);
	assert_true(rpc_deadline(r.client) == 5 + INT64_C(60000000000));
	r.now = 7;
	rig_carry(&r, RPC_FROM_CLIENT, SIZE_MAX);
	assert_true(rpc_deadline(r.server) == 7 + INT64_C(60000000000));
	rpc_tick(r.server, INT64_C(70000000000));
	assert_true(rig_saw(&r.server_log, "closed 0 the handshake was not finished in time"));
	rig_close(&r);
}

/* The same conversations in portions of any size give the same events. */
static void test_random_portions(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 24; seed++) {
		struct buf MW_CLEANUP(buf_free) log = {0};
		for (int pass = 0; pass < 2; pass++) {
			struct rig r;
			rig_open(&r, seed);
			r.small_chunks = pass == 1;
			rig_bind(&r, levels[seed % ARRAY_SIZE(levels)]);
			for (unsigned i = 0; i < 12; i++) {
				struct noise plan = {seed * 100 + i};
				size_t len = noise_next(&plan) % (i == 7 ? 30000 : 700);
				uint8_t *stub = malloc(len + 1);
				noise_fill(&plan, stub, len);
				rig_call(&r, noise_next(&plan) % 3 ? OP_REVERSE : OP_FAULT, stub, len);
				free(stub);
			}
			same_for_all(&r);
			rig_text(&r.observer_log);
			if (pass == 0)
				buf_put(&log, r.observer_log.data, r.observer_log.len + 1);
			else
				assert_string_equal((char *)log.data, (char *)r.observer_log.data);
			rig_close(&r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_level),
	        cmocka_unit_test(test_spnego),
	        cmocka_unit_test(test_spnego_refused),
	        cmocka_unit_test(test_long_calls),
	        cmocka_unit_test(test_sealed_without_secret),
	        cmocka_unit_test(test_several_contexts),
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_parked_calls),
	        cmocka_unit_test(test_orphaned_crosses),
	        cmocka_unit_test(test_object),
	        cmocka_unit_test(test_wrong_password),
	        cmocka_unit_test(test_no_authentication_offered),
	        cmocka_unit_test(test_groups),
	        cmocka_unit_test(test_deadlines),
	        cmocka_unit_test(test_random_portions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
