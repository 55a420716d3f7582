#include "lens/lens-private.h"

#include "tls/observer.h"

#include <stdlib.h>

/*
 * TLS: who is called and what is agreed on as context; opened with the secrets of a key log (tls/observer.h), what is
 * said inside goes the way that bytes in the clear go (lens_flow_text).
 */
#define PLACES_KEPT (UINT64_C(1) << 16)

struct lens_tls {
	struct lens_age age; /* first */
	struct lens_flow *flow;
	struct tls_observer *observer;
	struct lens_where where[2]; /* by enum rpc_side's sense: from_client */
	struct lens_stamp hello;
	bool sealed[2];
};

/* ---- Words ---- */

static struct lens_stamp place(const struct lens_tls *t, const struct tls_sight *s)
{
	return lens_where_find(&t->where[s->from_client], s->first);
}

static void tell_client_hello(struct lens_tls *t, const struct tls_sight *s)
{
	struct tls_facts facts;
	tls_observer_facts(t->observer, &facts);
	t->hello = place(t, s);
	arena_reset(t->flow->lens->scratch);
	const char *words = *facts.server_name ? arena_printf(lens_event_arena(t->flow->lens), "TLS hello for %s",
	                                                      facts.server_name)
	                                       : "TLS hello";
	if (words)
		lens_tell_plain(t->flow, LENS_CONTEXT, true, t->hello, t->hello, -1, NULL, words);
}

/* It began so, though it is not whole in the capture. */
static void tell_some_hello(struct lens_tls *t)
{
	if (t->hello.frame || !t->where[1].count)
		return;
	t->hello = lens_where_find(&t->where[1], 0);
	lens_tell_plain(t->flow, LENS_CONTEXT, true, t->hello, t->hello, -1, NULL, "TLS hello");
}

static void tell_server_hello(struct lens_tls *t, const struct tls_sight *s)
{
	struct lens_stamp at = place(t, s);
	struct arena *a = lens_event_arena(t->flow->lens);
	struct tls_facts facts;
	tls_observer_facts(t->observer, &facts);
	t->flow->conn->tls = facts.version;
	arena_reset(t->flow->lens->scratch);
	const char *version = facts.version ? facts.version : "TLS of an unknown version";
	const char *words = facts.cipher ? arena_printf(a, "%s, %s", version, facts.cipher)
	                                 : arena_printf(a, "%s, cipher suite 0x%04X", version, facts.suite);
	if (words)
		lens_tell_plain(t->flow, LENS_CONTEXT, false, at, at, at.time_ns - t->hello.time_ns, NULL, words);
}

/* RFC 8446 6: what only says goodbye is none. */
static void tell_alert(struct lens_tls *t, const struct tls_sight *s)
{
	enum { CLOSE_NOTIFY = 0, USER_CANCELED = 90 };
	struct lens_stamp at = place(t, s);
	if (s->alert == CLOSE_NOTIFY || s->alert == USER_CANCELED)
		return;
	arena_reset(t->flow->lens->scratch);
	const char *words = arena_printf(lens_event_arena(t->flow->lens), "TLS alert %u", s->alert);
	int64_t took = !s->from_client && t->hello.frame ? at.time_ns - t->hello.time_ns : -1;
	if (words)
		lens_tell_plain(t->flow, LENS_CONTEXT, s->from_client, at, at, took, words, words);
}

/* Without a key log nobody expects to read it; that is said once for all connections (lens_totals). */
static void tell_sealed(struct lens_tls *t, const struct tls_sight *s)
{
	struct lens *lens = t->flow->lens;
	struct lens_stamp at = place(t, s);
	bool first = !t->sealed[0] && !t->sealed[1];
	tell_some_hello(t);
	t->sealed[s->from_client] = true;
	if (!first)
		return;
	lens->totals.tls_sealed++;
	if (!lens->tls_keys)
		return;
	arena_reset(lens->scratch);
	const char *why = arena_strdup(lens_event_arena(lens), s->why);
	const char *words = why ? arena_printf(lens_event_arena(lens), "TLS stays sealed: %s", why) : NULL;
	if (words)
		lens_tell_sealed(t->flow, s->from_client, at, why, words);
}

static void tell_damaged(struct lens_tls *t, const struct tls_sight *s)
{
	struct lens_stamp at = place(t, s);
	arena_reset(t->flow->lens->scratch);
	const char *words = arena_printf(lens_event_arena(t->flow->lens), "damaged: %s", s->why);
	t->flow->lens->totals.damaged++;
	if (words)
		lens_tell_plain(t->flow, LENS_CONTEXT, s->from_client, at, at, -1, "damaged", words);
}

/* ---- What is inside ---- */

static unsigned side_of(const struct lens_tls *t, bool from_client)
{
	return from_client ? t->flow->client : !t->flow->client;
}

/* Byte for byte with the frames that brought it. */
static void give_text(struct lens_tls *t, const struct tls_sight *s)
{
	const uint8_t *data = s->data;
	uint64_t at = s->first;
	for (size_t left = s->len; left;) {
		uint64_t room;
		struct lens_stamp stamp = lens_where_span(&t->where[s->from_client], at, &room);
		size_t n = room < left ? (size_t)room : left;
		lens_flow_text(t->flow, side_of(t, s->from_client), data, n, &stamp);
		data += n;
		at += n;
		left -= n;
	}
}

static void on_sight(void *user, const struct tls_sight *s)
{
	struct lens_tls *t = user;
	struct lens_stamp at;
	switch (s->type) {
	case TLS_SAW_CLIENT_HELLO:
		tell_client_hello(t, s);
		break;
	case TLS_SAW_SERVER_HELLO:
		tell_server_hello(t, s);
		break;
	case TLS_SAW_TEXT:
		t->flow->conn->tls_opened = true;
		give_text(t, s);
		break;
	case TLS_SAW_ALERT:
		tell_alert(t, s);
		break;
	case TLS_SAW_DAMAGED:
		tell_damaged(t, s);
		break;
	case TLS_SAW_GAP:
		at = place(t, s);
		lens_flow_text_gap(t->flow, side_of(t, s->from_client), s->len, &at);
		break;
	case TLS_SAW_SEALED:
		tell_sealed(t, s);
		break;
	}
}

/* ---- Connections ---- */

struct lens_tls *lens_tls_new(struct lens_flow *flow)
{
	struct lens *lens = flow->lens;
	struct lens_tls *t = calloc(1, sizeof *t);
	const struct tls_observer_config config = {.log = lens->tls_keys, .on_sight = on_sight, .user = t};
	if (!t || !(t->observer = tls_observer_new(&config))) {
		free(t);
		return NULL;
	}
	t->flow = flow;
	lens_age_add(&lens->tls, &t->age, lens->now.frame);
	if (!flow->conn->iface)
		flow->conn->iface_name = "tls";
	return t;
}

void lens_tls_free(struct lens_tls **tls)
{
	struct lens_tls *t = TAKE_PTR(*tls);
	if (!t)
		return;
	lens_age_remove(&t->flow->lens->tls, &t->age);
	tls_observer_free(&t->observer);
	lens_where_free(&t->where[0]);
	lens_where_free(&t->where[1]);
	free(t);
}

bool lens_tls_data(struct lens_tls *t, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	bool from_client = side == t->flow->client;
	struct lens_where *w = &t->where[from_client];
	lens_age_touch(&t->flow->lens->tls, &t->age, stamp->frame);
	lens_where_add(w, len, stamp, w->end > PLACES_KEPT ? w->end - PLACES_KEPT : 0);
	if (!from_client)
		tell_some_hello(t);
	tls_observe(t->observer, from_client, data, len);
	return !(t->sealed[0] && t->sealed[1]) && !(t->sealed[from_client] && !t->flow->conn->tls_opened);
}

void lens_tls_gap(struct lens_tls *t, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	bool from_client = side == t->flow->client;
	struct lens_where *w = &t->where[from_client];
	if (n)
		lens_where_add(w, n, stamp, w->end > PLACES_KEPT ? w->end - PLACES_KEPT : 0);
	tls_observe_gap(t->observer, from_client, n);
}

/* ---- Secrets ---- */

void lens_tls_forget(struct lens *part)
{
	lens_flow_forget(((struct lens_tls *)part->tls.oldest)->flow);
}

int lens_tls_add(struct lens *lens, const void *text, size_t len)
{
	if (!lens->tls_keys && !(lens->tls_keys = tls_log_new()))
		return MW_E_NOMEM;
	(void)tls_log_read(lens->tls_keys, text, len);
	return 0;
}

int lens_tls_keys(struct lens *whole, const void *text, size_t len)
{
	int r = lens_tls_add(whole, text, len);
	if (whole->recorded) {
		lens_tape_keys(whole, text, len);
		return r;
	}
	for (unsigned i = 0; i < LENS_PARTS && r == 0; i++)
		if (whole->parts[i])
			r = lens_tls_add(whole->parts[i], text, len);
	return r;
}

int lens_tls_begin(struct lens *part)
{
	if (!part->whole->tls_keys)
		return 0;
	part->tls_keys = tls_log_copy(part->whole->tls_keys);
	return part->tls_keys ? 0 : MW_E_NOMEM;
}

/* ---- Connections that were open before ---- */

#define RECORD_HEADER 5

/* A record of application data that ends with the chunk, or is followed by another one, or goes beyond it. */
bool lens_tls_midway(const uint8_t *data, size_t len)
{
	enum { APPLICATION_DATA = 23 };
	if (!tls_looks_like(data, len) || data[0] != APPLICATION_DATA || data[2] == 0)
		return false;
	size_t next = RECORD_HEADER + ((size_t)data[3] << 8 | data[4]);
	return next >= len || (len - next < RECORD_HEADER ? data[next] <= 24 : tls_looks_like(data + next, len - next));
}

void lens_tls_tell_midway(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp)
{
	static const char why[] = "the TLS handshake is not in the capture";
	f->lens->totals.tls_sealed++;
	if (!f->conn->iface)
		f->conn->iface_name = "tls";
	if (f->lens->tls_keys)
		lens_tell_sealed(f, side == f->client, *stamp, why,
		                 "TLS stays sealed: the TLS handshake is not in the capture");
}
