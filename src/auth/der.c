#include "auth/der.h"

static int take_length(struct cursor *c, size_t *out)
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
	while (count-- > 0) {
		if (cursor_u8(c, &byte) < 0)
			return MW_E_TRUNCATED;
		length = length << 8 | byte;
	}
	*out = length;
	return 0;
}

int der_take(struct cursor *c, uint8_t *tag, struct cursor *content)
{
	struct cursor at = *c, inside;
	uint8_t first;
	size_t length;
	int r;
	if ((r = cursor_u8(&at, &first)) < 0 || (r = take_length(&at, &length)) < 0 ||
	    (r = cursor_child(&at, length, &inside)) < 0)
		return r;
	*c = at;
	*tag = first;
	*content = inside;
	return 0;
}

int der_take_tagged(struct cursor *c, uint8_t wanted, struct cursor *content)
{
	struct cursor at = *c, inside;
	uint8_t tag;
	int r = der_take(&at, &tag, &inside);
	if (r < 0)
		return r;
	if (tag != wanted)
		return MW_E_MALFORMED;
	*c = at;
	*content = inside;
	return 0;
}
