#ifndef MW_LENS_FINDING_H
#define MW_LENS_FINDING_H

#include "lens/lens.h"

/*
 * What a person would say about a capture: what is wrong, in which frames that is seen, and what to do. Events go in
 * one by one, findings come out at the end. Bounded: kinds, hosts and evidence have ceilings, and what is beyond
 * them is counted.
 */
struct lens_findings;

/* When slow is slow, in ns; 0: the value in brackets. */
struct lens_thresholds {
	int64_t average_ns; /* of a client's calls to a server, from which on it is told (50 ms) */
	int64_t outlook_ns; /* the average that Outlook itself calls bad (100 ms) */
	int64_t waits_ns;   /* a single call of which Outlook tells its user (5 s) */
	int64_t dialog_ns;  /* and opens its dialog (8 s) */
	int64_t silence_ns; /* a silence that a firewall or load balancer may end (60 s) */
};

enum lens_grade { LENS_NOTE, LENS_WARNING, LENS_PROBLEM };
/* "note", "warning", "problem" */
const char *lens_grade_name(enum lens_grade grade);

struct lens_evidence {
	uint64_t frame;
	int64_t time_ns;
	const char *what; /* not harmless for a medium */
};

#define LENS_EVIDENCE 4

struct lens_finding {
	struct lens_evidence evidence[LENS_EVIDENCE]; /* the first ones */
	unsigned evidence_count;
	unsigned more; /* further times */
	enum lens_grade grade;
	struct lens_address client, server;
	const char *id;       /* of the cause: "dynamic-port-blocked" */
	const char *sentence; /* not harmless for a medium */
	const char *attempt;  /* what to try; or NULL */
};

/* thresholds NULL: all as in brackets. NULL: out of memory. */
struct lens_findings *lens_findings_new(const struct lens_thresholds *thresholds);
void lens_findings_free(struct lens_findings **f);
void lens_findings_event(struct lens_findings *f, const struct lens_event *e);
/* Whether a mapper on that host has handed out this port. */
bool lens_findings_handed_out(const struct lens_findings *f, const struct lens_address *server);
/* After the last event. lens NULL: what only connections and the capture's end show is left out. */
void lens_findings_end(struct lens_findings *f, const struct lens *lens);
/* How often something was found for which there was no room. */
unsigned lens_findings_beyond(const struct lens_findings *f);
/* After that. false beyond the last; the strings live until lens_findings_free. */
bool lens_findings_get(const struct lens_findings *f, unsigned index, struct lens_finding *out);

#endif
