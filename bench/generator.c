#include "load.h"
#include "session.h"

#include "base/time.h"
#include "wire/emsmdb.h"
#include "wire/epm.h"
#include "wire/mgmt.h"
#include "wire/nspi.h"
#include "wire/tower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * usage: generator map PORT CONNECTIONS SECONDS
 *        generator echo PORT CONNECTIONS SECONDS REQUEST_BYTES ANSWER_BYTES
 *        generator store PORT LEVEL SECONDS DOMAIN\\USER PASSWORD DN
 *
 * Calls as fast as answers come, one at a time on each connection. Prints calls,
 * seconds, its own CPU seconds, and the sizes of the messages.
 */

#define ARENA_LIMIT ((size_t)16 << 20)
#define MAX_CONNECTIONS 16384

static struct arena *new_arena(void)
{
	struct arena *arena = arena_new(ARENA_LIMIT);
	if (!arena)
		fail("out of memory");
	return arena;
}

/* ---- ept_map: where is an interface? ---- */

/* [MS-DRSR]: what Samba's mapper knows, which knows no store. */
static const struct rpc_syntax drsuapi = {
        {0xe3514235, 0x4b06, 0x11d1, {0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2}}, 4, 0};

static void ask_mapper(struct session *s, uint16_t port, const struct rpc_syntax *interface)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = new_arena();
	struct buf octets MW_CLEANUP(buf_free) = {0};
	const struct epm_tower tower = {
	        .interface = interface->uuid,
	        .major = interface->major,
	        .minor = interface->minor,
	        .transfer = rpc_ndr20.uuid,
	        .transfer_major = rpc_ndr20.major,
	        .protocol = EPM_NCACN_IP_TCP,
	};
	if (epm_tower_build(&tower, &octets) < 0)
		fail("cannot build a tower");
	struct twr_t question = {.tower_length = (uint32_t)octets.len, .tower_octet_string = octets.data};
	struct ept_map_args a = {.map_tower = &question, .max_towers = 4};
	session_open(s, port, &wire_epm_interface, AUTH_LEVEL_NONE, NULL);
	session_call(s, 3, arena, &a);
	if (a.status != 0 || a.num_towers != 1)
		fail("the mapper does not know the interface: 0x%08X", a.status);
}

static void run_map(uint16_t port, unsigned connections, double seconds, const struct rpc_syntax *interface)
{
	struct session *s = (struct session *)calloc(connections, sizeof *s);
	int fds[MAX_CONNECTIONS];
	for (unsigned i = 0; s && i < connections; i++) {
		ask_mapper(&s[i], port, interface);
		fds[i] = s[i].fd;
	}
	if (!s)
		fail("out of memory");
	const struct load l = {
	        .fds = fds,
	        .count = connections,
	        .request = s[0].asked.data,
	        .request_size = s[0].asked.len,
	        .answer = s[0].received.data,
	        .answer_size = s[0].received.len,
	        .checked = s[0].received.len,
	        .seconds = seconds,
	};
	struct load_result r = load_run(&l);
	load_print(&r, l.request_size, l.answer_size);
	for (unsigned i = 0; i < connections; i++)
		session_close(&s[i]);
	free(s);
}

/* ---- The echo server ---- */

static void run_echo(uint16_t port, unsigned connections, double seconds, size_t request, size_t answer)
{
	static uint8_t bytes[65536];
	int fds[MAX_CONNECTIONS];
	if (request < 16 || request > sizeof bytes || answer < 16 || answer > sizeof bytes)
		fail("sizes from 16 to 65536 bytes");
	for (unsigned i = 0; i < connections; i++)
		fds[i] = connect_to(port);
	const struct load l = {
	        .fds = fds,
	        .count = connections,
	        .request = bytes,
	        .request_size = request,
	        .answer = bytes,
	        .answer_size = answer,
	        .checked = request < answer ? request : answer,
	        .seconds = seconds,
	};
	struct load_result r = load_run(&l);
	load_print(&r, request, answer);
}

/* ---- EcDoRpcExt2 with an empty list of ROPs ---- */

static struct idl_context_handle log_on(struct session *s, const char *dn)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = new_arena();
	struct EcDoConnectEx_args a = {
	        .szUserDN = (char *)dn,
	        .ulCpid = 1252,
	        .ulLcidString = 0x409,
	        .ulLcidSort = 0x409,
	        .ulIcxrLink = 0xFFFFFFFF,
	        .rgwClientVersion = {14, 0x8000 | 4760, 1000},
	        .pcbAuxOut = 0x1008,
	};
	session_call(s, 10, arena, &a);
	if (a.ReturnValue != 0)
		fail("EcDoConnectEx: 0x%08X", (unsigned)a.ReturnValue);
	return a.pcxh;
}

static void encode_noop(const struct idl_context_handle *cxh, struct buf *stub)
{
	/* RPC_HEADER_EXT: version 0, last, 2 bytes; then RopSize 2 and no handles. [MS-OXCRPC] 2.2.2.1 */
	static uint8_t empty[] = {0, 0, 4, 0, 2, 0, 2, 0, 2, 0};
	struct arena *arena MW_CLEANUP(arena_cleanup) = new_arena();
	struct EcDoRpcExt2_args a = {
	        .pcxh = *cxh,
	        .pulFlags = 3, /* answers neither compressed nor obfuscated */
	        .rgbIn = empty,
	        .cbIn = sizeof empty,
	        .pcbOut = 0x8008,
	        .pcbAuxOut = 0x1008,
	};
	struct ndr n = ndr_encoder(NDR_20, arena, stub);
	int r = ndr_encode_args(&n, &wire_emsmdb_interface.methods[11], IDL_REQUEST, &a);
	if (r < 0)
		fail("cannot encode EcDoRpcExt2: %s", mw_strerror(r));
}

static void check_noop(struct session *s)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = new_arena();
	struct EcDoRpcExt2_args a = {0};
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(s->stub.data, s->stub.len));
	int r = ndr_decode_args(&n, &wire_emsmdb_interface.methods[11], IDL_RESPONSE, &a);
	if (r < 0 || a.ReturnValue != 0 || a.pcbOut != 10)
		fail("EcDoRpcExt2: %s, status 0x%08X, %u bytes", mw_strerror(r), (unsigned)a.ReturnValue, a.pcbOut);
}

/* Of each answer the length and the ReturnValue, which comes last, are checked. */
static void run_store(uint16_t port, enum auth_level level, double seconds, const struct auth_client_config *auth,
                      const char *dn)
{
	struct session s;
	struct buf stub MW_CLEANUP(buf_free) = {0};
	static const uint8_t success[4];
	session_open(&s, port, &wire_emsmdb_interface, level, auth);
	struct idl_context_handle cxh = log_on(&s, dn);
	encode_noop(&cxh, &stub);
	session_ask(&s, 11, stub.data, stub.len);
	check_noop(&s);
	size_t size = s.stub.len;
	struct load_result r = {0};
	double start = load_now(), cpu = load_cpu();
	while ((r.seconds = load_now() - start) < seconds) {
		session_ask(&s, 11, stub.data, stub.len);
		if (s.stub.len != size || memcmp(s.stub.data + size - 4, success, 4) != 0)
			fail("an EcDoRpcExt2 failed");
		r.calls++;
	}
	r.cpu = load_cpu() - cpu;
	load_print(&r, s.asked.len, s.received.len);
	session_close(&s);
}

/* ---- Connections ---- */

/* Binds them and holds them until standard input ends. */
static void run_idle(uint16_t port, unsigned connections, const struct idl_interface *interface,
                     const struct auth_client_config *auth)
{
	struct session *s = (struct session *)calloc(connections, sizeof *s);
	for (unsigned i = 0; s && i < connections; i++)
		session_open(&s[i], port, interface, auth ? AUTH_LEVEL_PRIVACY : AUTH_LEVEL_NONE, auth);
	puts("ready");
	fflush(stdout);
	while (s && getchar() != EOF)
		continue;
	free(s);
}

/* One after the other: connects, binds with NTLM at privacy, calls once, resets the connection. */
static void run_logon(uint16_t port, double seconds, const struct auth_client_config *auth)
{
	struct load_result r = {0};
	const struct linger reset = {.l_onoff = 1};
	double start = load_now(), cpu = load_cpu();
	while ((r.seconds = load_now() - start) < seconds) {
		struct session s;
		session_open(&s, port, &wire_mgmt_interface, AUTH_LEVEL_PRIVACY, auth);
		session_ask(&s, 0, NULL, 0);
		setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		session_close(&s);
		r.calls++;
	}
	r.cpu = load_cpu() - cpu;
	load_print(&r, 0, 0);
}

static void parse_account(char *name, char *password, struct auth_client_config *out)
{
	char *slash = strchr(name, '\\');
	*out = (struct auth_client_config){
	        .domain = slash ? strndup(name, (size_t)(slash - name)) : "",
	        .user = slash ? slash + 1 : name,
	        .password = password,
	        .workstation = "BENCH",
	};
}

static const struct rpc_syntax *syntax_of(const char *name)
{
	static struct rpc_syntax store;
	store = (struct rpc_syntax){wire_emsmdb_interface.uuid, wire_emsmdb_interface.major,
	                            wire_emsmdb_interface.minor};
	return strcmp(name, "drsuapi") == 0 ? &drsuapi : &store;
}

int main(int argc, char **argv)
{
	const char *what = argc > 4 ? argv[1] : "";
	uint16_t port = argc > 4 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;
	unsigned connections = argc > 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	double seconds = argc > 4 ? strtod(argv[4], NULL) : 0;
	struct auth_client_config auth;
	enum auth_level level;
	bool some = connections > 0 && connections <= MAX_CONNECTIONS;
	if (strcmp(what, "map") == 0 && argc <= 6 && some) {
		run_map(port, connections, seconds, syntax_of(argc == 6 ? argv[5] : "store"));
	} else if (strcmp(what, "echo") == 0 && argc == 7 && some) {
		run_echo(port, connections, seconds, strtoul(argv[5], NULL, 10), strtoul(argv[6], NULL, 10));
	} else if (strcmp(what, "idle") == 0 && argc == 5 && some && strcmp(argv[4], "mapper") == 0) {
		run_idle(port, connections, &wire_epm_interface, NULL);
	} else if (strcmp(what, "idle") == 0 && argc == 7 && some && strcmp(argv[4], "nspi") == 0) {
		parse_account(argv[5], argv[6], &auth);
		run_idle(port, connections, &wire_nspi_interface, &auth);
	} else if (strcmp(what, "logon") == 0 && argc == 7) {
		parse_account(argv[5], argv[6], &auth);
		run_logon(port, seconds, &auth);
	} else if (strcmp(what, "store") == 0 && argc == 8 && auth_level_parse(argv[3], &level) == 0) {
		parse_account(argv[5], argv[6], &auth);
		run_store(port, level, seconds, &auth, argv[7]);
	} else {
		fputs("usage: generator map PORT CONNECTIONS SECONDS [store|drsuapi]\n"
		      "       generator echo PORT CONNECTIONS SECONDS REQUEST_BYTES ANSWER_BYTES\n"
		      "       generator idle PORT CONNECTIONS mapper|nspi [DOMAIN\\\\USER PASSWORD]\n"
		      "       generator logon PORT 1 SECONDS DOMAIN\\\\USER PASSWORD\n"
		      "       generator store PORT LEVEL SECONDS DOMAIN\\\\USER PASSWORD DN\n",
		      stderr);
		return 2;
	}
	return 0;
}
