#ifndef MW_DISCOVER_SCP_H
#define MW_DISCOVER_SCP_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Service connection points, [MS-OXDISCO] 3.1.5.1: an organisation's directory names its Autodiscover services. By
 * libldap, which waits. TLS is begun wherever the server can (StartTLS, or ldaps). It is asked without a name first;
 * a password is given where that finds nothing, the connection is in TLS, and the certificate was verified.
 */
struct scp_query {
	const char *uri;  /* "ldap://host:389", "ldaps://host" */
	const char *base; /* NULL: as the server says of itself */
	const char *mail_domain;
	const char *domain, *user, *password;
	const char *ca_file;
	bool insecure;
	int64_t timeout_ns;
};

struct scp_answer {
	const char *const *urls; /* https; those that are for every site first */
	unsigned count;
	bool verified;         /* the directory proved who it is: what it names is the organisation's word */
	const char *elsewhere; /* another directory to ask, for this mail domain or, without urls, for any; NULL */
	const char *why;       /* with an error: one phrase */
};

/* All is in the arena. MW_E_NOTFOUND: it has none; MW_E_IO: no answer; MW_E_AUTH: the password was refused. */
MW_NODISCARD int scp_search(struct arena *arena, const struct scp_query *query, struct scp_answer *out);

#endif
