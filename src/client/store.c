#include "client/store.h"

#include <stdlib.h>
#include <string.h>

/* A mailbox: a session and a logon that last. */

int mapiwire_store_open(struct mapiwire *m, uint16_t port, const char *dn, struct mapiwire_store **out)
{
	client_no_error(m);
	struct mapiwire_store *s = (struct mapiwire_store *)calloc(1, sizeof *s);
	if (!s || (s->dn = strdup(dn)) == NULL) {
		free(s);
		return client_fail_inside(m, MW_E_NOMEM, "the store");
	}
	s->m = m;
	s->port = port;
	s->logon = MAPI_NO_HANDLE;
	s->idle = true;
	int r = client_store_enter(s);
	if (r == 0)
		client_store_leave(s);
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
	if (s->conn && !s->conn->closed && !guid_is_nil(&s->cxh.uuid) && s->m->said->error.code == 0) {
		client_release(s, s->logon, s->epoch);
		if (client_session_disconnect(s->conn, &s->cxh) < 0)
			client_no_error(s->m);
	}
	client_close(&s->conn);
	mapi_session_free(&s->context);
	free(s->dn);
	free(s);
}

int mapiwire_store_probe(struct mapiwire *m, uint16_t port, const char *dn, bool *encryption_required)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(m);
	struct client_conn *c = NULL;
	struct EcDoConnectEx_args a = {0};
	client_no_error(m);
	if (m->transport == MAPIWIRE_MAPI_HTTP)
		return client_fail_inside(m, MW_E_INVALID, "a store connection that is signed but not encrypted");
	int r = client_open(m, port, client_setting_store, &wire_emsmdb_interface, AUTH_LEVEL_INTEGRITY, &c);
	if (r == 0)
		r = client_session_connect(c, arena, dn, &a);
	if (r == 0) {
		*encryption_required = false;
		r = client_session_disconnect(c, &a.pcxh);
	} else if (r == MAPIWIRE_E_STATUS && m->said->error.status == ecNotEncrypted) {
		client_no_error(m);
		*encryption_required = true;
		r = 0;
	}
	client_close(&c);
	return r;
}
