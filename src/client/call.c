#include "client/private.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

struct arena *client_arena(struct mapiwire *m)
{
	struct arena *arena = arena_new(CLIENT_ARENA_LIMIT);
	if (!arena)
		(void)client_fail_inside(m, MW_E_NOMEM, "an answer");
	return arena;
}

int client_fail_ended(struct client_conn *c, const char *what)
{
	if (c->cause == CAUSE_NONE && c->via && c->transport->fail)
		return client_failed(c->transport->fail(c->via, false, what));
	switch (c->cause) {
	case CAUSE_NOT_RPC:
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, CAUSE_NOT_RPC, "%s", c->port_text);
	case CAUSE_PROTOCOL_ERROR:
	case CAUSE_BAD_SIGNATURE:
		return client_fail_on(c->m, MAPIWIRE_E_PROTOCOL, c->cause, "%s", c->why);
	default:
		return client_fail_on(c->m, MAPIWIRE_E_LOST, CAUSE_CONNECTION_LOST, " of %s", what);
	}
}

int client_await(struct client_conn *c, const bool *done, struct client_call *call, int64_t deadline, const char *what)
{
	int r = client_wait(c->m, done, c, call, deadline);
	if (r == MW_E_AGAIN)
		return client_fail_ended(c, what);
	return r == 0 ? 0 : client_fail_wait(c->m, r, what);
}

/* ---- Calls ---- */

static void unlink_call(struct client_call *call)
{
	struct client_call **link = &call->conn->calls;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
}

void client_call_drop(struct client_call **call)
{
	struct client_call *p = *call;
	if (!p)
		return;
	*call = NULL;
	unlink_call(p);
	if (!p->done)
		(void)p->conn->carrier->cancel(p, true);
	p->conn->carrier->drop(p);
	free(p);
}

int client_call_begin(struct client_conn *c, unsigned context, unsigned opnum, const void *args,
                      struct client_call **out)
{
	const struct idl_method *method = &c->interfaces[context]->methods[opnum];
	if (client_cancelled(c->m))
		return client_failed(client_fail_wait(c->m, MW_E_CANCELLED, method->name));
	if (c->closed)
		return client_failed(client_fail_ended(c, method->name));
	struct client_call *call = (struct client_call *)calloc(1, sizeof *call);
	if (!call)
		return client_failed(client_fail_inside(c->m, MW_E_NOMEM, method->name));
	call->conn = c;
	call->method = method;
	call->next = c->calls;
	c->calls = call;
	int r = c->carrier->send(call, context, args);
	if (r != 0) {
		client_call_drop(&call);
		return client_failed(r);
	}
	*out = call;
	return 0;
}

int client_call_end(struct client_call **call, struct arena *arena, void *args, int64_t deadline)
{
	struct client_call *p = *call;
	bool again;
	int r;
	do {
		again = false;
		r = client_await(p->conn, &p->done, p, deadline, p->method->name);
		if (r == 0)
			r = p->conn->carrier->take(p, arena, args, &again);
	} while (again);
	client_call_drop(call);
	return r;
}

int client_call(struct client_conn *c, unsigned context, unsigned opnum, struct arena *arena, void *args)
{
	struct client_call *call = NULL;
	int r = client_take_turn(c->m, &c->idle);
	if (r != 0)
		return client_fail_wait(c->m, r, c->interfaces[context]->methods[opnum].name);
	r = client_call_begin(c, context, opnum, args, &call);
	if (r == 0)
		r = client_call_end(&call, arena, args, client_deadline(c->m));
	c->idle = true;
	return r;
}
