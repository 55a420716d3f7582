#include "server/policy.h"

#include "base/error.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 4

void policy_version(const uint16_t w[3], uint16_t out[4])
{
	bool split = w[1] & 0x8000;

	out[0] = split ? w[0] >> 8 : w[0];
	out[1] = split ? w[0] & 0xFF : 0;
	out[2] = w[1] & 0x7FFF;
	out[3] = w[2];
}

/* Up to four numbers at *at, which moves behind them. Yields how many; 0: this is no version. */
static unsigned read_numbers(const char **at, uint16_t out[NUMBERS])
{
	unsigned n = 0;

	while (n < NUMBERS) {
		char *end;
		if (**at < '0' || **at > '9')
			return 0;
		unsigned long v = strtoul(*at, &end, 10);
		if (v > UINT16_MAX)
			return 0;
		out[n++] = (uint16_t)v;
		*at = end;
		if (*end != '.')
			return n;
		++*at;
	}
	return 0;
}

/* What is not said is 0, or at the upper end of a range the most. */
static bool read_version(const char **at, bool upper, uint16_t out[NUMBERS])
{
	uint16_t said[NUMBERS], rest = upper ? UINT16_MAX : 0;
	unsigned n = read_numbers(at, said);

	for (unsigned i = 0; i < NUMBERS; i++)
		out[i] = i < n ? said[i] : rest;
	if (n == 3) { /* the minor one is what three leave out */
		out[1] = upper ? UINT16_MAX : 0;
		out[2] = said[1];
		out[3] = said[2];
	}
	return n > 0;
}

static int compare(const uint16_t a[NUMBERS], const uint16_t b[NUMBERS])
{
	for (unsigned i = 0; i < NUMBERS; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* The next range; false at the end, or where *bad is set. */
static bool next_range(const char **at, uint16_t low[NUMBERS], uint16_t high[NUMBERS], bool *bad)
{
	*at += strspn(*at, " ;,");
	if (!**at)
		return false;
	const char *first = *at;
	*bad = !read_version(at, false, low);
	if (!*bad && **at == '-') {
		++*at;
		*bad = !read_version(at, true, high);
	} else if (!*bad) {
		*bad = !read_version(&first, true, high);
	}
	*bad |= **at && !strchr(" ;,", **at);
	return !*bad;
}

bool policy_blocks(const char *blocked, const uint16_t words[3])
{
	uint16_t low[NUMBERS], high[NUMBERS], version[NUMBERS];
	bool bad = false;

	policy_version(words, version);
	while (blocked && next_range(&blocked, low, high, &bad))
		if (compare(version, low) >= 0 && compare(version, high) <= 0)
			return true;
	return false;
}

/* One "account=server" of the list; false at its end. */
static bool next_moved(const char **at, const char **account, size_t *account_len, const char **server,
                       size_t *server_len)
{
	*at += strspn(*at, " ,");
	if (!**at)
		return false;
	size_t n = strcspn(*at, ",");
	const char *equals = (const char *)memchr(*at, '=', n);
	*account = *at;
	*account_len = equals ? (size_t)(equals - *at) : n;
	*server = equals ? equals + 1 : "";
	*server_len = equals ? n - *account_len - 1 : 0;
	*at += n;
	return true;
}

static const char *moved_to(struct arena *arena, const char *moved, const char *account)
{
	const char *name, *server;
	size_t name_len, server_len;

	while (moved && next_moved(&moved, &name, &name_len, &server, &server_len)) {
		const char *one = arena_strndup(arena, name, name_len);
		if (one && text_casecmp(one, account) == 0)
			return arena_strndup(arena, server, server_len);
	}
	return NULL;
}

struct policy_elsewhere policy_find(struct arena *arena, const char *moved, const char *account, const char *redirect)
{
	struct policy_elsewhere e = {.server = moved_to(arena, moved, account)};
	const char *scheme = redirect ? strstr(redirect, "://") : NULL;

	if (e.server) {
		e.url = arena_printf(arena, "https://%s/autodiscover/autodiscover.xml", e.server);
	} else if (scheme) {
		e.url = arena_strdup(arena, redirect);
		e.server = arena_strndup(arena, scheme + 3, strcspn(scheme + 3, ":/"));
	} else if (redirect) {
		e.address = arena_strdup(arena, redirect);
	}
	e.moved = e.server || e.address;
	return e;
}

int policy_check(const char *blocked, const char *moved, char why[512])
{
	uint16_t low[NUMBERS], high[NUMBERS];
	const char *name, *server, *at = blocked;
	size_t name_len, server_len;
	bool bad = false;

	while (at && next_range(&at, low, high, &bad))
		if (compare(low, high) > 0)
			bad = true;
	if (bad) {
		snprintf(why, 512, "'%.100s' names no versions: ranges such as 0.0.0-11.65535.65535, joined by ';'",
		         blocked);
		return MW_E_INVALID;
	}
	while (moved && next_moved(&moved, &name, &name_len, &server, &server_len))
		if (!name_len || !server_len || server_len > 200) {
			snprintf(why, 512, "'%.*s' names no moved mailbox: ACCOUNT=SERVER",
			         (int)(name_len + server_len < 100 ? name_len + server_len + 1 : 100), name);
			return MW_E_INVALID;
		}
	return 0;
}
