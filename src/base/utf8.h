#ifndef MW_BASE_UTF8_H
#define MW_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Where bytes are no well-formed UTF-8 (Unicode 3.9, table 3-7). */
#define UTF8_BAD UINT32_MAX
#define UTF8_REPLACEMENT 0xfffdu

/*
 * One character of a NUL-terminated text that is not at its end: how many bytes
 * it takes (1 to 4). What is not well-formed yields UTF8_BAD for the longest
 * start of a character, so that one U+FFFD stands for it as in web browsers.
 */
size_t utf8_decode(const char *s, uint32_t *out);
/* Writes 1 to 4 bytes, without a NUL; returns how many. c is a character, no surrogate. */
size_t utf8_encode(uint32_t c, char out[4]);

#endif
