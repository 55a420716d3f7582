#include "server/accounts.h"
#include "base/text.h"
#include "directory/snapshot.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_ACCOUNT_EXPIRED 0xC0000193u /* [MS-ERREF] 2.3.1 */

/*
 * The directory belongs to one thread at a time: the lock is held only while a
 * snapshot is taken, which is a cheap look at the file unless it has changed.
 */
struct accounts {
	pthread_mutex_t lock;
	struct directory *directory;
	struct directory_snapshot *newest;
};

struct directory_snapshot *accounts_snapshot(struct server *s)
{
	struct accounts *a = s->accounts;
	struct directory_snapshot *fresh = NULL;
	pthread_mutex_lock(&a->lock);
	if (directory_snapshot(a->directory, &fresh) == 0) {
		directory_snapshot_unref(&a->newest);
		a->newest = fresh;
	}
	struct directory_snapshot *out = directory_snapshot_ref(a->newest);
	pthread_mutex_unlock(&a->lock);
	return out;
}

bool accounts_has_mailbox(struct server *s, const char *name, size_t len)
{
	const char *at = (const char *)memchr(name, '@', len);
	char text[GUID_TEXT_SIZE];
	struct guid guid;
	size_t guid_len = at ? (size_t)(at - name) : len;
	if (guid_len != sizeof text - 1)
		return false;
	memcpy(text, name, guid_len);
	text[guid_len] = '\0';
	if (guid_parse(text, &guid) < 0)
		return false;
	struct directory_snapshot *book = accounts_snapshot(s);
	const char *domain = directory_settings(book)->mail_domain;
	size_t domain_len = at ? len - guid_len - 1 : 0;
	bool ours = directory_by_mailbox(book, &guid) &&
	            (!at || (strlen(domain) == domain_len && strncasecmp(at + 1, domain, domain_len) == 0));
	directory_snapshot_unref(&book);
	return ours;
}

static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	struct directory_snapshot *snapshot = accounts_snapshot((struct server *)user);
	const struct directory_user *u = directory_by_account(snapshot, domain, name);
	int r = !u ? MW_E_NOTFOUND : u->flags & DIRECTORY_LOCKED ? MW_E_AUTH : 0;
	if (r == 0) {
		out->id = u->id;
		out->refused = u->flags & DIRECTORY_EXPIRED ? STATUS_ACCOUNT_EXPIRED : 0;
		memcpy(out->nt_hash, u->nt_hash, sizeof out->nt_hash);
	}
	directory_snapshot_unref(&snapshot);
	return r;
}

static int set_names(struct server *s, const struct directory_settings *d)
{
	s->auth.netbios_domain = strdup(d->ntlm_domain);
	s->auth.netbios_computer = strdup(d->server_name);
	/* As Windows: the mapper and mgmt answer everyone; the services ask for an account themselves. */
	s->auth.allow_anonymous = true;
	s->auth.allow_ntlm_v1 = s->config.ntlm_v1;
	s->auth.dns_domain = strdup(d->mail_domain);
	s->auth.dns_computer = strdup(s->host);
	s->auth.find_account = find_account;
	s->auth.user = s;
	return s->auth.netbios_domain && s->auth.netbios_computer && s->auth.dns_domain && s->auth.dns_computer
	               ? 0
	               : MW_E_NOMEM;
}

static int open_directory(struct server *s, struct accounts *a, char why[512])
{
	const char *state = s->config.state;
	struct directory_why reason = {0};
	int r = directory_open(state, false, NULL, &a->directory, &reason);
	if (r == 0)
		r = directory_snapshot(a->directory, &a->newest);
	if (r == MW_E_NOTFOUND)
		snprintf(why, 512,
		         "There is no directory in %s: add a first user with 'mapiwire user add NAME@DOMAIN --state "
		         "%s'.",
		         state, state);
	else if (r < 0)
		snprintf(why, 512, "Cannot read the directory in %s: %s", state,
		         a->directory ? directory_error(a->directory) : reason.text);
	return r;
}

int accounts_open(struct server *s, char why[512])
{
	struct accounts *a = (struct accounts *)calloc(1, sizeof *a);
	if (!a || pthread_mutex_init(&a->lock, NULL) != 0) {
		free(a);
		return MW_E_NOMEM;
	}
	s->accounts = a;
	int r = open_directory(s, a, why);
	return r < 0 ? r : set_names(s, directory_settings(s->accounts->newest));
}

void accounts_close(struct server *s)
{
	struct accounts *a = s->accounts;
	if (!a)
		return;
	directory_snapshot_unref(&a->newest);
	directory_close(&a->directory);
	pthread_mutex_destroy(&a->lock);
	free(a);
	s->accounts = NULL;
	free((char *)s->auth.netbios_domain);
	free((char *)s->auth.netbios_computer);
	free((char *)s->auth.dns_domain);
	free((char *)s->auth.dns_computer);
}
