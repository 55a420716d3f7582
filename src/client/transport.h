#ifndef MW_CLIENT_TRANSPORT_H
#define MW_CLIENT_TRANSPORT_H

#include "base/error.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client_conn;
struct client_address;

/*
 * What carries the bytes of one RPC connection: TCP (tcp.c), or RPC over HTTP (rpc_http.c), whose sockets are in the
 * client's list of HTTP connections. None of these functions waits: conn.c calls them when a descriptor is ready.
 */
#define CLIENT_TRANSPORT_FDS 1

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
	/* As read and write on a stream that does not block: -1 and errno, EAGAIN included; read: 0 at the end. What is
	 * written are whole PDUs. */
	ssize_t (*read)(struct client_transport *t, void *data, size_t size);
	ssize_t (*write)(struct client_transport *t, const void *data, size_t size);
	/* In any state. Clears *t. */
	void (*close)(struct client_transport **t);
	/* NULL, or: says why it could not be opened, or is not open yet (late), or has ended; yields a MAPIWIRE_E_*. */
	int (*fail)(struct client_transport *t, bool late, const char *what);
	/* NULL, or: when read has something to do without a descriptor's being ready, monotonic. */
	int64_t (*deadline)(const struct client_transport *t);
};

extern const struct client_transport_kind client_tcp, client_rpc_http;

#endif
