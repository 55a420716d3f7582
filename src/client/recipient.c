#include "client/store.h"

#include "base/utf16.h"

#include <string.h>

/* The recipients of an opened message: [MS-OXCMSG] 2.2.3.5, 2.2.3.6; rows of [MS-OXCDATA] 2.8.3.2. */

#define SMTP 3 /* MAPI_RECIPIENT_TYPE */
/* Rows in one request: what they may take stays below the 32 KiB of a buffer. */
#define ROWS_SIZE 24000u

/* ---- Writing ---- */

static int make_row(struct arena *arena, const struct mapiwire_recipient *in, struct mapi_recipient *out, size_t *size)
{
	size_t email, name;
	*out = (struct mapi_recipient){
	        .flags = SMTP | MAPI_RECIPIENT_E | MAPI_RECIPIENT_D | MAPI_RECIPIENT_U,
	        .email.str16 = utf8_to_utf16(arena, in->address, &email),
	        .display_name.str16 = utf8_to_utf16(arena, in->name ? in->name : in->address, &name),
	};
	if (!out->email.str16 || !out->display_name.str16)
		return MW_E_NOMEM;
	*size = 2 * (email + name) + 32;
	return *size <= ROWS_SIZE ? 0 : MW_E_INVALID;
}

static int send_rows(struct mapiwire_message *msg, struct arena *arena, struct ModifyRecipientRow *rows, size_t count)
{
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, msg->o.store, arena);
	const struct RopModifyRecipientsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, msg->o.handle),
	        .RowCount = (uint16_t)count,
	        .RecipientRows = rows,
	};
	return client_rops_do(&b, ROP_MODIFY_RECIPIENTS, &q, &answer);
}

static int set_recipients(struct mapiwire_message *msg, const struct mapiwire_recipient *list, size_t count)
{
	struct mapiwire *m = msg->o.store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct mapi_recipient *made = arena ? arena_new_array(arena, struct mapi_recipient, count) : NULL;
	struct ModifyRecipientRow *rows = arena ? arena_new_array(arena, struct ModifyRecipientRow, count) : NULL;
	size_t first = 0, waiting = 0;
	int r = made && rows ? 0 : client_failed(client_fail_inside(m, MW_E_NOMEM, "recipients"));
	for (size_t i = 0; r == 0 && i < count; i++) {
		size_t size = 0;
		if (make_row(arena, &list[i], &made[i], &size) < 0)
			return client_fail_inside(m, MW_E_INVALID, "a recipient");
		if (i > first && waiting + size > ROWS_SIZE) {
			r = send_rows(msg, arena, rows + first, i - first);
			first = i;
			waiting = 0;
		}
		rows[i] = (struct ModifyRecipientRow){
		        .RowId = msg->recipients++, .RecipientType = (uint8_t)list[i].kind, .RecipientRow = &made[i]};
		waiting += size;
	}
	return r == 0 && count > first ? send_rows(msg, arena, rows + first, count - first) : r;
}

int mapiwire_message_set_recipients(struct mapiwire_message *msg, const struct mapiwire_recipient *list, size_t count)
{
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	r = set_recipients(msg, list, count);
	client_store_leave(msg->o.store);
	return r;
}

/* ---- Reading ---- */

struct reading {
	struct mapiwire *m;
	struct arena *arena;
	struct mapiwire_recipient *list;
	size_t count, room;
};

static char *text_of(struct arena *arena, const struct mapi_string *s, bool unicode)
{
	const struct mapi_value v = {.tag = MAPI_TAG(0x3001, unicode ? PTYP_STRING : PTYP_STRING8),
	                             .u = unicode ? (union mapi_datum){.str16 = s->str16}
	                                          : (union mapi_datum){.str8 = s->str8}};
	if (unicode ? !s->str16 : !s->str8)
		return NULL;
	return mapi_value_utf8(arena, &v, CLIENT_CODE_PAGE);
}

/* Of the columns behind the row's own fields. */
static char *column(struct arena *arena, const struct mapi_recipient *row, uint32_t tag)
{
	const struct mapi_value *v = mapi_find(row->properties.values, row->properties.count, tag);
	return v ? mapi_value_utf8(arena, v, CLIENT_CODE_PAGE) : NULL;
}

static int take_row(struct reading *in, uint8_t kind, const struct mapi_recipient *row)
{
	struct arena *arena = in->arena;
	bool unicode = row->flags & MAPI_RECIPIENT_U;
	char *address = column(arena, row, PidTagSmtpAddress);
	char *name = text_of(arena, &row->display_name, unicode);
	if (!address || !*address)
		address = text_of(arena, &row->email, unicode);
	if (!address && row->x500_dn)
		address = arena_strdup(arena, row->x500_dn);
	if (!name)
		name = text_of(arena, &row->transmittable_name, unicode);
	if (in->count == in->room) {
		size_t room = in->room ? 2 * in->room : 16;
		struct mapiwire_recipient *more = arena_new_array(arena, struct mapiwire_recipient, room);
		if (!more)
			return client_failed(client_fail_inside(in->m, MW_E_NOMEM, "recipients"));
		if (in->count > 0)
			memcpy(more, in->list, in->count * sizeof *more);
		in->list = more;
		in->room = room;
	}
	struct mapiwire_recipient *out = &in->list[in->count++];
	out->address = address ? address : "";
	out->name = name && *name ? name : out->address;
	out->kind = (kind & 0x0F) == MAPIWIRE_CC    ? MAPIWIRE_CC
	            : (kind & 0x0F) == MAPIWIRE_BCC ? MAPIWIRE_BCC
	                                            : MAPIWIRE_TO;
	return 0;
}

/* The rows from one id on. *next: where to go on; unchanged when there are no more. */
static int read_rows(struct mapiwire_message *msg, struct reading *in, uint32_t *next)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(in->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, msg->o.store, arena);
	const struct RopReadRecipientsRequest q = {.InputHandleIndex = client_rops_handle(&b, msg->o.handle),
	                                           .RowId = *next};
	int r = client_rops_do(&b, ROP_READ_RECIPIENTS, &q, &answer);
	if (r != 0)
		return r;
	const struct RopReadRecipientsResponse *a = (const struct RopReadRecipientsResponse *)answer;
	for (unsigned i = 0; r == 0 && i < a->RowCount; i++) {
		const struct ReadRecipientRow *row = &a->RecipientRows[i];
		if (row->RowId < *next || row->RowId == UINT32_MAX)
			return client_fail_on(in->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR,
			                      "RopReadRecipients answers rows out of order");
		*next = row->RowId + 1;
		if (row->RecipientRow)
			r = take_row(in, row->RecipientType, row->RecipientRow);
	}
	return r;
}

/* The end of them is an error of its own, [MS-OXCMSG] 3.2.5.6 */
static bool is_end(const struct mapiwire *m)
{
	return m->said->error.status == ecNotFound;
}

static int read_all(struct mapiwire_message *msg, struct reading *in)
{
	uint32_t next = 0, before;
	int r;
	do {
		before = next;
		r = read_rows(msg, in, &next);
	} while (r == 0 && next != before);
	if (r == MAPIWIRE_E_STATUS && is_end(in->m)) {
		client_no_error(in->m);
		r = 0;
	}
	return r;
}

int mapiwire_message_recipients(struct mapiwire_message *msg, struct mapiwire_recipients *out)
{
	struct mapiwire *m = msg->o.store->m;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct reading in = {.m = m, .arena = arena};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	r = read_all(msg, &in);
	client_store_leave(msg->o.store);
	if (r == 0)
		*out = (struct mapiwire_recipients){in.count, in.list, TAKE_PTR(arena)};
	return r;
}

void mapiwire_recipients_free(struct mapiwire_recipients *r)
{
	struct arena *arena = (struct arena *)r->owner;
	arena_free(&arena);
	*r = (struct mapiwire_recipients){0};
}
