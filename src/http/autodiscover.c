#include "http/autodiscover-private.h"

#include "base/text.h"

#include <libxml/parser.h>

#include <string.h>
#include <strings.h>

/* Requests, and what the forms of answers share. */

void autodiscover_init(void)
{
	xmlInitParser();
}

/* ---- Reading ---- */

/* The texts of all children of that name, as far as they may be. */
static int read_names(struct arena *arena, const struct xml_element *list, const char *name, const char *const **out,
                      unsigned *count)
{
	const char **names = arena_new_array(arena, const char *, AUTODISCOVER_MAX_NAMES);
	unsigned n = 0;
	if (!names)
		return MW_E_NOMEM;
	for (const struct xml_element *e = list ? list->child : NULL; e; e = e->next) {
		if (strcmp(e->name, name) != 0)
			continue;
		if (n == AUTODISCOVER_MAX_NAMES)
			return MW_E_LIMIT;
		names[n++] = e->text;
	}
	*out = names;
	*count = n;
	return 0;
}

static int read_pox(struct arena *arena, const struct xml_element *root, struct autodiscover_request *out,
                    const char **why)
{
	const struct xml_element *request = xml_child(root, "Request");
	const char **subject = arena_new_array(arena, const char *, 1);
	if (!subject)
		return MW_E_NOMEM;
	*why = "no Autodiscover request with an address";
	if (strcmp(root->name, "Autodiscover") != 0 || !request)
		return MW_E_MALFORMED;
	*subject = xml_text(request, "EMailAddress");
	if (!**subject)
		*subject = xml_text(request, "LegacyDN");
	if (!**subject)
		return MW_E_MALFORMED;
	*out = (struct autodiscover_request){
	        .kind = AUTODISCOVER_POX,
	        .schema = xml_text(request, "AcceptableResponseSchema"),
	        .subjects = subject,
	        .subject_count = 1,
	        .message_id = "",
	};
	return 0;
}

/* <User><Mailbox>…</Mailbox></User> to what read_names reads. */
static const struct xml_element *mailboxes(struct arena *arena, const struct xml_element *users)
{
	struct xml_element *list = arena_new_of(arena, struct xml_element);
	for (const struct xml_element *u = users && list ? users->child : NULL; u; u = u->next) {
		struct xml_element *m = arena_new_of(arena, struct xml_element);
		if (!m)
			return NULL;
		*m = (struct xml_element){.name = "Mailbox", .text = xml_text(u, "Mailbox"), .next = list->child};
		list->child = m;
	}
	/* They came out backwards. */
	struct xml_element *forward = NULL;
	for (struct xml_element *m = list ? list->child : NULL, *next; m; m = next) {
		next = m->next;
		m->next = forward;
		forward = m;
	}
	if (list)
		list->child = forward;
	return list;
}

static int read_soap(struct arena *arena, const struct xml_element *root, struct autodiscover_request *out,
                     const char **why)
{
	const struct xml_element *body = xml_child(root, "Body"), *request, *subjects;
	const char *subject;
	*out = (struct autodiscover_request){.schema = ""};
	*why = "no SOAP envelope with a request";
	if (strcmp(root->name, "Envelope") != 0 || !body || !body->child)
		return MW_E_MALFORMED;
	out->message_id = xml_text(xml_child(root, "Header"), "MessageID");
	if ((request = xml_path(body, "GetUserSettingsRequestMessage/Request"))) {
		out->kind = AUTODISCOVER_USER_SETTINGS;
		subjects = mailboxes(arena, xml_child(request, "Users"));
		subject = "Mailbox";
	} else if ((request = xml_path(body, "GetDomainSettingsRequestMessage/Request"))) {
		out->kind = AUTODISCOVER_DOMAIN_SETTINGS;
		subjects = xml_child(request, "Domains");
		subject = "Domain";
	} else {
		*why = "an operation other than GetUserSettings and GetDomainSettings";
		return MW_E_UNSUPPORTED;
	}
	*why = "more names than may be asked for at once";
	int r = read_names(arena, subjects, subject, &out->subjects, &out->subject_count);
	return r == 0 ? read_names(arena, xml_child(request, "RequestedSettings"), "Setting", &out->settings,
	                           &out->setting_count)
	              : r;
}

int autodiscover_read(struct arena *arena, bool soap, const void *xml, size_t len, struct autodiscover_request *out,
                      const char **why)
{
	struct xml_element *root;
	struct autodiscover_request request;
	int r = xml_read(arena, xml, len, AUTODISCOVER_MAX_XML, &root, why);
	if (r != 0)
		return r;
	r = soap ? read_soap(arena, root, &request, why) : read_pox(arena, root, &request, why);
	if (r == 0)
		*out = request;
	return r;
}

/* ---- Answering ---- */

void autodiscover_put_base(const struct autodiscover_site *site, struct buf *out)
{
	buf_printf(out, "https://%s", site->host);
	if (site->https_port != 443)
		buf_printf(out, ":%u", site->https_port);
}

void autodiscover_put_server_dn(const struct autodiscover_site *site, struct buf *out)
{
	buf_printf(out, "/o=%s/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn=%s",
	           site->organisation, site->server_name);
}

void autodiscover_put_mapi_url(const struct autodiscover_site *site, const struct guid *mailbox, const char *endpoint,
                               struct buf *out)
{
	char guid[GUID_TEXT_SIZE];
	guid_format(mailbox, guid);
	autodiscover_put_base(site, out);
	buf_printf(out, "/mapi/%s/?MailboxId=%s@%s", endpoint, guid, site->mail_domain);
}

void autodiscover_answer(const struct autodiscover_request *request, const struct autodiscover_site *site,
                         bool mapi_http, int64_t now_ns, struct buf *out)
{
	if (request->kind == AUTODISCOVER_POX)
		autodiscover_pox(request, site, mapi_http, now_ns, out);
	else
		autodiscover_soap(request, site, out);
}

void autodiscover_refuse(bool soap, int error, const char *why, int64_t now_ns, struct buf *out)
{
	if (soap)
		autodiscover_soap_fault(error, why, out);
	else
		autodiscover_pox_error(600, "Invalid Request", now_ns, out);
}

/* ---- JSON ---- */

static unsigned json_error(unsigned status, const char *code, const char *message, struct buf *out)
{
	buf_put_str(out, "{\"ErrorCode\":");
	text_put_json(out, code);
	buf_put_str(out, ",\"ErrorMessage\":");
	text_put_json(out, message);
	buf_put_str(out, "}");
	return status;
}

/* The value of Protocol in "Email=a%40b&Protocol=AutodiscoverV1"; length 0: there is none. */
static const char *protocol_of(const char *query, size_t *len)
{
	static const char name[] = "Protocol=";
	*len = 0;
	for (const char *p = query; p && *p; p += strcspn(p, "&"), p += *p == '&') {
		if (strncasecmp(p, name, sizeof name - 1) != 0)
			continue;
		p += sizeof name - 1;
		*len = strcspn(p, "&");
		return p;
	}
	return "";
}

unsigned autodiscover_json(const struct autodiscover_site *site, const char *query, struct buf *out)
{
	static const char ours[] = "AutodiscoverV1";
	size_t len;
	const char *protocol = protocol_of(query, &len);
	if (len == 0)
		return json_error(400, "MandatoryParameterMissing",
		                  "A valid value must be provided for the query parameter 'Protocol'.", out);
	if (len != strlen(ours) || strncasecmp(protocol, ours, len) != 0 || site->https_port == 0)
		return json_error(400, "InvalidProtocol",
		                  "The protocol is not supported. Supported protocols are 'AutodiscoverV1'.", out);
	buf_put_str(out, "{\"Protocol\":\"AutodiscoverV1\",\"Url\":\"");
	autodiscover_put_base(site, out);
	buf_put_str(out, "/autodiscover/autodiscover.xml\"}");
	return 200;
}
