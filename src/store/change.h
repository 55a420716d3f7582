#ifndef MW_STORE_CHANGE_H
#define MW_STORE_CHANGE_H

#include "store/store.h"

/*
 * Who wants to hear of changes. Told in the owner's thread, inside the call that made the change, after its commit
 * and before the call returns; the change is safe on disk only with its ticket (store/sync.h). The one told
 * must not change the mailbox nor add or remove observers from within: it takes a note and returns.
 */
enum store_change_kind {
	STORE_NEW_MAIL = 1 << 0,
	STORE_CREATED = 1 << 1,
	STORE_DELETED = 1 << 2,
	STORE_MODIFIED = 1 << 3,
	STORE_MOVED = 1 << 4,
	STORE_COPIED = 1 << 5,
	STORE_SEARCH_DONE = 1 << 6, /* a search folder has looked at all there is */
};

struct store_change {
	enum store_change_kind kind;
	uint64_t folder;                              /* the folder itself, or that of the message */
	uint64_t parent;                              /* of a folder that was created, deleted, moved or copied */
	uint64_t message;                             /* 0: it is about a folder */
	uint64_t old_folder, old_message, old_parent; /* moved, copied: where it was, or what it is a copy of */
	bool associated;
	bool counts_only;          /* a folder whose counters changed because of a message */
	int32_t content_count;     /* the folder's after the change, */
	int32_t unread_count;      /* -1 where they did not change */
	uint32_t message_flags;    /* of a message: PidTagMessageFlags */
	const char *message_class; /* of a message, "" otherwise; borrowed during the call */
	const uint32_t *tags;      /* what changed on a modified object; borrowed */
	size_t tag_count;          /* 0: not known */
	uint64_t change_number;    /* store_id form */
	uint64_t ticket;
};

typedef void store_heard(void *user, const struct store_change *change);

struct store_observer;

/*
 * kinds: flags of the above. folder 0: the whole mailbox. message 0: the folder itself and its messages
 * (and its direct subfolders' creation and deletion); else that message alone.
 */
MW_NODISCARD int store_observe(struct store_mailbox *m, unsigned kinds, uint64_t folder, uint64_t message,
                               store_heard *heard, void *user, struct store_observer **out);
void store_observe_end(struct store_observer **o);

#endif
