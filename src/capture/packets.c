#include "capture/packets.h"

#include <string.h>

#define TCP_PROTOCOL 6
#define HOP_LIMIT 64

struct writer {
	uint8_t *p;
};

static void put8(struct writer *w, unsigned v)
{
	*w->p++ = (uint8_t)v;
}

static void put16(struct writer *w, unsigned v)
{
	put8(w, v >> 8);
	put8(w, v);
}

static void put32(struct writer *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, v);
}

static void put(struct writer *w, const void *data, size_t n)
{
	if (n)
		memcpy(w->p, data, n);
	w->p += n;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	uint64_t total = sum;
	for (; n > 1; p += 2, n -= 2)
		total += (uint32_t)p[0] << 8 | p[1];
	if (n)
		total += (uint32_t)p[0] << 8;
	while (total >> 16)
		total = (total & 0xFFFF) + (total >> 16);
	return (uint32_t)total;
}

static size_t address_size(const struct capture_endpoint *e)
{
	return e->family == 6 ? 16 : 4;
}

static void poke16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

size_t packet_mss(const struct capture_endpoint *e)
{
	return e->family == 6 ? 1440 : 1460;
}

/* Locally administered addresses, one a side. */
static void ethernet(struct writer *w, const struct packet *p)
{
	static const uint8_t address[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	put(w, address[p->from_client], 6);
	put(w, address[!p->from_client], 6);
	put16(w, p->from->family == 6 ? 0x86DD : 0x0800);
}

static void ip4(struct writer *w, const struct packet *p, size_t payload)
{
	uint8_t *head = w->p;
	put16(w, 0x4500);
	put16(w, (unsigned)(20 + payload));
	put16(w, p->ip_id);
	put16(w, 0x4000); /* don't fragment */
	put8(w, HOP_LIMIT);
	put8(w, TCP_PROTOCOL);
	put16(w, 0);
	put(w, p->from->address, 4);
	put(w, p->to->address, 4);
	poke16(head + 10, ~sum16(0, head, 20));
}

static void ip6(struct writer *w, const struct packet *p, size_t payload)
{
	put32(w, 0x60000000u);
	put16(w, (unsigned)payload);
	put8(w, TCP_PROTOCOL);
	put8(w, HOP_LIMIT);
	put(w, p->from->address, 16);
	put(w, p->to->address, 16);
}

static uint32_t pseudo_header(const struct packet *p, size_t payload)
{
	uint32_t sum = sum16(0, p->from->address, address_size(p->from));
	sum = sum16(sum, p->to->address, address_size(p->to));
	return sum + TCP_PROTOCOL + (uint32_t)payload;
}

static void tcp(struct writer *w, const struct packet *p, size_t header)
{
	uint8_t *head = w->p;
	put16(w, p->from->port);
	put16(w, p->to->port);
	put32(w, p->seq);
	put32(w, p->ack);
	put8(w, (unsigned)(header / 4) << 4);
	put8(w, p->flags);
	put16(w, PACKET_WINDOW);
	put32(w, 0); /* checksum, urgent pointer */
	if (p->flags & PACKET_SYN)
		put32(w, 0x02040000u | (uint32_t)packet_mss(p->from));
	put(w, p->data, p->len);
	size_t size = header + p->len;
	poke16(head + 16, ~sum16(pseudo_header(p, size), head, size));
}

size_t packet_build(const struct packet *p, uint8_t out[PACKET_HEADERS_MAX + 1460])
{
	struct writer w = {out};
	size_t header = p->flags & PACKET_SYN ? 24 : 20;
	ethernet(&w, p);
	if (p->from->family == 6)
		ip6(&w, p, header + p->len);
	else
		ip4(&w, p, header + p->len);
	tcp(&w, p, header);
	return (size_t)(w.p - out);
}
