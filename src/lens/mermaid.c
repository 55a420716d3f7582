#include "lens/ladder.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The ladder as a Mermaid sequence diagram, for documents that draw it. Long ones show their beginning and their end.
 */
#define MAX_ARROWS 200
#define TAIL_ARROWS 40

struct mermaid_view {
	struct lens_view v;
	struct ladders ladders;
};

/* Work space, and which ladder. */
struct sequence {
	const struct lens_view *v;
	const struct ladder *l;
	unsigned number;
	struct buf label, safe;
};

/* What could steer the diagram becomes an entity code; what could steer a display is made harmless before. */
static void put_safe(struct sequence *s, struct buf *out, const char *text)
{
	buf_clear(&s->safe);
	text_put_terminal(&s->safe, text);
	for (size_t i = 0; i < s->safe.len; i++) {
		uint8_t c = s->safe.data[i];
		if (c >= 0x80 || isalnum(c) || strchr(" .,:/_-()+=@", c))
			buf_put_u8(out, c);
		else
			buf_printf(out, "#%u;", c);
	}
}

static void put_label(struct sequence *s, struct buf *out, const struct ladder_arrow *a)
{
	buf_clear(&s->label);
	ladder_label(a, &s->label);
	buf_put_u8(&s->label, 0);
	if (!buf_error(&s->label))
		put_safe(s, out, (const char *)s->label.data);
}

static void put_participants(struct sequence *s, struct buf *out)
{
	char host[LENS_ADDRESS_TEXT];

	buf_printf(out, "    participant c%u as %s ", s->number, s->l->outlook ? "Outlook" : "client");
	put_safe(s, out, lens_host(&s->l->client, host));
	for (unsigned i = 0; i < s->l->port_count; i++) {
		bool shared = s->l->crowded && i == LADDER_PORTS - 1;
		buf_printf(out, "\n    participant s%up%u as ", s->number, i);
		put_safe(s, out, lens_host(&s->l->server, host));
		buf_printf(out, " port %u%s", s->l->ports[i].port, shared ? " and others" : "");
	}
	buf_put_u8(out, '\n');
}

static void put_arrow(struct sequence *s, struct buf *out, const struct ladder_arrow *a)
{
	const struct lens_event *e = a->event;
	bool failed = ladder_failed(a);

	if (e->from_client)
		buf_printf(out, "    c%u%ss%up%u: ", s->number, failed ? "-x" : "->>", s->number, a->port);
	else
		buf_printf(out, "    s%up%u%sc%u: ", s->number, a->port, failed ? "--x" : "-->>", s->number);
	put_label(s, out, a);
	if (!e->from_client && e->took_ns >= 0)
		buf_printf(out, " (%.*f ms)", lens_ms_decimals(e->took_ns), lens_ms(e->took_ns));
	buf_put_u8(out, '\n');
}

static void put_note(struct sequence *s, struct buf *out, const char *words)
{
	buf_printf(out, "    Note over c%u,s%up%u: %s\n", s->number, s->number, s->l->port_count - 1, words);
}

static void put_ladder(struct sequence *s, struct buf *out)
{
	size_t skip_to = s->l->count > MAX_ARROWS ? s->l->count - TAIL_ARROWS : 0;
	char words[96];

	for (size_t i = 0; i < s->l->count; i++) {
		if (skip_to && i == MAX_ARROWS - TAIL_ARROWS) {
			snprintf(words, sizeof words, "%zu arrows left out", skip_to - i);
			put_note(s, out, words);
			i = skip_to;
		}
		int64_t ns = ladder_pause(s->l, i);
		if (ns) {
			snprintf(words, sizeof words, "%.2f s: %s", (double)ns / 1e9, ladder_pause_words(s->l, i));
			put_note(s, out, words);
		}
		put_arrow(s, out, &s->l->arrows[i]);
	}
}

static void mermaid_event(struct lens_view *v, const struct lens_event *e)
{
	ladders_add(&((struct mermaid_view *)v)->ladders, v, e);
}

static void mermaid_end(struct lens_view *v, const struct lens *lens)
{
	const struct ladders *all = &((const struct mermaid_view *)v)->ladders;
	struct sequence s = {.v = v};

	(void)lens;
	buf_put_str(v->out, "sequenceDiagram\n");
	for (s.number = 0; s.number < all->count; s.number++) {
		s.l = all->all[s.number];
		put_participants(&s, v->out);
	}
	for (s.number = 0; s.number < all->count; s.number++) {
		s.l = all->all[s.number];
		put_ladder(&s, v->out);
	}
	if (!all->count)
		buf_put_str(v->out,
		            "    participant nobody\n    Note over nobody: No RPC that began in this capture.\n");
	buf_free(&s.label);
	buf_free(&s.safe);
}

static void mermaid_free(struct lens_view *v)
{
	ladders_free(&((struct mermaid_view *)v)->ladders);
}

struct lens_view *lens_mermaid_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {mermaid_event, mermaid_end, mermaid_free};

	return lens_view_alloc(sizeof(struct mermaid_view), &ops, o, out);
}
