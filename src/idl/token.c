#include "idl/lex.h"

#include <stdio.h>
#include <string.h>

bool idl_is(const struct idl_lexer *lex, int punct)
{
	return lex->tok.kind == TOK_PUNCT && lex->tok.punct == punct;
}

bool idl_is_word(const struct idl_lexer *lex, const char *word)
{
	return lex->tok.kind == TOK_NAME && strcmp(lex->tok.name->text, word) == 0;
}

bool idl_accept(struct idl_lexer *lex, int punct)
{
	if (!idl_is(lex, punct))
		return false;
	idl_next(lex);
	return true;
}

bool idl_accept_word(struct idl_lexer *lex, const char *word)
{
	if (!idl_is_word(lex, word))
		return false;
	idl_next(lex);
	return true;
}

static const char *punct_text(struct idl_lexer *lex, int punct)
{
	char text[5] = {'\'', (char)(punct > 255 ? punct >> 8 : punct), (char)(punct > 255 ? punct & 255 : '\''),
	                (char)(punct > 255 ? '\'' : 0)};
	const char *s = arena_strdup(lex->arena, text);

	return s ? s : "punctuation";
}

const char *idl_token_text(struct idl_lexer *lex)
{
	const char *s = NULL;

	switch (lex->tok.kind) {
	case TOK_END:
		return "the end of the file";
	case TOK_NAME:
		s = arena_printf(lex->arena, "'%.60s'", lex->tok.name->text);
		break;
	case TOK_NUMBER:
		s = arena_printf(lex->arena, "%lld", (long long)lex->tok.value);
		break;
	case TOK_STRING:
		return "a string";
	case TOK_PUNCT:
		return punct_text(lex, lex->tok.punct);
	}
	return s ? s : "this";
}

void idl_expect(struct idl_lexer *lex, int punct)
{
	if (!lex->failed && !idl_accept(lex, punct))
		idl_lex_fail(lex, lex->tok.line, "%s is expected before %s", punct_text(lex, punct),
		             idl_token_text(lex));
}

struct idl_name *idl_take_name(struct idl_lexer *lex, const char *what)
{
	struct idl_name *n = lex->tok.name;

	if (lex->failed)
		return NULL;
	if (lex->tok.kind != TOK_NAME) {
		idl_lex_fail(lex, lex->tok.line, "%s is expected before %s", what, idl_token_text(lex));
		return NULL;
	}
	idl_next(lex);
	return n;
}
