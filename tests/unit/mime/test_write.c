#include "mime/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *written(const struct mime_message *m, enum mime_lines lines)
{
	static char text[65536];
	FILE *f = tmpfile();
	assert_int_equal(mime_write(m, fileno(f), lines), 0);
	ssize_t n = pread(fileno(f), text, sizeof text - 1, 0);
	assert_true(n > 0);
	text[n] = 0;
	fclose(f);
	return text;
}

static void headers(void **state)
{
	struct mapiwire_value values[] = {
	        {.tag = PidTagSubject, .text = "Grüße"},
	        {.tag = PidTagSentRepresentingName, .text = "Ann Ä"},
	        {.tag = PidTagSentRepresentingEmailAddress, .text = "/o=X/cn=ann b"},
	        {.tag = PidTagSenderSmtpAddress, .text = "bo@x.test"},
	        {.tag = PidTagInternetMessageId, .text = "<id@x>"},
	        {.tag = PidTagImportance, .integer = 2},
	        {.tag = PidTagClientSubmitTime, .integer = INT64_C(1000000000000000000)},
	        {.tag = PidTagTransportMessageHeaders,
	         .text = "Received: by a;\n one\nSubject: old\nX-Kept: yes\nnonsense\nContent-Type: x/y\n"},
	        {.tag = PidTagBody, .text = "line\r\nother\r\n"},
	};
	const struct mapiwire_recipient to[] = {{.kind = MAPIWIRE_TO, .name = "Cy, the", .address = "cy@x.test"},
	                                        {.kind = MAPIWIRE_BCC, .name = "d@x.test", .address = "d@x.test"}};
	const struct mime_message m = {.values = values,
	                               .value_count = sizeof values / sizeof *values,
	                               .recipients = (struct mapiwire_recipient *)to,
	                               .recipient_count = 2};
	static const char *const wanted[] = {
	        "Subject: =?utf-8?B?R3LDvMOfZQ==?=\n",
	        "From: Ann =?utf-8?B?w4Q=?= <IMCEAEX-_o=X_cn=ann+20b@invalid>\n",
	        "Sender: bo@x.test\n",
	        "To: \"Cy, the\" <cy@x.test>\n",
	        "Bcc: d@x.test\n",
	        "Message-Id: <id@x>\n",
	        "Importance: High\n",
	        "Date: Sun, 09 Sep 2001 01:46:40 +0000\n",
	        "Received: by a;  one\n",
	        "X-Kept: yes\n",
	        "\n\nline\nother\n",
	};
	char *text = written(&m, MIME_LF);
	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!strstr(text, wanted[i]) && !strcasestr(text, wanted[i]))
			fail_msg("no %s in %s", wanted[i], text);
	assert_null(strstr(text, "old"));
	assert_null(strchr(text, '\r'));
	assert_null(strstr(text, "x/y"));
	text = written(&m, MIME_CRLF);
	for (char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		assert_true(p > text && p[-1] == '\r');
}

static void header_injection(void **state)
{
	struct mapiwire_value values[] = {{.tag = PidTagSubject, .text = "a\r\nBcc: evil@x\r\n\r\nbody"},
	                                  {.tag = PidTagInternetReferences, .text = "<a>\nX-Evil: 1"},
	                                  {.tag = PidTagSentRepresentingName, .text = "n\nX-Evil: 2"},
	                                  {.tag = PidTagSentRepresentingSmtpAddress, .text = "a@x>\nX-Evil: 3"},
	                                  {.tag = PidTagBody, .text = "b"}};
	const struct mime_message m = {.values = values, .value_count = 5};
	char *text = written(&m, MIME_LF);
	(void)state;
	assert_null(strstr(text, "\nBcc:"));
	assert_null(strstr(text, "\nX-Evil"));
}

/* What is written is read as the same again. */
static void there_and_back(void **state)
{
	FILE *file = tmpfile();
	fputs("\x01\x02 bytes", file);
	fflush(file);
	struct mapiwire_value part[] = {{.tag = PidTagAttachLongFilename, .text = "Grüße.bin"},
	                                {.tag = PidTagAttachMimeTag, .text = "application/x-thing"}};
	struct mapiwire_value picture[] = {{.tag = PidTagAttachContentId, .text = "i@x"},
	                                   {.tag = PidTagAttachFlags, .integer = RENDERED_IN_BODY},
	                                   {.tag = PidTagAttachMimeTag, .text = "image/png"}};
	struct mapiwire_value inner_values[] = {{.tag = PidTagSubject, .text = "inner"},
	                                        {.tag = PidTagBody, .text = "deep\n"}};
	struct mime_message inner = {.values = inner_values, .value_count = 2};
	struct mime_attachment attachments[] = {{.values = part, .value_count = 2, .fd = fileno(file), .end = 8},
	                                        {.values = picture, .value_count = 3, .fd = fileno(file), .end = 8},
	                                        {.message = &inner, .fd = -1}};
	struct mapiwire_value values[] = {{.tag = PidTagBody, .text = "plain ä"},
	                                  {.tag = PidTagHtml, .bytes = "<p>\xe4", .size = 4},
	                                  {.tag = PidTagInternetCodepage, .integer = 1252},
	                                  {.tag = PidTagSubject, .text = "outer"}};
	const struct mime_message m = {
	        .values = values, .value_count = 4, .attachments = attachments, .attachment_count = 3};
	char *text = written(&m, MIME_LF);
	const struct mime_source source = {.data = text, .size = strlen(text), .fd = -1};
	struct mime_parsed *p = NULL;
	(void)state;
	assert_int_equal(mime_parse(&source, &p), 0);
	const struct mime_message *read = mime_parsed_message(p);
	assert_string_equal(mime_find(read->values, read->value_count, PidTagBody)->text, "plain ä");
	assert_memory_equal(mime_find(read->values, read->value_count, PidTagHtml)->bytes, "<p>ä", 5);
	assert_int_equal(read->attachment_count, 3);
	const struct mime_attachment *a = &read->attachments[1];
	assert_string_equal(mime_find(a->values, a->value_count, PidTagAttachLongFilename)->text, "Grüße.bin");
	assert_int_equal(
	        mime_find(read->attachments[0].values, read->attachments[0].value_count, PidTagAttachFlags)->integer,
	        RENDERED_IN_BODY);
	const struct mime_message *in = read->attachments[2].message;
	assert_non_null(in);
	assert_string_equal(mime_find(in->values, in->value_count, PidTagBody)->text, "deep\n");
	mime_parsed_free(&p);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(header_injection),
	                                   cmocka_unit_test(there_and_back)};
	mime_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
