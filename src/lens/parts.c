#include "lens/smb-private.h"

#include <stdlib.h>

/*
 * Connections are dealt out to parts by their two hosts, so that all that is said between these is in one part: the
 * mapper's answer and the connection to the port that it names, the two channels of RPC over HTTP, a session's
 * connections. Parts know nothing of one another while they take a batch of frames, and settle up after each:
 * what comes out does not depend on the order in which they take it, or on who takes it.
 */
#define FIRST_BATCH 16u /* the next one is twice as large */
#define MAX_BATCH 4096u
#define MAX_BATCH_BYTES ((size_t)4 << 20)
#define STREAM_LIMIT ((size_t)8 << 20)
#define TOTAL_LIMIT ((size_t)64 << 20)
#define MAX_LEARNED 128 /* ports that a part knows and the others do not yet */

/* ---- Parts ---- */

static int init_part(struct lens *part)
{
	const struct lens_options *o = &part->options;
	part->scratch = arena_new(0);
	part->kept = o->keep_events ? arena_new(0) : NULL;
	if (!part->scratch || (o->keep_events && !part->kept))
		return MW_E_NOMEM;
	part->observer = (struct auth_observer_config){o->secrets, o->secret_count, o->keytab};
	part->streams = (struct lens_streams){
	        .sink = &lens_flow_sink,
	        .stream_limit = o->stream_limit ? o->stream_limit : STREAM_LIMIT,
	        .total_limit = SIZE_MAX,
	};
	int r = lens_names_init(&part->names, o->idl, o->idl_count);
	if (r == 0)
		r = lens_ports_init(&part->ports, MAX_LEARNED);
	if (r == 0)
		r = lens_tls_begin(part);
	return r == 0 ? lens_flows_init(part) : r;
}

static void free_part(struct lens *part)
{
	part->tape = NULL;
	lens_flows_free(part);
	lens_tape_free(&part->tapes[0]);
	lens_tape_free(&part->tapes[1]);
	lens_webs_free(part);
	tls_log_free(&part->tls_keys);
	lens_datagrams_free(part);
	lens_rewrite_free(part);
	while (part->spare_pending) {
		struct lens_pending *p = part->spare_pending;
		part->spare_pending = p->next;
		arena_free(&p->arena);
		free(p);
	}
	lens_sessions_free(part);
	lens_ports_free(&part->ports);
	lens_names_free(&part->names);
	free(part->lessons.list);
	arena_free(&part->kept);
	arena_free(&part->scratch);
	free(part);
}

static struct lens *new_part(struct lens *whole, unsigned index)
{
	struct lens *part = calloc(1, sizeof *part);
	if (!part)
		return NULL;
	part->whole = whole;
	part->index = index;
	part->options = whole->options;
	if (init_part(part) < 0) {
		free_part(part);
		return NULL;
	}
	return whole->parts[index] = part;
}

static uint64_t hash_of(const struct lens_address *a)
{
	uint64_t v[2];
	memcpy(v, a->bytes, sizeof v);
	uint64_t h = (v[0] ^ (v[1] * UINT64_C(0xBF58476D1CE4E5B9))) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ h >> 32;
}

struct lens *lens_part_of(struct lens *whole, const struct lens_segment *seg)
{
	/* The same for both directions, and on each run. */
	uint64_t h = (hash_of(&seg->from) + hash_of(&seg->to)) * UINT64_C(0x9E3779B97F4A7C15);
	unsigned index = (unsigned)(h >> 32) % LENS_PARTS;
	return whole->parts[index] ? whole->parts[index] : new_part(whole, index);
}

void lens_part_segment(struct lens *part, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	part->now = *stamp;
	if (seg->protocol == PROTOCOL_TCP)
		lens_flows_segment(part, seg, stamp);
	else
		lens_datagram(part, seg, stamp);
}

int lens_whole_init(struct lens *whole)
{
	whole->whole = whole;
	whole->batch.limit = FIRST_BATCH;
	whole->conn_cap = LENS_MAX_CONNS;
	whole->conns = calloc(whole->conn_cap, sizeof(struct lens_conn *));
	whole->scratch = arena_new(0);
	whole->packets.fragments = lens_fragments_new();
	if (!whole->conns || !whole->scratch || !whole->packets.fragments)
		return MW_E_NOMEM;
	for (unsigned i = 0; whole->recorded && i < LENS_PARTS; i++)
		if (!new_part(whole, i))
			return MW_E_NOMEM;
	int r = lens_names_init(&whole->names, whole->options.idl, whole->options.idl_count);
	return r == 0 ? lens_ports_init(&whole->ports, LENS_MAX_PORTS) : r;
}

void lens_parts_free(struct lens *whole)
{
	for (unsigned i = 0; i < LENS_PARTS; i++)
		if (whole->parts[i])
			free_part(whole->parts[i]);
}

/* ---- Limits ---- */

static void forget_flow(struct lens *part)
{
	lens_flow_evict((struct lens_flow *)part->flows.ages.oldest);
}

static void forget_talk(struct lens *part)
{
	lens_talk_forget((struct lens_conversation *)part->talks.oldest);
}

static void forget_smb(struct lens *part)
{
	lens_flow_forget(((struct lens_smb *)part->smbs.oldest)->flow);
}

static void forget_session(struct lens *part)
{
	lens_session_forget(part, (struct lens_session *)part->known_sessions.oldest);
}

/* What there is most of, in all parts together. */
static const struct {
	size_t ages; /* where in a part */
	size_t most;
	void (*forget)(struct lens *part); /* the oldest */
} limits[] = {
        {offsetof(struct lens, flows.ages), LENS_MAX_FLOWS, forget_flow},
        {offsetof(struct lens, talks), LENS_MAX_CONVERSATIONS, forget_talk},
        {offsetof(struct lens, smbs), LENS_MAX_SMBS, forget_smb},
        {offsetof(struct lens, tls), LENS_MAX_TLS, lens_tls_forget},
        {offsetof(struct lens, known_sessions), LENS_MAX_SESSIONS, forget_session},
};

static const struct lens_ages *ages_of(const struct lens *part, size_t offset)
{
	return (const struct lens_ages *)((const char *)part + offset);
}

/* The part with the one that was idle longest; *count: how many there are in all. */
static struct lens *oldest_of(struct lens *whole, size_t offset, size_t *count)
{
	struct lens *found = NULL;
	*count = 0;
	for (unsigned i = 0; i < LENS_PARTS; i++) {
		struct lens *part = whole->parts[i];
		const struct lens_ages *ages = part ? ages_of(part, offset) : NULL;
		if (!ages || !ages->count)
			continue;
		*count += ages->count;
		if (!found || ages->oldest->used < ages_of(found, offset)->oldest->used)
			found = part;
	}
	return found;
}

static void keep_limits(struct lens *whole)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		size_t count;
		struct lens *part = oldest_of(whole, limits[i].ages, &count);
		for (; count > limits[i].most; part = oldest_of(whole, limits[i].ages, &count))
			limits[i].forget(part);
	}
}

/* Bytes that wait for others. */
static struct lens_streams *oldest_holder(struct lens *whole, size_t *held)
{
	struct lens_streams *found = NULL;
	*held = 0;
	for (unsigned i = 0; i < LENS_PARTS; i++) {
		struct lens_streams *s = whole->parts[i] ? &whole->parts[i]->streams : NULL;
		if (!s || !s->oldest)
			continue;
		*held += s->held;
		if (!found || s->oldest->used < found->oldest->used)
			found = s;
	}
	return found;
}

static void keep_held(struct lens *whole, const struct lens_stamp *now)
{
	size_t most = whole->options.total_limit ? whole->options.total_limit : TOTAL_LIMIT, held;
	struct lens_streams *s = oldest_holder(whole, &held);
	for (; held > most; s = oldest_holder(whole, &held))
		s->dropped += lens_stream_flush(s, s->oldest, now);
}

/* ---- What they have learned ---- */

static void teach(struct lens *whole, const struct lens_lesson *l)
{
	lens_ports_learn(&whole->ports, &l->address, lens_names_get(&whole->names, &l->syntax), l->by_mapper);
}

/* In the order of frames. */
static void teach_all(struct lens *whole)
{
	size_t at[LENS_PARTS] = {0};
	for (;;) {
		const struct lens_lesson *next = NULL;
		unsigned from = 0;
		for (unsigned i = 0; i < LENS_PARTS; i++) {
			const struct lens_lessons *l = whole->parts[i] ? &whole->parts[i]->lessons : NULL;
			if (l && at[i] < l->count && (!next || l->list[at[i]].frame < next->frame)) {
				next = &l->list[at[i]];
				from = i;
			}
		}
		if (!next)
			return;
		teach(whole, next);
		at[from]++;
	}
}

static void forget_lessons(struct lens *part)
{
	part->lessons.count = 0;
	lens_ports_clear(&part->ports);
}

void lens_settle(struct lens *whole, const struct lens_stamp *now)
{
	teach_all(whole);
	for (unsigned i = 0; i < LENS_PARTS; i++) {
		struct lens *part = whole->parts[i];
		if (!part)
			continue;
		part->now = *now;
		if (part->lessons.count)
			forget_lessons(part);
	}
	keep_held(whole, now);
	keep_limits(whole);
}

void lens_batch_begin(struct lens_batch *b)
{
	*b = (struct lens_batch){.limit = b->limit < MAX_BATCH ? b->limit * 2 : MAX_BATCH};
}

bool lens_batch_is_full(const struct lens_batch *b)
{
	return b->frames >= b->limit || b->bytes >= MAX_BATCH_BYTES;
}

void lens_parts_end(struct lens *whole, const struct lens_stamp *now)
{
	struct lens_age *next[LENS_PARTS] = {NULL};
	for (unsigned i = 0; i < LENS_PARTS; i++)
		if (whole->parts[i]) {
			whole->parts[i]->now = *now;
			next[i] = whole->parts[i]->flows.ages.oldest;
		}
	for (;;) {
		struct lens_age **first = NULL;
		for (unsigned i = 0; i < LENS_PARTS; i++)
			if (next[i] && (!first || next[i]->used < (*first)->used))
				first = &next[i];
		if (!first)
			return;
		struct lens_flow *f = (struct lens_flow *)*first;
		*first = f->age.newer;
		lens_flow_end(f);
	}
}
