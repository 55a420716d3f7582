#include "base/time.h"
#include "client/private.h"
#include "client/transport.h"
#include "client/web.h"
#include "http/rpch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * RPC over HTTP v2, [MS-RPCH], as a transport: one virtual connection (http/rpch.h), whose channels are requests of
 * HTTP connections of their own (client/web.h), each with its log-on. Channels come and go as they are replaced; those
 * that were are closed once their last bytes have left.
 */

/* Two in use, their successors, and as many that still send their last bytes. */
#define MOST_CHANNELS 8
#define PATIENCE_NS (2 * NS_PER_S)
#define MOST_WAITING ((size_t)1 << 20)
#define PROXY_PATH "/rpc/rpcproxy.dll"

struct carrier {
	struct rpc_http *of;
	struct client_web *web;       /* NULL: free */
	struct rpch_channel *channel; /* NULL: replaced */
	struct buf last;              /* what a replaced one still has to send */
	int64_t until;                /* a replaced one waits so long for the end of its answer */
	uint64_t left;                /* of its request's body */
	bool ready;
};

struct rpc_http {
	struct client_transport base;
	struct client_conn *conn;
	struct client_address address;
	struct rpch_connection *rpch;
	struct carrier carriers[MOST_CHANNELS];
	char session[37], *target;
	struct buf in; /* RPC PDUs that have come */
	bool open, over;
	const char *why;
	struct client_web *to_blame; /* whose end ended it; or NULL */
};

static struct rpc_http *rpc_http_of(struct client_transport *t)
{
	return (struct rpc_http *)t;
}

/* ---- Channels ---- */

static void send_out(struct carrier *k, struct buf *out)
{
	size_t n = out->len < k->left ? out->len : (size_t)k->left;
	if (!k->ready || n == 0 || client_web_send(k->web, out->data, n) < 0)
		return;
	buf_consume(out, n);
	k->left -= n;
	if (k->left == 0 && client_web_send_end(k->web) < 0)
		rpch_lost(k->of->rpch, k->channel, "a channel's request cannot be ended", time_monotonic_ns());
}

static void send_all(struct rpc_http *t)
{
	for (unsigned i = 0; i < MOST_CHANNELS; i++) {
		struct carrier *k = &t->carriers[i];
		if (k->web)
			send_out(k, k->channel ? &k->channel->output : &k->last);
	}
}

static void lose(struct carrier *k, const char *why)
{
	if (!k->channel)
		return;
	if (!k->of->over && !k->of->to_blame)
		k->of->to_blame = k->web;
	rpch_lost(k->of->rpch, k->channel, why, time_monotonic_ns());
}

static void on_web(void *user, struct client_web *w, const struct client_web_event *e)
{
	struct carrier *k = (struct carrier *)user;
	(void)w;
	switch (e->type) {
	case CLIENT_WEB_READY:
		k->ready = true;
		if (k->channel)
			send_out(k, &k->channel->output);
		break;
	case CLIENT_WEB_HEAD:
		if (e->head->status != 200 || (k->channel && k->channel->direction == RPCH_IN))
			lose(k, "the proxy refuses a channel");
		break;
	case CLIENT_WEB_BODY:
		if (k->channel)
			rpch_feed(k->of->rpch, k->channel, e->data, e->len, time_monotonic_ns());
		break;
	case CLIENT_WEB_END:
		k->until = 0;
		lose(k, "the proxy ended a channel");
		break;
	case CLIENT_WEB_LOST:
		k->until = 0;
		buf_clear(&k->last);
		lose(k, "a channel's connection was cut");
		break;
	}
}

/* [MS-RPCH] 2.1.2.1.1, 2.1.2.1.2 */
static int ask(struct carrier *k, uint64_t length)
{
	const struct rpc_http *t = k->of;
	char session[64];
	snprintf(session, sizeof session, "SessionId=%s", t->session);
	const struct http_field fields[] = {{"Accept", "application/rpc"},
	                                    {"Cache-Control", "no-cache"},
	                                    {"User-Agent", "MSRPC"},
	                                    {"Pragma", "no-cache"},
	                                    {"Pragma", session}};
	const struct client_web_request request = {
	        .method = k->channel->direction == RPCH_IN ? "RPC_IN_DATA" : "RPC_OUT_DATA",
	        .target = t->target,
	        .fields = fields,
	        .field_count = ARRAY_SIZE(fields),
	        .streams = true,
	        .length = length,
	};
	k->left = length;
	return client_web_ask(k->web, &request);
}

static void drop(struct carrier *k)
{
	client_web_close(&k->web);
	buf_free(&k->last);
}

/* Closes what was replaced, has sent all and heard the end, or waited long enough for it; never inside an event. */
static void sweep(struct rpc_http *t)
{
	int64_t now = time_monotonic_ns();
	for (unsigned i = 0; i < MOST_CHANNELS; i++) {
		struct carrier *k = &t->carriers[i];
		bool sent = k->web && k->last.len == 0 && client_web_unsent(k->web) == 0;
		if (k->web && !k->channel && (k->until <= now - PATIENCE_NS || (sent && k->until <= now)))
			drop(k);
	}
}

static struct carrier *free_carrier(struct rpc_http *t)
{
	for (unsigned i = 0; i < MOST_CHANNELS; i++)
		if (!t->carriers[i].web)
			return &t->carriers[i];
	return NULL;
}

/* A connection and a request for a channel. 0 or an errno. */
static int carry(struct rpc_http *t, struct rpch_channel *channel, uint64_t length)
{
	struct carrier *k = free_carrier(t);
	if (!k)
		return EMFILE;
	*k = (struct carrier){.of = t, .channel = channel};
	k->web = client_web_new(t->conn->m, on_web, k);
	if (!k->web)
		return ENOMEM;
	channel->user = k;
	int error = client_web_connect(k->web, &t->address);
	if (error == 0 && ask(k, length) < 0)
		error = ENOMEM;
	if (error != 0) {
		channel->user = NULL;
		client_web_close(&k->web);
	}
	return error;
}

static uint64_t length_of(const struct rpc_http *t, const struct rpch_channel *channel, bool successor)
{
	if (channel->direction == RPCH_OUT)
		return successor ? RPCH_NEXT_OUT_LENGTH : RPCH_OUT_LENGTH;
	return t->conn->m->site->lifetime;
}

static void replace(struct rpc_http *t, struct rpch_channel *channel)
{
	if (carry(t, channel, length_of(t, channel, true)) != 0)
		rpch_lost(t->rpch, channel, "no connection for a channel's successor", time_monotonic_ns());
}

static void retire(struct rpch_channel *channel)
{
	struct carrier *k = (struct carrier *)channel->user;
	if (!k)
		return;
	k->last = channel->output;
	channel->output = (struct buf){0};
	k->channel = NULL;
	k->until = time_monotonic_ns() + PATIENCE_NS;
}

static void on_rpch(void *user, struct rpch_connection *c, const struct rpch_event *e)
{
	struct rpc_http *t = (struct rpc_http *)user;
	(void)c;
	switch (e->type) {
	case RPCH_EV_OPEN:
		t->open = true;
		break;
	case RPCH_EV_PDU:
		(void)buf_put(&t->in, e->data, e->len); /* a failure stays in the buffer */
		break;
	case RPCH_EV_CHANNEL:
		replace(t, e->channel);
		break;
	case RPCH_EV_DONE:
		retire(e->channel);
		break;
	case RPCH_EV_CLOSED:
		t->over = true;
		t->why = e->why;
		break;
	}
}

/* What is due: time, bytes, connections that are through. */
static void move(struct rpc_http *t)
{
	rpch_tick(t->rpch, time_monotonic_ns());
	send_all(t);
	for (unsigned i = 0; i < MOST_CHANNELS; i++)
		if (t->carriers[i].web)
			client_web_process(t->carriers[i].web);
	send_all(t);
	sweep(t);
}

/* ---- As a transport ---- */

char *client_rpc_http_target(const struct mapiwire *m, uint16_t port)
{
	const char *path = m->site->path ? m->site->path : PROXY_PATH;
	char *target = NULL;
	return asprintf(&target, "%s?%s:%u", path, m->login->host, port) < 0 ? NULL : target;
}

/* [MS-OXCRPC] 2.1, [MS-OXABREF] 2.1, [MS-OXNSPI] 2.1: nobody is asked for them. */
uint16_t client_rpc_http_port(const char *interface)
{
	static const struct {
		const char *name;
		uint16_t port;
	} ports[] = {{"emsmdb", CLIENT_HTTP_STORE},
	             {"asyncemsmdb", CLIENT_HTTP_STORE},
	             {"rfr", CLIENT_HTTP_REFERRAL},
	             {"nspi", CLIENT_HTTP_BOOK}};
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (strcmp(ports[i].name, interface) == 0)
			return ports[i].port;
	return 0;
}

static int begin(struct rpc_http *t)
{
	const struct rpch_config config = {.role = RPCH_CLIENT,
	                                   .on_event = on_rpch,
	                                   .user = t,
	                                   .random = &random_system,
	                                   .lifetime = t->conn->m->site->lifetime};
	struct guid session;
	random_guid(&random_system, &session);
	guid_format(&session, t->session);
	t->target = client_rpc_http_target(t->conn->m, t->conn->port);
	t->rpch = t->target ? rpch_connection_new(&config, time_monotonic_ns()) : NULL;
	if (!t->rpch)
		return ENOMEM;
	for (int d = RPCH_IN; d <= RPCH_OUT; d++) {
		struct rpch_channel *channel = rpch_channel(t->rpch, (enum rpch_direction)d);
		int error = carry(t, channel, length_of(t, channel, false));
		if (error != 0)
			return error;
	}
	return 0;
}

static int rpc_http_open(struct client_conn *c, const struct client_address *address, struct client_transport **out)
{
	struct rpc_http *t = (struct rpc_http *)calloc(1, sizeof *t);
	if (!t)
		return ENOMEM;
	t->base.kind = &client_rpc_http;
	t->conn = c;
	t->address = *address;
	*out = &t->base;
	int error = begin(t);
	if (error != 0)
		client_rpc_http.close(out);
	return error;
}

static int rpc_http_progress(struct client_transport *transport)
{
	struct rpc_http *t = rpc_http_of(transport);
	move(t);
	return t->over ? ECONNABORTED : t->open ? 0 : EINPROGRESS;
}

/* Its connections are in the client's list of them. */
static unsigned rpc_http_poll(const struct client_transport *transport, bool want_write,
                              struct pollfd fds[CLIENT_TRANSPORT_FDS])
{
	(void)transport, (void)want_write, (void)fds;
	return 0;
}

static int64_t rpc_http_deadline(const struct client_transport *transport)
{
	const struct rpc_http *t = (const struct rpc_http *)transport;
	int64_t at = rpch_deadline(t->rpch);
	for (unsigned i = 0; i < MOST_CHANNELS; i++)
		if (t->carriers[i].web && !t->carriers[i].channel && t->carriers[i].until < at)
			at = t->carriers[i].until;
	return at;
}

static ssize_t rpc_http_read(struct client_transport *transport, void *data, size_t size)
{
	struct rpc_http *t = rpc_http_of(transport);
	move(t);
	if (buf_error(&t->in) < 0) {
		errno = ENOMEM;
		return -1;
	}
	size_t n = t->in.len < size ? t->in.len : size;
	if (n > 0) {
		memcpy(data, t->in.data, n);
		buf_consume(&t->in, n);
		return (ssize_t)n;
	}
	errno = t->over ? ECONNABORTED : EAGAIN;
	return -1;
}

/* conn.c hands over what the RPC machine put out: whole PDUs, all of them. */
static ssize_t rpc_http_write(struct client_transport *transport, const void *data, size_t size)
{
	struct rpc_http *t = rpc_http_of(transport);
	if (!t->over && rpch_waiting(t->rpch) > MOST_WAITING) {
		errno = EAGAIN;
		return -1;
	}
	if (t->over || rpch_send(t->rpch, data, size, time_monotonic_ns()) < 0) {
		errno = ECONNABORTED;
		return -1;
	}
	send_all(t);
	return (ssize_t)size;
}

static int rpc_http_fail(struct client_transport *transport, bool timed_out, const char *what)
{
	struct rpc_http *t = rpc_http_of(transport);
	struct mapiwire *m = t->conn->m;
	char who[300];
	for (unsigned i = 0; timed_out && i < MOST_CHANNELS; i++)
		if (t->carriers[i].web && !client_web_is_up(t->carriers[i].web))
			return client_web_fail_late(t->carriers[i].web, what);
	if (timed_out)
		return client_fail_wait(m, MW_E_TIMEOUT, "the channels of RPC over HTTP");
	snprintf(who, sizeof who, "%s:%u", m->login->host, t->conn->port);
	if (t->to_blame)
		return client_web_fail_status(t->to_blame, who);
	return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "RPC over HTTP: %s",
	                      t->why ? t->why : "it ended");
}

static void rpc_http_close(struct client_transport **transport)
{
	struct rpc_http *t = *transport ? rpc_http_of(*transport) : NULL;
	if (!t)
		return;
	*transport = NULL;
	for (unsigned i = 0; i < MOST_CHANNELS; i++) {
		t->carriers[i].channel = NULL;
		drop(&t->carriers[i]);
	}
	rpch_connection_free(&t->rpch);
	buf_free(&t->in);
	free(t->target);
	free(t);
}

const struct client_transport_kind client_rpc_http = {
        .open = rpc_http_open,
        .progress = rpc_http_progress,
        .poll = rpc_http_poll,
        .read = rpc_http_read,
        .write = rpc_http_write,
        .close = rpc_http_close,
        .fail = rpc_http_fail,
        .deadline = rpc_http_deadline,
};
