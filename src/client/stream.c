#include "client/store.h"

#include <string.h>

/* Streams: [MS-OXCPRPT] 3.1.4. */

#define STREAM_READ_ONLY 0x00 /* OpenModeFlags, 2.2.14.1.1 */
#define STREAM_CREATE 0x02
#define CHUNK 0x7000u
#define MAX_STREAM ((size_t)32 << 20)

static int open_stream(struct mapiwire_store *s, uint32_t handle, uint32_t tag, uint8_t mode, uint32_t *stream,
                       uint32_t *size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, handle), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenStreamRequest q = {
	        .InputHandleIndex = in, .OutputHandleIndex = at, .PropertyTag = tag, .OpenModeFlags = mode};
	client_rops_add(&b, ROP_OPEN_STREAM, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_OPEN_STREAM, &answer);
	if (r != 0)
		return r;
	*stream = client_rops_made(&b, at);
	*size = ((const struct RopOpenStreamResponse *)answer)->StreamSize;
	return 0;
}

/* Appends the next bytes; *more is false at the end. */
static int read_chunk(struct mapiwire_store *s, uint32_t stream, struct buf *out, bool *more)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	const struct RopReadStreamRequest q = {.InputHandleIndex = client_rops_handle(&b, stream), .ByteCount = CHUNK};
	client_rops_add(&b, ROP_READ_STREAM, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_READ_STREAM, &answer);
	if (r != 0)
		return r;
	const struct RopReadStreamResponse *a = (const struct RopReadStreamResponse *)answer;
	*more = a->DataSize > 0;
	r = buf_put(out, a->Data, a->DataSize);
	return r < 0 ? client_fail_inside(s->m, r, "a stream") : 0;
}

/* What the bytes of a stream mean for a property of that type. Texts have no terminator there. */
static int value_of(struct arena *arena, uint32_t tag, struct buf *bytes, struct mapi_value *out)
{
	uint16_t type = mapi_tag_type(tag);
	if (buf_put_zero(bytes, 2) < 0)
		return MW_E_NOMEM;
	void *copy = arena_copy(arena, bytes->data, bytes->len);
	if (!copy)
		return MW_E_NOMEM;
	*out = (struct mapi_value){.tag = tag};
	if (type == PTYP_STRING)
		out->u.str16 = (uint16_t *)copy;
	else if (type == PTYP_STRING8)
		out->u.str8 = (char *)copy;
	else
		out->u.bin = (struct mapi_binary){(uint32_t)bytes->len - 2, (uint8_t *)copy};
	return 0;
}

int client_stream_read(struct mapiwire_store *s, uint32_t handle, uint32_t tag, struct arena *arena,
                       struct mapi_value *out)
{
	struct buf bytes MW_CLEANUP(buf_free) = {.max = MAX_STREAM};
	uint32_t stream = MAPI_NO_HANDLE, size = 0;
	bool more = true;
	int r = open_stream(s, handle, tag, STREAM_READ_ONLY, &stream, &size);
	if (r != 0)
		return r;
	while (r == 0 && more)
		r = read_chunk(s, stream, &bytes, &more);
	client_release(s, stream, s->epoch);
	if (r == 0 && (r = value_of(arena, tag, &bytes, out)) < 0)
		r = client_fail_inside(s->m, r, "a stream");
	return r;
}

static int write_chunk(struct mapiwire_store *s, uint32_t stream, const uint8_t *data, uint16_t size, bool last)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, stream);
	const struct RopWriteStreamRequest q = {.InputHandleIndex = in, .DataSize = size, .Data = (uint8_t *)data};
	client_rops_add(&b, ROP_WRITE_STREAM, &q);
	if (last)
		client_rops_add(&b, ROP_COMMIT_STREAM, &(struct RopCommitStreamRequest){.InputHandleIndex = in});
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_WRITE_STREAM, &answer);
	if (r == 0 && ((const struct RopWriteStreamResponse *)answer)->WrittenSize != size)
		r = client_fail_on(s->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                   "RopWriteStream took only a part of the bytes");
	if (r == 0 && last)
		r = client_rops_answer(&b, ROP_COMMIT_STREAM, &answer);
	return r;
}

int client_stream_write(struct mapiwire_store *s, uint32_t handle, uint32_t tag, const void *data, size_t size)
{
	uint32_t stream = MAPI_NO_HANDLE, old = 0;
	size_t done = 0;
	int r = open_stream(s, handle, tag, STREAM_CREATE, &stream, &old);
	if (r != 0)
		return r;
	do {
		size_t n = size - done < CHUNK ? size - done : CHUNK;
		r = write_chunk(s, stream, (const uint8_t *)data + done, (uint16_t)n, done + n == size);
		done += n;
	} while (r == 0 && done < size);
	client_release(s, stream, s->epoch);
	return r;
}
