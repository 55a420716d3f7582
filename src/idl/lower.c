#include "idl/private.h"

#include <string.h>

/*
 * From types as declared to types as they lie on the wire: which kind a pointer
 * is (C706 4.2.20, [MS-RPCE] 2.2.4.9), which arrays are conformant or varying,
 * what is a string. One walk from the outermost level to the innermost; level
 * counts pointers and arrays, as the dimensions of size_is do.
 */

struct lower {
	struct idl_parser *p;
	struct idl_member *m;
	enum idl_place place;
	bool pointer_used; /* an explicit ref, unique or ptr was given to a pointer */
	bool by_value;     /* neither behind a pointer nor in an array: range applies */
	bool status;
	bool behind_pointer;
	unsigned depth;
};

static struct idl_itype *lower(struct lower *l, const struct idl_node *n, const struct idl_attrs *a, unsigned level);

/* The attributes of a use over those of the typedef that it uses; levels begin anew at the typedef. */
static const struct idl_attrs *merge_attrs(struct lower *l, const struct idl_attrs *use, unsigned level,
                                           const struct idl_attrs *def)
{
	struct idl_attrs *m = idl_new(l->p, struct idl_attrs);

	if (!m)
		return use;
	*m = *def;
	m->flags =
	        (use->flags & ~ATTR_RANGE) |
	        (def->flags & (ATTR_STRING | ATTR_HEX | ATTR_STATUS | ATTR_IGNORE | ATTR_CONTEXT_HANDLE | ATTR_RANGE));
	if (l->pointer_used) { /* the use's went to an outer pointer; the typedef's is for its own */
		l->pointer_used = !def->has_pointer;
	} else if (use->has_pointer) {
		m->has_pointer = true;
		m->pointer = use->pointer;
	}
	for (unsigned i = 0; level + i < IDL_MAX_DIMENSIONS; i++) {
		unsigned from = level + i;
		m->size_is[i] = use->size_is[from] ? use->size_is[from] : def->size_is[i];
		m->max_is[i] = use->max_is[from] ? use->max_is[from] : def->max_is[i];
		m->length_is[i] = use->length_is[from] ? use->length_is[from] : def->length_is[i];
		m->first_is[i] = use->first_is[from] ? use->first_is[from] : def->first_is[i];
		m->last_is[i] = use->last_is[from] ? use->last_is[from] : def->last_is[i];
	}
	return m;
}

static const struct idl_node *peel(const struct idl_node *n)
{
	while (n && n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	return n;
}

/* A type of 8 or 16 bits whose arrays may be strings; its size, or 0. */
static unsigned text_size(const struct idl_node *n)
{
	n = peel(n);
	if (n->kind != NODE_TYPE || n->type->t.kind != IDL_INT || n->type->t.size > 2)
		return 0;
	return n->type->t.size;
}

static const struct idl_source_expr *dimension(const struct idl_source_expr *const *of, unsigned level)
{
	return level < IDL_MAX_DIMENSIONS ? of[level] : NULL;
}

/* a op b as an expression of its own; add is added at the end. */
static const struct idl_source_expr *combine(struct idl_parser *p, const struct idl_source_expr *a,
                                             const struct idl_source_expr *b, int64_t add)
{
	unsigned nb = b ? b->count + 1 : 0, n = a->count + nb + (add ? 2 : 0);
	struct idl_source_expr *e = idl_new(p, struct idl_source_expr);
	struct idl_term *t = idl_alloc(p, n, sizeof *t);

	if (!e || !t)
		return NULL;
	memcpy(t, a->terms, a->count * sizeof *t);
	if (b) {
		memcpy(t + a->count, b->terms, b->count * sizeof *t);
		t[a->count + b->count] = (struct idl_term){.code = IDL_OP_SUB};
	}
	if (add) {
		t[a->count + nb] = (struct idl_term){IDL_OP_CONST, add, NULL};
		t[a->count + nb + 1] = (struct idl_term){.code = IDL_OP_ADD};
	}
	*e = (struct idl_source_expr){t, n, a->line, a->what};
	return e;
}

/* size_is(n) or max_is(n - 1) */
static const struct idl_source_expr *size_of(struct lower *l, const struct idl_attrs *a, unsigned level)
{
	const struct idl_source_expr *max = dimension(a->max_is, level), *size = dimension(a->size_is, level);

	return size || !max ? size : combine(l->p, max, NULL, 1);
}

/* length_is(n), last_is(n - 1), or what first_is leaves */
static const struct idl_source_expr *length_of(struct lower *l, const struct idl_attrs *a, unsigned level)
{
	const struct idl_source_expr *length = dimension(a->length_is, level), *first = dimension(a->first_is, level);
	const struct idl_source_expr *last = dimension(a->last_is, level), *size = size_of(l, a, level);

	if (length)
		return length;
	if (last)
		return combine(l->p, last, first, 1);
	return first && size ? combine(l->p, size, first, 0) : NULL;
}

static void pend(struct lower *l, struct idl_expr *to, const struct idl_source_expr *from)
{
	struct idl_pending *w;

	if (!from || !(w = idl_new(l->p, struct idl_pending)))
		return;
	*w = (struct idl_pending){to, from};
	idl_push(l->p, &l->m->pending, w);
}

static const char *member_name(const struct idl_member *m)
{
	return m->name ? m->name->text : "";
}

static void need_complete(struct lower *l, const struct idl_itype *t)
{
	if (!t->complete && (t->t.kind == IDL_STRUCT || t->t.kind == IDL_UNION))
		idl_fail_at(l->p, l->m->line, "'%.60s' is of type '%.60s', which is not complete here",
		            member_name(l->m), t->t.name ? t->t.name : "struct");
}

/* What an array cannot be made of. */
static void check_element(struct idl_parser *p, const struct idl_type *e, const char *name, unsigned line)
{
	if (e->size == 0)
		idl_fail_at(p, line, "the elements of '%.60s' have no size", name);
	if (e->kind == IDL_STRUCT && e->v1_aligned)
		idl_fail_at(p, line, "'%.60s' is an array of structs that end in an array without a fixed size", name);
}

/* Behind a pointer, an array may be of a struct that is still open, such as the one it stands in. */
static void element_later(struct lower *l, struct idl_itype *array)
{
	struct idl_late *late = idl_new(l->p, struct idl_late);

	if (!late)
		return;
	*late = (struct idl_late){array, member_name(l->m), l->m->line};
	idl_push(l->p, &l->p->late, late);
}

void idl_close_arrays(struct idl_parser *p)
{
	for (size_t i = 0; i < p->late.n && !p->lex.failed; i++) {
		const struct idl_late *late = p->late.items[i];
		const struct idl_type *e = late->array->t.element;

		check_element(p, e, late->name, late->line);
		late->array->t.wire_align = e->wire_align;
		late->array->t.wire_align64 = e->wire_align64;
	}
}

static struct idl_itype *element(struct lower *l, const struct idl_node *n, const struct idl_attrs *a, unsigned level,
                                 struct idl_itype *array)
{
	struct idl_parser *p = l->p;
	struct idl_itype *e;
	bool by_value = l->by_value, behind = l->behind_pointer;

	if (a->flags & ATTR_STRING && text_size(n))
		return text_size(n) == 1 ? p->char_type : p->wchar_type;
	l->by_value = l->behind_pointer = false;
	e = lower(l, n, a, level);
	l->by_value = by_value;
	if (behind && !e->complete) {
		element_later(l, array);
		return e;
	}
	need_complete(l, e);
	if (!p->lex.failed)
		check_element(p, &e->t, member_name(l->m), l->m->line);
	if (!p->lex.failed && e->t.kind == IDL_ARRAY && e->t.array & IDL_ARRAY_CONFORMANT &&
	    !(e->t.array & IDL_ARRAY_STRING) && l->place != PLACE_PACKED)
		idl_fail_at(p, l->m->line, "'%.60s' has more than one dimension without a fixed size",
		            member_name(l->m));
	return e;
}

static void fixed_layout(struct lower *l, struct idl_itype *t, const struct idl_itype *e)
{
	uint64_t size = (uint64_t)e->t.size * t->t.fixed_count;

	t->soft = e->soft;
	t->t.align = e->t.align;
	t->t.size = (uint32_t)size;
	if (size > IDL_MAX_SIZE)
		idl_fail_at(l->p, l->m->line, "'%.60s' is larger than %u bytes", member_name(l->m), IDL_MAX_SIZE);
}

/* An array of elements n; count is 0 for an open one. */
static struct idl_itype *make_array(struct lower *l, const struct idl_node *n, const struct idl_attrs *a,
                                    unsigned level, uint32_t count)
{
	bool string = a->flags & ATTR_STRING && text_size(n), rest = a->flags & ATTR_UNTIL_END && !count;
	const struct idl_source_expr *size = size_of(l, a, level), *length = length_of(l, a, level);
	struct idl_itype *t = idl_new_type(l->p, IDL_ARRAY, NULL), *e = element(l, n, a, level + 1, t);

	t->complete = true;
	t->t.element = &e->t;
	t->t.array = (uint8_t)((string ? IDL_ARRAY_STRING | IDL_ARRAY_VARYING : 0) | (length ? IDL_ARRAY_VARYING : 0) |
	                       (size || (string && !count) ? IDL_ARRAY_CONFORMANT : 0) | (rest ? IDL_ARRAY_REST : 0));
	t->t.fixed_count = size ? 0 : count;
	if (!count && !size && !string && !rest)
		idl_fail_at(l->p, l->m->line, "array '%.60s' needs size_is", member_name(l->m));
	if (rest && l->place != PLACE_PACKED)
		idl_fail_at(l->p, l->m->line, "until_end is for packed structs");
	pend(l, &t->t.size_is, size);
	pend(l, &t->t.length_is, length);
	t->t.wire_align = e->t.wire_align; /* of an open struct: idl_close_arrays */
	t->t.wire_align64 = e->t.wire_align64;
	t->t.size = t->t.align = sizeof(void *);
	if (!t->t.array)
		fixed_layout(l, t, e);
	return t;
}

static struct idl_itype *opaque(struct lower *l)
{
	return l->p->opaque_type;
}

static enum idl_pointer pointer_of(struct lower *l, const struct idl_attrs *a, unsigned level)
{
	if (a->has_pointer && !l->pointer_used) {
		l->pointer_used = true;
		return a->pointer;
	}
	if (level == 0 && l->depth == 0 && l->place == PLACE_PARAMETER)
		return IDL_REF;
	return l->p->pointer_default;
}

static struct idl_itype *make_pointer(struct lower *l, enum idl_pointer kind, struct idl_itype *to)
{
	struct idl_itype *t = idl_new_type(l->p, IDL_POINTER, NULL);

	t->t.pointer = kind;
	t->t.element = &to->t;
	t->t.size = t->t.align = sizeof(void *);
	t->t.wire_align = 4;
	t->t.wire_align64 = 8;
	t->complete = true;
	return t;
}

static bool is_sized(struct lower *l, const struct idl_node *to, const struct idl_attrs *a, unsigned level)
{
	return size_of(l, a, level) || length_of(l, a, level) || (a->flags & ATTR_STRING && text_size(to)) ||
	       (a->flags & ATTR_UNTIL_END && l->place == PLACE_PACKED);
}

static struct idl_itype *pointee(struct lower *l, const struct idl_node *to, const struct idl_attrs *a, unsigned level)
{
	struct idl_itype *t;
	unsigned depth = l->depth;
	bool by_value = l->by_value;

	l->depth++;
	if (is_sized(l, to, a, level)) {
		l->behind_pointer = true;
		t = make_array(l, to, a, level, 0);
		l->behind_pointer = false;
	} else {
		l->by_value = false;
		t = lower(l, to, a, level + 1);
	}
	l->depth = depth;
	l->by_value = by_value;
	return t;
}

static struct idl_itype *lower_pointer(struct lower *l, const struct idl_node *n, const struct idl_attrs *a,
                                       unsigned level)
{
	const struct idl_node *to = peel(n->to);
	enum idl_pointer kind;
	struct idl_itype *t;
	bool top = level == 0 && l->depth == 0 && l->place == PLACE_PARAMETER;

	if (a->flags & ATTR_CONTEXT_HANDLE && to->kind != NODE_POINTER)
		return l->p->context_type;
	if (l->place == PLACE_PACKED) {
		if (is_sized(l, to, a, level))
			return make_array(l, n->to, a, level, 0);
		idl_fail_at(l->p, l->m->line, "'%.60s' in a packed struct needs size_is, string or until_end",
		            member_name(l->m));
		return opaque(l);
	}
	kind = pointer_of(l, a, level);
	if (to->kind == NODE_TYPE &&
	    (to->type->t.kind == IDL_OPAQUE || (to->type->t.kind == IDL_VOID && !(a->flags & ATTR_IGNORE))))
		return opaque(l);
	if (top && kind == IDL_REF) {
		l->m->collapsed = true;
		if (is_sized(l, n->to, a, level))
			return make_array(l, n->to, a, level, 0);
		l->depth++; /* what is inside is embedded */
		t = lower(l, n->to, a, level + 1);
		l->depth--;
		need_complete(l, t);
		return t;
	}
	return make_pointer(l, kind, pointee(l, n->to, a, level));
}

static struct idl_itype *lower_array(struct lower *l, const struct idl_node *n, const struct idl_attrs *a,
                                     unsigned level)
{
	bool top = level == 0 && l->depth == 0 && l->place == PLACE_PARAMETER;
	struct idl_itype *t;
	unsigned depth = l->depth;

	l->depth++;
	t = make_array(l, n->to, a, level, n->open ? 0 : n->count);
	l->depth = depth;
	/* [unique] T x[]: a pointer to the array, unless there are pointers in it to take the attribute */
	if (top && a->has_pointer && !l->pointer_used && a->pointer != IDL_REF && t->t.array) {
		l->pointer_used = true;
		return make_pointer(l, a->pointer, t);
	}
	return t;
}

/* A typedef lends its attributes to the level at which it stands. */
static struct idl_itype *lower_typedef(struct lower *l, const struct idl_typedef *td, const struct idl_attrs *a,
                                       unsigned level)
{
	const struct idl_node *n = peel(td->node);
	const struct idl_attrs *m = merge_attrs(l, a, level, td->attrs);
	unsigned depth = l->depth;
	struct idl_itype *t;

	if (n->kind == NODE_TYPE) {
		if (l->by_value && td->attrs->flags & ATTR_RANGE && !(l->m->field.flags & IDL_FIELD_RANGE)) {
			l->m->field.flags |= IDL_FIELD_RANGE;
			l->m->field.min = td->attrs->min;
			l->m->field.max = td->attrs->max;
		}
	}
	/* a typedef of a pointer inside another level is embedded, though its levels begin at 0 */
	if (level > 0)
		l->depth++;
	t = lower(l, td->node, m, 0);
	l->depth = depth;
	return t;
}

static struct idl_itype *lower(struct lower *l, const struct idl_node *n, const struct idl_attrs *a, unsigned level)
{
	struct idl_itype *t = opaque(l);

	if (l->p->lex.failed || !idl_enter(l->p))
		return t;
	switch (n->kind) {
	case NODE_TYPE:
		t = n->type;
		l->status |= t->status;
		if (a->flags & ATTR_HEX)
			t = idl_hex_of(l->p, t);
		break;
	case NODE_TYPEDEF:
		t = lower_typedef(l, n->alias, a, level);
		break;
	case NODE_POINTER:
		t = lower_pointer(l, n, a, level);
		break;
	case NODE_ARRAY:
		t = lower_array(l, n, a, level);
		break;
	}
	idl_leave(l->p);
	return t;
}

static uint32_t direction_flags(const struct idl_attrs *a, bool is_result)
{
	uint32_t f = (a->flags & ATTR_IN ? IDL_FIELD_IN : 0) | (a->flags & ATTR_OUT ? IDL_FIELD_OUT : 0);

	if (is_result)
		return IDL_FIELD_OUT | IDL_FIELD_RETURN;
	return f ? f : IDL_FIELD_IN;
}

static void member_flags(struct lower *l, const struct idl_attrs *a, enum idl_place place)
{
	struct idl_field *f = &l->m->field;
	bool number = f->type->kind == IDL_INT || f->type->kind == IDL_ENUM;

	if (a->flags & ATTR_RANGE && number) {
		f->flags |= IDL_FIELD_RANGE;
		f->min = a->min;
		f->max = a->max;
	}
	if (!number)
		f->flags &= ~(uint32_t)IDL_FIELD_RANGE;
	if (a->flags & ATTR_IGNORE && f->type->kind == IDL_POINTER)
		f->flags |= IDL_FIELD_IGNORE;
	if (a->flags & ATTR_DEFAULT && (place == PLACE_ARM || place == PLACE_PACKED))
		f->flags |= IDL_FIELD_DEFAULT;
	if (a->flags & ATTR_STATUS || (l->status && number))
		f->flags |= IDL_FIELD_STATUS;
	if (f->type == &l->p->handle_type->t)
		f->flags |= IDL_FIELD_HANDLE_ONLY;
}

/* Fills m->field but for offset and expressions, which wait in m->pending. */
void idl_lower_member(struct idl_parser *p, struct idl_member *m, enum idl_place place)
{
	const struct idl_attrs *a = m->attrs;
	struct lower l = {.p = p, .m = m, .place = place, .by_value = true};
	struct idl_itype *t;

	if (!m->node || p->lex.failed)
		return;
	m->field.name = m->name ? m->name->text : "";
	if (a->flags & ATTR_IID_IS && place != PLACE_PACKED)
		t = p->opaque_type;
	else
		t = lower(&l, m->node, a, 0);
	need_complete(&l, t);
	if (p->lex.failed)
		return;
	m->field.type = &t->t;
	if (place == PLACE_PARAMETER || place == PLACE_RESULT)
		m->field.flags |= direction_flags(a, place == PLACE_RESULT);
	member_flags(&l, a, place);
	pend(&l, &m->field.switch_is, idl_innermost(&t->t)->kind == IDL_UNION ? a->switch_is : NULL);
	pend(&l, &m->field.present_if, a->present_if);
	pend(&l, &m->field.bound_is, a->bound_is);
	pend(&l, &m->field.ends_if, a->ends_if);
	if (t->t.kind == IDL_VOID && m->name && !(m->field.flags & IDL_FIELD_HANDLE_ONLY))
		idl_fail_at(p, m->line, "'%.60s' is void", m->field.name);
	if (t->t.kind == IDL_UNION && !a->switch_is && !t->encapsulated)
		idl_fail_at(p, m->line, "union '%.60s' needs switch_is", m->field.name);
	if ((a->present_if || a->bound_is || a->ends_if) && place != PLACE_PACKED)
		idl_fail_at(p, m->line, "present_if, bound_is and ends_if are for packed structs");
}
