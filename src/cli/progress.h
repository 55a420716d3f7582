#ifndef MW_CLI_PROGRESS_H
#define MW_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How far something long is, on one line of the terminal that stderr is; nothing in a pipe, or with quiet.
 *
 *     inbox.mbox  [##########..........]  50 %   12.5 MB of 25.0 MB   1,000 messages   412/s   3 s left
 */
struct cli_progress {
	const char *what;  /* borrowed */
	uint64_t total;    /* of what steps are counted in; 0: not known */
	bool bytes;        /* steps are bytes, and shown so */
	const char *items; /* "messages": what is counted beside the steps; NULL: nothing */
	/* its own */
	bool shown;
	int64_t began, drawn;
};

void cli_progress_begin(struct cli_progress *p, bool quiet);
/* Draws at most ten times a second. */
void cli_progress_step(struct cli_progress *p, uint64_t done, uint64_t count);
/* Takes the line away. */
void cli_progress_end(struct cli_progress *p);

#endif
