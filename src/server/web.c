#include "base/text.h"
#include "base/time.h"
#include "server/tls_files.h"
#include "server/web_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FIELDS 40

static struct web_conn **bucket(struct server_loop *loop, uint64_t id)
{
	return &loop->webs_by_id[id % ARRAY_SIZE(loop->webs_by_id)];
}

void web_hash_in(struct web_conn *c)
{
	struct server_loop *loop = c->request.loop;
	c->request.id = loop->next_conn++;
	struct web_conn **b = bucket(loop, c->request.id);
	c->hash_next = *b;
	*b = c;
}

void web_hash_out(struct web_conn *c)
{
	struct web_conn **b = bucket(c->request.loop, c->request.id);
	while (*b != c)
		b = &(*b)->hash_next;
	*b = c->hash_next;
}

struct web_request *web_find(struct server_loop *loop, uint64_t id)
{
	struct web_conn *c = *bucket(loop, id);
	while (c && c->request.id != id)
		c = c->hash_next;
	return c && c->open ? &c->request : NULL;
}

void web_conn_free(struct web_conn *c)
{
	http_connection_free(&c->http);
	tls_free(&c->tls);
	web_auth_clear(&c->auth);
	buf_free(&c->left);
	buf_free(&c->request.body);
	free(c);
}

static const struct log *log_of(const struct web_conn *c)
{
	return c->request.server->config.log;
}

/* ---- Answers ---- */

static void forget_request(struct web_conn *c)
{
	c->open = c->plenty = false;
	buf_free(&c->request.body);
	c->request.state = NULL;
	c->request.head = NULL;
}

static void tell_gone(struct web_conn *c)
{
	if (!c->open)
		return;
	c->open = false;
	if (c->request.route->gone)
		c->request.route->gone(&c->request);
	forget_request(c);
}

static void send_later(struct web_conn *c)
{
	if (!c->in_feed)
		loop_send_later(c->request.loop, &c->unsent, 0, time_monotonic_ns());
}

static void check(struct web_conn *c, int result)
{
	if (result < 0) {
		log_line(log_of(c), LOG_WARNING, "%s: an answer could not be sent: %s", c->path, mw_strerror(result));
		web_abort(&c->request);
	}
}

static void count_answer(const struct web_conn *c, unsigned status)
{
	unsigned class = status / 100 < 6 ? status / 100 : 5;
	atomic_fetch_add_explicit(&c->request.server->http_answers[class], 1, memory_order_relaxed);
}

const char *web_date(struct server_loop *loop, time_t when)
{
	struct tm tm;
	if (loop->date_s == when && *loop->date)
		return loop->date;
	loop->date_s = when;
	strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
	return loop->date;
}

static int begin_answer(struct web_conn *c, const struct http_head *head,
                        int (*send)(struct web_conn *c, const struct http_head *head, const void *data, size_t len),
                        const void *data, size_t len)
{
	struct http_field fields[MAX_FIELDS + 2];
	struct buf token MW_CLEANUP(buf_free) = {0};
	struct http_head h = *head;
	if (h.field_count > MAX_FIELDS)
		return MW_E_LIMIT;
	memcpy(fields, h.fields, h.field_count * sizeof *fields);
	fields[h.field_count++] = (struct http_field){"Date", web_date(c->request.loop, time(NULL))};
	if (c->auth.reply.len > 0) {
		buf_put(&token, c->auth.reply.data, c->auth.reply.len);
		buf_put_u8(&token, 0);
		buf_clear(&c->auth.reply);
		fields[h.field_count++] = (struct http_field){"WWW-Authenticate", (const char *)token.data};
	}
	h.fields = fields;
	count_answer(c, h.status);
	return send(c, &h, data, len);
}

static int send_head(struct web_conn *c, const struct http_head *head, const void *data, size_t len)
{
	(void)data;
	(void)len;
	return http_send_head(c->http, head);
}

static int send_whole(struct web_conn *c, const struct http_head *head, const void *data, size_t len)
{
	forget_request(c);
	return http_send(c->http, head, data, len);
}

void web_begin(struct web_request *r, const struct http_head *head)
{
	struct web_conn *c = web_conn_of(r);
	if (!c->open)
		return;
	check(c, begin_answer(c, head, send_head, NULL, 0));
	send_later(c);
}

void web_send(struct web_request *r, const void *data, size_t len)
{
	struct web_conn *c = web_conn_of(r);
	if (!c->open)
		return;
	check(c, http_send_body(c->http, data, len));
	c->plenty = c->plenty || web_waiting(r) > WEB_PLENTY;
	send_later(c);
}

void web_end(struct web_request *r)
{
	struct web_conn *c = web_conn_of(r);
	if (!c->open)
		return;
	forget_request(c);
	check(c, http_send_end(c->http, NULL, 0));
	send_later(c);
}

void web_answer(struct web_request *r, const struct http_head *head, const void *data, size_t len)
{
	struct web_conn *c = web_conn_of(r);
	if (!c->open)
		return;
	check(c, begin_answer(c, head, send_whole, data, len));
	send_later(c);
}

void web_refuse(struct web_request *r, unsigned status, const char *sentence)
{
	static const struct http_field fields[] = {{"Content-Type", "text/plain; charset=utf-8"}};
	struct http_head head = {.status = status, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	char text[256];
	int n = snprintf(text, sizeof text, "%.250s\n", sentence);
	web_answer(r, &head, text, (size_t)n);
}

void web_abort(struct web_request *r)
{
	stream_close(web_conn_of(r)->stream);
}

void web_flush(struct web_request *r)
{
	struct web_conn *c = web_conn_of(r);
	if (!c->in_feed)
		web_settle(c);
}

void web_cut(struct web_request *r)
{
	struct web_conn *c = web_conn_of(r);
	c->finishing = true;
	if (!c->in_feed)
		web_settle(c);
}

size_t web_waiting(const struct web_request *r)
{
	const struct web_conn *c = web_conn_of(r);
	return (c->dead ? 0 : c->stream->write_bytes) + http_output(c->http)->len;
}

void web_no_deadline(struct web_request *r)
{
	http_server_no_body_deadline(web_conn_of(r)->http);
}

/* ---- Requests ---- */

static const struct web_route *find_route(enum server_port port, const char *path)
{
	for (const struct web_route *w = web_routes; w->path; w++) {
		size_t n = strlen(w->path);
		bool below = n > 1 && w->path[n - 1] == '/';
		if ((w->ports & 1u << port) && (below ? strncasecmp(w->path, path, n) : strcasecmp(w->path, path)) == 0)
			return w;
	}
	return NULL;
}

static bool lists_address(const char *list, const char *address)
{
	size_t n = strlen(address);
	for (const char *p = list; p && *p; p += strcspn(p, ","), p += strspn(p, ", "))
		if (n > 0 && strcspn(p, ", ") == n && memcmp(p, address, n) == 0)
			return true;
	return false;
}

/* What a proxy that is trusted says of its client: the last address, which it added itself. */
static void note_origin(struct web_conn *c, const struct http_head *head)
{
	struct web_request *r = &c->request;
	snprintf(r->peer, sizeof r->peer, "%s", c->address);
	r->secure = c->tls != NULL;
	if (!c->proxied)
		return;
	unsigned at = 0;
	const char *value, *last = NULL;
	while ((value = http_field_next(head, "X-Forwarded-For", &at)))
		last = value;
	const char *comma = last ? strrchr(last, ',') : NULL;
	last = comma ? comma + 1 + strspn(comma + 1, " \t") : last;
	if (last && strlen(last) < sizeof r->peer)
		snprintf(r->peer, sizeof r->peer, "%s", last);
	const char *proto = http_field(head, "X-Forwarded-Proto");
	r->secure = r->secure || (proto && text_casecmp(proto, "https") == 0);
}

static void take_request(struct web_conn *c, const struct http_head *head)
{
	struct web_request *r = &c->request;
	const char *query = NULL;
	web_hash_out(c);
	web_hash_in(c);
	r->head = head;
	r->account = 0;
	r->state = NULL;
	c->open = true;
	note_origin(c, head);
	atomic_fetch_add_explicit(&r->server->http_requests, 1, memory_order_relaxed);
	int e = http_target_path(head->target, c->path, sizeof c->path, &query);
	r->path = c->path;
	r->query = query;
	r->route = e == 0 ? find_route(r->port, c->path) : NULL;
	if (!r->route) {
		c->path[e == 0 ? sizeof c->path - 1 : 0] = '\0';
		web_refuse(r, e == 0 || e == MW_E_LIMIT ? 404 : 400, "Nothing is here.");
		return;
	}
	if ((r->route->before && r->route->before(r)) || !web_auth_passes(c))
		return;
	if (r->route->collect && head->body == HTTP_LENGTH && head->length > r->route->collect) {
		web_refuse(r, 413, "This is more than the service takes.");
		return;
	}
	http_server_continue(c->http);
	if (r->route->begin)
		r->route->begin(r);
}

static void take_body(struct web_conn *c, const uint8_t *data, size_t len)
{
	struct web_request *r = &c->request;
	if (!c->open)
		return;
	if (!r->route->collect) {
		if (r->route->body)
			r->route->body(r, data, len);
	} else if (len > r->route->collect - r->body.len) {
		web_refuse(r, 413, "This is more than the service takes.");
	} else {
		check(c, buf_put(&r->body, data, len));
	}
}

static void on_event(void *user, struct http_connection *http, const struct http_event *e)
{
	struct web_conn *c = (struct web_conn *)user;
	(void)http;
	switch (e->type) {
	case HTTP_EV_REQUEST:
		take_request(c, e->head);
		break;
	case HTTP_EV_BODY:
		take_body(c, e->data, e->len);
		break;
	case HTTP_EV_END:
		if (c->open && c->moving)
			c->end_waits = true;
		else if (c->open && c->request.route->end)
			c->request.route->end(&c->request);
		break;
	case HTTP_EV_DAMAGED:
		log_line(log_of(c), LOG_WARNING, "HTTP of %s: %s", c->address, e->why);
		count_answer(c, e->status);
		tell_gone(c);
		break;
	case HTTP_EV_CLOSED:
		c->finishing = true;
		break;
	default:
		break;
	}
}

void web_pause(struct web_request *r, bool paused)
{
	struct web_conn *c = web_conn_of(r);
	http_pause(c->http, paused);
	if (c->dead)
		return;
	stream_hold(c->stream, paused);
	if (!paused && !c->in_feed) {
		web_feed_plain(c, NULL, 0);
		web_settle(c);
	}
}

/* ---- Bytes ---- */

void web_feed_plain(struct web_conn *c, const uint8_t *data, size_t len)
{
	int64_t now_ns = time_monotonic_ns();
	bool inside = c->in_feed;
	c->in_feed = true;
	if (c->left.len > 0) {
		size_t n = http_feed(c->http, HTTP_FROM_CLIENT, c->left.data, c->left.len, now_ns);
		buf_consume(&c->left, n);
	}
	size_t took = c->left.len == 0 && len > 0 ? http_feed(c->http, HTTP_FROM_CLIENT, data, len, now_ns) : 0;
	if (took < len && buf_put(&c->left, data + took, len - took) < 0)
		stream_close(c->stream);
	c->in_feed = inside;
}

static void feed_tls(struct web_conn *c, const uint8_t *data, size_t len)
{
	struct buf *plain = tls_plain(c->tls);
	int r = tls_feed(c->tls, data, len);
	if (tls_ready(c->tls) && c->auth.binding_len == 0 &&
	    tls_channel_binding(c->tls, c->auth.binding, &c->auth.binding_len) < 0)
		c->auth.binding_len = 0;
	if (plain->len > 0) {
		web_feed_plain(c, plain->data, plain->len);
		buf_free(plain); /* an idle connection keeps nothing */
	}
	if (r < 0) {
		log_line(log_of(c), LOG_INFO, "TLS of %s: %s", c->address, tls_why(c->tls));
		c->finishing = true;
	} else if (tls_ended(c->tls)) {
		http_eof(c->http, HTTP_FROM_CLIENT, time_monotonic_ns());
	}
}

static void on_bytes(struct server_stream *s, const uint8_t *data, size_t len)
{
	struct web_conn *c = (struct web_conn *)s->owner;
	c->in_feed = true;
	if (c->tls)
		feed_tls(c, data, len);
	else
		web_feed_plain(c, data, len);
	c->in_feed = false;
	web_settle(c);
}

static void put_out(struct web_conn *c)
{
	struct buf *out = http_output(c->http);
	if (c->tls && out->len > 0) {
		if (tls_send(c->tls, out->data, out->len) < 0)
			c->finishing = true;
		buf_free(out);
	}
	if (c->tls && c->finishing)
		tls_end(c->tls);
	struct buf *wire = c->tls ? tls_output(c->tls) : out;
	stream_send(c->stream, wire);
	if (!c->dead)
		buf_free(wire);
}

void web_settle(struct web_conn *c)
{
	if (!c->dead) {
		c->in_feed = true;
		put_out(c);
		c->in_feed = false;
	}
	if (!c->dead && c->finishing) {
		stream_linger(c->stream);
		c->dead = true;
		tell_gone(c);
	}
	if (c->dead) {
		loop_send_never(c->request.loop, &c->unsent);
		web_hash_out(c);
		web_conn_free(c);
	} else if (c->moving && c->stream->writes == 0) {
		web_move_now(c);
	}
}

static void flush_unsent(struct loop_unsent *u)
{
	web_settle((struct web_conn *)((char *)u - offsetof(struct web_conn, unsent)));
}

static void on_eof(struct server_stream *s)
{
	struct web_conn *c = (struct web_conn *)s->owner;
	c->in_feed = true;
	http_eof(c->http, HTTP_FROM_CLIENT, s->last_ns);
	put_out(c);
	c->in_feed = false;
	if (c->dead) /* by a write that failed */
		web_settle(c);
}

static void on_drained(struct server_stream *s)
{
	struct web_conn *c = (struct web_conn *)s->owner;
	if (c->open && c->plenty && s->write_bytes < WEB_PLENTY / 2) {
		c->plenty = false;
		if (c->request.route->drained)
			c->request.route->drained(&c->request);
	}
	if (c->moving || c->finishing)
		web_settle(c);
}

static bool on_tick(struct server_stream *s, int64_t now_ns)
{
	struct web_conn *c = (struct web_conn *)s->owner;
	if (now_ns < http_deadline(c->http))
		return true;
	c->in_feed = true;
	http_tick(c->http, now_ns);
	c->in_feed = false;
	web_settle(c);
	return true;
}

/* Also from within a feed, which then settles. */
static void on_closed(struct server_stream *s)
{
	struct web_conn *c = (struct web_conn *)s->owner;
	c->dead = true;
	c->moving = NULL;
	bool inside = c->in_feed;
	c->in_feed = true;
	tell_gone(c);
	c->in_feed = inside;
	if (!inside)
		web_settle(c);
}

static size_t held(const struct server_stream *s)
{
	const struct web_conn *c = (const struct web_conn *)s->owner;
	size_t secure = c->tls ? TLS_SESSION_ABOUT : 0;
	return sizeof *c + secure + c->left.len + c->request.body.cap + http_output(c->http)->cap;
}

const struct stream_ops web_stream = {
        .bytes = on_bytes,
        .eof = on_eof,
        .drained = on_drained,
        .tick = on_tick,
        .held = held,
        .closed = on_closed,
};

static int start_tls(struct web_conn *c)
{
	struct server *server = c->request.server;
	struct tls_keys *keys = tls_files_keys(server);
	struct tls_config config = {.role = TLS_SERVER, .keys = keys};
	if (server->key_log_fd >= 0) {
		config.key_log = tls_files_log;
		config.user = server;
	}
	int r = keys ? tls_new(&config, &c->tls) : MW_E_NOTFOUND;
	tls_keys_unref(&keys);
	return r;
}

void web_accept(struct server_stream *s)
{
	struct web_conn *c = (struct web_conn *)calloc(1, sizeof *c);
	int64_t patience_ns = server_patience_ns(s->loop->server);
	struct http_config config = {
	        .role = HTTP_SERVER,
	        .on_event = on_event,
	        .user = c,
	        /* A head comes in one go where nobody wants to hold the connection: half of what a body may take. */
	        .limits = {.head_ns = patience_ns / 2, .body_ns = patience_ns},
	};
	if (!c) {
		stream_close(s);
		return;
	}
	c->request.loop = s->loop;
	c->request.server = s->loop->server;
	c->request.port = s->port;
	memcpy(c->request.local_ip, s->local_ip, sizeof s->local_ip);
	c->stream = s;
	c->unsent.flush = flush_unsent;
	stream_peer(s, c->address);
	c->proxied = lists_address(c->request.server->config.trusted_proxies, c->address);
	c->http = http_connection_new(&config, time_monotonic_ns());
	if (!c->http || (s->port == SERVER_PORT_HTTPS && start_tls(c) < 0)) {
		web_conn_free(c);
		stream_close(s);
		return;
	}
	web_hash_in(c);
	stream_start(s, &web_stream, c);
}
