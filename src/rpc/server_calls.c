#include "rpc/private.h"

/*
 * A server's requests. One request is assembled at a time, whether or not concurrent
 * multiplexing was agreed on: that is what Windows takes, and what fault it gives
 * for the rest is held by samba.tests.dcerpc.raw_protocol (docs/conformance.md).
 */

/* A fault that ends the connection. */
static void end(struct rpc_connection *c, struct rpc_taken *t, uint16_t context_id, uint32_t status, const char *why)
{
	rpc_server_put_fault(c, t->pdu.header.call_id, context_id, status, 0);
	rpc_taken_damaged(c, t, why);
}

/*
 * Missing or changed protection is access denied; a signature that does not verify
 * is what Windows answers with ERROR sec_pkg_error. Keys and sequence are out of step
 * from here on: the connection ends.
 */
void rpc_server_refuse(struct rpc_connection *c, struct rpc_taken *t, int error)
{
	uint32_t status = error == MW_E_AUTH ? RPC_S_SEC_PKG_ERROR : RPC_S_ACCESS_DENIED;
	const char *why = "the authentication was refused";

	if (error == MW_E_AUTH)
		why = "the signature does not verify";
	else if (error == MW_E_INVALID)
		why = "authentication type or level differ from the bind's";
	else if (error == MW_E_NOTFOUND)
		why = t->pdu.has_auth ? "a security context that was never made" : "protection is missing";
	end(c, t, t->pdu.context_id, status, why);
}

/* A fault instead of a call, and the connection goes on; what else comes of the call is passed over. */
static void answer_dead(struct rpc_connection *c, struct rpc_taken *t, uint16_t context_id, uint32_t status)
{
	const struct rpc_header *h = &t->pdu.header;
	struct rpc_call *call;

	rpc_server_put_fault(c, h->call_id, context_id, status, RPC_PFC_DID_NOT_EXECUTE);
	if (h->flags & RPC_PFC_LAST_FRAG)
		return;
	if (rpc_call_new(c, h->call_id, true, &call) < 0) {
		rpc_taken_damaged(c, t, "too many calls in flight");
		return;
	}
	call->security = t->security;
	c->assembling = call;
}

/* ---- Further fragments ---- */

/* For the call that is not whole yet, whatever the PDU at hand is. */
static void end_assembling(struct rpc_connection *c, struct rpc_taken *t, uint32_t status, const char *why)
{
	rpc_server_put_fault(c, c->assembling->call_id, c->assembling->context_id, status, 0);
	rpc_taken_damaged(c, t, why);
}

static bool trailer_holds(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t)
{
	const struct rpc_assembly *a = &call->part[RPC_FROM_CLIENT];
	const uint8_t *stub = a->open ? a->stub.data : t->data + t->pdu.body;
	size_t len = a->open ? a->stub.len : t->pdu.stub_len, left = len;

	if (rpc_is_protected(call->security) && rpc_verify(c, call, &t->pdu.header, stub, &left) < 0)
		return false;
	call->trailer = len - left;
	return true;
}

static void take_whole(struct rpc_connection *c, struct rpc_call *call, struct rpc_taken *t)
{
	if (call->dead) {
		rpc_call_drop(c, call);
	} else if (!trailer_holds(c, call, t)) {
		end_assembling(c, t, RPC_S_ACCESS_DENIED, "the verification trailer contradicts the request");
	} else {
		c->assembling = NULL;
		rpc_call_emit(c, call, t, RPC_EV_REQUEST);
	}
}

/* False: the connection has ended. */
static bool add(struct rpc_connection *c, struct rpc_call *call, struct rpc_taken *t)
{
	int r = call->dead ? 0 : rpc_call_append(c, call, t);

	if (r == MW_E_LIMIT)
		end_assembling(c, t, RPC_S_ACCESS_DENIED, "the call is longer than the limit");
	else if (r < 0)
		end_assembling(c, t, NCA_S_FAULT_REMOTE_NO_MEMORY, "out of memory");
	return r == 0;
}

/* Operation, presentation context and trailer count in the first fragment only. */
static void continue_request(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_call *call = c->assembling;
	int r;

	if (t->pdu.header.call_id != call->call_id) {
		if (c->concurrent)
			end(c, t, 0, NCA_S_PROTO_ERROR, "a call between the fragments of another");
		else
			end_assembling(c, t, NCA_S_PROTO_ERROR, "a call between the fragments of another");
		return;
	}
	r = rpc_security_open_as(c, t, call->security);
	if (r == MW_E_NOTFOUND)
		end_assembling(c, t, NCA_S_PROTO_ERROR, "a fragment without the protection of the first");
	else if (r < 0)
		end_assembling(c, t, RPC_S_SEC_PKG_ERROR, "the signature does not verify");
	else if (t->pdu.header.flags & RPC_PFC_FIRST_FRAG)
		end_assembling(c, t, NCA_S_PROTO_ERROR, "a call that begins twice");
	else if (add(c, call, t) && (t->pdu.header.flags & RPC_PFC_LAST_FRAG))
		take_whole(c, call, t);
}

/* ---- First fragments ---- */

/* What is wrong with a request before its context and protection are looked at. */
static bool refused_at_once(struct rpc_connection *c, struct rpc_taken *t)
{
	uint8_t flags = t->pdu.header.flags;

	if ((flags & RPC_PFC_FIRST_FRAG) && (flags & RPC_PFC_PENDING_CANCEL)) {
		rpc_server_put_fault(c, t->pdu.header.call_id, 0, RPC_S_NO_CALL_ACTIVE, RPC_PFC_DID_NOT_EXECUTE);
		rpc_taken_damaged(c, t, "a call that is cancelled as it begins");
	} else if (!c->concurrent && !(flags & RPC_PFC_FIRST_FRAG)) {
		end(c, t, 0, NCA_S_PROTO_ERROR, "a fragment of a call whose beginning is missing");
	} else if (rpc_call_find(c, t->pdu.header.call_id)) {
		end(c, t, 0, NCA_S_PROTO_ERROR, "a call id that is still in flight");
	} else if (!c->concurrent && c->calls) {
		end(c, t, 0, NCA_S_PROTO_ERROR, "a second call where concurrent multiplexing was not agreed on");
	} else {
		return false;
	}
	return true;
}

static void unknown_context(struct rpc_connection *c, struct rpc_taken *t)
{
	int r = rpc_security_open(c, t);

	/* A good signature has to be counted; nothing depends on one that is missing. */
	if (r == MW_E_AUTH)
		rpc_server_refuse(c, t, r);
	else
		answer_dead(c, t, 0, NCA_S_UNK_IF);
}

static void begin_request(struct rpc_connection *c, struct rpc_taken *t)
{
	const struct rpc_context *ctx = rpc_context_find(c, t->pdu.context_id);
	uint8_t flags = t->pdu.header.flags;
	struct rpc_call *call;
	int r;

	if (!ctx || ctx->state != RPC_CTX_ACCEPTED) {
		unknown_context(c, t);
		return;
	}
	r = rpc_security_open(c, t);
	if (r < 0)
		rpc_server_refuse(c, t, r);
	else if (!(flags & RPC_PFC_FIRST_FRAG))
		end(c, t, t->pdu.context_id, NCA_S_PROTO_ERROR, "a fragment of a call whose beginning is missing");
	else if (!(flags & RPC_PFC_LAST_FRAG) && t->pdu.alloc_hint > c->limits.max_call)
		end(c, t, t->pdu.context_id, RPC_S_ACCESS_DENIED, "a call is announced that is longer than the limit");
	else if (rpc_call_new(c, t->pdu.header.call_id, false, &call) < 0)
		answer_dead(c, t, t->pdu.context_id, NCA_S_SERVER_TOO_BUSY);
	else {
		rpc_call_begin(c, call, t);
		c->assembling = call;
		if (flags & RPC_PFC_LAST_FRAG)
			take_whole(c, call, t);
		else
			add(c, call, t);
	}
}

void rpc_server_take_request(struct rpc_connection *c, struct rpc_taken *t)
{
	if (!c->bound) {
		rpc_server_protocol_error(c, t, "a request before the bind");
	} else if (c->unfinished) {
		rpc_server_put_fault(c, t->pdu.header.call_id, 0, NCA_S_PROTO_ERROR, RPC_PFC_DID_NOT_EXECUTE);
		rpc_taken_damaged(c, t, "a request before the end of the handshake");
	} else if (t->pdu.header.frag_length > RPC_MAX_FRAG) {
		end(c, t, 0, NCA_S_PROTO_ERROR, "a fragment longer than any that is agreed on");
	} else if (c->assembling) {
		continue_request(c, t);
	} else if (!refused_at_once(c, t)) {
		begin_request(c, t);
	}
}

/* ---- Answers ---- */

static struct rpc_call *answerable(struct rpc_connection *c, uint32_t call_id)
{
	struct rpc_call *call = c->config.role == RPC_SERVER && !c->over ? rpc_call_find(c, call_id) : NULL;

	return call && call->asked && !call->dead ? call : NULL;
}

int rpc_server_respond(struct rpc_connection *c, uint32_t call_id, const void *stub, size_t len)
{
	struct rpc_call *call = answerable(c, call_id);
	struct rpc_message m = {.ptype = RPC_RESPONSE, .call_id = call_id, .stub = stub, .len = len};
	bool maybe;

	if (!call)
		return MW_E_NOTFOUND;
	m.context_id = call->context_id;
	/* At level connect Windows' answers carry no verifier, even to requests that do. */
	m.security = rpc_is_protected(call->security) ? call->security : NULL;
	maybe = call->maybe;
	rpc_call_drop(c, call);
	return maybe ? 0 : rpc_send(c, &m);
}

int rpc_server_fault(struct rpc_connection *c, uint32_t call_id, uint32_t status)
{
	struct rpc_call *call = answerable(c, call_id);
	/* Only the runtime's own refusals promise that nothing was executed. */
	bool unexecuted = status == NCA_S_OP_RNG_ERROR || status == NCA_S_UNK_IF || status == NCA_S_SERVER_TOO_BUSY ||
	                  status == RPC_X_BAD_STUB_DATA;

	if (!call)
		return MW_E_NOTFOUND;
	if (!call->maybe)
		rpc_server_put_fault(c, call_id, call->context_id, status, unexecuted ? RPC_PFC_DID_NOT_EXECUTE : 0);
	if (buf_error(&c->out))
		return buf_error(&c->out);
	rpc_call_drop(c, call);
	return 0;
}

struct rpc_association *rpc_server_association(struct rpc_connection *c)
{
	return c->association;
}
