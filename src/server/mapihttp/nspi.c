#include "wire/nspi.h"
#include "base/utf16.h"
#include "mapi/property.h"
#include "mapi/restriction.h"
#include "mapi/status.h"
#include "server/mapihttp/private.h"
#include "server/nspi/values.h"
#include "wire/mapihttp.h"
#include "wire/rfr.h"

#include <string.h>

/* The address book's request types, 2.2.5, as the methods of [MS-OXNSPI] that they stand for. */

/* ---- Between the forms ---- */

_Static_assert(sizeof(struct STAT) == sizeof(struct BookStat), "the same nine fields");

static struct STAT stat_of(const struct BookStat *b)
{
	struct STAT s;
	memcpy(&s, b, sizeof s);
	return s;
}

static struct BookStat book_stat(const struct STAT *s)
{
	struct BookStat b;
	memcpy(&b, s, sizeof b);
	return b;
}

static struct PropertyTagArray_r *tag_array(struct mapihttp_request *q, bool has, uint32_t count, uint32_t *tags)
{
	struct PropertyTagArray_r *t = has ? arena_new_of(q->call->arena, struct PropertyTagArray_r) : NULL;
	if (t)
		*t = (struct PropertyTagArray_r){.cValues = count, .aulPropTag = tags};
	return t;
}

static struct PropertyTagArray_r *columns(struct mapihttp_request *q, bool has, const struct LargePropertyTagArray *c)
{
	return tag_array(q, has, c->PropertyTagCount, c->PropertyTags);
}

static int take_row(struct arena *arena, const struct PropertyRow_r *row, struct mapi_value **out)
{
	struct mapi_value *values = arena_new_array(arena, struct mapi_value, row->cValues);
	int r = values ? 0 : MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < row->cValues; i++)
		r = mapi_book_get_value(arena, &row->lpProps[i], &values[i]);
	if (r == 0)
		*out = values;
	return r;
}

/* A value that is not there is an error in its place: then the row says of each value what it is, 2.2.1.7. */
static int take_book_row(struct arena *arena, const struct PropertyRow_r *row, struct mapi_row *out)
{
	int r = take_row(arena, row, &out->values);
	if (r < 0)
		return r;
	out->count = (uint16_t)row->cValues;
	for (uint32_t i = 0; i < row->cValues; i++) {
		if (mapi_tag_type(out->values[i].tag) != PTYP_ERROR_CODE)
			continue;
		out->values[i].flag = MAPI_FLAG_ERROR;
		out->flagged = 1;
	}
	return 0;
}

/* Rows of those columns; of what the first row has where none were asked for. */
static int take_rows(struct mapihttp_request *q, const struct PropertyRowSet_r *set,
                     const struct PropertyTagArray_r *asked, struct mapi_book_rows *out)
{
	struct arena *arena = q->call->arena;
	const struct PropertyTagArray_r *tags = asked;
	struct PropertyTagArray_r usual = {nspi_default_tag_count, (uint32_t *)(uintptr_t)nspi_default_tags};
	if (!tags)
		tags = &usual;
	if (tags->cValues > UINT16_MAX)
		return MW_E_LIMIT;
	out->column_count = tags->cValues;
	out->columns = tags->aulPropTag;
	out->row_count = set->cRows;
	out->rows = arena_new_array(arena, struct mapi_row, set->cRows);
	int r = out->rows ? 0 : MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < set->cRows; i++)
		r = take_book_row(arena, &set->aRow[i], &out->rows[i]);
	return r;
}

static int take_list(struct mapihttp_request *q, const struct PropertyRow_r *row,
                     struct AddressBookPropertyValueList *out)
{
	out->PropertyValueCount = row->cValues;
	return take_row(q->call->arena, row, &out->PropertyValues);
}

/* ---- Restrictions ---- */

static int put_restriction(struct arena *arena, const struct mapi_restriction *in, struct Restriction_r *out);

static int put_children(struct arena *arena, const struct mapi_restriction *in, uint32_t count,
                        struct Restriction_r **out)
{
	struct Restriction_r *list = arena_new_array(arena, struct Restriction_r, count);
	int r = list ? 0 : MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = put_restriction(arena, &in->children[i], &list[i]);
	if (r == 0)
		*out = list;
	return r;
}

static int put_value(struct arena *arena, const struct mapi_value *in, struct PropertyValue_r **out)
{
	*out = arena_new_of(arena, struct PropertyValue_r);
	return *out ? mapi_book_put_value(arena, in, *out) : MW_E_NOMEM;
}

/* The decoder has bounded the depth. */
static int put_restriction(struct arena *arena, const struct mapi_restriction *in, struct Restriction_r *out)
{
	out->rt = in->type;
	switch (in->type) {
	case MAPI_RES_AND:
	case MAPI_RES_OR: /* both lie alike */
		out->res.resAnd.cRes = in->count;
		return put_children(arena, in, in->count, &out->res.resAnd.lpRes);
	case MAPI_RES_NOT:
		return put_children(arena, in, 1, &out->res.resNot.lpRes);
	case MAPI_RES_CONTENT:
		out->res.resContent.ulFuzzyLevel = (uint32_t)in->fuzzy_high << 16 | in->fuzzy_low;
		out->res.resContent.ulPropTag = in->tag;
		return put_value(arena, in->values, &out->res.resContent.lpProp);
	case MAPI_RES_PROPERTY:
		out->res.resProperty.relop = in->relop;
		out->res.resProperty.ulPropTag = in->tag;
		return put_value(arena, in->values, &out->res.resProperty.lpProp);
	case MAPI_RES_COMPARE_PROPS:
		out->res.resCompareProps.relop = in->relop;
		out->res.resCompareProps.ulPropTag1 = in->tag;
		out->res.resCompareProps.ulPropTag2 = in->tag2;
		return 0;
	case MAPI_RES_BITMASK:
		out->res.resBitMask.relBMR = in->relop;
		out->res.resBitMask.ulPropTag = in->tag;
		out->res.resBitMask.ulMask = in->mask;
		return 0;
	case MAPI_RES_SIZE:
		out->res.resSize.relop = in->relop;
		out->res.resSize.ulPropTag = in->tag;
		out->res.resSize.cb = in->size;
		return 0;
	case MAPI_RES_EXIST:
		out->res.resExist.ulPropTag = in->tag;
		return 0;
	case MAPI_RES_SUB_OBJECT:
		out->res.resSubRestriction.ulSubObject = in->tag;
		return put_children(arena, in, 1, &out->res.resSubRestriction.lpRes);
	default:
		return MW_E_UNSUPPORTED;
	}
}

/* ---- The request types ---- */

int mapihttp_fill_bind(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookBindRequest *b = (const struct BookBindRequest *)body;
	struct NspiBind_args *a = (struct NspiBind_args *)args;
	a->dwFlags = b->Flags;
	a->pStat = stat_of(&b->State);
	a->pServerGuid = arena_new_of(q->call->arena, struct FlatUID_r);
	return a->pServerGuid ? 0 : MW_E_NOMEM;
}

int mapihttp_answer_bind(struct mapihttp_request *q, void *args)
{
	const struct NspiBind_args *a = (const struct NspiBind_args *)args;
	struct BookBindResponse r = {.ErrorCode = (uint32_t)a->ReturnValue};
	q->context->handle = a->contextHandle;
	q->context->ended = a->ReturnValue != 0;
	if (a->pServerGuid)
		memcpy(&r.ServerGuid, a->pServerGuid->ab, sizeof r.ServerGuid);
	return mapihttp_put(q, &BookBindResponse_type, &r);
}

int mapihttp_fill_unbind(struct mapihttp_request *q, void *args, const void *body)
{
	(void)body;
	((struct NspiUnbind_args *)args)->contextHandle = q->context->handle;
	return 0;
}

int mapihttp_answer_unbind(struct mapihttp_request *q, void *args)
{
	const struct MapiPlainResponse r = {.ErrorCode = (uint32_t)((struct NspiUnbind_args *)args)->ReturnValue};
	return mapihttp_put(q, &MapiPlainResponse_type, &r);
}

int mapihttp_fill_compare(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookCompareMinIdsRequest *b = (const struct BookCompareMinIdsRequest *)body;
	struct NspiCompareMIds_args *a = (struct NspiCompareMIds_args *)args;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->MId1 = b->MinimalId1;
	a->MId2 = b->MinimalId2;
	return 0;
}

int mapihttp_answer_compare(struct mapihttp_request *q, void *args)
{
	const struct NspiCompareMIds_args *a = (const struct NspiCompareMIds_args *)args;
	const struct BookCompareMinIdsResponse r = {.ErrorCode = (uint32_t)a->ReturnValue,
	                                            .Result = (uint32_t)a->plResult};
	return mapihttp_put(q, &BookCompareMinIdsResponse_type, &r);
}

int mapihttp_fill_dn_to_min_id(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookDnToMinIdRequest *b = (const struct BookDnToMinIdRequest *)body;
	struct NspiDNToMId_args *a = (struct NspiDNToMId_args *)args;
	a->hRpc = q->context->handle;
	a->pNames.Count = b->HasNames ? b->NameCount : 0;
	a->pNames.Strings = b->NameValues;
	return 0;
}

int mapihttp_answer_dn_to_min_id(struct mapihttp_request *q, void *args)
{
	const struct NspiDNToMId_args *a = (const struct NspiDNToMId_args *)args;
	struct BookMinimalIdsResponse r = {.ErrorCode = (uint32_t)a->ReturnValue,
	                                   .HasMinimalIds = a->ppOutMIds != NULL};
	if (a->ppOutMIds) {
		r.MinimalIdCount = a->ppOutMIds->cValues;
		r.MinimalIds = a->ppOutMIds->aulPropTag;
	}
	return mapihttp_put(q, &BookMinimalIdsResponse_type, &r);
}

int mapihttp_fill_matches(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookGetMatchesRequest *b = (const struct BookGetMatchesRequest *)body;
	struct NspiGetMatches_args *a = (struct NspiGetMatches_args *)args;
	struct arena *arena = q->call->arena;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->ulRequested = b->RowCount;
	a->pPropTags = columns(q, b->HasColumns, &b->Columns);
	if (!b->HasFilter)
		return 0;
	a->Filter = arena_new_of(arena, struct Restriction_r);
	return a->Filter ? put_restriction(arena, b->Filter, a->Filter) : MW_E_NOMEM;
}

int mapihttp_answer_matches(struct mapihttp_request *q, void *args)
{
	const struct NspiGetMatches_args *a = (const struct NspiGetMatches_args *)args;
	struct BookGetMatchesResponse r = {
	        .ErrorCode = (uint32_t)a->ReturnValue, .HasState = 1, .State = book_stat(&a->pStat)};
	if (a->ppOutMIds) {
		r.HasMinimalIds = 1;
		r.MinimalIdCount = a->ppOutMIds->cValues;
		r.MinimalIds = a->ppOutMIds->aulPropTag;
	}
	r.HasColumnsAndRows = a->ppRows != NULL;
	int e = a->ppRows ? take_rows(q, a->ppRows, a->pPropTags, &r.Rows) : 0;
	return e < 0 ? e : mapihttp_put(q, &BookGetMatchesResponse_type, &r);
}

int mapihttp_fill_prop_list(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookGetPropListRequest *b = (const struct BookGetPropListRequest *)body;
	struct NspiGetPropList_args *a = (struct NspiGetPropList_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->dwMId = b->MinimalId;
	a->CodePage = b->CodePage;
	return 0;
}

static int put_tags(struct mapihttp_request *q, int32_t status, const struct PropertyTagArray_r *tags)
{
	struct BookTagsResponse r = {.ErrorCode = (uint32_t)status, .HasColumns = tags != NULL};
	if (tags)
		r.Columns = (struct LargePropertyTagArray){tags->cValues, tags->aulPropTag};
	return mapihttp_put(q, &BookTagsResponse_type, &r);
}

int mapihttp_answer_prop_list(struct mapihttp_request *q, void *args)
{
	const struct NspiGetPropList_args *a = (const struct NspiGetPropList_args *)args;
	return put_tags(q, a->ReturnValue, a->ppPropTags);
}

int mapihttp_fill_props(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookGetPropsRequest *b = (const struct BookGetPropsRequest *)body;
	struct NspiGetProps_args *a = (struct NspiGetProps_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->pStat = stat_of(&b->State);
	a->pPropTags = columns(q, b->HasPropertyTags, &b->PropertyTags);
	return 0;
}

static int put_values(struct mapihttp_request *q, int32_t status, uint32_t code_page, const struct PropertyRow_r *row)
{
	struct BookValuesResponse r = {
	        .ErrorCode = (uint32_t)status, .CodePage = code_page, .HasPropertyValues = row != NULL};
	int e = row ? take_list(q, row, &r.PropertyValues) : 0;
	return e < 0 ? e : mapihttp_put(q, &BookValuesResponse_type, &r);
}

int mapihttp_answer_props(struct mapihttp_request *q, void *args)
{
	const struct NspiGetProps_args *a = (const struct NspiGetProps_args *)args;
	return put_values(q, a->ReturnValue, a->pStat.CodePage, a->ppRows);
}

int mapihttp_fill_special_table(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookGetSpecialTableRequest *b = (const struct BookGetSpecialTableRequest *)body;
	struct NspiGetSpecialTable_args *a = (struct NspiGetSpecialTable_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->pStat = stat_of(&b->State);
	a->lpVersion = b->Version;
	return 0;
}

int mapihttp_answer_special_table(struct mapihttp_request *q, void *args)
{
	const struct NspiGetSpecialTable_args *a = (const struct NspiGetSpecialTable_args *)args;
	struct BookGetSpecialTableResponse r = {.ErrorCode = (uint32_t)a->ReturnValue,
	                                        .CodePage = a->pStat.CodePage,
	                                        .HasVersion = 1,
	                                        .Version = a->lpVersion,
	                                        .HasRows = a->ppRows != NULL};
	int e = 0;
	if (a->ppRows) {
		r.RowsCount = a->ppRows->cRows;
		r.Rows = arena_new_array(q->call->arena, struct AddressBookPropertyValueList, r.RowsCount);
		e = r.Rows ? 0 : MW_E_NOMEM;
	}
	for (uint32_t i = 0; e == 0 && i < r.RowsCount; i++)
		e = take_list(q, &a->ppRows->aRow[i], &r.Rows[i]);
	return e < 0 ? e : mapihttp_put(q, &BookGetSpecialTableResponse_type, &r);
}

int mapihttp_fill_template(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookGetTemplateInfoRequest *b = (const struct BookGetTemplateInfoRequest *)body;
	struct NspiGetTemplateInfo_args *a = (struct NspiGetTemplateInfo_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->ulType = b->DisplayType;
	a->pDN = b->TemplateDn;
	a->dwCodePage = b->CodePage;
	a->dwLocaleID = b->LocaleId;
	return 0;
}

int mapihttp_answer_template(struct mapihttp_request *q, void *args)
{
	const struct NspiGetTemplateInfo_args *a = (const struct NspiGetTemplateInfo_args *)args;
	return put_values(q, a->ReturnValue, a->dwCodePage, a->ppData);
}

int mapihttp_fill_mod_link(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookModLinkAttRequest *b = (const struct BookModLinkAttRequest *)body;
	struct NspiModLinkAtt_args *a = (struct NspiModLinkAtt_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->ulPropTag = b->PropertyTag;
	a->dwMId = b->MinimalId;
	a->lpEntryIds.cValues = b->HasEntryIds ? b->EntryIdCount : 0;
	a->lpEntryIds.lpbin = arena_new_array(q->call->arena, struct Binary_r, a->lpEntryIds.cValues);
	if (!a->lpEntryIds.lpbin)
		return MW_E_NOMEM;
	for (uint32_t i = 0; i < a->lpEntryIds.cValues; i++)
		a->lpEntryIds.lpbin[i] =
		        (struct Binary_r){.cb = b->EntryIds[i].EntryIdSize, .lpb = b->EntryIds[i].EntryId};
	return 0;
}

int mapihttp_answer_mod_link(struct mapihttp_request *q, void *args)
{
	const struct MapiPlainResponse r = {.ErrorCode = (uint32_t)((struct NspiModLinkAtt_args *)args)->ReturnValue};
	return mapihttp_put(q, &MapiPlainResponse_type, &r);
}

int mapihttp_fill_mod_props(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookModPropsRequest *b = (const struct BookModPropsRequest *)body;
	struct NspiModProps_args *a = (struct NspiModProps_args *)args;
	struct arena *arena = q->call->arena;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->pPropTags = columns(q, b->HasPropertyTags, &b->PropertyTags);
	a->pRow.cValues = b->HasPropertyValues ? b->PropertyValues.PropertyValueCount : 0;
	a->pRow.lpProps = arena_new_array(arena, struct PropertyValue_r, a->pRow.cValues);
	int r = a->pRow.lpProps ? 0 : MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < a->pRow.cValues; i++)
		r = mapi_book_put_value(arena, &b->PropertyValues.PropertyValues[i], &a->pRow.lpProps[i]);
	return r;
}

int mapihttp_answer_mod_props(struct mapihttp_request *q, void *args)
{
	const struct MapiPlainResponse r = {.ErrorCode = (uint32_t)((struct NspiModProps_args *)args)->ReturnValue};
	return mapihttp_put(q, &MapiPlainResponse_type, &r);
}

int mapihttp_fill_query_columns(struct mapihttp_request *q, void *args, const void *body)
{
	struct NspiQueryColumns_args *a = (struct NspiQueryColumns_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = ((const struct BookQueryColumnsRequest *)body)->MapiFlags;
	return 0;
}

int mapihttp_answer_query_columns(struct mapihttp_request *q, void *args)
{
	const struct NspiQueryColumns_args *a = (const struct NspiQueryColumns_args *)args;
	return put_tags(q, a->ReturnValue, a->ppColumns);
}

int mapihttp_fill_query_rows(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookQueryRowsRequest *b = (const struct BookQueryRowsRequest *)body;
	struct NspiQueryRows_args *a = (struct NspiQueryRows_args *)args;
	a->hRpc = q->context->handle;
	a->dwFlags = b->Flags;
	a->pStat = stat_of(&b->State);
	a->dwETableCount = b->ExplicitTableCount;
	a->lpETable = b->ExplicitTableCount ? b->ExplicitTable : NULL;
	a->Count = b->RowCount;
	a->pPropTags = columns(q, b->HasColumns, &b->Columns);
	return 0;
}

static int put_rows(struct mapihttp_request *q, int32_t status, const struct STAT *state,
                    const struct PropertyRowSet_r *set, const struct PropertyTagArray_r *tags)
{
	struct BookRowsResponse r = {.ErrorCode = (uint32_t)status,
	                             .HasState = 1,
	                             .State = book_stat(state),
	                             .HasColumnsAndRows = set != NULL};
	int e = set ? take_rows(q, set, tags, &r.Rows) : 0;
	return e < 0 ? e : mapihttp_put(q, &BookRowsResponse_type, &r);
}

int mapihttp_answer_query_rows(struct mapihttp_request *q, void *args)
{
	const struct NspiQueryRows_args *a = (const struct NspiQueryRows_args *)args;
	return put_rows(q, a->ReturnValue, &a->pStat, a->ppRows, a->pPropTags);
}

int mapihttp_fill_resolve(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookResolveNamesRequest *b = (const struct BookResolveNamesRequest *)body;
	struct NspiResolveNamesW_args *a = (struct NspiResolveNamesW_args *)args;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->pPropTags = columns(q, b->HasPropertyTags, &b->PropertyTags);
	a->paWStr.Count = b->HasNames ? b->NameCount : 0;
	a->paWStr.Strings = b->NameValues;
	return 0;
}

int mapihttp_answer_resolve(struct mapihttp_request *q, void *args)
{
	const struct NspiResolveNamesW_args *a = (const struct NspiResolveNamesW_args *)args;
	struct BookResolveNamesResponse r = {.ErrorCode = (uint32_t)a->ReturnValue, .CodePage = a->pStat.CodePage};
	if (a->ppMIds) {
		r.HasMinimalIds = 1;
		r.MinimalIdCount = a->ppMIds->cValues;
		r.MinimalIds = a->ppMIds->aulPropTag;
	}
	r.HasRowsAndColumns = a->ppRows != NULL;
	int e = a->ppRows ? take_rows(q, a->ppRows, a->pPropTags, &r.Rows) : 0;
	return e < 0 ? e : mapihttp_put(q, &BookResolveNamesResponse_type, &r);
}

int mapihttp_fill_resort(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookResortRestrictionRequest *b = (const struct BookResortRestrictionRequest *)body;
	struct NspiResortRestriction_args *a = (struct NspiResortRestriction_args *)args;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->pInMIds.cValues = b->HasMinimalIds ? b->MinimalIdCount : 0;
	a->pInMIds.aulPropTag = b->MinimalIds;
	return 0;
}

int mapihttp_answer_resort(struct mapihttp_request *q, void *args)
{
	const struct NspiResortRestriction_args *a = (const struct NspiResortRestriction_args *)args;
	struct BookResortRestrictionResponse r = {
	        .ErrorCode = (uint32_t)a->ReturnValue, .HasState = 1, .State = book_stat(&a->pStat)};
	if (a->ppOutMIds) {
		r.HasMinimalIds = 1;
		r.MinimalIdCount = a->ppOutMIds->cValues;
		r.MinimalIds = a->ppOutMIds->aulPropTag;
	}
	return mapihttp_put(q, &BookResortRestrictionResponse_type, &r);
}

int mapihttp_fill_seek(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookSeekEntriesRequest *b = (const struct BookSeekEntriesRequest *)body;
	struct NspiSeekEntries_args *a = (struct NspiSeekEntries_args *)args;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	a->lpETable = tag_array(q, b->HasExplicitTable, b->ExplicitTableCount, b->ExplicitTable);
	a->pPropTags = columns(q, b->HasColumns, &b->Columns);
	return b->HasTarget ? mapi_book_put_value(q->call->arena, &b->Target, &a->pTarget) : MW_E_INVALID;
}

int mapihttp_answer_seek(struct mapihttp_request *q, void *args)
{
	const struct NspiSeekEntries_args *a = (const struct NspiSeekEntries_args *)args;
	return put_rows(q, a->ReturnValue, &a->pStat, a->ppRows, a->pPropTags);
}

int mapihttp_fill_update_stat(struct mapihttp_request *q, void *args, const void *body)
{
	const struct BookUpdateStatRequest *b = (const struct BookUpdateStatRequest *)body;
	struct NspiUpdateStat_args *a = (struct NspiUpdateStat_args *)args;
	a->hRpc = q->context->handle;
	a->pStat = stat_of(&b->State);
	if (!b->DeltaRequested)
		return 0;
	a->plDelta = arena_new_of(q->call->arena, int32_t);
	return a->plDelta ? 0 : MW_E_NOMEM;
}

int mapihttp_answer_update_stat(struct mapihttp_request *q, void *args)
{
	const struct NspiUpdateStat_args *a = (const struct NspiUpdateStat_args *)args;
	struct BookUpdateStatResponse r = {
	        .ErrorCode = (uint32_t)a->ReturnValue, .HasState = 1, .State = book_stat(&a->pStat)};
	r.HasDelta = a->plDelta != NULL;
	r.Delta = a->plDelta ? *a->plDelta : 0;
	return mapihttp_put(q, &BookUpdateStatResponse_type, &r);
}

/* ---- URLs, 2.2.5.18 and 2.2.5.19: what the referral service tells by RPC ---- */

int mapihttp_fill_url(struct mapihttp_request *q, void *args, const void *body)
{
	(void)q;
	(void)body;
	((struct RfrGetFQDNFromServerDN_args *)args)->szMailboxServerDN = (char *)(uintptr_t) "";
	return 0;
}

static int put_url(struct mapihttp_request *q, const struct RfrGetFQDNFromServerDN_args *a, const char *path)
{
	const struct server *server = q->loop->server;
	uint16_t port = server->ports[SERVER_PORT_HTTPS];
	struct arena *arena = q->call->arena;
	struct BookUrlResponse r = {.ErrorCode = (uint32_t)a->ReturnValue};
	const char *url = port && port != 443 ? arena_printf(arena, "https://%s:%u%s", a->ppszServerFQDN, port, path)
	                                      : arena_printf(arena, "https://%s%s", a->ppszServerFQDN, path);
	size_t units;
	r.ServerUrl = url ? utf8_to_utf16(arena, url, &units) : NULL;
	return r.ServerUrl ? mapihttp_put(q, &BookUrlResponse_type, &r) : MW_E_NOMEM;
}

int mapihttp_answer_mailbox_url(struct mapihttp_request *q, void *args)
{
	return put_url(q, (const struct RfrGetFQDNFromServerDN_args *)args, "/mapi/emsmdb/");
}

int mapihttp_answer_book_url(struct mapihttp_request *q, void *args)
{
	return put_url(q, (const struct RfrGetFQDNFromServerDN_args *)args, "/mapi/nspi/");
}
