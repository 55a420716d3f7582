#include "rig.h"

#include "http/autodiscover.h"
#include "http/xml.h"

#include <stdio.h>

#include <string.h>

/* Autodiscover: requests as clients send them, answers read back by our client, and XML from strangers. */

#define POX_NS "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
#define POX_ANSWER_NS "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

static int find(void *user, const char *subject, struct autodiscover_user *out)
{
	(void)user;
	*out = (struct autodiscover_user){
	        .name = "Alice <A&B>", .dn = "/o=DEMO/cn=alice", .address = "alice@demo.test"};
	out->mailbox.data1 = 0x11111111;
	if (strcmp(subject, "moved@demo.test") == 0)
		out->redirect_address = "moved@other.test";
	else if (strcmp(subject, "far@demo.test") == 0)
		out->redirect_url = "https://far.test/autodiscover/autodiscover.xml";
	else if (strcmp(subject, "alice@demo.test") != 0 && strcmp(subject, "/o=DEMO/cn=alice") != 0)
		return MW_E_NOTFOUND;
	return 0;
}

static const struct autodiscover_site site = {
        .host = "mail.demo.test",
        .https_port = 4443,
        .tcp = true,
        .organisation = "DEMO",
        .server_name = "MAIL",
        .mail_domain = "demo.test",
        .version = "15.0.1497.0",
        .version_hex = 0x73C085D9,
        .find = find,
};

struct talk {
	struct arena *arena;
	struct buf answer;
	struct autodiscover_request request;
	const char *why;
};

static void talk_end(struct talk *t)
{
	arena_free(&t->arena);
	buf_free(&t->answer);
}

/* Reads a request and answers it; what autodiscover_read yields. */
static int talk(struct talk *t, bool soap, const char *xml, bool mapi_http)
{
	*t = (struct talk){.arena = arena_new(0)};
	int r = autodiscover_read(t->arena, soap, xml, strlen(xml), &t->request, &t->why);
	if (r == 0)
		autodiscover_answer(&t->request, &site, mapi_http, INT64_C(1800000000123456789), &t->answer);
	else
		autodiscover_refuse(soap, r, t->why, 0, &t->answer);
	buf_put_u8(&t->answer, 0);
	assert_int_equal(t->answer.error, 0);
	t->answer.len--;
	return r;
}

static void must_have(const struct talk *t, const char *text)
{
	if (!strstr((const char *)t->answer.data, text))
		fail_msg("no '%s' in: %s", text, (const char *)t->answer.data);
}

static void must_not_have(const struct talk *t, const char *text)
{
	if (strstr((const char *)t->answer.data, text))
		fail_msg("'%s' in: %s", text, (const char *)t->answer.data);
}

/* As Outlook sends it. */
static const char pox[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"" POX_NS "\"><Request>"
                          "<EMailAddress>alice@demo.test</EMailAddress><AcceptableResponseSchema>" POX_ANSWER_NS
                          "</AcceptableResponseSchema></Request></Autodiscover>";

static void test_pox(void **state)
{
	struct autodiscover_found found;
	struct talk t;
	const char *why;
	(void)state;

	assert_int_equal(talk(&t, false, pox, true), 0);
	assert_int_equal(autodiscover_read_answer(t.arena, t.answer.data, t.answer.len, &found, &why), 0);
	assert_string_equal(found.name, "Alice <A&B>");
	assert_string_equal(found.dn, "/o=DEMO/cn=alice");
	assert_string_equal(found.address, "alice@demo.test");
	assert_int_equal(found.protocol_count, 3);
	assert_string_equal(found.protocols[0].type, "EXCH");
	assert_string_equal(found.protocols[0].server, "mail.demo.test");
	assert_string_equal(found.protocols[1].type, "EXPR");
	assert_string_equal(found.protocols[1].server, "mail.demo.test:4443");
	assert_string_equal(found.protocols[1].ssl, "On");
	assert_string_equal(found.protocols[1].principal, "msstd:mail.demo.test");
	assert_string_equal(found.protocols[2].type, "mapiHttp");
	assert_string_equal(found.protocols[2].mail_store, "https://mail.demo.test:4443/mapi/emsmdb/?MailboxId="
	                                                   "11111111-0000-0000-0000-000000000000@demo.test");
	assert_non_null(strstr(found.protocols[2].address_book, "/mapi/nspi/?MailboxId="));
	must_have(&t, "<ServerVersion>73C085D9</ServerVersion>");
	must_have(&t, "cn=Configuration/cn=Servers/cn=MAIL</ServerDN>");
	talk_end(&t);
	assert_int_equal(talk(&t, false, pox, false), 0);
	must_not_have(&t, "mapiHttp");
	talk_end(&t);
}

static const struct {
	const char *subject, *schema;
	unsigned error;
	const char *address, *url;
} poxes[] = {
        {"<LegacyDN>/o=DEMO/cn=alice</LegacyDN>", "", 0, NULL, NULL},
        {"<EMailAddress>bob@demo.test</EMailAddress>", "", 500, NULL, NULL},
        {"<EMailAddress>alice@demo.test</EMailAddress>",
         "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006", 601, NULL, NULL},
        {"<EMailAddress>moved@demo.test</EMailAddress>", "", 0, "moved@other.test", NULL},
        {"<EMailAddress>far@demo.test</EMailAddress>", "", 0, NULL, "https://far.test/autodiscover/autodiscover.xml"},
};

static void test_pox_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(poxes); i++) {
		struct autodiscover_found found;
		struct talk t;
		char xml[1024];
		const char *why;
		snprintf(xml, sizeof xml,
		         "<Autodiscover><Request>%s<AcceptableResponseSchema>%s</AcceptableResponseSchema></Request>"
		         "</Autodiscover>",
		         poxes[i].subject, poxes[i].schema);
		assert_int_equal(talk(&t, false, xml, false), 0);
		assert_int_equal(autodiscover_read_answer(t.arena, t.answer.data, t.answer.len, &found, &why), 0);
		assert_int_equal(found.error, poxes[i].error);
		assert_int_equal(found.protocol_count, poxes[i].error || poxes[i].address || poxes[i].url ? 0 : 2);
		assert_true(!found.redirect_address == !poxes[i].address && !found.redirect_url == !poxes[i].url);
		if (poxes[i].address)
			assert_string_equal(found.redirect_address, poxes[i].address);
		if (poxes[i].url)
			assert_string_equal(found.redirect_url, poxes[i].url);
		talk_end(&t);
	}
}

#define SOAP(body)                                                                                                     \
	"<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
	"xmlns:a=\"http://schemas.microsoft.com/exchange/2010/Autodiscover\" "                                         \
	"xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"><soap:Header>"                                             \
	"<wsa:MessageID>urn:uuid:1</wsa:MessageID></soap:Header><soap:Body>" body "</soap:Body></soap:Envelope>"

static void test_soap_users(void **state)
{
	struct talk t;
	(void)state;

	assert_int_equal(
	        talk(&t, true,
	             SOAP("<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User><a:Mailbox>alice@demo.test"
	                  "</a:Mailbox></a:User><a:User><a:Mailbox>bob@demo.test</a:Mailbox></"
	                  "a:User><a:User><a:Mailbox>"
	                  "moved@demo.test</a:Mailbox></a:User></a:Users><a:RequestedSettings><a:Setting>UserDN</"
	                  "a:Setting>"
	                  "<a:Setting>ExternalEwsUrl</a:Setting><a:Setting>ExternalMailboxServer</a:Setting>"
	                  "</a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage>"),
	             false),
	        0);
	assert_int_equal(t.request.subject_count, 3);
	assert_string_equal(t.request.subjects[0], "alice@demo.test");
	assert_string_equal(t.request.subjects[2], "moved@demo.test");
	must_have(&t, "<Name>UserDN</Name><Value>/o=DEMO/cn=alice</Value>");
	must_have(&t, "<Name>ExternalMailboxServer</Name><Value>mail.demo.test:4443</Value>");
	must_have(&t, "<SettingName>ExternalEwsUrl</SettingName>");
	must_have(&t, "<ErrorCode>InvalidUser</ErrorCode>");
	must_have(&t, "<RedirectTarget>moved@other.test</RedirectTarget>");
	must_have(&t, "<a:RelatesTo>urn:uuid:1</a:RelatesTo>");
	must_have(&t, "<h:MajorBuildNumber>1497</h:MajorBuildNumber>");
	struct xml_element *root;
	assert_int_equal(xml_read(t.arena, t.answer.data, t.answer.len, 1 << 20, &root, &t.why), 0);
	assert_non_null(xml_path(root, "Body/GetUserSettingsResponseMessage/Response/UserResponses/UserResponse"));
	talk_end(&t);
}

static void test_soap_domains(void **state)
{
	struct talk t;
	(void)state;

	assert_int_equal(
	        talk(&t, true,
	             SOAP("<a:GetDomainSettingsRequestMessage><a:Request><a:Domains><a:Domain>demo.test"
	                  "</a:Domain><a:Domain>evil.test</a:Domain></a:Domains><a:RequestedSettings><a:Setting>"
	                  "ExternalEwsUrl</a:Setting></a:RequestedSettings></a:Request>"
	                  "</a:GetDomainSettingsRequestMessage>"),
	             false),
	        0);
	must_have(&t, "<DomainSettingError><ErrorCode>SettingIsNotAvailable</ErrorCode>");
	must_have(&t, "<ErrorCode>InvalidDomain</ErrorCode>");
	talk_end(&t);
	assert_int_equal(
	        talk(&t, true,
	             SOAP("<a:GetDomainSettingsRequestMessage><a:Request/></a:GetDomainSettingsRequestMessage>"),
	             false),
	        0);
	must_have(&t, "<ErrorCode>InvalidRequest</ErrorCode>");
	talk_end(&t);
	assert_int_equal(talk(&t, true, SOAP("<a:GetFederationInformationRequestMessage/>"), false), MW_E_UNSUPPORTED);
	must_have(&t, "s:ActionNotSupported");
	talk_end(&t);
}

static const struct {
	const char *query;
	unsigned status;
	const char *text;
} queries[] = {
        {"Email=alice%40demo.test&Protocol=AutodiscoverV1", 200,
         "{\"Protocol\":\"AutodiscoverV1\",\"Url\":\"https://mail.demo.test:4443/autodiscover/autodiscover.xml\"}"},
        {"protocol=autodiscoverv1", 200, "https://mail.demo.test:4443/"},
        {"Email=x&Protocol=Ews", 400, "InvalidProtocol"},
        {"Email=x&Protocol=AutodiscoverV12", 400, "InvalidProtocol"},
        {"XProtocol=AutodiscoverV1", 400, "MandatoryParameterMissing"},
        {"", 400, "MandatoryParameterMissing"},
        {NULL, 400, "MandatoryParameterMissing"},
        {"Protocol=", 400, "MandatoryParameterMissing"},
};

static void test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct buf MW_CLEANUP(buf_free) out = {0};
		assert_int_equal(autodiscover_json(&site, queries[i].query, &out), queries[i].status);
		buf_put_u8(&out, 0);
		assert_non_null(strstr((const char *)out.data, queries[i].text));
	}
}

/* ---- Strangers' XML ---- */

static const struct {
	const char *xml;
	int error;
	const char *why;
} hostile[] = {
        {"", MW_E_MALFORMED, "no XML"},
        {"hello", MW_E_MALFORMED, "well-formed"},
        {"<a>", MW_E_MALFORMED, "well-formed"},
        {"<a></b>", MW_E_MALFORMED, "well-formed"},
        {"<a/><b/>", MW_E_MALFORMED, "well-formed"},
        {"<a>&unknown;</a>", MW_E_MALFORMED, "well-formed"},
        {"<!DOCTYPE a><a/>", MW_E_MALFORMED, "document type"},
        {"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", MW_E_MALFORMED, "document type"},
        {"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", MW_E_MALFORMED, "document type"},
        {"<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>", MW_E_MALFORMED, "document type"},
        {"<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]><a/>", MW_E_MALFORMED, "document type"},
        /* UTF-7, in which the document type would be hidden, is read as what it is: text. */
        {"<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE a+AD4-<a/>", MW_E_MALFORMED, "well-formed"},
        {"<Autodiscover/>", MW_E_MALFORMED, "address"},
        {"<Autodiscover><Request/></Autodiscover>", MW_E_MALFORMED, "address"},
        {"<Other><Request><EMailAddress>a@b</EMailAddress></Request></Other>", MW_E_MALFORMED, "address"},
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct talk t;
		int r = talk(&t, false, hostile[i].xml, false);
		if (r != hostile[i].error || !strstr(t.why, hostile[i].why))
			fail_msg("%s: %d, %s", hostile[i].xml, r, t.why);
		must_have(&t, "<ErrorCode>600</ErrorCode>");
		talk_end(&t);
	}
}

static void test_utf16(void **state)
{
	static const char xml[] = "\xff\xfe<\0a\0/\0>\0";
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct xml_element *root;
	const char *why;
	(void)state;
	assert_int_equal(xml_read(arena, xml, sizeof xml - 1, 1000, &root, &why), MW_E_MALFORMED);
}

/* Depth, elements, size, texts in pieces: refused at once, and the memory stays small. */
static void test_bounds(void **state)
{
	struct buf MW_CLEANUP(buf_free) xml = {0};
	struct xml_element *root;
	const char *why;
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(16 << 20);
		buf_clear(&xml);
		buf_put_str(&xml, "<a>");
		for (int i = 0; i < 20000; i++)
			buf_put_str(&xml, kind == 0   ? "<a>"
			                  : kind == 1 ? "<a/>"
			                  : kind == 2 ? "xxxxxxxxxxxxxxx"
			                              : "&lt;");
		for (int i = 0; kind == 0 && i < 20000; i++)
			buf_put_str(&xml, "</a>");
		buf_put_str(&xml, "</a>");
		assert_int_equal(xml_read(arena, xml.data, xml.len, 256 << 10, &root, &why), MW_E_LIMIT);
		assert_true(arena_used(arena) < 8 << 20);
	}
}

static void test_too_many_names(void **state)
{
	struct buf MW_CLEANUP(buf_free) xml = {0};
	struct talk t;
	(void)state;
	buf_put_str(&xml, "<Envelope><Body><GetDomainSettingsRequestMessage><Request><Domains>");
	for (int i = 0; i <= AUTODISCOVER_MAX_NAMES; i++)
		buf_put_str(&xml, "<Domain>a</Domain>");
	buf_put_str(&xml, "</Domains></Request></GetDomainSettingsRequestMessage></Body></Envelope>");
	buf_put_u8(&xml, 0);
	assert_int_equal(talk(&t, true, (const char *)xml.data, false), MW_E_LIMIT);
	must_have(&t, "s:Client");
	talk_end(&t);
}

/* What a client asks is what a server reads, whatever the address has in it. */
static void test_ask(void **state)
{
	static const char *const addresses[] = {"alice@demo.test", "a<b>&\"'@x.test", "\xc3\xa4@x.test", "a]]>@b"};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct buf MW_CLEANUP(buf_free) out = {0};
		struct talk t;
		autodiscover_ask(addresses[i], &out);
		buf_put_u8(&out, 0);
		assert_int_equal(talk(&t, false, (const char *)out.data, false), 0);
		assert_string_equal(t.request.subjects[0], addresses[i]);
		talk_end(&t);
	}
}

static const struct {
	const char *xml, *why;
} answers[] = {
        {"<Autodiscover/>", "no answer"},
        {"<html><Response/></html>", "no answer"},
        {"<Autodiscover><Response/></Autodiscover>", "neither"},
        {"<Autodiscover><Response><Account><Action>redirectAddr</Action></Account></Response></Autodiscover>",
         "neither"},
};

static void test_bad_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
		struct autodiscover_found found;
		const char *why = "";
		assert_int_equal(autodiscover_read_answer(arena, answers[i].xml, strlen(answers[i].xml), &found, &why),
		                 MW_E_MALFORMED);
		assert_non_null(strstr(why, answers[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_pox),
	        cmocka_unit_test(test_pox_answers),
	        cmocka_unit_test(test_soap_users),
	        cmocka_unit_test(test_soap_domains),
	        cmocka_unit_test(test_json),
	        cmocka_unit_test(test_hostile),
	        cmocka_unit_test(test_utf16),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_too_many_names),
	        cmocka_unit_test(test_ask),
	        cmocka_unit_test(test_bad_answers),
	};
	autodiscover_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
