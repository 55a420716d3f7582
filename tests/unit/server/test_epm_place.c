#include "server/epm_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static void count_up(void *user, void *out, size_t n)
{
	memset(out, 0, n);
	memcpy(out, user, sizeof(unsigned) < n ? sizeof(unsigned) : n);
	++*(unsigned *)user;
}

struct scene {
	unsigned count;
	struct random_source random;
	struct rpc_associations *all;
	struct rpc_association *client, *other;
};

static int open_scene(void **state)
{
	static struct scene s;
	s = (struct scene){.count = 1};
	s.random = (struct random_source){count_up, &s.count};
	s.all = rpc_associations_new(0, &s.random);
	assert_int_equal(rpc_association_join(s.all, 0, &s.client), 0);
	assert_int_equal(rpc_association_join(s.all, 0, &s.other), 0);
	*state = &s;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *s = (struct scene *)*state;
	rpc_association_leave(&s->client);
	rpc_association_leave(&s->other);
	rpc_associations_free(&s->all);
	return 0;
}

static void test_goes_on_where_it_was(void **state)
{
	struct scene *s = (struct scene *)*state;
	struct idl_context_handle h = {0}, nil = {0};
	unsigned next = 99;
	assert_int_equal(epm_place_find(s->client, &h, 0, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(epm_place_keep(s->client, &h, 0, 3), 0);
	assert_int_equal(epm_place_find(s->client, &h, 1, &next), 0);
	assert_int_equal(next, 3);
	assert_int_equal(epm_place_keep(s->client, &h, 1, 5), 0);
	assert_int_equal(epm_place_find(s->client, &h, 2, &next), 0);
	assert_int_equal(next, 5);
	assert_int_equal(epm_place_find(s->other, &h, 2, &next), MW_E_NOTFOUND);
	struct idl_context_handle copy = h;
	epm_place_end(s->client, &h);
	assert_memory_equal(&h, &nil, sizeof h);
	assert_int_equal(epm_place_find(s->client, &copy, 2, &next), MW_E_NOTFOUND);
	epm_place_end(s->client, &h);
}

/* One that is asked for now and then stays; one that is left lying goes. */
static void test_idle(void **state)
{
	struct scene *s = (struct scene *)*state;
	struct idl_context_handle used = {0}, left = {0};
	unsigned next;
	assert_int_equal(epm_place_keep(s->client, &used, 0, 1), 0);
	assert_int_equal(epm_place_keep(s->client, &left, 0, 2), 0);
	for (int64_t t = 0; t < 4; t++)
		assert_int_equal(epm_place_find(s->client, &used, t * 100 * SECOND, &next), 0);
	assert_int_equal(epm_place_find(s->client, &left, EPM_PLACE_IDLE_NS + 1, &next), MW_E_NOTFOUND);
	assert_int_equal(epm_place_find(s->client, &used, EPM_PLACE_IDLE_NS + 1, &next), 0);
}

static void test_too_many(void **state)
{
	struct scene *s = (struct scene *)*state;
	struct idl_context_handle all[EPM_MAX_PLACES] = {0}, more = {0}, others = {0};
	unsigned next;
	assert_int_equal(epm_place_keep(s->other, &others, 0, 7), 0);
	for (unsigned i = 0; i < EPM_MAX_PLACES; i++)
		assert_int_equal(epm_place_keep(s->client, &all[i], 10 + i, i), 0);
	/* The first has been used since: the second gives way. */
	assert_int_equal(epm_place_find(s->client, &all[0], 100, &next), 0);
	assert_int_equal(epm_place_keep(s->client, &more, 101, 50), 0);
	for (unsigned i = 0; i < EPM_MAX_PLACES; i++) {
		assert_int_equal(epm_place_find(s->client, &all[i], 102, &next), i == 1 ? MW_E_NOTFOUND : 0);
		assert_true(i == 1 || next == i);
	}
	assert_int_equal(epm_place_find(s->client, &more, 102, &next), 0);
	assert_int_equal(next, 50);
	assert_int_equal(epm_place_find(s->other, &others, 102, &next), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_goes_on_where_it_was, open_scene, close_scene),
	        cmocka_unit_test_setup_teardown(test_idle, open_scene, close_scene),
	        cmocka_unit_test_setup_teardown(test_too_many, open_scene, close_scene),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
