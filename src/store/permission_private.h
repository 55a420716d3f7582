#ifndef MW_STORE_PERMISSION_PRIVATE_H
#define MW_STORE_PERMISSION_PRIVATE_H

#include "store/object.h"
#include "store/permission.h"

/* The caller's rights in a folder by its counter; the last answer is kept. */
int store_rights_in(struct store_mailbox *m, uint64_t folder, uint32_t *rights);
/* PidTagAccess of a message with its record. */
int store_object_access(const struct store_object *o, uint32_t *access);
/* In a transaction: what a new folder begins with, and the end of one. */
int store_permissions_inherit(struct store_mailbox *m, uint64_t folder, uint64_t parent);
int store_permissions_drop(struct store_mailbox *m, uint64_t folder);
/* Whose a new message, or its last change, is: PidTagCreatorName and its like. Of the owner's nothing is kept. */
struct store_message;
int store_message_sign(struct store_message *msg, uint32_t name_tag, uint32_t entry_id_tag);

#endif
