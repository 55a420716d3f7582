#ifndef MW_BASE_WIDTH_H
#define MW_BASE_WIDTH_H

#include <stdint.h>

/* Terminal columns of a printable character: 0 (combining, format), 1, or 2 (East Asian wide, emoji). */
int width_of(uint32_t c);

#endif
