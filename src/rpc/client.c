#include "rpc/private.h"

/* Any value does; one that tells ours apart in a capture. */
#define SECURITY_ID 1

#define WHOLE (RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG)

static int begin_security(struct rpc_connection *c, const struct rpc_client_bind *bind, struct buf *token)
{
	/* Who asks for call gets packet, [MS-RPCE] 2.2.1.1.8; Windows' server refuses the former. */
	uint8_t level = rpc_level_of((uint8_t)(bind->level == AUTH_LEVEL_CALL ? AUTH_LEVEL_PACKET : bind->level));
	struct rpc_sec_trailer trailer = {.type = (uint8_t)bind->auth_type, .level = level, .context_id = SECURITY_ID};
	struct auth_env env = rpc_auth_env(c);
	struct auth_context *auth = bind->begun;
	struct auth_info info;
	struct rpc_security *s;
	int r = auth ? buf_put(token, bind->token->data, bind->token->len)
	             : auth_client_new(bind->auth_type, level, bind->auth, &auth);

	if (r == 0 && bind->begun) {
		auth_get_info(auth, &info);
		r = info.complete ? 0 : MW_E_AGAIN;
	} else if (r == 0) {
		r = auth_step(auth, &env, cursor_of(NULL, 0), token, NULL);
	}
	s = r == 0 || r == MW_E_AGAIN ? rpc_security_place(c, &trailer) : NULL;
	if (!s) {
		auth_free(&auth);
		return r < 0 ? r : MW_E_LIMIT;
	}
	s->auth = auth;
	s->complete = r == 0;
	return 0;
}

/* Puts bind or alter_context and notes what was offered. */
static int put_offer(struct rpc_connection *c, enum rpc_ptype ptype, const struct rpc_bind *bind,
                     const struct buf *token)
{
	const struct rpc_security *s = c->security_count ? c->security[0] : NULL;
	uint8_t flags = WHOLE | (ptype == RPC_BIND ? RPC_PFC_CONC_MPX : 0);
	size_t start = c->out.len;
	int r = rpc_contexts_offer(c, bind);

	if (r < 0)
		return r;
	if (s && token->len && rpc_is_protected(s))
		flags |= RPC_PFC_PENDING_CANCEL; /* PFC_SUPPORT_HEADER_SIGN */
	rpc_put_header(&c->out, ptype, flags, c->next_call_id);
	rpc_put_bind(&c->out, bind);
	r = rpc_send_handshake(c, start, token->len ? s : NULL, token);
	if (r < 0)
		return r;
	c->handshake_id = c->next_call_id++;
	c->handshake_ns = c->now_ns;
	c->altering = true;
	return 0;
}

int rpc_client_bind(struct rpc_connection *c, const struct rpc_client_bind *bind, int64_t now_ns)
{
	struct buf token MW_CLEANUP(buf_free) = {0};
	struct rpc_bind offer = {.assoc_group_id = bind->assoc_group_id};
	struct auth_context *begun = bind->begun;
	int r = MW_E_STATE;

	if (c->config.role == RPC_CLIENT && !c->bound && !c->altering && !c->over) {
		c->extras = bind->extras;
		r = rpc_client_offer(c, bind->interfaces, bind->interface_count, bind->extras & RPC_OFFER_FEATURES,
		                     &offer);
	}
	if (r < 0) {
		auth_free(&begun);
		return r;
	}
	c->now_ns = now_ns;
	if (bind->auth_type != AUTH_NONE)
		r = begin_security(c, bind, &token);
	return r == 0 ? put_offer(c, RPC_BIND, &offer, &token) : r;
}

int rpc_client_alter(struct rpc_connection *c, const struct rpc_syntax *interface, uint16_t *context_id, int64_t now_ns)
{
	struct buf no_token = {0};
	struct rpc_bind offer = {.assoc_group_id = c->group};
	int r;

	if (c->config.role != RPC_CLIENT || !c->bound || c->altering || c->over)
		return MW_E_STATE;
	c->now_ns = now_ns;
	r = rpc_client_offer(c, interface, 1, false, &offer);
	if (r == 0)
		r = put_offer(c, RPC_ALTER_CONTEXT, &offer, &no_token);
	if (r == 0)
		*context_id = offer.contexts[0].id;
	return r;
}

bool rpc_client_ready(const struct rpc_connection *c)
{
	return c->bound && !c->over && (c->security_count == 0 || c->security[0]->complete);
}

uint32_t rpc_client_group(const struct rpc_connection *c)
{
	return c->group;
}

/* ---- The answer to bind and alter_context ---- */

static void put_auth3(struct rpc_connection *c, const struct rpc_security *s, const struct buf *token)
{
	size_t start = c->out.len;
	int r;

	rpc_put_header(&c->out, RPC_AUTH3, WHOLE, c->handshake_id);
	buf_put_zero(&c->out, 4); /* pad, [MS-RPCE] 2.2.2.10 */
	r = rpc_send_handshake(c, start, s, token);
	(void)r; /* a failure has ended the connection */
}

/* A further leg by alter_context. */
static void put_next_leg(struct rpc_connection *c, const struct buf *token)
{
	struct rpc_bind offer;

	if (rpc_client_repeat(c, &offer) < 0 || put_offer(c, RPC_ALTER_CONTEXT, &offer, token) < 0)
		rpc_over(c, "out of memory");
}

/* The server's token and our next; false when the connection is over. */
static bool next_leg(struct rpc_connection *c, struct rpc_taken *t)
{
	struct buf token MW_CLEANUP(buf_free) = {0};
	struct rpc_security *s = c->security_count ? c->security[0] : NULL;
	struct auth_env env = rpc_auth_env(c);
	int r;

	if (!s || s->complete)
		return true;
	if (!t->pdu.has_auth || t->pdu.trailer.context_id != s->id || t->pdu.trailer.type != s->type ||
	    rpc_level_of(t->pdu.trailer.level) != s->level) {
		rpc_taken_damaged(c, t, "the server does not go on with the authentication");
		return false;
	}
	t->security = s;
	r = auth_step(s->auth, &env, cursor_of(t->pdu.auth_value, t->pdu.header.auth_length), &token, &t->status);
	if (r < 0 && r != MW_E_AGAIN) {
		rpc_taken_damaged(c, t, "the server's authentication token is not acceptable");
		return false;
	}
	s->complete = r == 0;
	if (r == MW_E_AGAIN)
		put_next_leg(c, &token);
	else if (token.len > 0)
		put_auth3(c, s, &token);
	return !c->over;
}

static void note_ack(struct rpc_connection *c, const struct rpc_bind *ack)
{
	uint16_t size = ack->max_recv_frag < RPC_MAX_FRAG ? ack->max_recv_frag : RPC_MAX_FRAG;

	c->max_xmit = size < RPC_MIN_FRAG ? RPC_MIN_FRAG : size;
	c->group = ack->assoc_group_id;
	c->bound = true;
}

void rpc_client_take_ack(struct rpc_connection *c, struct rpc_taken *t)
{
	bool first = t->pdu.header.ptype == RPC_BIND_ACK;
	struct rpc_event e;

	if (!c->altering || first == c->bound || t->pdu.header.call_id != c->handshake_id) {
		rpc_taken_damaged(c, t, "an answer to no bind");
		return;
	}
	if (t->pdu.bind.result_count != c->offered_count) {
		rpc_taken_damaged(c, t, "not one result for each presentation context");
		return;
	}
	if (first)
		note_ack(c, &t->pdu.bind);
	rpc_security_agree(c, c->security_count ? c->security[0] : NULL, t->pdu.header.flags);
	rpc_contexts_answer(c, &t->pdu.bind);
	c->altering = false;
	c->handshake_ns = INT64_MAX;
	if (!next_leg(c, t))
		return;
	e = rpc_event_of(t, first ? RPC_EV_BIND_ACK : RPC_EV_ALTER_ACK);
	e.bind = &t->pdu.bind;
	rpc_emit(c, &e);
}

/* ---- Calls ---- */

/* With its verification trailer, where one is due. */
static int send_request(struct rpc_connection *c, struct rpc_call *call, struct rpc_message *m)
{
	struct buf stub MW_CLEANUP(buf_free) = {0};
	int r;

	if (!(c->extras & RPC_SEND_TRAILER) || !rpc_is_protected(m->security))
		return rpc_send(c, m);
	r = buf_put(&stub, m->stub, m->len);
	if (r == 0)
		r = rpc_put_verification(c, call, &stub);
	if (r < 0) {
		rpc_call_drop(c, call);
		return r;
	}
	m->together = stub.len - m->len;
	m->stub = stub.data;
	m->len = stub.len;
	return rpc_send(c, m);
}

int rpc_client_call(struct rpc_connection *c, uint16_t context_id, uint16_t opnum, const struct guid *object,
                    const void *stub, size_t len, uint32_t *call_id)
{
	const struct rpc_context *ctx = rpc_context_find(c, context_id);
	struct rpc_security *s = c->security_count ? c->security[0] : NULL;
	struct rpc_message m = {
	        .ptype = RPC_REQUEST,
	        .call_id = c->next_call_id,
	        .context_id = context_id,
	        .opnum = opnum,
	        .object = object,
	        .stub = stub,
	        .len = len,
	        .security = s,
	};
	struct rpc_call *call;
	int r;

	if (c->config.role != RPC_CLIENT || !c->bound || c->over || (s && !s->complete))
		return MW_E_STATE;
	if (!ctx || ctx->state != RPC_CTX_ACCEPTED)
		return MW_E_NOTFOUND;
	if (len > c->limits.max_call)
		return MW_E_LIMIT;
	r = rpc_call_new(c, m.call_id, false, &call);
	if (r < 0)
		return r;
	call->context_id = context_id;
	call->interface = ctx->abstract;
	call->interface_known = true;
	call->syntax = ctx->syntax;
	call->opnum = opnum;
	call->opnum_known = call->asked = true;
	call->security = s;
	call->has_object = object != NULL;
	if (object)
		call->object = *object;
	c->next_call_id++;
	r = send_request(c, call, &m);
	if (r == 0)
		*call_id = m.call_id;
	return r;
}

int rpc_client_cancel(struct rpc_connection *c, uint32_t call_id, bool orphan)
{
	struct rpc_call *call = c->config.role == RPC_CLIENT && !c->over ? rpc_call_find(c, call_id) : NULL;
	int r;

	if (!call)
		return MW_E_NOTFOUND;
	r = rpc_send_bare(c, orphan ? RPC_ORPHANED : RPC_CO_CANCEL, call_id, call->security);
	if (r == 0 && orphan) {
		rpc_call_drop(c, call);
		c->gave_up = true;
	}
	return r;
}
