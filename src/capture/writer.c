#include "capture/packets.h"
#include "capture/reader-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One direction of a written connection. */
struct side {
	struct capture_endpoint end;
	uint32_t next;    /* sequence number of its next byte */
	unsigned unacked; /* segments of the other side since then */
};

struct connection {
	struct side side[2]; /* server, client: indexed by from_client */
	bool closed;
};

#define COMMENT_MAX 200

struct capture_writer {
	FILE *file;
	int error;
	struct connection *connections;
	unsigned count, cap;
	uint16_t ip_id;
	int *linktypes; /* by interface */
	unsigned linktype_count;
	char comment[COMMENT_MAX];
	uint16_t comment_len;
};

static void put(struct capture_writer *w, const void *data, size_t n)
{
	if (n && fwrite(data, 1, n, w->file) != n && !w->error)
		w->error = MW_E_IO;
}

static void put_section(struct capture_writer *w)
{
	const struct {
		uint32_t type, len, magic;
		uint16_t major, minor;
		int64_t section;
		uint32_t len2;
	} __attribute__((packed)) b = {0x0A0D0D0Au, 28, 0x1A2B3C4Du, 1, 0, -1, 28};
	put(w, &b, sizeof b);
}

/* An interface with nanoseconds. */
static void put_interface(struct capture_writer *w, int linktype)
{
	const struct {
		uint32_t type, len;
		uint16_t linktype, reserved;
		uint32_t snaplen;
		uint16_t option, option_len;
		uint8_t resolution, pad[3];
		uint32_t end, len2;
	} __attribute__((packed)) b = {1, 32, (uint16_t)linktype, 0, CAPTURE_MAX_FRAME, 9, 1, 9, {0}, 0, 32};
	put(w, &b, sizeof b);
}

static void put_frame(struct capture_writer *w, unsigned interface, const void *data, size_t len, int64_t time_ns)
{
	static const uint8_t zero[4];
	uint64_t t = time_ns > 0 ? (uint64_t)time_ns : 0;
	size_t pad = -len & 3, note = w->comment_len, note_pad = -note & 3;
	uint32_t size = (uint32_t)(32 + len + pad + (note ? 4 + note + note_pad + 4 : 0));
	const uint32_t head[7] = {6, size, interface, (uint32_t)(t >> 32), (uint32_t)t, (uint32_t)len, (uint32_t)len};
	put(w, head, sizeof head);
	put(w, data, len);
	put(w, zero, pad);
	if (note) { /* opt_comment, opt_endofopt */
		put(w, &(const uint16_t[2]){1, (uint16_t)note}, 4);
		put(w, w->comment, note);
		put(w, zero, note_pad);
		put(w, zero, 4);
		w->comment_len = 0;
	}
	put(w, &size, sizeof size);
}

void capture_comment(struct capture_writer *w, const char *text)
{
	size_t n = strnlen(text, COMMENT_MAX);
	while (n == COMMENT_MAX && n > 0 && ((uint8_t)text[n] & 0xC0) == 0x80)
		n--;
	memcpy(w->comment, text, n);
	w->comment_len = (uint16_t)n;
}

/* The interface with that link type, described on first use. */
static int interface_of(struct capture_writer *w, int linktype)
{
	for (unsigned i = 0; i < w->linktype_count; i++)
		if (w->linktypes[i] == linktype)
			return (int)i;
	int *more = realloc(w->linktypes, (w->linktype_count + 1) * sizeof *more);
	if (!more)
		return MW_E_NOMEM;
	w->linktypes = more;
	w->linktypes[w->linktype_count] = linktype;
	put_interface(w, linktype);
	return (int)w->linktype_count++;
}

int capture_create(const char *path, struct capture_writer **out)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return MW_E_IO;
	struct capture_writer *w = calloc(1, sizeof *w);
	if (!w || !(w->file = fdopen(fd, "wb"))) {
		close(fd);
		free(w);
		return MW_E_NOMEM;
	}
	put_section(w);
	if (interface_of(w, CAPTURE_ETHERNET) < 0)
		w->error = MW_E_NOMEM;
	*out = w;
	return w->error ? capture_finish(out) : 0;
}

int capture_finish(struct capture_writer **writer)
{
	struct capture_writer *w = TAKE_PTR(*writer);
	if (!w)
		return 0;
	int error = w->error;
	if (fclose(w->file) != 0 && !error)
		error = MW_E_IO;
	free(w->connections);
	free(w->linktypes);
	free(w);
	return error;
}

static void send_segment(struct capture_writer *w, struct connection *c, bool from_client, uint8_t flags,
                         const void *data, size_t len, int64_t time_ns)
{
	uint8_t frame[PACKET_HEADERS_MAX + 1460];
	struct side *from = &c->side[from_client], *to = &c->side[!from_client];
	bool first = (flags & PACKET_SYN) && !(flags & PACKET_ACK);
	struct packet p = {
	        .from = &from->end,
	        .to = &to->end,
	        .from_client = from_client,
	        .seq = from->next,
	        .ack = first ? 0 : to->next,
	        .flags = flags,
	        .ip_id = ++w->ip_id,
	        .data = data,
	        .len = len,
	};
	put_frame(w, 0, frame, packet_build(&p, frame), time_ns);
	from->next += (uint32_t)len + ((flags & (PACKET_SYN | PACKET_FIN)) != 0);
	from->unacked = 0;
	if (len)
		to->unacked++;
}

/* Initial sequence numbers need only differ. */
static struct connection begin(struct capture_writer *w, const struct capture_endpoint *client,
                               const struct capture_endpoint *server)
{
	uint32_t isn = 0x10000000u + w->count * 0x01000193u;
	return (struct connection){
	        .side = {{.end = *server, .next = isn ^ 0x40000000u}, {.end = *client, .next = isn}}};
}

unsigned capture_connected(struct capture_writer *w, const struct capture_endpoint *client,
                           const struct capture_endpoint *server, int64_t syn_ns, int64_t answered_ns)
{
	if (w->count == w->cap) {
		unsigned cap = w->cap ? w->cap * 2 : 8;
		struct connection *more = realloc(w->connections, cap * sizeof *more);
		if (!more) {
			w->error = w->error ? w->error : MW_E_NOMEM;
			return UINT32_MAX;
		}
		w->connections = more;
		w->cap = cap;
	}
	struct connection *c = &w->connections[w->count];
	*c = begin(w, client, server);
	send_segment(w, c, true, PACKET_SYN, NULL, 0, syn_ns);
	send_segment(w, c, false, PACKET_SYN | PACKET_ACK, NULL, 0, answered_ns);
	send_segment(w, c, true, PACKET_ACK, NULL, 0, answered_ns);
	return w->count++;
}

void capture_refused(struct capture_writer *w, const struct capture_endpoint *client,
                     const struct capture_endpoint *server, int64_t syn_ns, int64_t reset_ns, bool reset)
{
	struct connection c = begin(w, client, server);
	send_segment(w, &c, true, PACKET_SYN, NULL, 0, syn_ns);
	c.side[0].next = 0; /* RFC 9293 3.10.7.1 */
	if (reset)
		send_segment(w, &c, false, PACKET_RST | PACKET_ACK, NULL, 0, reset_ns);
}

void capture_data(struct capture_writer *w, unsigned conn, bool from_client, const void *data, size_t len,
                  int64_t time_ns)
{
	if (conn >= w->count || w->connections[conn].closed)
		return;
	struct connection *c = &w->connections[conn];
	const uint8_t *p = data;
	size_t mss = packet_mss(&c->side[from_client].end);
	while (len > 0) {
		size_t n = len < mss ? len : mss;
		uint8_t flags = (uint8_t)(PACKET_ACK | (n == len ? PACKET_PSH : 0));
		send_segment(w, c, from_client, flags, p, n, time_ns);
		/* A receiver acknowledges every second segment at least (RFC 9293 3.8.6.3). */
		if (c->side[!from_client].unacked >= 2)
			send_segment(w, c, !from_client, PACKET_ACK, NULL, 0, time_ns);
		p += n;
		len -= n;
	}
}

void capture_closed(struct capture_writer *w, unsigned conn, bool by_client, int64_t time_ns)
{
	if (conn >= w->count || w->connections[conn].closed)
		return;
	struct connection *c = &w->connections[conn];
	send_segment(w, c, by_client, PACKET_FIN | PACKET_ACK, NULL, 0, time_ns);
	send_segment(w, c, !by_client, PACKET_FIN | PACKET_ACK, NULL, 0, time_ns);
	send_segment(w, c, by_client, PACKET_ACK, NULL, 0, time_ns);
	c->closed = true;
}

void capture_frame_write(struct capture_writer *w, int linktype, const void *data, size_t len, int64_t time_ns)
{
	int interface = interface_of(w, linktype);
	if (interface < 0 || len > CAPTURE_MAX_FRAME) {
		w->error = w->error ? w->error : interface < 0 ? interface : MW_E_LIMIT;
		return;
	}
	put_frame(w, (unsigned)interface, data, len, time_ns);
}
