#include "rpc/private.h"

/* bind_nak reasons, C706 12.6.3.1 and [MS-RPCE] 2.2.2.5. */
enum {
	NAK_NOT_SPECIFIED = 0,
	NAK_LOCAL_LIMIT = 2,
	NAK_PROTOCOL_VERSION = 4,
	NAK_AUTH_TYPE = 8,
	NAK_INVALID_CHECKSUM = 9,
};
#define FAULT_SIZE 32
#define WHOLE (RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG)

static void put_nak(struct rpc_connection *c, uint32_t call_id, uint16_t reason)
{
	size_t start = c->out.len;

	rpc_put_header(&c->out, RPC_BIND_NAK, WHOLE, call_id);
	buf_put_u16(&c->out, reason);
	buf_put_u8(&c->out, 1); /* p_rt_versions_supported_t: 5.0 */
	buf_put_u8(&c->out, 5);
	buf_put_u8(&c->out, 0);
	buf_put_zero(&c->out, 3);
	rpc_pdu_finish(&c->out, start, NULL, NULL, 0);
}

void rpc_server_put_fault(struct rpc_connection *c, uint32_t call_id, uint16_t context_id, uint32_t status,
                          uint8_t flags)
{
	size_t start = c->out.len;

	rpc_put_header(&c->out, RPC_FAULT, WHOLE | flags, call_id);
	buf_put_u32(&c->out, FAULT_SIZE); /* alloc_hint: what Windows puts */
	buf_put_u16(&c->out, context_id);
	buf_put_u16(&c->out, 0);
	buf_put_u32(&c->out, status);
	buf_put_u32(&c->out, 0);
	rpc_pdu_finish(&c->out, start, NULL, NULL, 0);
}

void rpc_server_bad_header(struct rpc_connection *c, const uint8_t *data)
{
	/* A bind in another version of this protocol is told which ones there are, C706 12.6.4.5. */
	if (!c->bound && data[2] == RPC_BIND && (data[0] != 5 || data[1] > 1))
		put_nak(c, 0, NAK_PROTOCOL_VERSION);
}

/* A handshake PDU that is refused for good: bind_nak or a fault, and the end. */
static void end_handshake(struct rpc_connection *c, const struct rpc_taken *t, uint16_t nak, uint32_t status)
{
	if (t->pdu.header.ptype == RPC_BIND)
		put_nak(c, t->pdu.header.call_id, nak);
	else
		rpc_server_put_fault(c, t->pdu.header.call_id, 0, status, RPC_PFC_DID_NOT_EXECUTE);
}

void rpc_server_protocol_error(struct rpc_connection *c, struct rpc_taken *t, const char *why)
{
	uint8_t ptype = t->pdu.header.ptype;

	if (ptype == RPC_REQUEST)
		rpc_server_put_fault(c, t->pdu.header.call_id, 0, NCA_S_PROTO_ERROR, 0);
	else if (ptype == RPC_BIND || ptype == RPC_ALTER_CONTEXT || ptype == RPC_AUTH3)
		end_handshake(c, t, NAK_PROTOCOL_VERSION, NCA_S_PROTO_ERROR);
	rpc_taken_damaged(c, t, why);
}

/* ---- Security handshake ---- */

/* One leg; the next token is in token. 0, MW_E_AGAIN, or what went wrong. */
static int step(struct rpc_connection *c, struct rpc_taken *t, struct buf *token)
{
	struct auth_env env = rpc_auth_env(c);
	struct rpc_security *s = t->security;
	struct cursor in = cursor_of(t->pdu.auth_value, t->pdu.header.auth_length);
	int r = auth_step(s->auth, &env, in, token, &t->status);

	s->complete = r == 0;
	s->refused = r < 0 && r != MW_E_AGAIN;
	c->unfinished = r == MW_E_AGAIN ? s : NULL;
	c->handshake_ns = r == MW_E_AGAIN ? c->now_ns : INT64_MAX;
	if (s->refused && t->status == 0)
		t->status = 0xC000006D; /* STATUS_LOGON_FAILURE */
	return r;
}

/* The first leg: a security context is made. MW_E_INVALID, MW_E_UNSUPPORTED, MW_E_STATE, MW_E_LIMIT, or as step. */
static int first_leg(struct rpc_connection *c, struct rpc_taken *t, struct buf *token)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct auth_context *auth = NULL;

	if (trailer->level < AUTH_LEVEL_CONNECT || trailer->level > AUTH_LEVEL_PRIVACY)
		return MW_E_INVALID;
	if (!c->config.server->auth ||
	    auth_server_new(trailer->type, trailer->level, c->config.server->auth, &auth) < 0)
		return MW_E_UNSUPPORTED;
	/* Clients ask for packet where they mean call, [MS-RPCE] 2.2.1.1.8. One handshake at a time. */
	t->security = trailer->level != AUTH_LEVEL_CALL && !c->unfinished ? rpc_security_place(c, trailer) : NULL;
	if (!t->security) {
		auth_free(&auth);
		return trailer->level == AUTH_LEVEL_CALL ? MW_E_AUTH : c->unfinished ? MW_E_STATE : MW_E_LIMIT;
	}
	t->security->auth = auth;
	return step(c, t, token);
}

/* MW_E_EXISTS: that handshake is over, or began at another level; MW_E_AUTH: with another provider. */
static int next_leg(struct rpc_connection *c, struct rpc_taken *t, struct buf *token)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct rpc_security *s = rpc_security_find(c, trailer->context_id);

	if (!s)
		return t->pdu.header.ptype == RPC_AUTH3 ? MW_E_STATE : first_leg(c, t, token);
	if (s != c->unfinished)
		return MW_E_EXISTS;
	if (s->type != trailer->type)
		return MW_E_AUTH;
	if (s->level != trailer->level)
		return MW_E_EXISTS;
	t->security = s;
	return step(c, t, token);
}

/* Padding fits between where a request's stub would begin and the trailer: raw_protocol test_spnego_auth_pad_ok. */
static bool padding_fits(const struct rpc_taken *t)
{
	const struct rpc_header *h = &t->pdu.header;
	size_t around = 24u + RPC_SEC_TRAILER_SIZE + h->auth_length;

	return !t->pdu.has_auth || t->pdu.trailer.pad_length == 0 ||
	       (h->frag_length >= around && t->pdu.trailer.pad_length <= h->frag_length - around);
}

void rpc_server_take_auth3(struct rpc_connection *c, struct rpc_taken *t)
{
	struct buf token MW_CLEANUP(buf_free) = {0};
	struct rpc_event e;
	int r;

	if (!c->bound) {
		rpc_server_protocol_error(c, t, "auth3 before the bind");
		return;
	}
	if (!padding_fits(t)) {
		end_handshake(c, t, 0, NCA_S_FAULT_REMOTE_NO_MEMORY);
		rpc_taken_damaged(c, t, "more authentication padding than fits");
		return;
	}
	r = next_leg(c, t, &token);
	if (!t->security) {
		rpc_server_protocol_error(c, t, "auth3 without a handshake that waits for it");
		return;
	}
	/* auth3 has no answer, for a token least of all: a refusal shows in the fault that the first request gets. */
	if (r == MW_E_AGAIN || token.len > 0) {
		t->security->refused = true;
		t->security->complete = false;
		c->unfinished = NULL;
		c->handshake_ns = INT64_MAX;
	}
	e = rpc_event_of(t, RPC_EV_AUTH3);
	e.status = t->status;
	e.signature = t->security->refused ? RPC_SIG_BAD : RPC_SIG_NONE;
	rpc_emit(c, &e);
}

/* ---- bind, alter_context ---- */

/* One size for both directions, as Windows: the smaller, from 2,048 to 5,840, a multiple of 8. */
static uint16_t agree(const struct rpc_bind *bind)
{
	uint16_t size = bind->max_xmit_frag < bind->max_recv_frag ? bind->max_xmit_frag : bind->max_recv_frag;

	if (size > RPC_MAX_FRAG)
		return RPC_MAX_FRAG;
	return size < RPC_LEAST_FRAG ? RPC_LEAST_FRAG : size & 0xfff8;
}

/* 0, or -1 after the answer told why not. */
static int join(struct rpc_connection *c, const struct rpc_taken *t)
{
	int r;

	if (t->pdu.header.ptype != RPC_BIND || !c->config.server->associations)
		return 0;
	r = rpc_association_join(c->config.server->associations, t->pdu.bind.assoc_group_id, &c->association);
	if (r == 0)
		return 0;
	put_nak(c, t->pdu.header.call_id, r == MW_E_NOTFOUND ? NAK_NOT_SPECIFIED : NAK_LOCAL_LIMIT);
	rpc_over(c, r == MW_E_NOTFOUND ? "the client names an association group that is not there"
	                               : "no room for another association group");
	return -1;
}

/* PFC_SUPPORT_HEADER_SIGN, [MS-RPCE] 2.2.2.3, is agreed on by either; concurrent multiplexing by the bind alone. */
static uint8_t answer_flags(const struct rpc_header *h)
{
	uint8_t flags = h->ptype == RPC_BIND ? RPC_PFC_CONC_MPX | RPC_PFC_PENDING_CANCEL : RPC_PFC_PENDING_CANCEL;

	return WHOLE | (h->flags & flags);
}

static void put_ack(struct rpc_connection *c, const struct rpc_taken *t, struct rpc_context_result *results,
                    const struct buf *token)
{
	bool first = t->pdu.header.ptype == RPC_BIND;
	struct rpc_bind ack = {
	        .max_xmit_frag = c->max_xmit,
	        .max_recv_frag = c->max_xmit,
	        .assoc_group_id = c->association ? rpc_association_id(c->association) : 1,
	        .secondary_address = arena_strdup(c->arena, first ? c->config.server->secondary_address : ""),
	        .results = results,
	        .result_count = t->pdu.bind.context_count,
	};
	uint8_t flags = answer_flags(&t->pdu.header);
	size_t start = c->out.len;

	rpc_security_agree(c, t->security, flags);
	if (!ack.secondary_address) {
		rpc_over(c, "out of memory");
		return;
	}
	rpc_put_header(&c->out, first ? RPC_BIND_ACK : RPC_ALTER_CONTEXT_RESP, flags, t->pdu.header.call_id);
	rpc_put_bind_ack(&c->out, &ack);
	/* The trailer comes along even where no token is left to send. */
	if (rpc_send_handshake(c, start, t->security, token) == 0)
		c->bound = true;
}

/* A handshake that failed: bind_nak in a bind, a fault in an alter_context; [MS-RPCE] 3.3.1.5.2.1. */
static void put_refusal(struct rpc_connection *c, const struct rpc_taken *t, int error)
{
	switch (error) {
	case MW_E_UNSUPPORTED:
		end_handshake(c, t, NAK_AUTH_TYPE, RPC_S_ACCESS_DENIED);
		break;
	case MW_E_INVALID:
		end_handshake(c, t, NAK_NOT_SPECIFIED, RPC_S_ACCESS_DENIED);
		break;
	case MW_E_EXISTS:
		end_handshake(c, t, NAK_NOT_SPECIFIED, RPC_S_ACCESS_DENIED);
		break;
	case MW_E_LIMIT:
	case MW_E_STATE:
		end_handshake(c, t, NAK_LOCAL_LIMIT, NCA_S_PROTO_ERROR);
		break;
	default:
		end_handshake(c, t, NAK_INVALID_CHECKSUM, RPC_S_SEC_PKG_ERROR);
	}
	rpc_over(c, error == MW_E_UNSUPPORTED || error == MW_E_INVALID ? "an authentication type that is not offered"
	            : error == MW_E_EXISTS                             ? "authentication begun anew or changed"
	            : error == MW_E_LIMIT                              ? "too many security contexts"
	                                                               : "the authentication was refused");
}

/* What stands in the way before contexts and tokens are looked at; the answer is given. */
static bool refused_at_once(struct rpc_connection *c, struct rpc_taken *t)
{
	bool bind = t->pdu.header.ptype == RPC_BIND;

	if (bind && c->bound) {
		end_handshake(c, t, NAK_NOT_SPECIFIED, 0);
		rpc_taken_damaged(c, t, "a second bind");
	} else if (!bind && !c->bound) {
		rpc_server_protocol_error(c, t, "alter_context before the bind");
	} else if (!padding_fits(t)) {
		rpc_server_protocol_error(c, t, "more authentication padding than fits");
	} else if (!bind && t->pdu.has_auth && t->pdu.trailer.type == AUTH_NONE) {
		put_refusal(c, t, MW_E_EXISTS);
	} else {
		return false;
	}
	return true;
}

static void note_bind(struct rpc_connection *c, const struct rpc_taken *t)
{
	if (t->pdu.header.ptype != RPC_BIND)
		return;
	c->max_xmit = agree(&t->pdu.bind);
	c->concurrent = t->pdu.header.flags & RPC_PFC_CONC_MPX;
	c->of_bind = t->security;
}

void rpc_server_take_bind(struct rpc_connection *c, struct rpc_taken *t)
{
	struct buf token MW_CLEANUP(buf_free) = {0};
	struct rpc_context_result *results;
	struct rpc_event e;
	int r;

	if (refused_at_once(c, t))
		return;
	r = rpc_server_negotiate(c, &t->pdu.bind, &results);
	if (r == MW_E_NOMEM) {
		rpc_over(c, "out of memory");
		return;
	}
	if (r < 0) {
		end_handshake(c, t, NAK_NOT_SPECIFIED, NCA_S_PROTO_ERROR);
		rpc_taken_damaged(c, t, "presentation contexts that contradict each other, or none");
		return;
	}
	r = t->pdu.has_auth ? next_leg(c, t, &token) : 0;
	note_bind(c, t);
	e = rpc_event_of(t, t->pdu.header.ptype == RPC_BIND ? RPC_EV_BIND : RPC_EV_ALTER);
	e.bind = &t->pdu.bind;
	e.status = t->status;
	e.signature = t->security && t->security->refused ? RPC_SIG_BAD : RPC_SIG_NONE;
	rpc_emit(c, &e);
	if (r < 0 && r != MW_E_AGAIN)
		put_refusal(c, t, r);
	else if (join(c, t) == 0)
		put_ack(c, t, results, &token);
}
