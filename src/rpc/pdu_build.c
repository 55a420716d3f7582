#include "rpc/pdu.h"

#include <string.h>

static void put_syntax(struct buf *out, const struct rpc_syntax *s)
{
	uint8_t uuid[16];

	guid_to_bytes(&s->uuid, uuid);
	buf_put(out, uuid, sizeof uuid);
	buf_put_u16(out, s->major);
	buf_put_u16(out, s->minor);
}

void rpc_put_header(struct buf *out, enum rpc_ptype ptype, uint8_t flags, uint32_t call_id)
{
	buf_put_u8(out, 5);
	buf_put_u8(out, 0);
	buf_put_u8(out, (uint8_t)ptype);
	buf_put_u8(out, flags);
	buf_put_u32(out, 0x10); /* little-endian, ASCII, IEEE */
	buf_put_u32(out, 0);    /* both lengths: rpc_pdu_finish */
	buf_put_u32(out, call_id);
}

static void put_frag_sizes(struct buf *out, const struct rpc_bind *b)
{
	buf_put_u16(out, b->max_xmit_frag);
	buf_put_u16(out, b->max_recv_frag);
	buf_put_u32(out, b->assoc_group_id);
}

void rpc_put_bind(struct buf *out, const struct rpc_bind *bind)
{
	put_frag_sizes(out, bind);
	buf_put_u32(out, bind->context_count);
	for (unsigned i = 0; i < bind->context_count; i++) {
		const struct rpc_context_item *item = &bind->contexts[i];
		buf_put_u16(out, item->id);
		buf_put_u16(out, item->transfer_count);
		put_syntax(out, &item->abstract);
		for (unsigned t = 0; t < item->transfer_count; t++)
			put_syntax(out, &item->transfers[t]);
	}
}

/* Of a PDU that is put into an otherwise empty or unaligned buffer: its own start decides. */
void rpc_put_bind_ack(struct buf *out, const struct rpc_bind *ack)
{
	size_t length = *ack->secondary_address ? strlen(ack->secondary_address) + 1 : 0;
	/* 26 bytes of header and fields stand before the address. */
	size_t pad = -(26 + length) & 3;

	put_frag_sizes(out, ack);
	buf_put_u16(out, (uint16_t)length);
	buf_put(out, ack->secondary_address, length);
	buf_put_zero(out, pad);
	buf_put_u32(out, ack->result_count);
	for (unsigned i = 0; i < ack->result_count; i++) {
		buf_put_u16(out, ack->results[i].result);
		buf_put_u16(out, ack->results[i].reason);
		put_syntax(out, &ack->results[i].transfer);
	}
}

/*
 * [MS-RPCE] 2.2.2.11 aligns the trailer to 16 bytes from the start of the body;
 * Windows does so for stubs, and to 4 in the other PDUs.
 */
static size_t trailer_pad(const struct buf *out, size_t start)
{
	const uint8_t *pdu = out->data + start;
	size_t len = out->len - start;

	if (pdu[2] == RPC_REQUEST)
		return -(len - (pdu[3] & RPC_PFC_OBJECT_UUID ? 40u : 24u)) & 15;
	if (pdu[2] == RPC_RESPONSE)
		return -(len - 24) & 15;
	return -len & 3;
}

size_t rpc_pdu_finish(struct buf *out, size_t start, const struct rpc_sec_trailer *trailer, const void *token,
                      size_t size)
{
	size_t value, pad;

	if (buf_error(out) || out->len - start < RPC_HEADER_SIZE)
		return start;
	if (trailer) {
		pad = trailer_pad(out, start);
		buf_put_zero(out, pad);
		buf_put_u8(out, trailer->type);
		buf_put_u8(out, trailer->level);
		buf_put_u8(out, (uint8_t)pad);
		buf_put_u8(out, 0);
		buf_put_u32(out, trailer->context_id);
	}
	value = out->len;
	if (trailer && token)
		buf_put(out, token, size);
	else if (trailer)
		buf_put_zero(out, size);
	if (buf_error(out) || out->len - start > UINT16_MAX) {
		out->error = out->error ? out->error : MW_E_LIMIT;
		return start;
	}
	buf_poke_u16(out, start + 8, (uint16_t)(out->len - start));
	buf_poke_u16(out, start + 10, trailer ? (uint16_t)size : 0);
	return value;
}
