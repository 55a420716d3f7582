#include "idl/lex.h"

#include <string.h>

/*
 * The preprocessor's lines, as far as published IDL uses them. MIDL_PASS is
 * defined, as when MIDL reads the text. Macros with parameters are not taken:
 * their names stay ordinary names.
 */

#define MAX_MACRO_TOKENS 256
#define MAX_CONDITION_DEPTH 32

static void skip_line(struct idl_lexer *lex)
{
	struct idl_source *s = &lex->src;

	while (s->pos < s->len && s->text[s->pos] != '\n') {
		if (s->text[s->pos] == '\\' && s->len - s->pos > 1 && s->text[s->pos + 1] == '\n') {
			s->pos++;
			s->line++;
		}
		s->pos++;
	}
}

static bool at_line_end(struct idl_lexer *lex)
{
	idl_skip_space(lex, false);
	return lex->failed || lex->src.pos >= lex->src.len || lex->src.text[lex->src.pos] == '\n';
}

static struct idl_name *directive_name(struct idl_lexer *lex)
{
	struct idl_token t;

	if (at_line_end(lex) || !idl_raw_token(lex, &t) || t.kind != TOK_NAME) {
		idl_lex_fail(lex, lex->src.line, "a name is expected after '#'");
		return NULL;
	}
	return t.name;
}

static void define(struct idl_lexer *lex)
{
	struct idl_token tokens[MAX_MACRO_TOKENS];
	struct idl_name *name = directive_name(lex);
	size_t n = 0;

	if (!name)
		return;
	if (lex->src.pos < lex->src.len && lex->src.text[lex->src.pos] == '(') {
		skip_line(lex);
		return;
	}
	while (!at_line_end(lex)) {
		if (n == MAX_MACRO_TOKENS) {
			idl_lex_fail(lex, lex->src.line, "#define '%.60s' is too long", name->text);
			return;
		}
		if (!idl_raw_token(lex, &tokens[n++]))
			return;
	}
	struct idl_macro *m = arena_new_of(lex->arena, struct idl_macro);
	struct idl_token *copy = arena_copy(lex->arena, tokens, n * sizeof *tokens);
	if (lex->failed)
		return;
	if (!m || !copy) {
		idl_lex_fail(lex, lex->src.line, "out of memory");
		lex->failed = MW_E_NOMEM;
		return;
	}
	*m = (struct idl_macro){.name = name, .tokens = copy, .count = n};
	if (name->macro && name->macro->busy)
		idl_lex_fail(lex, lex->src.line, "#define '%.60s' is inside its own expansion", name->text);
	name->macro = m;
	if (lex->on_define)
		lex->on_define(lex, m);
}

static bool is_defined(const struct idl_name *n)
{
	return n->macro || strcmp(n->text, "MIDL_PASS") == 0 || strcmp(n->text, "__midl") == 0;
}

/* The expression of an #if: one token ahead, over the rest of the line. */
struct condition {
	struct idl_lexer *lex;
	struct idl_token t;
	unsigned depth;
};

static int64_t any_of(struct condition *c);

static void advance(struct condition *c)
{
	c->t = (struct idl_token){.kind = TOK_END};
	if (!at_line_end(c->lex))
		idl_raw_token(c->lex, &c->t);
}

static bool take(struct condition *c, int punct)
{
	bool is = c->t.kind == TOK_PUNCT && c->t.punct == punct;

	if (is)
		advance(c);
	return is;
}

static int64_t name_value(struct condition *c)
{
	const struct idl_name *n = c->t.name;
	bool parens;

	advance(c);
	if (strcmp(n->text, "defined") != 0)
		return n->macro && n->macro->count == 1 ? n->macro->tokens[0].value : is_defined(n);
	parens = take(c, '(');
	n = c->t.kind == TOK_NAME ? c->t.name : NULL;
	advance(c);
	if (!n || (parens && !take(c, ')')))
		idl_lex_fail(c->lex, c->lex->src.line, "defined(NAME) is expected in #if");
	return n && is_defined(n);
}

static int64_t one_of(struct condition *c)
{
	int64_t v = 0;

	if (c->depth == MAX_CONDITION_DEPTH) {
		idl_lex_fail(c->lex, c->lex->src.line, "this #if is nested too deep");
		return 0;
	}
	c->depth++;
	if (take(c, '!')) {
		v = !one_of(c);
	} else if (take(c, '(')) {
		v = any_of(c);
		if (!take(c, ')'))
			idl_lex_fail(c->lex, c->lex->src.line, "')' is missing in #if");
	} else if (c->t.kind == TOK_NUMBER) {
		v = c->t.value;
		advance(c);
	} else if (c->t.kind == TOK_NAME) {
		v = name_value(c);
	} else {
		idl_lex_fail(c->lex, c->lex->src.line, "this #if is not understood");
	}
	c->depth--;
	return v;
}

static int64_t compared(struct condition *c)
{
	int64_t v = one_of(c);

	if (take(c, '<'))
		return v < one_of(c);
	if (take(c, '>'))
		return v > one_of(c);
	if (take(c, PUNCT2('<', '=')))
		return v <= one_of(c);
	if (take(c, PUNCT2('>', '=')))
		return v >= one_of(c);
	if (take(c, PUNCT2('=', '=')))
		return v == one_of(c);
	if (take(c, PUNCT2('!', '=')))
		return v != one_of(c);
	return v;
}

static int64_t all_of(struct condition *c)
{
	int64_t v = compared(c);

	while (take(c, PUNCT2('&', '&')))
		v = (compared(c) != 0) & (v != 0);
	return v;
}

static int64_t any_of(struct condition *c)
{
	int64_t v = all_of(c);

	while (take(c, PUNCT2('|', '|')))
		v = (all_of(c) != 0) | (v != 0);
	return v;
}

static bool condition(struct idl_lexer *lex)
{
	struct condition c = {.lex = lex};
	int64_t v;

	advance(&c);
	v = any_of(&c);
	if (c.t.kind != TOK_END)
		idl_lex_fail(lex, lex->src.line, "this #if is not understood");
	return v != 0;
}

/* The word after '#', or "" at the line's end; leaves the rest of the line. */
static const char *directive_word(struct idl_lexer *lex)
{
	struct idl_token t;

	lex->src.pos++;
	if (at_line_end(lex) || !idl_raw_token(lex, &t))
		return "";
	return t.kind == TOK_NAME ? t.name->text : "";
}

/* From a false condition to its #else or #endif. Lines between are not read as tokens. */
static void skip_block(struct idl_lexer *lex, bool stop_at_else)
{
	struct idl_source *s = &lex->src;
	unsigned nested = 0;

	while (!lex->failed) {
		skip_line(lex);
		if (s->pos >= s->len) {
			idl_lex_fail(lex, s->line, "#endif is missing");
			return;
		}
		s->pos++;
		s->line++;
		while (s->pos < s->len && (s->text[s->pos] == ' ' || s->text[s->pos] == '\t'))
			s->pos++;
		if (s->pos >= s->len || s->text[s->pos] != '#')
			continue;
		const char *word = directive_word(lex);
		if (strncmp(word, "if", 2) == 0) {
			nested++;
		} else if (strcmp(word, "endif") == 0) {
			if (nested-- == 0) {
				s->conditions--;
				return;
			}
		} else if (strcmp(word, "else") == 0 && nested == 0 && stop_at_else) {
			return;
		}
	}
}

static void begin_condition(struct idl_lexer *lex, const char *word)
{
	struct idl_name *n;
	bool taken;

	if (strcmp(word, "if") == 0) {
		taken = condition(lex);
	} else {
		n = directive_name(lex);
		taken = n && is_defined(n) == (strcmp(word, "ifdef") == 0);
	}
	if (lex->failed)
		return;
	lex->src.conditions++;
	if (!taken)
		skip_block(lex, true);
}

void idl_directive(struct idl_lexer *lex)
{
	unsigned line = lex->src.line;
	const char *word = directive_word(lex);
	struct idl_name *n;

	if (strcmp(word, "define") == 0) {
		define(lex);
		return;
	}
	if (strcmp(word, "undef") == 0 && (n = directive_name(lex)) && !(n->macro && n->macro->busy)) {
		n->macro = NULL;
	} else if (strcmp(word, "if") == 0 || strcmp(word, "ifdef") == 0 || strcmp(word, "ifndef") == 0) {
		begin_condition(lex, word);
	} else if ((strcmp(word, "else") == 0 || strcmp(word, "endif") == 0) && lex->src.conditions == 0) {
		idl_lex_fail(lex, line, "#%s without #if", word);
	} else if (strcmp(word, "else") == 0) {
		skip_block(lex, false);
	} else if (strcmp(word, "endif") == 0) {
		lex->src.conditions--;
	} else if (strcmp(word, "elif") == 0) {
		idl_lex_fail(lex, line, "#elif is not taken; nest #if in #else");
	}
	/* #pragma, #include, #line and what is unknown: nothing to do with the wire */
	skip_line(lex);
}
