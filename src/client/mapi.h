#ifndef MW_CLIENT_MAPI_H
#define MW_CLIENT_MAPI_H

#include "client/private.h"
#include "client/web.h"
#include "http/mapi_answer.h"

/*
 * MAPI over HTTP, [MS-OXCMAPIHTTP], as one carrier of the library's calls: each method of EMSMDB and NSPI that the
 * library makes is a request type, whose bodies are of wire/mapihttp.idl. What RPC's context handles stand for, cookies
 * do here: they outlive the HTTP connection, which is opened anew when it is gone.
 */
enum client_endpoint { CLIENT_EMSMDB, CLIENT_NSPI };

/* ---- mapi_context.c: a session context, shared by the connections that use it ---- */

#define CLIENT_MAX_COOKIES 16
#define CLIENT_MAX_COOKIE 4096u

struct client_cookie {
	char *name, *value;
};

struct client_context {
	unsigned references;
	enum client_endpoint endpoint;
	struct client_cookie cookies[CLIENT_MAX_COOKIES];
	unsigned cookie_count;
	bool sequenced;    /* a cookie has changed from answer to answer: one that executes twice is refused */
	bool live;         /* begun, and not taken leave of */
	bool lost;         /* the server does not know it any more, or nobody knows what it has executed */
	char group[37];    /* GUID in X-RequestId and X-ClientInfo */
	unsigned counter;  /* of requests */
	int64_t expiry_ns; /* X-ExpirationInfo: how long it lives unused; 0: not said */
	int64_t used_ns;   /* when an answer came last */
};

/* NULL: out of memory. */
struct client_context *client_context_new(enum client_endpoint endpoint);
void client_context_unref(struct client_context **x);
/* What an answer's Set-Cookie fields say. MW_E_LIMIT, MW_E_NOMEM. */
MW_NODISCARD int client_context_take_cookies(struct client_context *x, const struct http_head *head);
/* "a=b; c=d", or NULL where there are none; in the arena. MW_E_NOMEM. */
MW_NODISCARD int client_context_cookies(const struct client_context *x, struct arena *arena, const char **out);

/* ---- mapi_store.c, mapi_book.c: the methods as request types ---- */

struct client_mapi_type {
	const char *name; /* X-RequestType; NULL: answered without asking */
	const struct idl_interface *interface;
	uint16_t opnum;
	bool begins, ends;                                                             /* the session context */
	enum { CLIENT_REPEAT_NEVER, CLIENT_REPEAT_IN_SEQUENCE, CLIENT_REPEAT } repeat; /* where its answer is lost */
	const struct idl_type *request, *response;
	size_t status; /* where the arguments have their ReturnValue */
	/* From arguments to body and back; MW_E_*. */
	int (*fill)(struct arena *arena, void *body, const void *args);
	int (*read)(struct arena *arena, const void *body, void *args);
};
extern const struct client_mapi_type client_mapi_store_types[], client_mapi_book_types[];

/* mapi_codec.c. NULL: the method has no request type. */
const struct client_mapi_type *client_mapi_type(const struct idl_interface *interface, unsigned opnum);
MW_NODISCARD int client_mapi_encode(const struct client_mapi_type *type, struct arena *arena, const void *args,
                                    struct buf *out);
MW_NODISCARD int client_mapi_decode(const struct client_mapi_type *type, struct arena *arena, const void *data,
                                    size_t len, void *args);

/* ---- mapi.c ---- */

MW_NODISCARD int client_mapi_open(struct mapiwire *m, const struct idl_interface *interface, struct client_conn **out);
MW_NODISCARD int client_mapi_open_beside(const struct client_conn *c, const struct idl_interface *interface,
                                         struct client_conn **out);
void client_mapi_close(struct client_conn *c);
/* Whether the session is still to be had, as far as can be known without asking. */
bool client_mapi_is_up(const struct client_conn *c);
/* Where the HTTP connection is gone: asks (PING) whether the session is still there. MAPIWIRE_E_LOST: it is not. */
MW_NODISCARD int client_mapi_confirm(struct client_conn *c);
/* A PING of no session: asks (MW_E_*), and whether its answer, of status 200, is one of MAPI over HTTP: any code will
 * do. */
MW_NODISCARD int client_mapi_ask_ping(struct mapiwire *m, struct client_web *w);
MW_NODISCARD int client_mapi_check_ping(struct mapiwire *m, const struct http_head *head);
int client_mapi_fail_absent(struct mapiwire *m);

#endif
