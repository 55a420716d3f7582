#ifndef MW_STORE_STREAM_H
#define MW_STORE_STREAM_H

#include "store/message.h"

/*
 * One value of a message, piece by piece ([MS-OXCPRPT] 2.2.14 to 2.2.20): of PTYP_BINARY, PTYP_STRING (UTF-16LE
 * bytes without a NUL) or PTYP_OBJECT. Memory is bounded by a chunk, whatever the value's size.
 * Writes reach the message at commit (or close of a stream that was opened for writing), the disk at the message's
 * save.
 */
struct store_stream;

enum store_stream_mode { STORE_STREAM_READ, STORE_STREAM_WRITE, STORE_STREAM_CREATE };

/* MW_E_NOTFOUND: no such value (not with CREATE, which begins empty). MW_E_INVALID: that type has no stream. */
MW_NODISCARD int store_stream_open(struct store_message *msg, uint32_t tag, enum store_stream_mode mode,
                                   struct store_stream **out);
/* Commits first when it was opened for writing; the result of that. */
int store_stream_close(struct store_stream **s);

uint64_t store_stream_size(const struct store_stream *s);
uint64_t store_stream_position(const struct store_stream *s);
/* Anywhere up to STORE_MAX_VALUE; beyond the end reads nothing and a write fills the gap with zeros. */
MW_NODISCARD int store_stream_seek(struct store_stream *s, uint64_t position);
/* Bytes read, fewer only at the end. */
MW_NODISCARD int64_t store_stream_read(struct store_stream *s, void *out, size_t size);
/* All or MW_E_*: MW_E_STATE when opened for reading, MW_E_LIMIT beyond STORE_MAX_VALUE. */
MW_NODISCARD int store_stream_write(struct store_stream *s, const void *data, size_t size);
MW_NODISCARD int store_stream_set_size(struct store_stream *s, uint64_t size);
MW_NODISCARD int store_stream_commit(struct store_stream *s);

#endif
