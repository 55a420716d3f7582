#ifndef MW_SERVER_SERVER_H
#define MW_SERVER_SERVER_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The server that Outlook and MAPI programs use instead of Exchange: listeners,
 * one event loop per core, and the services behind them (one file or folder each).
 */
struct server;

enum server_port {
	SERVER_PORT_EPM,
	SERVER_PORT_RFR,
	SERVER_PORT_NSPI,
	SERVER_PORT_STORE,
	SERVER_PORT_HTTPS,
	SERVER_PORT_HTTP,
	SERVER_PORT_MONITOR,
	SERVER_PORT_COUNT,
	/* Endpoints behind RPC over HTTP, which have no socket: 6001, 6002, 6004. */
	SERVER_HTTP_STORE = SERVER_PORT_COUNT,
	SERVER_HTTP_RFR,
	SERVER_HTTP_NSPI,
	SERVER_SETUP_COUNT
};

struct server_config {
	const char *state;                 /* directory with directory.sqlite and mailboxes/ */
	const char *listen;                /* IP address; NULL = 127.0.0.1 */
	uint16_t ports[SERVER_PORT_COUNT]; /* 0 = dynamic, but for the mapper's, which is 135 */
	uint8_t no_ports;                  /* bits 1 << enum server_port: not to be opened */
	const char *host; /* the name clients know the server by; NULL = the listen address, or the host's name */
	bool encryption_optional; /* EcDoConnectEx below privacy is then taken */
	bool ntlm_v1;             /* NTLMv1 is taken too */
	const char *keytab;       /* file with the keys of our services; NULL: no Kerberos; see server/helper.h */
	const char *user;         /* to become once the ports are bound, which takes root; NULL: as it is */
	bool confine;             /* server_run takes the filter of server/process.h */
	uint64_t quota_warn, quota_send, quota_receive; /* bytes a mailbox; 0 = no bound */
	uint64_t message_size;                          /* bytes; 0 = no bound */
	unsigned max_sessions;                          /* of one mailbox; 0 = 1,024 */
	unsigned max_objects;                           /* open in one session; 0 = 2,048; 4,096 at most */
	unsigned loops;                                 /* 0 = one per core */
	unsigned max_connections;                       /* in all; 0 = 16,384; who makes room: server/crowd.h */
	size_t max_unauthenticated; /* bytes that connections without a user may hold in all; 0 = 256 MiB */
	unsigned patience_ms; /* for a bind, a handshake, each PDU or body, and whoever does not read what waits; 0 =
	                         60,000 */
	unsigned wait_ms;     /* a wait for news ends without any after this; 0 = 300,000 */
	unsigned context_ms;  /* a session of MAPI over HTTP that nobody uses ends after this; 0 = 900,000 */
	unsigned pending_ms;  /* how often a client of MAPI over HTTP hears that its request is worked on; 0 = 15,000 */
	/* server/policy.h; NULL: nothing */
	const char *blocked_clients, *moved;
	unsigned calls_per_second; /* of a store session; what is beyond is asked to come back later. 0: any number */
	const char *tls_cert, *tls_key; /* PEM files for HTTPS; NULL: a pair of its own in the state directory */
	const char *tls_key_log;        /* file that TLS secrets are appended to; NULL: none */
	const char *trusted_proxies;    /* addresses, with commas between, whose forwarding fields are believed; NULL */
	bool binding_required;          /* NTLM and Kerberos over HTTPS must be bound to its channel */
	const struct log *log;
};

/*
 * Binds the ports, becomes config->user, opens the directory, and takes no call yet. On failure
 * why is one sentence with what to do next ("TCP port 135 on 127.0.0.1 is taken ...").
 */
MW_NODISCARD int server_new(const struct server_config *config, struct server **out, char why[512]);
uint16_t server_port(const struct server *s, enum server_port port);
/* Serves until server_stop. */
MW_NODISCARD int server_run(struct server *s);
/* From any thread or signal handler. Calls that are running end, parked ones are given up. */
void server_stop(struct server *s);
/* Files that the server was given are read anew, soon. From any thread or signal handler. */
void server_reload(struct server *s);
void server_free(struct server **s);

#endif
