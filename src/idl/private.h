#ifndef MW_IDL_PRIVATE_H
#define MW_IDL_PRIVATE_H

#include "idl/lex.h"
#include "idl/parse.h"

/*
 * Inside the parser: names, attributes, declared types ("nodes", before the
 * rules for pointers and sizes are applied) and the tables that they become.
 * Text -> lex.c -> parse_*.c (members with nodes and attributes) -> lower.c
 * (nodes to idl_types) -> layout.c (offsets, alignment, expressions).
 */

#define IDL_MAX_NESTING 32
#define IDL_MAX_FIELDS 4096
#define IDL_MAX_SIZE (1u << 24) /* C size of a struct, elements of a fixed array */
#define IDL_MAX_METHODS 4096
#define IDL_MAX_OPS 256
#define IDL_MAX_STACK 16
#define IDL_MAX_DIMENSIONS 8

/* Pointers in the arena; grows by copying. */
struct idl_vec {
	void **items;
	size_t n, cap;
};

/* Where a type comes from: this file, a file that it imports, or built in. */
enum idl_origin { IDL_OWN, IDL_IMPORTED, IDL_BUILT_IN };

/* Every idl_type that the parser hands out is the first member of one of these. */
struct idl_itype {
	struct idl_type t;
	enum idl_origin origin;
	bool complete;     /* fields and size are known */
	bool soft;         /* size known to the C compiler only: contains a shaped type of a build-time parse */
	bool status;       /* an error code by its name */
	bool exported;     /* NAME_type is a global of the generated C */
	bool encapsulated; /* a union whose tag stands in the struct around it */
	bool tagged_union; /* that struct; "union NAME" in IDL */
	bool is_args;
	bool renamed;            /* after the typedef that defines it */
	unsigned serial;         /* order of completion */
	struct idl_itype *outer; /* a nameless struct or union: what holds it, as which field */
	const char *outer_field;
	const char *c_name; /* of a shaped type: the whole C type, and its header */
	const char *c_header;
	struct idl_itype *hex;
	unsigned emit_id; /* generator: 1-based number; 0 = not reached */
};

static inline struct idl_itype *idl_itype(const struct idl_type *t)
{
	return (struct idl_itype *)t;
}

/* An expression as written; names are resolved when the struct is complete. */
struct idl_term {
	enum idl_opcode code;
	int64_t value;
	struct idl_name *name; /* FIELD and DEREF */
};

struct idl_source_expr {
	struct idl_term *terms;
	unsigned count;
	unsigned line;
	const char *what; /* the attribute, for messages */
};

enum idl_attr_flags {
	ATTR_IN = 1 << 0,
	ATTR_OUT = 1 << 1,
	ATTR_STRING = 1 << 2,
	ATTR_CONTEXT_HANDLE = 1 << 3,
	ATTR_V1_ENUM = 1 << 4,
	ATTR_IGNORE = 1 << 5,
	ATTR_PACKED = 1 << 6,
	ATTR_HEX = 1 << 7,
	ATTR_STATUS = 1 << 8,
	ATTR_OBJECT = 1 << 9,
	ATTR_LOCAL = 1 << 10,
	ATTR_UNTIL_END = 1 << 11,
	ATTR_DEFAULT = 1 << 12,
	ATTR_CALLBACK = 1 << 13,
	ATTR_IID_IS = 1 << 14,
	ATTR_RANGE = 1 << 15,
	ATTR_UUID = 1 << 16,
	ATTR_VERSION = 1 << 17,
	ATTR_MS_UNION = 1 << 18,
};

struct idl_attrs {
	uint32_t flags;
	bool has_pointer, has_pointer_default;
	enum idl_pointer pointer, pointer_default;
	/* By level of pointer or array, the outermost first. */
	const struct idl_source_expr *size_is[IDL_MAX_DIMENSIONS], *max_is[IDL_MAX_DIMENSIONS];
	const struct idl_source_expr *length_is[IDL_MAX_DIMENSIONS], *first_is[IDL_MAX_DIMENSIONS],
	        *last_is[IDL_MAX_DIMENSIONS];
	const struct idl_source_expr *switch_is, *present_if, *bound_is, *ends_if;
	struct idl_itype *switch_type;
	int64_t min, max;
	struct idl_vec cases; /* int64_t * */
	enum idl_direction message;
	uint16_t message_id;
	const char *alias, *shaped_by, *c_type, *c_header;
	struct guid uuid;
	uint16_t major, minor;
};

enum idl_node_kind { NODE_TYPE, NODE_TYPEDEF, NODE_POINTER, NODE_ARRAY };

/* A type as declared. */
struct idl_node {
	enum idl_node_kind kind;
	struct idl_itype *type;    /* NODE_TYPE */
	struct idl_typedef *alias; /* NODE_TYPEDEF */
	const struct idl_node *to; /* NODE_POINTER, NODE_ARRAY: the element */
	bool open;                 /* NODE_ARRAY: [] or [*] */
	uint32_t count;            /* NODE_ARRAY */
};

struct idl_typedef {
	const char *name;
	const struct idl_node *node;
	const struct idl_attrs *attrs;
	struct idl_itype *named; /* its own idl_type: scalars, handles, shaped types, fixed arrays; or NULL */
	enum idl_origin origin;
	bool scalar; /* exists in base tables; a second definition of the same size is ignored */
};

/* A field, arm or parameter as declared. */
struct idl_member {
	struct idl_name *name; /* NULL: an arm without content */
	const struct idl_node *node;
	const struct idl_attrs *attrs;
	unsigned line;
	bool collapsed; /* a [ref] parameter whose pointee stands in its place */
	struct idl_field field;
	/* Expressions of its type, resolved when all members are known. */
	struct idl_vec pending; /* struct idl_pending * */
};

struct idl_pending {
	struct idl_expr *to;
	const struct idl_source_expr *from;
};

struct idl_constant {
	const char *name;
	int64_t value;
	const char *text; /* a string constant; NULL: value */
	enum idl_origin origin;
};

struct idl_iface {
	struct idl_interface i;
	enum idl_origin origin;
	bool is_object;
	struct idl_vec methods; /* struct idl_method * */
};

/* An array whose element was not complete yet. */
struct idl_late {
	struct idl_itype *array;
	const char *name;
	unsigned line;
};

enum idl_decl_kind { DECL_TYPE, DECL_TYPEDEF, DECL_CONST };

/* In order of definition, for the generator. */
struct idl_decl {
	enum idl_decl_kind kind;
	struct idl_itype *type;
	struct idl_typedef *alias;
	const struct idl_constant *constant;
};

/* What a parse leaves for the generator beside the tables. */
struct idl_unit {
	const struct idl_module *module;
	struct idl_vec decls;      /* struct idl_decl *, of this file and of built-in structs */
	struct idl_vec imports;    /* const char *, direct ones that were found, without .idl */
	struct idl_vec interfaces; /* struct idl_iface *, own */
	struct idl_vec types;      /* struct idl_itype *, own and exported */
};

struct idl_parser {
	struct idl_lexer lex; /* first: the current token is lex.tok */
	struct arena *arena;
	const struct idl_loader *loader;
	bool build; /* for the generator: shaped types without functions, layouts may be soft */
	enum idl_origin origin;
	enum idl_pointer pointer_default;
	bool ms_union;
	unsigned nesting, import_depth;
	struct idl_vec imported; /* names of files seen */
	const char *missing;     /* an import that was not found, for messages */
	struct idl_unit unit;
	struct idl_vec named; /* struct idl_itype *: all types that have or may get a name */
	struct idl_vec tags;  /* struct idl_itype *: all that began with a tag */
	struct idl_vec late;  /* struct idl_late * */
	unsigned serial;
	struct idl_itype *void_type, *char_type, *wchar_type, *guid_type, *handle_type, *context_type, *opaque_type,
	        *string8_type, *string16_type;
	struct idl_itype *empty_args;
	struct idl_itype spare; /* stands for a type after out of memory; nobody reads it */
};

/* util.c */
void *idl_alloc(struct idl_parser *p, size_t n, size_t size);
#define idl_new(p, type) ((type *)idl_alloc((p), 1, sizeof(type)))
bool idl_push(struct idl_parser *p, struct idl_vec *v, const void *item);
const char *idl_text(struct idl_parser *p, const char *format, ...) MW_PRINTF(2, 3);
bool idl_enter(struct idl_parser *p); /* false: nested too deep */
void idl_leave(struct idl_parser *p);

/* types.c */
void idl_types_init(struct idl_parser *p);
extern const char idl_prelude[];
struct idl_itype *idl_int_type(struct idl_parser *p, unsigned size, bool is_signed);
struct idl_itype *idl_float_type(struct idl_parser *p, unsigned size);
struct idl_itype *idl_hex_of(struct idl_parser *p, struct idl_itype *type);
struct idl_itype *idl_new_type(struct idl_parser *p, enum idl_kind kind, const char *name);
struct idl_node *idl_node_of(struct idl_parser *p, struct idl_itype *type);

/* expr.c */
const struct idl_source_expr *idl_parse_expr(struct idl_parser *p, const char *what);
int64_t idl_parse_constant(struct idl_parser *p, const char *what);
/* expr_resolve.c */
void idl_resolve(struct idl_parser *p, const struct idl_source_expr *from, struct idl_expr *to,
                 struct idl_member *const *members, size_t n, size_t limit);

/* parse_*.c */
void idl_parse_text(struct idl_parser *p, const char *file, const char *text, size_t len, enum idl_origin origin);
void idl_parse_attrs(struct idl_parser *p, struct idl_attrs *a);
const struct idl_node *idl_parse_specifier(struct idl_parser *p, const struct idl_attrs *a);
struct idl_itype *idl_parse_struct(struct idl_parser *p, const struct idl_attrs *a);
struct idl_itype *idl_parse_union(struct idl_parser *p, const struct idl_attrs *a);
struct idl_itype *idl_parse_enum(struct idl_parser *p, const struct idl_attrs *a);
/* A declarator around base; *name is NULL where it has none. */
const struct idl_node *idl_parse_declarator(struct idl_parser *p, const struct idl_node *base, struct idl_name **name);
const struct idl_node *idl_parse_result(struct idl_parser *p, const struct idl_node *base, struct idl_name **name);
void idl_parse_typedef(struct idl_parser *p, struct idl_attrs *a);
void idl_parse_interface(struct idl_parser *p, const struct idl_attrs *a);
bool idl_parse_common(struct idl_parser *p, struct idl_attrs *a);
struct idl_member *idl_new_member(struct idl_parser *p, struct idl_name *name, const struct idl_node *node,
                                  const struct idl_attrs *a, unsigned line);
void idl_add_constant(struct idl_parser *p, struct idl_name *name, int64_t value, const char *text, bool declare);
void idl_declare_type(struct idl_parser *p, struct idl_itype *t);

/* lower.c */
enum idl_place { PLACE_FIELD, PLACE_ARM, PLACE_PARAMETER, PLACE_RESULT, PLACE_PACKED };
void idl_lower_member(struct idl_parser *p, struct idl_member *m, enum idl_place place);
void idl_close_arrays(struct idl_parser *p);

/* layout.c */
void idl_complete_struct(struct idl_parser *p, struct idl_itype *s, struct idl_vec *members, enum idl_place place);
void idl_complete_union(struct idl_parser *p, struct idl_itype *u, struct idl_vec *arms);

struct idl_itype *idl_empty_args(struct idl_parser *p);
/* What pointers and arrays lead to. */
const struct idl_type *idl_innermost(const struct idl_type *t);

/* module.c */
int idl_parse_unit(struct arena *arena, const char *name, const char *text, size_t len, const struct idl_loader *loader,
                   bool build, const struct idl_unit **out, struct idl_error *error);

/* Messages begin with file and line. Only the first is kept; all reading stops. */
void idl_fail(struct idl_parser *p, const char *format, ...) MW_PRINTF(2, 3);
void idl_fail_at(struct idl_parser *p, unsigned line, const char *format, ...) MW_PRINTF(3, 4);

#endif
