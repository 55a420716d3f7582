#include "tls/observer-state.h"

#include <stdlib.h>
#include <string.h>

#define FAILS_MOST 8                  /* records in a row that do not open, until nobody tries any more */
#define SKIPPED_MOST 64               /* and of those that nobody misses */
#define HUNTS_MOST 16                 /* false beginnings behind one gap */
#define SLACK_MOST 4096u              /* records that may be missing */
#define TRIES_BYTES ((size_t)1 << 20) /* of deciphering, while the number of one record is looked for */
#define SMALLEST (TLS_HEADER + 17)    /* a sealed record */

/* ---- Sights ---- */

void tls_tell(struct tls_observer *o, struct half *h, struct tls_sight sight)
{
	sight.from_client = h == &o->halves[1];
	o->config.on_sight(o->config.user, &sight);
}

void tls_give_up(struct tls_observer *o, struct half *h, const char *why)
{
	if (h->given_up)
		return;
	h->given_up = true;
	buf_free(&h->partial);
	buf_free(&h->message);
	tls_tell(o, h, (struct tls_sight){.type = TLS_SAW_SEALED, .first = h->offset, .end = h->offset, .why = why});
}

static void tell_gap(struct tls_observer *o, struct half *h, uint64_t n)
{
	tls_tell(o, h,
	         (struct tls_sight){.type = TLS_SAW_GAP, .first = h->offset, .end = h->offset + n, .len = (size_t)n});
}

/* ---- Opening with what may be the key ---- */

/* Records from number on, as many as may be missing. */
static bool open_range(struct half *h, struct tls_opener *opener, uint64_t number, const struct tls_record *r,
                       struct tls_opened *out)
{
	uint64_t tries = h->slack + 1, most = TRIES_BYTES / r->len + 1;
	for (uint64_t i = 0; i < tries && i < most; i++)
		if (tls_open(opener, number + i, r, out)) {
			h->number = number + i + 1;
			h->slack = 0;
			return true;
		}
	return false;
}

static bool open_next(struct tls_observer *o, struct half *h, enum phase phase, const struct tls_record *r,
                      struct tls_opened *out)
{
	for (unsigned variant = 0; variant < TLS_VARIANTS; variant++) {
		struct keys next = {0};
		if (!tls_make_keys(o, h, phase, variant, &next))
			continue;
		h->has_key = true;
		if (open_range(h, &next.opener, 0, r, out)) {
			tls_keys_close(&h->keys);
			h->keys = next;
			h->phase = phase;
			return true;
		}
		tls_keys_close(&next);
	}
	return false;
}

/* Under the key in hand, or a later one: the handshake's end may be missing, or its secrets. */
static bool open_any(struct tls_observer *o, struct half *h, const struct tls_record *r, struct tls_opened *out)
{
	if (r->len == 0)
		return false;
	if (open_range(h, &h->keys.opener, h->number, r, out))
		return true;
	for (enum phase p = h->phase + 1; p <= PHASE_UPDATED; p++)
		if ((p != PHASE_UPDATED || h->slack) && open_next(o, h, p, r, out)) {
			if (p == PHASE_UPDATED)
				h->phase = PHASE_TRAFFIC;
			return true;
		}
	return false;
}

/* ---- Records ---- */

static void take_opened(struct tls_observer *o, struct half *h, const struct tls_opened *opened)
{
	uint64_t first = h->offset + TLS_HEADER + opened->skipped;
	h->fails = 0;
	h->opened = true;
	switch (opened->type) {
	case TLS_DATA:
		if (opened->len && !(h->phase == PHASE_EARLY && o->retried))
			tls_tell(o, h,
			         (struct tls_sight){.type = TLS_SAW_TEXT,
			                            .first = first,
			                            .end = first + opened->len,
			                            .data = opened->text,
			                            .len = opened->len});
		break;
	case TLS_HANDSHAKE:
		tls_take_messages(o, h, opened->text, opened->len);
		break;
	case TLS_ALERT:
		if (opened->len == 2)
			tls_tell(o, h,
			         (struct tls_sight){.type = TLS_SAW_ALERT,
			                            .first = first,
			                            .end = first + 2,
			                            .alert = opened->text[1],
			                            .fatal = opened->text[0] == 2});
		break;
	}
}

/* Parts of the handshake, or early data, whose secret is not in the log, say nothing that is missed. */
static bool may_be_skipped(const struct tls_observer *o, const struct half *h)
{
	bool early = h == &o->halves[1] && o->early;
	return o->version == TLS_13 && !h->opened && h->fails <= SKIPPED_MOST && (early || !h->handshake_key);
}

static void tell_closed(struct tls_observer *o, struct half *h, const struct tls_record *r)
{
	h->number++;
	tls_tell(o, h,
	         (struct tls_sight){.type = TLS_SAW_DAMAGED,
	                            .first = h->offset,
	                            .end = h->offset + TLS_HEADER + r->len,
	                            .why = "a TLS record does not fit its authentication tag"});
	tell_gap(o, h, r->len);
}

/* A sealed record that no key opens. */
static void take_closed(struct tls_observer *o, struct half *h, const struct tls_record *r)
{
	h->fails++;
	if (!h->has_key) {
		/* Only a client may go before its server has chosen: early data without a key. */
		if (o->server_hello || !o->early)
			tls_give_up(o, h, tls_why_no_key(o));
	} else if (!h->opened) {
		if (!may_be_skipped(o, h))
			tls_give_up(o, h, "the secret in the TLS key log does not fit this connection");
	} else if (h->fails > FAILS_MOST) {
		tls_give_up(o, h, "its TLS records are damaged, or bytes of them are missing");
	} else {
		tell_closed(o, h, r);
	}
}

static bool is_sealed(const struct tls_observer *o, const struct half *h, const struct tls_record *r)
{
	if (o->version != TLS_13)
		return h->phase != PHASE_CLEAR || r->header[0] == TLS_DATA;
	return r->header[0] == TLS_DATA;
}

static void take_clear(struct tls_observer *o, struct half *h, const struct tls_record *r)
{
	if (r->header[0] == TLS_HANDSHAKE)
		tls_take_messages(o, h, r->body, r->len);
	else if (r->header[0] == TLS_ALERT && r->len == 2)
		tls_tell(o, h,
		         (struct tls_sight){.type = TLS_SAW_ALERT,
		                            .first = h->offset,
		                            .end = h->offset + TLS_HEADER + 2,
		                            .alert = r->body[1],
		                            .fatal = r->body[0] == 2});
}

/* TLS 1.2: the keys that were agreed on count from here on. In 1.3 it is only there for old middle boxes. */
static void take_change(struct tls_observer *o, struct half *h)
{
	struct keys next = {0};
	if (!o->server_hello || o->version == TLS_13)
		return;
	if (!tls_make_keys(o, h, PHASE_TRAFFIC, 0, &next)) {
		tls_give_up(o, h, tls_why_no_key(o));
		return;
	}
	tls_keys_close(&h->keys);
	h->keys = next;
	h->phase = PHASE_TRAFFIC;
	h->has_key = true;
	h->number = h->slack = 0;
	h->fails = 0;
}

static void take_record(struct tls_observer *o, struct half *h, const struct tls_record *r)
{
	struct tls_opened opened;
	if (r->header[0] == TLS_CCS) {
		take_change(o, h);
	} else if (!is_sealed(o, h, r)) {
		take_clear(o, h, r);
	} else if (open_any(o, h, r, &opened)) {
		take_opened(o, h, &opened);
	} else {
		take_closed(o, h, r);
	}
}

/* ---- Bytes ---- */

static size_t body_len(const uint8_t *header)
{
	return (size_t)header[3] << 8 | header[4];
}

/* 24 is the heartbeat, RFC 6520. */
static bool is_header(const uint8_t *p)
{
	return p[0] >= TLS_CCS && p[0] <= 24 && p[1] == 3 && p[2] <= 4 && body_len(p) <= TLS_MAX_BODY;
}

static struct tls_record record_of(const uint8_t *p)
{
	struct tls_record r = {.body = p + TLS_HEADER, .len = body_len(p)};
	memcpy(r.header, p, TLS_HEADER);
	return r;
}

static void add_slack(struct half *h, uint64_t bytes)
{
	uint64_t slack = h->slack + bytes / SMALLEST + 1;
	h->slack = slack < SLACK_MOST ? slack : SLACK_MOST;
}

/* n bytes are missing: where a record begins has to be found again. */
static void lose(struct tls_observer *o, struct half *h, uint64_t n)
{
	add_slack(h, n);
	h->skip_message = 0;
	buf_clear(&h->message);
	h->hunting = true;
	h->hunts = 0;
	tell_gap(o, h, n);
	if (!o->server_hello || !o->client_hello)
		tls_give_up(o, h, "the TLS handshake is not whole in the capture");
}

/* A record that follows on the last one. Yields its size, 0 while it is not whole. */
static size_t take(struct tls_observer *o, struct half *h, const uint8_t *p, size_t len)
{
	if (len < TLS_HEADER)
		return 0;
	if (!is_header(p)) {
		tls_tell(o, h,
		         (struct tls_sight){.type = TLS_SAW_DAMAGED,
		                            .first = h->offset,
		                            .end = h->offset + TLS_HEADER,
		                            .why = "no TLS record begins here"});
		lose(o, h, 1);
		return 1;
	}
	if (len < TLS_HEADER + body_len(p))
		return 0;
	struct tls_record r = record_of(p);
	take_record(o, h, &r);
	return TLS_HEADER + r.len;
}

/* What looks like a record, and is one: a key opens it, or it says that keys change. */
static bool take_found(struct tls_observer *o, struct half *h, const struct tls_record *r)
{
	struct tls_opened opened;
	if (r->header[0] == TLS_CCS) {
		if (r->len != 1 || r->body[0] != 1)
			return false;
		take_change(o, h);
	} else if (open_any(o, h, r, &opened)) {
		take_opened(o, h, &opened);
	} else {
		return false;
	}
	return true;
}

/* Looks for a record. Yields how many bytes are done with. */
static size_t hunt(struct tls_observer *o, struct half *h, const uint8_t *p, size_t len)
{
	const uint64_t start = h->offset;
	size_t at = 0;
	for (; at + TLS_HEADER <= len; at++) {
		if (!is_header(p + at) || p[at + 2] != 3 || body_len(p + at) == 0)
			continue;
		if (len - at < TLS_HEADER + body_len(p + at))
			break;
		struct tls_record r = record_of(p + at);
		h->offset = start + at;
		if (take_found(o, h, &r)) {
			h->hunting = false;
			h->offset = start;
			return at + TLS_HEADER + r.len;
		}
		if (!h->has_key && r.header[0] == TLS_DATA) {
			tls_give_up(o, h, tls_why_no_key(o));
			return len;
		}
		if (h->has_key && ++h->hunts > HUNTS_MOST) {
			tls_give_up(o, h, "bytes are missing, and where a TLS record begins is not found again");
			return len;
		}
	}
	h->offset = start;
	if (at)
		add_slack(h, at);
	return at;
}

/* As many records as are whole. Yields how many bytes are done with. */
static size_t take_all(struct tls_observer *o, struct half *h, const uint8_t *p, size_t len)
{
	size_t at = 0, n = 1;
	while (n && at < len && !h->given_up) {
		n = h->hunting ? hunt(o, h, p + at, len - at) : take(o, h, p + at, len - at);
		h->offset += n;
		at += n;
	}
	return at;
}

/* How many more bytes the record in partial wants; while one is looked for, as many as the largest has. */
static size_t wanted(const struct half *h)
{
	const struct buf *b = &h->partial;
	size_t whole = h->hunting            ? 2 * (TLS_HEADER + TLS_MAX_BODY)
	               : b->len < TLS_HEADER ? TLS_HEADER
	                                     : TLS_HEADER + body_len(b->data);
	return whole > b->len ? whole - b->len : 1;
}

void tls_observe(struct tls_observer *o, bool from_client, const void *data, size_t len)
{
	struct half *h = &o->halves[from_client];
	const uint8_t *p = (const uint8_t *)data;
	while (len > 0 && !h->given_up) {
		struct buf part = h->partial; /* giving up frees what is there */
		size_t n = wanted(h) < len ? wanted(h) : len;
		if (part.len == 0) {
			n = take_all(o, h, p, len);
			p += n;
			len -= n;
			if (len > 0 && !h->given_up && buf_put(&h->partial, p, len) < 0)
				tls_give_up(o, h, "out of memory");
			return;
		}
		h->partial = (struct buf){0};
		int r = buf_put(&part, p, n);
		p += n;
		len -= n;
		size_t done = r < 0 ? 0 : take_all(o, h, part.data, part.len);
		if (r < 0)
			tls_give_up(o, h, "out of memory");
		if (h->given_up || done == part.len) {
			buf_free(&part);
		} else {
			buf_consume(&part, done);
			h->partial = part;
		}
	}
}

void tls_observe_gap(struct tls_observer *o, bool from_client, uint64_t n)
{
	struct half *h = &o->halves[from_client];
	if (h->given_up)
		return;
	if (!o->client_hello && n == 0) {
		tls_give_up(o, h, "the TLS handshake is not in the capture");
		return;
	}
	n += h->partial.len;
	buf_free(&h->partial);
	lose(o, h, n);
	h->offset += n;
}

/* ---- Observers ---- */

bool tls_looks_like(const uint8_t *data, size_t len)
{
	return len >= TLS_HEADER && is_header(data) && data[2] <= 3 && body_len(data) > 0;
}

bool tls_looks_like_hello(const uint8_t *data, size_t len)
{
	return tls_looks_like(data, len) && len >= 10 && data[0] == TLS_HANDSHAKE && data[5] == TLS_CLIENT_HELLO &&
	       data[9] == 3;
}

struct tls_observer *tls_observer_new(const struct tls_observer_config *config)
{
	struct tls_observer *o = (struct tls_observer *)calloc(1, sizeof *o);
	if (o)
		o->config = *config;
	return o;
}

void tls_observer_free(struct tls_observer **observer)
{
	struct tls_observer *o = *observer;
	*observer = NULL;
	if (!o)
		return;
	for (unsigned i = 0; i < 2; i++) {
		tls_keys_close(&o->halves[i].keys);
		buf_free(&o->halves[i].partial);
		buf_free(&o->halves[i].message);
	}
	free(o);
}

void tls_observer_facts(const struct tls_observer *o, struct tls_facts *out)
{
	static const struct {
		uint16_t version;
		const char *name;
	} versions[] = {{0x0300, "SSL 3.0"},
	                {0x0301, "TLS 1.0"},
	                {0x0302, "TLS 1.1"},
	                {TLS_12, "TLS 1.2"},
	                {TLS_13, "TLS 1.3"}};
	*out = (struct tls_facts){.server_name = o->server_name, .suite = o->suite_id};
	for (size_t i = 0; o->server_hello && i < sizeof versions / sizeof versions[0]; i++)
		if (versions[i].version == o->version)
			out->version = versions[i].name;
	if (o->suite)
		out->cipher = gnutls_cipher_get_name(o->suite->cipher);
}
