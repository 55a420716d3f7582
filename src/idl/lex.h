#ifndef MW_IDL_LEX_H
#define MW_IDL_LEX_H

#include "base/arena.h"
#include "idl/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text to tokens: comments, #define (whose right side is any tokens), #ifdef,
 * and the names, each of which is one struct for the whole parse. After a
 * failure every token is TOK_END, so that all loops of the parser come to
 * their end.
 */

enum idl_token_kind { TOK_END, TOK_NAME, TOK_NUMBER, TOK_STRING, TOK_PUNCT };

/* Punctuators of two characters. */
#define PUNCT2(a, b) ((a) << 8 | (b))

struct idl_token {
	enum idl_token_kind kind;
	int punct;
	int64_t value;         /* TOK_NUMBER */
	const char *text;      /* TOK_STRING: in the arena */
	struct idl_name *name; /* TOK_NAME */
	unsigned line;
};

struct idl_macro {
	struct idl_name *name;
	struct idl_token *tokens;
	size_t count;
	bool busy;
};

/* A name and all that it stands for. */
struct idl_name {
	const char *text;
	size_t len;
	struct idl_name *next;
	struct idl_macro *macro;
	struct idl_typedef *type;
	struct idl_itype *tag;
	struct idl_constant *constant;
	struct idl_iface *iface;
};

struct idl_source {
	const char *file;
	const char *text;
	size_t len, pos;
	unsigned line;
	unsigned conditions; /* open #ifdef blocks */
};

struct idl_expansion {
	struct idl_macro *macro;
	size_t at;
	unsigned line;
};

#define IDL_MAX_EXPANSIONS 16
#define IDL_MAX_EXPANDED (1u << 20) /* tokens that macros may yield in all */
#define IDL_MAX_TEXT (1u << 20)
#define IDL_NAME_BUCKETS 8192

struct idl_lexer {
	struct arena *arena;
	struct idl_source src;
	struct idl_token tok;
	struct idl_expansion expansions[IDL_MAX_EXPANSIONS];
	unsigned depth;
	size_t expanded;
	struct idl_name **names;
	uint32_t seed;
	int failed; /* 0 or the first error's code */
	struct idl_error *error;
	/* #define, for those who want it as a constant; #include. NULL: nobody. */
	void (*on_define)(struct idl_lexer *lex, struct idl_macro *macro);
};

struct idl_name *idl_intern(struct idl_lexer *lex, const char *text, size_t len);
/* The next token becomes lex->tok. */
void idl_next(struct idl_lexer *lex);
/* With '(' as the current token: the raw text up to ')', which becomes the current token. */
const char *idl_raw_argument(struct idl_lexer *lex);
bool idl_is(const struct idl_lexer *lex, int punct);
bool idl_is_word(const struct idl_lexer *lex, const char *word);
/* Takes the token if it is the one. */
bool idl_accept(struct idl_lexer *lex, int punct);
bool idl_accept_word(struct idl_lexer *lex, const char *word);
void idl_expect(struct idl_lexer *lex, int punct);
/* Takes a name; NULL after failing. */
struct idl_name *idl_take_name(struct idl_lexer *lex, const char *what);
/* How the current token reads in a message. */
const char *idl_token_text(struct idl_lexer *lex);
void idl_lex_fail(struct idl_lexer *lex, unsigned line, const char *format, ...) MW_PRINTF(3, 4);

/* pp.c: a line that begins with '#'. */
void idl_directive(struct idl_lexer *lex);
/* lex.c, for pp.c: one token of the raw text, no macros; false at its end. */
bool idl_raw_token(struct idl_lexer *lex, struct idl_token *out);
void idl_skip_space(struct idl_lexer *lex, bool lines);

#endif
