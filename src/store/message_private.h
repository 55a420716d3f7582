#ifndef MW_STORE_MESSAGE_PRIVATE_H
#define MW_STORE_MESSAGE_PRIVATE_H

#include "store/message.h"
#include "store/object.h"
#include "store/value.h"

/* [MS-OXCMSG] 2.2.1.6 */
#define MF_READ 0x00000001u
#define MF_UNMODIFIED 0x00000002u
#define MF_SUBMITTED 0x00000004u
#define MF_UNSENT 0x00000008u
#define MF_HAS_ATTACH 0x00000010u
#define MF_EVER_READ 0x00000400u
/* What a client may say before the first save. */
#define MF_CLIENT (MF_READ | MF_UNSENT | 0x20u | 0x100u | 0x200u | MF_EVER_READ | 0x2000u)

struct store_message {
	struct store_mailbox *m;
	enum store_kind kind;         /* a message, or an attachment, which is one in most ways (store/attachment.h) */
	struct store_message *owner;  /* opened: an attachment's message, or the attachment that a message is in */
	uint32_t number;              /* of an attachment */
	unsigned depth;               /* messages that it is in */
	struct store_message **parts; /* attachments as they were saved into it */
	size_t part_count, part_cap;
	uint32_t next_part;
	struct store_message *inner; /* of an attachment: the message in it, as it was saved into it */
	uint64_t folder, id;         /* counters; id 0: not saved yet */
	uint64_t change;             /* the one we read or wrote last */
	uint64_t modified;           /* FILETIME */
	uint64_t size;
	uint32_t flags, status;
	bool associated, writable;
	bool gone;        /* deleted, and kept for a while; before it is read: may be so */
	bool flags_given; /* by the client, before the first save */
	bool had_values;  /* the saved message owns values in chunks */
	bool display_due; /* PidTagDisplayTo and its like are behind the recipients */
	struct store_bag bag;
	struct arena *recipient_arena; /* NULL as long as there are none */
	struct store_recipient *recipients;
	size_t recipient_count, recipient_cap;
};

/* The column flags: PidTagMessageStatus above PidTagMessageFlags. */
static inline void store_split_flags(int64_t column, uint32_t *flags, uint32_t *status)
{
	*flags = (uint32_t)column;
	*status = (uint32_t)((uint64_t)column >> 32);
}
static inline int64_t store_join_flags(uint32_t flags, uint32_t status)
{
	return (int64_t)((uint64_t)status << 32 | flags);
}

/* Deletes the large value of a property that no save has taken. */
void store_message_forget(struct store_message *msg, uint32_t tag);
struct store_object store_message_object(const struct store_message *msg);

/* ---- message.c ---- */
/* The properties of a new message. */
int store_message_defaults(struct store_message *msg, int64_t now);
uint64_t store_message_size(const struct store_message *msg);

/* ---- attachment.c ---- */
/* The save of a message in an attachment. */
int store_embedded_save(struct store_message *msg);

/* ---- copy.c ---- */
/* The slot with a copy of its large value. */
int store_slot_copy(struct store_mailbox *m, struct store_bag *bag, const struct store_slot *slot);
/* All that the other has in place of its own: properties, large values (as copies), recipients. One mailbox. */
int store_message_take(struct store_message *msg, struct store_message *from);

/* ---- save.c ---- */
/* What a save is to observers; of a copy, what of. And what else belongs to its transaction. */
struct store_arrival {
	enum store_change_kind kind; /* of a new message: STORE_CREATED, STORE_NEW_MAIL or STORE_COPIED */
	uint64_t old_folder, old_message;
	bool always;                                                     /* whatever the quota says */
	int (*also)(void *user, struct store_message *msg, uint64_t id); /* may be NULL */
	void *user;
};
int store_message_write(struct store_message *msg, bool force, const struct store_arrival *how, int64_t now,
                        uint64_t *ticket);
/* Inside a transaction: the flags, under a new change number of the read state (one id reserved). */
int store_message_write_flags(struct store_mailbox *m, const struct store_object *o, uint32_t flags, uint32_t status);
/* Inside a transaction: the row and its large values. */
int store_message_delete_row(struct store_mailbox *m, uint64_t id);
/* ---- deleted.c ---- */
/* Inside a transaction: the row is kept as deleted; what was deleted in a folder goes for good. */
int store_discard_row(struct store_mailbox *m, uint64_t id, int64_t now);
int store_deleted_drop(struct store_mailbox *m, uint64_t folder);
/* MW_E_NOTFOUND: it was not. */
int store_deleted_on(const struct store_object *o, uint64_t *when);
/* As store_message_find, but it may be one that was deleted. */
int store_message_find_any(struct store_mailbox *m, uint64_t folder, uint64_t message, struct store_object *out);
/* The message's row; MW_E_NOTFOUND when it is not in that folder. Without its record. */
int store_message_find(struct store_mailbox *m, uint64_t folder, uint64_t message, struct store_object *out);
/* The folder's counters have changed because of that message. */
void store_tell_counts(struct store_mailbox *m, const struct store_change *message);

/* ---- recipient.c ---- */
int store_recipients_load(struct store_message *msg, const void *data, size_t size);
int store_recipients_encode(const struct store_message *msg, struct buf *out);
void store_recipients_free(struct store_message *msg);
/* Brings PidTagDisplayTo, Cc and Bcc up to date. */
int store_recipients_display(struct store_message *msg);

#endif
