#include "base/text.h"

#include "base/utf8.h"
#include "base/width.h"

#include <stdbool.h>
#include <string.h>

/* What steers a display instead of being shown: controls, bidi overrides, invisible format characters. */
static bool is_steering(uint32_t c)
{
	static const uint32_t ranges[][2] = {
	        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x180e, 0x180e},
	        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
	        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

int text_put_terminal(struct buf *out, const char *s)
{
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		if (c == UTF8_BAD || (c < 0x80 && is_steering(c)))
			for (size_t i = 0; i < n; i++)
				buf_printf(out, "\\x%02x", (uint8_t)s[i]);
		else if (is_steering(c))
			buf_printf(out, "\\u{%x}", c);
		else
			buf_put(out, s, n);
		s += n;
	}
	return out->error;
}

static void put_json_unit(struct buf *out, uint32_t unit)
{
	buf_printf(out, "\\u%04x", unit);
}

static void put_json_char(struct buf *out, uint32_t c, const char *bytes, size_t n)
{
	static const char named[] = "\"\\\b\f\n\r\t";
	const char *name = c && c < 0x80 ? strchr(named, (int)c) : NULL;

	if (c == UTF8_BAD) {
		buf_put_str(out, "\xef\xbf\xbd");
	} else if (name) {
		buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t) "\"\\bfnrt"[name - named]);
	} else if (c > 0xffff && is_steering(c)) {
		put_json_unit(out, 0xd800 | (c - 0x10000) >> 10);
		put_json_unit(out, 0xdc00 | (c & 0x3ff));
	} else if (c == '<' || is_steering(c)) {
		put_json_unit(out, c);
	} else {
		buf_put(out, bytes, n);
	}
}

/* How many bytes from here on stand for themselves, everywhere; with some left out: '"', '\\' and '<'. */
static size_t plain_run(const char *s, bool except)
{
	size_t n = 0;

	while ((uint8_t)(s[n] - 0x20) < 0x5f && !(except && (s[n] == '"' || s[n] == '\\' || s[n] == '<')))
		n++;
	return n;
}

int text_put_json(struct buf *out, const char *s)
{
	size_t run = plain_run(s, true);

	buf_put_u8(out, '"');
	buf_put(out, s, run);
	s += run;
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		put_json_char(out, c, s, n);
		s += n;
	}
	return buf_put_u8(out, '"');
}

static const char *html_entity(uint32_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* A control character must not stand in XML, not even as an entity (XML 1.0 2.2). */
static void put_html_steering(struct buf *out, uint32_t c)
{
	if (c == '\t' || c == '\n' || c == '\r')
		buf_put_u8(out, (uint8_t)c);
	else if (c < 0x100)
		buf_printf(out, "\\x%02x", c);
	else
		buf_printf(out, "\\u{%x}", c);
}

int text_put_html(struct buf *out, const char *s)
{
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);
		const char *entity = html_entity(c);

		if (c == UTF8_BAD)
			buf_put_str(out, "\xef\xbf\xbd");
		else if (entity)
			buf_put_str(out, entity);
		else if (is_steering(c))
			put_html_steering(out, c);
		else
			buf_put(out, s, n);
		s += n;
	}
	return out->error;
}

int text_put_hex(struct buf *out, const void *data, size_t n, size_t max)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	size_t shown = n < max ? n : max;

	for (size_t i = 0; i < shown; i++) {
		char two[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
		buf_put(out, two, sizeof two);
	}
	if (shown < n)
		buf_printf(out, "… (%zu bytes)", n);
	return out->error;
}

static size_t shown_width(uint32_t c, size_t bytes)
{
	if (c == UTF8_BAD || (c < 0x80 && is_steering(c)))
		return 4 * bytes;
	if (is_steering(c))
		return strlen("\\u{}") + (c > 0xffff ? 5 : c > 0xfff ? 4 : c > 0xff ? 3 : 2);
	return (size_t)width_of(c);
}

size_t text_width(const char *s)
{
	size_t width = plain_run(s, false);

	s += width;
	while (*s) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		width += shown_width(c, n);
		s += n;
	}
	return width;
}

static int lower(char c)
{
	uint8_t u = (uint8_t)c;

	return u >= 'A' && u <= 'Z' ? u + ('a' - 'A') : u;
}

int text_casecmp(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) - lower(*b);
}
