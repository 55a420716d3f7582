#ifndef TEST_NDR_HARNESS_H
#define TEST_NDR_HARNESS_H

/* Shared by the tests of ndr: IDL texts, hex, and both directions of one item. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "idl/parse.h"
#include "ndr/ndr.h"
#include "ndr/print.h"

/* A method or a type of a small IDL text. */
struct item {
	const struct idl_method *method; /* or */
	const struct idl_type *type;
	size_t size;
};

static inline struct buf unhex(const char *hex)
{
	struct buf b = {0};
	for (; *hex; hex++) {
		unsigned byte;
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		assert_int_equal(buf_put_u8(&b, (uint8_t)byte), 0);
		hex++;
	}
	return b;
}

#define HEAD "[uuid(12345678-1234-1234-1234-123456789abc), version(1.0), pointer_default(unique)] interface t {\n"

/* idl is an interface or stands inside one; name is a method, or "struct NAME". */
static inline struct item parse_item(struct arena *arena, const char *idl, const char *name)
{
	const struct idl_module *m;
	struct idl_error error = {0};
	bool whole = strncmp(idl, "[uuid", 5) == 0;
	const char *text = arena_printf(arena, "%s%s%s", whole ? "" : HEAD, idl, whole ? "" : "\n}");
	int rc = idl_parse(arena, "test.idl", text, strlen(text), NULL, &m, &error);
	if (rc < 0)
		fail_msg("line %u: %s", error.line, error.message);
	if (strncmp(name, "struct ", 7) == 0) {
		const struct idl_type *t = idl_find_type(m, name + 7);
		assert_non_null(t);
		return (struct item){.type = t, .size = t->size};
	}
	for (unsigned i = 0; i < m->interfaces[0]->method_count; i++) {
		const struct idl_method *method = &m->interfaces[0]->methods[i];
		if (strcmp(method->name, name) == 0)
			return (struct item){.method = method, .size = method->args->size};
	}
	fail_msg("no %s", name);
	return (struct item){0};
}

static inline int decode_item(struct ndr *n, const struct item *item, enum idl_direction d, void *value)
{
	return item->method ? ndr_decode_args(n, item->method, d, value) : ndr_decode(n, item->type, value);
}

static inline int encode_item(struct ndr *n, const struct item *item, enum idl_direction d, const void *value)
{
	return item->method ? ndr_encode_args(n, item->method, d, value) : ndr_encode(n, item->type, value);
}

/* The field at index of a value, as an integer or a pointer. */
static inline const struct idl_field *item_field(const struct item *item, const char *name)
{
	const struct idl_type *t = item->method ? item->method->args : item->type;
	for (unsigned i = 0; i < t->field_count; i++)
		if (strcmp(t->fields[i].name, name) == 0)
			return &t->fields[i];
	fail_msg("no field %s", name);
	return NULL;
}

#endif
