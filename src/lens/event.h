#ifndef MW_LENS_EVENT_H
#define MW_LENS_EVENT_H

#include "auth/auth.h"
#include "rpc/connection.h"

#include <netinet/in.h>

/*
 * What the views read, and all they read: one lens_event for each thing that
 * happened on the wire, told when it is complete (a call of several fragments after
 * its last; an open after the connection's first bytes, so that conn->rpc is known).
 * A protocol adds a decoder that makes events, never an `if` in a view.
 */
struct lens_address {
	uint8_t family;    /* 4 or 6 */
	uint8_t bytes[16]; /* network order */
	uint16_t port;
};

#define LENS_ADDRESS_TEXT 56
/* "192.168.0.2:135", "[fe80::1]:135" */
const char *lens_address_format(const struct lens_address *a, char out[LENS_ADDRESS_TEXT]);

enum lens_kind {
	LENS_OPEN,  /* SYN seen (and its answer: ms) */
	LENS_CLOSE, /* FIN of both */
	LENS_RESET,
	LENS_BIND,
	LENS_BIND_ACK,
	LENS_BIND_NAK,
	LENS_ALTER,
	LENS_ALTER_ACK,
	LENS_AUTH3,
	LENS_REQUEST,
	LENS_RESPONSE,
	LENS_FAULT,
	LENS_CANCEL,
	LENS_ORPHANED,
	LENS_SHUTDOWN,
	LENS_DAMAGED, /* a PDU that breaks a rule */
	LENS_GAP,     /* bytes that were not captured */
	LENS_CONTEXT, /* of another protocol: what a connection that carries no RPC is there for */
	LENS_KIND_COUNT,
};
/* "open", "bind_ack" ... as the JSON has them. */
const char *lens_kind_name(enum lens_kind kind);

enum lens_known_by { LENS_KNOWN_NOT, LENS_KNOWN_BIND, LENS_KNOWN_MAPPER, LENS_KNOWN_PORT };
enum lens_service {
	LENS_SVC_OTHER,
	LENS_SVC_EPM,
	LENS_SVC_MGMT,
	LENS_SVC_RFR,
	LENS_SVC_NSPI,
	LENS_SVC_STORE,
	LENS_SVC_ASYNC
};

/* What becomes of a channel of RPC over HTTP, or of a parked wait in HTTP. */
enum lens_channel {
	LENS_CHANNEL_FINE,
	LENS_CHANNEL_REFUSED,  /* its request is answered with an error */
	LENS_CHANNEL_HELD_IN,  /* what the client says does not arrive */
	LENS_CHANNEL_HELD_OUT, /* what the server says does not arrive, or late */
	LENS_CHANNEL_CUT,
	LENS_CHANNEL_IDLE /* cut after a silence */
};

#define LENS_ENCODING_XOR 1u
#define LENS_ENCODING_LZ 2u

struct lens_rop {
	uint8_t id;
	const char *name; /* "OpenFolder"; static */
	uint32_t status;  /* of a response */
	bool has_status;
};

/* What TCP had trouble with on a connection (trouble.c). Silences count from a second on. */
struct lens_trouble {
	unsigned resent, keep_alives, zero_windows; /* segments, probes; times that a side did not read */
	int64_t resend_ns, zero_ns;                 /* what was lost by them: time in which nothing new came */
	uint64_t resent_frames[2], zero_frames[2];  /* the first and the last of them */
	bool zero_by_server;                        /* the last that did not read */
	int64_t silence_ns;                         /* before what was said last: */
	uint64_t silence_frame;                     /* the first frame behind it */
	unsigned spoke[2];                          /* frames in all: of the client, of the server */
	int64_t last_ns;                            /* the latest frame */
	uint64_t last_frame;
	unsigned heard[2]; /* frames since: of the client, of the server */
	/* Who ended it first (not cut: nobody), and how many requests waited then, parked ones apart. */
	bool cut, cut_by_server, cut_by_reset;
	uint64_t cut_frame;
	int64_t cut_ns;
	unsigned cut_waiting, cut_parked;
};

struct lens_conn {
	unsigned number; /* 1-based, in order of first frame; datagrams have numbers of their own */
	bool over;       /* private: its flow is forgotten */
	struct lens_address client, server;
	bool midstream; /* was open before the capture began */
	bool rpc;       /* carries RPC */
	bool datagrams; /* no connection: a question and its answers in UDP */
	unsigned frames;
	uint64_t first_frame;
	int64_t first_time_ns;
	enum lens_service service;     /* of its first bound or assumed interface */
	const char *iface;             /* short name or UUID text */
	const char *iface_name;        /* as in lens_event */
	int64_t rtt_ns, client_rtt_ns; /* from where was captured to the server and back, to the client; 0: not known */
	unsigned waiting, parked;      /* requests in flight; of those the ones that the server holds on purpose */
	const char *tls;               /* "TLS 1.3": what is around it; NULL: nothing, or not seen. Static */
	bool tls_opened;               /* and what is in it was read */
	bool ended;                    /* its close or reset is told */
	struct lens_trouble trouble;   /* of an event: only at its close or reset */
};

struct lens_event {
	uint64_t number; /* 1-based, in order */
	enum lens_kind kind;
	uint64_t frame, last_frame; /* 1-based; frames of its first and last byte */
	int64_t time_ns, last_time_ns;
	const struct lens_conn *conn;
	bool from_client;
	const char *transport; /* "tcp", "udp", "pipe", "rpc-http", "mapi-http" */
	const char *pipe; /* its name, without \\PIPE\\: "lsarpc"; NULL when not a pipe, or its opening was not seen */
	uint32_t call_id;
	bool has_call;
	enum lens_service service;
	const char *iface; /* short name, else the UUID; NULL when unknown */
	const char
	        *iface_name; /* for people: the short name, or of another known interface its name ("svcctl"); NULL */
	enum lens_known_by known_by;
	uint16_t opnum;
	bool has_opnum;
	const char *op;       /* method name or NULL */
	const char *endpoint; /* what a mapper's answer hands out: "nspi tcp 4997"; NULL */
	const char *status;   /* symbolic, else 0x%08x; NULL where there is none */
	uint32_t
	        status_code; /* what status names: a return value, fault status, bind_nak reason; 0: none, or success */
	bool failed;         /* status says so, or fault, nak, reset */
	bool unanswered;     /* of a request, bind, alter, when events are kept: no answer came until its connection
	                        or the capture ended; set then */
	enum auth_type auth;
	enum auth_level level;
	bool sealed, decrypted;
	enum rpc_signature signature;
	const char *why_sealed;        /* why a given secret did not open it; NULL */
	unsigned encoding;             /* LENS_ENCODING_* */
	const char *user;              /* "DOMAIN\\user" or NULL */
	int64_t took_ns;               /* since the request (open: SYN to SYN/ACK); -1: not known */
	int64_t network_ns, server_ns; /* of an answer: what took_ns is made of */
	int64_t client_ns;             /* of a request: since the answer before it on the connection; 0: not known */
	uint64_t bytes;                /* of its PDUs; 0: not RPC */
	bool parked;        /* a wait for news and its answer: the server holds it on purpose, its time is nobody's */
	bool notified;      /* of a parked wait's answer: there is news to fetch */
	const char *folder; /* of a store's answer: the folder that it is about; NULL: not known */
	const char *says; /* what it says besides its status: the client's version, the mailbox's other server, how long
	                     to back off; NULL */
	enum lens_channel channel;        /* of context: status says it in words */
	const struct lens_event *request; /* of an answer: what it answers, on the same connection: conn is not to be
	                                     asked of it any more; NULL */
	const struct lens_rop *rops;
	unsigned rop_count;
	const char *damaged; /* "12: fragment shorter than its header"; NULL */
	const char *summary; /* one short phrase for list and ladder: "ept_map nspi → port 4997"; never NULL */
	unsigned fragments;
	const struct lens_field *fields; /* opened contents, depth first; made only when asked for */
	unsigned field_count;
};

/* One line of an opened call or PDU. */
struct lens_field {
	const char *name, *value; /* value NULL: a group */
	unsigned depth;
	uint32_t offset, size; /* in the stub (or the PDU when in_pdu) */
	bool in_pdu;
	bool unpacked; /* in decompressed data: offset counts from its beginning */
};

/*
 * Receives the events. Everything an event points to lives as long as the lens
 * unless said otherwise there; strings are UTF-8 from the wire, not yet harmless for a medium.
 */
struct lens_sink {
	void (*event)(void *user, const struct lens_event *e);
	void *user;
};

#endif
