#include "base/text.h"
#include "base/utf16.h"
#include "directory/private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucol.h>

/* What people type is short; a longer text finds nobody. */
#define QUERY_MAX 1024

static void arena_end(struct arena **a)
{
	arena_free(a);
}

#define SCRATCH MW_CLEANUP(arena_end) struct arena *

static struct arena *scratch(const char *text)
{
	return strnlen(text, QUERY_MAX + 1) <= QUERY_MAX ? arena_new(0) : NULL;
}

size_t directory_count(const struct directory_snapshot *s)
{
	return s->count;
}

const struct directory_user *directory_at(const struct directory_snapshot *s, size_t position)
{
	return position < s->count ? s->list[position] : NULL;
}

int directory_position(const struct directory_snapshot *s, uint32_t id, size_t *position)
{
	const struct directory_user *u = directory_by_id(s, id);

	if (!u || s->positions[u - s->users] == UINT32_MAX)
		return MW_E_NOTFOUND;
	*position = s->positions[u - s->users];
	return 0;
}

/* The least sort key that a text with the same letters can have, whatever its case and accents. */
static uint8_t *lower_key(struct arena *arena, const UCollator *collator, const char *text)
{
	UErrorCode error = U_ZERO_ERROR;
	size_t n;
	uint16_t *units = utf8_to_utf16(arena, text, &n);
	int32_t size, bound;
	uint8_t *key, *out;

	if (!units)
		return NULL;
	size = ucol_getSortKey(collator, (const UChar *)units, (int32_t)n, NULL, 0);
	key = arena_alloc(arena, (size_t)size);
	out = arena_alloc(arena, (size_t)size + 8);
	if (!key || !out)
		return NULL;
	ucol_getSortKey(collator, (const UChar *)units, (int32_t)n, key, size);
	bound = ucol_getBound(key, size, UCOL_BOUND_LOWER, 1, out, size + 8, &error);
	return U_FAILURE(error) || bound <= 0 ? NULL : out;
}

size_t directory_seek(const struct directory_snapshot *s, const char *text)
{
	SCRATCH arena = scratch(text);
	uint8_t *key = arena ? lower_key(arena, s->collator, text) : NULL;
	size_t low = 0, high = s->count;

	if (!key)
		return s->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp((const char *)s->sort_keys[middle], (const char *)key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t directory_lower_bound(const struct directory_index *index, const char *text)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(index->keys[middle].key, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct directory_user *exact(const struct directory_index *index, const char *text)
{
	SCRATCH arena = scratch(text);
	char *key = arena ? directory_fold(arena, text) : NULL;
	size_t i = key ? directory_lower_bound(index, key) : index->count;

	return i < index->count && !strcmp(index->keys[i].key, key) ? index->keys[i].user : NULL;
}

const struct directory_user *directory_by_address(const struct directory_snapshot *s, const char *address)
{
	if (!strncasecmp(address, "smtp:", 5))
		address += 5;
	return *address ? exact(&s->addresses, address) : NULL;
}

const struct directory_user *directory_by_dn(const struct directory_snapshot *s, const char *dn)
{
	return exact(&s->dns, dn);
}

const struct directory_user *directory_by_mailbox(const struct directory_snapshot *s, const struct guid *mailbox)
{
	for (size_t i = 0; i < s->user_count; i++)
		if (guid_equal(&s->users[i].mailbox, mailbox))
			return &s->users[i];
	return NULL;
}

const struct directory_user *directory_by_account(const struct directory_snapshot *s, const char *domain,
                                                  const char *user)
{
	if (!domain || !domain[0])
		return strchr(user, '@') ? directory_by_address(s, user) : exact(&s->accounts, user);
	if (text_casecmp(domain, s->settings.ntlm_domain) && text_casecmp(domain, s->settings.mail_domain))
		return NULL;
	return exact(&s->accounts, user);
}

/* ---- Ambiguous names: a set of list positions ---- */

static void mark_prefix(const struct directory_index *index, const char *key, bool whole, uint8_t *set)
{
	size_t n = strlen(key);

	for (size_t i = directory_lower_bound(index, key); i < index->count; i++) {
		const struct directory_key *k = &index->keys[i];
		if (strncmp(k->key, key, n) != 0)
			return;
		if (k->position != UINT32_MAX && (!whole || !k->key[n]))
			set[k->position] = 1;
	}
}

/* "ali an" means Alice Anders: each word begins some word of the name. */
static int mark_words(const struct directory_snapshot *s, struct arena *arena, char *loose, uint8_t *set)
{
	uint8_t *all = arena_alloc(arena, s->count), *one = arena_alloc(arena, s->count);
	char *save = NULL, *word = strtok_r(loose, " ,", &save);

	if (!all || !one)
		return MW_E_NOMEM;
	if (!word)
		return 0;
	memset(all, 1, s->count);
	for (; word; word = strtok_r(NULL, " ,", &save)) {
		memset(one, 0, s->count);
		mark_prefix(&s->words, word, false, one);
		for (size_t i = 0; i < s->count; i++)
			all[i] &= one[i];
	}
	for (size_t i = 0; i < s->count; i++)
		set[i] |= all[i];
	return 0;
}

static size_t collect(const struct directory_snapshot *s, const uint8_t *set, const struct directory_user **users,
                      size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (!set[i])
			continue;
		if (n < max)
			users[n] = s->list[i];
		n++;
	}
	return n;
}

static size_t resolve_one(const struct directory_user *u, const struct directory_user **users, size_t max)
{
	if (u && max > 0)
		users[0] = u;
	return u ? 1 : 0;
}

size_t directory_resolve(const struct directory_snapshot *s, const char *text, const struct directory_user **users,
                         size_t max)
{
	SCRATCH arena = scratch(text);
	const struct directory_user *one;
	bool whole = text[0] == '=';
	uint8_t *set = arena ? arena_alloc(arena, s->count) : NULL;
	char *fold, *loose;

	text += whole;
	text += strspn(text, " ");
	if (!set || !*text)
		return 0;
	one = text[0] == '/' ? directory_by_dn(s, text) : directory_by_address(s, text);
	if (one || text[0] == '/')
		return resolve_one(one, users, max);
	if (!strncasecmp(text, "smtp:", 5))
		text += 5;
	fold = directory_fold(arena, text);
	loose = directory_fold_loosely(arena, text);
	if (!fold || !loose)
		return 0;
	mark_prefix(&s->accounts, fold, whole, set);
	mark_prefix(&s->names, loose, whole, set);
	if (!whole) {
		mark_prefix(&s->addresses, fold, false, set);
		if (mark_words(s, arena, loose, set) < 0)
			return 0;
	}
	return collect(s, set, users, max);
}
