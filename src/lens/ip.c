#include "lens/packet-private.h"

#define MAX_EXTENSIONS 8

/* Extension headers of IPv6 (RFC 8200 4). */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

/*
 * Cuts in to the datagram. total 0: the capture was taken before segmentation
 * by the network card, the frame's own length counts.
 */
static bool cut(struct unwrap *u, struct cursor *in, size_t total, size_t header, struct payload *out)
{
	if (total == 0)
		total = header + cursor_left(in) + u->missing;
	if (total < header)
		return false;
	out->len = total - header;
	size_t have = cursor_left(in) < out->len ? cursor_left(in) : out->len;
	u->missing = out->len - have;
	return cursor_child(in, have, &out->bytes) == 0;
}

/* Puts a part to the others; true when that makes the datagram whole, which p is then. */
static bool defragment(struct unwrap *u, uint32_t id, size_t offset, bool more, struct payload *p)
{
	struct lens_packet_state *s = u->state;
	if (!s || !s->fragments || cursor_left(&p->bytes) != p->len)
		return false;
	const struct fragment part = {
	        .from = u->out->from,
	        .to = u->out->to,
	        .id = id,
	        .protocol = p->protocol,
	        .offset = offset,
	        .more = more,
	        .bytes = p->bytes,
	};
	struct cursor whole;
	if (!lens_fragments_add(s->fragments, &part, &whole, &s->counts.fragments_lost))
		return false;
	whole.big_endian = true;
	p->bytes = whole;
	p->len = whole.len;
	u->missing = 0;
	return true;
}

static bool ip4(struct unwrap *u, struct cursor in, struct payload *out)
{
	struct lens_segment *seg = u->out;
	uint8_t version_ihl, ttl;
	uint16_t total, id, fragment, checksum;
	if (cursor_u8(&in, &version_ihl) < 0 || cursor_skip(&in, 1) < 0 || cursor_u16(&in, &total) < 0 ||
	    cursor_u16(&in, &id) < 0 || cursor_u16(&in, &fragment) < 0 || cursor_u8(&in, &ttl) < 0 ||
	    cursor_u8(&in, &out->protocol) < 0 || cursor_u16(&in, &checksum) < 0 ||
	    cursor_copy(&in, seg->from.bytes, 4) < 0 || cursor_copy(&in, seg->to.bytes, 4) < 0)
		return false;
	size_t header = (size_t)(version_ihl & 15) * 4;
	if (header < 20 || cursor_skip(&in, header - 20) < 0)
		return false;
	seg->from.family = seg->to.family = 4;
	if (!cut(u, &in, total, header, out))
		return false;
	return !(fragment & 0x3FFF) || defragment(u, id, (size_t)(fragment & 0x1FFF) * 8, fragment & 0x2000, out);
}

static bool fragment6(struct unwrap *u, struct payload *p, uint8_t *next)
{
	uint16_t where;
	uint32_t id;
	if (cursor_u8(&p->bytes, next) < 0 || cursor_skip(&p->bytes, 1) < 0 || cursor_u16(&p->bytes, &where) < 0 ||
	    cursor_u32(&p->bytes, &id) < 0)
		return false;
	if (!(where & 0xFFF9)) { /* all of it in one */
		p->len -= 8;
		return true;
	}
	struct payload part = {.len = p->len - 8, .protocol = *next};
	if (cursor_child(&p->bytes, cursor_left(&p->bytes), &part.bytes) < 0 ||
	    !defragment(u, id, where & 0xFFF8u, where & 1, &part))
		return false;
	*p = part;
	return true;
}

/* Options before TCP: passes over them, joins fragments. */
static bool extensions(struct unwrap *u, struct payload *p)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		uint8_t next, size;
		size_t before = cursor_left(&p->bytes);
		switch (p->protocol) {
		case HOP_BY_HOP:
		case ROUTING:
		case DESTINATION:
			if (cursor_u8(&p->bytes, &next) < 0 || cursor_u8(&p->bytes, &size) < 0 ||
			    cursor_skip(&p->bytes, (size_t)size * 8 + 6) < 0)
				return false;
			p->len -= before - cursor_left(&p->bytes);
			break;
		case FRAGMENT:
			if (!fragment6(u, p, &next))
				return false;
			break;
		default:
			return true;
		}
		p->protocol = next;
	}
	return false;
}

static bool ip6(struct unwrap *u, struct cursor in, struct payload *out)
{
	struct lens_segment *seg = u->out;
	uint16_t len;
	if (cursor_skip(&in, 4) < 0 || cursor_u16(&in, &len) < 0 || cursor_u8(&in, &out->protocol) < 0 ||
	    cursor_skip(&in, 1) < 0 || cursor_copy(&in, seg->from.bytes, 16) < 0 ||
	    cursor_copy(&in, seg->to.bytes, 16) < 0)
		return false;
	seg->from.family = seg->to.family = 6;
	return cut(u, &in, len ? (size_t)len + 40 : 0, 40, out) && extensions(u, out);
}

static bool tcp(struct payload *p, struct lens_segment *seg)
{
	struct cursor *in = &p->bytes;
	uint8_t offset;
	if (cursor_u16(in, &seg->from.port) < 0 || cursor_u16(in, &seg->to.port) < 0 || cursor_u32(in, &seg->seq) < 0 ||
	    cursor_u32(in, &seg->ack) < 0 || cursor_u8(in, &offset) < 0 || cursor_u8(in, &seg->flags) < 0 ||
	    cursor_u16(in, &seg->window) < 0 || cursor_skip(in, 4) < 0)
		return false;
	size_t header = (size_t)(offset >> 4) * 4;
	if (header < 20 || header > p->len || cursor_skip(in, header - 20) < 0)
		return false;
	seg->protocol = PROTOCOL_TCP;
	seg->data = cursor_here(in);
	seg->captured = cursor_left(in);
	seg->len = p->len - header;
	return true;
}

static bool udp(struct unwrap *u, struct payload *p)
{
	struct lens_segment *seg = u->out;
	struct cursor *in = &p->bytes;
	uint16_t from, to, len;
	if (cursor_u16(in, &from) < 0 || cursor_u16(in, &to) < 0 || cursor_u16(in, &len) < 0 ||
	    cursor_skip(in, 2) < 0 || (len && len < 8))
		return false;
	if (unwrap_tunnel(u, to, p))
		return true;
	seg->from.port = from;
	seg->to.port = to;
	seg->protocol = PROTOCOL_UDP;
	seg->data = cursor_here(in);
	seg->len = len && (size_t)len - 8 < p->len - 8 ? (size_t)len - 8 : p->len - 8;
	seg->captured = cursor_left(in) < seg->len ? cursor_left(in) : seg->len;
	return true;
}

/* RFC 4302: it only authenticates. */
static bool ah(struct unwrap *u, struct payload *p)
{
	uint8_t next, size;
	size_t before = cursor_left(&p->bytes);
	if (cursor_u8(&p->bytes, &next) < 0 || cursor_u8(&p->bytes, &size) < 0 ||
	    cursor_skip(&p->bytes, (size_t)size * 4 + 6) < 0)
		return false;
	p->len -= before - cursor_left(&p->bytes);
	p->protocol = next;
	return unwrap_payload(u, p);
}

bool unwrap_payload(struct unwrap *u, struct payload *p)
{
	if (++u->depth > UNWRAP_MAX_DEPTH || (u->out->from.family == 6 && !extensions(u, p)))
		return false;
	switch (p->protocol) {
	case PROTOCOL_TCP:
		return tcp(p, u->out);
	case PROTOCOL_UDP:
		return udp(u, p);
	case PROTOCOL_IPV4:
	case PROTOCOL_IPV6:
		return unwrap_ip(u, p->bytes);
	case PROTOCOL_GRE:
		return unwrap_gre(u, p);
	case PROTOCOL_AH:
		return ah(u, p);
	case PROTOCOL_ESP:
		return unwrap_esp(u, p);
	}
	return false;
}

bool unwrap_ip(struct unwrap *u, struct cursor in)
{
	struct payload p;
	uint8_t version = cursor_left(&in) ? *cursor_here(&in) >> 4 : 0;
	if (++u->depth > UNWRAP_MAX_DEPTH)
		return false;
	*u->out = (struct lens_segment){0};
	in.big_endian = true;
	if (version == 4 ? !ip4(u, in, &p) : version != 6 || !ip6(u, in, &p))
		return false;
	return unwrap_payload(u, &p);
}
