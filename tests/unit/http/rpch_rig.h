#ifndef MW_TESTS_HTTP_RPCH_RIG_H
#define MW_TESTS_HTTP_RPCH_RIG_H

#include "rig.h"

#include "http/rpch.h"

#include <stdio.h>
#include <string.h>

/*
 * A client's and a server's virtual connection in memory, and a network between them: each channel is a link with bytes
 * on their way in both directions, which arrive in portions and, from channel to channel, in any order.
 */

struct noise {
	uint64_t state;
};

static inline uint64_t noise_next(struct noise *n)
{
	n->state += 0x9e3779b97f4a7c15u;
	uint64_t z = n->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void noise_fill(void *user, void *out, size_t n)
{
	uint8_t *p = out;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)noise_next(user);
}

#define RIG_MAX_LINKS 4096

struct link {
	enum rpch_direction direction;
	struct buf to_server, to_client;
	struct rpch_channel *client, *server; /* NULL: not yet, or replaced */
	bool attached;
	unsigned number;
};

struct rig {
	struct noise noise;
	struct random_source random;
	struct rpch_connection *client, *server;
	struct link *links[RIG_MAX_LINKS];
	unsigned link_count;
	int64_t now;
	bool whole; /* all that is on its way arrives at once */
	const char *client_over, *server_over;
	bool client_open, server_open;
	struct buf client_got, server_got; /* RPC PDUs */
	uint64_t carried[2];               /* bytes by direction, all channels */
	unsigned done[2];                  /* channels that the server saw replaced */
	size_t most_of_one[2];             /* bytes of one channel */
	struct guid connection_cookie;
	/* Who sees the bytes of each link. */
	void (*on_wire)(void *user, unsigned link, bool from_client, const void *data, size_t len);
	void *watch;
};

static inline struct link *rig_link(struct rig *r, struct rpch_channel *client)
{
	struct link *l = calloc(1, sizeof *l);
	assert_true(l && r->link_count < RIG_MAX_LINKS);
	l->direction = client->direction;
	l->client = client;
	client->user = l;
	l->number = r->link_count;
	r->links[r->link_count++] = l;
	return l;
}

static inline void rig_take(struct buf *from, struct buf *to)
{
	buf_put(to, from->data, from->len);
	buf_clear(from);
}

static void rig_client_event(void *user, struct rpch_connection *c, const struct rpch_event *e)
{
	struct rig *r = user;
	(void)c;
	switch (e->type) {
	case RPCH_EV_OPEN:
		r->client_open = true;
		break;
	case RPCH_EV_PDU:
		buf_put(&r->client_got, e->data, e->len);
		break;
	case RPCH_EV_CHANNEL:
		rig_link(r, e->channel);
		break;
	case RPCH_EV_DONE: {
		struct link *l = e->channel->user;
		rig_take(&e->channel->output, &l->to_server);
		l->client = NULL;
		break;
	}
	case RPCH_EV_CLOSED:
		r->client_over = e->why;
	}
}

static void rig_server_event(void *user, struct rpch_connection *c, const struct rpch_event *e)
{
	struct rig *r = user;
	(void)c;
	switch (e->type) {
	case RPCH_EV_OPEN:
		r->server_open = true;
		break;
	case RPCH_EV_PDU:
		buf_put(&r->server_got, e->data, e->len);
		break;
	case RPCH_EV_DONE: {
		struct link *l = e->channel->user;
		rig_take(&e->channel->output, &l->to_client);
		r->done[e->channel->direction]++;
		l->server = NULL;
		break;
	}
	case RPCH_EV_CHANNEL:
		fail();
		break;
	case RPCH_EV_CLOSED:
		r->server_over = e->why;
	}
}

static inline void rig_start(struct rig *r, uint64_t seed, struct rpch_config client, struct rpch_config server)
{
	r->noise.state = seed;
	r->random = (struct random_source){noise_fill, &r->noise};
	r->now = 1000000;
	client.role = RPCH_CLIENT;
	client.on_event = rig_client_event;
	server.role = RPCH_SERVER;
	server.on_event = rig_server_event;
	client.user = server.user = r;
	client.random = &r->random;
	r->client = rpch_connection_new(&client, r->now);
	r->server = rpch_connection_new(&server, r->now);
	assert_true(r->client && r->server);
	rig_link(r, rpch_channel(r->client, RPCH_OUT));
	rig_link(r, rpch_channel(r->client, RPCH_IN));
}

static inline void rig_stop(struct rig *r)
{
	rpch_connection_free(&r->client);
	rpch_connection_free(&r->server);
	for (unsigned i = 0; i < r->link_count; i++) {
		buf_free(&r->links[i]->to_client);
		buf_free(&r->links[i]->to_server);
		free(r->links[i]);
	}
	buf_free(&r->client_got);
	buf_free(&r->server_got);
}

static inline size_t rig_portion(struct rig *r, size_t len)
{
	return r->whole ? len : 1 + noise_next(&r->noise) % len;
}

static inline void rig_show(struct rig *r, const struct link *l, bool from_client, const void *data, size_t len)
{
	if (r->on_wire)
		r->on_wire(r, l->number, from_client, data, len);
}

/* The first PDU of a link, when it is there. */
static inline void rig_attach(struct rig *r, struct link *l)
{
	struct rpch_opening opening;
	const char *why = NULL;
	int got = rpch_read_opening(l->direction, l->to_server.data, l->to_server.len, &opening, &why);
	if (got == MW_E_AGAIN)
		return;
	assert_int_equal(got, 0);
	r->connection_cookie = opening.connection;
	if (rpch_attach(r->server, &opening, 0, r->now, &l->server, &why) != 0)
		fail_msg("refused: %s", why);
	l->server->user = l;
	l->attached = true;
	rig_show(r, l, true, l->to_server.data, opening.size);
	buf_consume(&l->to_server, opening.size);
}

/* Moves some of what is on its way on a link; whether there was any. */
static inline bool rig_move(struct rig *r, struct link *l)
{
	bool any = false;
	if (l->client)
		rig_take(&l->client->output, &l->to_server);
	if (l->server)
		rig_take(&l->server->output, &l->to_client);
	if (!l->attached && l->to_server.len > 0) {
		rig_attach(r, l);
		any = l->attached;
	}
	if (l->server && l->to_server.len > 0) {
		struct buf MW_CLEANUP(buf_free) now = {0};
		buf_put(&now, l->to_server.data, rig_portion(r, l->to_server.len));
		buf_consume(&l->to_server, now.len);
		r->carried[RPCH_IN] += now.len;
		rig_show(r, l, true, now.data, now.len);
		rpch_feed(r->server, l->server, now.data, now.len, r->now);
		any = true;
	}
	if (l->client && l->to_client.len > 0) {
		struct buf MW_CLEANUP(buf_free) now = {0};
		buf_put(&now, l->to_client.data, rig_portion(r, l->to_client.len));
		buf_consume(&l->to_client, now.len);
		r->carried[RPCH_OUT] += now.len;
		rig_show(r, l, false, now.data, now.len);
		rpch_feed(r->client, l->client, now.data, now.len, r->now);
		any = true;
	}
	return any;
}

/* Until nothing is on its way. */
static inline void rig_run(struct rig *r)
{
	for (bool any = true; any;) {
		unsigned first = noise_next(&r->noise) % r->link_count, count = r->link_count;
		any = false;
		for (unsigned i = 0; i < count; i++)
			any = rig_move(r, r->links[(first + i) % count]) || any;
	}
}

/* A PDU that looks like a request, with numbers in it. */
static inline size_t rig_pdu(struct rig *r, struct buf *out, uint32_t number)
{
	size_t size = 16 + noise_next(&r->noise) % 5824, start = out->len;
	uint8_t head[16] = {5, 0, 0, 3, 0x10, 0, 0, 0, (uint8_t)size, (uint8_t)(size >> 8)};
	memcpy(head + 12, &number, 4);
	buf_put(out, head, 16);
	while (out->len - start < size)
		buf_put_u8(out, (uint8_t)(number + out->len - start));
	return size;
}

#endif
