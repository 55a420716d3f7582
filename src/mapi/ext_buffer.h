#ifndef MW_MAPI_EXT_BUFFER_H
#define MW_MAPI_EXT_BUFFER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

/*
 * Extended buffers: payloads behind RPC_HEADER_EXT, as rgbIn, rgbOut, rgbAuxIn
 * and rgbAuxOut carry them. [MS-OXCRPC] 2.2.2.1 and 3.1.4.1.1, 3.1.4.2.1.
 */

enum mapi_ext_flags {
	MAPI_EXT_COMPRESSED = 0x0001,
	MAPI_EXT_XOR_MAGIC = 0x0002,
	MAPI_EXT_LAST = 0x0004,
};

#define MAPI_EXT_HEADER_SIZE 8
#define MAPI_EXT_MAX_PAYLOAD 0x8000 /* what a payload may hold before compression */
#define MAPI_EXT_MAX_PAYLOADS 96    /* [MS-OXCRPC] 3.1.4.2.1.2.2 */

struct mapi_ext_payload {
	struct cursor data; /* readable: in the arena when it was compressed or obfuscated, else borrowed */
	uint16_t flags;     /* enum mapi_ext_flags, as carried */
	uint16_t size;      /* bytes as carried */
	size_t offset;      /* of its header in the buffer */
};

/*
 * The payloads of a buffer, in order; an empty buffer has none. Memory is bounded by the number of
 * payloads times 64 KiB. MW_E_MALFORMED for a version other than 0, sizes that contradict the flags
 * or a compression that does not yield SizeActual; MW_E_TRUNCATED when there is no last payload;
 * MW_E_LIMIT beyond MAPI_EXT_MAX_PAYLOADS. Bytes after the last payload are ignored.
 */
MW_NODISCARD int mapi_ext_decode(struct arena *arena, struct cursor in, struct mapi_ext_payload **payloads,
                                 unsigned *count);

/*
 * Appends one payload of at most 65,535 bytes with its header. flags: what is wished for;
 * compression that does not make it smaller is left out. MW_E_LIMIT when it is too large.
 */
MW_NODISCARD int mapi_ext_append(struct buf *out, const void *payload, size_t size, unsigned flags);

/* XOR 0xA5: what XorMagic and EcDoRpc do (3.1.4.1.1.3). Twice is nothing. */
void mapi_obfuscate(uint8_t *data, size_t size);

#endif
