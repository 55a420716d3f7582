#include "capture/reader-private.h"

#include <stdlib.h>

/* Several files as one: their frames in the order of their times. */

struct part {
	struct capture_reader *r;
	struct capture_frame frame; /* the next one of it */
	bool over;
};

struct capture_parts {
	size_t count;
	int bad;             /* how the first one that was damaged ended */
	struct part *newest; /* whose frame was handed out; its next one is to be read */
	struct part list[];
};

static void advance(struct capture_reader *r, struct part *p)
{
	struct capture_parts *all = r->parts;
	int got = capture_next(p->r, &p->frame);
	p->over = got != 1;
	if (got < 0 && all->bad == 0) {
		all->bad = got;
		r->why = capture_why(p->r);
	}
}

static int next(struct capture_reader *r, struct capture_frame *out)
{
	struct capture_parts *all = r->parts;
	struct part *first = NULL;
	if (all->newest)
		advance(r, all->newest);
	for (size_t i = 0; i < all->count; i++) {
		struct part *p = &all->list[i];
		if (!p->over && (!first || p->frame.time_ns < first->frame.time_ns))
			first = p;
	}
	all->newest = first;
	if (!first)
		return all->bad;
	*out = first->frame;
	out->number = ++r->number;
	return 1;
}

static void close_parts(struct capture_reader *r)
{
	struct capture_parts *all = r->parts;
	for (size_t i = 0; i < all->count; i++)
		capture_close(&all->list[i].r);
	free(all);
	r->parts = NULL;
}

void capture_parts_progress(const struct capture_reader *r, uint64_t *done, uint64_t *size)
{
	*done = *size = 0;
	for (size_t i = 0; i < r->parts->count; i++) {
		uint64_t d, s;
		capture_progress(r->parts->list[i].r, &d, &s);
		*done += d;
		*size += s;
	}
}

const struct capture_extra *capture_parts_extra(const struct capture_reader *r, size_t index)
{
	for (size_t i = 0; i < r->parts->count; i++) {
		const struct capture_reader *p = r->parts->list[i].r;
		if (index < p->extra_count)
			return &p->extras[index];
		index -= p->extra_count;
	}
	return NULL;
}

const struct capture_extra *capture_parts_new_extra(struct capture_reader *r)
{
	const struct capture_extra *e = NULL;
	for (size_t i = 0; !e && i < r->parts->count; i++)
		if (r->parts->list[i].r)
			e = capture_new_extra(r->parts->list[i].r);
	return e;
}

int capture_open_files(const char *const *paths, size_t count, struct capture_reader **out, size_t *which,
                       const char **why)
{
	*which = 0;
	if (count == 1)
		return capture_open(paths[0], out, why);
	if (count == 0 || count > CAPTURE_MAX_FILES)
		return MW_E_LIMIT;
	struct capture_reader *r = calloc(1, sizeof *r);
	struct capture_parts *all = calloc(1, sizeof *all + count * sizeof all->list[0]);
	if (!r || !all) {
		free(r);
		free(all);
		return MW_E_NOMEM;
	}
	r->parts = all;
	r->next = next;
	r->close = close_parts;
	for (size_t i = 0; i < count; i++) {
		int bad = capture_open(paths[i], &all->list[i].r, why);
		if (bad < 0) {
			*which = i;
			capture_close(&r);
			return bad;
		}
		all->count++;
	}
	for (size_t i = 0; i < count; i++)
		advance(r, &all->list[i]);
	*out = r;
	return 0;
}
