#include "ndr/engine.h"

/* Bytes to C values, by C706 chapter 14; the packed form by [MS-OXCROPS] 2.2.1. */

/* Sizes are 1, 2, 4 or 8; spelled out, since this is the hottest line of all. */
static int read_uint(struct cursor *c, unsigned size, uint64_t *out)
{
	uint8_t x8;
	uint16_t x16;
	uint32_t x32;
	int rc;
	switch (size) {
	case 1:
		rc = cursor_u8(c, &x8);
		*out = rc == 0 ? x8 : 0;
		return rc;
	case 2:
		rc = cursor_u16(c, &x16);
		*out = rc == 0 ? x16 : 0;
		return rc;
	case 4:
		rc = cursor_u32(c, &x32);
		*out = rc == 0 ? x32 : 0;
		return rc;
	default:
		return cursor_u64(c, out);
	}
}

/* A count or referent id. */
static int read_word(struct ndr *n, uint64_t *out)
{
	unsigned word = ndr_rules_of(n)->word;
	int rc = ndr_align(n, word);
	return rc < 0 ? rc : read_uint(&n->in, word, out);
}

static int read_guid(struct ndr *n, struct guid *out)
{
	struct cursor c = n->in;
	struct guid g;
	if (cursor_left(&c) < 16)
		return MW_E_TRUNCATED;
	(void)(cursor_u32(&c, &g.data1) | cursor_u16(&c, &g.data2) | cursor_u16(&c, &g.data3) |
	       cursor_copy(&c, g.data4, sizeof g.data4));
	n->in = c;
	*out = g;
	return 0;
}

static int read_context_handle(struct ndr *n, struct idl_context_handle *out)
{
	struct idl_context_handle h;
	if (cursor_left(&n->in) < 20)
		return MW_E_TRUNCATED;
	int rc = cursor_u32(&n->in, &h.attributes);
	rc = rc < 0 ? rc : read_guid(n, &h.uuid);
	if (rc == 0)
		*out = h;
	return rc;
}

int ndr_decode_scalar(struct ndr *n, const struct idl_type *t, void *v)
{
	size_t size = ndr_wire_size(n, t);
	uint64_t x;
	int rc = ndr_align(n, t->kind == IDL_GUID || t->kind == IDL_CONTEXT_HANDLE ? 4 : size);
	if (rc < 0)
		return rc;
	if (t->kind == IDL_GUID)
		return read_guid(n, v);
	if (t->kind == IDL_CONTEXT_HANDLE)
		return read_context_handle(n, v);
	rc = read_uint(&n->in, (unsigned)size, &x);
	if (rc < 0)
		return rc;
	ndr_store_int(t, v, (int64_t)x);
	return 0;
}

static int check_range(const struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, const void *v)
{
	if (!s->field || !(s->field->flags & IDL_FIELD_RANGE) || n->lenient ||
	    (t->kind != IDL_INT && t->kind != IDL_ENUM))
		return 0;
	int64_t x = ndr_load_int(t, v);
	return x < s->field->min || x > s->field->max ? MW_E_MALFORMED : 0;
}

static int decode_leaf(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	int rc = ndr_decode_scalar(n, t, v);
	if (rc < 0)
		return rc;
	if (ndr_traces(n))
		ndr_trace_leaf(n, s, t, n->in.pos - ndr_wire_size(n, t), v, NULL);
	return check_range(n, s, t, v);
}

/* Remembers that e must yield want, which is judged when all fields are there. */
static int push_check(struct ndr *n, const struct ndr_check *c)
{
	struct ndr_private *st = n->state;
	if (c->expr && (!c->expr->ops || !c->scope.type))
		return 0;
	int rc = ndr_grow(n, (void **)&st->checks, st->check_count, &st->check_cap, sizeof *c);
	if (rc < 0)
		return rc;
	st->checks[st->check_count++] = *c;
	return 0;
}

/* Arrays */

static void swap_items(void *data, size_t count, unsigned size)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *p = (uint8_t *)data + i * size;
		for (unsigned a = 0, b = size - 1; a < b; a++, b--) {
			uint8_t t = p[a];
			p[a] = p[b];
			p[b] = t;
		}
	}
}

/* Numbers whose C form is their wire form: moved at once. */
static int decode_bulk(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, size_t count, void *data)
{
	size_t size = t->element->size;
	int rc = count ? ndr_align(n, size) : 0;
	if (rc < 0)
		return rc;
	size_t offset = n->in.pos;
	if (count > cursor_left(&n->in) / size)
		return MW_E_TRUNCATED;
	if (count)
		rc = cursor_copy(&n->in, data, count * size);
	if (rc == 0 && n->in.big_endian && size > 1)
		swap_items(data, count, (unsigned)size);
	if (!ndr_traces(n))
		return rc;
	if (ndr_is_blob(t)) {
		ndr_trace_leaf(n, s, t, offset, data, NULL);
		return rc;
	}
	size_t end = n->in.pos;
	n->in.pos = offset;
	ndr_trace_enter(n, s, t, data);
	for (size_t i = 0; i < count; i++) {
		struct ndr_scope item = {.name = ndr_trace_index(n, i)};
		n->in.pos += size;
		ndr_trace_leaf(n, &item, t->element, n->in.pos - size, (char *)data + i * size, NULL);
	}
	n->in.pos = end;
	ndr_trace_leave(n);
	return rc;
}

static int decode_items(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, size_t count, void *data)
{
	if (ndr_is_bulk(n, t->element))
		return decode_bulk(n, s, t, count, data);
	struct ndr_scope item = *s;
	int rc = 0;
	ndr_trace_enter(n, s, t, data);
	for (size_t i = 0; i < count && rc == 0; i++) {
		item.name = ndr_trace_index(n, i);
		rc = ndr_decode_value(n, &item, t->element, (char *)data + i * t->element->size);
	}
	ndr_trace_leave(n);
	return rc;
}

/* Room for count elements that take at least their least wire size each. One zero element more ends a string. */
static int new_items(struct ndr *n, const struct idl_type *t, uint64_t count, void **out)
{
	size_t least = ndr_min_wire(n, t->element);
	if (count > NDR_MAX_ELEMENTS)
		return MW_E_LIMIT;
	if (count > cursor_left(&n->in) / (least ? least : 1))
		return MW_E_TRUNCATED;
	*out = arena_array(n->arena, count + 1, t->element->size ? t->element->size : 1);
	return *out ? 0 : MW_E_NOMEM;
}

static bool ends_with_zero(const struct idl_type *element, const void *data, size_t count)
{
	static const uint8_t zero[8];
	size_t size = element->size;
	return count && memcmp((const char *)data + (count - 1) * size, zero, size <= sizeof zero ? size : 1) == 0;
}

static size_t zero_terminated(const struct cursor *c, size_t unit)
{
	const uint8_t *p = cursor_here(c);
	size_t left = cursor_left(c);
	if (unit == 1) {
		const uint8_t *end = left ? memchr(p, 0, left) : NULL;
		return end ? (size_t)(end - p) + 1 : 0;
	}
	for (size_t i = 0; i + 1 < left; i += 2)
		if (!p[i] && !p[i + 1])
			return i / 2 + 1;
	return 0;
}

static int decode_zero_terminated(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	void *data;
	size_t units = zero_terminated(&n->in, t->element->size);
	if (t->element->size > 2)
		return MW_E_UNSUPPORTED;
	if (units == 0)
		return MW_E_TRUNCATED;
	int rc = new_items(n, t, units, &data);
	rc = rc < 0 ? rc : decode_items(n, s, t, units, data);
	if (rc == 0)
		*slot = data;
	return rc;
}

/* [until_end]: a count field beside it, which is not on the wire, learns the number. */
static int store_rest_count(const struct ndr_scope *s, const struct idl_type *t, size_t count)
{
	const struct idl_field *f = ndr_plain_field(s->type, &t->size_is);
	if (!f)
		return 0;
	char *at = (char *)s->base + f->offset;
	ndr_store_int(f->type, at, (int64_t)count);
	return (uint64_t)ndr_load_int(f->type, at) == count ? 0 : MW_E_LIMIT;
}

static int decode_rest_items(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	struct ndr_scope item = *s;
	size_t count = 0, cap = 0, size = t->element->size ? t->element->size : 1;
	void *items = NULL;
	int rc = 0;
	ndr_trace_enter(n, s, t, NULL);
	while (rc == 0 && cursor_left(&n->in)) {
		size_t before = n->in.pos;
		rc = count < NDR_MAX_ELEMENTS ? ndr_grow(n, &items, count, &cap, size) : MW_E_LIMIT;
		item.name = ndr_trace_index(n, count);
		rc = rc < 0 ? rc : ndr_decode_value(n, &item, t->element, (char *)items + count * size);
		if (rc == 0 && n->in.pos == before)
			rc = MW_E_MALFORMED;
		count++;
	}
	ndr_trace_leave(n);
	if (rc == 0)
		rc = store_rest_count(s, t, count);
	if (rc == 0)
		*slot = items;
	return rc;
}

static int decode_rest(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	void *data;
	if (!ndr_is_bulk(n, t->element))
		return decode_rest_items(n, s, t, slot);
	size_t count = cursor_left(&n->in) / t->element->size;
	int rc = new_items(n, t, count, &data);
	rc = rc < 0 ? rc : decode_items(n, s, t, count, data);
	rc = rc < 0 ? rc : store_rest_count(s, t, count);
	if (rc == 0)
		*slot = data;
	return rc;
}

static int decode_packed_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	uint64_t count;
	void *data;
	if (t->array & IDL_ARRAY_REST)
		return decode_rest(n, s, t, slot);
	if (!t->size_is.ops && t->array & IDL_ARRAY_STRING)
		return decode_zero_terminated(n, s, t, slot);
	int rc = ndr_eval_count(s, t->length_is.ops ? &t->length_is : &t->size_is, &count);
	rc = rc < 0 ? rc : new_items(n, t, count, &data);
	rc = rc < 0 ? rc : decode_items(n, s, t, count, data);
	if (rc == 0)
		*slot = data;
	return rc;
}

static int read_max_count(struct ndr *n, uint64_t *out)
{
	struct ndr_private *st = n->state;
	if (!st->hoisted)
		return read_word(n, out);
	st->hoisted = false;
	*out = st->hoisted_count;
	return 0;
}

static int read_counts(struct ndr *n, const struct idl_type *t, struct ndr_counts *c)
{
	int rc = 0;
	*c = (struct ndr_counts){.max = t->fixed_count ? t->fixed_count : UINT64_MAX};
	if (t->array & IDL_ARRAY_CONFORMANT)
		rc = read_max_count(n, &c->max);
	c->actual = c->max;
	if (rc == 0 && t->array & IDL_ARRAY_VARYING) {
		rc = read_word(n, &c->offset);
		rc = rc < 0 ? rc : read_word(n, &c->actual);
	}
	return rc;
}

/* What the counts on the wire promise must be what the expressions say. */
static int check_counts(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, const struct ndr_counts *c,
                        void **slot)
{
	struct ndr_check check = {.scope = *s, .slot = slot, .size = sizeof *slot};
	int rc = 0;
	if (t->array & IDL_ARRAY_CONFORMANT) {
		check.expr = &t->size_is;
		check.want = (int64_t)c->max;
		rc = push_check(n, &check);
	}
	if (rc < 0 || t->array & IDL_ARRAY_STRING || !(t->array & IDL_ARRAY_VARYING))
		return rc;
	check.expr = t->length_is.ops ? &t->length_is : &t->size_is;
	check.want = (int64_t)c->actual;
	return push_check(n, &check);
}

static int decode_ndr_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	struct ndr_counts c;
	void *data;
	if (t->array == IDL_ARRAY_STRING)
		return decode_zero_terminated(n, s, t, slot);
	int rc = read_counts(n, t, &c);
	if (rc < 0)
		return rc;
	bool wrong = c.offset != 0 || c.actual > c.max;
	if (wrong && !n->lenient)
		return MW_E_MALFORMED;
	rc = new_items(n, t, c.actual, &data);
	rc = rc < 0 ? rc : decode_items(n, s, t, c.actual, data);
	if (rc != 0)
		return rc;
	if (t->array & IDL_ARRAY_STRING && !n->lenient && !ends_with_zero(t->element, data, c.actual))
		return MW_E_MALFORMED;
	n->state->last = c;
	*slot = data;
	if (wrong)
		return push_check(n, &(struct ndr_check){.scope = *s, .slot = slot, .size = sizeof *slot});
	return check_counts(n, s, t, &c, slot);
}

static int decode_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	if (!ndr_is_pointed(t))
		return decode_items(n, s, t, t->fixed_count, v);
	if (n->syntax == NDR_PACKED)
		return decode_packed_array(n, s, t, v);
	return decode_ndr_array(n, s, t, v);
}

/* Structs */

static int decode_bounded(struct ndr *n, const struct ndr_scope *s, const struct idl_field *f, void *v)
{
	struct ndr_bound bound;
	uint64_t size;
	int rc = ndr_eval_count(s, &f->bound_is, &size);
	if (rc < 0)
		return rc;
	bool counted = f->type->kind == IDL_ARRAY && f->type->size_is.ops;
	if (size == 0 && !counted) {
		memset(v, 0, f->type->size);
		return 0;
	}
	rc = ndr_bound_enter(n, size, &bound);
	if (rc < 0)
		return rc;
	rc = ndr_decode_value(n, s, f->type, v);
	ndr_bound_leave(n, &bound);
	return rc;
}

static int decode_field(struct ndr *n, const struct idl_type *t, void *base, const struct idl_field *f, bool *ends)
{
	struct ndr_scope s = {.type = t, .base = base, .field = f, .name = f->name};
	void *v = (char *)base + f->offset;
	int64_t yes;
	int rc = 0;
	if (f->present_if.ops) {
		rc = ndr_eval(&s, &f->present_if, &yes);
		if (rc < 0)
			return rc;
		if (!yes) {
			memset(v, 0, f->type->size);
			return 0;
		}
	}
	rc = f->bound_is.ops ? decode_bounded(n, &s, f, v) : ndr_decode_value(n, &s, f->type, v);
	if (rc != 0 || !f->ends_if.ops)
		return rc;
	rc = ndr_eval(&s, &f->ends_if, &yes);
	*ends = rc == 0 && yes;
	return rc;
}

static int decode_fields(struct ndr *n, const struct idl_type *t, void *v)
{
	bool ends = false;
	unsigned i = 0;
	for (; i < t->field_count && !ends; i++) {
		int rc = decode_field(n, t, v, &t->fields[i], &ends);
		if (rc != 0)
			return ndr_fail(n, t->fields[i].name, rc);
	}
	for (; i < t->field_count; i++)
		memset((char *)v + t->fields[i].offset, 0, t->fields[i].type->size);
	return 0;
}

static int hoist_max_count(struct ndr *n, const struct idl_type *t, void *v)
{
	struct ndr_private *st = n->state;
	struct ndr_scope s;
	uint64_t max;
	if (st->hoisted || n->syntax == NDR_PACKED || !ndr_conformance(t, v, &s))
		return 0;
	int rc = read_word(n, &max);
	if (rc < 0)
		return rc;
	st->hoisted = true;
	st->hoisted_count = max;
	return 0;
}

static int decode_struct(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	int rc = hoist_max_count(n, t, v);
	rc = rc < 0 ? rc : ndr_align(n, ndr_wire_align(n, t));
	if (rc < 0)
		return rc;
	ndr_trace_enter(n, s, t, v);
	rc = decode_fields(n, t, v);
	if (rc == 0 && ndr_rules_of(n)->trailing_gap)
		rc = ndr_align(n, ndr_wire_align(n, t));
	ndr_trace_leave(n);
	return rc;
}

/* A packed struct is packed and little-endian wherever it stands. */
static int decode_any_struct(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	enum ndr_syntax syntax = n->syntax;
	bool big_endian = n->in.big_endian;
	if (n->depth >= NDR_MAX_DEPTH)
		return MW_E_LIMIT;
	n->depth++;
	if (t->packed) {
		n->syntax = NDR_PACKED;
		n->in.big_endian = false;
	}
	int rc = decode_struct(n, s, t, v);
	n->syntax = syntax;
	n->in.big_endian = big_endian;
	n->depth--;
	return rc;
}

/* Unions */

static int read_tag(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v, int64_t *tag)
{
	const struct idl_expr *e = s->field ? &s->field->switch_is : &(const struct idl_expr){0};
	if (n->syntax == NDR_PACKED || !t->switch_type) {
		if (!e->ops)
			return MW_E_INVALID;
		return ndr_eval(s, e, tag);
	}
	uint64_t raw = 0;
	int rc = ndr_decode_scalar(n, t->switch_type, &raw);
	if (rc < 0)
		return rc;
	*tag = ndr_cut(t->switch_type, (int64_t)raw);
	if (!e->ops)
		return 0;
	return push_check(
	        n, &(struct ndr_check){
	                   .scope = *s, .expr = e, .as = t->switch_type, .want = *tag, .slot = v, .size = t->size});
}

static int decode_union(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	bool wide = ndr_rules_of(n)->aligned_union;
	int64_t tag;
	int rc = wide ? ndr_align(n, ndr_wire_align(n, t)) : 0;
	rc = rc < 0 ? rc : read_tag(n, s, t, v, &tag);
	if (rc < 0)
		return rc;
	const struct idl_field *arm = ndr_union_arm(t, tag);
	if (!arm)
		return MW_E_MALFORMED;
	if (wide || t->ms_union)
		rc = ndr_align(n, ndr_wire_align(n, t));
	if (rc < 0 || arm->type->kind == IDL_VOID)
		return rc;
	struct ndr_scope inner = {.type = s->type, .base = s->base, .field = arm, .name = arm->name};
	ndr_trace_enter(n, s, t, v);
	rc = ndr_decode_value(n, &inner, arm->type, (char *)v + arm->offset);
	ndr_trace_leave(n);
	return ndr_fail(n, arm->name, rc);
}

/* Pointers */

static int decode_packed_pointee(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	const struct idl_type *e = t->element;
	if (ndr_is_pointed(e))
		return ndr_decode_value(n, s, e, slot);
	void *value = arena_alloc(n->arena, e->size);
	if (!value)
		return MW_E_NOMEM;
	int rc = ndr_decode_value(n, s, e, value);
	if (rc == 0)
		*slot = value;
	return rc;
}

static int decode_pointer(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	struct ndr_pending p = {.scope = *s, .type = t, .slot = slot};
	if (n->syntax == NDR_PACKED)
		return decode_packed_pointee(n, s, t, slot);
	int rc = read_word(n, &p.referent);
	if (rc < 0)
		return rc;
	*slot = NULL;
	bool ignored = s->field && s->field->type == t && s->field->flags & IDL_FIELD_IGNORE;
	if (ignored || (p.referent == 0 && t->pointer != IDL_REF)) {
		if (ndr_traces(n))
			ndr_trace_leaf(n, s, t, n->in.pos - ndr_rules_of(n)->word, NULL, ignored ? "ignored" : NULL);
		return 0;
	}
	p.node = ndr_trace_slot(n);
	return ndr_push_pending(n, &p);
}

static int decode_pointee(struct ndr *n, const struct ndr_scope *s, const struct idl_type *e, void **slot)
{
	if (ndr_is_pointed(e))
		return ndr_decode_value(n, s, e, slot);
	*slot = arena_alloc(n->arena, e->size);
	return *slot ? ndr_decode_value(n, s, e, *slot) : MW_E_NOMEM;
}

/* A full pointer to what another one brought already. */
static int share_referent(struct ndr *n, const struct ndr_pending *p, const struct ndr_referent *r)
{
	const struct idl_type *e = p->type->element;
	void **slot = p->slot;
	bool same = r->value && ndr_same_type(r->type, e);
	if (!same && !n->lenient)
		return MW_E_MALFORMED;
	*slot = same ? r->value : NULL;
	if (ndr_traces(n))
		ndr_trace_leaf(n, &p->scope, p->type, n->in.pos, r->value,
		               arena_printf(n->arena, "same as 0x%08llx above", (unsigned long long)p->referent));
	return same && ndr_is_pointed(e) ? check_counts(n, &p->scope, e, &r->counts, slot) : 0;
}

static int decode_full(struct ndr *n, const struct ndr_pending *p)
{
	const struct idl_type *e = p->type->element;
	struct ndr_referent *r;
	int rc = ndr_referent(n, p->referent, NULL, &r);
	if (rc < 0)
		return rc;
	if (r->type)
		return share_referent(n, p, r);
	r->type = e;
	void **slot = p->slot;
	if (ndr_is_pointed(e)) {
		rc = decode_pointee(n, &p->scope, e, slot);
	} else {
		r->value = *slot = arena_alloc(n->arena, e->size);
		rc = r->value ? ndr_decode_value(n, &p->scope, e, r->value) : MW_E_NOMEM;
	}
	if (rc != 0)
		return rc;
	rc = ndr_referent(n, p->referent, NULL, &r);
	if (rc < 0)
		return rc;
	r->value = *slot;
	r->counts = n->state->last;
	return 0;
}

/* The pointees of what has just been decoded, in order; each with its own behind it. */
static int decode_deferred(struct ndr *n, size_t start)
{
	struct ndr_private *st = n->state;
	size_t end = st->pending_count;
	int rc = 0;
	if (start == end)
		return 0;
	if (n->depth >= NDR_MAX_DEPTH)
		return ndr_fail(n, st->pending[start].scope.name, MW_E_LIMIT);
	n->depth++;
	for (size_t i = start; i < end && rc == 0; i++) {
		struct ndr_pending p = st->pending[i];
		struct ndr_node *back = ndr_trace_goto(n, p.node);
		rc = p.type->pointer == IDL_FULL ? decode_full(n, &p)
		                                 : decode_pointee(n, &p.scope, p.type->element, p.slot);
		rc = rc != 0 ? ndr_fail(n, p.scope.name, rc) : decode_deferred(n, end);
		ndr_trace_goto(n, back);
	}
	n->depth--;
	st->pending_count = start;
	return rc;
}

/* Values */

static int decode_opaque(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t)
{
	if (!n->lenient)
		return MW_E_UNSUPPORTED;
	size_t offset = n->in.pos;
	n->in.pos = n->in.len;
	ndr_trace_leaf(n, s, t, offset, n->in.data + offset, NULL);
	return NDR_STOP;
}

static int decode_shaped(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	if (n->depth >= NDR_MAX_DEPTH)
		return MW_E_LIMIT;
	n->depth++;
	struct ndr_node *group = ndr_trace_group(n);
	ndr_trace_enter(n, s, t, v);
	int rc = t->shape(n, v);
	ndr_trace_unwind(n, group);
	n->depth--;
	return rc < 0 ? rc : 0;
}

int ndr_decode_value(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	switch (t->kind) {
	case IDL_VOID:
		return 0;
	case IDL_INT:
	case IDL_FLOAT:
	case IDL_ENUM:
	case IDL_GUID:
	case IDL_CONTEXT_HANDLE:
		return decode_leaf(n, s, t, v);
	case IDL_STRUCT:
		return decode_any_struct(n, s, t, v);
	case IDL_UNION:
		return decode_union(n, s, t, v);
	case IDL_POINTER:
		return decode_pointer(n, s, t, v);
	case IDL_ARRAY:
		return decode_array(n, s, t, v);
	case IDL_SHAPED:
		return decode_shaped(n, s, t, v);
	case IDL_OPAQUE:
		return decode_opaque(n, s, t);
	}
	return MW_E_INVALID;
}

static bool holds(const struct ndr_check *c)
{
	int64_t x;
	if (!c->expr || ndr_eval(&c->scope, c->expr, &x) < 0)
		return false;
	return (c->as ? ndr_cut(c->as, x) : x) == c->want;
}

/* Strict: the first broken promise is the failure. Lenient: what it was about becomes NULL or zero. */
static int judge(struct ndr *n)
{
	struct ndr_private *st = n->state;
	for (size_t i = 0; i < st->check_count; i++) {
		const struct ndr_check *c = &st->checks[i];
		if (holds(c))
			continue;
		if (!n->lenient)
			return ndr_fail(n, c->scope.name, MW_E_MALFORMED);
		memset(c->slot, 0, c->size);
	}
	return 0;
}

static int finish(struct ndr *n, int rc)
{
	struct ndr_private *st = n->state;
	if (rc >= 0)
		rc = judge(n);
	ndr_trace_flush(n);
	st->pending_count = st->check_count = 0;
	st->hoisted = false;
	st->level--;
	return rc < 0 ? rc : st->error;
}

static int begin(struct ndr *n)
{
	if (!ndr_state(n))
		return MW_E_NOMEM;
	if (n->state->level++ == 0)
		n->state->buffering = ndr_traces(n) && n->syntax != NDR_PACKED;
	return 0;
}

int ndr_decode(struct ndr *n, const struct idl_type *type, void *value)
{
	struct ndr_scope s = {.name = type->name ? type->name : ""};
	if (n->state && n->state->level)
		return ndr_decode_value(n, &s, type, value);
	int rc = begin(n);
	if (rc < 0)
		return rc;
	rc = ndr_decode_value(n, &s, type, value);
	rc = rc != 0 ? ndr_fail(n, s.name, rc) : decode_deferred(n, 0);
	return finish(n, rc);
}

/* A top-level pointer's pointee follows at once (C706 14.3.12.1). A [ref] one is its pointee in the table. */
static int decode_parameter(struct ndr *n, const struct idl_method *m, const struct idl_field *f, void *args)
{
	struct ndr_scope s = {.type = m->args, .base = args, .field = f, .name = f->name};
	int rc = ndr_decode_value(n, &s, f->type, (char *)args + f->offset);
	return rc != 0 ? ndr_fail(n, f->name, rc) : decode_deferred(n, 0);
}

int ndr_decode_args(struct ndr *n, const struct idl_method *m, enum idl_direction d, void *args)
{
	if (m->not_used || !m->args)
		return m->not_used ? MW_E_UNSUPPORTED : 0;
	int rc = begin(n);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < m->args->field_count && rc == 0; i++)
		if (ndr_has_direction(&m->args->fields[i], d))
			rc = decode_parameter(n, m, &m->args->fields[i], args);
	return finish(n, rc);
}
