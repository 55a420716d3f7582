#include "mapi/names.h"

#include <stddef.h>

static const char *find(const struct mapi_code_table *t, uint32_t code)
{
	unsigned low = 0, high = t->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (t->entries[middle].code == code)
			return t->entries[middle].name;
		if (t->entries[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *mapi_code_name(enum mapi_codes family, uint32_t code)
{
	return (unsigned)family < MAPI_CODES_COUNT ? find(&mapi_code_tables[family], code) : NULL;
}

const char *mapi_status_name(uint32_t code)
{
	return mapi_code_name(MAPI_CODES_MAPI, code);
}
