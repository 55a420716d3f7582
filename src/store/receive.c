#include "store/object.h"

#include <string.h>
#include <strings.h>

/* Where messages of a class arrive, changed and listed: [MS-OXCSTOR] 3.2.5.3, 3.2.5.4. */

#define CLASS_MAX 255

/* [MS-OXCSTOR] 2.2.1.2.1: ASCII without control characters, no dot at an end, no two in a row. */
static bool is_class(const char *class)
{
	size_t n = strnlen(class, CLASS_MAX + 1);

	if (n > CLASS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (class[i] < 0x20 || class[i] > 0x7E ||
		    (class[i] == '.' && (i == 0 || i + 1 == n || class[i + 1] == '.')))
			return false;
	return true;
}

/* These stay where they are. */
static bool is_fixed(const char *class)
{
	return strcasecmp(class, "IPM") == 0 || strcasecmp(class, "REPORT.IPM") == 0;
}

static int check(struct store_mailbox *m, const char *class, uint64_t folder, uint64_t *counter)
{
	STORE_ARENA arena = arena_new(0);
	struct store_object o = {0};

	if (!is_class(class) || (folder == 0 && !class[0]))
		return MW_E_INVALID;
	if (is_fixed(class))
		return MW_E_STATE;
	*counter = 0;
	if (folder == 0)
		return 0;
	if (!store_own_id(folder, counter))
		return MW_E_NOTFOUND;
	return arena ? store_folder_load(m, arena, *counter, &o) : MW_E_NOMEM;
}

int store_set_receive_folder(struct store_mailbox *m, const char *message_class, uint64_t folder, uint64_t *ticket)
{
	STORE_STMT s = store_statement(m, folder ? STMT_RECEIVE_SET : STMT_RECEIVE_DELETE);
	uint64_t counter;
	int r = s ? check(m, message_class, folder, &counter) : MW_E_IO;

	if (r >= 0)
		r = store_begin(m);
	if (r < 0)
		return r;
	sqlite3_bind_text(s, 1, message_class, -1, SQLITE_STATIC);
	if (folder)
		sqlite3_bind_int64(s, 2, (int64_t)counter);
	r = store_run(m, s, "Changing receive folders");
	sqlite3_reset(s);
	if (r < 0) {
		store_rollback(m);
		return r;
	}
	return store_commit(m, ticket);
}

int store_receive_folders(struct store_mailbox *m, struct arena *arena, struct store_receive **out, size_t *count)
{
	STORE_STMT s = store_statement(m, STMT_RECEIVE_ALL);
	struct buf rows = {0};
	int r = s ? 1 : MW_E_IO;

	while (r > 0 && (r = store_step(m, s, "Reading receive folders")) > 0) {
		const char *class = (const char *)sqlite3_column_text(s, 0);
		struct store_receive row = {
		        .message_class = arena_strdup(arena, class ? class : ""),
		        .folder = store_id(STORE_REPLID, (uint64_t)sqlite3_column_int64(s, 1)),
		};
		r = row.message_class ? 1 : MW_E_NOMEM;
		buf_put(&rows, &row, sizeof row);
	}
	if (r >= 0) {
		*out = arena_copy(arena, rows.data ? (void *)rows.data : (void *)"", rows.len);
		*count = rows.len / sizeof **out;
		r = *out && !buf_error(&rows) ? 0 : MW_E_NOMEM;
	}
	buf_free(&rows);
	return r;
}
