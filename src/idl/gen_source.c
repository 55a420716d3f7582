#include "idl/gen.h"

#include <string.h>

/* The tables as C initialisers. Types without a linker's name are elements of t[]. */

static void put_ref(struct gen *g, const struct idl_type *type)
{
	const struct idl_itype *t = idl_itype(type);

	if (t->exported)
		buf_printf(g->out, "&%s_type", type->name);
	else
		buf_printf(g->out, "&t[%u]", t->emit_id - 1);
}

static void put_string(struct gen *g, const char *field, const char *s)
{
	if (s)
		buf_printf(g->out, ".%s = \"%s\", ", field, s);
}

static void put_number(struct gen *g, const char *field, int64_t v)
{
	if (v == INT64_MIN)
		buf_printf(g->out, ".%s = INT64_MIN, ", field);
	else if (v)
		buf_printf(g->out, ".%s = %lld%s, ", field, (long long)v, v > INT32_MAX || v < INT32_MIN ? "LL" : "");
}

static void put_expr(struct gen *g, const char *field, const struct idl_expr *e)
{
	static const char *const names[] = {"CONST", "FIELD", "DEREF", "ADD", "SUB",  "MUL", "DIV",   "MOD", "AND",
	                                    "OR",    "XOR",   "SHL",   "SHR", "NOT",  "EQ",  "NE",    "LT",  "LE",
	                                    "GT",    "GE",    "LAND",  "LOR", "LNOT", "NEG", "SELECT"};

	if (!e->ops)
		return;
	buf_printf(g->out, "\n\t\t.%s = {(const struct idl_op[]){", field);
	for (unsigned i = 0; i < e->count; i++) {
		buf_printf(g->out, "{.code = IDL_OP_%s, ", names[e->ops[i].code]);
		put_number(g, "value", e->ops[i].value);
		buf_printf(g->out, "}, ");
	}
	buf_printf(g->out, "}, %u}, ", e->count);
}

static void put_cases(struct gen *g, const struct idl_field *f)
{
	if (!f->case_count)
		return;
	buf_printf(g->out, ".cases = (const int64_t[]){");
	for (unsigned i = 0; i < f->case_count; i++)
		buf_printf(g->out, "%lldLL, ", (long long)f->cases[i]);
	buf_printf(g->out, "}, .case_count = %u, ", f->case_count);
}

static void put_field(struct gen *g, const struct idl_itype *s, const struct idl_field *f)
{
	buf_printf(g->out, "\t{.name = \"%s\", .type = ", f->name);
	put_ref(g, f->type);
	if (s->soft && f->type->kind != IDL_VOID)
		buf_printf(g->out, ", .offset = offsetof(%s, %s), ", idl_c_declare(g, &s->t, ""), f->name);
	else
		buf_printf(g->out, ", .offset = %u, ", f->offset);
	put_number(g, "flags", f->flags);
	put_number(g, "min", f->min);
	put_number(g, "max", f->max);
	put_cases(g, f);
	put_expr(g, "switch_is", &f->switch_is);
	put_expr(g, "present_if", &f->present_if);
	put_expr(g, "bound_is", &f->bound_is);
	put_expr(g, "ends_if", &f->ends_if);
	buf_printf(g->out, "},\n");
}

static const char *table_name(struct gen *g, const struct idl_itype *t)
{
	const char *s = t->exported ? arena_printf(g->arena, "of_%s", t->t.name)
	                            : arena_printf(g->arena, "of_t%u", t->emit_id - 1);

	if (!s)
		g->failed = MW_E_NOMEM;
	return s ? s : "";
}

static void put_fields(struct gen *g, const struct idl_itype *t)
{
	if (t->t.field_count) {
		buf_printf(g->out, "static const struct idl_field %s[] = {\n", table_name(g, t));
		for (unsigned i = 0; i < t->t.field_count; i++)
			put_field(g, t, &t->t.fields[i]);
		buf_printf(g->out, "};\n\n");
	}
	if (t->t.value_count) {
		buf_printf(g->out, "static const struct idl_enum_value %s[] = {\n", table_name(g, t));
		for (unsigned i = 0; i < t->t.value_count; i++)
			buf_printf(g->out, "\t{\"%s\", %lldLL},\n", t->t.values[i].name,
			           (long long)t->t.values[i].value);
		buf_printf(g->out, "};\n\n");
	}
}

static const char *const kind_names[] = {"VOID",   "INT",   "FLOAT",   "ENUM",  "GUID",   "CONTEXT_HANDLE",
                                         "STRUCT", "UNION", "POINTER", "ARRAY", "SHAPED", "OPAQUE"};

static void put_scalar_part(struct gen *g, const struct idl_itype *t)
{
	const struct idl_type *y = &t->t;

	buf_printf(g->out, ".kind = IDL_%s, ", kind_names[y->kind]);
	put_string(g, "name", y->name);
	if (t->soft) {
		const char *c = idl_c_declare(g, y, "");
		buf_printf(g->out, ".size = sizeof(%s), .align = _Alignof(%s), ", c, c);
	} else {
		buf_printf(g->out, ".size = %u, .align = %u, ", y->size, y->align);
	}
	put_number(g, "wire_size", y->wire_size);
	put_number(g, "is_signed", y->is_signed);
	put_number(g, "is_char", y->is_char);
	put_number(g, "is_hex", y->is_hex);
	put_number(g, "packed", y->packed);
	put_number(g, "ms_union", y->ms_union);
	put_number(g, "v1_aligned", y->v1_aligned);
	put_number(g, "wire_align", y->wire_align);
	put_number(g, "wire_align64", y->wire_align64);
	put_number(g, "pointer", y->pointer);
	put_number(g, "fixed_count", y->fixed_count);
	put_number(g, "array", y->array);
	put_number(g, "message", y->message);
	put_number(g, "message_id", y->message_id);
}

static void put_type(struct gen *g, const struct idl_itype *t)
{
	const struct idl_type *y = &t->t;

	buf_printf(g->out, "{");
	put_scalar_part(g, t);
	if (y->value_count)
		buf_printf(g->out, ".values = %s, .value_count = %u, ", table_name(g, t), y->value_count);
	if (y->field_count)
		buf_printf(g->out, ".fields = %s, .field_count = %u, ", table_name(g, t), y->field_count);
	if (y->switch_type) {
		buf_printf(g->out, ".switch_type = ");
		put_ref(g, y->switch_type);
		buf_printf(g->out, ", ");
	}
	if (y->element) {
		buf_printf(g->out, ".element = ");
		put_ref(g, y->element);
		buf_printf(g->out, ", ");
	}
	put_expr(g, "size_is", &y->size_is);
	put_expr(g, "length_is", &y->length_is);
	if (y->kind == IDL_SHAPED)
		buf_printf(g->out, ".shape = %s, .shape_name = \"%s\", ", y->shape_name, y->shape_name);
	buf_printf(g->out, "}");
}

static bool is_foreign(const struct idl_itype *t)
{
	return t->exported && t->origin == IDL_IMPORTED;
}

static void put_types(struct gen *g)
{
	for (size_t i = 0; i < g->reached.n; i++)
		if (!is_foreign(g->reached.items[i]))
			put_fields(g, g->reached.items[i]);
	for (size_t i = 0; i < g->reached.n; i++) {
		const struct idl_itype *t = g->reached.items[i];
		if (!t->exported || is_foreign(t))
			continue;
		buf_printf(g->out, "const struct idl_type %s_type = ", t->t.name);
		put_type(g, t);
		buf_printf(g->out, ";\n\n");
	}
	if (g->locals)
		buf_printf(g->out, "static const struct idl_type t[%u] = {\n", g->locals);
	for (size_t i = 0; i < g->reached.n; i++) {
		const struct idl_itype *t = g->reached.items[i];
		if (t->exported)
			continue;
		buf_printf(g->out, "\t[%u] = ", t->emit_id - 1);
		put_type(g, t);
		buf_printf(g->out, ",\n");
	}
	if (g->locals)
		buf_printf(g->out, "};\n\n");
}

static void put_shapes(struct gen *g)
{
	for (size_t i = 0; i < g->reached.n; i++) {
		const struct idl_itype *t = g->reached.items[i];
		if (t->t.kind == IDL_SHAPED && !is_foreign(t))
			buf_printf(g->out, "int %s(struct ndr *n, void *value);\n", t->t.shape_name);
	}
	buf_printf(g->out, "\n");
}

/* The compiler lays structs out as we do, or does not compile. */
static void put_assertions(struct gen *g)
{
	for (size_t i = 0; i < g->unit->decls.n; i++) {
		const struct idl_decl *d = g->unit->decls.items[i];
		const struct idl_itype *s = d->type;

		if (d->kind != DECL_TYPE || !s->emit_id || s->soft || s->t.kind == IDL_ENUM)
			continue;
		const char *c = idl_c_declare(g, &s->t, "");
		buf_printf(g->out, "_Static_assert(sizeof(%s) == %u && _Alignof(%s) == %u, \"%s\");\n", c, s->t.size, c,
		           s->t.align, c);
		for (unsigned k = 0; k < s->t.field_count; k++) {
			const struct idl_field *f = &s->t.fields[k];
			if (f->type->kind != IDL_VOID)
				buf_printf(g->out, "_Static_assert(offsetof(%s, %s) == %u, \"%s of %s\");\n", c,
				           f->name, f->offset, f->name, c);
		}
	}
	buf_printf(g->out, "\n");
}

static void put_interface(struct gen *g, const struct idl_interface *f)
{
	const char *name = f->alias ? f->alias : f->name;
	const struct guid *u = &f->uuid;

	buf_printf(g->out, "static const struct idl_method methods_of_%s[] = {\n", name);
	for (unsigned i = 0; i < f->method_count; i++) {
		const struct idl_method *m = &f->methods[i];
		buf_printf(g->out, "\t{.name = \"%s\", .opnum = %u, .not_used = %d, .args = ", m->name, m->opnum,
		           m->not_used);
		put_ref(g, m->args);
		buf_printf(g->out, "},\n");
	}
	buf_printf(g->out, "%s};\n\nconst struct idl_interface wire_%s_interface = {\n\t",
	           f->method_count ? "" : "\t{0}\n", name);
	put_string(g, "name", f->name);
	put_string(g, "alias", f->alias);
	buf_printf(g->out, "\n\t.uuid = {0x%08x, 0x%04x, 0x%04x, {", u->data1, u->data2, u->data3);
	for (unsigned i = 0; i < 8; i++)
		buf_printf(g->out, "0x%02x, ", u->data4[i]);
	buf_printf(g->out, "}},\n\t.major = %u, .minor = %u, .methods = methods_of_%s, .method_count = %u,\n};\n\n",
	           f->major, f->minor, name, f->method_count);
}

static void put_messages(struct gen *g, const char *name, const struct idl_type *const *table)
{
	if (!table)
		return;
	buf_printf(g->out, "static const struct idl_type *const %s[256] = {\n", name);
	for (unsigned i = 0; i < 256; i++)
		if (table[i])
			buf_printf(g->out, "\t[0x%02x] = &%s_type,\n", i, table[i]->name);
	buf_printf(g->out, "};\n\n");
}

static void put_module(struct gen *g)
{
	const struct idl_module *m = g->unit->module;

	put_messages(g, "requests", m->requests);
	put_messages(g, "responses", m->responses);
	buf_printf(g->out, "static const struct idl_interface *const interfaces[] = {");
	for (unsigned i = 0; i < m->interface_count; i++)
		buf_printf(g->out, "&wire_%s_interface, ",
		           m->interfaces[i]->alias ? m->interfaces[i]->alias : m->interfaces[i]->name);
	buf_printf(g->out, "NULL};\n\nstatic const struct idl_type *const types[] = {\n");
	for (uint32_t i = 0; i < m->type_count; i++) {
		buf_printf(g->out, "\t");
		put_ref(g, m->types[i]);
		buf_printf(g->out, ",\n");
	}
	buf_printf(g->out, "\tNULL};\n\nconst struct idl_module wire_%s_module = {\n\t", m->name);
	put_string(g, "name", m->name);
	buf_printf(g->out,
	           ".interfaces = interfaces, .interface_count = %u, .types = types, .type_count = %u,%s%s\n};\n",
	           m->interface_count, m->type_count, m->requests ? " .requests = requests," : "",
	           m->responses ? " .responses = responses," : "");
}

void idl_gen_source(struct gen *g)
{
	const struct idl_module *m = g->unit->module;

	buf_printf(g->out, "/* Made from %s.idl by mapiwire-idl. */\n#include \"%s.h\"\n\n", m->name, m->name);
	if (g->locals)
		buf_printf(g->out, "static const struct idl_type t[%u];\n\n", g->locals);
	put_assertions(g);
	put_shapes(g);
	put_types(g);
	for (unsigned i = 0; i < m->interface_count; i++)
		put_interface(g, m->interfaces[i]);
	put_module(g);
}
