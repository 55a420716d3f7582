#include "http/autodiscover-private.h"

#include <stdlib.h>
#include <string.h>

/* What a client asks, and what it makes of the answer: [MS-OXDSCLI] 3.1.5. */

#define MAX_PROTOCOLS 32

void autodiscover_ask(const char *address, struct buf *out)
{
	buf_put_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	                 "<Autodiscover "
	                 "xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">"
	                 "<Request>");
	xml_put(out, "EMailAddress", address);
	buf_put_str(out,
	            "<AcceptableResponseSchema>" POX_SCHEMA "</AcceptableResponseSchema></Request></Autodiscover>\n");
}

static const char *text_or_null(const struct xml_element *e, const char *name)
{
	const char *text = xml_text(e, name);
	return *text ? text : NULL;
}

static const char *url_of(const struct xml_element *protocol, const char *element)
{
	const struct xml_element *e = xml_child(protocol, element);
	const char *external = text_or_null(e, "ExternalUrl");
	return external ? external : text_or_null(e, "InternalUrl");
}

static void read_protocol(const struct xml_element *e, struct autodiscover_protocol *out)
{
	*out = (struct autodiscover_protocol){
	        .type = e->type ? e->type : xml_text(e, "Type"),
	        .server = text_or_null(e, "Server"),
	        .ssl = text_or_null(e, "SSL"),
	        .auth_package = text_or_null(e, "AuthPackage"),
	        .principal = text_or_null(e, "CertPrincipalName"),
	        .mail_store = url_of(e, "MailStore"),
	        .address_book = url_of(e, "AddressBook"),
	};
}

static int read_protocols(struct arena *arena, const struct xml_element *account, struct autodiscover_found *out)
{
	struct autodiscover_protocol *protocols = arena_new_array(arena, struct autodiscover_protocol, MAX_PROTOCOLS);
	if (!protocols)
		return MW_E_NOMEM;
	for (const struct xml_element *e = account->child; e && out->protocol_count < MAX_PROTOCOLS; e = e->next)
		if (strcmp(e->name, "Protocol") == 0)
			read_protocol(e, &protocols[out->protocol_count++]);
	out->protocols = protocols;
	return 0;
}

static int read_account(struct arena *arena, const struct xml_element *response, struct autodiscover_found *out,
                        const char **why)
{
	const struct xml_element *user = xml_child(response, "User"), *account = xml_child(response, "Account");
	const char *action = xml_text(account, "Action");
	out->name = text_or_null(user, "DisplayName");
	out->dn = text_or_null(user, "LegacyDN");
	out->address = text_or_null(user, "AutoDiscoverSMTPAddress");
	*why = "an answer that says neither settings nor where they are";
	if (strcmp(action, "settings") == 0)
		return read_protocols(arena, account, out);
	out->redirect_address = strcmp(action, "redirectAddr") == 0 ? text_or_null(account, "RedirectAddr") : NULL;
	out->redirect_url = strcmp(action, "redirectUrl") == 0 ? text_or_null(account, "RedirectUrl") : NULL;
	return out->redirect_address || out->redirect_url ? 0 : MW_E_MALFORMED;
}

int autodiscover_read_answer(struct arena *arena, const void *xml, size_t len, struct autodiscover_found *out,
                             const char **why)
{
	struct autodiscover_found found = {0};
	struct xml_element *root;
	int r = xml_read(arena, xml, len, AUTODISCOVER_MAX_XML, &root, why);
	if (r != 0)
		return r;
	const struct xml_element *response = xml_child(root, "Response"), *error = xml_child(response, "Error");
	*why = "XML that is no answer of Autodiscover's";
	if (strcmp(root->name, "Autodiscover") != 0 || !response)
		return MW_E_MALFORMED;
	if (error) {
		found.error = (unsigned)strtoul(xml_text(error, "ErrorCode"), NULL, 10);
		found.error = found.error ? found.error : 600;
		found.message = xml_text(error, "Message");
	} else {
		r = read_account(arena, response, &found, why);
	}
	if (r == 0)
		*out = found;
	return r;
}
