#ifndef MW_LENS_FINDING_PRIVATE_H
#define MW_LENS_FINDING_PRIVATE_H

#include "base/arena.h"
#include "base/time.h"
#include "causes/causes.h"
#include "lens/finding.h"
#include "lens/view-private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Between the findings' files: finding.c keeps them, each of the others knows one thing that changes for its own
 * reasons: ports (finding_reach), getting in (finding_entrance), calls (finding_calls), time (finding_time).
 */

#define FINDING_MAX 128
#define FINDING_MAX_CAUSE 16 /* of one cause: so that no other is crowded out */
#define FINDING_DETAIL 200
#define FINDING_PAIRS 256

struct finding {
	enum cause cause;
	char detail[FINDING_DETAIL];
	char mapper_port[8]; /* "" where none is known */
	struct lens_finding told;
};

/* A client and a server, by host. */
struct finding_pair {
	struct lens_address client, server;
	/* finding_entrance: what went well with a user's name, with encryption */
	uint64_t got_in, sealed_in; /* frame of the latest; 0: never */
	/* finding_time: calls of the address book and the store */
	uint64_t calls;
	int64_t took_ns, server_ns, network_ns;
	struct lens_evidence slowest;
	int64_t slowest_ns, rtt_ns;
	unsigned resent, lost_count;
	int64_t resend_ns;
	uint64_t lost[LENS_EVIDENCE];
	/* finding_calls: news that was told of and not fetched */
	struct lens_evidence news;
};

struct finding_handed {
	struct lens_address mapper;
	uint16_t port;
	struct lens_evidence told;
};
struct finding_unsure {
	struct lens_address client, server;
	struct lens_evidence told;
};
struct finding_rop {
	struct lens_address client, server; /* hosts */
	uint8_t id;
	uint32_t status;
	unsigned in_row, failed, answered;
	struct finding *finding; /* once it was told */
	struct lens_evidence first;
};

#define FINDING_HANDED 256
#define FINDING_UNSURE 64
#define FINDING_ANONYMOUS 64
#define FINDING_ROPS 128

enum finding_outcome { FINDING_OPEN, FINDING_ACCEPTED, FINDING_REFUSED };

/* A call without authentication that was refused, and what became of it. */
struct finding_anonymous {
	struct lens_address client, server;
	struct lens_evidence refused, retried;
	int64_t time_ns;
	enum auth_type auth;
	enum finding_outcome outcome;
};

struct lens_findings {
	struct arena *arena; /* sentences */
	struct arena *texts; /* of evidence; when it is full, evidence has frames alone */
	struct lens_thresholds limits;
	struct finding all[FINDING_MAX];
	unsigned count;
	struct finding beyond; /* takes what finds no place */
	unsigned beyond_count;
	struct finding_pair pairs[FINDING_PAIRS];
	unsigned pair_count, last_pair;
	struct finding_handed handed[FINDING_HANDED]; /* a ring */
	unsigned handed_count;
	struct finding_unsure unsure[FINDING_UNSURE];
	unsigned unsure_count;
	struct finding_anonymous anonymous[FINDING_ANONYMOUS];
	unsigned anonymous_count, accepted;
	struct finding_rop rops[FINDING_ROPS];
	unsigned rop_count;
};

/* ---- finding.c ---- */

/* The finding of that cause, server and detail, with e as further evidence; never NULL. */
struct finding *finding_add(struct lens_findings *f, enum cause cause, const struct lens_event *e, const char *detail);
/* The same without an event. */
struct finding *finding_note(struct lens_findings *f, enum cause cause, const struct lens_address *client,
                             const struct lens_address *server, const char *detail);
void finding_evidence(struct lens_findings *f, struct finding *to, const struct lens_evidence *what);
/* Of an event; its text is copied. */
struct lens_evidence finding_seen(struct lens_findings *f, const struct lens_event *e);
/* NULL: there are too many. */
struct finding_pair *finding_pair_of(struct lens_findings *f, const struct lens_conn *c);

/* ---- The parts: each is shown every event that may concern it, and is asked at the end ---- */

void finding_reach_open(struct lens_findings *f, const struct lens_event *e);
void finding_reach_mapper(struct lens_findings *f, const struct lens_event *e);
void finding_reach_end(struct lens_findings *f, const struct lens *lens);

void finding_entrance_event(struct lens_findings *f, const struct lens_event *e);
void finding_entrance_end(struct lens_findings *f);

/* What HTTP is on the way there. */
void finding_http_event(struct lens_findings *f, const struct lens_event *e);

void finding_calls_answer(struct lens_findings *f, const struct lens_event *e);
void finding_calls_request(struct lens_findings *f, const struct lens_event *e);
/* A connection has ended. */
void finding_calls_over(struct lens_findings *f, const struct lens_conn *c);
void finding_calls_end(struct lens_findings *f, const struct lens *lens);

/* Its end is that of a long silence. */
bool finding_was_idle(const struct lens_findings *f, const struct lens_conn *c);
void finding_time_over(struct lens_findings *f, const struct lens_conn *c);
void finding_time_answer(struct lens_findings *f, const struct lens_event *e);
void finding_time_end(struct lens_findings *f, const struct lens *lens);

/* A status's cause, with the detail that says most. */
void finding_status(struct lens_findings *f, enum cause_family family, const struct lens_event *e, unsigned code,
                    const char *status);

#endif
