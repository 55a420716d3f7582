#include "lens/packet-private.h"

/* LINKTYPE_* of capture files; DLT_RAW is what libpcap says live. */
enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_DLT_RAW = 12,
	LINK_DLT_RAW_BSD = 14,
	LINK_PPP_HDLC = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW = 101,
	LINK_CISCO_HDLC = 104,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_MPLS = 219,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276,
};

#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_UPSTREAM 0x8848
#define ETHERTYPE_PPPOE 0x8864
#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057
#define MAX_LABELS 16
#define MAX_LENGTH 1500 /* below: IEEE 802.3's length, LLC follows */

/* The protocol family of the capturing system: 2 is IPv4 everywhere, IPv6 is 10, 24, 28 or 30. */
static bool family(struct cursor *in)
{
	uint32_t v;
	if (cursor_u32(in, &v) < 0)
		return false;
	if (v > 0xFFFF)
		v = __builtin_bswap32(v);
	return v == 2 || v == 10 || v == 24 || v == 28 || v == 30;
}

/* RFC 1661, 1662: address and control may be left out, the protocol's first byte too. */
static bool ppp(struct unwrap *u, struct cursor in)
{
	uint8_t first, second;
	uint16_t protocol;
	if (cursor_left(&in) >= 2 && cursor_here(&in)[0] == 0xFF && cursor_here(&in)[1] == 0x03)
		in.pos += 2;
	if (cursor_u8(&in, &first) < 0)
		return false;
	protocol = first;
	if (!(first & 1)) {
		if (cursor_u8(&in, &second) < 0)
			return false;
		protocol = (uint16_t)(first << 8 | second);
	}
	return (protocol == PPP_IPV4 || protocol == PPP_IPV6) && unwrap_ip(u, in);
}

/* RFC 2516: session data only. */
static bool pppoe(struct unwrap *u, struct cursor in)
{
	uint8_t version, code;
	return cursor_u8(&in, &version) == 0 && version == 0x11 && cursor_u8(&in, &code) == 0 && code == 0 &&
	       cursor_skip(&in, 4) == 0 && ppp(u, in);
}

/* RFC 3032; what lies below is not said: IP, or Ethernet behind a control word (RFC 4448). */
static bool mpls(struct unwrap *u, struct cursor in)
{
	uint32_t label = 0;
	for (int i = 0; i < MAX_LABELS && !(label & 0x100); i++)
		if (cursor_u32(&in, &label) < 0)
			return false;
	if (!(label & 0x100) || !cursor_left(&in))
		return false;
	uint8_t nibble = *cursor_here(&in) >> 4;
	if (nibble == 4 || nibble == 6)
		return unwrap_ip(u, in);
	return nibble == 0 && cursor_skip(&in, 4) == 0 && unwrap_ethernet(u, in);
}

/* IEEE 802.2 with a SNAP header that holds an EtherType. */
static bool snap(struct unwrap *u, struct cursor in)
{
	static const uint8_t head[6] = {0xAA, 0xAA, 0x03, 0, 0, 0};
	uint8_t found[6];
	uint16_t type;
	return cursor_copy(&in, found, sizeof found) == 0 && memcmp(found, head, sizeof head) == 0 &&
	       cursor_u16(&in, &type) == 0 && type > MAX_LENGTH && unwrap_type(u, type, in);
}

static bool tagged(struct unwrap *u, struct cursor in)
{
	uint16_t type;
	return cursor_skip(&in, 2) == 0 && cursor_u16(&in, &type) == 0 && unwrap_type(u, type, in);
}

bool unwrap_type(struct unwrap *u, uint16_t type, struct cursor in)
{
	if (++u->depth > UNWRAP_MAX_DEPTH)
		return false;
	switch (type) {
	case ETHERTYPE_IPV4:
	case ETHERTYPE_IPV6:
		return unwrap_ip(u, in);
	case 0x8100: /* 802.1Q, 802.1ad, and what older switches use for QinQ */
	case 0x88A8:
	case 0x9100:
	case 0x9200:
		return tagged(u, in);
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_UPSTREAM:
		return mpls(u, in);
	case ETHERTYPE_PPPOE:
		return pppoe(u, in);
	case ETHERTYPE_PPP:
		return ppp(u, in);
	case ETHERTYPE_ETHERNET:
		return unwrap_ethernet(u, in);
	}
	return type <= MAX_LENGTH && snap(u, in);
}

static bool typed(struct unwrap *u, size_t skip, struct cursor in)
{
	uint16_t type;
	return cursor_skip(&in, skip) == 0 && cursor_u16(&in, &type) == 0 && unwrap_type(u, type, in);
}

bool unwrap_ethernet(struct unwrap *u, struct cursor in)
{
	return typed(u, 12, in);
}

static bool cooked2(struct unwrap *u, struct cursor in)
{
	uint16_t type;
	return cursor_u16(&in, &type) == 0 && cursor_skip(&in, 18) == 0 && unwrap_type(u, type, in);
}

bool unwrap_link(struct unwrap *u, int linktype, struct cursor in)
{
	in.big_endian = true;
	switch (linktype) {
	case LINK_ETHERNET:
		return unwrap_ethernet(u, in);
	case LINK_RAW:
	case LINK_DLT_RAW:
	case LINK_DLT_RAW_BSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return unwrap_ip(u, in);
	case LINK_NULL:
	case LINK_LOOP:
		return family(&in) && unwrap_ip(u, in);
	case LINK_LINUX_SLL:
		return typed(u, 14, in);
	case LINK_LINUX_SLL2:
		return cooked2(u, in);
	case LINK_PPP:
	case LINK_PPP_HDLC:
		return ppp(u, in);
	case LINK_PPP_ETHER:
		return pppoe(u, in);
	case LINK_CISCO_HDLC:
		return typed(u, 2, in);
	case LINK_MPLS:
		return mpls(u, in);
	}
	return false;
}

bool lens_packet_next(struct lens_packet_state *state, int linktype, const uint8_t *data, size_t captured,
                      size_t original, struct lens_segment *out)
{
	struct unwrap u = {.state = state, .out = out, .missing = original > captured ? original - captured : 0};
	*out = (struct lens_segment){0};
	return unwrap_link(&u, linktype, cursor_of(data, captured));
}

bool lens_packet(int linktype, const uint8_t *data, size_t captured, size_t original, struct lens_segment *out)
{
	return lens_packet_next(NULL, linktype, data, captured, original, out) && out->protocol == PROTOCOL_TCP;
}
