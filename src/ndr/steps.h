#ifndef MW_NDR_STEPS_H
#define MW_NDR_STEPS_H

/*
 * The smallest steps of both walkers. They stand in a header because a value of a few bytes takes a dozen of them:
 * calls to them were a fifth of the time (docs/benchmarks.md). Included by engine.h, after its structures.
 */

extern const struct ndr_rules ndr_rules[]; /* by enum ndr_syntax */

static inline const struct ndr_rules *ndr_rules_of(const struct ndr *n)
{
	return &ndr_rules[n->syntax];
}

/* Where the position is, in the decoded or encoded bytes. */
static inline size_t ndr_pos(const struct ndr *n)
{
	return n->op == NDR_DECODE ? n->in.pos : n->out->len - n->origin;
}

/* Moves to a multiple of align, by the rules of the syntax. */
MW_NODISCARD static inline int ndr_align(struct ndr *n, size_t align)
{
	if (!ndr_rules_of(n)->aligned || align < 2)
		return 0;
	size_t gap = -ndr_pos(n) & (align - 1);
	if (n->op == NDR_DECODE)
		return cursor_skip(&n->in, gap);
	return gap ? buf_put_zero(n->out, gap) : 0;
}

static inline uint8_t ndr_wire_align(const struct ndr *n, const struct idl_type *t)
{
	return n->syntax == NDR_64 ? t->wire_align64 : t->wire_align;
}

static inline size_t ndr_wire_size(const struct ndr *n, const struct idl_type *t)
{
	switch (t->kind) {
	case IDL_INT:
	case IDL_FLOAT:
		return t->wire_size;
	case IDL_ENUM:
		return ndr_rules_of(n)->wide_enums ? 4 : t->wire_size;
	case IDL_GUID:
		return 16;
	case IDL_CONTEXT_HANDLE:
		return 20;
	default:
		return 0;
	}
}

/* Whether the C value of an array type is a pointer (all but fixed ones). */
static inline bool ndr_is_pointed(const struct idl_type *t)
{
	return t->kind == IDL_ARRAY && t->array != 0;
}

/* Numbers that are moved at once. */
static inline bool ndr_is_bulk(const struct ndr *n, const struct idl_type *element)
{
	switch (element->kind) {
	case IDL_INT:
	case IDL_FLOAT:
	case IDL_ENUM:
		return ndr_wire_size(n, element) == element->size;
	default:
		return false;
	}
}

static inline bool ndr_traces(const struct ndr *n)
{
	return n->tracer && n->op == NDR_DECODE;
}

/* Without a tracer nothing is done: mostly there is none. */
static inline void ndr_trace_enter(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t,
                                   const void *value)
{
	if (ndr_traces(n))
		ndr_trace_open(n, s, t, value);
}

static inline void ndr_trace_leave(struct ndr *n)
{
	if (ndr_traces(n))
		ndr_trace_close(n);
}

#endif
