#include "mapi/aux_buffer.h"

#include "base/utf16.h"
#include "wire/aux.h"

#include <string.h>

static const struct {
	uint8_t version, type;
	const struct idl_type *layout;
} blocks_by_type[] = {
        {1, 0x01, &AUX_PERF_REQUESTID_type},
        {1, 0x02, &AUX_PERF_CLIENTINFO_type},
        {1, 0x03, &AUX_PERF_SERVERINFO_type},
        {1, 0x04, &AUX_PERF_SESSIONINFO_type},
        {1, 0x05, &AUX_PERF_DEFMDB_SUCCESS_type},
        {1, 0x06, &AUX_PERF_DEFGC_SUCCESS_type},
        {1, 0x07, &AUX_PERF_MDB_SUCCESS_type},
        {1, 0x08, &AUX_PERF_GC_SUCCESS_type},
        {1, 0x09, &AUX_PERF_FAILURE_type},
        {1, 0x0A, &AUX_CLIENT_CONTROL_type},
        {1, 0x0B, &AUX_PERF_PROCESSINFO_type},
        {1, 0x0C, &AUX_PERF_DEFMDB_SUCCESS_type},
        {1, 0x0D, &AUX_PERF_DEFGC_SUCCESS_type},
        {1, 0x0E, &AUX_PERF_MDB_SUCCESS_type},
        {1, 0x0F, &AUX_PERF_GC_SUCCESS_type},
        {1, 0x10, &AUX_PERF_FAILURE_type},
        {1, 0x11, &AUX_PERF_DEFMDB_SUCCESS_type},
        {1, 0x12, &AUX_PERF_DEFGC_SUCCESS_type},
        {1, 0x13, &AUX_PERF_MDB_SUCCESS_type},
        {1, 0x14, &AUX_PERF_GC_SUCCESS_type},
        {1, 0x15, &AUX_PERF_FAILURE_type},
        {1, 0x16, &AUX_OSVERSIONINFO_type},
        {1, 0x17, &AUX_EXORGINFO_type},
        {1, 0x18, &AUX_PERF_ACCOUNTINFO_type},
        {1, 0x46, &AUX_SERVER_CAPABILITIES_type},
        {1, 0x48, &AUX_ENDPOINT_CAPABILITIES_type},
        {1, 0x4A, &AUX_CLIENT_CONNECTION_INFO_type},
        {1, 0x4B, &AUX_SERVER_SESSION_INFO_type},
        {1, 0x4E, &AUX_PROTOCOL_DEVICE_IDENTIFICATION_type},
        {2, 0x04, &AUX_PERF_SESSIONINFO_V2_type},
        {2, 0x07, &AUX_PERF_MDB_SUCCESS_V2_type},
        {2, 0x08, &AUX_PERF_GC_SUCCESS_V2_type},
        {2, 0x09, &AUX_PERF_FAILURE_V2_type},
        {2, 0x0B, &AUX_PERF_PROCESSINFO_type},
        {2, 0x0E, &AUX_PERF_MDB_SUCCESS_V2_type},
        {2, 0x0F, &AUX_PERF_GC_SUCCESS_V2_type},
        {2, 0x10, &AUX_PERF_FAILURE_V2_type},
        {2, 0x13, &AUX_PERF_MDB_SUCCESS_V2_type},
        {2, 0x14, &AUX_PERF_GC_SUCCESS_V2_type},
        {2, 0x15, &AUX_PERF_FAILURE_V2_type},
};

static const struct idl_type *find_layout(uint8_t version, uint8_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(blocks_by_type); i++)
		if (blocks_by_type[i].version == version && blocks_by_type[i].type == type)
			return blocks_by_type[i].layout;
	return NULL;
}

const char *mapi_aux_name(uint8_t version, uint8_t type)
{
	const struct idl_type *layout = find_layout(version, type);
	return layout ? layout->name + strlen("AUX_") : NULL;
}

static int decode_value(struct arena *arena, struct cursor in, const struct ndr_tracer *tracer,
                        struct mapi_aux_block *b)
{
	struct ndr n = ndr_decoder(NDR_PACKED, arena, in);
	void *value = arena_alloc(arena, b->layout->size);
	if (!value)
		return MW_E_NOMEM;
	n.tracer = tracer;
	int r = ndr_decode(&n, b->layout, value);
	if (r == MW_E_NOMEM)
		return r;
	/* A block that is too short for its type is as good as unknown. */
	b->value = r < 0 ? NULL : value;
	return 0;
}

static int next_block(struct arena *arena, struct cursor *in, const struct ndr_tracer *tracer, struct mapi_aux_block *b)
{
	uint16_t size;
	struct cursor inside = *in;
	b->offset = in->pos;
	if (cursor_u16(&inside, &size) < 0 || cursor_u8(&inside, &b->version) < 0 || cursor_u8(&inside, &b->type) < 0 ||
	    size < 4 || cursor_child(in, size, &b->bytes) < 0)
		return MW_E_MALFORMED;
	b->layout = find_layout(b->version, b->type);
	inside.len = b->offset + size;
	return b->layout ? decode_value(arena, inside, tracer, b) : 0;
}

int mapi_aux_decode(struct arena *arena, struct cursor payload, const struct ndr_tracer *tracer,
                    struct mapi_aux_block **blocks, unsigned *count)
{
	unsigned n = 0;
	struct mapi_aux_block *found = arena_new_array(arena, struct mapi_aux_block, MAPI_AUX_MAX_BLOCKS);
	if (!found)
		return MW_E_NOMEM;
	payload.big_endian = false;
	while (cursor_left(&payload)) {
		if (n == MAPI_AUX_MAX_BLOCKS)
			return MW_E_LIMIT;
		int r = next_block(arena, &payload, tracer, &found[n]);
		if (r < 0)
			return r;
		n++;
	}
	*blocks = found;
	*count = n;
	return 0;
}

char *mapi_aux_text(struct arena *arena, const struct mapi_aux_block *block, uint16_t offset)
{
	struct cursor c = block->bytes;
	size_t n = 0;
	if (offset == 0 || cursor_skip(&c, offset) < 0)
		return NULL;
	const uint8_t *text = cursor_here(&c);
	while (2 * n + 1 < cursor_left(&c) && (text[2 * n] || text[2 * n + 1]))
		n++;
	return utf16le_to_utf8(arena, text, 2 * n);
}

int mapi_aux_append(struct arena *arena, struct buf *out, uint8_t version, uint8_t type, const void *value)
{
	const struct idl_type *layout = find_layout(version, type);
	size_t start = out->len;
	if (!layout)
		return MW_E_UNSUPPORTED;
	buf_put_u16(out, 0);
	buf_put_u8(out, version);
	int r = buf_put_u8(out, type);
	if (r < 0)
		return r;
	struct ndr n = ndr_encoder(NDR_PACKED, arena, out);
	r = ndr_encode(&n, layout, value);
	if (r < 0) {
		out->len = start;
		return r;
	}
	buf_poke_u16(out, start, (uint16_t)(out->len - start));
	return 0;
}
