#ifndef MW_SERVER_LOOP_H
#define MW_SERVER_LOOP_H

#include "base/arena.h"
#include "rpc/connection.h"
#include "server/crowd.h"
#include "server/server.h"

#include <stdatomic.h>
#include <uv.h>

/*
 * One event loop and what it alone touches: its connections, associations,
 * mailboxes and sessions. Loops speak to each other only by messages.
 */
struct server_loop;
struct server_conn;
struct server_stream;
struct web_conn;
struct mapihttp_context;
struct mapihttp_request;
struct service;

/* A packed message from one loop to another; embedded in what it carries, which then belongs to the receiver. */
struct loop_message {
	struct loop_message *next;
	void (*run)(struct server_loop *loop, struct loop_message *m);
};

/* Has something to send; embedded in what does the sending. */
struct loop_unsent {
	struct loop_unsent *next;
	bool waiting;
	void (*flush)(struct loop_unsent *u);
};

struct server_loop {
	struct server *server;
	uint8_t index;
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t tick;
	uv_check_t round; /* after the sockets of a round were read */
	uv_thread_t thread;
	uv_tcp_t listeners[SERVER_PORT_COUNT];
	pthread_mutex_t lock; /* of the inbox alone */
	struct loop_message *inbox, **inbox_end;
	bool stopping;
	struct rpc_associations *associations;
	struct server_stream *streams; /* newest first */
	struct server_conn *conns;     /* likewise */
	struct server_conn *conns_by_id[1024];
	struct web_conn *webs_by_id[1024];
	struct mapihttp_context *mapi_contexts[1024]; /* server/mapihttp, by key */
	struct mapihttp_request *mapi_requests;
	uint64_t next_conn;
	struct crowd crowd;
	struct loop_unsent *unsent; /* have answers to send at the end of the round */
	unsigned unsent_count;
	bool sending;      /* them */
	int64_t unsent_ns; /* since when */
	uint8_t read_buffer[65536];
	int64_t date_s; /* the latest web_date */
	char date[40];
	struct buf scratch; /* encoding of answers that leave at once */
	struct arena *spare_arenas[64];
	unsigned spare_count;
	struct rpc_http_connection *rpc_http; /* server/rpc_http: virtual connections of this loop */
	struct emsmdb_loop *store;            /* server/emsmdb: sessions and open mailboxes of this loop */
};

int loop_init(struct server_loop *loop, struct server *server, uint8_t index);
/* Runs until stopped; the thread's body. */
void loop_run(struct server_loop *loop);
/* After the threads have ended, by one of them for all loops: runs what other loops still sent and what that begins
 * until it ends. False: nothing was sent. */
bool loop_drain(struct server_loop *loop);
void loop_free(struct server_loop *loop);
/* From any thread. m->run is called in the receiver's thread. */
void loop_post(struct server_loop *to, struct loop_message *m);
/*
 * Sends at the end of the round: answers that leave together wake a peer that has many
 * connections once, not once each, and a wake-up costs as much as the rest of a short call.
 * bytes: how many of u's wait; many of them leave at once, so that a peer that does not read is noticed. 0: never for
 * that.
 */
void loop_send_later(struct server_loop *loop, struct loop_unsent *u, size_t bytes, int64_t now_ns);
/* Before what it is embedded in is freed. */
void loop_send_never(struct server_loop *loop, struct loop_unsent *u);
/* A call's memory; given back empty. */
struct arena *loop_arena(struct server_loop *loop);
void loop_arena_return(struct server_loop *loop, struct arena **arena);

/* Everything that all loops share; constant after server_new but for the atomics. */
struct server {
	struct server_config config;
	const char *listen; /* text of the address */
	char host[256];
	int sockets[SERVER_PORT_COUNT];
	uint16_t ports[SERVER_PORT_COUNT];
	char port_text[SERVER_SETUP_COUNT][8];
	struct server_loop *loops;
	unsigned loop_count;
	struct accounts *accounts; /* server/accounts.h */
	struct supplies *supplies; /* server/supplies.h; NULL: none are needed */
	struct auth_server_config auth;
	char *auth_names;                                       /* memory of the names in auth */
	struct rpc_server_setup setups[SERVER_SETUP_COUNT][16]; /* per port and loop; associations differ */
	struct tls_files *tls;                                  /* server/tls_files.h */
	int key_log_fd;                                         /* -1: none */
	atomic_bool stopping;
	atomic_bool reload; /* asked for by a signal */
	atomic_uint connections;
	atomic_ulong calls_in, faults_out, pdus_in, pdus_out;
	atomic_ulong http_requests, http_answers[6]; /* the latter by class of status */
};

#define SERVER_MAX_LOOPS 16

/* How long a peer may do nothing where something is due; stream.c. */
int64_t server_patience_ns(const struct server *server);

#endif
