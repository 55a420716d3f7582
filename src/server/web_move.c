#include "server/web_conn.h"

#include <stdlib.h>
#include <unistd.h>

/* A connection goes to another loop with its TLS, its HTTP and its user; only the socket's handle is made anew. */

struct moving_web {
	struct loop_message message;
	struct web_conn *conn;
	int fd;
};

void web_move(struct web_request *r, struct server_loop *to, void (*run)(struct web_request *r))
{
	struct web_conn *c = web_conn_of(r);
	if (to == r->loop) {
		run(r);
		return;
	}
	c->moving = to;
	c->moved = run;
	http_pause(c->http, true);
	stream_hold(c->stream, true);
	if (!c->in_feed)
		web_settle(c);
}

static void arrive(struct server_loop *loop, struct loop_message *message)
{
	struct moving_web *m = (struct moving_web *)message;
	struct web_conn *c = m->conn;
	struct server_stream *s = stream_open(loop, c->request.port, m->fd);
	free(m);
	if (!s) {
		web_conn_free(c); /* its route has left nothing here yet */
		return;
	}
	c->stream = s;
	c->request.loop = loop;
	web_hash_in(c);
	stream_start(s, &web_stream, c);
	if (c->dead)
		return;
	if (c->auth.account)
		crowd_know(s);
	http_pause(c->http, false);
	c->in_feed = true;
	bool ended = c->end_waits;
	c->end_waits = false;
	c->moved(&c->request);
	if (ended && c->open && c->request.route->end)
		c->request.route->end(&c->request);
	web_feed_plain(c, NULL, 0);
	c->in_feed = false;
	web_settle(c);
}

void web_move_now(struct web_conn *c)
{
	struct moving_web *m = (struct moving_web *)calloc(1, sizeof *m);
	struct server_loop *to = TAKE_PTR(c->moving);
	struct server_stream *s = c->stream;
	if (!m || (m->fd = stream_dup(s)) < 0) {
		free(m);
		stream_close(s);
		return;
	}
	loop_send_never(c->request.loop, &c->unsent);
	web_hash_out(c);
	s->ops = NULL;
	stream_close(s);
	c->stream = NULL;
	m->conn = c;
	m->message.run = arrive;
	loop_post(to, &m->message);
}
