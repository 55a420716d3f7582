#include "http/private.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* The server's half: one request at a time, its answer, deadlines, refusals. */

#define BODY_BYTES_PER_S 1024

void http_server_asked(struct http_connection *c)
{
	const struct http_head *h = &c->streams[HTTP_FROM_CLIENT].head;
	c->sending = HTTP_DUE;
	c->minor = h->minor;
	c->mute = strcmp(h->method, "HEAD") == 0;
	c->continue_due = h->expects_continue;
	c->last = c->last || !h->keep_alive;
	c->own_pace = c->fresh = false;
	c->since_ns = c->now_ns;
	c->discarded = 0;
}

/* What a body that comes after its answer would still cost; more than that, and the connection goes. */
static bool too_much_to_discard(const struct http_connection *c)
{
	const struct http_stream *s = &c->streams[HTTP_FROM_CLIENT];
	uint64_t left = s->head.body == HTTP_LENGTH && s->reading == HTTP_IN_BODY ? s->left : 0;
	return left > c->config.limits.max_discard - c->discarded;
}

bool http_server_must_close(const struct http_connection *c)
{
	return c->last || too_much_to_discard(c);
}

void http_server_settle(struct http_connection *c)
{
	struct http_stream *s = &c->streams[HTTP_FROM_CLIENT];
	/* A callback may still look into the head of what it has answered: whoever raised it settles. */
	if (c->over || c->raising || c->sending != HTTP_NOTHING_DUE || !s->head_told)
		return;
	if (http_server_must_close(c)) {
		http_over(c, NULL);
		return;
	}
	c->since_ns = -1; /* the next call tells the time: an answer may have come long after the last one */
	c->own_pace = c->continue_due = false;
	if (s->reading == HTTP_READ)
		http_stream_restart(s);
}

bool http_server_discards(struct http_connection *c, size_t n)
{
	if (c->sending != HTTP_NOTHING_DUE)
		return false;
	if (n > c->config.limits.max_discard - c->discarded)
		http_over(c, "a long body after its answer");
	else
		c->discarded += n;
	return true;
}

static void answer_wrong(struct http_connection *c, const struct http_wrong *wrong)
{
	char text[160];
	static const struct http_field fields[] = {{"Content-Type", "text/plain"}};
	struct http_head h = {.status = wrong->status, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	snprintf(text, sizeof text, "This is no request that this server takes: %s.\n", wrong->why);
	if (http_send(c, &h, text, strlen(text)) < 0)
		http_over(c, "out of memory");
}

void http_server_refuse(struct http_connection *c, const struct http_wrong *wrong)
{
	bool told = c->streams[HTTP_FROM_CLIENT].head_told;
	if (c->sending == HTTP_DUE || !told) {
		if (!told) {
			c->mute = false;
			c->minor = 1;
		}
		c->last = true;
		c->sending = HTTP_DUE;
		answer_wrong(c, wrong);
	}
	http_over(c, wrong->why);
}

int64_t http_server_deadline(const struct http_connection *c)
{
	const struct http_limits *l = &c->config.limits;
	const struct http_stream *s = &c->streams[HTTP_FROM_CLIENT];
	int64_t seconds = s->received < (uint64_t)1 << 40 ? (int64_t)(s->received / BODY_BYTES_PER_S) : 1 << 30;
	if (c->since_ns < 0)
		return c->now_ns; /* to be told the time */
	switch (s->reading) {
	case HTTP_AT_START:
		return c->since_ns + (c->fresh ? l->head_ns : l->idle_ns);
	case HTTP_IN_HEAD:
		return c->since_ns + l->head_ns;
	case HTTP_READ:
	case HTTP_HUNTING:
		return INT64_MAX;
	default:
		if (c->paused || c->paused_at_ns || c->own_pace)
			return INT64_MAX;
		return c->since_ns + l->body_ns + seconds * NS_PER_S;
	}
}

void http_server_late(struct http_connection *c)
{
	const struct http_stream *s = &c->streams[HTTP_FROM_CLIENT];
	bool idle = s->reading == HTTP_AT_START;
	if (idle || (s->head_told && c->sending == HTTP_NOTHING_DUE))
		http_over(c, idle ? NULL : "a body that does not end");
	else
		http_read_damaged(c, HTTP_FROM_CLIENT, &(struct http_wrong){"the request takes too long", 408});
}

void http_server_continue(struct http_connection *c)
{
	if (!c->continue_due || c->sending != HTTP_DUE)
		return;
	c->continue_due = false;
	if (buf_put_str(&c->output, "HTTP/1.1 100 Continue\r\n\r\n") < 0)
		http_over(c, "out of memory");
}

void http_server_no_body_deadline(struct http_connection *c)
{
	c->own_pace = true;
}
