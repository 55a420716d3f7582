/*
 * The stubs of every interface that we serve or speak. The first byte picks the interface, the second the method, the
 * third the direction and how to look; the rest is the stub. What a strict receiver takes can be encoded, and
 * what was encoded is taken again.
 */
#include "fuzz.h"

#include "ndr/ndr.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/mgmt.h"
#include "wire/nspi.h"
#include "wire/rfr.h"

#include <stdlib.h>

enum { RESPONSE = 1, LENIENT = 2, BIG_ENDIAN_BYTES = 4, TRACED = 8, WIDE = 16, ARENA_LIMIT = 1 << 26 };

static const struct idl_interface *const interfaces[] = {
        &wire_epm_interface,  &wire_mgmt_interface,   &wire_rfr_interface,
        &wire_nspi_interface, &wire_emsmdb_interface, &wire_asyncemsmdb_interface,
};

static void count(void *user, const struct ndr_field *field)
{
	(void)field;
	++*(size_t *)user;
}

static void again(struct arena *arena, enum ndr_syntax syntax, const struct idl_method *m, enum idl_direction d,
                  const void *args)
{
	struct buf out MW_CLEANUP(buf_free) = {.max = ARENA_LIMIT};
	struct ndr n = ndr_encoder(syntax, arena, &out);
	if (ndr_encode_args(&n, m, d, args) < 0)
		return; /* a string8 or count that cannot be said again is the encoder's to refuse */
	void *copy = arena_alloc(arena, m->args->size);
	if (!copy)
		return;
	n = ndr_decoder(syntax, arena, cursor_of(out.data, out.len));
	int r = ndr_decode_args(&n, m, d, copy);
	if (r < 0 && r != MW_E_NOMEM && d == IDL_REQUEST)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	const struct idl_interface *iface = interfaces[data[0] % ARRAY_SIZE(interfaces)];
	const struct idl_method *m = &iface->methods[data[1] % iface->method_count];
	if (m->not_used)
		return 0;
	uint8_t how = data[2];
	enum idl_direction d = how & RESPONSE ? IDL_RESPONSE : IDL_REQUEST;
	enum ndr_syntax syntax = how & WIDE ? NDR_64 : NDR_20;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(ARENA_LIMIT);
	void *args = arena ? arena_alloc(arena, m->args->size) : NULL;
	if (!args)
		return 0;
	struct cursor in = cursor_of(data + 3, size - 3);
	in.big_endian = how & BIG_ENDIAN_BYTES;
	size_t fields = 0;
	struct ndr_tracer tracer = {.field = count, .user = &fields};
	struct ndr n = ndr_decoder(syntax, arena, in);
	n.lenient = how & LENIENT;
	n.tracer = how & TRACED ? &tracer : NULL;
	if (ndr_decode_args(&n, m, d, args) == 0 && !n.lenient)
		again(arena, syntax, m, d, args);
	return 0;
}
