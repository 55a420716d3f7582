#include "auth/spnego_find.h"

/* A NegTokenInit has the mechToken 5 levels down. */
#define MAX_DEPTH 8
/* Elements looked at, in all. */
#define MAX_ELEMENTS 256

#define DER_OCTET_STRING 0x04
#define DER_CONSTRUCTED 0x20

static bool is_ntlm(const struct cursor *c)
{
	return cursor_left(c) >= 8 && memcmp(cursor_here(c), "NTLMSSP", 8) == 0;
}

/* Definite lengths of at most 4 bytes (X.690 8.1.3); DER has no others. */
static int der_length(struct cursor *c, size_t *out)
{
	uint8_t byte;
	if (cursor_u8(c, &byte) < 0)
		return MW_E_TRUNCATED;
	if (byte < 0x80) {
		*out = byte;
		return 0;
	}
	size_t count = byte & 0x7f, length = 0;
	if (count == 0 || count > 4)
		return MW_E_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		if (cursor_u8(c, &byte) < 0)
			return MW_E_TRUNCATED;
		length = length << 8 | byte;
	}
	*out = length;
	return 0;
}

static int find_in(struct cursor c, int depth, unsigned *elements, struct cursor *out)
{
	while (cursor_left(&c) > 0 && depth < MAX_DEPTH && (*elements)++ < MAX_ELEMENTS) {
		uint8_t tag;
		size_t length;
		struct cursor content;
		if (cursor_u8(&c, &tag) < 0 || der_length(&c, &length) < 0 || cursor_child(&c, length, &content) < 0)
			return MW_E_NOTFOUND;
		if (tag == DER_OCTET_STRING && is_ntlm(&content)) {
			*out = content;
			return 0;
		}
		if (tag & DER_CONSTRUCTED && find_in(content, depth + 1, elements, out) == 0)
			return 0;
	}
	return MW_E_NOTFOUND;
}

int spnego_find_ntlm(struct cursor token, struct cursor *out)
{
	unsigned elements = 0;
	if (is_ntlm(&token)) {
		*out = token;
		return 0;
	}
	return find_in(token, 0, &elements, out);
}
