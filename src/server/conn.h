#ifndef MW_SERVER_CONN_H
#define MW_SERVER_CONN_H

#include "server/loop.h"
#include "server/service.h"

/* Who wants to know when the connection closes or gives up a call. */
struct conn_watch {
	struct conn_watch *next;
	struct server_loop *at;
	uint64_t key;
	void (*gone)(struct server_loop *at, const struct service_gone *what);
};
#define CONN_MAX_WATCHES 64 /* the oldest goes */

/*
 * What carries an RPC connection: a socket, or two channels of RPC over HTTP. Both functions are called in the loop of
 * the connection.
 */
struct conn_carrier {
	void (*flush)(struct server_conn *c); /* sends rpc_output(c->rpc), or takes it over */
	/* The connection has ended, by either side; it is freed after this, its output sent or not. */
	void (*close)(struct server_conn *c);
	/* NULL, or: nothing more comes; close once what was flushed is with the peer. Else conn_close is called at
	 * once. */
	void (*finish)(struct server_conn *c);
	void (*known)(struct server_conn *c); /* a user has logged on inside; NULL: of no interest */
};

/* An RPC connection and its machine; belongs to one loop. */
struct server_conn {
	struct server_conn *next, *previous; /* of the loop */
	struct server_conn *hash_next;
	struct server_loop *loop;
	uint64_t id;
	enum server_port port;
	uint8_t local_ip[4]; /* zeros for IPv6 */
	const struct conn_carrier *carrier;
	void *user;                 /* the carrier's: struct server_stream for sockets */
	struct rpc_connection *rpc; /* a socket's: NULL until the first PDU tells which loop it belongs to */
	uint8_t first[24];          /* its beginning, until then */
	unsigned first_len;
	struct loop_unsent unsent;
	bool closing, in_feed, known;
	bool refused;   /* its user was, which ends it and was logged */
	bool finishing; /* close when everything is written */
	int64_t last_ns, began_ns;
	struct conn_watch *watches; /* newest first */
};

/* The RPC connection of a socket that was accepted. */
void conn_begin(struct server_stream *s);
/* One that something else carries; port says what is offered there. NULL: out of memory. */
struct server_conn *conn_new(struct server_loop *loop, enum server_port port, const struct conn_carrier *carrier,
                             void *user);
MW_NODISCARD int conn_start_rpc(struct server_conn *c);
/* Bytes of the peer's. False: the connection is gone. */
bool conn_feed(struct server_conn *c, const void *data, size_t size);
struct server_conn *conn_find(struct server_loop *loop, uint64_t id);
/* Sends what the machine has put out. May close. */
void conn_flush(struct server_conn *c);
void conn_close(struct server_conn *c);
/* The same for another's list of watches, which stays. */
void conn_tell_watches(const struct conn_watch *list, struct server_loop *home, uint64_t conn, bool all,
                       uint32_t call_id);
void conn_drop_watches(struct conn_watch **list);
/* Tells the watches that one call, or with all every call, is no longer waited for. */
void conn_tell_gone(struct server_conn *c, bool all, uint32_t call_id);
/* Deadlines of all connections of the loop. */
void conn_tick_all(struct server_loop *loop, int64_t now_ns);

/* dispatch.c: what is offered on a port (user), and the event handler of a server's machine. */
const struct idl_interface *dispatch_find_interface(void *user, const struct rpc_syntax *abstract);
void dispatch_event(void *user, struct rpc_connection *rpc, const struct rpc_event *event);

#endif
