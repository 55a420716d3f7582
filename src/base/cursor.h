#ifndef MW_BASE_CURSOR_H
#define MW_BASE_CURSOR_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A bounded view of bytes from the wire, read from front to back: the only way
 * to touch them. It owns nothing. A read that does not fit returns
 * MW_E_TRUNCATED and moves nothing. Lengths are compared with what remains,
 * never a sum with an end.
 */
struct cursor {
	const uint8_t *data;
	size_t len;
	size_t pos;
	bool big_endian; /* how u16, u32, u64 are read */
};

static inline struct cursor cursor_of(const void *data, size_t len)
{
	/* No bytes may come as NULL, but adding 0 to NULL is undefined. */
	return (struct cursor){.data = data ? (const uint8_t *)data : (const uint8_t *)"", .len = len};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->len - c->pos;
}

/* The bytes at the position; valid for cursor_left bytes. */
static inline const uint8_t *cursor_here(const struct cursor *c)
{
	return c->data + c->pos;
}

MW_NODISCARD static inline int cursor_skip(struct cursor *c, size_t n)
{
	if (n > cursor_left(c))
		return MW_E_TRUNCATED;
	c->pos += n;
	return 0;
}

/* A pointer to the next n bytes, which stay the cursor's. */
MW_NODISCARD static inline int cursor_bytes(struct cursor *c, size_t n, const uint8_t **out)
{
	if (n > cursor_left(c))
		return MW_E_TRUNCATED;
	*out = c->data + c->pos;
	c->pos += n;
	return 0;
}

MW_NODISCARD static inline int cursor_copy(struct cursor *c, void *out, size_t n)
{
	if (n > cursor_left(c))
		return MW_E_TRUNCATED;
	memcpy(out, c->data + c->pos, n);
	c->pos += n;
	return 0;
}

/* A child view of the next n bytes, with the same byte order; the parent moves past them. */
MW_NODISCARD static inline int cursor_child(struct cursor *c, size_t n, struct cursor *out)
{
	if (n > cursor_left(c))
		return MW_E_TRUNCATED;
	*out = (struct cursor){.data = c->data + c->pos, .len = n, .big_endian = c->big_endian};
	c->pos += n;
	return 0;
}

MW_NODISCARD static inline int cursor_u8(struct cursor *c, uint8_t *out)
{
	return cursor_copy(c, out, 1);
}

MW_NODISCARD static inline int cursor_u16(struct cursor *c, uint16_t *out)
{
	uint16_t v;
	if (cursor_copy(c, &v, sizeof v) < 0)
		return MW_E_TRUNCATED;
	*out = c->big_endian ? __builtin_bswap16(v) : v;
	return 0;
}

MW_NODISCARD static inline int cursor_u32(struct cursor *c, uint32_t *out)
{
	uint32_t v;
	if (cursor_copy(c, &v, sizeof v) < 0)
		return MW_E_TRUNCATED;
	*out = c->big_endian ? __builtin_bswap32(v) : v;
	return 0;
}

MW_NODISCARD static inline int cursor_u64(struct cursor *c, uint64_t *out)
{
	uint64_t v;
	if (cursor_copy(c, &v, sizeof v) < 0)
		return MW_E_TRUNCATED;
	*out = c->big_endian ? __builtin_bswap64(v) : v;
	return 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cursor and buf assume a little-endian host");

#endif
