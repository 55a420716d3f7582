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
 * "GUID@domain", as Autodiscover hands it out, [MS-OXDSCLI] 2.2.4.1.1.2.6.24: a mailbox of this server's. It opens
 * nothing: with whose rights is settled by who asks, and what he opens by Connect and RopLogon. It need not be his own,
 * for who shares a mailbox asks by its address.
 */
bool mapihttp_is_ours(const struct web_request *r)
{
	size_t len;
	const char *id = mailbox_id(r->query, &len), *at = id ? (const char *)memchr(id, '@', len) : NULL;
	char text[GUID_TEXT_SIZE];
	struct guid guid;
	if (!id)
		return true;
	size_t guid_len = at ? (size_t)(at - id) : len;
	if (guid_len != sizeof text - 1)
		return false;
	memcpy(text, id, guid_len);
	text[guid_len] = '\0';
	if (guid_parse(text, &guid) < 0)
		return false;
	struct directory_snapshot *book = accounts_snapshot(r->server);
	const char *domain = directory_settings(book)->mail_domain;
	size_t domain_len = at ? len - guid_len - 1 : 0;
	bool ours = directory_by_mailbox(book, &guid) &&
	            (!at || (strlen(domain) == domain_len && strncasecmp(at + 1, domain, domain_len) == 0));
	directory_snapshot_unref(&book);
	return ours;
}
