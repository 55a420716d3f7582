#include "rpc/private.h"

/*
 * What a server answers to the presentation contexts of a bind or alter_context,
 * [MS-RPCE] 3.3.1.5.1 and 3.3.1.5.3. As Windows: of the contexts that one PDU offers
 * for an interface one is accepted, NDR64 before NDR 2.0 and else the first; the
 * others are told that their transfer syntaxes are not supported. A context that
 * stands keeps its interface and syntax.
 */

/* p_cont_def_result_t and p_provider_reason_t. */
enum { RESULT_ACCEPT = 0, RESULT_PROVIDER_REJECTION = 2, RESULT_NEGOTIATE_ACK = 3 };
enum { REASON_ABSTRACT_SYNTAX = 1, REASON_TRANSFER_SYNTAXES = 2, REASON_LOCAL_LIMIT = 3 };

/* What we do of [MS-RPCE] 2.2.2.14: several security contexts, and a connection that survives an orphaned call. */
#define OUR_FEATURES 0x3u

/* What one item could become. */
struct candidate {
	bool feature, usable;
	enum ndr_syntax syntax;
	uint64_t features;
};

static bool offers(const struct rpc_context_item *item, const struct rpc_syntax *transfer)
{
	for (unsigned i = 0; i < item->transfer_count; i++)
		if (memcmp(&item->transfers[i], transfer, sizeof *transfer) == 0)
			return true;
	return false;
}

static bool same_interface(const struct rpc_context_item *a, const struct rpc_context_item *b)
{
	return memcmp(&a->abstract, &b->abstract, sizeof a->abstract) == 0;
}

static const struct rpc_syntax *transfer_of(enum ndr_syntax syntax)
{
	return syntax == NDR_64 ? &rpc_ndr64 : &rpc_ndr20;
}

/* A repeated id. Windows ends the connection over another interface and over any other syntax that it knows. */
static int consider_standing(const struct rpc_context *ctx, const struct rpc_context_item *item, struct candidate *out)
{
	enum ndr_syntax other = ctx->syntax == NDR_64 ? NDR_20 : NDR_64;

	if (memcmp(&ctx->abstract, &item->abstract, sizeof ctx->abstract) != 0 || offers(item, transfer_of(other)))
		return MW_E_MALFORMED;
	out->syntax = ctx->syntax;
	out->usable = offers(item, transfer_of(ctx->syntax));
	return 0;
}

static int consider(struct rpc_connection *c, const struct rpc_context_item *item, struct candidate *out)
{
	const struct rpc_server_setup *setup = c->config.server;
	const struct rpc_context *ctx = rpc_context_find(c, item->id);

	if (item->transfer_count == 0)
		return MW_E_MALFORMED;
	/* The first transfer syntax alone tells what the item is about. */
	out->feature = rpc_is_feature_negotiation(&item->transfers[0], &out->features);
	if (out->feature)
		return 0;
	if (ctx)
		return consider_standing(ctx, item, out);
	out->syntax = offers(item, &rpc_ndr64) ? NDR_64 : NDR_20;
	out->usable = (out->syntax == NDR_64 || offers(item, &rpc_ndr20)) &&
	              setup->find_interface(setup->user, &item->abstract);
	return 0;
}

/* Whether item i is the one that its interface gets in this PDU. */
static bool is_chosen(const struct rpc_bind *bind, const struct candidate *all, unsigned i)
{
	if (!all[i].usable)
		return false;
	for (unsigned k = 0; k < bind->context_count; k++) {
		bool better = all[k].syntax == all[i].syntax ? k < i : all[k].syntax == NDR_64;
		if (k != i && all[k].usable && better && same_interface(&bind->contexts[k], &bind->contexts[i]))
			return false;
	}
	return true;
}

static int accept_item(struct rpc_connection *c, const struct rpc_context_item *item, enum ndr_syntax syntax,
                       struct rpc_context_result *out)
{
	struct rpc_context *ctx = rpc_context_find(c, item->id);
	int r = ctx ? 0 : rpc_context_set(c, item->id, &item->abstract, &ctx);

	if (r == MW_E_LIMIT) {
		out->reason = REASON_LOCAL_LIMIT;
		return 0;
	}
	if (r < 0)
		return r;
	ctx->state = RPC_CTX_ACCEPTED;
	ctx->syntax = syntax;
	*out = (struct rpc_context_result){.result = RESULT_ACCEPT, .transfer = *transfer_of(syntax)};
	return 0;
}

static int answer(struct rpc_connection *c, const struct rpc_bind *bind, const struct candidate *all, unsigned i,
                  struct rpc_context_result *out)
{
	const struct rpc_server_setup *setup = c->config.server;
	const struct rpc_context_item *item = &bind->contexts[i];

	if (all[i].feature) {
		c->features = all[i].features & OUR_FEATURES;
		*out = (struct rpc_context_result){.result = RESULT_NEGOTIATE_ACK, .reason = (uint16_t)c->features};
		return 0;
	}
	*out = (struct rpc_context_result){.result = RESULT_PROVIDER_REJECTION, .reason = REASON_TRANSFER_SYNTAXES};
	if (is_chosen(bind, all, i))
		return accept_item(c, item, all[i].syntax, out);
	if (!setup->find_interface(setup->user, &item->abstract))
		out->reason = REASON_ABSTRACT_SYNTAX;
	return 0;
}

int rpc_server_negotiate(struct rpc_connection *c, const struct rpc_bind *bind, struct rpc_context_result **out)
{
	struct candidate *all = arena_new_array(c->arena, struct candidate, bind->context_count);
	struct rpc_context_result *results = arena_new_array(c->arena, struct rpc_context_result, bind->context_count);
	unsigned features = 0;
	int r = all && results ? 0 : MW_E_NOMEM;

	if (bind->context_count == 0)
		return MW_E_MALFORMED;
	for (unsigned i = 0; r == 0 && i < bind->context_count; i++) {
		r = consider(c, &bind->contexts[i], &all[i]);
		features += all[i].feature;
	}
	if (r == 0 && features > 1)
		return MW_E_MALFORMED;
	for (unsigned i = 0; r == 0 && i < bind->context_count; i++)
		r = answer(c, bind, all, i, &results[i]);
	if (r == 0)
		*out = results;
	return r;
}
