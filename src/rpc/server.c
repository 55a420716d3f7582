#include "rpc/private.h"

/* bind_nak reasons, C706 12.6.3.1 and [MS-RPCE] 2.2.2.5. */
enum {
	NAK_NOT_SPECIFIED = 0,
	NAK_LOCAL_LIMIT = 2,
	NAK_PROTOCOL_VERSION = 4,
	NAK_AUTH_TYPE = 8,
	NAK_INVALID_CHECKSUM = 9,
};
/* p_cont_def_result_t and p_provider_reason_t. */
enum { RESULT_ACCEPT = 0, RESULT_PROVIDER_REJECTION = 2, RESULT_NEGOTIATE_ACK = 3 };
enum { REASON_ABSTRACT_SYNTAX = 1, REASON_TRANSFER_SYNTAXES = 2, REASON_LOCAL_LIMIT = 3 };

/* What we do of [MS-RPCE] 2.2.2.14: several security contexts, and a connection that survives an orphaned call. */
#define OUR_FEATURES 0x3u

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

void rpc_server_put_fault(struct rpc_connection *c, uint32_t call_id, uint16_t context_id, uint32_t status)
{
	size_t start = c->out.len;

	/* Raised here, all of them came before the operation could run. */
	rpc_put_header(&c->out, RPC_FAULT, WHOLE | RPC_PFC_DID_NOT_EXECUTE, call_id);
	buf_put_u32(&c->out, 0);
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

void rpc_server_protocol_error(struct rpc_connection *c, struct rpc_taken *t, const char *why)
{
	uint8_t ptype = t->pdu.header.ptype;

	if (ptype == RPC_BIND)
		put_nak(c, t->pdu.header.call_id, NAK_PROTOCOL_VERSION);
	else if (ptype == RPC_REQUEST || ptype == RPC_ALTER_CONTEXT)
		rpc_server_put_fault(c, t->pdu.header.call_id, t->pdu.context_id, NCA_S_PROTO_ERROR);
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
	const char *why = "the security context is not ready";

	if (error == MW_E_AUTH)
		why = "the signature does not verify";
	else if (error == MW_E_INVALID)
		why = "authentication type or level differ from the bind's";
	else if (error == MW_E_NOTFOUND)
		why = t->pdu.has_auth ? "a security context that was never made" : "protection is missing";
	rpc_server_put_fault(c, t->pdu.header.call_id, t->pdu.context_id, status);
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
	c->handshake_ns = r == MW_E_AGAIN ? c->now_ns : INT64_MAX;
	if (s->refused && t->status == 0)
		t->status = 0xC000006D; /* STATUS_LOGON_FAILURE */
	return r;
}

/* The first leg: a security context is made. MW_E_UNSUPPORTED, MW_E_STATE, MW_E_LIMIT, or as step. */
static int first_leg(struct rpc_connection *c, struct rpc_taken *t, struct buf *token)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	uint8_t level = rpc_level_of(trailer->level);
	struct auth_context *auth = NULL;

	if (!c->config.server->auth || level < AUTH_LEVEL_CONNECT || level > AUTH_LEVEL_PRIVACY)
		return MW_E_UNSUPPORTED;
	/* More than one only where it was negotiated, [MS-RPCE] 3.3.1.5.4. */
	if (c->security_count > 0 && !c->multiplex)
		return MW_E_STATE;
	if (auth_server_new(trailer->type, level, c->config.server->auth, &auth) < 0)
		return MW_E_UNSUPPORTED;
	t->security = rpc_security_place(c, trailer);
	if (!t->security) {
		auth_free(&auth);
		return MW_E_LIMIT;
	}
	t->security->auth = auth;
	return step(c, t, token);
}

static int next_leg(struct rpc_connection *c, struct rpc_taken *t, struct buf *token)
{
	const struct rpc_sec_trailer *trailer = &t->pdu.trailer;
	struct rpc_security *s = rpc_security_find(c, trailer->context_id);

	if (!s)
		return t->pdu.header.ptype == RPC_AUTH3 ? MW_E_STATE : first_leg(c, t, token);
	if (s->complete || s->refused || s->type != trailer->type || s->level != rpc_level_of(trailer->level))
		return MW_E_STATE;
	t->security = s;
	return step(c, t, token);
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
	r = next_leg(c, t, &token);
	if (!t->security) {
		rpc_server_protocol_error(c, t, "auth3 without a handshake that waits for it");
		return;
	}
	/* auth3 has no answer: a refusal shows in the fault that the first request gets. */
	if (r == MW_E_AGAIN) {
		t->security->refused = true;
		c->handshake_ns = INT64_MAX;
	}
	e = rpc_event_of(t, RPC_EV_AUTH3);
	e.status = t->status;
	e.signature = t->security->refused ? RPC_SIG_BAD : RPC_SIG_NONE;
	rpc_emit(c, &e);
}

/* ---- bind, alter_context ---- */

static bool offers(const struct rpc_context_item *item, const struct rpc_syntax *transfer)
{
	for (unsigned i = 0; i < item->transfer_count; i++)
		if (memcmp(&item->transfers[i], transfer, sizeof *transfer) == 0)
			return true;
	return false;
}

static struct rpc_context_result judge(struct rpc_connection *c, const struct rpc_context_item *item)
{
	const struct rpc_server_setup *setup = c->config.server;
	struct rpc_context *ctx = rpc_context_find(c, item->id);
	struct rpc_context_result r = {.result = RESULT_PROVIDER_REJECTION};
	uint64_t features;

	if (item->transfer_count == 1 && rpc_is_feature_negotiation(&item->transfers[0], &features)) {
		c->multiplex = features & OUR_FEATURES & 1;
		return (struct rpc_context_result){.result = RESULT_NEGOTIATE_ACK,
		                                   .reason = (uint16_t)(features & OUR_FEATURES)};
	}
	if (!ctx)
		r.reason = REASON_LOCAL_LIMIT;
	else if (!setup->find_interface(setup->user, &item->abstract))
		r.reason = REASON_ABSTRACT_SYNTAX;
	else if (!offers(item, &rpc_ndr20))
		r.reason = REASON_TRANSFER_SYNTAXES;
	else
		r = (struct rpc_context_result){.result = RESULT_ACCEPT, .transfer = rpc_ndr20};
	return r;
}

static uint16_t agree(uint16_t theirs)
{
	uint16_t size = theirs < RPC_MAX_FRAG ? theirs : RPC_MAX_FRAG;

	/* Every implementation takes MustRecvFragSize, whatever it says; C706 12.6.3.1. */
	return size < RPC_MIN_FRAG ? RPC_MIN_FRAG : size & 0xfff8;
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

static uint8_t answer_flags(const struct rpc_header *h, const struct rpc_security *s)
{
	uint8_t flags = WHOLE | (h->flags & RPC_PFC_CONC_MPX);

	/* PFC_SUPPORT_HEADER_SIGN, [MS-RPCE] 2.2.2.3. */
	if (s && rpc_is_protected(s))
		flags |= h->flags & RPC_PFC_PENDING_CANCEL;
	return flags;
}

static void put_ack(struct rpc_connection *c, const struct rpc_taken *t, const struct buf *token)
{
	const struct rpc_bind *bind = &t->pdu.bind;
	bool first = t->pdu.header.ptype == RPC_BIND;
	struct rpc_bind ack = {
	        .max_xmit_frag = c->max_xmit,
	        .max_recv_frag = agree(bind->max_xmit_frag),
	        .assoc_group_id = c->association ? rpc_association_id(c->association) : 1,
	        .secondary_address = arena_strdup(c->arena, first ? c->config.server->secondary_address : ""),
	        .results = arena_new_array(c->arena, struct rpc_context_result, bind->context_count),
	        .result_count = bind->context_count,
	};
	uint8_t flags = answer_flags(&t->pdu.header, t->security);
	size_t start = c->out.len;

	rpc_security_agree(c, t->security, first, flags);
	if (!ack.secondary_address || !ack.results) {
		rpc_over(c, "out of memory");
		return;
	}
	for (unsigned i = 0; i < bind->context_count; i++)
		ack.results[i] = judge(c, &bind->contexts[i]);
	rpc_contexts_answer(c, &ack);
	rpc_put_header(&c->out, first ? RPC_BIND_ACK : RPC_ALTER_CONTEXT_RESP, flags, t->pdu.header.call_id);
	rpc_put_bind_ack(&c->out, &ack);
	if (rpc_send_handshake(c, start, t->security, token) == 0)
		c->bound = true;
}

/* A handshake that failed: bind_nak in a bind, a fault in an alter_context; [MS-RPCE] 3.3.1.5.2.1. */
static void put_refusal(struct rpc_connection *c, const struct rpc_taken *t, int error)
{
	uint32_t call_id = t->pdu.header.call_id;

	if (t->pdu.header.ptype != RPC_BIND)
		rpc_server_put_fault(c, call_id, 0, RPC_S_ACCESS_DENIED);
	else if (error == MW_E_UNSUPPORTED)
		put_nak(c, call_id, NAK_AUTH_TYPE);
	else
		put_nak(c, call_id, error == MW_E_LIMIT ? NAK_LOCAL_LIMIT : NAK_INVALID_CHECKSUM);
	rpc_over(c, error == MW_E_UNSUPPORTED ? "an authentication type that is not offered"
	                                      : "the authentication was refused");
}

static const char *out_of_turn(const struct rpc_connection *c, const struct rpc_taken *t)
{
	if (t->pdu.header.ptype == RPC_BIND)
		return c->bound ? "a second bind" : NULL;
	return c->bound ? NULL : "alter_context before the bind";
}

/* bind decides what this side may send; features first, as the handshake may depend on them. */
static void note_bind(struct rpc_connection *c, const struct rpc_taken *t)
{
	if (t->pdu.header.ptype == RPC_BIND)
		c->max_xmit = agree(t->pdu.bind.max_recv_frag);
}

void rpc_server_take_bind(struct rpc_connection *c, struct rpc_taken *t)
{
	struct buf token MW_CLEANUP(buf_free) = {0};
	const char *why = out_of_turn(c, t);
	struct rpc_event e;
	int r = 0;

	if (why) {
		rpc_server_protocol_error(c, t, why);
		return;
	}
	note_bind(c, t);
	/* Contexts beyond the limit are rejected one by one in the answer. */
	r = rpc_contexts_offer(c, &t->pdu.bind);
	if (r == MW_E_NOMEM) {
		rpc_over(c, "out of memory");
		return;
	}
	r = t->pdu.has_auth ? next_leg(c, t, &token) : 0;
	e = rpc_event_of(t, t->pdu.header.ptype == RPC_BIND ? RPC_EV_BIND : RPC_EV_ALTER);
	e.bind = &t->pdu.bind;
	e.status = t->status;
	e.signature = t->security && t->security->refused ? RPC_SIG_BAD : RPC_SIG_NONE;
	rpc_emit(c, &e);
	if (r < 0 && r != MW_E_AGAIN)
		put_refusal(c, t, r);
	else if (join(c, t) == 0)
		put_ack(c, t, &token);
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
	m.security = call->security;
	maybe = call->maybe;
	rpc_call_drop(c, call);
	return maybe ? 0 : rpc_send(c, &m);
}

int rpc_server_fault(struct rpc_connection *c, uint32_t call_id, uint32_t status)
{
	struct rpc_call *call = answerable(c, call_id);
	size_t start = c->out.len;

	if (!call)
		return MW_E_NOTFOUND;
	if (call->maybe) {
		rpc_call_drop(c, call);
		return 0;
	}
	rpc_server_put_fault(c, call_id, call->context_id, status);
	if (buf_error(&c->out))
		return buf_error(&c->out);
	/* Only the runtime's own refusals promise that nothing was executed. */
	if (status != NCA_S_OP_RNG_ERROR && status != NCA_S_UNK_IF && status != NCA_S_SERVER_TOO_BUSY &&
	    status != RPC_X_BAD_STUB_DATA)
		c->out.data[start + 3] &= (uint8_t)~RPC_PFC_DID_NOT_EXECUTE;
	rpc_call_drop(c, call);
	return 0;
}

struct rpc_association *rpc_server_association(struct rpc_connection *c)
{
	return c->association;
}
