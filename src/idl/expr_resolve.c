#include "idl/private.h"

#include <string.h>

static bool is_integer(const struct idl_type *t)
{
	return t->kind == IDL_INT || t->kind == IDL_ENUM;
}

static int find_member(struct idl_member *const *members, size_t n, const struct idl_name *name)
{
	for (size_t i = 0; i < n; i++)
		if (members[i]->name == name)
			return (int)i;
	return -1;
}

/* One name to an operation on the field at index i. */
static void resolve_field(struct idl_parser *p, const struct idl_source_expr *from, const struct idl_term *t,
                          const struct idl_member *m, int i, struct idl_op *op)
{
	const struct idl_type *type = m->field.type;
	bool deref = t->code == IDL_OP_DEREF && !m->collapsed;

	*op = (struct idl_op){deref ? IDL_OP_DEREF : IDL_OP_FIELD, i};
	if (type->kind == IDL_POINTER && !deref)
		idl_fail_at(p, from->line, "'%s' names '%s', a pointer; write '*%s'", from->what, t->name->text,
		            t->name->text);
	else if (deref && type->kind != IDL_POINTER)
		idl_fail_at(p, from->line, "'%s' follows '%s', which is no pointer", from->what, t->name->text);
	else if (!is_integer(deref ? type->element : type))
		idl_fail_at(p, from->line, "'%s' names '%s', which is no integer", from->what, t->name->text);
}

static void resolve_term(struct idl_parser *p, const struct idl_source_expr *from, const struct idl_term *t,
                         struct idl_op *op, struct idl_member *const *members, size_t n, size_t limit)
{
	int i;

	*op = (struct idl_op){t->code, t->value};
	if (!t->name)
		return;
	i = find_member(members, n, t->name);
	if (i >= 0 && (size_t)i >= limit)
		idl_fail_at(p, from->line, "'%s' names '%s', which stands behind it on the wire", from->what,
		            t->name->text);
	else if (i >= 0)
		resolve_field(p, from, t, members[i], i, op);
	else if (t->code == IDL_OP_FIELD && t->name->constant && !t->name->constant->text)
		*op = (struct idl_op){IDL_OP_CONST, t->name->constant->value};
	else if (n == 0)
		idl_fail_at(p, from->line, "'%s': no constant has the name '%.60s'", from->what, t->name->text);
	else
		idl_fail_at(p, from->line, "'%s' names no field '%.60s'", from->what, t->name->text);
}

static int stack_use(enum idl_opcode code)
{
	switch (code) {
	case IDL_OP_CONST:
	case IDL_OP_FIELD:
	case IDL_OP_DEREF:
		return 1;
	case IDL_OP_NOT:
	case IDL_OP_LNOT:
	case IDL_OP_NEG:
		return 0;
	case IDL_OP_SELECT:
		return -2;
	default:
		return -1;
	}
}

/* limit: fields from this index on may not be named (packed: not yet read). */
void idl_resolve(struct idl_parser *p, const struct idl_source_expr *from, struct idl_expr *to,
                 struct idl_member *const *members, size_t n, size_t limit)
{
	struct idl_op *ops;
	int depth = 0;

	if (!from || p->lex.failed)
		return;
	ops = idl_alloc(p, from->count, sizeof *ops);
	if (!ops)
		return;
	for (unsigned i = 0; i < from->count && !p->lex.failed; i++) {
		resolve_term(p, from, &from->terms[i], &ops[i], members, n, limit);
		depth += stack_use(ops[i].code);
		if (depth > IDL_MAX_STACK)
			idl_fail_at(p, from->line, "'%s' is too deep an expression", from->what);
	}
	*to = (struct idl_expr){ops, (uint16_t)from->count};
}
