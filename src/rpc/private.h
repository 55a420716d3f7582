#ifndef MW_RPC_PRIVATE_H
#define MW_RPC_PRIVATE_H

#include "rpc/connection.h"

/*
 * Inside the machine. stream.c cuts PDUs out of each direction; passive.c takes
 * each PDU, keeps contexts (contexts.c), keys (security.c) and calls (calls.c)
 * and raises events; server.c and client.c are the active halves.
 */

/* What Windows allows on one connection, as samba.tests.dcerpc.raw_protocol test_multiple_auth_limit has it. */
#define RPC_MAX_SECURITY 2049
#define RPC_SIDES 2

struct rpc_stream {
	struct buf pending; /* a PDU that is not whole yet */
	uint64_t offset;    /* of pending's first byte, else of the next byte */
	uint64_t skip;      /* bytes still to pass over: the rest of a PDU with a gap in it */
	int64_t begun_ns;   /* when pending began */
	size_t held;        /* bytes in unfinished calls of this direction */
	bool hunting;       /* no header where one was due: looking for the next */
	bool ended;
};

/* A presentation context. */
struct rpc_context {
	uint16_t id;
	struct rpc_syntax abstract;
	enum { RPC_CTX_OFFERED, RPC_CTX_ACCEPTED, RPC_CTX_REFUSED, RPC_CTX_ASSUMED } state;
	enum ndr_syntax syntax;
	bool proved; /* client: a verification trailer has repeated what was negotiated */
};

/* A security context. */
struct rpc_security {
	uint32_t id;
	uint8_t type, level; /* level 0 is told as connect */
	struct auth_context *auth;
	bool complete, refused;
};

/* What is held of one direction of a call. */
struct rpc_assembly {
	struct buf stub;
	uint64_t first, end;
	unsigned fragments;
	uint8_t flags;
	bool open, big_endian, sealed, decrypted;
	enum rpc_signature signature;
	struct rpc_security *security;
};

struct rpc_call {
	struct rpc_call *next;
	uint32_t call_id;
	uint16_t context_id, opnum;
	bool opnum_known, interface_known, has_object;
	struct guid object;
	struct rpc_syntax interface;
	enum ndr_syntax syntax;
	struct rpc_security *security; /* of the request; answers are protected likewise */
	bool asked;                    /* the request is whole */
	bool maybe;                    /* PFC_MAYBE: no answer is wanted, C706 12.6.3.1 */
	size_t trailer;                /* bytes of the stub's end that are its verification trailer */
	bool dead;                     /* already answered with a fault, or given up: fragments are passed over */
	struct rpc_assembly part[RPC_SIDES];
};

/* One PDU on its way through. */
struct rpc_taken {
	enum rpc_side from;
	const uint8_t *data; /* the unsealed copy once it was opened */
	uint64_t first, end;
	struct rpc_pdu pdu;
	struct rpc_security *security;
	bool sealed, decrypted;
	enum rpc_signature signature;
	uint32_t status; /* NTSTATUS of a refused token */
	size_t damaged_at;
};

struct rpc_connection {
	struct rpc_config config;
	struct rpc_limits limits;
	struct rpc_stream streams[RPC_SIDES];
	struct arena *arena; /* of the PDU at hand */
	struct buf scratch;  /* a PDU's copy, to be unsealed */
	struct buf stub;     /* the assembled stub during its event */
	struct buf out;
	struct rpc_context *contexts;
	unsigned context_count;
	uint16_t *offered; /* ids of the latest bind or alter, in order */
	unsigned offered_count;
	struct rpc_security **security; /* by age; each stays where it is */
	unsigned security_count;
	struct rpc_call *calls, *spare; /* oldest first */
	unsigned call_count;
	int64_t now_ns, handshake_ns; /* the latter: when it began; INT64_MAX: none is under way */
	bool bound, over;
	bool sign_header;  /* PFC_SUPPORT_HEADER_SIGN was agreed on, in the bind or later */
	uint16_t max_xmit; /* what the peer takes */
	uint64_t features;
	/* Server. */
	struct rpc_association *association;
	bool concurrent;                 /* PFC_CONC_MPX was agreed on */
	struct rpc_security *of_bind;    /* whose requests need no verifier at level connect; NULL: nobody's */
	struct rpc_security *unfinished; /* whose handshake waits for its next leg */
	struct rpc_call *assembling;     /* the one request that is not whole yet, dead ones too */
	/* Client. */
	uint32_t group, next_call_id, handshake_id;
	uint16_t next_context_id;
	unsigned extras;        /* enum rpc_extras */
	bool told_signing;      /* a verification trailer has said that we asked for header signing */
	bool altering, gave_up; /* gave_up: an answer to an orphaned call may still come */
};

/* stream.c */
void rpc_stream_feed(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len);
void rpc_stream_gap(struct rpc_connection *c, enum rpc_side from, uint64_t n);
bool rpc_plausible(const uint8_t *data, size_t len);

/* passive.c */
void rpc_take_pdu(struct rpc_connection *c, enum rpc_side from, const uint8_t *data, size_t len, uint64_t first);
struct rpc_event rpc_event_of(const struct rpc_taken *t, enum rpc_event_type type);
void rpc_emit(struct rpc_connection *c, const struct rpc_event *e);
/* Tells a broken rule. Active roles are over with it. */
void rpc_damaged(struct rpc_connection *c, struct rpc_event *e, size_t at, const char *why);
void rpc_taken_damaged(struct rpc_connection *c, const struct rpc_taken *t, const char *why);
/* Tells RPC_EV_CLOSED once; why may be NULL. */
void rpc_over(struct rpc_connection *c, const char *why);
static inline bool rpc_is_observer(const struct rpc_connection *c)
{
	return c->config.role == RPC_OBSERVER;
}

/* contexts.c */
MW_NODISCARD int rpc_contexts_offer(struct rpc_connection *c, const struct rpc_bind *bind);
void rpc_contexts_answer(struct rpc_connection *c, const struct rpc_bind *ack);
struct rpc_context *rpc_context_find(struct rpc_connection *c, uint16_t id);
MW_NODISCARD int rpc_context_set(struct rpc_connection *c, uint16_t id, const struct rpc_syntax *abstract,
                                 struct rpc_context **out);

/* security.c */
struct rpc_security *rpc_security_find(struct rpc_connection *c, uint32_t id);
/* A place for this trailer's context; replaces one of the same id. NULL: no room or memory. */
struct rpc_security *rpc_security_place(struct rpc_connection *c, const struct rpc_sec_trailer *trailer);
/* Observer: the token of this bind, ack, alter or auth3. */
void rpc_security_watch(struct rpc_connection *c, struct rpc_taken *t);
/*
 * Checks and unseals a request, response, fault, cancel or orphaned in wire order.
 * Observer: 0, and what was found is in t. Active roles: MW_E_NOTFOUND (no such context,
 * or protection is missing), MW_E_INVALID (type or level changed), MW_E_STATE
 * (handshake not complete), MW_E_AUTH (signature).
 */
MW_NODISCARD int rpc_security_open(struct rpc_connection *c, struct rpc_taken *t);
/* Server: a further fragment, under the security of the first; its trailer says nothing new. MW_E_NOTFOUND, MW_E_AUTH.
 */
MW_NODISCARD int rpc_security_open_as(struct rpc_connection *c, struct rpc_taken *t, struct rpc_security *s);
void rpc_security_free(struct rpc_connection *c);
/* Observer: a PDU of that side was not unsealed; keys must find their position again. */
void rpc_security_lost(struct rpc_connection *c, enum rpc_side from);
/* The flags of an answer to bind or alter_context: header signing, once agreed on, is for all contexts. s may be NULL.
 */
void rpc_security_agree(struct rpc_connection *c, struct rpc_security *s, uint8_t flags);
static inline uint8_t rpc_level_of(uint8_t level)
{
	return level == AUTH_LEVEL_DEFAULT ? AUTH_LEVEL_CONNECT : level;
}
static inline bool rpc_is_protected(const struct rpc_security *s)
{
	return s && s->level > AUTH_LEVEL_CONNECT;
}
static inline enum auth_side rpc_auth_side(enum rpc_side from)
{
	return from == RPC_FROM_CLIENT ? AUTH_FROM_CLIENT : AUTH_FROM_SERVER;
}

/* calls.c */
struct rpc_call *rpc_call_find(struct rpc_connection *c, uint32_t call_id);
/* dead: only so that its fragments are passed over; there is more room for these. */
MW_NODISCARD int rpc_call_new(struct rpc_connection *c, uint32_t call_id, bool dead, struct rpc_call **out);
void rpc_call_drop(struct rpc_connection *c, struct rpc_call *call);
void rpc_calls_free(struct rpc_connection *c);
void rpc_calls_free_spare(struct rpc_connection *c);
/* After a gap: unfinished calls of that direction are given up. */
void rpc_calls_lost(struct rpc_connection *c, enum rpc_side from);
/* Adds a fragment: MW_E_LIMIT, MW_E_NOMEM. */
MW_NODISCARD int rpc_call_append(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t);
void rpc_call_emit(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t,
                   enum rpc_event_type type);
/* What a request's first fragment says of its call. */
void rpc_call_begin(struct rpc_connection *c, struct rpc_call *call, const struct rpc_taken *t);
void rpc_take_request(struct rpc_connection *c, struct rpc_taken *t);
void rpc_take_response(struct rpc_connection *c, struct rpc_taken *t);
void rpc_take_fault(struct rpc_connection *c, struct rpc_taken *t);
void rpc_take_cancel(struct rpc_connection *c, struct rpc_taken *t);

/* send.c */
struct rpc_message {
	enum rpc_ptype ptype; /* request or response */
	uint32_t call_id;
	uint16_t context_id, opnum;
	const struct guid *object;
	const uint8_t *stub;
	size_t len;
	size_t together; /* so many bytes at the end share a fragment: the verification trailer */
	struct rpc_security *security;
};
MW_NODISCARD int rpc_send(struct rpc_connection *c, const struct rpc_message *m);
/* Closes a bind-like PDU begun at start: with this token (may be empty) where s is given, else bare. */
MW_NODISCARD int rpc_send_handshake(struct rpc_connection *c, size_t start, const struct rpc_security *s,
                                    const struct buf *token);
/* A PDU of a header alone: cancel, orphaned, shutdown; signed where the level asks for it. */
MW_NODISCARD int rpc_send_bare(struct rpc_connection *c, enum rpc_ptype ptype, uint32_t call_id,
                               struct rpc_security *s);
static inline struct auth_env rpc_auth_env(const struct rpc_connection *c)
{
	return (struct auth_env){.now_ns = c->now_ns + c->config.clock_offset_ns, .random = c->config.random};
}

/* server.c: each is called in the server's role only */
void rpc_server_bad_header(struct rpc_connection *c, const uint8_t *data);
void rpc_server_take_bind(struct rpc_connection *c, struct rpc_taken *t);
void rpc_server_take_auth3(struct rpc_connection *c, struct rpc_taken *t);
void rpc_server_protocol_error(struct rpc_connection *c, struct rpc_taken *t, const char *why);
/* flags: RPC_PFC_DID_NOT_EXECUTE or 0. Windows leaves it out where the connection ends for a request's sake. */
void rpc_server_put_fault(struct rpc_connection *c, uint32_t call_id, uint16_t context_id, uint32_t status,
                          uint8_t flags);

/* negotiate.c: the server's results for a bind or alter_context. MW_E_MALFORMED: the whole PDU is to be refused. */
MW_NODISCARD int rpc_server_negotiate(struct rpc_connection *c, const struct rpc_bind *bind,
                                      struct rpc_context_result **out);

/* verification.c: checks the verification trailer of a protected request, when there is one, and takes it off *len.
 * MW_E_AUTH: it contradicts what was received; MW_E_MALFORMED. */
MW_NODISCARD int rpc_verify(const struct rpc_connection *c, const struct rpc_call *call, const struct rpc_header *h,
                            const uint8_t *stub, size_t *len);

/* Appends the trailer of a client's request, with what of it is not protected otherwise; none may be due. */
MW_NODISCARD int rpc_put_verification(struct rpc_connection *c, const struct rpc_call *call, struct buf *stub);

/* offer.c: a client's presentation contexts for these interfaces, numbered from the next free id, which moves on. */
MW_NODISCARD int rpc_client_offer(struct rpc_connection *c, const struct rpc_syntax *interfaces, unsigned count,
                                  bool features, struct rpc_bind *out);
/* The offer that a further leg of a handshake repeats. */
MW_NODISCARD int rpc_client_repeat(struct rpc_connection *c, struct rpc_bind *out);

/* server_calls.c */
void rpc_server_take_request(struct rpc_connection *c, struct rpc_taken *t);
/* What rpc_security_open refused: a fault and the end. */
void rpc_server_refuse(struct rpc_connection *c, struct rpc_taken *t, int error);

/* client.c: likewise */
void rpc_client_take_ack(struct rpc_connection *c, struct rpc_taken *t);

#endif
