#include "http/private.h"

#include <stdlib.h>
#include <string.h>

/* An observer that has lost its place, or came late: it waits for a line that begins a head. */

#define MAX_LINE 8192

static const char *const methods[] = {"RPC_IN_DATA ", "RPC_OUT_DATA ", "POST ",   "GET ",    "HEAD ",
                                      "OPTIONS ",     "PUT ",          "DELETE ", "CONNECT "};

void http_hunt_begin(struct http_connection *c, enum http_side from)
{
	struct http_stream *s = &c->streams[from];
	http_stream_restart(s);
	s->reading = HTTP_HUNTING;
}

/* Where in the line a request or an answer could begin: what stands before it is the rest of a body. */
static const char *find_start(const char *line, enum http_side from)
{
	if (from == HTTP_FROM_SERVER)
		return strstr(line, "HTTP/1.");
	if (!strstr(line, " HTTP/1."))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		const char *p = strstr(line, methods[i]);
		if (p)
			return p;
	}
	return NULL;
}

/* The line is whole; what stands before its last zero byte is the rest of a body, too. */
static bool begins_head(struct http_stream *s, enum http_side from)
{
	struct buf *b = &s->after.bytes;
	size_t n = b->len;
	if (n < 2 || b->data[n - 2] != '\r')
		return false;
	const uint8_t *zero = (const uint8_t *)memrchr(b->data, 0, n);
	b->data[n - 1] = '\0';
	const char *start = find_start((const char *)(zero ? zero + 1 : b->data), from);
	b->data[n - 1] = '\n';
	if (!start)
		return false;
	size_t skip = (size_t)((const uint8_t *)start - b->data);
	if (buf_put(&s->lines.bytes, start, n - skip) < 0)
		return false;
	s->lines.line = s->lines.bytes.len;
	s->head_at = s->offset - (n - skip);
	return true;
}

size_t http_hunt(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = &c->streams[from];
	const uint8_t *lf = memchr(data, '\n', len);
	size_t n = lf ? (size_t)(lf - data) + 1 : len, kept = n < MAX_LINE ? n : MAX_LINE;
	if (s->after.bytes.len + kept > MAX_LINE)
		buf_clear(&s->after.bytes);
	s->offset += n;
	if (buf_put(&s->after.bytes, data + (n - kept), kept) < 0 || !lf)
		return n;
	if (begins_head(s, from))
		s->reading = HTTP_IN_HEAD;
	buf_clear(&s->after.bytes);
	return n;
}
