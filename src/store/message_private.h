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
#define MF_EVER_READ 0x00000400u
/* What a client may say before the first save. */
#define MF_CLIENT (MF_READ | MF_UNSENT | 0x20u | 0x100u | 0x200u | MF_EVER_READ | 0x2000u)

struct store_message {
	struct store_mailbox *m;
	uint64_t folder, id; /* counters; id 0: not saved yet */
	uint64_t change;     /* the one we read or wrote last */
	uint64_t modified;   /* FILETIME */
	uint64_t size;
	uint32_t flags;
	bool associated, writable;
	bool flags_given; /* by the client, before the first save */
	bool had_values;  /* the saved message owns values in chunks */
	bool display_due; /* PidTagDisplayTo and its like are behind the recipients */
	struct store_bag bag;
	struct arena *recipient_arena; /* NULL as long as there are none */
	struct store_recipient *recipients;
	size_t recipient_count, recipient_cap;
};

/* Deletes the large value of a property that no save has taken. */
void store_message_forget(struct store_message *msg, uint32_t tag);
struct store_object store_message_object(const struct store_message *msg);

/* ---- recipient.c ---- */
int store_recipients_load(struct store_message *msg, const void *data, size_t size);
int store_recipients_encode(const struct store_message *msg, struct buf *out);
void store_recipients_free(struct store_message *msg);
/* Brings PidTagDisplayTo, Cc and Bcc up to date. */
int store_recipients_display(struct store_message *msg);

#endif
