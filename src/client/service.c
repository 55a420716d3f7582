#include "client/private.h"
#include "wire/mgmt.h"

#include <stdlib.h>

/* Remote management: C706 appendix Q. */

#define OP_IS_SERVER_LISTENING 2

struct mapiwire_service {
	struct client_conn *conn;
	struct idl_interface asked; /* an interface by its UUID alone */
	struct arena *arena;
};

static int describe(struct mapiwire_service *s, const struct mapiwire_interface *interface)
{
	s->asked = (struct idl_interface){
	        .name = *interface->name ? interface->name : interface->uuid,
	        .major = interface->major,
	        .minor = interface->minor,
	};
	return guid_parse(interface->uuid, &s->asked.uuid) < 0 ? MAPIWIRE_E_ARGUMENT : 0;
}

int mapiwire_service_open(struct mapiwire *m, const struct mapiwire_interface *interface, uint16_t port,
                          struct mapiwire_service **out)
{
	const enum auth_level level = *m->login->user || m->login->type != AUTH_NTLM ? m->level : AUTH_LEVEL_NONE;
	client_no_error(m);
	struct mapiwire_service *s = (struct mapiwire_service *)calloc(1, sizeof *s);
	if (!s)
		return client_fail_inside(m, MW_E_NOMEM, "a connection");
	int r = describe(s, interface);
	if (r == 0 && (s->arena = client_arena(m)) == NULL)
		r = MAPIWIRE_E_MEMORY;
	if (r == 0)
		r = client_connect(m, port, port != m->mapper_port, NULL, &s->conn);
	if (r == 0)
		r = client_bind(s->conn, &(const struct idl_interface *){&s->asked}, 1, level, 0);
	/* Not in one PDU: Samba's server takes one of its contexts only. */
	if (r == 0)
		r = client_alter(s->conn, &wire_mgmt_interface);
	if (r != 0)
		mapiwire_service_close(&s);
	else
		*out = s;
	return r;
}

int mapiwire_service_listening(struct mapiwire_service *s, bool *listening)
{
	struct rpc__mgmt_is_server_listening_args a = {0};
	client_no_error(s->conn->m);
	arena_reset(s->arena);
	int r = client_call(s->conn, 1, OP_IS_SERVER_LISTENING, s->arena, &a);
	if (r == 0)
		*listening = a.ReturnValue != 0;
	return r;
}

void mapiwire_service_close(struct mapiwire_service **service)
{
	struct mapiwire_service *s = *service;
	if (!s)
		return;
	*service = NULL;
	client_close(&s->conn);
	arena_free(&s->arena);
	free(s);
}
