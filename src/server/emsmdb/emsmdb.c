#include "server/emsmdb/outbox.h"

#include "base/time.h"

#include <stdlib.h>

#define TIMER_MS 1000

/* Messages that have become due. */
static void look_into_outboxes(struct emsmdb_loop *l)
{
	int64_t now = time_now_ns();
	for (struct emsmdb_mailbox *m = l->mailboxes, *next; m; m = next) {
		next = m->next;
		emsmdb_index(m);
		if (now >= m->outbox_ns) {
			m->references++;
			emsmdb_outbox_look(m);
			emsmdb_mailbox_unref(&m);
		}
	}
}

/* Parked waits that have lasted long enough go home without news. */
static void on_timer(uv_timer_t *timer)
{
	struct emsmdb_loop *l = (struct emsmdb_loop *)timer->data;
	int64_t now = time_monotonic_ns();
	if (!l->outboxes_seen) {
		l->outboxes_seen = true;
		emsmdb_outboxes_start(l->loop);
	}
	look_into_outboxes(l);
	emsmdb_mailboxes_retire(l, false);
	for (unsigned i = 0; i < ARRAY_SIZE(l->sessions); i++)
		for (struct emsmdb_session *s = l->sessions[i]; s; s = s->hash_next)
			if (s->parked && now >= s->parked_until_ns)
				emsmdb_wake(s, false);
}

int emsmdb_loop_init(struct server_loop *loop)
{
	struct emsmdb_loop *l = (struct emsmdb_loop *)calloc(1, sizeof *l);
	if (!l)
		return MW_E_NOMEM;
	l->loop = loop;
	if (uv_timer_init(&loop->uv, &l->timer) < 0) {
		free(l);
		return MW_E_IO;
	}
	l->timer.data = l->round.data = l;
	l->handles = 1;
	loop->store = l;
	uv_unref((uv_handle_t *)&l->timer);
	if (uv_idle_init(&loop->uv, &l->round) < 0)
		return MW_E_IO;
	l->handles++;
	return uv_timer_start(&l->timer, on_timer, TIMER_MS, TIMER_MS) < 0 ? MW_E_IO : 0;
}

/* The loop has stopped: sessions end, and with them the mailboxes close. */
void emsmdb_loop_end(struct server_loop *loop)
{
	struct emsmdb_loop *l = loop->store;
	for (unsigned i = 0; l && i < ARRAY_SIZE(l->sessions); i++)
		while (l->sessions[i])
			emsmdb_session_free(l->sessions[i]);
	for (struct emsmdb_mailbox *m = l ? l->mailboxes : NULL, *next; m; m = next) {
		next = m->next;
		emsmdb_outbox_stop(m);
	}
	if (l)
		emsmdb_mailboxes_retire(l, true);
}

static void on_closed(uv_handle_t *handle)
{
	struct emsmdb_loop *l = (struct emsmdb_loop *)handle->data;
	if (--l->handles == 0)
		free(l);
}

void emsmdb_loop_free(struct server_loop *loop)
{
	struct emsmdb_loop *l = loop->store;
	loop->store = NULL;
	if (!l)
		return;
	if (l->handles > 1)
		uv_close((uv_handle_t *)&l->round, on_closed);
	uv_close((uv_handle_t *)&l->timer, on_closed);
}

static const service_fn emsmdb_methods[] = {
        [1] = emsmdb_disconnect, [6] = emsmdb_dummy_rpc,         [10] = emsmdb_connect_ex,
        [11] = emsmdb_rpc_ext2,  [14] = emsmdb_async_connect_ex,
};

const struct service emsmdb_service = {
        .interface = &wire_emsmdb_interface,
        .methods = emsmdb_methods,
        .method_count = ARRAY_SIZE(emsmdb_methods),
        .ports = 1u << SERVER_PORT_STORE | SERVICE_OVER_HTTP,
        .http_endpoint = SERVER_HTTP_STORE,
        .annotation = "Microsoft Exchange Information Store",
};

static const service_fn async_methods[] = {emsmdb_async_wait_ex};

const struct service asyncemsmdb_service = {
        .interface = &wire_asyncemsmdb_interface,
        .methods = async_methods,
        .method_count = ARRAY_SIZE(async_methods),
        .ports = 1u << SERVER_PORT_STORE | SERVICE_OVER_HTTP,
        .http_endpoint = SERVER_HTTP_STORE,
        .annotation = "Microsoft Exchange Async Information Store",
};
