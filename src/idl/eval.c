#include "idl/idl.h"

#include <string.h>

/*
 * The stack machine of struct idl_expr. A value may be bad (division by zero,
 * overflow); that matters only if the result depends on it, so that the arm of
 * ?:, && or || that C would not evaluate does no harm.
 */

#define STACK 16

struct value {
	int64_t v;
	bool bad;
};

static int64_t load(const struct idl_type *t, const void *at)
{
	uint64_t raw = 0;
	unsigned bits = t->size * 8;

	memcpy(&raw, at, t->size < sizeof raw ? t->size : sizeof raw);
	if (t->kind == IDL_INT && t->is_signed && bits && bits < 64)
		return (int64_t)(raw << (64 - bits)) >> (64 - bits);
	return (int64_t)raw;
}

static bool is_integer(const struct idl_type *t)
{
	return t->kind == IDL_INT || t->kind == IDL_ENUM;
}

static int load_field(const struct idl_type *s, const void *base, int64_t index, bool deref, struct value *out)
{
	const struct idl_field *f;
	const void *at, *to;

	if (!s || !base || index < 0 || index >= s->field_count)
		return MW_E_MALFORMED;
	f = &s->fields[index];
	at = (const char *)base + f->offset;
	if (!deref) {
		if (!is_integer(f->type))
			return MW_E_MALFORMED;
		*out = (struct value){load(f->type, at), false};
		return 0;
	}
	if (f->type->kind != IDL_POINTER || !is_integer(f->type->element))
		return MW_E_MALFORMED;
	memcpy(&to, at, sizeof to);
	*out = (struct value){to ? load(f->type->element, to) : 0, false};
	return 0;
}

static struct value divide(int64_t a, int64_t b, bool modulo)
{
	if (b == 0 || (a == INT64_MIN && b == -1))
		return (struct value){0, true};
	return (struct value){modulo ? a % b : a / b, false};
}

static struct value shift(int64_t a, int64_t b, bool left)
{
	if (b < 0 || b > 63)
		return (struct value){0, true};
	return (struct value){left ? (int64_t)((uint64_t)a << b) : a >> b, false};
}

static struct value binary(enum idl_opcode code, struct value a, struct value b)
{
	struct value r = {0, a.bad || b.bad};

	switch (code) {
	case IDL_OP_LAND:
		return (struct value){a.v && b.v, a.bad || (a.v && b.bad)};
	case IDL_OP_LOR:
		return (struct value){a.v || b.v, a.bad || (!a.v && b.bad)};
	default:
		if (r.bad)
			return r;
	}
	switch (code) {
	case IDL_OP_ADD:
		r.bad = __builtin_add_overflow(a.v, b.v, &r.v);
		return r;
	case IDL_OP_SUB:
		r.bad = __builtin_sub_overflow(a.v, b.v, &r.v);
		return r;
	case IDL_OP_MUL:
		r.bad = __builtin_mul_overflow(a.v, b.v, &r.v);
		return r;
	case IDL_OP_DIV:
	case IDL_OP_MOD:
		return divide(a.v, b.v, code == IDL_OP_MOD);
	case IDL_OP_AND:
		return (struct value){a.v & b.v, false};
	case IDL_OP_OR:
		return (struct value){a.v | b.v, false};
	case IDL_OP_XOR:
		return (struct value){a.v ^ b.v, false};
	case IDL_OP_SHL:
	case IDL_OP_SHR:
		return shift(a.v, b.v, code == IDL_OP_SHL);
	case IDL_OP_EQ:
		return (struct value){a.v == b.v, false};
	case IDL_OP_NE:
		return (struct value){a.v != b.v, false};
	case IDL_OP_LT:
		return (struct value){a.v < b.v, false};
	case IDL_OP_LE:
		return (struct value){a.v <= b.v, false};
	case IDL_OP_GT:
		return (struct value){a.v > b.v, false};
	case IDL_OP_GE:
		return (struct value){a.v >= b.v, false};
	default:
		return (struct value){0, true};
	}
}

static struct value unary(enum idl_opcode code, struct value a)
{
	if (code == IDL_OP_NOT)
		a.v = ~a.v;
	else if (code == IDL_OP_LNOT)
		a.v = !a.v;
	else if (a.v == INT64_MIN)
		a.bad = true;
	else
		a.v = -a.v;
	return a;
}

static int step(const struct idl_op *op, const struct idl_type *type, const void *base, struct value *stack,
                unsigned *depth)
{
	unsigned d = *depth;

	switch (op->code) {
	case IDL_OP_CONST:
	case IDL_OP_FIELD:
	case IDL_OP_DEREF:
		if (d == STACK)
			return MW_E_MALFORMED;
		*depth = d + 1;
		stack[d] = (struct value){op->value, false};
		return op->code == IDL_OP_CONST
		               ? 0
		               : load_field(type, base, op->value, op->code == IDL_OP_DEREF, &stack[d]);
	case IDL_OP_NOT:
	case IDL_OP_LNOT:
	case IDL_OP_NEG:
		if (d < 1)
			return MW_E_MALFORMED;
		stack[d - 1] = unary(op->code, stack[d - 1]);
		return 0;
	case IDL_OP_SELECT:
		if (d < 3)
			return MW_E_MALFORMED;
		if (!stack[d - 3].bad)
			stack[d - 3] = stack[d - 3].v ? stack[d - 2] : stack[d - 1];
		*depth = d - 2;
		return 0;
	default:
		if (d < 2)
			return MW_E_MALFORMED;
		stack[d - 2] = binary(op->code, stack[d - 2], stack[d - 1]);
		*depth = d - 1;
		return 0;
	}
}

static int eval(const struct idl_expr *e, const struct idl_type *type, const void *base, int64_t *out)
{
	struct value stack[STACK];
	unsigned depth = 0;

	for (unsigned i = 0; i < e->count; i++) {
		int r = step(&e->ops[i], type, base, stack, &depth);
		if (r < 0)
			return r;
	}
	if (depth != 1 || stack[0].bad)
		return MW_E_MALFORMED;
	*out = stack[0].v;
	return 0;
}

/* Most expressions are one field. */
int idl_eval(const struct idl_expr *e, const struct idl_type *type, const void *base, int64_t *out)
{
	struct value v;
	int r;

	if (e->count != 1 || (e->ops[0].code != IDL_OP_FIELD && e->ops[0].code != IDL_OP_DEREF))
		return eval(e, type, base, out);
	r = load_field(type, base, e->ops[0].value, e->ops[0].code == IDL_OP_DEREF, &v);
	if (r == 0)
		*out = v.v;
	return r;
}
