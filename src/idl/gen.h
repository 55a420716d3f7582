#ifndef MW_IDL_GEN_H
#define MW_IDL_GEN_H

#include "base/buf.h"
#include "idl/private.h"

/*
 * The build's half: writes the tables that idl_parse() makes as C text. What
 * the compiler must agree on (sizes, offsets) is asserted in that text.
 */
struct gen {
	struct arena *arena;
	const struct idl_unit *unit;
	struct buf *out;
	struct idl_vec reached; /* struct idl_itype *: all types that the tables need */
	unsigned locals;        /* of these, those without a name for the linker */
	int failed;
};

/* Numbers the types. Call once, before the two below. */
void idl_gen_reach(struct gen *g);
void idl_gen_header(struct gen *g);
void idl_gen_source(struct gen *g);

/* The tag of a struct or union in C. */
const char *idl_c_tag(struct gen *g, const struct idl_itype *t);
/* "uint32_t *name": a declaration of name, or with name "" the type. */
const char *idl_c_declare(struct gen *g, const struct idl_type *t, const char *name);

#endif
