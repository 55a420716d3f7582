#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

/* Under AddressSanitizer a gap follows each allocation, so that an overrun is seen. */
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ARENA_GAP 0
#endif

#define ARENA_ALIGN 16
#define BLOCK_MIN ((size_t)1024) /* many hold a few names, and no more */
#define BLOCK_MAX ((size_t)64 << 10)

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(ARENA_ALIGN) uint8_t data[];
};

struct arena {
	struct block *head; /* allocations come from here; what was filled or oversized follows */
	size_t limit;
	size_t used;
	size_t next_size;
};

struct arena *arena_new(size_t limit)
{
	struct arena *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->limit = limit;
	a->next_size = BLOCK_MIN;
	return a;
}

static void block_free(struct block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
	free(b);
}

static void free_blocks(struct block *b)
{
	while (b) {
		struct block *next = b->next;
		block_free(b);
		b = next;
	}
}

void arena_free(struct arena **arena)
{
	if (!*arena)
		return;
	free_blocks((*arena)->head);
	free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	struct block *keep = arena->head;

	arena->used = 0;
	if (!keep)
		return;
	free_blocks(keep->next);
	keep->next = NULL;
	if (keep->size > BLOCK_MAX) {
		block_free(keep);
		arena->head = NULL;
		return;
	}
	keep->used = 0;
	ASAN_POISON_MEMORY_REGION(keep->data, keep->size);
}

static struct block *block_new(size_t size)
{
	struct block *b = malloc(sizeof *b + size);

	if (!b)
		return NULL;
	b->next = NULL;
	b->size = size;
	b->used = 0;
	ASAN_POISON_MEMORY_REGION(b->data, size);
	return b;
}

/* A block with room for size bytes; an oversized one goes behind the head, whose rest stays in use. */
static struct block *block_with_room(struct arena *a, size_t size)
{
	struct block *b;

	if (a->head && a->head->size - a->head->used >= size)
		return a->head;
	if (size > a->next_size) {
		b = block_new(size);
		if (!b)
			return NULL;
		if (a->head) {
			b->next = a->head->next;
			a->head->next = b;
		} else {
			a->head = b;
		}
		return b;
	}
	b = block_new(a->next_size);
	if (!b)
		return NULL;
	if (a->next_size < BLOCK_MAX)
		a->next_size *= 2;
	b->next = a->head;
	a->head = b;
	return b;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *b;
	size_t step;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	step = (size + (size == 0) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (arena->limit && step > arena->limit - arena->used)
		return NULL;
	b = block_with_room(arena, step + ARENA_GAP);
	if (!b)
		return NULL;
	p = b->data + b->used;
	b->used += step + ARENA_GAP;
	arena->used += step;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	memset(p, 0, size);
	return p;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
	void *p = arena_alloc(arena, size);

	if (p && size)
		memcpy(p, data, size);
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_copy(arena, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(arena, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

char *arena_join(struct arena *arena, const char *const *parts, size_t count)
{
	size_t total = 1;
	char *text, *at;

	for (size_t i = 0; i < count; i++)
		total += parts[i] ? strlen(parts[i]) : 0;
	text = at = arena_alloc(arena, total);
	for (size_t i = 0; text && i < count; i++)
		at = parts[i] ? stpcpy(at, parts[i]) : at;
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	p = arena_alloc(arena, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(args, format);
	vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	return p;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

size_t arena_held(const struct arena *arena)
{
	size_t n = sizeof *arena;

	for (const struct block *b = arena->head; b; b = b->next)
		n += sizeof *b + b->size;
	return n;
}
