#include "client/private.h"
#include "client/socket.h"
#include "client/transport.h"

#include <errno.h>
#include <stdlib.h>

/* RPC over TCP, [MS-RPCE] 2.1.1.1: the PDUs as they are. */

struct tcp {
	struct client_transport base;
	struct client_socket socket;
};

static struct client_socket *socket_of(struct client_transport *t)
{
	return &((struct tcp *)t)->socket;
}

static int tcp_open(struct client_conn *c, const struct client_address *address, struct client_transport **out)
{
	struct tcp *t = (struct tcp *)calloc(1, sizeof *t);
	if (!t)
		return ENOMEM;
	t->base.kind = &client_tcp;
	int error = client_socket_open(&t->socket, c->m->capture, address, c->port);
	if (error != 0)
		free(t);
	else
		*out = &t->base;
	return error;
}

static int tcp_progress(struct client_transport *t)
{
	return client_socket_progress(socket_of(t));
}

static unsigned tcp_poll(const struct client_transport *t, bool want_write, struct pollfd fds[CLIENT_TRANSPORT_FDS])
{
	const struct client_socket *s = &((const struct tcp *)t)->socket;
	fds[0] = (struct pollfd){.fd = s->fd, .events = client_socket_events(s, want_write)};
	return fds[0].events != 0;
}

static ssize_t tcp_read(struct client_transport *t, void *data, size_t size)
{
	return client_socket_read(socket_of(t), data, size);
}

static ssize_t tcp_write(struct client_transport *t, const void *data, size_t size)
{
	return client_socket_write(socket_of(t), data, size);
}

static void tcp_close(struct client_transport **transport)
{
	struct client_transport *t = TAKE_PTR(*transport);
	if (!t)
		return;
	client_socket_close(socket_of(t));
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
