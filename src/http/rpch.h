#ifndef MW_HTTP_RPCH_H
#define MW_HTTP_RPCH_H

#include "base/buf.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A virtual connection of RPC over HTTP v2, [MS-RPCH] chapter 3, as a state machine: a stream of RPC PDUs each way,
 * carried by two HTTP requests that never seem to end, the IN and the OUT channel, which are replaced by new ones
 * before they have carried what their Content-Length says. Bytes of bodies in; bytes of bodies and events out. It knows
 * no socket, clock or thread. Client and server are roles; the server is inbound proxy, outbound proxy and RPC server
 * in one. What an observer sees is in http/rpch_observer.h.
 */
enum rpch_role { RPCH_CLIENT, RPCH_SERVER };
enum rpch_direction { RPCH_IN, RPCH_OUT }; /* client to server: RPC_IN_DATA; server to client: RPC_OUT_DATA */

struct rpch_connection;

/* One channel; belongs to its connection. */
struct rpch_channel {
	enum rpch_direction direction;
	struct guid cookie;
	/* Body bytes to send and consume: the request's, or of a server's OUT channel the answer's, whose head goes
	 * before the first of them. */
	struct buf output;
	void *user; /* the caller's */
};

enum rpch_event_type {
	RPCH_EV_OPEN,    /* both channels stand */
	RPCH_EV_PDU,     /* a whole RPC PDU of the peer */
	RPCH_EV_CHANNEL, /* client: another request is wanted, whose body is channel->output */
	RPCH_EV_DONE, /* channel was replaced: take its output, send it, end the request; it is gone after the callback
	               */
	RPCH_EV_CLOSED, /* the connection is over, why: send what its channels have, end them, free it */
};

struct rpch_event {
	enum rpch_event_type type;
	struct rpch_channel *channel;
	const uint8_t *data; /* PDU; valid during the callback */
	size_t len;
	const char *why;
};
typedef void (*rpch_event_fn)(void *user, struct rpch_connection *c, const struct rpch_event *event);

struct rpch_config {
	enum rpch_role role;
	rpch_event_fn on_event;
	void *user;
	const struct random_source *random; /* client */
	/* 0 = the default. Sizes in bytes, times in milliseconds. */
	uint32_t window;   /* of what we receive; 8 to 256 KiB, 64 KiB */
	uint32_t lifetime; /* most bytes of the channels we write: their Content-Length; 1 GiB. Not less than two of the
	                    * peer's windows, so that one replacement is over before the next */
	uint32_t timeout;  /* server: after which proxies forget a silent channel; 120,000 */
	uint32_t keepalive;     /* client: 300,000 */
	uint32_t setup_timeout; /* for the second channel, and for a successor; 60,000 */
	bool separate_proxies;  /* server: recycles as if channels led to different proxies: IN_R1, OUT_R1 */
	uint64_t owner;         /* server: whose channels these are; others' are refused */
};

#define RPCH_DEFAULT_LIFETIME UINT32_C(0x40000000)
/* Content-Length of a client's OUT request: CONN/A1; of a successor's: A3 and A11, or A3 and C1. [MS-RPCH] 2.1.2.1.2 */
#define RPCH_OUT_LENGTH 76
#define RPCH_NEXT_OUT_LENGTH 120
/* A request of no more is an echo request, [MS-RPCH] 2.1.2.1.5. */
#define RPCH_ECHO_MOST 0x10
#define RPCH_ECHO_SIZE 20

/* The first PDU of a channel, which says what it is for. */
struct rpch_opening {
	enum rpch_direction direction;
	bool successor;
	struct guid connection, predecessor, channel; /* cookies */
	uint32_t version, window, lifetime, keepalive;
	size_t size; /* of the PDU */
};
/* From the first bytes of a request's body. MW_E_AGAIN: needs more; else MW_E_MALFORMED and why. */
MW_NODISCARD int rpch_read_opening(enum rpch_direction direction, const void *data, size_t len,
                                   struct rpch_opening *out, const char **why);
/* The answer to an echo request, RPCH_ECHO_SIZE bytes. */
void rpch_put_echo(struct buf *out);

/* NULL: out of memory. A client's channels are there at once, its first PDUs in their output. */
struct rpch_connection *rpch_connection_new(const struct rpch_config *config, int64_t now_ns);
void rpch_connection_free(struct rpch_connection **c); /* not inside a callback */
/* Who is called from now on; the channels' users are theirs to set. */
void rpch_set_user(struct rpch_connection *c, void *user);

/* Server: a channel with this opening, which was asked for by owner. A refusal (MW_E_STATE, MW_E_AUTH, and why) leaves
 * the connection as it was: a stranger's channel ends alone. */
MW_NODISCARD int rpch_attach(struct rpch_connection *c, const struct rpch_opening *opening, uint64_t owner,
                             int64_t now_ns, struct rpch_channel **out, const char **why);
/* Body bytes of the peer (without the opening). Events are raised inside. */
void rpch_feed(struct rpch_connection *c, struct rpch_channel *channel, const void *data, size_t len, int64_t now_ns);
/* The channel's HTTP connection broke, or the body of an IN channel or of an answer ended. */
void rpch_lost(struct rpch_connection *c, struct rpch_channel *channel, const char *why, int64_t now_ns);
/* The channels there are: the one in use, and its successor while it waits; NULL: none. */
struct rpch_channel *rpch_channel(struct rpch_connection *c, enum rpch_direction direction);
struct rpch_channel *rpch_successor(struct rpch_connection *c, enum rpch_direction direction);

/* Whole RPC PDUs to the peer; they wait for its window. MW_E_MALFORMED: not whole; MW_E_STATE: closed. */
MW_NODISCARD int rpch_send(struct rpch_connection *c, const void *pdus, size_t len, int64_t now_ns);
size_t rpch_waiting(const struct rpch_connection *c); /* bytes that wait for the window */
/* While held, no PDU is handed out and the window closes as they come; not inside a callback when false. */
void rpch_hold(struct rpch_connection *c, bool hold, int64_t now_ns);
/* Ends it in order: RPCH_EV_CLOSED. */
void rpch_close(struct rpch_connection *c, const char *why);

int64_t rpch_deadline(const struct rpch_connection *c); /* INT64_MAX: none */
void rpch_tick(struct rpch_connection *c, int64_t now_ns);

#endif
