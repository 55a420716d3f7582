#include "lens/packet.h"

#define PROTOCOL_TCP 6
#define MAX_EXTENSIONS 8

/* What follows an IP header. */
struct payload {
	struct cursor bytes;
	size_t len; /* what was sent */
	uint8_t protocol;
};

/*
 * Cuts in to the datagram. total 0: the capture was taken before segmentation
 * by the network card, the frame's own length counts.
 */
static bool cut(struct cursor *in, size_t total, size_t header, size_t original, struct payload *out)
{
	if (total == 0)
		total = original;
	if (total < header)
		return false;
	out->len = total - header;
	size_t have = cursor_left(in) < out->len ? cursor_left(in) : out->len;
	return cursor_child(in, have, &out->bytes) == 0;
}

static bool ip4(struct cursor in, size_t original, struct lens_segment *seg, struct payload *out)
{
	uint8_t version_ihl, ttl;
	uint16_t total, fragment, checksum;
	if (cursor_u8(&in, &version_ihl) < 0 || cursor_skip(&in, 1) < 0 || cursor_u16(&in, &total) < 0 ||
	    cursor_skip(&in, 2) < 0 || cursor_u16(&in, &fragment) < 0 || cursor_u8(&in, &ttl) < 0 ||
	    cursor_u8(&in, &out->protocol) < 0 || cursor_u16(&in, &checksum) < 0 ||
	    cursor_copy(&in, seg->from.bytes, 4) < 0 || cursor_copy(&in, seg->to.bytes, 4) < 0)
		return false;
	size_t header = (size_t)(version_ihl & 15) * 4;
	bool is_fragment = fragment & 0x3FFF;
	if (header < 20 || is_fragment || cursor_skip(&in, header - 20) < 0)
		return false;
	seg->from.family = seg->to.family = 4;
	return cut(&in, total, header, original, out);
}

/* Options before TCP (RFC 8200 4): passes over them. */
static bool extensions(struct payload *p)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		uint8_t next, size;
		uint16_t fragment;
		size_t before = cursor_left(&p->bytes), rest;
		switch (p->protocol) {
		case 0:  /* hop by hop */
		case 43: /* routing */
		case 60: /* destination */
			if (cursor_u8(&p->bytes, &next) < 0 || cursor_u8(&p->bytes, &size) < 0)
				return false;
			rest = (size_t)size * 8 + 6;
			break;
		case 51: /* authentication */
			if (cursor_u8(&p->bytes, &next) < 0 || cursor_u8(&p->bytes, &size) < 0)
				return false;
			rest = (size_t)size * 4 + 6;
			break;
		case 44:
			if (cursor_u8(&p->bytes, &next) < 0 || cursor_skip(&p->bytes, 1) < 0 ||
			    cursor_u16(&p->bytes, &fragment) < 0 || (fragment & 0xFFF9))
				return false;
			rest = 4;
			break;
		default:
			return true;
		}
		if (cursor_skip(&p->bytes, rest) < 0)
			return false;
		p->len -= before - cursor_left(&p->bytes);
		p->protocol = next;
	}
	return false;
}

static bool ip6(struct cursor in, size_t original, struct lens_segment *seg, struct payload *out)
{
	uint16_t len;
	if (cursor_skip(&in, 4) < 0 || cursor_u16(&in, &len) < 0 || cursor_u8(&in, &out->protocol) < 0 ||
	    cursor_skip(&in, 1) < 0 || cursor_copy(&in, seg->from.bytes, 16) < 0 ||
	    cursor_copy(&in, seg->to.bytes, 16) < 0)
		return false;
	seg->from.family = seg->to.family = 6;
	return cut(&in, len ? (size_t)len + 40 : 0, 40, original, out) && extensions(out);
}

static bool tcp(struct payload *p, struct lens_segment *seg)
{
	struct cursor *in = &p->bytes;
	uint8_t offset;
	if (cursor_u16(in, &seg->from.port) < 0 || cursor_u16(in, &seg->to.port) < 0 || cursor_u32(in, &seg->seq) < 0 ||
	    cursor_u32(in, &seg->ack) < 0 || cursor_u8(in, &offset) < 0 || cursor_u8(in, &seg->flags) < 0 ||
	    cursor_skip(in, 6) < 0)
		return false;
	size_t header = (size_t)(offset >> 4) * 4;
	if (header < 20 || header > p->len || cursor_skip(in, header - 20) < 0)
		return false;
	seg->data = cursor_here(in);
	seg->captured = cursor_left(in);
	seg->len = p->len - header;
	return true;
}

bool lens_ip(struct cursor in, size_t original, struct lens_segment *out)
{
	struct payload p;
	uint8_t version = cursor_left(&in) ? *cursor_here(&in) >> 4 : 0;
	*out = (struct lens_segment){0};
	in.big_endian = true;
	if (version == 4 ? !ip4(in, original, out, &p) : version != 6 || !ip6(in, original, out, &p))
		return false;
	return p.protocol == PROTOCOL_TCP && tcp(&p, out);
}
