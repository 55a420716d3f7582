#include "client/store.h"

#include "base/time.h"

#include <stdlib.h>

/* Notifications: [MS-OXCNOTIF] 3.1.4.2, [MS-OXCRPC] 3.1.4.4 and 3.3.4.1. */

#define OP_ASYNC_CONNECT_EX 14
#define OP_ASYNC_WAIT_EX 0
#define NOTIFICATION_PENDING 0x00000001u
#define MAX_EVENTS 64

struct mapiwire_watch {
	struct mapiwire_store *store;
	uint64_t folder;
	unsigned kinds;
	uint32_t subscription;
	unsigned epoch; /* of the subscription */
	struct client_conn *conn;
	struct idl_context_handle acxh;
	struct client_call *parked;
	int64_t parked_ns, woken_ns;
	/* A ring: the oldest goes when it is full. */
	struct mapiwire_event events[MAX_EVENTS];
	unsigned first, count;
};

void client_watch_note(struct mapiwire_store *s, const struct RopNotifyResponse *n)
{
	struct mapiwire_watch *w = s->watch;
	const struct mapi_notification *d = &n->NotificationData;
	if (!w || n->NotificationHandle != w->subscription)
		return;
	if (w->count == MAX_EVENTS) {
		w->first = (w->first + 1) % MAX_EVENTS;
		w->count--;
	}
	w->events[(w->first + w->count++) % MAX_EVENTS] = (struct mapiwire_event){
	        .kind = d->flags & MAPI_NOTIFY_TYPE,
	        .folder = d->folder_id,
	        .message = d->flags & MAPI_NOTIFY_M ? d->message_id : 0,
	        .woken_ns = w->woken_ns,
	};
}

static int subscribe(struct mapiwire_watch *w)
{
	struct mapiwire_store *s = w->store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, s->logon), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopRegisterNotificationRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .NotificationTypes = (uint16_t)w->kinds,
	        .WantWholeStore = w->folder == 0,
	        .FolderId = w->folder,
	};
	client_rops_add(&b, ROP_REGISTER_NOTIFICATION, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_REGISTER_NOTIFICATION, &answer);
	if (r == 0)
		w->subscription = client_rops_made(&b, at);
	w->epoch = s->epoch;
	return r;
}

static int async_connect(struct mapiwire_watch *w)
{
	struct mapiwire_store *s = w->store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct EcDoAsyncConnectEx_args a = {.cxh = s->cxh};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_session_call(s, OP_ASYNC_CONNECT_EX, arena, &a);
	if (r == 0 && a.ReturnValue != 0)
		r = client_fail_status(s->m, CAUSE_OF_MAPI, (uint32_t)a.ReturnValue, "EcDoAsyncConnectEx");
	if (r == 0)
		w->acxh = a.pacxh;
	return r;
}

static int park(struct mapiwire_watch *w)
{
	const struct EcDoAsyncWaitEx_args a = {.acxh = w->acxh};
	w->parked_ns = w->parked ? w->parked_ns : time_monotonic_ns();
	return w->parked ? 0 : client_call_begin(w->conn, 0, OP_ASYNC_WAIT_EX, &a, &w->parked);
}

/* Gives the parked call and its connection up. */
static void stop(struct mapiwire_watch *w)
{
	client_call_drop(&w->parked);
	client_close(&w->conn);
}

/* With the store's turn: whatever is missing of subscription and second connection, at first or after a loss. */
static int set_up(struct mapiwire_watch *w)
{
	struct mapiwire_store *s = w->store;
	int r = 0;
	if (w->epoch == s->epoch && w->conn && !w->conn->closed)
		return 0;
	stop(w);
	if (w->epoch != s->epoch || w->subscription == MAPI_NO_HANDLE)
		r = subscribe(w);
	if (r == 0)
		r = async_connect(w);
	return r == 0 ? client_open_beside(s->conn, &wire_asyncemsmdb_interface, &w->conn) : r;
}

static int fail_lost(const struct mapiwire_watch *w)
{
	return client_fail_on(w->store->m, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, " of %s", "the watch");
}

static int ready(struct mapiwire_watch *w)
{
	int r = client_store_enter(w->store);
	if (r != 0)
		return r;
	/* The session was found to be gone just now. */
	r = w->conn && w->epoch != w->store->epoch ? fail_lost(w) : set_up(w);
	client_store_leave(w->store);
	return r == 0 ? park(w) : r;
}

int mapiwire_watch_open(struct mapiwire_store *s, uint64_t folder, unsigned kinds, struct mapiwire_watch **out)
{
	client_no_error(s->m);
	if (s->watch)
		return client_fail_inside(s->m, MW_E_INVALID, "a second watch on a store");
	struct mapiwire_watch *w = (struct mapiwire_watch *)calloc(1, sizeof *w);
	if (!w)
		return client_fail_inside(s->m, MW_E_NOMEM, "a watch");
	w->store = s;
	w->folder = folder;
	w->kinds = kinds;
	w->subscription = MAPI_NO_HANDLE;
	s->watch = w;
	int r = ready(w);
	if (r != 0)
		mapiwire_watch_close(&w);
	else
		*out = w;
	return r;
}

void mapiwire_watch_close(struct mapiwire_watch **watch)
{
	struct mapiwire_watch *w = *watch;
	if (!w)
		return;
	struct mapiwire_store *s = w->store;
	s->watch = NULL;
	*watch = NULL;
	stop(w);
	client_release(s, w->subscription, w->epoch);
	free(w);
}

/* Fetches what the server has to tell: an EcDoRpcExt2 without ROPs. */
static int fetch(struct mapiwire_watch *w)
{
	struct mapiwire_store *s = w->store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	int r = client_store_enter_same(s, w->epoch, "the watch");
	if (r != 0)
		return r;
	client_rops_begin(&b, s, arena);
	r = client_rops_run(&b);
	client_store_leave(s);
	return r;
}

/* Over HTTP the session and what it has to tell outlive a connection that somebody cut, who may be a proxy that bears
 * no long waits: it is parked anew, unless it is cut at once. */
static bool only_connection_lost(const struct mapiwire_watch *w)
{
	return w->conn->mapi && client_is_up(w->conn) && time_monotonic_ns() - w->parked_ns > NS_PER_S;
}

/* Until the parked call has returned. */
static int wait_parked(struct mapiwire_watch *w, int64_t deadline)
{
	struct mapiwire *m = w->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct EcDoAsyncWaitEx_args a = {0};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_wait(m, &w->parked->done, w->conn, w->parked, deadline);
	if (r != 0 && r != MW_E_TIMEOUT && r != MW_E_AGAIN)
		return client_fail_wait(m, r, "EcDoAsyncWaitEx");
	if (r == MW_E_TIMEOUT)
		return client_fail_on(m, MAPIWIRE_E_TIMEOUT, CAUSE_NO_NOTIFICATION, "%s", "");
	w->woken_ns = w->parked->done ? w->parked->arrived_ns : 0;
	r = client_call_end(&w->parked, arena, &a, deadline);
	if (r == MAPIWIRE_E_LOST && only_connection_lost(w)) {
		client_no_error(m);
		return 0;
	}
	if (r == 0 && a.ReturnValue != 0)
		r = client_fail_status(m, CAUSE_OF_MAPI, (uint32_t)a.ReturnValue, "EcDoAsyncWaitEx");
	if (r == 0 && (a.pulFlagsOut & NOTIFICATION_PENDING))
		r = fetch(w);
	return r;
}

/* What is lost is told once, since changes may have been missed; the next call sets up anew. */
static int tell_loss(struct mapiwire_watch *w)
{
	struct mapiwire_store *s = w->store;
	if (!w->conn || (w->epoch == s->epoch && client_is_up(w->conn) && client_is_up(s->conn)))
		return 0;
	return fail_lost(w);
}

int mapiwire_watch_next(struct mapiwire_watch *w, unsigned timeout_ms, struct mapiwire_event *out)
{
	int64_t deadline = time_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
	int r = 0;
	client_no_error(w->store->m);
	while (r == 0 && w->count == 0) {
		r = tell_loss(w);
		if (r == 0)
			r = ready(w);
		if (r == 0)
			r = wait_parked(w, deadline);
	}
	if (r == MAPIWIRE_E_LOST)
		stop(w);
	if (r != 0)
		return r;
	*out = w->events[w->first];
	w->first = (w->first + 1) % MAX_EVENTS;
	w->count--;
	return 0;
}
