#include "mapi/rop_trace.h"

#include "mapi/shape.h"

static void tell(struct rop_trace *t, const struct ndr_field *f)
{
	t->to->field(t->to->user, f);
}

void rop_trace_flush(struct rop_trace *t)
{
	if (t->has_enter)
		tell(t, &t->enter);
	if (t->has_leaf)
		tell(t, &t->leaf);
	t->has_enter = t->has_leaf = false;
}

/* A group that ends with nothing but that leaf in it. */
static bool is_one_value(const struct rop_trace *t)
{
	const struct idl_type *type = t->enter.type;
	if (!t->has_enter || !t->has_leaf)
		return false;
	return t->leaf.name == shape_itself ||
	       (type && type->kind == IDL_SHAPED && type->shape == mapi_shape_tagged_value);
}

static void hear(void *user, const struct ndr_field *f)
{
	struct rop_trace *t = user;
	if (f->what == NDR_FIELD_LEAF && t->has_enter && !t->has_leaf) {
		t->leaf = *f;
		t->has_leaf = true;
		return;
	}
	if (f->what == NDR_FIELD_LEAVE && is_one_value(t)) {
		/* The name of a tagged value is its property's; its tag belongs to it. */
		if (t->leaf.name == shape_itself)
			t->leaf.name = t->enter.name;
		t->leaf.field = t->enter.field;
		t->leaf.offset = t->enter.offset;
		t->leaf.size = f->size;
		t->leaf.depth = t->enter.depth;
		t->has_enter = false;
		rop_trace_flush(t);
		return;
	}
	rop_trace_flush(t);
	if (f->what == NDR_FIELD_ENTER) {
		t->enter = *f;
		t->has_enter = true;
		return;
	}
	tell(t, f);
}

const struct ndr_tracer *rop_trace_begin(struct rop_trace *t, struct ndr_tracer *tracer, const struct ndr_tracer *to)
{
	*t = (struct rop_trace){.to = to};
	*tracer = (struct ndr_tracer){.field = hear, .user = t};
	return to ? tracer : NULL;
}
