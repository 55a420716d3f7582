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

/* A TCP connection and its RPC machine; belongs to one loop. */
struct server_conn {
	struct server_conn *next, *previous; /* of the loop */
	struct server_conn *hash_next;
	struct server_conn *unsent_next; /* while unsent */
	struct server_loop *loop;
	uint64_t id;
	enum server_port port;
	uint8_t local_ip[4]; /* zeros for IPv6 */
	uv_tcp_t tcp;
	struct rpc_connection *rpc; /* NULL until the first PDU tells which loop it belongs to */
	uint8_t first[24];          /* its beginning, until then */
	unsigned first_len;
	bool closing, paused, in_feed, unsent;
	bool refused;    /* its user was, which ends it and was logged */
	bool finishing;  /* close when everything is written */
	unsigned writes; /* outstanding */
	size_t write_bytes;
	uint64_t queued, written; /* bytes in all that had to wait; that the peer had, when the last tick looked */
	int64_t last_ns, began_ns;
	int64_t moving_ns;          /* when output last moved, or began to wait */
	struct conn_watch *watches; /* newest first */
	struct crowd_place place;   /* crowd.h */
};

void conn_accept(struct server_loop *loop, enum server_port port);
struct server_conn *conn_find(struct server_loop *loop, uint64_t id);
/* Sends what the machine has put out. */
void conn_flush(struct server_conn *c);
void conn_close(struct server_conn *c);
/* Tells the watches that one call, or with all every call, is no longer waited for. */
void conn_tell_gone(struct server_conn *c, bool all, uint32_t call_id);
/* What was put out while this round of the loop read its sockets. */
void conn_flush_unsent(struct server_loop *loop);
/* Deadlines of all connections of the loop. */
void conn_tick_all(struct server_loop *loop, int64_t now_ns);

/* dispatch.c: what is offered on a port (user), and the event handler of a server's machine. */
const struct idl_interface *dispatch_find_interface(void *user, const struct rpc_syntax *abstract);
void dispatch_event(void *user, struct rpc_connection *rpc, const struct rpc_event *event);

#endif
