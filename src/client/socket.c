#include "client/socket.h"

#include "base/time.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

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
static void note_capture(struct client_socket *s, int error)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof own;
	struct capture_endpoint from, to;
	int64_t now = time_now_ns();
	if (!s->writer)
		return;
	if (getsockname(s->fd, (struct sockaddr *)&own, &len) < 0 || own.ss_family == AF_UNSPEC)
		own.ss_family = s->server.ss_family;
	endpoint_of(&own, &from);
	endpoint_of(&s->server, &to);
	if (error == 0)
		s->number = capture_connected(s->writer, &from, &to, s->began, now);
	else
		capture_refused(s->writer, &from, &to, s->began, now, error == ECONNREFUSED);
}

static int settle(struct client_socket *s, int error)
{
	if (error == EINPROGRESS)
		return error;
	note_capture(s, error);
	s->stage = error == 0 ? CLIENT_OPEN : CLIENT_ENDED;
	return error;
}

int client_socket_open(struct client_socket *s, struct capture_writer *writer, const struct client_address *address,
                       uint16_t port)
{
	int one = 1;
	*s = (struct client_socket){.writer = writer, .server = with_port(address, port), .began = time_now_ns()};
	s->fd = socket(s->server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return errno;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	int error = connect(s->fd, (const struct sockaddr *)&s->server, address->len) < 0 ? errno : 0;
	if (settle(s, error) == 0 || error == EINPROGRESS)
		return 0;
	client_socket_close(s);
	return error;
}

int client_socket_progress(struct client_socket *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof error;
	if (s->stage != CLIENT_CONNECTING)
		return s->stage == CLIENT_OPEN ? 0 : ENOTCONN;
	if (poll(&p, 1, 0) <= 0)
		return EINPROGRESS;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	return settle(s, error);
}

short client_socket_events(const struct client_socket *s, bool want_write)
{
	short read = s->stage == CLIENT_OPEN ? POLLIN : 0;
	return s->stage == CLIENT_ENDED ? 0 : (short)(read | (want_write || !read ? POLLOUT : 0));
}

/* The peer is gone: it closed, or the connection was reset. errno stays what it is. */
static void note_end(struct client_socket *s)
{
	int error = errno;
	if (s->writer && s->stage == CLIENT_OPEN)
		capture_closed(s->writer, s->number, false, time_now_ns());
	s->stage = CLIENT_ENDED;
	errno = error;
}

ssize_t client_socket_read(struct client_socket *s, void *data, size_t size)
{
	ssize_t n = recv(s->fd, data, size, 0);
	if (n > 0 && s->writer)
		capture_data(s->writer, s->number, false, data, (size_t)n, time_now_ns());
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		note_end(s);
	return n;
}

ssize_t client_socket_write(struct client_socket *s, const void *data, size_t size)
{
	ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
	if (n > 0 && s->writer)
		capture_data(s->writer, s->number, true, data, (size_t)n, time_now_ns());
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		note_end(s);
	return n;
}

void client_socket_close(struct client_socket *s)
{
	if (s->fd < 0)
		return;
	if (s->stage == CLIENT_CONNECTING)
		note_capture(s, ETIMEDOUT);
	if (s->writer && s->stage == CLIENT_OPEN)
		capture_closed(s->writer, s->number, true, time_now_ns());
	s->stage = CLIENT_ENDED;
	close(s->fd);
	s->fd = -1;
}
