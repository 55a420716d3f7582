#ifndef MW_MAPI_ROP_TRACE_H
#define MW_MAPI_ROP_TRACE_H

#include "ndr/ndr.h"

/*
 * Between the codec and the caller's tracer: a shaped field that is one value (an id, a tag, a
 * tagged value) is told as one leaf, not as a group with a leaf in it. Not for other folders.
 */
struct rop_trace {
	const struct ndr_tracer *to;
	struct ndr_field enter, leaf; /* held back */
	bool has_enter, has_leaf;
};

/* The tracer to hand to the codec; NULL when to is NULL. t must outlive it. */
const struct ndr_tracer *rop_trace_begin(struct rop_trace *t, struct ndr_tracer *tracer, const struct ndr_tracer *to);
/* After each ROP: tells what is held back. */
void rop_trace_flush(struct rop_trace *t);

#endif
