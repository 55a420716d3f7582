#include "rpc/private.h"

/* Calls and answers into fragments, protected one by one. */

static size_t header_size(const struct rpc_message *m)
{
	return m->object ? 40 : 24;
}

/* A mechanism without a verifier at level connect (Kerberos): nothing is appended, as to a call without security. */
static bool is_bare(const struct rpc_message *m)
{
	return !m->security || (!rpc_is_protected(m->security) && auth_signature_size(m->security->auth) == 0);
}

/* Stub bytes that one fragment takes. All but the last hold a multiple of 16: no padding inside a call. */
static size_t room(const struct rpc_connection *c, const struct rpc_message *m, size_t signature)
{
	size_t used = header_size(m);

	if (!is_bare(m))
		used += RPC_SEC_TRAILER_SIZE + signature;
	return (c->max_xmit - used) & ~(size_t)15;
}

static void put_head(struct buf *out, const struct rpc_message *m, uint8_t flags, size_t left)
{
	uint8_t uuid[16];

	rpc_put_header(out, m->ptype, m->object ? flags | RPC_PFC_OBJECT_UUID : flags, m->call_id);
	buf_put_u32(out, left > UINT32_MAX ? 0 : (uint32_t)left);
	/* Windows' servers put one byte of it: samba.tests.dcerpc.raw_protocol, do_single_request. */
	buf_put_u16(out, m->ptype == RPC_REQUEST ? m->context_id : m->context_id & 0xff);
	buf_put_u16(out, m->ptype == RPC_REQUEST ? m->opnum : 0);
	if (m->object) {
		guid_to_bytes(m->object, uuid);
		buf_put(out, uuid, sizeof uuid);
	}
}

/* Signs (and seals) the PDU at start, whose auth value stands at the end. */
static int protect(struct buf *out, size_t start, size_t body, size_t value, struct auth_context *auth)
{
	size_t trailer = value - start - RPC_SEC_TRAILER_SIZE;

	return auth_protect(auth, out->data + start, value - start, body, trailer - body, out->data + value);
}

static struct rpc_sec_trailer trailer_of(const struct rpc_security *s)
{
	return (struct rpc_sec_trailer){.type = s->type, .level = s->level, .context_id = s->id};
}

static int put_fragment(struct rpc_connection *c, const struct rpc_message *m, uint8_t flags, size_t at, size_t n,
                        size_t signature)
{
	struct buf *out = &c->out;
	struct rpc_sec_trailer trailer;
	size_t start = out->len, value;

	put_head(out, m, flags, m->len - at);
	buf_put(out, m->stub + at, n);
	if (is_bare(m)) {
		rpc_pdu_finish(out, start, NULL, NULL, 0);
		return buf_error(out);
	}
	trailer = trailer_of(m->security);
	value = rpc_pdu_finish(out, start, &trailer, NULL, signature);
	if (buf_error(out))
		return buf_error(out);
	return protect(out, start, header_size(m), value, m->security->auth);
}

/* Of so many bytes left, what goes into the next fragment: not a part of what must stay together. */
static size_t fitting(const struct rpc_message *m, size_t left, size_t most)
{
	if (left <= most)
		return left;
	return left - most < m->together ? most - ((m->together + 15) & ~(size_t)15) : most;
}

int rpc_send(struct rpc_connection *c, const struct rpc_message *m)
{
	size_t signature = m->security ? auth_signature_size(m->security->auth) : 0;
	size_t most = room(c, m, signature), at = 0, before = c->out.len;

	do {
		size_t n = fitting(m, m->len - at, most);
		uint8_t flags =
		        (uint8_t)((at == 0 ? RPC_PFC_FIRST_FRAG : 0) | (at + n == m->len ? RPC_PFC_LAST_FRAG : 0));
		int r = put_fragment(c, m, flags, at, n, signature);
		if (r < 0) {
			/* The signatures' sequence has moved on: nothing that follows could be verified. */
			c->out.len = before;
			rpc_over(c, "the message could not be built");
			return r;
		}
		at += n;
	} while (at < m->len);
	return 0;
}

int rpc_send_handshake(struct rpc_connection *c, size_t start, const struct rpc_security *s, const struct buf *token)
{
	struct rpc_sec_trailer trailer;

	if (s) {
		trailer = trailer_of(s);
		rpc_pdu_finish(&c->out, start, &trailer, token->data, token->len);
	} else {
		rpc_pdu_finish(&c->out, start, NULL, NULL, 0);
	}
	if (buf_error(&c->out)) {
		c->out.len = start;
		rpc_over(c, "the message could not be built");
		return buf_error(&c->out);
	}
	return 0;
}

int rpc_send_bare(struct rpc_connection *c, enum rpc_ptype ptype, uint32_t call_id, struct rpc_security *s)
{
	struct rpc_sec_trailer trailer;
	size_t start = c->out.len, value;

	rpc_put_header(&c->out, ptype, RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG, call_id);
	if (!rpc_is_protected(s)) {
		rpc_pdu_finish(&c->out, start, NULL, NULL, 0);
		return buf_error(&c->out);
	}
	trailer = trailer_of(s);
	value = rpc_pdu_finish(&c->out, start, &trailer, NULL, auth_signature_size(s->auth));
	if (buf_error(&c->out))
		return buf_error(&c->out);
	return protect(&c->out, start, RPC_HEADER_SIZE, value, s->auth);
}
