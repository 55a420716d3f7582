#include "idl/private.h"

#include <string.h>

/* interface NAME { ... } and its methods. */

static bool is_method_off_wire(const struct idl_name *name)
{
	const char *s = name->text;
	size_t n = name->len;
	static const char tail[] = "NotUsedOnWire";

	if (n >= sizeof tail - 1 && strcmp(s + n - (sizeof tail - 1), tail) == 0)
		return true;
	return strncmp(s, "Opnum", 5) == 0 && s[5] >= '0' && s[5] <= '9';
}

static bool is_void(const struct idl_node *n)
{
	while (n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	return n->kind == NODE_TYPE && n->type->t.kind == IDL_VOID && strcmp(n->type->t.name, "void") == 0;
}

/* A member without name is the void of F(void). */
static struct idl_member *parse_parameter(struct idl_parser *p, unsigned index)
{
	struct idl_attrs *a = idl_new(p, struct idl_attrs);
	const struct idl_node *n;
	struct idl_name *name;
	unsigned line;

	if (!a)
		return NULL;
	idl_parse_attrs(p, a);
	n = idl_parse_specifier(p, a);
	if (n)
		n = idl_parse_declarator(p, n, &name);
	line = p->lex.tok.line;
	if (!n)
		return NULL;
	if (!name && !is_void(n)) {
		const char *text = idl_text(p, "arg%u", index);
		name = idl_intern(&p->lex, text, strlen(text));
	}
	return idl_new_member(p, name, n, a, line);
}

static void parse_parameters(struct idl_parser *p, struct idl_vec *params)
{
	idl_expect(&p->lex, '(');
	while (!p->lex.failed && !idl_is(&p->lex, ')')) {
		struct idl_member *m = parse_parameter(p, (unsigned)params->n);
		if (!m)
			return;
		if (params->n == IDL_MAX_FIELDS)
			idl_fail(p, "a method has more than %d parameters", IDL_MAX_FIELDS);
		for (size_t i = 0; i < params->n; i++)
			if (((struct idl_member *)params->items[i])->name == m->name)
				idl_fail_at(p, m->line, "parameter '%.60s' is there twice", m->name->text);
		if (m->name)
			idl_push(p, params, m);
		if (!idl_accept(&p->lex, ','))
			break;
	}
	idl_expect(&p->lex, ')');
}

/* An object's methods begin with what is not in the text: ORPCTHIS, ORPCTHAT. They stay bytes. */
static void add_orpc(struct idl_parser *p, struct idl_vec *params)
{
	static const char *const names[] = {"ORPCthis", "ORPCthat"};

	for (unsigned i = 0; i < 2; i++) {
		struct idl_attrs *a = idl_new(p, struct idl_attrs);
		struct idl_name *n = idl_intern(&p->lex, names[i], strlen(names[i]));
		if (!a || !n)
			return;
		a->flags = i == 0 ? ATTR_IN : ATTR_OUT;
		idl_push(p, params, idl_new_member(p, n, idl_node_of(p, p->opaque_type), a, p->lex.tok.line));
	}
}

static void add_result(struct idl_parser *p, struct idl_vec *params, const struct idl_node *result,
                       const struct idl_attrs *of_method)
{
	struct idl_attrs *a = idl_new(p, struct idl_attrs);
	struct idl_name *n = idl_intern(&p->lex, "ReturnValue", strlen("ReturnValue"));

	if (!a || !n || is_void(result))
		return;
	*a = *of_method;
	a->flags = (a->flags & (ATTR_HEX | ATTR_STATUS | ATTR_STRING)) | ATTR_OUT;
	idl_push(p, params, idl_new_member(p, n, result, a, p->lex.tok.line));
}

static struct idl_itype *method_args(struct idl_parser *p, const char *name, struct idl_vec *params,
                                     const struct idl_node *result, const struct idl_attrs *a, bool is_object)
{
	struct idl_itype *args = idl_new_type(p, IDL_STRUCT, idl_text(p, "%.120s_args", name));
	struct idl_vec all = {0};

	args->is_args = true;
	if (is_object)
		add_orpc(p, &all);
	for (size_t i = 0; i < params->n; i++)
		idl_push(p, &all, params->items[i]);
	add_result(p, &all, result, a);
	idl_complete_struct(p, args, &all, PLACE_PARAMETER);
	return args;
}

static void parse_method(struct idl_parser *p, struct idl_iface *f, const struct idl_attrs *a, bool is_object)
{
	const struct idl_node *result = idl_parse_specifier(p, a);
	struct idl_method *m = idl_new(p, struct idl_method);
	struct idl_vec params = {0};
	struct idl_name *name;

	/* the declarator would take the parameters for a group: pointers and the name only */
	result = result ? idl_parse_result(p, result, &name) : NULL;
	if (!m || !result)
		return;
	parse_parameters(p, &params);
	idl_accept_word(&p->lex, "const");
	idl_expect(&p->lex, ';');
	if (p->lex.failed || a->flags & (ATTR_LOCAL | ATTR_CALLBACK))
		return;
	if (f->methods.n == IDL_MAX_METHODS) {
		idl_fail(p, "an interface has more than %d methods", IDL_MAX_METHODS);
		return;
	}
	m->name = name->text;
	m->opnum = (uint16_t)f->methods.n;
	m->not_used = is_method_off_wire(name);
	if (m->not_used)
		m->args = &idl_empty_args(p)->t;
	else
		m->args = &method_args(p, name->text, &params, result, a, is_object)->t;
	idl_push(p, &f->methods, m);
}

static void interface_body(struct idl_parser *p, struct idl_iface *f, bool is_object)
{
	while (!p->lex.failed && !idl_is(&p->lex, '}')) {
		struct idl_attrs *a = idl_new(p, struct idl_attrs);
		if (!a)
			return;
		idl_parse_attrs(p, a);
		if (idl_parse_common(p, a))
			continue;
		if (idl_accept_word(&p->lex, "interface")) { /* forward */
			idl_parse_interface(p, a);
			continue;
		}
		const struct idl_node *n = NULL;
		if (idl_is_word(&p->lex, "struct") || idl_is_word(&p->lex, "union") || idl_is_word(&p->lex, "enum"))
			n = idl_parse_specifier(p, a);
		if (n && idl_accept(&p->lex, ';'))
			continue;
		if (n)
			idl_fail(p, "';' is expected before %s", idl_token_text(&p->lex));
		parse_method(p, f, a, is_object);
	}
	idl_expect(&p->lex, '}');
	idl_accept(&p->lex, ';');
}

static void inherit(struct idl_parser *p, struct idl_iface *f)
{
	struct idl_name *base = idl_take_name(&p->lex, "the interface that this one extends");

	if (!base)
		return;
	if (!base->iface || base->iface == f) {
		idl_fail(p, "'%.60s' is no known interface", base->text);
		return;
	}
	f->is_object = base->iface->is_object;
	for (size_t i = 0; i < base->iface->methods.n; i++)
		idl_push(p, &f->methods, base->iface->methods.items[i]);
}

static void finish_interface(struct idl_parser *p, struct idl_iface *f)
{
	struct idl_method *flat = idl_alloc(p, f->methods.n, sizeof *flat);

	if (p->lex.failed)
		return;
	for (size_t i = 0; i < f->methods.n; i++)
		flat[i] = *(struct idl_method *)f->methods.items[i];
	f->i.methods = flat;
	f->i.method_count = (uint16_t)f->methods.n;
	if (p->origin == IDL_OWN)
		idl_push(p, &p->unit.interfaces, f);
}

/* "interface" is taken. */
void idl_parse_interface(struct idl_parser *p, const struct idl_attrs *a)
{
	struct idl_name *name = idl_take_name(&p->lex, "the name of an interface");
	struct idl_iface *f = idl_new(p, struct idl_iface);
	enum idl_pointer outer = p->pointer_default;
	bool outer_ms_union = p->ms_union;

	if (!name || !f || !idl_enter(p))
		return;
	if (name->iface && name->iface->i.methods && p->origin == IDL_OWN && name->iface->origin == IDL_OWN &&
	    !idl_is(&p->lex, ';'))
		idl_fail(p, "interface '%.60s' is defined twice", name->text);
	f->i = (struct idl_interface){name->text, a->alias, a->uuid, a->major, a->minor, NULL, 0};
	f->origin = p->origin;
	if (!name->iface || !idl_is(&p->lex, ';'))
		name->iface = f;
	if (a->has_pointer_default)
		p->pointer_default = a->pointer_default;
	p->ms_union = a->flags & ATTR_MS_UNION;
	if (idl_accept(&p->lex, ':'))
		inherit(p, f);
	f->is_object |= a->flags & ATTR_OBJECT || strcmp(name->text, "IUnknown") == 0;
	if (!idl_accept(&p->lex, ';')) {
		idl_expect(&p->lex, '{');
		interface_body(p, f, f->is_object);
		finish_interface(p, f);
	}
	p->pointer_default = outer;
	p->ms_union = outer_ms_union;
	idl_leave(p);
}
