#include "rpc/private.h"

/* What a client offers in bind and alter_context, C706 12.6.4.3, [MS-RPCE] 3.3.1.5.3 and 3.3.1.5.6. */

/* Both of [MS-RPCE] 2.2.2.14: several security contexts, a connection that survives an orphaned call. */
#define WANTED_FEATURES 0x3u

static int put_item(struct rpc_connection *c, struct rpc_bind *out, const struct rpc_syntax *abstract,
                    const struct rpc_syntax *transfer)
{
	struct rpc_context_item *item = &out->contexts[out->context_count++];

	item->id = (uint16_t)(c->next_context_id + out->context_count - 1);
	item->abstract = *abstract;
	item->transfer_count = 1;
	item->transfers = arena_copy(c->arena, transfer, sizeof *transfer);
	return item->transfers ? 0 : MW_E_NOMEM;
}

/* The bits stand in the UUID's ninth byte and those that follow. */
static struct rpc_syntax feature_syntax(void)
{
	return (struct rpc_syntax){{0x6cb71c2c, 0x9812, 0x4540, {WANTED_FEATURES, 0, 0, 0, 0, 0, 0, 0}}, 1, 0};
}

int rpc_client_offer(struct rpc_connection *c, const struct rpc_syntax *interfaces, unsigned count, bool features,
                     struct rpc_bind *out)
{
	const struct rpc_syntax negotiation = feature_syntax();
	unsigned each = c->extras & RPC_OFFER_NDR64 ? 2 : 1, items = count * each + features;
	int r = 0;

	if (count == 0 || count > UINT8_MAX / 2 - 1 || items > c->limits.max_contexts - c->context_count ||
	    items > (unsigned)UINT16_MAX - c->next_context_id)
		return MW_E_LIMIT;
	out->contexts = arena_new_array(c->arena, struct rpc_context_item, items);
	if (!out->contexts)
		return MW_E_NOMEM;
	for (unsigned i = 0; r == 0 && i < count; i++) {
		r = put_item(c, out, &interfaces[i], &rpc_ndr20);
		if (r == 0 && each == 2)
			r = put_item(c, out, &interfaces[i], &rpc_ndr64);
	}
	if (r == 0 && features)
		r = put_item(c, out, &interfaces[0], &negotiation);
	if (r < 0)
		return r;
	c->next_context_id = (uint16_t)(c->next_context_id + items);
	out->max_xmit_frag = out->max_recv_frag = RPC_MAX_FRAG;
	return 0;
}

static const struct rpc_context *accepted(const struct rpc_connection *c, const struct rpc_syntax *interface)
{
	for (unsigned i = 0; i < c->context_count; i++)
		if (c->contexts[i].state == RPC_CTX_ACCEPTED &&
		    (!interface || memcmp(&c->contexts[i].abstract, interface, sizeof *interface) == 0))
			return &c->contexts[i];
	return NULL;
}

/* A context that stands, [MS-RPCE] 3.3.1.5.2.1; where none does, the first that was offered. */
int rpc_client_repeat(struct rpc_connection *c, struct rpc_bind *out)
{
	const struct rpc_context *ctx = accepted(c, NULL);

	if (!ctx)
		ctx = &c->contexts[0];
	*out = (struct rpc_bind){.max_xmit_frag = RPC_MAX_FRAG,
	                         .max_recv_frag = RPC_MAX_FRAG,
	                         .assoc_group_id = c->group,
	                         .context_count = 1,
	                         .contexts = arena_new_of(c->arena, struct rpc_context_item)};
	if (!out->contexts)
		return MW_E_NOMEM;
	out->contexts->id = ctx->id;
	out->contexts->abstract = ctx->abstract;
	out->contexts->transfer_count = 1;
	out->contexts->transfers =
	        arena_copy(c->arena, ctx->syntax == NDR_64 ? &rpc_ndr64 : &rpc_ndr20, sizeof rpc_ndr20);
	return out->contexts->transfers ? 0 : MW_E_NOMEM;
}

int rpc_client_context(const struct rpc_connection *c, const struct rpc_syntax *interface, uint16_t *context_id,
                       enum ndr_syntax *syntax)
{
	const struct rpc_context *ctx = accepted(c, interface);

	if (!ctx)
		return MW_E_NOTFOUND;
	*context_id = ctx->id;
	*syntax = ctx->syntax;
	return 0;
}
