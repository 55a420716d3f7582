#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * --top: who and what takes most. A call's time in the server and on the way is that of its answer; the ROPs of one
 * call share its server time evenly, for the wire does not tell them apart: "alone" says how many had a call to
 * themselves. Bounded: beyond its places a table gathers the rest in one line.
 */
#define PLACES 1024 /* a power of two; half of it is used */
#define SHOWN 10

struct top_row {
	char *name; /* owned; NULL: free place */
	uint64_t count, failed, bytes, alone;
	int64_t server_ns, network_ns, client_ns;
};

struct top_table {
	const char *title;
	struct top_row *rows; /* open addressing */
	unsigned used;
	struct top_row rest;
};

enum { TOP_USERS, TOP_FOLDERS, TOP_METHODS, TOP_ROPS, TOP_TABLES };

struct top {
	struct lens_view v;
	struct top_table tables[TOP_TABLES];
};

static uint64_t hash_of(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3;
	return h ^ h >> 29;
}

static struct top_row *find_row(struct top_table *t, const char *name)
{
	size_t at = hash_of(name) % PLACES;

	for (; t->rows[at].name; at = (at + 1) % PLACES)
		if (strcmp(t->rows[at].name, name) == 0)
			return &t->rows[at];
	if (t->used == PLACES / 2 || !(t->rows[at].name = strdup(name)))
		return &t->rest;
	t->used++;
	return &t->rows[at];
}

static void count(struct top_table *t, const char *name, const struct lens_event *e)
{
	struct top_row *r = find_row(t, name);

	r->count++;
	r->failed += e->failed;
	r->bytes += e->bytes + e->request->bytes;
	r->server_ns += e->parked ? 0 : e->server_ns;
	r->network_ns += e->parked ? 0 : e->network_ns;
	r->client_ns += e->request->client_ns;
}

/* A Release has no answer and costs next to nothing: it takes no share. */
static bool is_answered(const struct lens_rop *r)
{
	return r->has_status;
}

static void count_rops(struct top_table *t, const struct lens_event *e)
{
	unsigned shares = 0;

	for (unsigned i = 0; i < e->rop_count; i++)
		shares += is_answered(&e->rops[i]);
	for (unsigned i = 0; i < e->rop_count; i++) {
		const struct lens_rop *r = &e->rops[i];
		if (!is_answered(r))
			continue;
		struct top_row *row = find_row(t, r->name);
		row->count++;
		row->failed += r->status != 0;
		row->alone += shares == 1;
		row->bytes += (e->bytes + e->request->bytes) / shares;
		row->server_ns += e->server_ns / shares;
		row->network_ns += e->network_ns / shares;
	}
}

static void top_event(struct lens_view *v, const struct lens_event *e)
{
	struct top *t = (struct top *)v;
	char method[200];

	if ((e->kind != LENS_RESPONSE && e->kind != LENS_FAULT) || !e->request || !e->has_opnum ||
	    e->request->kind != LENS_REQUEST || !lens_view_wants(v, e))
		return;
	const char *user = e->user ? e->user : e->request->user;
	const char *label = lens_service_label(e->service, e->iface_name);
	if (e->op)
		snprintf(method, sizeof method, "%s %s", label, e->op);
	else
		snprintf(method, sizeof method, "%s opnum %u", label, e->opnum);
	count(&t->tables[TOP_USERS], user ? user : "(nobody)", e);
	count(&t->tables[TOP_METHODS], method, e);
	if (e->folder)
		count(&t->tables[TOP_FOLDERS], e->folder, e);
	count_rops(&t->tables[TOP_ROPS], e);
}

/* ---- Tables ---- */

static uint64_t weight(const struct top *t, const struct top_row *r)
{
	return t->v.o.top_by == LENS_TOP_COUNT   ? r->count
	       : t->v.o.top_by == LENS_TOP_BYTES ? r->bytes
	                                         : (uint64_t)(r->server_ns + r->network_ns);
}

/* The heaviest rows, in order. */
static unsigned pick(const struct top *t, const struct top_table *table, const struct top_row *out[SHOWN])
{
	unsigned n = 0;

	for (unsigned i = 0; i < PLACES; i++) {
		const struct top_row *r = &table->rows[i];
		unsigned at = n;
		if (!r->name)
			continue;
		while (at > 0 && (weight(t, r) > weight(t, out[at - 1]) ||
		                  (weight(t, r) == weight(t, out[at - 1]) && strcmp(r->name, out[at - 1]->name) < 0)))
			at--;
		if (at == SHOWN)
			continue;
		unsigned last = n < SHOWN ? n++ : SHOWN - 1;
		for (unsigned k = last; k > at; k--)
			out[k] = out[k - 1];
		out[at] = r;
	}
	return n;
}

static void put_ms(struct buf *out, int64_t ns)
{
	double ms = lens_ms(ns);

	buf_printf(out, ms < 1000 ? " %11.3f" : " %11.0f", ms);
}

static void put_row(const struct top *t, const struct top_row *r, const char *name, size_t width, bool rops)
{
	struct buf *out = t->v.out;
	const struct lens_style bad = {1, -1, true};

	buf_put_str(out, "  ");
	lens_put_spaces(out, width - lens_put_cut(out, name, width));
	buf_printf(out, " %9" PRIu64, r->count);
	if (r->failed)
		lens_put_style(&t->v, out, &bad);
	buf_printf(out, " %8" PRIu64, r->failed);
	if (r->failed)
		lens_put_plain(&t->v, out, &bad);
	buf_printf(out, " %12" PRIu64, r->bytes);
	put_ms(out, r->server_ns);
	put_ms(out, r->network_ns);
	if (rops)
		buf_printf(out, " %11" PRIu64, r->alone);
	else
		put_ms(out, r->client_ns);
	buf_put_u8(out, '\n');
}

static void put_table(const struct top *t, const struct top_table *table, bool rops)
{
	const struct top_row *rows[SHOWN];
	unsigned n = pick(t, table, rows);
	const struct lens_style bold = {-1, -1, true};
	struct buf *out = t->v.out;
	size_t width = strlen(table->title), room = t->v.o.width > 100 ? t->v.o.width - 70 : 34;

	if (!n)
		return;
	for (unsigned i = 0; i < n; i++) {
		size_t w = text_width(rows[i]->name);
		width = w > width ? w : width;
	}
	width = width > room ? room : width;
	if (out->len)
		buf_put_u8(out, '\n');
	lens_put_style(&t->v, out, &bold);
	buf_printf(out, "%-*s %9s %8s %12s %11s %11s %11s", (int)width + 2, table->title, "calls", "failed", "bytes",
	           "server ms", "network ms", rops ? "alone" : "client ms");
	lens_put_plain(&t->v, out, &bold);
	buf_put_u8(out, '\n');
	for (unsigned i = 0; i < n; i++)
		put_row(t, rows[i], rows[i]->name, width, rops);
	if (table->used > n)
		buf_printf(out, "  and %u more\n", table->used - n);
	if (table->rest.count)
		put_row(t, &table->rest, "(beyond the table)", width, rops);
}

static void top_end(struct lens_view *v, const struct lens *lens)
{
	struct top *t = (struct top *)v;

	(void)lens;
	for (unsigned i = 0; i < TOP_TABLES; i++)
		put_table(t, &t->tables[i], i == TOP_ROPS);
	if (!v->out->len)
		buf_put_str(v->out, v->o.filter ? "No call matches the filter.\n" : "No RPC calls were found.\n");
	else if (t->tables[TOP_ROPS].used)
		buf_put_str(v->out,
		            "ROPs of one call share its bytes and times; alone: how many had a call to themselves.\n");
}

static void top_free(struct lens_view *v)
{
	struct top *t = (struct top *)v;

	for (unsigned k = 0; k < TOP_TABLES; k++) {
		for (unsigned i = 0; t->tables[k].rows && i < PLACES; i++)
			free(t->tables[k].rows[i].name);
		free(t->tables[k].rows);
	}
}

struct lens_view *lens_top_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {top_event, top_end, top_free};
	static const char *const titles[TOP_TABLES] = {"Users", "Folders", "Methods", "ROPs"};
	struct lens_view *v = lens_view_alloc(sizeof(struct top), &ops, o, out);
	struct top *t = (struct top *)v;

	if (!t)
		return NULL;
	for (unsigned i = 0; i < TOP_TABLES; i++) {
		t->tables[i].title = titles[i];
		t->tables[i].rows = (struct top_row *)calloc(PLACES, sizeof(struct top_row));
		if (!t->tables[i].rows) {
			lens_view_free(&v);
			return NULL;
		}
	}
	return v;
}
