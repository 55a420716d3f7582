#include "client/mapi.h"
#include "client/store.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* Sessions, their calls, and what becomes of them when a connection is lost: [MS-OXCRPC] 3.1.4.1, 3.2.4;
 * [MS-OXCSTOR] 3.1.4.1. */

enum { OP_DISCONNECT = 1, OP_CONNECT_EX = 10 };

#define MAX_AUX 0x1008u
/* A server may ask for more patience than its caller has. */
#define MAX_RETRIES 16u
#define MAX_RETRY_MS 10000u
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

int client_session_connect(struct client_conn *c, struct arena *arena, const char *dn, struct EcDoConnectEx_args *out)
{
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
	*out = a;
	return 0;
}

int client_session_call(struct mapiwire_store *s, unsigned opnum, struct arena *arena, void *args)
{
	for (unsigned again = 0;; again++) {
		int r = client_call(s->conn, 0, opnum, arena, args);
		if (r != MAPIWIRE_E_STATUS || s->m->said->error.status != NCA_S_SERVER_TOO_BUSY || again == s->retries)
			return r;
		r = client_sleep(s->m, s->retry_delay_ns);
		if (r != 0)
			return client_fail_wait(s->m, r, "a server that is too busy");
		client_no_error(s->m);
	}
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

/* [MS-OXCSTOR] 2.2.1.1.2: the redirect response names the mailbox's server. */
static int fail_redirected(struct mapiwire_store *s, const struct client_rops *b)
{
	struct client_said *said = s->m->said;
	const struct RopLogonResponse *a = (const struct RopLogonResponse *)b->answers.rops[b->next - 1].value;
	char detail[300] = "";
	if (a && a->ServerName && *a->ServerName) {
		snprintf(said->server, sizeof said->server, "%s", a->ServerName);
		snprintf(detail, sizeof detail, ": %s", said->server);
	}
	int r = client_fail(s->m, MAPIWIRE_E_STATUS, CAUSE_WRONG_SERVER, ecWrongServer,
	                    &(struct cause_about){.detail = detail});
	said->error.status_name = "ecWrongServer";
	if (*detail)
		said->error.server = said->server;
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
	if (r == MAPIWIRE_E_STATUS && s->m->said->error.status == ecWrongServer && b.next > 0)
		return fail_redirected(s, &b);
	if (r != 0)
		return r;
	memcpy(s->folders, ((const struct RopLogonResponse *)answer)->FolderIds, sizeof s->folders);
	s->logon = client_rops_made(&b, at);
	return 0;
}

static void note_retries(struct mapiwire_store *s, const struct EcDoConnectEx_args *a)
{
	s->retries = a->pcRetry < MAX_RETRIES ? a->pcRetry : MAX_RETRIES;
	s->retry_delay_ns = (a->pcmsRetryDelay < MAX_RETRY_MS ? a->pcmsRetryDelay : MAX_RETRY_MS) * NS_PER_MS;
}

static int open_session(struct mapiwire_store *s)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(s->m);
	struct EcDoConnectEx_args a = {0};
	int r = client_open(s->m, s->port, client_setting_store, &wire_emsmdb_interface, s->m->level, &s->conn);
	if (r == 0)
		r = client_session_connect(s->conn, arena, s->dn, &a);
	if (r != 0)
		return r;
	s->cxh = a.pcxh;
	note_retries(s, &a);
	return log_on(s, s->dn);
}

static void forget_session(struct mapiwire_store *s)
{
	client_close(&s->conn);
	mapi_session_free(&s->context);
	s->cxh = (struct idl_context_handle){0};
	s->logon = MAPI_NO_HANDLE;
	s->epoch++;
}

/* ---- Turns ---- */

int client_store_take_turn(struct mapiwire_store *s)
{
	if (s->idle || s->owner != s->m->running) {
		int r = client_take_turn(s->m, &s->idle);
		if (r != 0)
			return client_fail_wait(s->m, r, "the store");
		s->owner = s->m->running;
	}
	s->entered++;
	return 0;
}

void client_store_leave(struct mapiwire_store *s)
{
	if (--s->entered > 0)
		return;
	s->owner = NULL;
	s->idle = true;
}

/* Over HTTP a session outlives its connection, but not its server: asked before a call is lost to it. */
static bool is_there(struct mapiwire_store *s)
{
	if (s->logon == MAPI_NO_HANDLE || !client_is_up(s->conn))
		return false;
	if (!s->conn->mapi || client_mapi_confirm(s->conn) == 0)
		return true;
	client_no_error(s->m);
	return false;
}

/* With the turn. */
static int make_ready(struct mapiwire_store *s)
{
	if (is_there(s))
		return 0;
	forget_session(s);
	s->context = mapi_session_new(CLIENT_CODE_PAGE);
	return s->context ? open_session(s) : client_fail_inside(s->m, MW_E_NOMEM, "the store");
}

int client_store_enter(struct mapiwire_store *s)
{
	int r = client_store_take_turn(s);
	if (r != 0)
		return r;
	r = make_ready(s);
	if (r != 0)
		client_store_leave(s);
	return r;
}

int client_store_enter_same(struct mapiwire_store *s, unsigned epoch, const char *what)
{
	int r = client_store_take_turn(s);
	if (r != 0)
		return r;
	if (epoch == s->epoch && client_is_up(s->conn))
		return 0;
	client_store_leave(s);
	return client_failed(
	        client_fail_on(s->m, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, " since %s was opened", what));
}
