#include "base/utf16.h"

#include "base/cursor.h"
#include "base/utf8.h"

/* The next character; false at the end, at a NUL, or where half a unit is left. */
static bool next_utf16(struct cursor *c, uint32_t *out)
{
	struct cursor ahead;
	uint16_t first;
	uint16_t second;

	if (cursor_u16(c, &first) < 0 || first == 0)
		return false;
	*out = first;
	if ((first & 0xf800) != 0xd800)
		return true;
	*out = UTF8_REPLACEMENT;
	ahead = *c;
	if (first >= 0xdc00 || cursor_u16(&ahead, &second) < 0 || (second & 0xfc00) != 0xdc00)
		return true;
	*out = 0x10000 + ((uint32_t)(first & 0x3ff) << 10 | (second & 0x3ff));
	*c = ahead;
	return true;
}

char *utf16le_to_utf8(struct arena *arena, const void *bytes, size_t size)
{
	struct cursor c = cursor_of(bytes, size);
	size_t len = 0;
	uint32_t ch;
	char one[4];
	char *out;

	while (next_utf16(&c, &ch))
		len += utf8_encode(ch, one);
	out = arena_alloc(arena, len + 1);
	if (!out)
		return NULL;
	c.pos = 0;
	for (char *p = out; next_utf16(&c, &ch);) {
		size_t n = utf8_encode(ch, one);
		memcpy(p, one, n);
		p += n;
	}
	return out;
}

char *utf16_to_utf8(struct arena *arena, const uint16_t *units, size_t n)
{
	return utf16le_to_utf8(arena, units, n * sizeof *units);
}

uint16_t *utf8_to_utf16(struct arena *arena, const char *s, size_t *n)
{
	size_t len = 0;
	uint32_t ch;
	uint16_t *out;
	uint16_t *p;

	for (const char *t = s; *t; len++) {
		t += utf8_decode(t, &ch);
		len += ch != UTF8_BAD && ch > 0xffff;
	}
	out = arena_new_array(arena, uint16_t, len + 1);
	if (!out)
		return NULL;
	for (p = out; *s;) {
		s += utf8_decode(s, &ch);
		if (ch == UTF8_BAD)
			ch = UTF8_REPLACEMENT;
		if (ch > 0xffff) {
			*p++ = (uint16_t)(0xd800 | (ch - 0x10000) >> 10);
			ch = 0xdc00 | (ch & 0x3ff);
		}
		*p++ = (uint16_t)ch;
	}
	if (n)
		*n = len;
	return out;
}

size_t utf16_len(const uint16_t *units)
{
	size_t n = 0;

	while (units[n])
		n++;
	return n;
}
