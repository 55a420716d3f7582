#ifndef MW_STORE_PERMISSION_H
#define MW_STORE_PERMISSION_H

#include "store/message.h"
#include "store/table.h"

/*
 * Who may do what in a folder ([MS-OXCPERM]). A folder has a list of members and their rights; who is not on it has
 * those of the default member. A new folder takes over the list of the one that it is made in, and whoever makes one in
 * another's mailbox owns it.
 */

/* PidTagMemberRights, 2.2.7 */
#define STORE_MAY_READ 0x0001u
#define STORE_MAY_CREATE 0x0002u
#define STORE_MAY_EDIT_OWN 0x0008u
#define STORE_MAY_DELETE_OWN 0x0010u
#define STORE_MAY_EDIT 0x0020u
#define STORE_MAY_DELETE 0x0040u
#define STORE_MAY_CREATE_FOLDER 0x0080u
#define STORE_MAY_OWN 0x0100u /* its properties, permissions and subfolders */
#define STORE_IS_CONTACT 0x0200u
#define STORE_MAY_SEE 0x0400u /* that the folder exists */
#define STORE_MAY_FREE_BUSY 0x0800u
#define STORE_MAY_FREE_BUSY_DETAILS 0x1000u
#define STORE_FREE_BUSY_RIGHTS (STORE_MAY_FREE_BUSY | STORE_MAY_FREE_BUSY_DETAILS)
#define STORE_KNOWN_RIGHTS 0x1FFBu
#define STORE_ALL_RIGHTS 0x07FBu /* an owner's */

/* PidTagMemberId of those that are on every list, 2.2.5 */
#define STORE_MEMBER_DEFAULT INT64_C(0)
#define STORE_MEMBER_ANONYMOUS INT64_C(-1)
#define STORE_MAX_MEMBERS 4096u /* of a folder */

/*
 * In whose name things are done in the mailbox from now on; NULL: its owner's, who may do everything. Tables keep
 * who opened them, so that it lives as long as they do.
 */
struct store_caller {
	const char *dn, *name;
	const uint8_t *entry_id; /* of the address book; by it messages know who made them */
	uint32_t entry_id_size;
};
void store_mailbox_as(struct store_mailbox *m, const struct store_caller *caller);

/* What the caller may do in the folder. MW_E_NOTFOUND. */
MW_NODISCARD int store_rights(struct store_mailbox *m, uint64_t folder, uint32_t *rights);
/* What the caller may do with a message, PidTagAccess ([MS-OXCPRPT] 2.2.1.1). */
#define STORE_ACCESS_MODIFY 0x1u
#define STORE_ACCESS_READ 0x2u
#define STORE_ACCESS_DELETE 0x4u
MW_NODISCARD int store_message_access(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t *access);
/* Whether somebody may do anything here, so that a log-on makes sense. */
MW_NODISCARD int store_admits(struct store_mailbox *m, const char *dn, bool *admitted);

struct store_permission {
	int64_t member;
	const char *dn, *name; /* UTF-8; "" of the default member */
	uint32_t rights;
};
/* The default and anonymous first; in the arena. */
MW_NODISCARD int store_permissions(struct store_mailbox *m, struct arena *arena, uint64_t folder,
                                   struct store_permission **out, size_t *count);

enum store_permission_change { STORE_PERMISSION_ADD, STORE_PERMISSION_MODIFY, STORE_PERMISSION_REMOVE };
struct store_permission_edit {
	enum store_permission_change change;
	struct store_permission permission; /* dn and name of one that is added, member of the others */
};
/*
 * All of it or nothing. replace: the members that the list has but for the default go first. free_busy: the two
 * free/busy rights are meant as they are given; else they stay as they were (2.2.2.1). MW_E_NOTFOUND: no such member;
 * MW_E_LIMIT: STORE_MAX_MEMBERS; MW_E_INVALID: unknown rights, or the default member removed.
 */
MW_NODISCARD int store_permissions_change(struct store_mailbox *m, uint64_t folder, bool replace, bool free_busy,
                                          const struct store_permission_edit *edits, size_t count, uint64_t *ticket);
/* The list as a table of this moment, of PidTagEntryId, PidTagMemberId, PidTagMemberName and PidTagMemberRights. */
MW_NODISCARD int store_permission_table(struct store_mailbox *m, uint64_t folder, bool free_busy,
                                        struct store_table **out);

#endif
