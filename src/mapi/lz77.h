#ifndef MW_MAPI_LZ77_H
#define MW_MAPI_LZ77_H

#include "base/buf.h"
#include "base/cursor.h"

/*
 * LZ77 with DIRECT2 encoding: [MS-OXCRPC] 3.1.4.1.1.2, the plain LZ77 of
 * [MS-XCA] 2.4. Both work on one payload, so on at most 65,535 bytes.
 */

/* Exactly size bytes into out; MW_E_MALFORMED when the input yields fewer or more, or points
 * before the start; MW_E_TRUNCATED when it ends inside an element. */
MW_NODISCARD int lz77_decompress(struct cursor in, uint8_t *out, size_t size);

/* Appends the compressed form. MW_E_LIMIT beyond 65,535 bytes of input. */
MW_NODISCARD int lz77_compress(const uint8_t *data, size_t size, struct buf *out);

#endif
