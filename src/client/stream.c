#include "client/store.h"

#include <stdlib.h>
#include <string.h>

/* Streams: [MS-OXCPRPT] 3.1.4. */

#define STREAM_READ_ONLY 0x00 /* OpenModeFlags, 2.2.14.1.1 */
#define STREAM_CREATE 0x02
#define CHUNK 0x7000u
#define MAX_STREAM ((size_t)32 << 20)

int client_stream_open(struct mapiwire_store *s, uint32_t handle, uint32_t tag, bool create, uint32_t *stream,
                       uint32_t *size)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, handle), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenStreamRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .PropertyTag = tag,
	        .OpenModeFlags = create ? STREAM_CREATE : STREAM_READ_ONLY,
	};
	int r = client_rops_do(&b, ROP_OPEN_STREAM, &q, &answer);
	if (r != 0)
		return r;
	*stream = client_rops_made(&b, at);
	*size = ((const struct RopOpenStreamResponse *)answer)->StreamSize;
	return 0;
}

/* The next bytes, appended, at most max of them; *got: how many, none at the end. */
static int read_chunk(struct mapiwire_store *s, uint32_t stream, size_t max, struct buf *out, size_t *got)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	const struct RopReadStreamRequest q = {.InputHandleIndex = client_rops_handle(&b, stream),
	                                       .ByteCount = (uint16_t)(max < CHUNK ? max : CHUNK)};
	int r = client_rops_do(&b, ROP_READ_STREAM, &q, &answer);
	if (r != 0)
		return r;
	const struct RopReadStreamResponse *a = (const struct RopReadStreamResponse *)answer;
	if (a->DataSize > q.ByteCount)
		return client_fail_on(s->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
		                      "RopReadStream answers more bytes than were asked for");
	*got = a->DataSize;
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
	size_t got = 1;
	int r = client_stream_open(s, handle, tag, false, &stream, &size);
	if (r != 0)
		return r;
	while (r == 0 && got > 0)
		r = read_chunk(s, stream, CHUNK, &bytes, &got);
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
	int r = client_stream_open(s, handle, tag, true, &stream, &old);
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

/* ---- In pieces ---- */

struct mapiwire_stream {
	struct client_object o;
	struct buf pending; /* written, and not sent yet */
};

int client_object_stream(const struct client_object *o, const char *what, uint32_t tag, bool create,
                         struct mapiwire_stream **out, uint64_t *size)
{
	struct mapiwire_store *s = o->store;
	uint32_t there = 0;
	int r = client_object_enter(o, what);
	if (r != 0)
		return r;
	struct mapiwire_stream *st = (struct mapiwire_stream *)calloc(1, sizeof *st);
	r = st ? 0 : client_failed(client_fail_inside(s->m, MW_E_NOMEM, "a stream"));
	if (r == 0) {
		st->o = (struct client_object){s, MAPI_NO_HANDLE, s->epoch};
		r = client_stream_open(s, o->handle, tag, create, &st->o.handle, &there);
	}
	client_store_leave(s);
	if (r != 0) {
		free(st);
		return r;
	}
	*out = st;
	if (size)
		*size = there;
	return 0;
}

int mapiwire_message_stream(struct mapiwire_message *msg, uint32_t tag, bool create, struct mapiwire_stream **out,
                            uint64_t *size)
{
	return client_object_stream(&msg->o, "the message", tag, create, out, size);
}

int mapiwire_stream_read(struct mapiwire_stream *st, void *data, size_t size, size_t *got)
{
	struct buf bytes MW_CLEANUP(buf_free) = {0};
	size_t done = 0, more = 1;
	int r = client_object_enter(&st->o, "the stream");
	if (r != 0)
		return r;
	while (r == 0 && done < size && more > 0) {
		buf_clear(&bytes);
		r = read_chunk(st->o.store, st->o.handle, size - done, &bytes, &more);
		if (r == 0 && more > 0)
			memcpy((uint8_t *)data + done, bytes.data, more);
		done += r == 0 ? more : 0;
	}
	client_store_leave(st->o.store);
	if (r == 0)
		*got = done;
	return r;
}

/* All but what does not fill a request yet; with last all, and a commit. */
static int send_pending(struct mapiwire_stream *st, bool last)
{
	struct buf *b = &st->pending;
	size_t done = 0;
	int r = 0;
	while (r == 0 && (b->len - done >= CHUNK || (last && (done < b->len || done == 0)))) {
		size_t n = b->len - done < CHUNK ? b->len - done : CHUNK;
		r = write_chunk(st->o.store, st->o.handle, b->data ? b->data + done : (const uint8_t *)"", (uint16_t)n,
		                last && done + n == b->len);
		done += n;
		if (n == 0)
			break;
	}
	if (r == 0)
		buf_consume(b, done);
	return r;
}

int mapiwire_stream_write(struct mapiwire_stream *st, const void *data, size_t size)
{
	int r = client_object_enter(&st->o, "the stream");
	if (r != 0)
		return r;
	for (size_t done = 0; r == 0 && done < size;) {
		size_t n = size - done < CHUNK ? size - done : CHUNK;
		int put = buf_put(&st->pending, (const uint8_t *)data + done, n);
		r = put < 0 ? client_fail_inside(st->o.store->m, put, "a stream") : send_pending(st, false);
		done += n;
	}
	client_store_leave(st->o.store);
	return r;
}

int mapiwire_stream_commit(struct mapiwire_stream *st)
{
	int r = client_object_enter(&st->o, "the stream");
	if (r != 0)
		return r;
	r = send_pending(st, true);
	client_store_leave(st->o.store);
	return r;
}

void mapiwire_stream_close(struct mapiwire_stream **stream)
{
	struct mapiwire_stream *st = TAKE_PTR(*stream);
	if (!st)
		return;
	buf_free(&st->pending);
	client_object_close(&st->o);
}
