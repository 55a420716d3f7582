#ifndef MW_CLI_LOOK_JOBS_H
#define MW_CLI_LOOK_JOBS_H

#include "lens/lens.h"

/* Workers of libuv's pool for a lens (lens_workers): with whoever calls, jobs of them. */
struct look_jobs;

#define LOOK_MAX_JOBS 8

/* NULL: out of memory. */
struct look_jobs *look_jobs_new(unsigned jobs);
const struct lens_workers *look_jobs_workers(const struct look_jobs *j);
/* After the lens. */
void look_jobs_free(struct look_jobs **j);

#endif
