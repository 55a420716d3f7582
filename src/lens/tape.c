#include "lens/tape.h"

#include "lens/lens-private.h"

#include <stdlib.h>

/* ---- Copies ---- */

/* What of an event is text that may not last. */
static const size_t texts[] = {
        offsetof(struct lens_event, pipe),    offsetof(struct lens_event, endpoint),
        offsetof(struct lens_event, status),  offsetof(struct lens_event, why_sealed),
        offsetof(struct lens_event, user),    offsetof(struct lens_event, folder),
        offsetof(struct lens_event, says),    offsetof(struct lens_event, damaged),
        offsetof(struct lens_event, summary),
};

static const char **text_of(struct lens_event *e, size_t i)
{
	return (const char **)(void *)((char *)e + texts[i]);
}

/* Its texts and ROPs behind it, in one piece. */
static struct lens_event *copy_event(struct arena *arena, const struct lens_event *e)
{
	struct lens_event own = *e;
	size_t len[ARRAY_SIZE(texts)], rops = e->rop_count * sizeof *e->rops, total = sizeof own + rops;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		len[i] = *text_of(&own, i) ? strlen(*text_of(&own, i)) + 1 : 0;
		total += len[i];
	}
	uint8_t *at = arena_alloc(arena, total);
	if (!at)
		return NULL;
	struct lens_event *copy = (struct lens_event *)(void *)at;
	*copy = own;
	at += sizeof own;
	if (rops)
		copy->rops = memcpy(at, e->rops, rops);
	at += rops;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (len[i])
			*text_of(copy, i) = memcpy(at, *text_of(copy, i), len[i]);
		at += len[i];
	}
	return copy;
}

static const struct lens_field *copy_fields(struct arena *arena, const struct lens_event *e)
{
	struct lens_field *fields = arena_new_array(arena, struct lens_field, e->field_count);
	for (unsigned i = 0; fields && i < e->field_count; i++) {
		fields[i] = e->fields[i];
		fields[i].name = e->fields[i].name ? arena_strdup(arena, e->fields[i].name) : NULL;
		fields[i].value = e->fields[i].value ? arena_strdup(arena, e->fields[i].value) : NULL;
	}
	return fields;
}

/* The connection as it is now. */
static struct lens_conn *copy_conn(struct arena *arena, const struct lens_event *e)
{
	bool whole = e->kind == LENS_CLOSE || e->kind == LENS_RESET;
	struct lens_conn *copy = arena_new_of(arena, struct lens_conn);
	if (copy)
		memcpy(copy, e->conn, whole ? sizeof *copy : offsetof(struct lens_conn, trouble));
	return copy;
}

/* ---- Recording ---- */

static struct lens_told *note(struct lens_tale *t, const struct lens_told *told)
{
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct lens_told *more = realloc(t->list, cap * sizeof *more);
		if (!more)
			return NULL;
		t->list = more;
		t->cap = cap;
	}
	t->list[t->count] = *told;
	return &t->list[t->count++];
}

static bool is_on(const struct lens_tape *t, const struct lens_pending *p)
{
	return p->batch == t->batch;
}

/* As it was told in this batch, or a copy for this one: it has its number by now. */
static const struct lens_event *request_of(const struct lens_tape *t, const struct lens_pending *asked)
{
	return is_on(t, asked) ? t->own.list[asked->told].event : copy_event(t->arena, asked->event);
}

void lens_tape_event(struct lens *part, const struct lens_event *e, struct lens_pending *self,
                     const struct lens_pending *asked)
{
	struct lens_tape *t = part->tape;
	struct lens_event *copy = copy_event(t->arena, e);
	struct lens_conn *conn = copy ? copy_conn(t->arena, e) : NULL;
	if (!conn)
		return;
	copy->conn = conn;
	if (e->field_count && !(copy->fields = copy_fields(t->arena, e)))
		copy->field_count = 0;
	if (asked)
		copy->request = request_of(t, asked);
	const struct lens_told told = {part->now.frame, copy, (struct lens_conn *)(uintptr_t)e->conn,
	                               self ? self->event : NULL};
	if (note(t->tale, &told) && self) {
		self->batch = t->batch;
		self->told = t->tale->count - 1;
	}
}

void lens_tape_answered(struct lens *part, const struct lens_pending *p)
{
	if (is_on(part->tape, p))
		part->tape->own.list[p->told].waits = NULL;
}

void lens_tape_conn(struct lens *part, struct lens_conn *c, bool over)
{
	note(over ? part->tape->tale : &part->tape->began, &(struct lens_told){.frame = part->now.frame, .conn = c});
}

/* ---- Taking a batch ---- */

void lens_tape_take(struct lens *part, const struct lens_load *load, struct lens_tape *t)
{
	if (t->given_count && !t->arena && !(t->arena = arena_new(0)))
		t->given_count = 0;
	if (t->arena)
		arena_reset(t->arena);
	t->tale = &t->own;
	t->batch = load->batch;
	part->tape = t;
	for (size_t i = 0; i < t->given_count; i++) {
		struct lens_given *g = &t->given[i];
		g->seg.data = load->bytes + g->at;
		if (g->seg.protocol)
			lens_part_segment(part, &g->seg, &g->stamp);
		else
			(void)lens_tls_add(part, g->seg.data, g->seg.captured);
	}
	t->given_count = 0;
}

void lens_tape_free(struct lens_tape *t)
{
	arena_free(&t->arena);
	free(t->own.list);
	free(t->began.list);
	free(t->given);
}

static bool has_room(struct lens_tape *t, struct lens_load *load, size_t bytes)
{
	if (t->given_count == t->given_cap) {
		size_t cap = t->given_cap ? t->given_cap * 2 : 64;
		struct lens_given *more = realloc(t->given, cap * sizeof *more);
		if (!more)
			return false;
		t->given = more;
		t->given_cap = cap;
	}
	if (bytes > load->cap - load->len) {
		size_t cap = (load->cap + bytes) * 2;
		uint8_t *more = realloc(load->bytes, cap);
		if (!more)
			return false;
		load->bytes = more;
		load->cap = cap;
	}
	return true;
}

void lens_tape_give(struct lens_tape *t, struct lens_load *load, const struct lens_segment *seg,
                    const struct lens_stamp *stamp)
{
	if (!has_room(t, load, seg->captured))
		return;
	if (seg->captured)
		memcpy(load->bytes + load->len, seg->data, seg->captured);
	t->given[t->given_count++] = (struct lens_given){*seg, load->len, *stamp};
	load->len += seg->captured;
}

void lens_tape_keys(struct lens *whole, const void *text, size_t len)
{
	const struct lens_segment keys = {.data = text, .captured = len, .len = len};
	struct lens_load *load = &whole->loads[whole->reading];
	load->secret = true;
	for (unsigned i = 0; i < LENS_PARTS; i++)
		lens_tape_give(&whole->parts[i]->tapes[whole->reading], load, &keys, &whole->now);
}

/* ---- Playing ---- */

/* Tales of all parts as one, by frame. */
struct merge {
	const struct lens_told *next[LENS_PARTS], *end[LENS_PARTS];
};

static void merge_begin(struct merge *m, unsigned i, const struct lens_tale *t)
{
	m->next[i] = t->list;
	m->end[i] = t->list + t->count;
}

static const struct lens_told *merge_next(struct merge *m)
{
	unsigned first = LENS_PARTS;
	for (unsigned i = 0; i < LENS_PARTS; i++)
		if (m->next[i] != m->end[i] && (first == LENS_PARTS || m->next[i]->frame < m->next[first]->frame))
			first = i;
	return first == LENS_PARTS ? NULL : m->next[first]++;
}

static void number_conns(struct lens *whole, unsigned which)
{
	const struct lens_told *told;
	struct merge m = {0};
	for (unsigned i = 0; i < LENS_PARTS; i++)
		merge_begin(&m, i, &whole->parts[i]->tapes[which].began);
	while ((told = merge_next(&m)))
		lens_conn_number(whole, told->conn);
	for (unsigned i = 0; i < LENS_PARTS; i++)
		whole->parts[i]->tapes[which].began.count = 0;
}

/* Whoever answers a request in a later batch tells its number. */
static void number_requests(struct lens *whole, unsigned which)
{
	uint64_t number = whole->numbered;
	const struct lens_told *told;
	struct merge m = {0};
	for (unsigned i = 0; i < LENS_PARTS; i++)
		merge_begin(&m, i, &whole->parts[i]->tapes[which].own);
	while ((told = merge_next(&m))) {
		number += told->event != NULL;
		if (told->waits)
			told->waits->number = number;
	}
	whole->numbered = number;
}

void lens_tapes_number(struct lens *whole, unsigned which)
{
	number_conns(whole, which);
	number_requests(whole, which);
}

static void play(struct lens *whole, const struct lens_told *told)
{
	if (!told->event) {
		lens_conn_forget(whole, told->conn);
		return;
	}
	/* Copied before it had a number. */
	if (!told->event->conn->number)
		((struct lens_conn *)(uintptr_t)told->event->conn)->number = told->conn->number;
	lens_hand_out(whole, told->event);
}

void lens_tapes_play(struct lens *whole, unsigned which)
{
	const struct lens_told *told;
	struct lens_tale *settled = &whole->loads[which].settled;
	struct merge m = {0};
	for (unsigned i = 0; i < LENS_PARTS; i++)
		merge_begin(&m, i, &whole->parts[i]->tapes[which].own);
	while ((told = merge_next(&m)))
		play(whole, told);
	for (size_t i = 0; i < settled->count; i++)
		play(whole, &settled->list[i]);
	settled->count = 0;
	for (unsigned i = 0; i < LENS_PARTS; i++)
		whole->parts[i]->tapes[which].own.count = 0;
}

void lens_tale_drop(struct lens *whole, struct lens_tale *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (!t->list[i].event)
			lens_conn_forget(whole, t->list[i].conn);
	t->count = 0;
}
