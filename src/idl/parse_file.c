#include "idl/private.h"

#include <string.h>

/* The outermost level: import, const, typedef, interface. */

#define MAX_IMPORT_DEPTH 16
#define MAX_IMPORTS 256

void idl_declare_type(struct idl_parser *p, struct idl_itype *t)
{
	struct idl_decl *d = idl_new(p, struct idl_decl);

	if (!d)
		return;
	t->serial = ++p->serial;
	*d = (struct idl_decl){.kind = DECL_TYPE, .type = t};
	if (p->origin != IDL_IMPORTED)
		idl_push(p, &p->unit.decls, d);
	if (!t->is_args)
		idl_push(p, &p->named, t);
}

static void declare_typedef(struct idl_parser *p, struct idl_typedef *td)
{
	struct idl_decl *d;

	if (p->origin != IDL_OWN || p->lex.failed || !(d = idl_new(p, struct idl_decl)))
		return;
	*d = (struct idl_decl){.kind = DECL_TYPEDEF, .alias = td};
	idl_push(p, &p->unit.decls, d);
}

void idl_add_constant(struct idl_parser *p, struct idl_name *name, int64_t value, const char *text, bool declare)
{
	struct idl_constant *c = idl_new(p, struct idl_constant);
	struct idl_decl *d = idl_new(p, struct idl_decl);

	if (!name || !c || !d || p->lex.failed)
		return;
	*c = (struct idl_constant){name->text, value, text, p->origin};
	name->constant = c;
	*d = (struct idl_decl){.kind = DECL_CONST, .constant = c};
	if (declare && p->origin == IDL_OWN)
		idl_push(p, &p->unit.decls, d);
}

static void parse_const(struct idl_parser *p)
{
	struct idl_attrs none = {0};
	const struct idl_node *base = idl_parse_specifier(p, &none);
	struct idl_name *name;

	idl_parse_declarator(p, base, &name);
	if (!name && !p->lex.failed)
		idl_fail(p, "a constant needs a name");
	idl_expect(&p->lex, '=');
	if (p->lex.tok.kind == TOK_STRING) {
		idl_add_constant(p, name, 0, p->lex.tok.text, true);
		idl_next(&p->lex);
	} else {
		int64_t value = idl_parse_constant(p, name ? name->text : "const");
		idl_add_constant(p, name, value, NULL, true);
	}
	idl_expect(&p->lex, ';');
}

static const char *base_name(struct idl_parser *p, const char *file)
{
	const char *slash = strrchr(file, '/'), *start = slash ? slash + 1 : file;
	size_t n = strlen(start);

	if (n > 4 && strcmp(start + n - 4, ".idl") == 0)
		n -= 4;
	return idl_text(p, "%.*s", n > 200 ? 200 : (int)n, start);
}

static bool is_c_header(const char *file)
{
	size_t n = strlen(file);

	return n > 2 && strcmp(file + n - 2, ".h") == 0;
}

/* Once a file; what is not there may be built in (ms-dtyp.idl). */
static void import_file(struct idl_parser *p, const char *file)
{
	const char *name = base_name(p, file), *text;
	size_t len = 0;

	for (size_t i = 0; i < p->imported.n; i++)
		if (strcmp(p->imported.items[i], name) == 0)
			return;
	if (p->imported.n == MAX_IMPORTS || p->import_depth == MAX_IMPORT_DEPTH) {
		idl_fail(p, "import \"%.60s\" goes too far", file);
		return;
	}
	idl_push(p, &p->imported, name);
	if (is_c_header(file))
		return;
	text = p->loader && p->loader->import ? p->loader->import(p->loader->user, p->arena, file, &len) : NULL;
	if (!text) {
		if (strcmp(name, "ms-dtyp") != 0)
			p->missing = file;
		return;
	}
	if (p->origin == IDL_OWN)
		idl_push(p, &p->unit.imports, name);
	p->import_depth++;
	idl_parse_text(p, file, text, len, IDL_IMPORTED);
	p->import_depth--;
}

static void parse_import(struct idl_parser *p)
{
	do {
		const char *file = p->lex.tok.text;
		if (p->lex.tok.kind != TOK_STRING) {
			idl_fail(p, "import needs a file name in quotes");
			return;
		}
		import_file(p, file);
		idl_next(&p->lex);
	} while (idl_accept(&p->lex, ','));
	idl_expect(&p->lex, ';');
}

/* cpp_quote("..."), midl_pragma warning(...) */
static void skip_call(struct idl_parser *p)
{
	while (p->lex.tok.kind != TOK_END && !idl_is(&p->lex, '('))
		idl_next(&p->lex);
	while (p->lex.tok.kind != TOK_END && !idl_is(&p->lex, ')'))
		idl_next(&p->lex);
	idl_expect(&p->lex, ')');
	idl_accept(&p->lex, ';');
}

/* A shaped type: its function at run time, its C type at build time. */
static struct idl_itype *shaped_type(struct idl_parser *p, const struct idl_attrs *a)
{
	idl_shape_fn fn = p->loader && p->loader->shape ? p->loader->shape(p->loader->user, a->shaped_by) : NULL;
	struct idl_shape_layout layout = {sizeof(void *), sizeof(void *)};
	struct idl_itype *t;

	if (!fn && !p->build) {
		t = idl_new_type(p, IDL_OPAQUE, NULL);
		t->t.size = t->t.align = sizeof(void *);
		t->complete = true;
		return t;
	}
	t = idl_new_type(p, IDL_SHAPED, NULL);
	if (fn && fn(NULL, &layout) < 0)
		idl_fail(p, "'%s' does not tell its layout", a->shaped_by);
	if (p->build && !a->c_type)
		idl_fail(p, "a type that is shaped by '%s' needs c_type(\"struct x\", \"header.h\")", a->shaped_by);
	t->t.size = layout.size;
	t->t.align = layout.align;
	t->t.shape = fn;
	t->t.shape_name = a->shaped_by;
	t->soft = p->build;
	t->c_name = a->c_type;
	t->c_header = a->c_header;
	t->complete = true;
	return t;
}

static struct idl_itype *renamed(struct idl_parser *p, const struct idl_itype *from, const char *name,
                                 const struct idl_attrs *a)
{
	struct idl_itype *t = idl_new_type(p, from->t.kind, NULL);

	*t = *from;
	t->t.name = name;
	t->origin = p->origin;
	t->exported = false;
	t->hex = NULL;
	if (a->flags & ATTR_HEX)
		t->t.is_hex = true;
	if (a->flags & ATTR_STATUS)
		t->status = true;
	return t;
}

static bool is_struct_kind(const struct idl_itype *t)
{
	return t->t.kind == IDL_STRUCT || t->t.kind == IDL_UNION || t->t.kind == IDL_ENUM;
}

/* The idl_type that a typedef stands for by itself, or NULL: a pointer, or an alias of a struct. */
static struct idl_itype *own_type(struct idl_parser *p, const struct idl_node *n, const struct idl_attrs *a,
                                  const char *name)
{
	const struct idl_node *to = n;

	if (a->shaped_by)
		return renamed(p, shaped_type(p, a), name, a);
	while (to->kind == NODE_TYPEDEF)
		to = to->alias->node;
	if (to->kind == NODE_POINTER && a->flags & ATTR_CONTEXT_HANDLE)
		return renamed(p, p->context_type, name, a);
	if (to->kind != NODE_TYPE || to->type == p->void_type || to->type == p->handle_type)
		return NULL;
	if (!is_struct_kind(to->type))
		return renamed(p, to->type, name, a);
	if (to->type->t.name)
		return NULL;
	to->type->t.name = name;
	return to->type;
}

/* _Tag defined in a typedef of another name: the typedef is what people know it by. */
static void name_tag(struct idl_parser *p, const struct idl_node *n, const char *name, unsigned before)
{
	struct idl_itype *t = n->kind == NODE_TYPE ? n->type : NULL;

	if (!t || !is_struct_kind(t) || !t->t.name || t->renamed || t->origin != p->origin)
		return;
	if (t->complete && t->serial <= before)
		return;
	t->t.name = name;
	t->renamed = true;
}

/* uuid_t, DWORD and their like keep what we know of them when a text repeats their definition. */
static bool repeats_built_in(const struct idl_name *name, const struct idl_node *n)
{
	const struct idl_typedef *old = name->type;

	while (n->kind == NODE_TYPEDEF)
		n = n->alias->node;
	if (!old || !old->scalar || !old->named)
		return false;
	return n->kind == NODE_TYPE && n->type->t.size == old->named->t.size && n->type->t.kind != IDL_OPAQUE;
}

static void define_typedef(struct idl_parser *p, struct idl_name *name, const struct idl_node *n,
                           const struct idl_attrs *a, unsigned before)
{
	struct idl_typedef *td;

	if (repeats_built_in(name, n))
		return;
	if (name->type && name->type->origin != IDL_BUILT_IN && p->origin == IDL_OWN && name->type->origin == IDL_OWN) {
		idl_fail(p, "'%.60s' is defined twice", name->text);
		return;
	}
	td = idl_new(p, struct idl_typedef);
	if (!td)
		return;
	name_tag(p, n, name->text, before);
	*td = (struct idl_typedef){.name = name->text, .node = n, .attrs = a, .origin = p->origin};
	td->named = own_type(p, n, a, name->text);
	if (td->named)
		td->node = idl_node_of(p, td->named);
	if (td->named && !is_struct_kind(td->named))
		idl_push(p, &p->named, td->named);
	name->type = td;
	declare_typedef(p, td);
}

void idl_parse_typedef(struct idl_parser *p, struct idl_attrs *a)
{
	const struct idl_node *base, *n;
	unsigned before = p->serial;
	struct idl_name *name;

	idl_parse_attrs(p, a);
	/* a shaped type needs no base: typedef [shaped_by(f), c_type("struct x", "x.h")] X; */
	if (a->shaped_by && p->lex.tok.kind == TOK_NAME && !p->lex.tok.name->type)
		base = idl_node_of(p, p->void_type);
	else
		base = idl_parse_specifier(p, a);
	do {
		n = idl_parse_declarator(p, base, &name);
		if (!name && !p->lex.failed)
			idl_fail(p, "a typedef needs a name before %s", idl_token_text(&p->lex));
		if (p->lex.failed)
			return;
		define_typedef(p, name, n, a, before);
	} while (idl_accept(&p->lex, ','));
	idl_expect(&p->lex, ';');
}

/* What may stand at the outermost level and in an interface alike. False: something else. */
bool idl_parse_common(struct idl_parser *p, struct idl_attrs *a)
{
	struct idl_lexer *lex = &p->lex;

	if (idl_accept(lex, ';'))
		return true;
	if (idl_is_word(lex, "cpp_quote") || idl_is_word(lex, "midl_pragma")) {
		skip_call(p);
	} else if (idl_accept_word(lex, "import")) {
		parse_import(p);
	} else if (idl_accept_word(lex, "typedef")) {
		idl_parse_typedef(p, a);
	} else if (idl_accept_word(lex, "const")) {
		parse_const(p);
	} else {
		return false;
	}
	return true;
}

static void parse_top(struct idl_parser *p)
{
	struct idl_attrs *a = idl_new(p, struct idl_attrs);
	struct idl_lexer *lex = &p->lex;

	if (!a)
		return;
	idl_parse_attrs(p, a);
	if (lex->failed || idl_parse_common(p, a))
		return;
	if (idl_accept_word(lex, "interface") || idl_accept_word(lex, "dispinterface")) {
		idl_parse_interface(p, a);
	} else if (idl_is_word(lex, "struct") || idl_is_word(lex, "union") || idl_is_word(lex, "enum")) {
		idl_parse_specifier(p, a);
		idl_expect(lex, ';');
	} else if (idl_is_word(lex, "library") || idl_is_word(lex, "coclass") || idl_is_word(lex, "module")) {
		idl_fail(p, "'%s' describes no wire and is not taken", lex->tok.name->text);
	} else {
		idl_fail(p, "import, typedef or interface is expected before %s", idl_token_text(lex));
	}
}

void idl_parse_text(struct idl_parser *p, const char *file, const char *text, size_t len, enum idl_origin origin)
{
	struct idl_source outer = p->lex.src;
	enum idl_origin outer_origin = p->origin;
	enum idl_pointer outer_default = p->pointer_default;

	if (len > IDL_MAX_TEXT) {
		idl_fail(p, "\"%.60s\" is larger than 1 MiB", file);
		return;
	}
	p->lex.src = (struct idl_source){.file = file, .text = text, .len = len, .line = 1};
	p->origin = origin;
	p->pointer_default = IDL_UNIQUE;
	idl_next(&p->lex);
	while (!p->lex.failed && p->lex.tok.kind != TOK_END)
		parse_top(p);
	p->lex.src = outer;
	p->origin = outer_origin;
	p->pointer_default = outer_default;
}
