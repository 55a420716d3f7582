#ifndef MW_LENS_LENS_H
#define MW_LENS_LENS_H

#include "lens/event.h"

/*
 * Frames in, events out: link layers, IP, TCP reassembly, RPC by content on any
 * port, what the endpoint mapper said, pairing, names, opening. No I/O: the
 * caller reads the capture (capture/capture.h). Memory is bounded by limits, oldest idle first.
 */
struct lens;
struct lens_scrub;

/*
 * What RPC said behind an event, for who writes it anew (--export). conversation: a number for each TCP connection or
 * pipe that carries RPC. All of it lives during the call.
 */
struct lens_said {
	const struct lens_event *event;
	const struct rpc_event *rpc;
	uint64_t conversation;
	const uint8_t *stub; /* of requests and responses; with other words, when those are asked for */
	size_t stub_len;
	bool big_endian, sealed;
	bool emptied; /* it could not be opened: zeros */
};

/*
 * Who decodes beside whoever calls: count tasks, none of which waits for another. begin returns at once, finish when
 * all are done, of which it may do some itself.
 */
typedef void (*lens_task)(void *arg, unsigned index);
struct lens_workers {
	void (*begin)(void *user, lens_task task, void *arg, unsigned count);
	void (*finish)(void *user);
	void *user;
};

/* What was said in HTTP, in the clear or opened, but for the channels of RPC over HTTP: their RPC is said by itself. */
struct lens_text {
	const struct lens_conn *conn;
	bool from_client;
	const uint8_t *data; /* valid during the call */
	size_t len;
	uint64_t frame;
	int64_t time_ns;
};

struct lens_options {
	const struct auth_secret *secrets;
	size_t secret_count;
	const struct auth_keytab *keytab; /* for Kerberos; or NULL */
	bool want_fields;                 /* fill lens_event.fields (tree, html, json with fields) */
	bool heads_only;                  /* who, which call, how long, did it fail: no ROPs, no phrase (statistics) */
	bool no_phrases;                  /* summary stays "" for RPC */
	bool keep_events; /* events stay valid until lens_free (ladder, html); else until the callback returns
	                     (a request that an answer points to stays until then) */
	const struct idl_module *const *idl; /* further interfaces, from --idl */
	size_t idl_count;
	void (*said)(void *user, const struct lens_said *said); /* before the event itself; or NULL */
	void (*text)(void *user, const struct lens_text *text); /* likewise; or NULL */
	void *said_user;
	struct lens_scrub *scrub;           /* said with other words (scrub.h); wants want_fields; or NULL */
	const struct lens_workers *workers; /* or NULL; not used with keep_events or said. Events are told later then,
	                                       and are the same */
	size_t stream_limit;                /* bytes held for one direction of a stream; 0 = 8 MiB */
	size_t total_limit;                 /* in all; 0 = 64 MiB */
};

struct lens_totals {
	uint64_t frames;
	int64_t first_time_ns, last_time_ns;
	unsigned connections, rpc_connections;
	uint64_t events, damaged;
	unsigned smb_sealed;     /* SMB connections that encrypt */
	uint64_t datagram_calls; /* connectionless RPC: requests seen */
	uint64_t bytes_dropped;  /* by the memory limits */
	unsigned tls_sealed;     /* TLS connections that stay sealed */
	uint64_t ipsec_sealed;   /* packets that only IPsec's keys would open */
	uint64_t fragments_lost; /* parts of IP datagrams that were never whole or contradicted each other */
};

struct lens *lens_new(const struct lens_options *options, const struct lens_sink *sink);
void lens_free(struct lens **lens);

/*
 * A first look over the same capture, before the first lens_frame: teaches which interface listens where, so that
 * connections opened before the capture began can be named from what is said later in it. Optional (live, standard
 * input); keeps no state of connections and makes no events.
 */
void lens_learn(struct lens *lens, int linktype, const uint8_t *data, size_t captured, size_t original);

/*
 * Secrets of TLS, as the text of an SSLKEYLOGFILE in whole lines: the user's, or of the capture's own secrets blocks,
 * as soon as they are read. What is sealed with them must come later. MW_E_NOMEM.
 */
int lens_tls_keys(struct lens *lens, const void *text, size_t len);

/* One captured frame; linktype as capture_frame has it. Never fails: what cannot be read is counted. */
void lens_frame(struct lens *lens, int linktype, const uint8_t *data, size_t captured, size_t original,
                int64_t time_ns);
/* The capture is over: open calls and connections are told. */
void lens_end(struct lens *lens);

void lens_get_totals(const struct lens *lens, struct lens_totals *out);
/* Connections by number, 1..connections. NULL beyond, and, unless events are kept, for those
 * forgotten: the latest 65,536 are remembered. */
const struct lens_conn *lens_get_conn(const struct lens *lens, unsigned number);

#endif
