#ifndef MW_AUTH_AUTH_SECRETS_H
#define MW_AUTH_AUTH_SECRETS_H

#include "auth/auth.h"

/*
 * The text of a --secrets file. One secret a line:
 *
 *   password DOMAIN\user the rest of the line, spaces and all
 *   nthash DOMAIN\user 32 hex digits
 *   sessionkey DOMAIN\user 32 hex digits
 *   keytab the rest of the line, a file's path
 *
 * Lines that are empty or begin with # are skipped. A user without a domain
 * (or "\user") is meant for any. A password line may end after the user: the
 * empty password. UTF-8; a byte order mark and CR LF are fine.
 */
struct auth_secrets {
	struct auth_secret *list;
	size_t count;
	const char *keytab; /* path, not opened here; NULL: none. At most one */
	char *text;         /* private: where the strings point to */
	size_t text_size;
};

struct auth_secrets_error {
	unsigned line;    /* 1-based */
	const char *what; /* a static phrase for "secrets.txt:3: ..." */
};

/* A zeroed struct is empty. MW_E_INVALID with *error filled, MW_E_LIMIT beyond 1 MiB, MW_E_NOMEM. */
MW_NODISCARD int auth_secrets_parse(const char *text, size_t len, struct auth_secrets *out,
                                    struct auth_secrets_error *error);
/* Wipes before it frees. */
void auth_secrets_free(struct auth_secrets *secrets);

#endif
