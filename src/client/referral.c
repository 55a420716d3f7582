#include "client/private.h"
#include "wire/rfr.h"

#include <stdlib.h>
#include <string.h>

/* The referral service: [MS-OXABREF] 3.1.4. */

#define OP_RFR_GET_NEW_DSA 0

static int ask(struct client_conn *c, const char *user_dn, char **server)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = client_arena(c->m);
	char *empty = NULL, *wanted = (char *)"";
	struct RfrGetNewDSA_args a = {
	        .pUserDN = (char *)(user_dn ? user_dn : ""),
	        .ppszUnused = &empty,
	        .ppszServer = &wanted,
	};
	if (!arena)
		return MAPIWIRE_E_MEMORY;
	int r = client_call(c, 0, OP_RFR_GET_NEW_DSA, arena, &a);
	if (r != 0)
		return r;
	if (a.ReturnValue != 0)
		return client_fail_status(c->m, CAUSE_OF_MAPI, (uint32_t)a.ReturnValue, "RfrGetNewDSA");
	if (!a.ppszServer || !*a.ppszServer)
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, CAUSE_PROTOCOL_ERROR, "RfrGetNewDSA names no server");
	char *copy = strdup(*a.ppszServer);
	if (!copy)
		return client_fail_inside(c->m, MW_E_NOMEM, "RfrGetNewDSA");
	*server = copy;
	return 0;
}

int mapiwire_referral(struct mapiwire *m, uint16_t port, const char *user_dn, char **server)
{
	struct client_conn *c = NULL;
	client_no_error(m);
	int r = client_open(m, port, client_setting_book, &wire_rfr_interface, m->level, &c);
	if (r == 0)
		r = ask(c, user_dn, server);
	client_close(&c);
	return r;
}
