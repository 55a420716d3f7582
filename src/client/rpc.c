#include "client/private.h"

#include <stdlib.h>

/* Calls as RPC: the one carrier of those that are made by RPC over TCP or over HTTP. */

struct rpc_syntax client_syntax(const struct idl_interface *interface)
{
	return (struct rpc_syntax){interface->uuid, interface->major, interface->minor};
}

static int encode(struct client_call *call, unsigned context, const void *args)
{
	struct client_conn *c = call->conn;
	struct buf stub MW_CLEANUP(buf_free) = {0};
	struct arena *scratch MW_CLEANUP(arena_cleanup) = arena_new(CLIENT_ARENA_LIMIT);
	if (!scratch)
		return MW_E_NOMEM;
	const struct rpc_syntax abstract = client_syntax(c->interfaces[context]);
	uint16_t id = 0;
	int r = rpc_client_context(c->rpc, &abstract, &id, &call->syntax);
	struct ndr n = ndr_encoder(call->syntax, scratch, &stub);
	if (r == 0)
		r = ndr_encode_args(&n, call->method, IDL_REQUEST, args);
	if (r == 0)
		r = rpc_client_call(c->rpc, id, call->method->opnum, NULL, stub.data, stub.len, &call->id);
	return r;
}

static int send_call(struct client_call *call, unsigned context, const void *args)
{
	int r = encode(call, context, args);
	if (r != 0)
		return client_fail_inside(call->conn->m, r, call->method->name);
	client_flush(call->conn);
	return 0;
}

static bool cancel(struct client_call *call, bool orphan)
{
	if (!call->id || rpc_client_cancel(call->conn->rpc, call->id, orphan) < 0)
		return false;
	client_flush(call->conn);
	return true;
}

static void drop(struct client_call *call)
{
	buf_free(&call->stub);
}

/*
 * auth3 has no answer: a server that refuses it says so to the first call. Windows by access_denied,
 * Samba by a protocol error.
 */
static uint32_t fault_of(const struct client_call *call)
{
	const struct client_conn *c = call->conn;
	bool refused_user = call->status == NCA_S_PROTO_ERROR && c->level > AUTH_LEVEL_NONE && !c->served;
	return refused_user ? RPC_S_ACCESS_DENIED : call->status;
}

static int take(struct client_call *call, struct arena *arena, void *args, bool *again)
{
	struct mapiwire *m = call->conn->m;
	(void)again;
	if (call->fault && client_cancelled(m))
		return client_fail_wait(m, MW_E_CANCELLED, call->method->name);
	if (call->fault)
		return client_fail_status(m, CAUSE_OF_FAULT, fault_of(call), call->method->name);
	call->conn->served = true;
	if (call->signature == RPC_SIG_BAD)
		return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_BAD_SIGNATURE, "%s", call->method->name);
	if (buf_error(&call->stub) < 0)
		return client_fail_inside(m, buf_error(&call->stub), call->method->name);
	struct cursor in = cursor_of(call->stub.data, call->stub.len);
	in.big_endian = call->big_endian;
	struct ndr n = ndr_decoder(call->syntax, arena, in);
	int r = ndr_decode_args(&n, call->method, IDL_RESPONSE, args);
	return r < 0 ? client_fail_inside(m, r, call->method->name) : 0;
}

const struct client_carrier client_rpc_carrier = {send_call, take, cancel, drop};
