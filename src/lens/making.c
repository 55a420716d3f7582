#include "lens/lens-private.h"

/* What the RPC machine calls things, and we. RPC_EV_CLOSED is no observer's. */
static const enum lens_kind kinds[] = {
        [RPC_EV_BIND] = LENS_BIND,           [RPC_EV_BIND_ACK] = LENS_BIND_ACK,
        [RPC_EV_BIND_NAK] = LENS_BIND_NAK,   [RPC_EV_ALTER] = LENS_ALTER,
        [RPC_EV_ALTER_ACK] = LENS_ALTER_ACK, [RPC_EV_AUTH3] = LENS_AUTH3,
        [RPC_EV_REQUEST] = LENS_REQUEST,     [RPC_EV_RESPONSE] = LENS_RESPONSE,
        [RPC_EV_FAULT] = LENS_FAULT,         [RPC_EV_CANCEL] = LENS_CANCEL,
        [RPC_EV_ORPHANED] = LENS_ORPHANED,   [RPC_EV_SHUTDOWN] = LENS_SHUTDOWN,
        [RPC_EV_DAMAGED] = LENS_DAMAGED,     [RPC_EV_GAP] = LENS_GAP,
};

/* EcDoAsyncWaitEx, [MS-OXCRPC] 3.3.4.1. */
#define OPNUM_ASYNC_WAIT 0

static bool expects_answer(const struct rpc_event *ev)
{
	switch (ev->type) {
	case RPC_EV_BIND:
	case RPC_EV_ALTER:
		return true;
	case RPC_EV_REQUEST:
		return !(ev->flags & RPC_PFC_MAYBE);
	default:
		return false;
	}
}

static struct lens_pending *find_request(struct lens_conversation *t, const struct rpc_event *ev)
{
	switch (ev->type) {
	case RPC_EV_BIND_ACK:
	case RPC_EV_BIND_NAK:
	case RPC_EV_ALTER_ACK:
		return lens_pending_find(t, ev->call_id, true);
	case RPC_EV_RESPONSE:
	case RPC_EV_CANCEL:
	case RPC_EV_ORPHANED:
		return lens_pending_find(t, ev->call_id, false);
	case RPC_EV_FAULT: {
		struct lens_pending *p = lens_pending_find(t, ev->call_id, false);
		return p ? p : lens_pending_find(t, ev->call_id, true);
	}
	default:
		return NULL;
	}
}

static bool is_answer(enum lens_kind kind)
{
	return kind == LENS_BIND_ACK || kind == LENS_BIND_NAK || kind == LENS_ALTER_ACK || kind == LENS_RESPONSE ||
	       kind == LENS_FAULT;
}

static void put_place(struct lens_event *e, const struct lens_where *w, const struct rpc_event *ev)
{
	struct lens_stamp first = lens_where_find(w, ev->first);
	struct lens_stamp last = ev->end > ev->first ? lens_where_find(w, ev->end - 1) : first;
	e->frame = first.frame;
	e->time_ns = first.time_ns;
	/* Segments may have come in another order than their bytes. */
	e->last_frame = last.frame > first.frame ? last.frame : first.frame;
	e->last_time_ns = last.time_ns > first.time_ns ? last.time_ns : first.time_ns;
}

/* What an answer's time is made of: the way there and back, what the messages took to pass, and the server. */
static void split_time(struct lens_event *e)
{
	const struct lens_event *asked = e->request;
	int64_t server = e->time_ns - asked->last_time_ns - e->conn->rtt_ns;
	if (e->took_ns < 0)
		return;
	e->server_ns = server < 0 ? 0 : server > e->took_ns ? e->took_ns : server;
	e->network_ns = e->took_ns - e->server_ns;
}

/* How long the client took to say more. Only where nothing else was in flight. */
static void put_client_time(struct lens_making *m)
{
	const struct lens_conversation *t = m->talk;
	int64_t ns =
	        t->answered_ns && !t->first ? m->event->time_ns - t->answered_ns - m->event->conn->client_rtt_ns : 0;
	m->event->client_ns = ns > 0 ? ns : 0;
}

static void put_heads(struct lens_making *m)
{
	struct lens_event *e = m->event;
	const struct rpc_event *ev = m->rpc;
	e->kind = kinds[ev->type];
	e->from_client = ev->from == RPC_FROM_CLIENT;
	e->conn = e->from_client ? m->talk->flow->conn : m->talk->back->conn;
	e->transport = m->talk->transport;
	e->pipe = m->talk->pipe;
	e->call_id = ev->call_id;
	e->has_call = ev->type != RPC_EV_GAP && ev->type != RPC_EV_SHUTDOWN &&
	              (ev->type != RPC_EV_DAMAGED || ev->call_id != 0);
	e->fragments = ev->fragments;
	e->bytes = ev->end > ev->first ? ev->end - ev->first : 0;
	e->took_ns = -1;
	put_place(e, m->call ? m->call->places : &m->talk->where[ev->from], ev);
	if (m->request) {
		e->request = m->request->event;
		if (is_answer(e->kind))
			e->took_ns = e->last_time_ns - e->request->time_ns;
		if (is_answer(e->kind))
			split_time(e);
	}
	if (e->kind == LENS_REQUEST)
		put_client_time(m);
}

static void put_opnum(struct lens_making *m)
{
	struct lens_event *e = m->event;
	if (m->request && m->request->event->has_opnum) {
		e->has_opnum = true;
		e->opnum = m->request->event->opnum;
	} else if (m->rpc->opnum_known && (e->kind == LENS_REQUEST || is_answer(e->kind))) {
		e->has_opnum = true;
		e->opnum = m->rpc->opnum;
	}
	if (!e->has_opnum)
		return;
	if (!m->call) {
		e->op = lens_method_name(m->iface, e->opnum);
		m->method = lens_method_of(m->iface, e->opnum);
	}
	e->parked = e->service == LENS_SVC_ASYNC && e->opnum == OPNUM_ASYNC_WAIT;
}

static void put_damage(struct lens_making *m)
{
	const struct rpc_event *ev = m->rpc;
	struct lens *lens = m->lens;
	if (ev->type != RPC_EV_DAMAGED)
		return;
	lens->totals.damaged++;
	m->event->damaged = arena_printf(m->arena, "%zu: %s", ev->damaged_at, ev->why ? ev->why : "not understood");
}

static void fill(struct lens_making *m)
{
	put_heads(m);
	if (m->call)
		lens_take_call(m);
	else
		lens_find_iface(m);
	put_opnum(m);
	lens_note_auth(m);
	put_damage(m);
	if (m->call)
		lens_read_call(m);
	else
		lens_read_contents(m);
	if (m->lens->options.want_fields)
		lens_open_fields(m);
	lens_summarize(m);
}

static void tell_said(struct lens_making *m)
{
	const struct lens_options *o = &m->lens->options;
	bool call = m->event->kind == LENS_REQUEST || m->event->kind == LENS_RESPONSE;
	struct lens_said said = {
	        .event = m->event,
	        .rpc = m->rpc,
	        .conversation = m->talk->number,
	        .stub = call ? m->rpc->stub : NULL,
	        .stub_len = call ? m->rpc->stub_len : 0,
	        .big_endian = m->rpc->big_endian,
	        .sealed = m->rpc->sealed && !m->rpc->decrypted,
	};
	if (o->said && !m->call && (!o->scrub || lens_rewrite_stub(m, &said)))
		o->said(o->said_user, &said);
}

static void make(struct lens_conversation *t, const struct rpc_event *ev, const struct lens_call *call)
{
	struct lens *lens = t->lens;
	if ((size_t)ev->type >= ARRAY_SIZE(kinds))
		return;
	arena_reset(lens->scratch);
	lens_rewrite_begin(lens);
	struct lens_pending *pending = expects_answer(ev) ? lens_pending_new(lens) : NULL;
	struct lens_pending *request = find_request(t, ev);
	struct arena *work = pending ? pending->arena : lens->scratch;
	struct arena *arena = lens->options.keep_events ? lens->kept : work;
	struct lens_making m = {
	        .lens = lens,
	        .talk = t,
	        .rpc = ev,
	        .event = arena_new_of(arena, struct lens_event),
	        .arena = arena,
	        .work = work,
	        .pending = pending,
	        .request = request,
	        .call = call,
	};
	if (!m.event) {
		if (pending)
			lens_pending_free(lens, pending);
		return;
	}
	fill(&m);
	if (pending) {
		pending->event = m.event;
		pending->iface = m.iface;
		lens_pending_add(t, pending);
	}
	tell_said(&m);
	if (lens->tape)
		lens_tape_event(lens, m.event, pending, request);
	else
		lens_tell(lens, m.event);
	if (is_answer(m.event->kind))
		t->answered_ns = m.event->last_time_ns;
	if (request && is_answer(m.event->kind)) {
		lens_pending_take(t, request);
		lens_pending_free(lens, request);
	}
}

void lens_make(struct lens_conversation *t, const struct rpc_event *ev)
{
	make(t, ev, NULL);
}

void lens_make_call(struct lens_conversation *t, const struct rpc_event *ev, const struct lens_call *call)
{
	make(t, ev, call);
}
