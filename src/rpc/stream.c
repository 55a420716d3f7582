#include "rpc/private.h"

/*
 * One direction's bytes into PDUs. A PDU that lies whole in the fed chunk is taken
 * in place; else its beginning waits in pending. Whether and where a header is
 * found never depends on how the bytes were portioned.
 */

/* A found header is believed after its whole PDU could be parsed; longer ones are not waited for. */
#define HUNT_MAX_FRAG 16384

static const uint8_t least_length[] = {
        [RPC_REQUEST] = 24,  [RPC_RESPONSE] = 24, [RPC_FAULT] = 28,         [RPC_BIND] = 28,
        [RPC_BIND_ACK] = 30, [RPC_BIND_NAK] = 18, [RPC_ALTER_CONTEXT] = 28, [RPC_ALTER_CONTEXT_RESP] = 30,
        [RPC_AUTH3] = 24,    [RPC_SHUTDOWN] = 16, [RPC_CO_CANCEL] = 16,     [RPC_ORPHANED] = 16,
};

bool rpc_plausible(const uint8_t *data, size_t len)
{
	struct rpc_header h;

	if (rpc_header_parse(cursor_of(data, len), &h) < 0 || data[6] || data[7])
		return false;
	if (h.frag_length < least_length[h.ptype])
		return false;
	return h.auth_length == 0 || h.auth_length + RPC_HEADER_SIZE + RPC_SEC_TRAILER_SIZE <= h.frag_length;
}

static bool fits_side(uint8_t ptype, enum rpc_side from)
{
	switch (ptype) {
	case RPC_REQUEST:
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
	case RPC_AUTH3:
	case RPC_CO_CANCEL:
	case RPC_ORPHANED:
		return from == RPC_FROM_CLIENT;
	default:
		return from == RPC_FROM_SERVER;
	}
}

/* Whether a PDU begins here; 1 yes, 0 no, MW_E_AGAIN when it is not whole yet. */
static int begins_here(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len)
{
	struct rpc_header h;
	struct rpc_pdu pdu;

	if (!rpc_plausible(data, len) || rpc_header_parse(cursor_of(data, len), &h) < 0 || !fits_side(h.ptype, from) ||
	    h.frag_length > HUNT_MAX_FRAG)
		return 0;
	if (h.frag_length > len)
		return MW_E_AGAIN;
	arena_reset(c->arena);
	return rpc_pdu_parse(c->arena, data, len, &pdu, NULL, NULL) == 0;
}

/* Bytes to drop before the next PDU, or before what cannot be judged yet. */
static size_t hunt(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (data && len - i >= RPC_HEADER_SIZE) {
		const uint8_t *five = memchr(data + i, 5, len - i - RPC_HEADER_SIZE + 1);
		int r;
		if (!five)
			return len - RPC_HEADER_SIZE + 1;
		i = (size_t)(five - data);
		r = begins_here(c, from, five, len - i);
		if (r == 1)
			c->streams[from].hunting = false;
		if (r != 0)
			return i;
		i++;
	}
	return i;
}

static void no_header(struct rpc_connection *c, enum rpc_side from, const uint8_t *data)
{
	struct rpc_stream *s = &c->streams[from];
	struct rpc_event e = {
	        .type = RPC_EV_DAMAGED,
	        .from = from,
	        .first = s->offset,
	        .end = s->offset + RPC_HEADER_SIZE,
	};

	s->hunting = true;
	if (rpc_is_observer(c))
		rpc_security_lost(c, from);
	if (c->config.role == RPC_SERVER)
		rpc_server_bad_header(c, data);
	rpc_damaged(c, &e, 0, "no RPC PDU begins here");
}

/* Takes one PDU or drops some bytes; how many were used, 0 = more are needed. */
static size_t cut(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len)
{
	struct rpc_stream *s = &c->streams[from];
	struct rpc_header h;
	size_t dropped;
	int r;

	if (s->hunting) {
		dropped = hunt(c, from, data, len);
		if (dropped > 0 || s->hunting)
			return dropped;
	}
	r = rpc_header_parse(cursor_of(data, len), &h);
	if (r == MW_E_AGAIN)
		return 0;
	if (r < 0) {
		no_header(c, from, data);
		return 1;
	}
	if (h.frag_length > len)
		return 0;
	rpc_take_pdu(c, from, data, h.frag_length, s->offset);
	return h.frag_length;
}

/* How many bytes complete the header, or the PDU, that pending begins with. */
static size_t still_needed(const struct rpc_stream *s)
{
	struct rpc_header h;

	if (s->pending.len < RPC_HEADER_SIZE)
		return RPC_HEADER_SIZE - s->pending.len;
	if (rpc_header_parse(cursor_of(s->pending.data, s->pending.len), &h) < 0 || h.frag_length <= s->pending.len)
		return 1;
	return h.frag_length - s->pending.len;
}

static void drain_pending(struct rpc_connection *c, enum rpc_side from)
{
	struct rpc_stream *s = &c->streams[from];
	size_t used;

	while (!c->over && s->pending.len > 0 && (used = cut(c, from, s->pending.data, s->pending.len)) > 0) {
		buf_consume(&s->pending, used);
		s->offset += used;
		s->begun_ns = c->now_ns;
	}
}

static size_t feed_pending(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len)
{
	struct rpc_stream *s = &c->streams[from];
	size_t n = still_needed(s);

	n = n < len ? n : len;
	if (s->pending.len == 0)
		s->begun_ns = c->now_ns;
	if (buf_put(&s->pending, data, n) < 0) {
		rpc_over(c, "out of memory");
		return len;
	}
	drain_pending(c, from);
	return n;
}

static size_t pass_over(struct rpc_stream *s, size_t len)
{
	size_t n = s->skip < len ? (size_t)s->skip : len;

	s->skip -= n;
	s->offset += n;
	return n;
}

void rpc_stream_feed(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len)
{
	struct rpc_stream *s = &c->streams[from];

	while (len > 0 && !c->over) {
		size_t n;
		if (s->skip > 0) {
			n = pass_over(s, len);
		} else if (s->pending.len == 0 && (n = cut(c, from, data, len)) > 0) {
			s->offset += n;
		} else {
			n = feed_pending(c, from, data, len);
		}
		data += n;
		len -= n;
	}
}

void rpc_stream_gap(struct rpc_connection *c, enum rpc_side from, uint64_t n)
{
	struct rpc_stream *s = &c->streams[from];
	struct rpc_header h;
	uint64_t rest = s->skip;

	if (rest == 0 && !s->hunting && rpc_header_parse(cursor_of(s->pending.data, s->pending.len), &h) == 0)
		rest = h.frag_length - s->pending.len;
	s->offset += s->pending.len + n;
	buf_clear(&s->pending);
	/* A hole inside one PDU leaves the next header where it was. */
	s->skip = n > 0 && n <= rest ? rest - n : 0;
	s->hunting = !(n > 0 && n <= rest);
}
