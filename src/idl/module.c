#include "idl/private.h"

#include <string.h>

/* From one text to the tables: sets the parser up, runs it, gathers what it left. */

static void on_define(struct idl_lexer *lex, struct idl_macro *m)
{
	struct idl_parser *p = (struct idl_parser *)lex;
	const struct idl_token *t = m->tokens;
	size_t n = m->count;
	bool negative;

	if (n > 2 && t[0].kind == TOK_PUNCT && t[0].punct == '(' && t[n - 1].punct == ')') {
		t++;
		n -= 2;
	}
	negative = n == 2 && t[0].kind == TOK_PUNCT && t[0].punct == '-';
	if (n != 1u + negative || t[n - 1].kind != TOK_NUMBER)
		return;
	idl_add_constant(p, m->name, negative ? (int64_t)(0 - (uint64_t)t[1].value) : t[0].value, NULL, true);
}

/* A tag that was never defined: what a pointer to it leads to stays bytes. */
static void close_tags(struct idl_parser *p)
{
	for (size_t i = 0; i < p->tags.n; i++) {
		struct idl_itype *t = p->tags.items[i];

		if (t->complete || t->t.kind == IDL_ENUM)
			continue;
		t->t.kind = IDL_OPAQUE;
		t->t.size = t->t.align = sizeof(void *);
		t->complete = true;
	}
}

static void gather_types(struct idl_parser *p)
{
	for (size_t i = 0; i < p->named.n; i++) {
		struct idl_itype *t = p->named.items[i];

		if (!t->t.name || t->origin == IDL_BUILT_IN)
			continue;
		/* names of handles and integers may well occur in two files; nobody asks for their tables */
		t->exported = t->t.kind == IDL_STRUCT || t->t.kind == IDL_UNION || t->t.kind == IDL_ENUM ||
		              t->t.kind == IDL_SHAPED;
		if (t->origin == IDL_OWN)
			idl_push(p, &p->unit.types, t);
	}
}

static void gather_message(struct idl_parser *p, const struct idl_type *t, const struct idl_type ***table)
{
	if (!*table)
		*table = idl_alloc(p, 256, sizeof(void *));
	if (!*table)
		return;
	if ((*table)[t->message_id])
		idl_fail(p, "'%.60s' and '%.60s' are messages with the same id 0x%02x", (*table)[t->message_id]->name,
		         t->name, t->message_id);
	(*table)[t->message_id] = t;
}

static const struct idl_module *make_module(struct idl_parser *p, const char *name)
{
	struct idl_module *m = idl_new(p, struct idl_module);
	const struct idl_type **types = idl_alloc(p, p->unit.types.n, sizeof(void *));
	const struct idl_interface **faces = idl_alloc(p, p->unit.interfaces.n, sizeof(void *));
	const struct idl_type **requests = NULL, **responses = NULL;

	if (p->lex.failed)
		return NULL;
	for (size_t i = 0; i < p->unit.types.n; i++) {
		types[i] = &((struct idl_itype *)p->unit.types.items[i])->t;
		if (types[i]->message == IDL_REQUEST)
			gather_message(p, types[i], &requests);
		else if (types[i]->message == IDL_RESPONSE)
			gather_message(p, types[i], &responses);
	}
	for (size_t i = 0; i < p->unit.interfaces.n; i++)
		faces[i] = &((struct idl_iface *)p->unit.interfaces.items[i])->i;
	*m = (struct idl_module){.name = name,
	                         .interfaces = faces,
	                         .interface_count = (uint16_t)p->unit.interfaces.n,
	                         .types = types,
	                         .type_count = (uint32_t)p->unit.types.n,
	                         .requests = requests,
	                         .responses = responses};
	return m;
}

static const char *module_name(struct idl_parser *p, const char *file)
{
	const char *slash = strrchr(file, '/'), *start = slash ? slash + 1 : file;
	size_t n = strlen(start);

	return idl_text(p, "%.*s", (int)(n > 4 && strcmp(start + n - 4, ".idl") == 0 ? n - 4 : n), start);
}

static int run(struct idl_parser *p, const char *name, const char *text, size_t len)
{
	idl_types_init(p);
	idl_parse_text(p, "built-in", idl_prelude, strlen(idl_prelude), IDL_BUILT_IN);
	p->serial = 0;
	idl_parse_text(p, name, text, len, IDL_OWN);
	p->lex.src.file = name;
	close_tags(p);
	idl_close_arrays(p);
	gather_types(p);
	if (!p->lex.failed)
		p->unit.module = make_module(p, module_name(p, name));
	return p->lex.failed;
}

int idl_parse_unit(struct arena *arena, const char *name, const char *text, size_t len, const struct idl_loader *loader,
                   bool build, const struct idl_unit **out, struct idl_error *error)
{
	struct idl_parser *p = arena_new_of(arena, struct idl_parser);
	struct idl_error ignored;
	int r;

	if (!error)
		error = &ignored;
	*error = (struct idl_error){.message = "out of memory"};
	if (!p)
		return MW_E_NOMEM;
	p->lex.names = arena_new_array(arena, struct idl_name *, IDL_NAME_BUCKETS);
	if (!p->lex.names)
		return MW_E_NOMEM;
	p->arena = p->lex.arena = arena;
	/* where the arena lies is hard to guess, so that names cannot be chosen to collide */
	p->lex.seed = (uint32_t)((uintptr_t)p >> 4) * 2654435761u;
	p->lex.error = error;
	p->lex.on_define = on_define;
	p->lex.src.file = name;
	p->loader = loader;
	p->build = build;
	r = run(p, name, text, len);
	if (r < 0)
		return r;
	*error = (struct idl_error){0};
	*out = &p->unit;
	return 0;
}

int idl_parse(struct arena *arena, const char *name, const char *text, size_t len, const struct idl_loader *loader,
              const struct idl_module **out, struct idl_error *error)
{
	const struct idl_unit *u;
	int r = idl_parse_unit(arena, name, text, len, loader, false, &u, error);

	if (r == 0)
		*out = u->module;
	return r;
}

const struct idl_type *idl_find_type(const struct idl_module *m, const char *name)
{
	for (uint32_t i = 0; i < m->type_count; i++)
		if (strcmp(m->types[i]->name, name) == 0)
			return m->types[i];
	return NULL;
}
