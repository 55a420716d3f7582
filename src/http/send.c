#include "http/private.h"

#include "base/text.h"

#include <string.h>

/* Own messages: what is put out must be read back as it was meant (RFC 9112 11.1: no splitting by a value). */

static bool is_ours(const char *name)
{
	static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection"};
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (text_casecmp(ours[i], name) == 0)
			return true;
	return false;
}

static bool good_fields(const struct http_field *fields, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!http_is_token(fields[i].name) || !http_is_value(fields[i].value) || is_ours(fields[i].name))
			return false;
	return true;
}

static bool good_start(const struct http_connection *c, const struct http_head *h)
{
	if (http_is_server(c))
		return h->status >= 200 && h->status <= 999 && (!h->reason || http_is_value(h->reason));
	return http_is_token(h->method) && *h->target && !strpbrk(h->target, " \t") && http_is_value(h->target) &&
	       h->body != HTTP_TO_CLOSE;
}

static bool may_begin(const struct http_connection *c)
{
	return !c->over && (http_is_server(c) ? c->sending == HTTP_DUE : http_client_is_idle(c) && !c->last);
}

static void put_fields(struct buf *out, const struct http_field *fields, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		buf_put_str(out, fields[i].name);
		buf_put_str(out, ": ");
		buf_put_str(out, fields[i].value);
		buf_put_str(out, "\r\n");
	}
}

/* Methods that mean nothing by an empty body need not say that there is none (RFC 9110 8.6). */
static bool says_no_length(const struct http_connection *c, const struct http_head *h)
{
	if (http_is_server(c))
		return h->status == 204 || h->status == 304;
	return strcmp(h->method, "GET") == 0 || strcmp(h->method, "HEAD") == 0 || strcmp(h->method, "OPTIONS") == 0;
}

static void put_length(struct buf *out, uint64_t length)
{
	buf_put_str(out, "Content-Length: ");
	buf_put_decimal(out, length);
	buf_put_str(out, "\r\n");
}

static void put_status(struct buf *out, const struct http_head *h)
{
	buf_put_str(out, "HTTP/1.1 ");
	buf_put_decimal(out, h->status);
	buf_put_u8(out, ' ');
	buf_put_str(out, h->reason ? h->reason : http_reason(h->status));
	buf_put_str(out, "\r\n");
}

static void put_framing(struct http_connection *c, const struct http_head *h)
{
	if (c->out_body == HTTP_LENGTH)
		put_length(&c->output, h->length);
	else if (c->out_body == HTTP_CHUNKED)
		buf_put_str(&c->output, "Transfer-Encoding: chunked\r\n");
	else if (c->out_body == HTTP_NO_BODY && !says_no_length(c, h))
		buf_put_str(&c->output, "Content-Length: 0\r\n");
}

static void put_connection(struct http_connection *c)
{
	if (c->last)
		buf_put_str(&c->output, "Connection: close\r\n");
	else if (http_is_server(c) && c->minor == 0)
		buf_put_str(&c->output, "Connection: keep-alive\r\n");
}

static void choose_body(struct http_connection *c, const struct http_head *h)
{
	c->out_body = h->body;
	c->out_left = h->body == HTTP_LENGTH ? h->length : 0;
	if (!http_is_server(c))
		return;
	/* HTTP/1.0 knows no chunks: the end of the connection is the end of the body. */
	if (h->body == HTTP_CHUNKED && c->minor == 0)
		c->out_body = HTTP_TO_CLOSE;
	if (says_no_length(c, h))
		c->out_body = HTTP_NO_BODY;
	if (c->out_body == HTTP_TO_CLOSE || http_server_must_close(c))
		c->last = true;
}

int http_send_head(struct http_connection *c, const struct http_head *h)
{
	if (!may_begin(c))
		return MW_E_STATE;
	if (!good_start(c, h) || !good_fields(h->fields, h->field_count))
		return MW_E_INVALID;
	choose_body(c, h);
	struct buf *out = &c->output;
	size_t before = out->len;
	if (http_is_server(c))
		put_status(out, h);
	else
		buf_printf(out, "%s %s HTTP/1.1\r\n", h->method, h->target);
	put_fields(out, h->fields, h->field_count);
	put_framing(c, h);
	put_connection(c);
	buf_put_str(out, "\r\n");
	if (buf_error(out) < 0) {
		out->len = before;
		return MW_E_NOMEM;
	}
	c->sending = HTTP_SENDING;
	c->continue_due = false;
	if (!http_is_server(c))
		http_asked_push(c, h->method);
	return 0;
}

static void put_chunk(struct buf *out, const void *data, size_t len)
{
	buf_printf(out, "%zx\r\n", len);
	buf_put(out, data, len);
	buf_put_str(out, "\r\n");
}

int http_send_body(struct http_connection *c, const void *data, size_t len)
{
	if (c->sending != HTTP_SENDING || c->over)
		return MW_E_STATE;
	if (len == 0)
		return 0;
	if (c->out_body == HTTP_NO_BODY || (c->out_body == HTTP_LENGTH && len > c->out_left))
		return MW_E_LIMIT;
	c->out_left -= c->out_body == HTTP_LENGTH ? len : 0;
	if (c->mute)
		return 0;
	if (c->out_body == HTTP_CHUNKED)
		put_chunk(&c->output, data, len);
	else
		buf_put(&c->output, data, len);
	return buf_error(&c->output);
}

int http_send_end(struct http_connection *c, const struct http_field *trailers, unsigned count)
{
	if (c->sending != HTTP_SENDING || c->over || (c->out_left > 0 && !c->mute))
		return MW_E_STATE;
	if (!good_fields(trailers, count) || (count > 0 && c->out_body != HTTP_CHUNKED))
		return MW_E_INVALID;
	if (c->out_body == HTTP_CHUNKED && !c->mute) {
		buf_put_str(&c->output, "0\r\n");
		put_fields(&c->output, trailers, count);
		buf_put_str(&c->output, "\r\n");
	}
	if (buf_error(&c->output) < 0)
		return buf_error(&c->output);
	c->sending = HTTP_NOTHING_DUE;
	if (http_is_server(c))
		http_server_settle(c);
	else
		http_client_settle(c);
	return 0;
}

int http_send(struct http_connection *c, const struct http_head *head, const void *data, size_t len)
{
	struct http_head h = *head;
	h.body = len > 0 ? HTTP_LENGTH : HTTP_NO_BODY;
	h.length = len;
	int r = http_send_head(c, &h);
	if (r == 0 && c->out_body == HTTP_LENGTH)
		r = http_send_body(c, data, len);
	return r < 0 ? r : http_send_end(c, NULL, 0);
}
