#ifndef MW_LENS_PACKET_H
#define MW_LENS_PACKET_H

#include "base/cursor.h"
#include "lens/event.h"

/* From a captured frame to its TCP segment: link layer, IPv4 or IPv6, TCP. */

#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_RST 0x04u
#define TCP_ACK 0x10u

struct lens_segment {
	struct lens_address from, to;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *data;
	size_t captured; /* bytes at data */
	size_t len;      /* what was sent; more than captured where the capture cut the frame */
};

/* Moves in to the IP header: false when the frame carries no IP or the link type is unknown. */
bool lens_link(int linktype, struct cursor *in);
/*
 * in stands at an IP header; original is what the frame had from there. Fragments
 * other than whole datagrams are passed over. false: no (whole) TCP segment.
 */
bool lens_ip(struct cursor in, size_t original, struct lens_segment *out);

/* Both. */
bool lens_packet(int linktype, const uint8_t *data, size_t captured, size_t original, struct lens_segment *out);

#endif
