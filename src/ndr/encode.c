#include "ndr/engine.h"

/* C values to bytes; little-endian, the mirror of decode.c. What the values cannot say is MW_E_INVALID. */

/* Windows counts its referents from here. */
#define FIRST_REFERENT 0x00020000
/* The ids of full pointers are one space for request and response (C706 14.3.11.2): an answer that
 * counted from the same number would alias what the request sent, and tshark reads it so. */
#define FIRST_REFERENT_OF_RESPONSE 0x00080000

/* Spelled out as in read_uint, and for the same reason. */
static int put_uint(struct ndr *n, uint64_t x, size_t size)
{
	switch (size) {
	case 1:
		return buf_put_u8(n->out, (uint8_t)x);
	case 2:
		return buf_put_u16(n->out, (uint16_t)x);
	case 4:
		return buf_put_u32(n->out, (uint32_t)x);
	default:
		return buf_put_u64(n->out, x);
	}
}

static int put_word(struct ndr *n, uint64_t x)
{
	unsigned word = ndr_rules_of(n)->word;
	if (word == 4 && x > UINT32_MAX)
		return MW_E_LIMIT;
	int rc = ndr_align(n, word);
	return rc < 0 ? rc : put_uint(n, x, word);
}

static int put_guid(struct ndr *n, const struct guid *g)
{
	uint8_t bytes[16];
	guid_to_bytes(g, bytes);
	return buf_put(n->out, bytes, sizeof bytes);
}

int ndr_encode_scalar(struct ndr *n, const struct idl_type *t, const void *v)
{
	size_t size = ndr_wire_size(n, t);
	int rc = ndr_align(n, t->kind == IDL_GUID || t->kind == IDL_CONTEXT_HANDLE ? 4 : size);
	if (rc < 0)
		return rc;
	if (t->kind == IDL_GUID)
		return put_guid(n, v);
	if (t->kind == IDL_CONTEXT_HANDLE) {
		const struct idl_context_handle *h = v;
		rc = put_uint(n, h->attributes, 4);
		return rc < 0 ? rc : put_guid(n, &h->uuid);
	}
	uint64_t x = (uint64_t)ndr_load_int(t, v);
	if (size == t->size)
		return put_uint(n, x, size);
	if (size < 8 && x >> (8 * size))
		return MW_E_INVALID;
	return put_uint(n, x, size);
}

static int encode_leaf(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, const void *v)
{
	if (s->field && s->field->flags & IDL_FIELD_RANGE && (t->kind == IDL_INT || t->kind == IDL_ENUM)) {
		int64_t x = ndr_load_int(t, v);
		if (!n->lenient && (x < s->field->min || x > s->field->max))
			return MW_E_INVALID;
	}
	return ndr_encode_scalar(n, t, v);
}

/* Arrays */

static int encode_items(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, size_t count, char *data)
{
	size_t size = t->element->size;
	int rc = 0;
	if (count == 0)
		return 0;
	if (!data)
		return MW_E_INVALID;
	if (count > NDR_MAX_ELEMENTS)
		return MW_E_LIMIT;
	if (ndr_is_bulk(n, t->element)) {
		rc = ndr_align(n, size);
		return rc < 0 ? rc : buf_put(n->out, data, count * size);
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = ndr_encode_value(n, s, t->element, data + i * size);
	return rc;
}

/* Units with the terminator; 0 for none at all. */
static size_t string_units(const struct idl_type *t, const void *data)
{
	if (!data)
		return 0;
	if (t->element->size == 1)
		return strlen(data) + 1;
	const uint16_t *u = data;
	size_t i = 0;
	while (u[i])
		i++;
	return i + 1;
}

static int encode_zero_terminated(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, char *data)
{
	if (t->element->size > 2)
		return MW_E_UNSUPPORTED;
	size_t units = string_units(t, data);
	return units ? encode_items(n, s, t, units, data) : put_uint(n, 0, t->element->size);
}

static int encode_packed_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, char *data)
{
	const struct idl_expr *e = t->length_is.ops ? &t->length_is : &t->size_is;
	uint64_t count;
	if (!e->ops && t->array & IDL_ARRAY_STRING)
		return encode_zero_terminated(n, s, t, data);
	if (!e->ops)
		return data ? MW_E_UNSUPPORTED : 0;
	int rc = ndr_eval_count(s, e, &count);
	return rc < 0 ? rc : encode_items(n, s, t, count, data);
}

static int array_counts(const struct ndr_scope *s, const struct idl_type *t, const void *data, struct ndr_counts *c)
{
	int rc = 0;
	*c = (struct ndr_counts){.max = t->fixed_count};
	if (t->array & IDL_ARRAY_STRING)
		c->actual = string_units(t, data);
	if (t->size_is.ops)
		rc = ndr_eval_count(s, &t->size_is, &c->max);
	else if (t->array & IDL_ARRAY_STRING && !t->fixed_count)
		c->max = c->actual;
	else if (!t->fixed_count && !t->length_is.ops)
		return MW_E_INVALID;
	if (rc < 0 || t->array & IDL_ARRAY_STRING)
		return rc < 0 || c->actual <= c->max ? rc : MW_E_INVALID;
	c->actual = c->max;
	if (t->array & IDL_ARRAY_VARYING && t->length_is.ops)
		rc = ndr_eval_count(s, &t->length_is, &c->actual);
	if (rc == 0 && !t->size_is.ops && !t->fixed_count)
		c->max = c->actual;
	return rc < 0 || c->actual <= c->max ? rc : MW_E_INVALID;
}

static int encode_ndr_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, char *data)
{
	struct ndr_private *st = n->state;
	struct ndr_counts c;
	if (t->array == IDL_ARRAY_STRING)
		return encode_zero_terminated(n, s, t, data);
	int rc = array_counts(s, t, data, &c);
	if (rc < 0)
		return rc;
	if (t->array & IDL_ARRAY_CONFORMANT && !st->hoisted)
		rc = put_word(n, c.max);
	if (t->array & IDL_ARRAY_CONFORMANT)
		st->hoisted = false;
	if (rc == 0 && t->array & IDL_ARRAY_VARYING) {
		rc = put_word(n, 0);
		rc = rc < 0 ? rc : put_word(n, c.actual);
	}
	return rc < 0 ? rc : encode_items(n, s, t, c.actual, data);
}

static int encode_array(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	if (!ndr_is_pointed(t))
		return encode_items(n, s, t, t->fixed_count, v);
	if (n->syntax == NDR_PACKED)
		return encode_packed_array(n, s, t, *(char **)v);
	return encode_ndr_array(n, s, t, *(char **)v);
}

/* Structs */

static bool is_zero(const void *v, size_t size)
{
	const uint8_t *p = v;
	return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* Writes the size of a bounded field into the field that tells it, which ends at end. */
static int poke_size(struct ndr *n, const struct idl_field *f, size_t end, size_t size)
{
	unsigned width = f->type->wire_size;
	if (width < 8 && size >> (8 * width))
		return MW_E_LIMIT;
	uint64_t x = size;
	memcpy(n->out->data + n->origin + end - width, &x, width);
	return 0;
}

/*
 * The bounded content decides its size. It is absent when it is zero in C and
 * its size says 0; a caller that sets the content need not know its size.
 */
static int encode_bounded(struct ndr *n, const struct ndr_scope *s, const struct idl_field *f, void *v,
                          const size_t *at)
{
	const struct idl_field *told = ndr_plain_field(s->type, &f->bound_is);
	struct ndr_bound bound;
	uint64_t size;
	int rc = ndr_eval_count(s, &f->bound_is, &size);
	if (rc < 0)
		return rc;
	if (size == 0 && (!told || is_zero(v, f->type->size)))
		return 0;
	rc = ndr_bound_enter(n, size, &bound);
	rc = rc < 0 ? rc : ndr_encode_value(n, s, f->type, v);
	if (rc < 0)
		return rc;
	size_t used = ndr_bound_leave(n, &bound);
	if (told && at && at[told - s->type->fields])
		return poke_size(n, told, at[told - s->type->fields], used);
	return used == size ? 0 : MW_E_INVALID;
}

static int encode_field(struct ndr *n, const struct idl_type *t, void *base, unsigned i, size_t *at, bool *ends)
{
	const struct idl_field *f = &t->fields[i];
	struct ndr_scope s = {.type = t, .base = base, .field = f, .name = f->name};
	void *v = (char *)base + f->offset;
	int64_t yes = 1;
	int rc = f->present_if.ops ? ndr_eval(&s, &f->present_if, &yes) : 0;
	if (rc < 0 || !yes)
		return rc;
	rc = f->bound_is.ops ? encode_bounded(n, &s, f, v, at) : ndr_encode_value(n, &s, f->type, v);
	if (at)
		at[i] = ndr_pos(n);
	if (rc < 0 || !f->ends_if.ops)
		return rc;
	rc = ndr_eval(&s, &f->ends_if, &yes);
	*ends = rc == 0 && yes;
	return rc;
}

/* Room for where each field ends on the wire, when a size must be written back; else NULL. 0: not written. */
static int wire_places(struct ndr *n, const struct idl_type *t, size_t **at)
{
	*at = NULL;
	for (unsigned i = 0; i < t->field_count; i++) {
		if (!t->fields[i].bound_is.ops)
			continue;
		*at = arena_new_array(n->arena, size_t, t->field_count);
		return *at ? 0 : MW_E_NOMEM;
	}
	return 0;
}

static int encode_fields(struct ndr *n, const struct idl_type *t, void *v)
{
	bool ends = false;
	size_t *at;
	int rc = wire_places(n, t, &at);
	for (unsigned i = 0; i < t->field_count && !ends && rc == 0; i++) {
		rc = encode_field(n, t, v, i, at, &ends);
		rc = ndr_fail(n, t->fields[i].name, rc);
	}
	return rc;
}

static int hoist_max_count(struct ndr *n, const struct idl_type *t, void *v)
{
	struct ndr_private *st = n->state;
	struct ndr_scope s;
	struct ndr_counts c;
	if (st->hoisted || n->syntax == NDR_PACKED)
		return 0;
	const struct idl_type *array = ndr_conformance(t, v, &s);
	if (!array)
		return 0;
	int rc = array_counts(&s, array, *(void **)((char *)s.base + s.field->offset), &c);
	rc = rc < 0 ? rc : put_word(n, c.max);
	st->hoisted = rc == 0;
	return rc;
}

static int encode_struct(struct ndr *n, const struct idl_type *t, void *v)
{
	int rc = hoist_max_count(n, t, v);
	rc = rc < 0 ? rc : ndr_align(n, ndr_wire_align(n, t));
	rc = rc < 0 ? rc : encode_fields(n, t, v);
	if (rc == 0 && ndr_rules_of(n)->trailing_gap)
		rc = ndr_align(n, ndr_wire_align(n, t));
	return rc;
}

static int encode_any_struct(struct ndr *n, const struct idl_type *t, void *v)
{
	enum ndr_syntax syntax = n->syntax;
	if (n->depth >= NDR_MAX_DEPTH)
		return MW_E_LIMIT;
	n->depth++;
	if (t->packed)
		n->syntax = NDR_PACKED;
	int rc = encode_struct(n, t, v);
	n->syntax = syntax;
	n->depth--;
	return rc;
}

/* Unions */

static int encode_union(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	bool wide = ndr_rules_of(n)->aligned_union;
	int64_t tag;
	if (!s->field || !s->field->switch_is.ops)
		return MW_E_INVALID;
	int rc = ndr_eval(s, &s->field->switch_is, &tag);
	if (rc == 0 && wide)
		rc = ndr_align(n, ndr_wire_align(n, t));
	if (rc == 0 && t->switch_type && n->syntax != NDR_PACKED) {
		uint64_t raw = (uint64_t)tag;
		tag = ndr_cut(t->switch_type, tag);
		rc = ndr_encode_scalar(n, t->switch_type, &raw);
	}
	if (rc < 0)
		return rc;
	const struct idl_field *arm = ndr_union_arm(t, tag);
	if (!arm)
		return MW_E_INVALID;
	if (wide || t->ms_union)
		rc = ndr_align(n, ndr_wire_align(n, t));
	struct ndr_scope inner = {.type = s->type, .base = s->base, .field = arm, .name = arm->name};
	rc = rc < 0 ? rc : ndr_encode_value(n, &inner, arm->type, (char *)v + arm->offset);
	return ndr_fail(n, arm->name, rc);
}

/* Pointers */

static int full_referent(struct ndr *n, const struct idl_type *t, void *value, uint64_t *id)
{
	struct ndr_referent *r;
	int rc = ndr_referent(n, (uintptr_t)value, t->element, &r);
	if (rc < 0)
		return rc;
	if (!r->type) {
		r->type = t->element;
		r->id = n->state->next_id;
		n->state->next_id += 4;
	}
	*id = r->id;
	return 0;
}

static int encode_pointer(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void **slot)
{
	struct ndr_private *st = n->state;
	const struct idl_type *e = t->element;
	if (n->syntax == NDR_PACKED) {
		if (!*slot && !ndr_is_pointed(e))
			return MW_E_INVALID;
		return ndr_encode_value(n, s, e, ndr_is_pointed(e) ? (void *)slot : *slot);
	}
	bool ignored = s->field && s->field->type == t && s->field->flags & IDL_FIELD_IGNORE;
	if (ignored || (!*slot && t->pointer != IDL_REF))
		return put_word(n, 0);
	if (!*slot && !ndr_is_pointed(e))
		return MW_E_INVALID;
	struct ndr_pending p = {.scope = *s, .type = t, .slot = slot, .referent = st->next_id};
	int rc = 0;
	if (t->pointer == IDL_FULL)
		rc = full_referent(n, t, *slot, &p.referent);
	else
		st->next_id += 4;
	rc = rc < 0 ? rc : put_word(n, p.referent);
	return rc < 0 ? rc : ndr_push_pending(n, &p);
}

/* Whether a full pointer's pointee is there already; marks it as there. */
static int full_done(struct ndr *n, const struct ndr_pending *p, bool *done)
{
	struct ndr_referent *r;
	int rc = ndr_referent(n, *(uintptr_t *)p->slot, p->type->element, &r);
	if (rc < 0)
		return rc;
	*done = r->done;
	r->done = true;
	return 0;
}

static int encode_pointee(struct ndr *n, const struct ndr_pending *p)
{
	const struct idl_type *e = p->type->element;
	bool done = false;
	int rc = p->type->pointer == IDL_FULL ? full_done(n, p, &done) : 0;
	if (rc < 0 || done)
		return rc;
	return ndr_encode_value(n, &p->scope, e, ndr_is_pointed(e) ? p->slot : *(void **)p->slot);
}

static int encode_deferred(struct ndr *n, size_t start)
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
		rc = encode_pointee(n, &p);
		rc = rc < 0 ? ndr_fail(n, p.scope.name, rc) : encode_deferred(n, end);
	}
	n->depth--;
	st->pending_count = start;
	return rc;
}

/* Values */

static int encode_shaped(struct ndr *n, const struct idl_type *t, void *v)
{
	if (n->depth >= NDR_MAX_DEPTH)
		return MW_E_LIMIT;
	n->depth++;
	int rc = t->shape(n, v);
	n->depth--;
	return rc < 0 ? rc : 0;
}

int ndr_encode_value(struct ndr *n, const struct ndr_scope *s, const struct idl_type *t, void *v)
{
	switch (t->kind) {
	case IDL_VOID:
		return 0;
	case IDL_INT:
	case IDL_FLOAT:
	case IDL_ENUM:
	case IDL_GUID:
	case IDL_CONTEXT_HANDLE:
		return encode_leaf(n, s, t, v);
	case IDL_STRUCT:
		return encode_any_struct(n, t, v);
	case IDL_UNION:
		return encode_union(n, s, t, v);
	case IDL_POINTER:
		return encode_pointer(n, s, t, v);
	case IDL_ARRAY:
		return encode_array(n, s, t, v);
	case IDL_SHAPED:
		return encode_shaped(n, t, v);
	case IDL_OPAQUE:
		return MW_E_UNSUPPORTED;
	}
	return MW_E_INVALID;
}

static int begin(struct ndr *n)
{
	struct ndr_private *st = ndr_state(n);
	if (!st)
		return MW_E_NOMEM;
	if (!st->next_id)
		st->next_id = FIRST_REFERENT;
	st->level++;
	return 0;
}

static int finish(struct ndr *n, size_t start, int rc)
{
	struct ndr_private *st = n->state;
	st->pending_count = 0;
	st->hoisted = false;
	st->level--;
	if (rc < 0)
		n->out->len = start;
	return rc;
}

int ndr_encode(struct ndr *n, const struct idl_type *type, const void *value)
{
	struct ndr_scope s = {.name = type->name ? type->name : ""};
	size_t start = n->out->len;
	if (n->state && n->state->level)
		return ndr_encode_value(n, &s, type, (void *)(uintptr_t)value);
	int rc = begin(n);
	if (rc < 0)
		return rc;
	rc = ndr_encode_value(n, &s, type, (void *)(uintptr_t)value);
	rc = rc < 0 ? ndr_fail(n, s.name, rc) : encode_deferred(n, 0);
	return finish(n, start, rc);
}

static int encode_parameter(struct ndr *n, const struct idl_method *m, const struct idl_field *f, void *args)
{
	struct ndr_scope s = {.type = m->args, .base = args, .field = f, .name = f->name};
	int rc = ndr_encode_value(n, &s, f->type, (char *)args + f->offset);
	return rc < 0 ? ndr_fail(n, f->name, rc) : encode_deferred(n, 0);
}

int ndr_encode_args(struct ndr *n, const struct idl_method *m, enum idl_direction d, const void *args)
{
	size_t start = n->out->len;
	if (m->not_used || !m->args)
		return m->not_used ? MW_E_UNSUPPORTED : 0;
	int rc = begin(n);
	if (rc < 0)
		return rc;
	if (d == IDL_RESPONSE && n->state->next_id == FIRST_REFERENT)
		n->state->next_id = FIRST_REFERENT_OF_RESPONSE;
	for (unsigned i = 0; i < m->args->field_count && rc == 0; i++)
		if (ndr_has_direction(&m->args->fields[i], d))
			rc = encode_parameter(n, m, &m->args->fields[i], (void *)(uintptr_t)args);
	return finish(n, start, rc);
}
