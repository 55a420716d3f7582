#include "server/loop.h"

#include "base/time.h"
#include "server/conn.h"
#include "server/mapihttp/mapihttp.h"
#include "server/rpc_http.h"
#include "server/stream.h"
#include "server/tls_files.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
/* A call's memory: its request (4 MiB at most) decoded, and its answer. */
#define CALL_ARENA_LIMIT ((size_t)64 << 20)

/* Answers wait for the rest of their round this long, and in this number of connections, at most. */
#define UNSENT_NS (NS_PER_MS / 10)
#define UNSENT_MOST 32
#define UNSENT_BYTES ((size_t)256 << 10)

/* A flush may give others something to send: they are sent by the same loop, not one inside the other. */
static void send_unsent(struct server_loop *loop)
{
	if (loop->sending)
		return;
	loop->sending = true;
	loop->unsent_count = 0;
	while (loop->unsent) {
		struct loop_unsent *u = loop->unsent;
		loop->unsent = u->next;
		u->waiting = false;
		u->flush(u);
	}
	loop->sending = false;
}

void loop_send_later(struct server_loop *loop, struct loop_unsent *u, size_t bytes, int64_t now_ns)
{
	if (u->waiting && bytes <= UNSENT_BYTES)
		return;
	if (!loop->unsent)
		loop->unsent_ns = now_ns;
	if (!u->waiting) {
		u->waiting = true;
		u->next = loop->unsent;
		loop->unsent = u;
		loop->unsent_count++;
	}
	if (loop->unsent_count >= UNSENT_MOST || bytes > UNSENT_BYTES || now_ns - loop->unsent_ns > UNSENT_NS)
		send_unsent(loop);
}

void loop_send_never(struct server_loop *loop, struct loop_unsent *u)
{
	struct loop_unsent **link = &loop->unsent;
	if (!u->waiting)
		return;
	while (*link != u)
		link = &(*link)->next;
	*link = u->next;
	u->waiting = false;
}

/* The inbox stays open: other loops may still hand calls back. The loop ends when its work is done. */
static void stop_all(struct server_loop *loop)
{
	loop->stopping = true;
	for (int p = 0; p < SERVER_PORT_COUNT; p++)
		if (loop->listeners[p].type == UV_TCP) /* else it was never opened */
			uv_close((uv_handle_t *)&loop->listeners[p], NULL);
	while (loop->streams)
		stream_close(loop->streams);
	while (loop->conns)
		conn_close(loop->conns);
	if (loop->tick.type == UV_TIMER)
		uv_close((uv_handle_t *)&loop->tick, NULL);
	if (loop->round.type == UV_CHECK)
		uv_close((uv_handle_t *)&loop->round, NULL);
	if (loop->wake.type == UV_ASYNC)
		uv_unref((uv_handle_t *)&loop->wake);
}

/* Whether there was a message. */
static bool run_inbox(struct server_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct loop_message *m = loop->inbox;
	loop->inbox = NULL;
	loop->inbox_end = &loop->inbox;
	pthread_mutex_unlock(&loop->lock);
	bool any = m != NULL;
	while (m) {
		struct loop_message *next = m->next;
		m->run(loop, m);
		m = next;
	}
	return any;
}

static void on_wake(uv_async_t *wake)
{
	struct server_loop *loop = (struct server_loop *)wake->data;
	run_inbox(loop);
	if (loop->index == 0 && atomic_exchange(&loop->server->reload, false))
		tls_files_reload(loop->server);
	if (atomic_load(&loop->server->stopping) && !loop->stopping)
		stop_all(loop);
}

static void on_tick(uv_timer_t *timer)
{
	struct server_loop *loop = (struct server_loop *)timer->data;
	int64_t now_ns = time_monotonic_ns();
	stream_tick_all(loop, now_ns);
	conn_tick_all(loop, now_ns);
	mapihttp_tick(loop, now_ns);
	rpc_http_tick(loop, now_ns);
	crowd_tell(loop, now_ns);
}

static void on_round(uv_check_t *round)
{
	send_unsent((struct server_loop *)round->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct server_loop *loop = (struct server_loop *)listener->loop->data;
	enum server_port port = (enum server_port)((uv_tcp_t *)listener - loop->listeners);
	struct server_stream *s = status == 0 ? stream_accept(loop, port) : NULL;
	if (s && port >= SERVER_PORT_HTTPS)
		web_accept(s);
	else if (s)
		conn_begin(s);
}

static int listen_on(struct server_loop *loop, int p)
{
	uv_tcp_t *tcp = &loop->listeners[p];
	if (uv_tcp_init(&loop->uv, tcp) < 0)
		return MW_E_IO;
	int fd = dup(loop->server->sockets[p]);
	if (fd < 0 || uv_tcp_open(tcp, fd) < 0)
		return MW_E_IO;
	return uv_listen((uv_stream_t *)tcp, 1024, on_connection) < 0 ? MW_E_IO : 0;
}

int loop_init(struct server_loop *loop, struct server *server, uint8_t index)
{
	loop->server = server;
	loop->index = index;
	loop->inbox_end = &loop->inbox;
	loop->next_conn = 1;
	loop->crowd.most = server->config.max_unauthenticated / server->loop_count;
	if (pthread_mutex_init(&loop->lock, NULL) != 0)
		return MW_E_NOMEM;
	if (uv_loop_init(&loop->uv) < 0) {
		pthread_mutex_destroy(&loop->lock);
		return MW_E_NOMEM;
	}
	loop->uv.data = loop;
	loop->wake.data = loop;
	loop->tick.data = loop;
	loop->round.data = loop;
	if (uv_async_init(&loop->uv, &loop->wake, on_wake) < 0 || uv_timer_init(&loop->uv, &loop->tick) < 0 ||
	    uv_check_init(&loop->uv, &loop->round) < 0 || uv_check_start(&loop->round, on_round) < 0)
		return MW_E_IO;
	loop->associations = rpc_associations_new(index, &random_system);
	if (!loop->associations)
		return MW_E_NOMEM;
	for (int p = 0; p < SERVER_PORT_COUNT; p++)
		if (server->sockets[p] >= 0 && listen_on(loop, p) < 0)
			return MW_E_IO;
	return uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS) < 0 ? MW_E_IO : 0;
}

void loop_run(struct server_loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

bool loop_drain(struct server_loop *loop)
{
	if (loop->uv.data != loop)
		return false;
	bool any = run_inbox(loop);
	if (!loop->stopping)
		stop_all(loop);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	return any;
}

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct server_loop *loop)
{
	if (loop->uv.data != loop) /* never begun */
		return;
	rpc_associations_free(&loop->associations);
	for (unsigned i = 0; i < loop->spare_count; i++)
		arena_free(&loop->spare_arenas[i]);
	buf_free(&loop->scratch);
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	pthread_mutex_destroy(&loop->lock);
}

void loop_post(struct server_loop *to, struct loop_message *m)
{
	m->next = NULL;
	pthread_mutex_lock(&to->lock);
	*to->inbox_end = m;
	to->inbox_end = &m->next;
	pthread_mutex_unlock(&to->lock);
	uv_async_send(&to->wake);
}

struct arena *loop_arena(struct server_loop *loop)
{
	if (loop->spare_count > 0)
		return loop->spare_arenas[--loop->spare_count];
	return arena_new(CALL_ARENA_LIMIT);
}

void loop_arena_return(struct server_loop *loop, struct arena **arena)
{
	if (*arena && loop->spare_count < ARRAY_SIZE(loop->spare_arenas)) {
		arena_reset(*arena);
		loop->spare_arenas[loop->spare_count++] = TAKE_PTR(*arena);
	} else {
		arena_free(arena);
	}
}
