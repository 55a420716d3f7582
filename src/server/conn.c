#include "server/conn.h"

#include "base/time.h"
#include "server/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BYTES 24 /* of a bind: up to and with assoc_group_id, C706 12.6.4.3 */

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
}

struct server_conn *conn_find(struct server_loop *loop, uint64_t id)
{
	struct server_conn *c = *bucket(loop, id);
	while (c && c->id != id)
		c = c->hash_next;
	return c;
}

static void run_gone(struct server_loop *loop, struct loop_message *message)
{
	struct service_gone *g = (struct service_gone *)message;
	g->gone(loop, g);
	free(g);
}

void conn_tell_watches(const struct conn_watch *list, struct server_loop *home, uint64_t conn, bool all,
                       uint32_t call_id)
{
	for (const struct conn_watch *w = list; w; w = w->next) {
		struct service_gone *g = (struct service_gone *)calloc(1, sizeof *g);
		if (!g)
			return; /* the wait ends in its own time */
		*g = (struct service_gone){{NULL, run_gone}, home, conn, all, call_id, w->key, w->gone};
		loop_post(w->at, &g->message);
	}
}

void conn_tell_gone(struct server_conn *c, bool all, uint32_t call_id)
{
	conn_tell_watches(c->watches, c->loop, c->id, all, call_id);
}

void conn_drop_watches(struct conn_watch **list)
{
	while (*list) {
		struct conn_watch *w = *list;
		*list = w->next;
		free(w);
	}
}

static void free_conn(struct server_conn *c)
{
	loop_send_never(c->loop, &c->unsent);
	rpc_connection_free(&c->rpc);
	free(c);
}

void conn_close(struct server_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	unlink_conn(c);
	conn_tell_gone(c, true, 0);
	conn_drop_watches(&c->watches);
	c->carrier->close(c);
	if (!c->in_feed)
		free_conn(c);
}

static void flush_unsent(struct loop_unsent *u)
{
	conn_flush((struct server_conn *)((char *)u - offsetof(struct server_conn, unsent)));
}

struct server_conn *conn_new(struct server_loop *loop, enum server_port port, const struct conn_carrier *carrier,
                             void *user)
{
	struct server_conn *c = (struct server_conn *)calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->loop = loop;
	c->port = port;
	c->carrier = carrier;
	c->user = user;
	c->unsent.flush = flush_unsent;
	c->last_ns = c->began_ns = time_monotonic_ns();
	link_conn(c);
	return c;
}

int conn_start_rpc(struct server_conn *c)
{
	struct rpc_config config = {
	        .role = RPC_SERVER,
	        .on_event = dispatch_event,
	        .user = c,
	        .limits = {.pdu_timeout_ns = server_patience_ns(c->loop->server)},
	        .random = &random_system,
	        .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	        .server = &c->loop->server->setups[c->port][c->loop->index],
	};
	c->rpc = rpc_connection_new(&config);
	return c->rpc ? 0 : MW_E_NOMEM;
}

bool conn_feed(struct server_conn *c, const void *data, size_t size)
{
	c->last_ns = time_monotonic_ns();
	c->in_feed = true;
	rpc_feed(c->rpc, RPC_FROM_CLIENT, data, size, c->last_ns);
	if (!c->closing)
		loop_send_later(c->loop, &c->unsent, rpc_output(c->rpc)->len,
		                c->last_ns); /* may send at once, which may close */
	c->in_feed = false;
	if (!c->closing)
		return true;
	free_conn(c);
	return false;
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
	count_pdus(c, rpc_output(c->rpc));
	bool finishing = c->finishing;
	uint64_t id = c->id;
	struct server_loop *loop = c->loop;
	c->carrier->flush(c);
	if (!finishing || !(c = conn_find(loop, id)))
		return;
	if (c->carrier->finish)
		c->carrier->finish(c);
	else
		conn_close(c);
}

/* ---- On a socket ---- */

static void socket_flush(struct server_conn *c)
{
	stream_send((struct server_stream *)c->user, rpc_output(c->rpc));
}

static void socket_finish(struct server_conn *c)
{
	stream_finish((struct server_stream *)c->user);
}

static void socket_close(struct server_conn *c)
{
	stream_close((struct server_stream *)c->user);
}

static void socket_known(struct server_conn *c)
{
	crowd_know((struct server_stream *)c->user);
}

static const struct conn_carrier on_socket = {socket_flush, socket_close, socket_finish, socket_known};

static void on_moved(struct server_loop *loop, struct loop_message *message);

/* Sends the socket and what was read of it to the loop of the group that its bind names. */
static int move_conn(struct server_conn *c, uint8_t loop, const uint8_t *data, size_t size)
{
	struct moving_conn *m = (struct moving_conn *)calloc(1, sizeof *m + c->first_len + size);
	if (!m || (m->fd = stream_dup((struct server_stream *)c->user)) < 0) {
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

/* Holds the first bytes back until they tell whose connection this is. */
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
	if (names_other_loop(c, first, &loop) && move_conn(c, loop, data, size) == 0) {
		conn_close(c);
		return;
	}
	if (conn_start_rpc(c) < 0) {
		conn_close(c);
		return;
	}
	if (c->first_len == 0 || conn_feed(c, c->first, c->first_len))
		conn_feed(c, data, size);
}

static void on_bytes(struct server_stream *s, const uint8_t *data, size_t len)
{
	struct server_conn *c = (struct server_conn *)s->owner;
	if (c->rpc)
		conn_feed(c, data, len);
	else
		feed_first(c, data, len);
}

static void on_eof(struct server_stream *s)
{
	struct server_conn *c = (struct server_conn *)s->owner;
	if (c->rpc)
		rpc_eof(c->rpc, RPC_FROM_CLIENT, s->last_ns);
}

static void on_stream_closed(struct server_stream *s)
{
	conn_close((struct server_conn *)s->owner);
}

/* Who does not bind goes. */
static bool on_tick(struct server_stream *s, int64_t now_ns)
{
	const struct server_conn *c = (const struct server_conn *)s->owner;
	bool bound = c->rpc && rpc_server_association(c->rpc);
	return bound || now_ns - c->began_ns <= server_patience_ns(c->loop->server);
}

static size_t held(const struct server_stream *s)
{
	const struct server_conn *c = (const struct server_conn *)s->owner;
	return sizeof *c + (c->rpc ? rpc_held(c->rpc) : 0);
}

static const struct stream_ops rpc_stream = {
        .held = held, .bytes = on_bytes, .eof = on_eof, .tick = on_tick, .closed = on_stream_closed};

static struct server_conn *begin(struct server_stream *s)
{
	struct server_conn *c = conn_new(s->loop, s->port, &on_socket, s);
	if (!c) {
		stream_close(s);
		return NULL;
	}
	memcpy(c->local_ip, s->local_ip, sizeof c->local_ip);
	return c;
}

void conn_begin(struct server_stream *s)
{
	struct server_conn *c = begin(s);
	if (c)
		stream_start(s, &rpc_stream, c);
}

static void on_moved(struct server_loop *loop, struct loop_message *message)
{
	struct moving_conn *m = (struct moving_conn *)message;
	struct server_stream *s = stream_open(loop, m->port, m->fd);
	struct server_conn *c = s ? begin(s) : NULL;
	if (c && conn_start_rpc(c) < 0) {
		conn_close(c);
	} else if (c) {
		stream_start(s, &rpc_stream, c);
		if (!s->closing)
			conn_feed(c, m->data, m->size);
	}
	free(m);
}

/* ---- Time ---- */

/* While we do not read it, a PDU that it has begun cannot end: that is for its output's patience to judge. */
static bool is_held_back(const struct server_conn *c)
{
	return c->carrier == &on_socket && ((const struct server_stream *)c->user)->paused;
}

void conn_tick_all(struct server_loop *loop, int64_t now_ns)
{
	for (struct server_conn *c = loop->conns, *next; c; c = next) {
		next = c->next;
		if (!c->rpc || now_ns < rpc_deadline(c->rpc) || is_held_back(c))
			continue;
		c->in_feed = true;
		rpc_tick(c->rpc, now_ns);
		c->in_feed = false;
		if (c->closing)
			free_conn(c);
		else
			conn_flush(c);
	}
}
