#ifndef MW_LENS_PACKET_PRIVATE_H
#define MW_LENS_PACKET_PRIVATE_H

#include "lens/packet.h"

#define PROTOCOL_IPV4 4
#define PROTOCOL_IPV6 41
#define PROTOCOL_GRE 47
#define PROTOCOL_ESP 50
#define PROTOCOL_AH 51

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86DD
#define ETHERTYPE_ETHERNET 0x6558 /* bridged, in GRE and Geneve */
#define ETHERTYPE_PPP 0x880B

/* One frame on its way in. missing: bytes that the frame had beyond what was captured. */
struct unwrap {
	struct lens_packet_state *state; /* or NULL */
	struct lens_segment *out;
	size_t missing;
	unsigned depth; /* layers so far */
};

#define UNWRAP_MAX_DEPTH 16

/* Each takes a cursor at the beginning of that layer, in network order. */
bool unwrap_link(struct unwrap *u, int linktype, struct cursor in);
bool unwrap_ethernet(struct unwrap *u, struct cursor in);
/* Behind an EtherType. */
bool unwrap_type(struct unwrap *u, uint16_t type, struct cursor in);
bool unwrap_ip(struct unwrap *u, struct cursor in);
/* Behind an IP header; len: what was sent. */
struct payload {
	struct cursor bytes;
	size_t len;
	uint8_t protocol;
};
bool unwrap_payload(struct unwrap *u, struct payload *p);
bool unwrap_gre(struct unwrap *u, struct payload *p);
bool unwrap_esp(struct unwrap *u, struct payload *p);
/* A UDP datagram that is a tunnel; p stands behind its header. */
bool unwrap_tunnel(struct unwrap *u, uint16_t port, const struct payload *p);

/* A datagram's part. */
struct fragment {
	struct lens_address from, to;
	uint32_t id;
	uint8_t protocol;
	size_t offset;
	bool more;
	struct cursor bytes;
};

/* true: whole is the datagram, which lives until the next call. lost counts fragments that were given up. */
bool lens_fragments_add(struct lens_fragments *f, const struct fragment *part, struct cursor *whole, uint64_t *lost);

#endif
