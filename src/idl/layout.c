#include "idl/private.h"

#include <string.h>

/* Structs, unions and parameters once all their members are known. */

struct idl_itype *idl_empty_args(struct idl_parser *p)
{
	if (!p->empty_args) {
		p->empty_args = idl_new_type(p, IDL_STRUCT, NULL);
		p->empty_args->is_args = p->empty_args->complete = true;
	}
	return p->empty_args;
}

static struct idl_member *member(const struct idl_vec *v, size_t i)
{
	return v->items[i];
}

static bool takes_room(const struct idl_field *f)
{
	return f->type->kind != IDL_VOID;
}

/* Offsets as a C compiler gives them; a union's are 0. */
static void lay_out(struct idl_parser *p, struct idl_itype *s, struct idl_vec *members)
{
	bool is_union = s->t.kind == IDL_UNION;
	uint64_t at = 0, size = 0;

	for (size_t i = 0; i < members->n; i++) {
		struct idl_field *f = &member(members, i)->field;
		uint64_t align = f->type->align;

		if (!takes_room(f))
			continue;
		s->soft |= idl_itype(f->type)->soft;
		at = is_union ? 0 : (at + align - 1) / align * align;
		f->offset = (uint32_t)at;
		at += f->type->size;
		if (at > size)
			size = at;
		if (align > s->t.align)
			s->t.align = (uint32_t)align;
		if (size > IDL_MAX_SIZE) {
			idl_fail_at(p, member(members, i)->line, "this is larger than %u bytes", IDL_MAX_SIZE);
			return;
		}
	}
	s->t.size = (uint32_t)((size + s->t.align - 1) / s->t.align * s->t.align);
}

static void wire_alignment(struct idl_itype *s, const struct idl_vec *members)
{
	if (s->t.packed)
		return;
	for (size_t i = 0; i < members->n; i++) {
		const struct idl_type *t = member(members, i)->field.type;

		if (t->wire_align > s->t.wire_align)
			s->t.wire_align = t->wire_align;
		if (t->wire_align64 > s->t.wire_align64)
			s->t.wire_align64 = t->wire_align64;
	}
}

/* In a packed struct an expression may name only what was read before. */
static void resolve_member(struct idl_parser *p, const struct idl_itype *s, struct idl_vec *members, size_t i)
{
	struct idl_member *const *all = (struct idl_member *const *)members->items;
	struct idl_member *m = member(members, i);

	for (size_t k = 0; k < m->pending.n; k++) {
		const struct idl_pending *w = m->pending.items[k];
		size_t limit = !s->t.packed ? members->n : w->to == &m->field.ends_if ? i + 1 : i;

		idl_resolve(p, w->from, w->to, all, members->n, limit);
	}
}

static void copy_fields(struct idl_parser *p, struct idl_itype *s, const struct idl_vec *members)
{
	struct idl_field *f = idl_alloc(p, members->n, sizeof *f);

	if (p->lex.failed)
		return;
	for (size_t i = 0; i < members->n; i++)
		f[i] = member(members, i)->field;
	s->t.fields = f;
	s->t.field_count = (uint16_t)members->n;
}

static bool is_conformant(const struct idl_type *t)
{
	return (t->kind == IDL_ARRAY && t->array & IDL_ARRAY_CONFORMANT) || (t->kind == IDL_STRUCT && t->v1_aligned);
}

static bool is_wrong_form(const struct idl_type *t, bool packed)
{
	while (t->kind == IDL_ARRAY)
		t = t->element;
	return (t->kind == IDL_STRUCT || t->kind == IDL_UNION) && t->packed != packed;
}

static void check_struct(struct idl_parser *p, struct idl_itype *s, const struct idl_vec *members)
{
	for (size_t i = 0; i < members->n && !p->lex.failed; i++) {
		const struct idl_member *m = member(members, i);
		const struct idl_type *t = m->field.type;
		bool last = i + 1 == members->n;

		if (is_wrong_form(t, s->t.packed))
			idl_fail_at(p, m->line, "'%.60s': packed and NDR types do not mix", m->field.name);
		if (s->t.packed && t->kind == IDL_ARRAY && t->array & IDL_ARRAY_REST && !last)
			idl_fail_at(p, m->line, "'%.60s' goes on until the end, so it must be the last field",
			            m->field.name);
		if (s->t.packed || s->is_args || !is_conformant(t))
			continue;
		if (!last)
			idl_fail_at(p, m->line, "'%.60s' has no fixed size, so it must be the last field",
			            m->field.name);
		s->t.v1_aligned = true;
	}
}

const struct idl_type *idl_innermost(const struct idl_type *t)
{
	while (t->kind == IDL_POINTER || t->kind == IDL_ARRAY)
		t = t->element;
	return t;
}

/* A union behind a field without switch_type: of the field that it switches on. */
static void infer_switch_type(struct idl_parser *p, const struct idl_itype *s, const struct idl_vec *members)
{
	for (size_t i = 0; i < members->n; i++) {
		const struct idl_field *f = &member(members, i)->field;
		struct idl_itype *u = idl_itype(idl_innermost(f->type));
		const struct idl_op *op = f->switch_is.ops;

		if (u->t.kind != IDL_UNION || u->encapsulated || u->t.switch_type || s->t.packed)
			continue;
		if (op && f->switch_is.count == 1 && op->code == IDL_OP_FIELD)
			u->t.switch_type = member(members, (size_t)op->value)->field.type;
		else
			u->t.switch_type = &idl_int_type(p, 4, true)->t;
		if (u->t.switch_type->wire_align > u->t.wire_align)
			u->t.wire_align = u->t.switch_type->wire_align;
		if (u->t.switch_type->wire_align64 > u->t.wire_align64)
			u->t.wire_align64 = u->t.switch_type->wire_align64;
	}
}

void idl_complete_struct(struct idl_parser *p, struct idl_itype *s, struct idl_vec *members, enum idl_place place)
{
	for (size_t i = 0; i < members->n && !p->lex.failed; i++) {
		bool result =
		        s->is_args && i + 1 == members->n && strcmp(member(members, i)->name->text, "ReturnValue") == 0;
		idl_lower_member(p, member(members, i), result ? PLACE_RESULT : place);
	}
	for (size_t i = 0; i < members->n && !p->lex.failed; i++)
		resolve_member(p, s, members, i);
	if (p->lex.failed)
		return;
	infer_switch_type(p, s, members);
	lay_out(p, s, members);
	wire_alignment(s, members);
	check_struct(p, s, members);
	copy_fields(p, s, members);
	s->complete = true;
	idl_declare_type(p, s);
}

/* The constants of an arm; each value belongs to one arm only. */
static void arm_cases(struct idl_parser *p, struct idl_member *m)
{
	const struct idl_vec *v = &m->attrs->cases;
	int64_t *flat = idl_alloc(p, v->n, sizeof *flat);

	if (p->lex.failed)
		return;
	if (v->n > UINT16_MAX) {
		idl_fail_at(p, m->line, "an arm has more than %d cases", UINT16_MAX);
		return;
	}
	for (size_t i = 0; i < v->n; i++)
		flat[i] = *(int64_t *)v->items[i];
	m->field.cases = flat;
	m->field.case_count = (uint16_t)v->n;
}

static void check_arms(struct idl_parser *p, struct idl_itype *u, const struct idl_vec *arms)
{
	size_t defaults = 0;

	for (size_t i = 0; i < arms->n && !p->lex.failed; i++) {
		const struct idl_member *m = member(arms, i);

		defaults += (m->field.flags & IDL_FIELD_DEFAULT) != 0;
		if (defaults > 1)
			idl_fail_at(p, m->line, "a union has one default");
		if (is_conformant(m->field.type) && !u->t.packed)
			idl_fail_at(p, m->line, "'%.60s': an arm of a union has a fixed size", m->field.name);
		if (is_wrong_form(m->field.type, u->t.packed))
			idl_fail_at(p, m->line, "'%.60s': packed and NDR types do not mix", m->field.name);
	}
}

void idl_complete_union(struct idl_parser *p, struct idl_itype *u, struct idl_vec *arms)
{
	for (size_t i = 0; i < arms->n && !p->lex.failed; i++) {
		struct idl_member *m = member(arms, i);
		idl_lower_member(p, m, u->t.packed ? PLACE_PACKED : PLACE_ARM);
		arm_cases(p, m);
	}
	for (size_t i = 0; i < arms->n && !p->lex.failed; i++)
		resolve_member(p, u, arms, i);
	if (p->lex.failed)
		return;
	lay_out(p, u, arms);
	wire_alignment(u, arms);
	if (u->t.switch_type && !u->t.packed) {
		if (u->t.switch_type->wire_align > u->t.wire_align)
			u->t.wire_align = u->t.switch_type->wire_align;
		if (u->t.switch_type->wire_align64 > u->t.wire_align64)
			u->t.wire_align64 = u->t.switch_type->wire_align64;
	}
	check_arms(p, u, arms);
	copy_fields(p, u, arms);
	u->complete = true;
	idl_declare_type(p, u);
}
