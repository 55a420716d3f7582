#ifndef MW_DISCOVER_DISCOVER_H
#define MW_DISCOVER_DISCOVER_H

#include "base/arena.h"
#include "http/autodiscover.h"

/*
 * From a mail address to its server, in the order in which Outlook looks: service connection points of the
 * organisation's directory, https://domain, https://autodiscover.domain,
 * the redirection of http://autodiscover.domain, the SRV record, a local file. Never above the address's domain, never
 * a password to a host outside of it or without TLS; each try is told. Waits (libcurl, the resolver).
 */
enum discover_step {
	DISCOVER_SERVER,
	DISCOVER_SCP,
	DISCOVER_DOMAIN,
	DISCOVER_HOST,
	DISCOVER_REDIRECT,
	DISCOVER_SRV,
	DISCOVER_LOCAL
};

struct discover_try {
	enum discover_step step;
	const char *where; /* URL (of a directory too), SRV name or file */
	bool found;
	const char *what; /* "settings", "no such host", "401: user or password refused" */
	int64_t ns;
};

struct discover_config {
	const char *address;   /* "alice@demo.test" */
	const char *server;    /* "host:port" to ask instead of looking; NULL */
	const char *local_xml; /* file with an answer, the last try; NULL */
	const char *ldap;      /* URL of the directory; NULL: as the domain's SRV record says, if there is one */
	const char *ca_file;   /* NULL: the system's */
	bool insecure;         /* certificates are not looked at; then no password is sent that could be read (Basic) */
	const char *domain, *user, *password;
	bool tickets;       /* not the password: Kerberos tickets of the process's default cache (KRB5CCNAME) */
	int64_t timeout_ns; /* of a try */
	/* Told of each try as it ends. */
	void (*tried)(void *user, const struct discover_try *t);
	void *told;
};

/* MW_E_NOTFOUND: all tries failed. MW_E_INVALID: no mail address. MW_E_AUTH: a server refused the password or the
 * ticket, and looking ended there. What was found lives in the arena. */
MW_NODISCARD int discover(struct arena *arena, const struct discover_config *config, struct autodiscover_found *out);

/* Whether host is domain or below it. */
bool discover_is_below(const char *host, const char *domain);

#endif
