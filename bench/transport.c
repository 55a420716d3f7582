#include "load.h"
#include "tunnel.h"

#include "base/time.h"
#include "wire/asyncemsmdb.h"
#include "wire/emsmdb.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * usage: bench-transport noop|read tcp|rpch|mapi PORT CONNECTIONS SECONDS DOMAIN\\USER PASSWORD DN [PID]
 *        bench-transport park rpch|mapi PORT USERS COUNT ROUNDS
 *
 * The same calls of the store over each transport, one at a time on each connection, each with a session of its own: no
 * ROPs, or 30,000 bytes of an attachment (RopSeekStream, RopReadStream). RPC goes at level connect, in TLS when over
 * HTTP. Prints as bench-generator, and the CPU seconds of the server with that PID.
 *
 * park: COUNT sessions of the users in the file USERS ("DOMAIN\\user password DN" a line), each with a parked wait for
 * news of the inbox; tells so, waits for a line on standard input, saves a message in one mailbox after the other, and
 * prints how long after the save's request each wait of it came back, in microseconds, ROUNDS mailboxes in all.
 */
#define MAX_USERS 256
#define CHUNK 30000
#define INBOX 5

enum transport { TCP, RPCH, MAPI };

struct peer {
	enum transport transport;
	struct session s;
	struct tunnel t;
	struct web w;
	struct idl_context_handle cxh, acxh;
	uint32_t handles[4]; /* 0: the logon */
	struct buf call;     /* prebuilt: the stub of EcDoRpcExt2, or an extended buffer */
	size_t answer_len;
};

static int fd_of(const struct peer *p)
{
	return p->transport == TCP ? p->s.fd : p->transport == RPCH ? p->t.out.fd : p->w.fd;
}

static bool has_answer(const struct peer *p)
{
	return p->transport == MAPI ? p->w.answered : p->s.answered;
}

static void hear(struct peer *p)
{
	if (p->transport == MAPI)
		web_hear(&p->w);
	else
		session_hear(&p->s);
}

/* ---- Calls ---- */

static void extend(const struct buf *rops, const uint32_t *handles, unsigned count, struct buf *out)
{
	uint16_t size = (uint16_t)(2 + rops->len + count * 4);
	buf_put_u16(out, 0);
	buf_put_u16(out, 4);
	buf_put_u16(out, size);
	buf_put_u16(out, size);
	buf_put_u16(out, (uint16_t)(rops->len + 2));
	buf_put(out, rops->data, rops->len);
	buf_put(out, handles, count * sizeof *handles);
}

static void prepare(struct peer *p, const struct buf *rops, unsigned handles)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf in MW_CLEANUP(buf_free) = {0};
	buf_clear(&p->call);
	extend(rops, p->handles, handles, p->transport == MAPI ? &p->call : &in);
	if (p->transport == MAPI)
		return;
	struct EcDoRpcExt2_args a = {
	        .pcxh = p->cxh, .pulFlags = 3, .rgbIn = in.data, .cbIn = (uint32_t)in.len, .pcbOut = 0x8008};
	struct ndr n = ndr_encoder(NDR_20, arena, &p->call);
	if (ndr_encode_args(&n, &wire_emsmdb_interface.methods[11], IDL_REQUEST, &a) < 0)
		fail("cannot encode a call");
}

static void ask(struct peer *p)
{
	if (p->transport == MAPI)
		web_execute(&p->w, p->call.data, p->call.len);
	else
		session_send(&p->s, 0, 11, p->call.data, p->call.len);
}

/* Of each answer the length and the success are checked. */
static size_t check(struct peer *p)
{
	static const uint8_t success[4];
	size_t len = p->s.stub.len;
	if (p->transport == MAPI)
		web_mapi_body(&p->w, &len);
	else if (len < 4 || memcmp(p->s.stub.data + len - 4, success, 4) != 0)
		fail("a call failed");
	if (p->answer_len && len != p->answer_len)
		fail("a call was answered with %zu bytes, not %zu", len, p->answer_len);
	return len;
}

/* The handles that the answer ends with. */
static void take_handles(struct peer *p, unsigned handles)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct EcDoRpcExt2_args a = {0};
	size_t len;
	if (p->transport == MAPI) {
		const uint8_t *body = web_mapi_body(&p->w, &len);
		/* status, error, flags, size; the buffer; the size of what is auxiliary */
		memcpy(p->handles, body + len - 4 - handles * 4, handles * 4);
		return;
	}
	struct ndr n = ndr_decoder(NDR_20, arena, cursor_of(p->s.stub.data, p->s.stub.len));
	if (ndr_decode_args(&n, &wire_emsmdb_interface.methods[11], IDL_RESPONSE, &a) < 0 || a.ReturnValue != 0 ||
	    a.pcbOut < 10 + handles * 4)
		fail("a call failed: 0x%08X", (unsigned)a.ReturnValue);
	memcpy(p->handles, a.rgbOut + a.pcbOut - handles * 4, handles * 4);
}

static void run_rops(struct peer *p, const struct buf *rops, unsigned handles)
{
	prepare(p, rops, handles);
	ask(p);
	while (!has_answer(p))
		hear(p);
	check(p);
	take_handles(p, handles);
}

/* ---- Sessions ---- */

static void connect_rpc(struct peer *p, uint16_t port, const char *user, const char *password, const char *dn)
{
	static const struct idl_interface *const interfaces[] = {&wire_emsmdb_interface, &wire_asyncemsmdb_interface};
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	const char *slash = strchr(user, '\\');
	char domain[64] = "";
	snprintf(domain, sizeof domain, "%.*s", slash ? (int)(slash - user) : 0, user);
	const struct auth_client_config auth = {
	        .domain = strdup(domain), .user = slash ? slash + 1 : user, .password = password};
	if (p->transport == RPCH)
		tunnel_open(&p->t, &p->s, port, user, password);
	else
		p->s.fd = connect_to(port);
	session_begin(&p->s, interfaces, p->transport == RPCH ? 2 : 1, AUTH_NTLM, AUTH_LEVEL_CONNECT, &auth);
	struct EcDoConnectEx_args a = {
	        .szUserDN = (char *)(uintptr_t)dn,
	        .ulCpid = 1252,
	        .ulLcidSort = 0x409,
	        .ulIcxrLink = 0xFFFFFFFF,
	        .rgwClientVersion = {14, 0x8000 | 4760, 1000},
	        .pcbAuxOut = 0x1008,
	};
	session_call(&p->s, 10, arena, &a);
	if (a.ReturnValue != 0)
		fail("EcDoConnectEx: 0x%08X", (unsigned)a.ReturnValue);
	p->cxh = a.pcxh;
}

static void open_peer(struct peer *p, enum transport transport, uint16_t port, const char *user, const char *password,
                      const char *dn)
{
	struct buf rop MW_CLEANUP(buf_free) = {0};
	p->transport = transport;
	if (transport == MAPI) {
		web_open(&p->w, port, true);
		web_log_on(&p->w, user, password);
		web_connect_mapi(&p->w, dn);
	} else {
		connect_rpc(p, port, user, password, dn);
	}
	memset(p->handles, 0xFF, sizeof p->handles);
	buf_put(&rop, (const uint8_t[]){0xFE, 0, 0, 1}, 4); /* RopLogon */
	buf_put_u32(&rop, 0x0100040C);
	buf_put_u32(&rop, 0);
	buf_put_u16(&rop, (uint16_t)(strlen(dn) + 1));
	buf_put(&rop, dn, strlen(dn) + 1);
	run_rops(p, &rop, 1);
	if (p->handles[0] == UINT32_MAX)
		fail("a log-on failed");
}

static void close_peer(struct peer *p)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct EcDoDisconnect_args a = {.pcxh = p->cxh};
	if (p->transport == MAPI)
		web_disconnect_mapi(&p->w);
	else
		session_call(&p->s, 1, arena, &a);
}

static void put_id(struct buf *b, uint64_t counter)
{
	buf_put_u64(b, __builtin_bswap64(counter) | 1);
}

static void put_create(struct buf *b)
{
	buf_put(b, (const uint8_t[]){0x06, 0, 0, 1, 0xFF, 0x0F}, 6); /* RopCreateMessage */
	put_id(b, INBOX);
	buf_put_u8(b, 0);
}

/* ---- The same calls over each transport ---- */

/* A message that is not saved, its attachment's stream at handle 3, and the call that reads all of that. */
static void prepare_read(struct peer *p)
{
	struct buf rops MW_CLEANUP(buf_free) = {0};
	static uint8_t bytes[CHUNK];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 131 >> 3);
	put_create(&rops);
	buf_put(&rops, (const uint8_t[]){0x23, 0, 1, 2}, 4);                            /* RopCreateAttachment */
	buf_put(&rops, (const uint8_t[]){0x2B, 0, 2, 3, 0x02, 0x01, 0x01, 0x37, 2}, 9); /* RopOpenStream, create */
	buf_put(&rops, (const uint8_t[]){0x2D, 0, 3}, 3);                               /* RopWriteStream */
	buf_put_u16(&rops, CHUNK);
	buf_put(&rops, bytes, CHUNK);
	run_rops(p, &rops, 4);
	buf_clear(&rops);
	buf_put(&rops, (const uint8_t[]){0x2E, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12); /* RopSeekStream, to the start */
	buf_put(&rops, (const uint8_t[]){0x2C, 0, 3}, 3);                             /* RopReadStream */
	buf_put_u16(&rops, CHUNK);
	prepare(p, &rops, 4);
}

static void run_load(struct peer *peers, unsigned count, double seconds, const char *server)
{
	struct pollfd *polls = (struct pollfd *)calloc(count, sizeof *polls);
	struct load_result r = {0};
	double start = load_now(), cpu = load_cpu(), server_cpu = load_cpu_of(server);
	for (unsigned i = 0; polls && i < count; i++) {
		polls[i] = (struct pollfd){.fd = fd_of(&peers[i]), .events = POLLIN};
		ask(&peers[i]);
	}
	while ((r.seconds = load_now() - start) < seconds && poll(polls, count, 1000) > 0)
		for (unsigned i = 0; i < count; i++) {
			struct peer *p = &peers[i];
			if (!(polls[i].revents & POLLIN))
				continue;
			hear(p);
			if (!has_answer(p))
				continue;
			p->answer_len = check(p);
			r.calls++;
			ask(p);
		}
	r.cpu = load_cpu() - cpu;
	r.server_cpu = load_cpu_of(server) - server_cpu;
	for (unsigned i = 0; i < count; i++) {
		while (!has_answer(&peers[i]))
			hear(&peers[i]);
		close_peer(&peers[i]);
	}
	load_print(&r, peers[0].call.len, peers[0].answer_len);
	free(polls);
}

static void run_calls(char **argv, bool read, enum transport transport)
{
	unsigned count = (unsigned)strtoul(argv[4], NULL, 10);
	struct peer *peers = (struct peer *)calloc(count ? count : 1, sizeof *peers);
	struct buf none = {0};
	if (!peers || count == 0)
		fail("no connections");
	for (unsigned i = 0; i < count; i++) {
		open_peer(&peers[i], transport, (uint16_t)strtoul(argv[3], NULL, 10), argv[6], argv[7], argv[8]);
		if (read)
			prepare_read(&peers[i]);
		else
			prepare(&peers[i], &none, 0);
	}
	run_load(peers, count, strtod(argv[5], NULL), argv[9]);
}

/* ---- Parked waits ---- */

struct user {
	char name[128], password[128], dn[512];
};

static unsigned read_users(const char *path, struct user users[MAX_USERS])
{
	unsigned n = 0;
	FILE *f = fopen(path, "r");
	while (f && n < MAX_USERS &&
	       fscanf(f, "%127s %127s %511[^\n]", users[n].name, users[n].password, users[n].dn) == 3)
		n++;
	if (n == 0)
		fail("%s names nobody", path);
	(void)fclose(f);
	return n;
}

static void register_for_news(struct peer *p)
{
	struct buf rop MW_CLEANUP(buf_free) = {0};
	buf_put(&rop, (const uint8_t[]){0x29, 0, 0, 1, 4, 0, 0}, 7); /* RopRegisterNotification: objects created */
	put_id(&rop, INBOX);
	buf_put_u64(&rop, 0);
	run_rops(p, &rop, 2);
	if (p->transport == MAPI)
		return;
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct EcDoAsyncConnectEx_args a = {.cxh = p->cxh};
	session_call(&p->s, 14, arena, &a);
	p->acxh = a.pacxh;
}

static void park(struct peer *p)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf stub MW_CLEANUP(buf_free) = {0};
	struct EcDoAsyncWaitEx_args a = {.acxh = p->acxh};
	static const uint8_t nothing[8];
	if (p->transport == MAPI) {
		web_ask_mapi(&p->w, NULL, "NotificationWait", nothing, sizeof nothing);
		return;
	}
	struct ndr n = ndr_encoder(NDR_20, arena, &stub);
	if (ndr_encode_args(&n, &wire_asyncemsmdb_interface.methods[0], IDL_REQUEST, &a) < 0)
		fail("cannot encode a wait");
	session_send(&p->s, 1, 0, stub.data, stub.len);
}

/* RPC: pulFlagsOut, ReturnValue. MAPI over HTTP: status, error, EventPending. */
static void check_news(const struct peer *p)
{
	size_t len = p->s.stub.len;
	const uint8_t *body = p->transport == MAPI ? web_mapi_body(&p->w, &len) : p->s.stub.data;
	if (len < (p->transport == MAPI ? 12 : 8) || body[p->transport == MAPI ? 8 : 0] != 1)
		fail("a wait came back without news");
}

static void save(struct peer *writer)
{
	struct buf rops MW_CLEANUP(buf_free) = {0};
	put_create(&rops);
	buf_put(&rops, (const uint8_t[]){0x0C, 0, 0, 1, 0x0A, 0x01, 0, 1}, 8); /* RopSaveChangesMessage, RopRelease */
	run_rops(writer, &rops, 2);
}

/* Saves in the mailbox of that user, and waits until all his waits are back. */
static void wake(struct peer *writer, struct peer *parked, unsigned count, unsigned user, unsigned users)
{
	struct pollfd polls[1024];
	unsigned n = 0, left;
	struct peer *of[1024];
	for (unsigned i = user; i < count && n < 1024; i += users) {
		of[n] = &parked[i];
		polls[n++] = (struct pollfd){.fd = fd_of(&parked[i]), .events = POLLIN};
	}
	double began = load_now();
	save(writer);
	fprintf(stdout, "save %.0f\n", (load_now() - began) * 1e6);
	for (left = n; left > 0;) {
		if (poll(polls, n, 5000) <= 0)
			fail("%u waits of user %u did not come back", left, user);
		for (unsigned i = 0; i < n; i++) {
			if (!(polls[i].revents & POLLIN))
				continue;
			hear(of[i]);
			if (!has_answer(of[i]))
				continue;
			fprintf(stdout, "wake %.0f\n", (load_now() - began) * 1e6);
			check_news(of[i]);
			polls[i].fd = -1;
			left--;
		}
	}
}

static void run_park(char **argv, enum transport transport)
{
	static struct user users[MAX_USERS];
	uint16_t port = (uint16_t)strtoul(argv[3], NULL, 10);
	unsigned user_count = read_users(argv[4], users), count = (unsigned)strtoul(argv[5], NULL, 10);
	unsigned rounds = (unsigned)strtoul(argv[6], NULL, 10);
	struct peer *parked = (struct peer *)calloc(count, sizeof *parked);
	struct peer *writers = (struct peer *)calloc(user_count, sizeof *writers);
	char line[16];
	if (!parked || !writers)
		fail("out of memory");
	for (unsigned i = 0; i < user_count; i++) { /* mailboxes are open from here on */
		struct user *u = &users[i];
		open_peer(&writers[i], transport, port, u->name, u->password, u->dn);
		save(&writers[i]);
	}
	puts("open");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		fail("nobody is there");
	for (unsigned i = 0; i < count; i++) {
		struct user *u = &users[i % user_count];
		open_peer(&parked[i], transport, port, u->name, u->password, u->dn);
		register_for_news(&parked[i]);
		park(&parked[i]);
	}
	puts("parked");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		fail("nobody is there");
	for (unsigned i = 0; i < rounds && i < user_count; i++)
		wake(&writers[i], parked, count, i, user_count);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {[TCP] = "tcp", [RPCH] = "rpch", [MAPI] = "mapi"};
	const char *what = argc > 2 ? argv[1] : "";
	unsigned transport = 0;
	while (argc > 2 && transport < ARRAY_SIZE(names) && strcmp(argv[2], names[transport]) != 0)
		transport++;
	bool noop = strcmp(what, "noop") == 0, read = strcmp(what, "read") == 0;
	if ((noop || read) && (argc == 9 || argc == 10) && transport < ARRAY_SIZE(names))
		run_calls(argv, read, (enum transport)transport);
	else if (strcmp(what, "park") == 0 && argc == 7 && (transport == RPCH || transport == MAPI))
		run_park(argv, (enum transport)transport);
	else
		fail("usage: bench-transport noop|read tcp|rpch|mapi PORT CONNECTIONS SECONDS USER PASSWORD DN [PID] | "
		     "park "
		     "rpch|mapi PORT USERS COUNT ROUNDS");
	return 0;
}
