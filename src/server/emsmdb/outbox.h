#ifndef MW_SERVER_EMSMDB_OUTBOX_H
#define MW_SERVER_EMSMDB_OUTBOX_H

#include "server/address.h"
#include "server/emsmdb/private.h"
#include "store/outbox.h"
#include "store/parcel.h"

/*
 * Messages on their way between the mailboxes of this server ([MS-OXOMSG] 2.2.4). A mailbox sends one at a time, to one
 * recipient after the other; each delivery is one struct that goes between the loop of the sender's mailbox and
 * that of the recipient's and belongs to the loop that has it. Whatever ends in between (a crash, a full disk)
 * begins again at the outbox: recipients know the submission's id and take it once.
 */

/* ---- outbox.c: the sender's side ---- */

enum outbox_failure {
	OUTBOX_SENT,
	OUTBOX_UNKNOWN, /* no such user */
	OUTBOX_NO_MAILBOX,
	OUTBOX_TOO_BIG,
	OUTBOX_LATER, /* may be otherwise next time */
};

/* One mailbox that the message goes to. */
struct outbox_target {
	struct guid mailbox;
	uint32_t row_id;             /* of the recipient */
	uint8_t kinds;               /* bit 1 << PidTagRecipientType: how it is named there */
	enum outbox_failure failure; /* OUTBOX_SENT until it is known to be otherwise */
};

/* The message that a mailbox is sending. */
struct emsmdb_outgoing {
	struct emsmdb_mailbox *mailbox;
	struct store_submission submission;
	struct store_message *message;
	struct arena *arena;
	struct outbox_target *targets;
	size_t count, at;
};

/* Looks into the outbox when it is time to: once opened, after a sync, by the clock. Calls may end the mailbox: the
 * caller holds a reference. */
void emsmdb_outbox_look(struct emsmdb_mailbox *m);
/* What waits there is another, as of that commit. */
void emsmdb_outbox_changed(struct emsmdb_mailbox *m, uint64_t ticket);
/* The loop ends: nothing new is begun. */
void emsmdb_outbox_stop(struct emsmdb_mailbox *m);

/* ---- outbox_start.c ---- */
/* Once the loop runs: what waited when the server ended goes on. */
void emsmdb_outboxes_start(struct server_loop *loop);

/* ---- deliver.c: the recipient's side ---- */

struct emsmdb_delivery {
	struct loop_message message;
	struct server_loop *home, *to;
	struct emsmdb_outgoing *outgoing; /* home's */
	struct guid recipient;
	uint8_t id[STORE_SUBMISSION], kinds;
	struct emsmdb_mailbox *mailbox; /* to's */
	struct emsmdb_waiter waiter;
	struct store_parcel *parcel;
	int result;
};

/* Goes to the recipient's loop; comes back by done, in home. The parcel goes with it. */
void emsmdb_deliver(struct emsmdb_delivery *d);
/* In home: the delivery is over, with its result. It is freed afterwards. */
void emsmdb_delivered(const struct emsmdb_delivery *d);

/* ---- report.c ---- */

/* A non-delivery report for those that failed, in the sender's mailbox, once. MW_E_*. */
MW_NODISCARD int emsmdb_report(const struct emsmdb_outgoing *o, int64_t now, uint64_t *ticket);

#endif
