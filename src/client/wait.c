#include "base/time.h"
#include "client/web-private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

/* ---- What to wait for ---- */

bool client_settled(const struct client_wait *w, int64_t now, int *result)
{
	if (*w->done)
		*result = 0;
	else if (w->conn && w->conn->closed)
		*result = MW_E_AGAIN;
	else if (now >= w->deadline)
		*result = w->cancelled ? MW_E_CANCELLED : MW_E_TIMEOUT;
	else
		return false;
	return true;
}

static int ms_until(int64_t deadline)
{
	int64_t left = deadline - time_monotonic_ns();
	if (left <= 0)
		return 0;
	return left > (int64_t)INT_MAX * NS_PER_MS - NS_PER_MS ? INT_MAX : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static void lower(int *timeout_ms, int ms)
{
	if (*timeout_ms < 0 || ms < *timeout_ms)
		*timeout_ms = ms;
}

size_t mapiwire_poll_list(struct mapiwire *m, struct pollfd *fds, size_t max, int *timeout_ms)
{
	struct pollfd some[CLIENT_TRANSPORT_FDS];
	size_t n = 0;
	int ignored;
	for (const struct client_web *w = m->webs; w && n < max; w = w->next)
		n += client_web_poll(w, &fds[n]);
	for (const struct client_conn *c = m->conns; c; c = c->next) {
		unsigned count = client_conn_poll(c, some);
		for (unsigned i = 0; i < count && n < max; i++)
			fds[n++] = some[i];
	}
	if (m->asides && n < max)
		fds[n++] = (struct pollfd){.fd = m->wake, .events = POLLIN};
	for (const struct client_conn *c = m->conns; c; c = c->next)
		if (client_conn_deadline(c) < INT64_MAX)
			lower(timeout_ms, ms_until(client_conn_deadline(c)));
	for (const struct mapiwire_task *t = m->tasks; t; t = t->next)
		lower(timeout_ms, !t->wait || client_settled(t->wait, 0, &ignored) ? 0 : ms_until(t->wait->deadline));
	return n;
}

/* ---- What has come ---- */

static void move_bytes(struct mapiwire *m)
{
	uint64_t count;
	if (m->asides) {
		while (read(m->wake, &count, sizeof count) > 0)
			;
		client_asides_look(m);
	}
	for (struct client_web *w = m->webs; w; w = w->next)
		client_web_process(w);
	for (struct client_conn *c = m->conns; c; c = c->next)
		client_conn_process(c);
}

void mapiwire_process(struct mapiwire *m)
{
	if (m->running)
		return;
	move_bytes(m);
	client_tasks_run(m);
}

/* ---- Waiting ---- */

static int wait_here(struct mapiwire *m, const struct client_wait *w)
{
	int result;
	while (!client_settled(w, time_monotonic_ns(), &result)) {
		struct pollfd fds[MAPIWIRE_POLL_MAX];
		int ms = ms_until(w->deadline);
		size_t n = mapiwire_poll_list(m, fds, MAPIWIRE_POLL_MAX, &ms);
		if (poll(fds, (nfds_t)n, ms) < 0 && errno != EINTR)
			return MW_E_IO;
		mapiwire_process(m);
	}
	return result;
}

static int wait_in_task(struct mapiwire_task *t, struct client_wait *w)
{
	int result;
	if (t->cancelled)
		return MW_E_CANCELLED;
	t->wait = w;
	while (!client_settled(w, time_monotonic_ns(), &result))
		client_task_pause(t);
	t->wait = NULL;
	return result;
}

int client_wait(struct mapiwire *m, const bool *done, const struct client_conn *conn, struct client_call *call,
                int64_t deadline)
{
	struct client_wait w = {.done = done, .conn = conn, .call = call, .deadline = deadline};
	if (*done)
		return 0;
	return m->running ? wait_in_task(m->running, &w) : wait_here(m, &w);
}

int client_take_turn(struct mapiwire *m, bool *idle)
{
	int r = client_wait(m, idle, NULL, NULL, client_deadline(m));
	if (r == 0)
		*idle = false;
	return r;
}

int client_sleep(struct mapiwire *m, int64_t ns)
{
	const bool never = false;
	int r = client_wait(m, &never, NULL, NULL, time_monotonic_ns() + ns);
	return r == MW_E_TIMEOUT ? 0 : r;
}

bool client_cancelled(const struct mapiwire *m)
{
	return m->running && m->running->cancelled;
}
