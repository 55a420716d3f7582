#include "mapi/code_page.h"

#include "base/utf16.h"

#include <stdio.h>
#include <string.h>
#include <unicode/ucnv.h>

static void name_of(uint32_t code_page, char out[32])
{
	switch (code_page) {
	case 0:
	case 0x0FFF:
		snprintf(out, 32, "windows-1252");
		break;
	case 20127:
		snprintf(out, 32, "US-ASCII");
		break;
	case 65001:
		snprintf(out, 32, "UTF-8");
		break;
	case 28591 ... 28606:
		snprintf(out, 32, "ISO-8859-%u", code_page - 28590);
		break;
	case 1250 ... 1258:
		snprintf(out, 32, "windows-%u", code_page);
		break;
	case 20866:
		snprintf(out, 32, "KOI8-R");
		break;
	case 50220:
		snprintf(out, 32, "ISO-2022-JP");
		break;
	default:
		snprintf(out, 32, "cp%u", code_page);
	}
}

static UConverter *open_converter(uint32_t code_page)
{
	char name[32];
	UErrorCode status = U_ZERO_ERROR;
	name_of(code_page, name);
	UConverter *c = ucnv_open(name, &status);
	if (U_FAILURE(status))
		return NULL;
	ucnv_setSubstChars(c, "?", 1, &status);
	return c;
}

static void close_converter(UConverter **c)
{
	if (*c)
		ucnv_close(*c);
}

uint16_t *code_page_to_utf16(struct arena *arena, uint32_t code_page, const char *s)
{
	size_t n = strlen(s);
	UErrorCode status = U_ZERO_ERROR;
	__attribute__((cleanup(close_converter))) UConverter *c = open_converter(code_page);
	if (!c || n > INT32_MAX / 4)
		return NULL;
	int32_t room = (int32_t)(2 * n + 1);
	uint16_t *out = arena_new_array(arena, uint16_t, (size_t)room);
	if (!out)
		return NULL;
	ucnv_toUChars(c, (UChar *)out, room, s, (int32_t)n, &status);
	return U_FAILURE(status) ? NULL : out;
}

char *code_page_from_utf16(struct arena *arena, uint32_t code_page, const uint16_t *s)
{
	size_t n = utf16_len(s);
	UErrorCode status = U_ZERO_ERROR;
	__attribute__((cleanup(close_converter))) UConverter *c = open_converter(code_page);
	if (!c || n > INT32_MAX / 16)
		return NULL;
	int32_t room = UCNV_GET_MAX_BYTES_FOR_STRING((int32_t)n, ucnv_getMaxCharSize(c)) + 1;
	char *out = arena_alloc(arena, (size_t)room);
	if (!out)
		return NULL;
	ucnv_fromUChars(c, out, room, (const UChar *)s, (int32_t)n, &status);
	return U_FAILURE(status) ? NULL : out;
}
