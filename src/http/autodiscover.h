#ifndef MW_HTTP_AUTODISCOVER_H
#define MW_HTTP_AUTODISCOVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/guid.h"

#include <stdbool.h>

/*
 * Autodiscover: what a client asks about a mail address, and the answer. POX ([MS-OXDSCLI]), SOAP ([MS-OXWSADISC]) and
 * the JSON that names the POX address. Bytes in, bytes out; who exists is a callback. XML is read without DTD,
 * entities of its own, or network, and up to a size, depth and number of elements. Names of elements count, their
 * namespaces do not.
 */
#define AUTODISCOVER_MAX_XML ((size_t)128 << 10)
#define AUTODISCOVER_MAX_NAMES 100 /* addresses or domains, and settings, of one request */

enum autodiscover_kind { AUTODISCOVER_POX, AUTODISCOVER_USER_SETTINGS, AUTODISCOVER_DOMAIN_SETTINGS };

struct autodiscover_request {
	enum autodiscover_kind kind;
	const char *schema;          /* POX: AcceptableResponseSchema; "" */
	const char *const *subjects; /* mail addresses, a legacy DN (POX), or domains */
	unsigned subject_count;
	const char *const *settings; /* SOAP: their names */
	unsigned setting_count;
	const char *message_id; /* SOAP; "" */
};

/* One user, as the callback finds him. Texts are UTF-8; NULL: there is none. */
struct autodiscover_user {
	const char *name, *dn, *address;
	struct guid mailbox;
	/* Settings are elsewhere: ask with this address, or there. */
	const char *redirect_address, *redirect_url;
};

/* The server, and what it serves. */
struct autodiscover_site {
	const char *host;         /* "mail.demo.test" */
	unsigned https_port;      /* 0: no HTTPS, so neither EXPR nor mapiHttp */
	bool tcp;                 /* EXCH: RPC over TCP is to be had */
	const char *organisation; /* of the legacy DNs */
	const char *server_name;  /* its cn= there */
	const char *mail_domain;
	const char *version;  /* "15.0.1497.0" */
	uint32_t version_hex; /* the same as ServerVersion has it, [MS-OXDSCLI] 2.2.4.1.1.2.2 */
	/* MW_E_NOTFOUND: no user of that address or DN. */
	int (*find)(void *user, const char *subject, struct autodiscover_user *out);
	void *user;
};

/* Once, before threads that read XML begin. */
void autodiscover_init(void);

/* The body of a POX request, or (soap) of a SOAP request. MW_E_MALFORMED, MW_E_LIMIT, MW_E_UNSUPPORTED (an operation
 * that is not ours): why is one phrase. All is in the arena. */
MW_NODISCARD int autodiscover_read(struct arena *arena, bool soap, const void *xml, size_t len,
                                   struct autodiscover_request *out, const char **why);

/* The answer as XML. mapi_http: the client can do MAPI over HTTP (X-MapiHttpCapability, [MS-OXDSCLI] 2.2.2.1).
 * now_ns: the wall clock. Errors stay in out (buf_error). */
void autodiscover_answer(const struct autodiscover_request *request, const struct autodiscover_site *site,
                         bool mapi_http, int64_t now_ns, struct buf *out);
/* For a request that could not be read: error of autodiscover_read. */
void autodiscover_refuse(bool soap, int error, const char *why, int64_t now_ns, struct buf *out);

/* GET autodiscover.json?Email=…&Protocol=…: yields the HTTP status. Anybody may ask, so it tells nothing of users. */
unsigned autodiscover_json(const struct autodiscover_site *site, const char *query, struct buf *out);

/* ---- The client ---- */

struct autodiscover_protocol {
	const char *type;   /* "EXCH", "EXPR", "mapiHttp" … */
	const char *server; /* EXCH, EXPR */
	const char *ssl, *auth_package, *principal;
	const char *mail_store, *address_book; /* mapiHttp: URLs */
};

struct autodiscover_found {
	const char *name, *dn, *address; /* of the user */
	/* One of these, or protocols, or an error. */
	const char *redirect_address, *redirect_url;
	unsigned error; /* 500, 600 … */
	const char *message;
	const struct autodiscover_protocol *protocols;
	unsigned protocol_count;
};

/* A POX request for an address. */
void autodiscover_ask(const char *address, struct buf *out);
/* Its answer. All is in the arena. */
MW_NODISCARD int autodiscover_read_answer(struct arena *arena, const void *xml, size_t len,
                                          struct autodiscover_found *out, const char **why);

#endif
