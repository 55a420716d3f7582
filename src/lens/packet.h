#ifndef MW_LENS_PACKET_H
#define MW_LENS_PACKET_H

#include "base/cursor.h"
#include "lens/event.h"

/*
 * From a captured frame to its TCP segment or UDP datagram: link layers, tunnels (VLAN and QinQ, PPPoE, MPLS, GRE,
 * VXLAN, Geneve, IP in IP), IPsec that only authenticates, IPv4 and IPv6 with their fragments put together.
 */

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_ACK 0x10u

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

struct lens_segment {
	struct lens_address from, to;
	uint8_t protocol; /* PROTOCOL_TCP, else PROTOCOL_UDP: no seq, ack, flags */
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window; /* not scaled */
	const uint8_t *data;
	size_t captured; /* bytes at data */
	size_t len;      /* what was sent; more than captured where the capture cut the frame */
};

/* Fragments that wait for the rest of their datagram: at most 256 datagrams and 4 MiB, the oldest make room. */
struct lens_fragments;
struct lens_fragments *lens_fragments_new(void);
void lens_fragments_free(struct lens_fragments **f);

struct lens_packet_counts {
	uint64_t sealed;         /* ESP that is encrypted: nothing to see without IPsec's keys */
	uint64_t fragments_lost; /* of datagrams that were never whole, or contradicted themselves */
};

/* What is kept from frame to frame. Without fragments (NULL) those are passed over. */
struct lens_packet_state {
	struct lens_fragments *fragments;
	struct lens_packet_counts counts;
};

/* state may be NULL. false: no (whole) segment or datagram in it. out's data is in the frame, or lives until the next
 * call. */
bool lens_packet_next(struct lens_packet_state *state, int linktype, const uint8_t *data, size_t captured,
                      size_t original, struct lens_segment *out);
/* A TCP segment that stands whole in its frame. */
bool lens_packet(int linktype, const uint8_t *data, size_t captured, size_t original, struct lens_segment *out);

#endif
