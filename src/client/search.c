#include "client/store.h"

#include "base/time.h"
#include "base/utf16.h"

#include <stdio.h>
#include <unistd.h>

/* Search folders: [MS-OXCFOLD] 2.2.1.2, 2.2.1.4, 2.2.1.5. */

#define SEARCH_FOLDER 2
/* SearchFlags, 2.2.1.4.1, and what is answered, 2.2.1.5.2 */
#define RESTART_SEARCH 0x00000002u
#define RECURSIVE_SEARCH 0x00000004u
#define CONTENT_INDEXED_SEARCH 0x00010000u
#define NON_CONTENT_INDEXED_SEARCH 0x00020000u
#define STATIC_SEARCH 0x00040000u
#define SEARCH_REBUILD 0x00000002u

#define LOOK_AGAIN_MS 20

struct search {
	struct mapiwire_store *store;
	const uint64_t *folders;
	size_t count;
	uint32_t flags;
	uint64_t id;
	uint32_t finder, handle;
};

/* A name of its own: another search of this user may be under way. */
static int create(struct search *f)
{
	struct mapiwire *m = f->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	static uint16_t nothing[] = {0};
	const void *answer = NULL;
	char name[80];
	snprintf(name, sizeof name, "mapiwire %lld %ld", (long long)time_now_ns(), (long)getpid());
	client_rops_begin(&b, f->store, arena);
	uint8_t in = client_rops_handle(&b, f->finder), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopCreateFolderRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .FolderType = SEARCH_FOLDER,
	        .UseUnicodeStrings = 1,
	        .DisplayName = arena ? utf8_to_utf16(arena, name, NULL) : NULL,
	        .Comment = nothing,
	};
	if (!q.DisplayName)
		return client_fail_inside(m, MW_E_NOMEM, "a search folder");
	int r = client_rops_do(&b, ROP_CREATE_FOLDER, &q, &answer);
	if (r != 0)
		return r;
	f->id = ((const struct RopCreateFolderResponse *)answer)->FolderId;
	f->handle = client_rops_made(&b, at);
	return 0;
}

static int start(const struct search *f, const struct mapiwire_restriction *wanted)
{
	struct mapiwire *m = f->store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	struct mapi_restriction restriction;
	const void *answer = NULL;
	client_rops_begin(&b, f->store, arena);
	int r = arena ? client_take_restriction(m, arena, wanted, &restriction) : MAPIWIRE_E_MEMORY;
	if (r != 0)
		return r;
	const struct RopSetSearchCriteriaRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, f->handle),
	        .RestrictionData = &restriction,
	        .FolderIdCount = (uint16_t)f->count,
	        .FolderIds = (uint64_t *)f->folders,
	        .SearchFlags = f->flags,
	};
	return client_rops_do(&b, ROP_SET_SEARCH_CRITERIA, &q, &answer);
}

static int ask(const struct search *f, bool *running)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(f->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, f->store, arena);
	const struct RopGetSearchCriteriaRequest q = {.InputHandleIndex = client_rops_handle(&b, f->handle),
	                                              .UseUnicode = 1};
	int r = client_rops_do(&b, ROP_GET_SEARCH_CRITERIA, &q, &answer);
	if (r == 0)
		*running = ((const struct RopGetSearchCriteriaResponse *)answer)->SearchFlags & SEARCH_REBUILD;
	return r;
}

static int until_done(const struct search *f, unsigned timeout_ms)
{
	struct mapiwire *m = f->store->m;
	int64_t deadline = time_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
	bool running = true;
	int r = 0;
	while (r == 0 && (r = ask(f, &running)) == 0 && running) {
		if (time_monotonic_ns() > deadline)
			return client_fail_wait(m, MW_E_TIMEOUT, "the search");
		r = client_sleep(m, LOOK_AGAIN_MS * NS_PER_MS);
		if (r != 0)
			r = client_fail_wait(m, r, "the search");
	}
	return r;
}

int mapiwire_search_open(struct mapiwire_store *s, const uint64_t *folders, size_t count,
                         const struct mapiwire_restriction *r, bool words, unsigned timeout_ms, uint64_t *folder)
{
	struct search f = {.store = s, .folders = folders, .count = count, .handle = MAPI_NO_HANDLE};
	f.finder = MAPI_NO_HANDLE;
	f.flags = RESTART_SEARCH | RECURSIVE_SEARCH | STATIC_SEARCH |
	          (words ? CONTENT_INDEXED_SEARCH : NON_CONTENT_INDEXED_SEARCH);
	client_no_error(s->m);
	if (count == 0 || count > 1000)
		return client_fail_inside(s->m, MW_E_INVALID, "the folders to search");
	int code = client_store_enter(s);
	if (code != 0)
		return code;
	code = client_open_folder(s, s->folders[LOGON_SEARCH], &f.finder);
	if (code == 0)
		code = create(&f);
	if (code == 0)
		code = start(&f, r);
	if (code == 0)
		code = until_done(&f, timeout_ms);
	client_release(s, f.handle, s->epoch);
	client_release(s, f.finder, s->epoch);
	client_store_leave(s);
	if (code == 0)
		*folder = f.id;
	return code;
}

int mapiwire_search_close(struct mapiwire_store *s, uint64_t folder)
{
	return mapiwire_folder_delete(s, s->folders[LOGON_SEARCH], folder);
}
