#ifndef MW_LENS_INTERFACES_H
#define MW_LENS_INTERFACES_H

#include "base/guid.h"

/* share/interfaces.tsv, compiled in: interfaces by UUID, then version. Names are places in lens_known_text. */
struct lens_known {
	uint32_t uuid[4]; /* the bytes of a struct guid */
	uint16_t major, minor;
	uint32_t name;
	uint32_t methods; /* first of method_count entries of lens_known_methods */
	uint16_t method_count;
};

extern const unsigned lens_known_count;
extern const struct lens_known lens_known[];
extern const uint32_t lens_known_methods[];
extern const char lens_known_text[];

/* That version, else another of the same UUID; NULL. */
const struct lens_known *lens_known_find(const struct guid *uuid, uint16_t major, uint16_t minor);
/* NULL where there is none. */
const char *lens_known_name(const struct lens_known *k);
const char *lens_known_method(const struct lens_known *k, uint16_t opnum);

#endif
