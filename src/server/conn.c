#include "server/conn.h"

#include "base/time.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A peer that does not read: stop taking its requests, then give it up. */
#define PAUSE_BYTES ((size_t)4 << 20)
#define RESUME_BYTES ((size_t)1 << 20)
#define GIVE_UP_BYTES ((size_t)64 << 20)
#define DEFAULT_PATIENCE_NS (INT64_C(60) * NS_PER_S)
/* Answers wait for the rest of their round this long, and in this number of connections, at most. */
#define UNSENT_NS (NS_PER_MS / 10)
#define UNSENT_MOST 32
#define FIRST_BYTES 24 /* of a bind: up to and with assoc_group_id, C706 12.6.4.3 */

struct pending_write {
	uv_write_t request;
	struct server_conn *conn;
	struct buf data; /* what is left of the output: taken over, not copied */
};

/* A connection on its way to the loop that its association group belongs to. */
struct moving_conn {
	struct loop_message message;
	int fd;
	enum server_port port;
	size_t size;
	uint8_t data[];
};

static struct server_conn **bucket(struct server_loop *loop, uint64_t id)
{
	return &loop->conns_by_id[id % ARRAY_SIZE(loop->conns_by_id)];
}

static void link_conn(struct server_conn *c)
{
	struct server_loop *loop = c->loop;
	c->id = loop->next_conn++;
	c->next = loop->conns;
	if (c->next)
		c->next->previous = c;
	loop->conns = c;
	struct server_conn **b = bucket(loop, c->id);
	c->hash_next = *b;
	*b = c;
	atomic_fetch_add(&loop->server->connections, 1);
	crowd_add(c);
}

static void unlink_conn(struct server_conn *c)
{
	if (c->next)
		c->next->previous = c->previous;
	*(c->previous ? &c->previous->next : &c->loop->conns) = c->next;
	struct server_conn **b = bucket(c->loop, c->id);
	while (*b != c)
		b = &(*b)->hash_next;
	*b = c->hash_next;
	atomic_fetch_sub(&c->loop->server->connections, 1);
	crowd_remove(c);
}

struct server_conn *conn_find(struct server_loop *loop, uint64_t id)
{
	struct server_conn *c = *bucket(loop, id);
	while (c && c->id != id)
		c = c->hash_next;
	return c;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void run_gone(struct server_loop *loop, struct loop_message *message)
{
	struct service_gone *g = (struct service_gone *)message;
	g->gone(loop, g);
	free(g);
}

void conn_tell_gone(struct server_conn *c, bool all, uint32_t call_id)
{
	for (const struct conn_watch *w = c->watches; w; w = w->next) {
		struct service_gone *g = (struct service_gone *)calloc(1, sizeof *g);
		if (!g)
			return; /* the wait ends in its own time */
		*g = (struct service_gone){{NULL, run_gone}, c->loop, c->id, all, call_id, w->key, w->gone};
		loop_post(w->at, &g->message);
	}
}

static void drop_watches(struct conn_watch **list)
{
	while (*list) {
		struct conn_watch *w = *list;
		*list = w->next;
		free(w);
	}
}

void conn_close(struct server_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	unlink_conn(c);
	conn_tell_gone(c, true, 0);
	drop_watches(&c->watches);
	if (!c->in_feed)
		rpc_connection_free(&c->rpc);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct server_loop *loop = ((struct server_conn *)handle->data)->loop;
	(void)suggested;
	*out = uv_buf_init((char *)loop->read_buffer, sizeof loop->read_buffer);
}

static int64_t patience(const struct server *s)
{
	return s->config.patience_ms ? (int64_t)s->config.patience_ms * NS_PER_MS : DEFAULT_PATIENCE_NS;
}

static int start_rpc(struct server_conn *c)
{
	struct rpc_config config = {
	        .role = RPC_SERVER,
	        .on_event = dispatch_event,
	        .user = c,
	        .limits = {.pdu_timeout_ns = patience(c->loop->server)},
	        .random = &random_system,
	        .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	        .server = &c->loop->server->setups[c->port][c->loop->index],
	};
	c->rpc = rpc_connection_new(&config);
	return c->rpc ? 0 : MW_E_NOMEM;
}

void conn_flush_unsent(struct server_loop *loop)
{
	struct server_conn *c = loop->unsent, *next;
	loop->unsent = NULL;
	loop->unsent_count = 0;
	for (; c; c = next) {
		next = c->unsent_next;
		c->unsent = false;
		if (!c->closing)
			conn_flush(c);
	}
}

/*
 * Sends at the end of the round: answers that leave together wake a peer that has many
 * connections once, not once each, and a wake-up costs as much as the rest of a short call.
 */
static void flush_later(struct server_conn *c)
{
	struct server_loop *loop = c->loop;
	if (c->unsent)
		return;
	if (!loop->unsent)
		loop->unsent_ns = c->last_ns;
	c->unsent = true;
	c->unsent_next = loop->unsent;
	loop->unsent = c;
	if (++loop->unsent_count >= UNSENT_MOST || c->last_ns - loop->unsent_ns > UNSENT_NS)
		conn_flush_unsent(loop);
}

static void feed(struct server_conn *c, const void *data, size_t size)
{
	c->in_feed = true;
	rpc_feed(c->rpc, RPC_FROM_CLIENT, data, size, c->last_ns);
	c->in_feed = false;
	if (c->closing)
		rpc_connection_free(&c->rpc);
	else
		flush_later(c);
	if (!c->closing)
		crowd_note(c);
	crowd_hold(c->loop);
}

static void on_moved(struct server_loop *loop, struct loop_message *message);

/* Sends the socket and what was read of it to the loop of the group that its bind names. */
static int move_conn(struct server_conn *c, uint8_t loop, const uint8_t *data, size_t size)
{
	struct moving_conn *m = (struct moving_conn *)calloc(1, sizeof *m + c->first_len + size);
	uv_os_fd_t fd;
	if (!m || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0 || (m->fd = dup(fd)) < 0) {
		free(m);
		return MW_E_NOMEM;
	}
	m->message.run = on_moved;
	m->port = c->port;
	m->size = c->first_len + size;
	memcpy(m->data, c->first, c->first_len);
	memcpy(m->data + c->first_len, data, size);
	loop_post(&c->loop->server->loops[loop], &m->message);
	return 0;
}

/* Whether the first bytes are a bind that names a group of another loop, and which. */
static bool names_other_loop(const struct server_conn *c, const uint8_t first[FIRST_BYTES], uint8_t *loop)
{
	bool big = (first[4] & 0xF0) == 0;
	*loop = big ? first[20] : first[23];
	bool group = first[20] | first[21] | first[22] | first[23];
	return first[2] == RPC_BIND && group && *loop != c->loop->index && *loop < c->loop->server->loop_count;
}

/* Holds the first bytes back until they tell whose connection this is. Returns whether it stays here. */
static void feed_first(struct server_conn *c, const uint8_t *data, size_t size)
{
	uint8_t first[FIRST_BYTES], loop;
	size_t have = c->first_len + size;
	if (have < FIRST_BYTES) {
		memcpy(c->first + c->first_len, data, size);
		c->first_len += (unsigned)size;
		return;
	}
	memcpy(first, c->first, c->first_len);
	memcpy(first + c->first_len, data, FIRST_BYTES - c->first_len);
	if (names_other_loop(c, first, &loop)) {
		if (move_conn(c, loop, data, size) == 0) {
			conn_close(c);
			return;
		}
	}
	if (start_rpc(c) < 0) {
		conn_close(c);
		return;
	}
	if (c->first_len > 0)
		feed(c, c->first, c->first_len);
	if (!c->closing)
		feed(c, data, size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
	struct server_conn *c = (struct server_conn *)stream->data;
	if (c->closing || n == 0)
		return;
	c->last_ns = time_monotonic_ns();
	if (n < 0) {
		if (c->rpc)
			rpc_eof(c->rpc, RPC_FROM_CLIENT, c->last_ns);
		conn_close(c);
	} else if (c->rpc) {
		feed(c, buffer->base, (size_t)n);
	} else {
		feed_first(c, (const uint8_t *)buffer->base, (size_t)n);
	}
}

static void on_written(uv_write_t *request, int status)
{
	struct pending_write *w = (struct pending_write *)request->data;
	struct server_conn *c = w->conn;
	c->writes--;
	c->write_bytes -= w->data.len;
	buf_free(&w->data);
	free(w);
	if (c->closing)
		return;
	crowd_note(c);
	if (status < 0 || (c->finishing && c->writes == 0)) {
		conn_close(c);
	} else if (c->paused && c->write_bytes < RESUME_BYTES) {
		c->paused = false;
		uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	}
}

/* Takes the output over, but for what is sent of it already, and leaves an empty one. */
static int queue_write(struct server_conn *c, struct buf *out, size_t sent)
{
	struct pending_write *w = (struct pending_write *)calloc(1, sizeof *w);
	if (!w)
		return MW_E_NOMEM;
	uv_buf_t buffer = uv_buf_init((char *)out->data + sent, (unsigned)(out->len - sent));
	w->conn = c;
	w->request.data = w;
	if (uv_write(&w->request, (uv_stream_t *)&c->tcp, &buffer, 1, on_written) < 0) {
		free(w);
		return MW_E_IO;
	}
	if (c->writes++ == 0)
		c->moving_ns = time_monotonic_ns();
	c->write_bytes += out->len;
	c->queued += buffer.len;
	w->data = *out;
	*out = (struct buf){.max = out->max};
	return 0;
}

/* What mgmt's statistics count. The output holds whole PDUs when it comes here. */
static void count_pdus(struct server_conn *c, const struct buf *out)
{
	unsigned long n = 0;
	size_t at = 0;
	while (out->len - at >= RPC_HEADER_SIZE) {
		size_t size = out->data[at + 8] | (size_t)out->data[at + 9] << 8;
		if (size < RPC_HEADER_SIZE || size > out->len - at)
			break;
		at += size;
		n++;
	}
	atomic_fetch_add_explicit(&c->loop->server->pdus_out, n, memory_order_relaxed);
}

void conn_flush(struct server_conn *c)
{
	struct buf *out = rpc_output(c->rpc);
	size_t sent = 0;
	count_pdus(c, out);
	if (out->len > 0 && c->writes == 0) {
		uv_buf_t buffer = uv_buf_init((char *)out->data, (unsigned)out->len);
		int n = uv_try_write((uv_stream_t *)&c->tcp, &buffer, 1);
		sent = n > 0 ? (size_t)n : 0;
	}
	if (sent == out->len) {
		buf_clear(out);
	} else if (queue_write(c, out, sent) < 0 || c->write_bytes > GIVE_UP_BYTES) {
		conn_close(c);
		return;
	}
	if (c->finishing && c->writes == 0) {
		conn_close(c);
	} else if (!c->paused && c->write_bytes > PAUSE_BYTES) {
		c->paused = true;
		uv_read_stop((uv_stream_t *)&c->tcp);
	}
	if (!c->closing && c->writes > 0)
		crowd_note(c);
}

static struct server_conn *new_conn(struct server_loop *loop, enum server_port port)
{
	struct server_conn *c = (struct server_conn *)calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->loop = loop;
	c->port = port;
	c->last_ns = c->began_ns = time_monotonic_ns();
	c->tcp.data = c;
	if (uv_tcp_init(&loop->uv, &c->tcp) < 0) {
		free(c);
		return NULL;
	}
	link_conn(c);
	return c;
}

static void note_local_address(struct server_conn *c)
{
	struct sockaddr_storage a;
	int size = sizeof a;
	if (uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&a, &size) == 0 && a.ss_family == AF_INET)
		memcpy(c->local_ip, &((struct sockaddr_in *)&a)->sin_addr, 4);
}

static void start_reading(struct server_conn *c)
{
	note_local_address(c);
	uv_tcp_nodelay(&c->tcp, 1);
	if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		conn_close(c);
}

void conn_accept(struct server_loop *loop, enum server_port port)
{
	if (atomic_load(&loop->server->connections) >= loop->server->config.max_connections)
		crowd_make_room(loop);
	struct server_conn *c = new_conn(loop, port);
	if (!c)
		return;
	if (uv_accept((uv_stream_t *)&loop->listeners[port], (uv_stream_t *)&c->tcp) < 0)
		conn_close(c);
	else
		start_reading(c);
}

static void on_moved(struct server_loop *loop, struct loop_message *message)
{
	struct moving_conn *m = (struct moving_conn *)message;
	struct server_conn *c = loop->stopping ? NULL : new_conn(loop, m->port);
	if (!c || uv_tcp_open(&c->tcp, m->fd) < 0) {
		close(m->fd);
		if (c)
			conn_close(c);
	} else if (start_rpc(c) < 0) {
		conn_close(c);
	} else {
		start_reading(c);
		if (!c->closing)
			feed(c, m->data, m->size);
	}
	free(m);
}

/* What waits, with us and in the kernel, whose buffer is large, for the peer to acknowledge it. */
static uint64_t waiting_bytes(struct server_conn *c)
{
	uv_os_fd_t fd;
	int unsent = 0;
	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0 || ioctl(fd, SIOCOUTQ, &unsent) < 0)
		unsent = 0;
	return uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) + (unsigned)unsent;
}

/* What waits does not become less: the peer does not read. */
static bool is_stuck(struct server_conn *c, int64_t now_ns, int64_t patience_ns)
{
	uint64_t written = c->writes > 0 ? c->queued - waiting_bytes(c) : 0;
	if (c->writes == 0 || written != c->written) {
		c->written = written;
		c->moving_ns = now_ns;
	}
	return now_ns - c->moving_ns > patience_ns;
}

/* Who does not bind, or does not read, goes. */
static bool is_idle(struct server_conn *c, int64_t now_ns)
{
	int64_t patience_ns = patience(c->loop->server);
	bool bound = c->rpc && rpc_server_association(c->rpc);
	return (!bound && now_ns - c->began_ns > patience_ns) || is_stuck(c, now_ns, patience_ns);
}

void conn_tick_all(struct server_loop *loop, int64_t now_ns)
{
	for (struct server_conn *c = loop->conns, *next; c; c = next) {
		next = c->next;
		if (is_idle(c, now_ns)) {
			conn_close(c);
			continue;
		}
		if (!c->rpc || now_ns < rpc_deadline(c->rpc))
			continue;
		c->in_feed = true;
		rpc_tick(c->rpc, now_ns);
		c->in_feed = false;
		if (c->closing)
			rpc_connection_free(&c->rpc);
		else
			conn_flush(c);
	}
}
