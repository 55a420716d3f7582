#ifndef MW_SERVER_WEB_H
#define MW_SERVER_WEB_H

#include "http/field.h"
#include "http/http.h"
#include "server/service.h"

#include <time.h>

/*
 * HTTP and HTTPS as the services see it: one row of web_routes a path, one small function a happening. Bytes go
 * socket → (TLS) → src/http → the route; who asks is settled before a route hears of the request.
 */
struct web_request;

struct web_route {
	const char *path; /* the whole of it; "/name/": all below. Case does not count */
	uint8_t ports;    /* bit 1 << enum server_port: where it is served; elsewhere it is 404 */
	bool open;        /* to those who do not say who they are; else 401, until they do */
	/* NULL, or: asked before anybody is asked who he is. True: it has answered. */
	bool (*before)(struct web_request *r);
	/* Bodies up to this come whole, in r->body, at end; a longer one is answered 413. 0: the route streams. */
	size_t collect;
	void (*begin)(struct web_request *r); /* streaming: the head is there. NULL: of no interest */
	void (*body)(struct web_request *r, const uint8_t *data, size_t len); /* streaming: a piece */
	void (*end)(struct web_request *r);                                   /* the body is whole */
	/* The connection closed before the answer was whole. The last call; none comes after web_end. */
	void (*gone)(struct web_request *r);
	/* Output that waited, more than WEB_PLENTY, is less than half of that again. May be NULL. */
	void (*drained)(struct web_request *r);
};
extern const struct web_route web_routes[]; /* routes.c; ends with a NULL path */
#define WEB_PLENTY ((size_t)1 << 20)

/*
 * One request and its answer, which may both stream as long as they like: a route that answers in begin still gets
 * body and end. Belongs to its route, in one loop, until web_end or gone.
 */
struct web_request {
	const struct web_route *route;
	struct server_loop *loop;
	struct server *server;
	uint64_t id; /* of the request: see web_find */
	enum server_port port;
	const struct http_head *head; /* until web_end */
	const char *path, *query;     /* decoded; as sent, or NULL */
	uint64_t account;             /* the directory's id; 0: nobody said who he is (open routes) */
	const char *user;             /* "DOMAIN\\user" for the log; "" */
	enum auth_type auth_type;     /* AUTH_NONE with Basic */
	bool secure;                  /* TLS here, or at a trusted proxy */
	char peer[48];                /* address of the client, as a trusted proxy tells it or as it connected */
	uint8_t local_ip[4];          /* the address it connected to; zeros for IPv6 */
	struct buf body;              /* with collect */
	void *state;                  /* the route's */
};

/* An answer in parts: a head (HTTP_LENGTH, HTTP_CHUNKED, HTTP_TO_CLOSE), pieces, the end; sent at the end of the
 * round, or at once by web_flush. What fails closes the connection; later calls then do nothing. reason NULL: usual. */
void web_begin(struct web_request *r, const struct http_head *head);
void web_send(struct web_request *r, const void *data, size_t len);
void web_end(struct web_request *r);
/* All at once; r is the connection's again. */
void web_answer(struct web_request *r, const struct http_head *head, const void *data, size_t len);
/* The same with a sentence as plain text: for errors. */
void web_refuse(struct web_request *r, unsigned status, const char *sentence);
void web_flush(struct web_request *r);
/* Cuts the connection without the end of the answer; gone is called. */
void web_abort(struct web_request *r);
/* The same, after what was put out has left. r may be gone afterwards. */
void web_cut(struct web_request *r);
/* Bytes of the answer that have not left. */
size_t web_waiting(const struct web_request *r);
/* Takes no more of the body until resumed. */
void web_pause(struct web_request *r, bool paused);
/* The body has its own pace: no deadline (http_server_no_body_deadline); and idleness is the route's affair. */
void web_no_deadline(struct web_request *r);
/* As Date has it, RFC 9110 5.6.7; until the next call. */
const char *web_date(struct server_loop *loop, time_t when);
/* The request of that number in this loop, or NULL: for answers that come later. */
struct web_request *web_find(struct server_loop *loop, uint64_t id);

/*
 * Takes the connection, with all it has, to another loop, where run is called with the same r, which has a new id.
 * From begin or end, before anything was answered; r is not to be touched after. Same loop: run at once.
 */
void web_move(struct web_request *r, struct server_loop *to, void (*run)(struct web_request *r));

#endif
