#include "http/autodiscover-private.h"

#include "base/text.h"

#include <string.h>
#include <time.h>

/* POX answers, [MS-OXDSCLI] 2.2.4. */

static void put_start(struct buf *out)
{
	buf_put_str(
	        out,
	        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	        "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n");
}

void autodiscover_pox_error(unsigned code, const char *message, int64_t now_ns, struct buf *out)
{
	time_t s = (time_t)(now_ns / 1000000000);
	struct tm tm;
	gmtime_r(&s, &tm);
	put_start(out);
	buf_printf(out, "<Response>\n<Error Time=\"%02d:%02d:%02d.%07u\" Id=\"%u\">", tm.tm_hour, tm.tm_min, tm.tm_sec,
	           (unsigned)(now_ns % 1000000000 / 100), (unsigned)(now_ns / 1000 & 0x7fffffff));
	buf_printf(out, "<ErrorCode>%u</ErrorCode>", code);
	xml_put(out, "Message", message);
	buf_put_str(out, "<DebugData/></Error>\n</Response>\n</Autodiscover>\n");
}

/* 2.2.4.1.1.2.10: RPC over TCP, inside. */
static void put_exch(const struct autodiscover_site *site, struct buf *out)
{
	buf_put_str(out, "<Protocol>\n<Type>EXCH</Type>\n");
	xml_put(out, "Server", site->host);
	buf_put_str(out, "\n<ServerDN>");
	autodiscover_put_server_dn(site, out);
	buf_printf(out, "</ServerDN>\n<ServerVersion>%08X</ServerVersion>\n<MdbDN>", site->version_hex);
	autodiscover_put_server_dn(site, out);
	buf_put_str(out, "/cn=Microsoft Private MDB</MdbDN>\n");
	buf_put_str(out, "<Port>0</Port>\n<DirectoryPort>0</DirectoryPort>\n<ReferralPort>0</ReferralPort>\n");
	buf_put_str(out, "<AuthPackage>Negotiate</AuthPackage>\n</Protocol>\n");
}

/* RPC over HTTP, from outside. The server's name is that in its certificate. */
static void put_expr(const struct autodiscover_site *site, struct buf *out)
{
	buf_put_str(out, "<Protocol>\n<Type>EXPR</Type>\n<Server>");
	xml_put_text(out, site->host);
	if (site->https_port != 443)
		buf_printf(out, ":%u", site->https_port);
	buf_put_str(out, "</Server>\n<SSL>On</SSL>\n<AuthPackage>Negotiate</AuthPackage>\n<CertPrincipalName>msstd:");
	xml_put_text(out, site->host);
	buf_put_str(out, "</CertPrincipalName>\n</Protocol>\n");
}

static void put_urls(const struct autodiscover_site *site, const struct autodiscover_user *user, const char *element,
                     const char *endpoint, struct buf *out)
{
	static const char *const kinds[] = {"InternalUrl", "ExternalUrl"};
	buf_printf(out, "<%s>", element);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		buf_printf(out, "<%s>", kinds[i]);
		autodiscover_put_mapi_url(site, &user->mailbox, endpoint, out);
		buf_printf(out, "</%s>", kinds[i]);
	}
	buf_printf(out, "</%s>\n", element);
}

static void put_mapi_http(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	buf_put_str(out, "<Protocol Type=\"mapiHttp\" Version=\"1\">\n");
	put_urls(site, user, "MailStore", "emsmdb", out);
	put_urls(site, user, "AddressBook", "nspi", out);
	buf_put_str(out, "</Protocol>\n");
}

static void put_user(const struct autodiscover_user *user, struct buf *out)
{
	char guid[GUID_TEXT_SIZE];
	guid_format(&user->mailbox, guid);
	buf_put_str(out, "<User>\n");
	xml_put(out, "DisplayName", user->name);
	xml_put(out, "LegacyDN", user->dn);
	xml_put(out, "AutoDiscoverSMTPAddress", user->address);
	xml_put(out, "DeploymentId", guid);
	buf_put_str(out, "\n</User>\n");
}

static void put_account(const struct autodiscover_site *site, const struct autodiscover_user *user, bool mapi_http,
                        struct buf *out)
{
	buf_put_str(out, "<Account>\n");
	if (user->redirect_address || user->redirect_url) {
		xml_put(out, "Action", user->redirect_address ? "redirectAddr" : "redirectUrl");
		xml_put(out, user->redirect_address ? "RedirectAddr" : "RedirectUrl",
		        user->redirect_address ? user->redirect_address : user->redirect_url);
		buf_put_str(out, "\n</Account>\n");
		return;
	}
	buf_put_str(out, "<AccountType>email</AccountType>\n<Action>settings</Action>\n"
	                 "<MicrosoftOnline>False</MicrosoftOnline>\n");
	if (site->tcp)
		put_exch(site, out);
	if (site->https_port)
		put_expr(site, out);
	if (site->https_port && mapi_http)
		put_mapi_http(site, user, out);
	buf_put_str(out, "</Account>\n");
}

void autodiscover_pox(const struct autodiscover_request *request, const struct autodiscover_site *site, bool mapi_http,
                      int64_t now_ns, struct buf *out)
{
	struct autodiscover_user user = {0};
	if (*request->schema && text_casecmp(request->schema, POX_SCHEMA) != 0) {
		autodiscover_pox_error(601, "Provider is not available", now_ns, out);
		return;
	}
	if (site->find(site->user, request->subjects[0], &user) != 0) {
		autodiscover_pox_error(500, "The email address can't be found.", now_ns, out);
		return;
	}
	put_start(out);
	buf_put_str(out, "<Response xmlns=\"" POX_SCHEMA "\">\n");
	put_user(&user, out);
	put_account(site, &user, mapi_http, out);
	buf_put_str(out, "</Response>\n</Autodiscover>\n");
}
