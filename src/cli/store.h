#ifndef MW_CLI_STORE_H
#define MW_CLI_STORE_H

#include "cli/cli.h"
#include "directory/snapshot.h"
#include "store/mailbox.h"

/* What the commands of 'mapiwire store' share: which mailboxes are meant. */

extern const char store_command[]; /* "store" */

struct stores {
	const char *state;
	struct directory *directory;
	struct directory_snapshot *users; /* NULL: no directory is there */
	const char *to;                   /* backup: a folder or file */
	unsigned wait_s;                  /* compact */
	bool force, adopt;
	struct buf out;
	int code; /* of what went wrong with one of them, when others went well */
};

/* One mailbox: how people call it, and its file. 0, or an exit code that ends it all. */
typedef int stores_fn(struct stores *s, const char *label, const char *path);

/* Those that the words name (users, files), or without words all in state. An exit code. */
int stores_each(struct stores *s, const char *const *words, size_t count, stores_fn *fn);
/* NULL after a sentence. */
const struct directory_user *stores_user(const struct stores *s, const char *who);

/* "12.5 MB" */
void stores_size(uint64_t bytes, char out[24]);

int store_check_one(struct stores *s, const char *label, const char *path);
int store_backup_one(struct stores *s, const char *label, const char *path);
int store_compact_one(struct stores *s, const char *label, const char *path);
/* A user, and a file of 'backup'. */
int store_restore_one(struct stores *s, const char *who, const char *file);

#endif
