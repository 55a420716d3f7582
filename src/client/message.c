#include "client/store.h"

#include "base/time.h"
#include "base/utf16.h"

#include <stdlib.h>
#include <string.h>

/* Messages: [MS-OXCMSG]. */

#define CODE_PAGE_OF_LOGON 0x0FFF
#define OPEN_READ_ONLY 0x00
#define KEEP_OPEN_READ_ONLY 0x01 /* SaveFlags, 2.2.3.3.1 */
/* Bodies beyond this go through a stream. */
#define LARGE_BODY 8192u
#define MAX_VALUES 64

struct mapiwire_message {
	struct mapiwire_store *store;
	uint32_t handle;
	unsigned epoch;
};

/* ---- Reading ---- */

static int open_message(struct mapiwire_store *s, uint64_t folder, uint64_t id, uint32_t *handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, s->logon), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopOpenMessageRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .CodePageId = CODE_PAGE_OF_LOGON,
	        .FolderId = folder,
	        .OpenModeFlags = OPEN_READ_ONLY,
	        .MessageId = id,
	};
	client_rops_add(&b, ROP_OPEN_MESSAGE, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_OPEN_MESSAGE, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

int mapiwire_message_open(struct mapiwire_store *s, uint64_t folder, uint64_t message, struct mapiwire_message **out)
{
	client_no_error(s->m);
	struct mapiwire_message *msg = (struct mapiwire_message *)calloc(1, sizeof *msg);
	if (!msg)
		return client_fail_inside(s->m, MW_E_NOMEM, "a message");
	msg->store = s;
	int r = client_store_enter(s);
	if (r == 0) {
		r = open_message(s, folder, message, &msg->handle);
		msg->epoch = s->epoch;
		client_store_leave(s);
	}
	if (r != 0)
		free(msg);
	else
		*out = msg;
	return r;
}

void mapiwire_message_close(struct mapiwire_message **message)
{
	struct mapiwire_message *msg = *message;
	if (!msg)
		return;
	*message = NULL;
	client_release(msg->store, msg->handle, msg->epoch);
	free(msg);
}

int mapiwire_message_get(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count,
                         struct mapiwire_rows *out)
{
	client_no_error(msg->store->m);
	int r = client_store_enter_same(msg->store, msg->epoch, "the message");
	if (r != 0)
		return r;
	r = client_get_properties(msg->store, msg->handle, tags, tag_count, out);
	client_store_leave(msg->store);
	return r;
}

/* ---- Writing ---- */

static int create(struct mapiwire_store *s, uint64_t folder, uint32_t *handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t in = client_rops_handle(&b, s->logon), at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopCreateMessageRequest q = {
	        .InputHandleIndex = in,
	        .OutputHandleIndex = at,
	        .CodePageId = CODE_PAGE_OF_LOGON,
	        .FolderId = folder,
	};
	client_rops_add(&b, ROP_CREATE_MESSAGE, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_CREATE_MESSAGE, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

struct values {
	struct mapi_value list[MAX_VALUES];
	size_t count;
};

static int add_text(struct arena *arena, struct values *v, uint32_t tag, const char *text)
{
	return mapi_text(arena, tag, text, CLIENT_CODE_PAGE, &v->list[v->count++]);
}

static int set_values(struct mapiwire_store *s, uint32_t handle, const struct mapiwire_draft *d)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct values v = {0};
	int r = arena && d->value_count <= MAX_VALUES - 4 ? 0 : MW_E_INVALID;
	if (r == 0)
		r = add_text(arena, &v, PidTagMessageClass, "IPM.Note");
	if (r == 0 && d->subject)
		r = add_text(arena, &v, PidTagSubject, d->subject);
	if (r == 0 && d->body && strlen(d->body) <= LARGE_BODY)
		r = add_text(arena, &v, PidTagBody, d->body);
	if (r != 0)
		return client_fail_inside(s->m, r, "a message");
	for (size_t i = 0; i < d->value_count; i++) {
		r = client_take_value(s->m, arena, &d->values[i], &v.list[v.count++]);
		if (r != 0)
			return r;
	}
	return client_set_properties(s, handle, v.list, v.count);
}

static int write_body(struct mapiwire_store *s, uint32_t handle, const char *body)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	size_t units;
	uint16_t *text = arena ? utf8_to_utf16(arena, body, &units) : NULL;
	if (!text)
		return client_fail_inside(s->m, MW_E_NOMEM, "a body");
	return client_stream_write(s, handle, PidTagBody, text, units * sizeof *text);
}

static int make_recipient(struct arena *arena, const struct mapiwire_recipient *in, struct mapi_recipient *out)
{
	*out = (struct mapi_recipient){
	        .flags = 3 /* SMTP */ | MAPI_RECIPIENT_E | MAPI_RECIPIENT_D | MAPI_RECIPIENT_U,
	        .email.str16 = utf8_to_utf16(arena, in->address, NULL),
	        .display_name.str16 = utf8_to_utf16(arena, in->name ? in->name : in->address, NULL),
	};
	return out->email.str16 && out->display_name.str16 ? 0 : MW_E_NOMEM;
}

static int set_recipients(struct mapiwire_store *s, uint32_t handle, const struct mapiwire_draft *d)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	size_t n = d->recipient_count < UINT16_MAX ? d->recipient_count : 0;
	struct mapi_recipient *list = arena ? arena_new_array(arena, struct mapi_recipient, n) : NULL;
	struct ModifyRecipientRow *rows = arena ? arena_new_array(arena, struct ModifyRecipientRow, n) : NULL;
	int r = list && rows ? 0 : MW_E_NOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = make_recipient(arena, &d->recipients[i], &list[i]);
		rows[i] = (struct ModifyRecipientRow){.RowId = (uint32_t)i,
		                                      .RecipientType = (uint8_t)d->recipients[i].kind,
		                                      .RecipientRow = &list[i]};
	}
	if (r != 0)
		return client_fail_inside(s->m, r, "recipients");
	const struct RopModifyRecipientsRequest q = {
	        .InputHandleIndex = client_rops_handle(&b, handle), .RowCount = (uint16_t)n, .RecipientRows = rows};
	client_rops_add(&b, ROP_MODIFY_RECIPIENTS, &q);
	r = client_rops_run(&b);
	return r != 0 ? r : client_rops_answer(&b, ROP_MODIFY_RECIPIENTS, &answer);
}

static int save(struct mapiwire_store *s, uint32_t handle, uint64_t *id)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t logon = client_rops_handle(&b, s->logon), in = client_rops_handle(&b, handle);
	const struct RopSaveChangesMessageRequest q = {
	        .ResponseHandleIndex = logon, .InputHandleIndex = in, .SaveFlags = KEEP_OPEN_READ_ONLY};
	client_rops_add(&b, ROP_SAVE_CHANGES_MESSAGE, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_SAVE_CHANGES_MESSAGE, &answer);
	if (r == 0 && id)
		*id = ((const struct RopSaveChangesMessageResponse *)answer)->MessageId;
	return r;
}

/* [MS-OXOMSG] 2.2.4.1 */
static int submit(struct mapiwire_store *s, uint32_t handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	const struct RopSubmitMessageRequest q = {.InputHandleIndex = client_rops_handle(&b, handle)};
	client_rops_add(&b, ROP_SUBMIT_MESSAGE, &q);
	int r = client_rops_run(&b);
	return r != 0 ? r : client_rops_answer(&b, ROP_SUBMIT_MESSAGE, &answer);
}

static int compose(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_draft *draft, uint32_t *handle)
{
	int r = create(s, folder, handle);
	if (r != 0)
		return r;
	r = set_values(s, *handle, draft);
	if (r == 0 && draft->body && strlen(draft->body) > LARGE_BODY)
		r = write_body(s, *handle, draft->body);
	if (r == 0 && draft->recipient_count > 0)
		r = set_recipients(s, *handle, draft);
	return r;
}

int mapiwire_message_save(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_draft *draft, uint64_t *id)
{
	uint32_t handle = MAPI_NO_HANDLE;
	client_no_error(s->m);
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = compose(s, folder, draft, &handle);
	if (r == 0)
		r = save(s, handle, id);
	client_release(s, handle, s->epoch);
	client_store_leave(s);
	return r;
}

int mapiwire_message_send(struct mapiwire_store *s, const struct mapiwire_draft *draft)
{
	uint32_t handle = MAPI_NO_HANDLE;
	client_no_error(s->m);
	int r = client_store_enter(s);
	if (r != 0)
		return r;
	r = compose(s, s->folders[LOGON_OUTBOX], draft, &handle);
	if (r == 0)
		r = submit(s, handle);
	client_release(s, handle, s->epoch);
	client_store_leave(s);
	return r;
}
