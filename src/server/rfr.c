#include "wire/rfr.h"
#include "base/text.h"
#include "server/accounts.h"
#include "server/service.h"

/*
 * The referral service: which server has the address book. [MS-OXABREF] 3.1.4.
 * One server is all there is here, so it always names itself.
 */

/* [MS-OXABREF] 3.1.4.1: the server's name, for any user. */
static enum service_result get_new_dsa(struct service_call *call, void *args)
{
	struct RfrGetNewDSA_args *a = (struct RfrGetNewDSA_args *)args;
	a->ppszUnused = NULL;
	a->ppszServer = arena_new_of(call->arena, char *);
	if (!a->ppszServer || (*a->ppszServer = arena_strdup(call->arena, call->server->host)) == NULL)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	a->ReturnValue = 0;
	return SERVICE_DONE;
}

/* [MS-OXABREF] 3.1.4.2: the DNS name behind a server's DN. */
static enum service_result get_fqdn(struct service_call *call, void *args)
{
	struct RfrGetFQDNFromServerDN_args *a = (struct RfrGetFQDNFromServerDN_args *)args;
	a->ppszServerFQDN = arena_strdup(call->arena, call->server->host);
	a->ReturnValue = 0;
	return a->ppszServerFQDN ? SERVICE_DONE : service_fault(call, NCA_S_SERVER_TOO_BUSY);
}

static const service_fn methods[] = {get_new_dsa, get_fqdn};

const struct service rfr_service = {
        .interface = &wire_rfr_interface,
        .methods = methods,
        .method_count = ARRAY_SIZE(methods),
        .ports = 1u << SERVER_PORT_RFR | SERVICE_OVER_HTTP,
        .http_endpoint = SERVER_HTTP_RFR,
        .annotation = "MS Exchange Directory RFR Interface",
};
