#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "client/private.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tasks against a port that takes connections and never answers: the waits and how they end. */

struct scene {
	int listener;
	uint16_t port;
	struct mapiwire *m;
	char said[256]; /* a word for each task that ended */
};

static int set_up(void **state)
{
	struct scene *s = (struct scene *)calloc(1, sizeof *s);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	assert_non_null(s);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(s->listener, 64), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	const struct mapiwire_options o = {.host = "127.0.0.1", .mapper_port = s->port, .timeout_ms = 60000};
	assert_int_equal(mapiwire_new(&o, &s->m), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = (struct scene *)*state;
	mapiwire_free(&s->m);
	close(s->listener);
	free(s);
	return 0;
}

static void say(struct scene *s, const char *word)
{
	size_t n = strlen(s->said);
	snprintf(s->said + n, sizeof s->said - n, "%s%s", n ? " " : "", word);
}

static void ended(struct mapiwire *m, int result, void *user)
{
	say((struct scene *)user, result == 0 ? "ok" : mapiwire_error(m)->cause);
}

static void turn(struct mapiwire *m)
{
	struct pollfd fds[MAPIWIRE_POLL_MAX];
	int ms = -1;
	size_t n = mapiwire_poll_list(m, fds, MAPIWIRE_POLL_MAX, &ms);
	assert_true(n > 0 || ms >= 0);
	poll(fds, (nfds_t)n, ms);
	mapiwire_process(m);
}

static void run(struct scene *s)
{
	while (s->m->tasks)
		turn(s->m);
}

static int knock(struct mapiwire *m, void *user)
{
	return mapiwire_knock(m, ((struct scene *)user)->port, NULL);
}

static int ask(struct mapiwire *m, void *user)
{
	const struct mapiwire_interface epm = {.uuid = "f5cc5a18-4264-101a-8c59-08002b2f8426", .name = "nspi"};
	uint16_t port;
	(void)user;
	return mapiwire_map(m, &epm, &port);
}

/* Two that wait for an answer that never comes, and one that is done at once. */
static void waits_are_their_own(void **state)
{
	struct scene *s = (struct scene *)*state;
	struct mapiwire_task *first, *second;
	assert_int_equal(mapiwire_start(s->m, ask, ended, s, &first), 0);
	assert_int_equal(mapiwire_start(s->m, ask, ended, s, &second), 0);
	assert_int_equal(mapiwire_start(s->m, knock, ended, s, NULL), 0);
	assert_string_equal(s->said, ""); /* nothing runs before the loop does */
	while (!*s->said)
		turn(s->m);
	assert_string_equal(s->said, "ok");
	mapiwire_cancel(second, 0);
	mapiwire_cancel(first, 0);
	run(s);
	assert_string_equal(s->said, "ok cancelled cancelled");
}

static void timeouts(void **state)
{
	struct scene *s = (struct scene *)*state;
	mapiwire_set_timeout(s->m, 20);
	assert_int_equal(mapiwire_start(s->m, ask, ended, s, NULL), 0);
	run(s);
	assert_string_equal(s->said, "no-answer");
	assert_int_equal(mapiwire_error(s->m)->code, 0); /* the task's error was the task's */
}

/* A blocking call moves the tasks on as well. */
static void both_forms_at_once(void **state)
{
	struct scene *s = (struct scene *)*state;
	mapiwire_set_timeout(s->m, 50);
	assert_int_equal(mapiwire_start(s->m, knock, ended, s, NULL), 0);
	assert_int_equal(ask(s->m, s), MAPIWIRE_E_TIMEOUT);
	assert_string_equal(s->said, "ok");
}

static int goes_on_all_the_same(struct mapiwire *m, void *user)
{
	struct scene *s = (struct scene *)user;
	if (ask(m, s) != MAPIWIRE_E_CANCELLED || knock(m, s) != MAPIWIRE_E_CANCELLED)
		say(s, "went-on");
	return MAPIWIRE_E_CANCELLED;
}

/* Cancelled before it began: it never runs. Cancelled in a wait: nothing that waits succeeds after it. */
static void cancelled(void **state)
{
	struct scene *s = (struct scene *)*state;
	struct mapiwire_task *never, *waiting;
	assert_int_equal(mapiwire_start(s->m, goes_on_all_the_same, ended, s, &never), 0);
	mapiwire_cancel(never, 0);
	assert_int_equal(mapiwire_start(s->m, goes_on_all_the_same, ended, s, &waiting), 0);
	mapiwire_process(s->m);
	assert_string_equal(s->said, "none");
	mapiwire_cancel(waiting, 0);
	run(s);
	assert_string_equal(s->said, "none cancelled");
}

static int inside(struct mapiwire *m, void *user)
{
	struct mapiwire *same = m;
	(void)user;
	mapiwire_process(m); /* does nothing */
	return mapiwire_free(&same);
}

static void start_another(struct mapiwire *m, int result, void *user)
{
	struct scene *s = (struct scene *)user;
	say(s, result == MAPIWIRE_E_ARGUMENT ? "refused" : "?");
	assert_int_equal(mapiwire_start(m, knock, ended, s, NULL), 0);
	assert_int_equal(mapiwire_knock(m, s->port, NULL), 0); /* a blocking call runs the other task meanwhile */
	say(s, "blocked");
}

static void inside_a_task_and_its_end(void **state)
{
	struct scene *s = (struct scene *)*state;
	assert_int_equal(mapiwire_start(s->m, inside, start_another, s, NULL), 0);
	run(s);
	assert_true(strcmp(s->said, "refused ok blocked") == 0 || strcmp(s->said, "refused blocked ok") == 0);
}

static void end_with_tasks(void **state)
{
	struct scene *s = (struct scene *)*state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(mapiwire_start(s->m, ask, ended, s, NULL), 0);
	mapiwire_process(s->m);
	assert_int_equal(mapiwire_free(&s->m), 0);
	assert_null(s->m);
	assert_string_equal(s->said, "cancelled cancelled cancelled");
}

static void at_most(void **state)
{
	struct scene *s = (struct scene *)*state;
	unsigned n = 0;
	while (mapiwire_start(s->m, knock, NULL, s, NULL) == 0)
		n++;
	assert_int_equal(n, 64);
}

/* Deep in a task's stack there is room for what a call needs, and a wait keeps it all. */
static int deep(struct mapiwire *m, void *user)
{
	volatile char room[512 * 1024];
	for (size_t i = 0; i < sizeof room; i += 4096)
		room[i] = (char)i;
	int r = knock(m, user);
	for (size_t i = 0; i < sizeof room; i += 4096)
		if (room[i] != (char)i)
			return MAPIWIRE_E_MEMORY;
	return r;
}

static void stacks(void **state)
{
	struct scene *s = (struct scene *)*state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(mapiwire_start(s->m, deep, ended, s, NULL), 0);
	run(s);
	assert_string_equal(s->said, "ok ok ok ok");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(waits_are_their_own, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(timeouts, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(both_forms_at_once, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(inside_a_task_and_its_end, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(end_with_tasks, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(at_most, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(stacks, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
