#ifndef MW_NDR_ENGINE_H
#define MW_NDR_ENGINE_H

#include "ndr/ndr.h"

/* What decode.c, encode.c, shape.c and trace.c share. Not for other folders. */

/* What differs between the transfer syntaxes, beside the alignment of structures. */
struct ndr_rules {
	uint8_t word;       /* wire size of counts and referents; 0 in packed */
	bool aligned;       /* primitives stand at multiples of their size */
	bool wide_enums;    /* enums take 32 bits, whatever their IDL says (MS-RPCE 2.2.5.2) */
	bool trailing_gap;  /* structures are padded to a multiple of their alignment (MS-RPCE 2.2.5.3.4.1) */
	bool aligned_union; /* tag and arm stand at the largest alignment of the arms (MS-RPCE 2.2.5.3.4.4) */
};

/* Where a value stands: what its expressions mean and how the tracer names it. */
struct ndr_scope {
	const struct idl_type *type; /* the struct or parameters that enclose it; NULL: none */
	void *base;
	const struct idl_field *field; /* the field that holds it, maybe through arrays and pointers */
	const char *name;
};

struct ndr_node; /* trace.c */

/* A pointee that comes after the construct that holds its pointer (C706 14.3.12.3). */
struct ndr_pending {
	struct ndr_scope scope;
	const struct idl_type *type; /* of the pointer */
	void *slot;
	uint64_t referent;
	struct ndr_node *node; /* where its fields go in the trace */
};

struct ndr_counts {
	uint64_t max, offset, actual;
};

/* expr on base must yield want, once all is decoded; else slot is not to be trusted. */
struct ndr_check {
	struct ndr_scope scope;
	const struct idl_expr *expr; /* NULL: found wrong already */
	const struct idl_type *as;   /* NULL or the discriminant's type, to which the value is cut */
	int64_t want;
	void *slot;
	size_t size;
};

/* A full pointer's referent. Decoding finds it by id, encoding by address. */
struct ndr_referent {
	uint64_t key; /* 0: free */
	const struct idl_type *type;
	void *value;
	uint64_t id;
	struct ndr_counts counts;
	bool done; /* encoding: the pointee has been written */
};

struct ndr_private {
	unsigned level; /* of ndr_decode or ndr_encode inside each other */
	struct ndr_pending *pending;
	size_t pending_count, pending_cap;
	struct ndr_check *checks;
	size_t check_count, check_cap;
	struct ndr_referent *referents;
	size_t referent_count, referent_cap;
	uint64_t next_id;
	bool hoisted; /* max_count of the conformant last member has been moved already */
	uint64_t hoisted_count;
	struct ndr_counts last;  /* of the array decoded last */
	bool buffering;          /* trace events are kept until the end and put in order of declaration */
	struct ndr_node *buffer; /* the root of what is kept */
	struct ndr_node *group;  /* the open group of the trace */
	unsigned group_depth;
	int error; /* of the trace */
};

/* A walker ended early without a fault: what follows is opaque. Only ever seen inside. */
#define NDR_STOP 1

/* n->state, made at first use; NULL when out of memory. */
struct ndr_private *ndr_state(struct ndr *n);
/* Notes where it failed, unless something inside did already; returns rc. */
int ndr_fail(struct ndr *n, const char *where, int rc);
/* Fewest bytes that one value takes; a lower bound. */
size_t ndr_min_wire(const struct ndr *n, const struct idl_type *t);

/* A number in C memory, by an IDL_INT's or IDL_ENUM's C size. */
int64_t ndr_load_int(const struct idl_type *t, const void *v);
void ndr_store_int(const struct idl_type *t, void *v, int64_t x);
/* x as a value of t's wire size would be read back. */
int64_t ndr_cut(const struct idl_type *t, int64_t x);
MW_NODISCARD int ndr_eval(const struct ndr_scope *s, const struct idl_expr *e, int64_t *out);
/* The same for a count or size: MW_E_MALFORMED when negative, MW_E_LIMIT beyond 32 bits. */
MW_NODISCARD int ndr_eval_count(const struct ndr_scope *s, const struct idl_expr *e, uint64_t *out);
/* The field that e is nothing but, or NULL. */
const struct idl_field *ndr_plain_field(const struct idl_type *scope, const struct idl_expr *e);
/* The arm that lives under a discriminant, or NULL. */
const struct idl_field *ndr_union_arm(const struct idl_type *t, int64_t tag);
bool ndr_same_type(const struct idl_type *a, const struct idl_type *b);
/* Byte arrays and text are one leaf in a trace. */
bool ndr_is_blob(const struct idl_type *array);
/* The conformant array that ends t, whose max_count stands before it (C706 14.3.7.1); *s becomes its scope. */
const struct idl_type *ndr_conformance(const struct idl_type *t, void *base, struct ndr_scope *s);
/* Whether a parameter or field takes part in the direction. */
bool ndr_has_direction(const struct idl_field *f, enum idl_direction d);

/* Grows an array in the arena; *items and *cap change. */
MW_NODISCARD int ndr_grow(struct ndr *n, void **items, size_t count, size_t *cap, size_t size);
MW_NODISCARD int ndr_push_pending(struct ndr *n, const struct ndr_pending *p);
/* The entry of key (and type, when given); made when there is none. MW_E_LIMIT when keys collide too often. */
MW_NODISCARD int ndr_referent(struct ndr *n, uint64_t key, const struct idl_type *type, struct ndr_referent **out);

/* The two walkers; s is the value's scope. */
MW_NODISCARD int ndr_decode_value(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v);
MW_NODISCARD int ndr_encode_value(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v);
/* One IDL_INT, IDL_FLOAT or IDL_ENUM, GUID or context handle, aligned. */
MW_NODISCARD int ndr_decode_scalar(struct ndr *n, const struct idl_type *t, void *v);
MW_NODISCARD int ndr_encode_scalar(struct ndr *n, const struct idl_type *t, const void *v);

/* trace.c: all do nothing without a tracer. */
void ndr_trace_leaf(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, size_t offset,
                    const void *value, const char *text);
void ndr_trace_open(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, const void *value);
void ndr_trace_close(struct ndr *n);
/* The open group, and leaving all groups inside it, which a shape function that failed left open. */
struct ndr_node *ndr_trace_group(struct ndr *n);
void ndr_trace_unwind(struct ndr *n, const struct ndr_node *group);
/* A place in the open group for what is decoded later; NULL without a tracer. */
struct ndr_node *ndr_trace_slot(struct ndr *n);
/* Goes on inside that place; returns the group to go back to. */
struct ndr_node *ndr_trace_goto(struct ndr *n, struct ndr_node *to);
/* Tells the tracer everything that was buffered. */
void ndr_trace_flush(struct ndr *n);
/* "[7]"; "" without a tracer. */
const char *ndr_trace_index(struct ndr *n, size_t i);

#include "ndr/steps.h"

#endif
