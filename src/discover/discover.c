#include "discover/discover.h"

#include "base/text.h"
#include "base/time.h"
#include "discover/fetch.h"
#include "discover/scp.h"
#include "discover/srv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/autodiscover/autodiscover.xml"
/* Redirections one after the other. */
#define MOST_REDIRECTS 10
#define MOST_FILE ((size_t)128 << 10)
/* Directories that name another one. */
#define MOST_DIRECTORIES 3

struct search {
	struct arena *arena;
	const struct discover_config *config;
	const char *address, *domain; /* asked for, which a redirection may change */
	unsigned redirects;
	struct autodiscover_found *found;
};

bool discover_is_below(const char *host, const char *domain)
{
	size_t h = strlen(host), d = strlen(domain);
	if (h < d || text_casecmp(host + h - d, domain) != 0)
		return false;
	return h == d || host[h - d - 1] == '.';
}

static void tell(const struct search *s, enum discover_step step, const char *where, bool found, const char *what,
                 int64_t began_ns)
{
	struct discover_try t = {step, where, found, what, time_monotonic_ns() - began_ns};
	if (s->config->tried)
		s->config->tried(s->config->told, &t);
}

/* The host of an https URL without user and port, in the arena; NULL: it is none, or hides something before an '@'. */
static const char *host_of(struct arena *arena, const char *url)
{
	static const char scheme[] = "https://";
	if (strncasecmp(url, scheme, sizeof scheme - 1) != 0)
		return NULL;
	const char *host = url + sizeof scheme - 1;
	size_t len = strcspn(host, "/?#");
	if (len == 0 || memchr(host, '@', len) || memchr(host, '\\', len) || *host == '[')
		return NULL;
	const char *colon = memchr(host, ':', len);
	return arena_strndup(arena, host, colon ? (size_t)(colon - host) : len);
}

static int ask(struct search *s, enum discover_step step, const char *url, bool trusted);
static int look(struct search *s);

/* Letters, digits, '-' and '.': what can stand in a URL as it is. */
static bool is_domain(const char *domain)
{
	return *domain && *domain != '.' && *domain != '-' &&
	       domain[strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] == '\0';
}

/* Another address to ask for: of the same domain there, of one below it from the start on; never above or beside. */
static int follow_address(struct search *s, enum discover_step step, const char *url, const char *address)
{
	const char *at = strrchr(address, '@');
	if (!at || at == address || !is_domain(at + 1) || !discover_is_below(at + 1, s->domain)) {
		tell(s, step, address, false, "not of the address's domain or below it: it is not looked for",
		     time_monotonic_ns());
		return MW_E_NOTFOUND;
	}
	bool same = text_casecmp(at + 1, s->domain) == 0;
	s->address = address;
	s->domain = at + 1;
	return same || s->config->server ? ask(s, step, url, true) : look(s);
}

/* What an answer says; *what tells it. MW_E_AGAIN: look elsewhere. */
static int read_answer(struct search *s, enum discover_step step, const char *url, const struct fetch_answer *answer,
                       int64_t began_ns)
{
	struct autodiscover_found found;
	const char *why;
	if (autodiscover_read_answer(s->arena, answer->body.data, answer->body.len, &found, &why) != 0) {
		tell(s, step, url, false, why, began_ns);
		return MW_E_NOTFOUND;
	}
	if (found.error) {
		tell(s, step, url, false, arena_printf(s->arena, "error %u: %s", found.error, found.message), began_ns);
		return MW_E_NOTFOUND;
	}
	if (found.redirect_address || found.redirect_url) {
		const char *to = found.redirect_address ? found.redirect_address : found.redirect_url;
		tell(s, step, url, false, arena_printf(s->arena, "redirects to %s", to), began_ns);
		if (++s->redirects > MOST_REDIRECTS)
			return MW_E_NOTFOUND;
		return found.redirect_address ? follow_address(s, step, url, to) : ask(s, step, to, false);
	}
	tell(s, step, url, true, "settings", began_ns);
	*s->found = found;
	return 0;
}

/* A 401 says nothing of why; with tickets there are more reasons. */
static const char *refusal(const struct discover_config *c)
{
	if (!c->tickets)
		return "401: user or password refused";
	return c->insecure ? "401: no ticket is shown to a server whose certificate was not verified"
	                   : "401: no ticket for it, ticket refused, or channel binding required";
}

/* trusted: the user named this host, or it follows from the address; else only below the domain is it given a password.
 */
static int ask(struct search *s, enum discover_step step, const char *url, bool trusted)
{
	const struct discover_config *c = s->config;
	const char *host = host_of(s->arena, url);
	int64_t began_ns = time_monotonic_ns();
	struct buf MW_CLEANUP(buf_free) body = {0};
	struct fetch_answer answer = {0};
	if (!host || (!trusted && !discover_is_below(host, s->domain))) {
		tell(s, step, url, false,
		     host ? "not below the address's domain: it gets no password" : "no https address", began_ns);
		return MW_E_NOTFOUND;
	}
	autodiscover_ask(s->address, &body);
	struct fetch request = {.url = url,
	                        .post = &body,
	                        .domain = c->domain,
	                        .user = c->user,
	                        .password = c->password,
	                        .tickets = c->tickets,
	                        .ca_file = c->ca_file,
	                        .insecure = c->insecure,
	                        .timeout_ns = c->timeout_ns};
	int r = fetch(s->arena, &request, &answer);
	if (r == 0 && answer.status == 200) {
		r = read_answer(s, step, url, &answer, began_ns);
	} else if (r == 0 && answer.status / 100 == 3 && answer.location && ++s->redirects <= MOST_REDIRECTS) {
		tell(s, step, url, false, arena_printf(s->arena, "%u: redirects to %s", answer.status, answer.location),
		     began_ns);
		r = ask(s, step, answer.location, false);
	} else {
		const char *what = r != 0                 ? answer.why
		                   : answer.status == 401 ? refusal(c)
		                                          : arena_printf(s->arena, "%u: no settings", answer.status);
		tell(s, step, url, false, what, began_ns);
		r = r == 0 && answer.status == 401 ? MW_E_AUTH : MW_E_NOTFOUND;
	}
	buf_free(&answer.body);
	return r;
}

/* ---- The tries ---- */

/* One directory, and what it names: 0, or MW_E_NOTFOUND with *elsewhere set where it names another directory. */
static int try_directory(struct search *s, const char *uri, bool named, const char **elsewhere)
{
	const struct discover_config *c = s->config;
	const struct scp_query query = {.uri = uri,
	                                .mail_domain = s->domain,
	                                .domain = c->domain,
	                                .user = c->user,
	                                .password = named && !c->tickets ? c->password : NULL,
	                                .ca_file = c->ca_file,
	                                .insecure = c->insecure,
	                                .timeout_ns = c->timeout_ns};
	struct scp_answer answer;
	int64_t began_ns = time_monotonic_ns();
	int r = scp_search(s->arena, &query, &answer);
	if (r != 0) {
		tell(s, DISCOVER_SCP, uri, false, answer.why, began_ns);
		return r == MW_E_AUTH ? r : MW_E_NOTFOUND;
	}
	*elsewhere = answer.elsewhere;
	tell(s, DISCOVER_SCP, uri, false,
	     answer.elsewhere
	             ? arena_printf(s->arena, "names the directory %s", answer.elsewhere)
	             : arena_printf(s->arena, "names %u service%s", answer.count, answer.count == 1 ? "" : "s"),
	     began_ns);
	r = MW_E_NOTFOUND;
	for (unsigned i = 0; i < answer.count && r == MW_E_NOTFOUND && !answer.elsewhere; i++)
		r = ask(s, DISCOVER_SCP, answer.urls[i], answer.verified && named);
	return r;
}

/* "ldap://host:389" of the domain's SRV record; NULL: there is none. */
static const char *find_directory(struct search *s)
{
	const char *name = arena_printf(s->arena, "_ldap._tcp.%s", s->domain);
	int64_t began_ns = time_monotonic_ns();
	char host[DISCOVER_HOST_SIZE];
	uint16_t port;
	if (!discover_srv(name, host, &port) || !is_domain(host)) {
		tell(s, DISCOVER_SCP, name, false, "no such record", began_ns);
		return NULL;
	}
	tell(s, DISCOVER_SCP, name, false, arena_printf(s->arena, "names %s:%u", host, port), began_ns);
	return arena_printf(s->arena, "ldap://%s:%u", host, port);
}

/* What stands between "://" and the port. */
static bool is_directory_below(struct search *s, const char *uri)
{
	const char *host = strstr(uri, "://");
	if (!host)
		return false;
	host += 3;
	const char *name = arena_strndup(s->arena, host, strcspn(host, ":/"));
	return name && discover_is_below(name, s->domain);
}

/* The organisation's word, where the user or a name of the domain's leads to it; a directory elsewhere gets no password
 * and is believed no host outside of the domain. */
static int try_directories(struct search *s)
{
	const char *uri = s->config->ldap;
	bool named = uri != NULL;
	if (!uri)
		uri = find_directory(s);
	int r = MW_E_NOTFOUND;
	for (unsigned i = 0; uri && i < MOST_DIRECTORIES && r == MW_E_NOTFOUND; i++) {
		const char *next = NULL;
		r = try_directory(s, uri, named || is_directory_below(s, uri), &next);
		uri = next;
		named = false;
	}
	return r;
}

static int try_host(struct search *s, enum discover_step step, const char *prefix)
{
	return ask(s, step, arena_printf(s->arena, "https://%s%s" PATH, prefix, s->domain), true);
}

/* http://autodiscover.domain: asked without a password, for where to go. */
static int try_redirect(struct search *s)
{
	const struct discover_config *c = s->config;
	const char *url = arena_printf(s->arena, "http://autodiscover.%s" PATH, s->domain);
	int64_t began_ns = time_monotonic_ns();
	struct fetch_answer answer = {0};
	struct fetch request = {.url = url, .timeout_ns = c->timeout_ns};
	int r = fetch(s->arena, &request, &answer);
	buf_free(&answer.body);
	if (r != 0 || answer.status / 100 != 3 || !answer.location) {
		tell(s, DISCOVER_REDIRECT, url, false,
		     r != 0 ? answer.why : arena_printf(s->arena, "%u: no redirection", answer.status), began_ns);
		return MW_E_NOTFOUND;
	}
	tell(s, DISCOVER_REDIRECT, url, false, arena_printf(s->arena, "redirects to %s", answer.location), began_ns);
	return ask(s, DISCOVER_REDIRECT, answer.location, false);
}

static int try_srv(struct search *s)
{
	const char *name = arena_printf(s->arena, "_autodiscover._tcp.%s", s->domain);
	int64_t began_ns = time_monotonic_ns();
	char host[DISCOVER_HOST_SIZE];
	uint16_t port;
	if (!discover_srv(name, host, &port)) {
		tell(s, DISCOVER_SRV, name, false, "no such record", began_ns);
		return MW_E_NOTFOUND;
	}
	tell(s, DISCOVER_SRV, name, false, arena_printf(s->arena, "names %s:%u", host, port), began_ns);
	return ask(s, DISCOVER_SRV, arena_printf(s->arena, "https://%s:%u" PATH, host, port), false);
}

static int try_local(struct search *s)
{
	const char *path = s->config->local_xml;
	int64_t began_ns = time_monotonic_ns();
	struct fetch_answer answer = {0};
	FILE *f = fopen(path, "rb");
	uint8_t *room = f ? buf_extend(&answer.body, MOST_FILE) : NULL;
	int r = MW_E_NOTFOUND;
	if (room) {
		answer.body.len = fread(room, 1, MOST_FILE, f);
		r = read_answer(s, DISCOVER_LOCAL, path, &answer, began_ns);
	} else {
		tell(s, DISCOVER_LOCAL, path, false, "cannot be read", began_ns);
	}
	if (f)
		(void)fclose(f);
	buf_free(&answer.body);
	return r;
}

/* The tries one after the other; a password that was refused ends them: the next would lock the account. */
static int look(struct search *s)
{
	int r = try_directories(s);
	if (r == MW_E_NOTFOUND)
		r = try_host(s, DISCOVER_DOMAIN, "");
	if (r == MW_E_NOTFOUND)
		r = try_host(s, DISCOVER_HOST, "autodiscover.");
	if (r == MW_E_NOTFOUND)
		r = try_redirect(s);
	if (r == MW_E_NOTFOUND)
		r = try_srv(s);
	if (r == MW_E_NOTFOUND && s->config->local_xml)
		r = try_local(s);
	return r;
}

int discover(struct arena *arena, const struct discover_config *config, struct autodiscover_found *out)
{
	const char *at = strrchr(config->address, '@');
	struct search s = {.arena = arena, .config = config, .address = config->address, .found = out};
	if (!at || at == config->address || !is_domain(at + 1))
		return MW_E_INVALID;
	s.domain = at + 1;
	autodiscover_init();
	if (config->server)
		return ask(&s, DISCOVER_SERVER, arena_printf(arena, "https://%s" PATH, config->server), true);
	return look(&s);
}
