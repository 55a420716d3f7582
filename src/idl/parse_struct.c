#include "idl/private.h"

#include <string.h>

/* struct, union and enum with their members. */

struct idl_member *idl_new_member(struct idl_parser *p, struct idl_name *name, const struct idl_node *node,
                                  const struct idl_attrs *a, unsigned line)
{
	struct idl_member *m = idl_new(p, struct idl_member);

	if (m)
		*m = (struct idl_member){.name = name, .node = node, .attrs = a, .line = line};
	return m;
}

static void add_member(struct idl_parser *p, struct idl_vec *members, struct idl_member *m)
{
	if (p->lex.failed)
		return;
	if (members->n == IDL_MAX_FIELDS) {
		idl_fail(p, "more than %d fields", IDL_MAX_FIELDS);
		return;
	}
	for (size_t i = 0; m->name && i < members->n; i++)
		if (((struct idl_member *)members->items[i])->name == m->name) {
			idl_fail_at(p, m->line, "'%.60s' is there twice", m->name->text);
			return;
		}
	idl_push(p, members, m);
}

/* The tag as a type of that kind, new where it is not known or was built in. */
static struct idl_itype *tagged(struct idl_parser *p, struct idl_name *tag, enum idl_kind kind, bool defines)
{
	struct idl_itype *t = tag ? tag->tag : NULL;
	bool mine = t && !(defines && t->origin == IDL_BUILT_IN && p->origin != IDL_BUILT_IN);

	if (mine && t->tagged_union && kind == IDL_UNION && !defines)
		return t;
	if (mine && t->t.kind != kind) {
		idl_fail(p, "'%.60s' is another kind of type already", tag->text);
		return t;
	}
	if (mine && defines && t->complete) {
		idl_fail(p, "'%.60s' is defined twice", tag->text);
		return t;
	}
	if (mine)
		return t;
	t = idl_new_type(p, kind, tag ? tag->text : NULL);
	if (tag) {
		tag->tag = t;
		idl_push(p, &p->tags, t);
	}
	return t;
}

/* A nameless struct or union is named for C after the field that holds it. */
static void set_outer(const struct idl_node *n, struct idl_itype *outer, const struct idl_name *field)
{
	while (n && (n->kind == NODE_POINTER || n->kind == NODE_ARRAY))
		n = n->to;
	if (n && field && n->kind == NODE_TYPE && !n->type->t.name && !n->type->outer) {
		n->type->outer = outer;
		n->type->outer_field = field->text;
	}
}

static struct idl_name *nameless_union(struct idl_parser *p, const struct idl_vec *members)
{
	static const char letters[] = "uvwxyz";

	for (size_t k = 0; letters[k]; k++) {
		struct idl_name *n = idl_intern(&p->lex, &letters[k], 1);
		size_t i = 0;

		while (i < members->n && ((struct idl_member *)members->items[i])->name != n)
			i++;
		if (i == members->n)
			return n;
	}
	return NULL;
}

static bool is_aggregate(const struct idl_node *n)
{
	return n && n->kind == NODE_TYPE && (n->type->t.kind == IDL_UNION || n->type->t.kind == IDL_STRUCT);
}

/* T a, *b[3]; with its attributes, up to the semicolon. */
static void parse_members(struct idl_parser *p, struct idl_vec *members, struct idl_attrs *a, struct idl_itype *owner)
{
	const struct idl_node *base = idl_parse_specifier(p, a), *n;
	unsigned line = p->lex.tok.line;
	struct idl_name *name;

	do {
		n = idl_parse_declarator(p, base, &name);
		if (!name && n == base && is_aggregate(n))
			name = nameless_union(p, members);
		if (!name && !p->lex.failed)
			idl_fail(p, "a field needs a name before %s", idl_token_text(&p->lex));
		if (p->lex.failed)
			return;
		set_outer(n, owner, name);
		add_member(p, members, idl_new_member(p, name, n, a, line));
	} while (idl_accept(&p->lex, ','));
	idl_expect(&p->lex, ';');
}

static struct idl_attrs *member_attrs(struct idl_parser *p, bool packed)
{
	struct idl_attrs *a = idl_new(p, struct idl_attrs);

	if (!a)
		return NULL;
	idl_parse_attrs(p, a);
	if (packed)
		a->flags |= ATTR_PACKED;
	return a;
}

static void struct_body(struct idl_parser *p, struct idl_itype *s, const struct idl_attrs *a)
{
	bool packed = a->flags & ATTR_PACKED;
	struct idl_vec members = {0};

	s->t.packed = packed;
	s->t.message = (uint8_t)a->message;
	s->t.message_id = a->message_id;
	if (a->message && !packed)
		idl_fail(p, "request and response are for packed structs");
	while (!p->lex.failed && !idl_is(&p->lex, '}')) {
		struct idl_attrs *ma = member_attrs(p, packed);
		if (ma)
			parse_members(p, &members, ma, s);
	}
	idl_expect(&p->lex, '}');
	idl_complete_struct(p, s, &members, packed ? PLACE_PACKED : PLACE_FIELD);
}

struct idl_itype *idl_parse_struct(struct idl_parser *p, const struct idl_attrs *a)
{
	struct idl_name *tag = p->lex.tok.kind == TOK_NAME ? idl_take_name(&p->lex, "a tag") : NULL;
	struct idl_itype *s;

	s = tagged(p, tag, IDL_STRUCT, idl_is(&p->lex, '{'));
	if (!idl_accept(&p->lex, '{')) {
		if (!tag)
			idl_fail(p, "'{' is expected before %s", idl_token_text(&p->lex));
		return s;
	}
	if (!idl_enter(p))
		return s;
	struct_body(p, s, a);
	idl_leave(p);
	return s;
}

/* case 1: case 2: default: in front of an arm. */
static bool case_labels(struct idl_parser *p, struct idl_attrs *a)
{
	bool any = false;

	for (;; any = true) {
		if (idl_accept_word(&p->lex, "case")) {
			int64_t *v = idl_new(p, int64_t);
			if (v)
				*v = idl_parse_constant(p, "case");
			idl_push(p, &a->cases, v);
		} else if (idl_accept_word(&p->lex, "default")) {
			a->flags |= ATTR_DEFAULT;
		} else {
			return any;
		}
		idl_expect(&p->lex, ':');
	}
}

static void parse_arm(struct idl_parser *p, struct idl_vec *arms, bool packed, struct idl_itype *u)
{
	struct idl_attrs *a = idl_new(p, struct idl_attrs);
	unsigned line = p->lex.tok.line;

	if (!a)
		return;
	idl_parse_attrs(p, a);
	case_labels(p, a);
	idl_parse_attrs(p, a);
	if (packed)
		a->flags |= ATTR_PACKED;
	if (!p->lex.failed && !a->cases.n && !(a->flags & ATTR_DEFAULT)) {
		idl_fail(p, "an arm of a union needs 'case' or 'default' before %s", idl_token_text(&p->lex));
		return;
	}
	if (idl_is(&p->lex, ';') || idl_is(&p->lex, '}')) {
		idl_accept(&p->lex, ';');
		add_member(p, arms, idl_new_member(p, NULL, idl_node_of(p, p->void_type), a, line));
		return;
	}
	parse_members(p, arms, a, u);
}

static void union_body(struct idl_parser *p, struct idl_itype *u, bool packed)
{
	struct idl_vec arms = {0};

	u->t.packed = packed;
	u->t.ms_union = p->ms_union && !packed;
	idl_expect(&p->lex, '{');
	if (!idl_enter(p))
		return;
	while (!p->lex.failed && !idl_is(&p->lex, '}'))
		parse_arm(p, &arms, packed, u);
	idl_expect(&p->lex, '}');
	idl_leave(p);
	idl_complete_union(p, u, &arms);
}

static struct idl_itype *switch_specifier(struct idl_parser *p)
{
	struct idl_attrs none = {0};
	const struct idl_node *n = idl_parse_specifier(p, &none);

	while (n && n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	if (n && n->kind == NODE_TYPE && (n->type->t.kind == IDL_INT || n->type->t.kind == IDL_ENUM))
		return n->type;
	idl_fail(p, "a union switches on an integer");
	return NULL;
}

static const struct idl_source_expr *switch_on(struct idl_parser *p, struct idl_name *name)
{
	struct idl_source_expr *e = idl_new(p, struct idl_source_expr);
	struct idl_term *t = idl_new(p, struct idl_term);

	if (!e || !t)
		return NULL;
	*t = (struct idl_term){IDL_OP_FIELD, 0, name};
	*e = (struct idl_source_expr){.terms = t, .count = 1, .line = p->lex.tok.line, .what = "switch"};
	return e;
}

/* union T switch (long tag) name { ... }: a struct of the tag and the union. */
static struct idl_itype *encapsulated(struct idl_parser *p, struct idl_name *tag)
{
	struct idl_itype *s = tagged(p, tag, IDL_STRUCT, true), *u = idl_new_type(p, IDL_UNION, NULL), *on;
	struct idl_name *on_name, *name = NULL;
	struct idl_attrs *none = idl_new(p, struct idl_attrs), *sw = idl_new(p, struct idl_attrs);
	unsigned line = p->lex.tok.line;
	struct idl_vec members = {0};

	idl_expect(&p->lex, '(');
	on = switch_specifier(p);
	on_name = idl_take_name(&p->lex, "the name of the switch");
	idl_expect(&p->lex, ')');
	if (p->lex.tok.kind == TOK_NAME)
		name = idl_take_name(&p->lex, "a name");
	if (!name)
		name = idl_intern(&p->lex, "tagged_union", strlen("tagged_union"));
	if (p->lex.failed)
		return s;
	u->encapsulated = s->tagged_union = true;
	u->outer = s;
	u->outer_field = name->text;
	union_body(p, u, false);
	sw->switch_is = switch_on(p, on_name);
	add_member(p, &members, idl_new_member(p, on_name, idl_node_of(p, on), none, line));
	add_member(p, &members, idl_new_member(p, name, idl_node_of(p, u), sw, line));
	idl_complete_struct(p, s, &members, PLACE_FIELD);
	return s;
}

struct idl_itype *idl_parse_union(struct idl_parser *p, const struct idl_attrs *a)
{
	struct idl_name *tag = NULL;
	struct idl_itype *u;

	if (p->lex.tok.kind == TOK_NAME && !idl_is_word(&p->lex, "switch"))
		tag = idl_take_name(&p->lex, "a tag");
	if (idl_accept_word(&p->lex, "switch"))
		return encapsulated(p, tag);
	u = tagged(p, tag, IDL_UNION, idl_is(&p->lex, '{'));
	if (!idl_is(&p->lex, '{')) {
		if (!tag)
			idl_fail(p, "'{' is expected before %s", idl_token_text(&p->lex));
		return u;
	}
	if (a->switch_type)
		u->t.switch_type = &a->switch_type->t;
	union_body(p, u, a->flags & ATTR_PACKED);
	return u;
}

static void enum_body(struct idl_parser *p, struct idl_itype *e)
{
	struct idl_vec values = {0};
	int64_t next = 0;

	while (!p->lex.failed && !idl_is(&p->lex, '}')) {
		struct idl_enum_value *v = idl_new(p, struct idl_enum_value);
		struct idl_attrs ignored = {0};
		idl_parse_attrs(p, &ignored);
		struct idl_name *name = idl_take_name(&p->lex, "an enumerator");
		if (!v || !name)
			return;
		if (idl_accept(&p->lex, '='))
			next = idl_parse_constant(p, name->text);
		if (next < INT32_MIN || next > UINT32_MAX || values.n == UINT16_MAX)
			idl_fail(p, "'%.60s' is beyond what an enum holds", name->text);
		*v = (struct idl_enum_value){name->text, next};
		idl_push(p, &values, v);
		idl_add_constant(p, name, next++, NULL, false);
		if (!idl_accept(&p->lex, ','))
			break;
	}
	idl_expect(&p->lex, '}');
	struct idl_enum_value *flat = idl_alloc(p, values.n, sizeof *flat);
	if (p->lex.failed)
		return;
	for (size_t i = 0; i < values.n; i++)
		flat[i] = *(struct idl_enum_value *)values.items[i];
	e->t.values = flat;
	e->t.value_count = (uint16_t)values.n;
	e->complete = true;
	idl_declare_type(p, e);
}

struct idl_itype *idl_parse_enum(struct idl_parser *p, const struct idl_attrs *a)
{
	struct idl_name *tag = p->lex.tok.kind == TOK_NAME ? idl_take_name(&p->lex, "a tag") : NULL;
	struct idl_itype *e;

	e = tagged(p, tag, IDL_ENUM, idl_is(&p->lex, '{'));
	e->t.size = e->t.align = 4;
	if (idl_accept(&p->lex, '{')) {
		bool wide = a->flags & ATTR_V1_ENUM;
		e->t.wire_size = e->t.wire_align = wide ? 4 : 2;
		e->t.wire_align64 = 4;
		enum_body(p, e);
	} else if (!tag) {
		idl_fail(p, "'{' is expected before %s", idl_token_text(&p->lex));
	} else if (!e->complete) {
		e->t.wire_size = e->t.wire_align = 2;
		e->t.wire_align64 = 4;
	}
	return e;
}
