/*
 * RPC from hostile peers, in each role. The first byte says which: 'o' an observer, then
 * records of side (bit 0; bit 1: a gap of that length instead), length (2 bytes), bytes;
 * 's' a server, 'c' a client: the second byte is how many bytes are fed at a time and, for
 * the client, in its top bit whether it authenticates. What our side answers must be PDUs.
 */
#include "alice.h"
#include "fuzz.h"
#include "still.h"

#include "rpc/connection.h"

#include <stdlib.h>

static const struct rpc_syntax echo = {
        {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}}, 1, 0};
static const struct idl_interface interface = {.name = "echo"};

static const struct idl_interface *find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	return memcmp(abstract, &echo, sizeof echo) == 0 ? &interface : NULL;
}

static const struct auth_server_config server_auth = {.netbios_domain = "DEMO",
                                                      .netbios_computer = "MAIL",
                                                      .dns_domain = "demo.test",
                                                      .dns_computer = "mail.demo.test",
                                                      .find_account = find_account};
static const struct auth_secret secret = {
        .kind = AUTH_SECRET_PASSWORD, .domain = "DEMO", .user = "alice", .password = "secret"};
static const struct auth_observer_config observer = {&secret, 1};

/* All that an event points to is there. */
static void look(const struct rpc_event *e)
{
	volatile uint8_t last = 0;

	if (e->stub_len > 0 && e->stub)
		last = e->stub[e->stub_len - 1];
	for (unsigned i = 0; e->bind && i < e->bind->context_count; i++)
		for (unsigned t = 0; t < e->bind->contexts[i].transfer_count; t++)
			last = (uint8_t)e->bind->contexts[i].transfers[t].major;
	must(e->type != RPC_EV_DAMAGED || e->why);
	must(e->first <= e->end);
	(void)last;
}

static void on_event(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	const struct rpc_config *config = user;

	look(e);
	if (config->role != RPC_SERVER || e->type != RPC_EV_REQUEST || e->opnum == 2)
		return;
	if (e->opnum == 0)
		must(rpc_server_respond(c, e->call_id, e->stub, e->stub_len) == 0);
	else
		must(rpc_server_fault(c, e->call_id, NCA_S_OP_RNG_ERROR) == 0);
}

/* What is to be sent is whole PDUs, each of which parses. */
static void drain(struct rpc_connection *c)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf *out = rpc_output(c);

	while (arena && out->len > 0) {
		struct rpc_pdu pdu;
		must(rpc_pdu_parse(arena, out->data, out->len, &pdu, NULL, NULL) == 0);
		buf_consume(out, pdu.header.frag_length);
	}
}

static void feed(struct rpc_connection *c, enum rpc_side from, struct cursor in, size_t portion)
{
	const uint8_t *bytes;

	while (cursor_left(&in) > 0) {
		size_t n = portion < cursor_left(&in) ? portion : cursor_left(&in);
		if (cursor_bytes(&in, n, &bytes) < 0)
			return;
		/* A copy of its own, so that a read beyond it is seen. */
		uint8_t *copy = malloc(n);
		must(copy != NULL);
		memcpy(copy, bytes, n);
		rpc_feed(c, from, copy, n, 0);
		free(copy);
		drain(c);
	}
	rpc_eof(c, from, 0);
}

static void be_server(struct cursor in, uint8_t portion)
{
	struct rpc_associations *associations = rpc_associations_new(1, &source);
	struct rpc_server_setup setup = {.find_interface = find_interface,
	                                 .associations = associations,
	                                 .auth = &server_auth,
	                                 .secondary_address = "135"};
	struct rpc_config config = {
	        .role = RPC_SERVER,
	        .on_event = on_event,
	        .user = &config,
	        .limits = {.max_call = 20000, .max_calls = 4, .max_contexts = 4},
	        .random = &source,
	        .server = &setup,
	};
	struct rpc_connection *c = rpc_connection_new(&config);

	must(associations && c);
	feed(c, RPC_FROM_CLIENT, in, portion ? portion : SIZE_MAX);
	rpc_connection_free(&c);
	rpc_associations_free(&associations);
}

static void be_client(struct cursor in, uint8_t how)
{
	struct rpc_config config = {.role = RPC_CLIENT,
	                            .on_event = on_event,
	                            .user = &config,
	                            .limits = {.max_call = 20000},
	                            .random = &source};
	struct rpc_client_bind bind = {.interfaces = &echo,
	                               .interface_count = 1,
	                               .auth_type = how & 0x80 ? AUTH_NTLM : AUTH_NONE,
	                               .level = AUTH_LEVEL_PRIVACY,
	                               .auth = &client_auth};
	struct rpc_connection *c = rpc_connection_new(&config);
	size_t portion = how & 0x7f ? how & 0x7f : SIZE_MAX;
	const uint8_t *bytes;
	uint32_t id;

	must(c && rpc_client_bind(c, &bind, 0) == 0);
	/* The answer to the bind comes first, then that to two calls. */
	if (cursor_left(&in) > 16) {
		size_t n = (size_t)(in.data[in.pos + 8] | in.data[in.pos + 9] << 8);
		if (cursor_bytes(&in, n, &bytes) == 0)
			rpc_feed(c, RPC_FROM_SERVER, bytes, n, 0);
	}
	for (unsigned i = 0; i < 2; i++)
		(void)!rpc_client_call(c, 0, 0, NULL, "0123456789", 10, &id);
	drain(c);
	feed(c, RPC_FROM_SERVER, in, portion);
	rpc_connection_free(&c);
}

static void observe(struct cursor in)
{
	struct rpc_config config = {.role = RPC_OBSERVER,
	                            .on_event = on_event,
	                            .user = &config,
	                            .limits = {.max_call = 20000, .max_calls = 4, .max_contexts = 4},
	                            .observer = &observer};
	struct rpc_connection *c = rpc_connection_new(&config);
	const uint8_t *bytes;
	uint8_t verb;
	uint16_t n;

	must(c != NULL);
	while (cursor_u8(&in, &verb) == 0 && cursor_u16(&in, &n) == 0) {
		enum rpc_side side = verb & 1 ? RPC_FROM_SERVER : RPC_FROM_CLIENT;
		if (verb & 2) {
			rpc_gap(c, side, n);
			continue;
		}
		n = n < cursor_left(&in) ? n : (uint16_t)cursor_left(&in);
		if (cursor_bytes(&in, n, &bytes) < 0)
			break;
		rpc_feed(c, side, bytes, n, 0);
	}
	must(rpc_output(c)->len == 0);
	rpc_connection_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size);
	uint8_t role, how;

	if (cursor_u8(&in, &role) < 0)
		return 0;
	if (role == 'o')
		observe(in);
	else if (role == 's' && cursor_u8(&in, &how) == 0)
		be_server(in, how);
	else if (role == 'c' && cursor_u8(&in, &how) == 0)
		be_client(in, how);
	return 0;
}
