#include "http/field.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Past "http://host" of an absolute form (RFC 9112 3.2.2), which names no other host than the one that was asked. */
static const char *skip_authority(const char *target)
{
	size_t n = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
	if (n == 0)
		return target;
	target += n;
	return target + strcspn(target, "/?");
}

static int decode_path(const char *s, size_t len, char *out, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (c == '%') {
			int high = i + 1 < len ? hex_digit(s[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
			if (high < 0 || low < 0)
				return MW_E_MALFORMED;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c || c == '\\')
			return MW_E_MALFORMED;
		if (n + 1 >= size)
			return MW_E_LIMIT;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

static bool climbs(const char *path)
{
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (!p[3] || p[3] == '/')
			return true;
	return false;
}

int http_target_path(const char *target, char *path, size_t size, const char **query)
{
	const char *p = skip_authority(target);
	size_t len = strcspn(p, "?");
	bool rooted = *p == '/' || (p != target && len == 0);
	if (!rooted)
		return MW_E_MALFORMED;
	/* "http://host" alone stands for its root. */
	int r = len == 0 ? decode_path("/", 1, path, size) : decode_path(p, len, path, size);
	if (r == 0 && climbs(path))
		r = MW_E_MALFORMED;
	if (r == 0 && query)
		*query = p[len] ? p + len + 1 : NULL;
	return r;
}
