#include "cli/remote.h"

#include "base/text.h"
#include "base/time.h"
#include "lens/interfaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const command = "ping";
#define MAX_COUNT 100000u

const char ping_help[] =
        "Usage: mapiwire ping HOST[:PORT] [INTERFACE] [OPTIONS]\n\n"
        "Without INTERFACE: everything that the endpoint mapper has registered, whether each port answers, and\n"
        "how fast. With one (rfr, nspi, store, epm, samr, ... or UUID or UUID/MAJOR.MINOR): asks the mapper for its\n"
        "port, binds there, as the user where one is named, and asks whether the server is listening (mgmt).\n"
        "PORT is the endpoint mapper's. Endpoints of RPC over HTTP need not answer themselves: they are behind\n"
        "a proxy. With --transport rpc-http: whether that proxy (Outlook Anywhere) lets the user in, then\n"
        "referral, address book and store behind it.\n\n"
        "  --endpoint PORT         of INTERFACE, where no endpoint mapper is to be asked\n"
        "  -n COUNT                so many times; then minimum, median and 99th percentile; default 1\n" CLI_REMOTE_HELP
                CLI_WEB_HELP "  --json                  JSON Lines: an object an endpoint, or one for the interface\n\n"
        "Exit code: 0 when all answered; else that of the first that did not ('mapiwire walk --help' lists\n"
        "them).\n";

struct ping {
	struct cli_remote *r;
	unsigned count;
	uint16_t endpoint; /* 0: the mapper knows */
	int64_t *times;
};

struct summary {
	int64_t min, median, p99;
};

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The 99th percentile is the smallest time that 99 of 100 do not exceed. */
static struct summary summarize(int64_t *times, unsigned count)
{
	qsort(times, count, sizeof *times, compare_times);
	return (struct summary){times[0], times[count / 2], times[(count * 99 + 99) / 100 - 1]};
}

static void put_times(struct buf *out, const struct summary *t, unsigned count)
{
	if (count == 1)
		buf_printf(out, "%.3f ms", (double)t->min / (double)NS_PER_MS);
	else
		buf_printf(out, "min %.3f, median %.3f, p99 %.3f ms (%u times)", (double)t->min / (double)NS_PER_MS,
		           (double)t->median / (double)NS_PER_MS, (double)t->p99 / (double)NS_PER_MS, count);
}

static void put_json_times(struct buf *out, const struct summary *t, unsigned count)
{
	buf_printf(out, ",\"count\":%u", count);
	cli_json_ms(out, "min", t->min);
	cli_json_ms(out, "median", t->median);
	cli_json_ms(out, "p99", t->p99);
}

static void put_json_failure(struct buf *out, const struct mapiwire_error *e)
{
	cli_json_text(out, "cause", e->cause);
	cli_json_text(out, "sentence", e->sentence);
	cli_json_text(out, "try", e->attempt);
	buf_printf(out, ",\"exit\":%d", e->exit_code);
}

/* Our short name, or the one in the table of known interfaces, or the UUID. */
static const char *name_of(const struct mapiwire_interface *i)
{
	struct guid uuid;
	if (*i->name)
		return i->name;
	if (guid_parse(i->uuid, &uuid) < 0)
		return i->uuid;
	const struct lens_known *k = lens_known_find(&uuid, i->major, i->minor);
	const char *name = k ? lens_known_name(k) : NULL;
	return name ? name : i->uuid;
}

/* By our names and by UUID, then by the first of that name in the table of known interfaces. */
static int find_interface(const char *text, struct mapiwire_interface *out)
{
	struct guid uuid;
	if (mapiwire_interface_named(text, out) == 0)
		return 0;
	for (unsigned i = 0; i < lens_known_count; i++) {
		const struct lens_known *k = &lens_known[i];
		const char *name = lens_known_name(k);
		if (!name || text_casecmp(name, text) != 0)
			continue;
		*out = (struct mapiwire_interface){.major = k->major, .minor = k->minor};
		memcpy(&uuid, k->uuid, sizeof uuid);
		guid_format(&uuid, out->uuid);
		return 0;
	}
	return MAPIWIRE_E_ARGUMENT;
}

/* ---- One interface ---- */

static int measure(struct ping *p, struct mapiwire_service *s)
{
	for (unsigned i = 0; i < p->count; i++) {
		bool listening = false;
		int64_t began = time_monotonic_ns();
		int r = mapiwire_service_listening(s, &listening);
		p->times[i] = time_monotonic_ns() - began;
		if (r < 0)
			return r;
		if (!listening)
			return MAPIWIRE_E_NOTFOUND;
	}
	return 0;
}

static void put_interface(struct buf *out, struct ping *p, const struct mapiwire_interface *i, uint16_t port,
                          int64_t bind_ns)
{
	struct summary t = summarize(p->times, p->count);
	const char *name = name_of(i);
	if (p->r->json) {
		buf_put_str(out, "{\"iface\":");
		text_put_json(out, name);
		cli_json_text(out, "uuid", i->uuid);
		buf_printf(out, ",\"port\":%u,\"listening\":true", port);
		cli_json_ms(out, "bind", bind_ns);
		put_json_times(out, &t, p->count);
		buf_put_str(out, "}\n");
		return;
	}
	cli_put(out, p->r->colored, CLI_BOLD, name);
	buf_printf(out, " %u.%u on port %u: bound in %.3f ms, listening, ", i->major, i->minor, port,
	           (double)bind_ns / (double)NS_PER_MS);
	put_times(out, &t, p->count);
	buf_put_u8(out, '\n');
}

static int fail_one(struct ping *p, const char *name, bool not_listening)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	const struct mapiwire_error *e = mapiwire_error(p->r->m);
	if (!p->r->json)
		return not_listening ? cli_fail(command, CLI_EXIT_FAILED,
		                                "%s answers that it is not listening. Restart it.", name)
		                     : cli_remote_fail(command, p->r);
	buf_put_str(&out, "{\"iface\":");
	text_put_json(&out, name);
	if (not_listening)
		buf_printf(&out, ",\"listening\":false,\"exit\":%d", CLI_EXIT_FAILED);
	else
		put_json_failure(&out, e);
	buf_put_str(&out, "}\n");
	cli_write(&out);
	return not_listening || !e->exit_code ? CLI_EXIT_FAILED : e->exit_code;
}

static int ping_one(struct ping *p, const struct mapiwire_interface *interface, const char *name)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_service *s = NULL;
	uint16_t port = p->endpoint;
	int r = port ? 0 : mapiwire_map(p->r->m, interface, &port);
	if (r < 0)
		return fail_one(p, name, false);
	int64_t began = time_monotonic_ns();
	r = mapiwire_service_open(p->r->m, interface, port, &s);
	int64_t bind_ns = time_monotonic_ns() - began;
	if (r == 0)
		r = measure(p, s);
	if (r == 0)
		put_interface(&out, p, interface, port, bind_ns);
	cli_write(&out);
	int code = r == 0 ? 0 : fail_one(p, name, r == MAPIWIRE_E_NOTFOUND);
	mapiwire_service_close(&s);
	return code;
}

/* ---- All that is registered ---- */

/* What a knock at a port gave; each port is tried once. */
struct port {
	uint16_t number;
	int code; /* 0 or MAPIWIRE_E_* */
	struct summary time;
	const char *words, *cause;
	int exit_code;
};

struct ports {
	struct port *list;
	size_t count;
};

static void knock(struct ping *p, struct port *port)
{
	for (unsigned i = 0; i < p->count && port->code == 0; i++)
		port->code = mapiwire_knock(p->r->m, port->number, &p->times[i]);
	if (port->code == 0) {
		port->time = summarize(p->times, p->count);
		return;
	}
	const struct mapiwire_error *e = mapiwire_error(p->r->m);
	port->words = cli_short_failure(e);
	port->cause = e->cause;
	port->exit_code = e->exit_code ? e->exit_code : CLI_EXIT_FAILED;
}

static const struct port *port_of(struct ping *p, struct ports *ports, uint16_t number)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->list[i].number == number)
			return &ports->list[i];
	struct port *port = &ports->list[ports->count++];
	*port = (struct port){.number = number};
	knock(p, port);
	return port;
}

static bool over_http(const struct mapiwire_registration *e)
{
	return strcmp(e->protocol, "ncacn_http") == 0;
}

static bool over_tcp(const struct mapiwire_registration *e)
{
	return e->port && (strcmp(e->protocol, "ncacn_ip_tcp") == 0 || over_http(e));
}

static void put_json_row(struct buf *out, const struct ping *p, const struct mapiwire_registration *e,
                         const struct port *port)
{
	buf_put_str(out, "{\"iface\":");
	text_put_json(out, name_of(&e->interface));
	cli_json_text(out, "uuid", e->interface.uuid);
	buf_printf(out, ",\"version\":\"%u.%u\"", e->interface.major, e->interface.minor);
	cli_json_text(out, "protocol", e->protocol);
	cli_json_text(out, "endpoint", e->endpoint);
	if (*e->address)
		cli_json_text(out, "address", e->address);
	cli_json_text(out, "annotation", e->annotation);
	if (port) {
		buf_printf(out, ",\"answers\":%s", port->code == 0 ? "true" : "false");
		if (port->code == 0)
			put_json_times(out, &port->time, p->count);
		else
			cli_json_text(out, "cause", port->cause);
		if (port->code < 0 && over_http(e))
			buf_put_str(out, ",\"behind_proxy\":true");
	}
	buf_put_str(out, "}\n");
}

/* Columns of the widest of each. */
struct widths {
	unsigned name, endpoint;
};

static struct widths measure_columns(const struct mapiwire_registrations *all)
{
	struct widths w = {0};
	for (size_t i = 0; i < all->count; i++) {
		unsigned name = (unsigned)text_width(name_of(&all->list[i].interface));
		unsigned endpoint = (unsigned)text_width(all->list[i].endpoint) + 1;
		w.name = name > w.name ? name : w.name;
		w.endpoint = endpoint > w.endpoint ? endpoint : w.endpoint;
	}
	return w;
}

static void put_row(struct buf *out, const struct ping *p, const struct mapiwire_registration *e,
                    const struct port *port, struct widths widths)
{
	char version[16], endpoint[280];
	snprintf(version, sizeof version, "%u.%u", e->interface.major, e->interface.minor);
	snprintf(endpoint, sizeof endpoint, over_tcp(e) ? ":%s" : "%s", e->endpoint);
	cli_put_cell(out, p->r->colored, CLI_BOLD, name_of(&e->interface), widths.name, false);
	buf_put_str(out, "  ");
	cli_put_cell(out, false, CLI_PLAIN, version, 5, false);
	buf_put_u8(out, ' ');
	cli_put_cell(out, false, CLI_PLAIN, e->protocol, 13, false);
	buf_put_u8(out, ' ');
	cli_put_cell(out, false, CLI_PLAIN, endpoint, widths.endpoint, false);
	buf_put_str(out, "  ");
	if (!port)
		buf_put_str(out, "not a TCP port: not tried");
	else if (port->code == 0)
		put_times(out, &port->time, p->count);
	else if (over_http(e)) /* need not be open for anybody but the proxy */
		buf_put_str(out, "behind the RPC proxy: try --transport rpc-http");
	else
		cli_put(out, p->r->colored, CLI_RED, port->words);
	if (*e->annotation) {
		buf_put_str(out, "  ");
		cli_put(out, p->r->colored, CLI_GREY, e->annotation);
	}
	buf_put_u8(out, '\n');
}

static int list_all(struct ping *p, const struct mapiwire_registrations *all)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct ports ports = {.list = arena_new_array(p->r->arena, struct port, all->count + 1)};
	struct widths widths = measure_columns(all);
	int code = 0;
	if (!ports.list)
		return cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	if (!p->r->json)
		buf_printf(&out, "The endpoint mapper answers on port %u; %zu %s registered.\n",
		           p->r->epm_port ? p->r->epm_port : 135, all->count,
		           all->count == 1 ? "endpoint is" : "endpoints are");
	for (size_t i = 0; i < all->count; i++) {
		const struct mapiwire_registration *e = &all->list[i];
		const struct port *port = over_tcp(e) ? port_of(p, &ports, e->port) : NULL;
		if (port && port->code < 0 && code == 0 && !over_http(e))
			code = port->exit_code;
		if (p->r->json)
			put_json_row(&out, p, e, port);
		else
			put_row(&out, p, e, port, widths);
		cli_write(&out);
	}
	cli_write(&out);
	return code;
}

/* ---- A proxy of RPC over HTTP ---- */

static void put_report(struct buf *out, const struct ping *p, const struct mapiwire_web_report *r)
{
	const char *host = p->r->web.host ? p->r->web.host : p->r->host;
	if (p->r->json) {
		buf_put_str(out, p->r->carried == MAPIWIRE_MAPI_HTTP ? "{\"endpoint\":" : "{\"proxy\":");
		text_put_json(out, host);
		cli_json_text(out, "tls", r->tls ? r->tls : "none");
		cli_json_text(out, "certificate", r->certificate);
		cli_json_text(out, "auth", r->auth);
		cli_json_ms(out, "connect", r->connect_ns);
		cli_json_ms(out, "handshake", r->tls_ns);
		cli_json_ms(out, "logon", r->auth_ns);
		cli_json_ms(out, "echo", r->answer_ns);
		buf_put_str(out, "}\n");
		return;
	}
	bool mapi = p->r->carried == MAPIWIRE_MAPI_HTTP;
	buf_put_str(out, mapi ? "MAPI over HTTP at " : "The RPC proxy ");
	cli_put(out, p->r->colored, CLI_BOLD, host);
	buf_printf(out, " answers: connected in %.3f ms, ", (double)r->connect_ns / (double)NS_PER_MS);
	if (r->tls)
		buf_printf(out, "%s in %.3f ms, ", r->tls, (double)r->tls_ns / (double)NS_PER_MS);
	if (r->auth_ns)
		buf_printf(out, "logged on by %s in %.3f ms, ", r->auth, (double)r->auth_ns / (double)NS_PER_MS);
	buf_printf(out, "%s in %.3f ms.\n", mapi ? "PING" : "echo", (double)r->answer_ns / (double)NS_PER_MS);
	if (*r->certificate) {
		buf_put_str(out, "Its certificate: ");
		cli_put(out, false, CLI_PLAIN, r->certificate);
		buf_put_str(out, ".\n");
	}
}

/* The proxy itself, then the three services that Outlook looks for behind it. */
static int ping_proxy(struct ping *p)
{
	static const char *const services[] = {"rfr", "nspi", "emsmdb"};
	struct buf out MW_CLEANUP(buf_free) = {0};
	struct mapiwire_web_report report;
	int code = 0;
	if (mapiwire_web_knock(p->r->m, &report) < 0)
		return fail_one(p, "proxy", false);
	put_report(&out, p, &report);
	cli_write(&out);
	if (p->r->carried == MAPIWIRE_MAPI_HTTP)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		struct mapiwire_interface interface;
		int r = mapiwire_interface_named(services[i], &interface);
		int one = r < 0 ? CLI_EXIT_FAILED : ping_one(p, &interface, services[i]);
		code = code ? code : one;
	}
	return code;
}

static int ping_all(struct ping *p)
{
	struct mapiwire_registrations all = {0};
	if (mapiwire_lookup(p->r->m, &all) < 0)
		return fail_one(p, "epm", false);
	int code = list_all(p, &all);
	mapiwire_registrations_free(&all);
	return code;
}

int cmd_ping(int argc, char **argv)
{
	struct cli_remote remote = {0};
	struct ping p = {.r = &remote, .count = 1};
	struct mapiwire_interface interface;
	const char *words[2];
	size_t count;
	const struct cli_option options[] = {
	        {"n", CLI_NUMBER, &p.count},
	        {"endpoint", CLI_PORT, &p.endpoint},
	        CLI_REMOTE_OPTIONS(&remote),
	        CLI_WEB_OPTIONS(&remote),
	};
	int r = cli_parse(command, argc, argv, options, ARRAY_SIZE(options), words, 2, &count);
	if (r != 0)
		return r - 1;
	if (count == 0)
		return cli_usage(command, "say which server to ask: mapiwire ping HOST[:PORT] [INTERFACE].");
	if (p.count == 0 || p.count > MAX_COUNT)
		return cli_usage(command, "-n takes a number from 1 to %u.", MAX_COUNT);
	if (count == 1 && p.endpoint)
		return cli_usage(command, "--endpoint is the port of an INTERFACE.");
	if (count == 2 && find_interface(words[1], &interface) < 0)
		return cli_usage(command,
		                 "'%s' is no interface that is known: take rfr, nspi, store, asyncemsmdb, epm, mgmt, "
		                 "samr and such, or a UUID.",
		                 words[1]);
	bool mapi = remote.transport && strcmp(remote.transport, "mapi-http") == 0;
	bool over_http = mapi || (remote.transport && strcmp(remote.transport, "rpc-http") == 0);
	if (mapi && count == 2)
		return cli_usage(command,
		                 "MAPI over HTTP has no interfaces: mapiwire ping HOST --transport mapi-http.");
	if (count == 1 && !over_http && (remote.user || remote.auth || remote.ccache))
		return cli_usage(command, "-U belongs to an INTERFACE: the endpoint mapper asks nobody who it is.");
	bool as_user = remote.user || remote.auth || remote.ccache;
	if (!as_user && !over_http)
		remote.level = "none";
	as_user = as_user || over_http; /* the proxy asks */
	int code = cli_remote_open(command, &remote, words[0], as_user);
	if (code == 0 && (p.times = arena_new_array(remote.arena, int64_t, p.count)) == NULL)
		code = cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
	if (code == 0)
		code = count == 2 ? ping_one(&p, &interface, words[1]) : over_http ? ping_proxy(&p) : ping_all(&p);
	int closed = cli_remote_close(command, &remote);
	return code ? code : closed;
}
