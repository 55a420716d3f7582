#include "http/private.h"

#include <string.h>

/* What one side sends, into heads, bodies and ends. Each step takes some bytes; none is looked at twice. */

static struct http_stream *stream(struct http_connection *c, enum http_side from)
{
	return &c->streams[from];
}

void http_stream_restart(struct http_stream *s)
{
	s->reading = HTTP_AT_START;
	http_lines_clear(&s->lines);
	http_lines_clear(&s->after);
	s->head = (struct http_head){0};
	s->head_told = false;
	s->blank = 0;
}

void http_read_damaged(struct http_connection *c, enum http_side from, const struct http_wrong *wrong)
{
	struct http_stream *s = stream(c, from);
	struct http_event e = {
	        .type = HTTP_EV_DAMAGED,
	        .first = s->offset,
	        .end = s->offset,
	        .status = wrong->status,
	        .why = wrong->why,
	};
	http_raise(c, from, &e);
	if (http_is_observer(c))
		http_hunt_begin(c, from);
	else if (http_is_server(c))
		http_server_refuse(c, wrong);
	else
		http_over(c, wrong->why);
}

void http_read_end(struct http_connection *c, enum http_side from)
{
	struct http_stream *s = stream(c, from);
	struct http_event e = {
	        .type = HTTP_EV_END,
	        .first = s->offset,
	        .end = s->offset,
	        .trailers = s->after.fields,
	        .trailer_count = s->after.count,
	};
	bool goes_on = s->head.keep_alive;
	s->reading = HTTP_READ;
	if (!http_is_server(c) || !http_server_discards(c, 0))
		http_raise(c, from, &e);
	if (c->over)
		return;
	if (http_is_server(c)) {
		http_server_settle(c);
		return;
	}
	http_stream_restart(s);
	if (c->config.role == HTTP_CLIENT) {
		c->last = c->last || !goes_on;
		http_client_settle(c);
	}
}

static void begin_body(struct http_connection *c, enum http_side from)
{
	struct http_stream *s = stream(c, from);
	s->received = 0;
	s->left = s->head.length;
	switch (s->head.body) {
	case HTTP_LENGTH:
		s->reading = HTTP_IN_BODY;
		break;
	case HTTP_CHUNKED:
		s->reading = HTTP_IN_CHUNK_LINE;
		break;
	case HTTP_TO_CLOSE:
		s->reading = HTTP_IN_BODY_REST;
		break;
	case HTTP_NO_BODY:
		s->reading = HTTP_READ;
		break;
	}
}

/* An interim answer (RFC 9110 15.2) has no end of its own. */
static bool is_interim(const struct http_stream *s)
{
	return s->head.status / 100 == 1 && s->head.body == HTTP_NO_BODY;
}

static void tell_head(struct http_connection *c, enum http_side from)
{
	struct http_stream *s = stream(c, from);
	struct http_event e = {
	        .type = from == HTTP_FROM_CLIENT ? HTTP_EV_REQUEST : HTTP_EV_RESPONSE,
	        .first = s->head_at,
	        .end = s->offset,
	};
	s->head_told = true;
	begin_body(c, from);
	if (from == HTTP_FROM_CLIENT && http_is_server(c))
		http_server_asked(c);
	else if (from == HTTP_FROM_CLIENT)
		http_asked_push(c, s->head.method);
	http_raise(c, from, &e);
	if (http_is_server(c))
		http_server_settle(c);
	if (c->over)
		return;
	if (from == HTTP_FROM_SERVER && is_interim(s))
		http_stream_restart(s);
	else if (s->reading == HTTP_READ)
		http_read_end(c, from);
}

static size_t read_head(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = stream(c, from);
	struct http_wrong wrong;
	size_t used;
	int r = http_lines_take(&s->lines, data, len, c->config.limits.max_head, &used, &wrong);
	s->offset += used;
	if (r == 0)
		return used;
	enum http_asked asked = HTTP_ASKED_OTHER;
	if (r > 0 && from == HTTP_FROM_SERVER)
		asked = http_asked_first(c);
	if (r > 0)
		r = http_head_parse(c, s, from == HTTP_FROM_CLIENT, asked, &wrong);
	if (r < 0) {
		http_read_damaged(c, from, &wrong);
		return used;
	}
	if (from == HTTP_FROM_SERVER && !is_interim(s))
		http_asked_pop(c);
	tell_head(c, from);
	return used;
}

/* The empty line that may stand before a head, then its first byte. */
static size_t read_start(struct http_connection *c, enum http_side from, uint8_t byte)
{
	struct http_stream *s = stream(c, from);
	static const struct http_wrong no_head = {"no HTTP begins here", 400};
	if ((s->blank == 0 && byte == '\r') || (s->blank == 1 && byte == '\n')) {
		s->blank++;
		s->offset++;
		return 1;
	}
	char first[2] = {(char)byte};
	if (s->blank == 1 || !http_is_token(first)) {
		http_read_damaged(c, from, &no_head);
		return 0;
	}
	if (c->config.role == HTTP_CLIENT && c->asked_count == 0) {
		http_read_damaged(c, from, &(struct http_wrong){"an answer to nothing", 0});
		return 0;
	}
	s->reading = HTTP_IN_HEAD;
	s->head_at = s->offset;
	c->since_ns = c->now_ns;
	return 0;
}

static size_t read_body(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = stream(c, from);
	bool bounded = s->reading == HTTP_IN_BODY;
	size_t n = bounded && s->left < len ? (size_t)s->left : len;
	struct http_event e = {.type = HTTP_EV_BODY, .first = s->offset, .end = s->offset + n, .data = data, .len = n};
	uint64_t max = c->config.limits.max_body;
	if (max && n > max - s->received) {
		http_read_damaged(c, from, &(struct http_wrong){"the body is too long", 413});
		return len;
	}
	s->offset += n;
	s->received += n;
	s->left -= bounded ? n : 0;
	if (bounded && s->left == 0)
		s->reading = s->head.body == HTTP_CHUNKED ? HTTP_IN_CHUNK_END : HTTP_READ;
	if (!http_is_server(c) || !http_server_discards(c, n)) {
		http_raise(c, from, &e);
		if (http_is_server(c))
			http_server_settle(c);
	}
	if (!c->over && s->reading == HTTP_READ)
		http_read_end(c, from);
	return n;
}

size_t http_read(struct http_connection *c, enum http_side from, const uint8_t *data, size_t len)
{
	struct http_stream *s = stream(c, from);
	switch (s->reading) {
	case HTTP_AT_START:
		return read_start(c, from, *data);
	case HTTP_IN_HEAD:
		return read_head(c, from, data, len);
	case HTTP_IN_BODY:
	case HTTP_IN_BODY_REST:
		return read_body(c, from, data, len);
	case HTTP_IN_CHUNK_LINE:
	case HTTP_IN_CHUNK_END:
	case HTTP_IN_TRAILERS:
		return http_read_chunks(c, from, data, len);
	case HTTP_READ:
		/* A request before the last one's answer: that one is answered, this one is not read. Two
		 * ends of a chain of proxies could think differently of which answer is whose. */
		c->last = true;
		s->offset += len;
		return len;
	case HTTP_HUNTING:
		return http_is_observer(c) ? http_hunt(c, from, data, len) : len;
	}
	return len;
}
