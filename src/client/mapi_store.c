#include "client/mapi.h"

#include "base/utf16.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/mapihttp.h"

#include <stddef.h>

/* The store's methods as request types, [MS-OXCMAPIHTTP] 2.2.4. What RPC has context handles for is in the cookies; so
 * that callers see a session, one stands in their place. */

static const struct idl_context_handle by_cookies = {
        .uuid = {.data1 = 0x6D617069, .data2 = 0x6874, .data3 = 0x7470},
};

static int fill_connect(struct arena *arena, void *body, const void *args)
{
	const struct EcDoConnectEx_args *a = (const struct EcDoConnectEx_args *)args;
	(void)arena;
	*(struct MapiConnectRequest *)body = (struct MapiConnectRequest){
	        .UserDn = a->szUserDN,
	        .Flags = a->ulFlags,
	        .DefaultCodePage = a->ulCpid,
	        .LcidSort = a->ulLcidSort,
	        .LcidString = a->ulLcidString,
	        .AuxiliaryBufferSize = a->cbAuxIn,
	        .AuxiliaryBuffer = a->rgbAuxIn,
	};
	return 0;
}

static int read_connect(struct arena *arena, const void *body, void *args)
{
	const struct MapiConnectResponse *b = (const struct MapiConnectResponse *)body;
	struct EcDoConnectEx_args *a = (struct EcDoConnectEx_args *)args;
	a->szDisplayName = utf16_to_utf8(arena, b->DisplayName, utf16_len(b->DisplayName));
	if (!a->szDisplayName)
		return MW_E_NOMEM;
	a->pcxh = by_cookies;
	a->pcmsPollsMax = b->PollsMax;
	a->pcRetry = b->RetryCount;
	a->pcmsRetryDelay = b->RetryDelay;
	a->szDNPrefix = b->DnPrefix;
	a->rgbAuxOut = b->AuxiliaryBuffer;
	a->pcbAuxOut = b->AuxiliaryBufferSize;
	return 0;
}

static int fill_execute(struct arena *arena, void *body, const void *args)
{
	const struct EcDoRpcExt2_args *a = (const struct EcDoRpcExt2_args *)args;
	(void)arena;
	*(struct MapiExecuteRequest *)body = (struct MapiExecuteRequest){
	        .Flags = a->pulFlags,
	        .RopBufferSize = a->cbIn,
	        .RopBuffer = a->rgbIn,
	        .MaxRopOut = a->pcbOut,
	        .AuxiliaryBufferSize = a->cbAuxIn,
	        .AuxiliaryBuffer = a->rgbAuxIn,
	};
	return 0;
}

static int read_execute(struct arena *arena, const void *body, void *args)
{
	const struct MapiExecuteResponse *b = (const struct MapiExecuteResponse *)body;
	struct EcDoRpcExt2_args *a = (struct EcDoRpcExt2_args *)args;
	(void)arena;
	a->pulFlags = b->Flags;
	a->rgbOut = b->RopBuffer;
	a->pcbOut = b->RopBufferSize;
	a->rgbAuxOut = b->AuxiliaryBuffer;
	a->pcbAuxOut = b->AuxiliaryBufferSize;
	return 0;
}

static int fill_disconnect(struct arena *arena, void *body, const void *args)
{
	(void)arena, (void)args;
	*(struct MapiDisconnectRequest *)body = (struct MapiDisconnectRequest){0};
	return 0;
}

static int read_plain(struct arena *arena, const void *body, void *args)
{
	(void)arena, (void)body, (void)args;
	return 0;
}

/* A wait needs no handle of its own. */
static int read_async_connect(struct arena *arena, const void *body, void *args)
{
	(void)arena, (void)body;
	((struct EcDoAsyncConnectEx_args *)args)->pacxh = by_cookies;
	return 0;
}

static int fill_wait(struct arena *arena, void *body, const void *args)
{
	(void)arena;
	*(struct MapiNotificationWaitRequest *)body =
	        (struct MapiNotificationWaitRequest){.Flags = ((const struct EcDoAsyncWaitEx_args *)args)->ulFlagsIn};
	return 0;
}

static int read_wait(struct arena *arena, const void *body, void *args)
{
	(void)arena;
	((struct EcDoAsyncWaitEx_args *)args)->pulFlagsOut =
	        ((const struct MapiNotificationWaitResponse *)body)->EventPending;
	return 0;
}

const struct client_mapi_type client_mapi_store_types[] = {
        {"Connect", &wire_emsmdb_interface, 10, true, false, CLIENT_REPEAT, &MapiConnectRequest_type,
         &MapiConnectResponse_type, offsetof(struct EcDoConnectEx_args, ReturnValue), fill_connect, read_connect},
        {"Execute", &wire_emsmdb_interface, 11, false, false, CLIENT_REPEAT_IN_SEQUENCE, &MapiExecuteRequest_type,
         &MapiExecuteResponse_type, offsetof(struct EcDoRpcExt2_args, ReturnValue), fill_execute, read_execute},
        {"Disconnect", &wire_emsmdb_interface, 1, false, true, CLIENT_REPEAT_NEVER, &MapiDisconnectRequest_type,
         &MapiPlainResponse_type, offsetof(struct EcDoDisconnect_args, ReturnValue), fill_disconnect, read_plain},
        {NULL, &wire_emsmdb_interface, 14, false, false, CLIENT_REPEAT, NULL, NULL,
         offsetof(struct EcDoAsyncConnectEx_args, ReturnValue), NULL, read_async_connect},
        {"NotificationWait", &wire_asyncemsmdb_interface, 0, false, false, CLIENT_REPEAT_NEVER,
         &MapiNotificationWaitRequest_type, &MapiNotificationWaitResponse_type,
         offsetof(struct EcDoAsyncWaitEx_args, ReturnValue), fill_wait, read_wait},
        {.interface = NULL},
};
