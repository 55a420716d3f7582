#include "server/emsmdb/rops.h"

#include "store/per_user.h"

#include <string.h>

/* What the owner has read of folders elsewhere, kept in his mailbox: [MS-OXCSTOR] 2.2.1.10 to 2.2.1.13. */

#define LARGEST_PIECE 4096 /* 3.2.5.12: of an answer, whatever is asked */
#define LIST_HEAD 16
#define ID_SIZE 24

static struct store_per_user of_folder(const struct LongTermID *id)
{
	struct store_per_user p = {.database = id->DatabaseGuid};
	memcpy(p.counter, id->GlobalCounter, sizeof p.counter);
	return p;
}

/* 3.2.5.10 */
uint32_t rop_get_per_user_long_term_ids(struct rop_call *rop)
{
	const struct RopGetPerUserLongTermIdsRequest *q = (const struct RopGetPerUserLongTermIdsRequest *)rop->request;
	struct RopGetPerUserLongTermIdsResponse *a = (struct RopGetPerUserLongTermIdsResponse *)rop->response;
	struct store_per_user *rows;
	size_t count;
	int r = store_per_user_list(rop_store(rop), rop->arena, &q->DatabaseGuid, &rows, &count);
	if (r == 0 && !(a->LongTermIds = arena_new_array(rop->arena, struct LongTermID, count)))
		r = MW_E_NOMEM;
	if (r < 0)
		return rop_status(rop, r);
	if (LIST_HEAD + count * ID_SIZE > rop->room)
		return ecBufferTooSmall;
	for (size_t i = 0; i < count; i++) {
		a->LongTermIds[i].DatabaseGuid = rows[i].database;
		memcpy(a->LongTermIds[i].GlobalCounter, rows[i].counter, sizeof rows[i].counter);
	}
	a->LongTermIdCount = (uint16_t)count;
	return 0;
}

/* 3.2.5.11 */
uint32_t rop_get_per_user_guid(struct rop_call *rop)
{
	const struct RopGetPerUserGuidRequest *q = (const struct RopGetPerUserGuidRequest *)rop->request;
	struct store_per_user p = of_folder(&q->LongTermId);
	int r = store_per_user_get(rop_store(rop), rop->arena, &p);
	((struct RopGetPerUserGuidResponse *)rop->response)->DatabaseGuid = p.replica;
	return r < 0 ? rop_status(rop, r) : 0;
}

/* 3.2.5.12; of a folder of which nothing is known the answer is empty. */
uint32_t rop_read_per_user_information(struct rop_call *rop)
{
	const struct RopReadPerUserInformationRequest *q =
	        (const struct RopReadPerUserInformationRequest *)rop->request;
	struct RopReadPerUserInformationResponse *a = (struct RopReadPerUserInformationResponse *)rop->response;
	struct store_per_user p = of_folder(&q->FolderId);
	size_t most = q->MaxDataSize && q->MaxDataSize < LARGEST_PIECE ? q->MaxDataSize : LARGEST_PIECE;
	int r = store_per_user_get(rop_store(rop), rop->arena, &p);
	if (r < 0 && r != MW_E_NOTFOUND)
		return rop_status(rop, r);
	if (q->DataOffset > p.size)
		return ecError;
	size_t left = p.size - q->DataOffset, size = left < most ? left : most;
	if (LIST_HEAD + size > rop->room)
		return ecBufferTooSmall;
	a->HasFinished = size == left;
	a->DataSize = (uint16_t)size;
	a->Data = size ? (uint8_t *)(uintptr_t)p.data + q->DataOffset : NULL;
	return 0;
}

/* The pieces that have come so far are the logon's, of one folder at a time. */
static int keep_piece(struct rop_call *rop, const struct RopWritePerUserInformationRequest *q)
{
	struct emsmdb_logon *l = rop->on;
	if (q->DataOffset == 0) {
		buf_clear(&l->pieces);
		l->pieces.max = STORE_PER_USER_SIZE;
		l->pieces_of = q->FolderId;
		l->pieces_replica = q->ReplGuid.guid;
	}
	if (q->DataOffset != l->pieces.len || memcmp(&l->pieces_of, &q->FolderId, sizeof l->pieces_of) != 0)
		return MW_E_STATE;
	return q->DataSize ? buf_put(&l->pieces, q->Data, q->DataSize) : 0;
}

/* 3.2.5.13 */
uint32_t rop_write_per_user_information(struct rop_call *rop)
{
	const struct RopWritePerUserInformationRequest *q =
	        (const struct RopWritePerUserInformationRequest *)rop->request;
	struct emsmdb_logon *l = rop->on;
	int r = keep_piece(rop, q);
	if (r == MW_E_STATE)
		return ecError;
	if (r == 0 && q->HasFinished) {
		struct store_per_user p = of_folder(&q->FolderId);
		p.replica = l->pieces_replica;
		p.data = l->pieces.data;
		p.size = l->pieces.len;
		r = store_per_user_put(rop_store(rop), &p, &rop->ticket);
	}
	if (r < 0 || q->HasFinished)
		buf_free(&l->pieces);
	return r < 0 ? rop_status(rop, r) : 0;
}
