#ifndef MW_SERVER_SERVICE_H
#define MW_SERVER_SERVICE_H

#include "server/loop.h"

/*
 * What a service sees of a call: its decoded arguments and who asks. A service
 * is an interface and one small function a method; the rest (decoding, encoding,
 * faults, ranges) is done from the interface's tables.
 */
enum service_result {
	SERVICE_DONE = 0, /* out arguments are set: answer now */
	SERVICE_LATER,    /* the service keeps the call and will service_finish it, from any loop */
	SERVICE_FAULT,    /* answer with call->fault */
};

struct service_call;
struct conn_watch;

/* Who asks otherwise than by RPC: the arguments are neither decoded nor encoded. */
struct service_caller {
	/* In the home loop, with call->result and, when that is SERVICE_DONE, the arguments; ends with
	 * service_call_free. */
	void (*finished)(struct service_call *call);
};

struct service_call {
	struct loop_message message; /* for hand-overs: moves the call to another loop */
	struct server *server;
	struct server_loop *home; /* the loop of the connection; answers leave there */
	struct server_loop *at;   /* the loop that has the call now */
	uint64_t conn;            /* its connection, which may be gone when the answer is ready */
	uint32_t call_id;
	const struct service *service;
	const struct idl_method *method;
	void *args;             /* struct METHOD_args: in filled, out zero until the method fills it */
	struct arena *arena;    /* dies with the call */
	uint32_t fault;         /* with SERVICE_FAULT: the status */
	enum server_port port;  /* where it came in */
	enum ndr_syntax syntax; /* of its presentation context; the answer is encoded likewise */
	uint8_t local_ip[4];    /* the address the client connected to; zeros for IPv6 */
	enum auth_type auth_type;
	enum auth_level level;
	uint64_t account;  /* the directory's id; 0: nobody was authenticated */
	const char *user;  /* "DOMAIN\\user" for the log, in the arena; NULL */
	void *state;       /* the service's own, between parts of a call */
	uint64_t ticket;   /* of the commit that the answer waits for */
	struct buf answer; /* the encoded answer on its way home */
	void (*moved)(struct server_loop *loop, struct service_call *call);
	const struct service_caller *caller; /* NULL: RPC */
	void *caller_user;
	struct rpc_association *group; /* the caller's, for handles */
	struct conn_watch **watches;   /* the caller's */
	enum service_result result;
};

typedef enum service_result (*service_fn)(struct service_call *call, void *args);

struct service {
	const struct idl_interface *interface;
	const service_fn *methods; /* by opnum; NULL: op-range fault */
	uint16_t method_count;
	uint16_t ports;         /* bit 1 << enum server_port: where the interface may be bound */
	uint8_t http_endpoint;  /* enum server_port: its own behind RPC over HTTP; 0: none */
	const char *annotation; /* what the endpoint mapper says of it; NULL: it is not registered there */
};

/* Behind RPC over HTTP each endpoint offers all of them, as Exchange Server does since 2013. */
#define SERVICE_OVER_HTTP (1u << SERVER_HTTP_STORE | 1u << SERVER_HTTP_RFR | 1u << SERVER_HTTP_NSPI)
/* The well-known number of such an endpoint, [MS-OXCRPC] 2.1 and [MS-OXABREF] 2.1. */
static inline unsigned service_http_endpoint(enum server_port port)
{
	return port == SERVER_HTTP_STORE ? 6001 : port == SERVER_HTTP_RFR ? 6002 : 6004;
}

/* Every service there is; the mapper's registrations follow from it. NULL-terminated. */
extern const struct service *const services[];
extern const struct service epm_service, mgmt_service, rfr_service, nspi_service, emsmdb_service, asyncemsmdb_service;

/* services.c: what the services keep in each loop; fails as loop_init does. */
MW_NODISCARD int service_loops_init(struct server_loop *loop);
/* The loops have stopped: what the services keep for clients ends, calls that wait are answered. */
void service_loops_end(struct server_loop *loop);
/* After that: nothing runs any more. */
void service_loops_free(struct server_loop *loop);
MW_NODISCARD int emsmdb_loop_init(struct server_loop *loop);
void emsmdb_loop_end(struct server_loop *loop);
void emsmdb_loop_free(struct server_loop *loop);

/* Ends a call that was kept: from any thread of a loop; the call is gone afterwards. */
void service_finish(struct service_call *call, enum service_result result);
/* A call of a caller's own, its arguments zero; NULL: out of memory. The caller sets who asks, runs the method, and
 * finishes it unless it is SERVICE_LATER. */
struct service_call *service_call_new(struct server_loop *loop, const struct service *service, uint16_t opnum);
void service_call_free(struct service_call *call);
/* Where an account's mailbox lives; else that loop. */
struct server_loop *service_loop_of_account(struct server *server, uint64_t account, struct server_loop *otherwise);
/* Convenience: sets the status and yields SERVICE_FAULT. */
enum service_result service_fault(struct service_call *call, uint32_t status);

/*
 * Context handles, in the home loop of the call only (that is, in the method
 * itself, before a hand-over). The connection's association holds them.
 */
struct rpc_association *service_association(const struct service_call *call); /* NULL: the connection is gone */
MW_NODISCARD int service_handle_create(struct service_call *call, void *object, rpc_rundown_fn rundown,
                                       struct idl_context_handle *out);
void *service_handle_find(struct service_call *call, const struct idl_context_handle *handle);
/* asyncemsmdb's handles are made by emsmdb: the interface of the handle may be another's. */
MW_NODISCARD int service_handle_create_for(struct service_call *call, const struct idl_interface *iface, void *object,
                                           rpc_rundown_fn rundown, struct idl_context_handle *out);
void service_handle_close(struct service_call *call, struct idl_context_handle *handle);

/*
 * For calls that are kept long: gone is called in that loop when the caller's connection has closed or the caller
 * has given up a call of it. In the home loop; one watch for each loop and key.
 */
struct service_gone {
	struct loop_message message;
	const struct server_loop *home; /* with conn: whose connection it was */
	uint64_t conn;
	bool all; /* every call of the connection; else call_id */
	uint32_t call_id;
	uint64_t key;
	void (*gone)(struct server_loop *at, const struct service_gone *what);
};
MW_NODISCARD int service_watch(struct service_call *call, struct server_loop *at, uint64_t key,
                               void (*gone)(struct server_loop *at, const struct service_gone *what));

/* Hands the call to another loop: run is called there. The arguments and arena go along. */
void service_move(struct service_call *call, struct server_loop *to,
                  void (*run)(struct server_loop *loop, struct service_call *call));

#endif
