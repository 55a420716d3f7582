#ifndef MW_SERVER_EMSMDB_WORK_H
#define MW_SERVER_EMSMDB_WORK_H

#include "server/emsmdb/rops.h"

/*
 * ROPs on many messages: step by step, other calls between the slices. A client that wants such a ROP to be
 * asynchronous gets RopProgress in its place when the first slice does not suffice; then the work goes on by itself, in
 * the loop of its mailbox, and RopProgress on the same folder tells how far it is, ends it, or brings the ROP's own
 * answer
 * ([MS-OXCFOLD] 3.1.5.2, [MS-OXCPRPT] 3.2.5.20). When the client lets go of the folder, the work ends with its slice.
 */
struct rop_work {
	struct rop_call call; /* the ROP's, with an arena that lives as long as the work */
	/* The next step, on ids[at] where there are any. MW_E_IO and MW_E_NOMEM end the work; what else fails is left
	 * out. Sets more, where there are no ids. */
	int (*step)(struct rop_work *w, uint64_t id);
	const uint64_t *ids; /* in the arena */
	size_t count, at;
	size_t partial_at; /* where the response has PartialCompletion */
	uint64_t to;       /* whatever the step needs */
	unsigned flags;
	struct store_removal *removal;
	/* work.c's own */
	struct loop_message message;
	struct emsmdb_object *object; /* NULL: let go of */
	struct emsmdb_mailbox *mailbox;
	bool partial, more, detached, ended;
	uint32_t status;
};

/* NULL: out of memory. The ids are copied. */
struct rop_work *rop_work_new(struct rop_call *rop, const uint64_t *ids, size_t count, size_t partial_at);
/* What was not run; NULL is fine. */
void rop_work_free(struct rop_work **w);
/* What the ROP returns. The work is no longer the caller's. */
uint32_t rop_work_run(struct rop_call *rop, struct rop_work *w, bool asynchronous);

#endif
