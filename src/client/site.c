#include "client/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_CA ((size_t)4 << 20)
#define DEFAULT_LIFETIME UINT32_C(0x40000000) /* as Outlook's */

static char *copy(const char *text, bool *ok)
{
	char *p = text ? strdup(text) : NULL;
	*ok = *ok && (p || !text);
	return p;
}

/* host, and the port where it is not the scheme's own (RFC 9110 7.2); an IPv6 address in brackets. */
static char *authority_of(const char *host, uint16_t port, bool tls)
{
	char *text = NULL;
	bool v6 = strchr(host, ':') != NULL;
	const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
	int n = port == (tls ? 443 : 80) ? asprintf(&text, "%s%s%s", open, host, close)
	                                 : asprintf(&text, "%s%s%s:%u", open, host, close, port);
	return n < 0 ? NULL : text;
}

/* Autodiscover writes principals as "msstd:mail.demo.test", [MS-OXDSCLI] CertPrincipalName. */
static const char *proof(const char *principal, const char *host)
{
	if (!principal || !*principal)
		return host;
	return strncasecmp(principal, "msstd:", 6) == 0 ? principal + 6 : principal;
}

static int read_ca(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	uint8_t *p;
	if (fd < 0)
		return MAPIWIRE_E_FILE;
	do {
		p = out->len < MOST_CA ? buf_extend(out, 65536) : NULL;
		n = p ? read(fd, p, 65536) : -1;
		out->len -= p ? 65536 - (size_t)(n > 0 ? n : 0) : 0;
	} while (n > 0);
	int error = p ? errno : EFBIG;
	close(fd);
	errno = error;
	return n == 0 ? 0 : MAPIWIRE_E_FILE;
}

static int load_roots(struct client_site *s, const char *ca_file)
{
	struct buf pem MW_CLEANUP(buf_free) = {0};
	if (!s->tls || s->insecure)
		return 0;
	int r = ca_file ? read_ca(ca_file, &pem) : 0;
	if (r == 0)
		r = tls_roots_load(ca_file ? pem.data : NULL, pem.len, &s->roots);
	return r == MW_E_INVALID ? MAPIWIRE_E_ARGUMENT : r == MW_E_NOMEM ? MAPIWIRE_E_MEMORY : r;
}

static int open_files(struct client_site *s, const struct mapiwire_web *web)
{
	int r = load_roots(s, web->ca_file);
	if (r != 0 || !web->key_log)
		return r;
	s->key_log = open(web->key_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return s->key_log < 0 ? MAPIWIRE_E_FILE : 0;
}

static int copy_texts(struct client_site *s, const char *host, const char *name, const char *path)
{
	bool ok = true;
	s->host = copy(host, &ok);
	s->name = copy(name, &ok);
	s->path = copy(path, &ok);
	s->authority = authority_of(host, s->port, s->tls);
	return ok && s->authority ? 0 : MAPIWIRE_E_MEMORY;
}

static int copy_mapi_paths(struct client_site *s, const char *store, const char *book)
{
	bool ok = true;
	s->mapi_paths[0] = copy(store, &ok);
	s->mapi_paths[1] = copy(book, &ok);
	return ok ? 0 : MAPIWIRE_E_MEMORY;
}

int client_site_new(const struct mapiwire_options *o, struct client_site **out)
{
	const struct mapiwire_web *web = &o->web;
	const char *host = web->host ? web->host : o->host;
	*out = NULL;
	if (o->transport == MAPIWIRE_TCP)
		return 0;
	struct client_site *s = (struct client_site *)calloc(1, sizeof *s);
	if (!s)
		return MAPIWIRE_E_MEMORY;
	s->tls = !web->plain;
	s->insecure = web->insecure;
	s->port = web->port ? web->port : s->tls ? 443 : 80;
	s->wanted = s->known = web->auth;
	s->lifetime = web->channel_bytes ? web->channel_bytes : DEFAULT_LIFETIME;
	s->key_log = -1;
	int r = copy_texts(s, host, proof(web->principal, host), web->path);
	if (r == 0)
		r = copy_mapi_paths(s, web->store_path, web->book_path);
	if (r == 0)
		r = open_files(s, web);
	if (r != 0)
		client_site_free(&s);
	else
		*out = s;
	return r;
}

int client_site_for(const struct client_site *from, const char *host, struct client_site **out)
{
	struct client_site *s = (struct client_site *)calloc(1, sizeof *s);
	if (!s)
		return MAPIWIRE_E_MEMORY;
	s->tls = from->tls;
	s->insecure = from->insecure;
	s->port = from->port;
	s->wanted = from->wanted;
	s->lifetime = from->lifetime;
	s->known = host ? from->wanted : from->known;
	s->key_log = from->key_log < 0 ? -1 : fcntl(from->key_log, F_DUPFD_CLOEXEC, 0);
	int r = copy_texts(s, host ? host : from->host, host ? host : from->name, from->path);
	if (r == 0)
		r = copy_mapi_paths(s, from->mapi_paths[0], from->mapi_paths[1]);
	s->roots = from->roots ? tls_roots_ref(from->roots) : NULL;
	if (r != 0)
		client_site_free(&s);
	else
		*out = s;
	return r;
}

void client_site_free(struct client_site **site)
{
	struct client_site *s = TAKE_PTR(*site);
	if (!s)
		return;
	if (s->key_log >= 0)
		close(s->key_log);
	tls_roots_unref(&s->roots);
	free(s->host);
	free(s->authority);
	free(s->name);
	free(s->path);
	free(s->mapi_paths[0]);
	free(s->mapi_paths[1]);
	free(s);
}
