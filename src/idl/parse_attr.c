#include "idl/private.h"

#include <stdlib.h>
#include <string.h>

/* [attributes]. What changes nothing on the wire is read and forgotten. */

typedef void (*attr_fn)(struct idl_parser *p, struct idl_attrs *a, const char *name);

static void pointer_kind(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	(void)p;
	a->has_pointer = true;
	a->pointer = strcmp(name, "ref") == 0 ? IDL_REF : strcmp(name, "unique") == 0 ? IDL_UNIQUE : IDL_FULL;
}

static void pointer_default(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	struct idl_attrs inner = {0};
	struct idl_name *kind;

	(void)name;
	idl_expect(&p->lex, '(');
	kind = idl_take_name(&p->lex, "ref, unique or ptr");
	idl_expect(&p->lex, ')');
	if (!kind)
		return;
	if (strcmp(kind->text, "ref") != 0 && strcmp(kind->text, "unique") != 0 && strcmp(kind->text, "ptr") != 0) {
		idl_fail(p, "pointer_default(%.40s): ref, unique or ptr is expected", kind->text);
		return;
	}
	pointer_kind(p, &inner, kind->text);
	a->has_pointer_default = true;
	a->pointer_default = inner.pointer;
}

/* (expr, expr, ...), each of which may be empty */
static void dimensions(struct idl_parser *p, const struct idl_source_expr **out, const char *name)
{
	unsigned i = 0;

	idl_expect(&p->lex, '(');
	do {
		if (i == IDL_MAX_DIMENSIONS) {
			idl_fail(p, "'%s' has more than %d dimensions", name, IDL_MAX_DIMENSIONS);
			return;
		}
		if (!idl_is(&p->lex, ',') && !idl_is(&p->lex, ')'))
			out[i] = idl_parse_expr(p, name);
		i++;
	} while (idl_accept(&p->lex, ','));
	idl_expect(&p->lex, ')');
}

static void counts(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	switch (name[0]) {
	case 's':
		dimensions(p, a->size_is, "size_is");
		return;
	case 'm':
		dimensions(p, a->max_is, "max_is");
		return;
	case 'f':
		dimensions(p, a->first_is, "first_is");
		return;
	default:
		dimensions(p, name[1] == 'e' ? a->length_is : a->last_is, name[1] == 'e' ? "length_is" : "last_is");
	}
}

static void one_expr(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	const struct idl_source_expr **to = strcmp(name, "switch_is") == 0    ? &a->switch_is
	                                    : strcmp(name, "present_if") == 0 ? &a->present_if
	                                    : strcmp(name, "bound_is") == 0   ? &a->bound_is
	                                                                      : &a->ends_if;
	const char *what = to == &a->switch_is    ? "switch_is"
	                   : to == &a->present_if ? "present_if"
	                   : to == &a->bound_is   ? "bound_is"
	                                          : "ends_if";

	idl_expect(&p->lex, '(');
	*to = idl_parse_expr(p, what);
	idl_expect(&p->lex, ')');
}

static void switch_type(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	struct idl_attrs none = {0};
	const struct idl_node *n;

	(void)name;
	idl_expect(&p->lex, '(');
	n = idl_parse_specifier(p, &none);
	idl_expect(&p->lex, ')');
	while (n && n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	if (!n || p->lex.failed)
		return;
	if (n->kind != NODE_TYPE || (n->type->t.kind != IDL_INT && n->type->t.kind != IDL_ENUM))
		idl_fail(p, "switch_type is no integer type");
	else
		a->switch_type = n->type;
}

static void range(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	(void)name;
	idl_expect(&p->lex, '(');
	a->min = idl_parse_constant(p, "range");
	idl_expect(&p->lex, ',');
	a->max = idl_parse_constant(p, "range");
	idl_expect(&p->lex, ')');
	a->flags |= ATTR_RANGE;
	if (a->min > a->max)
		idl_fail(p, "range(%lld, %lld) is empty", (long long)a->min, (long long)a->max);
}

static void cases(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	(void)name;
	idl_expect(&p->lex, '(');
	do {
		int64_t *v = idl_new(p, int64_t);
		if (v)
			*v = idl_parse_constant(p, "case");
		idl_push(p, &a->cases, v);
	} while (!p->lex.failed && idl_accept(&p->lex, ','));
	idl_expect(&p->lex, ')');
}

static void message(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	a->message = strcmp(name, "request") == 0 ? IDL_REQUEST : IDL_RESPONSE;
	idl_expect(&p->lex, '(');
	int64_t id = idl_parse_constant(p, name);
	if (id < 0 || id > 255)
		idl_fail(p, "%s(%lld): a message id is 0 to 255", name, (long long)id);
	a->message_id = (uint16_t)id;
	idl_expect(&p->lex, ')');
}

static const char *string_argument(struct idl_parser *p)
{
	const char *s = p->lex.tok.text;

	if (p->lex.tok.kind != TOK_STRING) {
		idl_fail(p, "a string is expected before %s", idl_token_text(&p->lex));
		return NULL;
	}
	idl_next(&p->lex);
	return s;
}

static void alias(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	(void)name;
	idl_expect(&p->lex, '(');
	a->alias = string_argument(p);
	idl_expect(&p->lex, ')');
}

static void shaped_by(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	struct idl_name *fn;

	(void)name;
	idl_expect(&p->lex, '(');
	fn = idl_take_name(&p->lex, "the name of a C function");
	a->shaped_by = fn ? fn->text : NULL;
	idl_expect(&p->lex, ')');
}

static void c_type(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	(void)name;
	idl_expect(&p->lex, '(');
	a->c_type = string_argument(p);
	if (idl_accept(&p->lex, ','))
		a->c_header = string_argument(p);
	idl_expect(&p->lex, ')');
}

static void uuid(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	const char *text = idl_raw_argument(&p->lex);

	(void)name;
	if (!p->lex.failed && guid_parse(text, &a->uuid) < 0)
		idl_fail(p, "uuid(%.50s) is no UUID", text);
	a->flags |= ATTR_UUID;
	idl_expect(&p->lex, ')');
}

static void version(struct idl_parser *p, struct idl_attrs *a, const char *name)
{
	const char *text = idl_raw_argument(&p->lex);
	char *end;
	unsigned long major = strtoul(text, &end, 10), minor = 0;
	bool ok = end != text;

	(void)name;
	if (*end == '.') {
		const char *s = end + 1;
		minor = strtoul(s, &end, 10);
		ok = ok && end != s;
	}
	if (!p->lex.failed && (!ok || *end || major > UINT16_MAX || minor > UINT16_MAX))
		idl_fail(p, "version(%.30s) is no version such as 1.0", text);
	a->major = (uint16_t)major;
	a->minor = (uint16_t)minor;
	a->flags |= ATTR_VERSION;
	idl_expect(&p->lex, ')');
}

static const struct {
	const char *name;
	attr_fn fn;
} functions[] = {
        {"ref", pointer_kind},  {"unique", pointer_kind},
        {"ptr", pointer_kind},  {"pointer_default", pointer_default},
        {"size_is", counts},    {"max_is", counts},
        {"length_is", counts},  {"first_is", counts},
        {"last_is", counts},    {"switch_is", one_expr},
        {"ends_if", one_expr},  {"present_if", one_expr},
        {"bound_is", one_expr}, {"switch_type", switch_type},
        {"range", range},       {"case", cases},
        {"request", message},   {"response", message},
        {"alias", alias},       {"shaped_by", shaped_by},
        {"c_type", c_type},     {"uuid", uuid},
        {"version", version},
};

static const struct {
	const char *name;
	uint32_t flag;
} words[] = {
        {"in", ATTR_IN},
        {"out", ATTR_OUT},
        {"string", ATTR_STRING},
        {"context_handle", ATTR_CONTEXT_HANDLE},
        {"context_handle_noserialize", ATTR_CONTEXT_HANDLE},
        {"context_handle_serialize", ATTR_CONTEXT_HANDLE},
        {"v1_enum", ATTR_V1_ENUM},
        {"ignore", ATTR_IGNORE},
        {"packed", ATTR_PACKED},
        {"hex", ATTR_HEX},
        {"status", ATTR_STATUS},
        {"object", ATTR_OBJECT},
        {"local", ATTR_LOCAL},
        {"until_end", ATTR_UNTIL_END},
        {"default", ATTR_DEFAULT},
        {"callback", ATTR_CALLBACK},
        {"ms_union", ATTR_MS_UNION},
};

/* The arguments of an attribute that we do not need, parentheses balanced. */
static void skip_arguments(struct idl_parser *p)
{
	unsigned depth = 0;

	if (!idl_is(&p->lex, '('))
		return;
	do {
		depth += idl_is(&p->lex, '(');
		depth -= idl_is(&p->lex, ')');
		idl_next(&p->lex);
	} while (depth && p->lex.tok.kind != TOK_END);
	if (depth)
		idl_fail(p, "')' is missing");
}

static void parse_attr(struct idl_parser *p, struct idl_attrs *a)
{
	struct idl_name *name = idl_take_name(&p->lex, "an attribute");

	if (!name)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (strcmp(name->text, functions[i].name) == 0) {
			functions[i].fn(p, a, functions[i].name);
			return;
		}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(name->text, words[i].name) == 0) {
			a->flags |= words[i].flag;
			return;
		}
	if (strcmp(name->text, "iid_is") == 0)
		a->flags |= ATTR_IID_IS;
	skip_arguments(p);
}

void idl_parse_attrs(struct idl_parser *p, struct idl_attrs *a)
{
	while (idl_accept(&p->lex, '[')) {
		while (!p->lex.failed && !idl_is(&p->lex, ']')) {
			parse_attr(p, a);
			if (!idl_accept(&p->lex, ','))
				break;
		}
		idl_expect(&p->lex, ']');
	}
}
