#include "lens/ladder.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The ladder in a terminal. Long ones show their beginning and their end. */
#define LEFT 7      /* columns before the client's bar */
#define STEP 8      /* between ports */
#define HALF_PORT 4 /* how far a port's name reaches beyond its bar */
#define MIN_AREA 36
#define MAX_AREA 64
#define MAX_ARROWS 400
#define TAIL_ARROWS 80

struct ladder_view {
	struct lens_view v;
	struct ladders ladders;
};

/* How one ladder is laid out. */
struct plan {
	const struct lens_view *v;
	const struct ladder *l;
	struct buf *out;
	struct buf label;              /* work space */
	unsigned columns;              /* of ports */
	unsigned parked[LADDER_PORTS]; /* waits that the server holds, by column */
	size_t area;                   /* from the client's bar to the first port's */
};

static size_t bar_of(const struct plan *p, unsigned port)
{
	unsigned column = port < p->columns ? port : p->columns - 1;

	return LEFT + p->area + (size_t)STEP * column;
}

static const char *label_of(struct plan *p, const struct ladder_arrow *a)
{
	buf_clear(&p->label);
	ladder_label(a, &p->label);
	buf_put_u8(&p->label, 0);
	return buf_error(&p->label) ? "" : (const char *)p->label.data;
}

static void lay_out(struct plan *p)
{
	size_t width = p->v->o.width ? p->v->o.width : 100;
	size_t most = width > LEFT + MIN_AREA + HALF_PORT ? (width - LEFT - MIN_AREA - 1 - HALF_PORT) / STEP + 1 : 1;
	size_t widest = 0;

	p->columns = p->l->port_count < most ? p->l->port_count : (unsigned)most;
	for (size_t i = 0; i < p->l->count && i < MAX_ARROWS; i++) {
		const struct ladder_arrow *a = &p->l->arrows[i];
		size_t column = a->port < p->columns ? a->port : p->columns - 1;
		size_t w = text_width(label_of(p, a)) + 14;
		w = w > STEP * column ? w - STEP * column : 0;
		widest = w > widest ? w : widest;
	}
	size_t beyond = LEFT + 1 + HALF_PORT + (size_t)STEP * (p->columns - 1);
	size_t room = width > beyond ? width - beyond : MIN_AREA;
	p->area = widest < MIN_AREA ? MIN_AREA : widest > MAX_AREA ? MAX_AREA : widest;
	if (p->area > room)
		p->area = room < MIN_AREA ? MIN_AREA : room;
}

static void put_dashes(struct buf *out, size_t n)
{
	uint8_t *to = n ? buf_extend(out, n) : NULL;

	if (to)
		memset(to, '-', n);
}

/* ---- Head ---- */

static void put_head(struct plan *p)
{
	struct buf *out = p->out;
	const struct lens_style bold = {-1, -1, true};
	char host[LENS_ADDRESS_TEXT], server[LENS_ADDRESS_TEXT], port[16];
	const char *who = p->l->outlook ? "Outlook" : "client";
	size_t at;

	lens_short_host(&p->l->client, &p->l->server, host);
	lens_host(&p->l->server, server);
	lens_put_style(p->v, out, &bold);
	buf_printf(out, "  sec  %s %s", who, host);
	at = LEFT + strlen(who) + 1 + strlen(host);
	size_t want = LEFT + p->area - 4;
	size_t end = at + 1 + strlen(server);
	lens_put_spaces(out, end < want ? want - end + 1 : 1);
	buf_put_str(out, server);
	lens_put_plain(p->v, out, &bold);
	at = end < want ? want : end;
	for (unsigned i = 0; i < p->columns; i++) {
		bool shared = i == p->columns - 1 && (p->l->crowded || p->columns < p->l->port_count);
		int n = snprintf(port, sizeof port, shared ? ":%u…" : ":%u", p->l->ports[i].port);
		size_t columns = (size_t)n - (shared ? 2 : 0), start = bar_of(p, i) - columns / 2;
		lens_put_spaces(out, start > at ? start - at : 1);
		at = (start > at ? start : at + 1) + columns;
		lens_put_style(p->v, out, &p->l->ports[i].badge);
		buf_put_str(out, port);
		lens_put_plain(p->v, out, &p->l->ports[i].badge);
	}
	buf_put_u8(out, '\n');
}

/* ---- Arrows ---- */

static void put_bars_after(struct plan *p, unsigned port)
{
	unsigned column = port < p->columns ? port : p->columns - 1;

	buf_put_str(p->out, p->parked[column] ? "║" : "|");
	for (unsigned i = column + 1; i < p->columns; i++) {
		lens_put_spaces(p->out, STEP - 1);
		buf_put_str(p->out, p->parked[i] ? "║" : "|");
	}
	buf_put_u8(p->out, '\n');
}

/* The words, cut to what the arrow has room for. Yields the columns taken. */
static size_t put_label(struct plan *p, const struct ladder_arrow *a, size_t room)
{
	struct lens_style style;

	lens_colors_pick(p->v->o.colors, a->event, NULL, &style);
	lens_put_style(p->v, p->out, &style);
	size_t used = lens_put_cut(p->out, label_of(p, a), room);
	lens_put_plain(p->v, p->out, &style);
	return used;
}

static void put_right(struct plan *p, const struct ladder_arrow *a, size_t room)
{
	buf_put_str(p->out, "-- ");
	size_t used = 4 + put_label(p, a, room - 8);

	buf_put_u8(p->out, ' ');
	put_dashes(p->out, room - used - 1);
	buf_put_u8(p->out, ladder_failed(a) ? 'x' : '>');
}

static void put_left(struct plan *p, const struct ladder_arrow *a, size_t room)
{
	char ms[24] = "";
	int64_t took = a->event->took_ns;
	int n = took >= 0 ? snprintf(ms, sizeof ms, " %.*f --", lens_ms_decimals(took), lens_ms(took)) : 0;

	buf_put_str(p->out, ladder_failed(a) ? "x-- " : "<-- ");
	size_t used = 5 + (size_t)n + put_label(p, a, room - 8 - (size_t)n);
	buf_put_u8(p->out, ' ');
	put_dashes(p->out, room - used);
	buf_put_str(p->out, ms);
}

/* A wait is a span on its port's line from where it is parked to where it comes back. */
static void note_parked(struct plan *p, const struct ladder_arrow *a)
{
	unsigned column = a->port < p->columns ? a->port : p->columns - 1;

	if (!a->event->parked)
		return;
	if (a->event->kind == LENS_REQUEST)
		p->parked[column]++;
	else if (lens_answers(a->event) && p->parked[column])
		p->parked[column]--;
}

static void put_arrow(struct plan *p, const struct ladder_arrow *a)
{
	size_t room = bar_of(p, a->port) - LEFT - 1;

	if (a->beside)
		lens_put_spaces(p->out, LEFT);
	else
		lens_put_seconds(p->v, p->out, a->event->time_ns);
	buf_put_u8(p->out, '|');
	if (a->event->from_client)
		put_right(p, a, room);
	else
		put_left(p, a, room);
	put_bars_after(p, a->port);
}

static void put_pause(struct plan *p, size_t i)
{
	int64_t ns = ladder_pause(p->l, i);

	if (ns)
		buf_printf(p->out, "   ⋮   %.2f s: %s\n", (double)ns / 1e9, ladder_pause_words(p->l, i));
}

static void put_ladder(const struct ladder_view *view, const struct ladder *l)
{
	struct plan p = {.v = &view->v, .l = l, .out = view->v.out};
	size_t skip_to = l->count > MAX_ARROWS ? l->count - TAIL_ARROWS : 0;

	lay_out(&p);
	put_head(&p);
	for (size_t i = 0; i < l->count; i++) {
		if (skip_to && i == MAX_ARROWS - TAIL_ARROWS) {
			buf_put_str(p.out, "   ⋮   ");
			lens_put_count(p.out, skip_to - i);
			buf_put_str(p.out, " arrows left out; -Y FILTER narrows it down\n");
			i = skip_to;
		}
		put_pause(&p, i);
		note_parked(&p, &l->arrows[i]);
		put_arrow(&p, &l->arrows[i]);
	}
	buf_free(&p.label);
}

static void ladder_event(struct lens_view *v, const struct lens_event *e)
{
	ladders_add(&((struct ladder_view *)v)->ladders, v, e);
}

static void ladder_end(struct lens_view *v, const struct lens *lens)
{
	const struct ladder_view *view = (const struct ladder_view *)v;

	(void)lens;
	for (unsigned i = 0; i < view->ladders.count; i++) {
		if (i)
			buf_put_u8(v->out, '\n');
		put_ladder(view, view->ladders.all[i]);
	}
	if (!view->ladders.count)
		buf_put_str(v->out, v->o.filter
		                            ? "Nothing matches the filter.\n"
		                            : "No RPC that began in this capture (--all shows what was running).\n");
	if (view->ladders.beyond)
		buf_printf(v->out, "\nOnly the first %d pairs of hosts are drawn.\n", LADDER_PAIRS);
}

static void ladder_free(struct lens_view *v)
{
	ladders_free(&((struct ladder_view *)v)->ladders);
}

struct lens_view *lens_ladder_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {ladder_event, ladder_end, ladder_free};

	return lens_view_alloc(sizeof(struct ladder_view), &ops, o, out);
}
