#include "server/emsmdb/rops.h"

#include "store/category.h"
#include "store/restrict.h"

#define QUERY_ROWS_NO_ADVANCE 0x01 /* [MS-OXCTABL] 2.2.2.5.1 */
#define BOOKMARK_BEGINNING 0
#define BOOKMARK_CURRENT 1
#define BOOKMARK_END 2
#define SORT_DESCENDING 1
#define SORT_BY_LARGEST 4
/* Bytes of RopQueryRows' response before its rows. */
#define ROWS_HEAD 9

/* [MS-OXCTABL] 3.2.5.2 */
uint32_t rop_set_columns(struct rop_call *rop)
{
	const struct RopSetColumnsRequest *q = (const struct RopSetColumnsRequest *)rop->request;
	if (q->PropertyTagCount == 0)
		return ecInvalidParam;
	int r = store_table_set_columns(rop->in->u.table, q->PropertyTags, q->PropertyTagCount);
	if (r < 0)
		return rop_status(rop, r);
	rop->in->columns_set = true;
	emsmdb_table_changed(rop->in);
	return 0; /* TableStatus 0: complete */
}

/* [MS-OXCTABL] 3.2.5.3. Order 4, a category by its largest value, is not served. */
uint32_t rop_sort_table(struct rop_call *rop)
{
	const struct RopSortTableRequest *q = (const struct RopSortTableRequest *)rop->request;
	struct store_sort keys[STORE_MAX_SORT_KEYS];
	if (rop->in->hierarchy)
		return ecNotSupported;
	if (q->SortOrderCount > ARRAY_SIZE(keys))
		return ecTooComplex;
	for (unsigned i = 0; i < q->SortOrderCount; i++) {
		if (q->SortOrders[i].Order > SORT_DESCENDING)
			return q->SortOrders[i].Order == SORT_BY_LARGEST ? ecTooComplex : ecInvalidParam;
		keys[i] = (struct store_sort){q->SortOrders[i].PropertyTag, q->SortOrders[i].Order == SORT_DESCENDING};
	}
	int r = store_table_categorize(rop->in->u.table, keys, q->SortOrderCount, q->CategoryCount, q->ExpandedCount);
	rop->in->epoch++;
	emsmdb_table_changed(rop->in);
	return r == MW_E_LIMIT ? ecTooComplex : r < 0 ? rop_status(rop, r) : 0;
}

/* How many of the rows fit into room, as the client will get them. */
int rop_fit_rows(struct rop_call *rop, const uint32_t *columns, struct mapi_row *rows, size_t count, size_t head,
                 size_t *fits)
{
	size_t used = head;
	for (size_t i = 0; i < count; i++) {
		int r = rop_convert_out(rop, columns, rows[i].values, rows[i].count, rop->session->code_page);
		if (r < 0)
			return r;
		rows[i] = mapi_row_of(rows[i].values, rows[i].count);
		size_t size = 1;
		for (unsigned c = 0; c < rows[i].count; c++)
			size += rows[i].values[c].flag == MAPI_FLAG_ERROR
			                ? 5
			                : mapi_value_size(&rows[i].values[c]) + rows[i].flagged +
			                          (mapi_tag_type(columns[c]) == PTYP_UNSPECIFIED ? 2 : 0);
		if (size > rop->room - used) {
			*fits = i;
			return 0;
		}
		used += size;
	}
	*fits = count;
	return 0;
}

/* BOOKMARK of the end that was reached, else current. */
static int origin_after(struct rop_call *rop, bool forward, uint8_t *out)
{
	uint32_t position, count;
	int r = store_table_position(rop->in->u.table, &position, &count);
	if (r < 0)
		return r;
	*out = forward && position >= count ? BOOKMARK_END
	       : !forward && position == 0  ? BOOKMARK_BEGINNING
	                                    : BOOKMARK_CURRENT;
	return 0;
}

static int query_rows(struct rop_call *rop, const struct RopQueryRowsRequest *q, struct RopQueryRowsResponse *a)
{
	struct store_table *t = rop->in->u.table;
	size_t column_count, count = q->RowCount, fits = 0;
	const uint32_t *columns = store_table_columns(t, &column_count);
	struct mapi_row *rows;
	bool forward = q->ForwardRead;
	int r = store_table_rows(t, rop->arena, forward, false, rop->room, &rows, &count);
	if (r == 0)
		r = rop_fit_rows(rop, columns, rows, count, ROWS_HEAD, &fits);
	if (r < 0)
		return r;
	if (count > 0 && fits == 0)
		return MW_E_LIMIT;
	if (!(q->QueryRowsFlags & QUERY_ROWS_NO_ADVANCE)) {
		r = store_table_seek(t, STORE_CURRENT, forward ? (int32_t)fits : -(int32_t)fits, NULL);
		if (r < 0)
			return r;
	}
	a->RowData = (struct mapi_row_set){.count = (uint16_t)fits, .rows = rows};
	r = origin_after(rop, forward, &a->Origin);
	if (r == 0 && a->Origin == BOOKMARK_CURRENT && !(q->QueryRowsFlags & QUERY_ROWS_NO_ADVANCE))
		rop->left = q->RowCount - fits;
	return r;
}

/* [MS-OXCTABL] 3.2.5.5 */
uint32_t rop_query_rows(struct rop_call *rop)
{
	const struct RopQueryRowsRequest *q = (const struct RopQueryRowsRequest *)rop->request;
	struct RopQueryRowsResponse *a = (struct RopQueryRowsResponse *)rop->response;
	if (!rop->in->columns_set)
		return ecNullObject;
	if (rop->room <= ROWS_HEAD)
		return ecBufferTooSmall;
	int r = query_rows(rop, q, a);
	return r == MW_E_LIMIT ? ecBufferTooSmall : r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCTABL] 3.2.5.8 */
uint32_t rop_query_position(struct rop_call *rop)
{
	struct RopQueryPositionResponse *a = (struct RopQueryPositionResponse *)rop->response;
	int r = store_table_position(rop->in->u.table, &a->Numerator, &a->Denominator);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCTABL] 3.2.5.9 */
uint32_t rop_seek_row(struct rop_call *rop)
{
	const struct RopSeekRowRequest *q = (const struct RopSeekRowRequest *)rop->request;
	struct RopSeekRowResponse *a = (struct RopSeekRowResponse *)rop->response;
	int32_t moved;
	if (q->Origin > BOOKMARK_END)
		return ecInvalidParam;
	int r = store_table_seek(rop->in->u.table, (enum store_origin)q->Origin, q->RowCount, &moved);
	if (r < 0)
		return rop_status(rop, r);
	if (q->WantRowMovedCount) {
		a->HasSoughtLess = moved != q->RowCount;
		a->RowsSought = moved;
	}
	return 0;
}

/* [MS-OXCTABL] 3.2.5.11 */
uint32_t rop_seek_row_fractional(struct rop_call *rop)
{
	const struct RopSeekRowFractionalRequest *q = (const struct RopSeekRowFractionalRequest *)rop->request;
	uint32_t position, count;
	if (q->Denominator == 0)
		return ecInvalidBookmark;
	int r = store_table_position(rop->in->u.table, &position, &count);
	if (r < 0)
		return rop_status(rop, r);
	uint64_t to = q->Numerator >= q->Denominator ? count : (uint64_t)count * q->Numerator / q->Denominator;
	r = store_table_seek(rop->in->u.table, STORE_BEGIN, (int32_t)to, NULL);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCTABL] 3.2.5.13 */
uint32_t rop_query_columns_all(struct rop_call *rop)
{
	struct RopQueryColumnsAllResponse *a = (struct RopQueryColumnsAllResponse *)rop->response;
	size_t count;
	const uint32_t *tags = store_table_all_columns(rop->in->u.table, &count);
	a->PropertyTags = (uint32_t *)tags;
	a->PropertyTagCount = (uint16_t)count;
	return 0;
}

/* [MS-OXCTABL] 3.2.5.7: no operation goes on after its answer, so TableStatus is always 0. */
uint32_t rop_get_status(struct rop_call *rop)
{
	(void)rop;
	return 0;
}

/* [MS-OXCTABL] 3.2.5.6: nothing goes on that could be ended. */
uint32_t rop_abort(struct rop_call *rop)
{
	(void)rop;
	return ecUnableToAbort;
}

/* [MS-OXCTABL] 3.2.5.16 */
uint32_t rop_reset_table(struct rop_call *rop)
{
	store_table_reset(rop->in->u.table);
	rop->in->columns_set = false;
	rop->in->epoch++;
	emsmdb_table_changed(rop->in);
	return 0;
}
