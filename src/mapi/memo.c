#include "mapi/memo.h"

#include <stdlib.h>
#include <string.h>

static struct memo_entry **bucket(struct memo *m, uint64_t key)
{
	uint64_t h = key * UINT64_C(0x9E3779B97F4A7C15);
	return &m->buckets[h >> 56 & (MEMO_BUCKETS - 1)];
}

static void unlink_use(struct memo *m, struct memo_entry *e)
{
	*(e->newer ? &e->newer->older : &m->newest) = e->older;
	*(e->older ? &e->older->newer : &m->oldest) = e->newer;
}

static void link_newest(struct memo *m, struct memo_entry *e)
{
	e->newer = NULL;
	e->older = m->newest;
	*(m->newest ? &m->newest->newer : &m->oldest) = e;
	m->newest = e;
}

static struct memo_entry *touch(struct memo *m, struct memo_entry *e)
{
	if (m->newest != e) {
		unlink_use(m, e);
		link_newest(m, e);
	}
	return e;
}

struct memo_entry *memo_find(struct memo *m, uint64_t key)
{
	for (struct memo_entry *e = *bucket(m, key); e; e = e->next)
		if (e->key == key)
			return touch(m, e);
	return NULL;
}

void memo_unset(struct memo *m, struct memo_entry *e, unsigned slot)
{
	m->bytes -= e->blob[slot].size;
	free(e->blob[slot].data);
	e->blob[slot] = (struct memo_blob){0};
}

void memo_drop(struct memo *m, uint64_t key)
{
	for (struct memo_entry **at = bucket(m, key); *at; at = &(*at)->next) {
		struct memo_entry *e = *at;
		if (e->key != key)
			continue;
		*at = e->next;
		unlink_use(m, e);
		memo_unset(m, e, 0);
		memo_unset(m, e, 1);
		free(e);
		m->count--;
		return;
	}
}

struct memo_entry *memo_make(struct memo *m, uint64_t key)
{
	struct memo_entry *e = memo_find(m, key);
	if (e)
		return e;
	if (m->count >= m->max_count && m->oldest)
		memo_drop(m, m->oldest->key);
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->key = key;
	e->next = *bucket(m, key);
	*bucket(m, key) = e;
	link_newest(m, e);
	m->count++;
	return e;
}

void memo_clear(struct memo *m)
{
	while (m->oldest)
		memo_drop(m, m->oldest->key);
}

int memo_set(struct memo *m, struct memo_entry *e, unsigned slot, const void *data, size_t size)
{
	void *copy = NULL;
	if (size > m->max_bytes)
		return MW_E_LIMIT;
	if (size) {
		copy = malloc(size);
		if (!copy)
			return MW_E_NOMEM;
		memcpy(copy, data, size);
	}
	memo_unset(m, e, slot);
	touch(m, e);
	while (m->bytes > m->max_bytes - size && m->oldest != e)
		memo_drop(m, m->oldest->key);
	if (m->bytes > m->max_bytes - size)
		memo_unset(m, e, !slot);
	e->blob[slot] = (struct memo_blob){.data = copy, .size = size, .known = true};
	m->bytes += size;
	return 0;
}
