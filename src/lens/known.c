#include "lens/interfaces.h"

#include <string.h>

_Static_assert(sizeof(struct guid) == 16, "the table holds GUIDs as they lie in memory");

static unsigned first_not_before(const struct guid *uuid)
{
	unsigned low = 0, high = lens_known_count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (memcmp(lens_known[middle].uuid, uuid, sizeof *uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct lens_known *lens_known_find(const struct guid *uuid, uint16_t major, uint16_t minor)
{
	const struct lens_known *best = NULL;
	for (unsigned i = first_not_before(uuid); i < lens_known_count; i++) {
		const struct lens_known *k = &lens_known[i];
		if (memcmp(k->uuid, uuid, sizeof *uuid) != 0)
			break;
		if (k->major == major && k->minor == minor)
			return k;
		if (!best || k->major == major)
			best = k;
	}
	return best;
}

static const char *text(uint32_t at)
{
	return at ? lens_known_text + at : NULL;
}

const char *lens_known_name(const struct lens_known *k)
{
	return text(k->name);
}

const char *lens_known_method(const struct lens_known *k, uint16_t opnum)
{
	return opnum < k->method_count ? text(lens_known_methods[k->methods + opnum]) : NULL;
}
