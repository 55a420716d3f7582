#include "ndr/engine.h"

const struct ndr_rules ndr_rules[] = {
        [NDR_20] = {.word = 4, .aligned = true},
        [NDR_64] = {.word = 8, .aligned = true, .wide_enums = true, .trailing_gap = true, .aligned_union = true},
        [NDR_PACKED] = {0},
};

/* Probes before a hash table of referents counts as attacked. At most half of it is filled. */
#define MAX_PROBES 64
/* min_wire looks no deeper than this into a type. */
#define MIN_WIRE_DEPTH 6

struct ndr_private *ndr_state(struct ndr *n)
{
	if (!n->state)
		n->state = arena_new_of(n->arena, struct ndr_private);
	return n->state;
}

int ndr_fail(struct ndr *n, const char *where, int rc)
{
	if (rc < 0 && !n->where) {
		n->where = where && *where ? where : "value";
		n->where_offset = ndr_pos(n);
	}
	return rc;
}

static size_t min_wire(const struct ndr *n, const struct idl_type *t, bool packed, unsigned depth);

static size_t min_wire_struct(const struct ndr *n, const struct idl_type *t, bool packed, unsigned depth)
{
	size_t sum = 0;
	for (unsigned i = 0; i < t->field_count; i++) {
		const struct idl_field *f = &t->fields[i];
		size_t least = f->present_if.ops || f->bound_is.ops ? 0 : min_wire(n, f->type, packed, depth);
		if (__builtin_add_overflow(sum, least, &sum))
			return SIZE_MAX;
		if (f->ends_if.ops)
			break;
	}
	return sum;
}

static size_t min_wire_array(const struct ndr *n, const struct idl_type *t, bool packed, unsigned depth)
{
	size_t product, word = packed ? 0 : ndr_rules_of(n)->word;
	if (ndr_is_pointed(t)) {
		if (packed || t->array == IDL_ARRAY_STRING)
			return t->array & IDL_ARRAY_STRING ? ndr_wire_size(n, t->element) : 0;
		return (t->array & IDL_ARRAY_CONFORMANT ? word : 0) + (t->array & IDL_ARRAY_VARYING ? 2 * word : 0);
	}
	if (__builtin_mul_overflow((size_t)t->fixed_count, min_wire(n, t->element, packed, depth), &product))
		return SIZE_MAX;
	return product;
}

static size_t min_wire(const struct ndr *n, const struct idl_type *t, bool packed, unsigned depth)
{
	packed = packed || t->packed;
	if (depth == 0)
		return 0;
	switch (t->kind) {
	case IDL_STRUCT:
		return min_wire_struct(n, t, packed, depth - 1);
	case IDL_UNION:
		return t->switch_type && !packed ? ndr_wire_size(n, t->switch_type) : 0;
	case IDL_POINTER:
		return packed ? min_wire(n, t->element, packed, depth - 1) : ndr_rules_of(n)->word;
	case IDL_ARRAY:
		return min_wire_array(n, t, packed, depth - 1);
	default:
		return ndr_wire_size(n, t);
	}
}

size_t ndr_min_wire(const struct ndr *n, const struct idl_type *t)
{
	return min_wire(n, t, n->syntax == NDR_PACKED, MIN_WIRE_DEPTH);
}

int64_t ndr_load_int(const struct idl_type *t, const void *v)
{
	uint64_t x = 0;
	memcpy(&x, v, t->size <= sizeof x ? t->size : sizeof x);
	if (t->is_signed && t->size < sizeof x) {
		unsigned shift = 64 - 8 * t->size;
		return (int64_t)(x << shift) >> shift;
	}
	return (int64_t)x;
}

void ndr_store_int(const struct idl_type *t, void *v, int64_t x)
{
	switch (t->size) {
	case 1:
		memcpy(v, &x, 1);
		break;
	case 2:
		memcpy(v, &x, 2);
		break;
	case 4:
		memcpy(v, &x, 4);
		break;
	default:
		memcpy(v, &x, 8);
	}
}

int64_t ndr_cut(const struct idl_type *t, int64_t x)
{
	if (t->wire_size == 0 || t->wire_size >= 8)
		return x;
	unsigned shift = 64 - 8 * t->wire_size;
	uint64_t high = (uint64_t)x << shift;
	return t->is_signed ? (int64_t)high >> shift : (int64_t)(high >> shift);
}

int ndr_eval(const struct ndr_scope *s, const struct idl_expr *e, int64_t *out)
{
	if (!s->type)
		return MW_E_INVALID;
	return idl_eval(e, s->type, s->base, out);
}

int ndr_eval_count(const struct ndr_scope *s, const struct idl_expr *e, uint64_t *out)
{
	int64_t x;
	int rc = ndr_eval(s, e, &x);
	if (rc < 0)
		return rc;
	if (x < 0)
		return MW_E_MALFORMED;
	if (x > UINT32_MAX)
		return MW_E_LIMIT;
	*out = (uint64_t)x;
	return 0;
}

const struct idl_field *ndr_plain_field(const struct idl_type *scope, const struct idl_expr *e)
{
	if (!scope || e->count != 1 || e->ops[0].code != IDL_OP_FIELD)
		return NULL;
	const struct idl_field *f = &scope->fields[e->ops[0].value];
	return f->type->kind == IDL_INT ? f : NULL;
}

static bool has_case(const struct idl_field *f, int64_t tag)
{
	for (unsigned i = 0; i < f->case_count; i++)
		if (f->cases[i] == tag)
			return true;
	return false;
}

const struct idl_field *ndr_union_arm(const struct idl_type *t, int64_t tag)
{
	const struct idl_field *otherwise = NULL;
	for (unsigned i = 0; i < t->field_count; i++) {
		if (has_case(&t->fields[i], tag))
			return &t->fields[i];
		if (t->fields[i].flags & IDL_FIELD_DEFAULT)
			otherwise = &t->fields[i];
	}
	return otherwise;
}

bool ndr_same_type(const struct idl_type *a, const struct idl_type *b)
{
	while (a != b) {
		if (a->kind != b->kind || a->size != b->size)
			return false;
		switch (a->kind) {
		case IDL_INT:
		case IDL_FLOAT:
		case IDL_ENUM:
			return a->wire_size == b->wire_size;
		case IDL_GUID:
		case IDL_CONTEXT_HANDLE:
			return true;
		case IDL_POINTER:
		case IDL_ARRAY:
			if (a->array != b->array || a->fixed_count != b->fixed_count)
				return false;
			a = a->element;
			b = b->element;
			break;
		default:
			return false;
		}
	}
	return true;
}

bool ndr_is_blob(const struct idl_type *array)
{
	const struct idl_type *e = array->element;
	return e->kind == IDL_INT && (e->wire_size == 1 || (e->is_char && e->wire_size == 2));
}

const struct idl_type *ndr_conformance(const struct idl_type *t, void *base, struct ndr_scope *s)
{
	while (t->kind == IDL_STRUCT && t->field_count && !t->packed) {
		const struct idl_field *last = &t->fields[t->field_count - 1];
		*s = (struct ndr_scope){.type = t, .base = base, .field = last, .name = last->name};
		if (last->type->kind == IDL_ARRAY && last->type->array & IDL_ARRAY_CONFORMANT)
			return last->type;
		base = (char *)base + last->offset;
		t = last->type;
	}
	return NULL;
}

bool ndr_has_direction(const struct idl_field *f, enum idl_direction d)
{
	if (f->flags & IDL_FIELD_HANDLE_ONLY)
		return false;
	if (d == IDL_REQUEST)
		return f->flags & IDL_FIELD_IN;
	return f->flags & (IDL_FIELD_OUT | IDL_FIELD_RETURN);
}

int ndr_grow(struct ndr *n, void **items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return 0;
	size_t room = *cap ? *cap * 2 : 16;
	void *more = arena_array(n->arena, room, size);
	if (!more)
		return MW_E_NOMEM;
	if (count)
		memcpy(more, *items, count * size);
	*items = more;
	*cap = room;
	return 0;
}

int ndr_push_pending(struct ndr *n, const struct ndr_pending *p)
{
	struct ndr_private *st = n->state;
	int rc = ndr_grow(n, (void **)&st->pending, st->pending_count, &st->pending_cap, sizeof *p);
	if (rc < 0)
		return rc;
	st->pending[st->pending_count++] = *p;
	return 0;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static struct ndr_referent *probe(struct ndr_referent *table, size_t cap, uint64_t key, const struct idl_type *type)
{
	for (size_t i = 0; i < MAX_PROBES; i++) {
		struct ndr_referent *r = &table[(mix(key) + i) & (cap - 1)];
		if (!r->key || (r->key == key && (!type || ndr_same_type(r->type, type))))
			return r;
	}
	return NULL;
}

static int grow_referents(struct ndr *n)
{
	struct ndr_private *st = n->state;
	size_t cap = st->referent_cap ? st->referent_cap * 2 : 16;
	struct ndr_referent *table = arena_array(n->arena, cap, sizeof *table);
	if (!table)
		return MW_E_NOMEM;
	for (size_t i = 0; i < st->referent_cap; i++) {
		struct ndr_referent *from = &st->referents[i];
		struct ndr_referent *to = from->key ? probe(table, cap, from->key, from->type) : NULL;
		if (from->key && !to)
			return MW_E_LIMIT;
		if (to)
			*to = *from;
	}
	st->referents = table;
	st->referent_cap = cap;
	return 0;
}

int ndr_referent(struct ndr *n, uint64_t key, const struct idl_type *type, struct ndr_referent **out)
{
	struct ndr_private *st = n->state;
	if (st->referent_count >= st->referent_cap / 2) {
		int rc = grow_referents(n);
		if (rc < 0)
			return rc;
	}
	struct ndr_referent *r = probe(st->referents, st->referent_cap, key, type);
	if (!r)
		return MW_E_LIMIT;
	if (!r->key) {
		r->key = key;
		st->referent_count++;
	}
	*out = r;
	return 0;
}
