#ifndef MW_BASE_UTF16_H
#define MW_BASE_UTF16_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 inside, UTF-16LE on the wire. What is not well-formed (lone surrogates,
 * bad UTF-8) becomes U+FFFD: these functions never fail for the content, only
 * for memory (NULL).
 */

/* n 16-bit units (host order) to UTF-8. Stops at n, keeps embedded NULs out: ends at the first. */
char *utf16_to_utf8(struct arena *arena, const uint16_t *units, size_t n);
/* The same from little-endian bytes of any alignment; an odd last byte is ignored. */
char *utf16le_to_utf8(struct arena *arena, const void *bytes, size_t size);
/* UTF-8 to NUL-terminated units; *n (may be NULL) is the count without the NUL. */
uint16_t *utf8_to_utf16(struct arena *arena, const char *s, size_t *n);
/* Units up to, without, the NUL. */
size_t utf16_len(const uint16_t *units);

#endif
