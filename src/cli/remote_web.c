#include "cli/remote.h"

#include <string.h>

/* The options of transports over HTTP. */

static int word_of(const char *const *words, unsigned first, unsigned count, const char *word, unsigned *out)
{
	for (unsigned i = first; i < count; i++)
		if (strcmp(words[i], word) == 0) {
			*out = i;
			return 0;
		}
	return MW_E_INVALID;
}

static int read_words(const char *command, struct cli_remote *r)
{
	static const char *const transports[] = {
	        [MAPIWIRE_TCP] = "tcp",
	        [MAPIWIRE_RPC_HTTP] = "rpc-http",
	        [MAPIWIRE_MAPI_HTTP] = "mapi-http",
	};
	static const char *const auths[] = {
	        [MAPIWIRE_WEB_AUTH_DEFAULT] = "",
	        [MAPIWIRE_WEB_AUTH_NONE] = "none",
	        [MAPIWIRE_WEB_AUTH_BASIC] = "basic",
	        [MAPIWIRE_WEB_AUTH_NTLM] = "ntlm",
	        [MAPIWIRE_WEB_AUTH_NEGOTIATE] = "negotiate",
	};
	unsigned n = 0;
	if (r->transport && word_of(transports, 0, ARRAY_SIZE(transports), r->transport, &n) < 0)
		return cli_usage(command, "--transport is tcp, rpc-http or mapi-http, not '%s'.", r->transport);
	r->carried = (enum mapiwire_transport)n;
	n = 0;
	if (r->http_auth && word_of(auths, 1, ARRAY_SIZE(auths), r->http_auth, &n) < 0)
		return cli_usage(command, "--http-auth is none, basic, ntlm or negotiate, not '%s'.", r->http_auth);
	r->web.auth = (enum mapiwire_web_auth)n;
	return 0;
}

int cli_remote_proxy(const char *command, struct cli_remote *r)
{
	char *proxy = NULL;
	if (r->proxy && cli_split_host(r->arena, r->proxy, &proxy, &r->web.port) < 0)
		return cli_usage(command, "'%s' is no HOST or HOST:PORT of a proxy.", r->proxy);
	if (proxy)
		r->web.host = proxy;
	return 0;
}

int cli_remote_web(const char *command, struct cli_remote *r)
{
	int code = read_words(command, r);
	if (code != 0)
		return code;
	if (r->ways)
		return 0;
	bool given = r->proxy || r->http_auth || r->web.plain || r->web.ca_file || r->web.insecure || r->web.key_log ||
	             r->web.path || r->web.principal;
	if (r->carried == MAPIWIRE_TCP)
		return given ? cli_usage(command,
		                         "--proxy, --proxy-path, --http-auth, --plain-http, --ca-file, --insecure, "
		                         "--principal and --tls-key-log go with --transport rpc-http or mapi-http.")
		             : 0;
	/* HOST:PORT names the web server then, unless --proxy does. */
	r->web.port = r->epm_port;
	r->epm_port = 0;
	return cli_remote_proxy(command, r);
}
