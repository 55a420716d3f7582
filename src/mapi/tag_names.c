#include "mapi/names.h"
#include "mapi/property.h"

/* The first entry of an id, or where it would stand. */
static unsigned first_of(uint16_t id)
{
	unsigned low = 0, high = mapi_tag_table_size;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (mapi_tag_id(mapi_tag_table[middle].tag) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *mapi_address_book_tag_name(uint32_t tag)
{
	uint16_t id = mapi_tag_id(tag), type = mapi_tag_type(tag);
	unsigned first = first_of(id);
	if (first == mapi_tag_table_size || mapi_tag_id(mapi_tag_table[first].tag) != id)
		return NULL;
	for (unsigned i = first; i < mapi_tag_table_size && mapi_tag_id(mapi_tag_table[i].tag) == id; i++) {
		uint16_t t = mapi_tag_type(mapi_tag_table[i].tag);
		if (t == type || (t == PTYP_STRING && type == PTYP_STRING8))
			return mapi_tag_table[i].name;
	}
	return mapi_tag_table[first].name;
}

const char *mapi_tag_name(uint32_t tag)
{
	return mapi_tag_is_named(tag) ? NULL : mapi_address_book_tag_name(tag);
}

const char *mapi_type_name(uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *one, *many;
	} names[] = {
	        {PTYP_UNSPECIFIED, "PtypUnspecified", NULL},
	        {PTYP_NULL, "PtypNull", NULL},
	        {PTYP_INTEGER16, "PtypInteger16", "PtypMultipleInteger16"},
	        {PTYP_INTEGER32, "PtypInteger32", "PtypMultipleInteger32"},
	        {PTYP_FLOATING32, "PtypFloating32", "PtypMultipleFloating32"},
	        {PTYP_FLOATING64, "PtypFloating64", "PtypMultipleFloating64"},
	        {PTYP_CURRENCY, "PtypCurrency", "PtypMultipleCurrency"},
	        {PTYP_FLOATING_TIME, "PtypFloatingTime", "PtypMultipleFloatingTime"},
	        {PTYP_ERROR_CODE, "PtypErrorCode", NULL},
	        {PTYP_BOOLEAN, "PtypBoolean", NULL},
	        {PTYP_OBJECT, "PtypObject", NULL},
	        {PTYP_INTEGER64, "PtypInteger64", "PtypMultipleInteger64"},
	        {PTYP_STRING8, "PtypString8", "PtypMultipleString8"},
	        {PTYP_STRING, "PtypString", "PtypMultipleString"},
	        {PTYP_TIME, "PtypTime", "PtypMultipleTime"},
	        {PTYP_GUID, "PtypGuid", "PtypMultipleGuid"},
	        {PTYP_SERVER_ID, "PtypServerId", NULL},
	        {PTYP_RESTRICTION, "PtypRestriction", NULL},
	        {PTYP_RULE_ACTION, "PtypRuleAction", NULL},
	        {PTYP_BINARY, "PtypBinary", "PtypMultipleBinary"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].type == (type & 0x0FFF))
			return type & PTYP_MULTIPLE ? names[i].many : names[i].one;
	return NULL;
}
