#include "server/emsmdb/rops.h"

/* OpenModeFlags, [MS-OXCPRPT] 2.2.14.1 */
#define STREAM_READ_ONLY 0x00
#define STREAM_READ_WRITE 0x01
#define STREAM_CREATE 0x02
#define READ_MAXIMUM 0xBABE /* ByteCount: MaximumByteCount says it */
#define READ_HEAD 8         /* bytes of RopReadStream's response before its data */

static int open_value(struct rop_call *rop, uint32_t tag, uint8_t flags, struct emsmdb_object *o, uint64_t *size)
{
	enum store_stream_mode mode = flags == STREAM_CREATE       ? STORE_STREAM_CREATE
	                              : flags == STREAM_READ_WRITE ? STORE_STREAM_WRITE
	                                                           : STORE_STREAM_READ;
	bool text = mapi_tag_type(tag) == PTYP_STRING8;
	o->stream_tag = tag;
	o->stream_mode = mode == STORE_STREAM_CREATE ? STORE_STREAM_WRITE : mode; /* as a clone opens it */
	int r = text ? emsmdb_text_open(rop, tag, mode, &o->text)
	             : store_stream_open(rop->in->u.message, tag, mode, &o->u.stream);
	if (r == 0)
		*size = text ? emsmdb_text_size(o->text) : store_stream_size(o->u.stream);
	return r;
}

/* [MS-OXCPRPT] 3.2.5.12 */
uint32_t rop_open_stream(struct rop_call *rop)
{
	const struct RopOpenStreamRequest *q = (const struct RopOpenStreamRequest *)rop->request;
	struct RopOpenStreamResponse *a = (struct RopOpenStreamResponse *)rop->response;
	struct emsmdb_object *o;
	uint64_t size = 0;
	int r = emsmdb_object_new(rop->session, EMSMDB_STREAM, rop->logon, &o);
	if (r < 0)
		return rop_status(rop, r);
	r = open_value(rop, q->PropertyTag, q->OpenModeFlags, o, &size);
	if (r < 0) {
		emsmdb_object_release(o);
		return rop_status(rop, r);
	}
	o->parent = rop->in;
	rop->in->children++;
	rop_put_handle(rop, o);
	a->StreamSize = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.13 */
uint32_t rop_read_stream(struct rop_call *rop)
{
	const struct RopReadStreamRequest *q = (const struct RopReadStreamRequest *)rop->request;
	struct RopReadStreamResponse *a = (struct RopReadStreamResponse *)rop->response;
	size_t asked = q->ByteCount == READ_MAXIMUM ? q->MaximumByteCount : q->ByteCount, wanted = asked;
	if (rop->room <= READ_HEAD)
		return ecBufferTooSmall;
	if (wanted > rop->room - READ_HEAD)
		wanted = rop->room - READ_HEAD;
	if (wanted > UINT16_MAX)
		wanted = UINT16_MAX;
	a->Data = (uint8_t *)arena_alloc(rop->arena, wanted);
	if (!a->Data)
		return ecServerOOM;
	int64_t n = rop->in->text ? (int64_t)emsmdb_text_read(rop->in->text, a->Data, wanted)
	                          : store_stream_read(rop->in->u.stream, a->Data, wanted);
	if (n < 0)
		return rop_status(rop, (int)n);
	a->DataSize = (uint16_t)n;
	rop->left = (size_t)n == wanted ? asked - wanted : 0; /* less: the stream has ended */
	return 0;
}

/* [MS-OXCPRPT] 3.2.5.14 */
uint32_t rop_write_stream(struct rop_call *rop)
{
	const struct RopWriteStreamRequest *q = (const struct RopWriteStreamRequest *)rop->request;
	struct RopWriteStreamResponse *a = (struct RopWriteStreamResponse *)rop->response;
	int r = rop->in->text ? emsmdb_text_write(rop->in->text, q->Data, q->DataSize)
	                      : store_stream_write(rop->in->u.stream, q->Data, q->DataSize);
	if (r < 0)
		return r == MW_E_STATE ? ecAccessDenied : r == MW_E_LIMIT ? ecTooBig : rop_status(rop, r);
	a->WrittenSize = q->DataSize;
	return 0;
}

/* [MS-OXCROPS] 2.2.9.4: the same with a larger count in its answer. */
uint32_t rop_write_stream_extended(struct rop_call *rop)
{
	const struct RopWriteStreamExtendedRequest *q = (const struct RopWriteStreamExtendedRequest *)rop->request;
	struct RopWriteStreamResponse written = {0};
	const struct RopWriteStreamRequest request = {.DataSize = q->DataSize, .Data = q->Data};
	struct rop_call same = *rop;
	same.request = &request;
	same.response = &written;
	uint32_t status = rop_write_stream(&same);
	((struct RopWriteStreamExtendedResponse *)rop->response)->WrittenSize = written.WrittenSize;
	return status;
}

/* [MS-OXCPRPT] 3.2.5.15 */
uint32_t rop_commit_stream(struct rop_call *rop)
{
	int r = rop->in->text ? emsmdb_text_commit(rop->in->text) : store_stream_commit(rop->in->u.stream);
	return r < 0 ? rop_status(rop, r) : 0;
}
