#include "base/time.h"
#include "cli/cli.h"
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const command = "serve";

const char serve_help[] =
        "Usage: mapiwire serve --state DIR [OPTIONS]\n\n"
        "Serves endpoint mapper, referral, address book and information store until SIGTERM.\n"
        "Add a first user with 'mapiwire user add'.\n\n"
        "  --state DIR          where users and mailboxes are kept\n"
        "  --listen ADDRESS     IP address to listen on; default 127.0.0.1, this machine alone\n"
        "  --host NAME          name that clients are told; default the address, or this host's name\n"
        "  --epm-port PORT      endpoint mapper; default 135, which needs root\n"
        "  --rfr-port PORT      referral; default any free port, which the mapper hands out\n"
        "  --nspi-port PORT     address book; likewise\n"
        "  --store-port PORT    information store; likewise\n"
        "  --https-port PORT    MAPI over HTTP and the rest of HTTP, in TLS; not served without this\n"
        "  --http-port PORT     the same without TLS, for a reverse proxy; not served without this\n"
        "  --monitor-port PORT  /healthz and /metrics for supervisors; not served without this\n"
        "  --tls-cert FILE, --tls-key FILE\n"
        "                       certificate and key in PEM, read anew when they change; without them a self-signed\n"
        "                       pair is made in the state directory\n"
        "  --trust-proxy ADDRESS[,ADDRESS...]\n"
        "                       believe what these say of their clients: X-Forwarded-For and -Proto\n"
        "  --channel-binding WORD\n"
        "                       optional (default): NTLM and Kerberos in TLS are refused when they are bound to\n"
        "                       another channel; required: when they are bound to none, too\n"
        "  --tls-key-log FILE   append the secrets of TLS, for a lens that is to read along\n"
        "  --encryption WORD    required (default): the store is open only to encrypted connections;\n"
        "                       optional: to all\n"
        "  --keytab FILE        keys of this server's Kerberos services; without it NTLM alone is offered.\n"
        "                       Read anew when it changes, and at SIGHUP\n"
        "  --ntlmv1             also take NTLMv1 from clients that know no better, with extended session\n"
        "                       security alone; a stolen answer of theirs gives the password away\n"
        "  --user NAME          become this user once the ports are bound; without it a server that root\n"
        "                       starts stays root\n"
        "  --no-seccomp         do without the filter that keeps the server from connecting anywhere and\n"
        "                       from starting programs\n"
        "  --connections N      most connections; default 16384. Who was silent longest makes room\n"
        "  --unauthenticated-memory MIB\n"
        "                       most that connections without a user may hold in all; default 256\n"
        "  --patience SECONDS   for a bind, a handshake, each PDU or body, and a peer that does not read; default 60\n"
        "  --wait-end SECONDS   a wait for news ends after this, news or not; default 300\n"
        "  --session-expiry SECONDS\n"
        "                       a session of MAPI over HTTP that nobody uses ends after this; default 900\n"
        "  --pending SECONDS    how often its clients hear that a request is still worked on; default 15\n"
        "  --block-clients LIST no store for these versions: 0.0.0-11.65535.65535;14.0.6126 (ranges or single ones)\n"
        "  --moved LIST         mailboxes that are on another server now: ACCOUNT=SERVER,...\n"
        "  --calls-per-second N store calls of one session; what is beyond is asked to come back later\n"
        "  --quota-warn MIB, --quota-send MIB, --quota-receive MIB\n"
        "                       what a mailbox may hold: clients are told of the first, beyond the second it\n"
        "                       sends nothing, beyond the third it takes nothing; default no bounds\n"
        "  --message-size MIB   largest message; default no bound\n"
        "  --sessions N         most sessions of one mailbox; default 1024\n"
        "  --objects N          most objects that one session has open; default 2048, at most 4096\n"
        "  --loops N            event loops; default one per core\n"
        "  --verbose, --quiet   more or less on standard error\n";

/* A signal handler can reach nothing but a global. */
static struct server *running;

static void on_signal(int number)
{
	if (running && number == SIGHUP)
		server_reload(running);
	else if (running)
		server_stop(running);
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Ports that are not opened unless asked for. */
static const struct web_port {
	enum server_port port;
	const char *option, *name;
} web_ports[] = {
        {SERVER_PORT_HTTPS, "https-port", "https"},
        {SERVER_PORT_HTTP, "http-port", "http"},
        {SERVER_PORT_MONITOR, "monitor-port", "monitor"},
};

static int parse_web_ports(const char *const text[], struct server_config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(web_ports); i++) {
		char *end = NULL;
		unsigned long v = text[i] ? strtoul(text[i], &end, 10) : 0;
		if (!text[i])
			config->no_ports |= (uint8_t)(1u << web_ports[i].port);
		else if (!*text[i] || *end || v > UINT16_MAX)
			return cli_usage(command, "--%s takes a port from 0 to 65535, not '%s'.", web_ports[i].option,
			                 text[i]);
		config->ports[web_ports[i].port] = (uint16_t)v;
	}
	return 0;
}

static void say_ready(const struct server *server, const struct server_config *config)
{
	printf("mapiwire serves on %s: mapper %u, rfr %u, nspi %u, store %u; encryption %s",
	       config->listen ? config->listen : "127.0.0.1", server_port(server, SERVER_PORT_EPM),
	       server_port(server, SERVER_PORT_RFR), server_port(server, SERVER_PORT_NSPI),
	       server_port(server, SERVER_PORT_STORE), config->encryption_optional ? "optional" : "required");
	for (size_t i = 0; i < ARRAY_SIZE(web_ports); i++)
		if (!(config->no_ports & 1u << web_ports[i].port))
			printf("; %s %u", web_ports[i].name, server_port(server, web_ports[i].port));
	putchar('\n');
	fflush(stdout);
}

static int parse_encryption(const char *word, bool *optional)
{
	if (!word || strcmp(word, "required") == 0)
		*optional = false;
	else if (strcmp(word, "optional") == 0)
		*optional = true;
	else
		return MW_E_INVALID;
	return 0;
}

/* Until it is stopped; the exit code. */
static int serve(const struct server_config *config)
{
	char why[512] = "";
	struct server *server = NULL;
	if (server_new(config, &server, why) < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "%s", *why ? why : "out of memory.");
	if (geteuid() == 0 && !config->user)
		log_line(config->log, LOG_WARNING, "serves as root: name a user that owns %s with --user",
		         config->state);
	running = server;
	catch_signals();
	say_ready(server, config);
	int r = server_run(server);
	running = NULL;
	server_free(&server);
	return r < 0 ? cli_fail(command, CLI_EXIT_FAILED, "stopped: %s.", mw_strerror(r)) : 0;
}

/* Options in MiB. */
struct sizes {
	unsigned unauthenticated, warn, send, receive, message;
};

static void take_sizes(struct server_config *c, const struct sizes *s)
{
	c->max_unauthenticated = (size_t)s->unauthenticated << 20;
	c->quota_warn = (uint64_t)s->warn << 20;
	c->quota_send = (uint64_t)s->send << 20;
	c->quota_receive = (uint64_t)s->receive << 20;
	c->message_size = (uint64_t)s->message << 20;
}

struct periods {
	int64_t patience_ns, wait_ns, context_ns, pending_ns;
};

static void take_periods(struct server_config *c, const struct periods *p)
{
	c->patience_ms = (unsigned)(p->patience_ns / NS_PER_MS);
	c->wait_ms = (unsigned)(p->wait_ns / NS_PER_MS);
	c->context_ms = (unsigned)(p->context_ns / NS_PER_MS);
	c->pending_ms = (unsigned)(p->pending_ns / NS_PER_MS);
}

int cmd_serve(int argc, char **argv)
{
	const char *encryption = NULL, *binding = NULL, *web[3] = {NULL}, *none[1];
	size_t positional;
	bool verbose = false, quiet = false, no_seccomp = false;
	struct sizes sizes = {0};
	struct periods periods = {0};
	struct log log = log_stderr;
	struct server_config config = {.ports = {[SERVER_PORT_EPM] = 135}, .log = &log};
	const struct cli_option options[] = {
	        {"state", CLI_TEXT, &config.state},
	        {"listen", CLI_TEXT, &config.listen},
	        {"host", CLI_TEXT, &config.host},
	        {"epm-port", CLI_PORT, &config.ports[SERVER_PORT_EPM]},
	        {"rfr-port", CLI_PORT, &config.ports[SERVER_PORT_RFR]},
	        {"nspi-port", CLI_PORT, &config.ports[SERVER_PORT_NSPI]},
	        {"store-port", CLI_PORT, &config.ports[SERVER_PORT_STORE]},
	        {"https-port", CLI_TEXT, &web[0]},
	        {"http-port", CLI_TEXT, &web[1]},
	        {"monitor-port", CLI_TEXT, &web[2]},
	        {"tls-cert", CLI_TEXT, &config.tls_cert},
	        {"tls-key", CLI_TEXT, &config.tls_key},
	        {"tls-key-log", CLI_TEXT, &config.tls_key_log},
	        {"trust-proxy", CLI_TEXT, &config.trusted_proxies},
	        {"channel-binding", CLI_TEXT, &binding},
	        {"encryption", CLI_TEXT, &encryption},
	        {"keytab", CLI_TEXT, &config.keytab},
	        {"ntlmv1", CLI_FLAG, &config.ntlm_v1},
	        {"user", CLI_TEXT, &config.user},
	        {"no-seccomp", CLI_FLAG, &no_seccomp},
	        {"connections", CLI_NUMBER, &config.max_connections},
	        {"unauthenticated-memory", CLI_NUMBER, &sizes.unauthenticated},
	        {"patience", CLI_SECONDS, &periods.patience_ns},
	        {"wait-end", CLI_SECONDS, &periods.wait_ns},
	        {"session-expiry", CLI_SECONDS, &periods.context_ns},
	        {"pending", CLI_SECONDS, &periods.pending_ns},
	        {"block-clients", CLI_TEXT, &config.blocked_clients},
	        {"moved", CLI_TEXT, &config.moved},
	        {"calls-per-second", CLI_NUMBER, &config.calls_per_second},
	        {"quota-warn", CLI_NUMBER, &sizes.warn},
	        {"quota-send", CLI_NUMBER, &sizes.send},
	        {"quota-receive", CLI_NUMBER, &sizes.receive},
	        {"message-size", CLI_NUMBER, &sizes.message},
	        {"sessions", CLI_NUMBER, &config.max_sessions},
	        {"objects", CLI_NUMBER, &config.max_objects},
	        {"loops", CLI_NUMBER, &config.loops},
	        {"verbose", CLI_FLAG, &verbose},
	        {"quiet", CLI_FLAG, &quiet},
	};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), none, 0, &positional);
	if (r != 0)
		return r - 1;
	if (!config.state)
		return cli_usage(command, "say where users and mailboxes are kept: --state DIR.");
	if (parse_encryption(encryption, &config.encryption_optional) < 0)
		return cli_usage(command, "--encryption is 'required' or 'optional', not '%s'.", encryption);
	if (parse_encryption(binding ? binding : "optional", &config.binding_required) < 0)
		return cli_usage(command, "--channel-binding is 'required' or 'optional', not '%s'.", binding);
	config.binding_required = !config.binding_required;
	if ((r = parse_web_ports(web, &config)) != 0)
		return r;
	log.level = quiet ? LOG_ERROR : verbose ? LOG_DEBUG : LOG_INFO;

	config.confine = !no_seccomp;
	take_sizes(&config, &sizes);
	take_periods(&config, &periods);
	return serve(&config);
}
