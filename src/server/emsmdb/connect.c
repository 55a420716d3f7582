#include "server/emsmdb/private.h"

#include "base/text.h"
#include "base/time.h"
#include "mapi/aux_buffer.h"
#include "mapi/ext_buffer.h"
#include "server/accounts.h"
#include "server/policy.h"
#include "server/version.h"
#include "wire/aux.h"

#include <stdlib.h>
#include <string.h>

/* Sessions come and go: [MS-OXCRPC] 3.1.4.1, 3.1.4.3, 3.1.4.4, 3.3.4.1. */

/* What the client is told of polling and retrying; 3.1.4.1 gives these as typical. */
#define POLLS_MAX_MS 60000u
#define RETRY_COUNT 6u
#define RETRY_DELAY_MS 10000u
/* ulFlags: the connection is for an administrator, which nobody is. */
#define CONNECT_ADMIN 0x00000001u
/* 15.0.1497.0 as the three words of 3.1.4.1.3.1: major and minor in one, build with the mark of this form, revision. */
static const uint16_t server_version[3] = {SERVER_MAJOR << 8 | SERVER_MINOR, 0x8000 | SERVER_BUILD, SERVER_REVISION};
/* AUX_EXORGINFO, 2.2.2.2.17: no public folders. */
#define AUX_VERSION_1 1
#define AUX_TYPE_EXORGINFO 0x17
#define AUX_EXORGINFO_SIZE 8

static enum service_result refuse(struct EcDoConnectEx_args *a, uint32_t status)
{
	a->pcxh = (struct idl_context_handle){0};
	a->szDNPrefix = a->szDisplayName = NULL;
	a->pcbAuxOut = 0;
	a->rgbAuxOut = NULL;
	a->ReturnValue = (int32_t)status;
	return SERVICE_DONE;
}

/* What EcDoConnectEx carries from loop to loop. */
struct connecting {
	struct guid mailbox;
	const char *dn, *name, *dn_prefix; /* the name in the client's code page */
	struct emsmdb_ref *ref;
	uint32_t status;
};

/* Rundown of a CXH: the client has gone. */
static void run_down(void *object)
{
	struct emsmdb_ref *ref = (struct emsmdb_ref *)object;
	emsmdb_session_end(ref->loop, ref->session);
	free(ref);
}

static void run_down_async(void *object)
{
	free(object);
}

/* What the client is told of the organisation; nothing when it has no room for it. */
static void put_aux(struct service_call *call, struct EcDoConnectEx_args *a)
{
	struct AUX_EXORGINFO info = {.OrgFlags = 0};
	struct buf block = {0}, out = {0};
	uint32_t room = a->pcbAuxOut;
	a->pcbAuxOut = 0;
	a->rgbAuxOut = NULL;
	if (room >= MAPI_EXT_HEADER_SIZE + AUX_EXORGINFO_SIZE &&
	    mapi_aux_append(call->arena, &block, AUX_VERSION_1, AUX_TYPE_EXORGINFO, &info) == 0 &&
	    mapi_ext_append(&out, block.data, block.len, MAPI_EXT_LAST | MAPI_EXT_XOR_MAGIC) == 0) {
		a->rgbAuxOut = (uint8_t *)arena_copy(call->arena, out.data, out.len);
		a->pcbAuxOut = a->rgbAuxOut ? (uint32_t)out.len : 0;
	}
	buf_free(&block);
	buf_free(&out);
}

/* In the home loop again: the handle, and the answer. */
static void connected(struct server_loop *loop, struct service_call *call)
{
	struct connecting *c = (struct connecting *)call->state;
	struct EcDoConnectEx_args *a = (struct EcDoConnectEx_args *)call->args;
	(void)loop;
	if (c->status != 0) {
		free(c->ref);
		service_finish(call, refuse(a, c->status));
		return;
	}
	if (service_handle_create(call, c->ref, run_down, &a->pcxh) < 0) {
		run_down(c->ref); /* the connection is gone, or has too many handles */
		service_finish(call, refuse(a, ecTooManySessions));
		return;
	}
	a->pcmsPollsMax = POLLS_MAX_MS;
	a->pcRetry = RETRY_COUNT;
	a->pcmsRetryDelay = RETRY_DELAY_MS;
	a->picxr = (uint16_t)c->ref->session;
	a->szDNPrefix = (char *)c->dn_prefix;
	a->szDisplayName = (char *)c->name;
	memcpy(a->rgwServerVersion, server_version, sizeof a->rgwServerVersion);
	memcpy(a->rgwBestVersion, a->rgwClientVersion, sizeof a->rgwBestVersion);
	a->pulTimeStamp = (uint32_t)(time_monotonic_ns() / NS_PER_MS);
	put_aux(call, a);
	a->ReturnValue = 0;
	service_finish(call, SERVICE_DONE);
}

/* [MS-OXCROPS] 3.1.5.1.1: from 12.0.4228 on. */
static bool takes_backoff(const uint16_t words[3])
{
	uint16_t v[4];
	policy_version(words, v);
	return v[0] > 12 || (v[0] == 12 && (v[1] > 0 || v[2] >= 4228));
}

/* In the loop of the mailbox. */
static void make_session(struct server_loop *loop, struct service_call *call)
{
	struct connecting *c = (struct connecting *)call->state;
	const struct EcDoConnectEx_args *a = (const struct EcDoConnectEx_args *)call->args;
	struct emsmdb_session *s = NULL;
	int r = emsmdb_session_new(loop, &c->mailbox, a->ulCpid, &s);
	if (r == 0 && (s->dn = strdup(c->dn)) == NULL) {
		emsmdb_session_free(s);
		r = MW_E_NOMEM;
	}
	if (r == 0) {
		s->account = call->account;
		s->takes_backoff = takes_backoff(a->rgwClientVersion);
		c->ref->session = s->id;
	}
	c->status = r == 0               ? 0
	            : r == MW_E_LIMIT    ? ecTooManySessions
	            : r == MW_E_NOTFOUND ? ecUnknownUser
	                                 : ecMDBNotInit;
	service_move(call, call->home, connected);
}

/* Who may connect as whom: everybody as himself. The codes are those of [MS-OXCRPC] 3.1.4.1. */
static uint32_t check_user(const struct service_call *call, const char *dn, const struct directory_user *u)
{
	const struct EcDoConnectEx_args *a = (const struct EcDoConnectEx_args *)call->args;
	if (!call->account || !*dn)
		return ecAccessDenied;
	if (a->ulFlags & CONNECT_ADMIN)
		return ecLoginPerm;
	if (!u)
		return ecUnknownUser;
	return u->id == call->account ? 0 : ecAccessDenied;
}

/* The part of the DN up to "cn=", which X500DN recipients leave out: [MS-OXCRPC] 3.1.4.1, szDNPrefix. */
static const char *dn_prefix(struct arena *arena, const char *dn)
{
	const char *last = strrchr(dn, '=');
	return arena_strndup(arena, dn, last ? (size_t)(last - dn) + 1 : 0);
}

static uint32_t prepare(struct service_call *call, const char *dn, struct connecting *c)
{
	struct directory_snapshot *book = accounts_snapshot(call->server);
	const struct directory_user *u = directory_by_dn(book, dn);
	const struct EcDoConnectEx_args *a = (const struct EcDoConnectEx_args *)call->args;
	uint32_t status = check_user(call, dn, u);
	if (status == 0) {
		struct mapi_value name;
		int r = mapi_text(call->arena, MAPI_TAG(0, PTYP_STRING8), u->name, a->ulCpid, &name);
		c->mailbox = u->mailbox;
		c->dn = arena_strdup(call->arena, u->dn);
		c->dn_prefix = dn_prefix(call->arena, u->dn);
		c->ref = (struct emsmdb_ref *)calloc(1, sizeof *c->ref);
		if (r < 0)
			status = ecUnknownCodePage;
		else if (!c->dn || !c->dn_prefix || !c->ref)
			status = ecServerOOM;
		else
			c->name = name.u.str8;
	}
	directory_snapshot_unref(&book);
	return status;
}

enum service_result emsmdb_connect_ex(struct service_call *call, void *args)
{
	struct EcDoConnectEx_args *a = (struct EcDoConnectEx_args *)args;
	if (a->cbAuxIn > 0 && a->cbAuxIn < MAPI_EXT_HEADER_SIZE)
		return refuse(a, ecRpcFailed);
	if (call->level != AUTH_LEVEL_PRIVACY && !call->server->config.encryption_optional)
		return refuse(a, ecNotEncrypted);
	if (policy_blocks(call->server->config.blocked_clients, a->rgwClientVersion)) {
		log_line(call->server->config.log, LOG_WARNING,
		         "store log-on of %s refused: its client's version is blocked",
		         call->user ? call->user : "somebody unauthenticated");
		return refuse(a, ecVersion);
	}
	struct connecting *c = arena_new_of(call->arena, struct connecting);
	if (!c)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	uint32_t status = prepare(call, a->szUserDN ? a->szUserDN : "", c);
	if (status != 0) {
		free(c->ref);
		log_line(call->server->config.log, LOG_WARNING, "store log-on of %s refused: 0x%08x",
		         call->user ? call->user : "somebody unauthenticated", status);
		return refuse(a, status);
	}
	c->ref->account = call->account;
	c->ref->loop = emsmdb_owner_of(call->server, &c->mailbox);
	call->state = c;
	service_move(call, c->ref->loop, make_session);
	return SERVICE_LATER;
}

/* A group can be joined by whoever knows its number: a handle is good only for the account that made it. */
struct emsmdb_ref *emsmdb_find_ref(struct service_call *call, const struct idl_context_handle *handle)
{
	struct emsmdb_ref *ref = (struct emsmdb_ref *)service_handle_find(call, handle);
	return ref && ref->account == call->account ? ref : NULL;
}

/* EcDoDisconnect: the handle goes at home, the session in its loop. */
enum service_result emsmdb_disconnect(struct service_call *call, void *args)
{
	struct EcDoDisconnect_args *a = (struct EcDoDisconnect_args *)args;
	struct emsmdb_ref *ref = emsmdb_find_ref(call, &a->pcxh);
	if (!ref)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	service_handle_close(call, &a->pcxh);
	run_down(ref);
	a->ReturnValue = 0;
	return SERVICE_DONE;
}

enum service_result emsmdb_dummy_rpc(struct service_call *call, void *args)
{
	(void)call;
	((struct EcDummyRpc_args *)args)->ReturnValue = 0;
	return SERVICE_DONE;
}

enum service_result emsmdb_async_connect_ex(struct service_call *call, void *args)
{
	struct EcDoAsyncConnectEx_args *a = (struct EcDoAsyncConnectEx_args *)args;
	const struct emsmdb_ref *ref = emsmdb_find_ref(call, &a->cxh);
	if (!ref)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	struct emsmdb_ref *copy = (struct emsmdb_ref *)malloc(sizeof *copy);
	if (copy)
		*copy = *ref;
	if (!copy ||
	    service_handle_create_for(call, &wire_asyncemsmdb_interface, copy, run_down_async, &a->pacxh) < 0) {
		free(copy);
		a->ReturnValue = (int32_t)ecRejected;
		return SERVICE_DONE;
	}
	a->ReturnValue = 0;
	return SERVICE_DONE;
}

/* ---- Across loops ---- */

struct visit {
	uint64_t session;
	void (*run)(struct service_call *call, struct emsmdb_session *s);
};

static void arrive(struct server_loop *loop, struct service_call *call)
{
	const struct visit *v = (const struct visit *)call->state;
	struct emsmdb_session *s = emsmdb_session_find(loop, v->session);
	if (s)
		v->run(call, s);
	else
		service_finish(call, service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH));
}

void emsmdb_with_session(struct service_call *call, const struct emsmdb_ref *ref,
                         void (*run)(struct service_call *call, struct emsmdb_session *s))
{
	struct visit *v = arena_new_of(call->arena, struct visit);
	if (!v) {
		service_finish(call, service_fault(call, NCA_S_SERVER_TOO_BUSY));
		return;
	}
	*v = (struct visit){.session = ref->session, .run = run};
	call->state = v;
	service_move(call, ref->loop, arrive);
}

/* Whoever waited has gone, or wants to wait no longer. */
static void give_up(struct server_loop *at, const struct service_gone *what)
{
	struct emsmdb_session *s = emsmdb_session_find(at, what->key);
	const struct service_call *parked = s ? s->parked : NULL;
	if (parked && parked->home == what->home && parked->conn == what->conn &&
	    (what->all || parked->call_id == what->call_id))
		emsmdb_wake(s, false);
}

static void park(struct service_call *call, struct emsmdb_session *s)
{
	if (s->parked) {
		/* One wait a session: [MS-OXCRPC] 3.3.4.1, ecRejected for a second. */
		((struct EcDoAsyncWaitEx_args *)call->args)->ReturnValue = (int32_t)ecRejected;
		service_finish(call, SERVICE_DONE);
		return;
	}
	s->parked = call;
	s->parked_until_ns = time_monotonic_ns() + call->server->config.wait_ms * NS_PER_MS;
	emsmdb_wake_if_news(s);
}

enum service_result emsmdb_async_wait_ex(struct service_call *call, void *args)
{
	const struct EcDoAsyncWaitEx_args *a = (const struct EcDoAsyncWaitEx_args *)args;
	const struct emsmdb_ref *ref = emsmdb_find_ref(call, &a->acxh);
	if (!ref)
		return service_fault(call, NCA_S_FAULT_CONTEXT_MISMATCH);
	if (service_watch(call, ref->loop, ref->session, give_up) < 0)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	emsmdb_with_session(call, ref, park);
	return SERVICE_LATER;
}
