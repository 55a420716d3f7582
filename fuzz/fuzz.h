#ifndef MW_FUZZ_FUZZ_H
#define MW_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What each target gives the fuzzer; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input: the fuzzer takes an abort for a find. */
static inline void must(bool condition)
{
	if (!condition)
		abort();
}

#endif
