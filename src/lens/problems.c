#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --problems: the findings alone, the worst first, each with the frames that show it; as text or as JSON Lines. */
#define INDENT 9 /* "  Frames " */

struct problems {
	struct lens_view v;
	struct lens_findings *findings;
	uint64_t calls, sealed;
};

static void problems_event(struct lens_view *v, const struct lens_event *e)
{
	struct problems *p = (struct problems *)v;

	p->calls += e->kind == LENS_REQUEST;
	p->sealed += e->kind == LENS_REQUEST && e->sealed && !e->decrypted;
	lens_findings_event(p->findings, e);
}

/* ---- Text ---- */

static const struct lens_style *style_of(enum lens_grade grade)
{
	static const struct lens_style styles[] = {
	        [LENS_NOTE] = {-1, -1, true}, [LENS_WARNING] = {3, -1, true}, [LENS_PROBLEM] = {1, -1, true}};
	return &styles[grade];
}

/* "10.0.0.7 → 10.0.0.1:49161" */
static void put_hosts(struct buf *out, const struct lens_finding *f)
{
	char client[LENS_ADDRESS_TEXT], server[LENS_ADDRESS_TEXT];

	buf_printf(out, "%s → %s", lens_host(&f->client, client), lens_address_format(&f->server, server));
}

static void put_label(const struct problems *p, const char *label)
{
	const struct lens_style soft = {8, -1, false};

	buf_put_str(p->v.out, "  ");
	lens_put_style(&p->v, p->v.out, &soft);
	buf_printf(p->v.out, "%-*s", INDENT - 2, label);
	lens_put_plain(&p->v, p->v.out, &soft);
}

static void put_evidence(const struct problems *p, const struct lens_finding *f)
{
	struct buf *out = p->v.out;
	size_t room = p->v.o.width > 40 ? p->v.o.width - 28 : 0;

	for (unsigned i = 0; i < f->evidence_count; i++) {
		const struct lens_evidence *e = &f->evidence[i];
		put_label(p, i ? "" : f->evidence_count > 1 ? "Frames" : "Frame");
		buf_printf(out, "%-7" PRIu64, e->frame);
		if (e->time_ns)
			lens_put_seconds(&p->v, out, e->time_ns);
		else
			lens_put_spaces(out, 7);
		buf_put_u8(out, ' ');
		lens_put_cut(out, e->what, room);
		buf_put_u8(out, '\n');
	}
	if (!f->more)
		return;
	put_label(p, "");
	buf_put_str(out, "and ");
	lens_put_count(out, f->more);
	buf_put_str(out, " more\n");
}

static void put_one(const struct problems *p, unsigned number, const struct lens_finding *f)
{
	static const char *const words[] = {"Note", "Warning", "Problem"};
	struct buf *out = p->v.out;
	const struct lens_style *style = style_of(f->grade);

	buf_put_u8(out, '\n');
	lens_put_style(&p->v, out, style);
	buf_printf(out, "%s %u: %s", words[f->grade], number, f->id);
	lens_put_plain(&p->v, out, style);
	buf_put_str(out, "  ");
	put_hosts(out, f);
	buf_put_str(out, "\n  ");
	lens_put_wrapped(&p->v, out, f->sentence, 2, 2);
	buf_put_u8(out, '\n');
	if (f->attempt && f->grade != LENS_NOTE) {
		put_label(p, "Try");
		lens_put_wrapped(&p->v, out, f->attempt, INDENT, INDENT);
		buf_put_u8(out, '\n');
	}
	put_evidence(p, f);
}

static void count_grades(const struct problems *p, unsigned n[3])
{
	struct lens_finding f;

	for (unsigned i = 0; lens_findings_get(p->findings, i, &f); i++)
		n[f.grade]++;
}

static void put_head(const struct problems *p, const unsigned n[3], const struct lens_totals *t)
{
	static const char *const words[] = {"note", "warning", "problem"};
	struct buf *out = p->v.out;
	bool any = false;

	for (int g = LENS_PROBLEM; g >= LENS_NOTE; g--) {
		if (!n[g] && !(g == LENS_PROBLEM && !n[LENS_WARNING]))
			continue;
		buf_put_str(out, any ? ", " : "");
		if (n[g])
			buf_printf(out, "%u %s%s", n[g], words[g], n[g] == 1 ? "" : "s");
		else
			buf_put_str(out, "No problem found");
		any = true;
	}
	buf_put_str(out, " in ");
	lens_put_totals(out, t);
	buf_put_str(out, ", ");
	lens_put_count(out, p->calls);
	buf_put_str(out, p->calls == 1 ? " call" : " calls");
	lens_put_sealed(out, t);
	buf_put_str(out, ".\n");
	if (p->sealed && p->sealed == p->calls)
		buf_put_str(out, "All calls are sealed: what went wrong in them shows with --secrets.\n");
	else if (p->sealed) {
		lens_put_count(out, p->sealed);
		buf_put_str(out, " of them are sealed: what went wrong in those shows with --secrets.\n");
	}
}

static void problems_end(struct lens_view *v, const struct lens *lens)
{
	struct problems *p = (struct problems *)v;
	struct lens_totals t = {0};
	struct lens_finding f;
	unsigned n[3] = {0}, number = 0;

	lens_findings_end(p->findings, lens);
	if (lens)
		lens_get_totals(lens, &t);
	count_grades(p, n);
	put_head(p, n, &t);
	for (int g = LENS_PROBLEM; g >= LENS_NOTE; g--)
		for (unsigned i = 0; lens_findings_get(p->findings, i, &f); i++)
			if ((int)f.grade == g)
				put_one(p, ++number, &f);
	if (lens_findings_beyond(p->findings)) {
		buf_put_str(v->out, "\nThe same was found ");
		lens_put_count(v->out, lens_findings_beyond(p->findings));
		buf_put_str(v->out, " times between further machines.\n");
	}
}

static void problems_free(struct lens_view *v)
{
	lens_findings_free(&((struct problems *)v)->findings);
}

static struct lens_view *new_view(const struct lens_view_ops *ops, const struct lens_view_options *o, struct buf *out)
{
	struct lens_view *v = lens_view_alloc(sizeof(struct problems), ops, o, out);

	if (v && !(((struct problems *)v)->findings = lens_findings_new(o->thresholds)))
		lens_view_free(&v);
	return v;
}

struct lens_view *lens_problems_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {problems_event, problems_end, problems_free};
	return new_view(&ops, o, out);
}

/* ---- JSON ---- */

static void put_text(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\"%s\":", key);
	text_put_json(b, value);
}

static void put_json(struct buf *b, const struct lens_finding *f)
{
	char text[LENS_ADDRESS_TEXT];

	buf_printf(b, "{\"finding\":\"%s\",\"grade\":\"%s\"", f->id, lens_grade_name(f->grade));
	put_text(b, "client", lens_host(&f->client, text));
	put_text(b, "server", lens_address_format(&f->server, text));
	put_text(b, "sentence", f->sentence);
	if (f->attempt && f->grade != LENS_NOTE)
		put_text(b, "try", f->attempt);
	buf_put_str(b, ",\"evidence\":[");
	for (unsigned i = 0; i < f->evidence_count; i++) {
		buf_printf(b, "%s{\"frame\":%" PRIu64, i ? "," : "", f->evidence[i].frame);
		put_text(b, "what", f->evidence[i].what);
		buf_put_u8(b, '}');
	}
	buf_printf(b, "],\"more\":%u}\n", f->more);
}

static void json_end(struct lens_view *v, const struct lens *lens)
{
	struct problems *p = (struct problems *)v;
	struct lens_finding f;

	lens_findings_end(p->findings, lens);
	for (unsigned i = 0; lens_findings_get(p->findings, i, &f); i++)
		put_json(v->out, &f);
}

struct lens_view *lens_problems_json_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {problems_event, json_end, problems_free};
	return new_view(&ops, o, out);
}
