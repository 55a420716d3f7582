#include "server/emsmdb/rops.h"

#include "store/restrict.h"

/* Tables narrowed and searched: [MS-OXCTABL]. */

#define FIND_BACKWARD 0x01 /* FindRowFlags, 2.2.2.13.1 */
#define BOOKMARK_CUSTOM 3

/* ---- Texts of a restriction become PTYP_STRING ---- */

static uint32_t as_wide(uint32_t tag)
{
	uint16_t type = mapi_tag_type(tag);
	return (type & ~PTYP_MULTIPLE) == PTYP_STRING8 ? mapi_tag_as(tag, (type & PTYP_MULTIPLE) | PTYP_STRING) : tag;
}

int rop_widen(struct rop_call *rop, const struct mapi_restriction *in, struct mapi_restriction *out, unsigned depth)
{
	bool many = in->type == MAPI_RES_AND || in->type == MAPI_RES_OR;
	uint32_t children = many ? in->count : in->children ? 1 : 0;
	uint32_t values = in->type == MAPI_RES_COMMENT ? in->count : in->values ? 1 : 0;
	int r = depth < ROP_RESTRICTION_DEPTH ? 0 : MW_E_LIMIT;
	*out = *in;
	out->tag = as_wide(in->tag);
	out->tag2 = as_wide(in->tag2);
	if (r == 0 && values > 0)
		r = rop_convert_in(rop, in->values, values, rop->session->code_page, &out->values);
	if (r == 0 && children > 0 && !(out->children = arena_new_array(rop->arena, struct mapi_restriction, children)))
		r = MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < children; i++)
		r = rop_widen(rop, &in->children[i], &out->children[i], depth + 1);
	return r;
}

static uint32_t status_of(const struct rop_call *rop, int r)
{
	return r == MW_E_UNSUPPORTED || r == MW_E_LIMIT ? ecTooComplex : r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCTABL] 3.2.5.4 */
uint32_t rop_restrict(struct rop_call *rop)
{
	const struct RopRestrictRequest *q = (const struct RopRestrictRequest *)rop->request;
	struct mapi_restriction wide;
	int r = q->RestrictionData ? rop_widen(rop, q->RestrictionData, &wide, 0) : 0;
	if (r == 0)
		r = store_table_restrict(rop->in->u.table, q->RestrictionData ? &wide : NULL);
	if (r == 0) {
		rop->in->epoch++;
		emsmdb_table_changed(rop->in);
	}
	return status_of(rop, r);
}

/* ---- RopFindRow ---- */

static int go_to_origin(struct rop_call *rop, const struct RopFindRowRequest *q, bool *gone)
{
	struct store_mark mark;
	if (q->Origin > BOOKMARK_CUSTOM)
		return MW_E_INVALID;
	if (q->Origin != BOOKMARK_CUSTOM)
		return store_table_seek(rop->in->u.table, (enum store_origin)q->Origin, 0, NULL);
	int r = rop_read_bookmark(rop, q->Bookmark, q->BookmarkSize, &mark);
	return r < 0 ? MW_E_EXISTS : store_table_return(rop->in->u.table, &mark, gone);
}

struct finding {
	struct store_find *find;
	bool gone;
};

static int begin(struct rop_call *rop, const struct RopFindRowRequest *q, struct finding *f)
{
	struct mapi_restriction wide = {.type = MAPI_RES_AND};
	int r = go_to_origin(rop, q, &f->gone);
	if (r == 0 && q->RestrictionData)
		r = rop_widen(rop, q->RestrictionData, &wide, 0);
	return r < 0 ? r : store_find_new(rop->in->u.table, &wide, !(q->FindRowFlags & FIND_BACKWARD), &f->find);
}

static int put_row(struct rop_call *rop, struct RopFindRowResponse *a)
{
	size_t column_count, count = 1;
	const uint32_t *columns = store_table_columns(rop->in->u.table, &column_count);
	struct mapi_row *rows;
	int r = store_table_rows(rop->in->u.table, rop->arena, true, false, rop->room, &rows, &count);
	if (r == 0 && count == 0)
		r = MW_E_NOTFOUND;
	if (r == 0)
		r = rop_convert_out(rop, columns, rows[0].values, rows[0].count, rop->session->code_page);
	if (r < 0)
		return r;
	a->HasRowData = 1;
	a->RowData = mapi_row_of(rows[0].values, rows[0].count);
	return 0;
}

static uint32_t go_on(struct rop_call *rop)
{
	struct RopFindRowResponse *a = (struct RopFindRowResponse *)rop->response;
	struct finding *f = (struct finding *)rop->state;
	bool more = false;
	int r = rop->session->ending ? MW_E_STATE : store_find_step(f->find, rop_slice_end(rop), &more);
	if (r == 0 && more)
		return rop_again(rop, go_on);
	store_find_free(&f->find);
	if (r == 0)
		r = put_row(rop, a);
	a->RowNoLongerVisible = r == 0 && f->gone;
	return status_of(rop, r);
}

/* [MS-OXCTABL] 3.2.5.14 */
uint32_t rop_find_row(struct rop_call *rop)
{
	const struct RopFindRowRequest *q = (const struct RopFindRowRequest *)rop->request;
	struct finding *f = arena_new_of(rop->arena, struct finding);
	if (!rop->in->columns_set)
		return ecNullObject;
	if (!f)
		return ecServerOOM;
	*f = (struct finding){0};
	rop->state = f;
	int r = begin(rop, q, f);
	if (r == MW_E_EXISTS)
		return ecInvalidBookmark;
	return r < 0 ? status_of(rop, r) : go_on(rop);
}
