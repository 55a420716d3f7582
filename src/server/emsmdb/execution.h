#ifndef MW_SERVER_EMSMDB_EXECUTION_H
#define MW_SERVER_EMSMDB_EXECUTION_H

#include "server/emsmdb/rop.h"

/*
 * One EcDoRpcExt2 on its way. It lies in the call's arena and goes with it: each ROP runs in the loop of its
 * logon's mailbox, in the order of the buffer, and the answer leaves from the session's own loop.
 */

/* A mailbox whose commits the answer promises; referenced. */
struct execution_promise {
	struct execution_promise *next;
	struct emsmdb_mailbox *mailbox;
	uint64_t ticket;
	struct emsmdb_waiter waiter;
};

enum execution_phase { EXECUTION_ROPS, EXECUTION_CHAIN, EXECUTION_NEWS };

struct execution {
	struct emsmdb_session *session;
	struct service_call *call;
	struct EcDoRpcExt2_args *args;
	enum execution_phase phase;
	struct cursor input; /* the requests' payload */
	struct mapi_rop_list requests;
	size_t limit;     /* of the whole answer */
	unsigned next;    /* of requests */
	bool is_chain;    /* the answer is a chain of payloads, */
	unsigned chained; /* so many after the first */
	int error;        /* of the whole call */
	bool failed;      /* what it promises is not on disk */
	uint32_t *handles;
	struct buf payload; /* one answer payload at a time */
	struct buf out;     /* the extended buffer */
	size_t last_header; /* of the newest payload in out */
	struct mapi_rop_writer writer;
	bool answered; /* the payload has a response */
	uint64_t ticket;
	struct execution_promise *promises; /* of other mailboxes than the session's own */
	int64_t now;
	uint32_t backoff_ms; /* the client is to come back after that */
	/* The ROP that runs. */
	const struct mapi_rop *rop;
	const struct rop_row *unchecked; /* whose rights are still to be asked for */
	struct rop_call current;
	uint32_t handle_before;    /* in its output's place */
	struct loop_message again; /* it goes on so, with go_on */
	rop_fn go_on;
	bool lists;            /* its table's list comes first */
	struct across *across; /* of a ROP between two mailboxes */
	/* The last ROP executed, if it succeeded and a chain may go on with it. */
	const struct mapi_rop *last;
	size_t remaining; /* rows or bytes still asked for by it; 0: there are no more */
};

/* What a step comes to, beside errors. */
enum { EXECUTION_DONE = 0, EXECUTION_GO_ON = 1, EXECUTION_AWAY = 2 };

/* A ROP is not begun in less room than this, which holds every response of fixed size: what it did could not be told.
 */
#define LEAST_ROOM 192

/* ---- run.c ---- */
/* The answer waits for that commit; in the mailbox's loop. */
MW_NODISCARD int execution_promise_to(struct execution *x, struct emsmdb_mailbox *m, uint64_t ticket);
/* Begins a payload of at most max bytes; ends it. */
MW_NODISCARD int execution_begin_payload(struct execution *x, size_t max);
MW_NODISCARD int execution_end_payload(struct execution *x);
size_t execution_room(const struct execution *x);
/* The loop that the ROP is to run in. */
struct server_loop *execution_place(const struct execution *x, const struct mapi_rop *rop);
/* The next of the requests: EXECUTION_*, or MW_E_*. AWAY: the call goes on elsewhere, or later by rop_resume. */
MW_NODISCARD int execution_next(struct execution *x);
/* Runs a ROP whose response may take that room: DONE, AWAY, or MW_E_LIMIT: it did not fit, and what it opened is closed
 * again. */
MW_NODISCARD int execution_run(struct execution *x, const struct mapi_rop *rop, size_t room);
/* After its answer in the phase EXECUTION_ROPS; r is what execution_run came to. As execution_next. */
MW_NODISCARD int execution_after(struct execution *x, int r);

/* ---- execute.c ---- */
/* Goes on in the loop that has the call. */
void execution_go_on(struct execution *x);
/* The ROP at hand is answered. */
void execution_resume(struct execution *x, int r);

#endif
