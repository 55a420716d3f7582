#ifndef MW_LENS_SCRUB_H
#define MW_LENS_SCRUB_H

#include "lens/event.h"

/*
 * Other words for those in a capture that is to be shared: the same word always becomes the same other word of the
 * same length, in whatever encoding it stands, the same address the same other address, the same bytes the same other
 * bytes. Made by HMAC-SHA-256 with a key that is forgotten with the struct. Words that belong to the protocols (cn,
 * Recipients, IPM, EX ...) stay.
 */
struct lens_scrub;

/* NULL: out of memory. */
struct lens_scrub *lens_scrub_new(const uint8_t key[16]);
void lens_scrub_free(struct lens_scrub **s);

/* In place. n: bytes, of UTF-8 or a code page; of UTF-16. */
void lens_scrub_text(struct lens_scrub *s, uint8_t *text, size_t n);
void lens_scrub_wide(struct lens_scrub *s, uint8_t *text, size_t n);
void lens_scrub_bytes(struct lens_scrub *s, uint8_t *data, size_t n);
/* 10.0.0.1, 10.0.0.2 ... and fd00::1 ... in the order of asking. Beyond 65,536 of them all are one. */
void lens_scrub_address(struct lens_scrub *s, unsigned family, uint8_t *bytes);
/* The octets of a tower: addresses and names in its floors (C706 appendix L). */
void lens_scrub_tower(struct lens_scrub *s, uint8_t *octets, size_t n);

#endif
