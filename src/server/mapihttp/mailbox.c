#include "server/accounts.h"
#include "server/mapihttp/private.h"

#include <string.h>
#include <strings.h>

/* The mailbox that a request's address names. */

/* The value of MailboxId in the query, up to its end; NULL: there is none. */
static const char *mailbox_id(const char *query, size_t *len)
{
	static const char name[] = "MailboxId=";
	for (const char *p = query; p && *p; p += strcspn(p, "&"), p += *p == '&') {
		*len = strcspn(p, "&");
		if (*len < sizeof name - 1 || strncasecmp(p, name, sizeof name - 1) != 0)
			continue;
		*len -= sizeof name - 1;
		return p + sizeof name - 1;
	}
	return NULL;
}

/*
 * [MS-OXDSCLI] 2.2.4.1.1.2.6.24: as Autodiscover hands it out. It opens nothing: with whose rights is settled by who
 * asks, and what he opens by Connect and RopLogon. It need not be his own, for who shares a mailbox asks by its
 * address.
 */
bool mapihttp_is_ours(const struct web_request *r)
{
	size_t len;
	const char *id = mailbox_id(r->query, &len);
	return !id || accounts_has_mailbox(r->server, id, len);
}
