#ifndef MW_STORE_MESSAGE_H
#define MW_STORE_MESSAGE_H

#include "store/store.h"

/*
 * One opened message: what is on disk, with changes that only this object sees until they are saved
 * ([MS-OXCMSG] 3.2.5). Two objects may have the same message open; the second save after a
 * change by the other is MW_E_STATE unless it is forced (the object can be closed and opened again).
 */
struct store_message;

/* MW_E_UNSUPPORTED: a search folder takes no messages of its own. */
MW_NODISCARD int store_message_create(struct store_mailbox *m, uint64_t folder, bool associated, int64_t now,
                                      struct store_message **out);
/* folder 0: wherever it is. MW_E_NOTFOUND also when it is in another folder, unless a search folder shows it. */
MW_NODISCARD int store_message_open(struct store_mailbox *m, uint64_t folder, uint64_t message, bool writable,
                                    struct store_message **out);
/* Drops what was not saved; streams on it are closed first. */
void store_message_close(struct store_message **msg);

bool store_message_writable(const struct store_message *msg);
/* From now on it is open for reading alone. */
void store_message_freeze(struct store_message *msg);
/* 0 until the first save. */
uint64_t store_message_id(const struct store_message *msg);
uint64_t store_message_folder(const struct store_message *msg);

MW_NODISCARD int store_message_get(struct store_message *msg, struct arena *arena, const uint32_t *tags, size_t count,
                                   struct mapi_value *values);
/* Stored and computed ones, as RopGetPropertiesAll lists them; large values as errors. */
MW_NODISCARD int store_message_all(struct store_message *msg, struct arena *arena, struct mapi_value **values,
                                   size_t *count);
/* problems[i] (may be NULL): 0, or the ec* code why that value was not taken. Values are copied. */
MW_NODISCARD int store_message_set(struct store_message *msg, const struct mapi_value *values, size_t count,
                                   uint32_t *problems);
MW_NODISCARD int store_message_remove(struct store_message *msg, const uint32_t *tags, size_t count,
                                      uint32_t *problems);

/* ---- Recipients, in the order of their row ids ---- */
struct store_recipient {
	uint32_t row_id;
	uint8_t type; /* 1 To, 2 Cc, 3 Bcc; flags as in PidTagRecipientType */
	uint32_t count;
	struct mapi_value *values; /* with PidTagDisplayName, PidTagEmailAddress, PidTagAddressType ... as given */
};

size_t store_recipient_count(const struct store_message *msg);
/* Borrowed until the next change of recipients; NULL beyond the end. */
const struct store_recipient *store_recipient_at(const struct store_message *msg, size_t index);
/* Puts the row with r->row_id, in the place of one that has it already. Values are copied. */
MW_NODISCARD int store_recipient_put(struct store_message *msg, const struct store_recipient *r);
/* MW_E_NOTFOUND: no such row. */
MW_NODISCARD int store_recipient_remove(struct store_message *msg, uint32_t row_id);
void store_recipient_clear(struct store_message *msg);

/* ---- Saving ---- */

/* One transaction: record, recipients, indexes, the folder's counters, a change number. The object stays open.
 * Tell the client when *ticket is safe (store/sync.h). */
MW_NODISCARD int store_message_save(struct store_message *msg, bool force, int64_t now, uint64_t *ticket);
/* A message that came from outside this session: as save, and observers hear STORE_NEW_MAIL instead of STORE_CREATED.
 */
MW_NODISCARD int store_message_deliver(struct store_message *msg, int64_t now, uint64_t *ticket);

/* Observers hear of the message as of new mail. */
MW_NODISCARD int store_message_announce(struct store_mailbox *m, uint64_t folder, uint64_t message,
                                        const char *message_class, uint32_t flags);

/* Sets or clears mfRead and keeps the folder's unread count. Takes effect at once. *changed may be NULL. */
MW_NODISCARD int store_message_set_read(struct store_mailbox *m, uint64_t folder, uint64_t message, bool read,
                                        int64_t now, bool *changed, uint64_t *ticket);
/* The same on an opened message, which notes it; unsaved ones have it with their save. */
MW_NODISCARD int store_message_mark_read(struct store_message *msg, bool read, int64_t now, bool *changed,
                                         uint64_t *ticket);
/* PidTagMessageStatus ([MS-OXCMSG] 2.2.1.8): bits of mask become those of status. *before: as it was. */
MW_NODISCARD int store_message_status(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t *status);
MW_NODISCARD int store_message_set_status(struct store_mailbox *m, uint64_t folder, uint64_t message, uint32_t status,
                                          uint32_t mask, uint32_t *before, uint64_t *ticket);
/* The ids of a folder's messages, of one kind, in the arena. */
MW_NODISCARD int store_message_ids(struct store_mailbox *m, struct arena *arena, uint64_t folder, bool associated,
                                   uint64_t **ids, size_t *count);
/* The tags of all that store_message_all yields, those of large values too; in the arena. */
MW_NODISCARD int store_message_tags(struct store_message *msg, struct arena *arena, uint32_t **tags, size_t *count);

/* ---- Copying between two messages of one mailbox ([MS-OXCPRPT] 2.2.10, 2.2.11) ---- */
#define STORE_COPY_KEEP 0x02 /* what is there already stays */
/* One property, or with PidTagMessageRecipients all recipients. 0, or the ec* code why not, in *problem. */
MW_NODISCARD int store_message_copy_property(struct store_message *from, struct store_message *to, uint32_t tag,
                                             unsigned flags, uint32_t *problem);

/* Into another folder under a new id ([MS-OXCFOLD] 2.2.1.6), as one step. MW_E_STATE: it waits to be sent. */
MW_NODISCARD int store_message_move(struct store_mailbox *m, uint64_t folder, uint64_t message, uint64_t to,
                                    int64_t now, uint64_t *moved, uint64_t *ticket);
MW_NODISCARD int store_message_copy(struct store_mailbox *m, uint64_t folder, uint64_t message, uint64_t to,
                                    int64_t now, uint64_t *copy, uint64_t *ticket);
/* For good, also what was deleted and kept (store/deleted.h), which the two above bring back. MW_E_STATE: it waits to
 * be sent. */
MW_NODISCARD int store_message_delete(struct store_mailbox *m, uint64_t folder, uint64_t message, int64_t now,
                                      uint64_t *ticket);

#endif
