#ifndef MW_STORE_SYNC_H
#define MW_STORE_SYNC_H

#include "store/store.h"

/*
 * Say it only when it is safe. A change is committed to the write-ahead log without waiting for the disk, and its
 * call yields a ticket, a number that grows. The reply that promises it may leave once store_synced() >= ticket.
 * One sync covers all commits before it:
 *
 *   owner: if (no sync of this mailbox is under way && store_sync_begin(m, &job)) hand job to the pool
 *   pool:  store_job_run(&job)                  blocks; touches nothing else of the mailbox
 *   owner: store_job_end(m, &job)               then let go the replies up to store_synced(m), and begin again
 *
 * After a failed sync nothing can be promised any more: store_job_end returns MW_E_IO, and so does every later change
 * and sync of this mailbox until it is closed and opened again. Checkpoints go the same way
 * (store_checkpoint_begin), beside syncs. The log begins anew only when all of it was moved; under constant writing a
 * second checkpoint follows the first, for the few pages written meanwhile, and while that is under way the owner is
 * still: a change would wait for it (100 ms at most). At most one sync and one checkpoint at a time for a mailbox.
 */
struct store_job {
	bool checkpoint;
	bool still; /* a checkpoint that ends with a new log: the owner writes nothing until its end */
	bool anew;  /* it did */
	int result;
	uint64_t ticket;
	void *file; /* a sync's: the log, as SQLite's VFS has it */
	const char *path, *vfs;
};

/* The newest commit, and the newest that is safe. */
uint64_t store_committed(const struct store_mailbox *m);
uint64_t store_synced(const struct store_mailbox *m);
/* Grows with every change, those too that are committed together with others and not yet. */
uint64_t store_changes(const struct store_mailbox *m);

/* True and a filled job when there are commits to sync. */
bool store_sync_begin(struct store_mailbox *m, struct store_job *job);
/* True and a filled job when the log has grown enough to be moved into the database; with all, when there is any. */
bool store_checkpoint_begin(struct store_mailbox *m, bool all, struct store_job *job);
/* In any thread. */
void store_job_run(struct store_job *job);
/* In the owner's. MW_E_IO: see above. A checkpoint that found the file busy is no error. */
MW_NODISCARD int store_job_end(struct store_mailbox *m, struct store_job *job);

/* All three at once, in the owner's thread: for tools and tests. */
MW_NODISCARD int store_sync(struct store_mailbox *m);

#endif
