#include "wire/mgmt.h"
#include "auth/auth_keytab.h"
#include "server/service.h"

#include <string.h>

/*
 * Remote management, which every RPC server answers on each of its ports: C706
 * appendix Q. Asking is allowed to everyone, stopping to nobody.
 */
#define RPC_S_UNKNOWN_AUTHN_SERVICE 0x000006D3u
#define ERROR_INSUFFICIENT_BUFFER 0x0000007Au
#define STATISTICS 4

/* The interfaces of the port that was asked, mgmt and all. */
static enum service_result inq_if_ids(struct service_call *call, void *args)
{
	struct rpc__mgmt_inq_if_ids_args *a = (struct rpc__mgmt_inq_if_ids_args *)args;
	struct rpc_if_id_vector_t *v = arena_new_of(call->arena, struct rpc_if_id_vector_t);
	unsigned total = 0;
	while (services[total])
		total++;
	if (v)
		v->if_id = arena_new_array(call->arena, struct rpc_if_id_t *, total);
	for (unsigned i = 0; v && v->if_id && i < total; i++) {
		const struct idl_interface *iface = services[i]->interface;
		struct rpc_if_id_t *id =
		        services[i]->ports & 1u << call->port ? arena_new_of(call->arena, struct rpc_if_id_t) : NULL;
		if (!id)
			continue;
		*id = (struct rpc_if_id_t){iface->uuid, iface->major, iface->minor};
		v->if_id[v->count++] = id;
	}
	a->if_id_vector = v;
	return v ? SERVICE_DONE : service_fault(call, NCA_S_SERVER_TOO_BUSY);
}

static enum service_result inq_stats(struct service_call *call, void *args)
{
	struct rpc__mgmt_inq_stats_args *a = (struct rpc__mgmt_inq_stats_args *)args;
	uint32_t *s = arena_new_array(call->arena, uint32_t, STATISTICS);
	if (!s)
		return service_fault(call, NCA_S_SERVER_TOO_BUSY);
	s[rpc_c_stats_calls_in] = (uint32_t)atomic_load(&call->server->calls_in);
	s[rpc_c_stats_calls_out] = 0;
	s[rpc_c_stats_pkts_in] = (uint32_t)atomic_load(&call->server->pdus_in);
	s[rpc_c_stats_pkts_out] = (uint32_t)atomic_load(&call->server->pdus_out);
	if (a->count > STATISTICS)
		a->count = STATISTICS;
	a->statistics = s;
	return SERVICE_DONE;
}

static enum service_result is_server_listening(struct service_call *call, void *args)
{
	struct rpc__mgmt_is_server_listening_args *a = (struct rpc__mgmt_is_server_listening_args *)args;
	(void)call;
	a->ReturnValue = 1;
	return SERVICE_DONE;
}

static enum service_result stop_server_listening(struct service_call *call, void *args)
{
	struct rpc__mgmt_stop_server_listening_args *a = (struct rpc__mgmt_stop_server_listening_args *)args;
	log_line(call->server->config.log, LOG_WARNING, "refused to stop listening for %s",
	         call->user ? call->user : "somebody unauthenticated");
	a->status = RPC_S_ACCESS_DENIED;
	return SERVICE_DONE;
}

/*
 * Of a provider that is offered; NULL: it is not. NTLM knows no principal names: Windows gives the server's account
 * name for it.
 */
static const char *principal(const struct server *server, uint32_t provider, char room[AUTH_KEYTAB_NAME])
{
	const struct auth_server_config *auth = &server->auth;
	if (auth->keytab && (provider == AUTH_KERBEROS || provider == AUTH_SPNEGO)) {
		auth_keytab_principal(auth->keytab, room);
		return room;
	}
	return provider == AUTH_NTLM || provider == AUTH_SPNEGO ? auth->netbios_computer : NULL;
}

static enum service_result inq_princ_name(struct service_call *call, void *args)
{
	struct rpc__mgmt_inq_princ_name_args *a = (struct rpc__mgmt_inq_princ_name_args *)args;
	char room[AUTH_KEYTAB_NAME];
	const char *name = principal(call->server, a->authn_proto, room);
	if (a->princ_name_size == 0) /* no room for the terminator of any name */
		return service_fault(call, RPC_X_BAD_STUB_DATA);
	a->status = name ? 0 : RPC_S_UNKNOWN_AUTHN_SERVICE;
	if (!name)
		name = "";
	else if (strlen(name) >= a->princ_name_size)
		a->status = ERROR_INSUFFICIENT_BUFFER, name = "";
	a->princ_name = arena_strdup(call->arena, name);
	return a->princ_name ? SERVICE_DONE : service_fault(call, NCA_S_SERVER_TOO_BUSY);
}

static const service_fn methods[] = {
        inq_if_ids, inq_stats, is_server_listening, stop_server_listening, inq_princ_name,
};

const struct service mgmt_service = {
        .interface = &wire_mgmt_interface,
        .methods = methods,
        .method_count = ARRAY_SIZE(methods),
        .ports = 1u << SERVER_PORT_EPM | 1u << SERVER_PORT_RFR | 1u << SERVER_PORT_NSPI | 1u << SERVER_PORT_STORE |
                 SERVICE_OVER_HTTP,
};
