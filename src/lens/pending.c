#include "lens/lens-private.h"

#include <stdlib.h>

#define MAX_SPARE 16

struct lens_pending *lens_pending_new(struct lens *lens)
{
	struct lens_pending *p = lens->spare_pending;
	if (p) {
		lens->spare_pending = p->next;
		lens->spare_count--;
	} else {
		p = calloc(1, sizeof *p);
		if (!p || !(p->arena = arena_new(0))) {
			free(p);
			return NULL;
		}
	}
	*p = (struct lens_pending){.arena = p->arena};
	return p;
}

void lens_pending_free(struct lens *lens, struct lens_pending *p)
{
	if (lens->tape && p->batch)
		lens_tape_answered(lens, p);
	if (lens->spare_count == MAX_SPARE) {
		arena_free(&p->arena);
		free(p);
		return;
	}
	arena_reset(p->arena);
	p->next = lens->spare_pending;
	lens->spare_pending = p;
	lens->spare_count++;
}

static unsigned *in_flight(const struct lens_pending *p)
{
	return p->event->parked ? &p->conn->parked : &p->conn->waiting;
}

static void drop_first(struct lens_conversation *t)
{
	struct lens_pending *p = t->first;
	--*in_flight(p);
	t->first = p->next;
	if (!t->first)
		t->last = NULL;
	t->pending--;
	if (t->lens->options.keep_events)
		p->event->unanswered = true;
	lens_pending_free(t->lens, p);
}

void lens_pending_add(struct lens_conversation *t, struct lens_pending *p)
{
	if (t->pending == LENS_MAX_PENDING)
		drop_first(t);
	*(t->last ? &t->last->next : &t->first) = p;
	t->last = p;
	t->pending++;
	p->conn = t->flow->conn;
	++*in_flight(p);
}

static bool is_handshake(const struct lens_event *e)
{
	return e->kind == LENS_BIND || e->kind == LENS_ALTER;
}

struct lens_pending *lens_pending_find(struct lens_conversation *t, uint32_t call_id, bool handshake)
{
	struct lens_pending *p = t->first;
	while (p && (p->event->call_id != call_id || is_handshake(p->event) != handshake))
		p = p->next;
	return p;
}

void lens_pending_take(struct lens_conversation *t, struct lens_pending *taken)
{
	struct lens_pending *before = NULL;
	for (struct lens_pending *p = t->first; p != taken; p = p->next)
		before = p;
	*(before ? &before->next : &t->first) = taken->next;
	if (t->last == taken)
		t->last = before;
	t->pending--;
	--*in_flight(taken);
}

/* A connection may be forgotten before the answer to what was asked on it comes. */
void lens_pending_move(struct lens_conversation *t)
{
	for (struct lens_pending *p = t->first; p; p = p->next) {
		--*in_flight(p);
		p->conn = t->flow->conn;
		++*in_flight(p);
	}
}

void lens_pending_drop(struct lens_conversation *t)
{
	while (t->first)
		drop_first(t);
}
