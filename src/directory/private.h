#ifndef MW_DIRECTORY_PRIVATE_H
#define MW_DIRECTORY_PRIVATE_H

#include "base/arena.h"
#include "directory/snapshot.h"

#include <sqlite3.h>
#include <stdatomic.h>

struct directory {
	sqlite3 *db;
	char error[256];
	struct directory_snapshot *newest;
	int64_t data_version; /* PRAGMA data_version when newest was read */
	bool dirty;           /* written by ourselves since then */
	uint64_t version;
};

/* A text made comparable, and whose it is. Arrays of these are sorted by key, then by user. */
struct directory_key {
	const char *key;
	const struct directory_user *user;
	uint32_t position; /* in the list; UINT32_MAX when hidden */
};

struct directory_index {
	struct directory_key *keys;
	size_t count;
};

struct directory_snapshot {
	atomic_uint references;
	struct arena *arena;
	uint64_t version;
	struct directory_settings settings;
	struct directory_user *users; /* in the order of ids */
	size_t user_count;
	const struct directory_user **list; /* those not hidden, as collated */
	const uint8_t **sort_keys;          /* of the list, ICU's, NUL-terminated */
	uint32_t *positions;                /* by index in users; UINT32_MAX when hidden */
	size_t count;
	struct directory_index addresses, dns, accounts, words, names;
	void *collator; /* UCollator, only read */
};

/* Keeps SQLite's last message and says which of our errors it is. */
int directory_fail(struct directory *d, const char *doing, int rc);
/* *out stays NULL on failure. */
int directory_prepare(struct directory *d, const char *sql, sqlite3_stmt **out);
/* The one number that the query yields. */
int directory_number(struct directory *d, const char *sql, int64_t *out);
static inline void directory_finalize(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}
#define DIRECTORY_STMT MW_CLEANUP(directory_finalize) sqlite3_stmt *

/* The case-folded form by which accounts, addresses and DNs are compared. NULL: out of memory. */
char *directory_fold(struct arena *arena, const char *text);
/* The same without accents: for names that people type. */
char *directory_fold_loosely(struct arena *arena, const char *text);
/* The first key >= text. */
size_t directory_lower_bound(const struct directory_index *index, const char *text);

/* Reads all users and makes every index but sort order. In snapshot.c and index.c. */
int directory_load(struct directory *d, struct directory_snapshot *s);
int directory_index(struct directory_snapshot *s);

#endif
