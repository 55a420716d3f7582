#include "discover/scp.h"

#include "base/error.h"
#include "base/text.h"

#include <ldap.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#define MOST_ENTRIES 64
#define MOST_TEXT 512

/* [MS-OXDISCO] 2.2.1.2: the keyword of a service's URL, and that of a pointer to another directory. */
#define URL_KEYWORD "77378F46-2C66-4aa9-A6A6-3E7A48B19596"
#define POINTER_KEYWORD "67661d7F-8FC4-4fa7-BFAC-E1D7794C1F68"
static const char filter[] =
        "(&(objectClass=serviceConnectionPoint)(|(keywords=" POINTER_KEYWORD ")(keywords=" URL_KEYWORD ")))";

static char binding[] = "serviceBindingInformation", keywords[] = "keywords";
static char configuration[] = "configurationNamingContext", contexts[] = "namingContexts";

struct search {
	struct arena *arena;
	const struct scp_query *query;
	struct scp_answer *out;
	LDAP *ldap;
	bool tls;
};

static int fail(const struct search *s, int error, int code, const char *what)
{
	s->out->why = what ? what : arena_strdup(s->arena, ldap_err2string(code));
	return error;
}

/* ---- The connection ---- */

static void set_options(const struct search *s)
{
	const struct scp_query *q = s->query;
	int version = LDAP_VERSION3, certificate = q->insecure ? LDAP_OPT_X_TLS_NEVER : LDAP_OPT_X_TLS_DEMAND,
	    client = 0;
	struct timeval limit = {.tv_sec = q->timeout_ns / 1000000000, .tv_usec = q->timeout_ns / 1000 % 1000000};
	ldap_set_option(s->ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
	ldap_set_option(s->ldap, LDAP_OPT_NETWORK_TIMEOUT, &limit);
	ldap_set_option(s->ldap, LDAP_OPT_TIMEOUT, &limit);
	/* A referral could lead anywhere. */
	ldap_set_option(s->ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	ldap_set_option(s->ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &certificate);
	if (q->ca_file)
		ldap_set_option(s->ldap, LDAP_OPT_X_TLS_CACERTFILE, q->ca_file);
	ldap_set_option(s->ldap, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static int open_ldap(struct search *s)
{
	const char *uri = s->query->uri;
	/* Not what else libldap knows, such as a socket of this machine's: a directory may have named it. */
	bool known = strncasecmp(uri, "ldap://", 7) == 0 || strncasecmp(uri, "ldaps://", 8) == 0;
	int code = known ? ldap_initialize(&s->ldap, uri) : LDAP_PARAM_ERROR;
	if (code != LDAP_SUCCESS)
		return fail(s, MW_E_INVALID, code, "no address of a directory: ldap://HOST or ldaps://HOST");
	set_options(s);
	s->tls = strncasecmp(uri, "ldaps:", 6) == 0;
	return 0;
}

static void close_ldap(struct search *s)
{
	if (s->ldap)
		ldap_unbind_ext_s(s->ldap, NULL, NULL);
	s->ldap = NULL;
}

/* A server that does not know StartTLS says so and goes on in the clear, where it is given no password. */
static int begin_tls(struct search *s)
{
	if (s->tls)
		return 0;
	int code = ldap_start_tls_s(s->ldap, NULL, NULL);
	s->tls = code == LDAP_SUCCESS;
	if (s->tls || code == LDAP_PROTOCOL_ERROR || code == LDAP_UNAVAILABLE || code == LDAP_UNWILLING_TO_PERFORM)
		return 0;
	return fail(s, MW_E_IO, code,
	            code == LDAP_SERVER_DOWN     ? "nothing answers there"
	            : code == LDAP_TIMEOUT       ? "no answer in time"
	            : code == LDAP_CONNECT_ERROR ? "its certificate is not trusted, or not its own"
	                                         : NULL);
}

static bool is_verified(const struct search *s)
{
	return s->tls && !s->query->insecure;
}

static int bind_simply(const struct search *s)
{
	const struct scp_query *q = s->query;
	const char *name = q->domain && *q->domain ? arena_printf(s->arena, "%s\\%s", q->domain, q->user) : q->user;
	struct berval password = {.bv_len = strlen(q->password), .bv_val = (char *)(uintptr_t)q->password};
	int code = ldap_sasl_bind_s(s->ldap, name, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
	if (code == LDAP_SUCCESS)
		return 0;
	return fail(s, code == LDAP_INVALID_CREDENTIALS ? MW_E_AUTH : MW_E_NOTFOUND, code, NULL);
}

/* ---- What stands there ---- */

static const char *text_of(const struct search *s, const struct berval *value)
{
	if (value->bv_len == 0 || value->bv_len > MOST_TEXT || memchr(value->bv_val, 0, value->bv_len))
		return NULL;
	return arena_strndup(s->arena, value->bv_val, value->bv_len);
}

/* The first value of that attribute which begins so ("" : any), behind its beginning; NULL: there is none. */
static const char *value_of(const struct search *s, LDAPMessage *entry, const char *attribute, const char *start)
{
	struct berval **values = ldap_get_values_len(s->ldap, entry, attribute);
	const char *found = NULL;
	for (unsigned i = 0; values && values[i] && !found; i++) {
		const char *text = text_of(s, values[i]);
		if (text && strncasecmp(text, start, strlen(start)) == 0)
			found = text + strlen(start);
	}
	ldap_value_free_len(values);
	return found;
}

static const char *base_of(const struct search *s)
{
	char *attributes[] = {configuration, contexts, NULL};
	LDAPMessage *result = NULL;
	const char *base = s->query->base;
	if (base)
		return base;
	if (ldap_search_ext_s(s->ldap, "", LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0, NULL, NULL, NULL, 1,
	                      &result) == LDAP_SUCCESS) {
		LDAPMessage *entry = ldap_first_entry(s->ldap, result);
		for (unsigned i = 0; entry && !base && attributes[i]; i++)
			base = value_of(s, entry, attributes[i], "");
	}
	ldap_msgfree(result);
	return base;
}

struct found {
	const char *plain[MOST_ENTRIES], *of_a_site[MOST_ENTRIES];
	unsigned plain_count, of_a_site_count;
	const char *pointer, *other_pointer; /* for this domain; for any */
};

static void take_entry(const struct search *s, LDAPMessage *entry, struct found *f)
{
	const char *where = value_of(s, entry, binding, "");
	const char *domain = value_of(s, entry, keywords, "domain=");
	if (!where)
		return;
	if (value_of(s, entry, keywords, POINTER_KEYWORD)) {
		if (domain && text_casecmp(domain, s->query->mail_domain) == 0)
			f->pointer = f->pointer ? f->pointer : where;
		else if (!domain)
			f->other_pointer = f->other_pointer ? f->other_pointer : where;
	} else if (value_of(s, entry, keywords, "site=")) {
		f->of_a_site[f->of_a_site_count++] = where;
	} else {
		f->plain[f->plain_count++] = where;
	}
}

/* Which site this machine is in nobody has told us: what is for all of them comes first. */
static int give_out(const struct search *s, const struct found *f)
{
	struct scp_answer *out = s->out;
	const char **urls = arena_new_array(s->arena, const char *, f->plain_count + f->of_a_site_count);
	if (!urls)
		return fail(s, MW_E_NOMEM, LDAP_NO_MEMORY, NULL);
	memcpy(urls, f->plain, f->plain_count * sizeof *urls);
	memcpy(urls + f->plain_count, f->of_a_site, f->of_a_site_count * sizeof *urls);
	out->urls = urls;
	out->count = f->plain_count + f->of_a_site_count;
	out->verified = is_verified(s);
	out->elsewhere = f->pointer ? f->pointer : out->count == 0 ? f->other_pointer : NULL;
	return out->count > 0 || out->elsewhere ? 0 : fail(s, MW_E_NOTFOUND, 0, "names no service");
}

/* NULL: libldap's own words. */
static const char *no_result(int code)
{
	switch (code) {
	case LDAP_SUCCESS:
		return "names no service";
	case LDAP_NO_SUCH_OBJECT: /* what may not be seen is not there, or (Active Directory) an error of operations */
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_OPERATIONS_ERROR:
		return "shows nothing to who has not logged on";
	default:
		return NULL;
	}
}

static int search_once(const struct search *s)
{
	char *attributes[] = {binding, keywords, NULL};
	struct timeval limit = {.tv_sec = s->query->timeout_ns / 1000000000 + 1};
	LDAPMessage *result = NULL;
	struct found f = {0};
	unsigned n = 0;
	const char *base = base_of(s);
	if (!base)
		return fail(s, MW_E_NOTFOUND, 0, "does not say where to look in it");
	int code = ldap_search_ext_s(s->ldap, base, LDAP_SCOPE_SUBTREE, filter, attributes, 0, NULL, NULL, &limit,
	                             MOST_ENTRIES, &result);
	for (LDAPMessage *e = ldap_first_entry(s->ldap, result); e && n < MOST_ENTRIES;
	     e = ldap_next_entry(s->ldap, e), n++)
		take_entry(s, e, &f);
	ldap_msgfree(result);
	if (n > 0)
		return give_out(s, &f);
	return fail(s, code == LDAP_TIMEOUT || code == LDAP_SERVER_DOWN ? MW_E_IO : MW_E_NOTFOUND, code,
	            no_result(code));
}

int scp_search(struct arena *arena, const struct scp_query *query, struct scp_answer *out)
{
	struct search s = {.arena = arena, .query = query, .out = out};
	*out = (struct scp_answer){0};
	int r = open_ldap(&s);
	if (r == 0)
		r = begin_tls(&s);
	if (r == 0)
		r = search_once(&s);
	if (r == MW_E_NOTFOUND && is_verified(&s) && query->user && query->password) {
		r = bind_simply(&s);
		if (r == 0)
			r = search_once(&s);
	}
	close_ldap(&s);
	return r;
}
