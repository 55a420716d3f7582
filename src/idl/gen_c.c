#include "idl/gen.h"

#include <string.h>

const char *idl_c_tag(struct gen *g, const struct idl_itype *t)
{
	const char *s = t->t.name;

	if (!s && t->outer)
		s = arena_printf(g->arena, "%s_%s", idl_c_tag(g, t->outer), t->outer_field);
	else if (!s)
		s = arena_printf(g->arena, "anonymous_%u", t->serial);
	if (!s)
		g->failed = MW_E_NOMEM;
	return s ? s : "";
}

static const char *base_text(struct gen *g, const struct idl_type *t)
{
	const char *s = NULL;

	switch (t->kind) {
	case IDL_INT:
		if (t->is_char)
			return t->size == 1 ? "char" : "uint16_t";
		s = arena_printf(g->arena, "%sint%u_t", t->is_signed ? "" : "u", t->size * 8);
		break;
	case IDL_FLOAT:
		return t->size == 4 ? "float" : "double";
	case IDL_ENUM:
		return "uint32_t";
	case IDL_GUID:
		return "struct guid";
	case IDL_CONTEXT_HANDLE:
		return "struct idl_context_handle";
	case IDL_STRUCT:
	case IDL_UNION:
		s = arena_printf(g->arena, "%s %s", t->kind == IDL_UNION ? "union" : "struct",
		                 idl_c_tag(g, idl_itype(t)));
		break;
	case IDL_SHAPED:
		return idl_itype(t)->c_name;
	case IDL_VOID:
	case IDL_OPAQUE:
	default:
		return "void *";
	}
	if (!s)
		g->failed = MW_E_NOMEM;
	return s ? s : "";
}

/* A pointer to an array without a fixed size is one pointer in C, as the array by itself is. */
static const struct idl_type *skip_pointer(const struct idl_type *t)
{
	return t->kind == IDL_POINTER && t->element->kind == IDL_ARRAY && t->element->array ? t->element : t;
}

const char *idl_c_declare(struct gen *g, const struct idl_type *t, const char *name)
{
	const char *s = name;

	for (t = skip_pointer(t); s && (t->kind == IDL_POINTER || t->kind == IDL_ARRAY); t = skip_pointer(t->element)) {
		if (t->kind == IDL_ARRAY && !t->array)
			s = arena_printf(g->arena, *s == '*' ? "(%s)[%u]" : "%s[%u]", s, t->fixed_count);
		else
			s = arena_printf(g->arena, "*%s", s);
	}
	const char *base = base_text(g, t);
	if (s)
		s = arena_printf(g->arena, "%s%s%s", base, *s && *base && base[strlen(base) - 1] != '*' ? " " : "", s);
	if (!s)
		g->failed = MW_E_NOMEM;
	return s ? s : "";
}

static void reach(struct gen *g, struct idl_vec *todo, const struct idl_type *type)
{
	struct idl_itype *t = idl_itype(type);

	if (!type || t->emit_id)
		return;
	t->emit_id = t->exported ? 1 : ++g->locals;
	if (todo->n == todo->cap) {
		size_t cap = todo->cap ? todo->cap * 2 : 256;
		void **items = arena_new_array(g->arena, void *, cap);
		if (!items) {
			g->failed = MW_E_NOMEM;
			return;
		}
		if (todo->n)
			memcpy(items, todo->items, todo->n * sizeof *items);
		todo->items = items;
		todo->cap = cap;
	}
	todo->items[todo->n++] = t;
}

void idl_gen_reach(struct gen *g)
{
	struct idl_vec *v = &g->reached;
	const struct idl_module *m = g->unit->module;

	for (uint32_t i = 0; i < m->type_count; i++)
		reach(g, v, m->types[i]);
	for (unsigned i = 0; i < m->interface_count; i++)
		for (unsigned k = 0; k < m->interfaces[i]->method_count; k++)
			reach(g, v, m->interfaces[i]->methods[k].args);
	for (size_t i = 0; i < v->n && !g->failed; i++) {
		const struct idl_itype *t = v->items[i];

		if (t->exported && t->origin == IDL_IMPORTED)
			continue;
		for (unsigned k = 0; k < t->t.field_count; k++)
			reach(g, v, t->t.fields[k].type);
		reach(g, v, t->t.element);
		reach(g, v, t->t.switch_type);
	}
}
