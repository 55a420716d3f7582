#include "mapi/ext_buffer.h"

#include "mapi/lz77.h"

#define MAGIC 0xA5

void mapi_obfuscate(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] ^= MAGIC;
}

static int reveal(struct arena *arena, struct mapi_ext_payload *p, size_t actual)
{
	struct cursor c = p->data;
	if (p->flags & MAPI_EXT_XOR_MAGIC) {
		uint8_t *plain = arena_copy(arena, c.data, c.len);
		if (!plain)
			return MW_E_NOMEM;
		mapi_obfuscate(plain, c.len);
		c = cursor_of(plain, c.len);
	}
	if (p->flags & MAPI_EXT_COMPRESSED) {
		uint8_t *whole = arena_alloc(arena, actual);
		if (!whole)
			return MW_E_NOMEM;
		int r = lz77_decompress(c, whole, actual);
		if (r < 0)
			return r;
		c = cursor_of(whole, actual);
	}
	p->data = c;
	return 0;
}

static int read_payload(struct arena *arena, struct cursor *in, struct mapi_ext_payload *p)
{
	uint16_t version, actual;
	p->offset = in->pos;
	if (cursor_u16(in, &version) < 0 || cursor_u16(in, &p->flags) < 0 || cursor_u16(in, &p->size) < 0 ||
	    cursor_u16(in, &actual) < 0)
		return MW_E_TRUNCATED;
	bool compressed = p->flags & MAPI_EXT_COMPRESSED;
	if (version != 0 || (compressed ? p->size >= actual : p->size != actual))
		return MW_E_MALFORMED;
	int r = cursor_child(in, p->size, &p->data);
	return r < 0 ? r : reveal(arena, p, actual);
}

int mapi_ext_decode(struct arena *arena, struct cursor in, struct mapi_ext_payload **payloads, unsigned *count)
{
	struct mapi_ext_payload found[MAPI_EXT_MAX_PAYLOADS] = {0};
	unsigned n = 0;
	in.big_endian = false;
	while (cursor_left(&in)) {
		if (n == MAPI_EXT_MAX_PAYLOADS)
			return MW_E_LIMIT;
		int r = read_payload(arena, &in, &found[n]);
		if (r < 0)
			return r;
		if (found[n++].flags & MAPI_EXT_LAST)
			break;
	}
	if (n && !(found[n - 1].flags & MAPI_EXT_LAST))
		return MW_E_TRUNCATED;
	struct mapi_ext_payload *kept = arena_copy(arena, found, n * sizeof *found);
	if (!kept)
		return MW_E_NOMEM;
	*payloads = kept;
	*count = n;
	return 0;
}

int mapi_ext_append(struct buf *out, const void *payload, size_t size, unsigned flags)
{
	size_t start = out->len, max = out->max;
	int r;
	if (size > UINT16_MAX)
		return MW_E_LIMIT;
	if (!buf_extend(out, MAPI_EXT_HEADER_SIZE))
		return buf_error(out);
	size_t body = out->len;
	if (flags & MAPI_EXT_COMPRESSED) {
		/* Compression may pass the buffer's maximum where the plain bytes do not: give it room. */
		out->max = body + 2 * size + 64;
		r = lz77_compress(payload, size, out);
		out->max = max;
		if (r < 0 || out->len - body >= size) {
			out->len = body;
			flags &= ~(unsigned)MAPI_EXT_COMPRESSED;
		}
	}
	if (!(flags & MAPI_EXT_COMPRESSED) && (r = buf_put(out, payload, size)) < 0) {
		out->len = start;
		return r;
	}
	if (max && out->len > max) {
		out->len = start;
		return MW_E_LIMIT;
	}
	size_t carried = out->len - body;
	if (flags & MAPI_EXT_XOR_MAGIC)
		mapi_obfuscate(out->data + body, carried);
	buf_poke_u16(out, start, 0);
	buf_poke_u16(out, start + 2, (uint16_t)flags);
	buf_poke_u16(out, start + 4, (uint16_t)carried);
	buf_poke_u16(out, start + 6, (uint16_t)size);
	return 0;
}
