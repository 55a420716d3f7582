#ifndef MW_RPC_PDU_H
#define MW_RPC_PDU_H

#include "auth/auth.h"
#include "base/arena.h"
#include "base/guid.h"

/*
 * Connection-oriented PDUs, C706 chapter 12.6 and [MS-RPCE] 2.2.2: bytes to
 * structures and back. Stateless; fragments, contexts and keys are the
 * connection's (rpc/connection.h). Both byte orders are read, little-endian is written.
 */

enum rpc_ptype {
	RPC_REQUEST = 0,
	RPC_RESPONSE = 2,
	RPC_FAULT = 3,
	RPC_BIND = 11,
	RPC_BIND_ACK = 12,
	RPC_BIND_NAK = 13,
	RPC_ALTER_CONTEXT = 14,
	RPC_ALTER_CONTEXT_RESP = 15,
	RPC_AUTH3 = 16,
	RPC_SHUTDOWN = 17,
	RPC_CO_CANCEL = 18,
	RPC_ORPHANED = 19,
};

enum rpc_pfc {
	RPC_PFC_FIRST_FRAG = 0x01,
	RPC_PFC_LAST_FRAG = 0x02,
	RPC_PFC_PENDING_CANCEL = 0x04, /* in bind PDUs: header signing supported */
	RPC_PFC_CONC_MPX = 0x10,
	RPC_PFC_DID_NOT_EXECUTE = 0x20,
	RPC_PFC_MAYBE = 0x40,
	RPC_PFC_OBJECT_UUID = 0x80,
};

#define RPC_HEADER_SIZE 16
#define RPC_SEC_TRAILER_SIZE 8
/* Windows' own size, and the least that its server agrees on. */
#define RPC_MAX_FRAG 5840
#define RPC_LEAST_FRAG 2048
/* Every receiver must take this much: MustRecvFragSize, C706 12.6.3.1. */
#define RPC_MIN_FRAG 1432

struct rpc_syntax {
	struct guid uuid;
	uint16_t major, minor;
};

extern const struct rpc_syntax rpc_ndr20, rpc_ndr64;
/* Bind-time feature negotiation, [MS-RPCE] 3.3.1.5.3: 6cb71c2c-9812-4540-XX00-... */
bool rpc_is_feature_negotiation(const struct rpc_syntax *s, uint64_t *features);

struct rpc_header {
	uint8_t version_major, version_minor;
	uint8_t ptype, flags;
	uint8_t drep[4];
	uint16_t frag_length, auth_length;
	uint32_t call_id;
	bool big_endian;
};

struct rpc_sec_trailer {
	uint8_t type, level, pad_length, reserved;
	uint32_t context_id;
};

struct rpc_context_item {
	uint16_t id;
	struct rpc_syntax abstract;
	uint8_t transfer_count;
	struct rpc_syntax *transfers;
};

/* p_result_t; results and reasons are in C706 12.6.3.1 and [MS-RPCE] 2.2.2.4. */
struct rpc_context_result {
	uint16_t result; /* 0 accept, 1 user rejection, 2 provider rejection, 3 negotiate_ack */
	uint16_t reason; /* of negotiate_ack: the feature bits */
	struct rpc_syntax transfer;
};

/* bind, alter_context: max_xmit, max_recv, group, contexts. Their answers: the first three, secondary address, results.
 */
struct rpc_bind {
	uint16_t max_xmit_frag, max_recv_frag;
	uint32_t assoc_group_id;
	uint8_t context_count;
	struct rpc_context_item *contexts;
	char *secondary_address; /* "135"; never NULL in an answer */
	uint8_t result_count;
	struct rpc_context_result *results;
};

/* One PDU. Pointers lead into its bytes or the arena. */
struct rpc_pdu {
	struct rpc_header header;
	struct rpc_bind bind;
	uint16_t nak_reason; /* bind_nak */
	uint32_t alloc_hint; /* request, response, fault */
	uint16_t context_id;
	uint16_t opnum;       /* request */
	struct guid object;   /* request with RPC_PFC_OBJECT_UUID */
	uint8_t cancel_count; /* response, fault */
	uint32_t fault_status;
	size_t body, body_len; /* offset and size of the stub, auth padding included */
	size_t stub_len;       /* without auth padding */
	bool has_auth;
	struct rpc_sec_trailer trailer;
	const uint8_t *auth_value; /* header.auth_length bytes */
};

/*
 * The common header: MW_E_AGAIN when fewer than 16 bytes are there,
 * MW_E_MALFORMED when this is no connection-oriented PDU (version, drep, type, or
 * a frag_length below 16).
 */
MW_NODISCARD int rpc_header_parse(struct cursor in, struct rpc_header *out);
/* A whole fragment of header.frag_length bytes. On failure *why (may be NULL) says what did not fit, *at where. */
MW_NODISCARD int rpc_pdu_parse(struct arena *arena, const uint8_t *data, size_t len, struct rpc_pdu *out,
                               const char **why, size_t *at);

/* Appends header and body of each kind; frag_length and the auth part are set by rpc_pdu_finish. */
void rpc_put_header(struct buf *out, enum rpc_ptype ptype, uint8_t flags, uint32_t call_id);
void rpc_put_bind(struct buf *out, const struct rpc_bind *bind);
void rpc_put_bind_ack(struct buf *out, const struct rpc_bind *ack);
/* Closes the PDU that began at start: pads, appends the trailer and size bytes for the auth value
 * (token copied when not NULL), pokes the lengths. Yields the offset of the auth value. */
size_t rpc_pdu_finish(struct buf *out, size_t start, const struct rpc_sec_trailer *trailer, const void *token,
                      size_t size);

const char *rpc_ptype_name(uint8_t ptype);        /* "bind_ack", ... */
const char *rpc_nak_reason_name(uint16_t reason); /* "protocol_version_not_supported", ... or NULL */
const char *rpc_provider_reason_name(uint16_t reason);

/* Fault and status codes that the runtime itself returns, C706 appendix E and [MS-RPCE] 2.2.2.5. */
#define NCA_S_COMM_FAILURE 0x1C010001u
#define NCA_S_OP_RNG_ERROR 0x1C010002u
#define NCA_S_UNK_IF 0x1C010003u
#define NCA_S_PROTO_ERROR 0x1C01000Bu
#define NCA_S_SERVER_TOO_BUSY 0x1C010014u
#define NCA_S_UNSUPPORTED_TYPE 0x1C010017u
#define NCA_S_FAULT_INVALID_BOUND 0x1C000007u
#define NCA_S_FAULT_CANCEL 0x1C00000Du
#define NCA_S_FAULT_CONTEXT_MISMATCH 0x1C00001Au
#define NCA_S_FAULT_REMOTE_NO_MEMORY 0x1C00001Bu
#define RPC_S_ACCESS_DENIED 0x00000005u
#define RPC_S_NO_CALL_ACTIVE 0x000006BDu
#define RPC_X_BAD_STUB_DATA 0x000006F7u
#define RPC_S_SEC_PKG_ERROR 0x00000721u

#endif
