#include "http/rpch-private.h"

#include "rpc/pdu.h"

#include <stdlib.h>

/* What a virtual connection is made of, whatever its role: channels, PDUs cut out of them, pings and deadlines. */

#define DEFAULT_SETUP 60000
/* A successor's bytes wait for the switch: a window full, and RTS PDUs. */
#define EARLY_MOST (RPCH_DEFAULT_WINDOW * 4 + RTS_MAX_SIZE)

static void set_defaults(struct rpch_config *config)
{
	if (!config->window)
		config->window = RPCH_DEFAULT_WINDOW;
	if (!config->lifetime)
		config->lifetime = RPCH_DEFAULT_LIFETIME;
	if (!config->timeout)
		config->timeout = RPCH_DEFAULT_TIMEOUT;
	if (!config->keepalive)
		config->keepalive = RPCH_DEFAULT_KEEPALIVE;
	if (!config->setup_timeout)
		config->setup_timeout = DEFAULT_SETUP;
}

struct rpch_connection *rpch_connection_new(const struct rpch_config *config, int64_t now_ns)
{
	struct rpch_connection *c = (struct rpch_connection *)calloc(1, sizeof *c);
	if (!c || !(c->arena = arena_new(0))) {
		free(c);
		return NULL;
	}
	c->config = *config;
	set_defaults(&c->config);
	c->keepalive = c->config.keepalive;
	c->timeouts[RPCH_IN] = c->timeouts[RPCH_OUT] = c->config.timeout;
	c->began_ns = c->now = now_ns;
	if (config->role == RPCH_CLIENT)
		rpch_client_start(c);
	if (c->state == RPCH_CLOSED)
		rpch_connection_free(&c);
	return c;
}

static void free_channel(struct channel **ch)
{
	if (!*ch)
		return;
	buf_free(&(*ch)->pub.output);
	buf_free(&(*ch)->part);
	free(TAKE_PTR(*ch));
}

static void free_dead(struct rpch_connection *c)
{
	while (c->dead) {
		struct channel *ch = c->dead;
		c->dead = ch->next_dead;
		free_channel(&ch);
	}
}

void rpch_connection_free(struct rpch_connection **connection)
{
	struct rpch_connection *c = TAKE_PTR(*connection);
	if (!c)
		return;
	free_dead(c);
	for (int d = RPCH_IN; d <= RPCH_OUT; d++) {
		free_channel(&c->channels[d]);
		free_channel(&c->next[d]);
	}
	buf_free(&c->queue);
	buf_free(&c->held);
	arena_free(&c->arena);
	free(c);
}

void rpch_set_user(struct rpch_connection *c, void *user)
{
	c->config.user = user;
}

void rpch_enter(struct rpch_connection *c, int64_t now_ns)
{
	c->now = now_ns;
	c->depth++;
}

void rpch_leave(struct rpch_connection *c)
{
	if (--c->depth == 0)
		free_dead(c);
}

static void raise(struct rpch_connection *c, const struct rpch_event *event)
{
	if (!c->config.on_event)
		return;
	c->depth++;
	c->config.on_event(c->config.user, c, event);
	c->depth--;
}

void rpch_raise(struct rpch_connection *c, enum rpch_event_type type, struct channel *channel)
{
	raise(c, &(struct rpch_event){.type = type, .channel = channel ? &channel->pub : NULL});
}

void rpch_fail(struct rpch_connection *c, const char *why)
{
	if (c->state == RPCH_CLOSED)
		return;
	c->state = RPCH_CLOSED;
	raise(c, &(struct rpch_event){.type = RPCH_EV_CLOSED, .why = why});
}

void rpch_close(struct rpch_connection *c, const char *why)
{
	rpch_fail(c, why);
}

struct channel *rpch_new_channel(struct rpch_connection *c, enum rpch_direction direction, const struct guid *cookie)
{
	struct channel *ch = (struct channel *)calloc(1, sizeof *ch);
	if (!ch) {
		rpch_fail(c, "out of memory");
		return NULL;
	}
	ch->pub.direction = direction;
	ch->pub.cookie = *cookie;
	ch->room = c->config.window;
	ch->wrote_ns = ch->heard_ns = c->now;
	return ch;
}

void rpch_put(struct rpch_connection *c, struct channel *ch, const struct rts *rts)
{
	size_t before = ch->pub.output.len;
	arena_reset(c->arena);
	if (rts_encode(c->arena, rts, &ch->pub.output) < 0) {
		rpch_fail(c, "out of memory");
		return;
	}
	ch->written += ch->pub.output.len - before;
	ch->wrote_ns = c->now;
	if (ch->written > c->config.lifetime)
		rpch_fail(c, "a channel has carried all that it may, and was not replaced");
}

void rpch_opened(struct rpch_connection *c)
{
	c->state = RPCH_OPENED;
	rpch_raise(c, RPCH_EV_OPEN, NULL);
	rpch_pump(c);
}

/* ---- Bytes to PDUs ---- */

size_t rpch_pdu_size(const uint8_t *h)
{
	bool big = (h[4] & 0xF0) == 0;
	size_t size = big ? (size_t)h[8] << 8 | h[9] : (size_t)h[9] << 8 | h[8];
	return h[0] == 5 && size >= RPC_HEADER_SIZE ? size : 0;
}

static void on_rts(struct rpch_connection *c, struct channel *ch, const uint8_t *pdu, size_t size)
{
	const char *why = NULL;
	struct rts rts;
	arena_reset(c->arena);
	if (rts_decode(c->arena, pdu, size, NULL, &rts, &why) != 0)
		rpch_fail(c, why);
	else if (c->config.role == RPCH_SERVER)
		rpch_server_rts(c, ch, &rts);
	else
		rpch_client_rts(c, ch, &rts);
}

static void on_pdu(struct rpch_connection *c, struct channel *ch, const uint8_t *pdu, size_t size)
{
	if (rts_is(pdu))
		on_rts(c, ch, pdu, size);
	else
		rpch_take(c, ch, pdu, size);
}

/* How many bytes of a PDU that has begun in part are to come; 0: it is whole or none. */
static size_t missing(const struct channel *ch, size_t *size)
{
	*size = 0;
	if (ch->part.len < RPC_HEADER_SIZE)
		return RPC_HEADER_SIZE - ch->part.len;
	*size = rpch_pdu_size(ch->part.data);
	return *size > ch->part.len ? *size - ch->part.len : 0;
}

/* Completes what has begun, as far as the bytes go; yields how many of them it took. */
static size_t complete(struct rpch_connection *c, struct channel *ch, const uint8_t *data, size_t len)
{
	size_t size, want = missing(ch, &size), n = want < len ? want : len;
	if (n > 0 && buf_put(&ch->part, data, n) < 0) {
		rpch_fail(c, "out of memory");
		return n;
	}
	if (missing(ch, &size) > 0)
		return n;
	if (size == 0) {
		rpch_fail(c, "no RPC PDU");
		return n;
	}
	on_pdu(c, ch, ch->part.data, size);
	buf_clear(&ch->part);
	return n;
}

/* Whether ch is still there to be read: it may have been replaced by the PDU before. */
static bool is_current(const struct rpch_connection *c, const struct channel *ch)
{
	return c->state != RPCH_CLOSED && (c->channels[ch->pub.direction] == ch || c->next[ch->pub.direction] == ch);
}

static void split(struct rpch_connection *c, struct channel *ch, const uint8_t *data, size_t len)
{
	while (len > 0 && is_current(c, ch)) {
		size_t size = ch->part.len == 0 && len >= RPC_HEADER_SIZE ? rpch_pdu_size(data) : 0, n = size;
		if (size > 0 && size <= len)
			on_pdu(c, ch, data, size);
		else
			n = complete(c, ch, data, len);
		data += n;
		len -= n;
	}
}

static void keep_early(struct rpch_connection *c, struct channel *ch, const void *data, size_t len)
{
	if (len > EARLY_MOST || ch->part.len > EARLY_MOST - len)
		rpch_fail(c, "a successor channel sends more than its window before it is in use");
	else if (buf_put(&ch->part, data, len) < 0)
		rpch_fail(c, "out of memory");
}

void rpch_feed(struct rpch_connection *c, struct rpch_channel *channel, const void *data, size_t len, int64_t now_ns)
{
	struct channel *ch = (struct channel *)channel;
	if (c->state == RPCH_CLOSED)
		return;
	rpch_enter(c, now_ns);
	ch->heard_ns = now_ns;
	if (ch->early)
		keep_early(c, ch, data, len);
	else
		split(c, ch, (const uint8_t *)data, len);
	rpch_leave(c);
}

void rpch_switch(struct rpch_connection *c, enum rpch_direction direction)
{
	struct channel *old = c->channels[direction], *now = c->next[direction];
	struct buf MW_CLEANUP(buf_free) early = {0};
	c->channels[direction] = now;
	c->next[direction] = NULL;
	c->recycle[direction] = RPCH_STEADY;
	old->next_dead = c->dead;
	c->dead = old;
	rpch_raise(c, RPCH_EV_DONE, old);
	now->early = false;
	early = now->part;
	now->part = (struct buf){0};
	split(c, now, early.data, early.len);
	rpch_pump(c);
}

void rpch_lost(struct rpch_connection *c, struct rpch_channel *channel, const char *why, int64_t now_ns)
{
	struct channel *ch = (struct channel *)channel;
	if (!is_current(c, ch))
		return;
	rpch_enter(c, now_ns);
	rpch_fail(c, why);
	rpch_leave(c);
}

struct rpch_channel *rpch_channel(struct rpch_connection *c, enum rpch_direction direction)
{
	return c->channels[direction] ? &c->channels[direction]->pub : NULL;
}

struct rpch_channel *rpch_successor(struct rpch_connection *c, enum rpch_direction direction)
{
	return c->next[direction] ? &c->next[direction]->pub : NULL;
}
