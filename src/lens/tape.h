#ifndef MW_LENS_TAPE_H
#define MW_LENS_TAPE_H

#include "lens/packet.h"
#include "lens/streams.h"

/*
 * What a part is given of a batch, and what it tells meanwhile, while others decode and the sink must wait: copies of
 * events, with their connection as it was then and all that they point to, one behind the other in memory, since
 * another core will read them. Played back in the order of frames.
 */
struct arena;

struct lens_given {
	struct lens_segment seg; /* of no protocol: keys */
	size_t at;               /* of its data in the load's bytes */
	struct lens_stamp stamp;
};

struct lens_told {
	uint64_t frame;
	struct lens_event *event; /* NULL: its connection is over */
	struct lens_conn *conn;   /* the connection itself */
	struct lens_event *waits; /* of a request that waits for its answer: the event itself; NULL */
};

struct lens_tale {
	struct lens_told *list;
	size_t count, cap;
};

struct lens_tape {
	struct lens_given *given;
	size_t given_count, given_cap;
	uint64_t batch;         /* which one is on it */
	struct lens_tale *tale; /* where what is told goes: own, or the load's when parts settle */
	struct lens_tale own;
	struct lens_tale began; /* connections */
	struct arena *arena;
};

/* A batch on its way. */
struct lens_load {
	uint8_t *bytes;
	size_t len, cap;
	bool secret; /* there are keys in it */
	unsigned frames;
	uint64_t batch;
	struct lens_stamp last;
	struct lens_tale settled; /* what parts told when they settled after it */
};

#endif
