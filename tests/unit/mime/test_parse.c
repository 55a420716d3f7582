#include "mime/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mime_parsed *parse(const char *text, size_t size)
{
	const struct mime_source source = {.data = text, .size = size, .fd = -1};
	struct mime_parsed *p = NULL;
	assert_int_equal(mime_parse(&source, &p), 0);
	return p;
}

static const struct mapiwire_value *find(const struct mime_message *m, uint32_t tag)
{
	return mime_find(m->values, m->value_count, tag);
}

/* ---- One header or body, one property: [MS-OXCMAIL] 2.2.3 ---- */

static void texts(void **state)
{
	static const struct {
		const char *mail;
		uint32_t tag;
		const char *text; /* NULL: none */
	} rows[] = {
	        {"Subject: Re: Lunch\n\n", PidTagSubject, "Re: Lunch"},
	        {"Subject: Re: Lunch\n\n", PidTagConversationTopic, "Lunch"},
	        {"Subject: Reply: x\n\n", PidTagConversationTopic, "Reply: x"},
	        {"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?iso-8859-1?b?5A==?=\n\n", PidTagSubject, "Grüßeä"},
	        {"Subject: raw Gr\xfc\xdf\x65\n\n", PidTagSubject, "raw Grüße"},
	        {"Subject: folded\n line\n\n", PidTagSubject, "folded line"},
	        {"Thread-Topic: topic\nSubject: s\n\n", PidTagConversationTopic, "topic"},
	        {"Message-ID: <a.b@c>\n\n", PidTagInternetMessageId, "<a.b@c>"},
	        {"In-Reply-To: Message of Monday <x@y>\n\n", PidTagInReplyToId, "<x@y>"},
	        {"In-Reply-To: <x@y>\n\n", PidTagInReplyToId, "<x@y>"},
	        {"References: <a@b>\n <c@d>\n\n", PidTagInternetReferences, "<a@b> <c@d>"},
	        {"From: \"Ann A\" <ann@x.test>\n\n", PidTagSentRepresentingName, "Ann A"},
	        {"From: ann@x.test\n\n", PidTagSentRepresentingEmailAddress, "ann@x.test"},
	        {"From: ann@x.test\n\n", PidTagSenderName, "ann@x.test"},
	        {"From: Ann <ann@x.test>\nSender: Bo <bo@x.test>\n\n", PidTagSenderSmtpAddress, "bo@x.test"},
	        {"From: Ann <ann@x.test>\nSender: Bo <bo@x.test>\n\n", PidTagSentRepresentingSmtpAddress, "ann@x.test"},
	        {"From: ann@x.test\n\n", PidTagSenderAddressType, "SMTP"},
	        {"Reply-To: Cy <cy@x.test>, dot@x.test\n\n", PidTagReplyRecipientNames, "Cy; dot@x.test"},
	        {"X: y\n\nhello\n", PidTagBody, "hello\n"},
	        {"X: y\n\nhello\n", PidTagMessageClass, "IPM.Note"},
	        {"Content-Type: text/plain; charset=iso-8859-1\n\n\xe4\n", PidTagBody, "ä\n"},
	        {"Content-Type: text/plain; charset=nonsense\n\n\xe4\n", PidTagBody, "ä\n"},
	        {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4=\n!\n",
	         PidTagBody, "ä!\n"},
	        {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\naGk=\n", PidTagBody,
	         "hi"},
	        {"Content-Type: text/html\n\n<p>a&amp;b</p>\n", PidTagBody, "a&b\n"},
	        {"X-Odd: one\n two\nA: b\n\n", PidTagTransportMessageHeaders, "X-Odd: one\n two\nA: b\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mime_parsed *p = parse(rows[i].mail, strlen(rows[i].mail));
		const struct mapiwire_value *v = find(mime_parsed_message(p), rows[i].tag);
		if (rows[i].text) {
			if (!v || strcmp(v->text, rows[i].text) != 0)
				fail_msg("%s: %s", rows[i].mail, v ? v->text : "none");
		} else {
			assert_null(v);
		}
		mime_parsed_free(&p);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *mail;
		uint32_t tag;
		int64_t number;
	} rows[] = {
	        {"Importance: High\nX-Priority: 5\n\n", PidTagImportance, 2},
	        {"X-Priority: 1 (Highest)\n\n", PidTagImportance, 2},
	        {"X-MSMail-Priority: low\n\n", PidTagImportance, 0},
	        {"Priority: non-urgent\n\n", PidTagImportance, 0},
	        {"Sensitivity: Company-Confidential\n\n", PidTagSensitivity, 3},
	        {"Date: Sun, 09 Sep 2001 03:46:40 +0200\n\n", PidTagClientSubmitTime, INT64_C(1000000000000000000)},
	        {"Date: Sun, 09 Sep 2001 03:46:40 +0200\nReceived: by x; Sun, 09 Sep 2001 01:47:00 GMT\n\n",
	         PidTagMessageDeliveryTime, INT64_C(1000000020000000000)},
	        {"Disposition-Notification-To: a@b\n\n", PidTagReadReceiptRequested, 1},
	        {"Status: O\n\n", PidTagMessageFlags, 0},
	        {"Status: RO\nX-Status: F\n\n", PidTagMessageFlags, 1},
	        {"Status: RO\nX-Status: F\n\n", PidTagFlagStatus, 2},
	        {"X: y\n\nx\n", PidTagNativeBody, 1},
	        {"Content-Type: text/html\n\n<p>x\n", PidTagNativeBody, 3},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mime_parsed *p = parse(rows[i].mail, strlen(rows[i].mail));
		const struct mapiwire_value *v = find(mime_parsed_message(p), rows[i].tag);
		assert_non_null(v);
		assert_true(v->integer == rows[i].number);
		mime_parsed_free(&p);
	}
}

static void recipients(void **state)
{
	static const char mail[] =
	        "To: A <a@x>, friends: b@x, C <c@x>;, undisclosed-recipients:;\nCc: =?utf-8?q?=C3=84?= <d@x>\n"
	        "Bcc: e@x\n\n";
	static const struct mapiwire_recipient wanted[] = {{.kind = MAPIWIRE_TO, .name = "A", .address = "a@x"},
	                                                   {.kind = MAPIWIRE_TO, .name = "b@x", .address = "b@x"},
	                                                   {.kind = MAPIWIRE_TO, .name = "C", .address = "c@x"},
	                                                   {.kind = MAPIWIRE_CC, .name = "Ä", .address = "d@x"},
	                                                   {.kind = MAPIWIRE_BCC, .name = "e@x", .address = "e@x"}};
	struct mime_parsed *p = parse(mail, sizeof mail - 1);
	const struct mime_message *m = mime_parsed_message(p);
	(void)state;
	assert_int_equal(m->recipient_count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(m->recipients[i].kind, wanted[i].kind);
		assert_string_equal(m->recipients[i].name, wanted[i].name);
		assert_string_equal(m->recipients[i].address, wanted[i].address);
	}
	mime_parsed_free(&p);
}

/* ---- Parts: the shape of a message, told in one line ---- */

static void put(char *out, const char *text)
{
	size_t at = strlen(out);
	snprintf(out + at, 4000 - at, "%s", text);
}

static int collect(void *user, const void *data, size_t size)
{
	char part[200];
	snprintf(part, sizeof part, "%.*s", (int)size, (const char *)data);
	for (char *c = part; *c; c++)
		if (*c == '\n')
			*c = '/';
	put((char *)user, part);
	return 0;
}

/* T"body" H"html" [name:type:id:flags:content] {embedded} */
static void tell(const struct mime_message *m, char *out)
{
	const struct mapiwire_value *plain = find(m, PidTagBody), *html = find(m, PidTagHtml);
	if (plain && !html) {
		put(out, "T");
		collect(out, plain->text, strlen(plain->text));
	}
	if (html) {
		put(out, "H");
		collect(out, html->bytes, html->size);
	}
	for (size_t i = 0; i < m->attachment_count; i++) {
		const struct mime_attachment *a = &m->attachments[i];
		static const uint32_t tags[] = {PidTagAttachLongFilename, PidTagAttachMimeTag, PidTagAttachContentId};
		if (a->message) {
			put(out, "{");
			tell(a->message, out);
			put(out, "}");
			continue;
		}
		put(out, "[");
		for (size_t t = 0; t < 3; t++) {
			const struct mapiwire_value *v = mime_find(a->values, a->value_count, tags[t]);
			put(out, v ? v->text : "");
			put(out, ":");
		}
		put(out,
		    mime_find(a->values, a->value_count, PidTagAttachFlags) &&
		                    mime_find(a->values, a->value_count, PidTagAttachFlags)->integer == RENDERED_IN_BODY
		            ? "inline:"
		            : ":");
		assert_int_equal(mime_content(a, collect, out), 0);
		put(out, "]");
	}
}

#define MULTI(kind) "Content-Type: multipart/" kind "; boundary=b\n\n"

static void shapes(void **state)
{
	static const struct {
		const char *mail, *shape;
	} rows[] = {
	        {MULTI("alternative") "--b\n\nplain\n--b\nContent-Type: text/html\n\n<p>h\n--b--\n", "H<p>h"},
	        {MULTI("mixed") "--b\n\none\n--b\n\ntwo\n--b--\n", "Tone/two"},
	        {MULTI("mixed") "--b\n\nbody\n--b\nContent-Type: image/png; name=\"p.png\"\nContent-Transfer-Encoding: "
	                        "base64\n\naGk=\n--b--\n",
	         "Tbody[p.png:image/png:::hi]"},
	        {MULTI("mixed") "--b\n\nbody\n--b\nContent-Disposition: attachment; "
	                        "filename*=utf-8''Gr%C3%BC.txt\n\nx\n--b--\n",
	         "Tbody[Grü.txt:text/plain:::x]"},
	        {MULTI("mixed") "--b\nContent-Type: text/plain; name=n.txt\n\nx\n--b--\n", "[n.txt:text/plain:::x]"},
	        {MULTI("related") "--b\nContent-Type: text/html\n\n<img src=cid:i@x>\n--b\nContent-Type: "
	                          "image/png\nContent-ID: <i@x>\n\nP\n--b--\n",
	         "H<img src=cid:i@x>[:image/png:i@x:inline:P]"},
	        {"Content-Type: multipart/related; boundary=b; start=\"<r>\"\n\n--b\nContent-Type: "
	         "image/png\nContent-ID: <i>\n\nP\n"
	         "--b\nContent-Type: text/html\nContent-ID: <r>\n\nroot\n--b--\n",
	         "Hroot[:image/png:i:inline:P]"},
	        {MULTI("mixed") "--b\n\nouter\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--b--\n",
	         "Touter{Tinner}"},
	        {"Content-Type: image/gif\n\nG\n", "[:image/gif:::G/]"},
	        {MULTI("signed; protocol=\"application/pkcs7-signature\"") "--b\n\nsaid\n--b\nContent-Type: "
	                                                                   "application/pkcs7-signature\n\nS\n--b--\n",
	         "Tsaid[smime.p7m:multipart/signed:::Content-Type: multipart/signed; "
	         "protocol=\"application/pkcs7-signature\"; boundary=b//"
	         "--b//said/--b/Content-Type: application/pkcs7-signature//S/--b--/]"},
	        {MULTI("signed; protocol=\"application/pgp-signature\"") "--b\n\nsaid\n--b\nContent-Type: "
	                                                                 "application/pgp-signature; "
	                                                                 "name=s.asc\n\nS\n--b--\n",
	         "Tsaid[s.asc:application/pgp-signature:::S]"},
	        {MULTI("mixed") "--b\n\nno end", "Tno end"},
	        {MULTI("mixed") "no part at all", ""},
	};
	char out[4000];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mime_parsed *p = parse(rows[i].mail, strlen(rows[i].mail));
		*out = 0;
		tell(mime_parsed_message(p), out);
		assert_string_equal(out, rows[i].shape);
		mime_parsed_free(&p);
	}
}

/* ---- What strangers may do ---- */

static char *repeated(const char *unit, size_t count, const char *end, size_t *size)
{
	size_t n = strlen(unit);
	char *out = malloc(n * count + strlen(end) + 1);
	for (size_t i = 0; i < count; i++)
		memcpy(out + i * n, unit, n);
	strcpy(out + n * count, end);
	*size = n * count + strlen(end);
	return out;
}

static size_t depth_of(const struct mime_message *m)
{
	size_t deepest = 0;
	for (size_t i = 0; i < m->attachment_count; i++) {
		size_t own = m->attachments[i].message ? 1 + depth_of(m->attachments[i].message) : 0;
		deepest = own > deepest ? own : deepest;
	}
	return deepest;
}

static void messages_in_messages(void **state)
{
	size_t size;
	char *mail = repeated("Content-Type: message/rfc822\n\n", 500, "Subject: at last\n\nx\n", &size);
	struct mime_parsed *p = parse(mail, size);
	(void)state;
	assert_int_equal(depth_of(mime_parsed_message(p)), MIME_MAX_EMBEDDED);
	mime_parsed_free(&p);
	free(mail);
}

static void multiparts_in_multiparts(void **state)
{
	char *mail = malloc(400000);
	size_t at = 0;
	(void)state;
	for (int i = 0; i < 5000; i++)
		at += (size_t)sprintf(mail + at, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	at += (size_t)sprintf(mail + at, "\nx\n");
	struct mime_parsed *p = parse(mail, at);
	assert_true(mime_parsed_message(p)->attachment_count <= 1);
	mime_parsed_free(&p);
	free(mail);
}

static void floods(void **state)
{
	static const struct {
		const char *unit;
		size_t count;
		const char *end;
	} rows[] = {
	        {"X-Header: value\n", 20000, "\nx\n"}, {"To: a@x, b@x\n", 20000, "\nx\n"},
	        {"a@x, ", 50000, "\n\nx\n"},           {"((((((((((", 5000, "\n\nx\n"},
	        {"=?utf-8?q?x?= ", 20000, "\n\nx\n"},  {"--b\n\nx\n", 20000, "--b--\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t size;
		char *many = repeated(rows[i].unit, rows[i].count, rows[i].end, &size), *mail = malloc(size + 200);
		const char *head = i == 5 ? MULTI("mixed") : i > 1 ? i == 4 ? "Subject: " : "To: " : "";
		size_t all = (size_t)sprintf(mail, "%s%s", head, many);
		struct mime_parsed *p = parse(mail, all);
		assert_true(mime_parsed_message(p)->recipient_count <= MIME_MAX_RECIPIENTS);
		assert_true(mime_parsed_message(p)->attachment_count <= MIME_MAX_PARTS);
		const struct mapiwire_value *v = find(mime_parsed_message(p), PidTagTransportMessageHeaders);
		assert_true(!v || strlen(v->text) <= 3 * MIME_MAX_HEADERS);
		mime_parsed_free(&p);
		free(mail);
		free(many);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts),
	                                   cmocka_unit_test(numbers),
	                                   cmocka_unit_test(recipients),
	                                   cmocka_unit_test(shapes),
	                                   cmocka_unit_test(floods),
	                                   cmocka_unit_test(messages_in_messages),
	                                   cmocka_unit_test(multiparts_in_multiparts)};
	mime_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
