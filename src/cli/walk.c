#include "cli/walk.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

static const char *const command = "walk";

const char walk_help[] =
        "Usage: mapiwire walk HOST[:PORT] | ADDRESS [-U 'DOMAIN\\user'] [OPTIONS]\n\n"
        "Walks the path that Outlook walks when it starts. When a step fails it names the cause and what to try,\n"
        "and goes on with the steps that do not depend on it. The steps by transport:\n"
        "  tcp        name, endpoint mapper, referral, address book, store, inbox, notification\n"
        "  rpc-http   name, web server (the RPC proxy), referral, address book, store, inbox, notification\n"
        "  mapi-http  name, web server, address book, store, inbox, notification\n"
        "Where the referral or the log-on names another server, it goes there and says so.\n\n"
        "A mail ADDRESS is looked up by Autodiscover first, as Outlook does: service connection points in the\n"
        "directory, https://domain, https://autodiscover.domain, where http://autodiscover.domain redirects to,\n"
        "the SRV record, a local file; each try is told. The password goes to hosts of the address's domain\n"
        "alone, and by TLS. Of what is found mapi-http is walked, else tcp, else rpc-http, unless --transport\n"
        "says which; --all walks all that are offered. A HOST is walked to by tcp unless --transport says else;\n"
        "PORT is the endpoint mapper's, or HTTPS's where a transport over HTTP was named.\n\n" CLI_REMOTE_HELP
        "  --mailbox NAME          the mailbox: a name to look up in the address book, or a DN (/o=...);\n"
        "                          default: the user's own\n"
        "  --no-probe              does not try whether the server would do without encryption (tcp)\n"
        "  --all                   all three transports in turn, or all that Autodiscover found\n"
        "  --https-port PORT       of --all with a HOST: HTTPS's, where it is not 443\n"
        "  --server HOST:PORT      of a mail ADDRESS: asks this server for Autodiscover, and looks nowhere else\n"
        "  --ldap URL              of a mail ADDRESS: the directory with service connection points, ldap://host;\n"
        "                          default: as the domain's SRV record _ldap._tcp says\n"
        "  --local-xml FILE        an Autodiscover answer in a file, as the last try\n" CLI_WEB_HELP
        "  --json                  JSON Lines: an object a step, and one for the verdict\n\n"
        "The notification is proved by a change: a second session writes the inbox's comment (PidTagComment)\n"
        "back as it is, so no message is made and nothing is left behind but a new change number. The wake-up\n"
        "delay counts from the moment the change is sent. The probe is one store connect, signed but not\n"
        "encrypted, which a server that requires encryption refuses.\n\n"
        "Exit code: 0 when Outlook would start (with --all: over each of them); else that of the first cause:\n"
        "10 name, 11 and 12 port refused or silent, 13 and 14 a port that the mapper hands out refused or silent,\n"
        "15 no RPC, 16 not registered, 17 to 19 bind refused, 20 user or password, 21 and 37 account, 22 clocks,\n"
        "24 encryption required, 25 unknown mailbox, 26 no access to it, 27 another server, 30 no answer, 31\n"
        "connection cut, 35 no notification, 38, 41 and 53 to 56 Kerberos, 57, 58, 71 and 76 Autodiscover, 59 to\n"
        "70 TLS and HTTP; 1 for a mistake in the command line. The manual lists them all.\n";

/* ---- Ways ---- */

const enum step_number *walk_route(const struct walk *w, unsigned *count)
{
	static const enum step_number routes[][STEPS] = {
	        [MAPIWIRE_TCP] = {NAME, MAPPER, REFERRAL, BOOK, STORE, INBOX, NOTIFICATION},
	        [MAPIWIRE_RPC_HTTP] = {NAME, WEB, REFERRAL, BOOK, STORE, INBOX, NOTIFICATION},
	        [MAPIWIRE_MAPI_HTTP] = {NAME, WEB, BOOK, STORE, INBOX, NOTIFICATION},
	};
	*count = w->way->transport == MAPIWIRE_MAPI_HTTP ? 6 : 7;
	return routes[w->way->transport];
}

int walk_number(const struct walk *w, enum step_number i)
{
	unsigned count;
	const enum step_number *route = walk_route(w, &count);
	for (unsigned k = 0; k < count; k++)
		if (route[k] == i)
			return (int)k + 1;
	return 0;
}

/* ---- In order ---- */

/* Where the ports come from. */
static enum step_number source(const struct walk *w)
{
	return w->way->transport == MAPIWIRE_TCP ? MAPPER : WEB;
}

/* The step without which this one cannot be walked; STEPS: it can. */
static enum step_number needs(const struct walk *w, enum step_number i)
{
	switch (i) {
	case MAPPER:
	case WEB:
		return w->steps[NAME].state == OK ? STEPS : NAME;
	case REFERRAL:
		return w->rfr ? STEPS : source(w);
	case BOOK:
		return w->nspi ? STEPS : source(w);
	case STORE:
		return w->port ? STEPS : source(w);
	case INBOX:
		return w->store ? STEPS : STORE;
	case NOTIFICATION:
		return !w->store ? STORE : w->steps[INBOX].state == OK ? STEPS : INBOX;
	default:
		return STEPS;
	}
}

static void walk_step(struct walk *w, enum step_number i)
{
	struct step *s = &w->steps[i];
	enum step_number missing = needs(w, i);
	if (missing != STEPS) {
		snprintf(s->what, sizeof s->what, "not walked: it needs step %d", walk_number(w, missing));
		return;
	}
	int64_t began = time_monotonic_ns();
	int r = walk_steps[i](w, s);
	s->ns = time_monotonic_ns() - began;
	s->state = r == 0 ? OK : FAILED;
	if (r < 0 && !s->error.code)
		walk_keep_error_of(w, s, w->m);
	if (r < 0 && (!*s->what || (i != MAPPER && i != STORE)))
		snprintf(s->what, sizeof s->what, "%s", cli_short_failure(&s->error));
}

/* Before the probe says so: whether the store was reached with the protection that was asked for. */
static void probe(struct walk *w)
{
	bool required;
	if (w->no_probe || w->encryption != UNKNOWN || w->steps[STORE].state != OK || w->way->transport != MAPIWIRE_TCP)
		return;
	if (mapiwire_store_probe(w->home ? w->home : w->m, w->port, w->dn, &required) == 0)
		w->encryption = required ? REQUIRED : NOT_REQUIRED;
}

int walk_exit(const struct walk *w)
{
	unsigned count;
	const enum step_number *route = walk_route(w, &count);
	for (unsigned k = 0; k < count; k++) {
		const struct step *s = &w->steps[route[k]];
		if (s->state == FAILED)
			return s->error.exit_code ? s->error.exit_code : CLI_EXIT_FAILED;
	}
	return 0;
}

static int walk_all_steps(struct walk *w)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	unsigned count;
	const enum step_number *route = walk_route(w, &count);
	for (unsigned k = 0; k < count; k++) {
		walk_step(w, route[k]);
		walk_put_step(&out, w, route[k]);
		cli_write(&out);
	}
	mapiwire_store_close(&w->store);
	probe(w);
	walk_put_verdict(&out, w);
	cli_write(&out);
	(void)mapiwire_free(&w->home);
	(void)mapiwire_free(&w->book);
	return walk_exit(w);
}

/* What one way has left behind. */
static void forget(struct walk *w)
{
	memset(w->steps, 0, sizeof w->steps);
	*w->host = *w->book_server = *w->book_host = *w->home_host = 0;
	w->rfr = w->nspi = w->port = 0;
	w->dn = NULL;
	w->guessed = w->knocked = false;
	w->encryption = UNKNOWN;
	w->inbox = 0;
}

/* first: its client is there already. */
static int walk_way(struct walk *w, struct walk_way *way, bool first)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire *own = NULL;
	forget(w);
	w->way = way;
	walk_put_way(&out, w, way);
	cli_write(&out);
	if (!first && mapiwire_new_over(w->r->m, way->host, way->transport, &way->web, &own) < 0)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	w->m = first ? w->r->m : own;
	way->exit_code = walk_all_steps(w);
	way->starts = way->exit_code == 0;
	(void)mapiwire_free(&own);
	return way->exit_code;
}

static int walk_ways(struct walk *w)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	const struct walk_way *first = w->way;
	int code = 0;
	for (size_t i = 0; i < ARRAY_SIZE(walk_order); i++) {
		struct walk_way *way = &w->ways[walk_order[i]];
		int one = way->wanted ? walk_way(w, way, way == first) : 0;
		code = code ? code : one;
		if (!way->wanted && w->all)
			walk_put_way(&out, w, way);
		cli_write(&out);
	}
	if (w->all)
		walk_put_ways(&out, w, code);
	cli_write(&out);
	return code;
}

int cmd_walk(int argc, char **argv)
{
	struct cli_remote remote = {.ways = true};
	struct walk w = {.r = &remote};
	const char *host[1];
	size_t count;
	const struct cli_option options[] = {
	        CLI_REMOTE_OPTIONS(&remote),
	        CLI_WEB_OPTIONS(&remote),
	        {"mailbox", CLI_TEXT, &w.mailbox},
	        {"no-probe", CLI_FLAG, &w.no_probe},
	        {"all", CLI_FLAG, &w.all},
	        {"https-port", CLI_PORT, &w.https_port},
	        {"server", CLI_TEXT, &w.server},
	        {"ldap", CLI_TEXT, &w.ldap},
	        {"local-xml", CLI_TEXT, &w.local_xml},
	};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), host, 1, &count);
	if (r != 0)
		return r - 1;
	if (count != 1)
		return cli_usage(command, "say which server to walk to: mapiwire walk HOST[:PORT] -U 'DOMAIN\\user'.");
	remote.finder = &w;
	remote.given_host = !strchr(host[0], '@');
	remote.find_host = remote.given_host ? walk_settle : walk_discover;
	int code = cli_remote_open(command, &remote, host[0], true);
	if (code == 0) {
		if (!w.mailbox)
			w.mailbox = remote.name;
		code = walk_ways(&w);
	}
	int closed = cli_remote_close(command, &remote);
	return code ? code : closed;
}
