#ifndef MW_LENS_WEB_PRIVATE_H
#define MW_LENS_WEB_PRIVATE_H

#include "lens/lens-private.h"

#include "http/field.h"
#include "http/http.h"
#include "http/rpch_observer.h"

/*
 * HTTP in the clear or in opened TLS: web.c follows a connection, web_words.c names what is asked, web_rpc.c opens RPC
 * over HTTP ([MS-RPCH]), web_mapi.c MAPI over HTTP ([MS-OXCMAPIHTTP]).
 */
#define WEB_ASKED 8                    /* requests of one connection that wait for their answer */
#define WEB_PLACES (UINT64_C(1) << 17) /* bytes whose frames are remembered: twice the largest PDU */

struct web_mapi_type;

/* A request that waits for its answer. */
struct web_asked {
	struct lens_stamp stamp;
	const struct web_mapi_type *mapi; /* NULL: another one */
	uint32_t call;                    /* its number in the connection, for MAPI */
	struct guid session;
};

/* A body that is gathered. */
struct web_body {
	const struct web_mapi_type *type; /* NULL: none is */
	uint32_t call;
	struct guid session;
	struct buf data, heads; /* heads: lens_call's */
	uint64_t first;         /* of its head */
	bool cut;               /* too large, or bytes are missing */
	bool bare;              /* a request without one: its answer will tell whether it is a call */
	uint64_t end;           /* then */
};

struct lens_web {
	struct lens_flow *flow;
	struct lens_web *newer, *older;
	struct http_connection *http;
	struct lens_where stream[2]; /* places of the connection's bytes, from_client */
	struct lens_stamp now;
	int64_t last_ns;                   /* when the latest bytes came */
	struct web_asked asked[WEB_ASKED]; /* a ring */
	unsigned first_asked, asked_count;
	bool answers_lost; /* bytes of the server are missing since the last request: among them may be answers */
	char user[128];    /* who asks; empty: not known */
	enum auth_type auth;
	char client[64]; /* X-ClientApplication */
	/* RPC over HTTP. */
	struct lens_where body[2];     /* places of the bodies in hand */
	enum rpch_direction direction; /* of the request in hand, if it is a channel's */
	bool is_channel;
	struct rpch_seen *channel;
	struct web_virtual *current; /* the latest, if it still is */
	int64_t asked_ns;            /* when it was asked for */
	bool heard, connected;       /* bytes of it came; CONN/C2 did */
	unsigned lone;               /* number while the connection's is not known */
	/* MAPI over HTTP. */
	struct lens_conversation *talk;
	struct web_body gathered[2]; /* the answer's, the request's */
	uint32_t calls;
	struct guid session; /* the latest */
};

/* A virtual connection. */
struct web_virtual {
	unsigned number; /* 0: free */
	struct lens_conversation *talk;
	struct lens_web *web[2]; /* by enum rpch_direction */
	uint64_t used;           /* frame */
};

#define WEB_MAX_VIRTUALS 1024

struct lens_webs {
	struct lens_web *newest, *oldest;
	unsigned count;
	struct rpch_observer *observer;
	unsigned channels, lone;
	bool inside; /* of the observer's callback */
	struct web_virtual virtuals[WEB_MAX_VIRTUALS];
};

static inline struct lens_where *web_places(struct lens_web *w, const struct http_event *ev)
{
	return &w->stream[ev->from == HTTP_FROM_CLIENT];
}

/* ---- web_words.c ---- */

const char *web_request_words(struct arena *a, const struct http_head *head);
/* Of an X-ResponseCode that is none of success: "X-ResponseCode 10 (context not found)"; NULL. */
const char *web_response_code(struct arena *a, const struct http_head *head);
/* Who asks by that head, into w->user and w->auth. */
void web_note_user(struct lens_web *w, const struct http_head *head);

/* ---- web_rpc.c ---- */

void web_rpc_request(struct lens_web *w, const struct http_head *head);
void web_rpc_body(struct lens_web *w, const struct http_event *ev);
void web_rpc_end(struct lens_web *w, const struct http_event *ev);
void web_rpc_gap(struct lens_web *w, const struct http_event *ev);
/* The connection is over. */
void web_rpc_close(struct lens_web *w);

/* ---- web_channel.c ---- */

void web_channel_asked(struct lens_web *w);
/* The server has said something in its channel's answer. */
void web_channel_heard(struct lens_web *w);
void web_channel_end(struct lens_web *w, const struct rpch_seen *channel);
/* An answer's head. true: it is told. */
bool web_channel_refused(struct lens_web *w, const struct http_event *ev, const struct lens_stamp *at);
bool web_wait_refused(struct lens_web *w, const struct http_event *ev, const struct web_asked *asked,
                      const struct lens_stamp *at);
/* The connection is over. */
void web_wait_end(struct lens_web *w);

/* ---- web_mapi.c ---- */

/* A request's head: fills asked->mapi and gathers its body, if it is MAPI's. */
void web_mapi_request(struct lens_web *w, const struct http_event *ev, struct web_asked *asked);
/* The head of the answer to that. false: it is to be told as any other. */
bool web_mapi_response(struct lens_web *w, const struct http_event *ev, const struct web_asked *asked);
void web_mapi_body(struct lens_web *w, const struct http_event *ev);
void web_mapi_end(struct lens_web *w, const struct http_event *ev);
void web_mapi_gap(struct lens_web *w, const struct http_event *ev);
void web_mapi_close(struct lens_web *w);

#endif
