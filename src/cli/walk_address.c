#include "base/text.h"
#include "base/time.h"
#include "causes/causes.h"
#include "cli/walk.h"
#include "discover/discover.h"

#include <string.h>

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

/* What was found, by protocol; yields the server of RPC over TCP, or NULL. */
static const char *put_found(const struct walk *w, const struct autodiscover_found *found)
{
	struct buf out MW_CLEANUP(buf_free) = {0};
	const char *exch = NULL;
	for (unsigned i = 0; i < found->protocol_count; i++) {
		const struct autodiscover_protocol *p = &found->protocols[i];
		const char *where = p->server ? p->server : p->mail_store;
		if (strcmp(p->type, "EXCH") == 0 && p->server && !exch)
			exch = p->server;
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
	return exch;
}

static int fail(const char *command, enum cause cause, const char *detail)
{
	char sentence[CAUSE_TEXT_SIZE], attempt[CAUSE_TEXT_SIZE];
	cause_explain(cause, &(struct cause_about){.detail = detail}, sentence, attempt);
	return cli_fail(command, cause_get(cause)->exit_code, "%s %s", sentence, attempt);
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
	        .ca_file = w->ca_file,
	        .insecure = w->insecure,
	        .domain = r->domain,
	        .user = r->name,
	        .password = password,
	        .timeout_ns = r->timeout_ns ? r->timeout_ns : DEFAULT_TIMEOUT_NS,
	        .tried = on_try,
	        .told = w,
	};
	int e = discover(r->arena, &config, &found);
	if (e == MW_E_INVALID)
		return cli_usage(command, "'%s' is no mail address.", r->host);
	if (e == MW_E_AUTH)
		return fail(command, CAUSE_CREDENTIALS_REFUSED, "");
	if (e != 0)
		return fail(command, CAUSE_NO_AUTODISCOVER, r->host);
	const char *server = put_found(w, &found);
	if (!server)
		return fail(command, CAUSE_NO_TCP, r->host);
	if (!w->mailbox && found.dn)
		w->mailbox = found.dn;
	r->host = arena_strdup(r->arena, server);
	return r->host ? 0 : cli_fail(command, CLI_EXIT_FAILED, "out of memory.");
}
