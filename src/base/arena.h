#ifndef MW_BASE_ARENA_H
#define MW_BASE_ARENA_H

#include "base/error.h"

#include <stddef.h>

/*
 * One owner, one end: what a PDU, a call or a table view needs is allocated
 * here and freed together. Allocations are zeroed and aligned to 16 bytes.
 * A ceiling bounds what one peer can make us hold; sizes count in steps of 16,
 * so that many small allocations count for what they take.
 */
struct arena;

/* limit: most bytes that may be handed out between two resets; 0 = no ceiling.
 * NULL when out of memory. */
struct arena *arena_new(size_t limit);
void arena_free(struct arena **arena);
/* Forgets all allocations but keeps one block for the next round. */
void arena_reset(struct arena *arena);

/* NULL when out of memory or beyond the ceiling. size 0 yields a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same for n elements; an overflow of n * size is out of memory. */
void *arena_array(struct arena *arena, size_t n, size_t size);
void *arena_copy(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t n);
/* All of them in one; NULL is nothing. */
char *arena_join(struct arena *arena, const char *const *parts, size_t count);
#define ARENA_JOIN(arena, ...)                                                                                         \
	arena_join((arena), (const char *const[]){__VA_ARGS__},                                                        \
	           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
char *arena_printf(struct arena *arena, const char *format, ...) MW_PRINTF(2, 3);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);
/* Bytes that it takes. */
size_t arena_held(const struct arena *arena);

#define arena_new_of(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, n) ((type *)arena_array((arena), (n), sizeof(type)))

static inline void arena_cleanup(struct arena **arena)
{
	arena_free(arena);
}

#endif
