#include "idl/gen.h"

#include <ctype.h>
#include <string.h>

static void put_constant(struct gen *g, const struct idl_constant *c)
{
	long long v = c->value;

	if (c->text)
		buf_printf(g->out, "#define %s \"%s\"\n", c->name, c->text);
	else if (v >= 0 && v <= INT32_MAX)
		buf_printf(g->out, "#define %s %lld\n", c->name, v);
	else if (v > 0 && v <= UINT32_MAX)
		buf_printf(g->out, "#define %s 0x%llxU\n", c->name, v);
	else if (v < 0 && v > INT32_MIN)
		buf_printf(g->out, "#define %s (%lld)\n", c->name, v);
	else
		buf_printf(g->out, "#define %s ((int64_t)UINT64_C(0x%llx))\n", c->name, (unsigned long long)v);
}

static void put_enum(struct gen *g, const struct idl_type *t)
{
	buf_printf(g->out, "enum%s%s {\n", t->name ? " " : "", t->name ? t->name : "");
	for (unsigned i = 0; i < t->value_count; i++)
		buf_printf(g->out, t->values[i].value > INT32_MAX ? "\t%s = 0x%llxU,\n" : "\t%s = %lld,\n",
		           t->values[i].name, (long long)t->values[i].value);
	buf_printf(g->out, "};\n\n");
}

static void put_struct(struct gen *g, const struct idl_itype *s)
{
	bool built_in = s->origin == IDL_BUILT_IN;
	const char *tag = idl_c_tag(g, s);

	if (built_in)
		buf_printf(g->out, "#ifndef IDL_HAVE_%s\n#define IDL_HAVE_%s\n", tag, tag);
	buf_printf(g->out, "%s %s {\n", s->t.kind == IDL_UNION ? "union" : "struct", tag);
	for (unsigned i = 0; i < s->t.field_count; i++) {
		const struct idl_field *f = &s->t.fields[i];
		if (f->type->kind != IDL_VOID)
			buf_printf(g->out, "\t%s;\n", idl_c_declare(g, f->type, f->name));
	}
	buf_printf(g->out, "};\n%s\n", built_in ? "#endif\n" : "");
}

static void put_typedef(struct gen *g, const struct idl_typedef *td)
{
	const struct idl_node *n = td->node;

	while (n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	if (n->kind != NODE_TYPE)
		return;
	switch (n->type->t.kind) {
	case IDL_INT:
	case IDL_FLOAT:
	case IDL_STRUCT:
	case IDL_UNION:
	case IDL_CONTEXT_HANDLE:
	case IDL_GUID:
		buf_printf(g->out, "typedef %s;\n\n", idl_c_declare(g, &n->type->t, td->name));
		return;
	default:
		return;
	}
}

static void put_decl(struct gen *g, const struct idl_decl *d)
{
	switch (d->kind) {
	case DECL_CONST:
		put_constant(g, d->constant);
		return;
	case DECL_TYPEDEF:
		put_typedef(g, d->alias);
		return;
	case DECL_TYPE:
		if (d->type->origin == IDL_BUILT_IN && !d->type->emit_id)
			return;
		if (d->type->t.kind == IDL_ENUM)
			put_enum(g, &d->type->t);
		else
			put_struct(g, d->type);
	}
}

/* Each header once, in order of first use. */
static void put_c_headers(struct gen *g)
{
	for (size_t i = 0; i < g->reached.n; i++) {
		const struct idl_itype *t = g->reached.items[i];
		size_t k = 0;

		if (!t->c_header || t->t.kind != IDL_SHAPED)
			continue;
		while (k < i) {
			const struct idl_itype *o = g->reached.items[k];
			if (o->t.kind == IDL_SHAPED && o->c_header && strcmp(o->c_header, t->c_header) == 0)
				break;
			k++;
		}
		if (k == i)
			buf_printf(g->out, "#include \"%s\"\n", t->c_header);
	}
}

static void put_externs(struct gen *g)
{
	const struct idl_module *m = g->unit->module;

	buf_printf(g->out, "extern const struct idl_module wire_%s_module;\n", m->name);
	for (unsigned i = 0; i < m->interface_count; i++) {
		const struct idl_interface *f = m->interfaces[i];
		buf_printf(g->out, "extern const struct idl_interface wire_%s_interface;\n",
		           f->alias ? f->alias : f->name);
	}
	buf_printf(g->out, "\n");
	for (uint32_t i = 0; i < m->type_count; i++)
		if (idl_itype(m->types[i])->exported)
			buf_printf(g->out, "extern const struct idl_type %s_type;\n", m->types[i]->name);
}

void idl_gen_header(struct gen *g)
{
	const char *name = g->unit->module->name;
	char guard[64];
	size_t n = 0;

	for (; name[n] && n < sizeof guard - 1; n++)
		guard[n] = (char)(isalnum((unsigned char)name[n]) ? toupper((unsigned char)name[n]) : '_');
	guard[n] = 0;
	buf_printf(g->out, "/* Made from %s.idl by mapiwire-idl. */\n", name);
	buf_printf(g->out, "#ifndef MW_WIRE_%s_H\n#define MW_WIRE_%s_H\n\n#include \"idl/idl.h\"\n", guard, guard);
	for (size_t i = 0; i < g->unit->imports.n; i++)
		buf_printf(g->out, "#include \"wire/%s.h\"\n", (const char *)g->unit->imports.items[i]);
	put_c_headers(g);
	buf_printf(g->out, "\n");
	for (size_t i = 0; i < g->unit->decls.n; i++)
		put_decl(g, g->unit->decls.items[i]);
	buf_printf(g->out, "\n");
	put_externs(g);
	buf_printf(g->out, "\n#endif\n");
}
