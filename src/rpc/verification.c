#include "rpc/private.h"

/*
 * The verification trailer, [MS-RPCE] 2.2.2.13: what a client that cannot sign the
 * PDU's header repeats of it at the end of the signed stub, so that a change on the
 * way is seen. It is little-endian whatever the stub is: Samba's big-endian client has it so.
 */

static const uint8_t signature[8] = {0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71};

enum { BITMASK_1 = 1, PCONTEXT = 2, HEADER_2 = 3, COMMAND_MASK = 0x3fff, END = 0x4000, MUST_PROCESS = 0x8000 };
enum { CLIENT_SUPPORT_HEADER_SIGNING = 1 };
/* The signature and each command once. */
enum { LONGEST = 8 + 4 + 4 + 4 + 40 + 4 + 16, SHORTEST = 8 + 4 };

/* Where the trailer begins, or len: there is none. It stands at a multiple of 4. */
static size_t find(const uint8_t *stub, size_t len)
{
	size_t at = len < SHORTEST ? 0 : (len - SHORTEST) & ~(size_t)3;

	if (len < SHORTEST)
		return len;
	for (;; at -= 4) {
		if (memcmp(stub + at, signature, sizeof signature) == 0)
			return at;
		if (at < 4 || len - (at - 4) > LONGEST)
			return len;
	}
}

static void put_syntax(struct buf *out, const struct rpc_syntax *s)
{
	uint8_t uuid[16];

	guid_to_bytes(&s->uuid, uuid);
	buf_put(out, uuid, sizeof uuid);
	buf_put_u16(out, s->major);
	buf_put_u16(out, s->minor);
}

static bool same_pcontext(struct cursor *in, const struct rpc_call *call)
{
	struct buf MW_CLEANUP(buf_free) expected = {0};
	const uint8_t *said;

	put_syntax(&expected, &call->interface);
	put_syntax(&expected, call->syntax == NDR_64 ? &rpc_ndr64 : &rpc_ndr20);
	return !buf_error(&expected) && cursor_bytes(in, expected.len, &said) == 0 &&
	       memcmp(said, expected.data, expected.len) == 0;
}

static bool same_header(struct cursor *in, const struct rpc_call *call, const struct rpc_header *h)
{
	uint8_t ptype, drep[4];
	uint16_t context_id, opnum;
	uint32_t call_id;

	if (cursor_u8(in, &ptype) < 0 || cursor_skip(in, 3) < 0 || cursor_copy(in, drep, 4) < 0 ||
	    cursor_u32(in, &call_id) < 0 || cursor_u16(in, &context_id) < 0 || cursor_u16(in, &opnum) < 0)
		return false;
	return ptype == RPC_REQUEST && memcmp(drep, h->drep, sizeof drep) == 0 && call_id == call->call_id &&
	       context_id == call->context_id && opnum == call->opnum;
}

/* One command whose body is in; false: it contradicts what was received, or must be understood and is not. */
static bool holds(const struct rpc_connection *c, const struct rpc_call *call, const struct rpc_header *h,
                  uint16_t command, struct cursor in)
{
	uint32_t bits;

	switch (command & COMMAND_MASK) {
	case BITMASK_1:
		return cursor_u32(&in, &bits) == 0 && (!(bits & CLIENT_SUPPORT_HEADER_SIGNING) || c->sign_header);
	case PCONTEXT:
		return same_pcontext(&in, call);
	case HEADER_2:
		return same_header(&in, call, h);
	default:
		return !(command & MUST_PROCESS);
	}
}

int rpc_verify(const struct rpc_connection *c, const struct rpc_call *call, const struct rpc_header *h,
               const uint8_t *stub, size_t *len)
{
	size_t at = find(stub, *len);
	struct cursor in = cursor_of(stub + at, *len - at);
	uint16_t command = 0, size;
	const uint8_t *body;

	if (at == *len)
		return 0;
	if (cursor_skip(&in, sizeof signature) < 0)
		return MW_E_MALFORMED;
	while (!(command & END)) {
		if (cursor_u16(&in, &command) < 0 || cursor_u16(&in, &size) < 0 || cursor_bytes(&in, size, &body) < 0)
			return MW_E_MALFORMED;
		if (!holds(c, call, h, command, cursor_of(body, size)))
			return MW_E_AUTH;
	}
	*len = at;
	return 0;
}

/* ---- A client's ---- */

static void begin(struct buf *out)
{
	buf_put_zero(out, (4 - out->len % 4) % 4);
	buf_put(out, signature, sizeof signature);
}

/* A command and the size of its body, which follows. Yields where it stands. */
static size_t put_command(struct buf *out, uint16_t command, uint16_t size)
{
	size_t at = out->len;

	buf_put_u16(out, command);
	buf_put_u16(out, size);
	return at;
}

static size_t put_header2(struct buf *out, const struct rpc_call *call)
{
	static const uint8_t drep[4] = {0x10, 0, 0, 0};
	size_t at = put_command(out, HEADER_2, 16);

	buf_put_u8(out, RPC_REQUEST);
	buf_put_zero(out, 3);
	buf_put(out, drep, sizeof drep);
	buf_put_u32(out, call->call_id);
	buf_put_u16(out, call->context_id);
	buf_put_u16(out, call->opnum);
	return at;
}

static size_t put_pcontext(struct buf *out, const struct rpc_call *call)
{
	size_t at = put_command(out, PCONTEXT, 40);

	put_syntax(out, &call->interface);
	put_syntax(out, call->syntax == NDR_64 ? &rpc_ndr64 : &rpc_ndr20);
	return at;
}

/*
 * What a bind said without protection is repeated once under it: that we asked for header signing, and what each
 * context stands for. The header is repeated in each request that does not sign it.
 */
int rpc_put_verification(struct rpc_connection *c, const struct rpc_call *call, struct buf *stub)
{
	struct rpc_context *ctx = rpc_context_find(c, call->context_id);
	size_t last = 0;

	if (c->told_signing && c->sign_header && (!ctx || ctx->proved))
		return 0;
	begin(stub);
	if (!c->told_signing) {
		last = put_command(stub, BITMASK_1, 4);
		buf_put_u32(stub, CLIENT_SUPPORT_HEADER_SIGNING);
	}
	if (ctx && !ctx->proved)
		last = put_pcontext(stub, call);
	if (!c->sign_header)
		last = put_header2(stub, call);
	if (buf_error(stub))
		return buf_error(stub);
	stub->data[last + 1] |= END >> 8;
	c->told_signing = true;
	if (ctx)
		ctx->proved = true;
	return 0;
}
