/*
 * NDR and packed bytes under the descriptions of tests/unit/ndr/messages.h. The first byte picks one, the
 * second how to look. What a strict receiver takes can be encoded, and yields itself when taken again.
 */
#include "fuzz.h"

#include "../tests/unit/ndr/messages.h"

#include "idl/parse.h"
#include "ndr/print.h"

#include <stdlib.h>

enum { LENIENT = 1, BIG_ENDIAN_BYTES = 2, TRACED = 4, WIDE = 8, ARENA_LIMIT = 1 << 26 };

#define HEAD "[uuid(12345678-1234-1234-1234-123456789abc), version(1.0), pointer_default(unique)] interface t {"

struct subject {
	const struct idl_method *method;
	const struct idl_type *type;
	size_t size;
	enum idl_direction direction;
};

static struct subject parse(struct arena *arena, const struct message *m)
{
	struct idl_error error;
	const struct idl_module *module;
	bool whole = strncmp(m->idl, "[uuid", 5) == 0;
	const char *text = arena_printf(arena, "%s%s%s", whole ? "" : HEAD, m->idl, whole ? "" : "}");
	must(idl_parse(arena, "t.idl", text, strlen(text), NULL, &module, &error) == 0);
	if (strncmp(m->item, "struct ", 7) == 0) {
		const struct idl_type *t = idl_find_type(module, m->item + 7);
		must(t != NULL);
		return (struct subject){.type = t, .size = t->size};
	}
	const struct idl_interface *i = module->interfaces[0];
	for (unsigned k = 0; k < i->method_count; k++)
		if (strcmp(i->methods[k].name, m->item) == 0)
			return (struct subject){.method = &i->methods[k],
			                        .size = i->methods[k].args->size,
			                        .direction = m->request ? IDL_RESPONSE : IDL_REQUEST};
	abort();
}

static const struct subject *subjects(void)
{
	static struct subject all[message_count];
	static struct arena *arena;
	if (!arena) {
		arena = arena_new(0);
		for (size_t i = 0; i < message_count; i++)
			all[i] = parse(arena, &messages[i]);
	}
	return all;
}

static int decode(struct ndr *n, const struct subject *s, void *value)
{
	return s->method ? ndr_decode_args(n, s->method, s->direction, value) : ndr_decode(n, s->type, value);
}

static int encode(struct ndr *n, const struct subject *s, const void *value)
{
	return s->method ? ndr_encode_args(n, s->method, s->direction, value) : ndr_encode(n, s->type, value);
}

static void check_again(struct arena *arena, const struct subject *s, enum ndr_syntax syntax, const void *value)
{
	struct buf first MW_CLEANUP(buf_free) = {0};
	struct buf second MW_CLEANUP(buf_free) = {0};
	struct ndr n = ndr_encoder(syntax, arena, &first);
	int rc = encode(&n, s, value);
	if (rc == MW_E_NOMEM)
		return;
	must(rc == 0);
	void *again = arena_alloc(arena, s->size);
	if (!again)
		return;
	memcpy(again, value, s->size); /* a response is judged by what the request said */
	n = ndr_decoder(syntax, arena, cursor_of(first.data, first.len));
	rc = decode(&n, s, again);
	if (rc == MW_E_NOMEM)
		return;
	must(rc == 0 && cursor_left(&n.in) == 0);
	n = ndr_encoder(syntax, arena, &second);
	rc = encode(&n, s, again);
	must(rc == MW_E_NOMEM ||
	     (rc == 0 && first.len == second.len && (!first.len || memcmp(first.data, second.data, first.len) == 0)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const struct subject *s = &subjects()[data[0] % message_count];
	enum ndr_syntax syntax = messages[data[0] % message_count].syntax;
	unsigned how = data[1];
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(ARENA_LIMIT);
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct ndr_printer printer = {.arena = arena, .out = &out};
	struct ndr_tracer tracer = ndr_print_to(&printer);
	struct cursor c = cursor_of(data + 2, size - 2);
	c.big_endian = how & BIG_ENDIAN_BYTES;
	if (syntax != NDR_PACKED && how & WIDE)
		syntax = NDR_64;
	struct ndr n = ndr_decoder(syntax, arena, c);
	n.lenient = how & LENIENT;
	n.tracer = how & TRACED ? &tracer : NULL;
	void *value = arena_alloc(arena, s->size);
	int rc = decode(&n, s, value);
	must(rc <= 0 && n.in.pos <= n.in.len && n.depth == 0 && (rc == 0 || n.where || rc == MW_E_NOMEM));
	if (rc == 0 && !n.lenient)
		check_again(arena, s, syntax, value);
	return 0;
}
