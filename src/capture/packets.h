#ifndef MW_CAPTURE_PACKETS_H
#define MW_CAPTURE_PACKETS_H

#include "capture/capture.h"

/* Ethernet, IP and TCP headers that a stack would have written (RFC 894, 791, 8200, 9293). */

#define PACKET_FIN 0x01u
#define PACKET_SYN 0x02u
#define PACKET_RST 0x04u
#define PACKET_PSH 0x08u
#define PACKET_ACK 0x10u

struct packet {
	const struct capture_endpoint *from, *to;
	bool from_client; /* which of the two made-up Ethernet addresses */
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t ip_id;
	const void *data;
	size_t len; /* at most packet_mss */
};

#define PACKET_HEADERS_MAX (14 + 40 + 24)
#define PACKET_WINDOW 65535

size_t packet_mss(const struct capture_endpoint *e);
/* Headers and data into out; both endpoints are of one family. Yields its size. */
size_t packet_build(const struct packet *p, uint8_t out[PACKET_HEADERS_MAX + 1460]);

#endif
