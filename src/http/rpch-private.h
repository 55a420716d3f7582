#ifndef MW_HTTP_RPCH_PRIVATE_H
#define MW_HTTP_RPCH_PRIVATE_H

#include "base/arena.h"
#include "http/rpch.h"
#include "http/rts.h"

/* What the files of a virtual connection share. */

#define RPCH_VERSION 1
#define RPCH_DEFAULT_WINDOW (UINT32_C(64) << 10)
#define RPCH_DEFAULT_KEEPALIVE 300000
#define RPCH_LEAST_KEEPALIVE 60000
#define RPCH_DEFAULT_TIMEOUT 120000
/* Of a channel's lifetime, kept for the RTS PDUs that replace it. */
#define RPCH_RESERVE 1024
#define RPCH_NS(ms) ((int64_t)(ms)*1000000)

struct channel {
	struct rpch_channel pub;
	struct channel *next_dead;
	struct buf part;  /* the beginning of a PDU; of a successor that is not in use: all that came */
	bool early;       /* a successor: what comes waits in part */
	bool plugged;     /* OUT_R1: nothing may be sent until the client says so */
	uint64_t written; /* body bytes put out */
	int64_t wrote_ns, heard_ns;
	/* As sender, [MS-RPCH] 3.2.1.1.5.1: of RPC PDUs alone. */
	uint32_t peer_window, available, sent;
	/* As receiver. */
	uint32_t room, received; /* room: what the peer may send by the last acknowledgement */
};

enum rpch_state { RPCH_OPENING, RPCH_OPENED, RPCH_CLOSED };

/* How far a direction's replacement is. Server, IN: A5 is awaited. OUT: A3, then A7. Client, IN: A4. OUT: A6, then the
 * predecessor's end. */
enum rpch_recycle { RPCH_STEADY, RPCH_ASKED, RPCH_FOUND };

struct rpch_connection {
	struct rpch_config config;
	struct arena *arena; /* of the RTS PDU at hand */
	enum rpch_state state;
	struct guid cookie;
	struct channel *channels[2], *next[2];
	enum rpch_recycle recycle[2];
	bool r1[2]; /* which of the two sequences it is */
	int64_t recycle_ns[2], began_ns, now;
	uint32_t timeouts[2]; /* of the peer's proxies; the server's own */
	uint32_t keepalive;
	bool a3;          /* client: CONN/A3 has come */
	struct buf queue; /* RPC PDUs that wait for the window */
	int64_t moved_ns; /* when some of them went, or began to wait */
	struct buf held;
	bool hold;
	unsigned depth; /* of callbacks and entries */
	struct channel *dead;
};

/* rpch.c */
void rpch_enter(struct rpch_connection *c, int64_t now_ns);
void rpch_leave(struct rpch_connection *c);
void rpch_fail(struct rpch_connection *c, const char *why);
void rpch_raise(struct rpch_connection *c, enum rpch_event_type type, struct channel *channel);
struct channel *rpch_new_channel(struct rpch_connection *c, enum rpch_direction direction, const struct guid *cookie);
/* Puts an RTS PDU out on a channel. */
void rpch_put(struct rpch_connection *c, struct channel *ch, const struct rts *rts);
/* The successor takes over; the predecessor is told to the caller and forgotten. */
void rpch_switch(struct rpch_connection *c, enum rpch_direction direction);
void rpch_opened(struct rpch_connection *c);

/* rpch_flow.c: the direction that we write, and the one that we read. */
static inline enum rpch_direction rpch_written(const struct rpch_connection *c)
{
	return c->config.role == RPCH_SERVER ? RPCH_OUT : RPCH_IN;
}
static inline enum rpch_direction rpch_read(const struct rpch_connection *c)
{
	return c->config.role == RPCH_SERVER ? RPCH_IN : RPCH_OUT;
}
void rpch_set_window(struct channel *ch, uint32_t peer_window);
void rpch_pump(struct rpch_connection *c);
void rpch_acknowledged(struct rpch_connection *c, const struct RtsFlowControlAck *ack);
/* An RPC PDU has come. */
void rpch_take(struct rpch_connection *c, struct channel *ch, const uint8_t *pdu, size_t size);
bool rpch_exhausted(const struct rpch_connection *c, const struct channel *ch);
size_t rpch_pdu_size(const uint8_t *header); /* of its first 16 bytes; 0: no PDU */

/* rpch_server.c, rpch_client.c: an RTS PDU has come; the written channel has carried most of what it may. */
void rpch_server_rts(struct rpch_connection *c, struct channel *ch, const struct rts *rts);
void rpch_server_recycle(struct rpch_connection *c);
void rpch_client_start(struct rpch_connection *c);
void rpch_client_rts(struct rpch_connection *c, struct channel *ch, const struct rts *rts);
void rpch_client_recycle(struct rpch_connection *c);

#endif
