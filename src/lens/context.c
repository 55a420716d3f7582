#include "lens/lens-private.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/*
 * What goes on beside RPC, by the first bytes of a connection: Kerberos, LDAP, DNS, TLS with the server's
 * name, HTTP. Named from what stands in their first segment, not followed.
 */

#define NAME_MAX_SHOWN 255

enum { TLS_HANDSHAKE = 22, TLS_ALERT = 21, TLS_CLIENT_HELLO = 1, TLS_SERVER_NAME = 0 };
enum { PORT_DNS = 53, PORT_KERBEROS = 88, PORT_LDAP = 389, PORT_CATALOG = 3268 };

static struct cursor network(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_of(data, len);
	c.big_endian = true;
	return c;
}

static struct arena *arena_of(struct lens *lens)
{
	return lens->options.keep_events ? lens->kept : lens->scratch;
}

/* ---- TLS, RFC 8446 4.1.2, RFC 6066 3 ---- */

static const char *host_of(struct arena *a, struct cursor names)
{
	uint16_t list, len;
	uint8_t type;
	const uint8_t *host;
	if (cursor_u16(&names, &list) < 0 || cursor_u8(&names, &type) < 0 || type != 0 ||
	    cursor_u16(&names, &len) < 0 || len > NAME_MAX_SHOWN || cursor_bytes(&names, len, &host) < 0)
		return NULL;
	return arena_strndup(a, (const char *)host, len);
}

/* NULL when it is not there, or in a segment to come. */
static const char *server_name(struct arena *a, struct cursor hello)
{
	uint8_t small;
	uint16_t n, type;
	struct cursor value;
	if (cursor_skip(&hello, 2 + 32) < 0 || cursor_u8(&hello, &small) < 0 || cursor_skip(&hello, small) < 0 ||
	    cursor_u16(&hello, &n) < 0 || cursor_skip(&hello, n) < 0 || cursor_u8(&hello, &small) < 0 ||
	    cursor_skip(&hello, small) < 0 || cursor_skip(&hello, 2) < 0)
		return NULL;
	while (cursor_u16(&hello, &type) == 0 && cursor_u16(&hello, &n) == 0 && cursor_child(&hello, n, &value) == 0)
		if (type == TLS_SERVER_NAME)
			return host_of(a, value);
	return NULL;
}

static const char *tls_hello(struct arena *a, const uint8_t *data, size_t len)
{
	struct cursor c = network(data, len);
	if (len < 10 || data[0] != TLS_HANDSHAKE || data[1] != 3 || data[5] != TLS_CLIENT_HELLO ||
	    cursor_skip(&c, 9) < 0)
		return NULL;
	const char *host = server_name(a, c);
	return host ? arena_printf(a, "TLS hello for %s", host) : "TLS hello";
}

/* ---- Kerberos, RFC 4120 5.4, 5.9.1 and 7.2.2 ---- */

static const char *kerberos_name(uint8_t tag)
{
	switch (tag) {
	case 0x6A:
		return "Kerberos AS-REQ";
	case 0x6B:
		return "Kerberos AS-REP";
	case 0x6C:
		return "Kerberos TGS-REQ";
	case 0x6D:
		return "Kerberos TGS-REP";
	case 0x7E:
		return "KRB-ERROR";
	}
	return NULL;
}

/* Behind the length that TCP needs. */
static const char *kerberos(const uint8_t *data, size_t len)
{
	return len > 8 && data[0] == 0 ? kerberos_name(data[4]) : NULL;
}

/* DER: what an element of that tag holds. */
static bool element(struct cursor *in, uint8_t *tag, struct cursor *value)
{
	uint8_t first, byte;
	size_t n;
	if (cursor_u8(in, tag) < 0 || cursor_u8(in, &first) < 0)
		return false;
	n = first;
	if (first & 0x80) {
		n = 0;
		if ((first & 0x7F) > 3)
			return false;
		for (unsigned i = 0; i < (first & 0x7Fu); i++) {
			if (cursor_u8(in, &byte) < 0)
				return false;
			n = n << 8 | byte;
		}
	}
	return cursor_child(in, n, value) == 0;
}

/* KRB-ERROR's error-code [6]; -1: not found. */
static int error_code(const uint8_t *data, size_t len)
{
	struct cursor c = network(data, len), error, sequence, value, number;
	uint8_t tag, code;
	if (cursor_skip(&c, 4) < 0 || !element(&c, &tag, &error) || !element(&error, &tag, &sequence))
		return -1;
	while (element(&sequence, &tag, &value))
		if (tag == 0xA6)
			return element(&value, &tag, &number) && cursor_u8(&number, &code) == 0 ? code : -1;
	return -1;
}

static const char *error_words(struct arena *a, int code)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
	        {6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"}, {7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"}, {14, "KDC_ERR_ETYPE_NOSUPP"},
	        {18, "KDC_ERR_CLIENT_REVOKED"},     {23, "KDC_ERR_KEY_EXPIRED"},        {24, "KDC_ERR_PREAUTH_FAILED"},
	        {25, "KDC_ERR_PREAUTH_REQUIRED"},   {32, "KRB_AP_ERR_TKT_EXPIRED"},     {37, "KRB_AP_ERR_SKEW"},
	        {41, "KRB_AP_ERR_MODIFIED"},        {52, "KRB_ERR_RESPONSE_TOO_BIG"},   {68, "KDC_ERR_WRONG_REALM"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return arena_printf(a, "error %d", code);
}

/* ---- LDAP, RFC 4511 4.1.1 ---- */

static const char *ldap(const uint8_t *data, size_t len)
{
	struct cursor c = network(data, len);
	uint8_t tag, size, op;
	if (cursor_u8(&c, &tag) < 0 || tag != 0x30 || cursor_u8(&c, &size) < 0 ||
	    (size & 0x80 && ((size & 0x7F) > 4 || cursor_skip(&c, size & 0x7F) < 0)) || cursor_u8(&c, &tag) < 0 ||
	    tag != 0x02 || cursor_u8(&c, &size) < 0 || size > 4 || cursor_skip(&c, size) < 0 || cursor_u8(&c, &op) < 0)
		return NULL;
	switch (op) {
	case 0x60:
		return "LDAP bind";
	case 0x63:
		return "LDAP search";
	case 0x77:
		return "LDAP extended operation";
	}
	return NULL;
}

/* ---- DNS, RFC 1035 4.1 and 4.2.2 ---- */

static const char *dns(struct arena *a, const uint8_t *data, size_t len)
{
	struct cursor c = network(data, len);
	char name[NAME_MAX_SHOWN + 1];
	size_t n = 0;
	uint8_t label;
	if (len < 14 || data[4] & 0x80 || cursor_skip(&c, 14) < 0)
		return NULL;
	while (cursor_u8(&c, &label) == 0 && label != 0) {
		if (label > 63 || n + label + 1 > sizeof name - 1 || cursor_left(&c) < label)
			return NULL;
		if (n)
			name[n++] = '.';
		if (cursor_copy(&c, name + n, label) < 0)
			return NULL;
		n += label;
	}
	name[n] = 0;
	return arena_printf(a, "DNS query for %s", name);
}

/* ---- HTTP, RFC 9112 3 ---- */

static const char *http_service(const char *path)
{
	static const char *const services[][2] = {
	        {"/rpc/", "RPC over HTTP"},
	        {"/mapi/", "MAPI over HTTP"},
	        {"/ews/", "EWS"},
	        {"/autodiscover/", "Autodiscover"},
	        {"/oab/", "offline address book"},
	        {"/microsoft-server-activesync", "ActiveSync"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strncasecmp(path, services[i][0], strlen(services[i][0])) == 0)
			return services[i][1];
	return "HTTP";
}

static const char *http(struct arena *a, const uint8_t *data, size_t len)
{
	static const char *const methods[] = {"GET ",     "POST ",     "HEAD ",    "PUT ",         "DELETE ",
	                                      "OPTIONS ", "PROPFIND ", "CONNECT ", "RPC_IN_DATA ", "RPC_OUT_DATA "};
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		size_t m = strlen(methods[i]), n = 0;
		if (len < m || memcmp(data, methods[i], m) != 0)
			continue;
		/* Without what follows a question mark: there stand names and tokens. */
		while (m + n < len && n < NAME_MAX_SHOWN && isgraph(data[m + n]) && data[m + n] != '?')
			n++;
		const char *path = arena_strndup(a, (const char *)data + m, n);
		return path ? arena_printf(a, "%s: %s%s", http_service(path), methods[i], path) : NULL;
	}
	return NULL;
}

/* ---- Telling ---- */

static const char *words(struct lens_flow *f, const uint8_t *data, size_t len, enum lens_context *context)
{
	struct arena *a = arena_of(f->lens);
	uint16_t port = f->conn->server.port;
	const char *s = tls_hello(a, data, len);
	*context = LENS_CONTEXT_TLS;
	if (!s && (s = http(a, data, len)))
		*context = LENS_CONTEXT_HTTP;
	if (!s && port == PORT_KERBEROS && (s = kerberos(data, len)))
		*context = LENS_CONTEXT_KERBEROS;
	if (s)
		return s;
	*context = LENS_CONTEXT_NONE;
	if (port == PORT_LDAP || port == PORT_CATALOG)
		return ldap(data, len);
	return port == PORT_DNS ? dns(a, data, len) : NULL;
}

bool lens_context_begin(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                        const struct lens_stamp *stamp)
{
	if (side != f->client)
		return false;
	arena_reset(f->lens->scratch);
	const char *s = words(f, data, len, &f->context);
	f->asked = *stamp;
	if (s)
		lens_tell_plain(f, LENS_CONTEXT, true, *stamp, *stamp, -1, NULL, s);
	return s != NULL;
}

/* What is told of an answer; *status: why it failed. */
static const char *answer(struct lens_flow *f, const uint8_t *data, size_t len, const char **status)
{
	struct arena *a = arena_of(f->lens);
	const char *s = NULL;
	switch (f->context) {
	case LENS_CONTEXT_KERBEROS:
		s = kerberos(data, len);
		if (s && data[4] == 0x7E && (*status = error_words(a, error_code(data, len))))
			s = arena_printf(a, "KRB-ERROR: %s", *status);
		/* Each logon begins so: the client learns what the proof is to be made with. */
		if (*status && strcmp(*status, "KDC_ERR_PREAUTH_REQUIRED") == 0)
			*status = NULL;
		return s;
	case LENS_CONTEXT_TLS:
		if (len < 7 || data[0] != TLS_ALERT || data[1] != 3)
			return NULL;
		*status = arena_printf(a, "TLS alert %u", data[6]);
		return *status;
	case LENS_CONTEXT_HTTP:
		if (len < 12 || memcmp(data, "HTTP/1.", 7) != 0 || !isdigit(data[9]))
			return NULL;
		s = arena_strndup(a, (const char *)data + 9, 3);
		*status = data[9] >= '4' ? s : NULL;
		return s ? arena_printf(a, "HTTP answer %s", s) : NULL;
	case LENS_CONTEXT_NONE:
		break;
	}
	return NULL;
}

void lens_context_answer(struct lens_flow *f, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	const char *status = NULL;
	arena_reset(f->lens->scratch);
	const char *s = answer(f, seg->data, seg->captured, &status);
	f->context = LENS_CONTEXT_NONE;
	if (s)
		lens_tell_plain(f, LENS_CONTEXT, false, *stamp, *stamp, stamp->time_ns - f->asked.time_ns, status, s);
}
