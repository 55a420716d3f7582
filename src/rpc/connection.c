#include "rpc/private.h"

#include <stdlib.h>

#define NEVER INT64_MAX
/* The parsed lists of the largest bind fit easily. */
#define ARENA_LIMIT (1u << 20)
/* Of a security context, roughly: its structures, names and keys, and the tokens that a MIC covers. */
#define SECURITY_COST ((size_t)3 << 10)

static struct rpc_limits limits_of(struct rpc_limits l)
{
	if (l.max_call == 0)
		l.max_call = (size_t)4 << 20;
	if (l.max_calls == 0)
		l.max_calls = 64;
	if (l.max_contexts == 0)
		l.max_contexts = 256;
	if (l.pdu_timeout_ns == 0)
		l.pdu_timeout_ns = INT64_C(60) * 1000000000;
	return l;
}

struct rpc_connection *rpc_connection_new(const struct rpc_config *config)
{
	struct rpc_connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->config = *config;
	c->limits = limits_of(config->limits);
	c->arena = arena_new(ARENA_LIMIT);
	c->max_xmit = RPC_MIN_FRAG;
	c->handshake_ns = NEVER;
	c->next_call_id = 1;
	if (!c->arena)
		rpc_connection_free(&c);
	return c;
}

void rpc_rest(struct rpc_connection *c)
{
	struct arena *arena = arena_new(ARENA_LIMIT);

	if (arena) {
		arena_free(&c->arena);
		c->arena = arena;
	}
	rpc_calls_free_spare(c);
	buf_free(&c->scratch);
	buf_free(&c->stub);
	for (unsigned i = 0; i < RPC_SIDES; i++)
		if (c->streams[i].pending.len == 0)
			buf_free(&c->streams[i].pending);
}

static size_t held_by_call(const struct rpc_call *call)
{
	return call ? sizeof *call + call->part[RPC_FROM_CLIENT].stub.cap + call->part[RPC_FROM_SERVER].stub.cap : 0;
}

size_t rpc_held(const struct rpc_connection *c)
{
	size_t n = sizeof *c + arena_held(c->arena) + c->scratch.cap + c->stub.cap + c->out.cap;

	for (unsigned i = 0; i < RPC_SIDES; i++)
		n += c->streams[i].pending.cap;
	for (const struct rpc_call *call = c->calls; call; call = call->next)
		n += held_by_call(call);
	n += c->context_count * sizeof(struct rpc_context) + c->offered_count * sizeof(uint16_t);
	return n + held_by_call(c->spare) + c->security_count * SECURITY_COST;
}

void rpc_connection_free(struct rpc_connection **connection)
{
	struct rpc_connection *c = *connection;

	if (!c)
		return;
	*connection = NULL;
	rpc_calls_free(c);
	rpc_security_free(c);
	if (c->association)
		rpc_association_leave(&c->association);
	for (unsigned i = 0; i < RPC_SIDES; i++)
		buf_free(&c->streams[i].pending);
	buf_free(&c->scratch);
	buf_free(&c->stub);
	buf_free(&c->out);
	arena_free(&c->arena);
	free(c->contexts);
	free(c->offered);
	free(c);
}

void rpc_feed(struct rpc_connection *c, enum rpc_side from, const void *data, size_t len, int64_t now_ns)
{
	c->now_ns = now_ns;
	if (!c->over && !c->streams[from].ended)
		rpc_stream_feed(c, from, data, len);
}

void rpc_eof(struct rpc_connection *c, enum rpc_side from, int64_t now_ns)
{
	struct rpc_stream *s = &c->streams[from];

	c->now_ns = now_ns;
	if (c->over || s->ended)
		return;
	s->ended = true;
	if ((s->pending.len > 0 || s->skip > 0) && !s->hunting) {
		struct rpc_event e = {.from = from, .first = s->offset, .end = s->offset + s->pending.len};
		rpc_damaged(c, &e, s->pending.len, "the stream ends inside a PDU");
	}
	if (!rpc_is_observer(c))
		rpc_over(c, NULL);
}

struct buf *rpc_output(struct rpc_connection *c)
{
	return &c->out;
}

static int64_t later(int64_t begin, int64_t timeout)
{
	return begin > NEVER - timeout ? NEVER : begin + timeout;
}

int64_t rpc_deadline(const struct rpc_connection *c)
{
	const struct rpc_stream *in = &c->streams[c->config.role == RPC_SERVER ? RPC_FROM_CLIENT : RPC_FROM_SERVER];
	int64_t at = NEVER;

	if (rpc_is_observer(c) || c->over)
		return NEVER;
	if (c->handshake_ns != NEVER)
		at = later(c->handshake_ns, c->limits.pdu_timeout_ns);
	if (in->pending.len > 0 && later(in->begun_ns, c->limits.pdu_timeout_ns) < at)
		at = later(in->begun_ns, c->limits.pdu_timeout_ns);
	return at;
}

void rpc_tick(struct rpc_connection *c, int64_t now_ns)
{
	int64_t at = rpc_deadline(c);

	c->now_ns = now_ns;
	if (at == NEVER || now_ns < at)
		return;
	if (c->handshake_ns != NEVER && now_ns >= later(c->handshake_ns, c->limits.pdu_timeout_ns))
		rpc_over(c, "the handshake was not finished in time");
	else
		rpc_over(c, "a PDU was begun and not finished in time");
}
