/* One RTS PDU: what a strict reader takes is written and read the same; a lenient one reads it too and prints it. */
#include "fuzz.h"

#include "http/rts.h"

static void count_leaf(void *user, const struct ndr_field *field)
{
	size_t *leaves = user;
	*leaves += field->what == NDR_FIELD_LEAF;
}

static void check_back(struct arena *arena, const struct rts *rts)
{
	struct buf MW_CLEANUP(buf_free) once = {0}, twice = {0};
	struct rts again;
	must(rts_encode(arena, rts, &once) == 0);
	must(rts_decode(arena, once.data, once.len, NULL, &again, NULL) == 0 && again.kind == rts->kind);
	must(rts_encode(arena, &again, &twice) == 0);
	must(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(16 << 20);
	size_t leaves = 0;
	struct ndr_tracer tracer = {.field = count_leaf, .user = &leaves};
	struct rts strict, lenient;
	if (!arena)
		return 0;
	if (rts_decode(arena, data, size, NULL, &strict, NULL) == 0) {
		must(rts_decode(arena, data, size, &tracer, &lenient, NULL) == 0 && lenient.kind == strict.kind);
		must(leaves >= 10);
		if (strict.kind != RTS_OTHER)
			check_back(arena, &strict);
	} else if (rts_decode(arena, data, size, &tracer, &lenient, NULL) == 0 && lenient.kind != RTS_OTHER) {
		/* A value outside its range: known by its shape, refused in earnest. */
		must(lenient.window < 0x2000 || lenient.window > 0x40000);
	}
	return 0;
}
