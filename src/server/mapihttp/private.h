#ifndef MW_SERVER_MAPIHTTP_PRIVATE_H
#define MW_SERVER_MAPIHTTP_PRIVATE_H

#include "rpc/association.h"
#include "server/conn.h"
#include "server/mapihttp/mapihttp.h"

/*
 * MAPI over HTTP, [MS-OXCMAPIHTTP]: translates between its bodies and the arguments of the RPC methods that mean the
 * same, and runs those. What it keeps itself is the session context that cookies name.
 */

/* X-ResponseCode, 2.2.3.3.3 */
enum mapihttp_code {
	MAPIHTTP_SUCCESS = 0,
	MAPIHTTP_UNKNOWN_FAILURE = 1,
	MAPIHTTP_INVALID_VERB = 2,
	MAPIHTTP_INVALID_PATH = 3,
	MAPIHTTP_INVALID_HEADER = 4,
	MAPIHTTP_INVALID_REQUEST_TYPE = 5,
	MAPIHTTP_INVALID_CONTEXT_COOKIE = 6,
	MAPIHTTP_MISSING_HEADER = 7,
	MAPIHTTP_TOO_LARGE = 9,
	MAPIHTTP_CONTEXT_NOT_FOUND = 10,
	MAPIHTTP_INVALID_BODY = 12,
	MAPIHTTP_MISSING_COOKIE = 13,
	MAPIHTTP_INVALID_SEQUENCE = 15,
};

enum mapihttp_endpoint { MAPIHTTP_EMSMDB, MAPIHTTP_NSPI };

#define MAPIHTTP_KEY 16

/* ---- context.c: what a cookie names, in the loop where it was made ---- */

struct mapihttp_context {
	struct mapihttp_context *next;
	struct server_loop *loop;
	enum mapihttp_endpoint endpoint;
	uint8_t key[MAPIHTTP_KEY], sequence[MAPIHTTP_KEY];
	uint64_t account;
	struct rpc_association *group;           /* holds the handles; when it goes they are run down */
	struct idl_context_handle handle, async; /* CXH and ACXH, or NSPI_HANDLE */
	unsigned running;                        /* requests that use it */
	bool ended;                              /* goes with the last of them */
	bool executing;                          /* one Execute at a time, 3.2.5.1 */
	int64_t expires_ns;
};
#define MAPIHTTP_COOKIE 64
#define MAPIHTTP_MAX_CONTEXTS 16384u /* of one loop */
#define MAPIHTTP_MAX_OF_ACCOUNT 256u

MW_NODISCARD int mapihttp_context_new(struct server_loop *loop, enum mapihttp_endpoint endpoint, uint64_t account,
                                      struct mapihttp_context **out);
/* Of that key in this loop. NULL: gone, or never been. */
struct mapihttp_context *mapihttp_context_find(struct server_loop *loop, const uint8_t key[MAPIHTTP_KEY]);
void mapihttp_context_end(struct mapihttp_context *x);
/* It was used: its expiry begins anew. */
void mapihttp_context_touch(struct mapihttp_context *x);
void mapihttp_context_put_cookies(const struct mapihttp_context *x, char context[MAPIHTTP_COOKIE],
                                  char sequence[MAPIHTTP_COOKIE]);
/* Cookies of a request: the loop and the key. MW_E_NOTFOUND: none; MW_E_MALFORMED. */
MW_NODISCARD int mapihttp_cookie_context(const struct web_request *r, enum mapihttp_endpoint endpoint, unsigned *loop,
                                         uint8_t key[MAPIHTTP_KEY]);
bool mapihttp_cookie_sequence_fits(const struct web_request *r, const struct mapihttp_context *x);
void mapihttp_context_renew(struct mapihttp_context *x); /* a new sequence cookie */

/* ---- request.c ---- */

struct mapihttp_type;

/* A request while it is worked on; in the loop of its context. */
struct mapihttp_request {
	struct mapihttp_request *next; /* of the loop */
	struct server_loop *loop;
	uint64_t web; /* web_find; the client may be gone */
	const struct mapihttp_type *type;
	struct mapihttp_context *context;
	struct service_call *call; /* while it runs */
	struct conn_watch *watches;
	bool begun; /* the head and PROCESSING are sent */
	int64_t began_ns, told_ns;
	struct buf answer; /* the body */
};

/* One request type. */
struct mapihttp_type {
	const char *name;
	enum mapihttp_endpoint endpoint;
	enum { MAPIHTTP_MAKES_CONTEXT, MAPIHTTP_NEEDS_CONTEXT, MAPIHTTP_ENDS_CONTEXT } uses;
	bool sequenced; /* the sequence cookie must be the newest, and is renewed */
	const struct service *service;
	uint16_t opnum;
	const struct idl_type *request; /* its body; NULL: none */
	/* From the decoded body into the method's arguments. Negative: MAPIHTTP_INVALID_BODY. */
	int (*fill)(struct mapihttp_request *q, void *args, const void *body);
	/* From the arguments into q->answer. Negative: MAPIHTTP_UNKNOWN_FAILURE. */
	int (*answer)(struct mapihttp_request *q, void *args);
};
extern const struct mapihttp_type mapihttp_types[];

/* answer.c. Another X-ResponseCode than 0, with a page for people, 2.2.2.2. */
void mapihttp_refuse(struct web_request *r, enum mapihttp_code code);
/* The head; what follows it is a meta tag. */
void mapihttp_begin(struct mapihttp_request *q, struct web_request *r);
/* The meta tags and late header lines of 2.2.7 and 2.2.2.2, then the body: one chunk when all is there at once. */
void mapihttp_finish(struct mapihttp_request *q, struct web_request *r, int result);
void mapihttp_answer_empty(struct web_request *r);
/* mailbox.c. Whether MailboxId in the query, if there is one, names a mailbox of this server. */
bool mapihttp_is_ours(const struct web_request *r);

/* Puts a packed structure into the answer. */
MW_NODISCARD int mapihttp_put(struct mapihttp_request *q, const struct idl_type *type, const void *value);

/* emsmdb.c, nspi.c: rows of mapihttp_types. */
int mapihttp_fill_connect(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_connect(struct mapihttp_request *q, void *args);
int mapihttp_fill_execute(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_execute(struct mapihttp_request *q, void *args);
int mapihttp_fill_disconnect(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_disconnect(struct mapihttp_request *q, void *args);
int mapihttp_fill_wait(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_wait(struct mapihttp_request *q, void *args);
int mapihttp_fill_url(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_mailbox_url(struct mapihttp_request *q, void *args);
int mapihttp_answer_book_url(struct mapihttp_request *q, void *args);
int mapihttp_fill_bind(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_bind(struct mapihttp_request *q, void *args);
int mapihttp_fill_unbind(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_unbind(struct mapihttp_request *q, void *args);
int mapihttp_fill_compare(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_compare(struct mapihttp_request *q, void *args);
int mapihttp_fill_dn_to_min_id(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_dn_to_min_id(struct mapihttp_request *q, void *args);
int mapihttp_fill_matches(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_matches(struct mapihttp_request *q, void *args);
int mapihttp_fill_prop_list(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_prop_list(struct mapihttp_request *q, void *args);
int mapihttp_fill_props(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_props(struct mapihttp_request *q, void *args);
int mapihttp_fill_special_table(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_special_table(struct mapihttp_request *q, void *args);
int mapihttp_fill_template(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_template(struct mapihttp_request *q, void *args);
int mapihttp_fill_mod_link(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_mod_link(struct mapihttp_request *q, void *args);
int mapihttp_fill_mod_props(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_mod_props(struct mapihttp_request *q, void *args);
int mapihttp_fill_query_columns(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_query_columns(struct mapihttp_request *q, void *args);
int mapihttp_fill_query_rows(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_query_rows(struct mapihttp_request *q, void *args);
int mapihttp_fill_resolve(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_resolve(struct mapihttp_request *q, void *args);
int mapihttp_fill_resort(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_resort(struct mapihttp_request *q, void *args);
int mapihttp_fill_seek(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_seek(struct mapihttp_request *q, void *args);
int mapihttp_fill_update_stat(struct mapihttp_request *q, void *args, const void *body);
int mapihttp_answer_update_stat(struct mapihttp_request *q, void *args);

#endif
