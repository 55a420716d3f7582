#include "server/emsmdb/work.h"

#include <stdlib.h>
#include <string.h>

#define WORK_ARENA ((size_t)16 << 20)

static void free_work(struct rop_work *w)
{
	store_removal_free(&w->removal);
	arena_free(&w->call.arena);
	free(w);
}

void rop_work_free(struct rop_work **w)
{
	if (*w)
		free_work(*w);
	*w = NULL;
}

struct rop_work *rop_work_new(struct rop_call *rop, const uint64_t *ids, size_t count, size_t partial_at)
{
	struct rop_work *w = (struct rop_work *)calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->call = *rop;
	w->call.ticket = 0;
	w->call.arena = arena_new(WORK_ARENA);
	w->ids = w->call.arena ? (const uint64_t *)arena_copy(w->call.arena, ids, count * sizeof *ids) : NULL;
	w->count = count;
	w->more = true;
	w->partial_at = partial_at;
	w->object = rop->in;
	w->mailbox = rop_mailbox(rop);
	if (!w->ids) {
		free_work(w);
		return NULL;
	}
	return w;
}

/* ---- Steps ---- */

static void end(struct rop_work *w, uint32_t status)
{
	w->status = status;
	w->ended = true;
}

static void do_step(struct rop_work *w)
{
	if (w->removal ? !w->more : w->at == w->count) {
		end(w, 0);
		return;
	}
	int r = w->step(w, w->removal ? 0 : w->ids[w->at]);
	w->at++;
	if (r < 0 && (w->removal || r == MW_E_IO || r == MW_E_NOMEM)) {
		w->partial |= w->at > 1;
		end(w, rop_status(&w->call, r));
	} else {
		w->partial |= r < 0;
	}
}

static void do_slice(struct rop_work *w, int64_t until)
{
	while (!w->ended) {
		do_step(w);
		if (time_monotonic_ns() >= until)
			break;
	}
}

/* ---- In the place of its ROP ---- */

static uint32_t answer(struct rop_call *rop, struct rop_work *w)
{
	uint32_t status = w->status;
	((uint8_t *)rop->response)[w->partial_at] = w->partial;
	rop_promise(rop, w->call.ticket);
	free_work(w);
	return status;
}

static void tell_progress(struct rop_call *rop, const struct rop_work *w)
{
	struct RopProgressResponse *a = (struct RopProgressResponse *)rop->response;
	const struct store_progress *p = w->removal ? store_removal_progress(w->removal) : NULL;
	a->LogonId = rop->logon;
	a->CompletedTaskCount = (uint32_t)(p ? p->done : w->at);
	a->TotalTaskCount = (uint32_t)(p ? p->total : w->count);
}

static void post(struct rop_work *w);

static uint32_t detach(struct rop_call *rop, struct rop_work *w)
{
	void *response = arena_new_of(rop->arena, struct RopProgressResponse);
	if (!response)
		return ecServerOOM;
	rop->response = response;
	rop->answer_id = ROP_PROGRESS;
	*(struct RopProgressResponse *)response = (struct RopProgressResponse){0};
	w->detached = true;
	w->call.call = NULL; /* they end with the answer */
	w->call.execution = NULL;
	w->call.handles = NULL;
	w->object->work = w;
	tell_progress(rop, w);
	post(w);
	return 0;
}

static uint32_t go_on(struct rop_call *rop)
{
	struct rop_work *w = (struct rop_work *)rop->state;
	if (rop->session->ending)
		end(w, ecError);
	do_slice(w, rop_slice_end(rop));
	return w->ended ? answer(rop, w) : rop_again(rop, go_on);
}

uint32_t rop_work_run(struct rop_call *rop, struct rop_work *w, bool asynchronous)
{
	rop->state = w;
	do_slice(w, rop_slice_end(rop));
	if (w->ended)
		return answer(rop, w);
	if (!asynchronous)
		return rop_again(rop, go_on);
	if (rop->in->work) { /* one at a time: the folder is busy */
		free_work(w);
		return ecRejected;
	}
	return detach(rop, w);
}

/* ---- By itself ---- */

static void run_slice(struct server_loop *loop, struct loop_message *message)
{
	struct rop_work *w = (struct rop_work *)((char *)message - offsetof(struct rop_work, message));
	struct emsmdb_mailbox *m = w->mailbox;
	(void)loop;
	if (w->object && emsmdb_hold(m, message))
		return;
	if (w->object) {
		const struct emsmdb_logon *on = w->object->on;
		w->call.slice_ns = time_monotonic_ns();
		store_mailbox_as(m->store, on->owner ? NULL : &on->caller);
		do_slice(w, rop_slice_end(&w->call));
		store_mailbox_as(m->store, NULL);
		emsmdb_sync(m);
	}
	if (!w->object)
		free_work(w);
	else if (!w->ended)
		post(w);
	else
		w->detached = false;
	emsmdb_mailbox_unref(&m);
}

static void post(struct rop_work *w)
{
	w->mailbox->references++;
	w->message.run = run_slice;
	loop_post(w->mailbox->loop, &w->message);
}

void emsmdb_work_end(struct rop_work *w)
{
	w->object = NULL;
	if (!w->detached) /* else its message is on its way */
		free_work(w);
}

/* ---- RopProgress ---- */

/* Whoever asks waits for a moment, so that not every slice is asked for. */
static uint32_t report(struct rop_call *rop)
{
	struct rop_work *w = rop->in->work;
	const struct RopProgressRequest *q = (const struct RopProgressRequest *)rop->request;
	if (q->WantCancel && !w->ended) {
		w->partial = true;
		end(w, 0);
	}
	if (!w->ended) {
		tell_progress(rop, w);
		return 0;
	}
	rop->answer_id = w->call.id;
	rop->response = arena_alloc(rop->arena, wire_rops_module.responses[w->call.id]->size);
	if (!rop->response)
		return ecServerOOM;
	memset(rop->response, 0, wire_rops_module.responses[w->call.id]->size);
	if (w->detached) { /* cancelled: its last message finds it gone */
		uint32_t status = w->status;
		((uint8_t *)rop->response)[w->partial_at] = w->partial;
		rop_promise(rop, w->call.ticket);
		rop->in->work = NULL;
		emsmdb_work_end(w);
		return status;
	}
	rop->in->work = NULL;
	return answer(rop, w);
}

/* [MS-OXCPRPT] 3.2.5.20 */
uint32_t rop_progress(struct rop_call *rop)
{
	return rop->in->work ? report(rop) : ecNotFound;
}
