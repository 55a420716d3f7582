/*
 * The server's role end to end: bind, NTLM, and calls of the interfaces that are served, decoded by their tables. The
 * peer is a client that knows its password, so that what is mutated gets past the handshake: random and time stand
 * still, and PDUs are signed and sealed after the mutation.
 *
 * The first byte chooses the level and the interface of a bind that succeeds. Then records: verb (low 3 bits; the
 * others choose a security context), length (2 bytes), bytes:
 *   0 a PDU as it is          1 a request, protected         2 the same with a bit flipped under its signature
 *   3 a further handshake     4 the same, its token changed  5 cancel or orphaned, protected
 *   6 time passes             7 calls that waited are answered
 */
#include "alice.h"
#include "fuzz.h"
#include "still.h"

#include "base/text.h"
#include "rpc/connection.h"
#include "server/conn.h"

#include <stdlib.h>

#define MOST_CONTEXTS 4
#define MOST_PARKED 8
#define MOST_RECORDS 64

struct peer {
	struct rpc_connection *server;
	struct arena *arena; /* of what the server answered */
	struct auth_context *auth[MOST_CONTEXTS];
	enum auth_level level[MOST_CONTEXTS];
	unsigned count;
	uint32_t call_id, parked[MOST_PARKED];
	unsigned parked_count;
	struct rpc_pdu answer; /* the last one */
	int64_t now;
};

static const struct auth_env env = {.now_ns = INT64_C(1795507200000000000), .random = &source};

static const struct auth_server_config server_auth = {.netbios_domain = "DEMO",
                                                      .netbios_computer = "MAIL",
                                                      .dns_domain = "demo.test",
                                                      .dns_computer = "mail.demo.test",
                                                      .allow_anonymous = true,
                                                      .find_account = find_account};

static const struct idl_interface *find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	for (unsigned i = 0; services[i]; i++)
		if (guid_equal(&services[i]->interface->uuid, &abstract->uuid))
			return services[i]->interface;
	return NULL;
}

/* ---- The service: what was decoded is encoded as an answer ---- */

static void call_method(struct peer *p, const struct rpc_event *e)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new((size_t)16 << 20);
	struct buf reply MW_CLEANUP(buf_free) = {.max = (size_t)4 << 20};
	const struct idl_interface *interface = find_interface(NULL, e->interface);
	const struct idl_method *m = e->opnum < interface->method_count ? &interface->methods[e->opnum] : NULL;
	void *args = arena && m && m->args ? arena_alloc(arena, m->args->size) : NULL;
	int r = MW_E_UNSUPPORTED;

	if (args) {
		struct cursor in = cursor_of(e->stub, e->stub_len);
		in.big_endian = e->big_endian;
		struct ndr n = ndr_decoder(e->syntax, arena, in);
		r = ndr_decode_args(&n, m, IDL_REQUEST, args);
	}
	if (r == 0) {
		struct ndr n = ndr_encoder(e->syntax, arena, &reply);
		r = ndr_encode_args(&n, m, IDL_RESPONSE, args);
	}
	if (r == 0)
		must(rpc_server_respond(p->server, e->call_id, reply.data, reply.len) == 0);
	else
		must(rpc_server_fault(p->server, e->call_id, args ? RPC_X_BAD_STUB_DATA : NCA_S_OP_RNG_ERROR) == 0);
}

static void on_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	struct peer *p = user;

	(void)c;
	must(e->type != RPC_EV_DAMAGED || e->why);
	if (e->type != RPC_EV_REQUEST)
		return;
	/* What reaches a service was protected as its level asks, and nothing else does. */
	must(e->level <= AUTH_LEVEL_CONNECT || e->signature == RPC_SIG_OK);
	if (e->call_id % 4 == 3 && p->parked_count < MOST_PARKED)
		p->parked[p->parked_count++] = e->call_id;
	else
		call_method(p, e);
}

/* ---- The peer ---- */

/* What the server says is whole PDUs, each of which parses. */
static void drain(struct peer *p)
{
	struct buf *out = rpc_output(p->server);

	while (out->len > 0) {
		arena_reset(p->arena);
		const uint8_t *kept = arena_copy(p->arena, out->data, out->len);
		must(kept != NULL);
		must(rpc_pdu_parse(p->arena, kept, out->len, &p->answer, NULL, NULL) == 0);
		buf_consume(out, p->answer.header.frag_length);
	}
}

static void send_buf(struct peer *p, struct buf *pdu)
{
	/* A copy of its own, so that a read beyond it is seen. */
	uint8_t *copy = buf_error(pdu) < 0 || pdu->len == 0 ? NULL : malloc(pdu->len);

	if (!copy)
		return;
	memcpy(copy, pdu->data, pdu->len);
	rpc_feed(p->server, RPC_FROM_CLIENT, copy, pdu->len, p->now);
	free(copy);
	drain(p);
}

static bool is_protected(const struct peer *p, unsigned context)
{
	return context < p->count && p->level[context] > AUTH_LEVEL_CONNECT;
}

/* Closes a request or a bare PDU, protected by a context, and sends it; flip: this bit is flipped then. */
static void finish(struct peer *p, struct buf *pdu, unsigned context, size_t body, const uint32_t *flip)
{
	const struct rpc_sec_trailer trailer = {.type = AUTH_NTLM,
	                                        .level = (uint8_t)(context < p->count ? p->level[context] : 0),
	                                        .context_id = context};
	struct auth_context *auth = is_protected(p, context) ? p->auth[context] : NULL;
	size_t value = rpc_pdu_finish(pdu, 0, auth ? &trailer : NULL, NULL, auth ? auth_signature_size(auth) : 0);

	if (auth &&
	    auth_protect(auth, pdu->data, value, body, value - body - RPC_SEC_TRAILER_SIZE, pdu->data + value) < 0)
		return;
	if (flip)
		pdu->data[*flip / 8 % pdu->len] ^= (uint8_t)(1u << *flip % 8);
	send_buf(p, pdu);
}

static void request(struct peer *p, struct cursor in, unsigned context, bool flips)
{
	struct buf pdu MW_CLEANUP(buf_free) = {0};
	uint32_t flip = 0;
	uint8_t flags, opnum, presentation;

	if (cursor_u8(&in, &flags) < 0 || cursor_u8(&in, &opnum) < 0 || cursor_u8(&in, &presentation) < 0 ||
	    (flips && cursor_u32(&in, &flip) < 0) || cursor_left(&in) > 5000)
		return;
	if (flags & RPC_PFC_FIRST_FRAG)
		p->call_id++;
	rpc_put_header(&pdu, RPC_REQUEST, flags & ~RPC_PFC_OBJECT_UUID, p->call_id);
	buf_put_u32(&pdu, (uint32_t)cursor_left(&in));
	buf_put_u16(&pdu, presentation);
	buf_put_u16(&pdu, opnum);
	buf_put(&pdu, cursor_here(&in), cursor_left(&in));
	finish(p, &pdu, context, 24, flips ? &flip : NULL);
}

static void bare(struct peer *p, struct cursor in, unsigned context)
{
	struct buf pdu MW_CLEANUP(buf_free) = {0};
	uint8_t which, back;

	if (cursor_u8(&in, &which) < 0 || cursor_u8(&in, &back) < 0)
		return;
	rpc_put_header(&pdu, which & 1 ? RPC_ORPHANED : RPC_CO_CANCEL, RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG,
	               p->call_id - back % 8);
	finish(p, &pdu, context, 16, NULL);
}

static void offer(struct peer *p, enum rpc_ptype ptype, const struct idl_interface *interface, unsigned context,
                  enum auth_level level, const struct buf *token)
{
	struct buf pdu MW_CLEANUP(buf_free) = {0};
	struct rpc_syntax syntaxes[] = {rpc_ndr20, rpc_ndr64};
	struct rpc_context_item item = {.id = (uint16_t)context,
	                                .abstract = {interface->uuid, interface->major, interface->minor},
	                                .transfer_count = 1,
	                                .transfers = &syntaxes[context & 1]};
	struct rpc_bind bind = {
	        .max_xmit_frag = RPC_MAX_FRAG, .max_recv_frag = RPC_MAX_FRAG, .context_count = 1, .contexts = &item};
	const struct rpc_sec_trailer trailer = {.type = AUTH_NTLM, .level = (uint8_t)level, .context_id = context};

	rpc_put_header(&pdu, ptype, RPC_PFC_FIRST_FRAG | RPC_PFC_LAST_FRAG | RPC_PFC_CONC_MPX, 1);
	if (ptype == RPC_AUTH3)
		buf_put_zero(&pdu, 4);
	else
		rpc_put_bind(&pdu, &bind);
	rpc_pdu_finish(&pdu, 0, token ? &trailer : NULL, token ? token->data : NULL, token ? token->len : 0);
	send_buf(p, &pdu);
}

/* Bytes of the second token are replaced from a place on. */
static void change(struct buf *token, struct cursor in)
{
	uint16_t at;

	if (cursor_u16(&in, &at) < 0 || token->len == 0)
		return;
	at %= (uint16_t)token->len;
	for (size_t i = 0; i < cursor_left(&in) && at + i < token->len; i++)
		token->data[at + i] ^= cursor_here(&in)[i];
}

/* Both legs; the second with auth3 or alter_context. */
static void shake(struct peer *p, enum rpc_ptype first, uint8_t how, struct cursor changes)
{
	static const enum auth_level levels[] = {AUTH_LEVEL_CONNECT, AUTH_LEVEL_PACKET, AUTH_LEVEL_INTEGRITY,
	                                         AUTH_LEVEL_PRIVACY};
	struct buf MW_CLEANUP(buf_free) negotiate = {0}, authenticate = {0};
	unsigned context = p->count, count = 0;

	while (services[count])
		count++;
	const struct idl_interface *interface = services[(how >> 2) % count]->interface;
	if (context == MOST_CONTEXTS ||
	    auth_client_new(AUTH_NTLM, levels[how & 3], &client_auth, &p->auth[context]) < 0)
		return;
	p->level[context] = levels[how & 3];
	p->count++;
	must(auth_step(p->auth[context], &env, cursor_of(NULL, 0), &negotiate, NULL) == MW_E_AGAIN);
	p->answer = (struct rpc_pdu){0};
	offer(p, first, interface, context, levels[how & 3], &negotiate);
	struct cursor challenge = cursor_of(p->answer.auth_value, p->answer.header.auth_length);
	if (auth_step(p->auth[context], &env, challenge, &authenticate, NULL) < 0) {
		p->level[context] = AUTH_LEVEL_NONE; /* nothing can be protected by it */
		return;
	}
	change(&authenticate, changes);
	offer(p, how & 0x80 ? RPC_ALTER_CONTEXT : RPC_AUTH3, interface, context, levels[how & 3], &authenticate);
}

static void answer_parked(struct peer *p)
{
	for (; p->parked_count > 0; p->parked_count--) {
		int r = rpc_server_respond(p->server, p->parked[p->parked_count - 1], "answer", 6);
		must(r == 0 || r == MW_E_NOTFOUND);
	}
	drain(p);
}

static void take_record(struct peer *p, uint8_t verb, struct cursor in)
{
	unsigned context = verb >> 3;
	uint8_t how = 0;
	struct buf raw MW_CLEANUP(buf_free) = {0};

	switch (verb & 7) {
	case 0:
		if (buf_put(&raw, cursor_here(&in), cursor_left(&in)) == 0)
			send_buf(p, &raw);
		break;
	case 1:
	case 2:
		request(p, in, context, (verb & 7) == 2);
		break;
	case 3:
	case 4:
		if (cursor_u8(&in, &how) == 0)
			shake(p, RPC_ALTER_CONTEXT, how, (verb & 7) == 4 ? in : cursor_of(NULL, 0));
		break;
	case 5:
		bare(p, in, context);
		break;
	case 6:
		p->now += (int64_t)cursor_left(&in) * 1000000000;
		rpc_tick(p->server, p->now);
		drain(p);
		break;
	default:
		answer_parked(p);
	}
}

static void run(struct peer *p, struct cursor in)
{
	const uint8_t *bytes;
	uint8_t verb = 0, how;
	uint16_t size;

	if (cursor_u8(&in, &how) < 0)
		return;
	shake(p, RPC_BIND, how, cursor_of(NULL, 0));
	for (unsigned i = 0; i < MOST_RECORDS && cursor_u8(&in, &verb) == 0 && cursor_u16(&in, &size) == 0; i++) {
		size = size < cursor_left(&in) ? size : (uint16_t)cursor_left(&in);
		if (cursor_bytes(&in, size, &bytes) < 0)
			return;
		take_record(p, verb, cursor_of(bytes, size));
	}
	must(rpc_held(p->server) < (size_t)32 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_associations *associations = rpc_associations_new(1, &source);
	const struct rpc_server_setup setup = {.find_interface = find_interface,
	                                       .associations = associations,
	                                       .auth = &server_auth,
	                                       .secondary_address = "135"};
	struct peer p = {.arena = arena_new(0), .call_id = 1};
	const struct rpc_config config = {.role = RPC_SERVER,
	                                  .on_event = on_event,
	                                  .user = &p,
	                                  .random = &source,
	                                  .server = &setup,
	                                  .clock_offset_ns = INT64_C(1795507200000000000)};

	p.server = rpc_connection_new(&config);
	must(associations && p.arena && p.server);
	run(&p, cursor_of(data, size));
	rpc_connection_free(&p.server);
	for (unsigned i = 0; i < p.count; i++)
		auth_free(&p.auth[i]);
	arena_free(&p.arena);
	rpc_associations_free(&associations);
	return 0;
}
