#include "base/guid.h"

#include <stdio.h>

void guid_format(const struct guid *g, char out[GUID_TEXT_SIZE])
{
	const uint8_t *d = g->data4;

	snprintf(out, GUID_TEXT_SIZE, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", g->data1, g->data2, g->data3,
	         d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int guid_parse(const char *text, struct guid *out)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	uint8_t bytes[16] = {0};
	size_t digits = 0;
	int braces = *text == '{';
	const char *t = text + braces;
	size_t i;

	for (i = 0; shape[i]; i++) {
		int d = hex_digit(t[i]);

		if (shape[i] == '-' ? t[i] != '-' : d < 0)
			return MW_E_INVALID;
		if (shape[i] == '-')
			continue;
		bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | d);
		digits++;
	}
	if (strcmp(t + i, braces ? "}" : "") != 0)
		return MW_E_INVALID;
	out->data1 = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	out->data2 = (uint16_t)(bytes[4] << 8 | bytes[5]);
	out->data3 = (uint16_t)(bytes[6] << 8 | bytes[7]);
	memcpy(out->data4, bytes + 8, 8);
	return 0;
}

_Static_assert(sizeof(struct guid) == 16, "the host's form is the wire form on a little-endian host");

void guid_to_bytes(const struct guid *g, uint8_t out[16])
{
	memcpy(out, g, 16);
}

void guid_from_bytes(const uint8_t in[16], struct guid *out)
{
	memcpy(out, in, 16);
}
