#include "base/time.h"
#include "capture/capture.h"
#include "load.h"
#include "mapi/ext_buffer.h"
#include "mapi/rop_buffer.h"
#include "session.h"
#include "wire/emsmdb.h"
#include "wire/rops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * usage: opened FILE MEGABYTES
 *
 * Writes a capture of store calls that NTLM seals: RopReadStream again and again, whose answers hold 30,000 bytes.
 * Prints how many bytes of stubs are sealed in it. The user is DEMO\alice, the password "secret".
 */
#define ANSWER 30000u
#define SEGMENT 1460u
#define READ_STREAM 0x2C
#define EXT2 11

struct talk {
	struct capture_writer *w;
	struct rpc_connection *client, *server;
	unsigned conn;
	int64_t now;
	struct buf question, answer; /* stubs */
	bool answered;
};

static void must(bool good)
{
	if (!good)
		fail("the capture cannot be made");
}

/* MD4 of "secret" in UTF-16LE, [MS-NLMP] 3.3.1. */
static int find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	static const uint8_t hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
	                                 0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};
	(void)user, (void)domain, (void)name;
	out->id = 1;
	memcpy(out->nt_hash, hash, sizeof hash);
	return 0;
}

static const struct idl_interface *find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user, (void)abstract;
	return &wire_emsmdb_interface;
}

/* ---- Stubs ---- */

static void encode(struct arena *arena, enum idl_direction d, const void *args, struct buf *out)
{
	struct ndr n = ndr_encoder(NDR_20, arena, out);
	must(ndr_encode_args(&n, &wire_emsmdb_interface.methods[EXT2], d, args) == 0);
}

static void make_stubs(struct talk *t)
{
	static uint8_t data[ANSWER];
	struct arena *arena = arena_new(0);
	struct mapi_session *session = mapi_session_new(0);
	const uint32_t handle = 7;
	const struct RopReadStreamRequest ask = {.ByteCount = ANSWER};
	const struct RopReadStreamResponse told = {.DataSize = ANSWER, .Data = data};
	struct buf rops[2] = {0}, packed[2] = {0};
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (unsigned answer = 0; answer < 2; answer++) {
		struct mapi_rop_writer w;
		must(mapi_rop_writer_begin(&w, session, arena, &rops[answer]) == 0);
		must((answer ? mapi_rop_write_response(&w, READ_STREAM, NULL, &told, &handle, 1)
		             : mapi_rop_write_request(&w, READ_STREAM, &ask)) == 0);
		must(mapi_rop_writer_end(&w, &handle, 1) == 0);
		must(mapi_ext_append(&packed[answer], rops[answer].data, rops[answer].len, MAPI_EXT_LAST) == 0);
	}
	const struct idl_context_handle cxh = {0, {0x12345678, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}}};
	const struct EcDoRpcExt2_args question = {.pcxh = cxh,
	                                          .rgbIn = packed[0].data,
	                                          .cbIn = (uint32_t)packed[0].len,
	                                          .pcbOut = 65536,
	                                          .pcbAuxOut = 4096};
	const struct EcDoRpcExt2_args answer = {
	        .pcxh = cxh, .rgbOut = packed[1].data, .pcbOut = (uint32_t)packed[1].len};
	encode(arena, IDL_REQUEST, &question, &t->question);
	encode(arena, IDL_RESPONSE, &answer, &t->answer);
	for (unsigned i = 0; i < 2; i++) {
		buf_free(&rops[i]);
		buf_free(&packed[i]);
	}
	mapi_session_free(&session);
	arena_free(&arena);
}

/* ---- The connection ---- */

static void on_server(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	const struct talk *t = (const struct talk *)user;
	if (e->type == RPC_EV_REQUEST)
		must(rpc_server_respond(c, e->call_id, t->answer.data, t->answer.len) == 0);
	must(e->type != RPC_EV_DAMAGED);
}

static void on_client(void *user, struct rpc_connection *c, const struct rpc_event *e)
{
	(void)c;
	((struct talk *)user)->answered |= e->type == RPC_EV_RESPONSE;
	must(e->type != RPC_EV_DAMAGED && e->type != RPC_EV_FAULT);
}

static bool move(struct talk *t, bool from_client)
{
	struct buf *out = rpc_output(from_client ? t->client : t->server);
	struct rpc_connection *to = from_client ? t->server : t->client;
	size_t len = out->len;
	for (size_t at = 0; at < len; at += SEGMENT)
		capture_data(t->w, t->conn, from_client, out->data + at, len - at < SEGMENT ? len - at : SEGMENT,
		             t->now += 10000);
	if (len)
		rpc_feed(to, from_client ? RPC_FROM_CLIENT : RPC_FROM_SERVER, out->data, len, t->now);
	buf_consume(out, len);
	return len != 0;
}

static void run(struct talk *t)
{
	while (move(t, true) || move(t, false))
		;
}

static void open_talk(struct talk *t, const struct rpc_server_setup *setup)
{
	static const struct rpc_syntax emsmdb = {
	        {0xa4f1db00, 0xca47, 0x1067, {0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda}}, 0, 81};
	static const struct auth_client_config alice = {
	        .domain = "DEMO", .user = "alice", .password = "secret", .workstation = "BENCH"};
	const struct capture_endpoint client = {4, {10, 0, 0, 1}, 50000}, server = {4, {10, 0, 0, 2}, 6001};
	const struct rpc_config configs[] = {
	        {.role = RPC_CLIENT, .on_event = on_client, .user = t, .random = &random_system},
	        {.role = RPC_SERVER, .on_event = on_server, .user = t, .random = &random_system, .server = setup}};
	const struct rpc_client_bind bind = {.interfaces = &emsmdb,
	                                     .interface_count = 1,
	                                     .auth_type = AUTH_NTLM,
	                                     .level = AUTH_LEVEL_PRIVACY,
	                                     .auth = &alice};
	t->client = rpc_connection_new(&configs[0]);
	t->server = rpc_connection_new(&configs[1]);
	must(t->client && t->server);
	t->conn = capture_connected(t->w, &client, &server, t->now, t->now + 100000);
	must(rpc_client_bind(t->client, &bind, t->now) == 0);
	run(t);
}

int main(int argc, char **argv)
{
	struct talk t = {.now = 1700000000 * NS_PER_S};
	const struct auth_server_config auth = {.netbios_domain = "DEMO",
	                                        .netbios_computer = "MAIL",
	                                        .dns_domain = "demo.test",
	                                        .dns_computer = "mail.demo.test",
	                                        .find_account = find_account};
	const struct rpc_server_setup setup = {.find_interface = find_interface,
	                                       .associations = rpc_associations_new(0, &random_system),
	                                       .auth = &auth,
	                                       .secondary_address = "6001"};
	unsigned long megabytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t sealed = 0;
	if (megabytes == 0 || megabytes > 10000) {
		fputs("usage: opened FILE MEGABYTES\n", stderr);
		return 2;
	}
	must(capture_create(argv[1], &t.w) == 0);
	make_stubs(&t);
	open_talk(&t, &setup);
	for (; sealed < megabytes * 1000000; sealed += t.question.len + t.answer.len) {
		uint32_t id;
		t.answered = false;
		must(rpc_client_call(t.client, 0, EXT2, NULL, t.question.data, t.question.len, &id) == 0);
		run(&t);
		must(t.answered);
	}
	rpc_connection_free(&t.client);
	rpc_connection_free(&t.server);
	must(capture_finish(&t.w) == 0);
	printf("{\"sealed\": %llu}\n", (unsigned long long)sealed);
	return 0;
}
