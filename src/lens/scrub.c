#include "lens/scrub.h"

#include <ctype.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64 /* longer ones are taken in pieces of this size */
#define HOSTS_MAX 65536u
#define FLOOR_IP 0x09
#define FLOOR_NETBIOS 0x11

struct host {
	uint8_t bytes[16];
	uint8_t family;
};

struct lens_scrub {
	struct hmac_sha256_ctx key;
	struct host *hosts; /* in the order of asking */
	unsigned count, cap;
};

struct lens_scrub *lens_scrub_new(const uint8_t key[16])
{
	struct lens_scrub *s = calloc(1, sizeof *s);
	if (s)
		hmac_sha256_set_key(&s->key, 16, key);
	return s;
}

void lens_scrub_free(struct lens_scrub **scrub)
{
	struct lens_scrub *s = TAKE_PTR(*scrub);
	if (!s)
		return;
	free(s->hosts);
	explicit_bzero(s, sizeof *s);
	free(s);
}

static void digest_of(struct lens_scrub *s, const void *data, size_t n, uint32_t part, uint8_t out[SHA256_DIGEST_SIZE])
{
	hmac_sha256_update(&s->key, sizeof part, (const uint8_t *)&part);
	hmac_sha256_update(&s->key, n, data);
	hmac_sha256_digest(&s->key, SHA256_DIGEST_SIZE, out);
}

/* ---- Words ---- */

/* Of directory names ([MS-OXOABK] 2.2.1.1), address types, message classes, bindings and their like. */
static const char *const kept[] = {
        "administrative",  "cn",    "com",  "configuration", "ex",     "exchange",   "external",
        "fydibohf23spdlt", "group", "ipm",  "microsoft",     "ncacn",  "note",       "o",
        "organization",    "ou",    "pipe", "private",       "public", "recipients", "rpc",
        "servers",         "smtp",  "tcp",
};

static bool is_kept(const char *word, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strlen(kept[i]) == n && strncasecmp(kept[i], word, n) == 0)
			return true;
	return false;
}

static char other(char c, uint8_t random)
{
	if (isdigit((uint8_t)c))
		return (char)('0' + random % 10);
	return (char)((isupper((uint8_t)c) ? 'A' : 'a') + random % 26);
}

/* Letters outside of ASCII stand as 'a' with the high bit, so that they count in the word and come out as letters. */
static void change_word(struct lens_scrub *s, char *word, size_t n)
{
	char lower[WORD_MAX];
	uint8_t digest[SHA256_DIGEST_SIZE];
	bool same = true;
	if (is_kept(word, n))
		return;
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((uint8_t)word[i]);
	for (size_t i = 0; i < n; i++) {
		if (i % sizeof digest == 0)
			digest_of(s, lower, n, (uint32_t)(i / sizeof digest), digest);
		word[i] = other(word[i], digest[i % sizeof digest]);
		same &= tolower((uint8_t)word[i]) == lower[i];
	}
	if (same) {
		unsigned next = (unsigned)(word[0] - (isdigit((uint8_t)word[0])   ? '0'
		                                      : isupper((uint8_t)word[0]) ? 'A'
		                                                                  : 'a'));
		word[0] = other(word[0], (uint8_t)(isdigit((uint8_t)word[0]) ? (next + 1) % 10 : (next + 1) % 26));
	}
}

static bool in_word(unsigned c)
{
	return c >= 0x80 || isalnum((int)c);
}

/* Units of one or two bytes, little-endian. */
static void change(struct lens_scrub *s, uint8_t *text, size_t units, size_t step)
{
	char word[WORD_MAX];
	for (size_t at = 0, n; at < units; at += n ? n : 1) {
		for (n = 0; at + n < units && n < WORD_MAX; n++) {
			const uint8_t *p = text + (at + n) * step;
			unsigned c = step == 2 ? p[0] | (unsigned)p[1] << 8 : p[0];
			if (!in_word(c))
				break;
			word[n] = (char)(c < 0x80 ? c : 0x80 | (c & 0x7F));
		}
		if (n)
			change_word(s, word, n);
		for (size_t i = 0; i < n; i++) {
			text[(at + i) * step] = (uint8_t)word[i];
			if (step == 2)
				text[(at + i) * step + 1] = 0;
		}
	}
}

void lens_scrub_text(struct lens_scrub *s, uint8_t *text, size_t n)
{
	change(s, text, n, 1);
}

void lens_scrub_wide(struct lens_scrub *s, uint8_t *text, size_t n)
{
	change(s, text, n / 2, 2);
	if (n & 1)
		text[n - 1] = 0;
}

void lens_scrub_bytes(struct lens_scrub *s, uint8_t *data, size_t n)
{
	uint8_t whole[SHA256_DIGEST_SIZE], digest[SHA256_DIGEST_SIZE];
	digest_of(s, data, n, UINT32_MAX, whole);
	for (size_t i = 0; i < n; i++) {
		if (i % sizeof digest == 0)
			digest_of(s, whole, sizeof whole, (uint32_t)(i / sizeof digest), digest);
		data[i] = digest[i % sizeof digest];
	}
}

/* ---- Addresses ---- */

/* Yields its number from 1 on; 0: too many. */
static unsigned number_of(struct lens_scrub *s, unsigned family, const uint8_t *bytes)
{
	size_t size = family == 6 ? 16 : 4;
	for (unsigned i = 0; i < s->count; i++)
		if (s->hosts[i].family == family && memcmp(s->hosts[i].bytes, bytes, size) == 0)
			return i + 1;
	if (s->count == HOSTS_MAX)
		return 0;
	if (s->count == s->cap) {
		unsigned cap = s->cap ? s->cap * 2 : 16;
		struct host *more = reallocarray(s->hosts, cap, sizeof *more);
		if (!more)
			return 0;
		s->hosts = more;
		s->cap = cap;
	}
	s->hosts[s->count] = (struct host){.family = (uint8_t)family};
	memcpy(s->hosts[s->count].bytes, bytes, size);
	return ++s->count;
}

void lens_scrub_address(struct lens_scrub *s, unsigned family, uint8_t *bytes)
{
	static const uint8_t none[16];
	size_t size = family == 6 ? 16 : 4;
	if (memcmp(bytes, none, size) == 0)
		return;
	unsigned n = number_of(s, family, bytes);
	memset(bytes, 0, size);
	bytes[0] = family == 6 ? 0xFD : 10;
	bytes[size - 3] = (uint8_t)(n >> 16);
	bytes[size - 2] = (uint8_t)(n >> 8);
	bytes[size - 1] = (uint8_t)n;
}

/* ---- Towers ---- */

static size_t u16(const uint8_t *p)
{
	return p[0] | (size_t)p[1] << 8;
}

void lens_scrub_tower(struct lens_scrub *s, uint8_t *octets, size_t n)
{
	size_t at = 2;
	while (n > at + 2) {
		size_t left = u16(octets + at), right_at = at + 2 + left;
		if (left > n - at - 2 || n - right_at < 2)
			return;
		size_t right = u16(octets + right_at);
		if (right > n - right_at - 2)
			return;
		uint8_t protocol = left ? octets[at + 2] : 0;
		if (protocol == FLOOR_IP && right == 4)
			lens_scrub_address(s, 4, octets + right_at + 2);
		else if (protocol == FLOOR_NETBIOS)
			lens_scrub_text(s, octets + right_at + 2, right);
		at = right_at + 2 + right;
	}
}
