#include "causes/causes.h"
#include "cli/walk.h"

#include <stdio.h>
#include <string.h>

/* Which ways there are, and which of them are walked. */

const char *const walk_transports[3] = {"tcp", "rpc-http", "mapi-http"};
const char *const walk_way_names[3] = {"RPC over TCP", "RPC over HTTP", "MAPI over HTTP"};
const enum mapiwire_transport walk_order[3] = {MAPIWIRE_MAPI_HTTP, MAPIWIRE_TCP, MAPIWIRE_RPC_HTTP};

/* "TLS1.3" by GnuTLS */
const char *walk_tls_name(const struct mapiwire_web_report *seen, char out[16])
{
	if (!seen->tls)
		return "no TLS";
	snprintf(out, 16, "TLS %.8s", strncmp(seen->tls, "TLS", 3) == 0 ? seen->tls + 3 : seen->tls);
	return out;
}

const char *walk_auth_name(const char *auth)
{
	return strcmp(auth, "ntlm") == 0       ? "NTLM"
	       : strcmp(auth, "kerberos") == 0 ? "Kerberos"
	       : strcmp(auth, "basic") == 0    ? "Basic"
	                                       : auth;
}

void walk_complete(struct walk_way *way, enum mapiwire_transport transport, const char *host)
{
	way->transport = transport;
	way->offered = true;
	way->host = host;
	way->web_host = transport != MAPIWIRE_TCP && way->web.host ? way->web.host : host;
	way->web_port = way->web.port ? way->web.port : way->web.plain ? 80 : 443;
}

static int not_offered(const char *command, const struct walk *w)
{
	char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE], detail[CAUSE_TEXT_SIZE];
	enum mapiwire_transport wanted = w->r->transport ? w->r->carried : MAPIWIRE_TCP;
	enum cause cause = wanted == MAPIWIRE_TCP ? CAUSE_NO_TCP : CAUSE_NOT_OFFERED;
	snprintf(detail, sizeof detail, "%.200s%s%s", w->r->host, cause == CAUSE_NO_TCP ? "" : " without ",
	         cause == CAUSE_NO_TCP ? "" : walk_way_names[wanted]);
	cause_explain(cause, &(struct cause_about){.detail = detail}, sentence, attempt);
	return cli_fail(command, cause_get(cause)->exit_code, "%s %s", sentence, attempt);
}

static bool is_wanted(const struct walk *w, const struct walk_way *way, bool from_address, bool already)
{
	if (w->all)
		return way->offered;
	if (w->r->transport)
		return way->offered && way->transport == w->r->carried;
	return from_address ? way->offered && !already : way->transport == MAPIWIRE_TCP;
}

int walk_choose(const char *command, struct walk *w, bool from_address)
{
	struct cli_remote *r = w->r;
	w->way = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(walk_order); i++) {
		struct walk_way *way = &w->ways[walk_order[i]];
		way->wanted = is_wanted(w, way, from_address, w->way != NULL);
		if (way->wanted && !w->way)
			w->way = way;
	}
	if (!w->way)
		return not_offered(command, w);
	r->carried = w->way->transport;
	r->host = (char *)(uintptr_t)w->way->host;
	r->web = w->way->web;
	return 0;
}

/* What belongs to something else that is not there. */
static int check_options(const char *command, const struct walk *w)
{
	const struct cli_remote *r = w->r;
	bool web = r->proxy || r->http_auth || r->web.plain || r->web.ca_file || r->web.insecure || r->web.key_log ||
	           r->web.path || r->web.principal;
	if (w->server || w->local_xml || w->ldap)
		return cli_usage(command, "--server, --ldap and --local-xml go with a mail ADDRESS.");
	if (w->https_port && !w->all)
		return cli_usage(command, "--https-port goes with --all; else it is HOST:PORT with a --transport.");
	if (web && !w->all && r->carried == MAPIWIRE_TCP)
		return cli_usage(command,
		                 "options of HTTP (--ca-file, --insecure, --proxy and such) go with a mail ADDRESS, "
		                 "--all, or --transport rpc-http or mapi-http.");
	return 0;
}

int walk_settle(const char *command, struct cli_remote *r, const char *password)
{
	struct walk *w = (struct walk *)r->finder;
	(void)password;
	if (w->all && r->transport)
		return cli_usage(command, "--all and --transport %s exclude each other.", r->transport);
	int code = check_options(command, w);
	/* HOST:PORT is the web server's where nothing but that is asked. */
	if (code == 0 && r->carried != MAPIWIRE_TCP) {
		r->web.port = r->epm_port;
		r->epm_port = 0;
	}
	if (code == 0 && w->https_port)
		r->web.port = w->https_port;
	if (code == 0)
		code = cli_remote_proxy(command, r);
	if (code != 0)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(w->ways); i++) {
		w->ways[i].web = r->web;
		walk_complete(&w->ways[i], (enum mapiwire_transport)i, r->host);
	}
	return walk_choose(command, w, false);
}
