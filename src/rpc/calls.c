#include "rpc/private.h"

#include <stdlib.h>

/* A longer stub's memory is given back after its event. */
#define KEEP_STUB ((size_t)64 << 10)

/* Calls in flight, their fragments, and the pairing of answers with requests. */

struct rpc_call *rpc_call_find(struct rpc_connection *c, uint32_t call_id)
{
	for (struct rpc_call *call = c->calls; call; call = call->next)
		if (call->call_id == call_id)
			return call;
	return NULL;
}

static void part_reset(struct rpc_connection *c, struct rpc_call *call, enum rpc_side from)
{
	struct rpc_assembly *a = &call->part[from];
	struct buf stub = a->stub;

	c->streams[from].held -= stub.len;
	buf_clear(&stub);
	*a = (struct rpc_assembly){.stub = stub};
}

static void call_free(struct rpc_call *call)
{
	for (unsigned i = 0; i < RPC_SIDES; i++)
		buf_free(&call->part[i].stub);
	free(call);
}

void rpc_call_drop(struct rpc_connection *c, struct rpc_call *call)
{
	struct rpc_call **link = &c->calls;

	while (*link && *link != call)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = call->next;
	c->call_count--;
	if (c->assembling == call)
		c->assembling = NULL;
	part_reset(c, call, RPC_FROM_CLIENT);
	part_reset(c, call, RPC_FROM_SERVER);
	/* One is kept, so that a call after the other needs no allocation. */
	if (c->spare)
		call_free(c->spare);
	c->spare = call;
}

void rpc_calls_free_spare(struct rpc_connection *c)
{
	if (c->spare)
		call_free(c->spare);
	c->spare = NULL;
}

void rpc_calls_free(struct rpc_connection *c)
{
	while (c->calls)
		rpc_call_drop(c, c->calls);
	rpc_calls_free_spare(c);
}

void rpc_calls_lost(struct rpc_connection *c, enum rpc_side from)
{
	for (struct rpc_call *call = c->calls; call; call = call->next)
		part_reset(c, call, from);
}

static struct rpc_call *call_alloc(struct rpc_connection *c)
{
	struct rpc_call *call = TAKE_PTR(c->spare);
	struct buf kept[RPC_SIDES];

	if (!call)
		return calloc(1, sizeof *call);
	for (unsigned i = 0; i < RPC_SIDES; i++)
		kept[i] = call->part[i].stub;
	*call = (struct rpc_call){0};
	for (unsigned i = 0; i < RPC_SIDES; i++)
		call->part[i].stub = kept[i];
	return call;
}

int rpc_call_new(struct rpc_connection *c, uint32_t call_id, bool dead, struct rpc_call **out)
{
	unsigned limit = dead ? 2 * c->limits.max_calls : c->limits.max_calls;
	struct rpc_call **link = &c->calls, *call;

	/* An observer forgets the oldest: its answer was lost or will never come. */
	if (c->call_count >= c->limits.max_calls && rpc_is_observer(c))
		rpc_call_drop(c, c->calls);
	if (c->call_count >= limit)
		return MW_E_LIMIT;
	call = call_alloc(c);
	if (!call)
		return MW_E_NOMEM;
	while (*link)
		link = &(*link)->next;
	*link = call;
	c->call_count++;
	call->call_id = call_id;
	call->dead = dead;
	*out = call;
	return 0;
}

static void call_set_interface(struct rpc_connection *c, struct rpc_call *call, uint16_t context_id)
{
	const struct rpc_context *ctx = rpc_context_find(c, context_id);

	call->context_id = context_id;
	if (!ctx)
		return;
	call->interface = ctx->abstract;
	call->interface_known = true;
	call->syntax = ctx->syntax;
}

/* ---- Fragments ---- */

static enum rpc_signature worse(enum rpc_signature a, enum rpc_signature b)
{
	if (a == RPC_SIG_BAD || b == RPC_SIG_BAD)
		return RPC_SIG_BAD;
	return a > b ? a : b;
}

int rpc_call_append(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t)
{
	struct rpc_assembly *a = &call->part[t->from];
	size_t *held = &c->streams[t->from].held, n = t->pdu.stub_len;

	if (n > c->limits.max_call - *held)
		return MW_E_LIMIT;
	if (buf_put(&a->stub, t->data + t->pdu.body, n) < 0)
		return MW_E_NOMEM;
	*held += n;
	if (a->fragments++ == 0) {
		a->first = t->first;
		a->flags = t->pdu.header.flags;
		a->security = t->security;
		a->big_endian = t->pdu.header.big_endian;
		a->decrypted = t->decrypted;
	}
	a->end = t->end;
	a->open = true;
	a->sealed = a->sealed || t->sealed;
	a->decrypted = a->decrypted && t->decrypted;
	a->signature = worse(a->signature, t->signature);
	return 0;
}

/* The event of a whole call; its stub outlives the call, which the callback may end. */
void rpc_call_emit(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t, enum rpc_event_type type)
{
	struct rpc_assembly *a = &call->part[t->from];
	struct rpc_event e = rpc_event_of(t, type);
	struct rpc_syntax interface = call->interface;
	struct guid object = call->object;
	struct buf stub = {0};

	e.stub = t->data + t->pdu.body;
	e.stub_len = t->pdu.stub_len;
	if (a->open) {
		stub = a->stub;
		a->stub = c->stub;
		c->streams[t->from].held -= stub.len;
		buf_clear(&a->stub);
		e.stub = stub.data;
		e.stub_len = stub.len;
		e.first = a->first;
		e.fragments = a->fragments;
		e.flags = a->flags;
		e.sealed = a->sealed;
		e.decrypted = a->decrypted;
		e.signature = a->signature;
		c->stub = stub;
		part_reset(c, call, t->from);
	}
	e.stub_len -= call->trailer;
	e.context_id = call->context_id;
	e.interface = call->interface_known ? &interface : NULL;
	e.syntax = call->syntax;
	e.opnum = call->opnum;
	e.opnum_known = call->opnum_known;
	e.object = call->has_object ? &object : NULL;
	e.status = t->pdu.fault_status;
	if (type == RPC_EV_REQUEST)
		call->asked = true;
	else
		rpc_call_drop(c, call);
	rpc_emit(c, &e);
	if (c->stub.cap > KEEP_STUB)
		buf_free(&c->stub);
}

/* ---- Requests ---- */

void rpc_call_begin(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t)
{
	const struct rpc_pdu *pdu = &t->pdu;

	call_set_interface(c, call, pdu->context_id);
	call->opnum = pdu->opnum;
	call->opnum_known = true;
	call->has_object = pdu->header.flags & RPC_PFC_OBJECT_UUID;
	call->object = pdu->object;
	call->maybe = pdu->header.flags & RPC_PFC_MAYBE;
	call->security = t->security;
}

/* What is wrong with a fragment, or NULL. */
static const char *misfit(const struct rpc_call *call, const struct rpc_taken *t)
{
	if (!call || !call->part[t->from].open)
		return "fragment of a call whose beginning is missing";
	if (call->part[t->from].security != t->security)
		return "fragments of one call under different security contexts";
	if (t->from == RPC_FROM_CLIENT && call->opnum != t->pdu.opnum)
		return "fragments of one call with different operations";
	if (t->from == RPC_FROM_CLIENT && call->context_id != t->pdu.context_id)
		return "fragments of one call in different presentation contexts";
	return NULL;
}

/* Adds a fragment; true when the call is whole and alive. */
static bool add_fragment(struct rpc_connection *c, struct rpc_call *call, struct rpc_taken *t)
{
	uint8_t flags = t->pdu.header.flags;
	const char *why;
	int r;

	if ((flags & RPC_PFC_FIRST_FRAG) && (flags & RPC_PFC_LAST_FRAG))
		return true;
	why = flags & RPC_PFC_FIRST_FRAG ? NULL : misfit(call, t);
	if (why) {
		rpc_taken_damaged(c, t, why);
		return false;
	}
	r = rpc_call_append(c, call, t);
	if (r == 0)
		return flags & RPC_PFC_LAST_FRAG;
	rpc_taken_damaged(c, t, r == MW_E_LIMIT ? "the call is longer than the limit" : "out of memory");
	call->dead = !(flags & RPC_PFC_LAST_FRAG);
	part_reset(c, call, t->from);
	return false;
}

/* true: the fragment belongs to a call that was given up. */
static bool passes_over(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t)
{
	uint8_t flags = t->pdu.header.flags;

	if (!call || !call->dead || (flags & RPC_PFC_FIRST_FRAG))
		return false;
	if (flags & RPC_PFC_LAST_FRAG)
		rpc_call_drop(c, call);
	return true;
}

/* An observer's; a new call takes the place of an older one with its id, whose answer was missed. */
void rpc_take_request(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_call *call = rpc_call_find(c, t->pdu.header.call_id);
	int r = rpc_security_open(c, t);

	if (r < 0 || passes_over(c, call, t))
		return;
	if (t->pdu.header.flags & RPC_PFC_FIRST_FRAG) {
		if (call)
			rpc_call_drop(c, call);
		if (rpc_call_new(c, t->pdu.header.call_id, false, &call) < 0)
			return;
		rpc_call_begin(c, call, t);
	}
	if (add_fragment(c, call, t))
		rpc_call_emit(c, call, t, RPC_EV_REQUEST);
}

/* ---- Answers ---- */

/* The call an answer belongs to. An observer makes one up when the request was not seen. */
static struct rpc_call *answered(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_call *call = rpc_call_find(c, t->pdu.header.call_id);

	if (!rpc_is_observer(c) || call)
		return call;
	if (rpc_call_new(c, t->pdu.header.call_id, false, &call) < 0)
		return NULL;
	call_set_interface(c, call, t->pdu.context_id);
	return call;
}

static bool client_accepts(struct rpc_connection *c, struct rpc_taken *t, int opened)
{
	const struct rpc_call *call;

	if (opened < 0) {
		rpc_taken_damaged(c, t,
		                  opened == MW_E_AUTH ? "the answer's signature does not verify"
		                                      : "the answer is not protected as agreed");
		return false;
	}
	call = rpc_call_find(c, t->pdu.header.call_id);
	if (!call && !c->gave_up)
		rpc_taken_damaged(c, t, "an answer to no call");
	else if (call && t->pdu.header.ptype == RPC_RESPONSE && t->security != call->security)
		rpc_taken_damaged(c, t, "an answer under another security context than its request");
	else
		return call != NULL;
	return false;
}

void rpc_take_response(struct rpc_connection *c, struct rpc_taken *t)
{
	uint8_t flags = t->pdu.header.flags;
	struct rpc_call *call;
	int r = rpc_security_open(c, t);

	if (c->config.role == RPC_CLIENT && !client_accepts(c, t, r))
		return;
	call = answered(c, t);
	if (!call || passes_over(c, call, t))
		return;
	if (flags & RPC_PFC_FIRST_FRAG)
		part_reset(c, call, t->from);
	if (add_fragment(c, call, t))
		rpc_call_emit(c, call, t, RPC_EV_RESPONSE);
}

/* A fault that answers an alter_context: no call stands behind it. */
static void bare_fault(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_event e = rpc_event_of(t, RPC_EV_FAULT);

	e.status = t->pdu.fault_status;
	e.context_id = t->pdu.context_id;
	e.stub = t->data + t->pdu.body;
	e.stub_len = t->pdu.stub_len;
	c->altering = false;
	c->handshake_ns = INT64_MAX;
	rpc_emit(c, &e);
}

void rpc_take_fault(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_call *call;
	int r = rpc_security_open(c, t);

	if (c->config.role == RPC_CLIENT && r == 0 && c->altering && t->pdu.header.call_id == c->handshake_id) {
		bare_fault(c, t);
		return;
	}
	if (c->config.role == RPC_CLIENT && !client_accepts(c, t, r))
		return;
	call = answered(c, t);
	if (!call)
		return;
	part_reset(c, call, t->from);
	rpc_call_emit(c, call, t, RPC_EV_FAULT);
}

/* ---- Giving up ---- */

void rpc_take_cancel(struct rpc_connection *c, struct rpc_taken *t)
{
	bool orphaned = t->pdu.header.ptype == RPC_ORPHANED;
	struct rpc_event e;
	struct rpc_call *call;
	int r = rpc_security_open(c, t);

	if (r < 0) {
		rpc_server_refuse(c, t, r);
		return;
	}
	e = rpc_event_of(t, orphaned ? RPC_EV_ORPHANED : RPC_EV_CANCEL);
	call = rpc_call_find(c, t->pdu.header.call_id);
	if (call) {
		e.context_id = call->context_id;
		e.opnum = call->opnum;
		e.opnum_known = call->opnum_known;
	}
	/* An answer may cross the orphaned PDU: an observer keeps the pairing. Windows goes on with a request that is
	 * not whole: raw_protocol test_orphaned_request_after_first_last. */
	if (call && orphaned && !rpc_is_observer(c) && call->asked)
		rpc_call_drop(c, call);
	rpc_emit(c, &e);
}
