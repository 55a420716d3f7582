#include "base/utf16.h"
#include "store/private.h"

#include <string.h>
#include <unicode/ucol.h>
#include <unicode/ustring.h>

/* Characters of a text that decide its place; what agrees in them is ordered by age. */
#define KEY_UNITS 64

int store_open_collator(struct store_mailbox *m)
{
	UErrorCode error = U_ZERO_ERROR;

	m->collator = ucol_open("", &error);
	if (U_FAILURE(error))
		return store_say(m, MW_E_NOMEM, "The Unicode library cannot sort text.");
	ucol_setStrength(m->collator, UCOL_SECONDARY); /* case does not count */
	return 0;
}

size_t store_text_key(struct store_mailbox *m, const uint16_t *text, uint8_t out[STORE_KEY_MAX])
{
	size_t n = 0;
	int32_t size;

	while (n < KEY_UNITS && text[n])
		n++;
	size = ucol_getSortKey(m->collator, (const UChar *)text, (int32_t)n, out, STORE_KEY_MAX);
	/* Its NUL is no part of it: an empty text has an empty key. */
	if (n == 0 || size <= 1)
		return 0;
	return (size_t)(size > STORE_KEY_MAX ? STORE_KEY_MAX : size - 1);
}

char *store_name_key(struct arena *arena, const char *name)
{
	UErrorCode error = U_ZERO_ERROR;
	size_t n;
	uint16_t *units = utf8_to_utf16(arena, name, &n), *fold;
	int32_t size;

	if (!units || n > INT32_MAX / 4)
		return NULL;
	fold = arena_new_array(arena, uint16_t, n * 3 + 1);
	if (!fold)
		return NULL;
	size = u_strFoldCase((UChar *)fold, (int32_t)(n * 3 + 1), (const UChar *)units, (int32_t)n, U_FOLD_CASE_DEFAULT,
	                     &error);
	return U_FAILURE(error) ? NULL : utf16_to_utf8(arena, fold, (size_t)size);
}
