#include "server/emsmdb/rops.h"

/* Places and sizes of streams, and one stream from another: [MS-OXCPRPT]. */

#define ecStreamSeekError 0x80030019u /* StreamSeekError; STG_E_SEEKERROR of [MS-ERREF] 2.1.1 */
#define SEEK_BEGIN 0
#define SEEK_CURRENT 1
#define SEEK_END 2
#define PIECE 32768u

static uint64_t size_of(const struct emsmdb_object *o)
{
	return o->text ? emsmdb_text_size(o->text) : store_stream_size(o->u.stream);
}

static uint64_t position_of(const struct emsmdb_object *o)
{
	return o->text ? emsmdb_text_position(o->text) : store_stream_position(o->u.stream);
}

static int go_to(struct emsmdb_object *o, uint64_t position)
{
	return o->text ? emsmdb_text_seek(o->text, position) : store_stream_seek(o->u.stream, position);
}

static int64_t read_some(struct emsmdb_object *o, void *out, size_t size)
{
	return o->text ? (int64_t)emsmdb_text_read(o->text, out, size) : store_stream_read(o->u.stream, out, size);
}

static int write_all(struct emsmdb_object *o, const void *data, size_t size)
{
	return o->text ? emsmdb_text_write(o->text, data, size) : store_stream_write(o->u.stream, data, size);
}

static uint32_t write_status(const struct rop_call *rop, int r)
{
	return r == MW_E_STATE ? ecAccessDenied : r == MW_E_LIMIT ? ecTooBig : r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCPRPT] 2.2.21 */
uint32_t rop_seek_stream(struct rop_call *rop)
{
	const struct RopSeekStreamRequest *q = (const struct RopSeekStreamRequest *)rop->request;
	struct RopSeekStreamResponse *a = (struct RopSeekStreamResponse *)rop->response;
	uint64_t from = q->Origin == SEEK_BEGIN     ? 0
	                : q->Origin == SEEK_CURRENT ? position_of(rop->in)
	                                            : size_of(rop->in);
	if (q->Origin > SEEK_END)
		return ecInvalidParam;
	if (q->Offset < 0 ? (uint64_t) - (q->Offset + 1) >= from : (uint64_t)q->Offset > STORE_MAX_VALUE - from)
		return ecStreamSeekError;
	uint64_t to = q->Offset < 0 ? from - 1 - (uint64_t) - (q->Offset + 1) : from + (uint64_t)q->Offset;
	if (go_to(rop->in, to) < 0)
		return ecStreamSeekError;
	a->NewPosition = to;
	return 0;
}

/* [MS-OXCPRPT] 2.2.20 */
uint32_t rop_set_stream_size(struct rop_call *rop)
{
	const struct RopSetStreamSizeRequest *q = (const struct RopSetStreamSizeRequest *)rop->request;
	struct emsmdb_object *o = rop->in;
	return write_status(rop, o->text ? emsmdb_text_set_size(o->text, q->StreamSize)
	                                 : store_stream_set_size(o->u.stream, q->StreamSize));
}

/* [MS-OXCPRPT] 2.2.19 */
uint32_t rop_get_stream_size(struct rop_call *rop)
{
	struct RopGetStreamSizeResponse *a = (struct RopGetStreamSizeResponse *)rop->response;
	a->StreamSize = (uint32_t)size_of(rop->in);
	return 0;
}

static int copy_piece(struct rop_call *rop, struct emsmdb_object *to, uint64_t left, void *piece, size_t *done)
{
	int64_t n = read_some(rop->in, piece, left < PIECE ? (size_t)left : PIECE);
	if (n < 0)
		return (int)n;
	*done = (size_t)n;
	return write_all(to, piece, *done);
}

/* [MS-OXCPRPT] 2.2.22 */
uint32_t rop_copy_to_stream(struct rop_call *rop)
{
	const struct RopCopyToStreamRequest *q = (const struct RopCopyToStreamRequest *)rop->request;
	struct RopCopyToStreamResponse *a = (struct RopCopyToStreamResponse *)rop->response;
	struct emsmdb_object *to = rop_destination(rop, q->DestHandleIndex, EMSMDB_STREAM);
	void *piece = arena_alloc(rop->arena, PIECE);
	size_t done = 1;
	int r = piece ? 0 : MW_E_NOMEM;
	if (!to) {
		a->DestHandleIndex = q->DestHandleIndex;
		return ecDstNullObject;
	}
	if (to == rop->in)
		return ecInvalidParam;
	while (r == 0 && done > 0 && a->WrittenByteCount < q->ByteCount) {
		r = copy_piece(rop, to, q->ByteCount - a->WrittenByteCount, piece, &done);
		if (r == 0)
			a->ReadByteCount = a->WrittenByteCount += done;
	}
	return write_status(rop, r);
}

/* A second stream on the value that is committed; it does not see what the other writes later. */
static int open_again(struct rop_call *rop, struct emsmdb_object *o)
{
	struct emsmdb_object *from = rop->in;
	struct rop_call on_message = *rop;
	on_message.in = from->parent;
	int r = from->text ? emsmdb_text_commit(from->text) : store_stream_commit(from->u.stream);
	if (r == 0)
		r = from->text ? emsmdb_text_open(&on_message, from->stream_tag, from->stream_mode, &o->text)
		               : store_stream_open(from->parent->u.message, from->stream_tag, from->stream_mode,
		                                   &o->u.stream);
	if (r < 0)
		return r;
	o->stream_tag = from->stream_tag;
	o->stream_mode = from->stream_mode;
	return go_to(o, position_of(from));
}

/* [MS-OXCPRPT] 2.2.23 */
uint32_t rop_clone_stream(struct rop_call *rop)
{
	struct emsmdb_object *o;
	int r = emsmdb_object_new(rop->session, EMSMDB_STREAM, rop->logon, &o);
	if (r < 0)
		return rop_status(rop, r);
	r = open_again(rop, o);
	if (r < 0) {
		emsmdb_object_release(o);
		return rop_status(rop, r);
	}
	o->parent = rop->in->parent;
	o->parent->children++;
	rop_put_handle(rop, o);
	return 0;
}

/* [MS-OXCPRPT] 2.2.26 */
uint32_t rop_write_and_commit_stream(struct rop_call *rop)
{
	const struct RopWriteAndCommitStreamRequest *q = (const struct RopWriteAndCommitStreamRequest *)rop->request;
	struct RopWriteAndCommitStreamResponse *a = (struct RopWriteAndCommitStreamResponse *)rop->response;
	int r = write_all(rop->in, q->Data, q->DataSize);
	if (r == 0)
		r = rop->in->text ? emsmdb_text_commit(rop->in->text) : store_stream_commit(rop->in->u.stream);
	a->WrittenSize = r == 0 ? q->DataSize : 0;
	return write_status(rop, r);
}

/* [MS-OXCPRPT] 2.2.24, 3.2.5.22: a server may lock, and need not. A stream's bytes are its own until they are
 * committed, so there is nothing to lock; the answer is that of servers that do not. */
uint32_t rop_lock_region_stream(struct rop_call *rop)
{
	(void)rop;
	return ecNotImplemented;
}
