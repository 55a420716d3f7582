#include "cli/mail.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tree of folders, and what changes it. */

#define MAX_FOLDERS 100000
#define MAX_LEVELS 64

/* ---- Reading it ---- */

static const uint32_t tree_tags[] = {PidTagFolderId,     PidTagParentFolderId,     PidTagDepth,
                                     PidTagContentCount, PidTagContentUnreadCount, PidTagDisplayName};

struct growing {
	struct mail *mail;
	struct mail_tree tree;
	size_t room;
	const char *paths[MAX_LEVELS]; /* of the folders above the next one */
};

static const char *join(struct arena *arena, const char *above, const char *name)
{
	size_t len = strlen(above) + strlen(name) + 2;
	char *path = (char *)arena_alloc(arena, len);
	if (path)
		snprintf(path, len, "%s%s%s", above, *above ? "/" : "", name);
	return path;
}

static int add(struct growing *g, const struct mapiwire_rows *rows, size_t row)
{
	struct arena *arena = g->mail->r->arena;
	if (g->tree.count == g->room) {
		g->room = g->room ? 2 * g->room : 64;
		struct mail_folder *more = arena_new_array(arena, struct mail_folder, g->room);
		if (!more || g->room > MAX_FOLDERS)
			return MAPIWIRE_E_MEMORY;
		if (g->tree.count > 0)
			memcpy(more, g->tree.list, g->tree.count * sizeof *more);
		g->tree.list = more;
	}
	int64_t depth = mail_number(rows, row, PidTagDepth);
	struct mail_folder *f = &g->tree.list[g->tree.count];
	*f = (struct mail_folder){
	        .id = (uint64_t)mail_number(rows, row, PidTagFolderId),
	        .parent = (uint64_t)mail_number(rows, row, PidTagParentFolderId),
	        .depth = depth < 1             ? 1
	                 : depth >= MAX_LEVELS ? MAX_LEVELS - 1
	                                       : (unsigned)depth,
	        .total = mail_number(rows, row, PidTagContentCount),
	        .unread = mail_number(rows, row, PidTagContentUnreadCount),
	        .name = arena_strdup(arena, mail_text(rows, row, PidTagDisplayName)),
	};
	const char *above = g->paths[f->depth - 1] ? g->paths[f->depth - 1] : "";
	f->path = f->name ? join(arena, above, f->name) : NULL;
	if (!f->path)
		return MAPIWIRE_E_MEMORY;
	g->paths[f->depth] = f->path;
	g->tree.count++;
	return 0;
}

static int grow(struct growing *g, struct mapiwire_table *table)
{
	struct mapiwire_rows rows = {0};
	size_t count = 1;
	int r = 0;
	while (r == 0 && count > 0 && (r = mapiwire_table_read(table, 500, &rows)) == 0) {
		count = rows.count;
		for (size_t i = 0; r == 0 && i < count; i++)
			r = add(g, &rows, i);
		mapiwire_rows_free(&rows);
	}
	return r;
}

int mail_tree(struct mail *mail, uint64_t folder, struct mail_tree *out)
{
	struct growing g = {.mail = mail};
	struct mapiwire_table *table = NULL;
	int r = mapiwire_table_open(mail->store, folder, MAPIWIRE_FOLDERS_DEEP, tree_tags, ARRAY_SIZE(tree_tags), 0,
	                            false, &table);
	if (r == 0)
		r = grow(&g, table);
	mapiwire_table_close(&table);
	if (r == 0)
		*out = g.tree;
	return r;
}

const struct mail_folder *mail_tree_find(const struct mail_tree *tree, uint64_t id)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->list[i].id == id)
			return &tree->list[i];
	return NULL;
}

int mail_make_path(struct mail *mail, uint64_t from, const char *path, uint64_t *folder)
{
	int r = 0;
	*folder = from;
	while (r == 0 && *path) {
		size_t len = strcspn(path, "/");
		char *name = arena_strndup(mail->r->arena, path, len);
		if (!name)
			return MAPIWIRE_E_MEMORY;
		if (len > 0)
			r = mapiwire_folder_create(mail->store, *folder, name, folder, NULL);
		path += len + (path[len] == '/');
	}
	return r;
}

/* ---- Showing it ---- */

static void put_folder(struct buf *out, const struct mail *mail, const struct mail_folder *f, unsigned width)
{
	char name[300];
	if (mail->r->json) {
		buf_printf(out, "{\"id\":\"%016llx\"", (unsigned long long)f->id);
		cli_json_text(out, "path", f->path);
		buf_printf(out, ",\"messages\":%lld,\"unread\":%lld}\n", (long long)f->total, (long long)f->unread);
		return;
	}
	snprintf(name, sizeof name, "%*s%s", 2 * (int)(f->depth - 1), "", f->name);
	cli_put_cell(out, mail->r->colored, f->unread > 0 ? CLI_BOLD : CLI_PLAIN, name, width, true);
	buf_printf(out, "%10lld", (long long)f->total);
	if (f->unread > 0)
		buf_printf(out, "%8lld", (long long)f->unread);
	buf_put_u8(out, '\n');
}

static unsigned width_of(const struct mail_tree *tree)
{
	size_t width = 12;
	for (size_t i = 0; i < tree->count; i++) {
		size_t own = text_width(tree->list[i].name) + 2 * (tree->list[i].depth - 1);
		width = own > width ? own : width;
	}
	unsigned room = cli_width() > 40 ? cli_width() - 20 : 20;
	return width < room ? (unsigned)width : room;
}

static int show(struct mail *mail)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mail_tree tree = {0};
	uint64_t top;
	int r = mapiwire_folder_find(mail->store, mail->folder ? mail->folder : "top", &top);
	if (r == 0)
		r = mail_tree(mail, top, &tree);
	if (r < 0)
		return mail_fail(mail);
	unsigned width = width_of(&tree);
	if (!mail->r->json) {
		cli_put_cell(&out, mail->r->colored, CLI_BOLD, "folder", width, false);
		cli_put(&out, mail->r->colored, CLI_BOLD, "  messages  unread");
		buf_put_u8(&out, '\n');
	}
	for (size_t i = 0; i < tree.count; i++)
		put_folder(&out, mail, &tree.list[i], width);
	cli_pager_begin();
	cli_write(&out);
	cli_pager_end();
	return 0;
}

/* ---- Changing it ---- */

/* The folder that the path names, its parent, and its name. */
struct place {
	uint64_t folder, parent;
	const char *name;
};

static int find_place(struct mail *mail, const char *path, struct place *out)
{
	static const uint32_t tags[] = {PidTagParentFolderId, PidTagDisplayName};
	struct mapiwire_rows rows = {0};
	int r = mapiwire_folder_find(mail->store, path, &out->folder);
	if (r == 0)
		r = mapiwire_folder_get(mail->store, out->folder, tags, ARRAY_SIZE(tags), &rows);
	if (r < 0)
		return r;
	out->parent = (uint64_t)mail_number(&rows, 0, PidTagParentFolderId);
	out->name = arena_strdup(mail->r->arena, mail_text(&rows, 0, PidTagDisplayName));
	mapiwire_rows_free(&rows);
	return out->name ? 0 : MAPIWIRE_E_MEMORY;
}

/* "Projects/Old": the folder Projects, which must be there, and the name Old. */
static int find_target(struct mail *mail, const char *path, uint64_t *parent, const char **name)
{
	const char *slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	if (!slash)
		return mapiwire_folder_find(mail->store, "top", parent);
	char *above = arena_strndup(mail->r->arena, path, (size_t)(slash - path));
	return above ? mapiwire_folder_find(mail->store, above, parent) : MAPIWIRE_E_MEMORY;
}

static int create(struct mail *mail, const char *path)
{
	uint64_t top, folder;
	int r = mapiwire_folder_find(mail->store, "top", &top);
	return r == 0 ? mail_make_path(mail, top, path, &folder) : r;
}

static int change(struct mail *mail, const char *verb, const char *path, const char *to)
{
	struct place from;
	uint64_t target = 0;
	const char *name = NULL;
	if (strcmp(verb, "create") == 0)
		return create(mail, path);
	int r = find_place(mail, path, &from);
	if (r == 0 && to)
		r = find_target(mail, to, &target, &name);
	if (r < 0)
		return r;
	if (strcmp(verb, "move") == 0)
		return mapiwire_folder_move(mail->store, from.parent, from.folder, target, name);
	if (strcmp(verb, "copy") == 0)
		return mapiwire_folder_copy(mail->store, from.parent, from.folder, target, name);
	if (strcmp(verb, "empty") == 0)
		return mapiwire_folder_empty(mail->store, from.folder);
	if (mail->hard)
		return mapiwire_folder_delete(mail->store, from.parent, from.folder);
	r = mapiwire_folder_find(mail->store, "deleted", &target);
	return r == 0 ? mapiwire_folder_move(mail->store, from.parent, from.folder, target, from.name) : r;
}

int mail_folders(struct mail *mail)
{
	static const struct {
		const char *verb, *done;
		size_t words;
	} verbs[] = {{"create", "Created", 2},
	             {"move", "Moved", 3},
	             {"copy", "Copied", 3},
	             {"empty", "Emptied", 2},
	             {"delete", "Deleted", 2}};
	if (mail->word_count == 0)
		return show(mail);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].verb, mail->words[0]) != 0)
			continue;
		if (mail->word_count != verbs[i].words)
			return cli_usage(mail_command, "say mail folders %s FOLDER%s.", verbs[i].verb,
			                 verbs[i].words == 3 ? " PATH" : "");
		const char *to = verbs[i].words == 3 ? mail->words[2] : NULL;
		if (change(mail, verbs[i].verb, mail->words[1], to) < 0)
			return mail_fail(mail);
		if (!mail->r->json)
			printf("%s %s%s%s.\n", verbs[i].done, mail->words[1], to ? " to " : "", to ? to : "");
		return 0;
	}
	return cli_usage(mail_command,
	                 "say mail folders create, move, copy, empty or delete, or nothing to list them.");
}
