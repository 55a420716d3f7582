#include "lens/streams.h"

#include <stdlib.h>
#include <string.h>

/*
 * A hole that the receiver has acknowledged was lost by the capture, not by the
 * network; but a capture may also hold frames in the wrong order, therefore a few more are awaited.
 * A hole whose receiver is not in the capture at all is given up after more.
 */
#define WAIT_ACKED 8
#define WAIT_ONE_SIDED 64
#define MAX_HELD 4096 /* segments of one side */

struct lens_held {
	struct lens_held *next, *before;
	uint32_t seq;
	uint32_t captured;
	uint64_t len;
	struct lens_stamp stamp;
	uint8_t data[];
};

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static size_t cost(const struct lens_held *h)
{
	return sizeof *h + h->captured;
}

/* ---- The streams that hold bytes, by last use ---- */

static void unlink_holder(struct lens_streams *all, struct lens_stream *s)
{
	if (!s->holds)
		return;
	*(s->newer ? &s->newer->older : &all->newest) = s->older;
	*(s->older ? &s->older->newer : &all->oldest) = s->newer;
	s->newer = s->older = NULL;
	s->holds = false;
}

static void touch_holder(struct lens_streams *all, struct lens_stream *s, uint64_t frame)
{
	s->used = frame;
	if (all->newest == s)
		return;
	unlink_holder(all, s);
	s->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = s;
	all->newest = s;
	s->holds = true;
}

static void drop_first(struct lens_streams *all, struct lens_stream *s, struct lens_half *h)
{
	struct lens_held *e = h->first;
	h->first = e->next;
	*(h->first ? &h->first->before : &h->last) = NULL;
	h->held -= cost(e);
	h->held_count--;
	all->held -= cost(e);
	free(e);
	if (!s->half[0].first && !s->half[1].first)
		unlink_holder(all, s);
}

/* ---- Delivery ---- */

static void give_gap(struct lens_streams *all, struct lens_stream *s, unsigned side, uint64_t n,
                     const struct lens_stamp *stamp)
{
	s->half[side].next += (uint32_t)n;
	all->sink->gap(s->user, side, n, stamp);
}

/* Bytes at or before next: the part that is new. */
static void give(struct lens_streams *all, struct lens_stream *s, unsigned side, uint32_t seq, const uint8_t *data,
                 size_t captured, uint64_t len, const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	uint64_t old = (uint32_t)distance(seq, h->next);
	if (old >= len)
		return;
	if (old < captured) {
		size_t n = captured - (size_t)old;
		h->next += (uint32_t)n;
		all->sink->data(s->user, side, data + old, n, stamp);
		old = captured;
	}
	if (len > old)
		give_gap(all, s, side, len - old, stamp);
}

static void give_held(struct lens_streams *all, struct lens_stream *s, unsigned side)
{
	struct lens_half *h = &s->half[side];
	while (h->first && distance(h->next, h->first->seq) <= 0) {
		struct lens_held *e = h->first;
		struct lens_stamp stamp = e->stamp;
		give(all, s, side, e->seq, e->data, e->captured, e->len, &stamp);
		drop_first(all, s, h);
	}
}

static void give_end(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	if (!h->has_fin || h->ended || distance(h->next, h->fin) > 0)
		return;
	h->ended = true;
	all->sink->end(s->user, side, stamp);
}

static bool has_hole(const struct lens_half *h)
{
	return h->started && !h->ended &&
	       (h->first || (h->has_acked && distance(h->next, h->acked) > 0) ||
	        (h->has_fin && distance(h->next, h->fin) > 0));
}

/* Where the hole at next ends: at the first held segment, the FIN, or what was acknowledged. */
static uint32_t hole_end(const struct lens_half *h)
{
	if (h->first)
		return h->first->seq;
	bool acked = h->has_acked && distance(h->next, h->acked) > 0;
	bool fin = h->has_fin && distance(h->next, h->fin) > 0;
	if (fin && (!acked || distance(h->fin, h->acked) > 0))
		return h->fin;
	return acked ? h->acked : h->next;
}

/* Gives the hole at next up. Yields its size. */
static uint32_t skip_hole(struct lens_streams *all, struct lens_stream *s, unsigned side,
                          const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	int32_t size = distance(h->next, hole_end(h));
	h->waits = 0;
	if (size > 0)
		give_gap(all, s, side, (uint32_t)size, stamp);
	give_held(all, s, side);
	give_end(all, s, side, stamp);
	return size > 0 ? (uint32_t)size : 0;
}

static uint64_t flush_side(struct lens_streams *all, struct lens_stream *s, unsigned side,
                           const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	uint64_t lost = 0;
	while (has_hole(h)) {
		const struct lens_half before = *h;
		lost += skip_hole(all, s, side, stamp);
		/* Numbers half their range apart are neither before nor after one another. */
		if (h->next == before.next && h->first == before.first && h->ended == before.ended)
			break;
	}
	return lost;
}

/* ---- Holding ---- */

static void keep_limits(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	while (h->first && (h->held > all->stream_limit || h->held_count > MAX_HELD))
		all->dropped += skip_hole(all, s, side, stamp);
	while (all->held > all->total_limit && all->oldest)
		all->dropped += lens_stream_flush(all, all->oldest, stamp);
}

static void hold(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_segment *seg,
                 const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	struct lens_held *e = malloc(sizeof *e + seg->captured);
	if (!e) {
		all->dropped += seg->len;
		return;
	}
	*e = (struct lens_held){.seq = seg->seq, .captured = (uint32_t)seg->captured, .len = seg->len, .stamp = *stamp};
	memcpy(e->data, seg->data, seg->captured);
	struct lens_held *at = h->last;
	while (at && distance(at->seq, e->seq) < 0)
		at = at->before;
	e->before = at;
	e->next = at ? at->next : h->first;
	*(e->before ? &e->before->next : &h->first) = e;
	*(e->next ? &e->next->before : &h->last) = e;
	h->held += cost(e);
	h->held_count++;
	all->held += cost(e);
	touch_holder(all, s, stamp->frame);
	keep_limits(all, s, side, stamp);
}

/* ---- Segments ---- */

static void start(struct lens_half *h, const struct lens_segment *seg)
{
	h->started = true;
	h->next = seg->seq + ((seg->flags & TCP_SYN) != 0);
}

/* What seg acknowledges of the other side: shows holes there. */
static void note_ack(struct lens_half *other, const struct lens_segment *seg)
{
	if (!(seg->flags & TCP_ACK))
		return;
	if (!other->has_acked || distance(other->acked, seg->ack) > 0)
		other->acked = seg->ack;
	other->has_acked = true;
}

static void age_hole(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	if (!has_hole(h)) {
		h->waits = 0;
		return;
	}
	bool acked = h->has_acked && distance(h->next, h->acked) > 0;
	/* The receiver sees the hole too and will ask for it. */
	if (!acked && h->has_acked)
		return;
	if (++h->waits > (acked ? WAIT_ACKED : WAIT_ONE_SIDED))
		skip_hole(all, s, side, stamp);
}

/* The other side answers: what it has acknowledged of side, behind a hole too, it has read before. */
static void skip_answered(struct lens_streams *all, struct lens_stream *s, unsigned side,
                          const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	if (h->first && h->has_acked && distance(h->first->seq, h->acked) > 0)
		skip_hole(all, s, side, stamp);
}

void lens_stream_segment(struct lens_streams *all, struct lens_stream *s, unsigned side, const struct lens_segment *seg,
                         const struct lens_stamp *stamp)
{
	struct lens_half *h = &s->half[side];
	struct lens_segment cut = *seg;
	if (!h->started)
		start(h, seg);
	if (seg->flags & TCP_SYN)
		cut.seq++;
	if (seg->flags & TCP_FIN && !h->has_fin) {
		h->has_fin = true;
		h->fin = cut.seq + (uint32_t)seg->len;
	}
	note_ack(&s->half[!side], seg);
	if (seg->len)
		skip_answered(all, s, !side, stamp);
	if (cut.len && !h->ended) {
		if (distance(h->next, cut.seq) > 0) {
			hold(all, s, side, &cut, stamp);
		} else {
			give(all, s, side, cut.seq, cut.data, cut.captured, cut.len, stamp);
			give_held(all, s, side);
		}
	}
	give_end(all, s, side, stamp);
	age_hole(all, s, 0, stamp);
	age_hole(all, s, 1, stamp);
}

uint64_t lens_stream_flush(struct lens_streams *all, struct lens_stream *s, const struct lens_stamp *stamp)
{
	uint64_t lost = flush_side(all, s, 0, stamp) + flush_side(all, s, 1, stamp);
	lens_stream_drop(all, s);
	return lost;
}

void lens_stream_drop(struct lens_streams *all, struct lens_stream *s)
{
	for (unsigned side = 0; side < 2; side++)
		while (s->half[side].first)
			drop_first(all, s, &s->half[side]);
}
