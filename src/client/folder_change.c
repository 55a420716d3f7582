#include "client/store.h"

#include "base/utf16.h"

/* Folders made, moved, emptied, and many messages at once: [MS-OXCFOLD] 2.2.1. */

#define GENERIC_FOLDER 1
#define DELETE_ALL 0x05 /* DEL_MESSAGES | DEL_FOLDERS, 2.2.1.3.1 */
/* ReadFlags, [MS-OXCMSG] 2.2.3.10.1 */
#define SUPPRESS_RECEIPT 0x01
#define CLEAR_READ_FLAG 0x04
/* Ids in one request; a server works on them until it answers. */
#define SOME 500u

/* A call on one opened folder, or on two. */
struct work {
	struct mapiwire_store *store;
	uint32_t from, to;
};

static void end(struct work *w)
{
	client_release(w->store, w->from, w->store->epoch);
	client_release(w->store, w->to, w->store->epoch);
	client_store_leave(w->store);
}

/* to 0: one folder. Nothing is to be ended on failure. */
static int begin(struct work *w, struct mapiwire_store *s, uint64_t from, uint64_t to)
{
	*w = (struct work){s, MAPI_NO_HANDLE, MAPI_NO_HANDLE};
	client_no_error(s->m);
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = client_open_folder(s, from, &w->from);
	if (r == 0 && to)
		r = client_open_folder(s, to, &w->to);
	if (r != 0)
		end(w);
	return r;
}

static int partial(struct mapiwire *m, bool is, const char *rop)
{
	return is ? client_fail_status(m, CAUSE_OF_MAPI, ecPartialCompletion, rop) : 0;
}

/* ---- One folder ---- */

static int create(const struct work *w, const char *name, uint64_t *folder, bool *created)
{
	struct mapiwire *m = w->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	static uint16_t nothing[] = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	uint8_t in = client_rops_handle(&b, w->from), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopCreateFolderRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .FolderType = GENERIC_FOLDER,
	        .UseUnicodeStrings = 1,
	        .OpenExisting = 1,
	        .DisplayName = arena ? utf8_to_utf16(arena, name, NULL) : NULL,
	        .Comment = nothing,
	};
	if (!q.DisplayName)
		return client_fail_inside(m, arena ? MW_E_INVALID : MW_E_NOMEM, "the folder's name");
	int r = client_rops_do(&b, ROP_CREATE_FOLDER, &q, &answer);
	if (r != 0)
		return r;
	*folder = ((const struct RopCreateFolderResponse *)answer)->FolderId;
	if (created)
		*created = !((const struct RopCreateFolderResponse *)answer)->IsExistingFolder;
	client_release(w->store, client_rops_made(&b, at), w->store->epoch);
	return 0;
}

int mapiwire_folder_create(struct mapiwire_store *s, uint64_t parent, const char *name, uint64_t *folder, bool *created)
{
	struct work w;
	int r = begin(&w, s, parent, 0);
	if (r != 0)
		return r;
	r = create(&w, name, folder, created);
	end(&w);
	return r;
}

int mapiwire_folder_delete(struct mapiwire_store *s, uint64_t parent, uint64_t folder)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	struct work w;
	int r = begin(&w, s, parent, 0);
	if (r != 0)
		return r;
	client_rops_begin(&b, s, arena);
	const struct RopDeleteFolderRequest q = {.InputHandleIndex = client_rops_handle(&b, w.from),
	                                         .DeleteFolderFlags = DELETE_ALL,
	                                         .FolderId = folder};
	r = client_rops_do(&b, ROP_DELETE_FOLDER, &q, &answer);
	if (r == 0)
		r = partial(s->m, ((const struct RopDeleteFolderResponse *)answer)->PartialCompletion,
		            "RopDeleteFolder");
	end(&w);
	return r;
}

int mapiwire_folder_empty(struct mapiwire_store *s, uint64_t folder)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	struct work w;
	int r = begin(&w, s, folder, 0);
	if (r != 0)
		return r;
	client_rops_begin(&b, s, arena);
	const struct RopEmptyFolderRequest q = {.InputHandleIndex = client_rops_handle(&b, w.from)};
	r = client_rops_do(&b, ROP_EMPTY_FOLDER, &q, &answer);
	if (r == 0)
		r = partial(s->m, ((const struct RopEmptyFolderResponse *)answer)->PartialCompletion, "RopEmptyFolder");
	end(&w);
	return r;
}

static int move(const struct work *w, uint64_t folder, const char *name, bool *is_partial)
{
	struct mapiwire *m = w->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	uint8_t from = client_rops_handle(&b, w->from), to = client_rops_handle(&b, w->to);
	const struct RopMoveFolderRequest q = {
	        .SourceHandleIndex = from,
	        .DestHandleIndex = to,
	        .UseUnicode = 1,
	        .FolderId = folder,
	        .NewFolderName = arena ? utf8_to_utf16(arena, name, NULL) : NULL,
	};
	if (!q.NewFolderName)
		return client_fail_inside(m, arena ? MW_E_INVALID : MW_E_NOMEM, "the folder's name");
	int r = client_rops_do(&b, ROP_MOVE_FOLDER, &q, &answer);
	if (r == 0)
		*is_partial = ((const struct RopMoveFolderResponse *)answer)->PartialCompletion;
	return r;
}

static int copy(const struct work *w, uint64_t folder, const char *name, bool *is_partial)
{
	struct mapiwire *m = w->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	uint8_t from = client_rops_handle(&b, w->from), to = client_rops_handle(&b, w->to);
	const struct RopCopyFolderRequest q = {
	        .SourceHandleIndex = from,
	        .DestHandleIndex = to,
	        .WantRecursive = 1,
	        .UseUnicode = 1,
	        .FolderId = folder,
	        .NewFolderName = arena ? utf8_to_utf16(arena, name, NULL) : NULL,
	};
	if (!q.NewFolderName)
		return client_fail_inside(m, arena ? MW_E_INVALID : MW_E_NOMEM, "the folder's name");
	int r = client_rops_do(&b, ROP_COPY_FOLDER, &q, &answer);
	if (r == 0)
		*is_partial = ((const struct RopCopyFolderResponse *)answer)->PartialCompletion;
	return r;
}

static int move_or_copy(struct mapiwire_store *s, uint64_t parent, uint64_t folder, uint64_t to, const char *name,
                        bool is_copy)
{
	bool is_partial = false;
	struct work w;
	int r = begin(&w, s, parent, to);
	if (r != 0)
		return r;
	r = is_copy ? copy(&w, folder, name, &is_partial) : move(&w, folder, name, &is_partial);
	if (r == 0)
		r = partial(s->m, is_partial, is_copy ? "RopCopyFolder" : "RopMoveFolder");
	end(&w);
	return r;
}

int mapiwire_folder_move(struct mapiwire_store *s, uint64_t parent, uint64_t folder, uint64_t to, const char *name)
{
	return move_or_copy(s, parent, folder, to, name, false);
}

int mapiwire_folder_copy(struct mapiwire_store *s, uint64_t parent, uint64_t folder, uint64_t to, const char *name)
{
	return move_or_copy(s, parent, folder, to, name, true);
}

/* ---- Many messages ---- */

/* One request for some of them. */
typedef int some_fn(const struct work *w, const uint64_t *ids, uint16_t count, uint8_t flag, bool *is_partial);

static int in_slices(const struct work *w, const uint64_t *ids, size_t count, some_fn *some, uint8_t flag,
                     const char *rop)
{
	bool any = false;
	int r = 0;
	for (size_t done = 0; r == 0 && done < count;) {
		uint16_t n = (uint16_t)(count - done < SOME ? count - done : SOME);
		bool is_partial = false;
		r = some(w, ids + done, n, flag, &is_partial);
		any = any || is_partial;
		done += n;
	}
	return r == 0 ? partial(w->store->m, any, rop) : r;
}

static int move_some(const struct work *w, const uint64_t *ids, uint16_t count, uint8_t want_copy, bool *is_partial)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(w->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	uint8_t from = client_rops_handle(&b, w->from), to = client_rops_handle(&b, w->to);
	const struct RopMoveCopyMessagesRequest q = {
	        .SourceHandleIndex = from,
	        .DestHandleIndex = to,
	        .MessageIdCount = count,
	        .MessageIds = (uint64_t *)ids,
	        .WantCopy = want_copy,
	};
	int r = client_rops_do(&b, ROP_MOVE_COPY_MESSAGES, &q, &answer);
	if (r == 0)
		*is_partial = ((const struct RopMoveCopyMessagesResponse *)answer)->PartialCompletion;
	return r;
}

/* The requests of the two deletions have one shape, and so have the answers. */
static int delete_some(const struct work *w, const uint64_t *ids, uint16_t count, uint8_t hard, bool *is_partial)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(w->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	uint8_t in = client_rops_handle(&b, w->from);
	const struct RopDeleteMessagesRequest soft = {
	        .InputHandleIndex = in, .MessageIdCount = count, .MessageIds = (uint64_t *)ids};
	const struct RopHardDeleteMessagesRequest q = {
	        .InputHandleIndex = in, .MessageIdCount = count, .MessageIds = (uint64_t *)ids};
	int r = hard ? client_rops_do(&b, ROP_HARD_DELETE_MESSAGES, &q, &answer)
	             : client_rops_do(&b, ROP_DELETE_MESSAGES, &soft, &answer);
	if (r == 0)
		*is_partial = hard ? ((const struct RopHardDeleteMessagesResponse *)answer)->PartialCompletion
		                   : ((const struct RopDeleteMessagesResponse *)answer)->PartialCompletion;
	return r;
}

static int mark_some(const struct work *w, const uint64_t *ids, uint16_t count, uint8_t flags, bool *is_partial)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(w->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, w->store, arena);
	const struct RopSetReadFlagsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, w->from),
	        .ReadFlags = flags,
	        .MessageIdCount = count,
	        .MessageIds = (uint64_t *)ids,
	};
	int r = client_rops_do(&b, ROP_SET_READ_FLAGS, &q, &answer);
	if (r == 0)
		*is_partial = ((const struct RopSetReadFlagsResponse *)answer)->PartialCompletion;
	return r;
}

static int all(struct mapiwire_store *s, uint64_t folder, uint64_t to, const uint64_t *ids, size_t count, some_fn *some,
               uint8_t flag, const char *rop)
{
	struct work w;
	int r = begin(&w, s, folder, to);
	if (r != 0)
		return r;
	r = in_slices(&w, ids, count, some, flag, rop);
	end(&w);
	return r;
}

int mapiwire_messages_move(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count, uint64_t to)
{
	return all(s, folder, to, ids, count, move_some, 0, "RopMoveCopyMessages");
}

int mapiwire_messages_copy(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count, uint64_t to)
{
	return all(s, folder, to, ids, count, move_some, 1, "RopMoveCopyMessages");
}

int mapiwire_messages_delete(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count, bool hard)
{
	return all(s, folder, 0, ids, count, delete_some, hard, hard ? "RopHardDeleteMessages" : "RopDeleteMessages");
}

int mapiwire_messages_mark(struct mapiwire_store *s, uint64_t folder, const uint64_t *ids, size_t count, bool read)
{
	return all(s, folder, 0, ids, count, mark_some, read ? SUPPRESS_RECEIPT : CLEAR_READ_FLAG, "RopSetReadFlags");
}
