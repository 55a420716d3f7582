#include "lens/filter.h"

#include "base/text.h"
#include "lens/filter-private.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH 64

/* ---- Matching ---- */

struct filter_visit {
	const struct lens_filter *f;
	bool hit;
};

static bool contains(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

void filter_text(struct filter_visit *v, const char *s)
{
	if (!s)
		return;
	switch (v->f->test) {
	case TEST_THERE:
		v->hit = true;
		break;
	case TEST_CONTAINS:
		v->hit |= contains(s, v->f->text);
		break;
	default: /* != is turned round by its caller */
		v->hit |= text_casecmp(s, v->f->text) == 0;
	}
}

static bool compare(enum test test, double a, double b)
{
	switch (test) {
	case TEST_THERE:
		return a != 0;
	case TEST_LT:
		return a < b;
	case TEST_LE:
		return a <= b;
	case TEST_GT:
		return a > b;
	case TEST_GE:
		return a >= b;
	default:
		return a == b;
	}
}

void filter_number(struct filter_visit *v, double n)
{
	v->hit |= compare(v->f->test, n, v->f->number);
}

void filter_flag(struct filter_visit *v, bool set)
{
	v->hit |= v->f->test == TEST_THERE ? set : set == (v->f->number != 0);
}

bool lens_filter_match(const struct lens_filter *f, const struct lens_event *e)
{
	struct filter_visit v = {f, false};

	switch (f->node) {
	case NODE_NOT:
		return !lens_filter_match(f->left, e);
	case NODE_AND:
		return lens_filter_match(f->left, e) && lens_filter_match(f->right, e);
	case NODE_OR:
		return lens_filter_match(f->left, e) || lens_filter_match(f->right, e);
	default:
		f->field->tell(e, &v);
		return v.hit != (f->test == TEST_NE);
	}
}

/* ---- Parsing: recursive descent ---- */

struct parse {
	struct arena *arena;
	const char *text, *at;
	unsigned depth;
	struct lens_filter_error *error;
};

static int MW_PRINTF(3, 4) complain(struct parse *p, const char *at, const char *format, ...)
{
	va_list args;

	p->error->position = (unsigned)(at - p->text) + 1;
	va_start(args, format);
	vsnprintf(p->error->message, sizeof p->error->message, format, args);
	va_end(args);
	return MW_E_INVALID;
}

static void skip_space(struct parse *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool take(struct parse *p, const char *token)
{
	size_t n = strlen(token);

	skip_space(p);
	if (strncmp(p->at, token, n) != 0)
		return false;
	p->at += n;
	return true;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.:-+/\\@*", c)) || (c & 0x80);
}

static size_t word_length(const char *s)
{
	size_t n = 0;

	while (is_word(s[n]))
		n++;
	return n;
}

static int new_node(struct parse *p, enum node node, const struct lens_filter *left, const struct lens_filter *right,
                    struct lens_filter **out)
{
	struct lens_filter *f = arena_new_of(p->arena, struct lens_filter);

	if (!f)
		return MW_E_NOMEM;
	f->node = node;
	f->left = left;
	f->right = right;
	*out = f;
	return 0;
}

static int parse_quoted(struct parse *p, char **out)
{
	const char *start = p->at++;
	char *s = (char *)arena_alloc(p->arena, strlen(start) + 1);

	if (!s)
		return MW_E_NOMEM;
	*out = s;
	while (*p->at && *p->at != '"') {
		if (*p->at == '\\' && p->at[1])
			p->at++;
		*s++ = *p->at++;
	}
	if (*p->at++ != '"') {
		p->at--;
		return complain(p, start, "this quote is not closed");
	}
	return 0;
}

static int parse_value_text(struct parse *p, char **out)
{
	skip_space(p);
	if (*p->at == '"')
		return parse_quoted(p, out);
	size_t n = word_length(p->at);
	if (!n)
		return complain(p, p->at, *p->at ? "a value was expected here" : "a value is missing at the end");
	*out = arena_strndup(p->arena, p->at, n);
	p->at += n;
	return *out ? 0 : MW_E_NOMEM;
}

/* A flag's value as a number; a number as itself. */
static int check_value(struct parse *p, struct lens_filter *f, const char *at)
{
	static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
	char *end;

	switch (f->field->type) {
	case FILTER_NUMBER:
		f->number = strtod(f->text, &end);
		if (end == f->text || *end || !isfinite(f->number))
			return complain(p, at, "'%.40s' is no number", f->text);
		return 0;
	case FILTER_FLAG:
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
			if (strcmp(f->text, words[i]) == 0) {
				f->number = i & 1;
				return 0;
			}
		return complain(p, at, "'%.40s' is neither true nor false", f->text);
	default:
		return 0;
	}
}

static enum test take_test(struct parse *p)
{
	static const struct {
		const char *token;
		enum test test;
	} tests[] = {
	        {"==", TEST_EQ}, {"!=", TEST_NE}, {"<=", TEST_LE},      {">=", TEST_GE},
	        {"<", TEST_LT},  {">", TEST_GT},  {"~", TEST_CONTAINS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (take(p, tests[i].token))
			return tests[i].test;
	return TEST_THERE;
}

/* Whether the test makes sense for the field. */
static int check_test(struct parse *p, const struct lens_filter *f, const char *at)
{
	bool order = f->test >= TEST_LT && f->test <= TEST_GE;

	if (f->test == TEST_CONTAINS && f->field->type != FILTER_TEXT)
		return complain(p, at, "'%s' is no text: ~ does not apply", f->field->name);
	if (order && f->field->type != FILTER_NUMBER)
		return complain(p, at, "'%s' is no number: only ==, != %sapply", f->field->name,
		                f->field->type == FILTER_TEXT ? "and ~ " : "");
	return 0;
}

static int parse_test(struct parse *p, struct lens_filter **out)
{
	const char *name = p->at;
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || name[n] == '_')
		n++;
	if (!n)
		return complain(p, name,
		                *name ? "the name of a field was expected here" : "something is missing at the end");
	const struct filter_field *field = filter_find_field(name, n);
	if (!field)
		return complain(p, name, "there is no field '%.*s'", (int)(n < 40 ? n : 40), name);
	p->at += n;
	int r = new_node(p, NODE_TEST, NULL, NULL, out);
	if (r < 0)
		return r;
	struct lens_filter *f = *out;
	f->field = field;
	skip_space(p);
	const char *at = p->at;
	if (*at == '=' && at[1] != '=')
		return complain(p, at, "a comparison is written ==");
	f->test = take_test(p);
	if (f->test == TEST_THERE)
		return 0;
	r = check_test(p, f, at);
	skip_space(p);
	at = p->at;
	char *text = NULL;
	if (r == 0 && (r = parse_value_text(p, &text)) == 0) {
		f->text = text;
		r = check_value(p, f, at);
	}
	return r;
}

static int parse_or(struct parse *p, struct lens_filter **out);

static int parse_unary(struct parse *p, struct lens_filter **out)
{
	struct lens_filter *inner = NULL;
	int r;

	skip_space(p);
	const char *at = p->at;
	if (*at != '!' && *at != '(')
		return parse_test(p, out);
	if (++p->depth > MAX_DEPTH)
		return complain(p, at, "this is nested too deeply");
	if (*p->at++ == '!') {
		r = parse_unary(p, &inner);
		if (r == 0)
			r = new_node(p, NODE_NOT, inner, NULL, out);
	} else {
		r = parse_or(p, out);
		if (r == 0 && !take(p, ")"))
			r = complain(p, at, "this parenthesis is not closed");
	}
	p->depth--;
	return r;
}

static int parse_chain(struct parse *p, const char *token, enum node node,
                       int (*below)(struct parse *, struct lens_filter **), struct lens_filter **out)
{
	int r = below(p, out);

	while (r == 0 && take(p, token)) {
		struct lens_filter *right = NULL;
		r = below(p, &right);
		if (r == 0)
			r = new_node(p, node, *out, right, out);
	}
	return r;
}

static int parse_and(struct parse *p, struct lens_filter **out)
{
	return parse_chain(p, "&&", NODE_AND, parse_unary, out);
}

static int parse_or(struct parse *p, struct lens_filter **out)
{
	return parse_chain(p, "||", NODE_OR, parse_and, out);
}

int lens_filter_parse(struct arena *arena, const char *text, struct lens_filter **out, struct lens_filter_error *error)
{
	struct parse p = {.arena = arena, .text = text, .at = text, .error = error};
	struct lens_filter *f = NULL;

	if (strlen(text) > 16384)
		return complain(&p, text, "a filter has at most 16,384 bytes");
	int r = parse_or(&p, &f);
	skip_space(&p);
	if (r == 0 && *p.at)
		r = complain(&p, p.at, "&& or || was expected here");
	if (r == 0)
		*out = f;
	return r;
}
