#include "lens/lens-private.h"

#include <stdlib.h>

/* What an observer holds of one direction's unfinished calls. */
#define MAX_CALL ((size_t)1 << 20)

static struct lens_conversation *talk_of(struct lens_age *a)
{
	return (struct lens_conversation *)a;
}

static void unlink_talk(struct lens_conversation *t)
{
	struct lens *lens = t->lens;
	if (lens->oldest_awake == t)
		lens->oldest_awake = talk_of(t->age.newer);
	lens_age_remove(&lens->talks, &t->age);
	lens->awake -= t->awake;
	t->awake = false;
}

/* Not the newest: that one may be in the middle of its PDUs. */
static void put_oldest_to_rest(struct lens *lens)
{
	struct lens_conversation *t = lens->oldest_awake;
	for (unsigned side = 0; side < 2; side++)
		lens_where_rest(&t->where[side], rpc_oldest(t->rpc, side));
	rpc_rest(t->rpc);
	t->awake = false;
	lens->oldest_awake = talk_of(t->age.newer);
	lens->awake--;
}

static void link_newest(struct lens_conversation *t)
{
	struct lens *lens = t->lens;
	lens_age_add(&lens->talks, &t->age, lens->now.frame);
	t->awake = true;
	if (!lens->oldest_awake)
		lens->oldest_awake = t;
	if (++lens->awake > LENS_MAX_AWAKE)
		put_oldest_to_rest(lens);
}

static void touch(struct lens_conversation *t)
{
	t->age.used = t->lens->now.frame;
	if (t->lens->talks.newest == &t->age)
		return;
	unlink_talk(t);
	link_newest(t);
}

static void on_event(void *user, struct rpc_connection *c, const struct rpc_event *ev)
{
	(void)c;
	lens_make(user, ev);
}

void lens_talk_forget(struct lens_conversation *t)
{
	if (t->file)
		lens_smb_forget(t->file);
	else
		lens_flow_forget(t->flow);
}

struct lens_conversation *lens_talk_new(struct lens_flow *flow, struct smb_file *file, const char *name)
{
	struct lens *lens = flow->lens;
	struct lens_conversation *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	*t = (struct lens_conversation){.number = lens_number_of(lens, ++lens->talks_begun),
	                                .flow = flow,
	                                .back = flow,
	                                .file = file,
	                                .lens = lens};
	t->transport = file ? "pipe" : "tcp";
	const struct rpc_config config = {
	        .role = RPC_OBSERVER,
	        .on_event = on_event,
	        .user = t,
	        .limits = {.max_call = MAX_CALL},
	        .observer = &lens->observer,
	};
	t->arena = arena_new(0);
	t->rpc = t->arena ? rpc_connection_new(&config) : NULL;
	if (!t->rpc) {
		arena_free(&t->arena);
		free(t);
		return NULL;
	}
	if (name)
		t->pipe = arena_strdup(lens->options.keep_events ? lens->kept : t->arena, name);
	link_newest(t);
	return t;
}

void lens_talk_free(struct lens_conversation **talk)
{
	struct lens_conversation *t = TAKE_PTR(*talk);
	if (!t)
		return;
	lens_pending_drop(t);
	rpc_connection_free(&t->rpc);
	lens_where_free(&t->where[0]);
	lens_where_free(&t->where[1]);
	arena_free(&t->arena);
	unlink_talk(t);
	free(t);
}

static enum rpc_side side_of(const struct lens_conversation *t, unsigned side)
{
	return side == t->flow->client ? RPC_FROM_CLIENT : RPC_FROM_SERVER;
}

void lens_talk_move(struct lens_conversation *t, struct lens_flow *flow, struct lens_flow *back)
{
	t->back = back;
	if (t->flow == flow)
		return;
	t->flow = flow;
	lens_pending_move(t);
}

void lens_talk_data(struct lens_conversation *t, unsigned side, const uint8_t *data, size_t len,
                    const struct lens_stamp *stamp)
{
	enum rpc_side from = side_of(t, side);
	touch(t);
	lens_where_add(&t->where[from], len, stamp, rpc_oldest(t->rpc, from));
	rpc_feed(t->rpc, from, data, len, stamp->time_ns);
}

void lens_talk_gap(struct lens_conversation *t, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	enum rpc_side from = side_of(t, side);
	if (n)
		lens_where_add(&t->where[from], n, stamp, rpc_oldest(t->rpc, from));
	rpc_gap(t->rpc, from, n);
}

void lens_talk_end(struct lens_conversation *t, unsigned side, const struct lens_stamp *stamp)
{
	rpc_eof(t->rpc, side_of(t, side), stamp->time_ns);
}
