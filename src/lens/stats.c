#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Counts and times of each interface and method in bounded memory: the first
 * times as they are, later ones in a histogram of 32 steps an octave, whose
 * middle is at most 1.6 % from what it stands for.
 */
#define EXACT 512
#define STEP_BITS 5
#define STEPS (1u << STEP_BITS)
#define BUCKETS ((64 - STEP_BITS) * STEPS)
#define MAX_METHODS 4096 /* a power of two; half of it is used */

struct method {
	const char *iface, *op; /* owned; iface NULL: free place */
	enum lens_service service;
	int opnum; /* -1: not known */
	struct lens_style badge;
	uint64_t asked, answered, failed, timed;
	uint64_t min, max, server_ns, network_ns; /* the last two in sum */
	uint64_t *exact;                          /* EXACT times, until there are more */
	uint32_t *histogram;
};

struct stats {
	struct lens_view v;
	struct method *table; /* open addressing */
	unsigned count;
	uint64_t beyond; /* calls of methods that found no place */
};

/* ---- Histogram ---- */

static unsigned bucket_of(uint64_t ns)
{
	if (ns < STEPS)
		return (unsigned)ns;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - STEP_BITS;
	return (shift + 1) * STEPS + (unsigned)((ns >> shift) & (STEPS - 1));
}

static uint64_t middle_of(unsigned bucket)
{
	if (bucket < STEPS)
		return bucket;
	unsigned shift = bucket / STEPS - 1;
	uint64_t low = (uint64_t)(STEPS + bucket % STEPS) << shift;
	return low + ((uint64_t)1 << shift) / 2;
}

static void to_histogram(struct method *m)
{
	m->histogram = (uint32_t *)calloc(BUCKETS, sizeof *m->histogram);
	for (unsigned i = 0; m->histogram && i < EXACT; i++)
		m->histogram[bucket_of(m->exact[i])]++;
	free(m->exact);
	m->exact = NULL;
}

static void add_time(struct method *m, int64_t took_ns)
{
	uint64_t ns = (uint64_t)took_ns;

	if (m->timed == 0 || ns < m->min)
		m->min = ns;
	if (ns > m->max)
		m->max = ns;
	if (m->timed == 0)
		m->exact = (uint64_t *)calloc(EXACT, sizeof *m->exact);
	if (m->timed == EXACT && m->exact)
		to_histogram(m);
	if (m->exact)
		m->exact[m->timed] = ns;
	else if (m->histogram)
		m->histogram[bucket_of(ns)]++;
	m->timed++;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

/* The smallest time that percent of all do not exceed. exact must be sorted. */
static uint64_t percentile(const struct method *m, unsigned percent)
{
	uint64_t rank = (m->timed * percent + 99) / 100, seen = 0;

	if (m->exact)
		return m->exact[rank ? rank - 1 : 0];
	for (unsigned i = 0; m->histogram && i < BUCKETS; i++) {
		seen += m->histogram[i];
		if (seen >= rank) {
			uint64_t t = middle_of(i);
			return t < m->min ? m->min : t > m->max ? m->max : t;
		}
	}
	return m->max;
}

/* ---- Methods ---- */

static uint64_t hash_of(const char *iface, int opnum)
{
	uint64_t h = 0xcbf29ce484222325 ^ (uint64_t)(uint32_t)opnum;

	for (; *iface; iface++)
		h = (h ^ (uint8_t)*iface) * 0x100000001b3;
	return h ^ h >> 29;
}

static const char *iface_of(const struct lens_event *e)
{
	return e->iface_name ? e->iface_name : e->iface ? e->iface : "?";
}

static struct method *new_method(struct stats *s, struct method *m, const struct lens_event *e)
{
	char number[24];
	int opnum = e->has_opnum ? e->opnum : -1;

	if (opnum < 0)
		snprintf(number, sizeof number, "request missing");
	else
		snprintf(number, sizeof number, "opnum %d", opnum);
	m->op = strdup(e->op ? e->op : number);
	m->iface = m->op ? strdup(iface_of(e)) : NULL;
	if (!m->iface)
		return NULL;
	m->service = e->service;
	m->opnum = opnum;
	lens_colors_pick(s->v.o.color ? s->v.o.colors : NULL, e, &m->badge, NULL);
	s->count++;
	return m;
}

static struct method *find_method(struct stats *s, const struct lens_event *e)
{
	int opnum = e->has_opnum ? e->opnum : -1;
	const char *iface = iface_of(e);
	size_t at = hash_of(iface, opnum) % MAX_METHODS;

	for (struct method *m; (m = &s->table[at])->iface; at = (at + 1) % MAX_METHODS)
		if (m->opnum == opnum && strcmp(m->iface, iface) == 0)
			return m;
	return s->count < MAX_METHODS / 2 ? new_method(s, &s->table[at], e) : NULL;
}

static void stats_event(struct lens_view *v, const struct lens_event *e)
{
	struct stats *s = (struct stats *)v;
	bool answer = e->kind == LENS_RESPONSE || e->kind == LENS_FAULT;

	if ((!answer && e->kind != LENS_REQUEST) || !lens_view_wants(v, e))
		return;
	struct method *m = find_method(s, e);
	if (!m) {
		s->beyond++;
		return;
	}
	m->asked += !answer;
	m->answered += answer;
	m->failed += answer && e->failed;
	if (answer && e->took_ns >= 0) {
		add_time(m, e->took_ns);
		m->server_ns += e->parked || e->server_ns < 0 ? 0 : (uint64_t)e->server_ns;
		m->network_ns += e->parked || e->network_ns < 0 ? 0 : (uint64_t)e->network_ns;
	}
}

/* ---- The table ---- */

struct ref {
	struct method *m;
};

static int compare_methods(const void *a, const void *b)
{
	const struct method *x = ((const struct ref *)a)->m, *y = ((const struct ref *)b)->m;

	if (x->service != y->service)
		return x->service == LENS_SVC_OTHER   ? 1
		       : y->service == LENS_SVC_OTHER ? -1
		       : x->service < y->service      ? -1
		                                      : 1;
	int order = strcmp(x->iface, y->iface);
	return order ? order : x->opnum - y->opnum;
}

static void put_time(struct buf *out, uint64_t ns)
{
	double ms = (double)ns / 1e6;

	buf_printf(out, ms < 100 ? " %8.3f" : " %8.1f", ms);
}

/* Columns of the two names. */
struct plan {
	size_t iface, op;
};

static void put_name(struct buf *out, const char *name, size_t columns)
{
	size_t used = lens_put_cut(out, name, columns);

	lens_put_spaces(out, columns - used);
}

static void put_method(struct stats *s, struct method *m, const struct plan *plan)
{
	struct buf *out = s->v.out;
	const struct lens_style failed = {1, -1, true};

	lens_put_style(&s->v, out, &m->badge);
	put_name(out, m->iface, plan->iface);
	lens_put_plain(&s->v, out, &m->badge);
	buf_put_u8(out, ' ');
	put_name(out, m->op, plan->op);
	buf_printf(out, " %7" PRIu64, m->asked > m->answered ? m->asked : m->answered);
	if (m->failed)
		lens_put_style(&s->v, out, &failed);
	buf_printf(out, " %6" PRIu64, m->failed);
	if (m->failed)
		lens_put_plain(&s->v, out, &failed);
	if (m->timed) {
		if (m->exact)
			qsort(m->exact, m->timed, sizeof *m->exact, compare_times);
		put_time(out, m->min);
		put_time(out, percentile(m, 50));
		put_time(out, percentile(m, 95));
		put_time(out, m->max);
		put_time(out, m->server_ns / m->timed);
		put_time(out, m->network_ns / m->timed);
		if (!m->exact)
			buf_put_str(out, " ≈");
	}
	buf_put_u8(out, '\n');
}

static struct plan lay_out(const struct stats *s, const struct ref *sorted)
{
	struct plan p = {strlen("interface"), strlen("request missing")};
	size_t figures = 1 + 8 + 7 + 6 * 9 + 2, width = s->v.o.width ? s->v.o.width : 120;

	for (unsigned i = 0; i < s->count; i++) {
		size_t iface = text_width(sorted[i].m->iface), op = text_width(sorted[i].m->op);
		p.iface = iface > p.iface ? iface : p.iface;
		p.op = op > p.op ? op : p.op;
	}
	p.iface = p.iface > 16 ? 16 : p.iface;
	if (p.iface + p.op + figures > width)
		p.op = p.iface + figures + 12 < width ? width - p.iface - figures : 12;
	return p;
}

static void put_table(struct stats *s, const struct ref *sorted)
{
	struct buf *out = s->v.out;
	const struct plan plan = lay_out(s, sorted);
	const struct lens_style bold = {-1, -1, true};
	bool rough = false;

	lens_put_style(&s->v, out, &bold);
	buf_printf(out, "%-*s %-*s %7s %6s %8s %8s %8s %8s %8s %8s", (int)plan.iface, "interface", (int)plan.op,
	           "method", "calls", "failed", "min ms", "median", "p95", "max", "server", "network");
	lens_put_plain(&s->v, out, &bold);
	buf_put_u8(out, '\n');
	for (unsigned i = 0; i < s->count; i++) {
		put_method(s, sorted[i].m, &plan);
		rough |= sorted[i].m->histogram != NULL;
	}
	if (rough)
		buf_printf(out, "≈ more than %d calls: median and p95 within 1.6 %%.\n", EXACT);
	if (s->beyond)
		buf_printf(out, "%" PRIu64 " calls of further methods are left out.\n", s->beyond);
}

static void stats_end(struct lens_view *v, const struct lens *lens)
{
	struct stats *s = (struct stats *)v;
	struct ref *sorted = (struct ref *)calloc((size_t)s->count + 1, sizeof *sorted);
	unsigned n = 0;

	(void)lens;
	for (unsigned i = 0; sorted && i < MAX_METHODS; i++)
		if (s->table[i].iface)
			sorted[n++].m = &s->table[i];
	if (n == 0) {
		buf_put_str(v->out, v->o.filter ? "No call matches the filter.\n" : "No RPC calls were found.\n");
	} else {
		qsort(sorted, n, sizeof *sorted, compare_methods);
		put_table(s, sorted);
	}
	free(sorted);
}

static void stats_free(struct lens_view *v)
{
	struct stats *s = (struct stats *)v;

	for (unsigned i = 0; s->table && i < MAX_METHODS; i++) {
		free((char *)(uintptr_t)s->table[i].iface);
		free((char *)(uintptr_t)s->table[i].op);
		free(s->table[i].exact);
		free(s->table[i].histogram);
	}
	free(s->table);
}

struct lens_view *lens_stats_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {stats_event, stats_end, stats_free};
	struct lens_view *v = lens_view_alloc(sizeof(struct stats), &ops, o, out);
	struct stats *s = (struct stats *)v;

	if (!s)
		return NULL;
	s->table = (struct method *)calloc(MAX_METHODS, sizeof *s->table);
	if (!s->table)
		lens_view_free(&v);
	return v;
}
