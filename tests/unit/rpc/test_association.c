#include "rig.h"

static unsigned run_down;

static void count_rundown(void *object)
{
	*(unsigned *)object += 1;
	run_down++;
}

static void no_noise(void *user, void *out, size_t n)
{
	(void)user;
	memset(out, 0, n);
}

static const struct idl_interface one = {.name = "one"}, two = {.name = "two"};

static void test_handles(void **state)
{
	struct noise noise = {1};
	struct random_source random = {noise_fill, &noise};
	struct rpc_associations *all = rpc_associations_new(9, &random);
	struct rpc_association *group, *again;
	struct idl_context_handle a, b, copy, nil = {0};
	unsigned objects[2] = {0};
	(void)state;

	run_down = 0;
	assert_int_equal(rpc_association_join(all, 0, &group), 0);
	assert_int_equal(rpc_association_id(group) >> 24, 9);
	assert_int_equal(rpc_association_join(all, rpc_association_id(group), &again), 0);
	assert_ptr_equal(group, again);
	assert_int_equal(rpc_handle_create(group, &one, &objects[0], count_rundown, &a), 0);
	assert_int_equal(rpc_handle_create(group, &two, &objects[1], count_rundown, &b), 0);
	assert_ptr_equal(rpc_handle_find(group, &one, &a), &objects[0]);
	assert_ptr_equal(rpc_handle_find(group, &two, &b), &objects[1]);
	assert_null(rpc_handle_find(group, &two, &a));
	assert_null(rpc_handle_find(group, &one, &nil));
	copy = a;
	copy.uuid.data4[7] ^= 1;
	assert_null(rpc_handle_find(group, &one, &copy));
	copy = a;
	rpc_handle_close(group, &a);
	assert_memory_equal(&a, &nil, sizeof a);
	assert_null(rpc_handle_find(group, &one, &copy));
	rpc_association_leave(&group);
	assert_null(group);
	assert_int_equal(run_down, 0);
	rpc_association_leave(&again);
	assert_int_equal(run_down, 1);
	assert_int_equal(objects[1], 1);
	rpc_associations_free(&all);
}

static void test_limits(void **state)
{
	struct noise noise = {2};
	struct random_source random = {noise_fill, &noise};
	struct rpc_associations *all = rpc_associations_new(0, &random);
	struct idl_context_handle handles[RPC_MAX_HANDLES], extra;
	struct rpc_association *group;
	unsigned object = 0;
	(void)state;

	run_down = 0;
	assert_int_equal(rpc_association_join(all, 0, &group), 0);
	for (unsigned i = 0; i < RPC_MAX_HANDLES; i++)
		assert_int_equal(rpc_handle_create(group, &one, &object, count_rundown, &handles[i]), 0);
	assert_int_equal(rpc_handle_create(group, &one, &object, NULL, &extra), MW_E_LIMIT);
	rpc_handle_close(group, &handles[500]);
	assert_int_equal(rpc_handle_create(group, &one, &object, NULL, &extra), 0);
	assert_ptr_equal(rpc_handle_find(group, &one, &handles[1023]), &object);
	assert_int_equal(rpc_association_join(all, 12345, &group), MW_E_NOTFOUND);
	rpc_associations_free(&all); /* with a group still in it */
	assert_int_equal(run_down, RPC_MAX_HANDLES - 1);
}

static void test_ids(void **state)
{
	struct random_source random = {no_noise, NULL};
	struct rpc_associations *all = rpc_associations_new(1, &random);
	struct rpc_association *groups[3];
	(void)state;

	/* A source that says the same each time: ids still differ and are never 0 below the loop's byte. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rpc_association_join(all, 0, &groups[i]), 0);
		assert_int_equal(rpc_association_id(groups[i]), 0x01000001 + i);
	}
	rpc_association_leave(&groups[1]);
	assert_int_equal(rpc_association_join(all, 0x01000002, &groups[1]), MW_E_NOTFOUND);
	assert_int_equal(rpc_association_join(all, 0x01000003, &groups[1]), 0);
	for (unsigned i = 0; i < 3; i++)
		rpc_association_leave(&groups[i]);
	rpc_associations_free(&all);
	assert_null(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_handles),
	        cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
