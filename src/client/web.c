#include "client/web-private.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 65536
#define READS_AT_ONCE 16
#define MOST_BODY ((size_t)64 << 20)

/* ---- Its end ---- */

static void raise(struct client_web *w, const struct client_web_event *e)
{
	if (w->on_event)
		w->on_event(w->user, w, e);
}

static void close_channel(struct client_web *w)
{
	client_socket_close(&w->socket);
	tls_free(&w->tls);
}

void web_lose(struct client_web *w, int code, enum cause cause, uint32_t status, const char *format, ...)
{
	va_list args;
	if (w->stage == WEB_OVER)
		return;
	w->stage = WEB_OVER;
	w->up = w->ready = w->headed = w->whole = true;
	w->end.code = code;
	w->end.cause = cause;
	w->end.status = status;
	va_start(args, format);
	vsnprintf(w->end.detail, sizeof w->end.detail, format, args);
	va_end(args);
	raise(w, &(struct client_web_event){.type = CLIENT_WEB_LOST});
}

static void lose_connection(struct client_web *w)
{
	web_lose(w, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, 0, "%s", "");
}

/* ---- HTTP's events ---- */

static bool keep_answer(struct client_web *w, const struct http_head *head)
{
	arena_reset(w->answer_arena);
	struct http_field *fields = arena_new_array(w->answer_arena, struct http_field, head->field_count + 1u);
	w->answer = *head;
	w->answer.reason = arena_strdup(w->answer_arena, head->reason ? head->reason : "");
	bool ok = fields && w->answer.reason;
	for (unsigned i = 0; ok && i < head->field_count; i++) {
		fields[i].name = arena_strdup(w->answer_arena, head->fields[i].name);
		fields[i].value = arena_strdup(w->answer_arena, head->fields[i].value);
		ok = fields[i].name && fields[i].value;
	}
	w->answer.fields = fields;
	w->has_answer = ok;
	return ok;
}

/* Whether this answer is of the dance, and goes no further. */
static bool is_of_dance(struct client_web *w, const struct http_head *head)
{
	if (head->status == 401 && (w->doing == WEB_PROBING || !w->kept.ask.streams)) {
		w->dance.heard = true;
		(void)web_dance_refused(w, head);
		return true;
	}
	if (head->status == 401)
		web_dance_refuse(w, head);
	else
		web_dance_accepted(w, head);
	w->dance.heard = w->doing == WEB_PROBING;
	return w->dance.heard;
}

static void on_head(struct client_web *w, const struct http_head *head)
{
	if (head->status / 100 == 1)
		return;
	w->last = !head->keep_alive;
	if (is_of_dance(w, head) || w->stage == WEB_OVER)
		return;
	w->times.first_byte_ns = time_monotonic_ns() - w->since;
	if (!keep_answer(w, head)) {
		web_lose(w, MAPIWIRE_E_MEMORY, CAUSE_CALL_FAILED, 0, "an answer: out of memory");
		return;
	}
	w->headed = true;
	raise(w, &(struct client_web_event){.type = CLIENT_WEB_HEAD, .head = &w->answer});
}

static void on_body(struct client_web *w, const uint8_t *data, size_t len)
{
	if (w->dance.heard)
		return;
	if (w->on_event)
		raise(w, &(struct client_web_event){.type = CLIENT_WEB_BODY, .data = data, .len = len});
	else if (w->body.len > MOST_BODY - len || buf_put(&w->body, data, len) < 0)
		web_lose(w, MAPIWIRE_E_MEMORY, CAUSE_PROTOCOL_ERROR, 0, "an answer of more than 64 MiB");
}

static void on_end(struct client_web *w)
{
	w->closing = w->last;
	if (w->dance.heard) {
		w->dance.heard = false;
		w->doing = WEB_WANTED;
		return;
	}
	w->doing = WEB_IDLE;
	w->whole = true;
	raise(w, &(struct client_web_event){.type = CLIENT_WEB_END});
}

static void on_http(void *user, struct http_connection *http, const struct http_event *e)
{
	struct client_web *w = (struct client_web *)user;
	(void)http;
	if (w->stage == WEB_OVER)
		return;
	switch (e->type) {
	case HTTP_EV_RESPONSE:
		on_head(w, e->head);
		break;
	case HTTP_EV_BODY:
		on_body(w, e->data, e->len);
		break;
	case HTTP_EV_END:
		on_end(w);
		break;
	case HTTP_EV_DAMAGED:
		if (w->eof)
			lose_connection(w); /* in the middle of an answer */
		else if (w->has_answer || w->dance.rounds > 0)
			web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, 0, "HTTP: %s", e->why);
		else
			web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_HTTP, 0, "%s", w->port_text);
		break;
	case HTTP_EV_CLOSED:
		w->closing = true;
		break;
	default:
		break;
	}
}

/* ---- Connecting ---- */

static void log_secret(void *user, const char *line, size_t len)
{
	const struct client_site *site = (const struct client_site *)user;
	ssize_t n = write(site->key_log, line, len);
	(void)n; /* a key log that is full is no reason to stop */
}

static bool begin_tls(struct client_web *w)
{
	const struct client_site *s = w->site;
	uint8_t address[sizeof(struct in6_addr)];
	bool is_name = inet_pton(AF_INET, s->host, address) != 1 && inet_pton(AF_INET6, s->host, address) != 1;
	const struct tls_config config = {
	        .role = TLS_CLIENT,
	        .server_name = s->name,
	        .sni = is_name ? s->host : "",
	        .roots = s->roots,
	        .insecure = s->insecure,
	        .key_log = s->key_log >= 0 ? log_secret : NULL,
	        .user = w->site,
	};
	int r = tls_new(&config, &w->tls);
	if (r == 0)
		r = tls_begin(w->tls);
	if (r < 0)
		web_lose(w, r == MW_E_NOMEM ? MAPIWIRE_E_MEMORY : MAPIWIRE_E_ARGUMENT, CAUSE_TLS_FAILED, 0, "%s: %s",
		         s->authority, mw_strerror(r));
	return r == 0;
}

static void is_up(struct client_web *w)
{
	if (w->tls) {
		w->times.tls_ns = time_monotonic_ns() - w->since;
		w->version = tls_version(w->tls);
		if (tls_certificate(w->tls, w->certificate, sizeof w->certificate) < 0)
			w->certificate[0] = 0;
	}
	w->stage = WEB_UP;
	w->up = true;
}

static void connected(struct client_web *w)
{
	w->times.connect_ns = time_monotonic_ns() - w->since;
	w->since = time_monotonic_ns();
	w->stage = WEB_SHAKING;
	if (!w->site->tls)
		is_up(w);
	else
		(void)begin_tls(w);
}

static void progress(struct client_web *w)
{
	int error = client_socket_progress(&w->socket);
	if (error == EINPROGRESS)
		return;
	if (error == 0) {
		connected(w);
		return;
	}
	w->end.error = error;
	web_lose(w, MAPIWIRE_E_UNREACHABLE,
	         error == ECONNREFUSED || error == ECONNRESET ? CAUSE_PORT_REFUSED : CAUSE_PORT_FILTERED, 0, "%s",
	         w->port_text);
}

int client_web_connect(struct client_web *w, const struct client_address *address)
{
	const struct http_config config = {.role = HTTP_CLIENT, .on_event = on_http, .user = w};
	close_channel(w);
	web_dance_clear(w);
	http_connection_free(&w->http);
	w->http = http_connection_new(&config, 0);
	if (!w->http)
		return ENOMEM;
	w->address = *address;
	w->end = (struct web_end){0};
	w->begun = 0;
	w->up = w->last = w->closing = w->eof = false;
	w->since = time_monotonic_ns();
	int error = client_socket_open(&w->socket, w->m->capture, address, w->site->port);
	if (error == 0)
		w->stage = WEB_CONNECTING;
	return error;
}

/* ---- Bytes ---- */

/* What HTTP has to say, as TLS records. */
static void wrap(struct client_web *w)
{
	struct buf *out = http_output(w->http);
	if (!w->tls || !tls_ready(w->tls) || out->len == 0)
		return;
	if (tls_send(w->tls, out->data, out->len) < 0)
		lose_connection(w);
	buf_clear(out);
}

static struct buf *outgoing(const struct client_web *w)
{
	return w->tls ? tls_output(w->tls) : http_output(w->http);
}

static void flush(struct client_web *w)
{
	if (w->stage != WEB_SHAKING && w->stage != WEB_UP)
		return;
	wrap(w);
	struct buf *out = outgoing(w);
	while (out->len > 0) {
		ssize_t n = client_socket_write(&w->socket, out->data, out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* What the peer said before it closed may tell why: reading ends it. */
			if (errno != EAGAIN)
				buf_clear(out);
			return;
		}
		buf_consume(out, (size_t)n);
	}
}

static void tls_failed(struct client_web *w, int r)
{
	static const char said[] = "The certificate is NOT trusted. "; /* by GnuTLS, before it says why */
	const char *why = tls_why(w->tls);
	bool first = w->stage == WEB_SHAKING;
	if (strncmp(why, said, sizeof said - 1) == 0)
		why += sizeof said - 1;
	int len = (int)strlen(why);
	while (len > 0 && (why[len - 1] == ' ' || why[len - 1] == '.')) /* our sentence goes on, or has its own */
		len--;
	flush(w); /* the alert */
	bool shown = r == MW_E_AUTH && tls_certificate(w->tls, w->certificate, sizeof w->certificate) == 0;
	if (r == MW_E_AUTH)
		web_lose(w, MAPIWIRE_E_REFUSED, CAUSE_CERTIFICATE_UNTRUSTED, 0, "%s is not trusted. %.*s%s%s",
		         w->site->authority, len, why, shown ? ": " : "", shown ? w->certificate : "");
	else
		web_lose(w, MAPIWIRE_E_PROTOCOL, first ? CAUSE_TLS_FAILED : CAUSE_PROTOCOL_ERROR, 0, "%s%s: %.*s",
		         first ? "" : "TLS of ", w->site->authority, len, why);
}

/* The HTTP machine would wait for a whole head: who greets first, as mail servers do, would never be told from one that
 * is slow. */
static void feed_http(struct client_web *w, const uint8_t *data, size_t len)
{
	static const char begins[] = "HTTP/";
	for (size_t i = 0; i < len && w->begun < sizeof begins - 1; i++)
		if (data[i] != (uint8_t)begins[w->begun++]) {
			web_lose(w, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_HTTP, 0, "%s", w->port_text);
			return;
		}
	http_feed(w->http, HTTP_FROM_SERVER, data, len, 0);
}

static void feed(struct client_web *w, const uint8_t *data, size_t len)
{
	if (!w->tls) {
		feed_http(w, data, len);
		return;
	}
	int r = tls_feed(w->tls, data, len);
	if (w->stage == WEB_SHAKING && tls_ready(w->tls))
		is_up(w);
	struct buf *plain = tls_plain(w->tls);
	if (plain->len > 0)
		feed_http(w, plain->data, plain->len);
	buf_clear(plain);
	if (r < 0)
		tls_failed(w, r);
}

/* The peer closed. A body that goes to the close is whole only where TLS says that it is. */
static void at_eof(struct client_web *w)
{
	w->eof = true;
	if (!w->tls || tls_ended(w->tls))
		http_eof(w->http, HTTP_FROM_SERVER, 0);
	w->closing = true;
}

static void read_some(struct client_web *w)
{
	uint8_t data[READ_SIZE];
	for (unsigned i = 0; i < READS_AT_ONCE && w->stage != WEB_OVER && !w->closing; i++) {
		ssize_t n = client_socket_read(&w->socket, data, sizeof data);
		if (n > 0)
			feed(w, data, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			at_eof(w);
		if (n < (ssize_t)sizeof data)
			return;
	}
}

/* ---- Requests ---- */

static struct client_web_request *keep(struct client_web *w, const struct client_web_request *ask)
{
	struct arena *arena = w->kept.arena;
	struct client_web_request *k = &w->kept.ask;
	arena_reset(arena);
	*k = *ask;
	struct http_field *fields = arena_new_array(arena, struct http_field, ask->field_count + 2u);
	k->method = arena_strdup(arena, ask->method);
	k->target = arena_strdup(arena, ask->target);
	k->body = ask->len > 0 ? arena_copy(arena, ask->body, ask->len) : NULL;
	bool ok = fields && k->method && k->target && (k->body || ask->len == 0);
	if (ok)
		fields[0] = (struct http_field){"Host", w->site->authority};
	for (unsigned i = 0; ok && i < ask->field_count; i++) {
		fields[i + 1] = (struct http_field){arena_strdup(arena, ask->fields[i].name),
		                                    arena_strdup(arena, ask->fields[i].value)};
		ok = fields[i + 1].name && fields[i + 1].value;
	}
	k->fields = fields;
	k->field_count = ask->field_count + 1;
	return ok ? k : NULL;
}

static int put_request(struct client_web *w, bool probe)
{
	struct client_web_request *k = &w->kept.ask;
	struct http_field *fields = (struct http_field *)(uintptr_t)k->fields;
	struct http_head head = {
	        .method = k->method, .target = k->target, .fields = fields, .field_count = k->field_count};
	if (w->dance.field)
		fields[head.field_count++] = (struct http_field){"Authorization", w->dance.field};
	if (probe || !k->streams)
		return http_send(w->http, &head, probe ? NULL : k->body, probe ? 0 : k->len);
	head.body = HTTP_LENGTH;
	head.length = k->length;
	return http_send_head(w->http, &head);
}

/* Sends the request that waits, or an empty one before it. */
static void send_request(struct client_web *w)
{
	bool probe = false;
	if (web_dance_prepare(w, &probe) <= 0)
		return;
	int r = put_request(w, probe);
	web_dance_field_sent(w);
	if (r < 0) {
		web_lose(w, r == MW_E_NOMEM ? MAPIWIRE_E_MEMORY : MAPIWIRE_E_ARGUMENT, CAUSE_CALL_FAILED, 0,
		         "a request: %s", mw_strerror(r));
		return;
	}
	w->doing = probe ? WEB_PROBING : WEB_ASKED;
	w->since = time_monotonic_ns();
	flush(w);
	if (probe || w->stage == WEB_OVER)
		return;
	w->ready = true;
	raise(w, &(struct client_web_event){.type = CLIENT_WEB_READY});
}

/* A server may end the connection with the 401 that says what it takes; nothing is lost by another one. */
static bool begin_again(struct client_web *w)
{
	struct web_dance dance = w->dance;
	if (w->doing != WEB_WANTED || w->retried || (dance.leg && dance.rounds > 1))
		return false;
	if (dance.scheme != MAPIWIRE_WEB_AUTH_DEFAULT)
		w->site->known = dance.scheme;
	w->retried = true;
	return client_web_connect(w, &w->address) == 0;
}

static void advance(struct client_web *w)
{
	if (w->stage == WEB_UP && w->closing && !begin_again(w)) {
		if (w->doing == WEB_IDLE)
			w->whole = true;
		lose_connection(w);
	}
	while (w->stage == WEB_UP && w->doing == WEB_WANTED && !w->closing) {
		send_request(w);
		if (w->doing == WEB_WANTED)
			return;
	}
}

void client_web_process(struct client_web *w)
{
	w->inside = true;
	if (w->stage == WEB_CONNECTING)
		progress(w);
	flush(w);
	if (w->stage == WEB_SHAKING || w->stage == WEB_UP)
		read_some(w);
	flush(w);
	w->inside = false;
	advance(w);
	if (w->stage == WEB_OVER)
		close_channel(w);
}

bool client_web_poll(const struct client_web *w, struct pollfd *fd)
{
	bool want_write = (w->stage == WEB_SHAKING || w->stage == WEB_UP) && outgoing(w)->len > 0;
	if (w->stage == WEB_NEW || w->stage == WEB_OVER)
		return false;
	*fd = (struct pollfd){.fd = w->socket.fd, .events = client_socket_events(&w->socket, want_write)};
	return fd->events != 0;
}

int client_web_ask(struct client_web *w, const struct client_web_request *ask)
{
	if (w->stage == WEB_OVER || w->doing != WEB_IDLE)
		return MW_E_STATE;
	if (!keep(w, ask))
		return MW_E_NOMEM;
	w->doing = WEB_WANTED;
	w->ready = w->headed = w->whole = w->has_answer = w->retried = false;
	w->times.first_byte_ns = 0;
	buf_clear(&w->body);
	if (!w->inside) /* else once the event is over */
		advance(w);
	return 0;
}

int client_web_send(struct client_web *w, const void *data, size_t len)
{
	if (w->stage != WEB_UP || w->doing != WEB_ASKED)
		return MW_E_STATE;
	int r = http_send_body(w->http, data, len);
	flush(w);
	return r;
}

int client_web_send_end(struct client_web *w)
{
	if (w->stage != WEB_UP || w->doing != WEB_ASKED)
		return MW_E_STATE;
	int r = http_send_end(w->http, NULL, 0);
	flush(w);
	return r;
}

size_t client_web_unsent(const struct client_web *w)
{
	return w->stage == WEB_UP ? outgoing(w)->len : 0;
}

/* ---- Its life ---- */

struct client_web *client_web_new(struct mapiwire *m, client_web_event_fn *on_event, void *user)
{
	struct client_web *w = (struct client_web *)calloc(1, sizeof *w);
	if (!w)
		return NULL;
	*w = (struct client_web){.m = m, .site = m->site, .on_event = on_event, .user = user, .socket.fd = -1};
	snprintf(w->port_text, sizeof w->port_text, "%u", m->site->port);
	w->kept.arena = arena_new(CLIENT_ARENA_LIMIT);
	w->answer_arena = arena_new(CLIENT_ARENA_LIMIT);
	if (!w->kept.arena || !w->answer_arena) {
		arena_free(&w->kept.arena);
		arena_free(&w->answer_arena);
		free(w);
		return NULL;
	}
	w->next = m->webs;
	m->webs = w;
	return w;
}

void client_web_close(struct client_web **web)
{
	struct client_web *w = TAKE_PTR(*web);
	if (!w)
		return;
	struct client_web **link = &w->m->webs;
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	if (w->tls && w->stage == WEB_UP) {
		flush(w);
		tls_end(w->tls);
		flush(w);
	}
	web_dance_clear(w);
	close_channel(w);
	http_connection_free(&w->http);
	arena_free(&w->kept.arena);
	arena_free(&w->answer_arena);
	buf_free(&w->body);
	free(w);
}

struct client_web_times client_web_times(const struct client_web *w)
{
	return w->times;
}

const char *client_web_certificate(const struct client_web *w)
{
	return w->certificate;
}

const char *client_web_tls(const struct client_web *w)
{
	return w->version;
}
