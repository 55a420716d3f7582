#include "cli/look_export.h"

#include "base/buf.h"
#include "capture/capture.h"
#include "lens/scrub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPE_PORT 49152 /* what was in a pipe stands on ports from here on: no dissector expects SMB there */
#define PIPE_PORTS 16384
#define SIGNATURE 16
#define STUB_AT 24 /* header, alloc_hint, context id, opnum or cancel count */

/* A conversation: a connection of the lens, or a pipe in one. */
struct talk {
	unsigned conn;    /* the lens's number; 0: not seen yet */
	unsigned written; /* the writer's */
	unsigned next;    /* the talk before it of the same connection; 0: none */
	bool open;
};

/* A TCP connection of the capture. */
struct connect {
	int64_t syn_ns, answered_ns; /* 0: not captured */
	unsigned talks;              /* the latest */
	unsigned web;                /* the writer's, of its HTTP */
	bool web_open;
};

struct look_export {
	struct capture_writer *w;
	struct lens_scrub *scrub; /* or NULL */
	uint64_t calls, emptied;
	struct talk *talks; /* by conversation */
	size_t talk_room;
	struct connect *connects; /* by the lens's number */
	size_t connect_room;
	struct buf pdu;
	char note[64];
	bool failed; /* out of memory */
};

int look_export_new(const char *path, struct lens_scrub *scrub, struct look_export **out)
{
	struct look_export *x = (struct look_export *)calloc(1, sizeof *x);

	if (!x)
		return MW_E_NOMEM;
	int r = capture_create(path, &x->w);
	if (r < 0) {
		free(x);
		return r;
	}
	x->scrub = scrub;
	*out = x;
	return 0;
}

void look_export_counts(const struct look_export *x, uint64_t *calls, uint64_t *emptied)
{
	*calls = x->calls;
	*emptied = x->emptied;
}

int look_export_finish(struct look_export **export)
{
	struct look_export *x = TAKE_PTR(*export);

	if (!x)
		return 0;
	int r = capture_finish(&x->w);
	if (r == 0 && x->failed)
		r = MW_E_NOMEM;
	free(x->talks);
	free(x->connects);
	buf_free(&x->pdu);
	free(x);
	return r;
}

/* Room for that index, zeroed. */
static bool make_room(void **array, size_t *room, size_t index, size_t size)
{
	size_t more = *room ? *room : 64;

	while (more <= index)
		more *= 2;
	if (more == *room)
		return true;
	uint8_t *bigger = (uint8_t *)reallocarray(*array, more, size);
	if (!bigger)
		return false;
	memset(bigger + *room * size, 0, (more - *room) * size);
	*array = bigger;
	*room = more;
	return true;
}

static struct connect *connect_of(struct look_export *x, const struct lens_conn *c)
{
	if (!make_room((void **)&x->connects, &x->connect_room, c->number, sizeof *x->connects)) {
		x->failed = true;
		return NULL;
	}
	return &x->connects[c->number];
}

static struct capture_endpoint endpoint_of(struct look_export *x, const struct lens_address *a)
{
	struct capture_endpoint e = {.family = a->family == 6 ? 6 : 4, .port = a->port};

	memcpy(e.address, a->bytes, sizeof e.address);
	if (x->scrub)
		lens_scrub_address(x->scrub, e.family, e.address);
	return e;
}

/* The talk of what was said; begun when it is new. */
static struct talk *talk_of(struct look_export *x, const struct lens_said *said)
{
	const struct lens_event *e = said->event;
	struct connect *c = connect_of(x, e->conn);

	if (!c || !make_room((void **)&x->talks, &x->talk_room, (size_t)said->conversation, sizeof *x->talks)) {
		x->failed = true;
		return NULL;
	}
	struct talk *t = &x->talks[said->conversation];
	if (t->conn)
		return t;
	struct capture_endpoint client = endpoint_of(x, &e->conn->client), server = endpoint_of(x, &e->conn->server);
	bool pipe = strcmp(e->transport, "tcp") != 0; /* or channels of RPC over HTTP */
	if (pipe)
		server.port = (uint16_t)(PIPE_PORT + said->conversation % PIPE_PORTS);
	/* A pipe is opened when it is first spoken in; so is what was open before the capture began. */
	bool seen = !pipe && c->syn_ns;
	*t = (struct talk){.conn = e->conn->number, .next = c->talks, .open = true};
	t->written = capture_connected(x->w, &client, &server, seen ? c->syn_ns : e->time_ns,
	                               seen ? c->answered_ns : e->time_ns);
	c->talks = (unsigned)said->conversation;
	return t;
}

/* ---- PDUs ---- */

static const struct {
	enum rpc_event_type event;
	enum rpc_ptype ptype;
} kinds[] = {
        {RPC_EV_BIND, RPC_BIND},           {RPC_EV_BIND_ACK, RPC_BIND_ACK}, {RPC_EV_BIND_NAK, RPC_BIND_NAK},
        {RPC_EV_ALTER, RPC_ALTER_CONTEXT}, {RPC_EV_REQUEST, RPC_REQUEST},   {RPC_EV_ALTER_ACK, RPC_ALTER_CONTEXT_RESP},
        {RPC_EV_RESPONSE, RPC_RESPONSE},   {RPC_EV_FAULT, RPC_FAULT},       {RPC_EV_CANCEL, RPC_CO_CANCEL},
        {RPC_EV_ORPHANED, RPC_ORPHANED},   {RPC_EV_SHUTDOWN, RPC_SHUTDOWN},
};

static int ptype_of(enum rpc_event_type event)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].event == event)
			return (int)kinds[i].ptype;
	return -1;
}

static void swap16(uint8_t *p)
{
	uint8_t first = p[0];
	p[0] = p[1];
	p[1] = first;
}

/* Stubs keep their byte order; the header has to follow it (C706 12.6.3.1). */
static void turn_header(uint8_t *pdu)
{
	static const uint8_t words[] = {8, 10, 20, 22}, longs[] = {12, 16};

	pdu[4] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		swap16(pdu + words[i]);
	for (size_t i = 0; i < ARRAY_SIZE(longs); i++) {
		uint32_t v;
		memcpy(&v, pdu + longs[i], sizeof v);
		v = __builtin_bswap32(v);
		memcpy(pdu + longs[i], &v, sizeof v);
	}
}

/* One fragment. What stays sealed keeps a trailer that says so, with a signature of zeros. */
static void put_fragment(struct look_export *x, const struct lens_said *said, int ptype, size_t at, size_t size)
{
	const struct rpc_event *ev = said->rpc;
	struct buf *b = &x->pdu;
	size_t start = b->len;
	uint8_t flags =
	        (uint8_t)((at == 0 ? RPC_PFC_FIRST_FRAG : 0) | (at + size == said->stub_len ? RPC_PFC_LAST_FRAG : 0) |
	                  (ev->object ? RPC_PFC_OBJECT_UUID : 0) | (ev->flags & RPC_PFC_MAYBE));
	const struct rpc_sec_trailer trailer = {(uint8_t)ev->auth_type, (uint8_t)ev->level, 0, 0, 0};

	rpc_put_header(b, (enum rpc_ptype)ptype, flags, ev->call_id);
	buf_put_u32(b, (uint32_t)(said->stub_len - at));
	buf_put_u16(b, ev->context_id);
	buf_put_u16(b, ptype == RPC_REQUEST ? ev->opnum : 0);
	if (ev->object) {
		uint8_t uuid[16];
		guid_to_bytes(ev->object, uuid);
		buf_put(b, uuid, sizeof uuid);
	}
	buf_put(b, said->stub + at, size);
	rpc_pdu_finish(b, start, said->sealed ? &trailer : NULL, NULL, SIGNATURE);
	if (said->big_endian && !buf_error(b))
		turn_header(b->data + start);
}

static void put_call(struct look_export *x, const struct lens_said *said, int ptype)
{
	/* Whole units of 16 bytes, so that ciphertext needs no padding between fragments. */
	const size_t most = (RPC_MAX_FRAG - STUB_AT - 16 - RPC_SEC_TRAILER_SIZE - SIGNATURE) & ~(size_t)15;
	size_t at = 0;

	do {
		size_t left = said->stub_len - at, size = left < most ? left : most;
		put_fragment(x, said, ptype, at, size);
		at += size;
	} while (at < said->stub_len);
}

static void put_other(struct look_export *x, const struct lens_said *said, int ptype)
{
	const struct rpc_event *ev = said->rpc;
	struct buf *b = &x->pdu;

	rpc_put_header(b, (enum rpc_ptype)ptype, RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG, ev->call_id);
	switch (ptype) {
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
		rpc_put_bind(b, ev->bind);
		break;
	case RPC_BIND_ACK:
	case RPC_ALTER_CONTEXT_RESP:
		rpc_put_bind_ack(b, ev->bind);
		break;
	case RPC_BIND_NAK: /* the reason, and no versions */
		buf_put_u16(b, (uint16_t)ev->status);
		buf_put_u8(b, 0);
		break;
	case RPC_FAULT:
		buf_put_u32(b, 0);
		buf_put_u16(b, ev->context_id);
		buf_put_u16(b, 0);
		buf_put_u32(b, ev->status);
		buf_put_u32(b, 0);
		break;
	}
	rpc_pdu_finish(b, 0, NULL, NULL, 0);
}

static void put_comment(struct look_export *x, const struct lens_event *e)
{
	if (e->last_frame != e->frame)
		snprintf(x->note, sizeof x->note, "from frames %" PRIu64 " to %" PRIu64, e->frame, e->last_frame);
	else
		snprintf(x->note, sizeof x->note, "from frame %" PRIu64, e->frame);
	capture_comment(x->w, x->note);
}

void look_export_said(void *user, const struct lens_said *said)
{
	struct look_export *x = (struct look_export *)user;
	const struct lens_event *e = said->event;
	int ptype = ptype_of(said->rpc->type);
	bool bind = ptype == RPC_BIND || ptype == RPC_ALTER_CONTEXT || ptype == RPC_BIND_ACK ||
	            ptype == RPC_ALTER_CONTEXT_RESP;
	struct talk *t = ptype < 0 || (bind && !said->rpc->bind) ? NULL : talk_of(x, said);

	if (!t || !t->open)
		return;
	buf_clear(&x->pdu);
	if (ptype == RPC_REQUEST || ptype == RPC_RESPONSE)
		put_call(x, said, ptype);
	else
		put_other(x, said, ptype);
	x->failed |= buf_error(&x->pdu) != 0;
	x->calls += ptype == RPC_REQUEST || ptype == RPC_RESPONSE;
	x->emptied += said->emptied;
	put_comment(x, e);
	capture_data(x->w, t->written, e->from_client, x->pdu.data, x->pdu.len, e->last_time_ns);
}

/* ---- HTTP ---- */

#define HTTP_PORT 80

static void open_web(struct look_export *x, struct connect *c, const struct lens_text *t)
{
	struct capture_endpoint client = endpoint_of(x, &t->conn->client), server = endpoint_of(x, &t->conn->server);

	if (t->conn->tls)
		server.port = HTTP_PORT;
	c->web = capture_connected(x->w, &client, &server, c->syn_ns ? c->syn_ns : t->time_ns,
	                           c->syn_ns ? c->answered_ns : t->time_ns);
	c->web_open = true;
}

void look_export_text(void *user, const struct lens_text *t)
{
	struct look_export *x = (struct look_export *)user;
	struct connect *c = connect_of(x, t->conn);

	if (!c)
		return;
	if (!c->web_open)
		open_web(x, c, t);
	snprintf(x->note, sizeof x->note, "from frame %" PRIu64, t->frame);
	capture_comment(x->w, x->note);
	capture_data(x->w, c->web, t->from_client, t->data, t->len, t->time_ns);
}

/* ---- Connections ---- */

static void note_open(struct look_export *x, const struct lens_event *e)
{
	struct capture_endpoint client = endpoint_of(x, &e->conn->client), server = endpoint_of(x, &e->conn->server);
	struct connect *c = connect_of(x, e->conn);

	if (e->failed)
		capture_refused(x->w, &client, &server, e->time_ns, e->last_time_ns, e->took_ns >= 0);
	else if (c)
		*c = (struct connect){.syn_ns = e->time_ns,
		                      .answered_ns = e->last_time_ns,
		                      .talks = c->talks,
		                      .web = c->web,
		                      .web_open = c->web_open};
}

static void note_close(struct look_export *x, const struct lens_event *e)
{
	struct connect *c = connect_of(x, e->conn);

	if (c && c->web_open)
		capture_closed(x->w, c->web, e->from_client, e->last_time_ns);
	if (c)
		c->web_open = false;
	for (unsigned i = c ? c->talks : 0; i; i = x->talks[i].next)
		if (x->talks[i].open) {
			x->talks[i].open = false;
			capture_closed(x->w, x->talks[i].written, e->from_client, e->last_time_ns);
		}
}

void look_export_event(struct look_export *x, const struct lens_event *e)
{
	if (e->kind == LENS_OPEN && (e->conn->rpc || e->failed))
		note_open(x, e);
	else if (e->kind == LENS_CLOSE || e->kind == LENS_RESET)
		note_close(x, e);
}
