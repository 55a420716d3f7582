#include "client/store.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

/* Session and logon: [MS-OXCRPC] 3.1.4.1, [MS-OXCSTOR] 3.1.4.1. */

enum { OP_DISCONNECT = 1, OP_CONNECT_EX = 10 };

#define MAX_AUX 0x1008u
/* LogonFlags, OpenFlags: [MS-OXCSTOR] 2.2.1.1.1 */
#define LOGON_PRIVATE 0x01
#define OPEN_TAKE_OWNERSHIP 0x00000002u
#define OPEN_HOME_LOGON 0x00000004u
#define OPEN_NO_MAIL 0x00000008u
#define OPEN_USE_PER_MDB_REPLID_MAPPING 0x01000000u
/* "14.0.4760.1000" as three words, [MS-OXCRPC] 3.1.4.1.3: servers refuse what is too old. */
static const uint16_t client_version[3] = {0x0E00, 0x8000 | 4760, 1000};

/* ulConMod, [MS-OXCRPC] 3.1.4.1: a hash of the user's DN. */
static uint32_t hash_of(const char *dn)
{
	uint32_t h = 2166136261u;
	while (*dn)
		h = (h ^ (uint8_t)*dn++) * 16777619u;
	return h;
}

int client_session_connect(struct client_conn *c, const char *dn, struct idl_context_handle *cxh)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(c->m);
	struct EcDoConnectEx_args a = {
	        .szUserDN = (char *)dn,
	        .ulConMod = hash_of(dn),
	        .ulCpid = CLIENT_CODE_PAGE,
	        .ulLcidString = CLIENT_LOCALE,
	        .ulLcidSort = CLIENT_LOCALE,
	        .ulIcxrLink = 0xFFFFFFFF,
	        .usFCanConvertCodePages = 1,
	        .pcbAuxOut = MAX_AUX,
	};
	memcpy(a.rgwClientVersion, client_version, sizeof client_version);
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_call(c, 0, OP_CONNECT_EX, arena, &a);
	if (r != 0)
		return r;
	uint32_t status = (uint32_t)a.ReturnValue;
	if (cause_of_status(CAUSE_OF_MAPI, status) == CAUSE_UNKNOWN_MAILBOX && status != 0)
		return client_fail_status(c->m, CAUSE_OF_MAPI, status, dn);
	if (status != 0)
		return client_fail_status(c->m, CAUSE_OF_MAPI, status, "EcDoConnectEx");
	*cxh = a.pcxh;
	return 0;
}

int client_session_disconnect(struct client_conn *c, struct idl_context_handle *cxh)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(c->m);
	struct EcDoDisconnect_args a = {.pcxh = *cxh};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_call(c, 0, OP_DISCONNECT, arena, &a);
	*cxh = (struct idl_context_handle){0};
	return r;
}

static int log_on(struct mapiwire_store *s, const char *dn)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct client_rops b MW_CLEANUP(client_rops_cleanup) = {0};
	const void *answer = NULL;
	client_rops_begin(&b, s, arena);
	const uint8_t at = client_rops_handle(&b, MAPI_NO_HANDLE);
	const struct RopLogonRequest q = {
	        .OutputHandleIndex = at,
	        .LogonFlags = LOGON_PRIVATE,
	        .OpenFlags = OPEN_USE_PER_MDB_REPLID_MAPPING | OPEN_NO_MAIL | OPEN_HOME_LOGON | OPEN_TAKE_OWNERSHIP,
	        .Essdn = (char *)dn,
	};
	client_rops_add(&b, ROP_LOGON, &q);
	int r = client_rops_run(&b);
	if (r == 0)
		r = client_rops_answer(&b, ROP_LOGON, &answer);
	if (r != 0)
		return r;
	memcpy(s->folders, ((const struct RopLogonResponse *)answer)->FolderIds, sizeof s->folders);
	s->logon = client_rops_made(&b, at);
	return 0;
}

int mapiwire_store_open(struct mapiwire *m, uint16_t port, const char *dn, struct mapiwire_store **out)
{
	client_no_error(m);
	struct mapiwire_store *s = (struct mapiwire_store *)calloc(1, sizeof *s);
	if (!s || (s->context = mapi_session_new(CLIENT_CODE_PAGE)) == NULL) {
		free(s);
		return client_fail_inside(m, MW_E_NOMEM, "the store");
	}
	s->m = m;
	s->port = port;
	s->logon = MAPI_NO_HANDLE;
	int r = client_open(m, port, client_setting_store, &wire_emsmdb_interface, m->level, &s->conn);
	if (r == 0)
		r = client_session_connect(s->conn, dn, &s->cxh);
	if (r == 0)
		r = log_on(s, dn);
	if (r != 0)
		mapiwire_store_close(&s);
	else
		*out = s;
	return r;
}

void mapiwire_store_close(struct mapiwire_store **store)
{
	struct mapiwire_store *s = *store;
	if (!s)
		return;
	*store = NULL;
	mapiwire_watch_close(&s->watch);
	/* Good-bye as far as it goes; the error of a caller that failed stays. */
	if (s->conn && !s->conn->closed && !guid_is_nil(&s->cxh.uuid) && s->m->error.code == 0) {
		client_release(s, s->logon);
		if (client_session_disconnect(s->conn, &s->cxh) < 0)
			client_no_error(s->m);
	}
	client_close(&s->conn);
	mapi_session_free(&s->context);
	free(s);
}

int mapiwire_store_probe(struct mapiwire *m, uint16_t port, const char *dn, bool *encryption_required)
{
	struct client_conn *c = NULL;
	struct idl_context_handle cxh = {0};
	client_no_error(m);
	int r = client_open(m, port, client_setting_store, &wire_emsmdb_interface, AUTH_LEVEL_INTEGRITY, &c);
	if (r == 0)
		r = client_session_connect(c, dn, &cxh);
	if (r == 0) {
		*encryption_required = false;
		r = client_session_disconnect(c, &cxh);
	} else if (r == MAPIWIRE_E_STATUS && m->error.status == ecNotEncrypted) {
		client_no_error(m);
		*encryption_required = true;
		r = 0;
	}
	client_close(&c);
	return r;
}
