#include "rpc/private.h"

#include <stdlib.h>

struct rpc_context *rpc_context_find(struct rpc_connection *c, uint16_t id)
{
	for (unsigned i = 0; i < c->context_count; i++)
		if (c->contexts[i].id == id)
			return &c->contexts[i];
	return NULL;
}

int rpc_context_set(struct rpc_connection *c, uint16_t id, const struct rpc_syntax *abstract, struct rpc_context **out)
{
	struct rpc_context *ctx = rpc_context_find(c, id), *grown;

	if (!ctx) {
		if (c->context_count >= c->limits.max_contexts)
			return MW_E_LIMIT;
		grown = realloc(c->contexts, (c->context_count + 1) * sizeof *grown);
		if (!grown)
			return MW_E_NOMEM;
		c->contexts = grown;
		ctx = &grown[c->context_count++];
	}
	*ctx = (struct rpc_context){.id = id, .abstract = *abstract, .state = RPC_CTX_OFFERED, .syntax = NDR_20};
	*out = ctx;
	return 0;
}

/* Until an answer says otherwise (it may not be captured), a context means what was offered. */
static int offer(struct rpc_connection *c, const struct rpc_context_item *item)
{
	struct rpc_context *ctx = rpc_context_find(c, item->id);
	int r;

	/* A third leg of a handshake repeats a context that stands. */
	if (ctx && ctx->state == RPC_CTX_ACCEPTED && memcmp(&ctx->abstract, &item->abstract, sizeof ctx->abstract) == 0)
		return 0;
	r = rpc_context_set(c, item->id, &item->abstract, &ctx);
	if (r < 0)
		return r;
	if (item->transfer_count == 1 && memcmp(&item->transfers[0], &rpc_ndr64, sizeof rpc_ndr64) == 0)
		ctx->syntax = NDR_64;
	return 0;
}

int rpc_contexts_offer(struct rpc_connection *c, const struct rpc_bind *bind)
{
	uint16_t *ids = realloc(c->offered, (bind->context_count + 1u) * sizeof *ids);
	int r = 0;

	if (!ids)
		return MW_E_NOMEM;
	c->offered = ids;
	c->offered_count = bind->context_count;
	for (unsigned i = 0; i < bind->context_count; i++) {
		int error = offer(c, &bind->contexts[i]);
		ids[i] = bind->contexts[i].id;
		r = r < 0 ? r : error;
	}
	return r;
}

/* Results stand in the order of the offer, [MS-RPCE] 2.2.2.4. */
void rpc_contexts_answer(struct rpc_connection *c, const struct rpc_bind *ack)
{
	for (unsigned i = 0; i < ack->result_count && i < c->offered_count; i++) {
		const struct rpc_context_result *r = &ack->results[i];
		struct rpc_context *ctx = rpc_context_find(c, c->offered[i]);
		if (!ctx)
			continue;
		if (r->result == 3)
			c->features = r->reason;
		if (r->result == 0)
			ctx->state = RPC_CTX_ACCEPTED;
		else if (ctx->state != RPC_CTX_ACCEPTED) /* what stands is not taken away by a refused repetition */
			ctx->state = RPC_CTX_REFUSED;
		if (r->result == 0)
			ctx->syntax = memcmp(&r->transfer, &rpc_ndr64, sizeof rpc_ndr64) == 0 ? NDR_64 : NDR_20;
	}
	c->offered_count = 0;
}

void rpc_assume_interface(struct rpc_connection *c, uint16_t context_id, const struct rpc_syntax *interface)
{
	struct rpc_context *ctx = rpc_context_find(c, context_id);

	if (ctx && ctx->state != RPC_CTX_ASSUMED)
		return;
	if (rpc_context_set(c, context_id, interface, &ctx) == 0)
		ctx->state = RPC_CTX_ASSUMED;
}
