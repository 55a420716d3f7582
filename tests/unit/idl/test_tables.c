/* What the build made of wire/ (and of sample.idl) and what idl_parse() makes of the same text are the same tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "idl/parse.h"
#include "sample.h"
#include "wire/asyncemsmdb.h"
#include "wire/aux.h"
#include "wire/dcetypes.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/mapi.h"
#include "wire/mgmt.h"
#include "wire/nspi.h"
#include "wire/rfr.h"
#include "wire/rops.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct idl_module *const modules[] = {
        &wire_dcetypes_module, &wire_epm_module,    &wire_mgmt_module,        &wire_rfr_module,
        &wire_nspi_module,     &wire_emsmdb_module, &wire_asyncemsmdb_module, &wire_mapi_module,
        &wire_rops_module,     &wire_aux_module,    &wire_sample_module,
};

static char *read_idl(struct arena *arena, const char *folder, const char *name, size_t *len)
{
	const char *root = getenv("SOURCE_ROOT");
	FILE *f = fopen(arena_printf(arena, "%s/%s/%s", root ? root : ".", folder, name), "rb");
	char *text = arena_alloc(arena, 1 << 20);

	if (!f)
		return NULL;
	*len = fread(text, 1, 1 << 20, f);
	fclose(f);
	return text;
}

static const char *import(void *user, struct arena *arena, const char *name, size_t *len)
{
	(void)user;
	return read_idl(arena, "wire", name, len);
}

/* The functions by name, out of the tables that the linker filled. */
static idl_shape_fn shape(void *user, const char *name)
{
	(void)user;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		for (unsigned k = 0; k < modules[i]->type_count; k++) {
			const struct idl_type *t = modules[i]->types[k];
			if (t->kind == IDL_SHAPED && strcmp(t->shape_name, name) == 0)
				return t->shape;
		}
	return NULL;
}

static void same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(!a && !b);
}

static void same_expr(const struct idl_expr *a, const struct idl_expr *b)
{
	assert_int_equal(a->count, b->count);
	for (unsigned i = 0; i < a->count; i++) {
		assert_int_equal(a->ops[i].code, b->ops[i].code);
		assert_int_equal(a->ops[i].value, b->ops[i].value);
	}
}

/* Pairs that were compared or are being compared: types refer to each other in circles. */
struct seen {
	const struct idl_type *pairs[4096][2];
	size_t n;
};

static void same_type(struct seen *s, const struct idl_type *a, const struct idl_type *b);

static void same_field(struct seen *s, const struct idl_field *a, const struct idl_field *b)
{
	assert_string_equal(a->name, b->name);
	same_type(s, a->type, b->type);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->min, b->min);
	assert_int_equal(a->max, b->max);
	assert_int_equal(a->case_count, b->case_count);
	if (a->case_count)
		assert_memory_equal(a->cases, b->cases, a->case_count * sizeof *a->cases);
	same_expr(&a->switch_is, &b->switch_is);
	same_expr(&a->present_if, &b->present_if);
	same_expr(&a->bound_is, &b->bound_is);
	same_expr(&a->ends_if, &b->ends_if);
}

static void same_numbers(const struct idl_type *a, const struct idl_type *b)
{
	same_text(a->name, b->name);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->align, b->align);
	assert_int_equal(a->wire_size, b->wire_size);
	assert_int_equal(a->is_signed, b->is_signed);
	assert_int_equal(a->is_char, b->is_char);
	assert_int_equal(a->is_hex, b->is_hex);
	assert_int_equal(a->value_count, b->value_count);
	assert_int_equal(a->field_count, b->field_count);
	assert_int_equal(a->packed, b->packed);
	assert_int_equal(a->ms_union, b->ms_union);
	assert_int_equal(a->v1_aligned, b->v1_aligned);
	assert_int_equal(a->wire_align, b->wire_align);
	assert_int_equal(a->wire_align64, b->wire_align64);
	assert_int_equal(a->pointer, b->pointer);
	assert_int_equal(a->fixed_count, b->fixed_count);
	assert_int_equal(a->array, b->array);
	assert_int_equal(a->message, b->message);
	assert_int_equal(a->message_id, b->message_id);
}

static void same_type(struct seen *s, const struct idl_type *a, const struct idl_type *b)
{
	if (!a || !b) {
		assert_true(!a && !b);
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->pairs[i][0] == a && s->pairs[i][1] == b)
			return;
	assert_true(s->n < 4096);
	s->pairs[s->n][0] = a;
	s->pairs[s->n++][1] = b;
	same_numbers(a, b);
	for (unsigned i = 0; i < a->value_count; i++) {
		assert_string_equal(a->values[i].name, b->values[i].name);
		assert_int_equal(a->values[i].value, b->values[i].value);
	}
	for (unsigned i = 0; i < a->field_count; i++)
		same_field(s, &a->fields[i], &b->fields[i]);
	assert_true(a->shape == b->shape);
	same_text(a->shape_name, b->shape_name);
	same_type(s, a->element, b->element);
	same_type(s, a->switch_type, b->switch_type);
	same_expr(&a->size_is, &b->size_is);
	same_expr(&a->length_is, &b->length_is);
}

static void same_interface(struct seen *s, const struct idl_interface *a, const struct idl_interface *b)
{
	assert_string_equal(a->name, b->name);
	same_text(a->alias, b->alias);
	assert_true(guid_equal(&a->uuid, &b->uuid));
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->method_count, b->method_count);
	for (unsigned i = 0; i < a->method_count; i++) {
		assert_string_equal(a->methods[i].name, b->methods[i].name);
		assert_int_equal(a->methods[i].opnum, i);
		assert_int_equal(b->methods[i].opnum, i);
		assert_int_equal(a->methods[i].not_used, b->methods[i].not_used);
		same_type(s, a->methods[i].args, b->methods[i].args);
	}
}

static void same_messages(const struct idl_type *const *a, const struct idl_type *const *b)
{
	assert_int_equal(!a, !b);
	for (unsigned i = 0; a && i < 256; i++)
		same_text(a[i] ? a[i]->name : NULL, b[i] ? b[i]->name : NULL);
}

static void test_same(void **state)
{
	const struct idl_loader loader = {.import = import, .shape = shape};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		const struct idl_module *built = modules[i], *parsed;
		struct idl_error error;
		size_t len;
		const char *name = arena_printf(arena, "%s.idl", built->name),
		           *text = read_idl(arena, "wire", name, &len);
		struct seen *seen = arena_new_of(arena, struct seen);

		if (!text)
			text = read_idl(arena, "tests/unit/idl", name, &len);
		assert_non_null(text);
		if (idl_parse(arena, name, text, len, &loader, &parsed, &error) < 0)
			fail_msg("%s", error.message);
		assert_string_equal(built->name, parsed->name);
		assert_int_equal(built->interface_count, parsed->interface_count);
		for (unsigned k = 0; k < built->interface_count; k++)
			same_interface(seen, built->interfaces[k], parsed->interfaces[k]);
		assert_int_equal(built->type_count, parsed->type_count);
		for (unsigned k = 0; k < built->type_count; k++)
			same_type(seen, built->types[k], parsed->types[k]);
		same_messages(built->requests, parsed->requests);
		same_messages(built->responses, parsed->responses);
	}
}

static void test_header(void **state)
{
	(void)state;
	assert_int_equal(SAMPLE_COUNT, 3);
	assert_int_equal(SAMPLE_NEGATIVE, -2);
	assert_int_equal(SAMPLE_LARGE, 0x123456789);
	assert_string_equal(SAMPLE_TEXT, "text");
	assert_int_equal(SAMPLE_C, 0x80000001U);
	assert_int_equal(SAMPLE_E, 0);
	assert_int_equal(wire_sample_interface.methods[2].args->size, sizeof(struct sample_put_args));
	assert_ptr_equal(idl_find_type(&wire_sample_module, "sample_request"), wire_sample_module.requests[0x10]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_header)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
