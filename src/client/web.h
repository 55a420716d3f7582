#ifndef MW_CLIENT_WEB_H
#define MW_CLIENT_WEB_H

#include "client/site.h"
#include "http/field.h"
#include "http/http.h"

/*
 * One HTTP(S) connection of the client's: TCP, TLS, HTTP/1.1, and the dance of authorization (RFC 7235, 7617, 4559,
 * [MS-NTHT]) with channel binding (RFC 5929). One request at a time; a request and its answer may stream at once. It
 * never waits by itself: wait.c polls and moves all of a client's, in both forms of the library. Blocking callers use
 * client_web_open and client_web_await, which wait in client_wait; a transport uses client_web_new and events.
 *
 * Before the first request of a connection an empty one of the same method, target and fields goes out, until the
 * server has accepted who asks: as Outlook does, so that no body is sent twice. A later 401 has the request, if its
 * body was whole, asked again after another dance.
 */
struct client_web;

struct client_web_request {
	const char *method, *target;
	/* Without Host, Authorization, Connection and lengths. Copied, as the whole request is. */
	const struct http_field *fields;
	unsigned field_count;
	const void *body; /* whole, len bytes */
	size_t len;
	bool streams;    /* or in pieces by client_web_send, and client_web_send_end: */
	uint64_t length; /* so many bytes in all, announced */
};

enum client_web_event_type {
	CLIENT_WEB_READY, /* the request has gone out (its head at least): a body may be sent */
	CLIENT_WEB_HEAD,  /* of the answer; 401s of the dance and interim ones are not told */
	CLIENT_WEB_BODY,  /* data, without chunk framing, as it came */
	CLIENT_WEB_END,   /* of the answer */
	CLIENT_WEB_LOST,  /* the connection is over; client_web_fail says why */
};
struct client_web_event {
	enum client_web_event_type type;
	const struct http_head *head; /* HEAD; valid inside */
	const uint8_t *data;          /* BODY */
	size_t len;
};
/* Inside it client_web_ask, _send and _end are allowed, client_web_close is not. */
typedef void client_web_event_fn(void *user, struct client_web *w, const struct client_web_event *event);

/* How long each part took; 0: there was none, or it is not over. */
struct client_web_times {
	int64_t connect_ns, tls_ns; /* of the connection */
	int64_t auth_ns;            /* of its dance, all round trips, a KDC's answer included */
	int64_t first_byte_ns;      /* of the last request: from its last byte (or its head, when it streams) */
};

/* NULL: out of memory. on_event may be NULL. Nothing is sent yet. Belongs to the client's list until closed. */
struct client_web *client_web_new(struct mapiwire *m, client_web_event_fn *on_event, void *user);
/* Begins to connect to one address. 0 or an errno. */
MW_NODISCARD int client_web_connect(struct client_web *w, const struct client_address *address);
void client_web_close(struct client_web **w);

/* Begins a request, at once or as soon as the connection stands. MW_E_STATE: one is under way, or the connection is
 * over; MW_E_INVALID: fields that cannot be said; MW_E_NOMEM. */
MW_NODISCARD int client_web_ask(struct client_web *w, const struct client_web_request *request);
/* After READY, of a request that streams. MW_E_LIMIT: more than was announced. */
MW_NODISCARD int client_web_send(struct client_web *w, const void *data, size_t len);
MW_NODISCARD int client_web_send_end(struct client_web *w);
/* Bytes that wait for the socket. */
size_t client_web_unsent(const struct client_web *w);

/* For wait.c: what to wait for (false: nothing), and what came of it; no waiting. */
bool client_web_poll(const struct client_web *w, struct pollfd *fd);
void client_web_process(struct client_web *w);

/* ---- The blocking form: as the rest of the library, 0 or a MAPIWIRE_E_* whose words have been said ---- */

/* Looks the name up, connects (each address in turn) and shakes hands. on_event as above. */
MW_NODISCARD int client_web_open(struct mapiwire *m, client_web_event_fn *on_event, void *user,
                                 struct client_web **out);
/* Whether requests can still be asked on it: not, when the server has closed it meanwhile. */
bool client_web_is_up(struct client_web *w);
enum client_web_until { CLIENT_WEB_UNTIL_READY, CLIENT_WEB_UNTIL_HEAD, CLIENT_WEB_UNTIL_END };
/* Waits. what: that is waited for, for the words. A request given up by its deadline or by cancelling ends the
 * connection, since its answer would be taken for the next one's. */
MW_NODISCARD int client_web_await(struct client_web *w, enum client_web_until until, int64_t deadline,
                                  const char *what);
/* The last answer's head, until the next request; NULL: none yet. Bodies are BODY events, or, without on_event, whole
 * (at most 64 MiB) in client_web_body, whose bytes the caller may consume. */
const struct http_head *client_web_answer(const struct client_web *w);
struct buf *client_web_body(struct client_web *w);
/* Says why the connection ended, or what is wrong with an answer of another status than 200; yields the code. */
int client_web_fail(struct client_web *w, const char *what);
int client_web_fail_status(struct client_web *w, const char *what);
/* That it is not up in time. */
int client_web_fail_late(struct client_web *w, const char *what);

/* ---- What became of it ---- */

struct client_web_times client_web_times(const struct client_web *w);
/* "CN=mail.demo.test, issued by ..., until 2027-01-31", as it is; "": there is none. */
const char *client_web_certificate(const struct client_web *w);
const char *client_web_tls(const struct client_web *w);  /* "TLS1.3"; NULL: none */
const char *client_web_auth(const struct client_web *w); /* "basic", "ntlm", "kerberos"; "none": the server asked
                                                          * nobody, or not yet. Static */

#endif
