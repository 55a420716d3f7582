#include "load.h"

#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The load generator's engine: prebuilt bytes, epoll, and a comparison of each answer. */

#define CALL_ID 12 /* in the common header, C706 12.6.3.1 */
#define MAX_ANSWER 65536

struct slot {
	int fd;
	uint32_t id;
	size_t got;
	uint8_t answer[MAX_ANSWER];
};

struct engine {
	const struct load *load;
	uint8_t *request, *expected;
	struct slot *slots;
	int epoll;
	uint64_t calls;
};

double load_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double load_cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double load_cpu_of(const char *pid)
{
	char path[320];
	unsigned long long ns, total = 0;
	if (!pid)
		return 0;
	snprintf(path, sizeof path, "/proc/%.16s/task", pid);
	DIR *tasks = opendir(path);
	for (struct dirent *task; tasks && (task = readdir(tasks));) {
		snprintf(path, sizeof path, "/proc/%.16s/task/%.200s/schedstat", pid, task->d_name);
		FILE *f = fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			total += ns;
		if (f)
			(void)fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return (double)total / 1e9;
}

static void ask(struct engine *e, struct slot *s)
{
	s->id++;
	s->got = 0;
	memcpy(e->request + CALL_ID, &s->id, sizeof s->id);
	send_all(s->fd, e->request, e->load->request_size);
}

static void hear(struct engine *e, struct slot *s)
{
	const struct load *l = e->load;
	ssize_t n = recv(s->fd, s->answer + s->got, l->answer_size - s->got, 0);
	if (n == 0 || (n < 0 && errno != EINTR))
		fail("the server closed the connection after %llu calls", (unsigned long long)e->calls);
	s->got += n > 0 ? (size_t)n : 0;
	if (s->got < l->answer_size)
		return;
	memcpy(e->expected + CALL_ID, &s->id, sizeof s->id);
	if (memcmp(s->answer, e->expected, l->checked) != 0)
		fail("call %u was answered with other bytes than the first one", s->id);
	e->calls++;
	ask(e, s);
}

static uint8_t *copy_of(const uint8_t *data, size_t size)
{
	uint8_t *p = (uint8_t *)malloc(size);
	if (!p)
		fail("out of memory");
	memcpy(p, data, size);
	return p;
}

static void begin(struct engine *e)
{
	const struct load *l = e->load;
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	e->slots = (struct slot *)calloc(l->count, sizeof *e->slots);
	if (e->epoll < 0 || !e->slots || l->answer_size > MAX_ANSWER)
		fail("cannot begin");
	for (unsigned i = 0; i < l->count; i++) {
		struct epoll_event want = {.events = EPOLLIN, .data.ptr = &e->slots[i]};
		e->slots[i] = (struct slot){.fd = l->fds[i], .id = 100};
		if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, l->fds[i], &want) < 0)
			fail("cannot watch a socket: %s", strerror(errno));
		ask(e, &e->slots[i]);
	}
}

struct load_result load_run(const struct load *l)
{
	struct engine e = {
	        .load = l,
	        .request = copy_of(l->request, l->request_size),
	        .expected = copy_of(l->answer, l->answer_size),
	};
	double start = load_now(), cpu = load_cpu(), now = start;
	begin(&e);
	while ((now = load_now()) - start < l->seconds) {
		struct epoll_event events[64];
		int n = epoll_wait(e.epoll, events, 64, 1000);
		if (n == 0)
			fail("no answer for a second");
		for (int i = 0; i < n; i++)
			hear(&e, (struct slot *)events[i].data.ptr);
	}
	struct load_result r = {.calls = e.calls, .seconds = now - start, .cpu = load_cpu() - cpu};
	close(e.epoll);
	free(e.request);
	free(e.expected);
	free(e.slots);
	return r;
}

void load_print(const struct load_result *r, size_t request_size, size_t answer_size)
{
	printf("{\"calls\": %llu, \"seconds\": %.6f, \"cpu\": %.6f, \"server_cpu\": %.6f, \"request\": %zu, "
	       "\"answer\": "
	       "%zu}\n",
	       (unsigned long long)r->calls, r->seconds, r->cpu, r->server_cpu, request_size, answer_size);
}
