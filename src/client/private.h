#ifndef MW_CLIENT_PRIVATE_H
#define MW_CLIENT_PRIVATE_H

#include "capture/capture.h"
#include "causes/causes.h"
#include "client/carrier.h"
#include "client/login.h"
#include "client/socket.h"
#include "client/transport.h"
#include "client/wait.h"
#include "mapi/property.h"
#include "mapi/status.h"
#include "mapi/tags.h"
#include "mapiwire.h"
#include "rpc/connection.h"

/*
 * Inside libmapiwire. tcp.c is a transport; conn.c moves bytes between transports and the RPC
 * machine; call.c binds and calls by the generated tables; the other files are one
 * service each. client_wait (wait.h) is the only place that waits.
 */

#define CLIENT_MAX_ADDRESSES 8
#define CLIENT_MAX_CONNS 32
#define CLIENT_CODE_PAGE 1252u
#define CLIENT_LOCALE 0x0409u
/* What one answer may hold when it is decoded. */
#define CLIENT_ARENA_LIMIT ((size_t)64 << 20)

struct mapiwire {
	char *host;
	struct client_login *login;
	enum mapiwire_transport transport;
	enum auth_type mechanism; /* of the last that logged on */
	uint16_t mapper_port;
	char mapper_text[8];
	int64_t timeout_ns;
	enum auth_level level;
	struct client_address addresses[CLIENT_MAX_ADDRESSES];
	unsigned address_count, address; /* the one that answered last */
	char address_text[64];
	struct capture_writer *capture;
	bool capture_is_shared; /* another client's */
	struct client_conn *conns;
	struct client_site *site; /* of transports over HTTP; or NULL */
	struct client_web *webs;  /* its HTTP connections, be they a transport's or on their own */
	char *stale[2];           /* MAPI over HTTP, by endpoint: cookies of a session nobody took leave of; or NULL */
	struct client_said own, *said; /* said: of the task that runs, else own */
	struct client_aside *asides;
	struct client_left *left; /* threads of asides that were given up */
	int wake;                 /* eventfd that their threads write; -1: not needed yet */
	struct mapiwire_task *tasks, *running;
	bool ending;
};

/* ---- error.c: each yields the code it was given ---- */

int client_fail(struct mapiwire *m, int code, enum cause cause, uint32_t status, const struct cause_about *about);
/* With a detail. */
int client_fail_on(struct mapiwire *m, int code, enum cause cause, const char *format, ...) MW_PRINTF(4, 5);
/* A call that was answered with an error: finds the cause. call: its name. */
int client_fail_status(struct mapiwire *m, enum cause_family family, uint32_t status, const char *call);
/* An MW_E_* of our own layers. what: the thing that was being read or written. */
int client_fail_inside(struct mapiwire *m, int error, const char *what);
/* What client_wait says but 0 and MW_E_AGAIN. what: that was waited for. */
int client_fail_wait(struct mapiwire *m, int error, const char *what);
void client_no_error(struct mapiwire *m);
void client_said_nothing(struct client_said *said);
/* Says to an analyser, who sees the callers only, that what the functions above yield is never 0. */
static inline int client_failed(int code)
{
	return code < 0 ? code : MAPIWIRE_E_PROTOCOL;
}

/* ---- name.c ---- */

MW_NODISCARD int client_find_host(struct mapiwire *m);

/* ---- conn.c ---- */

struct client_conn {
	struct client_conn *next;
	struct mapiwire *m;
	const struct client_carrier *carrier;
	struct client_mapi *mapi; /* of MAPI over HTTP; then there is neither transport nor rpc */
	const struct client_transport_kind *transport;
	struct client_transport *via; /* NULL: not connected */
	int error;                    /* errno that it ended with; 0: the peer closed */
	uint16_t port;
	char port_text[8];
	const char *setting; /* what fixes this port, in words; NULL for the mapper's */
	struct rpc_connection *rpc;
	struct client_leg *leg; /* what its security context stands on; or NULL */
	enum auth_level level;
	bool dynamic, open, closed, bound, refused;
	bool served;       /* a call was answered: the server has taken the user */
	bool idle;         /* no call is in the way of another; see client_call */
	uint16_t provider; /* reason of a refused presentation context */
	/* Why it is over, from an event. */
	enum cause cause;
	uint32_t status;
	char why[128];
	struct client_call *calls;
	const struct idl_interface *interfaces[2]; /* by presentation context */
	unsigned interface_count;
};

/* Opens a TCP connection. dynamic: the port was handed out by the mapper; setting: see cause_about. */
MW_NODISCARD int client_connect(struct mapiwire *m, uint16_t port, bool dynamic, const char *setting,
                                struct client_conn **out);
void client_close(struct client_conn **c);
/* Whether there may be one more. */
bool client_conn_room(const struct mapiwire *m);
/* Its descriptors, and what came of them; no waiting. */
unsigned client_conn_poll(const struct client_conn *c, struct pollfd fds[CLIENT_TRANSPORT_FDS]);
void client_conn_process(struct client_conn *c);
/* When it has something to do without them; INT64_MAX: never. */
int64_t client_conn_deadline(const struct client_conn *c);
int64_t client_deadline(const struct mapiwire *m);
/* Sends what the machine has to say; what does not go out now goes later. */
void client_flush(struct client_conn *c);
/* How connecting failed: an errno. */
int client_fail_connect(struct client_conn *c, int error);

/* ---- rpc_http.c ---- */

enum { CLIENT_HTTP_STORE = 6001, CLIENT_HTTP_REFERRAL = 6002, CLIENT_HTTP_BOOK = 6004 };
/* "/rpc/rpcproxy.dll?mail:6001"; NULL: out of memory. */
char *client_rpc_http_target(const struct mapiwire *m, uint16_t port);
/* The port of an interface by its short name; 0: it has none there. */
uint16_t client_rpc_http_port(const char *interface);

/* ---- bind.c, call.c, rpc.c ---- */

/* Binds one or two interfaces. level NONE: without authentication. */
MW_NODISCARD int client_bind(struct client_conn *c, const struct idl_interface *const *interfaces, unsigned count,
                             enum auth_level level, uint32_t group);
/* A further interface, by alter_context; calls name it by the number of those before it. */
MW_NODISCARD int client_alter(struct client_conn *c, const struct idl_interface *interface);
/* Connects, then binds. */
MW_NODISCARD int client_open(struct mapiwire *m, uint16_t port, const char *setting,
                             const struct idl_interface *interface, enum auth_level level, struct client_conn **out);
/* One more to the server that c leads to, of another interface, where c's context handles are good: for what is parked.
 */
MW_NODISCARD int client_open_beside(const struct client_conn *c, const struct idl_interface *interface,
                                    struct client_conn **out);
/* Encodes args and sends. The call is owned by the connection until client_call_end. */
MW_NODISCARD int client_call_begin(struct client_conn *c, unsigned context, unsigned opnum, const void *args,
                                   struct client_call **out);
/* Waits for the answer and decodes it into args; texts live in the arena. Frees the call. */
MW_NODISCARD int client_call_end(struct client_call **call, struct arena *arena, void *args, int64_t deadline);
/* Frees a call that is not wanted any more: the server is told by an orphaned PDU, unless the answer is there. */
void client_call_drop(struct client_call **call);
/* Both, one call at a time on a connection. */
/* Why the connection ended while something was still due. */
int client_fail_ended(struct client_conn *c, const char *what);
/* Until *done; says why not. call: what is awaited, or NULL. */
MW_NODISCARD int client_await(struct client_conn *c, const bool *done, struct client_call *call, int64_t deadline,
                              const char *what);
MW_NODISCARD int client_call(struct client_conn *c, unsigned context, unsigned opnum, struct arena *arena, void *args);
/* Whether it is still there: looks at the transport first, since a peer may have closed while nobody waited. */
bool client_is_up(struct client_conn *c);
struct rpc_syntax client_syntax(const struct idl_interface *interface);
struct arena *client_arena(struct mapiwire *m);

/* ---- value.c ---- */

MW_NODISCARD int client_put_value(struct mapiwire *m, struct arena *arena, const struct mapi_value *in,
                                  struct mapiwire_value *out);
MW_NODISCARD int client_take_value(struct mapiwire *m, struct arena *arena, const struct mapiwire_value *in,
                                   struct mapi_value *out);
/* Room for rows; takes over the arena (which is *arena, NULL afterwards). */
MW_NODISCARD int client_rows_new(struct mapiwire *m, struct arena **arena, size_t count, size_t columns,
                                 struct mapiwire_rows *out);

extern const char client_setting_book[], client_setting_store[];

#endif
