#ifndef MW_NDR_NDR_H
#define MW_NDR_NDR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "idl/idl.h"

/*
 * One engine for every description in idl/idl.h: C values to bytes, bytes to C
 * values, and, while decoding, an account of each field with its place in the
 * bytes. NDR 2.0 is C706 chapter 14 with [MS-RPCE] 2.2.4; packed is the form of
 * ROP buffers ([MS-OXCROPS] 2.2.1): no alignment, no referents, little-endian.
 *
 * What a caller may rely on after a decode:
 * - An array holds as many elements as its size_is says, a varying one as many as
 *   its length_is (never max_count, which no byte on the wire backs), a string its
 *   terminator. Counts are judged when everything is decoded, since the fields that
 *   tell them may come later.
 * - Strict: a count or discriminant that differs from its expression, an offset other
 *   than 0, a string without terminator or a value outside its range is MW_E_MALFORMED.
 * - Lenient: all of them are told to the tracer as they stand; then the array's pointer
 *   becomes NULL, or the union zero, so that no expression exceeds what is allocated.
 *   What is opaque is told as one leaf up to the end, and what follows it stays zero.
 * - An [until_end] array of which size_is is a plain field (which present_if(0) keeps
 *   off the wire) leaves the number of its elements there; encoding takes it from there.
 * Full pointers are shared within one message, not from request to response.
 */

enum ndr_syntax { NDR_20, NDR_64, NDR_PACKED };
enum ndr_op { NDR_DECODE, NDR_ENCODE };

/*
 * What a tracer is told of each field while decoding. Strings and values live as long as
 * the arena. Fields come in order of declaration: a pointee stands where its pointer is
 * declared, wherever its bytes are, so offsets may go back and forth (NDR is told when all
 * is decoded or has failed, packed while it is decoded). A null pointer is a leaf without
 * value; other referents, counts, discriminants and gaps are not told. Byte arrays, text
 * and strings are one leaf, whose value is the first element and whose size tells how many;
 * other arrays are groups of "[0]", "[1]" ... A union is a group with its arm inside.
 */
struct ndr_field {
	enum { NDR_FIELD_LEAF, NDR_FIELD_ENTER, NDR_FIELD_LEAVE } what;
	const char *name;              /* field, parameter or "[3]" */
	const struct idl_type *type;   /* of the value */
	const struct idl_field *field; /* NULL for elements and shaped parts */
	size_t offset, size; /* in the decoded bytes; size is 0 on ENTER, on LEAVE without deferred pointees */
	const void *value;   /* the decoded C value; NULL for a null pointer */
	const char *text;    /* if not NULL: how to print it (shaped parts name tags and codes) */
	unsigned depth;
};

struct ndr_tracer {
	void (*field)(void *user, const struct ndr_field *field);
	void *user;
};

struct ndr {
	enum ndr_op op;
	enum ndr_syntax syntax;
	struct arena *arena;             /* decoded values; scratch */
	struct cursor in;                /* decode */
	struct buf *out;                 /* encode */
	size_t origin;                   /* encode: alignment counts from here in out */
	const struct ndr_tracer *tracer; /* decode: NULL or who is told */
	void *context;                   /* of shaped types: a struct mapi_shape_context */
	unsigned depth;                  /* nesting; NDR_MAX_DEPTH */
	const char *where;               /* on failure: the field that did not fit (static or arena) */
	size_t where_offset;
	bool lenient;              /* observer: tolerate what a strict receiver refuses (ranges, count mismatches) */
	struct ndr_private *state; /* referents, deferred pointers, deferred checks */
};

#define NDR_MAX_DEPTH 64
/* Most elements of one array, whatever the wire says; more is MW_E_LIMIT. */
#define NDR_MAX_ELEMENTS (1u << 24)

/*
 * The stub of a request (IDL_FIELD_IN) or response (IDL_FIELD_OUT) from or into
 * args, a struct of method->args->size bytes. Decoding sets only the fields of
 * that direction and allocates in the arena; counts are capped by the bytes that
 * could hold them. Surplus stub bytes are left in n->in for the caller to judge.
 */
MW_NODISCARD int ndr_decode_args(struct ndr *n, const struct idl_method *m, enum idl_direction d, void *args);
MW_NODISCARD int ndr_encode_args(struct ndr *n, const struct idl_method *m, enum idl_direction d, const void *args);

/* One value of a type; for packed messages and for structures inside byte arrays. */
MW_NODISCARD int ndr_decode(struct ndr *n, const struct idl_type *type, void *value);
MW_NODISCARD int ndr_encode(struct ndr *n, const struct idl_type *type, const void *value);

static inline struct ndr ndr_decoder(enum ndr_syntax syntax, struct arena *arena, struct cursor in)
{
	return (struct ndr){.op = NDR_DECODE, .syntax = syntax, .arena = arena, .in = in};
}

static inline struct ndr ndr_encoder(enum ndr_syntax syntax, struct arena *arena, struct buf *out)
{
	return (struct ndr){.op = NDR_ENCODE, .syntax = syntax, .arena = arena, .out = out, .origin = out->len};
}

/*
 * For shape functions, which serve both directions with one body: each moves a
 * value between *v and the bytes, and tells the tracer under that name.
 */
MW_NODISCARD int ndr_value(struct ndr *n, const char *name, const struct idl_type *type, void *v);
MW_NODISCARD int ndr_u8(struct ndr *n, const char *name, uint8_t *v);
MW_NODISCARD int ndr_u16(struct ndr *n, const char *name, uint16_t *v);
MW_NODISCARD int ndr_u32(struct ndr *n, const char *name, uint32_t *v);
MW_NODISCARD int ndr_u64(struct ndr *n, const char *name, uint64_t *v);
MW_NODISCARD int ndr_guid(struct ndr *n, const char *name, struct guid *v);
/* size bytes; decoding points *v into an arena copy. */
MW_NODISCARD int ndr_bytes(struct ndr *n, const char *name, uint8_t **v, size_t size);
/* Zero-terminated; the terminator is on the wire and in memory. */
MW_NODISCARD int ndr_str8z(struct ndr *n, const char *name, char **v);
MW_NODISCARD int ndr_str16z(struct ndr *n, const char *name, uint16_t **v);
/* Decoding: *v becomes an arena array of count elements of size bytes, after checking that at
 * least min_wire bytes each are left. Encoding: nothing. Then walk the elements. */
MW_NODISCARD int ndr_array(struct ndr *n, void **v, size_t count, size_t size, size_t min_wire);
/* Narrow to a bound: decoding, n->in becomes the next size bytes until ndr_bound_leave, which skips
 * what is left; encoding, ndr_bound_leave yields how many bytes were written since. */
struct ndr_bound {
	struct cursor outer;
	size_t start;
};
MW_NODISCARD int ndr_bound_enter(struct ndr *n, size_t size, struct ndr_bound *b);
size_t ndr_bound_leave(struct ndr *n, struct ndr_bound *b);
/* Groups for the tracer. */
void ndr_enter(struct ndr *n, const char *name);
void ndr_leave(struct ndr *n);
/* Tells the tracer a leaf that stands in the last size bytes, with its text. */
void ndr_note(struct ndr *n, const char *name, size_t size, const char *text);

#endif
