#ifndef MW_NDR_PRINT_H
#define MW_NDR_PRINT_H

#include "ndr/ndr.h"

/* Traced fields as text: what the tree view, JSON and pages show. */

/* Names that are data of a higher floor. */
struct ndr_names {
	/* The name of a status code, or NULL. */
	const char *(*status)(void *user, uint32_t code);
	void *user;
};

/*
 * The value of a leaf, in the arena, as UTF-8 as far as it is text: numbers in decimal or, where
 * the description says [hex], in hexadecimal; enumerators and status codes by name; GUIDs;
 * strings in quotes; bytes in hex, shortened. "" for groups, "NULL" for a null pointer. What comes
 * from the wire is not made harmless: see base/text.h. names may be NULL. Never NULL but out of memory.
 */
const char *ndr_value_text_named(struct arena *arena, const struct ndr_field *f, const struct ndr_names *names);
const char *ndr_value_text(struct arena *arena, const struct ndr_field *f);

/*
 * A tracer that appends a line per field to out, "offset size name = value", indented by depth and
 * harmless for a terminal. arena holds the texts. Errors stay in out (buf_error).
 */
struct ndr_printer {
	struct arena *arena;
	struct buf *out;
	const struct ndr_names *names;
};
/* The tracer of p, which must outlive it. */
struct ndr_tracer ndr_print_to(struct ndr_printer *p);

#endif
