#include "base/time.h"
#include "client/private.h"
#include "client/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 10000

const char client_setting_book[] = "--rfr-port, --nspi-port; Exchange 2010: MSExchangeAB RpcTcpPort";
const char client_setting_store[] = "--store-port; Exchange 2010: MSExchangeRPC TCP/IP Port";

static int copy_texts(struct mapiwire *m, const struct mapiwire_options *o)
{
	int r = client_site_new(o, &m->site);
	if (r != 0)
		return r;
	m->host = strdup(m->site ? m->site->host : o->host);
	m->login = client_login_new(o);
	return m->host && m->login ? 0 : MAPIWIRE_E_MEMORY;
}

static int open_capture(struct mapiwire *m, const char *path)
{
	if (!path || capture_create(path, &m->capture) == 0)
		return 0;
	m->capture = NULL;
	return MAPIWIRE_E_FILE;
}

void mapiwire_set_timeout(struct mapiwire *m, unsigned timeout_ms)
{
	m->timeout_ns = (int64_t)(timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS) * NS_PER_MS;
}

int mapiwire_new(const struct mapiwire_options *o, struct mapiwire **out)
{
	if (!o->host || !*o->host || o->level > MAPIWIRE_LEVEL_PRIVACY || o->auth > MAPIWIRE_AUTH_NEGOTIATE ||
	    o->transport > MAPIWIRE_MAPI_HTTP)
		return MAPIWIRE_E_ARGUMENT;
	struct mapiwire *m = (struct mapiwire *)calloc(1, sizeof *m);
	if (!m)
		return MAPIWIRE_E_MEMORY;
	m->transport = o->transport;
	m->mapper_port = o->mapper_port ? o->mapper_port : 135;
	snprintf(m->mapper_text, sizeof m->mapper_text, "%u", m->mapper_port);
	mapiwire_set_timeout(m, o->timeout_ms);
	m->level = o->level ? (enum auth_level)o->level : AUTH_LEVEL_PRIVACY;
	m->wake = -1;
	m->said = &m->own;
	client_no_error(m);
	int r = copy_texts(m, o);
	if (r == 0)
		r = open_capture(m, o->capture);
	if (r != 0)
		(void)mapiwire_free(&m);
	else
		*out = m;
	return r;
}

/* Of the same user, with its options but for the web server; writes into its capture. NULL: out of memory. */
static struct mapiwire *derive(struct mapiwire *m, enum mapiwire_transport transport, const char *host)
{
	struct mapiwire *n = (struct mapiwire *)calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->transport = transport;
	n->mapper_port = m->mapper_port;
	snprintf(n->mapper_text, sizeof n->mapper_text, "%s", m->mapper_text);
	n->timeout_ns = m->timeout_ns;
	n->level = m->level;
	n->wake = -1;
	n->said = &n->own;
	client_no_error(n);
	n->capture = m->capture;
	n->capture_is_shared = true;
	n->login = client_login_for(m->login, host);
	if (!n->login)
		(void)mapiwire_free(&n);
	return n;
}

/* r: whether its site could be made. */
static int finish(struct mapiwire *n, const char *host, int r, struct mapiwire **out)
{
	if (r == 0)
		n->host = strdup(n->site ? n->site->host : host);
	if (r == 0 && !n->host)
		r = MAPIWIRE_E_MEMORY;
	if (r != 0)
		(void)mapiwire_free(&n);
	else
		*out = n;
	return r;
}

int mapiwire_new_for(struct mapiwire *m, const char *host, struct mapiwire **out)
{
	if (!host || !*host)
		return MAPIWIRE_E_ARGUMENT;
	struct mapiwire *n = derive(m, m->transport, host);
	if (!n)
		return MAPIWIRE_E_MEMORY;
	/* A server of RPC over HTTP is behind the same proxy. */
	int r = m->site ? client_site_for(m->site, m->transport == MAPIWIRE_RPC_HTTP ? NULL : host, &n->site) : 0;
	return finish(n, host, r, out);
}

int mapiwire_new_over(struct mapiwire *m, const char *host, enum mapiwire_transport transport,
                      const struct mapiwire_web *web, struct mapiwire **out)
{
	if (!host || !*host || transport > MAPIWIRE_MAPI_HTTP)
		return MAPIWIRE_E_ARGUMENT;
	struct mapiwire *n = derive(m, transport, host);
	if (!n)
		return MAPIWIRE_E_MEMORY;
	const struct mapiwire_options o = {.host = host, .transport = transport, .web = *web};
	return finish(n, host, client_site_new(&o, &n->site), out);
}

int mapiwire_free(struct mapiwire **client)
{
	struct mapiwire *m = *client;
	if (!m)
		return 0;
	if (m->running)
		return MAPIWIRE_E_ARGUMENT;
	client_tasks_end(m);
	*client = NULL;
	while (m->conns) {
		struct client_conn *c = m->conns;
		client_close(&c);
	}
	while (m->webs) {
		struct client_web *w = m->webs;
		client_web_close(&w);
	}
	client_asides_free(m);
	int r = m->capture && !m->capture_is_shared ? capture_finish(&m->capture) : 0;
	if (m->wake >= 0)
		close(m->wake);
	client_login_unref(&m->login);
	client_site_free(&m->site);
	for (size_t i = 0; i < ARRAY_SIZE(m->stale); i++)
		free(m->stale[i]);
	free(m->host);
	free(m);
	return r < 0 ? MAPIWIRE_E_FILE : 0;
}

const char *mapiwire_auth_used(const struct mapiwire *m)
{
	return auth_type_name(m->mechanism);
}

int mapiwire_ticket_owner(const char *ccache, char owner[256])
{
	return auth_ticket_owner(ccache, owner) == 0 ? 0 : MAPIWIRE_E_NOTFOUND;
}
