#ifndef MW_MAPI_RESTRICTION_H
#define MW_MAPI_RESTRICTION_H

#include "mapi/property.h"

/* [MS-OXCDATA] 2.12. Nesting is bounded by the codec (NDR_MAX_DEPTH). */

enum mapi_restrict_type {
	MAPI_RES_AND = 0x00,
	MAPI_RES_OR = 0x01,
	MAPI_RES_NOT = 0x02,
	MAPI_RES_CONTENT = 0x03,
	MAPI_RES_PROPERTY = 0x04,
	MAPI_RES_COMPARE_PROPS = 0x05,
	MAPI_RES_BITMASK = 0x06,
	MAPI_RES_SIZE = 0x07,
	MAPI_RES_EXIST = 0x08,
	MAPI_RES_SUB_OBJECT = 0x09,
	MAPI_RES_COMMENT = 0x0A,
	MAPI_RES_COUNT = 0x0B,
};

enum mapi_relop {
	MAPI_RELOP_LT = 0,
	MAPI_RELOP_LE = 1,
	MAPI_RELOP_GT = 2,
	MAPI_RELOP_GE = 3,
	MAPI_RELOP_EQ = 4,
	MAPI_RELOP_NE = 5,
	MAPI_RELOP_MEMBER_OF_DL = 0x64,
};

enum mapi_fuzzy { /* FuzzyLevelLow; FuzzyLevelHigh is a set of flags */
	          MAPI_FUZZY_FULL = 0,
	          MAPI_FUZZY_SUBSTRING = 1,
	          MAPI_FUZZY_PREFIX = 2,
};
#define MAPI_FUZZY_IGNORE_CASE 0x0001
#define MAPI_FUZZY_IGNORE_NONSPACE 0x0002
#define MAPI_FUZZY_LOOSE 0x0004

struct mapi_restriction {
	uint8_t type;                   /* enum mapi_restrict_type: tells which members below are used */
	uint8_t relop;                  /* property, compare, size; of bitmask: 0 zero, 1 nonzero */
	uint16_t fuzzy_low, fuzzy_high; /* content */
	uint32_t tag;                   /* content, property, bitmask, size, exist, sub-object; compare: the first */
	uint32_t tag2;                  /* compare */
	uint32_t mask;                  /* bitmask */
	uint32_t size;                  /* size */
	uint32_t limit;                 /* count */
	uint32_t count;                 /* and, or: children; comment: values */
	struct mapi_restriction
	        *children;         /* and, or: count of them; not, sub-object, count: one; comment: one or NULL */
	struct mapi_value *values; /* content, property: one; comment: count */
};

/* To bytes and back, for keeping; not the form of the wire. decode: MW_E_MALFORMED; all of it in the arena. */
struct buf;
struct arena;
int mapi_restriction_encode(struct arena *arena, const struct mapi_restriction *r, struct buf *out);
int mapi_restriction_decode(struct arena *arena, const void *data, size_t size, struct mapi_restriction **out);

#endif
