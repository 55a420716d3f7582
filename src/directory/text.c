#include "base/secret.h"
#include "base/utf16.h"
#include "base/utf8.h"
#include "directory/private.h"

#include <nettle/md4.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

/* Windows takes no longer password; the bound also keeps the stack buffer small. */
#define PASSWORD_MAX 256

int directory_nt_hash(const char *password, uint8_t out[16])
{
	uint16_t units[PASSWORD_MAX];
	struct md4_ctx ctx;
	size_t n = 0;

	for (const char *p = password; *p;) {
		uint32_t c;

		p += utf8_decode(p, &c);
		if (c == UTF8_BAD || n + (c > 0xFFFF ? 2 : 1) > PASSWORD_MAX) {
			secret_wipe(units, sizeof units);
			return MW_E_INVALID;
		}
		if (c > 0xFFFF)
			units[n++] = (uint16_t)(0xD7C0 + (c >> 10));
		units[n++] = (uint16_t)(c > 0xFFFF ? 0xDC00 + (c & 0x3FF) : c);
	}
	md4_init(&ctx);
	md4_update(&ctx, n * 2, (const uint8_t *)units);
	md4_digest(&ctx, MD4_DIGEST_SIZE, out);
	secret_wipe(&ctx, sizeof ctx);
	secret_wipe(units, sizeof units);
	return 0;
}

static uint16_t *folded(struct arena *arena, const uint16_t *units, size_t n, int32_t *out)
{
	size_t room = n * 3 + 1; /* one character folds to three at most */
	uint16_t *to = arena_new_array(arena, uint16_t, room);
	UErrorCode error = U_ZERO_ERROR;

	if (!to || room > INT32_MAX)
		return NULL;
	*out = u_strFoldCase((UChar *)to, (int32_t)room, (const UChar *)units, (int32_t)n, U_FOLD_CASE_DEFAULT, &error);
	return U_FAILURE(error) ? NULL : to;
}

char *directory_fold(struct arena *arena, const char *text)
{
	size_t n;
	int32_t len;
	uint16_t *units = utf8_to_utf16(arena, text, &n);
	uint16_t *fold = units ? folded(arena, units, n, &len) : NULL;

	return fold ? utf16_to_utf8(arena, fold, (size_t)len) : NULL;
}

char *directory_fold_loosely(struct arena *arena, const char *text)
{
	UErrorCode error = U_ZERO_ERROR;
	const UNormalizer2 *nfd = unorm2_getNFDInstance(&error);
	size_t n, room, kept = 0;
	uint16_t *units = utf8_to_utf16(arena, text, &n), *apart, *fold;
	int32_t len;

	room = n * 4 + 1; /* the longest canonical decomposition of a UTF-16 unit */
	apart = units && room <= INT32_MAX ? arena_new_array(arena, uint16_t, room) : NULL;
	if (!apart || U_FAILURE(error))
		return NULL;
	len = unorm2_normalize(nfd, (const UChar *)units, (int32_t)n, (UChar *)apart, (int32_t)room, &error);
	if (U_FAILURE(error))
		return NULL;
	for (int32_t i = 0; i < len; i++)
		if (U_IS_SURROGATE(apart[i]) || u_charType(apart[i]) != U_NON_SPACING_MARK)
			apart[kept++] = apart[i];
	fold = folded(arena, apart, kept, &len);
	return fold ? utf16_to_utf8(arena, fold, (size_t)len) : NULL;
}
