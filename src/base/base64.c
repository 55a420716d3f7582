#include "base/base64.h"

#include <stdbool.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_put(struct buf *out, const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
		char four[] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
		               n > 2 ? digits[v & 63] : '='};
		buf_put(out, four, sizeof four);
	}
	return buf_error(out);
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last ones may be padding where the text ends. Yields how many bytes, or an error. */
static int decode_four(const char *text, bool last, uint8_t out[3])
{
	int pad = last && text[3] == '=' ? 1 + (text[2] == '=') : 0;
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		int d = i < 4 - pad ? value_of(text[i]) : 0;
		if (d < 0)
			return MW_E_MALFORMED;
		v = v << 6 | (uint32_t)d;
	}
	if ((pad == 1 && v & 0xFF) || (pad == 2 && v & 0xFFFF))
		return MW_E_MALFORMED;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return 3 - pad;
}

int base64_decode(struct buf *out, const char *text, size_t len)
{
	size_t before = out->len;
	if (len % 4 != 0)
		return MW_E_MALFORMED;
	for (size_t i = 0; i < len; i += 4) {
		uint8_t three[3];
		int n = decode_four(text + i, i + 4 == len, three);
		int r = n < 0 ? n : buf_put(out, three, (size_t)n);
		if (r < 0) {
			out->len = before;
			return r;
		}
	}
	return 0;
}
