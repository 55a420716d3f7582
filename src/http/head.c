#include "http/private.h"

#include "base/text.h"

#include <string.h>

/* A head that is whole: its first line, its fields, and how the body ends (RFC 9112 3, 4 and 6.3). */

static int wrong_head(struct http_wrong *wrong, const char *why, unsigned status)
{
	*wrong = (struct http_wrong){why, status};
	return MW_E_MALFORMED;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1", at the end of the text or before a space. */
static int parse_version(const char *s, char end, unsigned *minor, struct http_wrong *wrong)
{
	if (strncmp(s, "HTTP/", 5) != 0 || !is_digit(s[5]) || s[6] != '.' || !is_digit(s[7]) || s[8] != end)
		return wrong_head(wrong, "the first line is not HTTP", 400);
	if (s[5] != '1')
		return wrong_head(wrong, "another version of HTTP than 1.1", 505);
	*minor = s[7] == '0' ? 0 : 1;
	return 0;
}

/* method SP target SP version, each space a single one. */
static int parse_request_line(char *line, struct http_head *out, struct http_wrong *wrong)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	if (!version)
		return wrong_head(wrong, "the first line is no request", 400);
	*target++ = *version++ = '\0';
	if (!http_is_token(line))
		return wrong_head(wrong, "the method has bytes that no method has", 400);
	if (!*target || !http_is_value(target) || strchr(target, '\t'))
		return wrong_head(wrong, "the target is empty or has control characters", 400);
	out->method = line;
	out->target = target;
	return parse_version(version, '\0', &out->minor, wrong);
}

/* version SP three digits [SP reason] */
static int parse_status_line(char *line, struct http_head *out, struct http_wrong *wrong)
{
	if (strlen(line) < 12)
		return wrong_head(wrong, "the first line is no answer", 400);
	int r = parse_version(line, ' ', &out->minor, wrong);
	if (r < 0)
		return r;
	char *s = line + 9;
	bool number = is_digit(s[0]) && s[0] != '0' && is_digit(s[1]) && is_digit(s[2]);
	if (!number || (s[3] && s[3] != ' ') || !http_is_value(s))
		return wrong_head(wrong, "the status is not three digits", 400);
	out->status = (unsigned)((s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0'));
	out->reason = s[3] ? s + 4 : s + 3;
	return 0;
}

static int parse_length(const char *s, uint64_t *out, struct http_wrong *wrong)
{
	uint64_t v = 0;
	size_t n = 0;
	for (; is_digit(s[n]) && n < 19; n++)
		v = v * 10 + (uint64_t)(s[n] - '0');
	if (n == 0 || s[n] || v > INT64_MAX)
		return wrong_head(wrong, "Content-Length is not a number", 400);
	*out = v;
	return 0;
}

/* All that is said of the length must say the same. */
static int find_length(struct http_head *h, struct http_wrong *wrong)
{
	unsigned at = 0;
	const char *first = http_field_next(h, "Content-Length", &at), *next;
	if (!first)
		return 0;
	while ((next = http_field_next(h, "Content-Length", &at)))
		if (strcmp(first, next) != 0)
			return wrong_head(wrong, "two lengths that differ", 400);
	int r = parse_length(first, &h->length, wrong);
	if (r == 0)
		h->body = HTTP_LENGTH;
	return r;
}

static int find_coding(struct http_head *h, struct http_wrong *wrong)
{
	unsigned at = 0;
	const char *coding = http_field_next(h, "Transfer-Encoding", &at);
	if (!coding)
		return 0;
	if (h->body == HTTP_LENGTH)
		return wrong_head(wrong, "Content-Length and Transfer-Encoding at once", 400);
	if (h->minor == 0)
		return wrong_head(wrong, "Transfer-Encoding in HTTP/1.0", 400);
	if (http_field_next(h, "Transfer-Encoding", &at))
		return wrong_head(wrong, "more than one Transfer-Encoding", 400);
	if (text_casecmp(coding, "chunked") != 0)
		return wrong_head(wrong, "a Transfer-Encoding other than chunked", 501);
	h->body = HTTP_CHUNKED;
	return 0;
}

/* RFC 9112 6.3: these have no body, whatever their fields say. */
static bool has_no_body(const struct http_head *h, enum http_asked asked)
{
	return h->status / 100 == 1 || h->status == 204 || h->status == 304 || asked == HTTP_ASKED_HEAD;
}

static int find_body(struct http_head *h, bool request, enum http_asked asked, struct http_wrong *wrong)
{
	int r = find_length(h, wrong);
	if (r == 0)
		r = find_coding(h, wrong);
	if (r < 0)
		return r;
	if (!request && asked == HTTP_ASKED_CONNECT && h->status / 100 == 2)
		h->body = HTTP_TO_CLOSE;
	else if (!request && (h->status == 101))
		h->body = HTTP_TO_CLOSE;
	else if (!request && has_no_body(h, asked))
		h->body = HTTP_NO_BODY;
	else if (!request && h->body == HTTP_NO_BODY)
		h->body = HTTP_TO_CLOSE;
	if (h->body == HTTP_LENGTH && h->length == 0)
		h->body = HTTP_NO_BODY;
	return 0;
}

/* What RFC 9110 7.2 and 10.1.1 ask of a server. */
static int check_request(const struct http_head *h, struct http_wrong *wrong)
{
	unsigned at = 0;
	const char *host = http_field_next(h, "Host", &at);
	if (host ? http_field_next(h, "Host", &at) != NULL : h->minor > 0)
		return wrong_head(wrong, "a request names one Host", 400);
	const char *expect = http_field(h, "Expect");
	if (expect && text_casecmp(expect, "100-continue") != 0)
		return wrong_head(wrong, "an expectation other than 100-continue", 417);
	return 0;
}

static int check_limits(const struct http_connection *c, const struct http_head *h, struct http_wrong *wrong)
{
	uint64_t max = c->config.limits.max_body;
	if (max && h->body == HTTP_LENGTH && h->length > max)
		return wrong_head(wrong, "the body is too long", 413);
	return 0;
}

static void note_connection(struct http_head *h, bool request)
{
	h->keep_alive = h->minor > 0 ? !http_field_has(h, "Connection", "close")
	                             : http_field_has(h, "Connection", "keep-alive");
	if (h->body == HTTP_TO_CLOSE)
		h->keep_alive = false;
	const char *expect = request && h->minor > 0 && h->body != HTTP_NO_BODY ? http_field(h, "Expect") : NULL;
	h->expects_continue = expect && text_casecmp(expect, "100-continue") == 0;
}

int http_head_parse(const struct http_connection *c, struct http_stream *s, bool request, enum http_asked asked,
                    struct http_wrong *wrong)
{
	struct http_head h = {.reason = ""};
	char *line = (char *)s->lines.bytes.data;
	char *end = strchr(line, '\n');
	size_t fields_at = (size_t)(end - line) + 1;
	end[-1] = '\0';
	int r = request ? parse_request_line(line, &h, wrong) : parse_status_line(line, &h, wrong);
	if (r == 0)
		r = http_lines_parse(&s->lines, fields_at, c->config.limits.max_fields, wrong);
	h.fields = s->lines.fields;
	h.field_count = s->lines.count;
	if (r == 0)
		r = find_body(&h, request, asked, wrong);
	if (r == 0 && request && http_is_server(c))
		r = check_request(&h, wrong);
	if (r == 0)
		r = check_limits(c, &h, wrong);
	if (r < 0)
		return r;
	note_connection(&h, request);
	s->head = h;
	return 0;
}
