#include "lens/lens-private.h"

#include <stdlib.h>

#define FIRST_SIZE 4
#define MAX_SIZE 8192

static struct lens_place *at(const struct lens_where *w, unsigned i)
{
	return &w->ring[(w->first + i) & (w->size - 1)];
}

/* Places whose bytes end before needed. */
static void prune(struct lens_where *w, uint64_t needed)
{
	while (w->count > 1 && at(w, 1)->offset <= needed) {
		w->first = (w->first + 1) & (w->size - 1);
		w->count--;
	}
}

static bool resize(struct lens_where *w, unsigned size)
{
	struct lens_place *ring = malloc(size * sizeof *ring);
	if (!ring)
		return false;
	for (unsigned i = 0; i < w->count; i++)
		ring[i] = *at(w, i);
	free(w->ring);
	w->ring = ring;
	w->size = size;
	w->first = 0;
	return true;
}

/* On failure, or at the largest size, the oldest place is given up. */
static bool grow(struct lens_where *w)
{
	unsigned size = w->size ? w->size * 2 : FIRST_SIZE;
	return size <= MAX_SIZE && resize(w, size);
}

void lens_where_rest(struct lens_where *w, uint64_t needed)
{
	prune(w, needed);
	if (w->size > FIRST_SIZE && w->count <= FIRST_SIZE)
		resize(w, FIRST_SIZE);
}

void lens_where_add(struct lens_where *w, size_t len, const struct lens_stamp *stamp, uint64_t needed)
{
	if (w->count == w->size)
		prune(w, needed);
	if (w->count == w->size && !grow(w)) {
		if (!w->size)
			return;
		w->first = (w->first + 1) & (w->size - 1);
		w->count--;
	}
	w->count++;
	*at(w, w->count - 1) = (struct lens_place){.offset = w->end, .stamp = *stamp};
	w->end += len;
}

struct lens_stamp lens_where_find(const struct lens_where *w, uint64_t offset)
{
	if (!w->count)
		return (struct lens_stamp){0};
	unsigned low = 0, high = w->count; /* the last place at or before offset */
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;
		if (at(w, middle)->offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return at(w, low)->stamp;
}

struct lens_stamp lens_where_span(const struct lens_where *w, uint64_t offset, uint64_t *room)
{
	unsigned next = 0, high = w->count; /* the first place after offset */
	while (next < high) {
		unsigned middle = next + (high - next) / 2;
		if (at(w, middle)->offset <= offset)
			next = middle + 1;
		else
			high = middle;
	}
	*room = next < w->count ? at(w, next)->offset - offset : UINT64_MAX;
	return lens_where_find(w, offset);
}

void lens_where_free(struct lens_where *w)
{
	free(w->ring);
	*w = (struct lens_where){0};
}
