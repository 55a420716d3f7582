#include "lens/lens-private.h"

#include "mapi/status.h"
#include "ndr/print.h"

#include <string.h>

#define MAX_FIELDS 65536u

static void add(struct lens_making *m, struct lens_field_list *l, struct lens_field f)
{
	if (l->count == MAX_FIELDS)
		return;
	if (l->count == l->cap) {
		unsigned cap = l->cap ? l->cap * 2 : 32;
		struct lens_field *more = arena_new_array(m->work, struct lens_field, cap);
		if (!more)
			return;
		if (l->count)
			memcpy(more, l->fields, l->count * sizeof *more);
		l->fields = more;
		l->cap = cap;
	}
	l->fields[l->count++] = f;
}

static const char *status_name(void *user, uint32_t code)
{
	(void)user;
	return code ? mapi_status_name(code) : "ok";
}

static const struct ndr_names names = {.status = status_name};

static const char *keep(struct lens_making *m, const char *s)
{
	const char *copy = arena_strdup(m->arena, s);
	return copy ? copy : "";
}

static void take_field(struct lens_making *m, struct lens_field_list *l, const struct ndr_field *f,
                       const struct lens_opening *o)
{
	if (f->what == NDR_FIELD_LEAVE)
		return;
	struct lens_field out = {.name = keep(m, f->name ? f->name : ""), .depth = f->depth + (o ? 1 : 0)};
	if (f->what == NDR_FIELD_LEAF) {
		const char *text = ndr_value_text_named(m->work, f, &names);
		out.value = keep(m, text ? text : "");
	} else if (f->text) {
		out.value = keep(m, f->text);
	}
	out.unpacked = o && o->packed;
	out.offset = (uint32_t)(f->offset + (o && !o->packed ? o->base : 0));
	out.size = (uint32_t)f->size;
	add(m, l, out);
}

static void take_rop_field(void *user, const struct ndr_field *f)
{
	struct lens_opening *o = user;
	lens_rewrite_note(o->making->lens, true, f);
	take_field(o->making, &o->making->rop_fields, f, o);
}

struct ndr_tracer lens_rop_tracer(struct lens_opening *o)
{
	return (struct ndr_tracer){take_rop_field, o};
}

static void take_stub_field(void *user, const struct ndr_field *f)
{
	struct lens_making *m = user;
	lens_rewrite_note(m->lens, false, f);
	if (f->what == NDR_FIELD_LEAF && f->depth == (m->call ? 1 : 0) && f->name &&
	    (strcmp(f->name, "rgb") == 0 || strcmp(f->name, "rgbIn") == 0 || strcmp(f->name, "rgbOut") == 0 ||
	     strcmp(f->name, "RopBuffer") == 0))
		m->rops_at = f->offset;
	take_field(m, &m->opened, f, NULL);
}

/* Answers need what was asked: counts of arrays that only the request carries. */
static void *arguments(struct lens_making *m)
{
	size_t size = m->method->args->size;
	const void *asked = m->request && m->event->kind == LENS_RESPONSE ? m->request->opened_args : NULL;
	return asked ? arena_copy(m->work, asked, size) : arena_alloc(m->work, size);
}

static void decode_stub(struct lens_making *m, const struct ndr_tracer *tracer)
{
	const struct rpc_event *ev = m->rpc;
	bool request = m->event->kind == LENS_REQUEST;
	void *args = arguments(m);
	if (!args)
		return;
	struct ndr n = ndr_decoder(ev->syntax, m->work, cursor_of(ev->stub, ev->stub_len));
	n.in.big_endian = ev->big_endian;
	n.lenient = true;
	n.tracer = tracer;
	if (ndr_decode_args(&n, m->method, request ? IDL_REQUEST : IDL_RESPONSE, args) < 0)
		lens_note_damage(m, n.where_offset, n.where);
	else if (m->pending)
		m->pending->opened_args = args;
}

static void open_stub(struct lens_making *m)
{
	const struct ndr_tracer tracer = {take_stub_field, m};
	if (m->call)
		lens_open_call(m, &tracer);
	else
		decode_stub(m, &tracer);
	if (!m->rop_fields.count)
		return;
	add(m, &m->opened, (struct lens_field){.name = "ROPs", .offset = (uint32_t)m->rops_at});
	for (unsigned i = 0; i < m->rop_fields.count; i++) {
		struct lens_field f = m->rop_fields.fields[i];
		if (!f.unpacked)
			f.offset += (uint32_t)m->rops_at;
		add(m, &m->opened, f);
	}
}

static void put(struct lens_making *m, unsigned depth, const char *name, const char *value)
{
	add(m, &m->opened,
	    (struct lens_field){.name = name, .value = value ? value : "", .depth = depth, .in_pdu = true});
}

static const char *syntax_text(struct lens_making *m, const struct rpc_syntax *s)
{
	char uuid[GUID_TEXT_SIZE];
	if (memcmp(s, &rpc_ndr20, sizeof *s) == 0)
		return "NDR 2.0";
	if (memcmp(s, &rpc_ndr64, sizeof *s) == 0)
		return "NDR64";
	if (rpc_is_feature_negotiation(s, NULL))
		return "bind-time features";
	const struct lens_iface *i = lens_names_get(&m->lens->names, s);
	guid_format(&s->uuid, uuid);
	return arena_printf(m->arena, "%s%s%s %u.%u", i && i->name ? i->name : "", i && i->name ? " " : "", uuid,
	                    s->major, s->minor);
}

static void open_offer(struct lens_making *m, const struct rpc_bind *b)
{
	for (unsigned c = 0; c < b->context_count; c++) {
		const struct rpc_context_item *i = &b->contexts[c];
		put(m, 0, arena_printf(m->arena, "context %u", i->id), syntax_text(m, &i->abstract));
		for (unsigned t = 0; t < i->transfer_count; t++)
			put(m, 1, "transfer syntax", syntax_text(m, &i->transfers[t]));
	}
}

static void open_results(struct lens_making *m, const struct rpc_bind *b)
{
	if (b->secondary_address && *b->secondary_address)
		put(m, 0, "secondary address", keep(m, b->secondary_address));
	for (unsigned r = 0; r < b->result_count; r++) {
		const struct rpc_context_result *x = &b->results[r];
		const char *value = mapi_code_name(MAPI_CODES_PROVIDER_RESULT, x->result);
		if (x->result == 0)
			value = arena_printf(m->arena, "accepted, %s", syntax_text(m, &x->transfer));
		else if (x->result != 3 && rpc_provider_reason_name(x->reason))
			value = arena_printf(m->arena, "refused, %s", rpc_provider_reason_name(x->reason));
		put(m, 0, arena_printf(m->arena, "context %u", r), value);
	}
}

static void open_bind(struct lens_making *m)
{
	const struct rpc_bind *b = m->rpc->bind;
	put(m, 0, "max_xmit_frag", arena_printf(m->arena, "%u", b->max_xmit_frag));
	put(m, 0, "max_recv_frag", arena_printf(m->arena, "%u", b->max_recv_frag));
	put(m, 0, "assoc_group_id", arena_printf(m->arena, "0x%08x", b->assoc_group_id));
	open_offer(m, b);
	open_results(m, b);
}

static void open_who(struct lens_making *m)
{
	struct auth_info info;
	if (!m->rpc->auth)
		return;
	auth_get_info(m->rpc->auth, &info);
	if (m->event->user)
		put(m, 0, "user", m->event->user);
	if (info.workstation)
		put(m, 0, "workstation", keep(m, info.workstation));
	if (info.target_name)
		put(m, 0, "target", keep(m, info.target_name));
}

/* Names and values in turns, each with its NUL. */
static void open_heads(struct lens_making *m)
{
	const struct buf *heads = m->call->heads;
	const char *at = heads && heads->len ? (const char *)heads->data : NULL, *end = at ? at + heads->len : NULL;
	if (at)
		add(m, &m->opened, (struct lens_field){.name = "HTTP", .in_pdu = true});
	while (at < end) {
		const char *value = at + strlen(at) + 1;
		put(m, 1, keep(m, at), keep(m, value));
		at = value + strlen(value) + 1;
	}
}

void lens_open_fields(struct lens_making *m)
{
	struct lens_event *e = m->event;
	bool call = e->kind == LENS_REQUEST || e->kind == LENS_RESPONSE;
	if (call && (m->method || (m->call && m->call->body)) && (!e->sealed || e->decrypted))
		open_stub(m);
	else if (call && m->rpc->stub_len)
		add(m, &m->opened,
		    (struct lens_field){.name = e->sealed && !e->decrypted ? "sealed" : "stub",
		                        .value = lens_hex(m->arena, m->rpc->stub, m->rpc->stub_len),
		                        .size = (uint32_t)m->rpc->stub_len});
	if (m->call)
		open_heads(m);
	if (m->rpc->bind)
		open_bind(m);
	if (e->kind == LENS_BIND || e->kind == LENS_ALTER || e->kind == LENS_AUTH3)
		open_who(m);
	e->field_count = m->opened.count;
	e->fields = arena_copy(m->arena, m->opened.fields ? m->opened.fields : (void *)"",
	                       m->opened.count * sizeof *m->opened.fields);
}
