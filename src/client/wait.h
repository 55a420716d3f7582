#ifndef MW_CLIENT_WAIT_H
#define MW_CLIENT_WAIT_H

#include "base/error.h"
#include "mapiwire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <ucontext.h>

struct client_conn;
struct client_call;

/*
 * Where libmapiwire waits, and the only place: client_wait. Outside of a task it polls
 * and moves bytes itself until what it waits for is there. Inside one (mapiwire_start) it
 * goes back to the loop, which comes here again when there is something to see. So each call is written once, as if it
 * waited, and serves both forms of the library.
 */
struct client_wait {
	const bool *done;
	const struct client_conn *conn; /* its end ends the wait too; or NULL */
	struct client_call *call;       /* what is awaited, if a call: it can be cancelled at the server; or NULL */
	int64_t deadline;
	bool cancelled;
};

/* 0: *done. MW_E_AGAIN: the connection ended. MW_E_TIMEOUT, MW_E_CANCELLED, MW_E_IO. */
MW_NODISCARD int client_wait(struct mapiwire *m, const bool *done, const struct client_conn *conn,
                             struct client_call *call, int64_t deadline);
/* Waits until *idle and takes it: what one call at a time may use. Give it back by setting it. */
MW_NODISCARD int client_take_turn(struct mapiwire *m, bool *idle);
/* So long, and no longer than until the task is cancelled. */
MW_NODISCARD int client_sleep(struct mapiwire *m, int64_t ns);
/* Whether the running task was cancelled: nothing new is begun then. */
bool client_cancelled(const struct mapiwire *m);

/* ---- aside.c: what cannot be given a deadline, done by a thread of its own ---- */

struct client_aside {
	struct client_aside *next;
	atomic_int state;
	bool finished; /* seen by the loop */
	pthread_t thread;
	int wake; /* the thread's own descriptor of the client's event */
	void (*run)(void *work);
	void (*drop)(void *work);
	void *work;
};
/*
 * Runs run(work) in a thread and waits for it. 0: it has run, work is the caller's again. Else, as client_wait says
 * or MW_E_NOMEM, work is gone: a thread that is late is left behind and drops it.
 */
MW_NODISCARD int client_aside(struct mapiwire *m, void (*run)(void *work), void (*drop)(void *work), void *work,
                              int64_t deadline);
/* The same in two parts, for who must not wait. NULL: out of memory, and work is gone. */
struct client_aside *client_aside_begin(struct mapiwire *m, void (*run)(void *work), void (*drop)(void *work),
                                        void *work);
/* Once it is finished, or to leave it behind with error (an MW_E_*), which is yielded then. */
int client_aside_end(struct mapiwire *m, struct client_aside **a, int error);
/* With the client: threads that were left behind are given a second to end. A program that ends right after would
 * take the libraries away under them, which MIT krb5's answers by abort. */
void client_asides_free(struct mapiwire *m);
/* Which have finished since. */
void client_asides_look(struct mapiwire *m);

/* ---- task.c ---- */

/* A call's last words; each task has its own. */
struct client_said {
	struct mapiwire_error error;
	char sentence[320], attempt[320], status_text[16]; /* CAUSE_TEXT_SIZE */
	char server[256];
};

struct mapiwire_task {
	struct mapiwire_task *next;
	struct mapiwire *m;
	mapiwire_work_fn *work;
	mapiwire_done_fn *done;
	void *user;
	void *stack; /* the whole mapping, guard page first */
	ucontext_t own, loop;
	const void *loop_stack; /* what the address sanitizer must be told */
	size_t loop_size;
	void *fake;
	struct client_wait *wait; /* NULL: not begun, or running */
	struct client_said said;
	bool ended, cancelled;
	int result;
};

/* Back to the loop, until the task's wait is settled. */
void client_task_pause(struct mapiwire_task *t);
/* Runs each task that has something to see, until none has. */
void client_tasks_run(struct mapiwire *m);
/* wait.c: whether a wait is over, and how: *result. */
bool client_settled(const struct client_wait *w, int64_t now, int *result);
/* Cancels all and runs them to their ends. */
void client_tasks_end(struct mapiwire *m);

#endif
