#include "client/store.h"

#include "mapi/ext_buffer.h"

#include <stdio.h>

/* EcDoRpcExt2: [MS-OXCRPC] 3.1.4.2. */

#define OP_RPC_EXT2 11
#define NO_XOR_MAGIC 0x00000002u /* pulFlags */
#define MAX_OUT 0x8008u
#define MAX_AUX 0x1008u

void client_rops_begin(struct client_rops *b, struct mapiwire_store *s, struct arena *arena)
{
	*b = (struct client_rops){.store = s, .arena = arena};
	b->error = arena ? mapi_rop_writer_begin(&b->writer, s->context, arena, &b->payload) : MW_E_NOMEM;
}

uint8_t client_rops_handle(struct client_rops *b, uint32_t handle)
{
	if (b->handle_count == CLIENT_MAX_HANDLES) {
		b->error = MW_E_LIMIT;
		return 0;
	}
	b->handles[b->handle_count] = handle;
	return (uint8_t)b->handle_count++;
}

void client_rops_add(struct client_rops *b, uint8_t id, const void *request)
{
	if (b->error == 0)
		b->error = mapi_rop_write_request(&b->writer, id, request);
}

void client_rops_release(struct client_rops *b, uint8_t index)
{
	client_rops_add(b, MAPI_ROP_RELEASE, &(struct RopReleaseRequest){.InputHandleIndex = index});
}

/* The answers of all payloads; only the last may lack some. */
static int read_answers(struct client_rops *b, const struct EcDoRpcExt2_args *a, const struct mapi_rop_list *requests)
{
	struct mapiwire *m = b->store->m;
	struct mapi_ext_payload *payloads;
	unsigned count;
	int r = mapi_ext_decode(b->arena, cursor_of(a->rgbOut, a->pcbOut), &payloads, &count);
	if (r == 0 && count == 0)
		r = MW_E_TRUNCATED;
	if (r == 0)
		r = mapi_decode_responses(b->store->context, b->arena, payloads[0].data, requests, NULL, &b->answers);
	if (r == 0)
		r = b->answers.error;
	if (r != 0)
		return client_fail_inside(m, r, b->answers.error_where ? b->answers.error_where : "EcDoRpcExt2");
	for (unsigned i = 0; i < b->answers.count; i++)
		if (b->answers.rops[i].id == MAPI_ROP_NOTIFY)
			client_watch_note(b->store, (const struct RopNotifyResponse *)b->answers.rops[i].value);
	return 0;
}

static int execute(struct client_rops *b, struct EcDoRpcExt2_args *a)
{
	struct mapiwire_store *s = b->store;
	int r = client_session_call(s, OP_RPC_EXT2, b->arena, a);
	if (r == 0 && a->ReturnValue != 0)
		r = client_fail_status(s->m, CAUSE_OF_MAPI, (uint32_t)a->ReturnValue, "EcDoRpcExt2");
	return r;
}

static int run_in_turn(struct client_rops *b)
{
	struct mapiwire_store *s = b->store;
	struct buf in MW_CLEANUP(buf_free) = {0};
	struct mapi_rop_list requests;
	bool sealed = s->conn->level == AUTH_LEVEL_PRIVACY;
	int r = b->error;
	if (r == 0)
		r = mapi_rop_writer_end(&b->writer, b->handles, b->handle_count);
	if (r == 0)
		r = mapi_ext_append(&in, b->payload.data, b->payload.len,
		                    MAPI_EXT_LAST | (sealed ? 0 : MAPI_EXT_XOR_MAGIC));
	/* The answers are read beside the requests as they went out. */
	if (r == 0)
		r = mapi_decode_requests(s->context, b->arena, cursor_of(b->payload.data, b->payload.len), NULL,
		                         &requests);
	if (r != 0)
		return client_fail_inside(s->m, r, "a ROP");
	struct EcDoRpcExt2_args a = {
	        .pcxh = s->cxh,
	        .pulFlags = sealed ? NO_XOR_MAGIC : 0,
	        .rgbIn = in.data,
	        .cbIn = (uint32_t)in.len,
	        .pcbOut = MAX_OUT,
	        .pcbAuxOut = MAX_AUX,
	};
	r = execute(b, &a);
	return r != 0 ? r : read_answers(b, &a, &requests);
}

int client_rops_run(struct client_rops *b)
{
	int r = client_store_take_turn(b->store);
	if (r != 0)
		return r;
	r = run_in_turn(b);
	client_store_leave(b->store);
	return r;
}

/* Severity in the top bit, or a small code of the store's own: an error. 0x0004....: done, with a remark. */
static bool is_warning(uint32_t status)
{
	return (status & 0xFFFF0000u) == 0x00040000u;
}

int client_rops_answer(struct client_rops *b, uint8_t id, const void **response)
{
	struct mapiwire *m = b->store->m;
	char name[48];
	while (b->next < b->answers.count && b->answers.rops[b->next].id == MAPI_ROP_NOTIFY)
		b->next++;
	snprintf(name, sizeof name, "Rop%s", mapi_rop_name(id) ? mapi_rop_name(id) : "");
	if (b->next >= b->answers.count || b->answers.rops[b->next].id != id)
		return client_fail_on(m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "no answer to %s", name);
	const struct mapi_rop *rop = &b->answers.rops[b->next++];
	if (rop->has_status && rop->status != 0 && !is_warning(rop->status))
		return client_fail_status(m, CAUSE_OF_MAPI, rop->status, name);
	*response = rop->value;
	return 0;
}

int client_rops_do(struct client_rops *b, uint8_t id, const void *request, const void **response)
{
	client_rops_add(b, id, request);
	int r = client_rops_run(b);
	return r != 0 ? r : client_rops_answer(b, id, response);
}

uint32_t client_rops_made(const struct client_rops *b, uint8_t index)
{
	return index < b->answers.handle_count ? b->answers.handles[index] : MAPI_NO_HANDLE;
}

void client_rops_end(struct client_rops *b)
{
	buf_free(&b->payload);
}

static void release(struct mapiwire_store *s, uint32_t handle)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(CLIENT_ARENA_LIMIT);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	client_rops_begin(&b, s, arena);
	client_rops_release(&b, client_rops_handle(&b, handle));
	if (client_rops_run(&b) < 0)
		client_no_error(s->m);
}

void client_release(struct mapiwire_store *s, uint32_t handle, unsigned epoch)
{
	if (handle == MAPI_NO_HANDLE || s->m->said->error.code < 0)
		return;
	if (client_store_take_turn(s) < 0) {
		client_no_error(s->m);
		return;
	}
	if (epoch == s->epoch && s->conn && !s->conn->closed)
		release(s, handle);
	client_store_leave(s);
}
