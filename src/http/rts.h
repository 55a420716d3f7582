#ifndef MW_HTTP_RTS_H
#define MW_HTTP_RTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/guid.h"
#include "ndr/ndr.h"
#include "wire/rts.h"

/*
 * RTS PDUs, [MS-RPCH] 2.2.3 and 2.2.4: bytes to a structure and back, by the tables
 * of wire/rts.idl and one table more that says which commands make up which PDU.
 */

#define RTS_PTYPE 20
#define RTS_HEADER_SIZE 20
#define RTS_MAX_SIZE 4096 /* no PDU of 2.2.4 is longer than 120 bytes but for its padding */

enum rts_flag {
	RTS_FLAG_PING = 0x01,
	RTS_FLAG_OTHER_CMD = 0x02,
	RTS_FLAG_RECYCLE_CHANNEL = 0x04,
	RTS_FLAG_IN_CHANNEL = 0x08,
	RTS_FLAG_OUT_CHANNEL = 0x10,
	RTS_FLAG_EOF = 0x20,
	RTS_FLAG_ECHO = 0x40,
};

/* What a PDU looks like. Some that 2.2.4 names apart look the same; only who sends them when tells them apart. */
enum rts_kind {
	RTS_OTHER, /* well-formed, but none of these */
	RTS_CONN_A1,
	RTS_CONN_A2,
	RTS_CONN_A3,
	RTS_CONN_B1,
	RTS_CONN_B2,
	RTS_CONN_B3,
	RTS_CONN_C2, /* and C1 */
	RTS_IN_A1,   /* IN_R1 and IN_R2 */
	RTS_IN_R1_A2,
	RTS_IN_R1_A4, /* and A3 */
	RTS_COOKIE,   /* IN_R1/A5, A6, IN_R2/A2, A5, OUT_R2/A4 */
	RTS_IN_R1_B1,
	RTS_IN_R1_B2,
	RTS_IN_R2_A4, /* and A3 */
	RTS_OUT_A2,   /* OUT_R1 and OUT_R2, A1 and A2 */
	RTS_OUT_A3,   /* OUT_R1 and OUT_R2 */
	RTS_OUT_R1_A4,
	RTS_OUT_R1_A6, /* and A5 */
	RTS_OUT_R1_A7, /* and A8, and OUT_R2/A8 */
	RTS_OUT_R2_A7,
	RTS_ANCE,      /* OUT_R1/A9, A10, A11, OUT_R2/B1 */
	RTS_OUT_R2_A6, /* and A5 */
	RTS_OUT_R2_B2,
	RTS_OUT_R2_B3,
	RTS_OUT_R2_C1,
	RTS_KEEP_ALIVE,
	RTS_PING_TRAFFIC,
	RTS_ECHO,
	RTS_PING,
	RTS_FLOW_ACK,
	RTS_FLOW_ACK_TO, /* with a destination */
};

/* What a PDU says; fields that its kind does not have are zero. Times are in milliseconds, sizes in bytes. */
struct rts {
	enum rts_kind kind;
	uint16_t flags;
	uint32_t version, window, timeout, lifetime, keepalive, ping_traffic;
	uint32_t destination; /* enum RtsDestination */
	unsigned cookie_count;
	struct guid cookies[3]; /* virtual connection, (predecessor,) channel, in the order of the PDU */
	struct guid group;
	struct RtsFlowControlAck ack;
	struct RtsClientAddress address;
};

/*
 * One whole PDU of len bytes. MW_E_TRUNCATED, MW_E_MALFORMED, MW_E_LIMIT with *why (may be NULL) one phrase. A tracer
 * is told each field, and then what a strict reader refuses is let pass if it can be read at all. The arena has what
 * lies between.
 */
MW_NODISCARD int rts_decode(struct arena *arena, const void *data, size_t len, const struct ndr_tracer *tracer,
                            struct rts *out, const char **why);
/* Appends a PDU of rts->kind; flags and cookie_count are the kind's. */
MW_NODISCARD int rts_encode(struct arena *arena, const struct rts *rts, struct buf *out);
/* As 2.2.4 calls it: "CONN/A1", "IN_R1/A1 or IN_R2/A1"; static. */
const char *rts_name(enum rts_kind kind);
/* Whether these bytes (16 of a PDU at least) begin an RTS PDU. */
bool rts_is(const uint8_t *pdu);

#endif
