#include "cli/look_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/*
 * Each worker is one piece of work of libuv's pool that lasts as long as the lens does: it waits for a batch, takes
 * tasks of it until there are none, and waits again. They come into being with the first batch. A worker takes the
 * same tasks first each time: what they are about is near its core. Whoever calls reads and writes meanwhile, and then
 * takes what is left, the last ones first.
 */
#define CALLERS UINT32_C(0xC0C0C0C0)

struct worker {
	struct look_jobs *jobs;
	uint32_t own; /* a bit for each task that it takes first */
	uv_work_t work;
};

struct look_jobs {
	struct lens_workers workers;
	unsigned count; /* of workers */
	bool started, over;
	uv_loop_t loop;
	struct worker list[LOOK_MAX_JOBS];
	uv_mutex_t lock;
	uv_cond_t more, done;
	/* The batch, under the lock. */
	lens_task task;
	void *arg;
	uint32_t waiting; /* a bit each */
	unsigned left;    /* not done */
};

/* Takes one task, if there is one. Under the lock, which it gives up meanwhile. */
static bool take(struct worker *w)
{
	struct look_jobs *j = w->jobs;
	uint32_t choice = j->waiting & w->own ? j->waiting & w->own : j->waiting;
	if (!choice)
		return false;
	unsigned index = (unsigned)__builtin_ctz(choice);
	j->waiting &= ~(UINT32_C(1) << index);
	lens_task task = j->task;
	void *arg = j->arg;
	uv_mutex_unlock(&j->lock);
	task(arg, index);
	uv_mutex_lock(&j->lock);
	if (--j->left == 0)
		uv_cond_signal(&j->done);
	return true;
}

static void work(uv_work_t *work)
{
	struct worker *w = work->data;
	struct look_jobs *j = w->jobs;
	uv_mutex_lock(&j->lock);
	while (!j->over)
		if (!take(w))
			uv_cond_wait(&j->more, &j->lock);
	uv_mutex_unlock(&j->lock);
}

static void after(uv_work_t *w, int status)
{
	(void)w;
	(void)status;
}

/* The pool has four threads unless it is told otherwise before its first work. */
static void size_pool(unsigned count)
{
	char text[16];
	snprintf(text, sizeof text, "%u", count);
	if (count > 4)
		setenv("UV_THREADPOOL_SIZE", text, 0);
}

static void start(struct look_jobs *j)
{
	j->started = true;
	size_pool(j->count);
	for (unsigned i = 0; i < j->count; i++) {
		struct worker *w = &j->list[i];
		w->jobs = j;
		for (unsigned task = i; task < 32; task += j->count)
			w->own |= UINT32_C(1) << task;
		w->work.data = w;
		(void)uv_queue_work(&j->loop, &w->work, work, after); /* fails without a function alone */
	}
}

static void begin(void *user, lens_task task, void *arg, unsigned count)
{
	struct look_jobs *j = user;
	if (!j->started)
		start(j);
	uv_mutex_lock(&j->lock);
	j->task = task;
	j->arg = arg;
	j->left = count;
	j->waiting = (uint32_t)((UINT64_C(1) << count) - 1);
	uv_cond_broadcast(&j->more);
	uv_mutex_unlock(&j->lock);
}

static void finish(void *user)
{
	struct look_jobs *j = user;
	struct worker caller = {.jobs = j, .own = CALLERS};
	uv_mutex_lock(&j->lock);
	while (take(&caller))
		;
	while (j->left)
		uv_cond_wait(&j->done, &j->lock);
	uv_mutex_unlock(&j->lock);
}

struct look_jobs *look_jobs_new(unsigned jobs)
{
	struct look_jobs *j = calloc(1, sizeof *j);
	if (!j || uv_loop_init(&j->loop) < 0) {
		free(j);
		return NULL;
	}
	j->workers = (struct lens_workers){begin, finish, j};
	j->count = (jobs < LOOK_MAX_JOBS ? jobs : LOOK_MAX_JOBS) - 1;
	if (uv_mutex_init(&j->lock) < 0 || uv_cond_init(&j->more) < 0 || uv_cond_init(&j->done) < 0)
		abort(); /* as libuv does itself */
	return j;
}

const struct lens_workers *look_jobs_workers(const struct look_jobs *j)
{
	return &j->workers;
}

void look_jobs_free(struct look_jobs **jobs)
{
	struct look_jobs *j = *jobs;
	*jobs = NULL;
	if (!j)
		return;
	uv_mutex_lock(&j->lock);
	j->over = true;
	uv_cond_broadcast(&j->more);
	uv_mutex_unlock(&j->lock);
	uv_run(&j->loop, UV_RUN_DEFAULT);
	uv_loop_close(&j->loop);
	uv_cond_destroy(&j->more);
	uv_cond_destroy(&j->done);
	uv_mutex_destroy(&j->lock);
	free(j);
}
