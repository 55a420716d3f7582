#include "tls/observer-state.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX ((size_t)1 << 16)
#define MESSAGE_HEADER 4

/* ---- Secrets ---- */

static const struct tls_secret *find(const struct tls_observer *o, enum tls_secret_kind kind,
                                     const uint8_t id[TLS_ID_SIZE])
{
	return o->config.log ? tls_log_find(o->config.log, kind, id) : NULL;
}

/* The connection's own, or that of the session that it resumes. */
static const struct tls_secret *master_of(const struct tls_observer *o)
{
	const struct tls_secret *s = find(o, TLS_MASTER, o->seed + TLS_ID_SIZE);
	if (!s && o->has_session && o->has_given && memcmp(o->session, o->given, TLS_ID_SIZE) == 0)
		s = find(o, TLS_SESSION, o->session);
	if (!s && o->has_ticket)
		s = find(o, TLS_SESSION, o->ticket);
	return s;
}

static void remember(struct tls_observer *o, const uint8_t id[TLS_ID_SIZE])
{
	const struct tls_secret *s = master_of(o);
	struct tls_secret copy;
	if (!s)
		return;
	copy = *s;
	(void)tls_log_add(o->config.log, TLS_SESSION, id, &copy);
	secret_wipe(&copy, sizeof copy);
}

static bool hash_ticket(const uint8_t *ticket, size_t len, uint8_t out[TLS_ID_SIZE])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, ticket, len, out) == 0;
}

static bool make_12(struct tls_observer *o, const struct half *h, struct keys *out)
{
	const struct tls_secret *master = o->suite && !o->compressed ? master_of(o) : NULL;
	if (!master || !tls_opener_12(&out->opener, o->suite, master, o->seed, h == &o->halves[1], o->mac_last))
		return false;
	if (o->has_given)
		remember(o, o->given);
	return true;
}

static bool make_13(const struct tls_suite *suite, const struct tls_secret *secret, struct keys *out)
{
	if (!suite || !secret || !tls_opener_13(&out->opener, suite, secret))
		return false;
	out->secret = *secret;
	return true;
}

static bool make_updated(const struct tls_observer *o, const struct half *h, struct keys *out)
{
	struct tls_secret next = h->keys.secret;
	bool good = h->phase == PHASE_TRAFFIC && o->suite && next.len && tls_next_secret(o->suite->hash, &next) &&
	            make_13(o->suite, &next, out);
	secret_wipe(&next, sizeof next);
	return good;
}

bool tls_make_keys(struct tls_observer *o, struct half *h, enum phase phase, unsigned variant, struct keys *out)
{
	bool client = h == &o->halves[1];
	if (phase == PHASE_EARLY)
		return client && o->early &&
		       make_13(tls_suite_find((uint16_t)(0x1301 + variant), TLS_13),
		               find(o, TLS_CLIENT_EARLY, tls_client_random(o)), out);
	if (variant > 0 || !o->server_hello)
		return false;
	if (o->version != TLS_13)
		return phase == PHASE_TRAFFIC && make_12(o, h, out);
	if (phase == PHASE_UPDATED)
		return make_updated(o, h, out);
	enum tls_secret_kind kind = phase == PHASE_HANDSHAKE ? (client ? TLS_CLIENT_HANDSHAKE : TLS_SERVER_HANDSHAKE)
	                                                     : (client ? TLS_CLIENT_TRAFFIC : TLS_SERVER_TRAFFIC);
	if (!make_13(o->suite, find(o, kind, tls_client_random(o)), out))
		return false;
	h->handshake_key |= phase == PHASE_HANDSHAKE;
	return true;
}

void tls_keys_close(struct keys *k)
{
	if (k->opener.suite)
		tls_opener_close(&k->opener);
	secret_wipe(&k->secret, sizeof k->secret);
}

const char *tls_why_no_key(struct tls_observer *o)
{
	struct tls_facts facts;
	if (!o->client_hello || !o->server_hello)
		return "the TLS handshake is not whole in the capture";
	tls_observer_facts(o, &facts);
	if (o->version != TLS_12 && o->version != TLS_13) {
		snprintf(o->why, sizeof o->why, "%s is not opened, only TLS 1.2 and 1.3",
		         facts.version ? facts.version : "this version of TLS");
		return o->why;
	}
	if (!o->suite) {
		snprintf(o->why, sizeof o->why, "the TLS cipher suite 0x%04X is not known here", o->suite_id);
		return o->why;
	}
	if (o->compressed)
		return "its TLS is compressed, which is not opened";
	return o->config.log ? "no key for this connection is in the TLS key log"
	                     : "no TLS key log was given; the client's or the server's would open it (--tls-keys)";
}

/* ---- Hellos ---- */

static bool keep_id(uint8_t out[TLS_ID_SIZE], const uint8_t *id, size_t len)
{
	memset(out, 0, TLS_ID_SIZE);
	if (len)
		memcpy(out, id, len);
	return len > 0;
}

static void take_client_hello(struct tls_observer *o, struct half *h, struct cursor body)
{
	struct tls_hello hello;
	if (h != &o->halves[1] || tls_hello_parse(body, true, &hello) < 0)
		return;
	bool again = o->retried && memcmp(tls_client_random(o), hello.random, TLS_ID_SIZE) == 0;
	o->client_hello = true;
	o->server_hello = false;
	if (again)
		return;
	o->retried = false;
	o->early = hello.early;
	memcpy(tls_client_random(o), hello.random, TLS_ID_SIZE);
	o->has_session = keep_id(o->session, hello.session, hello.session_len);
	o->has_ticket = hello.ticket_len && hash_ticket(hello.ticket, hello.ticket_len, o->ticket);
	snprintf(o->server_name, sizeof o->server_name, "%.*s",
	         (int)(hello.name_len < TLS_NAME_MAX ? hello.name_len : TLS_NAME_MAX), (const char *)hello.name);
	tls_tell(o, h, (struct tls_sight){.type = TLS_SAW_CLIENT_HELLO, .first = h->offset, .end = h->offset});
}

static void take_server_hello(struct tls_observer *o, struct half *h, struct cursor body)
{
	struct tls_hello hello;
	if (h != &o->halves[0] || !o->client_hello || tls_hello_parse(body, false, &hello) < 0 ||
	    cursor_u16(&hello.suites, &o->suite_id) < 0)
		return;
	o->retried |= hello.retry;
	if (hello.retry)
		return;
	o->server_hello = true;
	o->version = hello.version;
	o->suite = tls_suite_find(o->suite_id, o->version);
	o->mac_last = hello.mac_last;
	o->compressed = hello.compressed;
	memcpy(o->seed, hello.random, TLS_ID_SIZE);
	o->has_given = keep_id(o->given, hello.session, hello.session_len);
	tls_tell(o, h, (struct tls_sight){.type = TLS_SAW_SERVER_HELLO, .first = h->offset, .end = h->offset});
}

/* ---- Later messages ---- */

/* RFC 5077 3.3. In TLS 1.3 tickets lead to secrets of their own. */
static void take_ticket(struct tls_observer *o, const struct half *h, struct cursor body)
{
	uint8_t id[TLS_ID_SIZE];
	const uint8_t *ticket;
	uint16_t len;
	if (o->version == TLS_12 && h == &o->halves[0] && cursor_skip(&body, 4) == 0 && cursor_u16(&body, &len) == 0 &&
	    cursor_bytes(&body, len, &ticket) == 0 && len && hash_ticket(ticket, len, id))
		remember(o, id);
}

/* What follows is under that phase's key, from its first record on. */
static void advance(struct tls_observer *o, struct half *h, enum phase phase)
{
	struct keys next = {0};
	if (o->version != TLS_13 || !tls_make_keys(o, h, phase, 0, &next))
		return;
	tls_keys_close(&h->keys);
	h->keys = next;
	h->phase = phase == PHASE_UPDATED ? PHASE_TRAFFIC : phase;
	h->number = 0;
}

static void take_message(struct tls_observer *o, struct half *h, uint8_t type, struct cursor body)
{
	body.big_endian = true;
	switch (type) {
	case TLS_CLIENT_HELLO:
		take_client_hello(o, h, body);
		break;
	case TLS_SERVER_HELLO:
		take_server_hello(o, h, body);
		break;
	case TLS_TICKET:
		take_ticket(o, h, body);
		break;
	case TLS_END_OF_EARLY:
		if (h->phase == PHASE_EARLY)
			advance(o, h, PHASE_HANDSHAKE);
		break;
	case TLS_FINISHED:
		if (h->phase == PHASE_HANDSHAKE)
			advance(o, h, PHASE_TRAFFIC);
		break;
	case TLS_KEY_UPDATE:
		if (h->phase == PHASE_TRAFFIC)
			advance(o, h, PHASE_UPDATED);
		break;
	}
}

static bool matters(uint8_t type)
{
	return type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO || type == TLS_TICKET || type == TLS_END_OF_EARLY ||
	       type == TLS_FINISHED || type == TLS_KEY_UPDATE;
}

static size_t message_len(const uint8_t *p)
{
	return (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* As many bytes as the message in hand wants; what does not matter is passed over. */
static size_t gather(struct half *h, const uint8_t *data, size_t len)
{
	struct buf *b = &h->message;
	if (h->skip_message) {
		size_t n = h->skip_message < len ? h->skip_message : len;
		h->skip_message -= n;
		return n;
	}
	size_t want = b->len < MESSAGE_HEADER ? MESSAGE_HEADER : MESSAGE_HEADER + message_len(b->data);
	size_t n = want - b->len < len ? want - b->len : len;
	if (buf_put(b, data, n) < 0)
		return len;
	if (b->len == MESSAGE_HEADER && (!matters(b->data[0]) || message_len(b->data) > MESSAGE_MAX)) {
		h->skip_message = message_len(b->data);
		buf_clear(b);
	}
	return n;
}

void tls_take_messages(struct tls_observer *o, struct half *h, const uint8_t *data, size_t len)
{
	struct buf *b = &h->message;
	while (len > 0 && !h->given_up) {
		size_t n = gather(h, data, len);
		data += n;
		len -= n;
		if (b->len < MESSAGE_HEADER || b->len < MESSAGE_HEADER + message_len(b->data))
			continue;
		struct buf whole = *b;
		*b = (struct buf){0};
		take_message(o, h, whole.data[0], cursor_of(whole.data + MESSAGE_HEADER, whole.len - MESSAGE_HEADER));
		buf_free(&whole);
	}
}
