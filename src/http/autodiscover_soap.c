#include "http/autodiscover-private.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* SOAP answers, [MS-OXWSADISC] 3.1.4. */

#define XSI " xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\""

static void put_envelope(const char *operation, const struct autodiscover_request *request,
                         const struct autodiscover_site *site, struct buf *out)
{
	unsigned version[4] = {0};
	const char *v = site->version;
	for (unsigned i = 0; i < 4 && v; i++) {
		version[i] = (unsigned)strtoul(v, NULL, 10);
		v = strchr(v, '.');
		v = v ? v + 1 : NULL;
	}
	buf_put_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	                 "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
	                 "xmlns:a=\"http://www.w3.org/2005/08/addressing\">\n<s:Header>\n");
	buf_printf(
	        out,
	        "<a:Action s:mustUnderstand=\"1\">http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/"
	        "%sResponse</a:Action>\n",
	        operation);
	buf_printf(out,
	           "<h:ServerVersionInfo "
	           "xmlns:h=\"http://schemas.microsoft.com/exchange/2010/Autodiscover\"><h:MajorVersion>"
	           "%u</h:MajorVersion><h:MinorVersion>%u</h:MinorVersion><h:MajorBuildNumber>%u</h:MajorBuildNumber>"
	           "<h:MinorBuildNumber>%u</h:MinorBuildNumber><h:Version>Exchange2013_SP1</h:Version>"
	           "</h:ServerVersionInfo>\n",
	           version[0], version[1], version[2], version[3]);
	if (*request->message_id) {
		buf_put_str(out, "<a:RelatesTo>");
		xml_put_text(out, request->message_id);
		buf_put_str(out, "</a:RelatesTo>\n");
	}
	buf_printf(out,
	           "</s:Header>\n<s:Body>\n<%sResponseMessage "
	           "xmlns=\"http://schemas.microsoft.com/exchange/2010/Autodiscover\"" XSI ">\n<Response>\n",
	           operation);
}

static void put_envelope_end(const char *operation, struct buf *out)
{
	buf_printf(out, "</Response>\n</%sResponseMessage>\n</s:Body>\n</s:Envelope>\n", operation);
}

static void put_error(const char *code, const char *message, struct buf *out)
{
	xml_put(out, "ErrorCode", code);
	xml_put(out, "ErrorMessage", message);
}

/* ---- What there is to say of a user: a name and a small function each ---- */

typedef void (*setting_fn)(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out);

static void user_name(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)site;
	buf_put_str(out, user->name ? user->name : "");
}

static void user_dn(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)site;
	buf_put_str(out, user->dn ? user->dn : "");
}

static void user_address(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)site;
	buf_put_str(out, user->address ? user->address : "");
}

static void deployment(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	char guid[GUID_TEXT_SIZE];
	(void)site;
	guid_format(&user->mailbox, guid);
	buf_put_str(out, guid);
}

static void host(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	if (site->tcp)
		buf_put_str(out, site->host);
}

static void server_dn(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	autodiscover_put_server_dn(site, out);
}

static void mailbox_dn(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	server_dn(site, user, out);
	buf_put_str(out, "/cn=Microsoft Private MDB");
}

static void version(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	buf_put_str(out, site->version);
}

static void external_host(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	if (!site->https_port)
		return;
	buf_put_str(out, site->host);
	if (site->https_port != 443)
		buf_printf(out, ":%u", site->https_port);
}

static void requires_ssl(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	buf_put_str(out, site->https_port ? "True" : "");
}

static void methods(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	buf_put_str(out, site->https_port ? "Negotiate" : "");
}

static void mapi_enabled(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	(void)user;
	buf_put_str(out, site->https_port ? "True" : "False");
}

static void store_url(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	if (site->https_port)
		autodiscover_put_mapi_url(site, &user->mailbox, "emsmdb", out);
}

static void book_url(const struct autodiscover_site *site, const struct autodiscover_user *user, struct buf *out)
{
	if (site->https_port)
		autodiscover_put_mapi_url(site, &user->mailbox, "nspi", out);
}

static const struct setting {
	const char *name;
	setting_fn put;
} user_settings[] = {
        {"AutoDiscoverSMTPAddress", user_address},
        {"CasVersion", version},
        {"ExternalMailboxServer", external_host},
        {"ExternalMailboxServerAuthenticationMethods", methods},
        {"ExternalMailboxServerRequiresSSL", requires_ssl},
        {"InternalMailboxServer", host},
        {"InternalMailboxServerDN", server_dn},
        {"InternalRpcClientServer", host},
        {"MailboxDN", mailbox_dn},
        {"MailboxVersion", version},
        {"MapiHttpAddressBookExternalUrl", book_url},
        {"MapiHttpAddressBookInternalUrl", book_url},
        {"MapiHttpEnabled", mapi_enabled},
        {"MapiHttpMailStoreExternalUrl", store_url},
        {"MapiHttpMailStoreInternalUrl", store_url},
        {"UserDN", user_dn},
        {"UserDeploymentId", deployment},
        {"UserDisplayName", user_name},
};

static const struct setting *find_setting(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(user_settings); i++)
		if (strcmp(user_settings[i].name, name) == 0)
			return &user_settings[i];
	return NULL;
}

/* The value of a setting, or "" when there is none; NUL-terminated in scratch. */
static const char *value_of(const char *name, const struct autodiscover_site *site,
                            const struct autodiscover_user *user, struct buf *scratch)
{
	const struct setting *s = find_setting(name);
	buf_clear(scratch);
	if (s)
		s->put(site, user, scratch);
	return buf_put_u8(scratch, 0) == 0 ? (const char *)scratch->data : "";
}

static void put_setting_error(const char *kind, const char *name, struct buf *out)
{
	buf_printf(out, "<%sSettingError>", kind);
	put_error("SettingIsNotAvailable", "The setting is not available.", out);
	xml_put(out, "SettingName", name);
	buf_printf(out, "</%sSettingError>\n", kind);
}

static void put_user_settings(const struct autodiscover_request *request, const struct autodiscover_site *site,
                              const struct autodiscover_user *user, struct buf *out)
{
	struct buf MW_CLEANUP(buf_free) scratch = {0};
	put_error("NoError", "No error.", out);
	buf_put_str(out, "<RedirectTarget i:nil=\"true\"/>\n<UserSettingErrors>\n");
	for (unsigned i = 0; i < request->setting_count; i++)
		if (!*value_of(request->settings[i], site, user, &scratch))
			put_setting_error("User", request->settings[i], out);
	buf_put_str(out, "</UserSettingErrors>\n<UserSettings>\n");
	for (unsigned i = 0; i < request->setting_count; i++) {
		const char *value = value_of(request->settings[i], site, user, &scratch);
		if (!*value)
			continue;
		buf_put_str(out, "<UserSetting i:type=\"StringSetting\">");
		xml_put(out, "Name", request->settings[i]);
		xml_put(out, "Value", value);
		buf_put_str(out, "</UserSetting>\n");
	}
	buf_put_str(out, "</UserSettings>\n");
}

static void put_user_response(const struct autodiscover_request *request, const struct autodiscover_site *site,
                              const char *subject, struct buf *out)
{
	struct autodiscover_user user = {0};
	buf_put_str(out, "<UserResponse>\n");
	if (site->find(site->user, subject, &user) != 0) {
		put_error("InvalidUser", "The user is not known here.", out);
		buf_put_str(out, "<RedirectTarget i:nil=\"true\"/><UserSettingErrors/><UserSettings/>\n");
	} else if (user.redirect_address || user.redirect_url) {
		put_error(user.redirect_address ? "RedirectAddress" : "RedirectUrl", "Redirection.", out);
		xml_put(out, "RedirectTarget", user.redirect_address ? user.redirect_address : user.redirect_url);
		buf_put_str(out, "<UserSettingErrors/><UserSettings/>\n");
	} else {
		put_user_settings(request, site, &user, out);
	}
	buf_put_str(out, "</UserResponse>\n");
}

/* Nothing of what can be asked of a domain, ExternalEwsUrl and ExternalEwsVersion, is served. */
static void put_domain_response(const struct autodiscover_request *request, const struct autodiscover_site *site,
                                const char *domain, struct buf *out)
{
	bool known = text_casecmp(domain, site->mail_domain) == 0;
	buf_put_str(out, "<DomainResponse>\n");
	put_error(known ? "NoError" : "InvalidDomain", known ? "No error." : "The domain is not known here.", out);
	buf_put_str(out, "<DomainSettingErrors>\n");
	for (unsigned i = 0; known && i < request->setting_count; i++)
		put_setting_error("Domain", request->settings[i], out);
	buf_put_str(out,
	            "</DomainSettingErrors>\n<DomainSettings/>\n<RedirectTarget i:nil=\"true\"/>\n</DomainResponse>\n");
}

void autodiscover_soap(const struct autodiscover_request *request, const struct autodiscover_site *site,
                       struct buf *out)
{
	bool users = request->kind == AUTODISCOVER_USER_SETTINGS;
	const char *operation = users ? "GetUserSettings" : "GetDomainSettings";
	bool whole = request->subject_count > 0 && request->setting_count > 0;
	put_envelope(operation, request, site, out);
	put_error(whole ? "NoError" : "InvalidRequest",
	          whole ? "No error." : "The request names no subject, or no setting.", out);
	buf_printf(out, "\n<%sResponses>\n", users ? "User" : "Domain");
	for (unsigned i = 0; whole && i < request->subject_count; i++)
		if (users)
			put_user_response(request, site, request->subjects[i], out);
		else
			put_domain_response(request, site, request->subjects[i], out);
	buf_printf(out, "</%sResponses>\n", users ? "User" : "Domain");
	put_envelope_end(operation, out);
}

void autodiscover_soap_fault(int error, const char *why, struct buf *out)
{
	buf_put_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	                 "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>");
	xml_put(out, "faultcode", error == MW_E_UNSUPPORTED ? "s:ActionNotSupported" : "s:Client");
	buf_put_str(out, "<faultstring xml:lang=\"en-US\">The request was not understood: ");
	xml_put_text(out, why);
	buf_put_str(out, ".</faultstring></s:Fault></s:Body></s:Envelope>\n");
}
