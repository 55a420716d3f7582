#include "lens/packet.h"

/* LINKTYPE_* of capture files; DLT_RAW is what libpcap says live. */
#define LINK_NULL 0
#define LINK_ETHERNET 1
#define LINK_DLT_RAW 12
#define LINK_RAW 101
#define LINK_LOOP 108
#define LINK_LINUX_SLL 113
#define LINK_IPV4 228
#define LINK_IPV6 229
#define LINK_LINUX_SLL2 276

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86DD
#define MAX_TAGS 4

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88A8 || type == 0x9100;
}

/* in stands at an EtherType. */
static bool ethertype(struct cursor *in)
{
	uint16_t type;
	for (int tags = 0; tags <= MAX_TAGS; tags++) {
		if (cursor_u16(in, &type) < 0)
			return false;
		if (!is_tag(type))
			return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
		if (cursor_skip(in, 2) < 0)
			return false;
	}
	return false;
}

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

bool lens_link(int linktype, struct cursor *in)
{
	in->big_endian = true;
	switch (linktype) {
	case LINK_ETHERNET:
		return cursor_skip(in, 12) == 0 && ethertype(in);
	case LINK_RAW:
	case LINK_DLT_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		return true;
	case LINK_NULL:
	case LINK_LOOP:
		return family(in);
	case LINK_LINUX_SLL:
		return cursor_skip(in, 14) == 0 && ethertype(in);
	case LINK_LINUX_SLL2:
		if (!ethertype(in))
			return false;
		return cursor_skip(in, 18) == 0;
	}
	return false;
}

bool lens_packet(int linktype, const uint8_t *data, size_t captured, size_t original, struct lens_segment *out)
{
	struct cursor in = cursor_of(data, captured);
	if (original < captured)
		original = captured;
	return lens_link(linktype, &in) && lens_ip(in, original - in.pos, out);
}
