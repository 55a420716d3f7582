#ifndef MW_CLIENT_SOCKET_H
#define MW_CLIENT_SOCKET_H

#include "base/error.h"
#include "capture/capture.h"

#include <sys/socket.h>
#include <sys/types.h>

struct client_address {
	struct sockaddr_storage at;
	socklen_t len;
};

/* One TCP connection, and what the capture shows of it. None of these waits. */
struct client_socket {
	int fd;                        /* -1: there is none */
	struct capture_writer *writer; /* NULL: no capture */
	unsigned number;               /* in the capture */
	enum { CLIENT_CONNECTING, CLIENT_OPEN, CLIENT_ENDED } stage;
	struct sockaddr_storage server;
	int64_t began;
};

/* Begins to connect: 0 or an errno, and then there is none. */
MW_NODISCARD int client_socket_open(struct client_socket *s, struct capture_writer *writer,
                                    const struct client_address *address, uint16_t port);
/* Goes on with that: 0 when open, EINPROGRESS, or the errno it ended with. */
MW_NODISCARD int client_socket_progress(struct client_socket *s);
/* What to poll for; 0: nothing. */
short client_socket_events(const struct client_socket *s, bool want_write);
/* As read and write on a stream that does not block. */
ssize_t client_socket_read(struct client_socket *s, void *data, size_t size);
ssize_t client_socket_write(struct client_socket *s, const void *data, size_t size);
void client_socket_close(struct client_socket *s);

#endif
