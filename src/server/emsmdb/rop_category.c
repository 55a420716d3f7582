#include "server/emsmdb/rops.h"

#include "store/category.h"

/* Categories expanded and collapsed: [MS-OXCTABL] 2.2.2.17 to 2.2.2.20. */

#define EXPAND_HEAD 12 /* bytes of RopExpandRow's response before its rows */
#define STATE_HEAD 8   /* of RopGetCollapseState's before the state */

static uint32_t status_of(const struct rop_call *rop, int r, uint32_t already)
{
	switch (r) {
	case MW_E_EXISTS:
		return already;
	case MW_E_INVALID:
		return ecLeaf;
	case MW_E_LIMIT:
		return ecTooComplex;
	default:
		return r < 0 ? rop_status(rop, r) : 0;
	}
}

/* The first of the rows that have come; the position is then behind them. */
static int put_rows(struct rop_call *rop, size_t max, struct RopExpandRowResponse *a)
{
	size_t column_count, count = max, fits = 0;
	struct store_table *t = rop->in->u.table;
	const uint32_t *columns = store_table_columns(t, &column_count);
	struct mapi_row *rows = NULL;
	int r = count > 0 ? store_table_rows(t, rop->arena, true, false, rop->room, &rows, &count) : 0;
	if (r == 0 && count > 0)
		r = rop_fit_rows(rop, columns, rows, count, EXPAND_HEAD, &fits);
	if (r == 0 && fits > 0)
		r = store_table_seek(t, STORE_CURRENT, (int32_t)fits, NULL);
	a->RowData = (struct mapi_row_set){.count = (uint16_t)fits, .rows = rows};
	return r;
}

/* 2.2.2.17 */
uint32_t rop_expand_row(struct rop_call *rop)
{
	const struct RopExpandRowRequest *q = (const struct RopExpandRowRequest *)rop->request;
	struct RopExpandRowResponse *a = (struct RopExpandRowResponse *)rop->response;
	struct store_table *t = rop->in->u.table;
	uint32_t row = 0;
	if (!rop->in->columns_set)
		return ecNullObject;
	int r = store_table_expand(t, q->CategoryId, &row, &a->ExpandedRowCount);
	if (r == 0)
		r = store_table_seek(t, STORE_BEGIN, (int32_t)row + 1, NULL);
	if (r == 0)
		r = put_rows(rop, q->MaxRowCount < a->ExpandedRowCount ? q->MaxRowCount : a->ExpandedRowCount, a);
	return status_of(rop, r, ecNotCollapsed);
}

/* 2.2.2.18 */
uint32_t rop_collapse_row(struct rop_call *rop)
{
	const struct RopCollapseRowRequest *q = (const struct RopCollapseRowRequest *)rop->request;
	struct RopCollapseRowResponse *a = (struct RopCollapseRowResponse *)rop->response;
	if (!rop->in->columns_set)
		return ecNullObject;
	int r = store_table_collapse(rop->in->u.table, q->CategoryId, &a->CollapsedRowCount);
	return status_of(rop, r, ecNotExpanded);
}

/* 2.2.2.19 */
uint32_t rop_get_collapse_state(struct rop_call *rop)
{
	const struct RopGetCollapseStateRequest *q = (const struct RopGetCollapseStateRequest *)rop->request;
	struct RopGetCollapseStateResponse *a = (struct RopGetCollapseStateResponse *)rop->response;
	const void *data = NULL;
	size_t size = 0;
	int r = store_table_collapse_state(rop->in->u.table, rop->arena, q->RowId, q->RowInstanceNumber, &data, &size);
	if (r == 0 && size + STATE_HEAD > rop->room)
		return ecBufferTooSmall;
	a->CollapseState = (uint8_t *)data;
	a->CollapseStateSize = (uint16_t)size;
	return r == MW_E_INVALID ? ecNotSupported : r < 0 ? rop_status(rop, r) : 0;
}

/* 2.2.2.20 */
uint32_t rop_set_collapse_state(struct rop_call *rop)
{
	const struct RopSetCollapseStateRequest *q = (const struct RopSetCollapseStateRequest *)rop->request;
	struct RopSetCollapseStateResponse *a = (struct RopSetCollapseStateResponse *)rop->response;
	int r = store_table_set_collapse_state(rop->in->u.table, q->CollapseState, q->CollapseStateSize);
	if (r == 0)
		r = rop_make_bookmark(rop, &a->Bookmark, &a->BookmarkSize);
	return r == MW_E_MALFORMED ? ecInvalidParam : r < 0 ? rop_status(rop, r) : 0;
}
