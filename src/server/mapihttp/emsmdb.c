#include "wire/emsmdb.h"
#include "base/utf16.h"
#include "mapi/property.h"
#include "mapi/status.h"
#include "server/mapihttp/private.h"
#include "wire/asyncemsmdb.h"
#include "wire/mapihttp.h"

#include <stdio.h>
#include <string.h>

/* The store's request types, 2.2.4, as the methods of [MS-OXCRPC] that they stand for. */

#define MAX_AUX 0x1008u /* [MS-OXCRPC] 2.2.2.1: SMALL_RANGE_ULONG */
#define MAX_ROPS 0x40000u

/* X-ClientApplication, 2.2.3.2.5: "Outlook/15.0.4815.1002"; in the words of [MS-OXCRPC] 3.1.4.1.3.1. One that does not
 * say is taken for newer than every version that anything depends on. */
static void client_version(const struct mapihttp_request *q, uint16_t out[3])
{
	const struct web_request *r = web_find(q->loop, q->web);
	const char *said = r ? http_field(r->head, "X-ClientApplication") : NULL;
	const char *slash = said ? strchr(said, '/') : NULL;
	unsigned short major, minor, build, revision;
	if (!slash || sscanf(slash, "/%5hu.%5hu.%5hu.%5hu", &major, &minor, &build, &revision) != 4 || major > 0xFF ||
	    minor > 0xFF || build > 0x7FFF) {
		major = 15;
		minor = build = revision = 0;
	}
	out[0] = (uint16_t)(major << 8 | minor);
	out[1] = (uint16_t)(0x8000 | build);
	out[2] = revision;
}

int mapihttp_fill_connect(struct mapihttp_request *q, void *args, const void *body)
{
	const struct MapiConnectRequest *b = (const struct MapiConnectRequest *)body;
	struct EcDoConnectEx_args *a = (struct EcDoConnectEx_args *)args;
	if (b->AuxiliaryBufferSize > MAX_AUX)
		return MW_E_LIMIT;
	a->szUserDN = b->UserDn;
	a->ulFlags = b->Flags;
	a->ulCpid = b->DefaultCodePage;
	a->ulLcidSort = b->LcidSort;
	a->ulLcidString = b->LcidString;
	client_version(q, a->rgwClientVersion);
	a->cbAuxIn = b->AuxiliaryBufferSize;
	a->rgbAuxIn = b->AuxiliaryBuffer;
	a->pcbAuxOut = MAX_AUX;
	return 0;
}

/* The handle of its waits, which RPC has a call of its own for. */
static int connect_async(struct mapihttp_request *q)
{
	struct EcDoAsyncConnectEx_args a = {.cxh = q->context->handle};
	struct service_call *call = q->call;
	enum service_result result = emsmdb_service.methods[14](call, &a);
	if (result != SERVICE_DONE || a.ReturnValue != 0)
		return MW_E_LIMIT;
	q->context->async = a.pacxh;
	return 0;
}

static int put_failure(struct mapihttp_request *q, uint32_t status)
{
	const struct MapiFailureResponse f = {.StatusCode = status};
	return mapihttp_put(q, &MapiFailureResponse_type, &f);
}

int mapihttp_answer_connect(struct mapihttp_request *q, void *args)
{
	const struct EcDoConnectEx_args *a = (const struct EcDoConnectEx_args *)args;
	struct MapiConnectResponse r = {.ErrorCode = (uint32_t)a->ReturnValue};
	if (a->ReturnValue != 0) {
		q->context->ended = true;
		return put_failure(q, (uint32_t)a->ReturnValue);
	}
	q->context->handle = a->pcxh;
	int e = connect_async(q);
	const struct mapi_value name = {.tag = MAPI_TAG(0, PTYP_STRING8), .u.str8 = a->szDisplayName};
	const char *utf8 = e == 0 ? mapi_value_utf8(q->call->arena, &name, a->ulCpid) : NULL;
	size_t units;
	r.DisplayName = utf8 ? utf8_to_utf16(q->call->arena, utf8, &units) : NULL;
	if (!r.DisplayName)
		return MW_E_NOMEM;
	r.PollsMax = a->pcmsPollsMax;
	r.RetryCount = a->pcRetry;
	r.RetryDelay = a->pcmsRetryDelay;
	r.DnPrefix = a->szDNPrefix;
	r.AuxiliaryBufferSize = a->pcbAuxOut;
	r.AuxiliaryBuffer = a->rgbAuxOut;
	return mapihttp_put(q, &MapiConnectResponse_type, &r);
}

int mapihttp_fill_execute(struct mapihttp_request *q, void *args, const void *body)
{
	const struct MapiExecuteRequest *b = (const struct MapiExecuteRequest *)body;
	struct EcDoRpcExt2_args *a = (struct EcDoRpcExt2_args *)args;
	if (b->RopBufferSize > MAX_ROPS || b->AuxiliaryBufferSize > MAX_AUX)
		return MW_E_LIMIT;
	a->pcxh = q->context->handle;
	a->pulFlags = b->Flags;
	a->rgbIn = b->RopBuffer;
	a->cbIn = b->RopBufferSize;
	a->pcbOut = b->MaxRopOut < MAX_ROPS ? b->MaxRopOut : MAX_ROPS;
	a->rgbAuxIn = b->AuxiliaryBuffer;
	a->cbAuxIn = b->AuxiliaryBufferSize;
	a->pcbAuxOut = MAX_AUX;
	return 0;
}

int mapihttp_answer_execute(struct mapihttp_request *q, void *args)
{
	const struct EcDoRpcExt2_args *a = (const struct EcDoRpcExt2_args *)args;
	const struct MapiExecuteResponse r = {
	        .ErrorCode = (uint32_t)a->ReturnValue,
	        .Flags = a->pulFlags,
	        .RopBufferSize = a->pcbOut,
	        .RopBuffer = a->rgbOut,
	        .AuxiliaryBufferSize = a->pcbAuxOut,
	        .AuxiliaryBuffer = a->rgbAuxOut,
	};
	return mapihttp_put(q, &MapiExecuteResponse_type, &r);
}

int mapihttp_fill_disconnect(struct mapihttp_request *q, void *args, const void *body)
{
	(void)body;
	((struct EcDoDisconnect_args *)args)->pcxh = q->context->handle;
	return 0;
}

int mapihttp_answer_disconnect(struct mapihttp_request *q, void *args)
{
	const struct MapiPlainResponse r = {.ErrorCode = (uint32_t)((struct EcDoDisconnect_args *)args)->ReturnValue};
	return mapihttp_put(q, &MapiPlainResponse_type, &r);
}

int mapihttp_fill_wait(struct mapihttp_request *q, void *args, const void *body)
{
	struct EcDoAsyncWaitEx_args *a = (struct EcDoAsyncWaitEx_args *)args;
	a->acxh = q->context->async;
	a->ulFlagsIn = ((const struct MapiNotificationWaitRequest *)body)->Flags;
	return 0;
}

int mapihttp_answer_wait(struct mapihttp_request *q, void *args)
{
	const struct EcDoAsyncWaitEx_args *a = (const struct EcDoAsyncWaitEx_args *)args;
	const struct MapiNotificationWaitResponse r = {
	        .ErrorCode = (uint32_t)a->ReturnValue,
	        .EventPending = a->pulFlagsOut,
	};
	return mapihttp_put(q, &MapiNotificationWaitResponse_type, &r);
}
