#include "cli/walk.h"

#include "base/text.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>

static const char *const step_names[STEPS] = {"name",         "mapper", "web server", "referral",
                                              "address book", "store",  "inbox",      "notification"};

/* The colours that the lens has for these services. */
static const enum cli_ink inks[STEPS] = {CLI_PLAIN, CLI_GREY,   CLI_GREEN,  CLI_BLUE,
                                         CLI_BLUE,  CLI_YELLOW, CLI_YELLOW, CLI_YELLOW};

/* ---- The way ---- */

/* "tcp://mail.demo.test:135", "https://mail.demo.test/mapi/emsmdb/" */
static void put_where(struct buf *out, const struct walk *w, const struct walk_way *way)
{
	char text[512], port[8] = "";
	bool web = way->transport != MAPIWIRE_TCP, v6 = strchr(web ? way->web_host : way->host, ':') != NULL;
	const char *path = way->transport == MAPIWIRE_MAPI_HTTP
	                           ? way->web.store_path ? way->web.store_path : "/mapi/emsmdb/"
	                   : way->web.path ? way->web.path
	                                   : "/rpc/rpcproxy.dll";
	const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
	if (way->web_port != (way->web.plain ? 80 : 443))
		snprintf(port, sizeof port, ":%u", way->web_port);
	if (!web)
		snprintf(text, sizeof text, "%s%s%s:%u", open, way->host, close, w->r->epm_port ? w->r->epm_port : 135);
	else
		snprintf(text, sizeof text, "%s://%s%s%s%s%.300s", way->web.plain ? "http" : "https", open,
		         way->web_host, close, port, path);
	text_put_terminal(out, text);
}

void walk_put_way(struct buf *out, const struct walk *w, const struct walk_way *way)
{
	bool quiet = way->transport == MAPIWIRE_TCP && !w->all;
	if (w->r->json && !way->wanted)
		buf_printf(out, "{\"transport\":\"%s\",\"offered\":false}\n", walk_transports[way - w->ways]);
	if (w->r->json || quiet)
		return;
	cli_put(out, w->r->colored, CLI_BOLD, walk_way_names[way - w->ways]);
	if (way->wanted) {
		buf_put_str(out, ", ");
		put_where(out, w, way);
	} else {
		buf_put_str(out, ": Autodiscover does not offer it");
	}
	buf_put_u8(out, '\n');
}

/* ---- Steps ---- */

/* "127.0.0.1:135", "[::1]:135"; of the name step, the address alone. */
static void put_json_address(struct buf *out, const struct walk *w, const struct step *s)
{
	char text[160];
	const char *host = s->host ? s->host : w->host;
	bool brackets = strchr(host, ':') != NULL;
	if (s->address[0] != ':')
		snprintf(text, sizeof text, "%s", s->address);
	else
		snprintf(text, sizeof text, "%s%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", s->address);
	if (*text)
		cli_json_text(out, "address", text);
}

static void put_json_seen(struct buf *out, const struct mapiwire_web_report *seen)
{
	cli_json_text(out, "tls", seen->tls ? seen->tls : "none");
	cli_json_text(out, "auth", seen->auth);
	if (*seen->certificate)
		cli_json_text(out, "certificate", seen->certificate);
	cli_json_ms(out, "connect_ms", seen->connect_ns);
	cli_json_ms(out, "tls_ms", seen->tls_ns);
	cli_json_ms(out, "logon_ms", seen->auth_ns);
	cli_json_ms(out, "answer_ms", seen->answer_ns);
}

static void put_json_step(struct buf *out, const struct walk *w, enum step_number i)
{
	static const char *const states[] = {"skipped", "ok", "failed"};
	const struct step *s = &w->steps[i];
	buf_printf(out, "{\"step\":%d", walk_number(w, i));
	cli_json_text(out, "transport", walk_transports[w->way->transport]);
	cli_json_text(out, "name", step_names[i]);
	put_json_address(out, w, s);
	if (*s->what)
		cli_json_text(out, "what", s->what);
	if (s->state != SKIPPED)
		cli_json_ms(out, "ms", s->ns);
	if (i == WEB && w->knocked)
		put_json_seen(out, &w->seen);
	cli_json_text(out, "result", states[s->state]);
	if (s->state == FAILED) {
		cli_json_text(out, "cause", s->error.cause);
		cli_json_text(out, "sentence", s->error.sentence);
		cli_json_text(out, "try", s->error.attempt);
		if (s->error.status)
			buf_printf(out, ",\"status\":%u", s->error.status);
		if (*s->error.status_name)
			cli_json_text(out, "status_name", s->error.status_name);
		buf_printf(out, ",\"exit\":%d", s->error.exit_code);
	}
	buf_put_str(out, "}\n");
}

/* Whole milliseconds, never none. */
static void put_ms(struct buf *out, int64_t ns)
{
	int64_t ms = (ns + NS_PER_MS / 2) / NS_PER_MS;
	buf_printf(out, "%7lld ms", (long long)(ms > 0 ? ms : 1));
}

/* The number of a step before that failed of the very same; 0: none. */
static int same_cause(const struct walk *w, enum step_number i)
{
	for (int k = 0; k < (int)i; k++)
		if (w->steps[k].state == FAILED && strcmp(w->steps[k].error.sentence, w->steps[i].error.sentence) == 0)
			return walk_number(w, (enum step_number)k);
	return 0;
}

/* Where the time at the web server went, and who it says it is. */
static void put_times(struct buf *out, const struct mapiwire_web_report *seen)
{
	buf_printf(out, "                connected in %.1f ms", (double)seen->connect_ns / (double)NS_PER_MS);
	if (seen->tls)
		buf_printf(out, ", TLS in %.1f", (double)seen->tls_ns / (double)NS_PER_MS);
	if (seen->auth_ns)
		buf_printf(out, ", log-on in %.1f", (double)seen->auth_ns / (double)NS_PER_MS);
	buf_printf(out, ", answer in %.1f\n", (double)seen->answer_ns / (double)NS_PER_MS);
	if (!*seen->certificate)
		return;
	buf_put_str(out, "                certificate: ");
	text_put_terminal(out, seen->certificate);
	buf_put_u8(out, '\n');
}

static void put_cause(struct buf *out, const struct walk *w, enum step_number i)
{
	const struct mapiwire_error *e = &w->steps[i].error;
	int same = same_cause(w, i);
	buf_put_str(out, "  ");
	cli_put(out, w->r->colored, CLI_BOLD, "Cause");
	buf_put_str(out, "  ");
	if (same) {
		buf_printf(out, "The same as in step %d.\n", same);
		return;
	}
	text_put_terminal(out, e->sentence);
	buf_put_str(out, "\n  ");
	cli_put(out, w->r->colored, CLI_BOLD, "Try");
	buf_put_str(out, "    ");
	text_put_terminal(out, e->attempt);
	buf_put_u8(out, '\n');
}

static void put_step(struct buf *out, const struct walk *w, enum step_number i)
{
	const struct step *s = &w->steps[i];
	bool colored = w->r->colored;
	buf_printf(out, "%d ", walk_number(w, i));
	cli_put_cell(out, colored, inks[i], step_names[i], 14, false);
	cli_put_cell(out, false, CLI_PLAIN, s->address, 7, false);
	buf_put_u8(out, ' ');
	cli_put_cell(out, false, CLI_PLAIN, s->what, strlen(s->address) > 7 ? 43 - (unsigned)strlen(s->address) : 36,
	             false);
	if (s->state == SKIPPED) {
		buf_put_str(out, "         -\n");
		return;
	}
	put_ms(out, s->ns);
	buf_put_str(out, "  ");
	cli_put(out, colored, s->state == OK ? CLI_GREEN : CLI_RED, s->state == OK ? "ok" : "FAILED");
	buf_put_u8(out, '\n');
	if (i == WEB && w->knocked)
		put_times(out, &w->seen);
	if (s->state == FAILED)
		put_cause(out, w, i);
}

static const char *level_name(enum mapiwire_level level)
{
	static const char *const names[] = {"privacy", "none", "connect", "call", "packet", "integrity", "privacy"};
	return names[level];
}

static const char *auth_name(const struct walk *w)
{
	const char *used = mapiwire_auth_used(w->home ? w->home : w->m);
	return strcmp(used, "kerberos") == 0 ? "Kerberos, " : strcmp(used, "ntlm") == 0 ? "NTLM, " : "";
}

static void put_failed(struct buf *out, const struct walk *w)
{
	unsigned count, failed = 0, seen = 0;
	const enum step_number *route = walk_route(w, &count);
	for (unsigned k = 0; k < count; k++)
		failed += w->steps[route[k]].state == FAILED;
	if (failed)
		buf_put_str(out, failed > 1 ? " steps" : " step");
	for (unsigned k = 0; k < count; k++)
		if (w->steps[route[k]].state == FAILED)
			buf_printf(out, "%s%u", seen++ ? ", " : " ", k + 1);
	if (failed)
		buf_put_u8(out, '.');
}

/* Of RPC: by the calls' own protection. */
static void put_rpc_protection(struct buf *out, const struct walk *w)
{
	static const char *const demands[] = {"whether the server requires it was not tried",
	                                      "not required by the server", "required by the server"};
	bool tcp = w->way->transport == MAPIWIRE_TCP;
	if (w->steps[STORE].state == OK || w->encryption == REQUIRED)
		buf_printf(out, "%s (%s%s)", w->r->chosen == MAPIWIRE_LEVEL_PRIVACY ? "used" : "not used", auth_name(w),
		           level_name(w->r->chosen));
	else
		buf_put_str(out, "not seen, since there was no store session");
	if (tcp && (w->steps[STORE].state == OK || w->encryption != UNKNOWN))
		buf_printf(out, "; %s", demands[w->encryption]);
}

static void put_verdict(struct buf *out, const struct walk *w, int code)
{
	bool web = w->way->transport != MAPIWIRE_TCP, told = web || w->all;
	bool nobody = w->knocked && strcmp(w->seen.auth, "none") == 0;
	char tls[16];
	cli_put(out, w->r->colored, code ? CLI_RED : CLI_GREEN,
	        code ? "Outlook would not start" : "Outlook would start");
	if (told)
		buf_printf(out, " over %s", walk_way_names[w->way->transport]);
	buf_put_str(out, code ? ":" : ".");
	put_failed(out, w);
	buf_put_str(out, " Encryption: ");
	if (web && w->knocked)
		buf_printf(out, "%s, %s%s%s", walk_tls_name(&w->seen, tls),
		           nobody ? "nobody had to log on" : "log-on by ", nobody ? "" : walk_auth_name(w->seen.auth),
		           w->way->transport == MAPIWIRE_RPC_HTTP ? "; of the RPC inside: " : "");
	if (!web || w->way->transport == MAPIWIRE_RPC_HTTP)
		put_rpc_protection(out, w);
	else if (!w->knocked)
		buf_put_str(out, "not seen, since step 2 failed");
	buf_put_u8(out, '.');
	if (code)
		buf_printf(out, " Exit %d.", code);
	buf_put_u8(out, '\n');
}

static void put_json_verdict(struct buf *out, const struct walk *w, int code)
{
	unsigned count, seen = 0;
	const enum step_number *route = walk_route(w, &count);
	bool mapi = w->way->transport == MAPIWIRE_MAPI_HTTP;
	buf_printf(out, "{\"starts\":%s,\"failed\":[", code ? "false" : "true");
	for (unsigned k = 0; k < count; k++)
		if (w->steps[route[k]].state == FAILED)
			buf_printf(out, "%s%u", seen++ ? "," : "", k + 1);
	buf_printf(out, "],\"transport\":\"%s\"", walk_transports[w->way->transport]);
	if (w->knocked)
		cli_json_text(out, "tls", w->seen.tls ? w->seen.tls : "none");
	cli_json_text(out, "auth", mapi ? w->knocked ? w->seen.auth : "none" : mapiwire_auth_used(w->m));
	if (!mapi)
		cli_json_text(out, "level", level_name(w->r->chosen));
	if (mapi && w->knocked)
		buf_printf(out, ",\"encrypted\":%s", w->seen.tls ? "true" : "false");
	else if (w->steps[STORE].state == OK)
		buf_printf(out, ",\"encrypted\":%s", w->r->chosen == MAPIWIRE_LEVEL_PRIVACY ? "true" : "false");
	if (w->encryption != UNKNOWN)
		buf_printf(out, ",\"encryption_required\":%s", w->encryption == REQUIRED ? "true" : "false");
	buf_printf(out, ",\"exit\":%d}\n", code);
}

void walk_put_step(struct buf *out, const struct walk *w, enum step_number i)
{
	if (w->r->json)
		put_json_step(out, w, i);
	else
		put_step(out, w, i);
}

void walk_put_verdict(struct buf *out, const struct walk *w)
{
	if (w->r->json)
		put_json_verdict(out, w, walk_exit(w));
	else
		put_verdict(out, w, walk_exit(w));
}

/* ---- All ways ---- */

static void put_list(struct buf *out, const struct walk *w, bool starts)
{
	unsigned count = 0, seen = 0;
	for (size_t i = 0; i < ARRAY_SIZE(walk_order); i++)
		count += w->ways[walk_order[i]].wanted && w->ways[walk_order[i]].starts == starts;
	for (size_t i = 0; i < ARRAY_SIZE(walk_order); i++) {
		const struct walk_way *way = &w->ways[walk_order[i]];
		if (!way->wanted || way->starts != starts)
			continue;
		buf_put_str(out, seen == 0 ? "" : seen + 1 == count ? " and " : ", ");
		buf_put_str(out, walk_way_names[way->transport]);
		seen++;
	}
}

void walk_put_ways(struct buf *out, const struct walk *w, int code)
{
	bool some = false, missing = false;
	for (size_t i = 0; i < ARRAY_SIZE(w->ways); i++) {
		some = some || w->ways[i].starts;
		missing = missing || (w->ways[i].wanted && !w->ways[i].starts);
	}
	if (w->r->json) {
		buf_put_str(out, "{\"ways\":{");
		for (size_t i = 0, seen = 0; i < ARRAY_SIZE(w->ways); i++)
			if (w->ways[i].wanted)
				buf_printf(out, "%s\"%s\":%d", seen++ ? "," : "", walk_transports[i],
				           w->ways[i].exit_code);
		buf_printf(out, "},\"exit\":%d}\n", code);
		return;
	}
	cli_put(out, w->r->colored, CLI_BOLD, "In all");
	buf_put_str(out, some ? ": works over " : ": works over nothing");
	put_list(out, w, true);
	buf_put_str(out, missing ? "; not over " : "");
	put_list(out, w, false);
	buf_put_str(out, ".\n");
}
