#include "server/emsmdb/rops.h"

#include "store/restrict.h"

#include <string.h>

/* Bookmarks: what the client keeps says it all. [MS-OXCTABL] */

struct bookmark {
	uint32_t epoch; /* a sort or restriction ends all bookmarks before it: 2.2.2.12 */
	uint32_t position;
	uint64_t id;
};

int rop_make_bookmark(struct rop_call *rop, uint8_t **data, uint16_t *size)
{
	struct store_mark mark;
	int r = store_table_mark(rop->in->u.table, &mark);
	if (r < 0)
		return r;
	struct bookmark b = {.epoch = rop->in->epoch, .position = mark.position, .id = mark.id};
	*data = (uint8_t *)arena_copy(rop->arena, &b, sizeof b);
	*size = sizeof b;
	return *data ? 0 : MW_E_NOMEM;
}

int rop_read_bookmark(const struct rop_call *rop, const uint8_t *data, size_t size, struct store_mark *out)
{
	struct bookmark b;
	if (size != sizeof b)
		return MW_E_INVALID;
	memcpy(&b, data, sizeof b);
	*out = (struct store_mark){.id = b.id, .position = b.position};
	return b.epoch == rop->in->epoch ? 0 : MW_E_INVALID;
}

/* [MS-OXCTABL] 3.2.5.12 */
uint32_t rop_create_bookmark(struct rop_call *rop)
{
	struct RopCreateBookmarkResponse *a = (struct RopCreateBookmarkResponse *)rop->response;
	int r = rop_make_bookmark(rop, &a->Bookmark, &a->BookmarkSize);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCTABL] 3.2.5.15 */
uint32_t rop_free_bookmark(struct rop_call *rop)
{
	const struct RopFreeBookmarkRequest *q = (const struct RopFreeBookmarkRequest *)rop->request;
	struct store_mark mark;
	return rop_read_bookmark(rop, q->Bookmark, q->BookmarkSize, &mark) < 0 ? ecInvalidBookmark : 0;
}

/* [MS-OXCTABL] 3.2.5.10 */
uint32_t rop_seek_row_bookmark(struct rop_call *rop)
{
	const struct RopSeekRowBookmarkRequest *q = (const struct RopSeekRowBookmarkRequest *)rop->request;
	struct RopSeekRowBookmarkResponse *a = (struct RopSeekRowBookmarkResponse *)rop->response;
	struct store_mark mark;
	bool gone = false;
	int32_t moved = 0;
	if (rop_read_bookmark(rop, q->Bookmark, q->BookmarkSize, &mark) < 0)
		return ecInvalidBookmark;
	int r = store_table_return(rop->in->u.table, &mark, &gone);
	if (r == 0)
		r = store_table_seek(rop->in->u.table, STORE_CURRENT, q->RowCount, &moved);
	if (r < 0)
		return rop_status(rop, r);
	a->RowNoLongerVisible = gone;
	if (q->WantRowMovedCount) {
		a->HasSoughtLess = moved != q->RowCount;
		a->RowsSought = (uint32_t)moved;
	}
	return 0;
}
