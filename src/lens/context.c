#include "lens/context-private.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/*
 * What goes on beside RPC, by the first bytes of a connection: Kerberos, LDAP, DNS, TLS with the server's
 * name. Named from what stands in their first segment, not followed.
 */

enum { TLS_HANDSHAKE = 22, TLS_ALERT = 21, TLS_CLIENT_HELLO = 1, TLS_SERVER_NAME = 0 };

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
	struct cursor c = lens_network(data, len);
	if (len < 10 || data[0] != TLS_HANDSHAKE || data[1] != 3 || data[5] != TLS_CLIENT_HELLO ||
	    cursor_skip(&c, 9) < 0)
		return NULL;
	const char *host = server_name(a, c);
	return host ? arena_printf(a, "TLS hello for %s", host) : "TLS hello";
}

/* ---- In streams, behind a length ---- */

static const char *kerberos(const uint8_t *data, size_t len)
{
	return len > 8 && data[0] == 0 ? lens_kerberos_words(data + 4, len - 4) : NULL;
}

static const char *dns(struct arena *a, const uint8_t *data, size_t len)
{
	return len > 2 ? lens_dns_query(a, data + 2, len - 2) : NULL;
}

/* ---- Telling ---- */

static const char *words(struct lens_flow *f, const uint8_t *data, size_t len, const char **protocol)
{
	struct arena *a = lens_event_arena(f->lens);
	uint16_t port = f->conn->server.port;
	const char *s = tls_hello(a, data, len);
	f->context = LENS_CONTEXT_TLS;
	*protocol = "tls";
	if (!s && port == PORT_KERBEROS && (s = kerberos(data, len))) {
		f->context = LENS_CONTEXT_KERBEROS;
		*protocol = "kerberos";
	}
	if (s)
		return s;
	f->context = LENS_CONTEXT_NONE;
	*protocol = port == PORT_DNS ? "dns" : "ldap";
	if (port == PORT_LDAP || port == PORT_CATALOG)
		return lens_ldap_words(data, len);
	return port == PORT_DNS ? dns(a, data, len) : NULL;
}

bool lens_context_begin(struct lens_flow *f, unsigned side, const uint8_t *data, size_t len,
                        const struct lens_stamp *stamp)
{
	if (side != f->client)
		return false;
	arena_reset(f->lens->scratch);
	const char *protocol, *s = words(f, data, len, &protocol);
	f->asked = *stamp;
	if (!s)
		return false;
	if (!f->conn->iface)
		f->conn->iface_name = protocol;
	lens_tell_plain(f, LENS_CONTEXT, true, *stamp, *stamp, -1, NULL, s);
	return true;
}

/* What is told of an answer; *status: why it failed. */
static const char *answer(struct lens_flow *f, const uint8_t *data, size_t len, const char **status)
{
	struct arena *a = lens_event_arena(f->lens);
	const char *s = NULL;
	switch (f->context) {
	case LENS_CONTEXT_KERBEROS:
		s = kerberos(data, len);
		return s ? lens_kerberos_answer(a, data + 4, len - 4, status) : NULL;
	case LENS_CONTEXT_TLS:
		if (len < 7 || data[0] != TLS_ALERT || data[1] != 3)
			return NULL;
		*status = arena_printf(a, "TLS alert %u", data[6]);
		return *status;
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
