#include "base/time.h"
#include "client/private.h"
#include "client/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RPC over TCP, [MS-RPCE] 2.1.1.1: the PDUs as they are. Keeps the capture, which shows what went over this socket. */

struct tcp {
	struct client_transport base;
	int fd;
	struct capture_writer *writer; /* NULL: no capture */
	unsigned number;               /* in the capture */
	enum { CONNECTING, OPEN, ENDED } stage;
	struct sockaddr_storage server;
	int64_t began;
};

static struct tcp *tcp_of(struct client_transport *t)
{
	return (struct tcp *)t;
}

static void endpoint_of(const struct sockaddr_storage *a, struct capture_endpoint *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	memcpy(&v4, a, sizeof v4);
	memcpy(&v6, a, sizeof v6);
	*out = (struct capture_endpoint){.family = a->ss_family == AF_INET6 ? 6 : 4};
	memcpy(out->address, out->family == 6 ? (const void *)&v6.sin6_addr : (const void *)&v4.sin_addr,
	       out->family == 6 ? sizeof v6.sin6_addr : sizeof v4.sin_addr);
	out->port = ntohs(out->family == 6 ? v6.sin6_port : v4.sin_port);
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

/* How connecting went. */
static void note_capture(struct tcp *t, int error)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof own;
	struct capture_endpoint from, to;
	int64_t now = time_now_ns();
	if (!t->writer)
		return;
	if (getsockname(t->fd, (struct sockaddr *)&own, &len) < 0 || own.ss_family == AF_UNSPEC)
		own.ss_family = t->server.ss_family;
	endpoint_of(&own, &from);
	endpoint_of(&t->server, &to);
	if (error == 0)
		t->number = capture_connected(t->writer, &from, &to, t->began, now);
	else
		capture_refused(t->writer, &from, &to, t->began, now, error == ECONNREFUSED);
}

static int settle(struct tcp *t, int error)
{
	if (error == EINPROGRESS)
		return error;
	note_capture(t, error);
	t->stage = error == 0 ? OPEN : ENDED;
	return error;
}

static int tcp_open(struct client_conn *c, const struct client_address *address, struct client_transport **out)
{
	struct tcp *t = (struct tcp *)calloc(1, sizeof *t);
	int one = 1;
	if (!t)
		return ENOMEM;
	*t = (struct tcp){.base = {&client_tcp}, .writer = c->m->capture, .server = with_port(address, c->port)};
	t->began = time_now_ns();
	t->fd = socket(t->server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = errno;
	if (t->fd < 0) {
		free(t);
		return error;
	}
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	error = connect(t->fd, (const struct sockaddr *)&t->server, address->len) < 0 ? errno : 0;
	*out = &t->base;
	if (settle(t, error) == 0 || error == EINPROGRESS)
		return 0;
	client_tcp.close(out);
	return error;
}

static int tcp_progress(struct client_transport *transport)
{
	struct tcp *t = tcp_of(transport);
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof error;
	if (t->stage != CONNECTING)
		return t->stage == OPEN ? 0 : ENOTCONN;
	if (poll(&p, 1, 0) <= 0)
		return EINPROGRESS;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	return settle(t, error);
}

static unsigned tcp_poll(const struct client_transport *transport, bool want_write,
                         struct pollfd fds[CLIENT_TRANSPORT_FDS])
{
	const struct tcp *t = (const struct tcp *)transport;
	short read = t->stage == OPEN ? POLLIN : 0;
	fds[0] = (struct pollfd){.fd = t->fd, .events = (short)(read | (want_write || !read ? POLLOUT : 0))};
	return t->stage != ENDED;
}

/* The peer is gone: it closed, or the connection was reset. errno stays what it is. */
static void note_end(struct tcp *t)
{
	int error = errno;
	if (t->writer && t->stage == OPEN)
		capture_closed(t->writer, t->number, false, time_now_ns());
	t->stage = ENDED;
	errno = error;
}

static ssize_t tcp_read(struct client_transport *transport, void *data, size_t size)
{
	struct tcp *t = tcp_of(transport);
	ssize_t n = recv(t->fd, data, size, 0);
	if (n > 0 && t->writer)
		capture_data(t->writer, t->number, false, data, (size_t)n, time_now_ns());
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		note_end(t);
	return n;
}

static ssize_t tcp_write(struct client_transport *transport, const void *data, size_t size)
{
	struct tcp *t = tcp_of(transport);
	ssize_t n = send(t->fd, data, size, MSG_NOSIGNAL);
	if (n > 0 && t->writer)
		capture_data(t->writer, t->number, true, data, (size_t)n, time_now_ns());
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		note_end(t);
	return n;
}

static void tcp_close(struct client_transport **transport)
{
	struct tcp *t = *transport ? tcp_of(*transport) : NULL;
	if (!t)
		return;
	*transport = NULL;
	if (t->stage == CONNECTING)
		note_capture(t, ETIMEDOUT);
	if (t->writer && t->stage == OPEN)
		capture_closed(t->writer, t->number, true, time_now_ns());
	close(t->fd);
	free(t);
}

const struct client_transport_kind client_tcp = {
        .open = tcp_open,
        .progress = tcp_progress,
        .poll = tcp_poll,
        .read = tcp_read,
        .write = tcp_write,
        .close = tcp_close,
};
