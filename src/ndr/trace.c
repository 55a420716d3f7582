#include "ndr/engine.h"

/*
 * What the tracer is told. Packed bytes come in order of declaration, so each
 * field is told as it is decoded. In NDR a pointee comes after the construct
 * that holds its pointer; there the fields are kept as a tree in the arena,
 * with a slot where each pointee belongs, and told when all is decoded.
 */

struct ndr_node {
	struct ndr_field f;
	struct ndr_node *parent, *first, *last, *next;
};

/* Stands for "slot" in f.what; never told. */
#define SLOT ((int)NDR_FIELD_LEAVE + 1)

static struct ndr_node *new_node(struct ndr *n)
{
	struct ndr_private *st = ndr_state(n);
	struct ndr_node *node = st ? arena_new_of(n->arena, struct ndr_node) : NULL;
	if (!node && st)
		st->error = MW_E_NOMEM;
	return node;
}

static void append(struct ndr_private *st, struct ndr_node *node)
{
	struct ndr_node *g = st->group;
	node->parent = g;
	if (!g)
		return;
	if (g->last)
		g->last->next = node;
	else
		g->first = node;
	g->last = node;
}

static void tell(struct ndr *n, struct ndr_field *f, unsigned depth)
{
	f->depth = depth;
	n->tracer->field(n->tracer->user, f);
}

/* The group that holds all that is buffered, made with the first event. */
static bool ready(struct ndr *n)
{
	struct ndr_private *st = ndr_state(n);
	if (!st || st->error)
		return false;
	if (!st->buffering || st->buffer)
		return true;
	st->buffer = new_node(n);
	if (!st->buffer)
		return false;
	st->buffer->parent = st->group;
	st->group = st->buffer;
	return true;
}

void ndr_trace_leaf(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, size_t offset,
                    const void *value, const char *text)
{
	if (!ndr_traces(n) || !ready(n))
		return;
	struct ndr_private *st = n->state;
	struct ndr_field f = {.what = NDR_FIELD_LEAF,
	                      .name = s->name,
	                      .type = t,
	                      .field = s->field && s->field->name == s->name ? s->field : NULL,
	                      .offset = offset,
	                      .size = n->in.pos - offset,
	                      .value = value,
	                      .text = text};
	if (!st->buffering) {
		tell(n, &f, st->group_depth);
		return;
	}
	struct ndr_node *node = new_node(n);
	if (!node)
		return;
	node->f = f;
	append(st, node);
}

void ndr_trace_open(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, const void *value)
{
	if (!ndr_traces(n) || !ready(n))
		return;
	struct ndr_private *st = n->state;
	struct ndr_node *node = new_node(n);
	if (!node)
		return;
	node->f = (struct ndr_field){.what = NDR_FIELD_ENTER,
	                             .name = s->name,
	                             .type = t,
	                             .field = s->field && s->field->name == s->name ? s->field : NULL,
	                             .offset = n->in.pos,
	                             .value = value};
	if (st->buffering) {
		append(st, node);
	} else {
		node->parent = st->group;
		tell(n, &node->f, st->group_depth++);
	}
	st->group = node;
}

void ndr_trace_close(struct ndr *n)
{
	if (!ndr_traces(n) || !ready(n) || !n->state->group)
		return;
	struct ndr_private *st = n->state;
	struct ndr_node *node = st->group;
	node->f.size = n->in.pos - node->f.offset;
	st->group = node->parent;
	if (st->buffering)
		return;
	node->f.what = NDR_FIELD_LEAVE;
	tell(n, &node->f, --st->group_depth);
}

struct ndr_node *ndr_trace_group(struct ndr *n)
{
	return ndr_traces(n) && ready(n) ? n->state->group : NULL;
}

void ndr_trace_unwind(struct ndr *n, const struct ndr_node *group)
{
	while (ndr_traces(n) && ready(n) && n->state->group && n->state->group != group)
		ndr_trace_leave(n);
}

struct ndr_node *ndr_trace_slot(struct ndr *n)
{
	struct ndr_node *node = ndr_traces(n) && ready(n) && n->state->buffering ? new_node(n) : NULL;
	if (!node)
		return NULL;
	node->f.what = SLOT;
	append(n->state, node);
	return node;
}

struct ndr_node *ndr_trace_goto(struct ndr *n, struct ndr_node *to)
{
	struct ndr_private *st = n->state;
	struct ndr_node *back = st->group;
	if (to)
		st->group = to;
	return back;
}

static void tell_group(struct ndr *n, struct ndr_node *node, int what, unsigned depth)
{
	struct ndr_field f = node->f;
	if (what == NDR_FIELD_ENTER)
		f.size = 0;
	f.what = what;
	tell(n, &f, depth);
}

static void tell_tree(struct ndr *n, struct ndr_node *root, unsigned depth)
{
	struct ndr_node *node = root->first;
	while (node) {
		if (node->f.what == NDR_FIELD_LEAF)
			tell(n, &node->f, depth);
		if (node->f.what == NDR_FIELD_ENTER)
			tell_group(n, node, NDR_FIELD_ENTER, depth++);
		if (node->first) {
			node = node->first;
			continue;
		}
		if (node->f.what == NDR_FIELD_ENTER)
			tell_group(n, node, NDR_FIELD_LEAVE, --depth);
		while (!node->next) {
			node = node->parent;
			if (node == root)
				return;
			if (node->f.what == NDR_FIELD_ENTER)
				tell_group(n, node, NDR_FIELD_LEAVE, --depth);
		}
		node = node->next;
	}
}

void ndr_trace_flush(struct ndr *n)
{
	struct ndr_private *st = n->state;
	if (st->level != 1 || !st->buffer)
		return;
	struct ndr_node *root = st->buffer;
	st->group = root->parent;
	st->buffer = NULL;
	st->buffering = false;
	tell_tree(n, root, st->group_depth);
}

const char *ndr_trace_index(struct ndr *n, size_t i)
{
	char text[24], *p = text + sizeof text;
	if (!ndr_traces(n))
		return "";
	*--p = '\0';
	*--p = ']';
	do {
		*--p = (char)('0' + i % 10);
	} while ((i /= 10) != 0);
	*--p = '[';
	const char *name = arena_copy(n->arena, p, (size_t)(text + sizeof text - p));
	return name ? name : "";
}
