#ifndef MW_RPC_CONNECTION_H
#define MW_RPC_CONNECTION_H

#include "auth/auth.h"
#include "ndr/ndr.h"
#include "rpc/association.h"
#include "rpc/pdu.h"

/*
 * One connection-oriented RPC connection as a state machine: bytes in; bytes
 * out and events. It knows no socket, clock, file or thread. The passive half
 * (PDUs, fragments, contexts, keys, calls) is the same in all roles; client and
 * server add an active half that answers, refuses and keeps deadlines.
 */
enum rpc_role { RPC_CLIENT, RPC_SERVER, RPC_OBSERVER };
enum rpc_side { RPC_FROM_CLIENT, RPC_FROM_SERVER };

enum rpc_event_type {
	RPC_EV_BIND,
	RPC_EV_BIND_ACK, /* client: bound; calls may begin once rpc_client_ready, after an RPC_EV_ALTER_ACK or more */
	RPC_EV_BIND_NAK,
	RPC_EV_ALTER,
	RPC_EV_ALTER_ACK,
	RPC_EV_AUTH3,
	RPC_EV_REQUEST, /* whole: all fragments are there */
	RPC_EV_RESPONSE,
	RPC_EV_FAULT,
	RPC_EV_CANCEL,
	RPC_EV_ORPHANED,
	RPC_EV_SHUTDOWN,
	RPC_EV_DAMAGED, /* bytes that break a rule; why and where. Active roles: the connection is over */
	RPC_EV_GAP,     /* observer: bytes of that side are missing; count in stub_len */
	RPC_EV_CLOSED,  /* active roles: nothing more will come or go; after the output is sent, close */
};

/* What became of the protection of a PDU or call. */
enum rpc_signature { RPC_SIG_NONE, RPC_SIG_OK, RPC_SIG_BAD, RPC_SIG_UNCHECKED };

struct rpc_event {
	enum rpc_event_type type;
	enum rpc_side from;
	/* Offsets in that side's stream: first byte of the first PDU, one past the last byte of the
	 * last PDU. A call of several fragments is one event. */
	uint64_t first, end;
	unsigned fragments;
	uint32_t call_id;
	/* Requests, responses, faults: the presentation context and what it stands for. */
	uint16_t context_id;
	const struct rpc_syntax *interface; /* NULL: its bind was not seen */
	enum ndr_syntax syntax;
	uint16_t opnum; /* responses and faults: that of their request */
	bool opnum_known;
	const struct guid *object; /* or NULL */
	/* Plain when !sealed or decrypted; valid during the callback. */
	const uint8_t *stub;
	size_t stub_len;
	bool big_endian;
	uint8_t flags;   /* of the first PDU */
	uint32_t status; /* fault status, bind_nak reason; a server's bind, alter and auth3: NTSTATUS of a refusal
	                  * (signature is RPC_SIG_BAD then), else 0; a client's damaged: of the token it could not take
	                  */
	const struct rpc_bind *bind; /* bind, alter and their answers */
	/* Protection. */
	enum auth_type auth_type;
	enum auth_level level;
	bool sealed, decrypted;
	enum rpc_signature signature;
	const struct auth_context *auth; /* or NULL; auth_get_info tells user, key state ... */
	/* Damaged: byte offset in the PDU, and one phrase. Closed: why (NULL: the peer closed). */
	size_t damaged_at;
	const char *why;
};

struct rpc_connection;
typedef void (*rpc_event_fn)(void *user, struct rpc_connection *c, const struct rpc_event *event);

struct rpc_limits {
	size_t max_call;        /* bytes of one reassembled call; 0 = 4 MiB */
	unsigned max_calls;     /* calls in flight; 0 = 64 */
	unsigned max_contexts;  /* presentation contexts; 0 = 256 */
	int64_t pdu_timeout_ns; /* server: a begun PDU or handshake must end in this time; 0 = 60 s */
};

struct rpc_server_setup {
	/* The interface behind an abstract syntax, or NULL: then provider rejection,
	 * abstract_syntax_not_supported. */
	const struct idl_interface *(*find_interface)(void *user, const struct rpc_syntax *abstract);
	/* Whether a group id may be joined here (multi-loop servers move the connection first); may be NULL. */
	void *user;
	struct rpc_associations *associations;
	const struct auth_server_config *auth; /* NULL: no authentication is offered */
	const char *secondary_address;         /* the port, as text */
};

struct rpc_config {
	enum rpc_role role;
	rpc_event_fn on_event;
	void *user;
	struct rpc_limits limits;
	const struct random_source *random;          /* active roles */
	int64_t clock_offset_ns;                     /* now_ns + this is the wall clock, for authentication */
	const struct rpc_server_setup *server;       /* RPC_SERVER */
	const struct auth_observer_config *observer; /* RPC_OBSERVER; may be NULL */
};

/* Everything that config points to is borrowed and must outlive the connection. NULL: out of memory. */
struct rpc_connection *rpc_connection_new(const struct rpc_config *config);
/* Not inside an event callback. Server: leaves its association. */
void rpc_connection_free(struct rpc_connection **c);

/*
 * Bytes that side sent, in order. Events are raised inside. Never fails: what is wrong becomes
 * RPC_EV_DAMAGED. An active role is fed only what its peer sent.
 */
void rpc_feed(struct rpc_connection *c, enum rpc_side from, const void *data, size_t len, int64_t now_ns);
/* Observer: n bytes of that side were not captured. The machine looks for the next PDU header.
 * With n = 0 at the start: the capture began in the middle of the stream; raises no event. */
void rpc_gap(struct rpc_connection *c, enum rpc_side from, uint64_t n);
/* That side closed its stream. */
void rpc_eof(struct rpc_connection *c, enum rpc_side from, int64_t now_ns);

/* Active roles: bytes to send; the caller sends and buf_consume()s them. */
struct buf *rpc_output(struct rpc_connection *c);
/* When rpc_tick wants to be called (monotonic ns as given in now_ns); INT64_MAX: never. */
int64_t rpc_deadline(const struct rpc_connection *c);
void rpc_tick(struct rpc_connection *c, int64_t now_ns);

/* Observer: what is this interface, when the bind was not seen? Sets what later events say. */
void rpc_assume_interface(struct rpc_connection *c, uint16_t context_id, const struct rpc_syntax *interface);
/* Observer: offset of the oldest byte of that side that a later event may name as its first. */
uint64_t rpc_oldest(const struct rpc_connection *c, enum rpc_side from);
/* Gives memory back that is kept for the next PDU only; nothing is forgotten. Not inside an event callback. */
void rpc_rest(struct rpc_connection *c);
/* Bytes of memory that the connection takes, roughly: for ceilings. */
size_t rpc_held(const struct rpc_connection *c);
/* Could these first bytes of one side of a TCP stream be RPC? Looks at up to 24 bytes. */
bool rpc_looks_like(const uint8_t *data, size_t len);

/* ---- Client ---- */

/* What Windows' clients do beyond C706. */
enum rpc_extras {
	RPC_OFFER_NDR64 = 1,    /* a second context for each interface; the server takes one of the two */
	RPC_OFFER_FEATURES = 2, /* bind-time feature negotiation, [MS-RPCE] 3.3.1.5.3 */
	RPC_SEND_TRAILER = 4,   /* the verification trailer, [MS-RPCE] 2.2.2.13 */
};

struct rpc_client_bind {
	/* One presentation context each, ids 0, 1 ...; with NDR64 0 and 1 are the first one's, 2 and 3 the second's:
	 * ask rpc_client_context which was taken. */
	const struct rpc_syntax *interfaces;
	unsigned interface_count;
	unsigned extras;          /* enum rpc_extras; of later alter_contexts too */
	uint32_t assoc_group_id;  /* 0 = a new group */
	enum auth_type auth_type; /* AUTH_NONE: no authentication */
	enum auth_level level;
	const struct auth_client_config *auth;
	/* Instead of auth: a context whose first step was made elsewhere, since it waits for a KDC, and its token. The
	 * connection takes it over, also on failure. Its level is the wire's: packet for call. */
	struct auth_context *begun;
	const struct buf *token;
};
MW_NODISCARD int rpc_client_bind(struct rpc_connection *c, const struct rpc_client_bind *bind, int64_t now_ns);
/* A further presentation context on a bound connection. */
MW_NODISCARD int rpc_client_alter(struct rpc_connection *c, const struct rpc_syntax *interface, uint16_t *context_id,
                                  int64_t now_ns);
/* The context that the server has taken for an interface, and its transfer syntax. MW_E_NOTFOUND. */
MW_NODISCARD int rpc_client_context(const struct rpc_connection *c, const struct rpc_syntax *interface,
                                    uint16_t *context_id, enum ndr_syntax *syntax);
/* Whether calls may begin: bound, and no leg of the handshake is to go (the machine sends further legs itself). */
bool rpc_client_ready(const struct rpc_connection *c);
/* The group the server put us in; 0 before. */
uint32_t rpc_client_group(const struct rpc_connection *c);
/* Sends a request, fragmented and protected. The answer is an RPC_EV_RESPONSE or RPC_EV_FAULT with this id. */
MW_NODISCARD int rpc_client_call(struct rpc_connection *c, uint16_t context_id, uint16_t opnum,
                                 const struct guid *object, const void *stub, size_t len, uint32_t *call_id);
/* Asks the server to give the call up: co_cancel, or orphaned, which expects no answer. */
MW_NODISCARD int rpc_client_cancel(struct rpc_connection *c, uint32_t call_id, bool orphan);

/* ---- Server ---- */

/* Answers a request that was told by RPC_EV_REQUEST, now or later. MW_E_NOTFOUND when the call is no
 * longer there (cancelled, orphaned). The stub is copied. */
MW_NODISCARD int rpc_server_respond(struct rpc_connection *c, uint32_t call_id, const void *stub, size_t len);
MW_NODISCARD int rpc_server_fault(struct rpc_connection *c, uint32_t call_id, uint32_t status);
/* The group of this connection; NULL before its bind. */
struct rpc_association *rpc_server_association(struct rpc_connection *c);

#endif
