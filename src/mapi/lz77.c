#include "mapi/lz77.h"

#include <string.h>

#define WINDOW 8192
#define MIN_MATCH 3
#define HASH_SIZE 4096
#define MAX_CHAIN 32

/* Lengths of 10 and more share bytes of two nibbles: where the half used byte stands. */
struct expander {
	struct cursor in;
	uint8_t *out;
	size_t done, size;
	const uint8_t *nibble; /* its high half is free; NULL: none */
};

static int read_length(struct expander *x, unsigned low, size_t *length)
{
	uint8_t byte;
	uint16_t word;
	size_t n = low;
	if (low == 7) {
		if (x->nibble) {
			n += *x->nibble >> 4;
			x->nibble = NULL;
		} else {
			const uint8_t *at;
			if (cursor_bytes(&x->in, 1, &at) < 0)
				return MW_E_TRUNCATED;
			x->nibble = at;
			n += *at & 0x0F;
		}
	}
	if (n == 22) {
		if (cursor_u8(&x->in, &byte) < 0)
			return MW_E_TRUNCATED;
		n += byte;
		if (byte == 255) {
			if (cursor_u16(&x->in, &word) < 0)
				return MW_E_TRUNCATED;
			n = word;
		}
	}
	*length = n + MIN_MATCH;
	return 0;
}

static int copy_match(struct expander *x)
{
	uint16_t word;
	size_t length;
	if (cursor_u16(&x->in, &word) < 0)
		return MW_E_TRUNCATED;
	size_t distance = (size_t)(word >> 3) + 1;
	int r = read_length(x, word & 7, &length);
	if (r < 0)
		return r;
	if (distance > x->done || length > x->size - x->done)
		return MW_E_MALFORMED;
	/* Source and target may overlap: byte by byte. */
	for (size_t i = 0; i < length; i++, x->done++)
		x->out[x->done] = x->out[x->done - distance];
	return 0;
}

int lz77_decompress(struct cursor in, uint8_t *out, size_t size)
{
	struct expander x = {.in = in, .out = out, .size = size};
	uint32_t mask = 0;
	unsigned bits = 0;
	while (x.done < size && cursor_left(&x.in)) {
		if (bits == 0) {
			if (cursor_u32(&x.in, &mask) < 0)
				return MW_E_TRUNCATED;
			bits = 32;
			continue;
		}
		bits--;
		int r = mask >> bits & 1 ? copy_match(&x) : cursor_u8(&x.in, &x.out[x.done++]);
		if (r < 0)
			return r;
	}
	return x.done == size ? 0 : MW_E_MALFORMED;
}

struct compressor {
	const uint8_t *data;
	size_t size;
	struct buf *out;
	size_t mask_at;
	uint32_t mask;
	unsigned bits;                             /* of the mask that are used */
	size_t nibble_at;                          /* 0: none; the mask stands before it, so 0 is no place for one */
	uint16_t newest[HASH_SIZE], older[WINDOW]; /* positions + 1; 0: none */
};

static unsigned hash(const uint8_t *p)
{
	return (p[0] * 2654435761u ^ p[1] * 40503u ^ p[2] * 97u) % HASH_SIZE;
}

static void remember(struct compressor *c, size_t at)
{
	if (c->size - at < MIN_MATCH)
		return;
	unsigned h = hash(c->data + at);
	c->older[at % WINDOW] = c->newest[h];
	c->newest[h] = (uint16_t)(at + 1);
}

static size_t match_length(const struct compressor *c, size_t a, size_t b)
{
	size_t n = 0;
	while (b + n < c->size && c->data[a + n] == c->data[b + n])
		n++;
	return n;
}

/* The longest match that ends the search early enough; 0: none of MIN_MATCH. */
static size_t find_match(const struct compressor *c, size_t at, size_t *distance)
{
	size_t best = 0;
	if (c->size - at < MIN_MATCH)
		return 0;
	size_t candidate = c->newest[hash(c->data + at)];
	for (unsigned tries = 0; candidate && tries < MAX_CHAIN; tries++) {
		size_t from = candidate - 1;
		if (from >= at || at - from > WINDOW)
			break;
		size_t n = match_length(c, from, at);
		if (n > best) {
			best = n;
			*distance = at - from;
		}
		size_t next = c->older[from % WINDOW];
		if (next >= candidate)
			break;
		candidate = next;
	}
	return best >= MIN_MATCH ? best : 0;
}

static void put_bit(struct compressor *c, unsigned bit)
{
	if (c->bits == 32) {
		buf_poke_u32(c->out, c->mask_at, c->mask);
		c->mask_at = c->out->len;
		c->mask = 0;
		c->bits = 0;
		buf_put_u32(c->out, 0);
	}
	c->mask |= (uint32_t)bit << (31 - c->bits++);
}

static void put_nibble(struct compressor *c, uint8_t nibble)
{
	if (c->nibble_at) {
		c->out->data[c->nibble_at] |= (uint8_t)(nibble << 4);
		c->nibble_at = 0;
	} else {
		c->nibble_at = c->out->len;
		buf_put_u8(c->out, nibble);
	}
}

static void put_match(struct compressor *c, size_t distance, size_t length)
{
	size_t n = length - MIN_MATCH;
	put_bit(c, 1);
	buf_put_u16(c->out, (uint16_t)((distance - 1) << 3 | (n < 7 ? n : 7)));
	if (n < 7)
		return;
	put_nibble(c, n < 22 ? (uint8_t)(n - 7) : 15);
	if (n < 22)
		return;
	buf_put_u8(c->out, n - 22 < 255 ? (uint8_t)(n - 22) : 255);
	if (n - 22 >= 255)
		buf_put_u16(c->out, (uint16_t)n);
}

int lz77_compress(const uint8_t *data, size_t size, struct buf *out)
{
	struct compressor c = {.data = data, .size = size, .out = out, .mask_at = out->len};
	if (size > UINT16_MAX)
		return MW_E_LIMIT;
	buf_put_u32(out, 0);
	for (size_t at = 0; at < size && buf_error(out) == 0;) {
		size_t distance = 0, length = find_match(&c, at, &distance);
		if (length) {
			put_match(&c, distance, length);
		} else {
			put_bit(&c, 0);
			buf_put_u8(out, data[at]);
			length = 1;
		}
		for (; length; length--)
			remember(&c, at++);
	}
	/* The end mark: a match for which no bytes are left. */
	put_bit(&c, 1);
	if (buf_error(out) < 0)
		return buf_error(out);
	buf_poke_u32(out, c.mask_at, c.mask);
	return 0;
}
