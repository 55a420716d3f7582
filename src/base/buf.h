#ifndef MW_BASE_BUF_H
#define MW_BASE_BUF_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A growing byte buffer with a hard maximum: what goes out on the wire, into a
 * file or onto the screen. Puts are little-endian unless they say otherwise.
 * A put that fails (MW_E_LIMIT, MW_E_NOMEM) leaves the buffer as it was and
 * marks it: buf_error tells the first failure and every later put fails with it
 * until buf_clear, so that a builder may put many fields and check once at the
 * end.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* 0 = BUF_DEFAULT_MAX */
	int error;
};

#define BUF_DEFAULT_MAX ((size_t)1 << 30)

/* A zeroed struct is an empty buffer. Frees the bytes; the struct can be used again. */
void buf_free(struct buf *b);
/* Empties it and keeps the memory; clears the error. */
void buf_clear(struct buf *b);
/* Gives back what it does not fill: for content that waits. */
void buf_trim(struct buf *b);
/* Drops n bytes from the front (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Room for n bytes at the end, which now belong to the content; NULL on failure. */
uint8_t *buf_extend(struct buf *b, size_t n);

static inline int buf_put(struct buf *b, const void *data, size_t n);
int buf_put_zero(struct buf *b, size_t n);
static inline int buf_put_u8(struct buf *b, uint8_t v);
static inline int buf_put_u16(struct buf *b, uint16_t v);
static inline int buf_put_u32(struct buf *b, uint32_t v);
static inline int buf_put_u64(struct buf *b, uint64_t v);
int buf_put_u16be(struct buf *b, uint16_t v);
int buf_put_u32be(struct buf *b, uint32_t v);
/* Text without its NUL. */
static inline int buf_put_str(struct buf *b, const char *s);
int buf_put_decimal(struct buf *b, uint64_t v);
int buf_printf(struct buf *b, const char *format, ...) MW_PRINTF(2, 3);
/* Zero bytes up to the next multiple of align (a power of two), counted from the buffer's start. */
int buf_align(struct buf *b, size_t align);
/* Overwrites bytes that are already there; at + size must lie inside. */
void buf_poke_u16(struct buf *b, size_t at, uint16_t v);
void buf_poke_u32(struct buf *b, size_t at, uint32_t v);

int buf_put_growing(struct buf *b, const void *data, size_t n);

/* What is put mostly finds room. */
static inline int buf_put(struct buf *b, const void *data, size_t n)
{
	size_t end = b->max && b->max < b->cap ? b->max : b->cap;

	if (b->error || !b->data || b->len > end || n > end - b->len || n == 0)
		return buf_put_growing(b, data, n);
	memcpy(b->data + b->len, data, n);
	b->len += n;
	return 0;
}

static inline int buf_put_str(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

static inline int buf_put_u8(struct buf *b, uint8_t v)
{
	return buf_put(b, &v, sizeof v);
}

static inline int buf_put_u16(struct buf *b, uint16_t v)
{
	return buf_put(b, &v, sizeof v);
}

static inline int buf_put_u32(struct buf *b, uint32_t v)
{
	return buf_put(b, &v, sizeof v);
}

static inline int buf_put_u64(struct buf *b, uint64_t v)
{
	return buf_put(b, &v, sizeof v);
}

static inline int buf_error(const struct buf *b)
{
	return b->error;
}

#endif
