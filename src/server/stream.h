#ifndef MW_SERVER_STREAM_H
#define MW_SERVER_STREAM_H

#include "server/loop.h"

/*
 * An accepted socket of one loop: reads, writes that wait, peers that do not read. What stands on it (an RPC
 * connection, an HTTP one) is its owner's affair.
 */
struct server_stream;

struct stream_ops {
	void (*bytes)(struct server_stream *s, const uint8_t *data, size_t len);
	void (*eof)(struct server_stream *s);     /* it is closed after */
	void (*drained)(struct server_stream *s); /* what waited has shrunk; NULL: of no interest */
	/* Once a second. False: it may go. */
	bool (*tick)(struct server_stream *s, int64_t now_ns);
	size_t (*held)(const struct server_stream *s); /* bytes that the owner keeps for it */
	void (*closed)(struct server_stream *s); /* the last call: the owner goes; the stream is freed by itself */
};

struct server_stream {
	struct server_stream *next, *previous; /* of the loop */
	struct server_loop *loop;
	enum server_port port;
	uint8_t local_ip[4]; /* zeros for IPv6 */
	uv_tcp_t tcp;
	uv_shutdown_t shutdown;
	const struct stream_ops *ops; /* NULL: it has no owner any more and only ends */
	void *owner;
	bool closing, reading, paused, held;
	bool finishing;  /* close when everything is written */
	unsigned writes; /* outstanding */
	size_t write_bytes;
	uint64_t queued, written; /* bytes in all that had to wait; that the peer had, when the last tick looked */
	int64_t last_ns, began_ns;
	int64_t moving_ns;        /* when output last moved, or began to wait */
	struct crowd_place place; /* crowd.h */
	int64_t ends_ns;          /* without an owner: when it goes at the latest */
};

/* A connection that waits at the listener, or an open socket: fd is then the stream's, even on failure. NULL: gone. */
struct server_stream *stream_accept(struct server_loop *loop, enum server_port port);
struct server_stream *stream_open(struct server_loop *loop, enum server_port port, int fd);
/* Sets the owner and begins to read. */
void stream_start(struct server_stream *s, const struct stream_ops *ops, void *owner);
/* Sends out, or takes it over to send it later; out is empty then. May close. */
void stream_send(struct server_stream *s, struct buf *out);
/* Reads no more until let go; its own pausing goes on besides. */
void stream_hold(struct server_stream *s, bool held);
/* Tells the owner, and forgets it. */
void stream_close(struct server_stream *s);
/* After everything is written. */
void stream_finish(struct server_stream *s);
/* The same, without its owner, who is not told; then waits a little for the peer's end, so that what the peer still
 * sends does not destroy what it has not read yet. */
void stream_linger(struct server_stream *s);
/* A duplicate of its descriptor; negative: none. */
int stream_dup(struct server_stream *s);
/* The address of the peer as text; "" when unknown. */
void stream_peer(struct server_stream *s, char out[48]);
/* Deadlines of all streams of the loop. */
void stream_tick_all(struct server_loop *loop, int64_t now_ns);

/* web.c: the HTTP connection of a socket that was accepted. */
void web_accept(struct server_stream *s);

#endif
