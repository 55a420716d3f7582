#include "base/text.h"
#include "base/time.h"
#include "causes/causes.h"
#include "cli/walk.h"
#include "discover/discover.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* From a mail address to the server that the walk goes to: Autodiscover, each try told. */

#define DEFAULT_TIMEOUT_NS (INT64_C(10) * NS_PER_S)

static void put_try_json(struct buf *out, const struct discover_try *t)
{
	buf_put_str(out, "{\"step\":0");
	cli_json_text(out, "name", "autodiscover");
	cli_json_text(out, "where", t->where);
	cli_json_text(out, "what", t->what);
	cli_json_ms(out, "ms", t->ns);
	cli_json_text(out, "result", t->found ? "ok" : "failed");
	buf_put_str(out, "}\n");
}

static void put_try(struct buf *out, bool colored, const struct discover_try *t)
{
	long long ms = (long long)((t->ns + NS_PER_MS / 2) / NS_PER_MS);
	buf_put_str(out, "0 ");
	cli_put_cell(out, colored, CLI_GREEN, "autodiscover", 14, false);
	text_put_terminal(out, t->where);
	buf_put_str(out, "\n                ");
	cli_put_cell(out, false, CLI_PLAIN, t->what, 44, false);
	buf_printf(out, "%7lld ms  ", ms > 0 ? ms : 1);
	cli_put(out, colored, t->found ? CLI_GREEN : CLI_GREY, t->found ? "ok" : "no");
	buf_put_u8(out, '\n');
}

static void on_try(void *user, const struct discover_try *t)
{
	const struct walk *w = (const struct walk *)user;
	struct buf out MW_CLEANUP(buf_free) = {0};
	if (w->r->json)
		put_try_json(&out, t);
	else
		put_try(&out, w->r->colored, t);
	cli_write(&out);
}

/* What was found, by protocol. */
static void put_found(const struct walk *w, const struct autodiscover_found *found)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	for (unsigned i = 0; i < found->protocol_count; i++) {
		const struct autodiscover_protocol *p = &found->protocols[i];
		const char *where = p->server ? p->server : p->mail_store;
		if (!where)
			continue;
		if (w->r->json) {
			buf_put_str(&out, "{\"step\":0");
			cli_json_text(&out, "name", "autodiscover");
			cli_json_text(&out, "protocol", p->type);
			cli_json_text(&out, "server", where);
			buf_put_str(&out, "}\n");
		} else {
			buf_put_str(&out, "                ");
			cli_put_cell(&out, false, CLI_PLAIN, p->type, 9, false);
			text_put_terminal(&out, where);
			buf_put_u8(&out, '\n');
		}
	}
	cli_write(&out);
}

/* ---- As ways ---- */

/* "https://host:port/path?query" into its web server and target; false: it is no such URL. */
static bool read_url(struct arena *arena, const char *url, struct mapiwire_web *web, const char **target)
{
	static const char scheme[] = "https://";
	char *host = NULL;
	uint16_t port = 0;
	if (!url || strncasecmp(url, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *rest = url + sizeof scheme - 1;
	size_t len = strcspn(rest, "/?#");
	char *authority = memchr(rest, '@', len) ? NULL : arena_strndup(arena, rest, len);
	if (!authority || rest[len] != '/' || cli_split_host(arena, authority, &host, &port) < 0)
		return false;
	web->host = host;
	web->port = port;
	web->plain = false;
	*target = rest + len;
	return true;
}

static void take_mapi(struct walk *w, const struct autodiscover_protocol *p)
{
	struct walk_way *way = &w->ways[MAPIWIRE_MAPI_HTTP];
	struct mapiwire_web web = w->r->web, book = w->r->web;
	const char *target;
	if (way->offered || !read_url(w->r->arena, p->mail_store, &web, &target))
		return;
	web.store_path = target;
	if (read_url(w->r->arena, p->address_book, &book, &target)) {
		book.book_path = target;
		if (text_casecmp(book.host, web.host) == 0 && book.port == web.port)
			web.book_path = target;
		else
			way->book_web = book;
	}
	way->web = web;
	walk_complete(way, MAPIWIRE_MAPI_HTTP, web.host);
}

/* server: of RPC, behind the proxy; NULL: the proxy is it as well. */
static void take_proxy(struct walk *w, const struct autodiscover_protocol *p, const char *server)
{
	struct walk_way *way = &w->ways[MAPIWIRE_RPC_HTTP];
	char *host = NULL;
	uint16_t port = 0;
	if (way->offered || !p->server || cli_split_host(w->r->arena, p->server, &host, &port) < 0)
		return;
	way->web = w->r->web;
	if (!w->r->proxy) {
		way->web.host = host;
		way->web.port = port;
	}
	if (!way->web.principal)
		way->web.principal = p->principal;
	walk_complete(way, MAPIWIRE_RPC_HTTP, server ? server : host);
}

static void take_found(struct walk *w, const struct autodiscover_found *found)
{
	const char *exch = NULL;
	for (unsigned i = 0; i < found->protocol_count; i++)
		if (strcmp(found->protocols[i].type, "EXCH") == 0 && found->protocols[i].server && !exch)
			exch = found->protocols[i].server;
	for (unsigned i = 0; i < found->protocol_count; i++) {
		const struct autodiscover_protocol *p = &found->protocols[i];
		if (strcmp(p->type, "mapiHttp") == 0)
			take_mapi(w, p);
		if (strcmp(p->type, "EXPR") == 0)
			take_proxy(w, p, exch);
	}
	if (exch)
		walk_complete(&w->ways[MAPIWIRE_TCP], MAPIWIRE_TCP, exch);
}

static int fail(const char *command, enum cause cause, const char *detail)
{
	char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
	cause_explain(cause, &(struct cause_about){.detail = detail}, sentence, attempt);
	return cli_fail(command, cause_get(cause)->exit_code, "%s %s", sentence, attempt);
}

/* libcurl's GSSAPI knows the process's cache alone. No other thread runs yet. */
static int take_tickets(const char *command, const struct cli_remote *r)
{
	if (r->web.insecure)
		return cli_usage(command,
		                 "with tickets Autodiscover needs a certificate that can be verified (--ca-file), "
		                 "not --insecure.");
	if (r->ccache && setenv("KRB5CCNAME", r->ccache, 1) != 0)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	return 0;
}

int walk_discover(const char *command, struct cli_remote *r, const char *password)
{
	struct walk *w = (struct walk *)r->finder;
	struct autodiscover_found found;
	struct discover_config config = {
	        .address = r->host,
	        .server = w->server,
	        .local_xml = w->local_xml,
	        .ldap = w->ldap,
	        .ca_file = r->web.ca_file,
	        .insecure = r->web.insecure,
	        .domain = r->domain,
	        .user = r->name,
	        .password = password,
	        .tickets = password == NULL,
	        .timeout_ns = r->timeout_ns ? r->timeout_ns : DEFAULT_TIMEOUT_NS,
	        .tried = on_try,
	        .told = w,
	};
	if (w->all && r->transport)
		return cli_usage(command, "--all and --transport %s exclude each other.", r->transport);
	if (w->https_port)
		return cli_usage(command, "--https-port goes with a HOST; Autodiscover names its own.");
	int code = cli_remote_proxy(command, r);
	if (code == 0 && !password)
		code = take_tickets(command, r);
	if (code != 0)
		return code;
	int e = discover(r->arena, &config, &found);
	if (e == MW_E_INVALID)
		return cli_usage(command, "'%s' is no mail address.", r->host);
	if (e == MW_E_AUTH)
		return password ? fail(command, CAUSE_CREDENTIALS_REFUSED, "")
		                : fail(command, CAUSE_AUTODISCOVER_TICKET_REFUSED, "");
	if (e != 0)
		return fail(command, CAUSE_NO_AUTODISCOVER, r->host);
	put_found(w, &found);
	take_found(w, &found);
	if (!w->mailbox && found.dn)
		w->mailbox = found.dn;
	return walk_choose(command, w, true);
}
