#include "server/emsmdb/work.h"

#include "store/deleted.h"
#include "store/search.h"

/* Folders made and deleted, and what is in them: [MS-OXCFOLD]. Messages that are deleted are kept for a while
 * (store/deleted.h); folders, and what is in folders that go, are gone for good. */

#define ROP_HARD_DELETE 0x91
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

/* ---- Away with it ---- */

static int remove_some(struct rop_work *w, uint64_t id)
{
	const struct store_progress *p = store_removal_progress(w->removal);
	(void)id;
	int r = store_removal_step(w->removal, &w->more);
	rop_promise(&w->call, p->ticket);
	w->partial = p->partial;
	return r;
}

static uint32_t begin_removal(struct rop_call *rop, struct rop_work *w, int r, bool asynchronous)
{
	if (r < 0 || !w) {
		rop_work_free(&w);
		return rop_status(rop, r < 0 ? r : MW_E_NOMEM);
	}
	w->step = remove_some;
	return rop_work_run(rop, w, asynchronous);
}

/* [MS-OXCFOLD] 3.2.5.3 */
uint32_t rop_delete_folder(struct rop_call *rop)
{
	const struct RopDeleteFolderRequest *q = (const struct RopDeleteFolderRequest *)rop->request;
	struct store_folder_info info;
	if (q->DeleteFolderFlags & ~DELETE_FLAGS)
		return ecInvalidParam;
	int r = store_folder_info(rop_store(rop), q->FolderId, &info);
	if (r == 0 && info.parent == 0)
		return ecRootFolder;
	if (r == 0 && info.parent != rop->in->u.folder)
		r = MW_E_NOTFOUND;
	struct rop_work *w =
	        r == 0 ? rop_work_new(rop, NULL, 0, offsetof(struct RopDeleteFolderResponse, PartialCompletion)) : NULL;
	if (r == 0)
		r = w ? store_folder_delete_begin(rop_store(rop), q->FolderId, q->DeleteFolderFlags, &w->removal)
		      : MW_E_NOMEM;
	return begin_removal(rop, w, r, false);
}

static uint32_t empty(struct rop_call *rop, bool associated, bool keeps, bool asynchronous, size_t partial_at)
{
	struct rop_work *w = rop_work_new(rop, NULL, 0, partial_at);
	int r = w ? store_folder_empty_begin(rop_store(rop), rop->in->u.folder, associated, &w->removal) : MW_E_NOMEM;
	if (r == 0 && keeps)
		store_removal_keep(w->removal, rop->now);
	return begin_removal(rop, w, r, asynchronous);
}

/* [MS-OXCFOLD] 3.2.5.9 */
uint32_t rop_empty_folder(struct rop_call *rop)
{
	const struct RopEmptyFolderRequest *q = (const struct RopEmptyFolderRequest *)rop->request;
	return empty(rop, q->WantDeleteAssociated, true, q->WantAsynchronous,
	             offsetof(struct RopEmptyFolderResponse, PartialCompletion));
}

/* [MS-OXCFOLD] 3.2.5.10 */
uint32_t rop_hard_delete_messages_and_subfolders(struct rop_call *rop)
{
	const struct RopHardDeleteMessagesAndSubfoldersRequest *q =
	        (const struct RopHardDeleteMessagesAndSubfoldersRequest *)rop->request;
	return empty(rop, q->WantDeleteAssociated, false, q->WantAsynchronous,
	             offsetof(struct RopHardDeleteMessagesAndSubfoldersResponse, PartialCompletion));
}

/* What cannot be deleted stays, and the others go. */
static int delete_one(struct rop_work *w, uint64_t id)
{
	struct rop_call *rop = &w->call;
	uint64_t ticket = 0;
	if (!rop_may(rop, rop->in->u.folder, id, STORE_ACCESS_DELETE))
		return MW_E_STATE;
	int r = (rop->id == ROP_HARD_DELETE ? store_message_delete : store_message_discard)(
	        rop_store(rop), rop->in->u.folder, id, rop->now, &ticket);
	rop_promise(rop, ticket);
	return r;
}

static uint32_t delete_all(struct rop_call *rop, const uint64_t *ids, unsigned count, bool asynchronous,
                           size_t partial_at)
{
	struct rop_work *w = rop_work_new(rop, ids, count, partial_at);
	if (!w)
		return ecServerOOM;
	w->step = delete_one;
	return rop_work_run(rop, w, asynchronous);
}

/* [MS-OXCFOLD] 3.2.5.11 */
uint32_t rop_delete_messages(struct rop_call *rop)
{
	const struct RopDeleteMessagesRequest *q = (const struct RopDeleteMessagesRequest *)rop->request;
	return delete_all(rop, q->MessageIds, q->MessageIdCount, q->WantAsynchronous,
	                  offsetof(struct RopDeleteMessagesResponse, PartialCompletion));
}

/* [MS-OXCFOLD] 3.2.5.12 */
uint32_t rop_hard_delete_messages(struct rop_call *rop)
{
	const struct RopHardDeleteMessagesRequest *q = (const struct RopHardDeleteMessagesRequest *)rop->request;
	return delete_all(rop, q->MessageIds, q->MessageIdCount, q->WantAsynchronous,
	                  offsetof(struct RopHardDeleteMessagesResponse, PartialCompletion));
}
