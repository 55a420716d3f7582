#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One line a call, in the order of the requests: a line waits in a ring until it and all
 * before it are answered. Live, or when too many wait or for too long, a call is told when it is over.
 */
#define MAX_WAITING 2048
#define MAX_BEHIND 65536 /* frames: a reader of a large file waits for its first lines too */
#define LABEL_SIZE 16
#define PLACE_SIZE 96
#define WHERE_COLUMNS 16
#define LABEL_COLUMNS 7
#define MS_COLUMNS 8
#define DATAGRAMS (1u << 31) /* their numbers are not those of connections */

struct line {
	uint64_t event; /* number of what opened it */
	bool done, wanted;
	bool unnamed; /* a connect that waits to be told what it is for */
	unsigned conn;
	uint64_t frame;
	int64_t time_ns, took_ns;
	char label[LABEL_SIZE];
	char place[PLACE_SIZE]; /* ".173:1066→135" */
	char *what;
	struct lens_style badge, text;
};

struct list {
	struct lens_view v;
	struct line *ring; /* MAX_WAITING */
	unsigned *open;    /* beside it: the connection of a line that is not done, else 0 */
	unsigned first, count;
	struct lens_findings *findings;
	struct lens_address server; /* the first one seen */
	unsigned last_conn;
	char last_label[LABEL_SIZE];
	bool heading_told;
	unsigned unnamed;
	uint64_t lines;
};

static struct line *line_at(struct list *l, unsigned i)
{
	return &l->ring[(l->first + i) % MAX_WAITING];
}

static void set_done(struct list *l, struct line *line, bool done)
{
	line->done = done;
	l->open[line - l->ring] = done ? 0 : line->conn;
}

/* The next place at or behind i whose line is not done, of that connection or (0) any; l->count: none. */
static unsigned next_open(const struct list *l, unsigned i, unsigned conn)
{
	unsigned at = (l->first + i) % MAX_WAITING;

	for (; i < l->count; i++, at = at + 1 == MAX_WAITING ? 0 : at + 1)
		if (conn ? l->open[at] == conn : l->open[at] != 0)
			break;
	return i;
}

/* ---- Writing ---- */

static void put_heading(const struct list *l)
{
	const struct lens_style bold = {-1, -1, true};
	const char *left = "frame  sec   client→port      service what";
	size_t used = 42, width = l->v.o.width ? l->v.o.width : 100;

	lens_put_style(&l->v, l->v.out, &bold);
	buf_put_str(l->v.out, left);
	lens_put_spaces(l->v.out, used + 4 < width ? width - used - 2 : 2);
	buf_put_str(l->v.out, "ms");
	lens_put_plain(&l->v, l->v.out, &bold);
	buf_put_u8(l->v.out, '\n');
}

static void pad_to(struct buf *out, size_t used, size_t columns)
{
	lens_put_spaces(out, used < columns ? columns - used : 0);
}

static void put_badge(const struct list *l, const struct line *line)
{
	struct buf *out = l->v.out;

	buf_put_u8(out, ' ');
	lens_put_style(&l->v, out, &line->badge);
	size_t used = lens_put_cut(out, line->label, LABEL_COLUMNS);
	pad_to(out, used, LABEL_COLUMNS);
	lens_put_plain(&l->v, out, &line->badge);
	buf_put_u8(out, ' ');
}

/* With a blank before it. Yields the columns. */
static size_t tell_ms(int64_t took_ns, char out[24])
{
	return (size_t)snprintf(out, 24, " %.*f", lens_ms_decimals(took_ns), lens_ms(took_ns));
}

/* Where the outcome begins, which is what a reader looks for: behind the last ": " or " → ". */
static const char *find_outcome(const char *what)
{
	const char *outcome = NULL;

	for (const char *at = what; (at = strpbrk(at, ":\xe2")); at++)
		if (strncmp(at, ": ", 2) == 0 || (at > what && strncmp(at, "→ ", strlen("→ ")) == 0))
			outcome = at;
	return outcome;
}

/* In room columns; what does not fit is left out in the middle. Yields the columns taken. */
static size_t put_what(struct buf *out, const char *what, size_t room)
{
	const char *outcome = room && text_width(what) > room ? find_outcome(what) : NULL;
	size_t tail = outcome ? text_width(outcome) : 0;

	if (!outcome || tail + 6 > room)
		return lens_put_cut(out, what, room);
	char *head = strndup(what, (size_t)(outcome - what));
	size_t used = lens_put_cut(out, head ? head : "", room - tail);
	free(head);
	return used + lens_put_cut(out, outcome, 0);
}

/* A long one keeps its end, where it differs from others. */
static size_t put_place(struct buf *out, const char *place)
{
	size_t width = text_width(place); /* each of its characters takes one column */

	if (width <= WHERE_COLUMNS) {
		buf_put_str(out, place);
		return width;
	}
	for (; width > WHERE_COLUMNS - 1; width--)
		for (place++; ((uint8_t)*place & 0xc0) == 0x80; place++)
			;
	buf_put_str(out, "…");
	buf_put_str(out, place);
	return 1 + width;
}

static void put_line(struct list *l, const struct line *line)
{
	struct buf *out = l->v.out;
	size_t width = l->v.o.width ? l->v.o.width : 100;
	size_t left = 5 + 1 + 7 + WHERE_COLUMNS + 1 + LABEL_COLUMNS + 1;
	size_t room = width > left + MS_COLUMNS + 20 ? width - left : MS_COLUMNS + 20;
	char ms[24] = "";
	size_t ms_columns = line->took_ns < 0 ? 0 : tell_ms(line->took_ns, ms);
	bool same = l->last_conn == line->conn && strcmp(l->last_label, line->label) == 0;

	if (!l->heading_told)
		put_heading(l);
	l->heading_told = true;
	l->lines++;
	buf_printf(out, "%5" PRIu64 " ", line->frame);
	lens_put_seconds(&l->v, out, line->time_ns);
	size_t used = same ? 0 : put_place(out, line->place);
	pad_to(out, used, WHERE_COLUMNS);
	put_badge(l, line);
	lens_put_style(&l->v, out, &line->text);
	used = put_what(out, line->what ? line->what : "", l->v.o.width ? room - ms_columns : 0);
	lens_put_plain(&l->v, out, &line->text);
	if (ms_columns) {
		pad_to(out, used + ms_columns, room);
		buf_put_str(out, ms);
	}
	buf_put_u8(out, '\n');
	l->last_conn = line->conn;
	memcpy(l->last_label, line->label, sizeof l->last_label);
}

static void drop_first(struct list *l, bool tell)
{
	struct line *line = line_at(l, 0);

	if (tell && line->wanted)
		put_line(l, line);
	l->unnamed -= line->unnamed;
	free(line->what);
	line->what = NULL;
	l->open[l->first] = 0;
	l->first = (l->first + 1) % MAX_WAITING;
	l->count--;
}

static void flush_done(struct list *l)
{
	while (l->count && line_at(l, 0)->done)
		drop_first(l, true);
}

/* ---- Lines ---- */

static void tell_place(struct list *l, const struct lens_conn *c, char out[PLACE_SIZE])
{
	char host[LENS_ADDRESS_TEXT], server[LENS_ADDRESS_TEXT];
	bool six = c->client.family == 6;

	if (!l->server.family)
		l->server = c->server;
	lens_short_host(&c->client, &c->server, host);
	if (lens_same_host(&c->server, &l->server))
		snprintf(out, PLACE_SIZE, six ? "[%s]:%u→%u" : "%s:%u→%u", host, c->client.port, c->server.port);
	else
		snprintf(out, PLACE_SIZE, six ? "[%s]:%u→[%s]:%u" : "%s:%u→%s:%u", host, c->client.port,
		         lens_short_host(&c->server, &l->server, server), c->server.port);
}

static void describe(struct list *l, struct line *line, const struct lens_event *e)
{
	enum lens_service service = e->service ? e->service : e->iface ? LENS_SVC_OTHER : e->conn->service;
	const char *name = e->iface ? e->iface_name : e->conn->iface_name;

	line->conn = e->conn->number | (e->conn->datagrams ? DATAGRAMS : 0);
	snprintf(line->label, sizeof line->label, "%s", lens_service_label(service, name));
	tell_place(l, e->conn, line->place);
	lens_colors_pick(l->v.o.color ? l->v.o.colors : NULL, e, &line->badge, &line->text);
}

static void say(struct line *line, const char *what, const char *more)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s", what, more) < 0)
		text = NULL;
	free(line->what);
	line->what = text;
}

/* The oldest has waited long enough. */
static void give_way(struct list *l)
{
	struct line *oldest = line_at(l, 0);

	if (!oldest->done && !oldest->unnamed && oldest->what)
		say(oldest, oldest->what, ": answered much later, or never");
	drop_first(l, true);
	flush_done(l);
}

/* Room for one more line at the end of the ring. */
static struct line *append(struct list *l, const struct lens_event *e)
{
	if (l->count == MAX_WAITING)
		give_way(l);
	struct line *line = line_at(l, l->count++);
	memset(line, 0, sizeof *line);
	line->event = e->number;
	line->frame = e->frame;
	line->time_ns = e->time_ns;
	line->took_ns = -1;
	line->wanted = lens_view_wants(&l->v, e);
	describe(l, line, e);
	set_done(l, line, false);
	return line;
}

/* The ring is in the order of event numbers. */
static struct line *find_line(struct list *l, uint64_t event)
{
	unsigned low = 0, high = l->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		if (line_at(l, mid)->event < event)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && line_at(l, low)->event == event ? line_at(l, low) : NULL;
}

static void add_question(struct list *l, const struct lens_event *e)
{
	struct line *line = append(l, e);

	say(line, e->summary, "");
	set_done(l, line, e->unanswered);
}

static void finish(struct list *l, struct line *line, const struct lens_event *e, const char *more)
{
	line->took_ns = e->kind == LENS_OPEN || e->kind == LENS_CONTEXT || lens_answers(e) ? e->took_ns : -1;
	line->wanted |= lens_view_wants(&l->v, e);
	describe(l, line, e);
	set_done(l, line, true);
	say(line, e->summary, more);
}

static void add_answer(struct list *l, const struct lens_event *e)
{
	const struct lens_event *q = e->request;
	struct line *line = q ? find_line(l, q->number) : NULL;

	if (!line && q) {
		line = append(l, e);
		line->frame = q->frame;
		line->time_ns = q->time_ns;
	} else if (!line) {
		line = append(l, e);
	}
	bool orphan = !q && e->kind != LENS_RESPONSE && e->kind != LENS_FAULT;
	finish(l, line, e,
	       e->signature == RPC_SIG_BAD ? " (signature does not verify)"
	       : orphan                    ? " (request not captured)"
	                                   : "");
}

/* A connect comes before the bind that tells what it was for. */
static void await_name(struct list *l, struct line *line, const struct lens_event *e)
{
	if (e->kind != LENS_OPEN || e->failed || !e->conn->rpc || l->v.o.live)
		return;
	line->unnamed = true;
	set_done(l, line, false);
	l->unnamed++;
}

static void give_name(struct list *l, const struct lens_event *e)
{
	unsigned conn = e->conn->number;

	for (unsigned i = next_open(l, 0, conn); i < l->count; i = next_open(l, i + 1, conn)) {
		struct line *line = line_at(l, i);
		if (!line->unnamed)
			continue;
		snprintf(line->label, sizeof line->label, "%s", lens_service_label(e->service, e->iface_name));
		lens_colors_pick(l->v.o.color ? l->v.o.colors : NULL, e, &line->badge, NULL);
		line->unnamed = false;
		set_done(l, line, true);
		l->unnamed--;
		return;
	}
}

/* What still waits for an answer on this connection will not get one. */
static void give_up(struct list *l, unsigned conn, const char *why)
{
	for (unsigned i = next_open(l, 0, conn); i < l->count; i = next_open(l, i + 1, conn)) {
		struct line *line = line_at(l, i);
		set_done(l, line, true);
		if (line->unnamed)
			continue;
		say(line, line->what ? line->what : "", why);
	}
}

static void add_other(struct list *l, const struct lens_event *e)
{
	struct line *line = append(l, e);

	finish(l, line, e, "");
	await_name(l, line, e);
}

static bool is_shown(const struct list *l, const struct lens_event *e)
{
	if (l->v.o.show_all || l->v.o.filter)
		return true;
	if (e->kind == LENS_OPEN && e->failed)
		return e->conn->rpc || e->conn->server.port == 135 || e->conn->service != LENS_SVC_OTHER ||
		       lens_findings_handed_out(l->findings, &e->conn->server);
	return e->conn->rpc && !e->conn->midstream && e->kind != LENS_CLOSE && (e->kind != LENS_AUTH3 || e->failed);
}

static void list_event(struct lens_view *v, const struct lens_event *e)
{
	struct list *l = (struct list *)v;

	lens_findings_event(l->findings, e);
	if (e->kind == LENS_CLOSE || e->kind == LENS_RESET)
		give_up(l, e->conn->number,
		        e->kind == LENS_CLOSE ? ": no answer until the close" : ": no answer, reset");
	if (l->unnamed && e->iface && !e->conn->datagrams)
		give_name(l, e);
	if (is_shown(l, e)) {
		if (lens_asks(e) && !v->o.live)
			add_question(l, e);
		else if (lens_answers(e))
			add_answer(l, e);
		else if (!lens_asks(e))
			add_other(l, e);
	}
	flush_done(l);
	while (l->count && e->last_frame > line_at(l, 0)->frame + MAX_BEHIND)
		give_way(l);
}

/* ---- Head and findings ---- */

static void put_counts(struct buf *out, const struct lens_totals *t, bool all)
{
	unsigned hidden = t->connections - t->rpc_connections;

	lens_put_totals(out, t);
	if (hidden) {
		buf_put_str(out, ", ");
		lens_put_count(out, hidden);
		buf_put_str(out, all ? " do not" : " hidden (--all)");
	}
	lens_put_sealed(out, t);
	buf_put_u8(out, '\n');
	if (t->damaged)
		buf_printf(out, "%" PRIu64 " damaged event%s.\n", t->damaged, t->damaged == 1 ? "" : "s");
	if (t->bytes_dropped) {
		lens_put_count(out, t->bytes_dropped);
		buf_put_str(out, " bytes dropped: too much waited for segments that were lost.\n");
	}
}

#define MAX_FOLDS 8

struct fold {
	struct lens_address server;
	char label[LABEL_SIZE];
	unsigned count;
};

static unsigned gather_folds(const struct lens *lens, unsigned connections, struct fold *folds, unsigned *beyond)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= connections; i++) {
		const struct lens_conn *c = lens_get_conn(lens, i);
		unsigned k = 0;
		if (!c || !c->midstream || !c->rpc)
			continue;
		const char *label = lens_service_label(c->service, c->iface_name);
		while (k < n &&
		       !(folds[k].server.port == c->server.port && lens_same_host(&folds[k].server, &c->server) &&
		         strncmp(folds[k].label, label, LABEL_SIZE - 1) == 0))
			k++;
		if (k == MAX_FOLDS) {
			++*beyond;
			continue;
		}
		if (k == n) {
			folds[n++].server = c->server;
			snprintf(folds[k].label, LABEL_SIZE, "%s", label);
		}
		folds[k].count++;
	}
	return n;
}

static void put_folds(struct buf *out, const struct lens *lens, unsigned connections, bool folded)
{
	struct fold folds[MAX_FOLDS] = {0};
	unsigned beyond = 0, n = gather_folds(lens, connections, folds, &beyond);
	char address[LENS_ADDRESS_TEXT];

	for (unsigned i = 0; i < n; i++) {
		buf_put_str(out, i ? "; " : folded ? "Already open, folded: " : "Already open: ");
		buf_printf(out, "%u ", folds[i].count);
		lens_put_cut(out, folds[i].label, 0);
		buf_printf(out, " session%s to %s", folds[i].count == 1 ? "" : "s",
		           lens_address_format(&folds[i].server, address));
	}
	if (beyond)
		buf_printf(out, "; %u more", beyond);
	if (n)
		buf_put_u8(out, '\n');
}

static void put_finding(const struct list *l, unsigned number, const struct lens_finding *f)
{
	struct buf *out = l->v.out;
	const struct lens_style style = {f->grade == LENS_NOTE ? -1 : 1, -1, true};
	unsigned shown = f->evidence_count < 2 ? f->evidence_count : 2, more = f->evidence_count - shown + f->more;

	lens_put_style(&l->v, out, &style);
	buf_printf(out, "Finding %u", number);
	lens_put_plain(&l->v, out, &style);
	size_t start = out->len;
	for (unsigned i = 0; i < shown; i++)
		buf_printf(out, "%s%" PRIu64, i ? ", " : shown > 1 ? " (frames " : " (frame ", f->evidence[i].frame);
	if (more)
		buf_printf(out, " and %u more", more);
	buf_put_str(out, shown ? "): " : ": ");
	lens_put_wrapped(&l->v, out, f->sentence, strlen("Finding 1") + (number > 9) + out->len - start, 7);
	if (f->attempt && f->grade != LENS_NOTE) {
		buf_put_str(out, "\n  Try  ");
		lens_put_wrapped(&l->v, out, f->attempt, 7, 7);
	}
	buf_put_u8(out, '\n');
}

static void put_head(const struct list *l, const struct lens *lens)
{
	struct lens_totals t;
	struct buf *out = l->v.o.head ? l->v.o.head : l->v.out;
	bool all = l->v.o.show_all || l->v.o.filter;

	lens_get_totals(lens, &t);
	put_counts(out, &t, l->v.o.show_all);
	put_folds(out, lens, t.connections, !all);
	if (!l->lines && l->v.o.filter)
		buf_put_str(out, "Nothing matches the filter.\n");
	else if (!t.rpc_connections && !t.datagram_calls)
		buf_put_str(out, "No RPC was found in it.\n");
}

static void list_end(struct lens_view *v, const struct lens *lens)
{
	struct list *l = (struct list *)v;
	struct lens_finding f;

	give_up(l, 0, ": answer not captured");
	flush_done(l);
	lens_findings_end(l->findings, lens);
	for (unsigned i = 0; lens_findings_get(l->findings, i, &f); i++)
		put_finding(l, i + 1, &f);
	if (lens)
		put_head(l, lens);
}

static void list_free(struct lens_view *v)
{
	struct list *l = (struct list *)v;

	while (l->count)
		drop_first(l, false);
	free(l->ring);
	free(l->open);
	lens_findings_free(&l->findings);
}

struct lens_view *lens_list_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {list_event, list_end, list_free};
	struct lens_view *v = lens_view_alloc(sizeof(struct list), &ops, o, out);
	struct list *l = (struct list *)v;

	if (!l)
		return NULL;
	l->ring = (struct line *)calloc(MAX_WAITING, sizeof *l->ring);
	l->open = (unsigned *)calloc(MAX_WAITING, sizeof *l->open);
	l->findings = lens_findings_new(o->thresholds);
	if (!l->ring || !l->open || !l->findings)
		lens_view_free(&v);
	return v;
}
