#include "http/private.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

static void set_defaults(struct http_limits *l)
{
	l->max_head = l->max_head ? l->max_head : (size_t)64 << 10;
	l->max_fields = l->max_fields ? l->max_fields : 100;
	l->max_discard = l->max_discard ? l->max_discard : (size_t)256 << 10;
	l->idle_ns = l->idle_ns ? l->idle_ns : 120 * NS_PER_S;
	l->head_ns = l->head_ns ? l->head_ns : 30 * NS_PER_S;
	l->body_ns = l->body_ns ? l->body_ns : 60 * NS_PER_S;
}

struct http_connection *http_connection_new(const struct http_config *config, int64_t now_ns)
{
	struct http_connection *c = (struct http_connection *)calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->config = *config;
	set_defaults(&c->config.limits);
	c->now_ns = c->since_ns = now_ns;
	c->fresh = true;
	return c;
}

void http_connection_free(struct http_connection **connection)
{
	struct http_connection *c = *connection;
	if (!c)
		return;
	*connection = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(c->streams); i++) {
		http_lines_free(&c->streams[i].lines);
		http_lines_free(&c->streams[i].after);
	}
	buf_free(&c->output);
	free(c);
}

void http_raise(struct http_connection *c, enum http_side from, struct http_event *event)
{
	struct http_stream *s = &c->streams[from];
	event->from = from;
	bool inside = c->raising;
	event->head = s->head_told ? &s->head : NULL;
	c->raising = true;
	c->config.on_event(c->config.user, c, event);
	c->raising = inside;
}

void http_over(struct http_connection *c, const char *why)
{
	if (c->over)
		return;
	c->over = true;
	struct http_event e = {.type = HTTP_EV_CLOSED, .why = why};
	http_raise(c, http_is_server(c) ? HTTP_FROM_CLIENT : HTTP_FROM_SERVER, &e);
}

/* The clock of a body stands while we do not want it. */
static void set_now(struct http_connection *c, int64_t now_ns)
{
	c->now_ns = now_ns;
	if (c->since_ns < 0)
		c->since_ns = now_ns;
	if (!c->paused && c->paused_at_ns) {
		c->since_ns += now_ns - c->paused_at_ns;
		c->paused_at_ns = 0;
	}
}

size_t http_feed(struct http_connection *c, enum http_side from, const void *data, size_t len, int64_t now_ns)
{
	const uint8_t *p = (const uint8_t *)data;
	size_t left = len;
	set_now(c, now_ns);
	while (left > 0 && !c->paused && !c->over) {
		size_t used = http_read(c, from, p, left);
		p += used;
		left -= used;
	}
	return c->over ? len : len - left;
}

static bool between_messages(const struct http_connection *c, enum http_side from)
{
	const struct http_stream *s = &c->streams[from];
	return s->reading == HTTP_AT_START || s->reading == HTTP_HUNTING || s->reading == HTTP_READ;
}

void http_eof(struct http_connection *c, enum http_side from, int64_t now_ns)
{
	struct http_stream *s = &c->streams[from];
	set_now(c, now_ns);
	if (c->over)
		return;
	/* A server that has answered does not miss the rest of the body; whose body has its own pace ends it by going.
	 */
	bool answered = http_is_server(c) && s->head_told && (c->sending == HTTP_NOTHING_DUE || c->own_pace);
	if (s->reading == HTTP_IN_BODY_REST)
		http_read_end(c, from);
	else if (answered)
		http_over(c, NULL);
	else if (!between_messages(c, from))
		http_read_damaged(c, from, &(struct http_wrong){"the connection ended inside a message", 400});
	if (!http_is_observer(c))
		http_over(c, c->sending == HTTP_NOTHING_DUE && c->asked_count == 0 ? NULL : "the peer left");
}

/* A hole inside a body leaves its end where it was. */
void http_gap(struct http_connection *c, enum http_side from, uint64_t n)
{
	struct http_stream *s = &c->streams[from];
	struct http_event e = {.type = HTTP_EV_GAP, .first = s->offset, .end = s->offset + n, .len = (size_t)n};
	bool goes_on = n > 0 && (s->reading == HTTP_IN_BODY_REST || (s->reading == HTTP_IN_BODY && n < s->left));
	s->offset += n;
	if (n > 0)
		http_raise(c, from, &e);
	if (!goes_on) {
		http_hunt_begin(c, from);
		return;
	}
	s->received += n;
	if (s->reading == HTTP_IN_BODY)
		s->left -= n;
}

void http_pause(struct http_connection *c, bool paused)
{
	if (paused && !c->paused && !c->paused_at_ns)
		c->paused_at_ns = c->now_ns;
	c->paused = paused;
}

void http_set_user(struct http_connection *c, http_event_fn on_event, void *user)
{
	c->config.on_event = on_event;
	c->config.user = user;
}

struct buf *http_output(struct http_connection *c)
{
	return &c->output;
}

int64_t http_deadline(const struct http_connection *c)
{
	return http_is_server(c) && !c->over ? http_server_deadline(c) : INT64_MAX;
}

void http_tick(struct http_connection *c, int64_t now_ns)
{
	bool due = now_ns >= http_deadline(c) && c->since_ns >= 0;
	set_now(c, now_ns);
	if (due)
		http_server_late(c);
}

void http_close(struct http_connection *c)
{
	c->last = true;
	if (http_is_server(c) ? c->sending == HTTP_NOTHING_DUE : http_client_is_idle(c))
		http_over(c, NULL);
}

/* ---- What answers are to ---- */

void http_asked_push(struct http_connection *c, const char *method)
{
	if (c->asked_count == HTTP_MAX_ASKED)
		return;
	enum http_asked what = strcmp(method, "HEAD") == 0      ? HTTP_ASKED_HEAD
	                       : strcmp(method, "CONNECT") == 0 ? HTTP_ASKED_CONNECT
	                                                        : HTTP_ASKED_OTHER;
	c->asked[(c->asked_first + c->asked_count++) % HTTP_MAX_ASKED] = what;
}

enum http_asked http_asked_first(const struct http_connection *c)
{
	return c->asked_count > 0 ? c->asked[c->asked_first] : HTTP_ASKED_OTHER;
}

void http_asked_pop(struct http_connection *c)
{
	if (c->asked_count == 0)
		return;
	c->asked_first = (c->asked_first + 1) % HTTP_MAX_ASKED;
	c->asked_count--;
}
