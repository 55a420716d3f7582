#include "lens/lens-private.h"

#include "base/random.h"
#include "tls/observer.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS ((size_t)LENS_MAX_FLOWS * 2 / LENS_PARTS)
/* Chunks of a connection that was open before the capture began, until one begins with a PDU. */
#define MAX_TRIES 64
#define ENOUGH_TO_JUDGE 16
#define RPC_VERSION 5
#define TLS_FIRST 22

/* ---- The table ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ (h >> 32);
}

static uint64_t hash_end(uint64_t seed, const struct lens_address *a)
{
	uint64_t v[2];
	memcpy(v, a->bytes, sizeof v);
	uint64_t h = mix(seed, v[0] ^ (uint64_t)a->port << 48);
	return a->family == 6 ? mix(h, v[1] ^ a->port) : mix(h, a->port);
}

/* The same for both directions. */
static uint64_t hash_of(const struct lens_flows *t, const struct lens_segment *seg)
{
	return mix(t->seed, hash_end(t->seed, &seg->from) + hash_end(t->seed, &seg->to));
}

static struct lens_flow *find(struct lens_flows *t, uint64_t hash, const struct lens_segment *seg, unsigned *side)
{
	for (struct lens_flow *f = t->buckets[hash & (BUCKETS - 1)]; f; f = f->next) {
		if (f->hash != hash)
			continue;
		for (unsigned s = 0; s < 2; s++)
			if (lens_same_address(&f->ends[s], &seg->from) && lens_same_address(&f->ends[!s], &seg->to)) {
				*side = s;
				return f;
			}
	}
	return NULL;
}

static void put_ends(struct lens_flow *f)
{
	f->conn->client = f->ends[f->client];
	f->conn->server = f->ends[!f->client];
}

/* Whose port is the server's, when no SYN told: one we know, else the lower. */
static unsigned guess_client(struct lens *lens, const struct lens_segment *seg)
{
	bool knows_from = lens_find_port(lens, &seg->from) != NULL;
	bool knows_to = lens_find_port(lens, &seg->to) != NULL;
	if (knows_from != knows_to)
		return knows_from ? 1 : 0;
	return seg->from.port < seg->to.port ? 1 : 0;
}

/* Starts a connection in f, whose ends are set. side sent seg. */
static bool begin(struct lens_flow *f, unsigned side, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	struct lens *lens = f->lens;
	f->conn = lens_conn_new(lens);
	if (!f->conn)
		return false;
	bool syn = seg->flags & TCP_SYN, answer = syn && seg->flags & TCP_ACK;
	f->client = (uint8_t)(syn ? (answer ? !side : side) : guess_client(lens, seg) ^ side);
	f->begins = syn;
	f->conn->midstream = !syn;
	f->conn->first_frame = stamp->frame;
	f->conn->first_time_ns = stamp->time_ns;
	put_ends(f);
	return true;
}

static void clear(struct lens_flow *f)
{
	struct lens *lens = f->lens;
	lens_stream_drop(&lens->streams, &f->stream);
	lens_talk_free(&f->talk);
	lens_smb_free(&f->smb);
	lens_web_free(&f->web);
	lens_tls_free(&f->tls);
	free(f->head[0]);
	free(f->head[1]);
	if (f->conn)
		lens_conn_over(lens, f->conn);
	f->head[0] = f->head[1] = NULL;
	f->conn = NULL;
	f->kind = LENS_FLOW_UNDECIDED;
	f->begins = f->syn_answered = f->open_told = f->over = f->went_on = false;
	f->syn = f->syn_last = f->answer = (struct lens_stamp){0};
	memset(f->pace, 0, sizeof f->pace);
	f->context = LENS_CONTEXT_NONE;
	f->tries = 0;
	f->stream = (struct lens_stream){.user = f};
}

static void open_tell(struct lens_flow *f);

/* All that is still to be said of a connection. */
static void finish(struct lens_flow *f)
{
	if (!f->conn || f->over)
		return;
	lens_stream_flush(&f->lens->streams, &f->stream, &f->lens->now);
	open_tell(f);
	lens_trouble_end(f, f->lens->now.time_ns);
	f->over = true;
	lens_talk_free(&f->talk);
	lens_smb_free(&f->smb);
	lens_web_free(&f->web);
	lens_tls_free(&f->tls);
}

void lens_flow_forget(struct lens_flow *f)
{
	finish(f);
}

void lens_flow_evict(struct lens_flow *f)
{
	struct lens_flows *t = &f->lens->flows;
	finish(f);
	clear(f);
	lens_age_remove(&t->ages, &f->age);
	struct lens_flow **p = &t->buckets[f->hash & (BUCKETS - 1)];
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	free(f);
}

static struct lens_flow *flow_new(struct lens *lens, uint64_t hash, const struct lens_segment *seg)
{
	struct lens_flows *t = &lens->flows;
	struct lens_flow *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->hash = hash;
	f->lens = lens;
	f->ends[0] = seg->from;
	f->ends[1] = seg->to;
	f->stream = (struct lens_stream){.user = f};
	struct lens_flow **bucket = &t->buckets[hash & (BUCKETS - 1)];
	f->next = *bucket;
	*bucket = f;
	lens_age_add(&t->ages, &f->age, lens->now.frame);
	return f;
}

/* ---- What kind of connection ---- */

static void open_tell(struct lens_flow *f)
{
	if (f->open_told)
		return;
	f->open_told = true;
	if (!f->syn.frame)
		return;
	if (f->syn_answered && f->answer.frame < f->syn.frame) /* captured in the wrong order */
		lens_tell_plain(f, LENS_OPEN, true, f->answer, f->syn, -1, NULL, "connect");
	else if (f->syn_answered)
		lens_tell_plain(f, LENS_OPEN, true, f->syn, f->answer, f->answer.time_ns - f->syn.time_ns, NULL,
		                "connect");
	else if (f->went_on)
		lens_tell_plain(f, LENS_OPEN, true, f->syn, f->syn, -1, NULL, "connect: answer not captured");
	else
		lens_tell_plain(f, LENS_OPEN, true, f->syn, f->syn_last, -1, "no answer", "connect: no answer");
}

static void decide(struct lens_flow *f, enum lens_flow_kind kind, const struct lens_stamp *stamp)
{
	struct lens *lens = f->lens;
	f->kind = kind;
	if (kind == LENS_FLOW_SMB && !(f->smb = lens_smb_new(f)))
		f->kind = kind = LENS_FLOW_OTHER;
	if (kind == LENS_FLOW_HTTP && !(f->web = lens_web_new(f, stamp)))
		f->kind = kind = LENS_FLOW_OTHER;
	if (kind == LENS_FLOW_TLS) {
		bool first = !f->tls && (f->tls = lens_tls_new(f));
		f->kind = first ? LENS_FLOW_UNDECIDED : LENS_FLOW_OTHER;
		f->begins = true;
	}
	if (kind == LENS_FLOW_SMB)
		return; /* its pipes will show whether it carries RPC */
	if (kind == LENS_FLOW_RPC) {
		f->conn->rpc = true;
		lens->totals.rpc_connections++;
		f->talk = lens_talk_new(f, NULL, NULL);
	}
	open_tell(f);
}

void lens_flow_has_rpc(struct lens_flow *f)
{
	if (!f->conn->rpc)
		f->lens->totals.rpc_connections++;
	f->conn->rpc = true;
	open_tell(f);
}

static enum lens_flow_kind kind_of(const uint8_t *data, size_t len)
{
	if (rpc_looks_like(data, len))
		return LENS_FLOW_RPC;
	if (lens_web_looks_like(data, len))
		return LENS_FLOW_HTTP;
	if (tls_looks_like_hello(data, len))
		return LENS_FLOW_TLS;
	return lens_smb_looks_like(data, len) ? LENS_FLOW_SMB : LENS_FLOW_OTHER;
}

/* What is inside comes back by lens_flow_text. */
static void give_tls(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                     const struct lens_stamp *stamp)
{
	if (lens_tls_data(f->tls, side, data, len, stamp) && f->kind != LENS_FLOW_OTHER)
		return;
	f->kind = LENS_FLOW_OTHER;
	lens_tls_free(&f->tls);
}

static void give(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	if (f->talk)
		lens_talk_data(f->talk, side, data, len, stamp);
	else if (f->smb)
		lens_smb_data(f->smb, side, data, len, stamp);
	else if (f->web)
		lens_web_data(f->web, side, data, len, stamp);
	else if (f->tls && f->kind == LENS_FLOW_UNDECIDED)
		give_tls(f, side, data, len, stamp);
}

/* The first byte of RPC's PDUs, of NetBIOS frames, of TLS, and of HTTP's methods. */
static bool may_begin(uint8_t first)
{
	return first == RPC_VERSION || first == 0 || first == 0x81 || first == TLS_FIRST || strchr("GPHDOCR", first);
}

/* A client's PDU or a server's, by the type in its third byte. */
static bool client_sends(uint8_t ptype)
{
	switch (ptype) {
	case RPC_REQUEST:
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
	case RPC_AUTH3:
	case RPC_CO_CANCEL:
	case RPC_ORPHANED:
		return true;
	}
	return false;
}

/* The first bytes of a connection whose beginning is captured: few ones are gathered. */
static void judge_beginning(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                            const struct lens_stamp *stamp)
{
	struct lens_head *h = f->head[side];
	if (!h && len >= ENOUGH_TO_JUDGE) {
		decide(f, kind_of(data, len), stamp);
		give(f, side, data, len, stamp);
		if (f->kind == LENS_FLOW_OTHER)
			lens_context_begin(f, side, data, len, stamp);
		return;
	}
	if (!h && !(h = f->head[side] = calloc(1, sizeof *h)))
		return;
	size_t n = sizeof h->bytes - h->len < len ? sizeof h->bytes - h->len : len;
	for (size_t i = 0; i < n; i++) {
		h->bytes[h->len] = data[i];
		h->stamps[h->len++] = *stamp;
	}
	if (h->len < ENOUGH_TO_JUDGE && may_begin(h->bytes[0]))
		return;
	f->head[side] = NULL;
	decide(f, kind_of(h->bytes, h->len), stamp);
	for (size_t i = 0; i < h->len; i++)
		give(f, side, h->bytes + i, 1, &h->stamps[i]);
	free(h);
	if (n < len)
		give(f, side, data + n, len - n, stamp);
}

/* A connection joined midway: a chunk that begins with a PDU shows it, and who is who. */
static void judge_midstream(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                            const struct lens_stamp *stamp)
{
	if (len < ENOUGH_TO_JUDGE)
		return;
	enum lens_flow_kind kind = kind_of(data, len);
	if (kind == LENS_FLOW_OTHER) {
		if (!f->tls && lens_tls_midway(data, len)) {
			decide(f, LENS_FLOW_OTHER, stamp);
			lens_tls_tell_midway(f, side, stamp);
			return;
		}
		if (!f->tries && lens_context_begin(f, side, data, len, stamp)) {
			decide(f, LENS_FLOW_OTHER, stamp);
			return;
		}
		bool known = lens_find_port(f->lens, &f->conn->server) != NULL;
		if (++f->tries >= MAX_TRIES && !known)
			decide(f, LENS_FLOW_OTHER, stamp);
		return;
	}
	bool from_client = kind == LENS_FLOW_SMB    ? lens_smb_from_client(data, len)
	                   : kind == LENS_FLOW_HTTP ? lens_web_asks(data, len)
	                   : kind == LENS_FLOW_TLS  ? true
	                                            : client_sends(data[2]);
	if (!f->tls) {
		f->client = (uint8_t)(from_client ? side : !side);
		put_ends(f);
	}
	decide(f, kind, stamp);
	if (f->talk) {
		lens_talk_gap(f->talk, 0, 0, stamp);
		lens_talk_gap(f->talk, 1, 0, stamp);
	}
	give(f, side, data, len, stamp);
}

void lens_flow_text(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	if (f->talk || f->smb || f->web)
		give(f, side, data, len, stamp);
	else if (f->kind == LENS_FLOW_UNDECIDED && f->begins)
		judge_beginning(f, side, data, len, stamp);
	else if (f->kind == LENS_FLOW_UNDECIDED)
		judge_midstream(f, side, data, len, stamp);
}

static void on_data(void *user, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp)
{
	struct lens_flow *f = user;
	if (f->tls)
		give_tls(f, side, data, len, stamp);
	else
		lens_flow_text(f, side, data, len, stamp);
}

void lens_flow_text_gap(struct lens_flow *f, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	if (f->talk)
		lens_talk_gap(f->talk, side, n, stamp);
	else if (f->smb)
		lens_smb_gap(f->smb, side, n, stamp);
	else if (f->web)
		lens_web_gap(f->web, side, n, stamp);
	else if (f->kind == LENS_FLOW_UNDECIDED)
		f->begins = false; /* the beginning is lost: look for a PDU as in a connection joined midway */
}

static void on_gap(void *user, unsigned side, uint64_t n, const struct lens_stamp *stamp)
{
	struct lens_flow *f = user;
	if (f->tls)
		lens_tls_gap(f->tls, side, n, stamp);
	else
		lens_flow_text_gap(f, side, n, stamp);
}

static void on_end(void *user, unsigned side, const struct lens_stamp *stamp)
{
	struct lens_flow *f = user;
	if (f->talk)
		lens_talk_end(f->talk, side, stamp);
	else if (f->smb)
		lens_smb_end(f->smb, side, stamp);
	else if (f->web)
		lens_web_end(f->web, side, stamp);
}

const struct lens_stream_sink lens_flow_sink = {on_data, on_gap, on_end};

/* ---- Segments ---- */

static void take_syn(struct lens_flow *f, unsigned side, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	if (side == f->client && !f->syn.frame) {
		f->syn = f->syn_last = *stamp;
		f->syn_seq = seg->seq;
	} else if (side == f->client) {
		f->syn_last = *stamp;
	} else if (side != f->client && !f->syn_answered) {
		f->answer = *stamp;
		f->syn_answered = true;
	}
}

static void take_reset(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp)
{
	struct lens *lens = f->lens;
	bool from_client = side == f->client;
	if (f->syn.frame && !f->syn_answered && !from_client) {
		f->open_told = true;
		lens_tell_plain(f, LENS_OPEN, true, f->syn, *stamp, stamp->time_ns - f->syn.time_ns, "refused",
		                "connect: refused");
	} else {
		lens_stream_flush(&lens->streams, &f->stream, stamp);
		open_tell(f);
		f->conn->ended = true;
		lens_tell_plain(f, LENS_RESET, from_client, *stamp, *stamp, -1, NULL,
		                from_client ? "reset by the client" : "reset by the server");
	}
	finish(f);
}

static void take_close(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp)
{
	open_tell(f);
	f->conn->ended = true;
	lens_tell_plain(f, LENS_CLOSE, side == f->client, *stamp, *stamp, -1, NULL, "close");
	finish(f);
}

/* A SYN on a connection that was closed, or with another number, begins a new one. */
static bool is_new(const struct lens_flow *f, const struct lens_segment *seg)
{
	if (!(seg->flags & TCP_SYN) || seg->flags & TCP_ACK)
		return false;
	if (f->over || (f->syn.frame && seg->seq != f->syn_seq))
		return true;
	/* Not the SYN whose answer was captured first. */
	return !f->syn.frame && !f->syn_answered;
}

static struct lens_flow *flow_of(struct lens *lens, const struct lens_segment *seg, unsigned *side,
                                 const struct lens_stamp *stamp)
{
	uint64_t hash = hash_of(&lens->flows, seg);
	struct lens_flow *f = find(&lens->flows, hash, seg, side);
	bool fresh = !f;
	if (f && is_new(f, seg)) {
		finish(f);
		clear(f);
		fresh = true;
	} else if (!f) {
		*side = 0;
		f = flow_new(lens, hash, seg);
	}
	if (!f || (!f->conn && !fresh))
		return NULL;
	lens_age_touch(&lens->flows.ages, &f->age, stamp->frame);
	return !fresh || begin(f, *side, seg, stamp) ? f : NULL;
}

static void other_segment(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                          const struct lens_stamp *stamp)
{
	if (f->context && side != f->client && seg->captured)
		lens_context_answer(f, seg, stamp);
	/* Only its end matters: both sides' FIN. */
	f->stream.half[side].ended |= (seg->flags & TCP_FIN) != 0;
}

void lens_flows_segment(struct lens *lens, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	unsigned side;
	struct lens_flow *f = flow_of(lens, seg, &side, stamp);
	if (!f)
		return;
	f->conn->frames++;
	if (f->over)
		return;
	if (seg->flags & TCP_SYN)
		take_syn(f, side, seg, stamp);
	else
		f->went_on |= side == f->client && !(seg->flags & TCP_RST);
	if (f->kind != LENS_FLOW_OTHER)
		lens_trouble_segment(f, side, seg, stamp);
	if (f->kind == LENS_FLOW_OTHER)
		other_segment(f, side, seg, stamp);
	else
		lens_stream_segment(&lens->streams, &f->stream, side, seg, stamp);
	/* Not where it is decided: that is inside the stream. */
	if (f->kind == LENS_FLOW_OTHER && f->stream.holds)
		lens_stream_drop(&lens->streams, &f->stream);
	lens_trouble_cut(f, side, seg, stamp);
	if (seg->flags & TCP_RST)
		take_reset(f, side, stamp);
	else if (f->stream.half[0].ended && f->stream.half[1].ended)
		take_close(f, side, stamp);
}

void lens_flow_end(struct lens_flow *f)
{
	finish(f);
}

int lens_flows_init(struct lens *lens)
{
	struct lens_flows *t = &lens->flows;
	t->buckets = calloc(BUCKETS, sizeof(struct lens_flow *));
	random_system.fill(random_system.user, &t->seed, sizeof t->seed);
	return t->buckets ? 0 : MW_E_NOMEM;
}

void lens_flows_free(struct lens *lens)
{
	struct lens_flows *t = &lens->flows;
	while (t->ages.oldest) {
		struct lens_flow *f = (struct lens_flow *)t->ages.oldest;
		t->ages.oldest = f->age.newer;
		clear(f);
		free(f);
	}
	free(t->buckets);
	t->buckets = NULL;
}
