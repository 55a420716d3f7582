#include "base/time.h"
#include "causes/causes.h"
#include "server/conn.h"

#include <stdlib.h>
#include <string.h>

/*
 * From a request to its service and back: find the method, decode, call, encode.
 * This code knows no call by name.
 */

/* The service of an interface on a port; NULL if it is not offered there. */
static const struct service *find_service(enum server_port port, const struct guid *uuid, uint16_t major)
{
	for (unsigned i = 0; services[i]; i++) {
		const struct idl_interface *iface = services[i]->interface;
		if ((services[i]->ports & 1u << port) && iface->major == major && guid_equal(&iface->uuid, uuid))
			return services[i];
	}
	return NULL;
}

const struct idl_interface *dispatch_find_interface(void *user, const struct rpc_syntax *abstract)
{
	const struct service *s = find_service((enum server_port)(uintptr_t)user, &abstract->uuid, abstract->major);
	return s && s->interface->minor >= abstract->minor ? s->interface : NULL;
}

void service_call_free(struct service_call *call)
{
	struct server_loop *loop = call->home;
	struct arena *arena = call->arena; /* the call itself lives in it */
	buf_free(&call->answer);
	loop_arena_return(loop, &arena);
}

/* Sends the answer, if the connection is still there and wants it. In the home loop. */
static void deliver(struct service_call *call, const struct buf *stub)
{
	struct server_conn *c = conn_find(call->home, call->conn);
	if (c && c->rpc) {
		int r = call->result == SERVICE_FAULT
		                ? rpc_server_fault(c->rpc, call->call_id, call->fault)
		                : rpc_server_respond(c->rpc, call->call_id, stub->data, stub->len);
		if (r < 0 && r != MW_E_NOTFOUND)
			conn_close(c);
		else if (!c->in_feed)
			conn_flush(c);
	}
	service_call_free(call);
}

static void deliver_at_home(struct server_loop *loop, struct loop_message *m)
{
	struct service_call *call = (struct service_call *)m;
	call->at = loop;
	if (call->caller)
		call->caller->finished(call);
	else
		deliver(call, &call->answer);
}

static void encode(struct service_call *call, struct buf *out)
{
	struct ndr n = ndr_encoder(call->syntax, call->arena, out);
	int r = ndr_encode_args(&n, call->method, IDL_RESPONSE, call->args);
	if (r < 0) {
		log_line(call->server->config.log, LOG_ERROR, "%s: cannot encode the answer at %s: %s",
		         call->method->name, n.where ? n.where : "?", mw_strerror(r));
		call->result = SERVICE_FAULT;
		call->fault = RPC_X_BAD_STUB_DATA;
	}
}

void service_finish(struct service_call *call, enum service_result result)
{
	bool home = call->at == call->home;
	struct buf *out = home ? &call->home->scratch : &call->answer;
	call->result = result;
	buf_clear(out);
	if (result == SERVICE_DONE && !call->caller)
		encode(call, out);
	if (call->result == SERVICE_FAULT)
		atomic_fetch_add(&call->server->faults_out, 1);
	if (home && call->caller) {
		call->caller->finished(call);
	} else if (home) {
		deliver(call, out);
	} else {
		call->message.run = deliver_at_home;
		loop_post(call->home, &call->message);
	}
}

enum service_result service_fault(struct service_call *call, uint32_t status)
{
	call->fault = status;
	return SERVICE_FAULT;
}

static void run_moved(struct server_loop *loop, struct loop_message *m)
{
	struct service_call *call = (struct service_call *)m;
	call->at = loop;
	call->moved(loop, call);
}

void service_move(struct service_call *call, struct server_loop *to,
                  void (*run)(struct server_loop *loop, struct service_call *call))
{
	if (to == call->at) {
		run(to, call);
		return;
	}
	call->moved = run;
	call->message.run = run_moved;
	loop_post(to, &call->message);
}

/* ---- Context handles ---- */

struct rpc_association *service_association(const struct service_call *call)
{
	if (call->caller)
		return call->at == call->home ? call->group : NULL;
	struct server_conn *c = call->at == call->home ? conn_find(call->home, call->conn) : NULL;
	return c && c->rpc ? rpc_server_association(c->rpc) : NULL;
}

int service_handle_create_for(struct service_call *call, const struct idl_interface *iface, void *object,
                              rpc_rundown_fn rundown, struct idl_context_handle *out)
{
	struct rpc_association *a = service_association(call);
	return a ? rpc_handle_create(a, iface, object, rundown, out) : MW_E_STATE;
}

int service_handle_create(struct service_call *call, void *object, rpc_rundown_fn rundown,
                          struct idl_context_handle *out)
{
	return service_handle_create_for(call, call->service->interface, object, rundown, out);
}

void *service_handle_find(struct service_call *call, const struct idl_context_handle *handle)
{
	struct rpc_association *a = service_association(call);
	return a ? rpc_handle_find(a, call->service->interface, handle) : NULL;
}

void service_handle_close(struct service_call *call, struct idl_context_handle *handle)
{
	struct rpc_association *a = service_association(call);
	if (a)
		rpc_handle_close(a, handle);
}

/* ---- Watches ---- */

int service_watch(struct service_call *call, struct server_loop *at, uint64_t key,
                  void (*gone)(struct server_loop *at, const struct service_gone *what))
{
	struct server_conn *c = call->caller ? NULL : conn_find(call->home, call->conn);
	struct conn_watch **list = c ? &c->watches : call->watches, **link = list, *w;
	if (!list)
		return MW_E_STATE;
	unsigned count = 0;
	for (; *link; link = &(*link)->next) {
		if ((*link)->at == at && (*link)->key == key)
			return 0;
		if (++count == CONN_MAX_WATCHES) {
			free(TAKE_PTR(*link));
			break;
		}
	}
	w = (struct conn_watch *)malloc(sizeof *w);
	if (!w)
		return MW_E_NOMEM;
	*w = (struct conn_watch){*list, at, key, gone};
	*list = w;
	return 0;
}

/* ---- Events ---- */

static void note_caller(struct service_call *call, const struct rpc_event *event)
{
	call->auth_type = event->auth_type;
	call->level = event->level;
	if (!event->auth)
		return;
	struct auth_info info;
	auth_get_info(event->auth, &info);
	call->account = info.complete && !info.anonymous ? info.account_id : 0;
	if (info.user)
		call->user = arena_printf(call->arena, "%s\\%s", info.domain ? info.domain : "", info.user);
}

struct service_call *service_call_new(struct server_loop *loop, const struct service *service, uint16_t opnum)
{
	struct arena *arena = loop_arena(loop);
	struct service_call *call = arena ? arena_new_of(arena, struct service_call) : NULL;
	const struct idl_method *m = &service->interface->methods[opnum];
	void *args = call ? arena_alloc(arena, m->args->size) : NULL;
	if (!args) {
		arena_free(&arena);
		return NULL;
	}
	*call = (struct service_call){
	        .server = loop->server,
	        .home = loop,
	        .at = loop,
	        .service = service,
	        .method = m,
	        .args = args,
	        .arena = arena,
	};
	return call;
}

static struct service_call *new_call(struct server_conn *c, const struct rpc_event *event,
                                     const struct service *service)
{
	struct service_call *call = service_call_new(c->loop, service, event->opnum);
	if (!call)
		return NULL;
	call->conn = c->id;
	call->call_id = event->call_id;
	call->port = c->port;
	call->syntax = event->syntax;
	memcpy(call->local_ip, c->local_ip, sizeof call->local_ip);
	note_caller(call, event);
	return call;
}

static int decode(struct service_call *call, const struct rpc_event *event)
{
	struct cursor in = cursor_of(event->stub, event->stub_len);
	in.big_endian = event->big_endian;
	struct ndr n = ndr_decoder(call->syntax, call->arena, in);
	return ndr_decode_args(&n, call->method, IDL_REQUEST, call->args);
}

static void refuse(struct server_conn *c, const struct rpc_event *event, uint32_t status)
{
	atomic_fetch_add(&c->loop->server->faults_out, 1);
	if (rpc_server_fault(c->rpc, event->call_id, status) < 0)
		conn_close(c);
}

static void on_request(struct server_conn *c, const struct rpc_event *event)
{
	const struct rpc_syntax *s = event->interface;
	const struct service *service = s ? find_service(c->port, &s->uuid, s->major) : NULL;
	atomic_fetch_add(&c->loop->server->calls_in, 1);
	if (!service)
		return refuse(c, event, NCA_S_UNK_IF);
	if (event->opnum >= service->method_count || !service->methods[event->opnum])
		return refuse(c, event, NCA_S_OP_RNG_ERROR);
	struct service_call *call = new_call(c, event, service);
	if (!call)
		return refuse(c, event, NCA_S_SERVER_TOO_BUSY);
	int r = decode(call, event);
	if (r < 0) {
		log_line(c->loop->server->config.log, LOG_WARNING, "%s: bad stub: %s", call->method->name,
		         mw_strerror(r));
		service_call_free(call);
		return refuse(c, event, RPC_X_BAD_STUB_DATA);
	}
	enum service_result result = service->methods[event->opnum](call, call->args);
	if (result != SERVICE_LATER)
		service_finish(call, result);
}

static void log_refused(struct server_conn *c, const struct rpc_event *event)
{
	c->refused = true;
	struct auth_info info = {0};
	if (event->auth)
		auth_get_info(event->auth, &info);
	enum cause cause = cause_of_status(CAUSE_OF_FAULT, event->status);
	char sentence[CAUSE_TEXT_SIZE] = "", attempt[CAUSE_TEXT_SIZE];
	if (cause != CAUSE_CALL_FAILED) /* which says no more than the number */
		cause_explain(cause, &(struct cause_about){0}, sentence, attempt);
	log_line(c->loop->server->config.log, LOG_WARNING, "authentication refused: user %s\\%s, 0x%08X %s",
	         info.domain ? info.domain : "", info.user ? info.user : "?", event->status, sentence);
}

/* Who has logged on is no stranger any more: crowd.h. */
static void note_user(struct server_conn *c, const struct rpc_event *event)
{
	struct auth_info info = {0};
	if (c->known || !event->auth)
		return;
	auth_get_info(event->auth, &info);
	c->known = info.complete && !info.anonymous;
	if (c->known && c->carrier->known)
		c->carrier->known(c);
}

void dispatch_event(void *user, struct rpc_connection *rpc, const struct rpc_event *event)
{
	struct server_conn *c = (struct server_conn *)user;
	(void)rpc;
	if (c->closing)
		return;
	atomic_fetch_add_explicit(&c->loop->server->pdus_in, event->fragments, memory_order_relaxed);
	switch (event->type) {
	case RPC_EV_REQUEST:
		on_request(c, event);
		break;
	case RPC_EV_CANCEL:
	case RPC_EV_ORPHANED:
		conn_tell_gone(c, false, event->call_id);
		break;
	case RPC_EV_DAMAGED:
		log_line(c->loop->server->config.log, c->refused ? LOG_DEBUG : LOG_WARNING,
		         "damaged PDU at byte %zu: %s", event->damaged_at, event->why);
		break;
	case RPC_EV_BIND:
	case RPC_EV_ALTER:
	case RPC_EV_AUTH3:
		if (event->signature == RPC_SIG_BAD)
			log_refused(c, event);
		else
			note_user(c, event);
		break;
	case RPC_EV_CLOSED:
		c->finishing = true;
		break;
	default:
		break;
	}
}
