#ifndef MW_LENS_LADDER_H
#define MW_LENS_LADDER_H

#include "lens/view-private.h"

/*
 * What ladder and SVG draw: for each pair of hosts the arrows between them,
 * joined across connections, in the order of time. Points into kept events.
 */
#define LADDER_PORTS 8
#define LADDER_PAIRS 64

struct ladder_arrow {
	const struct lens_event *event;
	uint8_t port;    /* index */
	bool first_call; /* of its connection: says how it is protected */
	bool beside;     /* an answer that stands right behind its request */
	const struct lens_event
	        *woke; /* of a parked wait's answer: the change before it, where one was seen; or NULL */
};

struct ladder_port {
	uint16_t port;
	struct lens_style badge;
};

struct ladder {
	struct lens_address client, server;
	struct ladder_port ports[LADDER_PORTS];
	unsigned port_count;
	bool crowded; /* further ports share the last column */
	bool outlook; /* the client speaks as Outlook does: address book or store */
	struct ladder_arrow *arrows;
	size_t count, room;
};

/* Changes that the server was asked for, the latest: one of them wakes who waits for news. */
#define LADDER_CHANGES 32

struct ladders {
	const struct lens_event *changes[LADDER_CHANGES]; /* a ring */
	unsigned change_count;
	struct ladder *all[LADDER_PAIRS];
	unsigned count;
	uint64_t beyond; /* events of further pairs */
	uint8_t *called; /* by connection number: a call was seen */
	size_t called_room;
};

/* Takes what belongs into a ladder. */
void ladders_add(struct ladders *l, const struct lens_view *v, const struct lens_event *e);
void ladders_free(struct ladders *l);

/* The words on an arrow: "NspiBind, NTLM", "port 4997", "LOGON_FAILED". Appended, not harmless, without NUL. */
void ladder_label(const struct ladder_arrow *a, struct buf *out);
bool ladder_failed(const struct ladder_arrow *a);
/* Silence before arrow i that is worth a line, in ns, or 0. */
int64_t ladder_pause(const struct ladder *l, size_t i);
/* "nothing from Outlook", "waiting for the server" */
const char *ladder_pause_words(const struct ladder *l, size_t i);

#endif
