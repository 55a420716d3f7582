#include "server/crowd.h"

#include "base/time.h"
#include "server/stream.h"

#define LEAST_BITS 10 /* rank 1 ends at 2 KiB */

static uint8_t rank_of(size_t held)
{
	unsigned bits = 63u - (unsigned)__builtin_clzll(held | 1);
	unsigned rank = bits <= LEAST_BITS ? 1 : bits - LEAST_BITS + 1;
	return (uint8_t)(rank < CROWD_RANKS ? rank : CROWD_RANKS - 1);
}

static size_t held_by(const struct server_stream *s)
{
	return sizeof *s + (s->ops ? s->ops->held(s) : 0) + s->write_bytes;
}

static void take_out(struct server_stream *s)
{
	struct crowd *crowd = &s->loop->crowd;
	struct crowd_place *p = &s->place;
	*(p->before ? &p->before->place.after : &crowd->first[p->rank]) = p->after;
	*(p->after ? &p->after->place.before : &crowd->last[p->rank]) = p->before;
	crowd->held -= p->held;
}

/* Behind all of its rank: it was heard from last. */
static void put_in(struct server_stream *s)
{
	struct crowd *crowd = &s->loop->crowd;
	struct crowd_place *p = &s->place;
	p->held = p->known ? 0 : held_by(s);
	p->rank = p->known ? 0 : rank_of(p->held);
	p->since_ns = s->last_ns;
	p->before = crowd->last[p->rank];
	p->after = NULL;
	*(p->before ? &p->before->place.after : &crowd->first[p->rank]) = s;
	crowd->last[p->rank] = s;
	crowd->held += p->held;
}

void crowd_add(struct server_stream *s)
{
	put_in(s);
}

void crowd_remove(struct server_stream *s)
{
	take_out(s);
}

/* Mostly nothing but a number changes. */
void crowd_note(struct server_stream *s)
{
	struct crowd_place *p = &s->place;
	size_t held = p->known ? 0 : held_by(s);
	if (s->last_ns - p->since_ns > NS_PER_S || (!p->known && rank_of(held) != p->rank)) {
		take_out(s);
		put_in(s);
	} else {
		s->loop->crowd.held += held - p->held;
		p->held = held;
	}
}

void crowd_know(struct server_stream *s)
{
	take_out(s);
	s->place.known = true;
	put_in(s);
}

void crowd_hold(struct server_loop *loop)
{
	struct crowd *crowd = &loop->crowd;
	unsigned rank = CROWD_RANKS - 1;
	while (crowd->held > crowd->most && rank > 0) {
		if (!crowd->first[rank]) {
			rank--;
			continue;
		}
		crowd->heavy++;
		stream_close(crowd->first[rank]);
	}
}

void crowd_make_room(struct server_loop *loop)
{
	struct crowd *crowd = &loop->crowd;
	struct server_stream *silent = NULL;
	for (unsigned rank = 1; rank < CROWD_RANKS; rank++) {
		struct server_stream *s = crowd->first[rank];
		if (s && (!silent || s->last_ns < silent->last_ns))
			silent = s;
	}
	if (!silent)
		silent = crowd->first[0];
	if (silent) {
		crowd->silent_ones++;
		stream_close(silent);
	}
}

void crowd_tell(struct server_loop *loop, int64_t now_ns)
{
	struct crowd *crowd = &loop->crowd;
	const struct log *log = loop->server->config.log;
	if (now_ns - crowd->told_ns < NS_PER_S || crowd->silent_ones + crowd->heavy == 0)
		return;
	crowd->told_ns = now_ns;
	if (crowd->silent_ones > 0)
		log_line(log, LOG_WARNING,
		         "too many connections: closed %u that were silent longest; --connections allows more",
		         crowd->silent_ones);
	if (crowd->heavy > 0)
		log_line(log, LOG_WARNING,
		         "connections without a user hold too much memory: closed %u that held most; "
		         "--unauthenticated-memory allows more",
		         crowd->heavy);
	crowd->silent_ones = crowd->heavy = 0;
}
