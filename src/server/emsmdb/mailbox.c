#include "server/accounts.h"
#include "server/emsmdb/outbox.h"
#include "store/deleted.h"

#include <stdlib.h>

/* How long a change may wait for others that come in the same moment. */
#define SYNC_WAIT_NS (NS_PER_MS / 2)

static void retire(struct emsmdb_mailbox *m);

struct server_loop *emsmdb_owner_of(struct server *server, const struct guid *mailbox)
{
	return &server->loops[mailbox->data1 % server->loop_count];
}

struct server_loop *service_loop_of_account(struct server *server, uint64_t account, struct server_loop *otherwise)
{
	struct directory_snapshot *book = accounts_snapshot(server);
	const struct directory_user *u = directory_by_id(book, (uint32_t)account);
	struct server_loop *loop = u ? emsmdb_owner_of(server, &u->mailbox) : otherwise;
	directory_snapshot_unref(&book);
	return loop;
}

#define DELETED_NS (INT64_C(24) * 3600 * NS_PER_S * STORE_KEEP_DELETED_DAYS)
#define EXPIRE_STEPS 5

static void expire_deleted(struct emsmdb_mailbox *m)
{
	bool more = true;
	int r = 0;
	for (int i = 0; r == 0 && more && i < EXPIRE_STEPS; i++)
		r = store_deleted_expire(m->store, time_now_ns() - DELETED_NS, &more);
	if (r < 0)
		log_line(m->loop->server->config.log, LOG_WARNING, "what was deleted long ago stays: %s",
		         store_mailbox_error(m->store));
}

int emsmdb_mailbox_ref(struct server_loop *loop, const struct guid *guid, struct emsmdb_mailbox **out)
{
	struct emsmdb_mailbox *m = loop->store->mailboxes;
	bool opened = false;
	while (m && !guid_equal(&m->guid, guid))
		m = m->next;
	if (!m) {
		struct store_place place = {.state = loop->server->config.state};
		struct store_why why = {0};
		m = (struct emsmdb_mailbox *)calloc(1, sizeof *m);
		int r = m ? store_mailbox_open(&place, guid, &m->store, &why) : MW_E_NOMEM;
		if (r < 0) {
			log_line(loop->server->config.log, LOG_ERROR, "cannot open a mailbox: %s", why.text);
			free(m);
			return r;
		}
		const struct server_config *c = &loop->server->config;
		const struct store_limits limits = {.warn = c->quota_warn,
		                                    .send = c->quota_send,
		                                    .receive = c->quota_receive,
		                                    .message = c->message_size};
		store_mailbox_limit(m->store, &limits);
		m->loop = loop;
		m->guid = *guid;
		m->sync_work.data = m->checkpoint_work.data = m;
		m->held_end = &m->held_calls;
		m->indexed_at = UINT64_MAX;
		m->next = loop->store->mailboxes;
		loop->store->mailboxes = m;
		opened = true;
	}
	m->references++;
	m->retiring = false;
	*out = m;
	if (opened) { /* what a crash has left there, and what was deleted long ago */
		expire_deleted(m);
		emsmdb_outbox_look(m);
		emsmdb_search(m);
	}
	return 0;
}

static void close_mailbox(struct emsmdb_mailbox *m)
{
	struct emsmdb_mailbox **link = &m->loop->store->mailboxes;
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	store_mailbox_close(&m->store);
	free(m);
}

/* Stays open for a while: whoever comes back finds it warm. */
void emsmdb_mailbox_unref(struct emsmdb_mailbox **mailbox)
{
	struct emsmdb_mailbox *m = *mailbox;
	*mailbox = NULL;
	if (!m || --m->references > 0)
		return;
	m->idle_ns = time_monotonic_ns();
	if (store_mailbox_failed(m->store)) /* to be read anew from what is on disk */
		close_mailbox(m);
	else if (m->retiring || m->loop->stopping)
		retire(m);
}

static bool is_safe(const struct emsmdb_mailbox *m, uint64_t ticket)
{
	return ticket <= store_synced(m->store);
}

/* Lets go the answers whose commits are safe, or, after a failed sync, all with an error. */
static void answer_waiting(struct emsmdb_mailbox *m, bool failed)
{
	struct service_call *c = m->waiting, *keep = NULL, **keep_end = &keep;
	m->waiting = NULL;
	while (c) {
		struct service_call *next = (struct service_call *)c->message.next;
		c->message.next = NULL;
		if (failed) {
			c->fault = NCA_S_COMM_FAILURE;
			service_finish(c, SERVICE_FAULT);
		} else if (is_safe(m, c->ticket)) {
			service_finish(c, SERVICE_DONE);
		} else {
			*keep_end = c;
			keep_end = (struct service_call **)&c->message.next;
		}
		c = next;
	}
	*keep_end = m->waiting;
	m->waiting = keep;
}

static void wake_waiters(struct emsmdb_mailbox *m, bool failed)
{
	struct emsmdb_waiter *w = m->waiters;
	m->waiters = NULL;
	while (w) {
		struct emsmdb_waiter *next = w->next;
		if (failed || is_safe(m, w->ticket)) {
			w->safe(w, failed);
		} else {
			w->next = m->waiters;
			m->waiters = w;
		}
		w = next;
	}
}

static void run_sync(uv_work_t *work)
{
	store_job_run(&((struct emsmdb_mailbox *)work->data)->sync);
}

static void run_checkpoint(uv_work_t *work)
{
	store_job_run(&((struct emsmdb_mailbox *)work->data)->checkpoint);
}

static void maybe_checkpoint(struct emsmdb_mailbox *m);

bool emsmdb_hold(struct emsmdb_mailbox *m, struct loop_message *message)
{
	if (!m->still)
		return false;
	message->next = NULL;
	*m->held_end = message;
	m->held_end = &message->next;
	return true;
}

/* What came in while the mailbox was still. */
static void run_held(struct emsmdb_mailbox *m)
{
	struct loop_message *held = m->held_calls;
	m->held_calls = NULL;
	m->held_end = &m->held_calls;
	while (held) {
		struct loop_message *next = held->next;
		held->run(m->loop, held);
		held = next;
	}
	emsmdb_outbox_look(m);
	emsmdb_search(m);
}

static void end_checkpoint(uv_work_t *work, int status)
{
	struct emsmdb_mailbox *m = (struct emsmdb_mailbox *)work->data;
	(void)status;
	m->checkpointing = m->still = false;
	if (store_job_end(m->store, &m->checkpoint) < 0)
		log_line(m->loop->server->config.log, LOG_ERROR, "checkpoint failed: %s",
		         store_mailbox_error(m->store));
	else if (!m->checkpoint.anew)
		maybe_checkpoint(m);
	if (!m->still)
		run_held(m);
	emsmdb_mailbox_unref(&m);
}

static void maybe_checkpoint(struct emsmdb_mailbox *m)
{
	if (m->checkpointing || !store_checkpoint_begin(m->store, m->retiring, &m->checkpoint))
		return;
	m->checkpointing = true;
	m->still = m->checkpoint.still;
	m->references++;
	uv_queue_work(&m->loop->uv, &m->checkpoint_work, run_checkpoint, end_checkpoint);
}

/* What these sessions see is no longer what is on disk. Their clients connect again, and the file is opened anew once
 * nobody has it. */
static void end_sessions(struct emsmdb_mailbox *m)
{
	while (m->sessions)
		emsmdb_session_free(m->sessions);
	emsmdb_logons_end(m);
	emsmdb_outbox_stop(m);
}

/* Nothing of it can be promised: whoever waits hears so. */
static void fail(struct emsmdb_mailbox *m)
{
	log_line(m->loop->server->config.log, LOG_ERROR, "a mailbox cannot be written: %s",
	         store_mailbox_error(m->store));
	answer_waiting(m, true);
	wake_waiters(m, true);
	end_sessions(m);
}

static void end_sync(uv_work_t *work, int status)
{
	struct emsmdb_mailbox *m = (struct emsmdb_mailbox *)work->data;
	(void)status;
	m->syncing = false;
	if (store_job_end(m->store, &m->sync) < 0) {
		fail(m);
	} else {
		answer_waiting(m, false);
		wake_waiters(m, false);
		emsmdb_logons_tell(m);
		emsmdb_sync(m);
		maybe_checkpoint(m);
		emsmdb_outbox_look(m);
		emsmdb_search(m);
	}
	emsmdb_mailbox_unref(&m);
}

static void begin_sync(struct emsmdb_mailbox *m)
{
	if (m->syncing)
		return;
	if (store_sync_begin(m->store, &m->sync)) {
		m->syncing = true;
		m->references++;
		uv_queue_work(&m->loop->uv, &m->sync_work, run_sync, end_sync);
	} else if (store_mailbox_failed(m->store)) {
		fail(m);
	}
}

static void on_round(uv_idle_t *round);

void emsmdb_sync(struct emsmdb_mailbox *m)
{
	struct emsmdb_loop *l = m->loop->store;
	if (m->unsynced || m->syncing || store_committed(m->store) <= store_synced(m->store))
		return;
	m->unsynced = true;
	m->unsynced_ns = time_monotonic_ns();
	m->seen = 0;
	m->references++;
	m->next_unsynced = l->unsynced;
	l->unsynced = m;
	uv_idle_start(&l->round, on_round);
}

/* The loop looks for more work once before the disk is asked: what comes now need not wait for the next sync. */
static bool may_wait(struct emsmdb_mailbox *m)
{
	uint64_t changes = store_changes(m->store);
	bool more = changes != m->seen && time_monotonic_ns() - m->unsynced_ns < SYNC_WAIT_NS;
	m->seen = changes;
	return more;
}

static void on_round(uv_idle_t *round)
{
	struct emsmdb_loop *l = (struct emsmdb_loop *)round->data;
	struct emsmdb_mailbox **link = &l->unsynced;
	while (*link) {
		struct emsmdb_mailbox *m = *link;
		if (may_wait(m)) {
			link = &m->next_unsynced;
			continue;
		}
		*link = m->next_unsynced;
		m->unsynced = false;
		begin_sync(m);
		emsmdb_mailbox_unref(&m);
	}
	if (!l->unsynced)
		uv_idle_stop(round);
}

void emsmdb_finish_when_safe(struct emsmdb_mailbox *m, struct service_call *call, uint64_t ticket)
{
	if (ticket == 0 || is_safe(m, ticket)) {
		service_finish(call, SERVICE_DONE);
		return;
	}
	struct service_call **end = &m->waiting;
	while (*end)
		end = (struct service_call **)&(*end)->message.next;
	call->ticket = ticket;
	call->message.next = NULL;
	*end = call;
	emsmdb_sync(m);
}

void emsmdb_when_safe(struct emsmdb_mailbox *m, struct emsmdb_waiter *w)
{
	if (is_safe(m, w->ticket)) {
		w->safe(w, false);
		return;
	}
	w->next = m->waiters;
	m->waiters = w;
	emsmdb_sync(m);
}

/* ---- Idle mailboxes ---- */

#define IDLE_NS (INT64_C(2) * NS_PER_S)
#define IDLE_MAX 64 /* of a loop */

/* The last syncs and the log's move into the file go through the pool; then closing has nothing to wait for. */
static void retire(struct emsmdb_mailbox *m)
{
	m->retiring = true;
	begin_sync(m);
	if (!m->syncing)
		maybe_checkpoint(m);
	if (m->references == 0)
		close_mailbox(m);
}

static struct emsmdb_mailbox *longest_idle(struct emsmdb_loop *l, unsigned *count)
{
	struct emsmdb_mailbox *oldest = NULL;
	*count = 0;
	/* What was closed is no longer linked, which the analyser cannot see. */
	for (struct emsmdb_mailbox *m = l->mailboxes; m; m = m->next) { // NOLINT(clang-analyzer-unix.Malloc)
		if (m->references > 0)                                  // NOLINT(clang-analyzer-unix.Malloc)
			continue;
		(*count)++;
		if (!oldest || m->idle_ns < oldest->idle_ns)
			oldest = m;
	}
	return oldest;
}

void emsmdb_mailboxes_retire(struct emsmdb_loop *l, bool all)
{
	int64_t now = time_monotonic_ns();
	unsigned count;
	for (struct emsmdb_mailbox *m = longest_idle(l, &count); m; m = longest_idle(l, &count)) {
		if (!all && count <= IDLE_MAX && now - m->idle_ns < IDLE_NS)
			return;
		retire(m);
	}
}
