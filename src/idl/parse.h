#ifndef MW_IDL_PARSE_H
#define MW_IDL_PARSE_H

#include "base/arena.h"
#include "idl/idl.h"

/*
 * IDL text to tables. Takes MIDL as the Open Specifications print it (import
 * and #define lines included) and our attributes (docs/idl.md).
 */

/* What a parse may ask of its caller. All optional (NULL). */
struct idl_loader {
	/* import "name.idl": the text, allocated in the arena; NULL if there is none
	 * (well-known Windows types are built in, so "ms-dtyp.idl" need not exist). */
	const char *(*import)(void *user, struct arena *arena, const char *name, size_t *len);
	/* [shaped_by(name)]: the function; NULL makes the type IDL_OPAQUE. */
	idl_shape_fn (*shape)(void *user, const char *name);
	void *user;
};

/* Where and why a text is no IDL: "ms-foo.idl:12: 'size_is' names no field 'cb'". */
struct idl_error {
	unsigned line; /* 1-based */
	char message[200];
};

/*
 * The tables live in the arena, which must outlive them. Bounds: 1 MiB of text,
 * nesting of 32, 4,096 fields a struct (docs/idl.md has the others). MW_E_MALFORMED with *error filled.
 */
MW_NODISCARD int idl_parse(struct arena *arena, const char *name, const char *text, size_t len,
                           const struct idl_loader *loader, const struct idl_module **out, struct idl_error *error);

#endif
