#include "idl/lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void idl_lex_fail(struct idl_lexer *lex, unsigned line, const char *format, ...)
{
	char text[160];
	va_list args;

	if (lex->failed)
		return;
	lex->failed = MW_E_MALFORMED;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (lex->error) {
		lex->error->line = line;
		snprintf(lex->error->message, sizeof lex->error->message, "%.32s:%u: %s", lex->src.file, line, text);
	}
	lex->tok = (struct idl_token){.kind = TOK_END, .line = line};
}

static void out_of_memory(struct idl_lexer *lex)
{
	idl_lex_fail(lex, lex->src.line, "out of memory");
	lex->failed = MW_E_NOMEM;
}

static uint32_t hash(uint32_t h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 16777619u;
	return h ^ h >> 15;
}

struct idl_name *idl_intern(struct idl_lexer *lex, const char *text, size_t len)
{
	struct idl_name **slot = &lex->names[hash(lex->seed, text, len) % IDL_NAME_BUCKETS];
	struct idl_name *n;

	for (n = *slot; n; n = n->next)
		if (n->len == len && memcmp(n->text, text, len) == 0)
			return n;
	n = arena_new_of(lex->arena, struct idl_name);
	char *copy = n ? arena_strndup(lex->arena, text, len) : NULL;
	if (!copy) {
		out_of_memory(lex);
		return NULL;
	}
	n->text = copy;
	n->len = len;
	n->next = *slot;
	*slot = n;
	return n;
}

static int at(const struct idl_lexer *lex, size_t ahead)
{
	return ahead < lex->src.len - lex->src.pos ? (unsigned char)lex->src.text[lex->src.pos + ahead] : -1;
}

static void skip_comment(struct idl_lexer *lex)
{
	struct idl_source *s = &lex->src;
	unsigned line = s->line;

	if (at(lex, 1) == '/') {
		while (s->pos < s->len && s->text[s->pos] != '\n')
			s->pos++;
		return;
	}
	s->pos += 2;
	while (at(lex, 0) >= 0 && !(at(lex, 0) == '*' && at(lex, 1) == '/')) {
		s->line += s->text[s->pos] == '\n';
		s->pos++;
	}
	if (at(lex, 0) < 0)
		idl_lex_fail(lex, line, "a comment that begins here does not end");
	else
		s->pos += 2;
}

/* Blanks and comments; line ends too, unless lines is false. A backslash joins lines. */
void idl_skip_space(struct idl_lexer *lex, bool lines)
{
	struct idl_source *s = &lex->src;

	while (!lex->failed) {
		int c = at(lex, 0);

		if (c == '/' && (at(lex, 1) == '/' || at(lex, 1) == '*')) {
			skip_comment(lex);
		} else if (c == '\\' && (at(lex, 1) == '\n' || (at(lex, 1) == '\r' && at(lex, 2) == '\n'))) {
			s->pos += at(lex, 1) == '\n' ? 2 : 3;
			s->line++;
		} else if (c == '\n' && lines) {
			s->pos++;
			s->line++;
		} else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
			s->pos++;
		} else if ((c == 0xef && at(lex, 1) == 0xbb && at(lex, 2) == 0xbf) ||
		           (c == 0xc2 && at(lex, 1) == 0xa0)) {
			/* byte order mark and no-break space, both seen in published texts */
			s->pos += c == 0xef ? 3 : 2;
		} else {
			return;
		}
	}
}

static bool is_name_char(int c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int digit_value(int c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Whether what is left of a number is one of C's suffixes. */
static bool number_suffix(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("uUlL", s[i]))
			return n == 3 && (memcmp(s, "i64", 3) == 0 || memcmp(s, "I64", 3) == 0);
	return n <= 3;
}

static void lex_number(struct idl_lexer *lex, struct idl_token *t)
{
	const char *s = lex->src.text + lex->src.pos;
	size_t n = 0, i = 0;
	unsigned base = 10;
	uint64_t v = 0;

	while (is_name_char(at(lex, n)))
		n++;
	if (n > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		i = 2;
	} else if (n > 1 && s[0] == '0' && is_digit(s[1])) {
		base = 8;
	}
	for (; i < n && (unsigned)digit_value(s[i]) < base; i++)
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit_value(s[i]), &v)) {
			idl_lex_fail(lex, t->line, "a number is larger than 64 bits");
			return;
		}
	if (!number_suffix(s + i, n - i)) {
		idl_lex_fail(lex, t->line, "'%.*s' is no number", n > 40 ? 40 : (int)n, s);
		return;
	}
	lex->src.pos += n;
	t->kind = TOK_NUMBER;
	t->value = (int64_t)v;
}

static int escape(int c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case '0':
		return 0;
	default:
		return c;
	}
}

/* A string or character constant; the quote is the current byte. */
static void lex_quoted(struct idl_lexer *lex, struct idl_token *t)
{
	struct idl_source *s = &lex->src;
	char quote = s->text[s->pos++];
	size_t start = s->pos, n = 0;

	while (at(lex, 0) >= 0 && at(lex, 0) != quote && at(lex, 0) != '\n')
		s->pos += at(lex, 0) == '\\' && at(lex, 1) >= 0 ? 2 : 1;
	if (at(lex, 0) != quote) {
		idl_lex_fail(lex, t->line, "a string that begins here does not end");
		return;
	}
	char *text = arena_alloc(lex->arena, s->pos - start + 1);
	if (!text) {
		out_of_memory(lex);
		return;
	}
	for (size_t i = start; i < s->pos; i++)
		text[n++] = (char)(s->text[i] == '\\' ? escape(s->text[++i]) : s->text[i]);
	s->pos++;
	t->kind = quote == '"' ? TOK_STRING : TOK_NUMBER;
	t->text = text;
	t->value = (unsigned char)text[0];
	if (quote == '\'' && n != 1)
		idl_lex_fail(lex, t->line, "a character constant holds one character");
}

static void lex_punct(struct idl_lexer *lex, struct idl_token *t)
{
	static const char pairs[][3] = {"<<", ">>", "==", "!=", "<=", ">=", "&&", "||", ".."};
	int c = at(lex, 0);

	t->kind = TOK_PUNCT;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (c == pairs[i][0] && at(lex, 1) == pairs[i][1]) {
			t->punct = PUNCT2(pairs[i][0], pairs[i][1]);
			lex->src.pos += 2;
			return;
		}
	if (!c || c > 126 || !strchr("{}[]();:,*=+-/%&|^~!<>?.#", c)) {
		idl_lex_fail(lex, t->line, c > 32 && c < 127 ? "'%c' has no meaning here" : "a byte 0x%02x stands here",
		             c);
		return;
	}
	t->punct = c;
	lex->src.pos++;
}

bool idl_raw_token(struct idl_lexer *lex, struct idl_token *out)
{
	struct idl_source *s = &lex->src;
	int c = at(lex, 0);

	*out = (struct idl_token){.kind = TOK_END, .line = s->line};
	if (lex->failed || c < 0)
		return false;
	if ((c == '"' || c == '\'') || (c == 'L' && (at(lex, 1) == '"' || at(lex, 1) == '\''))) {
		s->pos += c == 'L';
		lex_quoted(lex, out);
	} else if (is_digit(c)) {
		lex_number(lex, out);
	} else if (is_name_char(c)) {
		size_t n = 1;
		while (is_name_char(at(lex, n)))
			n++;
		out->kind = TOK_NAME;
		out->name = idl_intern(lex, s->text + s->pos, n);
		s->pos += n;
	} else {
		lex_punct(lex, out);
	}
	return !lex->failed;
}

/* Whether the macro of this name takes its place. */
static bool expand(struct idl_lexer *lex, const struct idl_token *t)
{
	struct idl_macro *m = t->kind == TOK_NAME ? t->name->macro : NULL;

	if (!m || m->busy)
		return false;
	lex->expanded += m->count + 1;
	if (lex->depth == IDL_MAX_EXPANSIONS || lex->expanded > IDL_MAX_EXPANDED) {
		idl_lex_fail(lex, t->line, "#define '%.60s' expands too far", m->name->text);
		return true;
	}
	m->busy = true;
	lex->expansions[lex->depth++] = (struct idl_expansion){m, 0, t->line};
	return true;
}

static bool expanded_token(struct idl_lexer *lex, struct idl_token *out)
{
	while (lex->depth) {
		struct idl_expansion *e = &lex->expansions[lex->depth - 1];

		if (e->at < e->macro->count) {
			*out = e->macro->tokens[e->at++];
			out->line = e->line;
			return true;
		}
		e->macro->busy = false;
		lex->depth--;
	}
	return false;
}

void idl_next(struct idl_lexer *lex)
{
	struct idl_token t = {.kind = TOK_END};

	while (!lex->failed) {
		if (!expanded_token(lex, &t)) {
			idl_skip_space(lex, true);
			if (at(lex, 0) == '#' && !lex->failed) {
				idl_directive(lex);
				continue;
			}
			idl_raw_token(lex, &t);
		}
		if (!lex->failed && expand(lex, &t))
			continue;
		break;
	}
	if (lex->failed)
		t = (struct idl_token){.kind = TOK_END, .line = lex->src.line};
	else if (t.kind == TOK_END && lex->src.conditions)
		idl_lex_fail(lex, lex->src.line, "#endif is missing");
	lex->tok = t;
}

const char *idl_raw_argument(struct idl_lexer *lex)
{
	struct idl_source *s = &lex->src;

	if (!idl_is(lex, '(') || lex->depth) {
		idl_lex_fail(lex, lex->tok.line, "'(' is expected before %s", idl_token_text(lex));
		return "";
	}
	idl_skip_space(lex, true);
	size_t start = s->pos, end;
	while (at(lex, 0) >= 0 && at(lex, 0) != ')' && at(lex, 0) != '\n')
		s->pos++;
	end = s->pos;
	while (end > start && strchr(" \t\r", s->text[end - 1]))
		end--;
	char *text = arena_strndup(lex->arena, s->text + start, end - start);
	if (!text)
		out_of_memory(lex);
	idl_next(lex);
	return text ? text : "";
}
