#include "idl/private.h"

#include <string.h>

/* Type specifiers and declarators. */

static void skip_qualifiers(struct idl_parser *p)
{
	static const char *const words[] = {"const", "volatile", "__RPC_FAR", "FAR", "far", "extern", "static"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (idl_accept_word(&p->lex, words[i]))
			i = (size_t)-1;
}

struct words {
	unsigned size; /* 0: not told */
	unsigned longs;
	bool is_signed, is_unsigned, is_char, is_int, any;
};

static bool take_int_word(struct idl_parser *p, struct words *w)
{
	static const struct {
		const char *name;
		unsigned size;
	} sizes[] = {{"small", 1},   {"short", 2},   {"hyper", 8},   {"__int8", 1},
	             {"__int16", 2}, {"__int32", 4}, {"__int64", 8}, {"__int3264", 4}};

	if (idl_accept_word(&p->lex, "signed"))
		return w->is_signed = true;
	if (idl_accept_word(&p->lex, "unsigned"))
		return w->is_unsigned = true;
	if (idl_accept_word(&p->lex, "int"))
		return w->is_int = true;
	if (idl_accept_word(&p->lex, "char"))
		return w->is_char = true;
	if (idl_accept_word(&p->lex, "long"))
		return ++w->longs;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (idl_accept_word(&p->lex, sizes[i].name)) {
			w->size = sizes[i].size;
			return true;
		}
	return false;
}

/* unsigned long int and its like; NULL where no such word stands. */
static struct idl_itype *parse_int_words(struct idl_parser *p)
{
	struct words w = {0};

	while (take_int_word(p, &w))
		w.any = true;
	if (!w.any)
		return NULL;
	if (w.is_char && !w.is_signed && !w.is_unsigned)
		return p->char_type;
	if (w.is_char)
		w.size = 1;
	else if (w.longs > 1)
		w.size = 8;
	else if (!w.size)
		w.size = 4;
	return idl_int_type(p, w.size, !w.is_unsigned);
}

/* interface IFoo *: what it points to stays bytes */
static const struct idl_node *interface_type(struct idl_parser *p)
{
	return idl_node_of(p, p->opaque_type);
}

static const struct idl_node *named_type(struct idl_parser *p)
{
	struct idl_name *name = p->lex.tok.name;
	struct idl_node *n;

	if (p->lex.tok.kind != TOK_NAME) {
		idl_fail(p, "a type is expected before %s", idl_token_text(&p->lex));
		return NULL;
	}
	if (!name->type && name->iface) {
		idl_next(&p->lex);
		return interface_type(p);
	}
	if (!name->type && name->tag) { /* not C, but seen: the tag alone */
		idl_next(&p->lex);
		return idl_node_of(p, name->tag);
	}
	if (!name->type) {
		if (p->missing)
			idl_fail(p, "'%.60s' is no known type (import \"%.40s\" was not found)", name->text,
			         p->missing);
		else
			idl_fail(p, "'%.60s' is no known type", name->text);
		return NULL;
	}
	idl_next(&p->lex);
	n = idl_new(p, struct idl_node);
	if (n)
		*n = (struct idl_node){.kind = NODE_TYPEDEF, .alias = name->type};
	return n;
}

static const struct idl_node *specifier(struct idl_parser *p, const struct idl_attrs *a)
{
	struct idl_lexer *lex = &p->lex;
	struct idl_itype *t = parse_int_words(p);

	if (t)
		return idl_node_of(p, t);
	if (idl_accept_word(lex, "struct"))
		return idl_node_of(p, idl_parse_struct(p, a));
	if (idl_accept_word(lex, "union"))
		return idl_node_of(p, idl_parse_union(p, a));
	if (idl_accept_word(lex, "enum"))
		return idl_node_of(p, idl_parse_enum(p, a));
	if (idl_accept_word(lex, "float"))
		return idl_node_of(p, idl_float_type(p, 4));
	if (idl_accept_word(lex, "double"))
		return idl_node_of(p, idl_float_type(p, 8));
	if (idl_accept_word(lex, "interface")) {
		idl_take_name(lex, "the name of an interface");
		return interface_type(p);
	}
	if (idl_accept_word(lex, "pipe")) {
		idl_parse_specifier(p, a);
		return idl_node_of(p, p->opaque_type);
	}
	if (idl_accept_word(lex, "SAFEARRAY")) {
		if (idl_accept(lex, '(')) {
			idl_parse_specifier(p, a);
			while (idl_accept(lex, '*'))
				;
			idl_expect(lex, ')');
		}
		return interface_type(p);
	}
	return named_type(p);
}

const struct idl_node *idl_parse_specifier(struct idl_parser *p, const struct idl_attrs *a)
{
	const struct idl_node *n = NULL;

	if (!idl_enter(p))
		return NULL;
	skip_qualifiers(p);
	n = specifier(p, a);
	skip_qualifiers(p);
	idl_leave(p);
	return n;
}

static void skip_calling_convention(struct idl_parser *p)
{
	static const char *const words[] = {"__stdcall", "__cdecl", "_stdcall", "stdcall",   "STDMETHODCALLTYPE",
	                                    "pascal",    "const",   "FAR",      "__RPC_FAR", "__RPC_USER"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (idl_accept_word(&p->lex, words[i]))
			i = (size_t)-1;
}

static uint32_t array_bound(struct idl_parser *p)
{
	int64_t n = idl_parse_constant(p, "array size");

	if (idl_accept(&p->lex, PUNCT2('.', '.'))) { /* C706: [0..9] */
		int64_t last = idl_parse_constant(p, "array bound");
		if (n != 0)
			idl_fail(p, "an array begins at 0");
		n = last >= 0 && last < INT32_MAX ? last + 1 : -1;
	}
	if (!p->lex.failed && (n <= 0 || n > IDL_MAX_SIZE))
		idl_fail(p, "an array cannot have %lld elements", (long long)n);
	return (uint32_t)n;
}

static struct idl_node *wrap(struct idl_parser *p, enum idl_node_kind kind, const struct idl_node *to)
{
	struct idl_node *n = idl_new(p, struct idl_node);

	if (n)
		*n = (struct idl_node){.kind = kind, .to = to};
	return n;
}

/* [a][b] behind a declarator: the first bound is the outermost array. */
static const struct idl_node *array_suffix(struct idl_parser *p, const struct idl_node *base)
{
	struct idl_node bounds[IDL_MAX_DIMENSIONS];
	unsigned n = 0;

	while (idl_accept(&p->lex, '[')) {
		if (n == IDL_MAX_DIMENSIONS) {
			idl_fail(p, "an array has more than %d dimensions", IDL_MAX_DIMENSIONS);
			return base;
		}
		bounds[n] = (struct idl_node){.kind = NODE_ARRAY, .open = true};
		if (!idl_is(&p->lex, ']') && !idl_accept(&p->lex, '*')) {
			bounds[n].open = false;
			bounds[n].count = array_bound(p);
		}
		idl_expect(&p->lex, ']');
		n++;
	}
	while (n-- && base) {
		struct idl_node *a = wrap(p, NODE_ARRAY, base);
		if (a) {
			a->open = bounds[n].open;
			a->count = bounds[n].count;
		}
		base = a;
	}
	return base;
}

/*
 * T (*x)[10]: what stands in parentheses wraps what stands around them. It is
 * read first, on an empty node that is filled in afterwards.
 */
static const struct idl_node *grouped(struct idl_parser *p, const struct idl_node *base, struct idl_name **name)
{
	struct idl_node *hole = idl_new(p, struct idl_node);
	const struct idl_node *inner, *outer;

	if (!hole || !idl_enter(p))
		return NULL;
	inner = idl_parse_declarator(p, hole, name);
	idl_leave(p);
	idl_expect(&p->lex, ')');
	outer = array_suffix(p, base);
	if (outer)
		*hole = *outer;
	return inner == hole ? outer : inner;
}

static const struct idl_node *pointer_prefix(struct idl_parser *p, const struct idl_node *base)
{
	skip_calling_convention(p);
	for (unsigned n = 0; idl_accept(&p->lex, '*'); n++) {
		if (n == IDL_MAX_NESTING)
			idl_fail(p, "a pointer has more than %d levels", IDL_MAX_NESTING);
		base = wrap(p, NODE_POINTER, base);
		skip_calling_convention(p);
	}
	return base;
}

/* What a method returns, with its name. */
const struct idl_node *idl_parse_result(struct idl_parser *p, const struct idl_node *base, struct idl_name **name)
{
	base = pointer_prefix(p, base);
	*name = idl_take_name(&p->lex, "the name of a method");
	return *name ? base : NULL;
}

const struct idl_node *idl_parse_declarator(struct idl_parser *p, const struct idl_node *base, struct idl_name **name)
{
	struct idl_lexer *lex = &p->lex;

	*name = NULL;
	base = pointer_prefix(p, base);
	if (!base || lex->failed)
		return NULL;
	if (idl_accept(lex, '('))
		return grouped(p, base, name);
	if (lex->tok.kind == TOK_NAME)
		*name = idl_take_name(lex, "a name");
	if (idl_is(lex, ':')) {
		idl_fail(p, "bit fields are not taken");
		return NULL;
	}
	return array_suffix(p, base);
}
