#include "lens/lens-private.h"

#include "base/secret.h"

#include <stdlib.h>

/*
 * With others at hand (lens_workers) parts decode beside each other: while they take one batch, the events of the
 * one before are handed out and the next one is read. Small batches, with which a capture begins, are not worth the
 * way.
 */
#define WORTH_IT 512u /* frames */

bool lens_is_recorded(const struct lens *whole)
{
	const struct lens_options *o = &whole->options;
	return o->workers && !o->keep_events && !o->said;
}

static void task(void *arg, unsigned index)
{
	struct lens *whole = arg, *part = whole->parts[index];
	if (part)
		lens_tape_take(part, &whole->loads[whole->decoding], &part->tapes[whole->decoding]);
}

static void begin(struct lens *whole, unsigned which)
{
	const struct lens_workers *w = whole->options.workers;
	whole->decoding = which;
	whole->loads[which].batch = ++whole->batches;
	whole->under_way = true;
	whole->helped = whole->loads[which].frames >= WORTH_IT;
	if (whole->helped)
		w->begin(w->user, task, whole, LENS_PARTS);
	for (unsigned i = 0; !whole->helped && i < LENS_PARTS; i++)
		task(whole, i);
}

/* Waits for the batch under way, and lets the parts settle. */
static void finish(struct lens *whole)
{
	const struct lens_workers *w = whole->options.workers;
	struct lens_load *load = &whole->loads[whole->decoding];
	if (whole->helped)
		w->finish(w->user);
	whole->under_way = whole->helped = false;
	lens_tapes_number(whole, whole->decoding);
	for (unsigned i = 0; i < LENS_PARTS; i++)
		if (whole->parts[i])
			whole->parts[i]->tapes[whole->decoding].tale = &load->settled;
	lens_settle(whole, &load->last);
}

static void wipe(struct lens_load *load)
{
	if (load->secret)
		secret_wipe(load->bytes, load->len);
	load->secret = false;
}

/* The batch that was read is taken; that before it is told. */
static void turn(struct lens *whole)
{
	bool before = whole->under_way;
	unsigned read = whole->reading;
	if (before)
		finish(whole);
	begin(whole, read);
	if (before)
		lens_tapes_play(whole, !read);
	whole->reading = !read;
	struct lens_load *load = &whole->loads[!read];
	wipe(load);
	load->len = 0;
	load->frames = 0;
}

void lens_batches_frame(struct lens *whole, const struct lens_segment *seg)
{
	struct lens_load *load = &whole->loads[whole->reading];
	struct lens *part = seg ? lens_part_of(whole, seg) : NULL;
	if (part)
		lens_tape_give(&part->tapes[whole->reading], load, seg, &whole->now);
	load->frames++;
	load->last = whole->now;
	if (lens_batch_is_full(&whole->batch)) {
		lens_batch_begin(&whole->batch);
		turn(whole);
	}
}

void lens_batches_end(struct lens *whole)
{
	whole->loads[whole->reading].last = whole->now;
	turn(whole);
	finish(whole);
	lens_tapes_play(whole, whole->decoding);
	for (unsigned i = 0; i < LENS_PARTS; i++)
		if (whole->parts[i])
			whole->parts[i]->tape = NULL;
}

void lens_batches_free(struct lens *whole)
{
	if (whole->under_way && whole->helped)
		whole->options.workers->finish(whole->options.workers->user);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned p = 0; p < LENS_PARTS; p++)
			if (whole->parts[p])
				lens_tale_drop(whole, &whole->parts[p]->tapes[i].own);
		lens_tale_drop(whole, &whole->loads[i].settled);
		free(whole->loads[i].settled.list);
		wipe(&whole->loads[i]);
		free(whole->loads[i].bytes);
	}
}
