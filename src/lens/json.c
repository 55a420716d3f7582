#include "lens/view-private.h"

#include "base/text.h"
#include "base/time.h"

/*
 * JSON Lines, one object an event. The keys are promised (they may grow in
 * number, never change): DESIGN.md, README.md. A key that does not apply is left out.
 */
#define KEY(name) (",\"" name "\":")

/* With what stands around it, in one piece whose length the compiler knows. */
static inline void put_key(struct buf *b, const char *key)
{
	buf_put_str(b, key);
}

static inline void put_text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	put_key(b, key);
	text_put_json(b, value);
}

/* Names of ours, which need no escaping. */
static inline void put_name(struct buf *b, const char *key, const char *value)
{
	put_key(b, key);
	buf_put_u8(b, '"');
	buf_put_str(b, value);
	buf_put_u8(b, '"');
}

static inline void put_number(struct buf *b, const char *key, uint64_t value)
{
	put_key(b, key);
	buf_put_decimal(b, value);
}

static inline void put_flag(struct buf *b, const char *key, bool value)
{
	put_key(b, key);
	buf_put_str(b, value ? "true" : "false");
}

/* "12.034" of 12, 34 and three digits. */
static void put_decimals(struct buf *b, uint64_t whole, uint64_t fraction, unsigned digits)
{
	char text[10] = ".";

	for (unsigned i = digits; i > 0; i--, fraction /= 10)
		text[i] = (char)('0' + fraction % 10);
	buf_put_decimal(b, whole);
	buf_put(b, text, digits + 1);
}

/* Seconds; nanoseconds only where there are some. */
static inline void put_time(struct buf *b, const char *key, int64_t ns)
{
	uint64_t n = ns < 0 ? 0 : (uint64_t)ns;
	put_key(b, key);
	put_decimals(b, n / NS_PER_S, n % 1000 ? n % NS_PER_S : n % NS_PER_S / 1000, n % 1000 ? 9 : 6);
}

/* ms of microseconds. */
static void put_us(struct buf *b, int64_t us)
{
	uint64_t n = us < 0 ? 0 : (uint64_t)us;
	put_decimals(b, n / 1000, n % 1000, 3);
}

static inline void put_ms(struct buf *b, const char *key, int64_t ns)
{
	uint64_t n = (uint64_t)ns;
	put_key(b, key);
	put_decimals(b, n / NS_PER_MS, n % 1000 ? n % NS_PER_MS : n % NS_PER_MS / 1000, n % 1000 ? 6 : 3);
}

static void put_where(struct buf *b, const struct lens_event *e)
{
	char text[LENS_ADDRESS_TEXT];
	const struct lens_conn *c = e->conn;

	if (!c->datagrams)
		put_number(b, KEY("conn"), c->number);
	put_name(b, KEY("src"), lens_address_format(e->from_client ? &c->client : &c->server, text));
	put_name(b, KEY("dst"), lens_address_format(e->from_client ? &c->server : &c->client, text));
	put_text(b, KEY("transport"), e->transport);
	put_text(b, KEY("pipe"), e->pipe);
	put_text(b, KEY("tls"), c->tls);
	put_name(b, KEY("event"), lens_kind_name(e->kind));
}

static void put_what(struct buf *b, const struct lens_event *e)
{
	static const char *const known[] = {NULL, "bind", "mapper", "port"};

	if (e->has_call)
		put_number(b, KEY("call"), e->call_id);
	put_text(b, KEY("iface"), e->iface);
	if (e->iface && e->known_by)
		put_name(b, KEY("known_by"), known[e->known_by]);
	if (e->has_opnum)
		put_number(b, KEY("opnum"), e->opnum);
	put_text(b, KEY("op"), e->op);
	put_text(b, KEY("endpoint"), e->endpoint);
	put_text(b, KEY("status"), e->status);
}

/* Of RPC's own PDUs only: a TCP connection that opens has no security. */
static void put_protection(struct buf *b, const struct lens_event *e)
{
	if (e->kind >= LENS_BIND && e->kind <= LENS_SHUTDOWN) {
		put_name(b, KEY("auth"), auth_type_name(e->auth));
		put_name(b, KEY("level"), auth_level_name(e->level));
	}
	if (e->sealed) {
		put_flag(b, KEY("sealed"), true);
		put_flag(b, KEY("decrypted"), e->decrypted);
	}
	put_text(b, KEY("signature"), lens_signature_name(e->signature));
	put_text(b, KEY("why_sealed"), e->why_sealed);
	if (e->encoding)
		put_name(b, KEY("encoding"),
		         e->encoding == (LENS_ENCODING_XOR | LENS_ENCODING_LZ) ? "lz+xor"
		         : e->encoding & LENS_ENCODING_XOR                     ? "xor"
		                                                               : "lz");
	put_text(b, KEY("user"), e->user);
}

static void put_rop_names(struct buf *b, const struct lens_event *e)
{
	put_key(b, KEY("rops"));
	for (unsigned i = 0; i < e->rop_count; i++) {
		buf_put_u8(b, i ? ',' : '[');
		text_put_json(b, e->rops[i].name);
	}
	buf_put_u8(b, ']');
}

static void put_rop_statuses(struct buf *b, const struct lens_event *e)
{
	char hex[16];

	put_key(b, KEY("rop_status"));
	for (unsigned i = 0; i < e->rop_count; i++) {
		buf_put_u8(b, i ? ',' : '[');
		if (e->rops[i].has_status)
			text_put_json(b, lens_rop_status(&e->rops[i], hex));
		else
			buf_put_str(b, "null");
	}
	buf_put_u8(b, ']');
}

/* Of an answer also what its time is made of; of a request how long the client took to send it. */
static void put_times(struct buf *b, const struct lens_event *e)
{
	if (e->took_ns >= 0 && !lens_asks(e)) {
		put_ms(b, KEY("ms"), e->took_ns);
		if (e->request && !e->parked) {
			put_ms(b, KEY("network_ms"), e->network_ns);
			put_ms(b, KEY("server_ms"), e->server_ns);
		}
	}
	if (e->client_ns > 0)
		put_ms(b, KEY("client_ms"), e->client_ns);
}

/* The server's time, shared evenly by the ROPs of the call: the wire does not tell them apart. A Release has none. */
static void put_rop_times(struct buf *b, const struct lens_event *e)
{
	unsigned shares = 0;

	for (unsigned i = 0; i < e->rop_count; i++)
		shares += e->rops[i].has_status;
	if (!shares || e->took_ns < 0)
		return;
	put_key(b, KEY("rop_ms"));
	for (unsigned i = 0; i < e->rop_count; i++)
		if (e->rops[i].has_status) {
			buf_put_u8(b, i ? ',' : '[');
			put_us(b, (e->server_ns / shares + 500) / 1000);
		} else
			buf_put_str(b, i ? ",null" : "[null");
	buf_put_u8(b, ']');
}

static void json_event(struct lens_view *v, const struct lens_event *e)
{
	struct buf *b = v->out;

	if (!lens_view_wants(v, e))
		return;
	buf_put_str(b, "{\"frame\":");
	buf_put_decimal(b, e->frame);
	put_number(b, KEY("last_frame"), e->last_frame);
	put_time(b, KEY("time"), e->time_ns);
	put_where(b, e);
	put_what(b, e);
	put_protection(b, e);
	put_times(b, e);
	if (e->rop_count)
		put_rop_names(b, e);
	if (e->rop_count && lens_answers(e))
		put_rop_statuses(b, e);
	if (e->rop_count && lens_answers(e))
		put_rop_times(b, e);
	if (e->kind == LENS_CONTEXT)
		put_text(b, KEY("what"), e->summary);
	if (e->bytes)
		put_number(b, KEY("bytes"), e->bytes);
	put_text(b, KEY("says"), e->says);
	put_text(b, KEY("folder"), e->folder);
	put_text(b, KEY("damaged"), e->damaged);
	buf_put_str(b, "}\n");
}

struct lens_view *lens_json_new(const struct lens_view_options *o, struct buf *out)
{
	static const struct lens_view_ops ops = {json_event, NULL, NULL};

	return lens_view_alloc(sizeof(struct lens_view), &ops, o, out);
}
