#ifndef MW_CLI_REMOTE_H
#define MW_CLI_REMOTE_H

#include "cli/cli.h"
#include "mapiwire.h"

/* What the commands that speak to a server share: HOST[:PORT], who logs on, how, and for how long. */
struct cli_remote {
	const char *user, *password_file, *level, *capture, *color;
	const char *auth, *ccache, *realm, *service;
	uint16_t epm_port;
	int64_t timeout_ns;
	bool json;
	const char *transport, *proxy, *http_auth; /* with CLI_WEB_OPTIONS, as web is */
	struct mapiwire_web web;
	bool ways; /* the command goes several ways: it makes of --transport and HOST:PORT what they mean */
	/* NULL, or: what was given is no host but something that leads to one. Called once the password is known (NULL:
	 * by tickets); sets host, or yields an exit code after a sentence. */
	int (*find_host)(const char *command, struct cli_remote *r, const char *password);
	bool given_host; /* it was a host after all, and is split already: find_host may look at the rest */
	void *finder;    /* its own */
	/* Filled in by cli_remote_open. */
	struct arena *arena;
	char *host;
	const char *domain, *name; /* of the user */
	enum mapiwire_level chosen;
	enum mapiwire_auth method;
	enum mapiwire_transport carried;
	bool colored;
	struct mapiwire *m;
};

/* Rows for cli_parse. */
#define CLI_REMOTE_OPTIONS(r)                                                                                          \
	{"U", CLI_TEXT, &(r)->user}, {"user", CLI_TEXT, &(r)->user}, {"password-file", CLI_TEXT, &(r)->password_file}, \
	        {"level", CLI_TEXT, &(r)->level}, {"w", CLI_TEXT, &(r)->capture}, {"color", CLI_TEXT, &(r)->color},    \
	        {"epm-port", CLI_PORT, &(r)->epm_port}, {"timeout", CLI_SECONDS, &(r)->timeout_ns},                    \
	        {"auth", CLI_TEXT, &(r)->auth}, {"ccache", CLI_TEXT, &(r)->ccache}, {"realm", CLI_TEXT, &(r)->realm},  \
	        {"service", CLI_TEXT, &(r)->service},                                                                  \
	{                                                                                                              \
		"json", CLI_FLAG, &(r)->json                                                                           \
	}
/* Their part of a help text. */
#define CLI_REMOTE_HELP                                                                                                \
	"  -U 'DOMAIN\\user'        who logs on; the password is asked for, or\n"                                      \
	"  --password-file FILE    is the first line of FILE (- is standard input)\n"                                  \
	"  --auth WORD             ntlm (default with -U), kerberos, negotiate (default without -U: tickets of "       \
	"kinit)\n"                                                                                                     \
	"  --ccache CACHE          Kerberos tickets from there: FILE:/tmp/krb5cc_0; the default cache without -U\n"    \
	"  --realm REALM           Kerberos realm; default: a domain with a dot in it, else krb5.conf's\n"             \
	"  --service NAME/HOST     the service to ask tickets for; default as Outlook: exchangeMDB/HOST, ...\n"        \
	"  --level LEVEL           none, connect, call, packet, integrity, privacy (default)\n"                        \
	"  --epm-port PORT         the endpoint mapper's port, as in HOST:PORT; default 135\n"                         \
	"  --timeout SECONDS       of a connect and of an answer; default 10\n"                                        \
	"  -w FILE.pcapng          keeps a capture of the conversation, handshakes and all\n"                          \
	"  --color auto|always|never\n"

/* Rows and text for commands that go over HTTP as well. */
#define CLI_WEB_OPTIONS(r)                                                                                             \
	{"transport", CLI_TEXT, &(r)->transport}, {"proxy", CLI_TEXT, &(r)->proxy},                                    \
	        {"proxy-path", CLI_TEXT, &(r)->web.path}, {"http-auth", CLI_TEXT, &(r)->http_auth},                    \
	        {"plain-http", CLI_FLAG, &(r)->web.plain}, {"ca-file", CLI_TEXT, &(r)->web.ca_file},                   \
	        {"insecure", CLI_FLAG, &(r)->web.insecure}, {"principal", CLI_TEXT, &(r)->web.principal},              \
	{                                                                                                              \
		"tls-key-log", CLI_TEXT, &(r)->web.key_log                                                             \
	}
#define CLI_WEB_HELP                                                                                                   \
	"  --transport WORD        tcp (default); rpc-http: Outlook Anywhere, RPC in HTTPS; mapi-http: MAPI over\n"    \
	"                          HTTP. PORT is HTTPS's with the latter two\n"                                        \
	"  --proxy HOST[:PORT]     the web server that RPC goes through; default: HOST itself, port 443\n"             \
	"  --proxy-path PATH       its path; default /rpc/rpcproxy.dll\n"                                              \
	"  --http-auth WORD        how to log on there: none, basic, ntlm, negotiate; default: what both sides have\n" \
	"  --ca-file FILE          certificates that are trusted, in PEM; default: the system's\n"                     \
	"  --principal NAME        the name that its certificate must have, instead of the proxy's\n"                  \
	"  --insecure              takes any certificate; the password is then not sent as it is\n"                    \
	"  --plain-http            HTTP without TLS, port 80\n"                                                        \
	"  --tls-key-log FILE      appends the secrets of TLS, for a lens that is to read along\n"

/* "host", "host:135", "[::1]:135", "::1". MW_E_INVALID. */
MW_NODISCARD int cli_split_host(struct arena *arena, const char *text, char **host, uint16_t *port);
/*
 * Reads the options, asks for the password when need_user (without -U the tickets of kinit
 * will do), and makes the client (nothing is sent
 * yet). 0, or an exit code after one sentence on stderr. Close in any case.
 */
MW_NODISCARD int cli_remote_open(const char *command, struct cli_remote *r, const char *host, bool need_user);
/* remote_web.c: reads those options, --proxy; 0 or an exit code after a sentence. */
int cli_remote_web(const char *command, struct cli_remote *r);
int cli_remote_proxy(const char *command, struct cli_remote *r);
/* 0, or an exit code when the capture could not be written. */
int cli_remote_close(const char *command, struct cli_remote *r);

/* "mapiwire ping: ", what is wrong and what to try, on stderr; yields the cause's exit code. */
int cli_remote_fail(const char *command, const struct cli_remote *r);
/* The failure in a few words, for a table: "no answer to SYN". */
const char *cli_short_failure(const struct mapiwire_error *e);

/* Text in a colour; without one when !colored. The text is made harmless for the terminal. */
enum cli_ink { CLI_PLAIN, CLI_GREY, CLI_BLUE, CLI_YELLOW, CLI_GREEN, CLI_RED, CLI_BOLD };
void cli_put(struct buf *out, bool colored, enum cli_ink ink, const char *text);
/* The same, filled up with spaces to so many columns, or cut to them with "…" when cut. */
void cli_put_cell(struct buf *out, bool colored, enum cli_ink ink, const char *text, unsigned columns, bool cut);
/* ,"key":"text" ; ,"key":1.234 (milliseconds) */
void cli_json_text(struct buf *out, const char *key, const char *text);
void cli_json_ms(struct buf *out, const char *key, int64_t ns);

#endif
