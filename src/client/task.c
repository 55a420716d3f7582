#include "base/time.h"
#include "client/private.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define TOLD_TO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOLD_TO_ASAN 1
#endif
#endif
#ifdef TOLD_TO_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

/*
 * Tasks: a function that makes ordinary calls, on a stack of its own, so that it can be set
 * aside where a call would wait. Only touched pages of a stack are memory; the page below it faults.
 */

#define STACK_SIZE ((size_t)1 << 20)
#define MAX_TASKS 64

/* ---- From stack to stack ---- */

static void leaving(void **fake, const void *to, size_t size)
{
#ifdef TOLD_TO_ASAN
	__sanitizer_start_switch_fiber(fake, to, size);
#else
	(void)fake, (void)to, (void)size;
#endif
}

static void arrived(void *fake, const void **from, size_t *size)
{
#ifdef TOLD_TO_ASAN
	__sanitizer_finish_switch_fiber(fake, from, size);
#else
	(void)fake, (void)from, (void)size;
#endif
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* makecontext hands over ints. */
static void entry(unsigned high, unsigned low)
{
	struct mapiwire_task *t = (struct mapiwire_task *)((uintptr_t)high << 16 << 16 | low);
	arrived(NULL, &t->loop_stack, &t->loop_size);
	t->result = t->cancelled ? MAPIWIRE_E_CANCELLED : t->work(t->m, t->user);
	t->ended = true;
	leaving(NULL, t->loop_stack, t->loop_size);
	swapcontext(&t->own, &t->loop);
}

static void go_on(struct mapiwire_task *t)
{
	struct mapiwire *m = t->m;
	struct client_said *said = m->said;
	void *fake = NULL;
	m->running = t;
	m->said = &t->said;
	leaving(&fake, (char *)t->stack + page_size(), STACK_SIZE);
	swapcontext(&t->loop, &t->own);
	arrived(fake, NULL, NULL);
	m->running = NULL;
	m->said = said;
}

void client_task_pause(struct mapiwire_task *t)
{
	leaving(&t->fake, t->loop_stack, t->loop_size);
	swapcontext(&t->own, &t->loop);
	arrived(t->fake, &t->loop_stack, &t->loop_size);
}

/* ---- Their lives ---- */

static bool prepare(struct mapiwire_task *t)
{
	if (getcontext(&t->own) < 0)
		return false;
	t->own.uc_stack.ss_sp = (char *)t->stack + page_size();
	t->own.uc_stack.ss_size = STACK_SIZE;
	makecontext(&t->own, (void (*)(void))entry, 2, (unsigned)((uintptr_t)t >> 16 >> 16), (unsigned)(uintptr_t)t);
	return true;
}

static struct mapiwire_task *task_new(void)
{
	struct mapiwire_task *t = (struct mapiwire_task *)calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->stack = mmap(NULL, page_size() + STACK_SIZE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (t->stack != MAP_FAILED && mprotect(t->stack, page_size(), PROT_NONE) == 0 && prepare(t))
		return t;
	if (t->stack != MAP_FAILED)
		munmap(t->stack, page_size() + STACK_SIZE);
	free(t);
	return NULL;
}

static void task_free(struct mapiwire_task *t)
{
	munmap(t->stack, page_size() + STACK_SIZE);
	free(t);
}

int mapiwire_start(struct mapiwire *m, mapiwire_work_fn *work, mapiwire_done_fn *done, void *user,
                   struct mapiwire_task **out)
{
	unsigned count = 0;
	struct mapiwire_task **link = &m->tasks;
	for (; *link; link = &(*link)->next)
		count++;
	struct mapiwire_task *t = count < MAX_TASKS && !m->ending ? task_new() : NULL;
	if (!t)
		return m->ending ? MAPIWIRE_E_ARGUMENT : MAPIWIRE_E_MEMORY;
	t->m = m;
	t->work = work;
	t->done = done;
	t->user = user;
	client_said_nothing(&t->said);
	*link = t;
	if (out)
		*out = t;
	return 0;
}

/* Asks the server to give the awaited call up, and leaves it some time to answer. */
static bool ask_server(const struct client_wait *w)
{
	return w->call && w->call->conn->carrier->cancel(w->call, false);
}

void mapiwire_cancel(struct mapiwire_task *t, unsigned grace_ms)
{
	int64_t until = time_monotonic_ns() + (int64_t)grace_ms * NS_PER_MS;
	bool first = !t->cancelled;
	t->cancelled = true;
	if (!t->wait || t->ended)
		return;
	t->wait->cancelled = true;
	if (grace_ms == 0 || (first && !ask_server(t->wait)))
		until = 0;
	if (until < t->wait->deadline)
		t->wait->deadline = until;
}

static void finish(struct mapiwire_task *t)
{
	struct mapiwire *m = t->m;
	struct client_said *said = m->said;
	struct mapiwire_task **link = &m->tasks;
	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	m->said = &t->said;
	if (t->done)
		t->done(m, t->result, t->user);
	m->said = said;
	task_free(t);
}

/* The first that has something to see. done may do anything to the list: it is looked through anew. */
static struct mapiwire_task *next_ready(const struct mapiwire *m)
{
	int64_t now = time_monotonic_ns();
	int ignored;
	for (struct mapiwire_task *t = m->tasks; t; t = t->next)
		if (!t->wait || client_settled(t->wait, now, &ignored)) // NOLINT(clang-analyzer-unix.Malloc): unlinked
			return t;
	return NULL;
}

void client_tasks_run(struct mapiwire *m)
{
	struct mapiwire_task *t;
	while ((t = next_ready(m)) != NULL) {
		go_on(t);
		if (t->ended)
			finish(t);
	}
}

void client_tasks_end(struct mapiwire *m)
{
	m->ending = true;
	for (struct mapiwire_task *t = m->tasks; t; t = t->next)
		mapiwire_cancel(t, 0);
	client_tasks_run(m);
}
