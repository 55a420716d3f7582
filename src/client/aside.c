#include "client/private.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long those that were left behind are waited for at last. */
#define PATIENCE_S 1

/* Whoever changes RUNNING first decides who cleans up. */
enum { RUNNING, FINISHED, LEFT };

static void *thread(void *arg)
{
	struct client_aside *a = (struct client_aside *)arg;
	int wake = a->wake, running = RUNNING;
	uint64_t one = 1;
	a->run(a->work);
	if (atomic_compare_exchange_strong(&a->state, &running, FINISHED)) {
		/* a is the waiter's from here on. */
		ssize_t n = write(wake, &one, sizeof one);
		(void)n;
	} else {
		a->drop(a->work);
		free(a);
	}
	close(wake);
	return NULL;
}

/* ---- Threads that were left behind ---- */

struct client_left {
	struct client_left *next;
	pthread_t thread;
};

/* Waits until the deadline (CLOCK_REALTIME; NULL: not at all) for each, and forgets those that have ended. */
static void join_left(struct mapiwire *m, const struct timespec *deadline)
{
	struct client_left **link = &m->left;
	while (*link) {
		struct client_left *l = *link;
		if ((deadline ? pthread_timedjoin_np(l->thread, NULL, deadline)
		              : pthread_tryjoin_np(l->thread, NULL)) != 0) {
			link = &l->next;
			continue;
		}
		*link = l->next;
		free(l);
	}
}

static void remember(struct mapiwire *m, pthread_t thread)
{
	struct client_left *l = (struct client_left *)calloc(1, sizeof *l);
	if (!l) {
		pthread_detach(thread);
		return;
	}
	l->thread = thread;
	l->next = m->left;
	m->left = l;
}

void client_asides_free(struct mapiwire *m)
{
	struct timespec deadline;
	if (m->left) {
		clock_gettime(CLOCK_REALTIME, &deadline);
		deadline.tv_sec += PATIENCE_S;
		join_left(m, &deadline);
	}
	while (m->left) {
		struct client_left *l = m->left;
		m->left = l->next;
		pthread_detach(l->thread);
		free(l);
	}
}

/* ---- Asides ---- */

static struct client_aside *aside_new(struct mapiwire *m)
{
	if (m->wake < 0)
		m->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct client_aside *a = m->wake < 0 ? NULL : (struct client_aside *)calloc(1, sizeof *a);
	if (!a)
		return NULL;
	atomic_init(&a->state, RUNNING);
	a->wake = fcntl(m->wake, F_DUPFD_CLOEXEC, 0);
	if (a->wake >= 0)
		return a;
	free(a);
	return NULL;
}

void client_asides_look(struct mapiwire *m)
{
	for (struct client_aside *a = m->asides; a; a = a->next)
		a->finished = atomic_load(&a->state) == FINISHED;
}

static void unlink_aside(struct mapiwire *m, const struct client_aside *a)
{
	struct client_aside **link = &m->asides;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
}

/* 0 when the thread has finished after all. */
static int leave(struct client_aside *a, int error)
{
	int running = RUNNING;
	return atomic_compare_exchange_strong(&a->state, &running, LEFT) ? error : 0;
}

struct client_aside *client_aside_begin(struct mapiwire *m, void (*run)(void *work), void (*drop)(void *work),
                                        void *work)
{
	struct client_aside *a = aside_new(m);
	if (!a) {
		drop(work);
		return NULL;
	}
	a->run = run;
	a->drop = drop;
	a->work = work;
	join_left(m, NULL);
	if (pthread_create(&a->thread, NULL, thread, a) != 0) {
		close(a->wake);
		free(a);
		drop(work);
		return NULL;
	}
	a->next = m->asides;
	m->asides = a;
	return a;
}

int client_aside_end(struct mapiwire *m, struct client_aside **aside, int error)
{
	struct client_aside *a = TAKE_PTR(*aside);
	pthread_t id = a->thread;
	unlink_aside(m, a);
	int r = a->finished ? 0 : leave(a, error);
	if (r != 0) {
		remember(m, id);
		return r;
	}
	(void)pthread_join(id, NULL); /* it has nothing to do any more but to end */
	free(a);
	return 0;
}

int client_aside(struct mapiwire *m, void (*run)(void *work), void (*drop)(void *work), void *work, int64_t deadline)
{
	if (client_cancelled(m)) {
		drop(work);
		return MW_E_CANCELLED;
	}
	struct client_aside *a = client_aside_begin(m, run, drop, work);
	if (!a)
		return MW_E_NOMEM;
	return client_aside_end(m, &a, client_wait(m, &a->finished, NULL, NULL, deadline));
}
