#include "lens/packet-private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DATAGRAMS 256
#define MAX_HELD ((size_t)4 << 20)
#define MAX_SIZE 65535u
#define MAX_PARTS 256

struct range {
	uint32_t from, end;
};

struct datagram {
	struct fragment key; /* without its bytes */
	uint64_t used;       /* 0: free */
	uint8_t *data;
	size_t cap, total; /* total 0: the last part is missing */
	unsigned parts;
	struct range have[MAX_PARTS]; /* in order, none touches the next */
	unsigned count;
};

struct lens_fragments {
	struct datagram *slots[MAX_DATAGRAMS];
	uint8_t *whole; /* handed out last */
	size_t held;
	uint64_t clock;
};

struct lens_fragments *lens_fragments_new(void)
{
	return calloc(1, sizeof(struct lens_fragments));
}

static void drop(struct lens_fragments *f, struct datagram *d)
{
	f->held -= d->cap;
	free(d->data);
	d->data = NULL;
	d->cap = d->total = 0;
	d->count = d->parts = 0;
	d->used = 0;
}

void lens_fragments_free(struct lens_fragments **fragments)
{
	struct lens_fragments *f = *fragments;
	*fragments = NULL;
	if (!f)
		return;
	for (size_t i = 0; i < MAX_DATAGRAMS; i++)
		if (f->slots[i]) {
			drop(f, f->slots[i]);
			free(f->slots[i]);
		}
	free(f->whole);
	free(f);
}

static bool same(const struct fragment *a, const struct fragment *b)
{
	return a->id == b->id && a->protocol == b->protocol && a->from.family == b->from.family &&
	       memcmp(a->from.bytes, b->from.bytes, 16) == 0 && memcmp(a->to.bytes, b->to.bytes, 16) == 0;
}

static void give_up(struct lens_fragments *f, struct datagram *d, uint64_t *lost)
{
	*lost += d->parts;
	drop(f, d);
}

/* Its datagram, begun when there is none; the oldest makes room. */
static struct datagram *find(struct lens_fragments *f, const struct fragment *part, uint64_t *lost)
{
	struct datagram **room = NULL, **oldest = NULL;
	for (size_t i = 0; i < MAX_DATAGRAMS; i++) {
		struct datagram **d = &f->slots[i];
		if (!*d || !(*d)->used) {
			room = !room || (*d && !*room) ? d : room;
			continue;
		}
		if (same(&(*d)->key, part))
			return *d;
		if (!oldest || (*d)->used < (*oldest)->used)
			oldest = d;
	}
	if (!room) {
		give_up(f, *oldest, lost);
		room = oldest;
	}
	if (!*room && !(*room = calloc(1, sizeof **room)))
		return NULL;
	(*room)->key = *part;
	(*room)->used = ++f->clock;
	return *room;
}

/* Never the one that is wanted. */
static void drop_oldest(struct lens_fragments *f, const struct datagram *wanted, uint64_t *lost)
{
	struct datagram *oldest = NULL;
	for (size_t i = 0; i < MAX_DATAGRAMS; i++) {
		struct datagram *d = f->slots[i];
		if (d && d->used && d != wanted && (!oldest || d->used < oldest->used))
			oldest = d;
	}
	if (oldest)
		give_up(f, oldest, lost);
}

static bool make_room(struct lens_fragments *f, struct datagram *d, size_t end, uint64_t *lost)
{
	size_t cap = d->cap ? d->cap : 4096;
	if (end <= d->cap)
		return true;
	while (cap < end)
		cap *= 2;
	while (cap - d->cap > MAX_HELD - f->held)
		drop_oldest(f, d, lost);
	uint8_t *data = realloc(d->data, cap);
	if (!data)
		return false;
	f->held += cap - d->cap;
	d->data = data;
	d->cap = cap;
	return true;
}

/* 1: new bytes; 0: they were there before; -1: they contradict what is there, or there are too many holes. */
static int place(struct datagram *d, size_t from, const struct cursor *bytes)
{
	size_t end = from + cursor_left(bytes);
	unsigned at = 0;
	while (at < d->count && d->have[at].end < from)
		at++;
	if (at < d->count && d->have[at].from < end && d->have[at].end > from) {
		/* RFC 5722: a part that overlaps is an attack, unless it came twice. */
		if (d->have[at].from > from || d->have[at].end < end ||
		    memcmp(d->data + from, cursor_here(bytes), end - from) != 0)
			return -1;
		return 0;
	}
	bool after = at < d->count && d->have[at].end == from;
	unsigned next = at + after;
	if (next < d->count && d->have[next].from < end)
		return -1;
	bool before = next < d->count && d->have[next].from == end;
	if (after && before) {
		d->have[at].end = d->have[next].end;
		memmove(&d->have[next], &d->have[next + 1], (d->count - next - 1) * sizeof *d->have);
		d->count--;
	} else if (after) {
		d->have[at].end = (uint32_t)end;
	} else if (before) {
		d->have[next].from = (uint32_t)from;
	} else {
		if (d->count == MAX_PARTS)
			return -1;
		memmove(&d->have[at + 1], &d->have[at], (d->count - at) * sizeof *d->have);
		d->have[at] = (struct range){(uint32_t)from, (uint32_t)end};
		d->count++;
	}
	memcpy(d->data + from, cursor_here(bytes), end - from);
	return 1;
}

static bool take_whole(struct lens_fragments *f, struct datagram *d, struct cursor *whole)
{
	if (!d->total || d->count != 1 || d->have[0].from != 0 || d->have[0].end != d->total)
		return false;
	free(f->whole);
	f->whole = d->data;
	*whole = cursor_of(d->data, d->total);
	f->held -= d->cap;
	d->data = NULL;
	d->cap = 0;
	drop(f, d);
	return true;
}

bool lens_fragments_add(struct lens_fragments *f, const struct fragment *part, struct cursor *whole, uint64_t *lost)
{
	size_t len = cursor_left(&part->bytes);
	if (len == 0 || len > MAX_SIZE || part->offset > MAX_SIZE - len || (part->more && len % 8 != 0)) {
		(*lost)++;
		return false;
	}
	struct datagram *d = find(f, part, lost);
	if (!d)
		return false;
	size_t end = part->offset + len;
	bool fits = part->more ? !d->total || end <= d->total : !d->total || end == d->total;
	d->parts++;
	if (!part->more && d->count && d->have[d->count - 1].end > end)
		fits = false;
	if (!fits || !make_room(f, d, end, lost) || place(d, part->offset, &part->bytes) < 0) {
		give_up(f, d, lost);
		return false;
	}
	if (!part->more)
		d->total = end;
	return take_whole(f, d, whole);
}
