#include "base/time.h"
#include "client/private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 65536
/* Connections that one client has at a time: mapper, two of the address book, two of each of two store sessions. */
#define MAX_CONNS 32

int64_t client_deadline(const struct mapiwire *m)
{
	return time_monotonic_ns() + m->timeout_ns;
}

/* ---- What the machine tells ---- */

static struct client_call *find_call(struct client_conn *c, uint32_t id)
{
	for (struct client_call *call = c->calls; call; call = call->next)
		if (call->id == id && !call->done)
			return call;
	return NULL;
}

static void on_answer(struct client_conn *c, const struct rpc_event *e)
{
	struct client_call *call = find_call(c, e->call_id);
	if (!call && e->type == RPC_EV_FAULT && !c->bound) {
		c->refused = c->closed = true; /* an answer to alter_context */
		c->status = e->status;
	}
	if (!call)
		return;
	call->done = true;
	call->fault = e->type == RPC_EV_FAULT;
	call->status = e->status;
	call->big_endian = e->big_endian;
	call->signature = e->signature;
	call->arrived_ns = time_monotonic_ns();
	if (!call->fault)
		(void)buf_put(&call->stub, e->stub, e->stub_len); /* a failure stays in the buffer */
}

static void on_bind_ack(struct client_conn *c, const struct rpc_event *e)
{
	c->bound = rpc_client_ready(c->rpc);
	for (unsigned i = 0; i < e->bind->result_count; i++)
		if (e->bind->results[i].result != 0) {
			c->cause = cause_of_status(CAUSE_OF_PROVIDER, e->bind->results[i].reason);
			c->status = e->bind->results[i].reason;
		}
}

static void on_event(void *user, struct rpc_connection *rpc, const struct rpc_event *e)
{
	struct client_conn *c = (struct client_conn *)user;
	(void)rpc;
	switch (e->type) {
	case RPC_EV_BIND_ACK:
	case RPC_EV_ALTER_ACK:
		on_bind_ack(c, e);
		break;
	case RPC_EV_BIND_NAK:
		c->cause = CAUSE_BIND_REFUSED;
		c->status = e->status;
		c->closed = true;
		break;
	case RPC_EV_RESPONSE:
	case RPC_EV_FAULT:
		on_answer(c, e);
		break;
	case RPC_EV_DAMAGED:
		c->cause = e->signature == RPC_SIG_BAD ? CAUSE_BAD_SIGNATURE
		           : c->bound                  ? CAUSE_PROTOCOL_ERROR
		                                       : CAUSE_NOT_RPC;
		snprintf(c->why, sizeof c->why, "%s", e->why ? e->why : "");
		break;
	case RPC_EV_CLOSED:
		c->closed = true;
		break;
	default:
		break;
	}
}

/* ---- Bytes ---- */

static void lost(struct client_conn *c, bool reset)
{
	c->reset = reset;
	c->closed = true;
	if (c->captured)
		capture_closed(c->m->capture, c->capture, false, time_now_ns());
}

static void read_some(struct client_conn *c)
{
	uint8_t data[READ_SIZE];
	ssize_t n = read(c->fd, data, sizeof data);
	if (n > 0) {
		c->answered = true;
		if (c->captured)
			capture_data(c->m->capture, c->capture, false, data, (size_t)n, time_now_ns());
		rpc_feed(c->rpc, RPC_FROM_SERVER, data, (size_t)n, time_monotonic_ns());
		client_flush(c);
	} else if (n == 0) {
		rpc_eof(c->rpc, RPC_FROM_SERVER, time_monotonic_ns());
		lost(c, false);
	} else if (errno != EAGAIN && errno != EINTR) {
		lost(c, true);
	}
}

void client_flush(struct client_conn *c)
{
	struct buf *out = rpc_output(c->rpc);
	while (out->len > 0 && !c->reset) {
		ssize_t n = send(c->fd, out->data, out->len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				lost(c, true);
			return;
		}
		if (c->captured)
			capture_data(c->m->capture, c->capture, true, out->data, (size_t)n, time_now_ns());
		buf_consume(out, (size_t)n);
	}
}

static int wait_ms(int64_t deadline)
{
	int64_t left = deadline - time_monotonic_ns();
	if (left <= 0)
		return 0;
	return left > INT64_C(60000) * NS_PER_MS ? 60000 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

/* Wakes when *done, or when a connection ends: its callers look. */
int client_pump(struct mapiwire *m, const bool *done, int64_t deadline)
{
	while (!*done) {
		struct pollfd fds[MAX_CONNS];
		struct client_conn *conns[MAX_CONNS];
		nfds_t n = 0;
		for (struct client_conn *c = m->conns; c && n < MAX_CONNS; c = c->next)
			if (!c->closed) {
				conns[n] = c;
				fds[n++] = (struct pollfd){.fd = c->fd,
				                           .events = POLLIN | (rpc_output(c->rpc)->len ? POLLOUT : 0)};
			}
		int ms = wait_ms(deadline);
		if (ms == 0)
			return MW_E_TIMEOUT;
		if (poll(fds, n, ms) < 0 && errno != EINTR)
			return MW_E_IO;
		bool ended = false;
		for (nfds_t i = 0; i < n; i++) {
			if (fds[i].revents & POLLOUT)
				client_flush(conns[i]);
			if (fds[i].revents & (POLLIN | POLLERR | POLLHUP))
				read_some(conns[i]);
			ended = ended || conns[i]->closed;
		}
		if (ended)
			return *done ? 0 : MW_E_AGAIN;
	}
	return 0;
}

/* ---- Connecting ---- */

static void endpoint_of(const struct sockaddr_storage *a, struct capture_endpoint *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	*out = (struct capture_endpoint){.family = a->ss_family == AF_INET6 ? 6 : 4};
	if (out->family == 6)
		memcpy(out->address, &v6->sin6_addr, 16);
	else
		memcpy(out->address, &v4->sin_addr, 4);
	out->port = ntohs(out->family == 6 ? v6->sin6_port : v4->sin_port);
}

static struct sockaddr_storage with_port(const struct client_address *a, uint16_t port)
{
	struct sockaddr_storage s = a->at;
	if (s.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&s)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&s)->sin_port = htons(port);
	return s;
}

static void note_capture(struct client_conn *c, const struct sockaddr_storage *server, int error, int64_t began)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof own;
	struct capture_endpoint from, to;
	if (!c->m->capture)
		return;
	if (getsockname(c->fd, (struct sockaddr *)&own, &len) < 0 || own.ss_family == AF_UNSPEC)
		own.ss_family = server->ss_family;
	endpoint_of(&own, &from);
	endpoint_of(server, &to);
	int64_t now = time_now_ns();
	if (error == 0) {
		c->capture = capture_connected(c->m->capture, &from, &to, began, now);
		c->captured = true;
	} else {
		capture_refused(c->m->capture, &from, &to, began, now, error == ECONNREFUSED);
	}
}

static int finish_connect(int fd, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int r;
	do
		r = poll(&p, 1, wait_ms(deadline));
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r == 0 ? ETIMEDOUT : errno;
	int error = 0;
	socklen_t len = sizeof error;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

/* 0 or an errno; c->fd is open when it is 0. */
static int connect_to(struct client_conn *c, const struct client_address *address, int64_t deadline)
{
	struct sockaddr_storage to = with_port(address, c->port);
	int one = 1;
	int64_t began = time_now_ns();
	c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	int error = connect(c->fd, (const struct sockaddr *)&to, address->len) < 0 ? errno : 0;
	if (error == EINPROGRESS)
		error = finish_connect(c->fd, deadline);
	note_capture(c, &to, error, began);
	if (error != 0) {
		close(c->fd);
		c->fd = -1;
	}
	return error;
}

int client_fail_connect(struct client_conn *c, int error)
{
	bool refused = error == ECONNREFUSED || error == ECONNRESET;
	enum cause cause = c->dynamic ? refused ? CAUSE_DYNAMIC_PORT_REFUSED : CAUSE_DYNAMIC_PORT_BLOCKED
	                   : refused  ? CAUSE_PORT_REFUSED
	                              : CAUSE_PORT_FILTERED;
	const struct cause_about about = {
	        .detail = c->port_text, .mapper_port = c->m->mapper_text, .setting = c->setting};
	return client_fail(c->m, MAPIWIRE_E_UNREACHABLE, cause, 0, &about);
}

/* The address that answered last comes first, then the others. */
static int try_addresses(struct client_conn *c)
{
	struct mapiwire *m = c->m;
	int error = 0;
	for (unsigned i = 0; i < m->address_count; i++) {
		unsigned which = (m->address + i) % m->address_count;
		error = connect_to(c, &m->addresses[which], client_deadline(m));
		if (error == 0) {
			m->address = which;
			return 0;
		}
	}
	return client_fail_connect(c, error);
}

static struct client_conn *conn_new(struct mapiwire *m, uint16_t port, bool dynamic, const char *setting)
{
	struct client_conn *c = (struct client_conn *)calloc(1, sizeof *c);
	if (!c)
		return NULL;
	*c = (struct client_conn){.m = m, .fd = -1, .port = port, .dynamic = dynamic, .setting = setting};
	snprintf(c->port_text, sizeof c->port_text, "%u", port);
	const struct rpc_config config = {
	        .role = RPC_CLIENT,
	        .on_event = on_event,
	        .user = c,
	        .random = &random_system,
	        .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	};
	c->rpc = rpc_connection_new(&config);
	if (!c->rpc) {
		free(c);
		return NULL;
	}
	c->next = m->conns;
	m->conns = c;
	return c;
}

int client_connect(struct mapiwire *m, uint16_t port, bool dynamic, const char *setting, struct client_conn **out)
{
	int r = client_find_host(m);
	if (r != 0)
		return r;
	unsigned count = 0;
	for (const struct client_conn *c = m->conns; c; c = c->next)
		count++;
	struct client_conn *c = count < MAX_CONNS ? conn_new(m, port, dynamic, setting) : NULL;
	if (!c)
		return client_fail_inside(m, MW_E_NOMEM, "a connection");
	r = try_addresses(c);
	if (r != 0)
		client_close(&c);
	else
		*out = c;
	return r;
}

void client_close(struct client_conn **conn)
{
	struct client_conn *c = *conn;
	if (!c)
		return;
	*conn = NULL;
	struct client_conn **link = &c->m->conns;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	while (c->calls) {
		struct client_call *call = c->calls;
		client_call_drop(&call);
	}
	if (c->captured && !c->closed)
		capture_closed(c->m->capture, c->capture, true, time_now_ns());
	if (c->fd >= 0)
		close(c->fd);
	rpc_connection_free(&c->rpc);
	free(c);
}

int mapiwire_knock(struct mapiwire *m, uint16_t port, int64_t *ns)
{
	struct client_conn *c = NULL;
	client_no_error(m);
	int r = client_find_host(m);
	int64_t began = time_monotonic_ns();
	if (r == 0)
		r = client_connect(m, port, port != m->mapper_port, NULL, &c);
	if (r == 0 && ns)
		*ns = time_monotonic_ns() - began;
	client_close(&c);
	return r;
}
