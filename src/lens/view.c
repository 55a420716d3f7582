#include "lens/view-private.h"

#include "base/text.h"
#include "base/time.h"
#include "mapi/status.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lens_view *lens_view_alloc(size_t size, const struct lens_view_ops *ops, const struct lens_view_options *o,
                                  struct buf *out)
{
	struct lens_view *v = (struct lens_view *)calloc(1, size);

	if (!v)
		return NULL;
	v->ops = ops;
	v->o = *o;
	v->out = out;
	return v;
}

void lens_view_start(struct lens_view *v, int64_t first_time_ns)
{
	v->start_ns = first_time_ns;
	v->started = true;
}

void lens_view_event(struct lens_view *v, const struct lens_event *e)
{
	if (!v->started)
		lens_view_start(v, e->time_ns);
	v->ops->event(v, e);
}

void lens_view_end(struct lens_view *v, const struct lens *lens)
{
	if (v->ops->end)
		v->ops->end(v, lens);
}

void lens_view_free(struct lens_view **v)
{
	if (!*v)
		return;
	if ((*v)->ops->free)
		(*v)->ops->free(*v);
	free(*v);
	*v = NULL;
}

int lens_ms_decimals(int64_t ns)
{
	return ns < 10000 ? 3 : ns < 50000 ? 2 : ns < 100 * NS_PER_S ? 1 : 0;
}

bool lens_view_wants(const struct lens_view *v, const struct lens_event *e)
{
	if (!v->o.filter || lens_filter_match(v->o.filter, e))
		return true;
	if (!e->request)
		return false;
	struct lens_event asked = *e->request;
	asked.conn = e->conn;
	return lens_filter_match(v->o.filter, &asked);
}

bool lens_asks(const struct lens_event *e)
{
	return e->kind == LENS_REQUEST || e->kind == LENS_BIND || e->kind == LENS_ALTER;
}

bool lens_answers(const struct lens_event *e)
{
	return e->kind == LENS_RESPONSE || e->kind == LENS_FAULT || e->kind == LENS_BIND_ACK ||
	       e->kind == LENS_BIND_NAK || e->kind == LENS_ALTER_ACK;
}

const char *lens_service_label(enum lens_service service, const char *iface_name)
{
	static const char *const names[] = {
	        [LENS_SVC_OTHER] = "rpc",   [LENS_SVC_EPM] = "epm",   [LENS_SVC_MGMT] = "mgmt",
	        [LENS_SVC_RFR] = "rfr",     [LENS_SVC_NSPI] = "nspi", [LENS_SVC_STORE] = "store",
	        [LENS_SVC_ASYNC] = "async",
	};

	if (service == LENS_SVC_OTHER && iface_name)
		return iface_name;
	return names[(unsigned)service < ARRAY_SIZE(names) ? service : LENS_SVC_OTHER];
}

const char *lens_signature_name(enum rpc_signature s)
{
	switch (s) {
	case RPC_SIG_OK:
		return "ok";
	case RPC_SIG_BAD:
		return "bad";
	case RPC_SIG_UNCHECKED:
		return "unchecked";
	default:
		return NULL;
	}
}

const char *lens_rop_status(const struct lens_rop *r, char hex[16])
{
	const char *name = r->status ? mapi_status_name(r->status) : "ok";

	if (name)
		return name;
	snprintf(hex, 16, "0x%08x", r->status);
	return hex;
}

bool lens_same_host(const struct lens_address *a, const struct lens_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 6 ? 16 : 4) == 0;
}

const char *lens_host(const struct lens_address *a, char out[LENS_ADDRESS_TEXT])
{
	if (!inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, out, LENS_ADDRESS_TEXT))
		out[0] = 0;
	return out;
}

const char *lens_short_host(const struct lens_address *a, const struct lens_address *near, char out[LENS_ADDRESS_TEXT])
{
	if (a->family == 4 && near->family == 4 && memcmp(a->bytes, near->bytes, 3) == 0)
		snprintf(out, LENS_ADDRESS_TEXT, ".%u", a->bytes[3]);
	else
		lens_host(a, out);
	return out;
}

void lens_put_seconds(const struct lens_view *v, struct buf *out, int64_t time_ns)
{
	double s = lens_view_seconds(v, time_ns);

	buf_printf(out, s < 99.9995 ? "%6.3f " : s < 999.995 ? "%6.2f " : s < 99999.95 ? "%6.1f " : "%6.0f ", s);
}

void lens_put_spaces(struct buf *out, size_t n)
{
	uint8_t *p = n ? buf_extend(out, n) : NULL;

	if (p)
		memset(p, ' ', n);
}

/* Plain ASCII, which needs no second look. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static size_t next_char(const char *s)
{
	size_t n = 1;

	while (((uint8_t)s[n] & 0xc0) == 0x80 && n < 4)
		n++;
	return n;
}

/* One character at a time, so that a cut never splits one or its escaped form. */
static size_t put_cut_slowly(struct buf *out, const char *s, size_t width)
{
	size_t used = 0;

	while (*s) {
		char one[8] = {0};
		size_t n = next_char(s);
		memcpy(one, s, n);
		size_t w = text_width(one);
		if (used + w > width - 1 && (used + w > width || s[n])) {
			buf_put_str(out, "…");
			return used + 1;
		}
		text_put_terminal(out, one);
		used += w;
		s += n;
	}
	return used;
}

size_t lens_put_cut(struct buf *out, const char *s, size_t width)
{
	bool plain = is_plain(s);
	size_t columns = plain ? strlen(s) : text_width(s);

	if (width && columns > width)
		return put_cut_slowly(out, s, width);
	if (plain)
		buf_put(out, s, columns);
	else
		text_put_terminal(out, s);
	return columns;
}

void lens_put_wrapped(const struct lens_view *v, struct buf *out, const char *text, size_t used, size_t indent)
{
	struct buf word MW_CLEANUP(buf_free) = {0};

	for (bool first = true; *text; first = false) {
		size_t n = strcspn(text, " ");
		buf_clear(&word);
		buf_put(&word, text, n);
		if (buf_put_u8(&word, 0) < 0)
			return;
		size_t columns = text_width((const char *)word.data);
		if (!first && v->o.width && used + 1 + columns > v->o.width) {
			buf_put_u8(out, '\n');
			lens_put_spaces(out, indent);
			used = indent;
		} else if (!first) {
			buf_put_u8(out, ' ');
			used++;
		}
		used += lens_put_cut(out, (const char *)word.data, 0);
		text += n + (text[n] == ' ');
	}
}

void lens_put_count(struct buf *out, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		buf_put_u8(out, (uint8_t)digits[i]);
		if (i + 1 < len && (len - i - 1) % 3 == 0)
			buf_put_u8(out, ',');
	}
}

void lens_put_totals(struct buf *out, const struct lens_totals *t)
{
	lens_put_count(out, t->frames);
	buf_printf(out, " frame%s, %.2f s. ", t->frames == 1 ? "" : "s",
	           (double)(t->last_time_ns - t->first_time_ns) / 1e9);
	lens_put_count(out, t->connections);
	buf_printf(out, " TCP connection%s: ", t->connections == 1 ? "" : "s");
	lens_put_count(out, t->rpc_connections);
	buf_put_str(out, t->rpc_connections == 1 ? " carries RPC" : " carry RPC");
	if (t->datagram_calls) {
		buf_put_str(out, ", ");
		lens_put_count(out, t->datagram_calls);
		buf_printf(out, " connectionless call%s in UDP", t->datagram_calls == 1 ? "" : "s");
	}
}

void lens_put_sealed(struct buf *out, const struct lens_totals *t)
{
	if (t->smb_sealed) {
		buf_put_str(out, ". ");
		lens_put_count(out, t->smb_sealed);
		buf_printf(out, " SMB connection%s: what is called in pipes there cannot be seen",
		           t->smb_sealed == 1 ? " is encrypted" : "s are encrypted");
	}
	if (t->tls_sealed) {
		buf_put_str(out, ". ");
		lens_put_count(out, t->tls_sealed);
		buf_printf(out, " TLS connection%s sealed (--tls-keys)", t->tls_sealed == 1 ? " stays" : "s stay");
	}
	if (t->ipsec_sealed) {
		buf_put_str(out, ". ");
		lens_put_count(out, t->ipsec_sealed);
		buf_put_str(out, " packets are encrypted by IPsec (ESP): what is in them only its keys would show");
	}
}

static bool is_styled(const struct lens_view *v, const struct lens_style *style)
{
	return v->o.color && (style->fg >= 0 || style->bg >= 0 || style->bold);
}

void lens_put_style(const struct lens_view *v, struct buf *out, const struct lens_style *style)
{
	if (!is_styled(v, style))
		return;
	buf_put_str(out, style->bold ? "\x1b[1" : "\x1b[0");
	if (style->fg >= 8)
		buf_printf(out, ";38;5;%d", style->fg);
	else if (style->fg >= 0)
		buf_printf(out, ";%d", 30 + style->fg);
	if (style->bg >= 8)
		buf_printf(out, ";48;5;%d", style->bg);
	else if (style->bg >= 0)
		buf_printf(out, ";%d", 40 + style->bg);
	buf_put_u8(out, 'm');
}

void lens_put_plain(const struct lens_view *v, struct buf *out, const struct lens_style *style)
{
	if (is_styled(v, style))
		buf_put_str(out, "\x1b[0m");
}
