#include "lens/steps.h"
#include "lens/view-private.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --story: the start told in sentences, then what was wrong with it. --diff: two of them, side by side. */

#define PAUSE_NS INT64_C(500000000)

struct lens_diff_side {
	int64_t start_ns; /* of its first step */
};

struct story {
	struct lens_view v;
	struct lens_steps *steps;
	struct lens_findings *findings;
};

static void story_event(struct lens_view *v, const struct lens_event *e)
{
	struct story *s = (struct story *)v;

	lens_steps_event(s->steps, e);
	lens_findings_event(s->findings, e);
}

static void put_took(struct buf *out, int64_t ns)
{
	if (ns >= 10 * INT64_C(1000000000))
		buf_printf(out, " (%.1f s)", (double)ns / 1e9);
	else if (ns >= 0)
		buf_printf(out, " (%.*f ms)", lens_ms_decimals(ns), lens_ms(ns));
}

static void put_step(const struct lens_view *v, const struct lens_step *step, const struct lens_step *before)
{
	const struct lens_style bad = {1, -1, true};
	struct buf sentence MW_CLEANUP(buf_free) = {0};
	int64_t pause = before ? step->time_ns - before->time_ns - (before->took_ns > 0 ? before->took_ns : 0) : 0;

	if (pause >= PAUSE_NS)
		buf_printf(v->out, "    ⋮   for %.1f s nothing of this\n", (double)pause / 1e9);
	lens_put_seconds(v, v->out, step->time_ns);
	buf_put_u8(v->out, ' ');
	buf_printf(&sentence, "It %s", step->text);
	put_took(&sentence, step->took_ns);
	buf_printf(&sentence, ". [frame %" PRIu64 "]", step->frame);
	if (buf_put_u8(&sentence, 0) < 0)
		return;
	if (step->failed)
		lens_put_style(v, v->out, &bad);
	lens_put_wrapped(v, v->out, (const char *)sentence.data, 8, 8);
	if (step->failed)
		lens_put_plain(v, v->out, &bad);
	buf_put_u8(v->out, '\n');
}

static const char *verdict(const struct lens_teller *t)
{
	if (!t->outlook)
		return "It used none of Outlook's services.";
	if (t->logged_on)
		return t->book ? "It started: address book and mailbox are open."
		               : "It is in its mailbox; the address book was not opened here.";
	return t->book ? "It did not get into the mailbox as far as this capture shows."
	               : "It came neither to the address book nor into the mailbox as far as this capture shows.";
}

static void put_client(const struct lens_view *v, const struct lens_teller *t)
{
	const struct lens_style bold = {-1, -1, true};
	char host[LENS_ADDRESS_TEXT];

	lens_put_style(v, v->out, &bold);
	buf_printf(v->out, "%s on %s", t->outlook ? "Outlook" : "The client", lens_host(&t->client, host));
	lens_put_plain(v, v->out, &bold);
	buf_put_u8(v->out, '\n');
	for (unsigned i = 0; i < t->count; i++)
		put_step(v, &t->steps[i], i ? &t->steps[i - 1] : NULL);
	if (t->beyond)
		buf_printf(v->out, "    ⋮   %" PRIu64 " further steps\n", t->beyond);
	buf_printf(v->out, "%s\n", verdict(t));
}

static void put_problems(const struct story *s)
{
	struct lens_finding f;
	bool any = false;

	for (int g = LENS_PROBLEM; g >= LENS_WARNING; g--)
		for (unsigned i = 0; lens_findings_get(s->findings, i, &f); i++) {
			if ((int)f.grade != g)
				continue;
			buf_put_str(s->v.out, any ? "  " : "\nWhat was wrong (--problems says what to do):\n  ");
			lens_put_wrapped(&s->v, s->v.out, f.sentence, 2, 4);
			buf_put_u8(s->v.out, '\n');
			any = true;
		}
}

static void story_end(struct lens_view *v, const struct lens *lens)
{
	struct story *s = (struct story *)v;
	const struct lens_teller *t;
	bool any = false;

	lens_steps_end(s->steps);
	lens_findings_end(s->findings, lens);
	for (unsigned i = 0; (t = lens_steps_client(s->steps, i)); i++) {
		if (!t->count || (!t->outlook && !v->o.show_all && !t->steps[0].failed))
			continue;
		if (any)
			buf_put_u8(v->out, '\n');
		put_client(v, t);
		any = true;
	}
	if (!any)
		buf_put_str(v->out, "Nobody starts here as Outlook does (--all tells of other clients too).\n");
	if (lens_steps_older(s->steps)) {
		buf_put_str(v->out, "Not told: ");
		lens_put_count(v->out, lens_steps_older(s->steps));
		buf_put_str(v->out, " calls on connections that were open before the capture began.\n");
	}
	put_problems(s);
}

static void story_free(struct lens_view *v)
{
	lens_steps_free(&((struct story *)v)->steps);
	lens_findings_free(&((struct story *)v)->findings);
}

struct lens_view *lens_story_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {story_event, story_end, story_free};
	struct lens_view *v = lens_view_alloc(sizeof(struct story), &ops, o, out);
	struct story *s = (struct story *)v;

	if (!s)
		return NULL;
	s->steps = lens_steps_new();
	s->findings = lens_findings_new(o->thresholds);
	if (!s->steps || !s->findings)
		lens_view_free(&v);
	return v;
}

/* ---- Two ---- */

/* The client whose start is meant: the first that speaks as Outlook does, else the first. */
static const struct lens_teller *main_client(const struct lens_steps *s)
{
	const struct lens_teller *t;

	for (unsigned i = 0; (t = lens_steps_client(s, i)); i++)
		if (t->outlook)
			return t;
	return lens_steps_client(s, 0);
}

static bool differ(const struct lens_step *a, const struct lens_step *b)
{
	return !a || !b || a->failed != b->failed || strcmp(a->key, b->key) != 0;
}

/* Whether the step is one of those further on: then the other start has more in between. */
static bool comes_later(const struct lens_teller *t, unsigned from, const struct lens_step *step)
{
	for (unsigned i = from; step && i < t->count && i < from + 32; i++)
		if (!differ(&t->steps[i], step))
			return true;
	return false;
}

static void put_half(const struct lens_view *v, const struct lens_step *step, int64_t start_ns, size_t width)
{
	struct buf text MW_CLEANUP(buf_free) = {0};
	size_t used = 0;

	if (step) {
		buf_printf(&text, "%6.3f  %s", (double)(step->time_ns > start_ns ? step->time_ns - start_ns : 0) / 1e9,
		           step->text);
		put_took(&text, step->took_ns);
	}
	buf_put_u8(&text, 0);
	if (!buf_error(&text))
		used = lens_put_cut(v->out, (const char *)text.data, width);
	lens_put_spaces(v->out, width - used);
}

static void put_pair(const struct lens_view *v, const struct lens_diff_side *a, const struct lens_diff_side *b,
                     const struct lens_step *x, const struct lens_step *y)
{
	const struct lens_style mark = {3, -1, true};
	size_t total = v->o.width ? v->o.width : 160, half = total > 60 ? (total - 3) / 2 : 28;
	bool other = differ(x, y);

	put_half(v, x, a->start_ns, half);
	lens_put_style(v, v->out, other ? &mark : &(struct lens_style){-1, -1, false});
	buf_put_str(v->out, !other ? " │ " : x && y ? " ≠ " : x ? " < " : " > ");
	lens_put_plain(v, v->out, other ? &mark : &(struct lens_style){-1, -1, false});
	put_half(v, y, b->start_ns, half);
	while (v->out->len && v->out->data[v->out->len - 1] == ' ')
		v->out->len--;
	buf_put_u8(v->out, '\n');
}

static void put_first(struct buf *out, const struct lens_step *x, const struct lens_step *y)
{
	buf_put_str(out, "\nThe first step that differs:");
	if (x && y && strcmp(x->key, y->key) == 0) {
		buf_put_str(out, x->failed ? " only the second goes on here. " : " only the first goes on here. ");
		buf_put_str(out, "The other ");
		lens_put_cut(out, x->failed ? x->text : y->text, 0);
		buf_printf(out, " [frame %" PRIu64 "].\n", x->failed ? x->frame : y->frame);
		return;
	}
	buf_put_str(out, "\n  first:  ");
	lens_put_cut(out, x ? x->text : "ends here", 0);
	if (x)
		buf_printf(out, " [frame %" PRIu64 "]", x->frame);
	buf_put_str(out, "\n  second: ");
	lens_put_cut(out, y ? y->text : "ends here", 0);
	if (y)
		buf_printf(out, " [frame %" PRIu64 "]", y->frame);
	buf_put_u8(out, '\n');
}

static int64_t start_of(const struct lens_teller *t)
{
	return t->count ? t->steps[0].time_ns : 0;
}

static const struct lens_step *step_at(const struct lens_teller *t, unsigned i)
{
	return i < t->count ? &t->steps[i] : NULL;
}

void lens_diff_put(const struct lens_view_options *o, const struct lens_steps *first, const struct lens_steps *second,
                   struct buf *out)
{
	const struct lens_teller *a = main_client(first), *b = main_client(second);
	struct lens_view v = {.o = *o, .out = out};
	const struct lens_step *one = NULL, *other = NULL;
	bool told = false;

	if (!a || !b) {
		buf_printf(out, "Nobody starts in the %s capture.\n", a ? "second" : "first");
		return;
	}
	const struct lens_diff_side left = {start_of(a)}, right = {start_of(b)};
	for (unsigned i = 0, k = 0; i < a->count || k < b->count;) {
		const struct lens_step *x = step_at(a, i), *y = step_at(b, k);
		if (x && y && strcmp(x->key, y->key) != 0) {
			/* One has a step more: it stands alone. */
			if (comes_later(b, k + 1, x))
				x = NULL;
			else if (comes_later(a, i + 1, y))
				y = NULL;
		}
		put_pair(&v, &left, &right, x, y);
		if (!told && differ(x, y)) {
			told = true;
			one = x ? x : step_at(a, i);
			other = y ? y : step_at(b, k);
		}
		i += x != NULL;
		k += y != NULL;
	}
	if (told)
		put_first(out, one, other);
	else
		buf_put_str(out, "\nThe steps are the same.\n");
}
