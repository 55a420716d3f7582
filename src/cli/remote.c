#include "cli/remote.h"

#include "auth/auth.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (end == text || *end || v == 0 || v > UINT16_MAX || text[0] == '-' || text[0] == '+')
		return MW_E_INVALID;
	*port = (uint16_t)v;
	return 0;
}

int cli_split_host(struct arena *arena, const char *text, char **host, uint16_t *port)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL;
	const char *colon = strchr(text, ':');
	size_t len = strlen(text);
	if (end) {
		text++;
		len = (size_t)(end - text);
		colon = end[1] ? end + 1 : NULL;
		if (colon && *colon != ':')
			return MW_E_INVALID;
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL; /* an IPv6 address as it is */
	} else if (colon) {
		len = (size_t)(colon - text);
	}
	if (len == 0 || (colon && parse_port(colon + 1, port) < 0))
		return MW_E_INVALID;
	*host = arena_strndup(arena, text, len);
	return *host ? 0 : MW_E_NOMEM;
}

static int parse_auth(const char *word, enum mapiwire_auth *out)
{
	static const char *const words[] = {
	        [MAPIWIRE_AUTH_NTLM] = "ntlm",
	        [MAPIWIRE_AUTH_KERBEROS] = "kerberos",
	        [MAPIWIRE_AUTH_NEGOTIATE] = "negotiate",
	};
	if (!word)
		return 0;
	for (unsigned i = MAPIWIRE_AUTH_NTLM; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum mapiwire_auth)i;
			return 0;
		}
	return MW_E_INVALID;
}

/* Without -U: who the tickets are for. */
static int find_ticket(const char *command, struct cli_remote *r)
{
	char owner[256];
	if (r->method == MAPIWIRE_AUTH_NTLM || mapiwire_ticket_owner(r->ccache, owner) < 0)
		return cli_usage(command, "say who logs on: -U 'DOMAIN\\user', or get a Kerberos ticket with kinit.");
	const char *at = strrchr(owner, '@') ? strrchr(owner, '@') : owner + strlen(owner);
	const char *realm = *at ? at + 1 : at;
	r->name = arena_strndup(r->arena, owner, (size_t)(at - owner));
	r->domain = arena_strndup(r->arena, realm, strcspn(realm, "."));
	if (!r->realm && *realm)
		r->realm = arena_strdup(r->arena, realm);
	if (!r->name || !r->domain)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	if (r->method == MAPIWIRE_AUTH_DEFAULT)
		r->method = MAPIWIRE_AUTH_NEGOTIATE;
	return 0;
}

static int read_options(const char *command, struct cli_remote *r, const char *host)
{
	enum auth_level level = AUTH_LEVEL_DEFAULT;
	uint16_t port = 0;
	r->arena = arena_new(0);
	if (!r->arena)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	if (r->find_host && !r->given_host)
		r->host = arena_strdup(r->arena, host);
	else if (cli_split_host(r->arena, host, &r->host, &port) < 0)
		return cli_usage(command, "'%s' is no HOST or HOST:PORT.", host);
	if (port && r->epm_port && port != r->epm_port)
		return cli_usage(command, "'%s' and --epm-port name two ports for one endpoint mapper.", host);
	if (port)
		r->epm_port = port;
	if (r->level && auth_level_parse(r->level, &level) < 0)
		return cli_usage(command, "--level is none, connect, call, packet, integrity or privacy, not '%s'.",
		                 r->level);
	r->chosen = r->level ? (enum mapiwire_level)level : MAPIWIRE_LEVEL_PRIVACY;
	if (parse_auth(r->auth, &r->method) < 0)
		return cli_usage(command, "--auth is ntlm, kerberos or negotiate, not '%s'.", r->auth);
	if (cli_color(r->color, &r->colored) < 0)
		return cli_usage(command, "--color is auto, always or never, not '%s'.", r->color);
	r->domain = r->name = "";
	if (r->user)
		cli_split_user(r->arena, r->user, &r->domain, &r->name);
	return cli_remote_web(command, r);
}

static int make_client(const char *command, struct cli_remote *r, const char *password)
{
	const struct mapiwire_options o = {
	        .host = r->host,
	        .mapper_port = r->epm_port,
	        .domain = r->domain,
	        .user = r->name,
	        .password = password,
	        .level = r->chosen,
	        .timeout_ms = r->timeout_ns ? (unsigned)((r->timeout_ns + NS_PER_MS - 1) / NS_PER_MS) : 0,
	        .capture = r->capture,
	        .auth = r->method,
	        .ccache = r->ccache,
	        .realm = r->realm,
	        .service = r->service,
	        .transport = r->carried,
	        .web = r->web,
	};
	int code = mapiwire_new(&o, &r->m);
	if (code == MAPIWIRE_E_FILE && r->carried != MAPIWIRE_TCP)
		return cli_fail(command, CLI_EXIT_USAGE,
		                "cannot open a file of -w, --ca-file or --tls-key-log: %s. Name another.",
		                strerror(errno));
	if (code == MAPIWIRE_E_FILE)
		return cli_fail(command, CLI_EXIT_USAGE, "cannot write %s: %s. Name another file.", r->capture,
		                strerror(errno));
	if (code == MAPIWIRE_E_ARGUMENT && r->web.ca_file)
		return cli_fail(command, CLI_EXIT_USAGE, "%s has no certificate in it: name a file in PEM.",
		                r->web.ca_file);
	return code < 0 ? cli_fail(command, CLI_EXIT_FAILED, "out of memory.") : 0;
}

int cli_remote_open(const char *command, struct cli_remote *r, const char *host, bool need_user)
{
	char password[256] = "", why[256], prompt[320];
	int code = read_options(command, r, host);
	if (code != 0)
		return code;
	bool tickets = need_user && (!*r->name || r->ccache);
	if (need_user && !*r->name && (code = find_ticket(command, r)) != 0)
		return code;
	snprintf(prompt, sizeof prompt, "Password of %s", r->user ? r->user : "");
	if (need_user && !tickets && cli_password(r->password_file, prompt, password, why) < 0)
		return cli_usage(command, "%s", why);
	if (r->find_host)
		code = r->find_host(command, r, tickets ? NULL : password);
	if (code == 0)
		code = make_client(command, r, tickets ? NULL : password);
	secret_wipe(password, sizeof password);
	return code;
}

int cli_remote_close(const char *command, struct cli_remote *r)
{
	int code = mapiwire_free(&r->m);
	if (code < 0)
		code = cli_fail(command, CLI_EXIT_FAILED, "%s was not written in full: is the disk full?", r->capture);
	arena_free(&r->arena);
	return code;
}

int cli_remote_fail(const char *command, const struct cli_remote *r)
{
	const struct mapiwire_error *e = mapiwire_error(r->m);
	struct buf line MW_CLEANUP(buf_free) = {0};
	text_put_terminal(&line, e->sentence);
	buf_put_u8(&line, ' ');
	text_put_terminal(&line, e->attempt);
	buf_put_u8(&line, 0);
	return cli_fail(command, e->exit_code ? e->exit_code : CLI_EXIT_FAILED, "%s",
	                buf_error(&line) ? "out of memory." : (const char *)line.data);
}

const char *cli_short_failure(const struct mapiwire_error *e)
{
	static const struct {
		const char *cause, *words;
	} table[] = {
	        {"name-not-found", "no such name"},
	        {"port-refused", "connection refused"},
	        {"dynamic-port-refused", "connection refused"},
	        {"port-filtered", "no answer to SYN"},
	        {"dynamic-port-blocked", "no answer to SYN"},
	        {"not-rpc", "no RPC spoken there"},
	        {"interface-not-registered", "not registered"},
	        {"interface-refused", "interface refused"},
	        {"credentials-refused", "user or password refused"},
	        {"anonymous-refused", "anonymous access refused"},
	        {"account-locked", "account locked"},
	        {"account-expired", "account expired"},
	        {"password-expired", "password expired"},
	        {"clock-skew", "clocks differ"},
	        {"no-ticket", "no Kerberos ticket"},
	        {"ticket-expired", "Kerberos ticket expired"},
	        {"ticket-refused", "Kerberos ticket refused"},
	        {"kdc-unreachable", "no KDC reached"},
	        {"service-name-unknown", "service unknown to the KDC"},
	        {"wrong-service", "no key for this service"},
	        {"encryption-required", "encryption required"},
	        {"unknown-mailbox", "unknown mailbox"},
	        {"no-mailbox-access", "no access to the mailbox"},
	        {"no-answer", "no answer in time"},
	        {"connection-lost", "connection cut"},
	        {"no-notification", "not woken"},
	        {"tls-failed", "no TLS"},
	        {"certificate-untrusted", "certificate not trusted"},
	        {"not-http", "no HTTP spoken there"},
	        {"password-withheld", "password not sent"},
	        {"rpc-proxy-refused", "refused by the RPC proxy"},
	        {"session-gone", "session gone"},
	        {"http-status", "refused by the web server"},
	        {"channel-not-bound", "bound to another TLS channel"},
	        {"not-mapi-http", "no MAPI over HTTP there"},
	        {"web-redirect", "redirected"},
	        {"web-forbidden", "forbidden"},
	        {"web-unavailable", "not available now"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].cause, e->cause) == 0)
			return table[i].words;
	return *e->status_name ? e->status_name : e->cause;
}

/* ---- What people see ---- */

static const char *const inks[] = {
        [CLI_GREY] = "\033[90m",  [CLI_BLUE] = "\033[34m",  [CLI_YELLOW] = "\033[33m",
        [CLI_GREEN] = "\033[32m", [CLI_RED] = "\033[1;31m", [CLI_BOLD] = "\033[1m",
};

void cli_put(struct buf *out, bool colored, enum cli_ink ink, const char *text)
{
	bool on = colored && ink != CLI_PLAIN;
	if (on)
		buf_put_str(out, inks[ink]);
	text_put_terminal(out, text);
	if (on)
		buf_put_str(out, "\033[0m");
}

/* The longest start of text of at most so many columns, whole characters only. */
static size_t fitting(const char *text, unsigned columns)
{
	char part[1024];
	size_t len = strlen(text) < sizeof part - 1 ? strlen(text) : sizeof part - 1;
	memcpy(part, text, len);
	part[len] = 0;
	while (len > 0 && (text_width(part) > columns || ((unsigned char)text[len] & 0xC0) == 0x80))
		part[--len] = 0;
	return len;
}

void cli_put_cell(struct buf *out, bool colored, enum cli_ink ink, const char *text, unsigned columns, bool cut)
{
	char part[1024];
	size_t width = text_width(text);
	if (cut && width > columns && columns > 0) {
		int len = (int)fitting(text, columns - 1);
		snprintf(part, sizeof part, "%.*s…", len, text);
		text = part;
		width = text_width(part);
	}
	cli_put(out, colored, ink, text);
	for (; width < columns; width++)
		buf_put_u8(out, ' ');
}

void cli_json_text(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, ",\"%s\":", key);
	text_put_json(out, text);
}

void cli_json_ms(struct buf *out, const char *key, int64_t ns)
{
	buf_printf(out, ",\"%s\":%.3f", key, (double)ns / (double)NS_PER_MS);
}
