#include "lens/context-private.h"
#include "mapi/status.h"

#include <stdlib.h>
#include <strings.h>

/*
 * UDP: connectionless RPC by content on any port (C706 12.5), Kerberos (RFC 4120 7.2.1), CLDAP (MS-ADTS 6.3.3),
 * DNS (RFC 1035 4.2.1). One event a message, as context: what a person needs to know of the way to the calls. A
 * small table remembers questions until their answers, the latest one for each place in it.
 */
#define SLOTS 256u /* of a part */
#define CL_VERSION 4
#define CL_HEADER 80
#define CL_PTYPES 11

struct question {
	uint64_t key;
	struct lens_stamp asked;
	struct lens_conn *conn; /* own, unless events are kept */
};

struct lens_datagrams {
	struct question slots[SLOTS];
	unsigned count;
};

/* One message as it is told. */
struct message {
	const struct lens_segment *seg;
	const struct lens_stamp *stamp;
	uint64_t id; /* what an answer has in common with its question */
	bool answer;
	bool rpc;
	const struct lens_iface *iface;
	uint16_t opnum;
	uint32_t code;
	const char *status, *words, *protocol;
};

/* ---- Questions and their answers ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ (h >> 29);
}

static uint64_t mix_address(uint64_t h, const struct lens_address *a)
{
	uint64_t v[2];
	memcpy(v, a->bytes, sizeof v);
	return mix(mix(mix(h, v[0]), v[1]), a->port);
}

static struct question *question_of(struct lens *lens, const struct message *m)
{
	const struct lens_address *client = m->answer ? &m->seg->to : &m->seg->from;
	const struct lens_address *server = m->answer ? &m->seg->from : &m->seg->to;
	uint64_t key = mix(mix_address(mix_address(lens->flows.seed, client), server), m->id);
	if (!lens->datagrams && !(lens->datagrams = calloc(1, sizeof *lens->datagrams)))
		return NULL;
	struct question *q = &lens->datagrams->slots[key >> 56];
	if (q->conn && q->key == key)
		return q;
	struct lens_conn *c = lens->options.keep_events ? arena_new_of(lens->kept, struct lens_conn)
	                      : q->conn                 ? q->conn
	                                                : malloc(sizeof *c);
	if (!c)
		return NULL;
	*c = (struct lens_conn){
	        .number = (unsigned)lens_number_of(lens, ++lens->datagrams->count),
	        .datagrams = true,
	        .rpc = m->rpc,
	        .iface_name = m->protocol,
	        .client = *client,
	        .server = *server,
	        .first_frame = m->stamp->frame,
	        .first_time_ns = m->stamp->time_ns,
	};
	*q = (struct question){.key = key, .conn = c};
	return q;
}

void lens_datagrams_free(struct lens *lens)
{
	for (unsigned i = 0; lens->datagrams && !lens->options.keep_events && i < SLOTS; i++)
		free(lens->datagrams->slots[i].conn);
	free(lens->datagrams);
	lens->datagrams = NULL;
}

static void put_iface(struct lens_event *e, const struct message *m)
{
	const struct lens_iface *i = m->iface;
	e->has_opnum = m->rpc;
	e->opnum = m->opnum;
	e->iface_name = m->protocol;
	if (!i)
		return;
	e->service = i->service;
	e->iface = i->iface;
	e->iface_name = i->name;
	e->known_by = LENS_KNOWN_BIND;
	e->op = lens_method_name(i, m->opnum);
}

static void tell(struct lens *lens, const struct message *m)
{
	struct question *q = question_of(lens, m);
	struct lens_event made, *e = &made;
	if (!q || (lens->options.keep_events && !(e = arena_new_of(lens->kept, struct lens_event))))
		return;
	if (!m->answer)
		q->asked = *m->stamp;
	q->conn->frames++;
	*e = (struct lens_event){
	        .kind = LENS_CONTEXT,
	        .frame = m->stamp->frame,
	        .last_frame = m->stamp->frame,
	        .time_ns = m->stamp->time_ns,
	        .last_time_ns = m->stamp->time_ns,
	        .conn = q->conn,
	        .from_client = !m->answer,
	        .transport = "udp",
	        .level = AUTH_LEVEL_NONE,
	        .took_ns = m->answer && q->asked.frame ? m->stamp->time_ns - q->asked.time_ns : -1,
	        .status = m->status,
	        .status_code = m->code,
	        .failed = m->status != NULL,
	        .summary = m->words,
	};
	put_iface(e, m);
	if (m->rpc && !m->answer)
		lens->totals.datagram_calls++;
	lens_tell(lens, e);
}

/* ---- Connectionless RPC, C706 12.5.2 ---- */

struct cl_header {
	uint8_t ptype, flags1;
	struct rpc_syntax syntax;
	uint8_t activity[16];
	uint32_t seqnum;
	uint16_t opnum, len, fragment;
	bool big_endian;
};

/* Integer, character and floating-point formats that exist (C706 14.1); reserved bits are zero. */
static bool cl_looks_like(const struct lens_segment *seg)
{
	const uint8_t *d = seg->data;
	return seg->captured >= CL_HEADER && d[0] == CL_VERSION && d[1] < CL_PTYPES && !(d[3] & 0xF8) &&
	       !(d[4] & 0xEE) && d[5] <= 3 && d[6] == 0;
}

static void read_uuid(struct cursor *c, struct guid *out)
{
	uint8_t bytes[16];
	if (cursor_copy(c, bytes, sizeof bytes) < 0)
		return;
	guid_from_bytes(bytes, out);
	if (c->big_endian) {
		out->data1 = __builtin_bswap32(out->data1);
		out->data2 = __builtin_bswap16(out->data2);
		out->data3 = __builtin_bswap16(out->data3);
	}
}

static bool cl_parse(const struct lens_segment *seg, struct cl_header *h, struct cursor *body)
{
	struct cursor c = cursor_of(seg->data, seg->captured);
	uint32_t version, boot;
	uint16_t hints[2];
	const uint8_t *d = seg->data;
	*h = (struct cl_header){.ptype = d[1], .flags1 = d[2], .big_endian = !(d[4] & 0x10)};
	c.big_endian = h->big_endian;
	if (cursor_skip(&c, 24) < 0)
		return false;
	read_uuid(&c, &h->syntax.uuid);
	if (cursor_copy(&c, h->activity, sizeof h->activity) < 0 || cursor_u32(&c, &boot) < 0 ||
	    cursor_u32(&c, &version) < 0 || cursor_u32(&c, &h->seqnum) < 0 || cursor_u16(&c, &h->opnum) < 0 ||
	    cursor_u16(&c, &hints[0]) < 0 || cursor_u16(&c, &hints[1]) < 0 || cursor_u16(&c, &h->len) < 0 ||
	    cursor_u16(&c, &h->fragment) < 0 || cursor_skip(&c, 2) < 0)
		return false;
	h->syntax.major = (uint16_t)version;
	h->syntax.minor = (uint16_t)(version >> 16);
	*body = c;
	return h->len <= seg->len - CL_HEADER && !guid_is_nil(&h->syntax.uuid);
}

enum { CL_REQUEST = 0, CL_RESPONSE = 2, CL_FAULT = 3, CL_REJECT = 6 };

static const char *cl_verb(uint8_t ptype)
{
	switch (ptype) {
	case CL_REQUEST:
		return "request";
	case CL_RESPONSE:
		return "response";
	case CL_FAULT:
		return "fault";
	case CL_REJECT:
		return "rejected";
	}
	return NULL;
}

/* Only the first fragment of a message is told; what keeps a call alive (ping, working, ack ...) is not. */
static bool cl_message(struct lens *lens, struct message *m)
{
	struct arena *a = lens_event_arena(lens);
	struct cl_header h;
	struct cursor body;
	if (!cl_looks_like(m->seg) || !cl_parse(m->seg, &h, &body))
		return false;
	const char *verb = cl_verb(h.ptype);
	if (!verb || h.fragment != 0)
		return true;
	m->rpc = true;
	m->answer = h.ptype != CL_REQUEST;
	m->iface = lens_names_get(&lens->names, &h.syntax);
	m->opnum = h.opnum;
	m->id = h.seqnum;
	for (unsigned i = 0; i < sizeof h.activity; i++)
		m->id = mix(m->id, h.activity[i]);
	if ((h.ptype == CL_FAULT || h.ptype == CL_REJECT) && cursor_u32(&body, &m->code) == 0) {
		const char *name = mapi_code_name(MAPI_CODES_NCA_FAULT, m->code);
		m->status = name ? name : arena_printf(a, "0x%08x", m->code);
	}
	const char *op = lens_method_name(m->iface, h.opnum);
	m->words = op ? arena_printf(a, "connectionless RPC %s, %s%s%s", verb, op, m->status ? ": " : "",
	                             m->status ? m->status : "")
	              : arena_printf(a, "connectionless RPC %s, opnum %u of %s%s%s", verb, h.opnum,
	                             m->iface ? m->iface->iface : "an interface", m->status ? ": " : "",
	                             m->status ? m->status : "");
	return true;
}

/* ---- CLDAP: RFC 4511 4.1.1, 4.5; the domain controllers' ping, MS-ADTS 6.3.3 ---- */

#define LDAP_DEPTH 4

struct strings {
	const char *domain;
	bool is_name;
};

/* The value beside "DnsDomain" in a filter. */
static void find_domain(struct arena *a, struct cursor in, unsigned depth, struct strings *s)
{
	uint8_t tag;
	struct cursor value;
	while (!s->domain && lens_der_element(&in, &tag, &value)) {
		const char *text = (const char *)cursor_here(&value);
		size_t n = cursor_left(&value);
		if (tag & 0x20 && depth < LDAP_DEPTH)
			find_domain(a, value, depth + 1, s);
		else if (tag == 0x04 && s->is_name && n && n <= NAME_MAX_SHOWN)
			s->domain = arena_strndup(a, text, n - (text[n - 1] == '.'));
		s->is_name = tag == 0x04 && n == 9 && strncasecmp(text, "DnsDomain", 9) == 0;
	}
}

enum { LDAP_SEARCH = 0x63, LDAP_ENTRY = 0x64, LDAP_DONE = 0x65 };

static const char *cldap_words(struct arena *a, uint8_t op, struct cursor body)
{
	struct strings s = {0};
	switch (op) {
	case LDAP_SEARCH:
		find_domain(a, body, 0, &s);
		return s.domain ? arena_printf(a, "CLDAP search for a domain controller of %s", s.domain)
		                : "CLDAP search";
	case LDAP_ENTRY:
		return "CLDAP answer";
	case LDAP_DONE:
		return "CLDAP answer: nothing found";
	}
	return NULL;
}

static void cldap_message(struct lens *lens, struct message *m)
{
	struct cursor c = lens_network(m->seg->data, m->seg->captured), message, number, body;
	uint8_t tag, op, byte;
	if (!lens_der_element(&c, &tag, &message) || tag != 0x30 || !lens_der_element(&message, &tag, &number) ||
	    tag != 0x02 || cursor_left(&number) > 4 || !lens_der_element(&message, &op, &body))
		return;
	while (cursor_u8(&number, &byte) == 0)
		m->id = m->id << 8 | byte;
	m->answer = op != LDAP_SEARCH;
	m->words = cldap_words(lens_event_arena(lens), op, body);
}

/* ---- DNS, RFC 1035 4.1.1 ---- */

static const char *dns_error(struct arena *a, unsigned code)
{
	static const char *const names[] = {NULL, "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	return code < ARRAY_SIZE(names) ? names[code] : arena_printf(a, "error %u", code);
}

static void dns_message(struct lens *lens, struct message *m)
{
	struct arena *a = lens_event_arena(lens);
	struct cursor c = lens_network(m->seg->data, m->seg->captured);
	uint16_t id, flags, questions, answers;
	if (cursor_u16(&c, &id) < 0 || cursor_u16(&c, &flags) < 0 || cursor_u16(&c, &questions) < 0 ||
	    cursor_u16(&c, &answers) < 0)
		return;
	m->id = id;
	m->answer = flags & 0x8000u;
	if (!m->answer)
		m->words = lens_dns_query(a, m->seg->data, m->seg->captured);
	else if ((m->status = dns_error(a, flags & 15u)))
		m->words = arena_printf(a, "DNS answer: %s", m->status);
	else
		m->words = arena_printf(a, "DNS answer: %u record%s", answers, answers == 1 ? "" : "s");
}

/* ---- Kerberos ---- */

static void kerberos_message(struct lens *lens, struct message *m)
{
	const uint8_t *d = m->seg->data;
	size_t n = m->seg->captured;
	if (m->answer)
		m->words = lens_kerberos_answer(lens_event_arena(lens), d, n, &m->status);
	else
		m->words = lens_kerberos_words(d, n);
}

/* ---- Any ---- */

static const struct {
	uint16_t port;
	const char *name;
	void (*read)(struct lens *lens, struct message *m);
} protocols[] = {
        {PORT_DNS, "dns", dns_message},
        {PORT_KERBEROS, "kerberos", kerberos_message},
        {PORT_LDAP, "cldap", cldap_message},
};

void lens_datagram(struct lens *lens, const struct lens_segment *seg, const struct lens_stamp *stamp)
{
	struct message m = {.seg = seg, .stamp = stamp};
	uint16_t low = seg->from.port < seg->to.port ? seg->from.port : seg->to.port;
	arena_reset(lens->scratch);
	if (cl_message(lens, &m)) {
		if (m.words)
			tell(lens, &m);
		return;
	}
	m.answer = seg->from.port == low;
	for (size_t i = 0; i < ARRAY_SIZE(protocols) && !m.words; i++)
		if (protocols[i].port == low) {
			m.protocol = protocols[i].name;
			protocols[i].read(lens, &m);
		}
	if (m.words)
		tell(lens, &m);
}
