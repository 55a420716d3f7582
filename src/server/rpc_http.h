#ifndef MW_SERVER_RPC_HTTP_H
#define MW_SERVER_RPC_HTTP_H

#include "http/rpch.h"
#include "server/conn.h"
#include "server/web.h"

/*
 * RPC over HTTP: requests of /rpc/rpcproxy.dll become channels, two channels a virtual connection (http/rpch.h), and
 * that the carrier of an RPC connection like any other. All virtual connections of a user live in one loop, so that
 * their association groups can be joined.
 */
#define RPC_HTTP_FIRST 128 /* bytes of a channel that must have its first PDU */

struct rpc_http_connection;

/* A request, as its route's state. */
struct rpc_http_channel {
	struct web_request *request;
	enum rpch_direction direction;
	enum server_port port; /* what is offered behind the port that it asks for */
	bool echo;
	bool unknown; /* there is no such endpoint: said once the first PDU has come, as Windows' proxies do */
	bool answered;
	uint8_t first[RPC_HTTP_FIRST]; /* until its first PDU is whole */
	unsigned first_len;
	struct rpc_http_connection *connection; /* NULL: not yet, or no more */
	struct rpch_channel *channel;
};

/* rpc_http.c: the functions of the route. */
void rpc_http_begin(struct web_request *r);
void rpc_http_body(struct web_request *r, const uint8_t *data, size_t len);
void rpc_http_end(struct web_request *r);
void rpc_http_gone(struct web_request *r);
void rpc_http_drained(struct web_request *r);
/* Sends what the channel's output holds, under a head when it is the first. */
void rpc_http_send(struct rpc_http_channel *ch, struct buf *out);
/* The same, and then ends the request and the channel. */
void rpc_http_finish(struct rpc_http_channel *ch, struct buf *out);

/* rpc_http_conn.c: a channel whose first PDU is whole, and what follows it. False: it is refused, and why. */
bool rpc_http_attach(struct rpc_http_channel *ch, const struct rpch_opening *opening, const uint8_t *rest, size_t len,
                     const char **why);
void rpc_http_feed(struct rpc_http_channel *ch, const uint8_t *data, size_t len);
void rpc_http_lost(struct rpc_http_channel *ch, const char *why);
/* Output that waited has left. */
void rpc_http_relax(struct rpc_http_connection *c);
/* Deadlines of all virtual connections of the loop. */
void rpc_http_tick(struct server_loop *loop, int64_t now_ns);

#endif
