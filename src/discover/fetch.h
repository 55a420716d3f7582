#ifndef MW_DISCOVER_FETCH_H
#define MW_DISCOVER_FETCH_H

#include "base/arena.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* One plain web fetch by libcurl, which waits. Redirections are the caller's to judge. */
struct fetch {
	const char *url;
	const struct buf *post; /* text/xml; NULL: GET */
	/* With TLS alone: NTLM, or, where the certificate was verified, Basic. */
	const char *domain, *user, *password;
	bool tickets; /* instead: Negotiate with Kerberos tickets of the default cache, where the certificate was
	                 verified */
	const char *ca_file;
	bool insecure;
	int64_t timeout_ns;
};

struct fetch_answer {
	unsigned status;
	const char *location; /* in the arena; NULL */
	struct buf body;      /* the caller's to free; up to 128 KiB */
	const char *why;      /* with an error: one phrase, in the arena */
};

MW_NODISCARD int fetch(struct arena *arena, const struct fetch *request, struct fetch_answer *out);

#endif
