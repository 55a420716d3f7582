#ifndef MW_HTTP_HTTP_H
#define MW_HTTP_HTTP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One HTTP/1.1 connection (RFC 9110, 9112) as a state machine: bytes in; events and bytes out. It knows no socket,
 * clock, file or thread. All roles share the reading of heads, bodies, chunks and trailers; server and client have an
 * active half that writes them. A request and its answer may stream at once, both ways, for hours.
 *
 * What two readers could understand differently is refused by all roles: Content-Length with Transfer-Encoding or
 * with another value, codings but one chunked, bare CR and LF, folded lines, space before a colon, lying chunk sizes.
 */
enum http_role { HTTP_CLIENT, HTTP_SERVER, HTTP_OBSERVER };
enum http_side { HTTP_FROM_CLIENT, HTTP_FROM_SERVER };
enum http_body { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_TO_CLOSE };

struct http_field {
	const char *name, *value; /* bytes from the wire without controls; not always UTF-8 */
};

struct http_head {
	const char *method, *target; /* requests; target as sent: "/path?query" */
	unsigned status;             /* answers; 100 to 199 are interim ones, which have no body and no end */
	const char *reason;          /* answers: the phrase, "" when none */
	unsigned minor;              /* HTTP/1.minor: 0 or 1 */
	const struct http_field *fields;
	unsigned field_count;
	enum http_body body;
	uint64_t length;       /* HTTP_LENGTH: of the body */
	bool keep_alive;       /* this side would go on after it */
	bool expects_continue; /* requests: the body comes after an interim 100 (http_server_continue) */
};

enum http_event_type {
	HTTP_EV_REQUEST,  /* a head is whole */
	HTTP_EV_RESPONSE, /* likewise, interim answers too */
	HTTP_EV_BODY,     /* data, as it came, without chunk framing; never empty */
	HTTP_EV_END,      /* of the message; trailers */
	HTTP_EV_DAMAGED,  /* why; a server has answered with status and closes, a client closes, an observer hunts on */
	HTTP_EV_GAP,      /* observer: len bytes are missing */
	HTTP_EV_CLOSED,   /* active roles: nothing more comes or goes; send the output, then close. why: NULL is orderly
	                   */
};

struct http_event {
	enum http_event_type type;
	enum http_side from;
	uint64_t first, end;          /* bytes of that side's stream that it stands for */
	const struct http_head *head; /* of the message it belongs to; NULL when there is none */
	const uint8_t *data;          /* BODY; valid during the callback, as are the head and trailers */
	size_t len;
	const struct http_field *trailers; /* END */
	unsigned trailer_count;
	unsigned status; /* DAMAGED: 400, 408, 413, 431, 501, 505 */
	const char *why; /* a static phrase */
};

struct http_connection;
typedef void (*http_event_fn)(void *user, struct http_connection *c, const struct http_event *event);

struct http_limits {         /* 0 = the default */
	size_t max_head;     /* bytes of a head, and of trailers; 64 KiB */
	unsigned max_fields; /* 100 */
	uint64_t max_body;  /* of one message; no limit, since RPC channels announce a gigabyte. Handlers have theirs */
	size_t max_discard; /* server: of a body that comes after its answer; 256 KiB, then it closes */
	int64_t idle_ns;    /* server: between requests; 120 s */
	int64_t head_ns;    /* server: from a head's first byte to its last; 30 s */
	int64_t body_ns;    /* server: grace of a body, which must then have come by 1 KiB/s on average; 60 s */
};

struct http_config {
	enum http_role role;
	http_event_fn on_event;
	void *user;
	struct http_limits limits;
};

/* NULL: out of memory. */
struct http_connection *http_connection_new(const struct http_config *config, int64_t now_ns);
void http_connection_free(struct http_connection **c); /* not inside a callback */

/* Bytes that side sent, in order; events are raised inside. Returns how many were taken: all, but when http_pause was
 * called inside. Active roles are fed only what their peer sent. */
size_t http_feed(struct http_connection *c, enum http_side from, const void *data, size_t len, int64_t now_ns);
void http_eof(struct http_connection *c, enum http_side from, int64_t now_ns);
/* Observer: n bytes were not captured; it goes on at the next head it finds. 0 at the start: begins in the middle. */
void http_gap(struct http_connection *c, enum http_side from, uint64_t n);
/* Takes nothing in until resumed: for a body that comes faster than it is wanted, or a connection that moves. */
void http_pause(struct http_connection *c, bool paused);
void http_set_user(struct http_connection *c, http_event_fn on_event, void *user);

/* Active roles: bytes to send; the caller sends and consumes them. */
struct buf *http_output(struct http_connection *c);
int64_t http_deadline(const struct http_connection *c); /* INT64_MAX: none */
void http_tick(struct http_connection *c, int64_t now_ns);
/* Ends after the request that is open and its answer, or at once when none is; HTTP_EV_CLOSED follows. Like
 * http_send_end and http_tick, it may raise that inside. */
void http_close(struct http_connection *c);

/* ---- Sending (server: answers; client: requests): a head, its body in pieces, its end ---- */

/* Only method, target (client), status, reason (server; NULL: the usual phrase), fields, body and length are read.
 * The machine adds Content-Length or Transfer-Encoding, and Connection where it is due; the caller must not.
 * MW_E_STATE: nothing to answer, the one before is not over, or (client) its answer is not. MW_E_INVALID: a name or
 * value that could not be read back. */
MW_NODISCARD int http_send_head(struct http_connection *c, const struct http_head *head);
/* MW_E_LIMIT: more than the length announced. HTTP_CHUNKED: one call, one chunk. */
MW_NODISCARD int http_send_body(struct http_connection *c, const void *data, size_t len);
MW_NODISCARD int http_send_end(struct http_connection *c, const struct http_field *trailers, unsigned count);
/* All three; the head's body and length are set from len. */
MW_NODISCARD int http_send(struct http_connection *c, const struct http_head *head, const void *data, size_t len);
/* Server: the body is wanted. Nothing happens where the client did not ask, or has been answered. */
void http_server_continue(struct http_connection *c);
/* Server: this request's body has its own pace until it is answered; the client's end of the connection is then its
 * orderly end, without END and DAMAGED. */
void http_server_no_body_deadline(struct http_connection *c);

#endif
