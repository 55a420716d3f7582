#include "http/rpch_observer.h"

#include "base/arena.h"
#include "http/rpch-private.h"
#include "rpc/connection.h"

#include <stdlib.h>

/* RPC PDUs of a successor wait for the end of its predecessor, up to this many bytes. */
#define HELD_MOST ((size_t)1 << 20)

/* One body. */
struct body {
	struct buf part; /* a PDU that is not whole, or what is searched for the next one */
	uint64_t at;     /* offset of part's first byte */
	bool hunting;
};

struct seen {
	struct rpch_seen pub;
	struct seen *next;
	struct body bodies[2]; /* the server's, the client's */
	struct seen *successor;
	struct buf held;
	bool waits, ended;
};

struct known {
	struct known *next;
	struct guid cookie;
	unsigned number;
};

struct rpch_observer {
	rpch_sight_fn on_sight;
	void *user;
	struct arena *arena;
	struct seen *channels;
	struct known *connections; /* newest first */
};

struct rpch_observer *rpch_observer_new(rpch_sight_fn on_sight, void *user)
{
	struct rpch_observer *o = (struct rpch_observer *)calloc(1, sizeof *o);
	if (!o || !(o->arena = arena_new(0))) {
		free(o);
		return NULL;
	}
	o->on_sight = on_sight;
	o->user = user;
	return o;
}

void rpch_observer_free(struct rpch_observer **observer)
{
	struct rpch_observer *o = TAKE_PTR(*observer);
	if (!o)
		return;
	for (struct seen *s = o->channels, *next; s; s = next) {
		next = s->next;
		buf_free(&s->bodies[0].part);
		buf_free(&s->bodies[1].part);
		buf_free(&s->held);
		free(s);
	}
	for (struct known *k = o->connections, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	arena_free(&o->arena);
	free(o);
}

struct rpch_seen *rpch_observe_channel(struct rpch_observer *o, enum rpch_direction direction, void *user)
{
	struct seen *s = (struct seen *)calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->pub.direction = direction;
	s->pub.user = user;
	s->next = o->channels;
	o->channels = s;
	return &s->pub;
}

static void tell(struct rpch_observer *o, struct seen *s, bool from_client, struct rpch_sight sight)
{
	sight.channel = &s->pub;
	sight.from_client = from_client;
	o->on_sight(o->user, &sight);
}

/* ---- Which channel belongs where ---- */

static unsigned number_of(struct rpch_observer *o, const struct guid *cookie)
{
	for (const struct known *k = o->connections; k; k = k->next)
		if (guid_equal(&k->cookie, cookie))
			return k->number;
	struct known *k = (struct known *)malloc(sizeof *k);
	if (!k)
		return 0;
	*k = (struct known){o->connections, *cookie, o->connections ? o->connections->number + 1 : 1};
	o->connections = k;
	return k->number;
}

static void join(struct rpch_observer *o, struct seen *s, const struct rts *rts)
{
	s->pub.connection = number_of(o, &rts->cookies[0]);
	s->pub.successor = rts->cookie_count == 3;
	s->pub.cookie = rts->cookies[rts->cookie_count - 1];
	for (struct seen *old = s->pub.successor ? o->channels : NULL; old; old = old->next)
		if (old != s && !old->ended && old->pub.connection == s->pub.connection &&
		    old->pub.direction == s->pub.direction && guid_equal(&old->pub.cookie, &rts->cookies[1])) {
			old->successor = s;
			s->waits = true;
			return;
		}
}

static void release(struct rpch_observer *o, struct seen *s)
{
	struct buf MW_CLEANUP(buf_free) held = s->held;
	s->held = (struct buf){0};
	s->waits = false;
	for (size_t at = 0, size; at < held.len; at += 9 + size) {
		uint64_t first;
		memcpy(&first, held.data + at + 1, sizeof first);
		size = rpch_pdu_size(held.data + at + 9);
		tell(o, s, held.data[at],
		     (struct rpch_sight){
		             .type = RPCH_SAW_PDU, .first = first, .data = held.data + at + 9, .len = size});
	}
}

void rpch_observe_end(struct rpch_observer *o, struct rpch_seen *channel)
{
	struct seen *s = (struct seen *)channel;
	s->ended = true;
	if (s->successor && s->successor->waits)
		release(o, s->successor);
}

static void follow(struct rpch_observer *o, struct seen *s, bool from_client, const struct rts *rts)
{
	switch (rts->kind) {
	case RTS_CONN_A1:
	case RTS_CONN_B1:
	case RTS_IN_A1:
	case RTS_OUT_A3:
		if (from_client)
			join(o, s, rts);
		break;
	case RTS_COOKIE: /* IN_R1/A5 and IN_R2/A5 */
		if (s->pub.direction == RPCH_IN)
			rpch_observe_end(o, &s->pub);
		break;
	case RTS_ANCE: /* OUT_R1/A10 */
	case RTS_OUT_R2_B3:
		if (s->pub.direction == RPCH_OUT && !from_client)
			rpch_observe_end(o, &s->pub);
		break;
	default:
		break;
	}
}

/* ---- Bytes ---- */

static void hold_back(struct rpch_observer *o, struct seen *s, bool from_client, const struct rpch_sight *sight)
{
	if (s->held.len + sight->len > HELD_MOST)
		release(o, s);
	buf_put_u8(&s->held, from_client);
	buf_put_u64(&s->held, sight->first);
	if (!s->waits || buf_put(&s->held, sight->data, sight->len) < 0) {
		buf_clear(&s->held);
		tell(o, s, from_client, *sight);
	}
}

static void on_pdu(struct rpch_observer *o, struct seen *s, bool from_client, struct rpch_sight sight)
{
	struct rts rts;
	arena_reset(o->arena);
	if (!rts_is(sight.data)) {
		sight.type = RPCH_SAW_PDU;
		s->waits ? hold_back(o, s, from_client, &sight) : tell(o, s, from_client, sight);
	} else if (rts_decode(o->arena, sight.data, sight.len, NULL, &rts, &sight.why) != 0) {
		sight.type = RPCH_SAW_DAMAGED;
		tell(o, s, from_client, sight);
	} else {
		sight.type = RPCH_SAW_RTS;
		sight.rts = &rts;
		sight.why = NULL;
		follow(o, s, from_client, &rts);
		tell(o, s, from_client, sight);
	}
}

static bool could_be(const uint8_t *h, size_t len)
{
	if (rpch_pdu_size(h) == 0)
		return false;
	if (!rts_is(h))
		return rpc_looks_like(h, len);
	return h[1] <= 1 && h[3] == 3 && h[4] == 0x10 && h[10] == 0 && h[11] == 0;
}

/* Drops what cannot begin a PDU; whether one begins now. */
static bool find(struct body *b)
{
	size_t at = 0;
	while (b->part.len - at >= RPC_HEADER_SIZE && !could_be(b->part.data + at, b->part.len - at))
		at++;
	buf_consume(&b->part, at);
	b->at += at;
	return b->part.len >= RPC_HEADER_SIZE;
}

static void read_body(struct rpch_observer *o, struct seen *s, bool from_client)
{
	struct body *b = &s->bodies[from_client];
	while (b->part.len >= RPC_HEADER_SIZE) {
		if (b->hunting && !find(b))
			return;
		b->hunting = false;
		size_t size = rpch_pdu_size(b->part.data);
		if (size > b->part.len)
			return;
		if (size == 0) {
			tell(o, s, from_client,
			     (struct rpch_sight){.type = RPCH_SAW_DAMAGED, .first = b->at, .why = "no RPC PDU"});
			b->hunting = true;
			continue;
		}
		on_pdu(o, s, from_client, (struct rpch_sight){.first = b->at, .data = b->part.data, .len = size});
		buf_consume(&b->part, size);
		b->at += size;
	}
}

void rpch_observe(struct rpch_observer *o, struct rpch_seen *channel, bool from_client, const void *data, size_t len)
{
	struct seen *s = (struct seen *)channel;
	struct body *b = &s->bodies[from_client];
	if (buf_put(&b->part, data, len) < 0)
		rpch_observe_gap(o, channel, from_client, len);
	else
		read_body(o, s, from_client);
}

void rpch_observe_gap(struct rpch_observer *o, struct rpch_seen *channel, bool from_client, uint64_t n)
{
	struct seen *s = (struct seen *)channel;
	struct body *b = &s->bodies[from_client];
	tell(o, s, from_client,
	     (struct rpch_sight){.type = RPCH_SAW_GAP, .first = b->at + b->part.len, .len = (size_t)n});
	b->at += b->part.len + n;
	buf_clear(&b->part);
	b->hunting = true;
}
