#include "lens/context-private.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/*
 * What goes on beside RPC, by the first bytes of a connection: Kerberos, LDAP, DNS. Named from what stands in their
 * first segment, not followed.
 */

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
	const char *s = port == PORT_KERBEROS ? kerberos(data, len) : NULL;
	*protocol = "kerberos";
	f->context = s ? LENS_CONTEXT_KERBEROS : LENS_CONTEXT_NONE;
	if (s)
		return s;
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
