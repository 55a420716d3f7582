#include "client/private.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

struct arena *client_arena(struct mapiwire *m)
{
	struct arena *arena = arena_new(CLIENT_ARENA_LIMIT);
	if (!arena)
		(void)client_fail_inside(m, MW_E_NOMEM, "an answer");
	return arena;
}

struct rpc_syntax client_syntax(const struct idl_interface *interface)
{
	return (struct rpc_syntax){interface->uuid, interface->major, interface->minor};
}

int client_fail_ended(struct client_conn *c, const char *what)
{
	switch (c->cause) {
	case CAUSE_NOT_RPC:
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_RPC, "%s", c->port_text);
	case CAUSE_PROTOCOL_ERROR:
	case CAUSE_BAD_SIGNATURE:
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, c->cause, "%s", c->why);
	default:
		return client_fail_on(c->m, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, " of %s", what);
	}
}

int client_await(struct client_conn *c, const bool *done, struct client_call *call, int64_t deadline, const char *what)
{
	int r = client_wait(c->m, done, c, call, deadline);
	if (r == MW_E_AGAIN)
		return client_fail_ended(c, what);
	return r == 0 ? 0 : client_fail_wait(c->m, r, what);
}

/* ---- Calls ---- */

static void unlink_call(struct client_call *call)
{
	struct client_call **link = &call->conn->calls;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
}

void client_call_drop(struct client_call **call)
{
	struct client_call *p = *call;
	if (!p)
		return;
	*call = NULL;
	unlink_call(p);
	if (!p->done && p->id && rpc_client_cancel(p->conn->rpc, p->id, true) == 0)
		client_flush(p->conn);
	buf_free(&p->stub);
	free(p);
}

static int send_call(struct client_conn *c, unsigned context, struct client_call *call, const void *args)
{
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

int client_call_begin(struct client_conn *c, unsigned context, unsigned opnum, const void *args,
                      struct client_call **out)
{
	const struct idl_method *method = &c->interfaces[context]->methods[opnum];
	if (client_cancelled(c->m))
		return client_failed(client_fail_wait(c->m, MW_E_CANCELLED, method->name));
	if (c->closed)
		return client_failed(client_fail_ended(c, method->name));
	struct client_call *call = (struct client_call *)calloc(1, sizeof *call);
	if (!call)
		return client_failed(client_fail_inside(c->m, MW_E_NOMEM, method->name));
	call->conn = c;
	call->method = method;
	call->next = c->calls;
	c->calls = call;
	int r = send_call(c, context, call, args);
	if (r != 0) {
		client_call_drop(&call);
		return client_failed(client_fail_inside(c->m, r, method->name));
	}
	client_flush(c);
	*out = call;
	return 0;
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

static int decode_answer(const struct client_call *call, struct arena *arena, void *args)
{
	struct mapiwire *m = call->conn->m;
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

int client_call_end(struct client_call **call, struct arena *arena, void *args, int64_t deadline)
{
	struct client_call *p = *call;
	int r = client_await(p->conn, &p->done, p, deadline, p->method->name);
	if (r == 0)
		r = decode_answer(p, arena, args);
	client_call_drop(call);
	return r;
}

int client_call(struct client_conn *c, unsigned context, unsigned opnum, struct arena *arena, void *args)
{
	struct client_call *call = NULL;
	int r = client_take_turn(c->m, &c->idle);
	if (r != 0)
		return client_fail_wait(c->m, r, c->interfaces[context]->methods[opnum].name);
	r = client_call_begin(c, context, opnum, args, &call);
	if (r == 0)
		r = client_call_end(&call, arena, args, client_deadline(c->m));
	c->idle = true;
	return r;
}
