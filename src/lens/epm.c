#include "lens/lens-private.h"

#include "wire/epm.h"
#include "wire/tower.h"

#include <string.h>

#define OPNUM_LOOKUP 2
#define OPNUM_MAP 3
#define MAX_SHOWN 8
/* In the answers of both: context handle, number of entries, then the array's maximum. */
#define MAXIMUM_AT 24

/* What an answer hands out, gathered from its towers. */
struct offer {
	struct lens *lens;
	struct arena *arena;
	struct buf endpoints; /* "nspi tcp 4997, nspi http 5000" */
	struct buf result;    /* "port 4997, http port 5000" */
	unsigned count;
	bool name_result; /* ept_lookup: say which interface */
	struct lens_address mapper;
	const char *name; /* of the latest */
};

static const char *short_protocol(enum epm_protocol p)
{
	switch (p) {
	case EPM_NCACN_IP_TCP:
		return "tcp";
	case EPM_NCADG_IP_UDP:
		return "udp";
	case EPM_NCACN_HTTP:
		return "http";
	case EPM_NCACN_NP:
		return "pipe";
	case EPM_NCALRPC:
		return "lrpc";
	default:
		return "other";
	}
}

static const char *iface_name(const struct lens_iface *i)
{
	return i ? (i->name ? i->name : i->iface) : "?";
}

static void put_endpoint(struct offer *o, const struct epm_tower *t)
{
	const char *comma = o->count ? ", " : "", *protocol = short_protocol(t->protocol);
	bool named = t->protocol == EPM_NCACN_NP || t->protocol == EPM_NCALRPC;
	if (named)
		buf_printf(&o->endpoints, "%s%s %s %s", comma, o->name, protocol, t->name);
	else
		buf_printf(&o->endpoints, "%s%s %s %u", comma, o->name, protocol, t->port);
	buf_put_str(&o->result, comma);
	if (o->name_result)
		buf_printf(&o->result, "%s, ", o->name);
	if (named)
		buf_printf(&o->result, "%s %s", protocol, t->name);
	else if (t->protocol == EPM_NCACN_IP_TCP)
		buf_printf(&o->result, "port %u", t->port);
	else
		buf_printf(&o->result, "%s port %u", protocol, t->port);
}

/* A TCP port is the mapper's machine's; also that of the address in the tower, when it names another. */
static void learn(struct offer *o, const struct epm_tower *t, const struct lens_iface *i)
{
	struct lens_address a = o->mapper;
	if (t->protocol != EPM_NCACN_IP_TCP || t->port == 0)
		return;
	a.port = t->port;
	lens_learn_port(o->lens, &a, i, true);
	static const uint8_t none[4];
	if (memcmp(t->ip, none, sizeof none) == 0)
		return;
	a = (struct lens_address){.family = 4, .port = t->port};
	memcpy(a.bytes, t->ip, sizeof t->ip);
	lens_learn_port(o->lens, &a, i, true);
}

static const struct lens_iface *iface_of(struct lens *lens, const struct epm_tower *t)
{
	return lens_names_get(&lens->names, &(struct rpc_syntax){t->interface, t->major, t->minor});
}

static void take_tower(struct offer *o, const struct twr_t *w)
{
	struct epm_tower t;
	if (!w || !w->tower_octet_string || epm_tower_parse(cursor_of(w->tower_octet_string, w->tower_length), &t) < 0)
		return;
	const struct lens_iface *i = iface_of(o->lens, &t);
	learn(o, &t, i);
	o->name = iface_name(i);
	if (o->count < MAX_SHOWN)
		put_endpoint(o, &t);
	o->count++;
}

static const struct idl_method *method(uint16_t opnum)
{
	return &wire_epm_interface.methods[opnum];
}

static bool decode(struct arena *arena, enum ndr_syntax syntax, struct cursor stub, uint16_t opnum,
                   enum idl_direction d, void *args)
{
	struct ndr n = ndr_decoder(syntax, arena, stub);
	n.lenient = true;
	return ndr_decode_args(&n, method(opnum), d, args) == 0;
}

/* What the request asked for at most stands in the answer as the array's maximum. */
static uint32_t maximum(struct cursor stub)
{
	uint32_t v = 0;
	if (cursor_skip(&stub, MAXIMUM_AT) < 0 || cursor_u32(&stub, &v) < 0)
		return 0;
	return v;
}

static void take_answer(struct offer *o, enum ndr_syntax syntax, uint16_t opnum, struct cursor stub)
{
	if (opnum == OPNUM_MAP) {
		struct ept_map_args a = {.max_towers = maximum(stub)};
		if (!decode(o->arena, syntax, stub, opnum, IDL_RESPONSE, &a) || !a.towers)
			return;
		for (uint32_t i = 0; i < a.num_towers; i++)
			take_tower(o, a.towers[i]);
	} else if (opnum == OPNUM_LOOKUP) {
		struct ept_lookup_args a = {.max_ents = maximum(stub)};
		o->name_result = true;
		if (!decode(o->arena, syntax, stub, opnum, IDL_RESPONSE, &a) || !a.entries)
			return;
		for (uint32_t i = 0; i < a.num_ents; i++)
			take_tower(o, a.entries[i].tower);
	}
}

static const char *text_of(struct arena *arena, const struct buf *b, unsigned more)
{
	if (more)
		return arena_printf(arena, "%.*s and %u more", (int)b->len, (const char *)b->data, more);
	return arena_strndup(arena, (const char *)b->data, b->len);
}

static void read_answer(struct lens_making *m, struct cursor stub)
{
	struct offer o = {.lens = m->lens, .arena = m->work, .mapper = m->event->conn->server};
	take_answer(&o, m->rpc->syntax, m->event->opnum, stub);
	unsigned more = o.count > MAX_SHOWN ? o.count - MAX_SHOWN : 0;
	if (o.count) {
		m->event->endpoint = text_of(m->arena, &o.endpoints, more);
		m->result = text_of(m->work, &o.result, more);
	}
	buf_free(&o.endpoints);
	buf_free(&o.result);
}

/* "ept_map nspi" */
static void read_question(struct lens_making *m, struct cursor stub)
{
	struct epm_tower t;
	struct ept_map_args a = {0};
	if (m->event->opnum != OPNUM_MAP || !decode(m->work, m->rpc->syntax, stub, OPNUM_MAP, IDL_REQUEST, &a) ||
	    !a.map_tower || !a.map_tower->tower_octet_string ||
	    epm_tower_parse(cursor_of(a.map_tower->tower_octet_string, a.map_tower->tower_length), &t) < 0)
		return;
	const char *name = iface_name(iface_of(m->lens, &t));
	if (t.protocol == EPM_NCACN_IP_TCP)
		m->what = arena_printf(m->arena, "ept_map %s", name);
	else
		m->what = arena_printf(m->arena, "ept_map %s, %s", name, short_protocol(t.protocol));
}

void lens_read_epm(struct lens_making *m)
{
	struct cursor stub = cursor_of(m->rpc->stub, m->rpc->stub_len);
	stub.big_endian = m->rpc->big_endian;
	if (!m->event->has_opnum)
		return;
	if (m->event->kind == LENS_REQUEST)
		read_question(m, stub);
	else
		read_answer(m, stub);
}

void lens_learn_epm(struct lens *lens, const struct lens_address *mapper, uint16_t opnum, struct cursor stub)
{
	struct offer o = {.lens = lens, .arena = lens->scratch, .mapper = *mapper};
	take_answer(&o, NDR_20, opnum, stub);
	buf_free(&o.endpoints);
	buf_free(&o.result);
}
