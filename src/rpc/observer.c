#include "rpc/private.h"

void rpc_gap(struct rpc_connection *c, enum rpc_side from, uint64_t n)
{
	struct rpc_stream *s = &c->streams[from];
	struct rpc_event e = {
	        .type = RPC_EV_GAP, .from = from, .first = s->offset + s->pending.len, .stub_len = (size_t)n};

	if (!rpc_is_observer(c) || s->ended)
		return;
	e.end = e.first + n;
	rpc_stream_gap(c, from, n);
	rpc_calls_lost(c, from);
	rpc_security_lost(c, from);
	if (n > 0)
		rpc_emit(c, &e);
}

uint64_t rpc_oldest(const struct rpc_connection *c, enum rpc_side from)
{
	uint64_t oldest = c->streams[from].offset;

	for (const struct rpc_call *call = c->calls; call; call = call->next)
		if (call->part[from].open && call->part[from].first < oldest)
			oldest = call->part[from].first;
	return oldest;
}

bool rpc_looks_like(const uint8_t *data, size_t len)
{
	/* An HTTP-less stream may be cut early: the rest of the header is then taken as harmless. */
	uint8_t head[RPC_HEADER_SIZE] = {0};

	if (len < 10)
		return false;
	memcpy(head, data, len < sizeof head ? len : sizeof head);
	return rpc_plausible(head, sizeof head);
}
