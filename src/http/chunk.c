#include "http/private.h"

#include <string.h>

/* Chunked bodies, RFC 9112 7.1. */

#define MAX_CHUNK_LINE 1024

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The size, and an extension that nothing here knows. */
static int parse_size(const char *line, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;
	for (int d; (d = hex_digit(line[n])) >= 0; n++) {
		if (v > INT64_MAX >> 4)
			return MW_E_LIMIT;
		v = v << 4 | (uint64_t)d;
	}
	const char *rest = line + n + strspn(line + n, " \t");
	if (n == 0 || n > 16 || (*rest && *rest != ';') || (!*rest && line[n]) || !http_is_value(rest))
		return MW_E_MALFORMED;
	*out = v;
	return 0;
}

static size_t damaged(struct http_connection *c, enum http_side from, size_t used, const char *why)
{
	http_read_damaged(c, from, &(struct http_wrong){why, 400});
	return used;
}

static size_t read_size(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = &c->streams[from];
	struct http_wrong wrong;
	size_t used;
	char *line;
	int r = http_lines_take_one(&s->after, data, len, MAX_CHUNK_LINE, &used, &line, &wrong);
	s->offset += used;
	if (r == 0)
		return used;
	if (r < 0 || parse_size(line, &s->left) < 0)
		return damaged(c, from, used, "a chunk's size is not one");
	http_lines_clear(&s->after);
	s->reading = s->left > 0 ? HTTP_IN_BODY : HTTP_IN_TRAILERS;
	return used;
}

/* Where the size said, the chunk must end. */
static size_t read_data_end(struct http_connection *c, enum http_side from, uint8_t byte)
{
	struct http_stream *s = &c->streams[from];
	if (byte != (s->left == 0 ? '\r' : '\n'))
		return damaged(c, from, 1, "a chunk is longer than its size");
	s->offset++;
	if (s->left++ == 1)
		s->reading = HTTP_IN_CHUNK_LINE;
	return 1;
}

static size_t read_trailers(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = &c->streams[from];
	const struct http_limits *limits = &c->config.limits;
	struct http_wrong wrong;
	size_t used;
	int r = http_lines_take(&s->after, data, len, limits->max_head, &used, &wrong);
	s->offset += used;
	if (r > 0)
		r = http_lines_parse(&s->after, 0, limits->max_fields, &wrong) < 0 ? MW_E_MALFORMED : 1;
	if (r < 0)
		http_read_damaged(c, from, &wrong);
	else if (r > 0)
		http_read_end(c, from);
	return used;
}

size_t http_read_chunks(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	switch (c->streams[from].reading) {
	case HTTP_IN_CHUNK_LINE:
		return read_size(c, from, data, len);
	case HTTP_IN_CHUNK_END:
		return read_data_end(c, from, *data);
	default:
		return read_trailers(c, from, data, len);
	}
}
