#ifndef MW_STORE_LISTING_H
#define MW_STORE_LISTING_H

#include "store/table_private.h"

/* The list of a table on its way: rows are collected, then sorted; it may stop after every row (lister.c). */
struct store_listing {
	struct store_table *t;
	struct arena *arena, *scratch;
	struct buf rows; /* struct store_listed */
	size_t count;
	int phase;
	uint64_t after;       /* the last row looked at of the phase */
	struct buf documents; /* by words: those that have them */
	bool heard;           /* the folder has changed since it began */
	/* sorting: runs of that width are in order */
	struct store_listed *sorted, *spare;
	size_t width, done; /* done: rows of the next width's runs that are merged */
	size_t left, right; /* taken of the two runs at hand */
};

/* ---- listing.c ---- */
/* The row, or rows, of what passes the filter. */
int store_listing_add(struct store_listing *l, const struct store_object *o);
int store_listing_add_fixed(struct store_listing *l);

/* ---- lister.c ---- */
void store_listing_free(struct store_listing **l);

#endif
