#include "lens/lens-private.h"

#include <stdlib.h>
#include <string.h>

/*
 * The first look: binds and the mapper's answers, where a PDU begins its segment and lies whole in it, as
 * these small ones do. No streams are kept; a small table remembers the latest bind of a connection.
 */
#define SLOTS 1024u
#define MAX_OFFERED 8u

struct slot {
	struct lens_address client, server;
	const struct lens_iface *offered[MAX_OFFERED];
	unsigned count;
	uint32_t call_id; /* of a request to the mapper */
	uint16_t opnum;
	bool mapper, asked;
};

struct lens_scout {
	struct slot slots[SLOTS];
};

static struct slot *slot_of(struct lens *lens, const struct lens_address *client, const struct lens_address *server)
{
	uint32_t v[4];
	memcpy(v, client->bytes, sizeof v);
	uint32_t h = (v[0] ^ v[3] ^ client->port ^ (uint32_t)server->port << 16) * 2654435761u;
	return &lens->scout->slots[(h >> 16) % SLOTS];
}

static struct slot *find(struct lens *lens, const struct lens_address *client, const struct lens_address *server)
{
	struct slot *s = slot_of(lens, client, server);
	return lens_same_address(&s->client, client) && lens_same_address(&s->server, server) ? s : NULL;
}

static void take_bind(struct lens *lens, const struct lens_segment *seg, const struct rpc_pdu *pdu)
{
	struct slot *s = slot_of(lens, &seg->from, &seg->to);
	*s = (struct slot){.client = seg->from, .server = seg->to};
	for (unsigned i = 0; i < pdu->bind.context_count && i < MAX_OFFERED; i++)
		s->offered[s->count++] = lens_names_get(&lens->names, &pdu->bind.contexts[i].abstract);
}

static void take_ack(struct lens *lens, const struct lens_segment *seg, const struct rpc_pdu *pdu)
{
	struct slot *s = find(lens, &seg->to, &seg->from);
	for (unsigned i = 0; s && i < pdu->bind.result_count && i < s->count; i++) {
		if (pdu->bind.results[i].result != 0 || !s->offered[i])
			continue;
		lens_learn_port(lens, &seg->from, s->offered[i], false);
		s->mapper |= s->offered[i]->service == LENS_SVC_EPM;
	}
}

static void take_request(struct lens *lens, const struct lens_segment *seg, const struct rpc_pdu *pdu)
{
	struct slot *s = find(lens, &seg->from, &seg->to);
	if (!s || !s->mapper)
		return;
	s->asked = true;
	s->call_id = pdu->header.call_id;
	s->opnum = pdu->opnum;
}

static void take_response(struct lens *lens, const struct lens_segment *seg, const struct rpc_pdu *pdu)
{
	struct slot *s = find(lens, &seg->to, &seg->from);
	const uint8_t whole = RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG;
	if (!s || !s->asked || s->call_id != pdu->header.call_id || (pdu->header.flags & whole) != whole ||
	    (pdu->has_auth && pdu->trailer.level == AUTH_LEVEL_PRIVACY))
		return;
	struct cursor stub = cursor_of(seg->data + pdu->body, pdu->stub_len);
	stub.big_endian = pdu->header.big_endian;
	s->asked = false;
	lens_learn_epm(lens, &seg->from, s->opnum, stub);
}

static bool is_of_interest(const uint8_t *data)
{
	switch (data[2]) {
	case RPC_BIND:
	case RPC_BIND_ACK:
	case RPC_ALTER_CONTEXT:
	case RPC_ALTER_CONTEXT_RESP:
	case RPC_REQUEST:
	case RPC_RESPONSE:
		return true;
	}
	return false;
}

static void take_pdu(struct lens *lens, const struct lens_segment *seg, const struct rpc_pdu *pdu)
{
	switch (pdu->header.ptype) {
	case RPC_BIND:
	case RPC_ALTER_CONTEXT:
		take_bind(lens, seg, pdu);
		break;
	case RPC_BIND_ACK:
	case RPC_ALTER_CONTEXT_RESP:
		take_ack(lens, seg, pdu);
		break;
	case RPC_REQUEST:
		take_request(lens, seg, pdu);
		break;
	case RPC_RESPONSE:
		take_response(lens, seg, pdu);
		break;
	}
}

/* Calls matter on the mapper's connections only. */
static bool worth_parsing(struct lens *lens, const struct lens_segment *seg)
{
	struct slot *s;
	if (seg->data[2] == RPC_REQUEST)
		return (s = find(lens, &seg->from, &seg->to)) && s->mapper;
	if (seg->data[2] == RPC_RESPONSE)
		return (s = find(lens, &seg->to, &seg->from)) && s->asked;
	return true;
}

void lens_learn(struct lens *lens, int linktype, const uint8_t *data, size_t captured, size_t original)
{
	struct lens_segment seg;
	struct rpc_header h;
	struct rpc_pdu pdu;
	if (!lens_packet(linktype, data, captured, original, &seg) || seg.captured < RPC_HEADER_SIZE ||
	    !is_of_interest(seg.data) || !rpc_looks_like(seg.data, seg.captured))
		return;
	if (!lens->scout && !(lens->scout = calloc(1, sizeof *lens->scout)))
		return;
	if (!worth_parsing(lens, &seg))
		return;
	arena_reset(lens->scratch);
	if (rpc_header_parse(cursor_of(seg.data, seg.captured), &h) == 0 && h.frag_length <= seg.captured &&
	    rpc_pdu_parse(lens->scratch, seg.data, h.frag_length, &pdu, NULL, NULL) == 0)
		take_pdu(lens, &seg, &pdu);
}
