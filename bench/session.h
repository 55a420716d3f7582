#ifndef MW_BENCH_SESSION_H
#define MW_BENCH_SESSION_H

#include "rpc/connection.h"

/*
 * A blocking RPC client for the benchmarks, on the machine of src/rpc: what is
 * measured starts after it has bound. Every failure ends the program with a sentence.
 */
struct session {
	int fd;
	/* What carries it instead of the socket; NULL. What it hears it gives to session_feed. */
	void *carrier;
	void (*carrier_send)(void *carrier, const void *data, size_t size);
	void (*carrier_hear)(void *carrier);
	struct rpc_connection *rpc;
	const struct idl_interface *interface;
	struct auth_client_config auth;
	bool bound, answered;
	struct buf stub;            /* of the latest answer */
	struct buf asked, received; /* the latest call as it went over the wire, one PDU each way */
};

_Noreturn void fail(const char *format, ...) MW_PRINTF(1, 2);
/* 127.0.0.1, no Nagle. */
int connect_to(uint16_t port);
void send_all(int fd, const void *data, size_t size);

/* level NONE: no authentication; user and password may be NULL then. Else NTLM, or what the type says. */
void session_open_as(struct session *s, uint16_t port, const struct idl_interface *interface, enum auth_type type,
                     enum auth_level level, const struct auth_client_config *auth);
void session_open(struct session *s, uint16_t port, const struct idl_interface *interface, enum auth_level level,
                  const struct auth_client_config *auth);
/* Over the carrier that is set in *s; several interfaces, numbered as they stand. */
void session_begin(struct session *s, const struct idl_interface *const *interfaces, unsigned count,
                   enum auth_type type, enum auth_level level, const struct auth_client_config *auth);
void session_feed(struct session *s, const void *data, size_t size);
/* A call whose answer is not waited for: s->answered. */
void session_send(struct session *s, uint16_t context, uint16_t opnum, const void *stub, size_t size);
/* Takes what there is, or waits for it. */
void session_hear(struct session *s);
/* A call and its answer; the answer's stub is in s->stub. */
void session_ask(struct session *s, uint16_t opnum, const void *stub, size_t size);
/* The same by the generated tables. */
void session_call(struct session *s, uint16_t opnum, struct arena *arena, void *args);
void session_close(struct session *s);

#endif
