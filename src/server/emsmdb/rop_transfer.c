#include "server/emsmdb/work.h"

/* Messages and folders that go elsewhere: [MS-OXCFOLD] 2.2.1.6 to 2.2.1.8. */

struct emsmdb_object *rop_destination(const struct rop_call *rop, uint8_t index, unsigned kinds)
{
	struct emsmdb_object *o =
	        index < rop->handle_count ? emsmdb_object_find(rop->session, rop->handles[index]) : NULL;
	return o && o->kind & kinds ? o : NULL;
}

static int transfer(struct rop_work *w, uint64_t message)
{
	struct rop_call *rop = &w->call;
	bool copy = w->flags != 0;
	uint64_t id, ticket = 0;
	if (!rop_may(rop, rop->in->u.folder, message, STORE_ACCESS_READ | (copy ? 0 : STORE_ACCESS_DELETE)))
		return MW_E_STATE;
	int r = (copy ? store_message_copy : store_message_move)(rop_store(rop), rop->in->u.folder, message, w->to,
	                                                         rop->now, &id, &ticket);
	rop_promise(rop, ticket);
	return r;
}

/* [MS-OXCFOLD] 3.2.5.6 */
uint32_t rop_move_copy_messages(struct rop_call *rop)
{
	const struct RopMoveCopyMessagesRequest *q = (const struct RopMoveCopyMessagesRequest *)rop->request;
	struct RopMoveCopyMessagesResponse *a = (struct RopMoveCopyMessagesResponse *)rop->response;
	const struct emsmdb_object *to = rop_destination(rop, q->DestHandleIndex, EMSMDB_FOLDER);
	if (!to) {
		a->DestHandleIndex = q->DestHandleIndex;
		return ecDstNullObject;
	}
	struct rop_work *w = rop_work_new(rop, q->MessageIds, q->MessageIdCount,
	                                  offsetof(struct RopMoveCopyMessagesResponse, PartialCompletion));
	if (!w)
		return ecServerOOM;
	w->step = transfer;
	w->to = to->u.folder;
	w->flags = q->WantCopy;
	return rop_work_run(rop, w, q->WantAsynchronous);
}

static uint32_t folder_status(struct rop_call *rop, int r)
{
	return r == MW_E_INVALID ? ecMsgCycle : r < 0 ? rop_status(rop, r) : 0;
}

/* The folder of the request must be one of the source's. */
static int check_source(const struct rop_call *rop, uint64_t folder)
{
	struct store_folder_info info;
	int r = store_folder_info(rop_store(rop), folder, &info);
	return r < 0 ? r : info.parent == rop->in->u.folder ? 0 : MW_E_NOTFOUND;
}

/* [MS-OXCFOLD] 3.2.5.7 */
uint32_t rop_move_folder(struct rop_call *rop)
{
	const struct RopMoveFolderRequest *q = (const struct RopMoveFolderRequest *)rop->request;
	struct RopMoveFolderResponse *a = (struct RopMoveFolderResponse *)rop->response;
	const struct emsmdb_object *to = rop_destination(rop, q->DestHandleIndex, EMSMDB_FOLDER);
	const char *name = rop_text(rop, q->NewFolderName, q->NewFolderNameString8);
	uint64_t ticket = 0;
	if (!to) {
		a->DestHandleIndex = q->DestHandleIndex;
		return ecDstNullObject;
	}
	if (!name || !*name)
		return name ? ecInvalidParam : ecServerOOM;
	int r = check_source(rop, q->FolderId);
	if (r == 0)
		r = store_folder_move(rop_store(rop), q->FolderId, to->u.folder, name, rop->now, &ticket);
	rop_promise(rop, ticket);
	return folder_status(rop, r);
}

/* [MS-OXCFOLD] 3.2.5.8 */
uint32_t rop_copy_folder(struct rop_call *rop)
{
	const struct RopCopyFolderRequest *q = (const struct RopCopyFolderRequest *)rop->request;
	struct RopCopyFolderResponse *a = (struct RopCopyFolderResponse *)rop->response;
	const struct emsmdb_object *to = rop_destination(rop, q->DestHandleIndex, EMSMDB_FOLDER);
	const char *name = rop_text(rop, q->NewFolderName, q->NewFolderNameString8);
	uint64_t ticket = 0;
	bool partial = false;
	if (!to) {
		a->DestHandleIndex = q->DestHandleIndex;
		return ecDstNullObject;
	}
	if (!name || !*name)
		return name ? ecInvalidParam : ecServerOOM;
	int r = check_source(rop, q->FolderId);
	if (r == 0)
		r = store_folder_copy(rop_store(rop), q->FolderId, to->u.folder, name, q->WantRecursive, rop->now,
		                      &partial, &ticket);
	rop_promise(rop, ticket);
	a->PartialCompletion = r < 0 ? ticket != 0 : partial;
	return folder_status(rop, r);
}
