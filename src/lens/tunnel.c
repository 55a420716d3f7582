#include "lens/packet-private.h"

/* Tunnels in IP: GRE (RFC 2784, 2890), VXLAN (RFC 7348), Geneve (RFC 8926), IPsec's ESP (RFC 4303, 2410). */

#define GRE_CHECKSUM 0x8000u
#define GRE_ROUTING 0x4000u
#define GRE_KEY 0x2000u
#define GRE_SEQUENCE 0x1000u
#define GRE_VERSION 0x0007u
#define GRE_ACK 0x0080u /* version 1, PPTP: RFC 2637 */
#define ERSPAN_II 0x88BE
#define ERSPAN_III 0x22EB

#define VXLAN_PORT 4789
#define VXLAN_PORT_LINUX 8472
#define GENEVE_PORT 6081
#define ESP_PORT 4500

bool unwrap_gre(struct unwrap *u, struct payload *p)
{
	struct cursor *in = &p->bytes;
	uint16_t flags, type;
	if (cursor_u16(in, &flags) < 0 || cursor_u16(in, &type) < 0 || flags & GRE_ROUTING || (flags & GRE_VERSION) > 1)
		return false;
	size_t skip = (flags & GRE_CHECKSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
	if ((flags & GRE_VERSION) == 1 && flags & GRE_ACK)
		skip += 4;
	if (cursor_skip(in, skip) < 0)
		return false;
	/* Mirrored frames: behind a header of 8 bytes, or 12, unless it is ERSPAN's first sort. */
	if ((type == ERSPAN_II && flags & GRE_SEQUENCE && cursor_skip(in, 8) < 0) ||
	    (type == ERSPAN_III && cursor_skip(in, 12) < 0))
		return false;
	if (type == ERSPAN_II || type == ERSPAN_III)
		type = ETHERTYPE_ETHERNET;
	return unwrap_type(u, type, *in);
}

static bool vxlan(struct unwrap *u, struct cursor in)
{
	uint32_t flags;
	return cursor_u32(&in, &flags) == 0 && (flags & 0x08000000u) && cursor_skip(&in, 4) == 0 &&
	       ++u->depth <= UNWRAP_MAX_DEPTH && unwrap_ethernet(u, in);
}

static bool geneve(struct unwrap *u, struct cursor in)
{
	uint8_t version_len;
	uint16_t type;
	return cursor_u8(&in, &version_len) == 0 && version_len >> 6 == 0 && cursor_skip(&in, 1) == 0 &&
	       cursor_u16(&in, &type) == 0 && cursor_skip(&in, 4 + (size_t)(version_len & 0x3F) * 4) == 0 &&
	       unwrap_type(u, type, in);
}

/* RFC 3948: behind address translators; four zeros mark what is no ESP, one byte keeps the way open. */
static bool esp_in_udp(struct unwrap *u, const struct payload *p)
{
	struct payload inner = {.bytes = p->bytes, .len = p->len - 8};
	uint32_t spi;
	struct cursor c = p->bytes;
	return cursor_u32(&c, &spi) == 0 && spi != 0 && unwrap_esp(u, &inner);
}

bool unwrap_tunnel(struct unwrap *u, uint16_t port, const struct payload *p)
{
	struct lens_segment outer = *u->out;
	bool open = false;
	if (port == VXLAN_PORT || port == VXLAN_PORT_LINUX)
		open = vxlan(u, p->bytes);
	else if (port == GENEVE_PORT)
		open = geneve(u, p->bytes);
	else if (port == ESP_PORT)
		open = esp_in_udp(u, p);
	if (!open)
		*u->out = outer;
	return open;
}

/* ---- ESP ---- */

/* Bytes before the payload (an IV) and after it (the check value) of what authenticates without encrypting. */
static const struct {
	uint8_t iv, icv;
} sizes[] = {{0, 12}, {0, 16}, {8, 16}, {0, 24}, {0, 32}};

/* RFC 4303 2.4: padding is 1, 2, 3 ... */
static bool has_padding(const uint8_t *end, size_t pad)
{
	for (size_t i = 0; i < pad; i++)
		if (end[(ptrdiff_t)i - (ptrdiff_t)pad] != i + 1)
			return false;
	return true;
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return n & 1 ? sum + (uint32_t)(p[n - 1] << 8) : sum;
}

/* TCP's and UDP's checksum over their pseudo header: what is encrypted has no right one. */
static bool is_summed(const struct lens_segment *seg, uint8_t protocol, const uint8_t *data, size_t n)
{
	size_t address = seg->from.family == 4 ? 4 : 16;
	uint32_t sum = add(add(add(protocol + (uint32_t)n, seg->from.bytes, address), seg->to.bytes, address), data, n);
	while (sum >> 16)
		sum = (sum & 0xFFFF) + (sum >> 16);
	return sum == 0xFFFF;
}

static bool is_datagram(const uint8_t *data, size_t n, uint8_t version)
{
	if (n < 20 || data[0] >> 4 != version)
		return false;
	size_t len = version == 4 ? (size_t)(data[2] << 8 | data[3]) : 40 + (size_t)(data[4] << 8 | data[5]);
	return len == n;
}

static bool is_plain(const struct lens_segment *seg, uint8_t next, const uint8_t *data, size_t n)
{
	switch (next) {
	case PROTOCOL_TCP:
		return n >= 20 && is_summed(seg, next, data, n);
	case PROTOCOL_UDP:
		return n >= 8 && is_summed(seg, next, data, n);
	case PROTOCOL_IPV4:
		return is_datagram(data, n, 4);
	case PROTOCOL_IPV6:
		return is_datagram(data, n, 6);
	}
	return false;
}

/* Null encryption is not said on the wire; it shows in a payload that is right to its last byte. */
static bool open_null(struct unwrap *u, const struct cursor *in, size_t iv, size_t icv)
{
	size_t left = cursor_left(in);
	const uint8_t *data = cursor_here(in);
	if (left < iv + icv + 2)
		return false;
	const uint8_t *end = data + left - icv;
	size_t pad = end[-2], room = left - iv - icv - 2;
	uint8_t next = end[-1];
	if (pad > room || !has_padding(end - 2, pad) || !is_plain(u->out, next, data + iv, room - pad))
		return false;
	struct payload p = {.bytes = cursor_of(data + iv, room - pad), .len = room - pad, .protocol = next};
	p.bytes.big_endian = true;
	u->missing = 0;
	return unwrap_payload(u, &p);
}

bool unwrap_esp(struct unwrap *u, struct payload *p)
{
	const struct lens_segment outer = *u->out;
	const unsigned depth = u->depth;
	if (cursor_skip(&p->bytes, 8) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(sizes) && u->missing == 0; i++) {
		if (open_null(u, &p->bytes, sizes[i].iv, sizes[i].icv))
			return true;
		*u->out = outer;
		u->depth = depth;
	}
	if (u->state)
		u->state->counts.sealed++;
	return false;
}
