#include "http/private.h"

#include <stdlib.h>
#include <string.h>

/* Lines end with CRLF alone, RFC 9112 2.2: who takes a bare LF reads other messages than a proxy that does not. */

void http_lines_clear(struct http_lines *l)
{
	buf_clear(&l->bytes);
	free(l->fields);
	l->fields = NULL;
	l->line = l->count = 0;
}

void http_lines_free(struct http_lines *l)
{
	http_lines_clear(l);
	buf_free(&l->bytes);
}

static int wrong_line(struct http_wrong *wrong, const char *why, unsigned status)
{
	*wrong = (struct http_wrong){why, status};
	return MW_E_MALFORMED;
}

static int check_line(const uint8_t *line, size_t len, struct http_wrong *wrong)
{
	if (len < 2 || line[len - 2] != '\r')
		return wrong_line(wrong, "a line ends with a bare LF", 400);
	if (memchr(line, '\r', len - 2))
		return wrong_line(wrong, "a bare CR inside a line", 400);
	if (memchr(line, 0, len))
		return wrong_line(wrong, "a zero byte inside a line", 400);
	return 0;
}

/* Appends up to and with the next LF: 1 when the line is whole and good. */
static int take_line(struct http_lines *l, const uint8_t *data, size_t len, size_t max, size_t *used,
                     struct http_wrong *wrong)
{
	const uint8_t *lf = len > 0 ? memchr(data, '\n', len) : NULL;
	size_t n = lf ? (size_t)(lf - data) + 1 : len, room = max - l->bytes.len;
	*used = n < room ? n : room;
	if (n > room)
		return wrong_line(wrong, "the head is too long", 431);
	if (buf_put(&l->bytes, data, n) < 0)
		return wrong_line(wrong, "out of memory", 503);
	if (!lf)
		return 0;
	int r = check_line(l->bytes.data + l->line, l->bytes.len - l->line, wrong);
	return r < 0 ? r : 1;
}

int http_lines_take(struct http_lines *l, const uint8_t *data, size_t len, size_t max, size_t *used,
                    struct http_wrong *wrong)
{
	*used = 0;
	while (*used < len) {
		size_t n;
		int r = take_line(l, data + *used, len - *used, max, &n, wrong);
		*used += n;
		if (r <= 0)
			return r;
		if (l->bytes.len - l->line == 2)
			return 1;
		l->line = l->bytes.len;
	}
	return 0;
}

int http_lines_take_one(struct http_lines *l, const uint8_t *data, size_t len, size_t max, size_t *used, char **line,
                        struct http_wrong *wrong)
{
	int r = take_line(l, data, len, max, used, wrong);
	if (r <= 0)
		return r;
	l->bytes.data[l->bytes.len - 2] = '\0';
	*line = (char *)l->bytes.data;
	return 1;
}

/* "Name: value" in place; without space before the colon, which some read as another name (9112 5.1). */
static int parse_field(char *line, char *end, struct http_field *out, struct http_wrong *wrong)
{
	if (*line == ' ' || *line == '\t')
		return wrong_line(wrong, "a folded line", 400);
	char *colon = memchr(line, ':', (size_t)(end - line));
	if (!colon)
		return wrong_line(wrong, "a field without a colon", 400);
	*colon = *end = '\0';
	if (!http_is_token(line))
		return wrong_line(wrong, "a field's name has bytes that no name has", 400);
	char *value = colon + 1 + strspn(colon + 1, " \t");
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (!http_is_value(value))
		return wrong_line(wrong, "a control character in a field", 400);
	*out = (struct http_field){line, value};
	return 0;
}

static unsigned count_lines(const struct http_lines *l, size_t at)
{
	unsigned count = 0;
	for (size_t i = at; i < l->bytes.len; i++)
		count += l->bytes.data[i] == '\n';
	return count - 1; /* the empty one */
}

int http_lines_parse(struct http_lines *l, size_t at, unsigned max_fields, struct http_wrong *wrong)
{
	unsigned count = count_lines(l, at);
	if (count > max_fields)
		return wrong_line(wrong, "too many fields", 431);
	l->fields = (struct http_field *)calloc(count ? count : 1, sizeof *l->fields);
	if (!l->fields)
		return wrong_line(wrong, "out of memory", 503);
	char *line = (char *)l->bytes.data + at;
	for (unsigned i = 0; i < count; i++) {
		char *lf = strchr(line, '\n');
		int r = parse_field(line, lf - 1, &l->fields[i], wrong);
		if (r < 0)
			return r;
		line = lf + 1;
	}
	l->count = count;
	return 0;
}
