/* IDL text: whatever comes in, what comes out of idl_parse() are tables that the engine may walk, or a sentence. */
#include "fuzz.h"

#include "base/buf.h"
#include "idl/parse.h"

#include <string.h>

/* Stack, indexes and kinds: idl_eval() on a zeroed struct runs each operation. */
static void check_expr(struct arena *arena, const struct idl_expr *e, const struct idl_type *s)
{
	int64_t value;
	void *zero = arena_alloc(arena, s->size);

	must(!e->ops == !e->count);
	for (unsigned i = 0; i < e->count; i++)
		if (e->ops[i].code == IDL_OP_FIELD || e->ops[i].code == IDL_OP_DEREF)
			must(e->ops[i].value >= 0 && e->ops[i].value < s->field_count);
	if (e->ops && zero)
		(void)!idl_eval(e, s, zero, &value);
}

/* The pointers, arrays and what they lead to; the expressions are on s. */
static void check_chain(struct arena *arena, const struct idl_type *t, const struct idl_type *s)
{
	unsigned depth = 0;

	for (; t->kind == IDL_POINTER || t->kind == IDL_ARRAY; t = t->element) {
		must(t->element && ++depth <= 64);
		must(t->kind == IDL_ARRAY || t->size == sizeof(void *));
		must(t->array || t->kind == IDL_POINTER || (uint64_t)t->fixed_count * t->element->size == t->size);
		check_expr(arena, &t->size_is, s);
		check_expr(arena, &t->length_is, s);
	}
	must(t->align && !(t->align & (t->align - 1)));
	must(t->kind != IDL_UNION || t->packed || t->fields || !t->field_count);
}

static void check_type(struct arena *arena, const struct idl_type *t)
{
	must(t->align && t->size % t->align == 0);
	if (t->kind != IDL_STRUCT && t->kind != IDL_UNION)
		return;
	for (unsigned i = 0; i < t->field_count; i++) {
		const struct idl_field *f = &t->fields[i];

		must(f->name && f->type && f->type->size <= t->size && f->offset <= t->size - f->type->size);
		must(f->offset % f->type->align == 0);
		check_chain(arena, f->type, t);
		check_expr(arena, &f->switch_is, t);
		check_expr(arena, &f->present_if, t);
		check_expr(arena, &f->bound_is, t);
		check_expr(arena, &f->ends_if, t);
	}
}

/* import "..." yields the same text again, and so on. */
static const char *import(void *user, struct arena *arena, const char *name, size_t *len)
{
	const char *text = user;

	(void)arena;
	(void)name;
	*len = strlen(text) / 2;
	return text + *len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(64 << 20);
	char *text = arena_alloc(arena, size + 1);
	const struct idl_loader loader = {.import = import, .user = text};
	const struct idl_module *m;
	struct idl_error error;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	if (idl_parse(arena, "fuzz.idl", text, size, &loader, &m, &error) < 0) {
		must(error.message[0] && strlen(error.message) < sizeof error.message);
		return 0;
	}
	for (unsigned i = 0; i < m->type_count; i++)
		check_type(arena, m->types[i]);
	for (unsigned i = 0; i < m->interface_count; i++)
		for (unsigned k = 0; k < m->interfaces[i]->method_count; k++) {
			must(m->interfaces[i]->methods[k].opnum == k);
			check_type(arena, m->interfaces[i]->methods[k].args);
		}
	return 0;
}
