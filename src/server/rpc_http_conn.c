#include "server/rpc_http.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

/* Virtual connections as carriers of RPC connections. */

/* Answers that wait: stop taking requests, go on, give up. As for sockets. */
#define PAUSE_BYTES ((size_t)4 << 20)
#define RESUME_BYTES ((size_t)1 << 20)
#define GIVE_UP_BYTES ((size_t)64 << 20)

struct rpc_http_connection {
	struct rpc_http_connection *next, **link;
	struct server_loop *loop;
	struct guid cookie;
	struct rpch_connection *machine;
	struct server_conn *rpc; /* NULL: it has ended */
	char user[128], peer[48];
	bool held;
	bool finishing; /* close when everything is written */
	bool over;      /* the machine has ended */
	const char *why;
	unsigned depth; /* of calls into the machine: it is not to be freed inside */
};

/* ---- Ends ---- */

static void end_channel(struct rpch_channel *channel)
{
	struct rpc_http_channel *ch = channel ? (struct rpc_http_channel *)channel->user : NULL;
	if (!ch)
		return;
	channel->user = NULL;
	ch->connection = NULL;
	ch->channel = NULL;
	rpc_http_finish(ch, &channel->output);
}

static void log_end(const struct rpc_http_connection *c)
{
	const struct log *log = c->loop->server->config.log;
	if (c->why)
		log_line(log, LOG_WARNING, "RPC over HTTP of %s from %s ended: %s", c->user, c->peer, c->why);
}

static void free_connection(struct rpc_http_connection *c)
{
	if (c->next)
		c->next->link = c->link;
	*c->link = c->next;
	for (int d = RPCH_IN; d <= RPCH_OUT; d++) {
		end_channel(rpch_successor(c->machine, d));
		end_channel(rpch_channel(c->machine, d));
	}
	log_end(c);
	rpch_connection_free(&c->machine);
	free(c);
}

/* After each call into the machine. What it was called with may be gone. */
static void flush_channels(struct rpc_http_connection *c)
{
	for (int d = RPCH_IN; d <= RPCH_OUT; d++) {
		struct rpch_channel *channels[] = {rpch_channel(c->machine, d), rpch_successor(c->machine, d)};
		for (unsigned i = 0; i < ARRAY_SIZE(channels); i++)
			while (channels[i] && channels[i]->user && channels[i]->output.len > 0)
				rpc_http_send((struct rpc_http_channel *)channels[i]->user, &channels[i]->output);
	}
}

static void leave(struct rpc_http_connection *c)
{
	if (c->depth == 1 && !c->over)
		flush_channels(c);
	if (--c->depth > 0 || !c->over)
		return;
	if (c->rpc)
		conn_close(c->rpc); /* which comes back through on_close */
	else
		free_connection(c);
}

static size_t waiting(const struct rpc_http_connection *c)
{
	struct rpch_channel *out = rpch_channel(c->machine, RPCH_OUT);
	const struct rpc_http_channel *ch = out ? (const struct rpc_http_channel *)out->user : NULL;
	return rpch_waiting(c->machine) + (ch ? web_waiting(ch->request) : 0);
}

/* ---- The RPC connection's side ---- */

static void on_flush(struct server_conn *rpc)
{
	struct rpc_http_connection *c = (struct rpc_http_connection *)rpc->user;
	struct buf *out = rpc_output(rpc->rpc);
	c->depth++;
	if (out->len > 0 && !c->over && rpch_send(c->machine, out->data, out->len, time_monotonic_ns()) < 0)
		rpch_close(c->machine, "an answer that cannot be sent");
	buf_clear(out);
	if (!c->over && waiting(c) > GIVE_UP_BYTES)
		rpch_close(c->machine, "it does not take what it asked for");
	if (!c->over && !c->held && waiting(c) > PAUSE_BYTES) {
		c->held = true;
		rpch_hold(c->machine, true, time_monotonic_ns());
	}
	leave(c);
}

static void on_close(struct server_conn *rpc)
{
	struct rpc_http_connection *c = (struct rpc_http_connection *)rpc->user;
	c->rpc = NULL;
	c->depth++;
	if (!c->over)
		rpch_close(c->machine, NULL);
	leave(c);
}

static bool finish(struct rpc_http_connection *c)
{
	if (!c->finishing || !c->rpc || waiting(c) > 0)
		return false;
	conn_close(c->rpc);
	return true;
}

static void on_finish(struct server_conn *rpc)
{
	struct rpc_http_connection *c = (struct rpc_http_connection *)rpc->user;
	c->finishing = true;
	finish(c);
}

static const struct conn_carrier on_channels = {.flush = on_flush, .close = on_close, .finish = on_finish};

/* ---- The machine's side ---- */

static void on_event(void *user, struct rpch_connection *machine, const struct rpch_event *event)
{
	struct rpc_http_connection *c = (struct rpc_http_connection *)user;
	(void)machine;
	switch (event->type) {
	case RPCH_EV_PDU:
		if (c->rpc)
			conn_feed(c->rpc, event->data, event->len);
		break;
	case RPCH_EV_DONE:
		end_channel(event->channel);
		break;
	case RPCH_EV_CLOSED:
		c->over = true;
		c->why = event->why;
		break;
	default:
		break;
	}
}

static struct rpc_http_connection *find(struct server_loop *loop, const struct guid *cookie)
{
	struct rpc_http_connection *c = loop->rpc_http;
	while (c && !guid_equal(&c->cookie, cookie))
		c = c->next;
	return c;
}

static void link_connection(struct rpc_http_connection *c, struct server_loop *loop)
{
	c->loop = loop;
	c->next = loop->rpc_http;
	if (c->next)
		c->next->link = &c->next;
	c->link = &loop->rpc_http;
	loop->rpc_http = c;
}

static struct rpc_http_connection *create(struct rpc_http_channel *ch, const struct guid *cookie)
{
	struct web_request *r = ch->request;
	struct rpc_http_connection *c = (struct rpc_http_connection *)calloc(1, sizeof *c);
	struct rpch_config config = {.role = RPCH_SERVER, .on_event = on_event, .user = c, .owner = r->account};
	if (!c || !(c->machine = rpch_connection_new(&config, time_monotonic_ns()))) {
		free(c);
		return NULL;
	}
	link_connection(c, r->loop);
	c->cookie = *cookie;
	snprintf(c->user, sizeof c->user, "%s", r->user);
	snprintf(c->peer, sizeof c->peer, "%s", r->peer);
	c->rpc = conn_new(r->loop, ch->port, &on_channels, c);
	if (!c->rpc) {
		free_connection(c);
		return NULL;
	}
	memcpy(c->rpc->local_ip, r->local_ip, sizeof c->rpc->local_ip);
	if (conn_start_rpc(c->rpc) < 0) {
		conn_close(c->rpc);
		return NULL;
	}
	return c;
}

bool rpc_http_attach(struct rpc_http_channel *ch, const struct rpch_opening *opening, const uint8_t *rest, size_t len,
                     const char **why)
{
	struct rpc_http_connection *c = find(ch->request->loop, &opening->connection);
	if (!c) {
		*why = opening->successor ? "a successor for no virtual connection" : "out of memory";
		c = opening->successor ? NULL : create(ch, &opening->connection);
	} else if (c->rpc && c->rpc->port != ch->port) {
		*why = "a channel to another port than its virtual connection's";
		return false;
	}
	if (!c)
		return false;
	c->depth++;
	bool taken =
	        rpch_attach(c->machine, opening, ch->request->account, time_monotonic_ns(), &ch->channel, why) == 0;
	if (taken) {
		ch->channel->user = ch;
		ch->connection = c;
		if (len > 0)
			rpch_feed(c->machine, ch->channel, rest, len, time_monotonic_ns());
	}
	leave(c);
	return taken;
}

/* ---- Requests ---- */

/* What is held is let go again, when enough of the answers has left. Not inside a call of the machine's. */
static void go_on(struct rpc_http_connection *c)
{
	if (c->over || !c->held || waiting(c) > RESUME_BYTES)
		return;
	c->held = false;
	rpch_hold(c->machine, false, time_monotonic_ns());
}

void rpc_http_feed(struct rpc_http_channel *ch, const uint8_t *data, size_t len)
{
	struct rpc_http_connection *c = ch->connection;
	c->depth++;
	rpch_feed(c->machine, ch->channel, data, len, time_monotonic_ns());
	go_on(c); /* an acknowledgement may have let answers go */
	leave(c);
}

void rpc_http_lost(struct rpc_http_channel *ch, const char *why)
{
	struct rpc_http_connection *c = ch->connection;
	struct rpch_channel *channel = ch->channel;
	if (!ch->request->state) /* its request is gone, and so will it be */
		channel->user = NULL;
	c->depth++;
	rpch_lost(c->machine, channel, why, time_monotonic_ns());
	leave(c);
}

void rpc_http_relax(struct rpc_http_connection *c)
{
	c->depth++;
	go_on(c);
	leave(c);
}

/* Who has channels and does not bind goes. */
static bool is_idle(const struct rpc_http_connection *c, int64_t now_ns)
{
	const struct server_conn *rpc = c->rpc;
	return rpc && !rpc_server_association(rpc->rpc) && now_ns - rpc->began_ns > server_patience_ns(c->loop->server);
}

void rpc_http_tick(struct server_loop *loop, int64_t now_ns)
{
	for (struct rpc_http_connection *c = loop->rpc_http, *next; c; c = next) {
		next = c->next;
		if (finish(c))
			continue;
		c->depth++;
		if (is_idle(c, now_ns))
			rpch_close(c->machine, "it does not bind");
		else if (now_ns >= rpch_deadline(c->machine))
			rpch_tick(c->machine, now_ns);
		leave(c);
	}
}
