#ifndef MW_BASE_GUID_H
#define MW_BASE_GUID_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* MS-DTYP 2.3.4.1, in the host's form; C706 calls it uuid_t. */
struct guid {
	uint32_t data1;
	uint16_t data2;
	uint16_t data3;
	uint8_t data4[8];
};

#define GUID_TEXT_SIZE 37 /* with the NUL */

/* Lower case, with hyphens, without braces. */
void guid_format(const struct guid *g, char out[GUID_TEXT_SIZE]);
/* Takes that form, with or without braces, in either case. MW_E_INVALID otherwise. */
MW_NODISCARD int guid_parse(const char *text, struct guid *out);
/* The 16 bytes of the little-endian wire form. */
void guid_to_bytes(const struct guid *g, uint8_t out[16]);
void guid_from_bytes(const uint8_t in[16], struct guid *out);

static inline bool guid_equal(const struct guid *a, const struct guid *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool guid_is_nil(const struct guid *g)
{
	return guid_equal(g, &(struct guid){0});
}

#endif
