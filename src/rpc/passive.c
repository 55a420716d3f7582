#include "rpc/private.h"

void rpc_emit(struct rpc_connection *c, const struct rpc_event *e)
{
	if (c->config.on_event)
		c->config.on_event(c->config.user, c, e);
}

void rpc_over(struct rpc_connection *c, const char *why)
{
	struct rpc_event e = {.type = RPC_EV_CLOSED, .why = why};

	if (c->over || rpc_is_observer(c))
		return;
	c->over = true;
	e.from = c->config.role == RPC_SERVER ? RPC_FROM_CLIENT : RPC_FROM_SERVER;
	rpc_emit(c, &e);
}

void rpc_damaged(struct rpc_connection *c, struct rpc_event *e, size_t at, const char *why)
{
	if (c->over)
		return;
	e->type = RPC_EV_DAMAGED;
	e->damaged_at = at;
	e->why = why;
	rpc_emit(c, e);
	rpc_over(c, why);
}

struct rpc_event rpc_event_of(const struct rpc_taken *t, enum rpc_event_type type)
{
	const struct rpc_pdu *pdu = &t->pdu;
	struct rpc_event e = {
	        .type = type,
	        .from = t->from,
	        .first = t->first,
	        .end = t->end,
	        .fragments = 1,
	        .call_id = pdu->header.call_id,
	        .big_endian = pdu->header.big_endian,
	        .flags = pdu->header.flags,
	        .sealed = t->sealed,
	        .decrypted = t->decrypted,
	        .signature = t->signature,
	};

	if (pdu->has_auth) {
		e.auth_type = pdu->trailer.type;
		e.level = rpc_level_of(pdu->trailer.level);
	} else if (t->security) {
		e.auth_type = t->security->type;
		e.level = t->security->level;
	}
	if (t->security)
		e.auth = t->security->auth;
	return e;
}

void rpc_taken_damaged(struct rpc_connection *c, const struct rpc_taken *t, const char *why)
{
	struct rpc_event e = rpc_event_of(t, RPC_EV_DAMAGED);

	e.status = t->status;
	rpc_damaged(c, &e, t->damaged_at, why);
}

static void take_bind(struct rpc_connection *c, struct rpc_taken *t)
{
	bool bind = t->pdu.header.ptype == RPC_BIND;
	struct rpc_event e;
	int r;

	if (c->config.role == RPC_SERVER) {
		rpc_server_take_bind(c, t);
		return;
	}
	/* Contexts beyond the limit stay unnamed. */
	r = rpc_contexts_offer(c, &t->pdu.bind);
	(void)r;
	rpc_security_watch(c, t);
	e = rpc_event_of(t, bind ? RPC_EV_BIND : RPC_EV_ALTER);
	e.bind = &t->pdu.bind;
	rpc_emit(c, &e);
}

static void take_ack(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_event e;

	if (c->config.role == RPC_CLIENT) {
		rpc_client_take_ack(c, t);
		return;
	}
	rpc_contexts_answer(c, &t->pdu.bind);
	rpc_security_watch(c, t);
	e = rpc_event_of(t, t->pdu.header.ptype == RPC_BIND_ACK ? RPC_EV_BIND_ACK : RPC_EV_ALTER_ACK);
	e.bind = &t->pdu.bind;
	rpc_emit(c, &e);
}

static void take_nak(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_event e = rpc_event_of(t, RPC_EV_BIND_NAK);

	e.status = t->pdu.nak_reason;
	rpc_emit(c, &e);
	rpc_over(c, "the server refused the bind");
}

static void take_auth3(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_event e;

	if (c->config.role == RPC_SERVER) {
		rpc_server_take_auth3(c, t);
		return;
	}
	rpc_security_watch(c, t);
	e = rpc_event_of(t, RPC_EV_AUTH3);
	rpc_emit(c, &e);
}

static void take_shutdown(struct rpc_connection *c, struct rpc_taken *t)
{
	struct rpc_event e = rpc_event_of(t, RPC_EV_SHUTDOWN);

	rpc_emit(c, &e);
}

static bool from_client(uint8_t ptype)
{
	return ptype == RPC_REQUEST || ptype == RPC_BIND || ptype == RPC_ALTER_CONTEXT || ptype == RPC_AUTH3 ||
	       ptype == RPC_CO_CANCEL || ptype == RPC_ORPHANED;
}

static void dispatch(struct rpc_connection *c, struct rpc_taken *t)
{
	switch (t->pdu.header.ptype) {
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
		take_bind(c, t);
		break;
	case RPC_BIND_ACK:
	case RPC_ALTER_CONTEXT_RESP:
		take_ack(c, t);
		break;
	case RPC_BIND_NAK:
		take_nak(c, t);
		break;
	case RPC_AUTH3:
		take_auth3(c, t);
		break;
	case RPC_REQUEST:
		if (c->config.role == RPC_SERVER)
			rpc_server_take_request(c, t);
		else
			rpc_take_request(c, t);
		break;
	case RPC_RESPONSE:
		rpc_take_response(c, t);
		break;
	case RPC_FAULT:
		rpc_take_fault(c, t);
		break;
	case RPC_SHUTDOWN:
		take_shutdown(c, t);
		break;
	default:
		rpc_take_cancel(c, t);
	}
}

/* The header could be read, the body could not: told with what the header says. */
static void unreadable(struct rpc_connection *c, struct rpc_taken *t, const char *why)
{
	if (rpc_header_parse(cursor_of(t->data, t->end - t->first), &t->pdu.header) < 0)
		return;
	if (c->config.role == RPC_SERVER) {
		rpc_server_protocol_error(c, t, why);
		return;
	}
	if (rpc_is_observer(c))
		rpc_security_lost(c, t->from);
	rpc_taken_damaged(c, t, why);
}

void rpc_take_pdu(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len, uint64_t first)
{
	struct rpc_taken t = {.from = from, .data = data, .first = first, .end = first + len};
	const char *why = NULL;

	arena_reset(c->arena);
	if (rpc_pdu_parse(c->arena, data, len, &t.pdu, &why, &t.damaged_at) < 0)
		unreadable(c, &t, why);
	else if (from_client(t.pdu.header.ptype) != (from == RPC_FROM_CLIENT))
		rpc_taken_damaged(c, &t, "a PDU that the other side sends");
	else
		dispatch(c, &t);
}
