/* Extended buffers and the auxiliary blocks in them; and the same bytes as a payload that must come back. */
#include "fuzz.h"

#include "mapi/aux_buffer.h"
#include "mapi/ext_buffer.h"

#include <stdbool.h>
#include <string.h>

static void read_blocks(struct arena *arena, struct cursor payload)
{
	struct mapi_aux_block *blocks;
	unsigned count;
	if (mapi_aux_decode(arena, payload, NULL, &blocks, &count) < 0)
		return;
	for (unsigned i = 0; i < count; i++)
		for (uint16_t at = 0; at < 64; at++)
			mapi_aux_text(arena, &blocks[i], at);
}

static void there_and_back(struct arena *arena, const uint8_t *data, size_t size, unsigned flags)
{
	struct buf out = {0};
	struct mapi_ext_payload *p;
	unsigned count;
	must(mapi_ext_append(&out, data, size, flags | MAPI_EXT_LAST) == 0);
	must(mapi_ext_decode(arena, cursor_of(out.data, out.len), &p, &count) == 0);
	must(count == 1 && p->data.len == size && (size == 0 || memcmp(p->data.data, data, size) == 0));
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new(64 << 20);
	struct mapi_ext_payload *payloads;
	unsigned count;
	if (!arena)
		return 0;
	if (mapi_ext_decode(arena, cursor_of(data, size), &payloads, &count) == 0)
		for (unsigned i = 0; i < count; i++)
			read_blocks(arena, payloads[i].data);
	if (size <= UINT16_MAX)
		for (unsigned flags = 0; flags < 4; flags++)
			there_and_back(arena, data, size, flags);
	return 0;
}
