#include "rpc/pdu.h"

/* How a parse ends badly: a phrase, and where in the PDU. */
struct parse {
	struct arena *arena;
	struct cursor in; /* the body, up to the auth trailer; positions count from the PDU's first byte */
	struct rpc_pdu *out;
	const char *why;
	size_t at;
};

static bool known_ptype(uint8_t ptype)
{
	return ptype == RPC_REQUEST || ptype == RPC_RESPONSE || ptype == RPC_FAULT ||
	       (ptype >= RPC_BIND && ptype <= RPC_ORPHANED);
}

static int fail(struct parse *p, const char *why, int error)
{
	if (!p->why) {
		p->why = why;
		p->at = p->in.pos;
	}
	return error;
}

int rpc_header_parse(struct cursor in, struct rpc_header *out)
{
	struct rpc_header h;

	if (cursor_left(&in) < RPC_HEADER_SIZE)
		return MW_E_AGAIN;
	if (cursor_u8(&in, &h.version_major) < 0 || cursor_u8(&in, &h.version_minor) < 0 ||
	    cursor_u8(&in, &h.ptype) < 0 || cursor_u8(&in, &h.flags) < 0 || cursor_copy(&in, h.drep, 4) < 0)
		return MW_E_AGAIN;
	/* C706 12.6.3.1: minor version 1 is asked for by DCE 1.1; 14.1: integer, character, floating point formats. */
	if (h.version_major != 5 || h.version_minor > 1 || !known_ptype(h.ptype))
		return MW_E_MALFORMED;
	if (h.drep[0] > 0x11 || (h.drep[0] & 0x0f) > 1 || h.drep[1] > 3)
		return MW_E_MALFORMED;
	h.big_endian = in.big_endian = h.drep[0] < 0x10;
	if (cursor_u16(&in, &h.frag_length) < 0 || cursor_u16(&in, &h.auth_length) < 0 ||
	    cursor_u32(&in, &h.call_id) < 0)
		return MW_E_AGAIN;
	if (h.frag_length < RPC_HEADER_SIZE)
		return MW_E_MALFORMED;
	*out = h;
	return 0;
}

static int get_guid(struct cursor *in, struct guid *out)
{
	if (cursor_left(in) < 16)
		return MW_E_TRUNCATED;
	if (cursor_u32(in, &out->data1) < 0 || cursor_u16(in, &out->data2) < 0 || cursor_u16(in, &out->data3) < 0)
		return MW_E_TRUNCATED;
	return cursor_copy(in, out->data4, 8);
}

/* p_syntax_id_t: the version is one u32, major in its low half. */
static int get_syntax(struct cursor *in, struct rpc_syntax *out)
{
	uint32_t version;

	if (cursor_left(in) < 20 || get_guid(in, &out->uuid) < 0 || cursor_u32(in, &version) < 0)
		return MW_E_TRUNCATED;
	out->major = version & 0xffff;
	out->minor = version >> 16;
	return 0;
}

static int get_frag_sizes(struct parse *p)
{
	struct rpc_bind *b = &p->out->bind;

	if (cursor_u16(&p->in, &b->max_xmit_frag) < 0 || cursor_u16(&p->in, &b->max_recv_frag) < 0 ||
	    cursor_u32(&p->in, &b->assoc_group_id) < 0)
		return fail(p, "bind fields are cut off", MW_E_TRUNCATED);
	return 0;
}

static int get_list_head(struct parse *p, uint8_t *count, size_t item)
{
	/* Of an empty list the reserved bytes are not always there. */
	if (cursor_u8(&p->in, count) < 0 || (cursor_skip(&p->in, 3) < 0 && *count > 0))
		return fail(p, "context list is cut off", MW_E_TRUNCATED);
	if (*count > cursor_left(&p->in) / item)
		return fail(p, "more contexts announced than fit", MW_E_TRUNCATED);
	return 0;
}

static int get_context_item(struct parse *p, struct rpc_context_item *item)
{
	if (cursor_u16(&p->in, &item->id) < 0 || cursor_u8(&p->in, &item->transfer_count) < 0 ||
	    cursor_skip(&p->in, 1) < 0 || get_syntax(&p->in, &item->abstract) < 0)
		return fail(p, "presentation context is cut off", MW_E_TRUNCATED);
	if (item->transfer_count > cursor_left(&p->in) / 20)
		return fail(p, "more transfer syntaxes announced than fit", MW_E_TRUNCATED);
	item->transfers = arena_new_array(p->arena, struct rpc_syntax, item->transfer_count);
	if (!item->transfers)
		return fail(p, "out of memory", MW_E_NOMEM);
	for (unsigned i = 0; i < item->transfer_count; i++)
		if (get_syntax(&p->in, &item->transfers[i]) < 0)
			return fail(p, "transfer syntax is cut off", MW_E_TRUNCATED);
	return 0;
}

static int parse_bind(struct parse *p)
{
	struct rpc_bind *b = &p->out->bind;
	int r;

	if ((r = get_frag_sizes(p)) < 0 || (r = get_list_head(p, &b->context_count, 24)) < 0)
		return r;
	b->contexts = arena_new_array(p->arena, struct rpc_context_item, b->context_count);
	if (!b->contexts)
		return fail(p, "out of memory", MW_E_NOMEM);
	for (unsigned i = 0; i < b->context_count; i++)
		if ((r = get_context_item(p, &b->contexts[i])) < 0)
			return r;
	return 0;
}

/* port_any_t; the NUL that belongs to it is not always there. */
static int get_secondary_address(struct parse *p)
{
	const uint8_t *bytes;
	uint16_t length;

	if (cursor_u16(&p->in, &length) < 0 || cursor_bytes(&p->in, length, &bytes) < 0)
		return fail(p, "secondary address is cut off", MW_E_TRUNCATED);
	p->out->bind.secondary_address =
	        arena_strndup(p->arena, (const char *)bytes, strnlen((const char *)bytes, length));
	if (!p->out->bind.secondary_address)
		return fail(p, "out of memory", MW_E_NOMEM);
	if (cursor_skip(&p->in, -p->in.pos & 3) < 0)
		return fail(p, "result list is missing", MW_E_TRUNCATED);
	return 0;
}

static int parse_bind_ack(struct parse *p)
{
	struct rpc_bind *b = &p->out->bind;
	int r;

	if ((r = get_frag_sizes(p)) < 0 || (r = get_secondary_address(p)) < 0 ||
	    (r = get_list_head(p, &b->result_count, 24)) < 0)
		return r;
	b->results = arena_new_array(p->arena, struct rpc_context_result, b->result_count);
	if (!b->results)
		return fail(p, "out of memory", MW_E_NOMEM);
	for (unsigned i = 0; i < b->result_count; i++) {
		struct rpc_context_result *res = &b->results[i];
		if (cursor_u16(&p->in, &res->result) < 0 || cursor_u16(&p->in, &res->reason) < 0 ||
		    get_syntax(&p->in, &res->transfer) < 0)
			return fail(p, "context result is cut off", MW_E_TRUNCATED);
	}
	return 0;
}

static int parse_bind_nak(struct parse *p)
{
	if (cursor_u16(&p->in, &p->out->nak_reason) < 0)
		return fail(p, "reject reason is cut off", MW_E_TRUNCATED);
	return 0;
}

static int parse_auth3(struct parse *p)
{
	if (!p->out->has_auth)
		return fail(p, "auth3 without authentication", MW_E_MALFORMED);
	return 0;
}

/* Everything from here to the trailer is the stub. */
static int take_stub(struct parse *p)
{
	struct rpc_pdu *pdu = p->out;

	pdu->body = p->in.pos;
	pdu->body_len = pdu->stub_len = cursor_left(&p->in);
	if (!pdu->has_auth)
		return 0;
	if (pdu->trailer.pad_length > pdu->body_len) {
		p->in.pos = p->in.len + 2;
		return fail(p, "more authentication padding than stub", MW_E_MALFORMED);
	}
	pdu->stub_len -= pdu->trailer.pad_length;
	return 0;
}

static int parse_request(struct parse *p)
{
	struct rpc_pdu *pdu = p->out;

	if (cursor_u32(&p->in, &pdu->alloc_hint) < 0 || cursor_u16(&p->in, &pdu->context_id) < 0 ||
	    cursor_u16(&p->in, &pdu->opnum) < 0)
		return fail(p, "request header is cut off", MW_E_TRUNCATED);
	if ((pdu->header.flags & RPC_PFC_OBJECT_UUID) && get_guid(&p->in, &pdu->object) < 0)
		return fail(p, "object UUID is cut off", MW_E_TRUNCATED);
	return take_stub(p);
}

static int parse_response(struct parse *p)
{
	struct rpc_pdu *pdu = p->out;

	if (cursor_u32(&p->in, &pdu->alloc_hint) < 0 || cursor_u16(&p->in, &pdu->context_id) < 0 ||
	    cursor_u8(&p->in, &pdu->cancel_count) < 0 || cursor_skip(&p->in, 1) < 0)
		return fail(p, "response header is cut off", MW_E_TRUNCATED);
	if (pdu->header.ptype == RPC_RESPONSE)
		return take_stub(p);
	if (cursor_u32(&p->in, &pdu->fault_status) < 0)
		return fail(p, "fault status is cut off", MW_E_TRUNCATED);
	/* Four reserved bytes; short faults without them are seen. */
	if (cursor_left(&p->in) >= 4 && cursor_skip(&p->in, 4) < 0)
		return MW_E_TRUNCATED;
	return take_stub(p);
}

/* sec_trailer, [MS-RPCE] 2.2.2.11: found from the end. */
static int parse_trailer(struct parse *p, const uint8_t *data)
{
	struct rpc_pdu *pdu = p->out;
	const struct rpc_header *h = &pdu->header;
	size_t room = h->frag_length - RPC_HEADER_SIZE, start;
	struct cursor in;

	if (h->auth_length == 0)
		return 0;
	p->in.pos = 10;
	if (room < RPC_SEC_TRAILER_SIZE || h->auth_length > room - RPC_SEC_TRAILER_SIZE)
		return fail(p, "authentication reaches beyond the fragment", MW_E_MALFORMED);
	start = h->frag_length - h->auth_length - RPC_SEC_TRAILER_SIZE;
	in = cursor_of(data, h->frag_length);
	in.big_endian = h->big_endian;
	if (cursor_skip(&in, start) < 0 || cursor_u8(&in, &pdu->trailer.type) < 0 ||
	    cursor_u8(&in, &pdu->trailer.level) < 0 || cursor_u8(&in, &pdu->trailer.pad_length) < 0 ||
	    cursor_u8(&in, &pdu->trailer.reserved) < 0 || cursor_u32(&in, &pdu->trailer.context_id) < 0)
		return fail(p, "authentication trailer is cut off", MW_E_TRUNCATED);
	pdu->auth_value = cursor_here(&in);
	pdu->has_auth = true;
	p->in.len = start;
	return 0;
}

static int parse_body(struct parse *p)
{
	switch (p->out->header.ptype) {
	case RPC_REQUEST:
		return parse_request(p);
	case RPC_RESPONSE:
	case RPC_FAULT:
		return parse_response(p);
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
		return parse_bind(p);
	case RPC_BIND_ACK:
	case RPC_ALTER_CONTEXT_RESP:
		return parse_bind_ack(p);
	case RPC_BIND_NAK:
		return parse_bind_nak(p);
	case RPC_AUTH3:
		return parse_auth3(p);
	default: /* shutdown, co_cancel, orphaned: a header, perhaps a trailer */
		p->out->body = p->in.pos;
		return 0;
	}
}

int rpc_pdu_parse(struct arena *arena, const uint8_t *data, size_t len, struct rpc_pdu *out, const char **why,
                  size_t *at)
{
	struct rpc_pdu pdu = {0};
	struct parse p = {.arena = arena, .out = &pdu};
	int r = rpc_header_parse(cursor_of(data, len), &pdu.header);

	if (r < 0) {
		r = r == MW_E_AGAIN ? MW_E_TRUNCATED : r;
		p.why = "no connection-oriented PDU header";
	} else if (pdu.header.frag_length > len) {
		r = MW_E_TRUNCATED;
		p.why = "fragment is cut off";
		p.at = len;
	} else {
		p.in = cursor_of(data, pdu.header.frag_length);
		p.in.big_endian = pdu.header.big_endian;
		r = parse_trailer(&p, data);
		p.in.pos = RPC_HEADER_SIZE;
		if (r == 0)
			r = parse_body(&p);
	}
	if (r == 0) {
		*out = pdu;
		return 0;
	}
	if (why)
		*why = p.why;
	if (at)
		*at = p.at;
	return r;
}
