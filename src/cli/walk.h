#ifndef MW_CLI_WALK_H
#define MW_CLI_WALK_H

#include "cli/remote.h"

/* What walk.c sees on the way and walk_print.c shows. */

enum step_number { NAME, MAPPER, REFERRAL, BOOK, STORE, INBOX, NOTIFICATION, STEPS };

struct step {
	enum { SKIPPED, OK, FAILED } state;
	char address[64], what[160];
	const char *host; /* the address of another server that this step was sent to; NULL: the one walked to */
	int64_t ns;
	struct mapiwire_error error; /* texts copied into the arena */
};

struct walk {
	struct cli_remote *r;
	char host[64]; /* the address in use */
	struct mapiwire *m;
	struct mapiwire *book, *home; /* of the servers that referral and log-on named; NULL: m's */
	char book_server[256], book_host[64], home_host[64];
	const char *mailbox; /* as asked for */
	bool no_probe;
	/* From a mail address: how Autodiscover is asked. */
	const char *server, *ca_file, *local_xml, *ldap;
	bool insecure;
	uint16_t rfr, nspi, port; /* port: the store's */
	char *dn;
	bool guessed;
	struct mapiwire_store *store;
	uint64_t inbox;
	enum { UNKNOWN, NOT_REQUIRED, REQUIRED } encryption;
	struct step steps[STEPS];
};

extern const char *const walk_names[STEPS];
/* walk_address.c: a cli_remote's find_host; its finder is the walk. */
int walk_discover(const char *command, struct cli_remote *r, const char *password);
/* The exit code of the first cause; 0: Outlook would start. */
int walk_exit(const struct walk *w);

/* walk_print.c: a step as its line, with cause and what to try; the verdict. As JSON where that was asked for. */
void walk_put_step(struct buf *out, const struct walk *w, enum step_number i);
void walk_put_verdict(struct buf *out, const struct walk *w);

#endif
