#include "client/book.h"

#include "base/utf16.h"

#include <stdlib.h>

/* The address book: [MS-OXNSPI] 3.1.4, in the order in which Outlook asks. */

enum { OP_BIND = 0, OP_UNBIND = 1, OP_QUERY_ROWS = 3, OP_GET_SPECIAL_TABLE = 12, OP_RESOLVE_NAMES_W = 20 };

#define UNICODE_STRINGS 0x00000004u /* NspiUnicodeStrings, 2.2.1.8 */
#define MID_AMBIGUOUS 1u            /* 2.2.1.9 */
#define MID_RESOLVED 2u

struct mapiwire_book {
	struct mapiwire *m;
	uint16_t port;
	struct client_conn *conn; /* NULL: lost, and no new one could be had yet */
	struct idl_context_handle handle;
};

static struct STAT beginning(void)
{
	return (struct STAT){
	        .CodePage = CLIENT_CODE_PAGE, .TemplateLocale = CLIENT_LOCALE, .SortLocale = CLIENT_LOCALE};
}

static int status_of(struct mapiwire_book *b, uint32_t status, const char *call)
{
	/* MAPI_W_ERRORS_RETURNED: a column has no value */
	return status == 0 || status == ecWarnWithErrors ? 0 : client_fail_status(b->m, CAUSE_OF_MAPI, status, call);
}

static int open_session(struct mapiwire_book *b)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(b->m);
	struct FlatUID_r guid = {{0}};
	struct NspiBind_args a = {.pStat = beginning(), .pServerGuid = &guid};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_call(b->conn, 0, OP_BIND, arena, &a);
	if (r == 0)
		r = status_of(b, (uint32_t)a.ReturnValue, "NspiBind");
	if (r == 0)
		b->handle = a.contextHandle;
	return r;
}

static int read_hierarchy(struct mapiwire_book *b)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(b->m);
	struct NspiGetSpecialTable_args a = {.hRpc = b->handle, .dwFlags = UNICODE_STRINGS, .pStat = beginning()};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_call(b->conn, 0, OP_GET_SPECIAL_TABLE, arena, &a);
	return r != 0 ? r : status_of(b, (uint32_t)a.ReturnValue, "NspiGetSpecialTable");
}

/* Before each call: a lost connection is replaced, in a new association, by one with a session of its own. */
static int ready(struct mapiwire_book *b)
{
	if (client_is_up(b->conn))
		return 0;
	client_close(&b->conn);
	int r = client_open(b->m, b->port, client_setting_book, &wire_nspi_interface, b->m->level, &b->conn);
	return r != 0 ? r : open_session(b);
}

int mapiwire_book_open(struct mapiwire *m, uint16_t port, struct mapiwire_book **out)
{
	client_no_error(m);
	struct mapiwire_book *b = (struct mapiwire_book *)calloc(1, sizeof *b);
	if (!b)
		return client_fail_inside(m, MW_E_NOMEM, "the address book");
	b->m = m;
	b->port = port;
	int r = ready(b);
	if (r == 0)
		r = read_hierarchy(b);
	if (r != 0)
		mapiwire_book_close(&b);
	else
		*out = b;
	return r;
}

/* Says good-bye as far as it goes; the error of a caller that failed stays. */
static void unbind(struct mapiwire_book *b)
{
	struct mapiwire_error kept = b->m->said->error;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct NspiUnbind_args a = {.contextHandle = b->handle};
	if (!arena || b->conn->closed || kept.code < 0)
		return;
	if (client_call(b->conn, 0, OP_UNBIND, arena, &a) < 0)
		b->m->said->error = kept;
}

void mapiwire_book_close(struct mapiwire_book **book)
{
	struct mapiwire_book *b = *book;
	if (!b)
		return;
	*book = NULL;
	if (b->conn && !guid_is_nil(&b->handle.uuid))
		unbind(b);
	client_close(&b->conn);
	free(b);
}

static int put_rows(struct mapiwire_book *b, struct arena **arena, const struct PropertyRowSet_r *set, size_t columns,
                    struct mapiwire_rows *out)
{
	struct mapiwire *m = b->m;
	struct arena *keep = *arena;
	struct mapiwire_rows rows = {0};
	size_t count = set ? set->cRows : 0;
	int r = client_rows_new(m, arena, count, columns, &rows);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = client_book_row(m, keep, &set->aRow[i], columns, &rows.values[i * columns]);
	if (r != 0)
		mapiwire_rows_free(&rows);
	else
		*out = rows;
	return r;
}

static int resolve(struct mapiwire_book *b, struct arena *arena, const char *name, struct PropertyTagArray_r *tags,
                   struct PropertyRowSet_r **rows)
{
	uint16_t *text = utf8_to_utf16(arena, name, NULL);
	struct NspiResolveNamesW_args a = {
	        .hRpc = b->handle,
	        .pStat = beginning(),
	        .pPropTags = tags,
	        .paWStr = {.Count = 1, .Strings = &text},
	};
	if (!text)
		return client_fail_inside(b->m, MW_E_NOMEM, name);
	int r = client_call(b->conn, 0, OP_RESOLVE_NAMES_W, arena, &a);
	if (r == 0)
		r = status_of(b, (uint32_t)a.ReturnValue, "NspiResolveNamesW");
	if (r != 0)
		return r;
	uint32_t mid = a.ppMIds && a.ppMIds->cValues == 1 ? a.ppMIds->aulPropTag[0] : 0;
	if (mid != MID_RESOLVED || !a.ppRows || a.ppRows->cRows != 1)
		return client_fail_on(b->m, MAPIWIRE_E_NOTFOUND, CAUSE_UNKNOWN_MAILBOX, "%s%s", name,
		                      mid == MID_AMBIGUOUS ? ": the name fits several" : "");
	*rows = a.ppRows;
	return 0;
}

int mapiwire_book_resolve(struct mapiwire_book *b, const char *name, const uint32_t *tags, size_t tag_count,
                          struct mapiwire_rows *out)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(b->m);
	struct PropertyTagArray_r columns = {(uint32_t)tag_count, (uint32_t *)tags};
	struct PropertyRowSet_r *rows = NULL;
	client_no_error(b->m);
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = ready(b);
	if (r == 0)
		r = resolve(b, arena, name, &columns, &rows);
	return r != 0 ? r : put_rows(b, &arena, rows, tag_count, out);
}

int mapiwire_book_first(struct mapiwire_book *b, const uint32_t *tags, size_t tag_count, unsigned max,
                        struct mapiwire_rows *out, unsigned *total)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(b->m);
	struct PropertyTagArray_r columns = {(uint32_t)tag_count, (uint32_t *)tags};
	struct NspiQueryRows_args a = {.pStat = beginning(), .Count = max, .pPropTags = &columns};
	client_no_error(b->m);
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = ready(b);
	a.hRpc = b->handle;
	if (r == 0)
		r = client_call(b->conn, 0, OP_QUERY_ROWS, arena, &a);
	if (r == 0)
		r = status_of(b, (uint32_t)a.ReturnValue, "NspiQueryRows");
	if (r == 0)
		r = put_rows(b, &arena, a.ppRows, tag_count, out);
	if (r == 0 && total)
		*total = a.pStat.TotalRecs;
	return r;
}
