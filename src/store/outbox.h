#ifndef MW_STORE_OUTBOX_H
#define MW_STORE_OUTBOX_H

#include "store/mailbox.h"
#include "store/message.h"

/*
 * Messages on their way ([MS-OXOMSG] 2.2.4): noted in the sender's mailbox with the save that submits them, until
 * whoever carries them says that they were sent. A submission has an id; a mailbox takes what comes under one id
 * once, so that a carrier that has crashed may begin again. *ticket as a save's.
 */
enum store_outbox_state {
	STORE_OUTBOX_QUEUED, /* to be carried, once it is due */
	STORE_OUTBOX_HELD,   /* a client's spooler will say what becomes of it */
	STORE_OUTBOX_LOCKED, /* ... and is at it */
};

#define STORE_SUBMISSION 16 /* bytes of the id */

struct store_submission {
	uint64_t message; /* store_id form */
	uint8_t id[STORE_SUBMISSION];
	enum store_outbox_state state;
	uint64_t due, since; /* FILETIME */
};

/* Saves the message with mfSubmitted and queues it, as one step; a new id. due 0: now. MW_E_EXISTS: it is queued
 * already; MW_E_STATE: changed by someone else meanwhile; MW_E_FULL, MW_E_LIMIT: store/mailbox.h. */
MW_NODISCARD int store_message_submit(struct store_message *msg, enum store_outbox_state state, uint64_t due,
                                      int64_t now, uint64_t *ticket);
/* The one that is due first of those queued; else one of the others. MW_E_NOTFOUND: nothing waits at all. */
MW_NODISCARD int store_outbox_next(struct store_mailbox *m, struct store_submission *out);
MW_NODISCARD int store_outbox_find(struct store_mailbox *m, uint64_t message, struct store_submission *out);
MW_NODISCARD int store_outbox_set(struct store_mailbox *m, uint64_t message, enum store_outbox_state state,
                                  uint64_t due, uint64_t *ticket);
/* It is not to be sent after all: a message that was never submitted. */
MW_NODISCARD int store_outbox_abort(struct store_mailbox *m, uint64_t message, uint64_t *ticket);
/* It was sent: moved into that folder, or deleted with folder 0. One that is gone is forgotten. */
MW_NODISCARD int store_outbox_sent(struct store_mailbox *m, uint64_t message, uint64_t folder, uint64_t *ticket);

/* ---- At the recipient's ---- */
MW_NODISCARD int store_delivered(struct store_mailbox *m, const uint8_t id[STORE_SUBMISSION], bool *yes);
/* store_message_deliver, and a note of the id. always: even into a mailbox that is full. MW_E_EXISTS: that one was
 * here before; MW_E_FULL, MW_E_LIMIT. */
MW_NODISCARD int store_message_deliver_once(struct store_message *msg, const uint8_t id[STORE_SUBMISSION], bool always,
                                            int64_t now, uint64_t *ticket);

/* Whether something waits in the outbox of a mailbox that is closed: read without becoming its owner, in any thread.
 * What cannot be read has nothing that could be sent. */
bool store_outbox_waits(const struct store_place *place, const struct guid *mailbox);

#endif
