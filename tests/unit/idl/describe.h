#ifndef MW_TEST_IDL_DESCRIBE_H
#define MW_TEST_IDL_DESCRIBE_H

#include "base/buf.h"
#include "idl/idl.h"

#include <string.h>

/* A type in one line, so that tests can be tables of text: "8/4 w4 { a@0 u32; p@4 unique>conf(a) u8 }". */

static inline void describe_expr(struct buf *b, const struct idl_expr *e, const struct idl_type *s)
{
	static const char *const ops[] = {"",  "",   "",   "+", "-",  "*", "/",  "%",  "&",  "|", "^",   "<<", ">>",
	                                  "~", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "neg", "?:"};

	for (unsigned i = 0; i < e->count; i++) {
		const struct idl_op *op = &e->ops[i];
		buf_printf(b, i ? " " : "");
		if (op->code == IDL_OP_CONST)
			buf_printf(b, "%lld", (long long)op->value);
		else if (op->code == IDL_OP_FIELD || op->code == IDL_OP_DEREF)
			buf_printf(b, "%s%s", op->code == IDL_OP_DEREF ? "*" : "", s->fields[op->value].name);
		else
			buf_printf(b, "%s", ops[op->code]);
	}
}

static inline void describe_array(struct buf *b, const struct idl_type *t, const struct idl_type *s)
{
	if (t->array & IDL_ARRAY_STRING)
		buf_printf(b, "string");
	if (t->array & IDL_ARRAY_REST)
		buf_printf(b, "rest");
	if (t->array & IDL_ARRAY_CONFORMANT)
		buf_printf(b, "conf");
	if (t->size_is.ops) {
		buf_printf(b, "(");
		describe_expr(b, &t->size_is, s);
		buf_printf(b, ")");
	}
	if (t->array & IDL_ARRAY_VARYING && !(t->array & IDL_ARRAY_STRING && !t->length_is.ops)) {
		buf_printf(b, "var(");
		describe_expr(b, &t->length_is, s);
		buf_printf(b, ")");
	}
	if (t->fixed_count)
		buf_printf(b, "[%u]", t->fixed_count);
	buf_printf(b, " ");
}

static inline void describe_type(struct buf *b, const struct idl_type *t, const struct idl_type *s)
{
	static const char *const pointers[] = {"ref", "unique", "full"};

	for (;; t = t->element) {
		if (t->kind == IDL_POINTER)
			buf_printf(b, "%s>", pointers[t->pointer]);
		else if (t->kind == IDL_ARRAY)
			describe_array(b, t, s);
		else
			break;
	}
	switch (t->kind) {
	case IDL_INT:
		buf_printf(b, "%s%s%u", t->is_hex ? "x" : "", t->is_char ? "c" : t->is_signed ? "i" : "u", t->size * 8);
		return;
	case IDL_FLOAT:
		buf_printf(b, "f%u", t->size * 8);
		return;
	case IDL_ENUM:
		buf_printf(b, "enum%u", t->wire_size * 8);
		return;
	default:
		break;
	}
	static const char *const kinds[] = {
	        [IDL_VOID] = "void",     [IDL_GUID] = "guid",   [IDL_CONTEXT_HANDLE] = "handle",
	        [IDL_STRUCT] = "struct", [IDL_UNION] = "union", [IDL_SHAPED] = "shaped",
	        [IDL_OPAQUE] = "opaque"};
	buf_printf(b, "%s%s%s", kinds[t->kind], t->name && t->kind != IDL_GUID && t->kind != IDL_VOID ? " " : "",
	           t->name && t->kind != IDL_GUID && t->kind != IDL_VOID ? t->name : "");
}

static inline void describe_flags(struct buf *b, const struct idl_field *f, const struct idl_type *s)
{
	static const char *const names[] = {"in",     "out",     "return", "range",
	                                    "ignore", "default", "status", "handle_only"};

	for (unsigned i = 0; i < 8; i++)
		if (f->flags & 1u << i)
			buf_printf(b, " %s", names[i]);
	if (f->flags & IDL_FIELD_RANGE)
		buf_printf(b, "(%lld,%lld)", (long long)f->min, (long long)f->max);
	for (unsigned i = 0; i < f->case_count; i++)
		buf_printf(b, " case %lld", (long long)f->cases[i]);
	const struct idl_expr *const exprs[] = {&f->switch_is, &f->present_if, &f->bound_is, &f->ends_if};
	static const char *const expr_names[] = {"switch", "if", "bound", "ends"};
	for (unsigned i = 0; i < 4; i++)
		if (exprs[i]->ops) {
			buf_printf(b, " %s(", expr_names[i]);
			describe_expr(b, exprs[i], s);
			buf_printf(b, ")");
		}
}

static inline void describe(struct buf *b, const struct idl_type *t)
{
	if (t->kind != IDL_STRUCT && t->kind != IDL_UNION) {
		describe_type(b, t, NULL);
		return;
	}
	buf_printf(b, "%u/%u w%u/%u%s {", t->size, t->align, t->wire_align, t->wire_align64,
	           t->v1_aligned ? " conf" : "");
	for (unsigned i = 0; i < t->field_count; i++) {
		const struct idl_field *f = &t->fields[i];
		buf_printf(b, " %s@%u ", f->name, f->offset);
		describe_type(b, f->type, t);
		describe_flags(b, f, t);
		buf_printf(b, ";");
	}
	buf_printf(b, " }");
}

#endif
