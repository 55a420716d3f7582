#ifndef MW_TESTS_HTTP_SCRIPT_H
#define MW_TESTS_HTTP_SCRIPT_H

#include "http/http.h"

#include <stdio.h>
#include <string.h>

/* What a connection tells, as one text: what arrives in pieces reads as if it came at once. */
struct script {
	struct http_connection *c;
	struct buf log, body;
	/* A server's handler: what it does at a head and at an end; NULL: it answers 200 "ok" at the end. */
	void (*on_request)(struct script *s, const struct http_head *head);
	void (*on_end)(struct script *s);
	bool keeps_quiet; /* never answers by itself */
	unsigned closed;
};

static inline void script_flush(struct script *s)
{
	if (s->body.len > 0)
		buf_printf(&s->log, "body \"%.*s\"\n", (int)s->body.len, (const char *)s->body.data);
	buf_clear(&s->body);
}

static inline void script_put_fields(struct buf *log, const struct http_field *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		buf_printf(log, " [%s|%s]", f[i].name, f[i].value);
	buf_put_str(log, "\n");
}

static inline void script_put_head(struct script *s, const struct http_head *h)
{
	static const char *const bodies[] = {"none", "length", "chunked", "to-close"};
	buf_printf(&s->log, " 1.%u %s %llu%s%s", h->minor, bodies[h->body], (unsigned long long)h->length,
	           h->keep_alive ? " keep" : "", h->expects_continue ? " expects" : "");
	script_put_fields(&s->log, h->fields, h->field_count);
}

static inline void script_answer(struct script *s)
{
	static const struct http_head ok = {.status = 200};
	if (s->on_end)
		s->on_end(s);
	else if (!s->keeps_quiet)
		(void)!http_send(s->c, &ok, "ok", 2);
}

static inline void script_event(void *user, struct http_connection *c, const struct http_event *e)
{
	struct script *s = (struct script *)user;
	const struct http_head *h = e->head;
	(void)c;
	if (e->type != HTTP_EV_BODY)
		script_flush(s);
	switch (e->type) {
	case HTTP_EV_REQUEST:
		buf_printf(&s->log, "request %s %s", h->method, h->target);
		script_put_head(s, h);
		if (s->on_request)
			s->on_request(s, h);
		break;
	case HTTP_EV_RESPONSE:
		buf_printf(&s->log, "response %u %s", h->status, h->reason);
		script_put_head(s, h);
		break;
	case HTTP_EV_BODY:
		buf_put(&s->body, e->data, e->len);
		break;
	case HTTP_EV_END:
		buf_put_str(&s->log, "end");
		script_put_fields(&s->log, e->trailers, e->trailer_count);
		if (e->from == HTTP_FROM_CLIENT)
			script_answer(s);
		break;
	case HTTP_EV_DAMAGED:
		buf_printf(&s->log, "damaged %u %s\n", e->status, e->why);
		break;
	case HTTP_EV_GAP:
		buf_printf(&s->log, "gap %zu\n", e->len);
		break;
	case HTTP_EV_CLOSED:
		buf_printf(&s->log, "closed%s%s\n", e->why ? " " : "", e->why ? e->why : "");
		s->closed++;
		break;
	}
}

static inline void script_open(struct script *s, enum http_role role, const struct http_limits *limits)
{
	struct http_config config = {.role = role, .on_event = script_event, .user = s};
	if (limits)
		config.limits = *limits;
	s->c = http_connection_new(&config, 0);
}

static inline void script_close(struct script *s)
{
	http_connection_free(&s->c);
	buf_free(&s->log);
	buf_free(&s->body);
}

/* step: bytes at a time; 0: all at once. */
static inline void script_feed(struct script *s, enum http_side from, const char *text, size_t step)
{
	size_t len = strlen(text);
	for (size_t at = 0; at < len;) {
		size_t n = step && step < len - at ? step : len - at;
		at += http_feed(s->c, from, text + at, n, 1);
	}
}

static inline const char *script_text(struct buf *b)
{
	buf_put_u8(b, 0);
	b->len--;
	return (const char *)b->data;
}

#endif
