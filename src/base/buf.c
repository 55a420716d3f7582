#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

void buf_trim(struct buf *b)
{
	uint8_t *data = b->len > 0 && b->cap > b->len ? realloc(b->data, b->len + 1) : NULL;
	if (!data)
		return;
	b->data = data;
	b->cap = b->len;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (n && b->len)
		memmove(b->data, b->data + n, b->len);
}

static int fail(struct buf *b, int error)
{
	b->error = error;
	return error;
}

static inline size_t most(const struct buf *b)
{
	return !b->max ? BUF_DEFAULT_MAX : b->max < PTRDIFF_MAX ? b->max : PTRDIFF_MAX;
}

static int grow(struct buf *b, size_t n)
{
	size_t max = most(b);
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *data;

	if (b->error)
		return b->error;
	if (b->len > max || n > max - b->len)
		return fail(b, MW_E_LIMIT);
	if (b->data && n <= b->cap - b->len)
		return 0;
	while (cap - b->len < n)
		cap = cap > max / 2 ? max : cap * 2;
	data = realloc(b->data, cap + 1);
	if (!data)
		return fail(b, MW_E_NOMEM);
	b->data = data;
	b->cap = cap;
	return 0;
}

/* Room for n more bytes beyond len, and behind them for the NUL that vsnprintf writes. Mostly it is there. */
static inline int reserve(struct buf *b, size_t n)
{
	if (!b->error && b->data && n <= b->cap - b->len && b->len <= most(b) && n <= most(b) - b->len)
		return 0;
	return grow(b, n);
}

static inline uint8_t *extend(struct buf *b, size_t n)
{
	uint8_t *p;

	if (reserve(b, n) < 0)
		return NULL;
	p = b->data + b->len;
	b->len += n;
	return p;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
	return extend(b, n);
}

static inline int put(struct buf *b, const void *data, size_t n)
{
	uint8_t *p = extend(b, n);

	if (!p)
		return b->error;
	if (n)
		memcpy(p, data, n);
	return 0;
}

int buf_put_growing(struct buf *b, const void *data, size_t n)
{
	return put(b, data, n);
}

int buf_put_zero(struct buf *b, size_t n)
{
	uint8_t *p = extend(b, n);

	if (!p)
		return b->error;
	memset(p, 0, n);
	return 0;
}

int buf_put_u16be(struct buf *b, uint16_t v)
{
	return buf_put_u16(b, __builtin_bswap16(v));
}

int buf_put_u32be(struct buf *b, uint32_t v)
{
	return buf_put_u32(b, __builtin_bswap32(v));
}

int buf_put_decimal(struct buf *b, uint64_t v)
{
	char digits[20], *at = digits + sizeof digits;
	uint32_t small;

	/* Division by words of half the size is much faster. */
	for (; v > UINT32_MAX; v /= 10)
		*--at = (char)('0' + v % 10);
	small = (uint32_t)v;
	do
		*--at = (char)('0' + small % 10);
	while (small /= 10);
	return put(b, at, (size_t)(digits + sizeof digits - at));
}

/* Bytes that fit without growing. */
static size_t room_of(const struct buf *b)
{
	size_t end = b->cap < most(b) ? b->cap : most(b);

	return b->error || !b->data || end < b->len ? 0 : end - b->len;
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	size_t room = room_of(b);
	int n;
	int r;

	va_start(args, format);
	n = vsnprintf(room ? (char *)b->data + b->len : NULL, room ? room + 1 : 0, format, args);
	va_end(args);
	if (n < 0)
		return b->error ? b->error : fail(b, MW_E_INVALID);
	if ((size_t)n > room || !room) {
		r = reserve(b, (size_t)n);
		if (r < 0)
			return r;
		va_start(args, format);
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, args);
		va_end(args);
	}
	b->len += (size_t)n;
	return 0;
}

int buf_align(struct buf *b, size_t align)
{
	return buf_put_zero(b, (align - (b->len & (align - 1))) & (align - 1));
}

static void poke(struct buf *b, size_t at, const void *v, size_t size)
{
	assert(at <= b->len && size <= b->len - at);
	memcpy(b->data + at, v, size);
}

void buf_poke_u16(struct buf *b, size_t at, uint16_t v)
{
	poke(b, at, &v, sizeof v);
}

void buf_poke_u32(struct buf *b, size_t at, uint32_t v)
{
	poke(b, at, &v, sizeof v);
}
