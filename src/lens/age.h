#ifndef MW_LENS_AGE_H
#define MW_LENS_AGE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Things in the order of their last use, so that the one that was idle longest can make room (parts.c). An age stands
 * first in the struct that it belongs to.
 */
struct lens_age {
	struct lens_age *newer, *older;
	uint64_t used; /* frame */
};

struct lens_ages {
	struct lens_age *newest, *oldest;
	size_t count;
};

static inline void lens_age_add(struct lens_ages *all, struct lens_age *a, uint64_t frame)
{
	*a = (struct lens_age){.older = all->newest, .used = frame};
	*(all->newest ? &all->newest->newer : &all->oldest) = a;
	all->newest = a;
	all->count++;
}

static inline void lens_age_remove(struct lens_ages *all, struct lens_age *a)
{
	*(a->newer ? &a->newer->older : &all->newest) = a->older;
	*(a->older ? &a->older->newer : &all->oldest) = a->newer;
	all->count--;
}

static inline void lens_age_touch(struct lens_ages *all, struct lens_age *a, uint64_t frame)
{
	a->used = frame;
	if (all->newest == a)
		return;
	lens_age_remove(all, a);
	lens_age_add(all, a, frame);
}

#endif
