#include "lens/lens-private.h"

#define MAX_PADDING 8

static struct lens_assumed *find_assumed(struct lens_conversation *t, uint16_t context_id)
{
	for (unsigned i = 0; i < t->assumed_count; i++)
		if (t->assumed[i].context_id == context_id)
			return &t->assumed[i];
	return NULL;
}

static bool has_method(const struct lens_iface *i, uint16_t opnum)
{
	if (i->idl)
		return lens_method_of(i, opnum) != NULL;
	return !i->known || i->known->method_count == 0 || opnum < i->known->method_count;
}

/* Whether the stub is what that method's request looks like. */
static bool fits(const struct lens_making *m, const struct lens_iface *i)
{
	const struct rpc_event *ev = m->rpc;
	const struct idl_method *method = lens_method_of(i, ev->opnum);
	if (!method || ev->type != RPC_EV_REQUEST || (ev->sealed && !ev->decrypted))
		return false;
	struct ndr n = ndr_decoder(ev->syntax, m->lens->scratch, cursor_of(ev->stub, ev->stub_len));
	n.in.big_endian = ev->big_endian;
	void *args = arena_alloc(m->lens->scratch, method->args->size);
	return args && ndr_decode_args(&n, method, IDL_REQUEST, args) == 0 && cursor_left(&n.in) < MAX_PADDING;
}

/* The interface among those of a port; of several possible ones the one whose method fits the stub. */
static const struct lens_iface *choose(const struct lens_making *m, const struct lens_port *port, bool *mapped)
{
	const struct lens_iface *found = NULL;
	unsigned possible = 0;
	for (unsigned i = 0; i < port->count; i++) {
		const struct lens_iface *c = port->ifaces[i];
		if (m->rpc->opnum_known && !has_method(c, m->rpc->opnum))
			continue;
		if (possible++ == 0 || fits(m, c)) {
			found = c;
			*mapped = port->mapped >> i & 1;
		}
	}
	/* An answer alone does not tell which of several it is. */
	return possible > 1 && !m->rpc->opnum_known ? NULL : found;
}

static const struct lens_iface *by_port(struct lens_making *m, enum lens_known_by *known_by)
{
	const struct lens_conn *conn = m->talk->flow->conn;
	const struct lens_port *port = lens_find_port(m->lens, &conn->server);
	bool mapped = false;
	*known_by = LENS_KNOWN_PORT;
	if (m->talk->file)
		return NULL;
	if (!port)
		return conn->server.port == LENS_MAPPER_PORT ? lens_names_get(&m->lens->names, &lens_epm_syntax) : NULL;
	const struct lens_iface *i = choose(m, port, &mapped);
	if (mapped && !conn->midstream)
		*known_by = LENS_KNOWN_MAPPER;
	return i;
}

static void assume(struct lens_making *m)
{
	struct lens_conversation *t = m->talk;
	struct lens_assumed *a = find_assumed(t, m->rpc->context_id);
	if (!a && t->assumed_count < LENS_MAX_ASSUMED)
		a = &t->assumed[t->assumed_count++];
	if (!a)
		return;
	*a = (struct lens_assumed){m->rpc->context_id, m->iface, m->event->known_by};
	rpc_assume_interface(t->rpc, m->rpc->context_id, &m->iface->syntax);
}

static void find_call_iface(struct lens_making *m)
{
	const struct rpc_event *ev = m->rpc;
	struct lens_event *e = m->event;
	struct lens_assumed *a = find_assumed(m->talk, ev->context_id);
	if (ev->interface && !a) {
		m->iface = lens_names_get(&m->lens->names, ev->interface);
		e->known_by = LENS_KNOWN_BIND;
		return;
	}
	if (a && (!ev->opnum_known || has_method(a->iface, ev->opnum))) {
		m->iface = a->iface;
		e->known_by = a->known_by;
		return;
	}
	m->iface = by_port(m, &e->known_by);
	if (m->iface && ev->opnum_known)
		assume(m);
}

/* Contexts that are bound again are no longer assumed. */
static void forget_assumed(struct lens_conversation *t, const struct rpc_bind *bind)
{
	for (unsigned c = 0; c < bind->context_count; c++) {
		struct lens_assumed *a = find_assumed(t, bind->contexts[c].id);
		if (a)
			*a = t->assumed[--t->assumed_count];
	}
}

static void note_offer(struct lens_making *m)
{
	const struct rpc_bind *bind = m->rpc->bind;
	struct lens_pending *p = m->pending;
	forget_assumed(m->talk, bind);
	if (p)
		p->offered = arena_new_array(p->arena, const struct lens_iface *, bind->context_count);
	for (unsigned c = 0; c < bind->context_count; c++) {
		const struct rpc_syntax *s = &bind->contexts[c].abstract;
		const struct lens_iface *i = lens_names_get(&m->lens->names, s);
		if (!m->iface && !rpc_is_feature_negotiation(s, NULL))
			m->iface = i;
		if (p && p->offered)
			p->offered[p->offered_count++] = i;
	}
}

/* What was accepted listens on this port. */
static void note_answer(struct lens_making *m)
{
	const struct rpc_bind *ack = m->rpc->bind;
	const struct lens_pending *p = m->request;
	const struct lens_address *server = &m->talk->flow->conn->server;
	m->iface = p ? p->iface : m->talk->bound;
	bool accepted = false;
	for (unsigned r = 0; r < ack->result_count; r++) {
		if (ack->results[r].result != 0)
			continue;
		const struct lens_iface *i = p && r < p->offered_count ? p->offered[r] : NULL;
		if (!accepted && i)
			m->iface = i;
		accepted = true;
		if (strcmp(m->talk->transport, "tcp") == 0)
			lens_learn_port(m->lens, server, i, false);
	}
	m->event->status = "accepted";
	if (!accepted && ack->result_count > 0) {
		m->event->failed = true;
		m->event->status = rpc_provider_reason_name(ack->results[0].reason);
		if (!m->event->status)
			m->event->status = arena_printf(m->arena, "reason %u", ack->results[0].reason);
	}
}

static void name_conn(struct lens_conn *conn, const struct lens_event *e)
{
	if (conn->iface)
		return;
	conn->iface = e->iface;
	conn->iface_name = e->iface_name;
	conn->service = e->service;
}

void lens_take_names(struct lens_making *m)
{
	struct lens_event *e = m->event;
	if (!m->iface) {
		e->known_by = LENS_KNOWN_NOT;
		return;
	}
	e->iface = m->iface->iface;
	e->iface_name = m->iface->name;
	e->service = m->iface->service;
	name_conn(m->talk->flow->conn, e);
	name_conn(m->talk->back->conn, e);
}

void lens_find_iface(struct lens_making *m)
{
	struct lens_event *e = m->event;
	switch (e->kind) {
	case LENS_BIND:
	case LENS_ALTER:
		note_offer(m);
		m->talk->bound = m->iface;
		e->known_by = LENS_KNOWN_BIND;
		break;
	case LENS_BIND_ACK:
	case LENS_ALTER_ACK:
		note_answer(m);
		e->known_by = LENS_KNOWN_BIND;
		break;
	case LENS_REQUEST:
		find_call_iface(m);
		break;
	case LENS_RESPONSE:
	case LENS_FAULT:
	case LENS_BIND_NAK:
	case LENS_CANCEL:
	case LENS_ORPHANED:
		if (m->request) {
			m->iface = m->request->iface;
			e->known_by = m->request->event->known_by;
		} else if (e->kind == LENS_RESPONSE || e->kind == LENS_FAULT) {
			find_call_iface(m);
		}
		break;
	case LENS_AUTH3:
		m->iface = m->talk->bound;
		e->known_by = LENS_KNOWN_BIND;
		break;
	default:
		break;
	}
	lens_take_names(m);
}
