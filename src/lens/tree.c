#include "lens/view-private.h"

#include <inttypes.h>
#include <string.h>

struct tree {
	struct lens_view v;
	uint64_t frame;
	unsigned found;
};

static void put_row(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, "%-10s ", name);
	lens_put_cut(out, value, 0);
	buf_put_u8(out, '\n');
}

static void put_title(struct tree *t, const struct lens_event *e)
{
	struct buf *out = t->v.out;
	struct lens_style badge, text;
	const struct lens_style bold = {-1, -1, true};

	lens_colors_pick(t->v.o.color ? t->v.o.colors : NULL, e, &badge, &text);
	if (t->found > 1)
		buf_put_u8(out, '\n');
	lens_put_style(&t->v, out, &bold);
	buf_printf(out, "Frame %" PRIu64, e->frame);
	if (e->last_frame != e->frame)
		buf_printf(out, " to %" PRIu64, e->last_frame);
	lens_put_plain(&t->v, out, &bold);
	buf_printf(out, "  %.6f s  ", lens_view_seconds(&t->v, e->time_ns));
	lens_put_style(&t->v, out, &badge);
	buf_put_u8(out, ' ');
	lens_put_cut(out, lens_service_label(e->service, e->iface_name), 0);
	buf_put_u8(out, ' ');
	lens_put_plain(&t->v, out, &badge);
	buf_printf(out, " %s: ", lens_kind_name(e->kind));
	lens_put_style(&t->v, out, &text);
	lens_put_cut(out, e->summary, 0);
	lens_put_plain(&t->v, out, &text);
	buf_put_u8(out, '\n');
}

static void put_facts(struct tree *t, const struct lens_event *e)
{
	struct buf *out = t->v.out;
	char src[LENS_ADDRESS_TEXT], dst[LENS_ADDRESS_TEXT];
	const struct lens_conn *c = e->conn;

	buf_printf(out, c->datagrams ? "%-10s %s → %s, datagrams %u\n" : "%-10s %s → %s, connection %u\n", "from",
	           lens_address_format(e->from_client ? &c->client : &c->server, src),
	           lens_address_format(e->from_client ? &c->server : &c->client, dst), c->number);
	if (e->has_call)
		buf_printf(out, "%-10s %u\n", "call", e->call_id);
	if (e->op)
		put_row(out, "method", e->op);
	put_row(out, "interface", e->iface);
	put_row(out, "status", e->status);
	put_row(out, "user", e->user);
	if (e->kind >= LENS_BIND && e->kind <= LENS_SHUTDOWN && e->auth != AUTH_NONE)
		buf_printf(out, "%-10s %s, level %s%s\n", "protected", auth_type_name(e->auth),
		           auth_level_name(e->level),
		           e->decrypted ? "; opened with your secret"
		           : e->sealed  ? "; sealed"
		                        : "");
	put_row(out, "signature", lens_signature_name(e->signature));
	put_row(out, "sealed", e->why_sealed);
	if (e->encoding)
		buf_printf(out, "%-10s %s%s%s\n", "encoded", e->encoding & LENS_ENCODING_LZ ? "compressed" : "",
		           e->encoding == (LENS_ENCODING_LZ | LENS_ENCODING_XOR) ? ", " : "",
		           e->encoding & LENS_ENCODING_XOR ? "obfuscated (XOR 0xA5)" : "");
	if (e->took_ns >= 0 && !lens_asks(e))
		buf_printf(out, "%-10s %.3f ms\n", "took", lens_ms(e->took_ns));
	put_row(out, "damaged", e->damaged);
}

static void put_field(struct tree *t, const struct lens_field *f)
{
	struct buf *out = t->v.out;
	unsigned depth = f->depth < 32 ? f->depth : 32;
	const struct lens_style name = {6, -1, false};

	if (f->size)
		buf_printf(out, "%6u %6u  ", f->offset, f->size);
	else
		buf_printf(out, "%6u         ", f->offset);
	lens_put_spaces(out, (size_t)depth * 2);
	lens_put_style(&t->v, out, &name);
	lens_put_cut(out, f->name, 0);
	lens_put_plain(&t->v, out, &name);
	if (f->value) {
		buf_put_str(out, ": ");
		lens_put_cut(out, f->value, 0);
	}
	buf_put_u8(out, '\n');
}

static void put_fields(struct tree *t, const struct lens_event *e)
{
	const char *place = NULL;

	for (unsigned i = 0; i < e->field_count; i++) {
		const struct lens_field *f = &e->fields[i];
		const char *here = f->in_pdu ? "PDU" : f->unpacked ? "decompressed data" : "stub";

		if (here != place)
			buf_printf(t->v.out, "offset   size  in the %s\n", here);
		place = here;
		put_field(t, f);
	}
}

static void tree_event(struct lens_view *v, const struct lens_event *e)
{
	struct tree *t = (struct tree *)v;

	if (e->frame > t->frame || e->last_frame < t->frame || !lens_view_wants(v, e))
		return;
	t->found++;
	put_title(t, e);
	put_facts(t, e);
	put_fields(t, e);
}

static void tree_end(struct lens_view *v, const struct lens *lens)
{
	struct tree *t = (struct tree *)v;

	(void)lens;
	if (!t->found)
		buf_printf(v->out,
		           "Frame %" PRIu64 " holds no RPC. The list (without --tree) shows the frames that do.\n",
		           t->frame);
}

struct lens_view *lens_tree_new(const struct lens_view_options *o, uint64_t frame, struct buf *out)
{
	static const struct lens_view_ops ops = {tree_event, tree_end, NULL};
	struct lens_view *v = lens_view_alloc(sizeof(struct tree), &ops, o, out);

	if (v)
		((struct tree *)v)->frame = frame;
	return v;
}
