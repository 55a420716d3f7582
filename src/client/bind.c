#include "client/mapi.h"

#include "base/time.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"
#include "wire/nspi.h"
#include "wire/rfr.h"

/* Handshakes: bind, alter_context, and logging on with them. */

#define STATUS_NO_LOGON_SERVERS 0xC000005Eu /* [MS-ERREF] 2.3.1 */

/* ---- Logging on ---- */

/* Exchange's services have service principals of their own, [MS-OXCRPC] 2.1, [MS-OXABREF] 2.1, [MS-OXNSPI] 2.1. */
static const char *service_class(const struct idl_interface *interface)
{
	static const struct {
		const struct idl_interface *interface;
		const char *name;
	} classes[] = {
	        {&wire_rfr_interface, "exchangeRFR"},
	        {&wire_nspi_interface, "exchangeAB"},
	        {&wire_emsmdb_interface, "exchangeMDB"},
	        {&wire_asyncemsmdb_interface, "exchangeMDB"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (guid_equal(&classes[i].interface->uuid, &interface->uuid))
			return classes[i].name;
	return "host";
}

/* NTLM's first step is made here and now; one that may have to ask a KDC is made aside. */
static int run_leg(struct client_conn *c)
{
	if (c->m->login->type == AUTH_NTLM) {
		client_leg_run(c->leg);
		return 0;
	}
	struct client_leg *leg = TAKE_PTR(c->leg);
	int r = client_aside(c->m, client_leg_run, client_leg_drop, leg, client_deadline(c->m));
	if (r == 0)
		c->leg = leg;
	return r;
}

/* The security context and its first token, or why there is none. */
static int begin_leg(struct client_conn *c, const struct idl_interface *interface, enum auth_level level)
{
	int r = client_leg_new(c->m->login, service_class(interface), NULL, level, &c->leg);
	if (r < 0)
		return client_fail_inside(c->m, r, "authentication");
	r = run_leg(c);
	if (r == MW_E_TIMEOUT)
		return client_fail_status(c->m, CAUSE_OF_FAULT, STATUS_NO_LOGON_SERVERS, c->m->login->host);
	if (r < 0)
		return client_fail_wait(c->m, r, "the ticket");
	r = c->leg ? c->leg->result : MW_E_NOMEM;
	if (r == 0 || r == MW_E_AGAIN)
		return 0;
	return r == MW_E_AUTH ? client_fail_status(c->m, CAUSE_OF_FAULT, c->leg->status, c->leg->target)
	                      : client_fail_inside(c->m, r, "authentication");
}

/* ---- Binding ---- */

/* A short name that a person knows it by. */
static const char *name_of(const struct idl_interface *interface)
{
	return interface->alias ? interface->alias : interface->name;
}

/* Reasons of a bind_nak that a refused token has: reason_not_specified (Samba), invalid_checksum; [MS-RPCE] 2.2.2.5. */
static bool is_vague(uint32_t nak_reason)
{
	return nak_reason == 0 || nak_reason == 9;
}

/* No password is at stake: a server that refuses the first leg cannot make use of the ticket. */
static bool by_ticket(const struct client_conn *c)
{
	const struct client_login *l = c->m->login;
	return c->leg && (l->type == AUTH_KERBEROS || (l->type == AUTH_SPNEGO && !l->password));
}

/* Waits for the end of a handshake that is under way. */
static int finish_handshake(struct client_conn *c, const struct idl_interface *interface, const char *what)
{
	client_flush(c);
	int r = client_await(c, &c->bound, NULL, client_deadline(c->m), what);
	if (c->refused)
		return client_fail_status(c->m, CAUSE_OF_FAULT, c->status, name_of(interface));
	if (c->cause == CAUSE_BIND_REFUSED && !c->bound && is_vague(c->status) && by_ticket(c))
		return client_fail_on(c->m, MAPIWIRE_E_REFUSED, CAUSE_TICKET_REFUSED, "%s", c->leg->target);
	if (c->cause == CAUSE_BIND_REFUSED && !c->bound)
		return client_fail_status(c->m, CAUSE_OF_BIND_NAK, c->status, name_of(interface));
	return r;
}

/* Whether the server has taken each. */
static int check_taken(struct client_conn *c, const struct idl_interface *const *interfaces, unsigned count)
{
	uint16_t id;
	enum ndr_syntax syntax;
	for (unsigned i = 0; i < count; i++) {
		const struct rpc_syntax abstract = client_syntax(interfaces[i]);
		if (rpc_client_context(c->rpc, &abstract, &id, &syntax) < 0)
			return client_fail_status(c->m, CAUSE_OF_PROVIDER, c->provider, name_of(interfaces[i]));
	}
	return 0;
}

int client_bind(struct client_conn *c, const struct idl_interface *const *interfaces, unsigned count,
                enum auth_level level, uint32_t group)
{
	struct rpc_syntax syntaxes[ARRAY_SIZE(c->interfaces)];
	for (unsigned i = 0; i < count; i++) {
		c->interfaces[i] = interfaces[i];
		syntaxes[i] = client_syntax(interfaces[i]);
	}
	c->interface_count = count;
	c->level = level;
	int r = level > AUTH_LEVEL_NONE ? begin_leg(c, interfaces[0], level) : 0;
	if (r != 0)
		return r;
	const struct rpc_client_bind bind = {
	        .interfaces = syntaxes,
	        .interface_count = count,
	        .extras = RPC_OFFER_NDR64 | RPC_OFFER_FEATURES | RPC_SEND_TRAILER,
	        .assoc_group_id = group,
	        .auth_type = c->leg ? c->m->login->type : AUTH_NONE,
	        .level = c->leg ? c->leg->level : AUTH_LEVEL_NONE,
	        .begun = c->leg ? TAKE_PTR(c->leg->auth) : NULL,
	        .token = c->leg ? &c->leg->token : NULL,
	};
	r = rpc_client_bind(c->rpc, &bind, time_monotonic_ns());
	if (r != 0)
		return client_fail_inside(c->m, r, "bind");
	r = finish_handshake(c, interfaces[0], "the bind");
	return r == 0 ? check_taken(c, interfaces, count) : r;
}

int client_alter(struct client_conn *c, const struct idl_interface *interface)
{
	const struct rpc_syntax syntax = client_syntax(interface);
	uint16_t context_id = 0;
	if (c->interface_count == ARRAY_SIZE(c->interfaces))
		return client_fail_inside(c->m, MW_E_LIMIT, "alter_context");
	c->interfaces[c->interface_count++] = interface;
	c->bound = false;
	int r = rpc_client_alter(c->rpc, &syntax, &context_id, time_monotonic_ns());
	if (r != 0)
		return client_fail_inside(c->m, r, "alter_context");
	r = finish_handshake(c, interface, "alter_context");
	return r == 0 ? check_taken(c, &interface, 1) : r;
}

int client_open(struct mapiwire *m, uint16_t port, const char *setting, const struct idl_interface *interface,
                enum auth_level level, struct client_conn **out)
{
	struct client_conn *c = NULL;
	if (m->transport == MAPIWIRE_MAPI_HTTP)
		return client_mapi_open(m, interface, out);
	int r = client_connect(m, port, setting != NULL, setting, &c);
	if (r == 0)
		r = client_bind(c, &interface, 1, level, 0);
	if (r != 0)
		client_close(&c);
	else
		*out = c;
	return r;
}

/* A context handle is good on every connection of its association group. */
int client_open_beside(const struct client_conn *beside, const struct idl_interface *interface,
                       struct client_conn **out)
{
	struct client_conn *c = NULL;
	if (beside->mapi)
		return client_mapi_open_beside(beside, interface, out);
	int r = client_connect(beside->m, beside->port, beside->dynamic, beside->setting, &c);
	if (r == 0)
		r = client_bind(c, &interface, 1, beside->level, rpc_client_group(beside->rpc));
	if (r != 0)
		client_close(&c);
	else
		*out = c;
	return r;
}
