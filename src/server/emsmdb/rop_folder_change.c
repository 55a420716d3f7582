#include "server/emsmdb/rops.h"

#include "store/search.h"

/* Folders made and deleted, and what is in them: [MS-OXCFOLD]. What is deleted is gone for good: there is no store of
 * soft-deleted things. */

#define FOLDER_GENERIC 1 /* FolderType, [MS-OXCFOLD] 2.2.1.2.1 */
#define FOLDER_SEARCH 2
#define DELETE_FLAGS (STORE_DELETE_MESSAGES | STORE_DELETE_FOLDERS | 0x10) /* DELETE_HARD_DELETE */

char *rop_text(struct rop_call *rop, const uint16_t *wide, const char *narrow)
{
	struct mapi_value v = {.tag = MAPI_TAG(0, PTYP_STRING8), .u.str8 = (char *)narrow};
	if (wide)
		return utf16_to_utf8(rop->arena, wide, utf16_len(wide));
	return narrow ? mapi_value_utf8(rop->arena, &v, rop->session->code_page) : arena_strdup(rop->arena, "");
}

static int set_comment(struct rop_call *rop, uint64_t folder, const char *comment)
{
	struct mapi_value v;
	uint64_t ticket;
	int r = *comment ? mapi_text(rop->arena, PidTagComment, comment, 0, &v) : 0;
	if (r < 0 || !*comment)
		return r;
	r = store_folder_set(rop_store(rop), folder, &v, 1, rop->now, NULL, &ticket);
	if (r == 0)
		rop_promise(rop, ticket);
	return r;
}

static int create_or_open(struct rop_call *rop, const struct RopCreateFolderRequest *q, uint64_t *folder)
{
	const char *name = rop_text(rop, q->DisplayName, q->DisplayNameString8);
	const char *comment = rop_text(rop, q->Comment, q->CommentString8);
	uint64_t ticket = 0;
	if (!name || !comment)
		return MW_E_NOMEM;
	struct store_mailbox *m = rop_store(rop);
	int r = q->FolderType == FOLDER_SEARCH
	                ? store_search_create(m, rop->in->u.folder, name, rop->now, folder, &ticket)
	                : store_folder_create(m, rop->in->u.folder, name, NULL, rop->now, folder, &ticket);
	if (r == MW_E_EXISTS && q->OpenExisting)
		return 0;
	if (r < 0)
		return r;
	rop_promise(rop, ticket);
	return set_comment(rop, *folder, comment);
}

/* [MS-OXCFOLD] 3.2.5.2. IsExistingFolder is for public folders alone, 2.2.1.2.2. */
uint32_t rop_create_folder(struct rop_call *rop)
{
	const struct RopCreateFolderRequest *q = (const struct RopCreateFolderRequest *)rop->request;
	struct RopCreateFolderResponse *a = (struct RopCreateFolderResponse *)rop->response;
	struct emsmdb_object *o;
	if (q->FolderType != FOLDER_GENERIC && q->FolderType != FOLDER_SEARCH)
		return ecInvalidParam;
	int r = emsmdb_object_new(rop->session, EMSMDB_FOLDER, rop->logon, &o);
	if (r < 0)
		return rop_status(rop, r);
	r = create_or_open(rop, q, &o->u.folder);
	if (r < 0) {
		emsmdb_object_release(o);
		return r == MW_E_UNSUPPORTED ? ecSearchFolder : rop_status(rop, r);
	}
	a->FolderId = o->u.folder;
	rop_put_handle(rop, o);
	return 0;
}

/* [MS-OXCFOLD] 3.2.5.3 */
uint32_t rop_delete_folder(struct rop_call *rop)
{
	const struct RopDeleteFolderRequest *q = (const struct RopDeleteFolderRequest *)rop->request;
	struct RopDeleteFolderResponse *a = (struct RopDeleteFolderResponse *)rop->response;
	struct store_folder_info info;
	bool partial = false;
	uint64_t ticket = 0;
	if (q->DeleteFolderFlags & ~DELETE_FLAGS)
		return ecInvalidParam;
	int r = store_folder_info(rop_store(rop), q->FolderId, &info);
	if (r == 0 && info.parent == 0)
		return ecRootFolder;
	if (r == 0 && info.parent != rop->in->u.folder)
		r = MW_E_NOTFOUND;
	if (r == 0)
		r = store_folder_delete(rop_store(rop), q->FolderId, q->DeleteFolderFlags, rop->now, &partial, &ticket);
	rop_promise(rop, ticket);
	a->PartialCompletion = r < 0 ? ticket != 0 : partial;
	return r < 0 ? rop_status(rop, r) : 0;
}

static uint32_t empty(struct rop_call *rop, bool associated, uint8_t *partial_out)
{
	bool partial = false;
	uint64_t ticket = 0;
	int r = store_folder_empty(rop_store(rop), rop->in->u.folder, associated, rop->now, &partial, &ticket);
	rop_promise(rop, ticket);
	*partial_out = r < 0 ? ticket != 0 : partial;
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXCFOLD] 3.2.5.9 */
uint32_t rop_empty_folder(struct rop_call *rop)
{
	const struct RopEmptyFolderRequest *q = (const struct RopEmptyFolderRequest *)rop->request;
	return empty(rop, q->WantDeleteAssociated,
	             &((struct RopEmptyFolderResponse *)rop->response)->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.10 */
uint32_t rop_hard_delete_messages_and_subfolders(struct rop_call *rop)
{
	const struct RopHardDeleteMessagesAndSubfoldersRequest *q =
	        (const struct RopHardDeleteMessagesAndSubfoldersRequest *)rop->request;
	return empty(rop, q->WantDeleteAssociated,
	             &((struct RopHardDeleteMessagesAndSubfoldersResponse *)rop->response)->PartialCompletion);
}

/* What cannot be deleted stays, and the others go. */
static uint32_t delete_all(struct rop_call *rop, const uint64_t *ids, unsigned count, uint8_t *partial)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t ticket = 0;
		int r = rop_may(rop, rop->in->u.folder, ids[i], STORE_ACCESS_DELETE)
		                ? store_message_delete(rop_store(rop), rop->in->u.folder, ids[i], rop->now, &ticket)
		                : MW_E_STATE;
		if (r == MW_E_IO || r == MW_E_NOMEM) {
			*partial = i > 0;
			return rop_status(rop, r);
		}
		*partial |= r < 0;
		rop_promise(rop, ticket);
	}
	return 0;
}

/* [MS-OXCFOLD] 3.2.5.11 */
uint32_t rop_delete_messages(struct rop_call *rop)
{
	const struct RopDeleteMessagesRequest *q = (const struct RopDeleteMessagesRequest *)rop->request;
	return delete_all(rop, q->MessageIds, q->MessageIdCount,
	                  &((struct RopDeleteMessagesResponse *)rop->response)->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.12 */
uint32_t rop_hard_delete_messages(struct rop_call *rop)
{
	const struct RopHardDeleteMessagesRequest *q = (const struct RopHardDeleteMessagesRequest *)rop->request;
	return delete_all(rop, q->MessageIds, q->MessageIdCount,
	                  &((struct RopHardDeleteMessagesResponse *)rop->response)->PartialCompletion);
}
