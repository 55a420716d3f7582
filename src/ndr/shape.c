#include "ndr/engine.h"

/* What shape functions move values with: one call for both directions. */

static const struct idl_type type_u8 = {
        .kind = IDL_INT, .name = "uint8", .size = 1, .align = 1, .wire_size = 1, .wire_align = 1, .wire_align64 = 1};
static const struct idl_type type_u16 = {
        .kind = IDL_INT, .name = "uint16", .size = 2, .align = 2, .wire_size = 2, .wire_align = 2, .wire_align64 = 2};
static const struct idl_type type_u32 = {
        .kind = IDL_INT, .name = "uint32", .size = 4, .align = 4, .wire_size = 4, .wire_align = 4, .wire_align64 = 4};
static const struct idl_type type_u64 = {
        .kind = IDL_INT, .name = "uint64", .size = 8, .align = 8, .wire_size = 8, .wire_align = 8, .wire_align64 = 8};
static const struct idl_type type_guid = {
        .kind = IDL_GUID, .name = "GUID", .size = 16, .align = 4, .wire_align = 4, .wire_align64 = 4};
static const struct idl_type type_char = {.kind = IDL_INT,
                                          .name = "char",
                                          .size = 1,
                                          .align = 1,
                                          .wire_size = 1,
                                          .wire_align = 1,
                                          .wire_align64 = 1,
                                          .is_char = true};
static const struct idl_type type_wchar = {.kind = IDL_INT,
                                           .name = "wchar_t",
                                           .size = 2,
                                           .align = 2,
                                           .wire_size = 2,
                                           .wire_align = 2,
                                           .wire_align64 = 2,
                                           .is_char = true};
static const struct idl_type type_str8z = {.kind = IDL_ARRAY,
                                           .name = "str8z",
                                           .size = sizeof(void *),
                                           .align = sizeof(void *),
                                           .array = IDL_ARRAY_STRING,
                                           .element = &type_char};
static const struct idl_type type_str16z = {.kind = IDL_ARRAY,
                                            .name = "str16z",
                                            .size = sizeof(void *),
                                            .align = sizeof(void *),
                                            .array = IDL_ARRAY_STRING,
                                            .element = &type_wchar};
static const struct idl_type type_bytes = {.kind = IDL_ARRAY,
                                           .name = "bytes",
                                           .size = sizeof(void *),
                                           .align = sizeof(void *),
                                           .array = IDL_ARRAY_CONFORMANT,
                                           .element = &type_u8};

int ndr_value(struct ndr *n, const char *name, const struct idl_type *type, void *v)
{
	struct ndr_scope s = {.name = name};
	if (!ndr_state(n))
		return MW_E_NOMEM;
	int rc = n->op == NDR_DECODE ? ndr_decode_value(n, &s, type, v) : ndr_encode_value(n, &s, type, v);
	return ndr_fail(n, name, rc);
}

int ndr_u8(struct ndr *n, const char *name, uint8_t *v)
{
	return ndr_value(n, name, &type_u8, v);
}

int ndr_u16(struct ndr *n, const char *name, uint16_t *v)
{
	return ndr_value(n, name, &type_u16, v);
}

int ndr_u32(struct ndr *n, const char *name, uint32_t *v)
{
	return ndr_value(n, name, &type_u32, v);
}

int ndr_u64(struct ndr *n, const char *name, uint64_t *v)
{
	return ndr_value(n, name, &type_u64, v);
}

int ndr_guid(struct ndr *n, const char *name, struct guid *v)
{
	return ndr_value(n, name, &type_guid, v);
}

int ndr_str8z(struct ndr *n, const char *name, char **v)
{
	return ndr_value(n, name, &type_str8z, v);
}

int ndr_str16z(struct ndr *n, const char *name, uint16_t **v)
{
	return ndr_value(n, name, &type_str16z, v);
}

int ndr_bytes(struct ndr *n, const char *name, uint8_t **v, size_t size)
{
	if (n->op == NDR_ENCODE) {
		if (size && !*v)
			return ndr_fail(n, name, MW_E_INVALID);
		return size ? buf_put(n->out, *v, size) : 0;
	}
	size_t offset = n->in.pos;
	if (size > cursor_left(&n->in))
		return ndr_fail(n, name, MW_E_TRUNCATED);
	uint8_t *copy = arena_copy(n->arena, cursor_here(&n->in), size);
	if (!copy)
		return ndr_fail(n, name, MW_E_NOMEM);
	n->in.pos += size;
	*v = copy;
	ndr_trace_leaf(n, &(struct ndr_scope){.name = name}, &type_bytes, offset, copy, NULL);
	return 0;
}

int ndr_array(struct ndr *n, void **v, size_t count, size_t size, size_t min_wire)
{
	if (n->op == NDR_ENCODE)
		return count && !*v ? MW_E_INVALID : 0;
	if (count > NDR_MAX_ELEMENTS)
		return MW_E_LIMIT;
	if (count > cursor_left(&n->in) / (min_wire ? min_wire : 1))
		return MW_E_TRUNCATED;
	void *items = arena_array(n->arena, count, size ? size : 1);
	if (!items)
		return MW_E_NOMEM;
	*v = items;
	return 0;
}

int ndr_bound_enter(struct ndr *n, size_t size, struct ndr_bound *b)
{
	*b = (struct ndr_bound){.outer = n->in, .start = ndr_pos(n)};
	if (n->op == NDR_ENCODE)
		return 0;
	if (size > cursor_left(&n->in))
		return MW_E_TRUNCATED;
	n->in.len = n->in.pos + size;
	return 0;
}

size_t ndr_bound_leave(struct ndr *n, struct ndr_bound *b)
{
	if (n->op == NDR_ENCODE)
		return ndr_pos(n) - b->start;
	size_t used = n->in.pos - b->start;
	n->in.pos = n->in.len;
	n->in.len = b->outer.len;
	return used;
}

void ndr_enter(struct ndr *n, const char *name)
{
	ndr_trace_enter(n, &(struct ndr_scope){.name = name}, NULL, NULL);
}

void ndr_leave(struct ndr *n)
{
	ndr_trace_leave(n);
}

void ndr_note(struct ndr *n, const char *name, size_t size, const char *text)
{
	if (!ndr_traces(n))
		return;
	size_t offset = n->in.pos - (size < n->in.pos ? size : n->in.pos);
	ndr_trace_leaf(n, &(struct ndr_scope){.name = name}, NULL, offset, n->in.data + offset, text);
}
