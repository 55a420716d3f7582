#include "http/rts.h"

#include "rpc/pdu.h"

#define MAX_COMMANDS 7

/* Short names for the table below. */
enum {
	WINDOW = RTS_CMD_RECEIVE_WINDOW_SIZE,
	ACK = RTS_CMD_FLOW_CONTROL_ACK,
	TIMEOUT = RTS_CMD_CONNECTION_TIMEOUT,
	COOKIE = RTS_CMD_COOKIE,
	LIFETIME = RTS_CMD_CHANNEL_LIFETIME,
	KEEPALIVE = RTS_CMD_CLIENT_KEEPALIVE,
	VERSION = RTS_CMD_VERSION,
	EMPTY = RTS_CMD_EMPTY,
	PADDING = RTS_CMD_PADDING,
	NEGATIVE = RTS_CMD_NEGATIVE_ANCE,
	ANCE = RTS_CMD_ANCE,
	ADDRESS = RTS_CMD_CLIENT_ADDRESS,
	GROUP = RTS_CMD_ASSOCIATION_GROUP_ID,
	TO = RTS_CMD_DESTINATION,
	TRAFFIC = RTS_CMD_PING_TRAFFIC_SENT_NOTIFY,
};

/* [MS-RPCH] 2.2.4.2 to 2.2.4.51. The first row of a kind is what we send. */
static const struct rts_row {
	const char *name;
	enum rts_kind kind;
	uint16_t flags, count;
	uint8_t commands[MAX_COMMANDS];
} rows[] = {
        {"CONN/A1", RTS_CONN_A1, 0, 4, {VERSION, COOKIE, COOKIE, WINDOW}},
        {"CONN/A2", RTS_CONN_A2, RTS_FLAG_OUT_CHANNEL, 5, {VERSION, COOKIE, COOKIE, LIFETIME, WINDOW}},
        {"CONN/A3", RTS_CONN_A3, 0, 1, {TIMEOUT}},
        {"CONN/B1", RTS_CONN_B1, 0, 6, {VERSION, COOKIE, COOKIE, LIFETIME, KEEPALIVE, GROUP}},
        {"CONN/B2", RTS_CONN_B2, RTS_FLAG_IN_CHANNEL, 7, {VERSION, COOKIE, COOKIE, WINDOW, TIMEOUT, GROUP, ADDRESS}},
        {"CONN/B3", RTS_CONN_B3, 0, 2, {WINDOW, VERSION}},
        {"CONN/C1 or C2", RTS_CONN_C2, 0, 3, {VERSION, WINDOW, TIMEOUT}},
        {"IN_R1/A1 or IN_R2/A1", RTS_IN_A1, RTS_FLAG_RECYCLE_CHANNEL, 4, {VERSION, COOKIE, COOKIE, COOKIE}},
        {"IN_R1/A2",
         RTS_IN_R1_A2,
         RTS_FLAG_IN_CHANNEL | RTS_FLAG_RECYCLE_CHANNEL,
         6,
         {VERSION, COOKIE, COOKIE, COOKIE, WINDOW, TIMEOUT}},
        {"IN_R1/A3 or A4", RTS_IN_R1_A4, 0, 4, {TO, VERSION, WINDOW, TIMEOUT}},
        {"IN_R1/A5, A6, IN_R2/A2, A5 or OUT_R2/A4", RTS_COOKIE, 0, 1, {COOKIE}},
        {"IN_R1/B1", RTS_IN_R1_B1, 0, 1, {EMPTY}},
        {"IN_R1/B2", RTS_IN_R1_B2, 0, 1, {WINDOW}},
        {"IN_R2/A3 or A4", RTS_IN_R2_A4, 0, 1, {TO}},
        {"OUT_R1/A1, A2, OUT_R2/A1 or A2", RTS_OUT_A2, RTS_FLAG_RECYCLE_CHANNEL, 1, {TO}},
        {"OUT_R1/A3 or OUT_R2/A3", RTS_OUT_A3, RTS_FLAG_RECYCLE_CHANNEL, 5, {VERSION, COOKIE, COOKIE, COOKIE, WINDOW}},
        {"OUT_R1/A4",
         RTS_OUT_R1_A4,
         RTS_FLAG_RECYCLE_CHANNEL | RTS_FLAG_OUT_CHANNEL,
         7,
         {VERSION, COOKIE, COOKIE, COOKIE, LIFETIME, WINDOW, TIMEOUT}},
        {"OUT_R1/A5 or A6", RTS_OUT_R1_A6, RTS_FLAG_OUT_CHANNEL, 3, {TO, VERSION, TIMEOUT}},
        {"OUT_R1/A7, A8 or OUT_R2/A8", RTS_OUT_R1_A7, RTS_FLAG_OUT_CHANNEL, 2, {TO, COOKIE}},
        {"OUT_R2/A7", RTS_OUT_R2_A7, RTS_FLAG_OUT_CHANNEL, 3, {TO, COOKIE, VERSION}},
        /* Some clients leave the flag out; nothing else looks like it. */
        {"OUT_R2/A7", RTS_OUT_R2_A7, 0, 3, {TO, COOKIE, VERSION}},
        {"OUT_R1/A9, A10, A11 or OUT_R2/B1", RTS_ANCE, 0, 1, {ANCE}},
        {"OUT_R2/A5 or A6", RTS_OUT_R2_A6, 0, 2, {TO, ANCE}},
        {"OUT_R2/B2", RTS_OUT_R2_B2, 0, 1, {NEGATIVE}},
        {"OUT_R2/B3", RTS_OUT_R2_B3, RTS_FLAG_EOF, 1, {ANCE}},
        {"OUT_R2/C1", RTS_OUT_R2_C1, RTS_FLAG_PING, 1, {EMPTY}},
        {"OUT_R2/C1", RTS_OUT_R2_C1, RTS_FLAG_PING, 1, {PADDING}},
        {"Keep-Alive", RTS_KEEP_ALIVE, RTS_FLAG_OTHER_CMD, 1, {KEEPALIVE}},
        {"Ping Traffic Sent Notify", RTS_PING_TRAFFIC, RTS_FLAG_OTHER_CMD, 1, {TRAFFIC}},
        {"Echo", RTS_ECHO, RTS_FLAG_ECHO, 0, {0}},
        {"Ping", RTS_PING, RTS_FLAG_PING, 0, {0}},
        {"FlowControlAck", RTS_FLOW_ACK, RTS_FLAG_OTHER_CMD, 1, {ACK}},
        {"FlowControlAckWithDestination", RTS_FLOW_ACK_TO, RTS_FLAG_OTHER_CMD, 2, {TO, ACK}},
};

static const struct rts_row *row_of(enum rts_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].kind == kind)
			return &rows[i];
	return NULL;
}

const char *rts_name(enum rts_kind kind)
{
	const struct rts_row *row = row_of(kind);
	return row ? row->name : "unknown RTS PDU";
}

static bool looks_like(const struct rts_row *row, const struct RtsPdu *pdu)
{
	if (row->flags != pdu->Flags || row->count != pdu->NumberOfCommands)
		return false;
	for (unsigned i = 0; i < row->count; i++)
		if (row->commands[i] != pdu->Commands[i].CommandType)
			return false;
	return true;
}

static enum rts_kind kind_of(const struct RtsPdu *pdu)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (looks_like(&rows[i], pdu))
			return rows[i].kind;
	return RTS_OTHER;
}

/* The one list of what command is which field; decoding takes a body to its field, encoding goes back. */
#define FIELDS(X)                                                                                                      \
	X(WINDOW, ReceiveWindowSize, window)                                                                           \
	X(ACK, FlowControlAck, ack)                                                                                    \
	X(TIMEOUT, ConnectionTimeout, timeout)                                                                         \
	X(LIFETIME, ChannelLifetime, lifetime)                                                                         \
	X(KEEPALIVE, ClientKeepalive, keepalive)                                                                       \
	X(VERSION, Version, version)                                                                                   \
	X(ADDRESS, ClientAddress, address)                                                                             \
	X(GROUP, AssociationGroupId, group)                                                                            \
	X(TO, Destination, destination)                                                                                \
	X(TRAFFIC, PingTrafficSent, ping_traffic)

#define TAKE(command, arm, field)                                                                                      \
	case command:                                                                                                  \
		out->field = c->Body.arm;                                                                              \
		break;
static void take(const struct RtsCommand *c, struct rts *out)
{
	switch (c->CommandType) {
		FIELDS(TAKE)
	case COOKIE:
		if (out->cookie_count < ARRAY_SIZE(out->cookies))
			out->cookies[out->cookie_count++] = c->Body.Cookie;
		break;
	default:
		break;
	}
}

#define GIVE(command, arm, field)                                                                                      \
	case command:                                                                                                  \
		c->Body.arm = rts->field;                                                                              \
		break;
static void give(const struct rts *rts, unsigned *cookies, struct RtsCommand *c)
{
	switch (c->CommandType) {
		FIELDS(GIVE)
	case COOKIE:
		c->Body.Cookie = rts->cookies[(*cookies)++];
		break;
	default:
		break;
	}
}

bool rts_is(const uint8_t *pdu)
{
	return pdu[2] == RTS_PTYPE;
}

/* [MS-RPCH] 2.2.3.6.1 */
static const char *header_fault(const struct RtsPdu *pdu, size_t len)
{
	if (pdu->rpc_vers != 5 || pdu->rpc_vers_minor > 1)
		return "an RTS PDU of an RPC version other than 5.0";
	if (pdu->PTYPE != RTS_PTYPE)
		return "not an RTS PDU";
	if (pdu->pfc_flags != (RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG))
		return "an RTS PDU whose flags are not those of a first and last fragment";
	if (pdu->packed_drep != 0x10)
		return "an RTS PDU that is not little-endian, ASCII and IEEE";
	if (pdu->frag_length != len || pdu->auth_length != 0)
		return "an RTS PDU whose lengths are not its own";
	return pdu->call_id != 0 ? "an RTS PDU with a call id" : NULL;
}

int rts_decode(struct arena *arena, const void *data, size_t len, const struct ndr_tracer *tracer, struct rts *out,
               const char **why)
{
	struct ndr n = ndr_decoder(NDR_PACKED, arena, cursor_of(data, len));
	struct RtsPdu pdu = {0};
	const char *none, **told = why ? why : &none;
	n.tracer = tracer;
	n.lenient = tracer != NULL;
	*told = "an RTS PDU that is too long";
	if (len > RTS_MAX_SIZE)
		return MW_E_LIMIT;
	int r = ndr_decode(&n, &RtsPdu_type, &pdu);
	*told = "an RTS command that does not fit or has no such value";
	if (r != 0)
		return r;
	*told = header_fault(&pdu, len);
	if (!*told && cursor_left(&n.in) > 0)
		*told = "an RTS PDU with bytes behind its commands";
	if (*told)
		return MW_E_MALFORMED;
	*out = (struct rts){.kind = kind_of(&pdu), .flags = pdu.Flags};
	for (unsigned i = 0; i < pdu.NumberOfCommands; i++)
		take(&pdu.Commands[i], out);
	return 0;
}

int rts_encode(struct arena *arena, const struct rts *rts, struct buf *out)
{
	const struct rts_row *row = row_of(rts->kind);
	struct RtsCommand commands[MAX_COMMANDS] = {0};
	struct RtsPdu pdu = {.rpc_vers = 5, .PTYPE = RTS_PTYPE, .packed_drep = 0x10, .Commands = commands};
	unsigned cookies = 0;
	if (!row)
		return MW_E_INVALID;
	pdu.pfc_flags = RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG;
	pdu.Flags = row->flags;
	pdu.NumberOfCommands = row->count;
	for (unsigned i = 0; i < row->count; i++) {
		commands[i].CommandType = row->commands[i];
		give(rts, &cookies, &commands[i]);
	}
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	size_t start = out->len;
	int r = ndr_encode(&n, &RtsPdu_type, &pdu);
	if (r != 0)
		return r;
	buf_poke_u16(out, start + 8, (uint16_t)(out->len - start));
	return buf_error(out);
}
