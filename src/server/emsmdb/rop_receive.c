#include "server/emsmdb/rops.h"

/* Receive folders: [MS-OXCSTOR]. */

/* [MS-OXCSTOR] 3.2.5.2 */
uint32_t rop_get_receive_folder(struct rop_call *rop)
{
	const struct RopGetReceiveFolderRequest *q = (const struct RopGetReceiveFolderRequest *)rop->request;
	struct RopGetReceiveFolderResponse *a = (struct RopGetReceiveFolderResponse *)rop->response;
	int r = store_receive_folder(rop_store(rop), rop->arena, q->MessageClass ? q->MessageClass : "", &a->FolderId,
	                             &a->ExplicitMessageClass);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCSTOR] 3.2.5.3 */
uint32_t rop_set_receive_folder(struct rop_call *rop)
{
	const struct RopSetReceiveFolderRequest *q = (const struct RopSetReceiveFolderRequest *)rop->request;
	const char *class = q->MessageClass ? q->MessageClass : "";
	uint64_t ticket = 0;
	if (!*class && q->FolderId == 0)
		return ecError;
	int r = store_set_receive_folder(rop_store(rop), class, q->FolderId, &ticket);
	rop_promise(rop, ticket);
	return r < 0 ? rop_status(rop, r) : 0;
}

/* The columns are fixed, 2.2.1.4.2; when a row was changed is not kept. */
static int fill_row(struct arena *arena, const struct store_receive *r, struct mapi_row *out)
{
	struct mapi_value *values = arena_new_array(arena, struct mapi_value, 3);
	if (!values)
		return MW_E_NOMEM;
	values[0] = mapi_i64(PidTagFolderId, (int64_t)r->folder);
	values[1] =
	        (struct mapi_value){.tag = mapi_tag_as(PidTagMessageClass, PTYP_STRING8), .u.str8 = r->message_class};
	values[2] = mapi_error(PidTagLastModificationTime, ecNotFound);
	*out = mapi_row_of(values, 3);
	return 0;
}

/* [MS-OXCSTOR] 3.2.5.4 */
uint32_t rop_get_receive_folder_table(struct rop_call *rop)
{
	struct RopGetReceiveFolderTableResponse *a = (struct RopGetReceiveFolderTableResponse *)rop->response;
	struct store_receive *rows;
	size_t count;
	int r = store_receive_folders(rop_store(rop), rop->arena, &rows, &count);
	if (r == 0 && !(a->Rows = arena_new_array(rop->arena, struct mapi_row, count)))
		r = MW_E_NOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = fill_row(rop->arena, &rows[i], &a->Rows[i]);
	if (r < 0)
		return rop_status(rop, r);
	a->RowCount = (uint32_t)count;
	return count ? 0 : ecNoReceiveFolder;
}
