#include "ndr/print.h"
#include "base/text.h"
#include "base/utf16.h"
#include "ndr/engine.h"

#include <inttypes.h>

/* Bytes of a blob and of a string that are shown. */
#define BLOB_SHOWN 32
#define STRING_SHOWN 4096

static const char *int_text(struct arena *arena, const struct idl_type *t, const struct ndr_field *f)
{
	int64_t x = ndr_load_int(t, f->value);
	if (t->is_hex)
		return arena_printf(arena, "0x%0*" PRIx64, 2 * (int)t->size,
		                    t->size < 8 ? (uint64_t)x & ((UINT64_C(1) << 8 * t->size) - 1) : (uint64_t)x);
	if (t->is_char && x >= 0x20 && x < 0x7f)
		return arena_printf(arena, "'%c'", (char)x);
	if (t->is_signed)
		return arena_printf(arena, "%" PRId64, x);
	return arena_printf(arena, "%" PRIu64, (uint64_t)x);
}

static const char *enum_text(struct arena *arena, const struct idl_type *t, const void *value)
{
	int64_t x = ndr_load_int(t, value);
	for (unsigned i = 0; i < t->value_count; i++)
		if (t->values[i].value == x)
			return arena_printf(arena, "%s (%" PRId64 ")", t->values[i].name, x);
	return arena_printf(arena, "%" PRId64, x);
}

static const char *float_text(struct arena *arena, const struct idl_type *t, const void *value)
{
	float f;
	double d;
	if (t->size == sizeof f) {
		memcpy(&f, value, sizeof f);
		d = (double)f;
	} else {
		memcpy(&d, value, sizeof d);
	}
	return arena_printf(arena, "%.9g", d);
}

static const char *guid_text(struct arena *arena, const void *value)
{
	char text[GUID_TEXT_SIZE];
	struct guid g;
	memcpy(&g, value, sizeof g);
	guid_format(&g, text);
	return arena_strdup(arena, text);
}

static const char *handle_text(struct arena *arena, const struct idl_context_handle *h)
{
	const char *uuid = guid_text(arena, &h->uuid);
	if (!uuid || h->attributes == 0)
		return uuid;
	return arena_printf(arena, "%s attributes 0x%08" PRIx32, uuid, h->attributes);
}

static const char *quoted(struct arena *arena, const char *text, size_t shown, size_t size)
{
	if (!text)
		return NULL;
	if (shown == size)
		return arena_printf(arena, "\"%s\"", text);
	return arena_printf(arena, "\"%s…\" (%zu bytes)", text, size);
}

/* Text ends at its first NUL. */
static const char *string_text(struct arena *arena, const struct idl_type *element, const struct ndr_field *f)
{
	size_t shown = f->size < STRING_SHOWN ? f->size : STRING_SHOWN;
	if (element->size == 2)
		return quoted(arena, utf16_to_utf8(arena, f->value, shown / 2), shown, f->size);
	return quoted(arena, arena_strndup(arena, f->value, strnlen(f->value, shown)), shown, f->size);
}

static const char *bytes_text(struct arena *arena, const struct ndr_field *f)
{
	struct buf b MW_CLEANUP(buf_free) = {0};
	if (f->size == 0)
		return arena_strdup(arena, "(empty)");
	if (text_put_hex(&b, f->value, f->size, BLOB_SHOWN) < 0)
		return NULL;
	return arena_strndup(arena, (const char *)b.data, b.len);
}

static const char *status_text(struct arena *arena, const struct ndr_field *f, const struct ndr_names *names)
{
	uint32_t code = (uint32_t)ndr_load_int(f->type, f->value);
	const char *name = names && names->status ? names->status(names->user, code) : NULL;
	return name ? arena_printf(arena, "%s (0x%08" PRIx32 ")", name, code)
	            : arena_printf(arena, "0x%08" PRIx32, code);
}

static const char *leaf_text(struct arena *arena, const struct ndr_field *f, const struct ndr_names *names)
{
	const struct idl_type *t = f->type;
	switch (t->kind) {
	case IDL_INT:
		if (f->field && f->field->flags & IDL_FIELD_STATUS && t->size <= 4)
			return status_text(arena, f, names);
		return int_text(arena, t, f);
	case IDL_ENUM:
		return enum_text(arena, t, f->value);
	case IDL_FLOAT:
		return float_text(arena, t, f->value);
	case IDL_GUID:
		return guid_text(arena, f->value);
	case IDL_CONTEXT_HANDLE:
		return handle_text(arena, f->value);
	case IDL_ARRAY:
		return t->element->is_char ? string_text(arena, t->element, f) : bytes_text(arena, f);
	case IDL_OPAQUE:
		return bytes_text(arena, f);
	default:
		return "";
	}
}

const char *ndr_value_text_named(struct arena *arena, const struct ndr_field *f, const struct ndr_names *names)
{
	if (f->text)
		return f->text;
	if (f->what != NDR_FIELD_LEAF || !f->type)
		return "";
	return f->value ? leaf_text(arena, f, names) : "NULL";
}

const char *ndr_value_text(struct arena *arena, const struct ndr_field *f)
{
	return ndr_value_text_named(arena, f, NULL);
}

static void print_field(void *user, const struct ndr_field *f)
{
	struct ndr_printer *p = user;
	if (f->what == NDR_FIELD_LEAVE)
		return;
	const char *value = ndr_value_text_named(p->arena, f, p->names);
	buf_printf(p->out, "%6zu %6zu  %*s", f->offset, f->size, 2 * (int)f->depth, "");
	text_put_terminal(p->out, f->name ? f->name : "");
	if (f->what == NDR_FIELD_LEAF) {
		buf_put_str(p->out, " = ");
		text_put_terminal(p->out, value ? value : "(out of memory)");
	}
	buf_put_str(p->out, "\n");
}

struct ndr_tracer ndr_print_to(struct ndr_printer *p)
{
	return (struct ndr_tracer){.field = print_field, .user = p};
}
