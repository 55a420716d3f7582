#ifndef MW_HTTP_RPCH_OBSERVER_H
#define MW_HTTP_RPCH_OBSERVER_H

#include "http/rpch.h"
#include "http/rts.h"

/*
 * The third role of http/rpch.h: sees the bodies of RPC_IN_DATA and RPC_OUT_DATA requests and of their answers, pairs
 * channels by the cookies of their first PDUs, follows replaced ones, and hands out RPC PDUs in the order of the
 * virtual connection. It refuses nothing: what breaks a rule is told, and reading goes on.
 */

struct rpch_observer;

/* One channel, made by rpch_observe_channel; lives as long as its observer. */
struct rpch_seen {
	enum rpch_direction direction;
	unsigned connection; /* 1, 2 ... in the order of their first channel; 0: its first PDU was not seen */
	bool successor;
	struct guid cookie;
	void *user; /* the caller's */
};

enum rpch_sight_type {
	RPCH_SAW_RTS,     /* an RTS PDU: rts is what it says; data the bytes, for its fields */
	RPCH_SAW_PDU,     /* an RPC PDU; of a successor, not before its predecessor has ended */
	RPCH_SAW_DAMAGED, /* bytes that are no PDU, or an RTS PDU that is none: why */
	RPCH_SAW_GAP,     /* len bytes are missing */
};

struct rpch_sight {
	enum rpch_sight_type type;
	struct rpch_seen *channel;
	bool from_client;
	uint64_t first; /* offset in that body */
	const struct rts *rts;
	const uint8_t *data; /* valid during the callback */
	size_t len;
	const char *why;
};
typedef void (*rpch_sight_fn)(void *user, const struct rpch_sight *sight);

/* NULL: out of memory. */
struct rpch_observer *rpch_observer_new(rpch_sight_fn on_sight, void *user);
void rpch_observer_free(struct rpch_observer **o);
struct rpch_seen *rpch_observe_channel(struct rpch_observer *o, enum rpch_direction direction, void *user);
/* Body bytes that side sent, in order. */
void rpch_observe(struct rpch_observer *o, struct rpch_seen *channel, bool from_client, const void *data, size_t len);
/* n bytes of that side's body were not captured: it goes on at the next PDU it finds. */
void rpch_observe_gap(struct rpch_observer *o, struct rpch_seen *channel, bool from_client, uint64_t n);
/* The channel has ended: what its successor said in the meantime is handed out. */
void rpch_observe_end(struct rpch_observer *o, struct rpch_seen *channel);

#endif
