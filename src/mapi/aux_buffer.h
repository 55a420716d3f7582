#ifndef MW_MAPI_AUX_BUFFER_H
#define MW_MAPI_AUX_BUFFER_H

#include "base/buf.h"
#include "idl/idl.h"
#include "ndr/ndr.h"

/*
 * Auxiliary payloads: blocks behind AUX_HEADER, back to back. [MS-OXCRPC]
 * 2.2.2.2, 3.1.4.1.2. Structs are those of "wire/aux.h".
 */

#define MAPI_AUX_MAX_BLOCKS 256

struct mapi_aux_block {
	uint8_t version, type;
	const struct idl_type *layout; /* of the block behind its header; NULL: not known, skipped */
	void *value;                   /* struct AUX_...; NULL when not known or too short for its type */
	struct cursor bytes;           /* header included: offsets in the block count from its start */
	size_t offset;                 /* in the payload */
};

/* "PERF_CLIENTINFO"; NULL for a version and type that are not specified. */
const char *mapi_aux_name(uint8_t version, uint8_t type);

/*
 * MW_E_MALFORMED when a Size is less than a header or passes the end; MW_E_LIMIT beyond
 * MAPI_AUX_MAX_BLOCKS. The tracer (or NULL) is told the known blocks.
 */
MW_NODISCARD int mapi_aux_decode(struct arena *arena, struct cursor payload, const struct ndr_tracer *tracer,
                                 struct mapi_aux_block **blocks, unsigned *count);

/* The UTF-16 text at an offset, as UTF-8; NULL when the offset is 0 or outside, or out of memory. */
char *mapi_aux_text(struct arena *arena, const struct mapi_aux_block *block, uint16_t offset);

/* Appends a block without texts behind it. MW_E_UNSUPPORTED for an unknown version and type. */
MW_NODISCARD int mapi_aux_append(struct arena *arena, struct buf *out, uint8_t version, uint8_t type,
                                 const void *value);

#endif
