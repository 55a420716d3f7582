#include "client/mapi.h"

#include "mapi/book_value.h"
#include "mapi/status.h"
#include "wire/mapihttp.h"
#include "wire/nspi.h"

#include <stddef.h>
#include <string.h>

/* The address book's methods as request types, [MS-OXCMAPIHTTP] 2.2.5: those that the library calls. */

_Static_assert(sizeof(struct STAT) == sizeof(struct BookStat), "the same nine fields");

static struct BookStat book_stat(const struct STAT *s)
{
	struct BookStat b;
	memcpy(&b, s, sizeof b);
	return b;
}

static void take_stat(bool has, const struct BookStat *b, struct STAT *out)
{
	if (has)
		memcpy(out, b, sizeof *out);
}

static struct LargePropertyTagArray columns_of(const struct PropertyTagArray_r *tags)
{
	return tags ? (struct LargePropertyTagArray){tags->cValues, tags->aulPropTag}
	            : (struct LargePropertyTagArray){0};
}

/* ---- Rows ---- */

static int put_row(struct arena *arena, const struct mapi_value *const *values, uint32_t count,
                   struct PropertyRow_r *out)
{
	struct PropertyValue_r *list = arena_new_array(arena, struct PropertyValue_r, count);
	int r = list ? 0 : MW_E_NOMEM;
	for (uint32_t i = 0; r == 0 && i < count; i++) {
		r = mapi_book_put_value(arena, values[i], &list[i]);
		if (r != MW_E_UNSUPPORTED)
			continue;
		list[i] = (struct PropertyValue_r){.ulPropTag = mapi_tag_as(values[i]->tag, PTYP_NULL)};
		r = 0;
	}
	if (r == 0)
		*out = (struct PropertyRow_r){.cValues = count, .lpProps = list};
	return r;
}

/* The value of an asked property, whatever column it came in. */
static int find_value(struct arena *arena, const struct mapi_book_rows *rows, const struct mapi_row *row, uint32_t tag,
                      const struct mapi_value **out)
{
	for (uint32_t i = 0; i < rows->column_count && i < row->count; i++)
		if (mapi_tag_id(rows->columns[i]) == mapi_tag_id(tag) && row->values[i].flag != MAPI_FLAG_ABSENT) {
			*out = &row->values[i];
			return 0;
		}
	struct mapi_value *none = arena_new_of(arena, struct mapi_value);
	if (!none)
		return MW_E_NOMEM;
	*none = mapi_error(tag, ecNotFound);
	*out = none;
	return 0;
}

/* Rows of those columns in their order, as NSPI answers. */
static int take_rows(struct arena *arena, const struct mapi_book_rows *rows, const struct PropertyTagArray_r *asked,
                     struct PropertyRowSet_r **out)
{
	struct PropertyRowSet_r *set = arena_new_of(arena, struct PropertyRowSet_r);
	uint32_t count = asked ? asked->cValues : rows->column_count;
	const uint32_t *tags = asked ? asked->aulPropTag : rows->columns;
	const struct mapi_value **values = arena_new_array(arena, const struct mapi_value *, count);
	if (!set || !values || (set->aRow = arena_new_array(arena, struct PropertyRow_r, rows->row_count)) == NULL)
		return MW_E_NOMEM;
	set->cRows = rows->row_count;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < rows->row_count; i++) {
		for (uint32_t k = 0; r == 0 && k < count; k++)
			r = find_value(arena, rows, &rows->rows[i], tags[k], &values[k]);
		if (r == 0)
			r = put_row(arena, values, count, &set->aRow[i]);
	}
	if (r == 0)
		*out = set;
	return r;
}

static int take_list(struct arena *arena, const struct AddressBookPropertyValueList *list, struct PropertyRow_r *out)
{
	const struct mapi_value **values = arena_new_array(arena, const struct mapi_value *, list->PropertyValueCount);
	if (!values)
		return MW_E_NOMEM;
	for (uint32_t i = 0; i < list->PropertyValueCount; i++)
		values[i] = &list->PropertyValues[i];
	return put_row(arena, values, list->PropertyValueCount, out);
}

/* ---- The request types ---- */

static int fill_bind(struct arena *arena, void *body, const void *args)
{
	const struct NspiBind_args *a = (const struct NspiBind_args *)args;
	(void)arena;
	*(struct BookBindRequest *)body =
	        (struct BookBindRequest){.Flags = a->dwFlags, .HasState = 1, .State = book_stat(&a->pStat)};
	return 0;
}

static int read_bind(struct arena *arena, const void *body, void *args)
{
	struct NspiBind_args *a = (struct NspiBind_args *)args;
	const struct guid *server = &((const struct BookBindResponse *)body)->ServerGuid;
	(void)arena;
	if (a->pServerGuid)
		guid_to_bytes(server, a->pServerGuid->ab);
	a->contextHandle.uuid = (struct guid){.data1 = 0x6E737069}; /* the cookies stand for it */
	return 0;
}

static int fill_unbind(struct arena *arena, void *body, const void *args)
{
	(void)arena, (void)args;
	*(struct BookUnbindRequest *)body = (struct BookUnbindRequest){0};
	return 0;
}

static int read_unbind(struct arena *arena, const void *body, void *args)
{
	(void)arena, (void)body;
	((struct NspiUnbind_args *)args)->contextHandle = (struct idl_context_handle){0};
	return 0;
}

static int fill_special_table(struct arena *arena, void *body, const void *args)
{
	const struct NspiGetSpecialTable_args *a = (const struct NspiGetSpecialTable_args *)args;
	(void)arena;
	*(struct BookGetSpecialTableRequest *)body = (struct BookGetSpecialTableRequest){
	        .Flags = a->dwFlags,
	        .HasState = 1,
	        .State = book_stat(&a->pStat),
	        .HasVersion = 1,
	        .Version = a->lpVersion,
	};
	return 0;
}

static int read_special_table(struct arena *arena, const void *body, void *args)
{
	const struct BookGetSpecialTableResponse *b = (const struct BookGetSpecialTableResponse *)body;
	struct NspiGetSpecialTable_args *a = (struct NspiGetSpecialTable_args *)args;
	struct PropertyRowSet_r *set = arena_new_of(arena, struct PropertyRowSet_r);
	if (b->HasVersion)
		a->lpVersion = b->Version;
	if (!b->HasRows)
		return 0;
	if (!set || (set->aRow = arena_new_array(arena, struct PropertyRow_r, b->RowsCount)) == NULL)
		return MW_E_NOMEM;
	set->cRows = b->RowsCount;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < b->RowsCount; i++)
		r = take_list(arena, &b->Rows[i], &set->aRow[i]);
	if (r == 0)
		a->ppRows = set;
	return r;
}

static int fill_query_rows(struct arena *arena, void *body, const void *args)
{
	const struct NspiQueryRows_args *a = (const struct NspiQueryRows_args *)args;
	(void)arena;
	*(struct BookQueryRowsRequest *)body = (struct BookQueryRowsRequest){
	        .Flags = a->dwFlags,
	        .HasState = 1,
	        .State = book_stat(&a->pStat),
	        .ExplicitTableCount = a->lpETable ? a->dwETableCount : 0,
	        .ExplicitTable = a->lpETable,
	        .RowCount = a->Count,
	        .HasColumns = a->pPropTags != NULL,
	        .Columns = columns_of(a->pPropTags),
	};
	return 0;
}

static int read_query_rows(struct arena *arena, const void *body, void *args)
{
	const struct BookRowsResponse *b = (const struct BookRowsResponse *)body;
	struct NspiQueryRows_args *a = (struct NspiQueryRows_args *)args;
	take_stat(b->HasState, &b->State, &a->pStat);
	return b->HasColumnsAndRows ? take_rows(arena, &b->Rows, a->pPropTags, &a->ppRows) : 0;
}

static int fill_resolve(struct arena *arena, void *body, const void *args)
{
	const struct NspiResolveNamesW_args *a = (const struct NspiResolveNamesW_args *)args;
	(void)arena;
	*(struct BookResolveNamesRequest *)body = (struct BookResolveNamesRequest){
	        .HasState = 1,
	        .State = book_stat(&a->pStat),
	        .HasPropertyTags = a->pPropTags != NULL,
	        .PropertyTags = columns_of(a->pPropTags),
	        .HasNames = 1,
	        .NameCount = a->paWStr.Count,
	        .NameValues = a->paWStr.Strings,
	};
	return 0;
}

static int read_resolve(struct arena *arena, const void *body, void *args)
{
	const struct BookResolveNamesResponse *b = (const struct BookResolveNamesResponse *)body;
	struct NspiResolveNamesW_args *a = (struct NspiResolveNamesW_args *)args;
	if (b->HasMinimalIds) {
		a->ppMIds = arena_new_of(arena, struct PropertyTagArray_r);
		if (!a->ppMIds)
			return MW_E_NOMEM;
		*a->ppMIds = (struct PropertyTagArray_r){b->MinimalIdCount, b->MinimalIds};
	}
	return b->HasRowsAndColumns ? take_rows(arena, &b->Rows, a->pPropTags, &a->ppRows) : 0;
}

const struct client_mapi_type client_mapi_book_types[] = {
        {"Bind", &wire_nspi_interface, 0, true, false, CLIENT_REPEAT, &BookBindRequest_type, &BookBindResponse_type,
         offsetof(struct NspiBind_args, ReturnValue), fill_bind, read_bind},
        {"Unbind", &wire_nspi_interface, 1, false, true, CLIENT_REPEAT_NEVER, &BookUnbindRequest_type,
         &MapiPlainResponse_type, offsetof(struct NspiUnbind_args, ReturnValue), fill_unbind, read_unbind},
        {"QueryRows", &wire_nspi_interface, 3, false, false, CLIENT_REPEAT, &BookQueryRowsRequest_type,
         &BookRowsResponse_type, offsetof(struct NspiQueryRows_args, ReturnValue), fill_query_rows, read_query_rows},
        {"GetSpecialTable", &wire_nspi_interface, 12, false, false, CLIENT_REPEAT, &BookGetSpecialTableRequest_type,
         &BookGetSpecialTableResponse_type, offsetof(struct NspiGetSpecialTable_args, ReturnValue), fill_special_table,
         read_special_table},
        {"ResolveNames", &wire_nspi_interface, 20, false, false, CLIENT_REPEAT, &BookResolveNamesRequest_type,
         &BookResolveNamesResponse_type, offsetof(struct NspiResolveNamesW_args, ReturnValue), fill_resolve,
         read_resolve},
        {.interface = NULL},
};
