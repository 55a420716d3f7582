#include "server/autodiscover.h"

#include "base/time.h"
#include "http/autodiscover.h"
#include "server/accounts.h"
#include "server/policy.h"
#include "server/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The directory as Autodiscover sees it; lives while one request is answered. */
struct sight {
	struct directory_snapshot *snapshot;
	struct arena *arena; /* NULL: nobody is looked for */
	const char *moved;   /* of the configuration */
	struct autodiscover_site site;
	char version[32];
};

static int find(void *user, const char *subject, struct autodiscover_user *out)
{
	const struct sight *sight = (const struct sight *)user;
	const struct directory_snapshot *s = sight->snapshot;
	const struct directory_user *u =
	        *subject == '/' ? directory_by_dn(s, subject) : directory_by_address(s, subject);
	if (!u)
		return MW_E_NOTFOUND;
	const struct policy_elsewhere e = policy_find(sight->arena, sight->moved, u->account, u->redirect);
	*out = (struct autodiscover_user){
	        .name = u->name,
	        .dn = u->dn,
	        .address = u->address,
	        .mailbox = u->mailbox,
	        .redirect_address = e.address,
	        .redirect_url = e.url,
	};
	return 0;
}

/* HTTPS is our own, or a trusted proxy's at its usual port. */
static unsigned https_port(const struct web_request *r)
{
	unsigned own = r->server->ports[SERVER_PORT_HTTPS];
	return r->port != SERVER_PORT_HTTPS && r->secure ? 443 : own;
}

static bool look(struct web_request *r, struct arena *arena, struct sight *out)
{
	memset(out, 0, sizeof *out);
	out->arena = arena;
	out->moved = r->server->config.moved;
	out->snapshot = accounts_snapshot(r->server);
	if (!out->snapshot)
		return false;
	const struct directory_settings *d = directory_settings(out->snapshot);
	snprintf(out->version, sizeof out->version, "%d.%d.%d.%d", SERVER_MAJOR, SERVER_MINOR, SERVER_BUILD,
	         SERVER_REVISION);
	out->site = (struct autodiscover_site){
	        .host = r->server->host,
	        .https_port = https_port(r),
	        .tcp = true,
	        .organisation = d->organisation,
	        .server_name = d->server_name,
	        .mail_domain = d->mail_domain,
	        .version = out->version,
	        .version_hex = 0x70008000u | SERVER_MAJOR << 22 | SERVER_MINOR << 16 | SERVER_BUILD,
	        .find = find,
	        .user = out,
	};
	return true;
}

static void put_answer(struct web_request *r, unsigned status, const char *type, const struct buf *body)
{
	struct http_field fields[] = {{"Content-Type", type}, {"Cache-Control", "private"}};
	struct http_head head = {.status = status, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	if (buf_error(body) != 0)
		web_refuse(r, 503, "The server is out of memory.");
	else
		web_answer(r, &head, body->data, body->len);
}

/* [MS-OXDSCLI] 2.2.2.1: the client can do MAPI over HTTP of this version or a lower one. */
static bool can_mapi_http(const struct web_request *r)
{
	const char *value = http_field(r->head, "X-MapiHttpCapability");
	return value && strtoul(value, NULL, 10) >= 1;
}

static void answer(struct web_request *r, bool soap)
{
	MW_CLEANUP(arena_cleanup) struct arena *arena = arena_new((size_t)16 << 20);
	struct buf MW_CLEANUP(buf_free) out = {0};
	struct autodiscover_request request;
	struct sight sight;
	const char *why = NULL;
	if (!arena || !look(r, arena, &sight)) {
		web_refuse(r, 503, "The server is out of memory.");
		return;
	}
	int e = autodiscover_read(arena, soap, r->body.data, r->body.len, &request, &why);
	if (e == 0) {
		autodiscover_answer(&request, &sight.site, can_mapi_http(r), time_now_ns(), &out);
	} else {
		log_line(r->server->config.log, LOG_WARNING, "Autodiscover of %s from %s refused: %s", r->user, r->peer,
		         why);
		autodiscover_refuse(soap, e, why, time_now_ns(), &out);
	}
	/* SOAP 1.1: faults are 500. POX has its errors in an answer that is 200. */
	put_answer(r, soap && e != 0 ? 500 : 200, "text/xml; charset=utf-8", &out);
	directory_snapshot_unref(&sight.snapshot);
}

void autodiscover_xml_end(struct web_request *r)
{
	answer(r, false);
}

void autodiscover_svc_end(struct web_request *r)
{
	answer(r, true);
}

void autodiscover_json_end(struct web_request *r)
{
	struct buf MW_CLEANUP(buf_free) out = {0};
	struct sight sight;
	if (!look(r, NULL, &sight)) {
		web_refuse(r, 503, "The server is out of memory.");
		return;
	}
	unsigned status = autodiscover_json(&sight.site, r->query, &out);
	put_answer(r, status, "application/json; charset=utf-8", &out);
	directory_snapshot_unref(&sight.snapshot);
}

bool autodiscover_to_https(struct web_request *r)
{
	char where[512];
	struct http_field fields[] = {{"Location", where}};
	struct http_head head = {.status = 302, .fields = fields, .field_count = ARRAY_SIZE(fields)};
	unsigned port = https_port(r);
	if (r->secure || port == 0)
		return false;
	char at[8] = "";
	if (port != 443)
		snprintf(at, sizeof at, ":%u", port);
	snprintf(where, sizeof where, "https://%s%s%s", r->server->host, at, r->route->path);
	web_answer(r, &head, NULL, 0);
	return true;
}
