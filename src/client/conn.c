#include "base/time.h"
#include "client/mapi.h"
#include "client/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE 65536
/* Connections that one client has at a time: mapper, two of the address book, two of each store session. */
#define MAX_CONNS CLIENT_MAX_CONNS

int64_t client_deadline(const struct mapiwire *m)
{
	return time_monotonic_ns() + m->timeout_ns;
}

/* ---- What the machine tells ---- */

static struct client_call *find_call(struct client_conn *c, uint32_t id)
{
	for (struct client_call *call = c->calls; call; call = call->next)
		if (call->id == id && !call->done)
			return call;
	return NULL;
}

static void on_answer(struct client_conn *c, const struct rpc_event *e)
{
	struct client_call *call = find_call(c, e->call_id);
	if (!call && e->type == RPC_EV_FAULT && !c->bound) {
		c->refused = c->closed = true; /* an answer to alter_context */
		c->status = e->status;
	}
	if (!call)
		return;
	call->done = true;
	call->fault = e->type == RPC_EV_FAULT;
	call->status = e->status;
	call->big_endian = e->big_endian;
	call->signature = e->signature;
	call->arrived_ns = time_monotonic_ns();
	if (!call->fault)
		(void)buf_put(&call->stub, e->stub, e->stub_len); /* a failure stays in the buffer */
}

#define ABSTRACT_SYNTAX 1 /* p_provider_reason_t, C706 12.6.3.1 */

static void on_bind_ack(struct client_conn *c, const struct rpc_event *e)
{
	struct auth_info info;
	c->bound = rpc_client_ready(c->rpc);
	if (e->auth) {
		auth_get_info(e->auth, &info);
		c->m->mechanism = info.mechanism;
	}
	/* Of an interface's two contexts one is refused over its transfer syntax; what matters is a reason beside that.
	 */
	for (unsigned i = 0; i < e->bind->result_count; i++) {
		const struct rpc_context_result *r = &e->bind->results[i];
		if ((r->result == 1 || r->result == 2) && (c->provider == 0 || r->reason == ABSTRACT_SYNTAX))
			c->provider = r->reason;
	}
}

static void on_event(void *user, struct rpc_connection *rpc, const struct rpc_event *e)
{
	struct client_conn *c = (struct client_conn *)user;
	(void)rpc;
	switch (e->type) {
	case RPC_EV_BIND_ACK:
	case RPC_EV_ALTER_ACK:
		on_bind_ack(c, e);
		break;
	case RPC_EV_BIND_NAK:
		c->cause = CAUSE_BIND_REFUSED;
		c->status = e->status;
		c->closed = true;
		break;
	case RPC_EV_RESPONSE:
	case RPC_EV_FAULT:
		on_answer(c, e);
		break;
	case RPC_EV_DAMAGED:
		/* A token that says in so many words why the server does not want us. */
		c->refused = e->status && cause_of_status(CAUSE_OF_FAULT, e->status) != CAUSE_CALL_FAILED;
		c->status = c->refused ? e->status : c->status;
		c->cause = e->signature == RPC_SIG_BAD ? CAUSE_BAD_SIGNATURE
		           : c->bound                  ? CAUSE_PROTOCOL_ERROR
		                                       : CAUSE_NOT_RPC;
		snprintf(c->why, sizeof c->why, "%s", e->why ? e->why : "");
		break;
	case RPC_EV_CLOSED:
		c->closed = true;
		break;
	default:
		break;
	}
}

/* ---- Bytes ---- */

static void lost(struct client_conn *c, int error)
{
	c->error = error;
	c->closed = true;
}

/* Until there is less than there is room for: what a transport has inside, no descriptor tells of. */
static void read_some(struct client_conn *c)
{
	uint8_t data[READ_SIZE];
	ssize_t n;
	while ((n = c->via->kind->read(c->via, data, sizeof data)) > 0) {
		rpc_feed(c->rpc, RPC_FROM_SERVER, data, (size_t)n, time_monotonic_ns());
		client_flush(c);
		if (c->closed || (size_t)n < sizeof data)
			return;
	}
	if (n == 0) {
		rpc_eof(c->rpc, RPC_FROM_SERVER, time_monotonic_ns());
		lost(c, 0);
	} else if (errno != EAGAIN && errno != EINTR) {
		lost(c, errno);
	}
}

void client_flush(struct client_conn *c)
{
	struct buf *out = rpc_output(c->rpc);
	while (out->len > 0 && c->open && c->error == 0) {
		ssize_t n = c->via->kind->write(c->via, out->data, out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				lost(c, errno);
			return;
		}
		buf_consume(out, (size_t)n);
	}
}

unsigned client_conn_poll(const struct client_conn *c, struct pollfd fds[CLIENT_TRANSPORT_FDS])
{
	return c->via && !c->closed ? c->via->kind->poll(c->via, rpc_output(c->rpc)->len > 0, fds) : 0;
}

int64_t client_conn_deadline(const struct client_conn *c)
{
	return c->via && !c->closed && c->via->kind->deadline ? c->via->kind->deadline(c->via) : INT64_MAX;
}

void client_conn_process(struct client_conn *c)
{
	if (!c->via || c->closed)
		return;
	if (!c->open) {
		int error = c->via->kind->progress(c->via);
		c->open = error == 0;
		if (error != 0 && error != EINPROGRESS)
			lost(c, error);
		return;
	}
	client_flush(c);
	if (!c->closed)
		read_some(c);
}

bool client_is_up(struct client_conn *c)
{
	if (c && c->mapi)
		return client_mapi_is_up(c);
	if (c)
		client_conn_process(c);
	return c && c->open && !c->closed;
}

/* ---- Connecting ---- */

/* 0 or an errno, or an MW_E_* of who waits; or *said: a MAPIWIRE_E_* whose words have been said. */
static int connect_to(struct client_conn *c, const struct client_address *address, bool *said)
{
	c->closed = c->open = false;
	c->error = c->transport->open(c, address, &c->via);
	if (c->error != 0)
		return c->error;
	client_conn_process(c);
	int r = client_wait(c->m, &c->open, c, NULL, client_deadline(c->m));
	if (r == 0)
		return 0;
	*said = c->transport->fail && (r == MW_E_TIMEOUT || r == MW_E_AGAIN);
	if (*said)
		r = client_failed(c->transport->fail(c->via, r == MW_E_TIMEOUT, "a connect"));
	c->transport->close(&c->via);
	c->closed = true;
	return *said ? r : r == MW_E_TIMEOUT ? ETIMEDOUT : r == MW_E_AGAIN ? c->error : r;
}

int client_fail_connect(struct client_conn *c, int error)
{
	bool refused = error == ECONNREFUSED || error == ECONNRESET;
	enum cause cause = c->dynamic ? refused ? CAUSE_DYNAMIC_PORT_REFUSED : CAUSE_DYNAMIC_PORT_BLOCKED
	                   : refused  ? CAUSE_PORT_REFUSED
	                              : CAUSE_PORT_FILTERED;
	const struct cause_about about = {
	        .detail = c->port_text, .mapper_port = c->m->mapper_text, .setting = c->setting};
	return client_fail(c->m, MAPIWIRE_E_UNREACHABLE, cause, 0, &about);
}

/* The address that answered last comes first, then the others. */
static int try_addresses(struct client_conn *c)
{
	struct mapiwire *m = c->m;
	int error = 0;
	for (unsigned i = 0; i < m->address_count; i++) {
		unsigned which = (m->address + i) % m->address_count;
		bool said = false;
		error = connect_to(c, &m->addresses[which], &said);
		if (error == 0) {
			m->address = which;
			return 0;
		}
		if (said && error == MAPIWIRE_E_UNREACHABLE && i + 1 < m->address_count)
			continue;
		if (said)
			return error;
		if (error < 0)
			return client_fail_wait(m, error, "a connect");
	}
	return client_fail_connect(c, error);
}

static struct client_conn *conn_new(struct mapiwire *m, uint16_t port, bool dynamic, const char *setting)
{
	struct client_conn *c = (struct client_conn *)calloc(1, sizeof *c);
	if (!c)
		return NULL;
	*c = (struct client_conn){.m = m,
	                          .carrier = &client_rpc_carrier,
	                          .transport = m->transport == MAPIWIRE_RPC_HTTP ? &client_rpc_http : &client_tcp,
	                          .port = port,
	                          .dynamic = dynamic,
	                          .setting = setting,
	                          .idle = true};
	snprintf(c->port_text, sizeof c->port_text, "%u", port);
	const struct rpc_config config = {
	        .role = RPC_CLIENT,
	        .on_event = on_event,
	        .user = c,
	        .random = &random_system,
	        .clock_offset_ns = time_now_ns() - time_monotonic_ns(),
	};
	c->rpc = rpc_connection_new(&config);
	if (!c->rpc) {
		free(c);
		return NULL;
	}
	c->next = m->conns;
	m->conns = c;
	return c;
}

bool client_conn_room(const struct mapiwire *m)
{
	unsigned count = 0;
	for (const struct client_conn *c = m->conns; c; c = c->next)
		count++;
	return count < MAX_CONNS;
}

int client_connect(struct mapiwire *m, uint16_t port, bool dynamic, const char *setting, struct client_conn **out)
{
	int r = client_find_host(m);
	if (r != 0)
		return r;
	struct client_conn *c = client_conn_room(m) ? conn_new(m, port, dynamic, setting) : NULL;
	if (!c)
		return client_fail_inside(m, MW_E_NOMEM, "a connection");
	r = try_addresses(c);
	if (r != 0)
		client_close(&c);
	else
		*out = c;
	return r;
}

void client_close(struct client_conn **conn)
{
	struct client_conn *c = *conn;
	if (!c)
		return;
	*conn = NULL;
	struct client_conn **link = &c->m->conns;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	while (c->calls) {
		struct client_call *call = c->calls;
		client_call_drop(&call);
	}
	if (c->mapi)
		client_mapi_close(c);
	if (c->via)
		c->via->kind->close(&c->via);
	rpc_connection_free(&c->rpc);
	client_leg_drop(c->leg);
	free(c);
}

int mapiwire_knock(struct mapiwire *m, uint16_t port, int64_t *ns)
{
	struct client_conn *c = NULL;
	client_no_error(m);
	int r = client_find_host(m);
	int64_t began = time_monotonic_ns();
	if (r == 0)
		r = client_connect(m, port, port != m->mapper_port, NULL, &c);
	if (r == 0 && ns)
		*ns = time_monotonic_ns() - began;
	client_close(&c);
	return r;
}
