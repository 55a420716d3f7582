#ifndef MW_LENS_PRIVATE_H
#define MW_LENS_PRIVATE_H

#include "lens/age.h"
#include "lens/interfaces.h"
#include "lens/lens.h"
#include "lens/streams.h"
#include "lens/tape.h"
#include "mapi/session.h"
#include "tls/log.h"

#include <string.h>

/*
 * Inside the lens: parts.c hands a segment to the part of its two hosts, flows.c finds its TCP connection, streams.c
 * puts its bytes in order, conversation.c feeds them to an RPC observer and makes events of what it tells.
 */

/* The connections of two hosts are of one part. What is said of all parts together: limits of numbers, and what one
 * learns and the others want to know, is settled every so many frames. */
#define LENS_PARTS 8

#define LENS_MAX_FLOWS 32768        /* TCP connections remembered at one time */
#define LENS_MAX_CONVERSATIONS 4096 /* of these, with the state of an RPC connection */
#define LENS_MAX_CONNS 65536        /* struct lens_conn, when events are not kept */
#define LENS_MAX_TLS 1024
#define LENS_MAX_AWAKE 32    /* of a part */
#define LENS_MAX_PENDING 256 /* requests of one connection that wait for their answer */
#define LENS_MAX_IFACES 4096
#define LENS_MAX_PORTS 4096
#define LENS_MAX_SESSIONS 512
#define LENS_MAX_SMBS 4096
#define LENS_MAX_LESSONS 4096 /* of a part, until parts speak */
#define LENS_MAPPER_PORT 135

/* ---- Names ---- */

/* An interface as events show it. */
struct lens_iface {
	struct rpc_syntax syntax;
	const char *iface; /* short name, else the UUID */
	const char *name;  /* for people; NULL */
	enum lens_service service;
	const struct idl_interface *idl; /* its description, or NULL */
	const struct lens_known *known;
};

struct lens_names {
	struct arena *arena;
	const struct idl_module *const *idl; /* the user's */
	size_t idl_count;
	struct lens_iface **table; /* open addressing; a power of two */
	size_t size, count;
};

extern const struct idl_module *const lens_wire_modules[];
extern const size_t lens_wire_module_count;

MW_NODISCARD int lens_names_init(struct lens_names *n, const struct idl_module *const *idl, size_t idl_count);
void lens_names_free(struct lens_names *n);
/* Lives as long as the names. NULL: too many, or out of memory. */
const struct lens_iface *lens_names_get(struct lens_names *n, const struct rpc_syntax *syntax);
/* NULL when not known; static or as long as the names. */
const char *lens_method_name(const struct lens_iface *i, uint16_t opnum);
/* NULL without a description. */
const struct idl_method *lens_method_of(const struct lens_iface *i, uint16_t opnum);

/* As one field after the other: there is padding between them. Bytes beyond an IPv4 address are zero. */
static inline bool lens_same_address(const struct lens_address *a, const struct lens_address *b)
{
	return a->port == b->port && a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- Ports: what is known to listen where ---- */

#define LENS_PORT_IFACES 8

struct lens_port {
	struct lens_address address;
	uint8_t count;
	uint8_t mapped; /* bit i: the mapper said so */
	const struct lens_iface *ifaces[LENS_PORT_IFACES];
};

struct lens_ports {
	struct lens_port *table; /* open addressing, at most half full */
	size_t size, count;
};

MW_NODISCARD int lens_ports_init(struct lens_ports *p, size_t most);
void lens_ports_free(struct lens_ports *p);
void lens_ports_clear(struct lens_ports *p);
void lens_ports_learn(struct lens_ports *p, const struct lens_address *a, const struct lens_iface *i, bool by_mapper);
/* What is known already of a port that may be learned about; NULL when there is no room for it. */
MW_NODISCARD bool lens_ports_put(struct lens_ports *p, const struct lens_port *port);
/* NULL when nothing is known. */
const struct lens_port *lens_ports_find(const struct lens_ports *p, const struct lens_address *a);
bool lens_port_has(const struct lens_port *port, const struct rpc_syntax *syntax, bool by_mapper);

/* The same of a part: what it has learned since parts last spoke, and what all know. */
void lens_learn_port(struct lens *lens, const struct lens_address *a, const struct lens_iface *i, bool by_mapper);
const struct lens_port *lens_find_port(const struct lens *lens, const struct lens_address *a);

/* What a part has learned and the others are to be told. */
struct lens_lesson {
	uint64_t frame;
	struct lens_address address;
	struct rpc_syntax syntax;
	bool by_mapper;
};

struct lens_lessons {
	struct lens_lesson *list;
	size_t count, cap;
};

/* ---- Where in the capture a byte of a stream was ---- */

struct lens_place {
	uint64_t offset; /* first byte of the segment in the stream */
	struct lens_stamp stamp;
};

/* A ring: the latest places. */
struct lens_where {
	struct lens_place *ring;
	unsigned size, first, count;
	uint64_t end; /* of the stream so far */
};

/* needed: the oldest offset that may still be asked for. */
void lens_where_add(struct lens_where *w, size_t len, const struct lens_stamp *stamp, uint64_t needed);
/* The frame of that byte; of the oldest one known when it is older. */
struct lens_stamp lens_where_find(const struct lens_where *w, uint64_t offset);
/* The same, and how many bytes from there on it holds for. */
struct lens_stamp lens_where_span(const struct lens_where *w, uint64_t offset, uint64_t *room);
/* Gives back what it grew by, as far as needed allows. */
void lens_where_rest(struct lens_where *w, uint64_t needed);
void lens_where_free(struct lens_where *w);

/* ---- Flows ---- */

struct lens_conversation;

/* One direction's first bytes, while they are too few to judge. */
struct lens_head {
	uint8_t bytes[24];
	struct lens_stamp stamps[24];
	unsigned len;
};

enum lens_flow_kind {
	LENS_FLOW_UNDECIDED,
	LENS_FLOW_RPC,
	LENS_FLOW_SMB,
	LENS_FLOW_HTTP,
	LENS_FLOW_TLS, /* only on the way: then it is what is inside */
	LENS_FLOW_OTHER
};

enum lens_context { LENS_CONTEXT_NONE, LENS_CONTEXT_KERBEROS };

struct buf;
struct lens_smb;
struct lens_tls;
struct lens_web;
struct smb_file;

/* What one side has sent so far (trouble.c). */
struct lens_pace {
	uint32_t top;   /* behind its newest byte */
	uint32_t asked; /* behind the byte whose acknowledgement is timed */
	bool started, timing, zero;
	int64_t newest_ns, asked_ns, zero_since_ns;
	int64_t charged_ns; /* of the stall that goes on, what is counted already */
};

struct lens_flow {
	struct lens_age age;
	struct lens_flow *next; /* in its bucket */
	uint64_t hash;
	struct lens *lens;
	struct lens_address ends[2]; /* by side; 0 sent the first frame */
	struct lens_conn *conn;
	struct lens_stream stream;
	struct lens_conversation *talk;
	struct lens_smb *smb;
	struct lens_web *web;
	struct lens_tls *tls; /* around one of these */
	struct lens_head *head[2];
	enum lens_flow_kind kind;
	uint8_t client; /* side */
	bool begins;    /* the first byte that was said is there, or may come */
	bool syn_answered, open_told, over;
	bool went_on; /* the client sent more than a SYN */
	uint32_t syn_seq;
	struct lens_stamp syn, syn_last, answer;
	struct lens_pace pace[2];
	enum lens_context context; /* of which an answer is awaited */
	struct lens_stamp asked;
	unsigned tries; /* chunks of a midstream connection that did not begin a PDU */
};

struct lens_flows {
	struct lens_flow **buckets;
	struct lens_ages ages;
	uint64_t seed;
};

MW_NODISCARD int lens_flows_init(struct lens *lens);
void lens_flows_free(struct lens *lens);
void lens_flows_segment(struct lens *lens, const struct lens_segment *seg, const struct lens_stamp *stamp);
/* The connection carries RPC, and is told so before the first of it. */
void lens_flow_has_rpc(struct lens_flow *f);
/* Its conversation is over as far as we are concerned. */
void lens_flow_forget(struct lens_flow *f);
/* Flushes and tells what is left of a connection. */
void lens_flow_end(struct lens_flow *f);
/* The same, and its place is free. */
void lens_flow_evict(struct lens_flow *f);
/* What a side said inside TLS, as if it had come in the clear; n bytes of it that are missing. */
void lens_flow_text(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                    const struct lens_stamp *stamp);
void lens_flow_text_gap(struct lens_flow *f, unsigned side, uint64_t n, const struct lens_stamp *stamp);
extern const struct lens_stream_sink lens_flow_sink;

/* trouble.c: what TCP had trouble with, into conn->trouble. Before its bytes are given on: */
void lens_trouble_segment(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                          const struct lens_stamp *stamp);
/* After that. */
void lens_trouble_cut(struct lens_flow *f, unsigned side, const struct lens_segment *seg,
                      const struct lens_stamp *stamp);
void lens_trouble_end(struct lens_flow *f, int64_t now);

/* ---- Conversations ---- */

/* A request, bind or alter that waits for its answer. */
struct lens_pending {
	struct lens_pending *next;
	struct lens_event *event; /* in arena */
	struct lens_conn *conn;   /* counts it */
	struct arena *arena;
	const struct lens_iface *iface;
	const struct lens_iface **offered; /* bind, alter: by presentation context */
	unsigned offered_count;
	const struct mapi_rop_list *rops; /* EcDoRpc, EcDoRpcExt2: what was asked */
	void *args;                       /* EcDoConnect, EcDoConnectEx: what was asked */
	const void *opened_args;          /* with want_fields: the decoded request */
	uint64_t batch;                   /* where it is on tape */
	size_t told;
};

/* What an interface is taken for whose bind was not seen. */
struct lens_assumed {
	uint16_t context_id;
	const struct lens_iface *iface;
	enum lens_known_by known_by;
};

#define LENS_MAX_ASSUMED 8

struct lens_conversation {
	struct lens_age age;
	uint64_t number;
	struct lens_flow *flow;
	struct lens_flow *back; /* where the server is heard: flow, or an OUT channel's of RPC over HTTP */
	struct smb_file *file;  /* the pipe that it is in, or NULL */
	const char *pipe;       /* its name */
	const char *transport;  /* as in lens_event */
	struct lens *lens;
	bool awake; /* keeps memory for its next PDU: the latest ones do */
	struct rpc_connection *rpc;
	struct lens_where where[2]; /* by enum rpc_side */
	struct lens_pending *first, *last;
	unsigned pending;
	struct lens_assumed assumed[LENS_MAX_ASSUMED];
	unsigned assumed_count;
	const struct lens_iface *bound; /* what was offered last */
	struct arena *arena;            /* lives as long as the conversation */
	const char *user;               /* who authenticated */
	int64_t answered_ns;            /* when the latest answer was whole */
	bool store_told;                /* an answer of the store was told to be obfuscated or not */
};

/* name: of the pipe file, if it is one. NULL: out of memory. */
struct lens_conversation *lens_talk_new(struct lens_flow *flow, struct smb_file *file, const char *name);
void lens_talk_free(struct lens_conversation **talk);
/* It is over as far as we are concerned. */
void lens_talk_forget(struct lens_conversation *t);
void lens_talk_data(struct lens_conversation *t, unsigned side, const uint8_t *data, size_t len,
                    const struct lens_stamp *stamp);
void lens_talk_gap(struct lens_conversation *t, unsigned side, uint64_t n, const struct lens_stamp *stamp);
void lens_talk_end(struct lens_conversation *t, unsigned side, const struct lens_stamp *stamp);
/* It goes on on other connections: where the client is heard, and where the server. */
void lens_talk_move(struct lens_conversation *t, struct lens_flow *flow, struct lens_flow *back);

/* ---- SMB: conversations in named pipes (smb.c) ---- */

/* Could this chunk begin a NetBIOS session with SMB in it, or one of its messages? */
bool lens_smb_looks_like(const uint8_t *data, size_t len);
/* Of such a chunk. */
bool lens_smb_from_client(const uint8_t *data, size_t len);
/* NULL: out of memory. */
struct lens_smb *lens_smb_new(struct lens_flow *flow);
void lens_smb_free(struct lens_smb **smb);
void lens_smb_data(struct lens_smb *s, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp);
void lens_smb_gap(struct lens_smb *s, unsigned side, uint64_t n, const struct lens_stamp *stamp);
void lens_smb_end(struct lens_smb *s, unsigned side, const struct lens_stamp *stamp);
/* Its conversation is over as far as we are concerned. */
void lens_smb_forget(struct smb_file *file);

/* ---- HTTP: context, and RPC in its channels (web.c) ---- */

/* Could this chunk begin a request or an answer? A request? */
bool lens_web_looks_like(const uint8_t *data, size_t len);
bool lens_web_asks(const uint8_t *data, size_t len);
/* NULL: out of memory. */
struct lens_web *lens_web_new(struct lens_flow *flow, const struct lens_stamp *stamp);
void lens_web_free(struct lens_web **web);
void lens_webs_free(struct lens *lens);
void lens_web_data(struct lens_web *w, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp);
void lens_web_gap(struct lens_web *w, unsigned side, uint64_t n, const struct lens_stamp *stamp);
void lens_web_end(struct lens_web *w, unsigned side, const struct lens_stamp *stamp);

/* ---- TLS (tls.c) ---- */

/* NULL: out of memory. */
struct lens_tls *lens_tls_new(struct lens_flow *flow);
void lens_tls_free(struct lens_tls **tls);
/* false: it will not be opened any more. */
bool lens_tls_data(struct lens_tls *t, unsigned side, const uint8_t *data, size_t len, const struct lens_stamp *stamp);
void lens_tls_gap(struct lens_tls *t, unsigned side, uint64_t n, const struct lens_stamp *stamp);
/* A new part has the secrets of the whole. */
int lens_tls_add(struct lens *lens, const void *text, size_t len);
MW_NODISCARD int lens_tls_begin(struct lens *part);
/* The one that was idle longest. */
void lens_tls_forget(struct lens *part);
/* Could this chunk be from the middle of TLS? Tells that it is. */
bool lens_tls_midway(const uint8_t *data, size_t len);
void lens_tls_tell_midway(struct lens_flow *f, unsigned side, const struct lens_stamp *stamp);

/* pending.c: requests in flight, oldest first. */
struct lens_pending *lens_pending_new(struct lens *lens);
void lens_pending_add(struct lens_conversation *t, struct lens_pending *p);
/* The oldest with that id; NULL. */
struct lens_pending *lens_pending_find(struct lens_conversation *t, uint32_t call_id, bool handshake);
/* Out of the list; it is the caller's then. */
void lens_pending_take(struct lens_conversation *t, struct lens_pending *taken);
void lens_pending_free(struct lens *lens, struct lens_pending *p);
/* They wait on the conversation's present connection. */
void lens_pending_move(struct lens_conversation *t);
/* Nobody will answer these any more. */
void lens_pending_drop(struct lens_conversation *t);

/* ---- Other protocols (context.c) ---- */

/* The first bytes of a connection that is not RPC: false when they say nothing. */
bool lens_context_begin(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                        const struct lens_stamp *stamp);
/* The first segment of the server while f->context says that one is awaited. */
void lens_context_answer(struct lens_flow *f, const struct lens_segment *seg, const struct lens_stamp *stamp);

/* ---- UDP (datagrams.c) ---- */

struct lens_datagrams;
void lens_datagram(struct lens *lens, const struct lens_segment *seg, const struct lens_stamp *stamp);
void lens_datagrams_free(struct lens *lens);

/* ---- Events ---- */

struct lens_field_list {
	struct lens_field *fields;
	unsigned count, cap;
};

/* A call that came in HTTP's own form, not as RPC: MAPI over HTTP. It stands for a method of RPC that means the same.
 */
struct lens_call {
	const char *op; /* as HTTP names it; static */
	const struct rpc_syntax *iface;
	uint16_t opnum;
	const struct idl_type *body; /* NULL: it has none, or none that is known */
	bool book;                   /* values are in the address book's form */
	struct guid session;         /* nil: not known */
	const struct lens_where *places;
	const char *user; /* NULL: not known */
	enum auth_type auth;
	const char *client;      /* the program that asks, and its version; NULL */
	const struct buf *heads; /* its own header fields: names and values, each with its NUL; NULL */
	const char *fault;       /* how it was refused; NULL */
	const char *damaged;     /* why its contents are not there; NULL */
};

/* An event in the making. */
struct lens_making {
	struct lens *lens;
	struct lens_conversation *talk;
	const struct rpc_event *rpc;
	struct lens_event *event;
	struct arena *arena; /* of the event and its strings */
	struct arena *work;  /* of what is decoded on the way; a request's lives until its answer */
	const struct lens_iface *iface;
	const struct idl_method *method;
	struct lens_pending *pending;       /* of a request, bind or alter: itself */
	const struct lens_pending *request; /* of an answer: what it answers */
	const char *what;                   /* what was called: "NspiBind", "ept_map nspi", "Logon, OpenFolder" */
	const char *result;                 /* what came of it, when a status does not tell: "port 4997" */
	struct lens_field_list opened, rop_fields;
	size_t rops_at;               /* where in the stub the array with the ROPs begins */
	const struct lens_call *call; /* NULL: it is RPC */
};

/* making.c: the RPC machine's event into ours, told. */
void lens_make(struct lens_conversation *t, const struct rpc_event *ev);
/* The same of a call in HTTP: type, from, call_id, stub, first and end count. */
void lens_make_call(struct lens_conversation *t, const struct rpc_event *ev, const struct lens_call *call);
/* call.c: its interface, and what stands in its body. */
void lens_take_call(struct lens_making *m);
void lens_read_call(struct lens_making *m);
void lens_open_call(struct lens_making *m, const struct ndr_tracer *tracer);
/* iface.c: which interface an event is of, and how that is known. */
void lens_find_iface(struct lens_making *m);
/* Its names, once that is known; the connection's, too. */
void lens_take_names(struct lens_making *m);
/* contents.c: status, endpoints, ROPs: what stands in the stub. */
void lens_read_contents(struct lens_making *m);
/* "ok", the code's name, or hexadecimal; MAPI codes. */
const char *lens_status_text(struct arena *arena, uint32_t code);
/* epm.c: the endpoint mapper's question or answer. */
void lens_read_epm(struct lens_making *m);
/* Teaches what an answer of the mapper at that address hands out. */
void lens_learn_epm(struct lens *lens, const struct lens_address *mapper, uint16_t opnum, struct cursor stub);
/* store.c: the ROPs of EcDoRpc and EcDoRpcExt2. */
void lens_read_store(struct lens_making *m);
/* ROPs in extended buffers, of that session. */
void lens_read_rops(struct lens_making *m, const struct guid *session, const uint8_t *data, size_t size);
void lens_session_code_page(struct lens *lens, const struct guid *session, uint32_t code_page);
struct lens_session;
void lens_sessions_free(struct lens *lens);
void lens_session_forget(struct lens *lens, struct lens_session *s);
/* summary.c */
void lens_note_auth(struct lens_making *m);
void lens_summarize(struct lens_making *m);
/* fields.c: the opened contents. */
void lens_open_fields(struct lens_making *m);
/* Where a payload of ROPs stands in its array. */
struct lens_opening {
	struct lens_making *making;
	size_t base;
	bool extended;
	bool packed; /* compressed: fields have their places in what was decompressed */
};
/* Gathers the fields of ROPs in making->rop_fields. */
struct ndr_tracer lens_rop_tracer(struct lens_opening *o);

/* An event of this connection that is not RPC's: open, close, reset. */
void lens_tell_plain(struct lens_flow *f, enum lens_kind kind, bool from_client, struct lens_stamp first,
                     struct lens_stamp last, int64_t took_ns, const char *status, const char *summary);
/* An event of that connection, with the names of what it carries. */
void lens_tell_made(struct lens_flow *f, const struct lens_event *made);
/* The same as context, of what stays sealed. why: lives as long as the event, or is static. */
void lens_tell_sealed(struct lens_flow *f, bool from_client, struct lens_stamp at, const char *why,
                      const char *summary);
/* Numbers it and hands it out. */
void lens_tell(struct lens *lens, struct lens_event *e);
void lens_hand_out(struct lens *whole, struct lens_event *e);
/* Marks the event as damaged, unless it is already. why: static, or as long as the event. */
void lens_note_damage(struct lens_making *m, size_t at, const char *why);
const char *lens_hex(struct arena *arena, const uint8_t *data, size_t len);

/* rewrite.c: what is said with other words, while lens_options.scrub asks for it. */
struct lens_rewrite;
struct ndr_field;
void lens_rewrite_begin(struct lens *lens);
void lens_rewrite_free(struct lens *lens);
/* A field of the stub, or of the ROPs' payload that is being read. */
void lens_rewrite_note(struct lens *lens, bool in_rops, const struct ndr_field *f);
/* That payload is read: as far as good, the rest of it was not understood. */
void lens_rewrite_payload(struct lens_making *m, struct cursor payload, size_t good, bool extended);
/* false: out of memory, nothing may be said. */
bool lens_rewrite_stub(struct lens_making *m, struct lens_said *said);

/* learn.c: what a first look over the capture remembers of a connection. */
struct lens_scout;

struct lens_session {
	struct lens_age age;
	struct guid cxh;
	struct mapi_session *session;
};

/* How much has come since the parts spoke. */
struct lens_batch {
	unsigned frames, limit;
	size_t bytes;
};

/* One for the whole, which has no connections of its own, and its parts. */
struct lens {
	struct lens *whole;
	unsigned index; /* of a part */
	/* Of the whole. */
	struct lens *parts[LENS_PARTS]; /* NULL: not needed yet */
	struct lens_batch batch;
	struct lens_conn **conns; /* by number - 1, a ring unless events are kept */
	size_t conn_cap;
	struct lens_packet_state packets;
	struct lens_scout *scout;
	struct lens_load loads[2]; /* batches.c: one is read, the other under way */
	unsigned reading, decoding;
	uint64_t batches, numbered; /* events */
	bool recorded, under_way, helped;
	/* Of both. */
	struct lens_options options;
	struct lens_sink sink;
	struct auth_observer_config observer;
	struct lens_names names;
	struct lens_ports ports;
	struct lens_totals totals; /* of a part: what it counts */
	struct arena *scratch;
	struct lens_stamp now;
	/* Of a part. */
	struct lens_tape *tape;    /* where it tells what it tells; NULL: to the sink */
	struct lens_tape tapes[2]; /* beside the loads */
	struct lens_lessons lessons;
	struct lens_flows flows;
	struct lens_streams streams;
	struct arena *kept;
	struct lens_pending *spare_pending;
	unsigned spare_count;
	struct lens_ages talks, smbs, tls, known_sessions;
	struct lens_conversation *oldest_awake;
	unsigned awake;
	uint64_t talks_begun;
	struct lens_webs *webs;
	struct tls_log *tls_keys; /* of both; NULL: none were given */
	size_t smb_held;
	struct lens_datagrams *datagrams;
	struct lens_rewrite *rewrite;
	struct lens_session *sessions; /* sets, ways */
};

/* Of an event that is told now, and what it points to. */
static inline struct arena *lens_event_arena(struct lens *lens)
{
	return lens->options.keep_events ? lens->kept : lens->scratch;
}

/* parts.c */
MW_NODISCARD int lens_whole_init(struct lens *whole);
void lens_parts_free(struct lens *whole);
/* The part of these two hosts; NULL: out of memory. */
struct lens *lens_part_of(struct lens *whole, const struct lens_segment *seg);
void lens_part_segment(struct lens *part, const struct lens_segment *seg, const struct lens_stamp *stamp);
bool lens_batch_is_full(const struct lens_batch *b);
void lens_batch_begin(struct lens_batch *b);
/* Keeps the limits of all parts together, and tells each what the others have learned; now: the last frame. */
void lens_settle(struct lens *whole, const struct lens_stamp *now);
/* All connections end, in the order of their last frames. */
void lens_parts_end(struct lens *whole, const struct lens_stamp *now);
/* The nth of a part, as a number that no other part uses. */
static inline uint64_t lens_number_of(const struct lens *part, uint64_t nth)
{
	return (nth - 1) * LENS_PARTS + part->index + 1;
}

/* conns.c: connections as views see them. NULL: out of memory. */
struct lens_conn *lens_conn_new(struct lens *lens);
/* Nobody tells of it any more. */
void lens_conn_over(struct lens *lens, struct lens_conn *c);
/* What the whole does of it: at once, or when the tape is played. */
void lens_conn_number(struct lens *whole, struct lens_conn *c);
void lens_conn_forget(struct lens *whole, struct lens_conn *c);
void lens_conns_free(struct lens *whole);

/* tape.c. self: of a request, itself; asked: of an answer, what it answers; or NULL */
void lens_tape_event(struct lens *part, const struct lens_event *e, struct lens_pending *self,
                     const struct lens_pending *asked);
/* It waits no more. */
void lens_tape_answered(struct lens *part, const struct lens_pending *p);
void lens_tape_conn(struct lens *part, struct lens_conn *c, bool over);
/* A copy of the segment's bytes; out of memory it is as if it had not been captured. */
void lens_tape_give(struct lens_tape *t, struct lens_load *load, const struct lens_segment *seg,
                    const struct lens_stamp *stamp);
/* Text of a key log, which holds from the next segment on. */
void lens_tape_keys(struct lens *whole, const void *text, size_t len);
void lens_tape_take(struct lens *part, const struct lens_load *load, struct lens_tape *t);
void lens_tape_free(struct lens_tape *t);
/* Connections that began, and requests that wait. */
void lens_tapes_number(struct lens *whole, unsigned which);
void lens_tapes_play(struct lens *whole, unsigned which);
/* What will not be played. */
void lens_tale_drop(struct lens *whole, struct lens_tale *t);

/* batches.c */
bool lens_is_recorded(const struct lens *whole);
/* seg: what is in the frame at lens->now; NULL: nothing. */
void lens_batches_frame(struct lens *whole, const struct lens_segment *seg);
void lens_batches_end(struct lens *whole);
void lens_batches_free(struct lens *whole);

/* The mapper's own interface. */
extern const struct rpc_syntax lens_epm_syntax;

#endif
