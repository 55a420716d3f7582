#include "lens/ladder.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The ladder as a picture, light or dark as its reader likes. Long ones show their beginning and their end. */
#define CLIENT_X 84
#define AREA 430 /* from the client's line to the first port's */
#define STEP 104
#define MARGIN 64
#define HEAD 92
#define ROW 27
#define PAUSE 34
#define CHAR 7.3
#define MAX_SPANS 16
#define MAX_ARROWS 600
#define TAIL_ARROWS 100

struct svg_view {
	struct lens_view v;
	struct ladders ladders;
};

struct draw {
	const struct lens_view *v;
	const struct ladder *l;
	struct buf *out;
	struct buf work, cut;
	unsigned y;
	struct span {
		const struct lens_event *event; /* the request; NULL: free */
		unsigned y, x;
	} spans[MAX_SPANS]; /* parked waits */
};

static const char style[] =
        "<style>\n"
        "svg{--bg:#fff;--ink:#1b1f24;--soft:#6b7480;--line:#c9d0d8;--box:#f3f5f8;--bad:#c62828;--epm:#7a828c;"
        "color-scheme:light dark;font:13px ui-sans-serif,system-ui,'Segoe UI',Roboto,Cantarell,'DejaVu "
        "Sans',sans-serif}\n"
        "@media(prefers-color-scheme:dark){svg{--bg:#14171c;--ink:#e7eaee;--soft:#929ba7;--line:#39414c;"
        "--box:#1f242b;--bad:#ff6b6b;--epm:#9aa3ae}}\n"
        "text{fill:var(--ink)}.t,.ms{fill:var(--soft);font-size:11.5px;font-variant-numeric:tabular-nums}"
        ".b{font-weight:600}.bad{fill:var(--bad);font-weight:600}.life{stroke:var(--line);stroke-width:1.5}"
        ".box{fill:var(--box);stroke:var(--line)}.arrow{fill:none;stroke-width:1.8}.span{fill:#e0a800;opacity:.55}."
        "halo{paint-order:stroke;stroke:"
        "var(--bg);stroke-width:4px;stroke-linejoin:round}\n"
        "</style>\n";

/* ---- Text ---- */

static void put_words(struct draw *d, const char *s, size_t columns)
{
	buf_clear(&d->cut);
	lens_put_cut(&d->cut, s, columns);
	buf_put_u8(&d->cut, 0);
	if (!buf_error(&d->cut))
		text_put_html(d->out, (const char *)d->cut.data);
}

static const char *label_of(struct draw *d, const struct ladder_arrow *a)
{
	buf_clear(&d->work);
	ladder_label(a, &d->work);
	buf_put_u8(&d->work, 0);
	return buf_error(&d->work) ? "" : (const char *)d->work.data;
}

static unsigned port_x(unsigned port)
{
	return CLIENT_X + AREA + STEP * port;
}

/* ---- Head and lifelines ---- */

static void put_port(struct draw *d, unsigned i)
{
	const struct ladder_port *p = &d->l->ports[i];
	unsigned x = port_x(i);
	bool shared = d->l->crowded && i == LADDER_PORTS - 1;

	buf_printf(d->out, "<rect x='%u' y='%u' width='64' height='22' rx='11' fill='#%06x'/>", x - 32, d->y + 52,
	           p->badge.bg < 0 ? 0xd4d9df : lens_color_rgb(p->badge.bg));
	buf_printf(d->out, "<text class='b' x='%u' y='%u' text-anchor='middle' style='fill:#%06x'>:%u%s</text>\n", x,
	           d->y + 67, p->badge.fg < 0 ? 0x1b1f24 : lens_color_rgb(p->badge.fg), p->port, shared ? "…" : "");
}

static void put_head(struct draw *d)
{
	char host[LENS_ADDRESS_TEXT];
	unsigned last = port_x(d->l->port_count - 1);

	buf_printf(d->out, "<rect class='box' x='%u' y='%u' width='148' height='42' rx='8'/>\n", CLIENT_X - 74,
	           d->y + 32);
	buf_printf(d->out, "<text class='b' x='%u' y='%u' text-anchor='middle'>%s</text>", CLIENT_X, d->y + 49,
	           d->l->outlook ? "Outlook" : "client");
	buf_printf(d->out, "<text class='t' x='%u' y='%u' text-anchor='middle'>", CLIENT_X, d->y + 65);
	text_put_html(d->out, lens_host(&d->l->client, host));
	buf_printf(d->out, "</text>\n<rect class='box' x='%u' y='%u' width='%u' height='64' rx='8'/>\n", port_x(0) - 46,
	           d->y + 16, last - port_x(0) + 92);
	buf_printf(d->out, "<text class='b' x='%u' y='%u' text-anchor='middle'>", (port_x(0) + last) / 2, d->y + 38);
	text_put_html(d->out, lens_host(&d->l->server, host));
	buf_put_str(d->out, "</text>\n");
	for (unsigned i = 0; i < d->l->port_count; i++)
		put_port(d, i);
}

static void put_lifelines(struct draw *d, unsigned from, unsigned to)
{
	buf_printf(d->out, "<path class='life' d='M%u %uV%u", CLIENT_X, from - 18, to);
	for (unsigned i = 0; i < d->l->port_count; i++)
		buf_printf(d->out, "M%u %uV%u", port_x(i), from - 12, to);
	buf_put_str(d->out, "'/>\n");
}

/* ---- Arrows ---- */

static const char *stroke_of(const struct draw *d, const struct ladder_arrow *a, char out[24])
{
	struct lens_style badge;

	if (ladder_failed(a))
		return "var(--bad)";
	lens_colors_pick(d->v->o.colors, a->event, &badge, NULL);
	if (badge.bg < 0 || badge.bg == 250)
		return "var(--epm)";
	snprintf(out, 24, "#%06x", lens_color_rgb(badge.bg));
	return out;
}

/* From the tip backwards: an arrow head, or a cross. */
static void put_tip(struct draw *d, int x, unsigned y, int direction, bool failed)
{
	if (failed)
		buf_printf(d->out, "M%d %ul8 8m0-8l-8 8", x - (direction > 0 ? 13 : -5), y - 4);
	else
		buf_printf(d->out, "M%d %ul%d 4.5M%d %ul%d-4.5", x, y, -direction * 8, x, y, -direction * 8);
}

static void put_line(struct draw *d, const struct ladder_arrow *a, unsigned x)
{
	char color[24];
	bool right = a->event->from_client;
	int tip = right ? (int)x - 2 : CLIENT_X + 2;

	buf_printf(d->out, "<path class='arrow' style='stroke:%s' d='M%u %uH%u", stroke_of(d, a, color), CLIENT_X + 2,
	           d->y, x - 2);
	put_tip(d, tip, d->y, right ? 1 : -1, ladder_failed(a));
	buf_put_str(d->out, right ? "'/>" : "' stroke-dasharray='none'/>");
}

static void put_arrow(struct draw *d, const struct ladder_arrow *a)
{
	unsigned x = port_x(a->port);
	size_t columns = (size_t)((x - CLIENT_X - 90) / CHAR);

	d->y += a->beside ? ROW : ROW + 4;
	if (!a->beside)
		buf_printf(d->out, "<text class='t' x='%u' y='%u' text-anchor='end'>%.3f</text>", CLIENT_X - 10,
		           d->y + 4, lens_view_seconds(d->v, a->event->time_ns));
	put_line(d, a, x);
	buf_printf(d->out, "<text class='halo%s' x='%u' y='%u'>", ladder_failed(a) ? " bad" : "", CLIENT_X + 16,
	           d->y - 5);
	put_words(d, label_of(d, a), columns);
	buf_put_str(d->out, "</text>");
	if (!a->event->from_client && a->event->took_ns >= 0)
		buf_printf(d->out, "<text class='ms halo' x='%u' y='%u' text-anchor='end'>%.*f ms</text>", x - 12,
		           d->y - 5, lens_ms_decimals(a->event->took_ns), lens_ms(a->event->took_ns));
	buf_put_u8(d->out, '\n');
}

static void put_span(struct draw *d, struct span *s)
{
	if (s->event && d->y > s->y)
		buf_printf(d->out, "<rect class='span' x='%u' y='%u' width='9' height='%u' rx='4'/>", s->x - 4, s->y,
		           d->y - s->y);
	s->event = NULL;
}

/* A wait is a span on its port's line from where it is parked to where it comes back. */
static void note_span(struct draw *d, const struct ladder_arrow *a)
{
	const struct lens_event *e = a->event;

	for (unsigned i = 0; e->parked && i < MAX_SPANS; i++) {
		struct span *s = &d->spans[i];
		if (e->kind == LENS_REQUEST && !s->event) {
			*s = (struct span){e, d->y, port_x(a->port)};
			return;
		}
		if (e->request && s->event == e->request)
			put_span(d, s);
	}
}

static void put_note(struct draw *d, const char *note)
{
	d->y += PAUSE;
	buf_printf(d->out, "<text class='t' x='%u' y='%u' text-anchor='end'>⋮</text>", CLIENT_X - 18, d->y + 2);
	buf_printf(d->out, "<text class='t halo' x='%u' y='%u'>%s</text>\n", CLIENT_X + 16, d->y + 2, note);
}

static void put_pause(struct draw *d, size_t i)
{
	char note[80];
	int64_t ns = ladder_pause(d->l, i);

	if (!ns)
		return;
	snprintf(note, sizeof note, "%.2f s: %s", (double)ns / 1e9, ladder_pause_words(d->l, i));
	put_note(d, note);
}

/* Height and arrows, by the same walk: where only is set nothing but y counts. */
static void put_arrows(struct draw *d)
{
	size_t skip_to = d->l->count > MAX_ARROWS ? d->l->count - TAIL_ARROWS : 0;
	char note[80];

	for (size_t i = 0; i < d->l->count; i++) {
		if (skip_to && i == MAX_ARROWS - TAIL_ARROWS) {
			snprintf(note, sizeof note, "%zu arrows left out", skip_to - i);
			put_note(d, note);
			i = skip_to;
		}
		put_pause(d, i);
		put_arrow(d, &d->l->arrows[i]);
		note_span(d, &d->l->arrows[i]);
	}
	for (unsigned i = 0; i < MAX_SPANS; i++)
		put_span(d, &d->spans[i]);
}

static void put_ladder(struct draw *d)
{
	struct buf arrows MW_CLEANUP(buf_free) = {0};
	struct buf *out = d->out;

	put_head(d);
	d->y += HEAD;
	unsigned top = d->y;
	d->out = &arrows;
	put_arrows(d);
	d->out = out;
	d->y += ROW;
	put_lifelines(d, top, d->y);
	buf_put(out, arrows.data, arrows.len);
}

static void svg_event(struct lens_view *v, const struct lens_event *e)
{
	ladders_add(&((struct svg_view *)v)->ladders, v, e);
}

static unsigned width_of(const struct ladders *l)
{
	unsigned ports = 1;

	for (unsigned i = 0; i < l->count; i++)
		if (l->all[i]->port_count > ports)
			ports = l->all[i]->port_count;
	return port_x(ports - 1) + MARGIN;
}

static void svg_end(struct lens_view *v, const struct lens *lens)
{
	const struct svg_view *view = (const struct svg_view *)v;
	struct buf body MW_CLEANUP(buf_free) = {0};
	struct draw d = {.v = v, .out = &body, .y = 8};
	unsigned width = width_of(&view->ladders);

	(void)lens;
	for (unsigned i = 0; i < view->ladders.count; i++) {
		d.l = view->ladders.all[i];
		put_ladder(&d);
		d.y += 24;
	}
	if (!view->ladders.count)
		put_note(&d, "No RPC that began in this capture.");
	buf_printf(v->out,
	           "<svg xmlns='http://www.w3.org/2000/svg' width='%u' height='%u' viewBox='0 0 %u %u' "
	           "role='img'>\n<title>",
	           width, d.y, width, d.y);
	text_put_html(v->out, v->o.title ? v->o.title : "RPC");
	buf_put_str(v->out, "</title>\n");
	buf_put_str(v->out, style);
	buf_put_str(v->out, "<rect width='100%' height='100%' style='fill:var(--bg)'/>\n");
	buf_put(v->out, body.data, body.len);
	buf_put_str(v->out, "</svg>\n");
	buf_free(&d.work);
	buf_free(&d.cut);
}

static void svg_free(struct lens_view *v)
{
	ladders_free(&((struct svg_view *)v)->ladders);
}

struct lens_view *lens_svg_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {svg_event, svg_end, svg_free};

	return lens_view_alloc(sizeof(struct svg_view), &ops, o, out);
}
