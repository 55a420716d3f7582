#include "base/utf16.h"
#include "directory/private.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/ucol.h>

/* What parts the words of a name for ambiguous name resolution. */
#define SEPARATORS " \t,.-'()\"/@_"

struct ranked {
	const uint8_t *key;
	const struct directory_user *user;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int c = strcmp((const char *)x->key, (const char *)y->key);

	return c ? c : (x->user->id > y->user->id) - (x->user->id < y->user->id);
}

static const uint8_t *sort_key(struct arena *arena, const UCollator *collator, const char *name)
{
	size_t n;
	uint16_t *units = utf8_to_utf16(arena, name, &n);
	int32_t size;
	uint8_t *key;

	if (!units || n > INT32_MAX / 64)
		return NULL;
	size = ucol_getSortKey(collator, (const UChar *)units, (int32_t)n, NULL, 0);
	key = arena_alloc(arena, (size_t)size);
	if (key)
		ucol_getSortKey(collator, (const UChar *)units, (int32_t)n, key, size);
	return key;
}

static int spread(struct directory_snapshot *s, const struct ranked *ranked)
{
	s->list = arena_new_array(s->arena, const struct directory_user *, s->count);
	s->sort_keys = arena_new_array(s->arena, const uint8_t *, s->count);
	s->positions = arena_new_array(s->arena, uint32_t, s->user_count);
	if (!s->list || !s->sort_keys || !s->positions)
		return MW_E_NOMEM;
	memset(s->positions, 0xFF, s->user_count * sizeof *s->positions);
	for (size_t i = 0; i < s->count; i++) {
		s->list[i] = ranked[i].user;
		s->sort_keys[i] = ranked[i].key;
		s->positions[ranked[i].user - s->users] = (uint32_t)i;
	}
	return 0;
}

static int sort_list(struct directory_snapshot *s)
{
	struct ranked *ranked = arena_new_array(s->arena, struct ranked, s->user_count);
	UErrorCode error = U_ZERO_ERROR;

	s->collator = ucol_open(s->settings.locale, &error);
	if (!ranked || U_FAILURE(error))
		return MW_E_NOMEM;
	for (size_t i = 0; i < s->user_count; i++) {
		if (s->users[i].flags & DIRECTORY_HIDDEN)
			continue;
		ranked[s->count].user = &s->users[i];
		ranked[s->count].key = sort_key(s->arena, s->collator, s->users[i].name);
		if (!ranked[s->count++].key)
			return MW_E_NOMEM;
	}
	if (s->count > 0)
		qsort(ranked, s->count, sizeof *ranked, by_rank);
	return spread(s, ranked);
}

static int by_key(const void *a, const void *b)
{
	const struct directory_key *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : (x->user->id > y->user->id) - (x->user->id < y->user->id);
}

static void put(struct directory_snapshot *s, struct directory_index *index, const char *key,
                const struct directory_user *u)
{
	index->keys[index->count++] =
	        (struct directory_key){.key = key, .user = u, .position = s->positions[u - s->users]};
}

static size_t count_words(const char *text)
{
	size_t n = 0;

	for (text += strspn(text, SEPARATORS); *text; n++) {
		text += strcspn(text, SEPARATORS);
		text += strspn(text, SEPARATORS);
	}
	return n;
}

static int put_words(struct directory_snapshot *s, const char *folded, const struct directory_user *u)
{
	for (folded += strspn(folded, SEPARATORS); *folded;) {
		size_t n = strcspn(folded, SEPARATORS);
		char *word = arena_strndup(s->arena, folded, n);

		if (!word)
			return MW_E_NOMEM;
		put(s, &s->words, word, u);
		folded += n;
		folded += strspn(folded, SEPARATORS);
	}
	return 0;
}

static int index_user(struct directory_snapshot *s, const struct directory_user *u, const char *loose)
{
	char *key = directory_fold(s->arena, u->account), *dn = directory_fold(s->arena, u->dn);
	char *address = directory_fold(s->arena, u->address);

	if (!key || !dn || !address)
		return MW_E_NOMEM;
	put(s, &s->accounts, key, u);
	put(s, &s->dns, dn, u);
	put(s, &s->addresses, address, u);
	put(s, &s->names, loose, u);
	for (size_t i = 0; u->more[i]; i++) {
		address = directory_fold(s->arena, u->more[i]);
		if (!address)
			return MW_E_NOMEM;
		put(s, &s->addresses, address, u);
	}
	return put_words(s, loose, u);
}

static int allocate(struct directory_snapshot *s, size_t addresses, size_t words)
{
	s->accounts.keys = arena_new_array(s->arena, struct directory_key, s->user_count);
	s->dns.keys = arena_new_array(s->arena, struct directory_key, s->user_count);
	s->names.keys = arena_new_array(s->arena, struct directory_key, s->user_count);
	s->addresses.keys = arena_new_array(s->arena, struct directory_key, addresses);
	s->words.keys = arena_new_array(s->arena, struct directory_key, words);
	return s->accounts.keys && s->dns.keys && s->names.keys && s->addresses.keys && s->words.keys ? 0 : MW_E_NOMEM;
}

static void sort_index(struct directory_index *index)
{
	if (index->count > 0)
		qsort(index->keys, index->count, sizeof *index->keys, by_key);
}

int directory_index(struct directory_snapshot *s)
{
	const char **loose = arena_new_array(s->arena, const char *, s->user_count);
	size_t addresses = s->user_count, words = 0;
	int r = loose ? sort_list(s) : MW_E_NOMEM;

	for (size_t i = 0; r >= 0 && i < s->user_count; i++) {
		loose[i] = directory_fold_loosely(s->arena, s->users[i].name);
		if (!loose[i])
			return MW_E_NOMEM;
		words += count_words(loose[i]);
		for (size_t j = 0; s->users[i].more[j]; j++)
			addresses++;
	}
	if (r >= 0)
		r = allocate(s, addresses, words);
	for (size_t i = 0; r >= 0 && i < s->user_count; i++)
		r = index_user(s, &s->users[i], loose[i]);
	sort_index(&s->accounts);
	sort_index(&s->dns);
	sort_index(&s->names);
	sort_index(&s->addresses);
	sort_index(&s->words);
	return r;
}
