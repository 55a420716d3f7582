#ifndef MW_CLI_WALK_H
#define MW_CLI_WALK_H

#include "cli/remote.h"

/* What walk.c sees on the way, walk_steps.c does there, and walk_print.c shows. */

enum step_number { NAME, MAPPER, WEB, REFERRAL, BOOK, STORE, INBOX, NOTIFICATION, STEPS };

struct step {
	enum { SKIPPED, OK, FAILED } state;
	char address[64], what[160];
	const char *host; /* the address of another server that this step was sent to; NULL: the one walked to */
	int64_t ns;
	struct mapiwire_error error; /* texts copied into the arena */
};

/* One way to the server, from the command line or from Autodiscover. */
struct walk_way {
	enum mapiwire_transport transport;
	bool offered;         /* by Autodiscover; from the command line all are */
	bool wanted;          /* it is walked */
	const char *host;     /* of RPC; of MAPI over HTTP the web server's */
	const char *web_host; /* that is connected to: host, but over a proxy */
	uint16_t web_port;
	struct mapiwire_web web;
	struct mapiwire_web book_web; /* where the address book has another web server; host NULL: it has not */
	bool starts;
	int exit_code;
};

struct walk {
	struct cli_remote *r;
	struct walk_way ways[3]; /* by transport */
	const struct walk_way *way;
	char host[64]; /* the address in use */
	struct mapiwire *m;
	struct mapiwire *book, *home; /* of the servers that referral and log-on named; NULL: m's */
	char book_server[256], book_host[64], home_host[64];
	const char *mailbox; /* as asked for */
	bool no_probe, all;
	uint16_t https_port;
	/* From a mail address: how Autodiscover is asked. */
	const char *server, *local_xml, *ldap;
	uint16_t rfr, nspi, port; /* port: the store's */
	char *dn;
	bool guessed;
	struct mapiwire_store *store;
	uint64_t inbox;
	enum { UNKNOWN, NOT_REQUIRED, REQUIRED } encryption;
	struct mapiwire_web_report seen; /* of the web server */
	bool knocked;
	struct step steps[STEPS];
};

extern const char *const walk_transports[3]; /* "tcp", "rpc-http", "mapi-http" */
extern const char *const walk_way_names[3];  /* for people */
/* The steps of a way in their order, and how many; a step's number in it, from 1 on. */
const enum step_number *walk_route(const struct walk *w, unsigned *count);
int walk_number(const struct walk *w, enum step_number i);

/* walk_steps.c: 0 or a MAPIWIRE_E_*. */
extern int (*const walk_steps[STEPS])(struct walk *w, struct step *s);
void walk_keep_error_of(struct walk *w, struct step *s, const struct mapiwire *m);

/* "TLS 1.3", "no TLS"; "NTLM". */
const char *walk_tls_name(const struct mapiwire_web_report *seen, char out[16]);
const char *walk_auth_name(const char *auth);
/* As Outlook prefers them. */
extern const enum mapiwire_transport walk_order[3];
/*
 * A cli_remote's find_host, whose finder is the walk: the ways from what the command line says (walk_ways.c) and from
 * Autodiscover (walk_address.c). Both then choose which are walked, and have cli_remote_open make the first one's
 * client.
 */
int walk_settle(const char *command, struct cli_remote *r, const char *password);
int walk_discover(const char *command, struct cli_remote *r, const char *password);
int walk_choose(const char *command, struct walk *w, bool from_address);
/* Fills in a way's host, web server and port from its other fields. */
void walk_complete(struct walk_way *way, enum mapiwire_transport transport, const char *host);
/* The exit code of the first cause; 0: Outlook would start. */
int walk_exit(const struct walk *w);

/* walk_print.c: which way it goes; a step as its line, with cause and what to try; the verdict; of all ways, which
 * work. As JSON where that was asked for. */
void walk_put_way(struct buf *out, const struct walk *w, const struct walk_way *way);
void walk_put_step(struct buf *out, const struct walk *w, enum step_number i);
void walk_put_verdict(struct buf *out, const struct walk *w);
void walk_put_ways(struct buf *out, const struct walk *w, int code);

#endif
