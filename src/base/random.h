#ifndef MW_BASE_RANDOM_H
#define MW_BASE_RANDOM_H

#include "base/guid.h"

#include <stddef.h>
#include <stdint.h>

/* Randomness is an argument of protocol code, so that tests can repeat it. */
struct random_source {
	void (*fill)(void *user, void *out, size_t n);
	void *user;
};

/* The kernel's, for secrets and ids alike. Never fails (waits at early boot). */
extern const struct random_source random_system;

/* A version 4 GUID. */
void random_guid(const struct random_source *r, struct guid *out);

#endif
