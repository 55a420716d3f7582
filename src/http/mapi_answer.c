#include "http/mapi_answer.h"

#include "base/cursor.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 64

void http_mapi_init(struct http_mapi *a)
{
	*a = (struct http_mapi){.code = -1, .elapsed_ms = -1};
}

void http_mapi_free(struct http_mapi *a)
{
	buf_free(&a->body);
}

static void damaged(struct http_mapi *a, const char *why)
{
	a->place = HTTP_MAPI_DAMAGED;
	a->why = why;
}

/* A number and nothing else; -1: it is none, or too large to be meant. */
static int64_t number(const char *text)
{
	int64_t n = 0;
	text += strspn(text, " \t");
	if (!*text)
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = 10 * n + (*text - '0');
		if (n > INT32_MAX)
			return -1;
	}
	return text[strspn(text, " \t")] ? -1 : n;
}

static void take_field(struct http_mapi *a)
{
	char *colon = strchr(a->line, ':');
	if (a->line_len == 0) {
		a->place = HTTP_MAPI_BODY;
		return;
	}
	if (!colon || ++a->fields > MAX_FIELDS) {
		damaged(a, colon ? "too many header lines after DONE" : "a header line after DONE without a colon");
		return;
	}
	*colon = '\0';
	if (text_casecmp(a->line, "X-ElapsedTime") == 0)
		a->elapsed_ms = number(colon + 1);
	if (text_casecmp(a->line, "X-ResponseCode") != 0)
		return;
	a->code = (int)number(colon + 1);
	if (a->code < 0)
		damaged(a, "an X-ResponseCode that is no number");
}

static void take_line(struct http_mapi *a)
{
	a->line[a->line_len] = '\0';
	if (strlen(a->line) != a->line_len)
		damaged(a, "a zero byte in a line");
	else if (a->place == HTTP_MAPI_FIELDS)
		take_field(a);
	else if (strcmp(a->line, "PROCESSING") == 0)
		a->processing = true;
	else if (strcmp(a->line, "PENDING") == 0)
		a->pending++;
	else if (strcmp(a->line, "DONE") == 0)
		a->place = HTTP_MAPI_FIELDS;
	else
		damaged(a, "a line that is no meta tag");
	a->line_len = 0;
}

/* Whether the answer, which has had no tag yet, can still begin with one. */
static bool could_be_tag(const struct http_mapi *a)
{
	static const char *const tags[] = {"PROCESSING\r", "PENDING\r", "DONE\r"};
	if (a->place != HTTP_MAPI_TAGS || a->processing || a->pending > 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (a->line_len <= strlen(tags[i]) && memcmp(a->line, tags[i], a->line_len) == 0)
			return true;
	return false;
}

static void begin_bare(struct http_mapi *a)
{
	a->place = HTTP_MAPI_BODY;
	(void)buf_put(&a->body, a->line, a->line_len);
	a->line_len = 0;
}

static void take_byte(struct http_mapi *a, uint8_t byte)
{
	if (byte == '\n' && a->line_len > 0 && a->line[a->line_len - 1] == '\r') {
		a->line_len--;
		take_line(a);
		return;
	}
	if (a->line_len == sizeof a->line - 1) {
		damaged(a, "a line that is too long");
		return;
	}
	a->line[a->line_len++] = (char)byte;
	if (!could_be_tag(a))
		begin_bare(a);
}

void http_mapi_feed(struct http_mapi *a, const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	while (len > 0 && (a->place == HTTP_MAPI_TAGS || a->place == HTTP_MAPI_FIELDS)) {
		take_byte(a, *p++);
		len--;
	}
	if (a->place != HTTP_MAPI_BODY || len == 0)
		return;
	if (len > HTTP_MAPI_MAX_BODY - a->body.len)
		damaged(a, "a body beyond all bounds");
	else
		(void)buf_put(&a->body, p, len);
}

int http_mapi_end(const struct http_mapi *a)
{
	switch (a->place) {
	case HTTP_MAPI_BODY:
		return buf_error(&a->body);
	case HTTP_MAPI_DAMAGED:
		return MW_E_MALFORMED;
	default: /* an empty answer has neither tags nor a body: PING's */
		return a->place == HTTP_MAPI_TAGS && !a->processing && a->pending == 0 && a->line_len == 0
		               ? 0
		               : MW_E_TRUNCATED;
	}
}

const char *http_mapi_response_name(int code)
{
	static const char *const names[] = {
	        "Success",
	        "Unknown Failure",
	        "Invalid Verb",
	        "Invalid Path",
	        "Invalid Header",
	        "Invalid Request Type",
	        "Invalid Context Cookie",
	        "Missing Header",
	        "Anonymous Not Allowed",
	        "Too Large",
	        "Context Not Found",
	        "No Privilege",
	        "Invalid Request Body",
	        "Missing Cookie",
	        "Reserved",
	        "Invalid Sequence",
	        "Endpoint Disabled",
	        "Invalid Response",
	        "Endpoint Shutting Down",
	};
	return code >= 0 && (size_t)code < ARRAY_SIZE(names) ? names[code] : NULL;
}
