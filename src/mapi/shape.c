#include "mapi/shape.h"

#include "mapi/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char shape_itself[] = "value";

const struct mapi_shape_context *shape_context(const struct ndr *n)
{
	static const struct mapi_shape_context nothing;
	return n->context ? n->context : &nothing;
}

int shape_layout(void *value, size_t size, size_t align)
{
	*(struct idl_shape_layout *)value = (struct idl_shape_layout){.size = (uint32_t)size, .align = (uint32_t)align};
	return 0;
}

int shape_fail(struct ndr *n, const char *name, int rc)
{
	if (!n->where) {
		n->where = name;
		n->where_offset = shape_decodes(n) ? n->in.pos : n->out->len;
	}
	return rc;
}

int shape_raw(struct ndr *n, const char *name, void *v, size_t size)
{
	int r = shape_decodes(n) ? cursor_copy(&n->in, v, size) : buf_put(n->out, v, size);
	return r < 0 ? shape_fail(n, name, r) : 0;
}

void shape_note(struct ndr *n, const char *name, size_t size, const char *format, ...)
{
	char text[256];
	va_list args;
	if (!shape_traces(n))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized): started above */
	va_end(args);
	char *kept = arena_strdup(n->arena, text);
	if (kept)
		ndr_note(n, name, size, kept);
}

const char *shape_index(struct ndr *n, size_t i)
{
	char *s = shape_traces(n) ? arena_printf(n->arena, "[%zu]", i) : NULL;
	return s ? s : "[]";
}

const char *shape_label(struct ndr *n, uint32_t tag)
{
	if (!shape_traces(n))
		return "value";
	const struct mapi_shape_context *c = shape_context(n);
	const char *name = mapi_tag_name(tag);
	if (!name && c->session && mapi_tag_is_named(tag))
		name = mapi_session_property_name(c->session, mapi_tag_id(tag));
	/* The session may forget it before the trace is read. */
	name = name ? arena_strdup(n->arena, name) : NULL;
	if (!name)
		name = arena_printf(n->arena, "0x%08X", tag);
	return name ? name : "value";
}

int shape_str8(struct ndr *n, const char *name, char **s)
{
	char *empty = (char[1]){0};
	return ndr_str8z(n, name, shape_decodes(n) || *s ? s : &empty);
}

int shape_str16(struct ndr *n, const char *name, uint16_t **s)
{
	uint16_t *empty = (uint16_t[1]){0};
	return ndr_str16z(n, name, shape_decodes(n) || *s ? s : &empty);
}

int shape_string(struct ndr *n, const char *name, bool unicode, struct mapi_string *s)
{
	return unicode ? shape_str16(n, name, &s->str16) : shape_str8(n, name, &s->str8);
}

int shape_count(struct ndr *n, const char *name, unsigned width, uint32_t *count)
{
	uint32_t v = *count;
	if (!shape_decodes(n) && width < 4 && v >> (8 * width))
		return shape_fail(n, name, MW_E_LIMIT);
	if (shape_decodes(n))
		v = 0;
	int r = shape_raw(n, name, &v, width);
	if (r < 0)
		return r;
	shape_note(n, name, width, "%u", v);
	*count = v;
	return 0;
}

int shape_sized(struct ndr *n, const char *name, unsigned width, struct mapi_binary *b)
{
	uint32_t size = b->size;
	if (!shape_decodes(n) && width < 4 && size >> (8 * width))
		return shape_fail(n, name, MW_E_LIMIT);
	if (shape_decodes(n))
		size = 0;
	int r = shape_raw(n, name, &size, width);
	if (r < 0 || (r = ndr_bytes(n, name, &b->data, size)) < 0)
		return r;
	b->size = size;
	return 0;
}

int shape_tag(struct ndr *n, const char *name, uint32_t *tag)
{
	int r = shape_raw(n, name, tag, sizeof *tag);
	if (r < 0 || !shape_traces(n))
		return r;
	const char *known = mapi_tag_name(*tag);
	shape_note(n, name, sizeof *tag, known ? "%s (0x%08X)" : "%s0x%08X", known ? known : "", *tag);
	return 0;
}

/* The counter of six bytes is big-endian, [MS-OXCDATA] 2.2.1.1. */
int shape_object_id(struct ndr *n, const char *name, uint64_t *id)
{
	int r = shape_raw(n, name, id, sizeof *id);
	if (r < 0 || !shape_traces(n))
		return r;
	uint64_t counter = __builtin_bswap64(*id) & UINT64_C(0xFFFFFFFFFFFF);
	const struct mapi_shape_context *c = shape_context(n);
	const char *folder = c->session ? mapi_session_folder_name(c->session, *id) : NULL;
	shape_note(n, name, sizeof *id, folder ? "%04X-%012" PRIX64 " (%s)" : "%04X-%012" PRIX64,
	           (unsigned)(*id & 0xFFFF), counter, folder);
	return 0;
}

int shape_tags(struct ndr *n, const char *name, uint16_t count, uint32_t **tags)
{
	int r = ndr_array(n, (void **)tags, count, sizeof **tags, sizeof **tags);
	ndr_enter(n, name);
	for (uint16_t i = 0; r >= 0 && i < count; i++)
		r = shape_tag(n, shape_index(n, i), &(*tags)[i]);
	ndr_leave(n);
	return r;
}

int shape_rest(struct ndr *n, const char *name, struct mapi_binary *b)
{
	size_t size = shape_decodes(n) ? cursor_left(&n->in) : b->size;
	if (size > UINT32_MAX)
		return shape_fail(n, name, MW_E_LIMIT);
	int r = ndr_bytes(n, name, &b->data, size);
	if (r < 0)
		return r;
	b->size = (uint32_t)size;
	return 0;
}

int mapi_shape_object_id(struct ndr *n, void *value)
{
	return n ? shape_object_id(n, shape_itself, value) : SHAPE_LAYOUT(value, uint64_t);
}

int mapi_shape_tag(struct ndr *n, void *value)
{
	return n ? shape_tag(n, shape_itself, value) : SHAPE_LAYOUT(value, uint32_t);
}

int mapi_shape_rest(struct ndr *n, void *value)
{
	return n ? shape_rest(n, shape_itself, value) : SHAPE_LAYOUT(value, struct mapi_binary);
}

/* [MS-OXCROPS] 2.2.6.11.1: on a logon that is not private. */
int mapi_shape_public_client_data(struct ndr *n, void *value)
{
	struct mapi_binary *b = value;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_binary);
	if (!shape_context(n)->public_logon)
		return 0;
	if (!shape_decodes(n) && b->size != 24)
		return shape_fail(n, "ClientData", MW_E_INVALID);
	int r = ndr_bytes(n, shape_itself, &b->data, 24);
	if (r >= 0)
		b->size = 24;
	return r;
}

/* [MS-OXCROPS] 2.2.3.13.1: on a private logon. */
int mapi_shape_private_guid(struct ndr *n, void *value)
{
	struct mapi_optional_guid *g = value;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_optional_guid);
	if (shape_context(n)->public_logon)
		return 0;
	int r = ndr_guid(n, shape_itself, &g->guid);
	if (r >= 0 && shape_decodes(n))
		g->present = true;
	return r;
}

int mapi_shape_typed_string(struct ndr *n, void *value)
{
	struct mapi_typed_string *s = value;
	uint8_t type;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_typed_string);
	type = shape_decodes(n) ? 0 : (uint8_t)s->type;
	if ((r = shape_raw(n, "StringType", &type, 1)) < 0)
		return r;
	s->type = type;
	switch (s->type) {
	case MAPI_STRING_NONE:
	case MAPI_STRING_EMPTY:
		shape_note(n, shape_itself, 1, type == MAPI_STRING_NONE ? "absent" : "empty");
		return 0;
	case MAPI_STRING_8:
	case MAPI_STRING_REDUCED:
		return shape_str8(n, shape_itself, &s->str8);
	case MAPI_STRING_UNICODE:
		return shape_str16(n, shape_itself, &s->str16);
	}
	return shape_fail(n, "StringType", MW_E_MALFORMED);
}

/* NameSize, and the name inside it. */
static int name_string(struct ndr *n, struct mapi_property_name *p)
{
	struct ndr_bound bound;
	size_t at = shape_decodes(n) ? 0 : n->out->len;
	uint8_t size = 0;
	int r = shape_raw(n, "NameSize", &size, 1);
	if (r < 0)
		return r;
	shape_note(n, "NameSize", 1, "%u", size);
	if ((r = ndr_bound_enter(n, size, &bound)) < 0)
		return r;
	r = shape_str16(n, "Name", &p->name);
	size_t written = ndr_bound_leave(n, &bound);
	if (r < 0 || shape_decodes(n))
		return r;
	if (written > UINT8_MAX)
		return shape_fail(n, "Name", MW_E_LIMIT);
	n->out->data[at] = (uint8_t)written;
	return 0;
}

int mapi_shape_property_name(struct ndr *n, void *value)
{
	struct mapi_property_name *p = value;
	uint8_t kind;
	int r;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_property_name);
	kind = shape_decodes(n) ? 0 : (uint8_t)p->kind;
	if ((r = ndr_u8(n, "Kind", &kind)) < 0 || (r = ndr_guid(n, "GUID", &p->guid)) < 0)
		return r;
	p->kind = kind;
	switch (p->kind) {
	case MAPI_NAME_LID:
		return ndr_u32(n, "LID", &p->lid);
	case MAPI_NAME_STRING:
		return name_string(n, p);
	case MAPI_NAME_NONE:
		return 0;
	}
	return shape_fail(n, "Kind", MW_E_MALFORMED);
}

/* [MS-OXCROPS] 2.2.13.3.1.1: elements up to the end of the bound. */
static int read_state(struct ndr *n, struct mapi_read_state *s)
{
	int r = shape_sized(n, "MessageId", 2, &s->message_id);
	return r < 0 ? r : ndr_u8(n, "MarkAsRead", &s->mark_as_read);
}

/* How many elements the bytes hold, by their sizes alone. */
static uint32_t count_read_states(struct cursor in)
{
	uint32_t count = 0;
	uint16_t size;
	while (cursor_left(&in) && cursor_u16(&in, &size) >= 0 && cursor_skip(&in, size) >= 0 &&
	       cursor_skip(&in, 1) >= 0)
		count++;
	return cursor_left(&in) ? count + 1 : count;
}

int mapi_shape_read_states(struct ndr *n, void *value)
{
	struct mapi_read_states *s = value;
	if (!n)
		return SHAPE_LAYOUT(value, struct mapi_read_states);
	uint32_t count = shape_decodes(n) ? count_read_states(n->in) : s->count;
	int r = ndr_array(n, (void **)&s->states, count, sizeof *s->states, 1);
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		ndr_enter(n, shape_index(n, i));
		r = read_state(n, &s->states[i]);
		ndr_leave(n);
	}
	if (r >= 0)
		s->count = count;
	return r;
}
