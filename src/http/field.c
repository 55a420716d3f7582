#include "http/field.h"

#include "base/text.h"

#include <string.h>

const char *http_field_next(const struct http_head *head, const char *name, unsigned *at)
{
	while (*at < head->field_count) {
		const struct http_field *f = &head->fields[(*at)++];
		if (text_casecmp(f->name, name) == 0)
			return f->value;
	}
	return NULL;
}

const char *http_field(const struct http_head *head, const char *name)
{
	unsigned at = 0;
	return http_field_next(head, name, &at);
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(const char *s)
{
	size_t n = 0;
	while (is_token_char(s[n]))
		n++;
	return n > 0 && !s[n];
}

bool http_is_value(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7F)
			return false;
	return true;
}

static bool same_token(const char *s, size_t len, const char *token)
{
	if (len != strlen(token))
		return false;
	for (size_t i = 0; i < len; i++) {
		char a[2] = {s[i]}, b[2] = {token[i]};
		if (text_casecmp(a, b) != 0)
			return false;
	}
	return true;
}

/* The next element of a list: from *s, which moves past its comma; NULL at the end. */
static const char *next_element(const char **s, size_t *len)
{
	const char *p = *s + strspn(*s, ", \t");
	if (!*p)
		return NULL;
	size_t n = strcspn(p, ",");
	*s = p + n;
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	*len = n;
	return p;
}

bool http_field_has(const struct http_head *head, const char *name, const char *token)
{
	unsigned at = 0;
	for (const char *value; (value = http_field_next(head, name, &at));) {
		size_t len;
		for (const char *e; (e = next_element(&value, &len));)
			if (same_token(e, len, token))
				return true;
	}
	return false;
}

/* One cookie-pair of RFC 6265 4.2.1: copies its value when it has that name. 1: found, 0: another, negative: too long.
 */
static int take_cookie(const char *pair, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	if (len <= n || memcmp(pair, name, n) != 0 || pair[n] != '=')
		return 0;
	pair += n + 1;
	len -= n + 1;
	if (len >= 2 && pair[0] == '"' && pair[len - 1] == '"') {
		pair++;
		len -= 2;
	}
	if (len >= size)
		return MW_E_LIMIT;
	memcpy(out, pair, len);
	out[len] = '\0';
	return 1;
}

bool http_cookie(const struct http_head *head, const char *name, char *out, size_t size)
{
	unsigned at = 0;
	for (const char *p; (p = http_field_next(head, "Cookie", &at));) {
		while (*(p += strspn(p, "; \t"))) {
			size_t len = strcspn(p, ";"), bare = len;
			while (bare > 0 && (p[bare - 1] == ' ' || p[bare - 1] == '\t'))
				bare--;
			int r = take_cookie(p, bare, name, out, size);
			if (r != 0)
				return r > 0;
			p += len;
		}
	}
	return false;
}

/* Up to the next comma that is in no quoted string. */
static size_t item_length(const char *s)
{
	bool quoted = false;
	size_t n = 0;
	for (; s[n] && (quoted || s[n] != ','); n++) {
		if (quoted && s[n] == '\\' && s[n + 1])
			n++;
		else if (s[n] == '"')
			quoted = !quoted;
	}
	return n;
}

static bool is_scheme(const char *item, size_t len, const char *scheme, const char **token, size_t *token_len)
{
	size_t n = strlen(scheme);
	if (len < n || strncasecmp(item, scheme, n) != 0 || (len > n && item[n] != ' '))
		return false;
	while (n < len && item[n] == ' ')
		n++;
	while (len > n && (item[len - 1] == ' ' || item[len - 1] == '\t'))
		len--;
	*token = item + n;
	*token_len = len - n;
	return true;
}

bool http_challenge(const struct http_head *head, const char *scheme, const char **token, size_t *len)
{
	unsigned at = 0;
	for (const char *v; (v = http_field_next(head, "WWW-Authenticate", &at));)
		while (*v) {
			v += strspn(v, " \t,");
			size_t n = item_length(v);
			if (is_scheme(v, n, scheme, token, len))
				return true;
			v += n;
		}
	return false;
}
