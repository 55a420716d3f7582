#include "server/emsmdb/rops.h"

#include "base/time.h"
#include "server/accounts.h"
#include "server/policy.h"
#include "store/search.h"

#include <string.h>
#include <time.h>

#define LOGON_PRIVATE 0x01    /* LogonFlags, [MS-OXCSTOR] 2.2.1.1.1 */
#define LOGON_FLAGS_BACK 0x07 /* private, undercover, ghosted: 2.2.1.1.3 */
/* ResponseFlags: reserved, owner, may send as, [MS-OXCSTOR] 2.2.1.1.3 */
#define LOGON_RESPONSE_FLAGS 0x07
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

/* Whose mailbox the DN names; only the session's own is served, unless it has been moved elsewhere. */
static uint32_t check_mailbox(const struct rop_call *rop, const char *dn, const char **elsewhere)
{
	const struct server *server = rop->session->loop->server;
	struct directory_snapshot *book = accounts_snapshot(rop->session->loop->server);
	const struct directory_user *u = dn ? directory_by_dn(book, dn) : NULL;
	*elsewhere = u ? policy_moved(rop->arena, server->config.moved, u->account) : NULL;
	uint32_t status = *elsewhere                                              ? ecWrongServer
	                  : !u                                                    ? ecUnknownUser
	                  : guid_equal(&u->mailbox, &rop->session->mailbox->guid) ? 0
	                                                                          : ecLoginPerm;
	directory_snapshot_unref(&book);
	return status;
}

/* [MS-OXCROPS] 2.2.3.1.3: where the mailbox is instead. */
static void redirect(const struct RopLogonRequest *q, struct RopLogonResponse *a, const char *server)
{
	a->LogonFlags = q->LogonFlags & LOGON_FLAGS_BACK;
	a->ServerName = (char *)(uintptr_t)server;
	a->ServerNameSize = (uint8_t)(strlen(server) + 1);
}

/* [MS-OXCSTOR] 3.2.5.1 */
uint32_t rop_logon(struct rop_call *rop)
{
	const struct RopLogonRequest *q = (const struct RopLogonRequest *)rop->request;
	struct RopLogonResponse *a = (struct RopLogonResponse *)rop->response;
	struct emsmdb_session *s = rop->session;
	struct emsmdb_object *o;
	if (!(q->LogonFlags & LOGON_PRIVATE))
		return ecNotSupported; /* public folders */
	const char *elsewhere;
	uint32_t status = check_mailbox(rop, q->Essdn, &elsewhere);
	if (status == ecWrongServer)
		redirect(q, a, elsewhere);
	if (status != 0)
		return status;
	int r = store_replica_guid(rop_store(rop), STORE_REPLID, &a->ReplGuid);
	if (r < 0)
		return rop_status(rop, r);
	if (s->logons[q->LogonId])
		emsmdb_logon_release(s, q->LogonId);
	r = emsmdb_object_new(s, EMSMDB_LOGON, q->LogonId, &o);
	if (r < 0)
		return rop_status(rop, r);
	s->logons[q->LogonId] = o->handle;
	rop_put_handle(rop, o);
	a->LogonFlags = q->LogonFlags & LOGON_FLAGS_BACK;
	for (int i = 0; i < STORE_LOGON_FOLDERS; i++)
		a->FolderIds[i] = store_special_id((enum store_special)i);
	a->ResponseFlags = LOGON_RESPONSE_FLAGS;
	a->MailboxGuid = s->mailbox->guid;
	a->ReplId = STORE_REPLID;
	a->LogonTime = logon_time(rop->now);
	a->GwartTime = filetime_from_ns(rop->now);
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
