#ifndef MW_IDL_IDL_H
#define MW_IDL_IDL_H

#include "base/guid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The tables that describe the wire. They are written once as .idl files in
 * MIDL syntax (C706 chapter 4, [MS-RPCE] 2.2.4) with our attributes for ROP
 * buffers (docs/idl.md), and come from there two ways: as constant C data made
 * by the build (tools: mapiwire-idl), and at run time from idl_parse().
 * Encoding, decoding and printing are driven by them (ndr/ndr.h).
 *
 * How a value lies in C memory:
 *   integers, floats      as themselves
 *   enum                  uint32_t; on the wire 16 bits in NDR 2.0, 32 with [v1_enum]
 *   GUID / uuid           struct guid
 *   context handle        struct idl_context_handle
 *   struct                a C struct, fields in order, natural alignment
 *   union                 a C union of its arms; which one lives is told by the
 *                         switch expression of the field that holds it
 *   pointer               T *; NULL for a null unique or full pointer
 *   array of fixed size   T[n] in place
 *   any other array       T *, its counts told by its expressions; a pointer to
 *                         such an array is one T * as well, not two
 *   string                char * (8 bit) or uint16_t *, with its terminator
 *   [ref] parameter       the pointee itself, in the struct of the method
 *   shaped                whatever its C function says
 */

enum idl_kind {
	IDL_VOID,
	IDL_INT,   /* size 1, 2, 4 or 8; is_signed; is_char prints as text in arrays */
	IDL_FLOAT, /* size 4 or 8 */
	IDL_ENUM,  /* size = wire size in NDR 2.0 (2 or 4); C size 4 */
	IDL_GUID,
	IDL_CONTEXT_HANDLE,
	IDL_STRUCT,
	IDL_UNION,
	IDL_POINTER,
	IDL_ARRAY,
	IDL_SHAPED, /* a named C function encodes, decodes and prints it */
	IDL_OPAQUE, /* known by name only (interface pointers, pipes): the rest of the stub stays bytes */
};

enum idl_pointer { IDL_REF, IDL_UNIQUE, IDL_FULL };

/*
 * An expression over earlier or later fields of the struct (or parameters) that
 * encloses it, as postfix operations on a stack of int64_t. Depth <= 16.
 */
enum idl_opcode {
	IDL_OP_CONST, /* push value */
	IDL_OP_FIELD, /* push the integer field with index value of the enclosing struct */
	IDL_OP_DEREF, /* the same, through a pointer field; NULL pushes 0 */
	IDL_OP_ADD,
	IDL_OP_SUB,
	IDL_OP_MUL,
	IDL_OP_DIV,
	IDL_OP_MOD,
	IDL_OP_AND,
	IDL_OP_OR,
	IDL_OP_XOR,
	IDL_OP_SHL,
	IDL_OP_SHR,
	IDL_OP_NOT, /* bitwise */
	IDL_OP_EQ,
	IDL_OP_NE,
	IDL_OP_LT,
	IDL_OP_LE,
	IDL_OP_GT,
	IDL_OP_GE,
	IDL_OP_LAND,
	IDL_OP_LOR,
	IDL_OP_LNOT,
	IDL_OP_NEG,
	IDL_OP_SELECT, /* c ? a : b */
};

struct idl_op {
	enum idl_opcode code;
	int64_t value;
};

struct idl_expr {
	const struct idl_op *ops; /* NULL: no expression */
	uint16_t count;
};

struct idl_type;
struct ndr;

/*
 * See ndr/ndr.h. Serves both directions; context is the codec's. Called with
 * n == NULL it tells the layout of its C value: value is a struct idl_shape_layout *.
 */
typedef int (*idl_shape_fn)(struct ndr *n, void *value);

struct idl_shape_layout {
	uint32_t size, align;
};

enum idl_field_flags {
	IDL_FIELD_IN = 1 << 0,          /* of a method: part of the request */
	IDL_FIELD_OUT = 1 << 1,         /* of a method: part of the response */
	IDL_FIELD_RETURN = 1 << 2,      /* of a method: the returned value; always last */
	IDL_FIELD_RANGE = 1 << 3,       /* min and max apply */
	IDL_FIELD_IGNORE = 1 << 4,      /* [ignore] pointers: sent as a referent, never followed */
	IDL_FIELD_DEFAULT = 1 << 5,     /* of a union: the default arm */
	IDL_FIELD_STATUS = 1 << 6,      /* an error code: printed by name ([status] or error_status_t, HRESULT ...) */
	IDL_FIELD_HANDLE_ONLY = 1 << 7, /* handle_t parameter: nothing on the wire */
};

struct idl_field {
	const char *name;            /* "" for a union arm without content */
	const struct idl_type *type; /* never NULL; IDL_VOID for an empty arm */
	uint32_t offset;             /* in the C struct */
	uint32_t flags;              /* enum idl_field_flags */
	int64_t min, max;            /* [range(min, max)] */
	const int64_t *cases;        /* of a union arm */
	uint16_t case_count;
	struct idl_expr switch_is; /* of a field whose type is a union */
	/* For packed structs ([MS-OXCROPS]): */
	struct idl_expr present_if; /* false: absent on the wire, zero in C */
	struct idl_expr bound_is;   /* the field is parsed inside so many bytes, surplus skipped; 0 = absent */
	struct idl_expr ends_if;    /* true: the struct ends after this field */
};

struct idl_enum_value {
	const char *name;
	int64_t value;
};

enum idl_array_flags {
	IDL_ARRAY_CONFORMANT = 1 << 0, /* max_count on the wire */
	IDL_ARRAY_VARYING = 1 << 1,    /* offset and actual_count on the wire */
	IDL_ARRAY_STRING = 1 << 2,     /* counts come from the terminator */
	IDL_ARRAY_REST = 1 << 3,       /* packed: as many elements as the bytes that are left hold ([until_end]) */
};

enum idl_direction { IDL_NO_MESSAGE, IDL_REQUEST, IDL_RESPONSE };

struct idl_type {
	enum idl_kind kind;
	const char *name; /* NULL for anonymous types */
	uint32_t size;    /* C size: for arrays not of fixed size, pointers and strings sizeof(void *) */
	uint32_t align;   /* C alignment */

	/* IDL_INT, IDL_FLOAT, IDL_ENUM */
	uint8_t wire_size;
	bool is_signed;
	bool is_char; /* char and wchar_t: text */
	bool is_hex;  /* byte, DWORD flags: print in hex ([hex]) */

	/* IDL_ENUM */
	const struct idl_enum_value *values;
	uint16_t value_count;

	/* IDL_STRUCT, IDL_UNION */
	const struct idl_field *fields;
	uint16_t field_count;
	bool packed;                        /* no alignment, no referents, no conformance: a ROP structure */
	bool v1_aligned;                    /* NDR: contains a conformant array as its last member */
	uint8_t wire_align;                 /* NDR 2.0 alignment of a struct, union or primitive: 1, 2, 4, 8 */
	uint8_t wire_align64;               /* the same for NDR64 */
	const struct idl_type *switch_type; /* of a union: what stands before its arm; NULL in packed, and where the
	                                       struct around it has the tag */
	bool ms_union;                      /* of a union: NDR 2.0 aligns its arm to the largest (MS-RPCE 2.2.4.5) */

	/* IDL_POINTER, IDL_ARRAY */
	enum idl_pointer pointer;
	const struct idl_type *element;
	uint32_t fixed_count;    /* array of fixed size */
	uint8_t array;           /* enum idl_array_flags; 0 = fixed */
	struct idl_expr size_is; /* evaluated on the enclosing struct or parameters */
	struct idl_expr length_is;

	/* IDL_SHAPED */
	idl_shape_fn shape;
	const char *shape_name;

	/* Packed structs that are a message: [request(0x02)] or [response(0x02)] */
	uint8_t message; /* enum idl_direction */
	uint16_t message_id;
};

/* On the wire: 20 bytes (C706 appendix N, ndr_context_handle); attributes are 0. */
struct idl_context_handle {
	uint32_t attributes;
	struct guid uuid;
};

struct idl_method {
	const char *name;
	uint16_t opnum;
	/* All parameters and the returned value as the fields of one struct. A method
	 * that stands for "Opnum5NotUsedOnWire" has not_used set and no fields. */
	const struct idl_type *args;
	bool not_used;
};

struct idl_interface {
	const char *name;  /* as in the .idl */
	const char *alias; /* [alias("nspi")]: our short name; NULL: the name */
	struct guid uuid;
	uint16_t major, minor;
	const struct idl_method *methods; /* by opnum, without holes */
	uint16_t method_count;
};

struct idl_module {
	const char *name; /* the file's, without .idl */
	const struct idl_interface *const *interfaces;
	uint16_t interface_count;
	const struct idl_type *const *types; /* all named types, in order of definition */
	uint32_t type_count;
	/* Messages by id; NULL where there is none. Each table has 256 entries or is NULL. */
	const struct idl_type *const *requests;
	const struct idl_type *const *responses;
};

/* The named type, or NULL. Linear. */
const struct idl_type *idl_find_type(const struct idl_module *m, const char *name);

/*
 * The value of an expression on the struct at base, whose fields are given.
 * MW_E_MALFORMED for a division by zero or an overflow.
 */
MW_NODISCARD int idl_eval(const struct idl_expr *e, const struct idl_type *type, const void *base, int64_t *out);

#endif
