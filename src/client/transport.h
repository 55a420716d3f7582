#ifndef MW_CLIENT_TRANSPORT_H
#define MW_CLIENT_TRANSPORT_H

#include "base/error.h"

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

struct client_conn;
struct client_address;

/*
 * What carries the bytes of one RPC connection. TCP is the one kind there is; one that
 * needs several sockets (RPC over HTTP) or a layer in between (TLS) puts them behind the same
 * six functions. None of them waits: conn.c calls them when a descriptor is ready.
 */
#define CLIENT_TRANSPORT_FDS 2

struct client_transport {
	const struct client_transport_kind *kind;
};

struct client_transport_kind {
	/* Begins to connect. 0 and *out, or an errno. The connection (its port, its client's capture) outlives it. */
	MW_NODISCARD int (*open)(struct client_conn *c, const struct client_address *address,
	                         struct client_transport **out);
	/* Goes on with that: 0 when open, EINPROGRESS, or the errno it ended with. */
	MW_NODISCARD int (*progress)(struct client_transport *t);
	/* The descriptors to wait for, and for what; want_write: there are bytes to send. How many. */
	unsigned (*poll)(const struct client_transport *t, bool want_write, struct pollfd fds[CLIENT_TRANSPORT_FDS]);
	/* As read and write on a stream that does not block: -1 and errno, EAGAIN included; read: 0 at the end. */
	ssize_t (*read)(struct client_transport *t, void *data, size_t size);
	ssize_t (*write)(struct client_transport *t, const void *data, size_t size);
	/* In any state. Clears *t. */
	void (*close)(struct client_transport **t);
};

extern const struct client_transport_kind client_tcp;

#endif
