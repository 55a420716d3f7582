#include "client/store.h"

#include "base/text.h"

#include <string.h>

/* Folders: [MS-OXCFOLD]. */

int client_open_folder(struct mapiwire_store *s, uint64_t folder, uint32_t *handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, s->logon), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenFolderRequest q = {.InputHandleIndex = in, .OutputHandleIndex = at, .FolderId = folder};
	int r = client_rops_do(&b, ROP_OPEN_FOLDER, &q, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

int mapiwire_folder_get(struct mapiwire_store *s, uint64_t folder, const uint32_t *tags, size_t tag_count,
                        struct mapiwire_rows *out)
{
	uint32_t handle = MAPI_NO_HANDLE;
	client_no_error(s->m);
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = client_open_folder(s, folder, &handle);
	if (r == 0)
		r = client_get_properties(s, handle, tags, tag_count, out);
	client_release(s, handle, s->epoch);
	client_store_leave(s);
	return r;
}

int mapiwire_folder_set(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_value *values, size_t count)
{
	uint32_t handle = MAPI_NO_HANDLE;
	client_no_error(s->m);
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = client_open_folder(s, folder, &handle);
	if (r == 0)
		r = client_put_properties(s, handle, values, count);
	client_release(s, handle, s->epoch);
	client_store_leave(s);
	return r;
}

static const struct {
	const char *name;
	int logon;
} special[] = {
        {"inbox", LOGON_INBOX},     {"outbox", LOGON_OUTBOX},   {"sent", LOGON_SENT},
        {"sent items", LOGON_SENT}, {"deleted", LOGON_DELETED}, {"deleted items", LOGON_DELETED},
        {"top", LOGON_TOP},         {"root", LOGON_ROOT},       {"search", LOGON_SEARCH},
};

/* Among the rows of one read; 0: not there. */
static uint64_t match(const struct mapiwire_rows *rows, const char *name, size_t len)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct mapiwire_value *text = mapiwire_row_find(rows, i, PidTagDisplayName);
		const struct mapiwire_value *id = mapiwire_row_find(rows, i, PidTagFolderId);
		if (text && text->text && id && strlen(text->text) == len && strncasecmp(text->text, name, len) == 0)
			return (uint64_t)id->integer;
	}
	return 0;
}

static int find_child(struct mapiwire_store *s, uint64_t parent, const char *name, size_t len, uint64_t *out)
{
	static const uint32_t tags[] = {PidTagFolderId, PidTagDisplayName};
	struct mapiwire_table *t = NULL;
	struct mapiwire_rows rows = {0};
	uint64_t found = 0;
	size_t count = 1;
	int r = mapiwire_table_open(s, parent, MAPIWIRE_FOLDERS, tags, ARRAY_SIZE(tags), 0, false, &t);
	if (r != 0)
		return r;
	while (!found && count > 0 && (r = mapiwire_table_read(t, 100, &rows)) == 0) {
		count = rows.count;
		found = match(&rows, name, len);
		mapiwire_rows_free(&rows);
	}
	mapiwire_table_close(&t);
	if (r == 0 && !found)
		return client_fail_on(s->m, MAPIWIRE_E_NOTFOUND, CAUSE_FOLDER_NOT_FOUND, "%.*s", (int)len, name);
	if (r == 0)
		*out = found;
	return r;
}

/* Down a path of display names. */
static int walk_down(struct mapiwire_store *s, const char *name, uint64_t *folder)
{
	uint64_t at = s->folders[LOGON_TOP];
	while (*name) {
		size_t len = strcspn(name, "/");
		int r = find_child(s, at, name, len, &at);
		if (r != 0)
			return r;
		name += len + (name[len] == '/');
	}
	*folder = at;
	return 0;
}

int mapiwire_folder_find(struct mapiwire_store *s, const char *name, uint64_t *folder)
{
	client_no_error(s->m);
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (text_casecmp(special[i].name, name) == 0) {
			*folder = s->folders[special[i].logon];
			return 0;
		}
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = walk_down(s, name, folder);
	client_store_leave(s);
	return r;
}
