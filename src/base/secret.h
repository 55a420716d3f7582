#ifndef MW_BASE_SECRET_H
#define MW_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites what the compiler might otherwise keep. */
void secret_wipe(void *p, size_t n);
/* Constant time in n. */
bool secret_equal(const void *a, const void *b, size_t n);

#endif
