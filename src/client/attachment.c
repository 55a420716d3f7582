#include "client/store.h"

#include <stdlib.h>
#include <string.h>

/* Attachments and the messages in them: [MS-OXCMSG] 2.2.3.12 to 2.2.3.18. */

#define OPEN_BEST_ACCESS 0x03   /* OpenAttachmentFlags, 2.2.3.12.1 */
#define EMBEDDED_READ_ONLY 0x00 /* OpenModeFlags, 2.2.3.16.1 */
#define EMBEDDED_CREATE 0x02
#define KEEP_OPEN_READ_WRITE 0x02 /* SaveFlags, 2.2.3.3.1 */
#define CODE_PAGE_OF_LOGON 0x0FFF

struct mapiwire_attachment {
	struct client_object o;
	uint32_t message; /* handle of the message that it is in */
};

/* ---- Which there are ---- */

/* All in one arena, the answers too. */
struct listing {
	struct mapiwire_store *store;
	struct arena *arena;
	struct mapi_row_set rows;
	uint32_t table;
};

static int add_rows(struct listing *l, const struct mapi_row_set *more)
{
	struct mapi_row *rows = arena_new_array(l->arena, struct mapi_row, (size_t)l->rows.count + more->count);
	if (!rows || l->rows.count + more->count > UINT16_MAX)
		return client_failed(client_fail_inside(l->store->m, rows ? MW_E_LIMIT : MW_E_NOMEM, "attachments"));
	if (l->rows.count > 0)
		memcpy(rows, l->rows.rows, l->rows.count * sizeof *rows);
	if (more->count > 0)
		memcpy(rows + l->rows.count, more->rows, more->count * sizeof *rows);
	l->rows.rows = rows;
	l->rows.count = (uint16_t)(l->rows.count + more->count);
	return 0;
}

static int open_table(struct listing *l, uint32_t message, const uint32_t *tags, size_t tag_count)
{
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, l->store, l->arena);
	uint8_t in = client_rops_handle(&b, message), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopGetAttachmentTableRequest q = {.InputHandleIndex = in, .OutputHandleIndex = at};
	const struct RopSetColumnsRequest columns = {
	        .InputHandleIndex = at, .PropertyTagCount = (uint16_t)tag_count, .PropertyTags = (uint32_t *)tags};
	client_rops_add(&b, ROP_GET_ATTACHMENT_TABLE, &q);
	client_rops_add(&b, ROP_SET_COLUMNS, &columns);
	int r = client_rops_run(&b);
	l->table = client_rops_made(&b, at);
	if (r == 0)
		r = client_rops_answer(&b, ROP_GET_ATTACHMENT_TABLE, &answer);
	return r == 0 ? client_rops_answer(&b, ROP_SET_COLUMNS, &answer) : r;
}

/* *more: whether there may be others, for which this answer had no room. */
static int read_table(struct listing *l, bool *more)
{
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, l->store, l->arena);
	const struct RopQueryRowsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, l->table), .ForwardRead = 1, .RowCount = 0x7FFF};
	int r = client_rops_do(&b, ROP_QUERY_ROWS, &q, &answer);
	if (r != 0)
		return r;
	const struct mapi_row_set *rows = &((const struct RopQueryRowsResponse *)answer)->RowData;
	*more = rows->count > 0;
	return add_rows(l, rows);
}

static int list(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count, struct mapiwire_rows *out)
{
	struct mapiwire_store *s = msg->o.store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct listing l = {.store = s, .arena = arena, .table = MAPI_NO_HANDLE};
	bool more = true;
	int r = arena ? open_table(&l, msg->o.handle, tags, tag_count) : MAPIWIRE_E_MEMORY;
	while (r == 0 && more)
		r = read_table(&l, &more);
	client_release(s, l.table, s->epoch);
	return r == 0 ? client_put_rows(s->m, &arena, &l.rows, tag_count, out) : r;
}

int mapiwire_message_attachments(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count,
                                 struct mapiwire_rows *out)
{
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	if (tag_count == 0 || tag_count > UINT16_MAX)
		r = client_fail_inside(msg->o.store->m, MW_E_INVALID, "the list of columns");
	if (r == 0)
		r = list(msg, tags, tag_count, out);
	client_store_leave(msg->o.store);
	return r;
}

/* ---- One of them ---- */

static int open_or_create(struct mapiwire_message *msg, const uint32_t *number, uint32_t *handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(msg->o.store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, msg->o.store, arena);
	uint8_t in = client_rops_handle(&b, msg->o.handle), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenAttachmentRequest open = {.InputHandleIndex = in,
	                                              .OutputHandleIndex = at,
	                                              .OpenAttachmentFlags = OPEN_BEST_ACCESS,
	                                              .AttachmentID = number ? *number : 0};
	const struct RopCreateAttachmentRequest create = {.InputHandleIndex = in, .OutputHandleIndex = at};
	int r = number ? client_rops_do(&b, ROP_OPEN_ATTACHMENT, &open, &answer)
	               : client_rops_do(&b, ROP_CREATE_ATTACHMENT, &create, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

static int make(struct mapiwire_message *msg, const uint32_t *number, struct mapiwire_attachment **out)
{
	struct mapiwire_store *s = msg->o.store;
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	struct mapiwire_attachment *a = (struct mapiwire_attachment *)calloc(1, sizeof *a);
	r = a ? 0 : client_failed(client_fail_inside(s->m, MW_E_NOMEM, "an attachment"));
	if (r == 0) {
		a->o = (struct client_object){s, MAPI_NO_HANDLE, s->epoch};
		a->message = msg->o.handle;
		r = open_or_create(msg, number, &a->o.handle);
	}
	client_store_leave(s);
	if (r != 0)
		free(a);
	else
		*out = a;
	return r;
}

int mapiwire_attachment_open(struct mapiwire_message *msg, uint32_t number, struct mapiwire_attachment **out)
{
	return make(msg, &number, out);
}

int mapiwire_attachment_create(struct mapiwire_message *msg, struct mapiwire_attachment **out)
{
	return make(msg, NULL, out);
}

void mapiwire_attachment_close(struct mapiwire_attachment **attachment)
{
	struct mapiwire_attachment *a = TAKE_PTR(*attachment);
	client_object_close(a ? &a->o : NULL);
}

int mapiwire_attachment_get(struct mapiwire_attachment *a, const uint32_t *tags, size_t tag_count,
                            struct mapiwire_rows *out)
{
	return client_object_get(&a->o, "the attachment", tags, tag_count, out);
}

int mapiwire_attachment_set(struct mapiwire_attachment *a, const struct mapiwire_value *values, size_t count)
{
	return client_object_set(&a->o, "the attachment", values, count);
}

int mapiwire_attachment_stream(struct mapiwire_attachment *a, uint32_t tag, bool create, struct mapiwire_stream **out,
                               uint64_t *size)
{
	return client_object_stream(&a->o, "the attachment", tag, create, out, size);
}

int mapiwire_attachment_commit(struct mapiwire_attachment *a)
{
	struct mapiwire_store *s = a->o.store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	int r = client_object_enter(&a->o, "the attachment");
	if (r != 0)
		return r;
	client_rops_begin(&b, s, arena);
	uint8_t at = client_rops_handle(&b, a->o.handle), message = client_rops_handle(&b, a->message);
	const struct RopSaveChangesAttachmentRequest q = {
	        .ResponseHandleIndex = message, .InputHandleIndex = at, .SaveFlags = KEEP_OPEN_READ_WRITE};
	r = client_rops_do(&b, ROP_SAVE_CHANGES_ATTACHMENT, &q, &answer);
	client_store_leave(s);
	return r;
}

int mapiwire_attachment_delete(struct mapiwire_message *msg, uint32_t number)
{
	struct mapiwire_store *s = msg->o.store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	client_rops_begin(&b, s, arena);
	const struct RopDeleteAttachmentRequest q = {.InputHandleIndex = client_rops_handle(&b, msg->o.handle),
	                                             .AttachmentID = number};
	r = client_rops_do(&b, ROP_DELETE_ATTACHMENT, &q, &answer);
	client_store_leave(s);
	return r;
}

/* ---- The message in it ---- */

static int open_embedded(const struct client_object *o, bool create, uint32_t *handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(o->store->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, o->store, arena);
	uint8_t in = client_rops_handle(&b, o->handle), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenEmbeddedMessageRequest q = {.InputHandleIndex = in,
	                                                .OutputHandleIndex = at,
	                                                .CodePageId = CODE_PAGE_OF_LOGON,
	                                                .OpenModeFlags = create ? EMBEDDED_CREATE : EMBEDDED_READ_ONLY};
	int r = client_rops_do(&b, ROP_OPEN_EMBEDDED_MESSAGE, &q, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

int mapiwire_attachment_message(struct mapiwire_attachment *a, bool create, struct mapiwire_message **out)
{
	struct mapiwire_store *s = a->o.store;
	int r = client_object_enter(&a->o, "the attachment");
	if (r != 0)
		return r;
	struct mapiwire_message *msg = (struct mapiwire_message *)calloc(1, sizeof *msg);
	r = msg ? 0 : client_failed(client_fail_inside(s->m, MW_E_NOMEM, "a message"));
	if (r == 0) {
		msg->o = (struct client_object){s, MAPI_NO_HANDLE, s->epoch};
		r = open_embedded(&a->o, create, &msg->o.handle);
	}
	client_store_leave(s);
	if (r != 0)
		free(msg);
	else
		*out = msg;
	return r;
}
