#ifndef MW_STORE_FOLDER_H
#define MW_STORE_FOLDER_H

#include "store/store.h"

/*
 * A folder needs no handle: its id is enough. Contents and counts are those of this moment.
 * *ticket: see store/sync.h; may be NULL.
 */

/* [MS-OXCFOLD] 2.2.1.2: PidTagFolderType */
enum store_folder_type { STORE_FOLDER_ROOT = 0, STORE_FOLDER_GENERIC = 1, STORE_FOLDER_SEARCH = 2 };

struct store_folder_info {
	uint64_t id, parent; /* parent 0: the root */
	int32_t type;        /* enum store_folder_type */
	uint32_t content_count, unread_count, associated_count, child_count;
	bool has_rules;
};

MW_NODISCARD int store_folder_info(struct store_mailbox *m, uint64_t folder, struct store_folder_info *out);
/* A child by display name, as names compare in the mailbox (case does not count). */
MW_NODISCARD int store_folder_find(struct store_mailbox *m, uint64_t parent, const char *name, uint64_t *out);
/* The ids of the folders right below, in the arena. */
MW_NODISCARD int store_folder_ids(struct store_mailbox *m, struct arena *arena, uint64_t folder, uint64_t **ids,
                                  size_t *count);
/* UTF-8 name, 1 to 255 characters. MW_E_EXISTS: the name is taken; *out is then that folder's id all the same.
 * MW_E_UNSUPPORTED: the parent is a search folder. */
MW_NODISCARD int store_folder_create(struct store_mailbox *m, uint64_t parent, const char *name,
                                     const char *container_class, int64_t now, uint64_t *out, uint64_t *ticket);

/*
 * A folder with what is in it, for good; what of it the flags do not name keeps it from being deleted: *partial is
 * then true and the folder there. MW_E_STATE: it is one of the special folders.
 */
enum { STORE_DELETE_MESSAGES = 1, STORE_DELETE_FOLDERS = 4 }; /* as in [MS-OXCFOLD] 2.2.1.3.1 */
MW_NODISCARD int store_folder_delete(struct store_mailbox *m, uint64_t folder, unsigned flags, int64_t now,
                                     bool *partial, uint64_t *ticket);
/* Its messages and the folders below it, and its associated messages too if they are named. */
MW_NODISCARD int store_folder_empty(struct store_mailbox *m, uint64_t folder, bool associated, int64_t now,
                                    bool *partial, uint64_t *ticket);
/* The same piece by piece: some messages or a folder each time. What is done stays done when it is given up. */
struct store_removal;
struct store_progress {
	uint64_t done, total; /* messages and folders */
	uint64_t ticket;      /* of what is done */
	bool partial;
};
MW_NODISCARD int store_folder_delete_begin(struct store_mailbox *m, uint64_t folder, unsigned flags,
                                           struct store_removal **out);
MW_NODISCARD int store_folder_empty_begin(struct store_mailbox *m, uint64_t folder, bool associated,
                                          struct store_removal **out);
/* Of a folder that is emptied: its own messages are kept as deleted (store/deleted.h). */
void store_removal_keep(struct store_removal *x, int64_t now);
MW_NODISCARD int store_removal_step(struct store_removal *x, bool *more);
const struct store_progress *store_removal_progress(const struct store_removal *x);
void store_removal_free(struct store_removal **x);
/* Under another parent, or another name, or both. MW_E_EXISTS, MW_E_STATE: a special folder; MW_E_INVALID: into
 * itself or below. */
MW_NODISCARD int store_folder_move(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name,
                                   int64_t now, uint64_t *ticket);
/* With its messages, and deep with all below it. Errors as store_folder_move; *partial: not all was copied. */
MW_NODISCARD int store_folder_copy(struct store_mailbox *m, uint64_t folder, uint64_t parent, const char *name,
                                   bool deep, int64_t now, bool *partial, uint64_t *ticket);

MW_NODISCARD int store_folder_get(struct store_mailbox *m, uint64_t folder, struct arena *arena, const uint32_t *tags,
                                  size_t count, struct mapi_value *values);
MW_NODISCARD int store_folder_all(struct store_mailbox *m, uint64_t folder, struct arena *arena,
                                  struct mapi_value **values, size_t *count);
/* problems[i] (may be NULL): 0, or the ec* code why that value was not taken; the others are. */
MW_NODISCARD int store_folder_set(struct store_mailbox *m, uint64_t folder, const struct mapi_value *values,
                                  size_t count, int64_t now, uint32_t *problems, uint64_t *ticket);
MW_NODISCARD int store_folder_remove(struct store_mailbox *m, uint64_t folder, const uint32_t *tags, size_t count,
                                     int64_t now, uint32_t *problems, uint64_t *ticket);

#endif
