#include "fuzz.h"

#include "base/time.h"
#include "http/field.h"

#include <string.h>

/*
 * One side of an HTTP connection. The first byte: role (0 client, 1 server, 2 and 3 observer of either side) and how
 * many bytes arrive at a time. What is told must not depend on the portions, and what a server answers must be read
 * by a client as it was meant.
 */

struct telling {
	struct buf text, body;
	unsigned answers, closed;
	bool after_closed;
};

static void flush_body(struct telling *t)
{
	if (t->body.len > 0) {
		buf_put_str(&t->text, "body ");
		buf_put(&t->text, t->body.data, t->body.len);
	}
	buf_clear(&t->body);
}

static void put_fields(struct buf *out, const struct http_field *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		must(http_is_token(f[i].name) && http_is_value(f[i].value));
		buf_printf(out, "[%s|%s]", f[i].name, f[i].value);
	}
}

static void put_head(struct telling *t, const struct http_head *h)
{
	char path[64], cookie[8];
	buf_printf(&t->text, "%s %s %u %s %u %d %llu", h->method ? h->method : "", h->target ? h->target : "",
	           h->status, h->reason ? h->reason : "", h->minor, h->body, (unsigned long long)h->length);
	put_fields(&t->text, h->fields, h->field_count);
	if (h->target && http_target_path(h->target, path, sizeof path, NULL) == 0)
		must(path[0] == '/' && !strstr(path, "/../"));
	if (http_cookie(h, "a", cookie, sizeof cookie))
		must(strlen(cookie) < sizeof cookie);
}

static void on_event(void *user, struct http_connection *c, const struct http_event *e)
{
	struct telling *t = (struct telling *)user;
	must(t->closed == 0);
	must(e->first <= e->end);
	if (e->type == HTTP_EV_BODY) {
		must(e->len > 0);
		buf_put(&t->body, e->data, e->len);
		return;
	}
	flush_body(t);
	buf_printf(&t->text, "\n%d %s ", e->type, e->why ? e->why : "");
	if (e->type == HTTP_EV_REQUEST || e->type == HTTP_EV_RESPONSE)
		put_head(t, e->head);
	if (e->type == HTTP_EV_END)
		put_fields(&t->text, e->trailers, e->trailer_count);
	if (e->type == HTTP_EV_REQUEST)
		http_server_continue(c);
	if (e->type == HTTP_EV_END && e->from == HTTP_FROM_CLIENT) {
		struct http_head ok = {.status = 200};
		t->answers += http_send(c, &ok, "ok", 2) == 0;
	}
	t->closed += e->type == HTTP_EV_CLOSED;
}

static struct http_connection *open_role(enum http_role role, struct telling *t)
{
	struct http_config config = {
	        .role = role, .on_event = on_event, .user = t, .limits = {.max_head = 512, .max_fields = 8}};
	struct http_connection *c = http_connection_new(&config, 1);
	static const struct http_head ask = {.method = "GET", .target = "/"};
	if (role == HTTP_CLIENT)
		must(http_send(c, &ask, NULL, 0) == 0);
	return c;
}

static struct http_connection *run(enum http_role role, enum http_side from, struct telling *t, const uint8_t *data,
                                   size_t len, size_t step)
{
	struct http_connection *c = open_role(role, t);
	for (size_t at = 0; at < len;) {
		size_t n = step < len - at ? step : len - at;
		size_t took = http_feed(c, from, data + at, n, 2);
		must(took == n);
		at += n;
	}
	http_eof(c, from, 3);
	flush_body(t);
	return c;
}

/* A server's answers, as a client reads them: as many as were given, none damaged. */
static void check_answers(struct buf *out, unsigned answers)
{
	struct telling t = {0};
	struct http_connection *c = open_role(HTTP_OBSERVER, &t);
	http_feed(c, HTTP_FROM_SERVER, out->data ? out->data : (const uint8_t *)"", out->len, 2);
	http_eof(c, HTTP_FROM_SERVER, 3);
	buf_put_u8(&t.text, 0);
	unsigned seen = 0;
	char damaged[8] = {'\n', '0' + HTTP_EV_DAMAGED, ' '};
	must(!strstr((char *)t.text.data, damaged));
	for (const char *p = (char *)t.text.data; (p = strstr(p, " 200 OK ")); p++)
		seen++;
	must(seen == answers);
	http_connection_free(&c);
	buf_free(&t.text);
	buf_free(&t.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	enum http_role role = data[0] % 4 < 2 ? (enum http_role)(data[0] % 4) : HTTP_OBSERVER;
	enum http_side from = data[0] % 4 == 1 || data[0] % 4 == 3 ? HTTP_FROM_CLIENT : HTTP_FROM_SERVER;
	struct telling whole = {0}, parts = {0};
	struct http_connection *a = run(role, from, &whole, data + 1, size - 1, size);
	struct http_connection *b = run(role, from, &parts, data + 1, size - 1, data[0] / 4 % 8 + 1);
	must(whole.text.len == parts.text.len);
	must(whole.text.len == 0 || memcmp(whole.text.data, parts.text.data, whole.text.len) == 0);
	bool head_only = memmem(data, size, "HEAD", 4) || memmem(data, size, "CONNECT", 7);
	if (role == HTTP_SERVER && !head_only)
		check_answers(http_output(a), whole.answers);
	http_connection_free(&a);
	http_connection_free(&b);
	buf_free(&whole.text);
	buf_free(&whole.body);
	buf_free(&parts.text);
	buf_free(&parts.body);
	return 0;
}
