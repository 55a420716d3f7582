#ifndef MW_MAPI_SHAPE_H
#define MW_MAPI_SHAPE_H

#include "mapi/context.h"
#include "mapi/shapes.h"
#include "ndr/ndr.h"

/* What the shape_*.c files share. Not for other folders. */

static inline bool shape_decodes(const struct ndr *n)
{
	return n->op == NDR_DECODE;
}

static inline bool shape_traces(const struct ndr *n)
{
	return n->tracer && shape_decodes(n);
}

/* The caller's context, or one that knows nothing. Never NULL. */
const struct mapi_shape_context *shape_context(const struct ndr *n);
/* The answer to n == NULL. */
int shape_layout(void *value, size_t size, size_t align);
#define SHAPE_LAYOUT(value, type) shape_layout((value), sizeof(type), _Alignof(type))

/* The name of a leaf that is the whole value of its shaped field: by address (mapi/rop_trace.h). */
extern const char shape_itself[];

/* size bytes without telling the tracer; the caller tells it with shape_note. */
MW_NODISCARD int shape_raw(struct ndr *n, const char *name, void *v, size_t size);
/* A leaf of the last size bytes; does nothing without a tracer. */
void shape_note(struct ndr *n, const char *name, size_t size, const char *format, ...) MW_PRINTF(4, 5);
/* A failure that the bytes explain: notes the place. */
int shape_fail(struct ndr *n, const char *name, int rc);
/* "[3]" and the name of a property, for the tracer; static texts without one. */
const char *shape_index(struct ndr *n, size_t i);
const char *shape_label(struct ndr *n, uint32_t tag);

/* Strings that may be NULL when encoding: then empty. */
MW_NODISCARD int shape_str8(struct ndr *n, const char *name, char **s);
MW_NODISCARD int shape_str16(struct ndr *n, const char *name, uint16_t **s);
MW_NODISCARD int shape_string(struct ndr *n, const char *name, bool unicode, struct mapi_string *s);
/* A size of that many bytes (2 or 4), then bytes. MW_E_LIMIT when the size does not fit. */
MW_NODISCARD int shape_sized(struct ndr *n, const char *name, unsigned width, struct mapi_binary *b);
/* A count of that many bytes. */
MW_NODISCARD int shape_count(struct ndr *n, const char *name, unsigned width, uint32_t *count);
MW_NODISCARD int shape_tag(struct ndr *n, const char *name, uint32_t *tag);
/* A folder's or message's id. */
MW_NODISCARD int shape_object_id(struct ndr *n, const char *name, uint64_t *id);
MW_NODISCARD int shape_tags(struct ndr *n, const char *name, uint16_t count, uint32_t **tags);
/* All that is left in the enclosing bound. */
MW_NODISCARD int shape_rest(struct ndr *n, const char *name, struct mapi_binary *b);

/* Deeper by one; MW_E_LIMIT at NDR_MAX_DEPTH. */
MW_NODISCARD static inline int shape_down(struct ndr *n)
{
	if (n->depth >= NDR_MAX_DEPTH)
		return MW_E_LIMIT;
	n->depth++;
	return 0;
}

static inline void shape_up(struct ndr *n)
{
	n->depth--;
}

/* The value of a type; v->tag names it to the tracer and, decoding, gets the type. */
MW_NODISCARD int shape_value(struct ndr *n, const char *name, uint16_t type, struct mapi_value *v);
MW_NODISCARD int shape_tagged_value(struct ndr *n, struct mapi_value *v);
/* An array of count tagged values. */
MW_NODISCARD int shape_tagged_values(struct ndr *n, uint32_t count, struct mapi_value **values);
MW_NODISCARD int shape_restriction(struct ndr *n, struct mapi_restriction *r);
MW_NODISCARD int shape_rule_actions(struct ndr *n, struct mapi_rule_actions *a);

#endif
