#ifndef MW_STORE_MAILBOX_H
#define MW_STORE_MAILBOX_H

#include "store/store.h"

/* Where mailboxes are. */
struct store_place {
	const char *state; /* the folder STATE; files are in STATE/mailboxes */
	const char *vfs;   /* SQLite VFS; NULL: the default */
};

/* Whose it is; kept in the file for the properties that name the owner. Change it by store_mailbox_set_owner. */
struct store_owner {
	const char *name;    /* display name, UTF-8 */
	const char *address; /* SMTP */
	const char *dn;      /* legacy DN */
};

/* Why opening failed, for people; "" when it did not. */
struct store_why {
	char text[256];
};

/*
 * Makes a mailbox with its special folders, whole or not at all, and safe on disk when it returns.
 * MW_E_EXISTS: the file is there already. now: ns since 1970.
 */
MW_NODISCARD int store_mailbox_create(const struct store_place *place, const struct guid *mailbox,
                                      const struct store_owner *owner, int64_t now, struct store_why *why);
/* MW_E_NOTFOUND: no such file. MW_E_BUSY: another process or loop owns it. MW_E_MALFORMED: not our file, or a newer
 * version. A file that cannot be written opens, and every change is MW_E_IO. why may be NULL. */
MW_NODISCARD int store_mailbox_open(const struct store_place *place, const struct guid *mailbox,
                                    struct store_mailbox **out, struct store_why *why);
/* Everything opened on it is closed, every job ended. Commits that were not synced are synced here. */
void store_mailbox_close(struct store_mailbox **m);
/* A sync failed: nothing more is written until it is closed and opened again. */
bool store_mailbox_failed(const struct store_mailbox *m);
/* What went wrong last, as one English sentence. */
const char *store_mailbox_error(const struct store_mailbox *m);
const struct guid *store_mailbox_guid(const struct store_mailbox *m);
MW_NODISCARD int store_mailbox_set_owner(struct store_mailbox *m, const struct store_owner *owner);

/* What a mailbox may hold, in bytes; 0: no bound. Not kept in the file: whoever opens it sets them. Beyond receive
 * every save and delivery that makes it larger is MW_E_FULL, beyond send every submission; a message larger than
 * message is MW_E_LIMIT. warn is told to clients, no more ([MS-OXCSTOR] 2.2.2.1). */
struct store_limits {
	uint64_t warn, send, receive, message;
};
void store_mailbox_limit(struct store_mailbox *m, const struct store_limits *limits);

/* Properties of the store itself, as RopGetPropertiesSpecific on a logon asks for them ([MS-OXCSTOR] 2.2.2). */
MW_NODISCARD int store_mailbox_get(struct store_mailbox *m, struct arena *arena, const uint32_t *tags, size_t count,
                                   struct mapi_value *values);
/* All of them. */
MW_NODISCARD int store_mailbox_all(struct store_mailbox *m, struct arena *arena, struct mapi_value **values,
                                   size_t *count);

/* ---- Replicas: short ids and long-term ids ([MS-OXCSTOR] 2.2.1.8, 2.2.1.9) ---- */

/* The GUID behind a replica id; of STORE_REPLID the mailbox's own. */
MW_NODISCARD int store_replica_guid(struct store_mailbox *m, uint16_t replid, struct guid *out);
/* The replica id of a GUID; a new one is given to a GUID that was never seen. */
MW_NODISCARD int store_replica_id(struct store_mailbox *m, const struct guid *guid, uint16_t *out);

/* ---- Receive folders ([MS-OXCSTOR] 3.2.5.2) ---- */

/* Where messages of that class arrive, and the class in the table that matched best (in the arena). "" is the default.
 */
MW_NODISCARD int store_receive_folder(struct store_mailbox *m, struct arena *arena, const char *message_class,
                                      uint64_t *folder, char **matched);

/* Messages of that class arrive in that folder from now on; folder 0: as those of the class above it. MW_E_INVALID: no
 * class; MW_E_STATE: one that stays where it is; MW_E_NOTFOUND: no such folder. */
MW_NODISCARD int store_set_receive_folder(struct store_mailbox *m, const char *message_class, uint64_t folder,
                                          uint64_t *ticket);
struct store_receive {
	char *message_class;
	uint64_t folder;
};
/* All of them, by class; in the arena. */
MW_NODISCARD int store_receive_folders(struct store_mailbox *m, struct arena *arena, struct store_receive **out,
                                       size_t *count);

/* ---- Named properties ([MS-OXCPRPT] 2.2.12, 2.2.13) ---- */

/*
 * The property id of each name: PS_MAPI names are their own LID below 0x8000; an unknown name gets a new id with
 * create, else 0. *ticket (may be NULL) as a save's, 0 when nothing was created.
 */
MW_NODISCARD int store_names_to_ids(struct store_mailbox *m, const struct mapi_property_name *names, size_t count,
                                    bool create, uint16_t *ids, uint64_t *ticket);
/* The name of each id; kind MAPI_NAME_NONE for one that has none. */
MW_NODISCARD int store_ids_to_names(struct store_mailbox *m, struct arena *arena, const uint16_t *ids, size_t count,
                                    struct mapi_property_name *names);
/* Every name there is, with its id, in the order of ids. */
MW_NODISCARD int store_names_all(struct store_mailbox *m, struct arena *arena, struct mapi_property_name **names,
                                 uint16_t **ids, size_t *count);

#endif
