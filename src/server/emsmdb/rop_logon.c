#include "server/emsmdb/rops.h"

#include "base/time.h"
#include "server/accounts.h"
#include "server/policy.h"
#include "store/search.h"

#include <string.h>
#include <time.h>

#define LOGON_PRIVATE 0x01    /* LogonFlags, [MS-OXCSTOR] 2.2.1.1.1 */
#define LOGON_FLAGS_BACK 0x07 /* private, undercover, ghosted: 2.2.1.1.3 */
/* ResponseFlags, [MS-OXCSTOR] 2.2.1.1.3: always; owner and may send as */
#define RESPONSE_ALWAYS 0x01
#define RESPONSE_OWNER 0x06
#define STORE_HAS_SEARCHES 0x01000000u /* PidTagStoreState, [MS-OXCSTOR] 2.2.2.1 */
#define ADDRESS_TYPES_SIZE 8           /* "EX" and "SMTP" with their NULs */

static struct LogonTime logon_time(int64_t now)
{
	time_t seconds = (time_t)(now / NS_PER_S);
	struct tm t;
	gmtime_r(&seconds, &t);
	return (struct LogonTime){
	        .Seconds = (uint8_t)t.tm_sec,
	        .Minutes = (uint8_t)t.tm_min,
	        .Hour = (uint8_t)t.tm_hour,
	        .DayOfWeek = (uint8_t)t.tm_wday,
	        .Day = (uint8_t)t.tm_mday,
	        .Month = (uint8_t)(t.tm_mon + 1),
	        .Year = (uint16_t)(t.tm_year + 1900),
	};
}

/* Whose mailbox the DN names, unless it has been moved elsewhere. */
struct named {
	struct guid mailbox;
	const char *elsewhere; /* the server, ecWrongServer */
};

static uint32_t find_mailbox(const struct server *server, struct arena *arena, const char *dn, struct named *out)
{
	struct directory_snapshot *book = accounts_snapshot((struct server *)server);
	const struct directory_user *u = dn ? directory_by_dn(book, dn) : NULL;
	struct policy_elsewhere e = {0};
	*out = (struct named){0};
	if (u) {
		e = policy_find(arena, server->config.moved, u->account, u->redirect);
		out->mailbox = u->mailbox;
		out->elsewhere = e.server;
	}
	directory_snapshot_unref(&book);
	/* An address alone names no server: who asks for it finds that by Autodiscover. */
	return e.server ? ecWrongServer : u && !e.moved ? 0 : ecUnknownUser;
}

/* [MS-OXCROPS] 2.2.3.1.3: where the mailbox is instead. */
static void redirect(const struct RopLogonRequest *q, struct RopLogonResponse *a, const char *server)
{
	a->LogonFlags = q->LogonFlags & LOGON_FLAGS_BACK;
	a->ServerName = (char *)(uintptr_t)server;
	a->ServerNameSize = (uint8_t)(strlen(server) + 1);
}

struct server_loop *rop_logon_place(struct server *server, struct arena *arena, const struct RopLogonRequest *q)
{
	struct named n;
	return q->LogonFlags & LOGON_PRIVATE && find_mailbox(server, arena, q->Essdn, &n) == 0
	               ? emsmdb_owner_of(server, &n.mailbox)
	               : NULL;
}

/* One's own, or another's in which one may do something: [MS-OXCPERM], [MS-OXODLGT] 3.1.4.1. */
static uint32_t open_logon(struct rop_call *rop, uint8_t id, const struct guid *mailbox)
{
	struct emsmdb_mailbox *m = NULL;
	bool owner = guid_equal(mailbox, &rop->session->mailbox->guid), admitted = owner;
	int r = emsmdb_mailbox_ref(rop->call->at, mailbox, &m);
	if (r < 0)
		return r == MW_E_NOTFOUND ? ecUnknownUser : ecMDBNotInit;
	if (!owner)
		r = store_admits(m->store, rop->session->dn, &admitted);
	if (r == 0 && admitted)
		r = emsmdb_logon_new(rop->session, m, id, owner, &rop->on);
	if (r < 0 || !admitted)
		emsmdb_mailbox_unref(&m);
	return r < 0 ? rop_status(rop, r) : admitted ? 0 : ecAccessDenied;
}

static uint32_t describe_logon(struct rop_call *rop, const struct RopLogonRequest *q, struct RopLogonResponse *a)
{
	int r = store_replica_guid(rop_store(rop), STORE_REPLID, &a->ReplGuid);
	if (r < 0)
		return rop_status(rop, r);
	a->LogonFlags = q->LogonFlags & LOGON_FLAGS_BACK;
	for (int i = 0; i < STORE_LOGON_FOLDERS; i++)
		a->FolderIds[i] = store_special_id((enum store_special)i);
	a->ResponseFlags = RESPONSE_ALWAYS | (rop->on->owner ? RESPONSE_OWNER : 0);
	a->MailboxGuid = rop_mailbox(rop)->guid;
	a->ReplId = STORE_REPLID;
	a->LogonTime = logon_time(rop->now);
	a->GwartTime = filetime_from_ns(rop->now);
	return 0;
}

/* [MS-OXCSTOR] 3.2.5.1; in the loop of rop_logon_place. */
uint32_t rop_logon(struct rop_call *rop)
{
	const struct RopLogonRequest *q = (const struct RopLogonRequest *)rop->request;
	struct RopLogonResponse *a = (struct RopLogonResponse *)rop->response;
	struct named n;
	if (!(q->LogonFlags & LOGON_PRIVATE))
		return ecNotSupported; /* public folders */
	uint32_t status = find_mailbox(rop->call->server, rop->arena, q->Essdn, &n);
	if (status == ecWrongServer)
		redirect(q, a, n.elsewhere);
	if (status == 0)
		status = open_logon(rop, q->LogonId, &n.mailbox);
	if (status != 0)
		return status;
	status = describe_logon(rop, q, a);
	if (status != 0) {
		emsmdb_logon_release(rop->on);
		rop->on = NULL;
		return status;
	}
	rop->handles[rop->out_index] = rop->on->handle;
	return 0;
}

/* [MS-OXCSTOR] 3.2.5.8 */
uint32_t rop_long_term_id_from_id(struct rop_call *rop)
{
	const struct RopLongTermIdFromIdRequest *q = (const struct RopLongTermIdFromIdRequest *)rop->request;
	struct RopLongTermIdFromIdResponse *a = (struct RopLongTermIdFromIdResponse *)rop->response;
	int r = store_replica_guid(rop_store(rop), store_id_replid(q->ObjectId), &a->LongTermId.DatabaseGuid);
	if (r < 0)
		return rop_status(rop, r);
	memcpy(a->LongTermId.GlobalCounter, (const uint8_t *)&q->ObjectId + 2, sizeof a->LongTermId.GlobalCounter);
	return 0;
}

/* [MS-OXCSTOR] 3.2.5.9 */
uint32_t rop_id_from_long_term_id(struct rop_call *rop)
{
	const struct RopIdFromLongTermIdRequest *q = (const struct RopIdFromLongTermIdRequest *)rop->request;
	struct RopIdFromLongTermIdResponse *a = (struct RopIdFromLongTermIdResponse *)rop->response;
	uint16_t replid;
	uint64_t before = store_committed(rop_store(rop));
	int r = store_replica_id(rop_store(rop), &q->LongTermId.DatabaseGuid, &replid);
	if (r < 0)
		return rop_status(rop, r);
	if (store_committed(rop_store(rop)) != before) /* a new short id, which the client will keep */
		rop->ticket = store_committed(rop_store(rop));
	a->ObjectId = replid;
	memcpy((uint8_t *)&a->ObjectId + 2, q->LongTermId.GlobalCounter, sizeof q->LongTermId.GlobalCounter);
	return 0;
}

/* [MS-OXCSTOR] 3.2.5.5: whether there are search folders, which is all that it tells. */
uint32_t rop_get_store_state(struct rop_call *rop)
{
	bool any, running;
	int r = store_searches(rop_store(rop), &any, &running);
	((struct RopGetStoreStateResponse *)rop->response)->StoreState = any ? STORE_HAS_SEARCHES : 0;
	return r < 0 ? rop_status(rop, r) : 0;
}

/* [MS-OXOMSG] 3.2.5.6: the address types of recipients that have a meaning here. */
uint32_t rop_get_address_types(struct rop_call *rop)
{
	static char ex[] = "EX", smtp[] = "SMTP";
	static char *types[] = {ex, smtp};
	struct RopGetAddressTypesResponse *a = (struct RopGetAddressTypesResponse *)rop->response;
	a->AddressTypeCount = ARRAY_SIZE(types);
	a->AddressTypeSize = ADDRESS_TYPES_SIZE;
	a->AddressTypes = types;
	return 0;
}
