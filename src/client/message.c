#include "client/store.h"

#include <stdlib.h>
#include <string.h>

/* Messages: [MS-OXCMSG]. */

#define CODE_PAGE_OF_LOGON 0x0FFF
#define OPEN_READ_ONLY 0x00
#define OPEN_READ_WRITE 0x01
#define KEEP_OPEN_READ_WRITE 0x02 /* SaveFlags, 2.2.3.3.1 */

/* ---- Opening ---- */

static int open_message(struct mapiwire_store *s, uint64_t folder, uint64_t id, uint8_t mode, uint32_t *handle)
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
	        .OpenModeFlags = mode,
	        .MessageId = id,
	};
	int r = client_rops_do(&b, ROP_OPEN_MESSAGE, &q, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

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
	int r = client_rops_do(&b, ROP_CREATE_MESSAGE, &q, &answer);
	if (r == 0)
		*handle = client_rops_made(&b, at);
	return r;
}

enum how { FOR_READING, FOR_WRITING, NEW };

static int make(struct mapiwire_store *s, uint64_t folder, uint64_t id, enum how how, struct mapiwire_message **out)
{
	client_no_error(s->m);
	struct mapiwire_message *msg = (struct mapiwire_message *)calloc(1, sizeof *msg);
	if (!msg)
		return client_failed(client_fail_inside(s->m, MW_E_NOMEM, "a message"));
	int r = client_store_enter(s);
	if (r == 0) {
		msg->o = (struct client_object){s, MAPI_NO_HANDLE, s->epoch};
		r = how == NEW ? create(s, folder, &msg->o.handle)
		               : open_message(s, folder, id, how == FOR_WRITING ? OPEN_READ_WRITE : OPEN_READ_ONLY,
		                              &msg->o.handle);
		client_store_leave(s);
	}
	if (r != 0)
		free(msg);
	else
		*out = msg;
	return r;
}

int mapiwire_message_open(struct mapiwire_store *s, uint64_t folder, uint64_t message, struct mapiwire_message **out)
{
	return make(s, folder, message, FOR_READING, out);
}

int mapiwire_message_edit(struct mapiwire_store *s, uint64_t folder, uint64_t message, struct mapiwire_message **out)
{
	return make(s, folder, message, FOR_WRITING, out);
}

int mapiwire_message_create(struct mapiwire_store *s, uint64_t folder, struct mapiwire_message **out)
{
	return make(s, folder, 0, NEW, out);
}

void mapiwire_message_close(struct mapiwire_message **message)
{
	struct mapiwire_message *msg = TAKE_PTR(*message);
	client_object_close(msg ? &msg->o : NULL);
}

/* ---- Properties ---- */

int mapiwire_message_get(struct mapiwire_message *msg, const uint32_t *tags, size_t tag_count,
                         struct mapiwire_rows *out)
{
	return client_object_get(&msg->o, "the message", tags, tag_count, out);
}

int mapiwire_message_set(struct mapiwire_message *msg, const struct mapiwire_value *values, size_t count)
{
	return client_object_set(&msg->o, "the message", values, count);
}

/* ---- Saving and sending ---- */

static int save(struct mapiwire_message *msg, uint64_t *id)
{
	struct mapiwire_store *s = msg->o.store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	uint8_t logon = client_rops_handle(&b, s->logon), in = client_rops_handle(&b, msg->o.handle);
	const struct RopSaveChangesMessageRequest q = {
	        .ResponseHandleIndex = logon, .InputHandleIndex = in, .SaveFlags = KEEP_OPEN_READ_WRITE};
	int r = client_rops_do(&b, ROP_SAVE_CHANGES_MESSAGE, &q, &answer);
	if (r == 0 && id)
		*id = ((const struct RopSaveChangesMessageResponse *)answer)->MessageId;
	return r;
}

int mapiwire_message_commit(struct mapiwire_message *msg, uint64_t *id)
{
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	r = save(msg, id);
	client_store_leave(msg->o.store);
	return r;
}

/* [MS-OXOMSG] 2.2.4.1 */
static int submit(struct mapiwire_message *msg)
{
	struct mapiwire_store *s = msg->o.store;
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	const struct RopSubmitMessageRequest q = {.InputHandleIndex = client_rops_handle(&b, msg->o.handle)};
	return client_rops_do(&b, ROP_SUBMIT_MESSAGE, &q, &answer);
}

int mapiwire_message_submit(struct mapiwire_message *msg)
{
	int r = client_object_enter(&msg->o, "the message");
	if (r != 0)
		return r;
	r = submit(msg);
	client_store_leave(msg->o.store);
	return r;
}

/* ---- In one call ---- */

static int fill(struct mapiwire_message *msg, const struct mapiwire_draft *d)
{
	struct mapiwire_value own[3] = {{.tag = PidTagMessageClass, .text = "IPM.Note"}};
	size_t count = 1;
	if (d->subject)
		own[count++] = (struct mapiwire_value){.tag = PidTagSubject, .text = d->subject};
	if (d->body)
		own[count++] = (struct mapiwire_value){.tag = PidTagBody, .text = d->body};
	int r = mapiwire_message_set(msg, own, count);
	if (r == 0 && d->value_count > 0)
		r = mapiwire_message_set(msg, d->values, d->value_count);
	if (r == 0 && d->recipient_count > 0)
		r = mapiwire_message_set_recipients(msg, d->recipients, d->recipient_count);
	return r;
}

int mapiwire_message_save(struct mapiwire_store *s, uint64_t folder, const struct mapiwire_draft *draft, uint64_t *id)
{
	struct mapiwire_message *msg = NULL;
	int r = mapiwire_message_create(s, folder, &msg);
	if (r != 0)
		return r;
	r = fill(msg, draft);
	if (r == 0)
		r = mapiwire_message_commit(msg, id);
	mapiwire_message_close(&msg);
	return r;
}

int mapiwire_message_send(struct mapiwire_store *s, const struct mapiwire_draft *draft)
{
	struct mapiwire_message *msg = NULL;
	int r = mapiwire_message_create(s, s->folders[LOGON_OUTBOX], &msg);
	if (r != 0)
		return r;
	r = fill(msg, draft);
	if (r == 0)
		r = mapiwire_message_submit(msg);
	mapiwire_message_close(&msg);
	return r;
}
