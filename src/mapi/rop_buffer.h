#ifndef MW_MAPI_ROP_BUFFER_H
#define MW_MAPI_ROP_BUFFER_H

#include "base/buf.h"
#include "idl/idl.h"
#include "mapi/session.h"
#include "ndr/ndr.h"

/*
 * The payload that EcDoRpcExt2 (in an extended buffer) and EcDoRpc carry:
 * RopSize, ROPs without lengths of their own, and the table of handles.
 * [MS-OXCROPS] 2.2.1, 3.1.4.1, 3.2.5. Structs are those of "wire/rops.h".
 */

enum { /* RopIds that stand alone, without a request */
       MAPI_ROP_NOTIFY = 0x2A,
       MAPI_ROP_PENDING = 0x6E,
       MAPI_ROP_BACKOFF = 0xF9,
       MAPI_ROP_BUFFER_TOO_SMALL = 0xFF,
       MAPI_ROP_RELEASE = 0x01, /* has no response */
};

#define MAPI_NO_HANDLE 0xFFFFFFFFu

/* "OpenFolder": the specification's name without its "Rop"; NULL for an id that is reserved. */
const char *mapi_rop_name(uint8_t id);

struct mapi_rop {
	uint8_t id; /* of the request: the answer to GetMessageStatus has 0x1F here and 0x20 on the wire */
	const char *name;
	const struct idl_type *type;
	void *value;         /* struct RopXxxRequest or struct RopXxxResponse */
	size_t offset, size; /* in the payload */
	int input, output;   /* indexes into the handle table; -1: none. Of a response: output only, where it has one */
	uint8_t logon_id;    /* requests, Notify and Backoff */
	bool has_status;     /* responses with a ReturnValue */
	uint32_t status;
	const struct mapi_rop *request; /* responses: the request that it answers, or NULL */
};

struct mapi_rop_list {
	struct mapi_rop *rops;
	unsigned count;
	uint32_t *handles;
	unsigned handle_count;
	size_t list_size; /* RopSize: where the ROPs end in the payload */
	/*
	 * Why the ROPs after the last one could not be read; 0 when all were.
	 * MW_E_UNSUPPORTED: a reserved RopId. A server fails the whole call (ecRpcFormat).
	 */
	int error;
	size_t error_offset;
	const char *error_where; /* field */
};

/*
 * Reads a payload into the arena. 0 also when list->error is set: the ROPs before it are good.
 * MW_E_TRUNCATED or MW_E_MALFORMED when there is no RopSize or it does not fit. The session is
 * asked for what layouts need; requests change nothing in it but the kind of a logon.
 * The tracer (or NULL) is told each ROP as a group, with offsets in the payload.
 */
MW_NODISCARD int mapi_decode_requests(struct mapi_session *s, struct arena *arena, struct cursor payload,
                                      const struct ndr_tracer *tracer, struct mapi_rop_list *list);

/*
 * The same for responses; requests is the list that they answer, or NULL when it was not seen.
 * The session learns from each pair. Rows of unknown columns stay bytes up to the end of the ROPs.
 */
MW_NODISCARD int mapi_decode_responses(struct mapi_session *s, struct arena *arena, struct cursor payload,
                                       const struct mapi_rop_list *requests, const struct ndr_tracer *tracer,
                                       struct mapi_rop_list *list);

/*
 * Builds a payload. The handles are the caller's table as it stands: the client's before sending, the
 * server's while it executes. A ROP that fails to fit leaves the output as it was.
 */
struct mapi_rop_writer {
	struct mapi_session *session;
	struct arena *arena; /* scratch */
	struct buf *out;
	size_t start;
};

MW_NODISCARD int mapi_rop_writer_begin(struct mapi_rop_writer *w, struct mapi_session *s, struct arena *arena,
                                       struct buf *out);
/* value: struct RopXxxRequest; its RopId is filled in. */
MW_NODISCARD int mapi_rop_write_request(struct mapi_rop_writer *w, uint8_t id, const void *value);
/*
 * value: struct RopXxxResponse; its RopId is filled in. request is the one that it answers, NULL for those
 * without. The session learns from the pair, by the handles given. MW_E_LIMIT: does not fit into out->max
 * or RopSize.
 */
MW_NODISCARD int mapi_rop_write_response(struct mapi_rop_writer *w, uint8_t id, const struct mapi_rop *request,
                                         const void *value, const uint32_t *handles, unsigned handle_count);
/* A Release that the server executed, in its place between the responses. */
void mapi_rop_released(struct mapi_session *s, const struct mapi_rop *request, const uint32_t *handles,
                       unsigned handle_count);
/* Writes RopSize and appends the table. */
MW_NODISCARD int mapi_rop_writer_end(struct mapi_rop_writer *w, const uint32_t *handles, unsigned handle_count);

#endif
