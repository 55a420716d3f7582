#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One page of its own: src/lens/page/ with the events as JSON inside, in short keys that page.js
 * explains by use. The JSON escapes '<', so no text can end its <script>; the page shows text by textContent only.
 */
extern const char lens_page_html[], lens_page_css[], lens_page_js[];

#define MAX_EVENTS 100000
#define MAX_FIELDS 400000
#define MAX_STYLES 64

struct html {
	struct lens_view v;
	struct lens_findings *findings;
	struct lens_style styles[MAX_STYLES];
	unsigned style_count;
	uint8_t *told; /* by connection number */
	size_t told_room;
	uint64_t events, left;
	uint64_t fields;
	bool begun, any;
};

/* ---- The page around the data ---- */

/* What of the page stands between two markers; NULL: from its beginning, to its end. */
static void put_part(struct buf *out, const char *after, const char *until)
{
	const char *from = after ? strstr(lens_page_html, after) : lens_page_html;

	if (!from)
		return;
	from += after ? strlen(after) : 0;
	const char *to = until ? strstr(from, until) : NULL;
	buf_put(out, from, to ? (size_t)(to - from) : strlen(from));
}

static void begin(struct html *h)
{
	struct buf *out = h->v.out;

	h->begun = true;
	put_part(out, NULL, "@CSS@");
	buf_put_str(out, lens_page_css);
	put_part(out, "@CSS@", "@DATA@");
	buf_put_str(out, "{\"title\":");
	text_put_json(out, h->v.o.title ? h->v.o.title : "RPC");
	buf_put_str(out, ",\n\"events\":[");
}

/* ---- Events ---- */

static void put_text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, ",\"%s\":", key);
	text_put_json(b, value);
}

static void put_number(struct buf *b, const char *key, uint64_t value)
{
	buf_printf(b, ",\"%s\":%" PRIu64, key, value);
}

static void separate(struct html *h)
{
	buf_put_str(h->v.out, h->any ? ",\n" : "\n");
	h->any = true;
}

/* Connections and datagrams count apart: on the page datagrams have negative numbers. */
static int page_number(const struct lens_conn *c)
{
	return c->datagrams ? -(int)c->number : (int)c->number;
}

static size_t conn_key(const struct lens_conn *c)
{
	return (size_t)c->number * 2 + c->datagrams;
}

/* Each connection once, before its first event. */
static bool tell_conn(struct html *h, const struct lens_conn *c)
{
	char text[LENS_ADDRESS_TEXT];

	size_t key = conn_key(c);
	if (key >= h->told_room) {
		size_t room = (key + 1024) * 2;
		uint8_t *bigger = (uint8_t *)realloc(h->told, room);
		if (!bigger)
			return false;
		memset(bigger + h->told_room, 0, room - h->told_room);
		h->told = bigger;
		h->told_room = room;
	}
	if (h->told[key])
		return true;
	h->told[key] = 1;
	separate(h);
	buf_printf(h->v.out, "{\"C\":%d", page_number(c));
	put_text(h->v.out, "cl", lens_address_format(&c->client, text));
	put_text(h->v.out, "sv", lens_address_format(&c->server, text));
	if (c->midstream)
		buf_put_str(h->v.out, ",\"m\":1");
	buf_put_u8(h->v.out, '}');
	return true;
}

static unsigned find_style(struct html *h, const struct lens_event *e)
{
	struct lens_style s;

	lens_colors_pick(h->v.o.colors, e, &s, NULL);
	for (unsigned i = 0; i < h->style_count; i++)
		if (h->styles[i].fg == s.fg && h->styles[i].bg == s.bg)
			return i;
	if (h->style_count == MAX_STYLES)
		return 0;
	h->styles[h->style_count] = s;
	return h->style_count++;
}

static void put_rops(struct buf *b, const struct lens_event *e)
{
	char hex[16];

	buf_put_str(b, ",\"rp\":");
	for (unsigned i = 0; i < e->rop_count; i++) {
		buf_put_u8(b, i ? ',' : '[');
		text_put_json(b, e->rops[i].name);
	}
	buf_put_str(b, "],\"rs\":");
	for (unsigned i = 0; i < e->rop_count; i++) {
		buf_put_u8(b, i ? ',' : '[');
		if (e->rops[i].has_status)
			text_put_json(b, lens_rop_status(&e->rops[i], hex));
		else
			buf_put_str(b, "null");
	}
	buf_put_u8(b, ']');
}

static void put_fields(struct html *h, const struct lens_event *e)
{
	struct buf *b = h->v.out;

	if (!e->field_count)
		return;
	if (h->fields + e->field_count > MAX_FIELDS) {
		buf_put_str(b, ",\"FT\":1");
		return;
	}
	h->fields += e->field_count;
	buf_put_str(b, ",\"F\":");
	for (unsigned i = 0; i < e->field_count; i++) {
		const struct lens_field *f = &e->fields[i];
		buf_printf(b, "%c[%u,", i ? ',' : '[', f->depth);
		text_put_json(b, f->name);
		buf_put_u8(b, ',');
		if (f->value)
			text_put_json(b, f->value);
		else
			buf_put_str(b, "null");
		buf_printf(b, ",%u,%u,%d]", f->offset, f->size, f->in_pdu ? 1 : f->unpacked ? 2 : 0);
	}
	buf_put_u8(b, ']');
}

static void put_protection(struct buf *b, const struct lens_event *e)
{
	if (e->kind >= LENS_BIND && e->kind <= LENS_SHUTDOWN && e->auth != AUTH_NONE) {
		put_text(b, "a", auth_type_name(e->auth));
		put_text(b, "lv", auth_level_name(e->level));
	}
	if (e->sealed)
		buf_put_str(b, e->decrypted ? ",\"y\":1,\"z\":1" : ",\"y\":1");
	put_text(b, "sig", lens_signature_name(e->signature));
	put_text(b, "why", e->why_sealed);
	if (e->encoding)
		buf_printf(b, ",\"en\":\"%s%s%s\"", e->encoding & LENS_ENCODING_LZ ? "compressed" : "",
		           e->encoding == (LENS_ENCODING_LZ | LENS_ENCODING_XOR) ? ", " : "",
		           e->encoding & LENS_ENCODING_XOR ? "obfuscated" : "");
	put_text(b, "u", e->user);
}

static void put_event(struct html *h, const struct lens_event *e)
{
	struct buf *b = h->v.out;
	enum lens_service service = e->service ? e->service : e->iface ? LENS_SVC_OTHER : e->conn->service;

	buf_printf(b, "{\"n\":%" PRIu64 ",\"k\":\"%s\"", e->number, lens_kind_name(e->kind));
	put_number(b, "f", e->frame);
	if (e->last_frame != e->frame)
		put_number(b, "l", e->last_frame);
	buf_printf(b, ",\"t\":%" PRId64, (e->time_ns - h->v.start_ns) / 1000);
	buf_printf(b, ",\"c\":%d", page_number(e->conn));
	buf_printf(b, ",\"d\":%d,\"b\":%u", e->from_client, find_style(h, e));
	put_text(b, "s", e->summary);
	put_text(b, "v", lens_service_label(service, e->iface ? e->iface_name : e->conn->iface_name));
	if (e->took_ns >= 0 && !lens_asks(e))
		buf_printf(b, ",\"ms\":%.3f", lens_ms(e->took_ns));
	if (e->request)
		put_number(b, "q", e->request->number);
	if (e->has_call)
		put_number(b, "id", e->call_id);
	put_text(b, "i", e->iface);
	put_text(b, "op", e->op);
	put_text(b, "st", e->status);
	put_text(b, "ep", e->endpoint);
	if (e->failed)
		buf_put_str(b, ",\"x\":1");
	if (e->parked)
		buf_put_str(b, ",\"pk\":1");
	put_protection(b, e);
	if (e->rop_count)
		put_rops(b, e);
	put_text(b, "dm", e->damaged);
	put_fields(h, e);
	buf_put_u8(b, '}');
}

static void html_event(struct lens_view *v, const struct lens_event *e)
{
	struct html *h = (struct html *)v;

	if (!h->begun)
		begin(h);
	lens_findings_event(h->findings, e);
	if (!v->o.show_all && !e->conn->rpc &&
	    !(e->kind == LENS_OPEN && e->failed && lens_findings_handed_out(h->findings, &e->conn->server)))
		return;
	if (h->events == MAX_EVENTS || !lens_view_wants(v, e) || !tell_conn(h, e->conn)) {
		h->left += h->events == MAX_EVENTS;
		return;
	}
	h->events++;
	separate(h);
	put_event(h, e);
}

/* ---- The end ---- */

static void put_styles(const struct html *h)
{
	struct buf *b = h->v.out;

	buf_put_str(b, "\"styles\":[");
	for (unsigned i = 0; i < h->style_count; i++) {
		const struct lens_style *s = &h->styles[i];
		buf_put_str(b, i ? ",[" : "[");
		if (s->fg >= 0)
			buf_printf(b, "\"#%06x\",", lens_color_rgb(s->fg));
		else
			buf_put_str(b, "null,");
		if (s->bg >= 0)
			buf_printf(b, "\"#%06x\"]", lens_color_rgb(s->bg));
		else
			buf_put_str(b, "null]");
	}
	buf_put_str(b, "],\n");
}

static void put_findings(const struct html *h)
{
	struct buf *b = h->v.out;
	struct lens_finding f;

	buf_put_str(b, "\"findings\":[");
	for (unsigned i = 0; lens_findings_get(h->findings, i, &f); i++) {
		buf_printf(b, "%s\n{\"frames\":[", i ? "," : "");
		for (unsigned k = 0; k < f.evidence_count; k++)
			buf_printf(b, "%s%" PRIu64, k ? "," : "", f.evidence[k].frame);
		buf_printf(b, "],\"more\":%u,\"harmless\":%s", f.more, f.grade == LENS_NOTE ? "true" : "false");
		put_text(b, "id", f.id);
		put_text(b, "sentence", f.sentence);
		put_text(b, "attempt", f.grade == LENS_NOTE ? NULL : f.attempt);
		buf_put_u8(b, '}');
	}
	buf_put_str(b, "],\n");
}

static void html_end(struct lens_view *v, const struct lens *lens)
{
	struct html *h = (struct html *)v;
	struct lens_totals totals = {0};

	if (!h->begun)
		begin(h);
	buf_put_str(v->out, "\n],\n");
	put_styles(h);
	lens_findings_end(h->findings, lens);
	put_findings(h);
	buf_put_str(v->out, "\"counts\":\"");
	if (lens) {
		lens_get_totals(lens, &totals);
		lens_put_totals(v->out, &totals);
		lens_put_sealed(v->out, &totals);
	}
	buf_printf(v->out, "\",\n\"left\":%" PRIu64 "}\n", h->left);
	put_part(v->out, "@DATA@", "@JS@");
	buf_put_str(v->out, lens_page_js);
	put_part(v->out, "@JS@", NULL);
}

static void html_free(struct lens_view *v)
{
	struct html *h = (struct html *)v;

	free(h->told);
	lens_findings_free(&h->findings);
}

struct lens_view *lens_html_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {html_event, html_end, html_free};
	struct lens_view *v = lens_view_alloc(sizeof(struct html), &ops, o, out);

	if (v && !(((struct html *)v)->findings = lens_findings_new(o->thresholds)))
		lens_view_free(&v);
	return v;
}
