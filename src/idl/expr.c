#include "idl/private.h"

#include <string.h>

/*
 * Expressions are read by precedence climbing straight into postfix order.
 * Names stay names until the struct around them is complete.
 */

struct builder {
	struct idl_parser *p;
	struct idl_term terms[IDL_MAX_OPS];
	unsigned n;
};

static void emit(struct builder *b, enum idl_opcode code, int64_t value, struct idl_name *name)
{
	if (b->n == IDL_MAX_OPS)
		idl_fail(b->p, "an expression has more than %d terms", IDL_MAX_OPS);
	else
		b->terms[b->n++] = (struct idl_term){code, value, name};
}

struct binary {
	int punct;
	int precedence;
	enum idl_opcode code;
};

static const struct binary binaries[] = {
        {PUNCT2('|', '|'), 1, IDL_OP_LOR},
        {PUNCT2('&', '&'), 2, IDL_OP_LAND},
        {'|', 3, IDL_OP_OR},
        {'^', 4, IDL_OP_XOR},
        {'&', 5, IDL_OP_AND},
        {PUNCT2('=', '='), 6, IDL_OP_EQ},
        {PUNCT2('!', '='), 6, IDL_OP_NE},
        {'<', 7, IDL_OP_LT},
        {'>', 7, IDL_OP_GT},
        {PUNCT2('<', '='), 7, IDL_OP_LE},
        {PUNCT2('>', '='), 7, IDL_OP_GE},
        {PUNCT2('<', '<'), 8, IDL_OP_SHL},
        {PUNCT2('>', '>'), 8, IDL_OP_SHR},
        {'+', 9, IDL_OP_ADD},
        {'-', 9, IDL_OP_SUB},
        {'*', 10, IDL_OP_MUL},
        {'/', 10, IDL_OP_DIV},
        {'%', 10, IDL_OP_MOD},
};

static void parse_conditional(struct builder *b);
static void parse_unary(struct builder *b);

static bool starts_type(const struct idl_lexer *lex)
{
	static const char *const words[] = {"unsigned", "signed", "char", "short",  "long",  "int",
	                                    "hyper",    "small",  "byte", "struct", "union", "enum"};

	if (lex->tok.kind != TOK_NAME)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (idl_is_word(lex, words[i]))
			return true;
	return lex->tok.name->type && !lex->tok.name->constant;
}

/* A type's C size, for sizeof; the ')' is taken. */
static int64_t parse_sizeof(struct idl_parser *p)
{
	struct idl_attrs none = {0};
	const struct idl_node *n;
	bool pointer = false;

	idl_expect(&p->lex, '(');
	n = idl_parse_specifier(p, &none);
	while (idl_accept(&p->lex, '*'))
		pointer = true;
	idl_expect(&p->lex, ')');
	if (!n || pointer)
		return pointer ? (int64_t)sizeof(void *) : 0;
	while (n->kind == NODE_TYPEDEF)
		n = n->alias->named ? &(const struct idl_node){.kind = NODE_TYPE, .type = n->alias->named}
		                    : n->alias->node;
	if (n->kind == NODE_TYPE && n->type->complete && !n->type->soft)
		return n->type->t.size;
	idl_fail(p, "the size of this type is not known here");
	return 0;
}

static void parse_paren(struct builder *b)
{
	struct idl_attrs none = {0};
	struct idl_lexer *lex = &b->p->lex;

	if (starts_type(lex)) { /* a cast: the value stays as it is */
		idl_parse_specifier(b->p, &none);
		idl_expect(lex, ')');
		parse_unary(b);
		return;
	}
	parse_conditional(b);
	idl_expect(lex, ')');
}

static void parse_name(struct builder *b)
{
	struct idl_lexer *lex = &b->p->lex;
	struct idl_name *name = idl_take_name(lex, "a name or a number");

	if (!name)
		return;
	if (strcmp(name->text, "sizeof") == 0)
		emit(b, IDL_OP_CONST, parse_sizeof(b->p), NULL);
	else
		emit(b, IDL_OP_FIELD, 0, name);
	if (idl_is(lex, '.'))
		idl_fail(b->p, "a field of another struct ('%.40s.') is not taken in expressions", name->text);
}

static void parse_dereference(struct builder *b)
{
	struct idl_lexer *lex = &b->p->lex;
	unsigned parens = 0;

	while (idl_accept(lex, '('))
		parens++;
	struct idl_name *name = idl_take_name(lex, "a name");
	while (parens-- && !lex->failed)
		idl_expect(lex, ')');
	if (name)
		emit(b, IDL_OP_DEREF, 0, name);
}

static void parse_unary(struct builder *b)
{
	static const struct {
		int punct;
		enum idl_opcode code;
	} unary[] = {{'-', IDL_OP_NEG}, {'~', IDL_OP_NOT}, {'!', IDL_OP_LNOT}};
	struct idl_lexer *lex = &b->p->lex;

	if (!idl_enter(b->p))
		return;
	if (lex->tok.kind == TOK_NUMBER) {
		emit(b, IDL_OP_CONST, lex->tok.value, NULL);
		idl_next(lex);
	} else if (idl_accept(lex, '(')) {
		parse_paren(b);
	} else if (idl_accept(lex, '*')) {
		parse_dereference(b);
	} else if (idl_accept(lex, '+')) {
		parse_unary(b);
	} else if (lex->tok.kind == TOK_PUNCT) {
		size_t i = 0;
		while (i < ARRAY_SIZE(unary) && !idl_accept(lex, unary[i].punct))
			i++;
		if (i == ARRAY_SIZE(unary)) {
			idl_fail(b->p, "an expression is expected before %s", idl_token_text(lex));
		} else {
			parse_unary(b);
			emit(b, unary[i].code, 0, NULL);
		}
	} else {
		parse_name(b);
	}
	idl_leave(b->p);
}

static const struct binary *next_binary(const struct idl_lexer *lex, int least)
{
	for (size_t i = 0; i < ARRAY_SIZE(binaries); i++)
		if (idl_is(lex, binaries[i].punct) && binaries[i].precedence >= least)
			return &binaries[i];
	return NULL;
}

static void parse_binary(struct builder *b, int least)
{
	const struct binary *op;

	parse_unary(b);
	while ((op = next_binary(&b->p->lex, least))) {
		idl_next(&b->p->lex);
		parse_binary(b, op->precedence + 1);
		emit(b, op->code, 0, NULL);
	}
}

static void parse_conditional(struct builder *b)
{
	if (!idl_enter(b->p))
		return;
	parse_binary(b, 1);
	if (idl_accept(&b->p->lex, '?')) {
		parse_conditional(b);
		idl_expect(&b->p->lex, ':');
		parse_conditional(b);
		emit(b, IDL_OP_SELECT, 0, NULL);
	}
	idl_leave(b->p);
}

const struct idl_source_expr *idl_parse_expr(struct idl_parser *p, const char *what)
{
	struct builder b = {.p = p};
	struct idl_source_expr *e = idl_new(p, struct idl_source_expr);

	if (!e)
		return NULL;
	e->line = p->lex.tok.line;
	e->what = what;
	parse_conditional(&b);
	e->terms = idl_alloc(p, b.n, sizeof *b.terms);
	if (p->lex.failed)
		return NULL;
	memcpy(e->terms, b.terms, b.n * sizeof *b.terms);
	e->count = b.n;
	return e;
}

int64_t idl_parse_constant(struct idl_parser *p, const char *what)
{
	const struct idl_source_expr *s = idl_parse_expr(p, what);
	struct idl_expr e = {0};
	int64_t value = 0;

	if (!s)
		return 0;
	idl_resolve(p, s, &e, NULL, 0, 0);
	if (!p->lex.failed && idl_eval(&e, NULL, NULL, &value) < 0)
		idl_fail_at(p, s->line, "the value of '%s' cannot be computed", what);
	return value;
}
