#ifndef MW_LENS_FILTER_H
#define MW_LENS_FILTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "lens/event.h"

/*
 * Which events are meant: `service == store && ms > 100 || failed`.
 *
 *   FIELD OP VALUE   OP: == != < <= > >=, and ~ for "contains" (ASCII case ignored)
 *   FIELD            it applies: a flag is set, a number is not 0, a text is there
 *   ! && || ( )      ! binds closest, then &&, then ||
 *
 * VALUE is a number, a word or a "text in quotes". Fields are named as the keys of the JSON are, and some more
 * (lens_filter_fields). A field that does not apply equals nothing, and differs from everything. A field of several
 * values (rop, rop_status, host, port) compares true when one of them does; != is the opposite of ==.
 */
struct lens_filter;

struct lens_filter_error {
	unsigned position; /* 1-based, in bytes */
	char message[160]; /* one sentence without a full stop */
};

/* Lives in the arena. MW_E_INVALID with *error filled; MW_E_NOMEM. */
MW_NODISCARD int lens_filter_parse(struct arena *arena, const char *text, struct lens_filter **out,
                                   struct lens_filter_error *error);
bool lens_filter_match(const struct lens_filter *f, const struct lens_event *e);
/*
 * Appends it as a display filter of Wireshark's, its fields by the names that they have there. What has none falls out
 * of an ||, which then shows less. MW_E_UNSUPPORTED: it cannot be said.
 */
MW_NODISCARD int lens_filter_wireshark(const struct lens_filter *f, struct buf *out);
/* The names of all fields, for help: NULL beyond the last. */
const char *lens_filter_field_name(unsigned index);

#endif
