#ifndef MW_LENS_STEPS_H
#define MW_LENS_STEPS_H

#include "base/arena.h"
#include "lens/lens.h"

/*
 * A start in steps: what a client did, as a person would tell it. The mapper's answers, the binds and logons each are
 * a step; the calls between them are gathered. --story tells them, --diff lays two side by side. Bounded: clients,
 * steps and names have ceilings, and what is beyond is counted.
 */
struct lens_steps;

struct lens_step {
	int64_t time_ns, took_ns; /* took_ns: -1 not known */
	uint64_t frame;
	bool failed;
	const char *key;  /* what it is, without addresses, ports and times: the same in two captures */
	const char *text; /* one sentence without its full stop; not harmless for a medium */
};

#define LENS_STEPS_CLIENTS 16
#define LENS_STEPS_MAX 512

struct lens_teller {
	struct lens_address client;
	bool outlook; /* it speaks as Outlook does */
	struct lens_step steps[LENS_STEPS_MAX];
	unsigned count;
	uint64_t beyond;      /* steps that found no room */
	bool book, logged_on; /* how far it came */
};

struct lens_steps *lens_steps_new(void);
void lens_steps_free(struct lens_steps **s);
void lens_steps_event(struct lens_steps *s, const struct lens_event *e);
void lens_steps_end(struct lens_steps *s);
/* After that, in order of their first step; NULL beyond the last. */
const struct lens_teller *lens_steps_client(const struct lens_steps *s, unsigned index);
/* Calls on connections that were open before the capture began: no part of a start. */
uint64_t lens_steps_older(const struct lens_steps *s);

#endif
