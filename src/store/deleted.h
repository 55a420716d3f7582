#ifndef MW_STORE_DELETED_H
#define MW_STORE_DELETED_H

#include "store/message.h"
#include "store/table.h"

/*
 * Messages that were deleted and are kept for a while ([MS-OXCFOLD] 2.2.1.11, soft deletion). They are in no table,
 * counter or search but the table of what was deleted; they can be opened for reading, and come back by being moved
 * or copied (store/message.h). Folders are not kept.
 */
#define STORE_KEEP_DELETED_DAYS 14

/* As store_message_delete, but it is kept. */
MW_NODISCARD int store_message_discard(struct store_mailbox *m, uint64_t folder, uint64_t message, int64_t now,
                                       uint64_t *ticket);
/* For reading; a message that is there as well. */
MW_NODISCARD int store_message_open_deleted(struct store_mailbox *m, uint64_t folder, uint64_t message,
                                            struct store_message **out);
/* What was deleted in the folder. It tells no news. */
MW_NODISCARD int store_deleted_table(struct store_mailbox *m, uint64_t folder, bool associated,
                                     struct store_table **out);
/* Drops for good what was deleted before then (ns since 1970), some of it; *more: there is more. */
MW_NODISCARD int store_deleted_expire(struct store_mailbox *m, int64_t before, bool *more);

#endif
