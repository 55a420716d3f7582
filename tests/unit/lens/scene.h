#ifndef MW_TEST_LENS_SCENE_H
#define MW_TEST_LENS_SCENE_H

#include "base/time.h"
#include "capture/capture.h"
#include "lens/lens.h"
#include "mapi/ext_buffer.h"
#include "mapi/rop_buffer.h"
#include "ndr/ndr.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/nspi.h"
#include "wire/rops.h"
#include "wire/tower.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A small conversation between our own client and server machines, written as a capture: the mapper is
 * asked for the store on one connection, a ROP is sent to it on a second one, sealed by NTLM or not.
 */
#define SCENE_STORE_PORT 6001

struct scene {
	struct capture_writer *w;
	struct arena *arena;
	int64_t now;
	size_t portion; /* bytes a segment; 0: as they come */
	enum auth_level level;
	/* Puts what one side says into messages of another protocol. */
	void (*open)(struct scene *s);
	void (*wrap)(bool from_client, const struct buf *data, struct buf *out);
	bool news; /* the store answers with Pending alone */
	struct rpc_connection *client, *server;
	struct rpc_associations *associations;
	unsigned conn;
};

static const struct capture_endpoint scene_client = {4, {10, 1, 1, 1}, 50000}, scene_mapper = {4, {10, 1, 1, 2}, 135},
                                     scene_client2 = {4, {10, 1, 1, 1}, 50001},
                                     scene_store = {4, {10, 1, 1, 2}, SCENE_STORE_PORT};
/* alice, secret */
static const uint8_t scene_hash[16] = {0x87, 0x8d, 0x80, 0x14, 0x60, 0x6c, 0xda, 0x29,
                                       0x67, 0x7a, 0x44, 0xef, 0xa1, 0x35, 0x3f, 0xc7};
static const struct rpc_syntax scene_epm = {
        {0xe1af8308, 0x5d1f, 0x11c9, {0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa}}, 3, 0};
static const struct rpc_syntax scene_emsmdb = {
        {0xa4f1db00, 0xca47, 0x1067, {0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda}}, 0, 81};
static const struct rpc_syntax scene_nspi = {
        {0xf5cc5a18, 0x4264, 0x101a, {0x8c, 0x59, 0x08, 0x00, 0x2b, 0x2f, 0x84, 0x26}}, 56, 0};
static const struct idl_context_handle scene_cxh = {0, {0x12345678, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}}};

static int scene_find_account(void *user, const char *domain, const char *name, struct auth_account *out)
{
	(void)user, (void)domain, (void)name;
	out->id = 1;
	memcpy(out->nt_hash, scene_hash, sizeof scene_hash);
	return 0;
}

static const struct auth_server_config scene_server_auth = {.netbios_domain = "DEMO",
                                                            .netbios_computer = "MAIL",
                                                            .dns_domain = "demo.test",
                                                            .dns_computer = "mail.demo.test",
                                                            .find_account = scene_find_account};
static const struct auth_client_config scene_client_auth = {
        .domain = "DEMO", .user = "alice", .nt_hash = scene_hash, .workstation = "WS"};

static const struct idl_interface *scene_find_interface(void *user, const struct rpc_syntax *abstract)
{
	(void)user;
	if (guid_equal(&abstract->uuid, &scene_nspi.uuid))
		return &wire_nspi_interface;
	return guid_equal(&abstract->uuid, &scene_epm.uuid) ? &wire_epm_interface : &wire_emsmdb_interface;
}

static struct twr_t *scene_tower(struct scene *s, uint16_t port)
{
	struct epm_tower t = {.interface = scene_emsmdb.uuid,
	                      .minor = 81,
	                      .transfer = rpc_ndr20.uuid,
	                      .transfer_major = 2,
	                      .protocol = EPM_NCACN_IP_TCP,
	                      .port = port,
	                      .ip = {10, 1, 1, 2}};
	struct buf b = {0};
	struct twr_t *w = arena_new_of(s->arena, struct twr_t);
	assert_int_equal(epm_tower_build(&t, &b), 0);
	*w = (struct twr_t){(uint32_t)b.len, arena_copy(s->arena, b.data, b.len)};
	buf_free(&b);
	return w;
}

static void scene_encode(struct scene *s, const struct idl_method *m, enum idl_direction d, const void *args,
                         struct buf *out)
{
	struct ndr n = ndr_encoder(NDR_20, s->arena, out);
	assert_int_equal(ndr_encode_args(&n, m, d, args), 0);
}

/* OpenFolder, as a request or its answer, obfuscated and compressed where that helps. */
static void scene_rops(struct scene *s, bool answer, struct buf *out)
{
	struct mapi_session *session = mapi_session_new(0);
	struct buf payload = {0};
	struct mapi_rop_writer w;
	const uint32_t handles[] = {7, answer ? 8 : 0xFFFFFFFF};
	const struct RopOpenFolderRequest ask = {.OutputHandleIndex = 1, .FolderId = 0x0102030405060708};
	const struct RopOpenFolderResponse told = {.OutputHandleIndex = 1};
	assert_int_equal(mapi_rop_writer_begin(&w, session, s->arena, &payload), 0);
	if (answer)
		assert_int_equal(mapi_rop_write_response(&w, 2, NULL, &told, handles, 2), 0);
	else
		for (int i = 0; i < 9; i++)
			assert_int_equal(mapi_rop_write_request(&w, 2, &ask), 0);
	assert_int_equal(mapi_rop_writer_end(&w, handles, 2), 0);
	assert_int_equal(mapi_ext_append(out, payload.data, payload.len,
	                                 MAPI_EXT_XOR_MAGIC | MAPI_EXT_COMPRESSED | MAPI_EXT_LAST),
	                 0);
	buf_free(&payload);
	mapi_session_free(&session);
}

/* A payload as it is. */
static void scene_payload(struct buf *out, const char *bytes, size_t len)
{
	assert_int_equal(mapi_ext_append(out, bytes, len, MAPI_EXT_LAST), 0);
}

static void scene_answer(struct scene *s, const struct rpc_event *ev)
{
	struct buf stub = {0}, rops = {0};
	if (guid_equal(&ev->interface->uuid, &scene_epm.uuid)) {
		struct twr_t *towers[] = {scene_tower(s, SCENE_STORE_PORT)};
		struct ept_map_args a = {.max_towers = 4, .num_towers = 1, .towers = towers};
		scene_encode(s, &wire_epm_interface.methods[3], IDL_RESPONSE, &a, &stub);
	} else if (guid_equal(&ev->interface->uuid, &scene_nspi.uuid)) {
		/* NspiUnbind: a handle that is no longer one, and 1. */
		static const uint8_t unbound[24] = {[20] = 1};
		buf_put(&stub, unbound, sizeof unbound);
	} else {
		if (s->news)
			scene_payload(&rops, "\5\0\x6e\0\0", 5);
		else
			scene_rops(s, true, &rops);
		struct EcDoRpcExt2_args a = {.pcxh = scene_cxh, .rgbOut = rops.data, .pcbOut = (uint32_t)rops.len};
		scene_encode(s, &wire_emsmdb_interface.methods[11], IDL_RESPONSE, &a, &stub);
	}
	assert_int_equal(rpc_server_respond(s->server, ev->call_id, stub.data, stub.len), 0);
	buf_free(&stub);
	buf_free(&rops);
}

static void scene_on_client(void *user, struct rpc_connection *c, const struct rpc_event *ev)
{
	(void)user, (void)c;
	assert_true(ev->type != RPC_EV_DAMAGED && ev->type != RPC_EV_CLOSED);
}

static void scene_on_server(void *user, struct rpc_connection *c, const struct rpc_event *ev)
{
	(void)c;
	assert_true(ev->type != RPC_EV_DAMAGED && ev->type != RPC_EV_CLOSED);
	if (ev->type == RPC_EV_REQUEST)
		scene_answer(user, ev);
}

/* What one side has to say goes to the other and into the capture. */
static bool scene_move(struct scene *s, bool from_client)
{
	struct rpc_connection *from = from_client ? s->client : s->server, *to = from_client ? s->server : s->client;
	struct buf *out = rpc_output(from), copy = {0}, wrapped = {0};
	if (!out->len)
		return false;
	s->now += NS_PER_MS;
	buf_put(&copy, out->data, out->len);
	buf_consume(out, out->len);
	if (s->wrap)
		s->wrap(from_client, &copy, &wrapped);
	const struct buf *said = s->wrap ? &wrapped : &copy;
	size_t step = s->portion ? s->portion : said->len;
	for (size_t at = 0; at < said->len; at += step)
		capture_data(s->w, s->conn, from_client, said->data + at, step < said->len - at ? step : said->len - at,
		             s->now);
	rpc_feed(to, from_client ? RPC_FROM_CLIENT : RPC_FROM_SERVER, copy.data, copy.len, s->now);
	buf_free(&copy);
	buf_free(&wrapped);
	return true;
}

static void scene_run(struct scene *s)
{
	while (scene_move(s, true) || scene_move(s, false))
		;
}

static void scene_connect(struct scene *s, const struct rpc_syntax *iface, enum auth_level level,
                          const struct capture_endpoint *from, const struct capture_endpoint *to)
{
	struct rpc_server_setup setup = {
	        .find_interface = scene_find_interface, .associations = s->associations, .auth = &scene_server_auth};
	setup.secondary_address = "6001";
	struct rpc_server_setup *kept = arena_copy(s->arena, &setup, sizeof setup);
	struct rpc_config client = {
	        .role = RPC_CLIENT, .on_event = scene_on_client, .user = s, .random = &random_system};
	struct rpc_config server = {
	        .role = RPC_SERVER, .on_event = scene_on_server, .user = s, .random = &random_system, .server = kept};
	client.clock_offset_ns = server.clock_offset_ns = 0;
	s->client = rpc_connection_new(&client);
	s->server = rpc_connection_new(&server);
	s->now += NS_PER_MS;
	s->conn = capture_connected(s->w, from, to, s->now, s->now + 100000);
	if (s->open)
		s->open(s);
	struct rpc_client_bind bind = {.interfaces = iface, .interface_count = 1, .level = level};
	bind.auth_type = level == AUTH_LEVEL_NONE ? AUTH_NONE : AUTH_NTLM;
	bind.auth = &scene_client_auth;
	assert_int_equal(rpc_client_bind(s->client, &bind, s->now), 0);
	scene_run(s);
}

static void scene_call(struct scene *s, uint16_t opnum, const struct buf *stub)
{
	uint32_t id;
	assert_int_equal(rpc_client_call(s->client, 0, opnum, NULL, stub->data, stub->len, &id), 0);
	scene_run(s);
}

static void scene_close(struct scene *s)
{
	s->now += NS_PER_MS;
	capture_closed(s->w, s->conn, true, s->now);
	rpc_connection_free(&s->client);
	rpc_connection_free(&s->server);
}

static inline void scene_ask_mapper(struct scene *s)
{
	struct buf stub = {0};
	struct ept_map_args a = {.map_tower = scene_tower(s, 0), .max_towers = 4};
	scene_connect(s, &scene_epm, AUTH_LEVEL_NONE, &scene_client, &scene_mapper);
	scene_encode(s, &wire_epm_interface.methods[3], IDL_REQUEST, &a, &stub);
	scene_call(s, 3, &stub);
	buf_free(&stub);
	scene_close(s);
}

static inline void scene_ask_store(struct scene *s)
{
	struct buf stub = {0}, rops = {0};
	scene_connect(s, &scene_emsmdb, s->level, &scene_client2, &scene_store);
	scene_rops(s, false, &rops);
	struct EcDoRpcExt2_args a = {
	        .pcxh = scene_cxh, .rgbIn = rops.data, .cbIn = (uint32_t)rops.len, .pcbOut = 4096, .pcbAuxOut = 4096};
	scene_encode(s, &wire_emsmdb_interface.methods[11], IDL_REQUEST, &a, &stub);
	scene_call(s, 11, &stub);
	buf_free(&stub);
	buf_free(&rops);
	scene_close(s);
}

/* Into a new file; path is the caller's to unlink. */
static struct scene scene_begin(enum auth_level level, size_t portion, char path[64])
{
	struct scene s = {.now = 1700000000 * NS_PER_S, .portion = portion, .level = level, .arena = arena_new(0)};
	strcpy(path, "/tmp/mapiwire-test-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(capture_create(path, &s.w), 0);
	s.associations = rpc_associations_new(0, &random_system);
	return s;
}

static void scene_end(struct scene *s)
{
	rpc_associations_free(&s->associations);
	assert_int_equal(capture_finish(&s->w), 0);
	arena_free(&s->arena);
}

static inline void scene_play(enum auth_level level, size_t portion, char path[64])
{
	struct scene s = scene_begin(level, portion, path);
	scene_ask_mapper(&s);
	scene_ask_store(&s);
	scene_end(&s);
}

#endif
