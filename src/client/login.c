#include "client/login.h"

#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What we tell the server our machine is called: the host name's first label in capitals, as Windows does. */
static char *own_name(void)
{
	char name[64] = "";
	if (gethostname(name, sizeof name - 1) != 0)
		name[0] = 0;
	name[strcspn(name, ".")] = 0;
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	name[15] = 0;
	return strdup(name);
}

/* A copy of a text that may be missing; *ok is cleared when memory is. */
static char *copy(const char *text, bool *ok)
{
	char *p = text ? strdup(text) : NULL;
	*ok = *ok && (p || !text);
	return p;
}

/* The realm that was named; else what looks like one in place of the domain: DEMO.TEST\alice, alice@demo.test. */
static char *realm_of(const struct mapiwire_options *o, const char *domain, bool *ok)
{
	if (o->realm || !strchr(domain, '.'))
		return copy(o->realm, ok);
	char *realm = copy(domain, ok);
	for (char *p = realm; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return realm;
}

/* Kerberos wants the two parts of alice@demo.test apart; NTLM takes it as it is. */
static void split_user(struct client_login *l, const struct mapiwire_options *o, bool *ok)
{
	const char *user = o->user ? o->user : "", *domain = o->domain ? o->domain : "";
	const char *at = *domain || l->type == AUTH_NTLM ? NULL : strchr(user, '@');
	l->domain = copy(at ? at + 1 : domain, ok);
	l->user = at ? strndup(user, (size_t)(at - user)) : copy(user, ok);
	*ok = *ok && l->user;
	if (l->domain)
		l->realm = realm_of(o, l->domain, ok);
}

static enum auth_type type_of(const struct mapiwire_options *o)
{
	static const enum auth_type types[] = {AUTH_NTLM, AUTH_NTLM, AUTH_KERBEROS, AUTH_SPNEGO};
	bool tickets = o->ccache || !o->password;
	if (o->auth == MAPIWIRE_AUTH_DEFAULT && tickets && auth_ticket_owner(o->ccache, (char[256]){0}) == 0)
		return AUTH_SPNEGO;
	return types[o->auth];
}

struct client_login *client_login_new(const struct mapiwire_options *o)
{
	struct client_login *l = (struct client_login *)calloc(1, sizeof *l);
	bool ok = true;
	if (!l)
		return NULL;
	atomic_init(&l->references, 1);
	l->type = type_of(o);
	split_user(l, o, &ok);
	/* Without a password NTLM still has an empty one: anonymous. */
	l->password = copy(o->password || l->type != AUTH_NTLM ? o->password : "", &ok);
	l->workstation = own_name();
	l->ccache = copy(o->ccache, &ok);
	l->service = copy(o->service, &ok);
	l->host = copy(o->host, &ok);
	if (!ok || !l->workstation)
		client_login_unref(&l);
	return l;
}

struct client_login *client_login_for(const struct client_login *l, const char *host)
{
	struct client_login *n = (struct client_login *)calloc(1, sizeof *n);
	bool ok = true;
	if (!n)
		return NULL;
	atomic_init(&n->references, 1);
	n->type = l->type;
	n->domain = copy(l->domain, &ok);
	n->user = copy(l->user, &ok);
	n->password = copy(l->password, &ok);
	n->workstation = copy(l->workstation, &ok);
	n->ccache = copy(l->ccache, &ok);
	n->realm = copy(l->realm, &ok);
	n->service = copy(l->service, &ok);
	n->host = copy(host, &ok);
	if (!ok)
		client_login_unref(&n);
	return n;
}

struct client_login *client_login_ref(struct client_login *l)
{
	atomic_fetch_add(&l->references, 1);
	return l;
}

void client_login_unref(struct client_login **login)
{
	struct client_login *l = *login;
	*login = NULL;
	if (!l || atomic_fetch_sub(&l->references, 1) > 1)
		return;
	if (l->password)
		secret_wipe(l->password, strlen(l->password));
	free(l->domain);
	free(l->user);
	free(l->password);
	free(l->workstation);
	free(l->ccache);
	free(l->realm);
	free(l->service);
	free(l->host);
	free(l);
}

/* ---- The first leg ---- */

/* [MS-OXCRPC] 2.1, [MS-OXNSPI] 2.1: a class of its own for each service of Exchange. */
static char *target_of(const struct client_login *l, const char *service_class, const char *host)
{
	char *text = NULL;
	int n;
	if (l->service && !host)
		n = l->realm && !strchr(l->service, '@') ? asprintf(&text, "%s@%s", l->service, l->realm)
		                                         : asprintf(&text, "%s", l->service);
	else
		n = l->realm ? asprintf(&text, "%s/%s@%s", service_class, host ? host : l->host, l->realm)
		             : asprintf(&text, "%s/%s", service_class, host ? host : l->host);
	return n < 0 ? NULL : text;
}

int client_leg_new(struct client_login *login, const char *service_class, const char *host, enum auth_level level,
                   struct client_leg **out)
{
	struct client_leg *leg = (struct client_leg *)calloc(1, sizeof *leg);
	char *target = target_of(login, service_class, host);
	if (!leg || !target) {
		free(leg);
		free(target);
		return MW_E_NOMEM;
	}
	leg->login = client_login_ref(login);
	leg->type = login->type;
	leg->target = target;
	/* Who asks for call gets packet, [MS-RPCE] 2.2.1.1.8; Windows' server refuses the former. */
	leg->level = level == AUTH_LEVEL_CALL ? AUTH_LEVEL_PACKET : level;
	leg->config = (struct auth_client_config){
	        .domain = login->domain,
	        .user = *login->user || login->type == AUTH_NTLM ? login->user : NULL,
	        .password = login->ccache ? NULL : login->password,
	        .workstation = login->workstation,
	        .target = target,
	        .ccache = login->ccache,
	        .realm = login->realm,
	        .kerberos = true,
	};
	*out = leg;
	return 0;
}

void client_leg_step(struct client_leg *leg, struct cursor in)
{
	const struct auth_env env = {.now_ns = time_now_ns(),
	                             .random = &random_system,
	                             .binding = leg->binding,
	                             .binding_len = leg->binding_len};
	buf_clear(&leg->token);
	leg->result = auth_step(leg->auth, &env, in, &leg->token, &leg->status);
}

void client_leg_run(void *work)
{
	struct client_leg *leg = (struct client_leg *)work;
	leg->result = auth_client_new(leg->type, leg->level, &leg->config, &leg->auth);
	if (leg->result == 0)
		client_leg_step(leg, cursor_of(NULL, 0));
}

void client_leg_drop(void *work)
{
	struct client_leg *leg = (struct client_leg *)work;
	if (!leg)
		return;
	auth_free(&leg->auth);
	buf_free(&leg->token);
	client_login_unref(&leg->login);
	free(leg->target);
	free(leg);
}
