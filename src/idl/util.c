#include "idl/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void no_memory(struct idl_parser *p)
{
	if (p->lex.failed)
		return;
	idl_lex_fail(&p->lex, p->lex.tok.line, "out of memory");
	p->lex.failed = MW_E_NOMEM;
}

void *idl_alloc(struct idl_parser *p, size_t n, size_t size)
{
	void *m = arena_array(p->arena, n, size);

	if (!m)
		no_memory(p);
	return m;
}

bool idl_push(struct idl_parser *p, struct idl_vec *v, const void *item)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		void **items = idl_alloc(p, cap, sizeof *items);

		if (!items)
			return false;
		if (v->n)
			memcpy(items, v->items, v->n * sizeof *items);
		v->items = items;
		v->cap = cap;
	}
	v->items[v->n++] = (void *)item;
	return true;
}

const char *idl_text(struct idl_parser *p, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	const char *s = arena_strdup(p->arena, text);
	if (!s)
		no_memory(p);
	return s ? s : "";
}

bool idl_enter(struct idl_parser *p)
{
	if (p->nesting == IDL_MAX_NESTING) {
		idl_fail(p, "this is nested deeper than %d levels", IDL_MAX_NESTING);
		return false;
	}
	p->nesting++;
	return true;
}

void idl_leave(struct idl_parser *p)
{
	p->nesting--;
}

void idl_fail(struct idl_parser *p, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	idl_lex_fail(&p->lex, p->lex.tok.line, "%s", text);
}

void idl_fail_at(struct idl_parser *p, unsigned line, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	idl_lex_fail(&p->lex, line, "%s", text);
}
