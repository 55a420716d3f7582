#ifndef MW_LENS_STREAMS_H
#define MW_LENS_STREAMS_H

#include "lens/packet.h"

/*
 * TCP reassembly of one connection, RFC 9293 3.4 and 3.10.7: bytes of each side
 * in order, each with the frame that brought it. What comes early is held, what
 * comes twice is dropped (the first copy counts), what was lost is told as a gap.
 */

struct lens_stamp {
	uint64_t frame;
	int64_t time_ns;
};

/* side: 0 or 1, as given with the segments. data is valid during the call. */
struct lens_stream_sink {
	void (*data)(void *user, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp);
	void (*gap)(void *user, unsigned side, uint64_t n, const struct lens_stamp *stamp);
	void (*end)(void *user, unsigned side, const struct lens_stamp *stamp);
};

struct lens_held;

struct lens_half {
	uint32_t next;  /* sequence number of the next byte */
	uint32_t acked; /* what the other side has acknowledged */
	uint32_t fin;
	bool started, has_acked, has_fin, ended;
	uint8_t waits;           /* frames since the bytes at next were known to be lost */
	struct lens_held *first; /* early segments, by sequence number */
	struct lens_held *last;
	size_t held;
	unsigned held_count;
};

struct lens_stream {
	struct lens_half half[2];
	struct lens_stream *newer, *older; /* among the streams that hold bytes, by last use */
	bool holds;
	uint64_t used; /* frame of the last that was held */
	void *user;
};

/* All streams of a lens: the bytes that they hold. Zeroed but for sink and limits. */
struct lens_streams {
	const struct lens_stream_sink *sink;
	size_t stream_limit, total_limit;
	size_t held;
	uint64_t dropped; /* bytes lost in holes that were given up early, for the limits */
	struct lens_stream *newest, *oldest;
};

/* A segment that side sent. Resets are the caller's affair. */
void lens_stream_segment(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_segment *seg,
                         const struct lens_stamp *stamp);
/* Nothing more comes: what is held is delivered, holes as gaps. Yields their bytes. */
uint64_t lens_stream_flush(struct lens_streams *all, struct lens_stream *s, const struct lens_stamp *stamp);
/* Forgets what is held. */
void lens_stream_drop(struct lens_streams *all, struct lens_stream *s);

#endif
