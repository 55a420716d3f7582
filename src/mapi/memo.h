#ifndef MW_MAPI_MEMO_H
#define MW_MAPI_MEMO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a peer makes us remember, bounded: numbered entries with a number and
 * two blobs each. When a bound is reached, the entry that was asked for longest
 * ago is forgotten. Not for other folders.
 */

struct memo_blob {
	void *data; /* NULL when size is 0 */
	size_t size;
	bool known;
};

struct memo_entry {
	uint64_t key;
	uint64_t number;
	bool has_number;
	struct memo_blob blob[2];
	struct memo_entry *next;          /* in the bucket */
	struct memo_entry *newer, *older; /* by use */
};

#define MEMO_BUCKETS 256

struct memo {
	struct memo_entry *buckets[MEMO_BUCKETS];
	struct memo_entry *newest, *oldest;
	unsigned count, max_count;
	size_t bytes, max_bytes; /* of blobs */
};

/* NULL when there is none. Both make the entry the newest. */
struct memo_entry *memo_find(struct memo *m, uint64_t key);
/* Makes it when there is none; NULL when out of memory. */
struct memo_entry *memo_make(struct memo *m, uint64_t key);
void memo_drop(struct memo *m, uint64_t key);
void memo_clear(struct memo *m);
/* Keeps a copy. MW_E_LIMIT when it alone is beyond the bound. e stays valid. */
MW_NODISCARD int memo_set(struct memo *m, struct memo_entry *e, unsigned slot, const void *data, size_t size);
void memo_unset(struct memo *m, struct memo_entry *e, unsigned slot);

#endif
