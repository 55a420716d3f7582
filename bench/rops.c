#include "load.h"
#include "session.h"

#include "base/time.h"
#include "wire/emsmdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * usage: bench-rops read|save PORT USERS SESSIONS SECONDS   as fast as answers come, one call at a time a session
 *        bench-rops idle PORT USERS SESSIONS                 sessions with an open table; until standard input ends
 *        bench-rops stream PORT USERS MEGABYTES              an attachment written and read back
 *
 * USERS is a file with a line "DOMAIN\user password DN" for each mailbox; sessions take turns with them. Calls go
 * at level connect, so that prebuilt bytes can be sent again. read is a folder opened, its contents table,
 * columns, 20 rows, both released, in one call; save a new message of 2 KB. Prints one JSON object.
 */
#define MAX_USERS 1024
#define CALL_ID 12
#define CHUNK 30000
#define INBOX 5
#define STREAM_ROUNDS 30

struct user {
	struct auth_client_config auth;
	char *dn;
};

static struct user users[MAX_USERS];
static unsigned user_count;

static void read_users(const char *path)
{
	char line[1024], name[256], password[256], dn[512];
	FILE *f = fopen(path, "r");
	if (!f)
		fail("cannot read %s", path);
	while (user_count < MAX_USERS && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%255s %255s %511[^\n]", name, password, dn) != 3)
			continue;
		char *slash = strchr(name, '\\');
		if (!slash)
			fail("no domain in %s", name);
		*slash = 0;
		users[user_count++] = (struct user){
		        .auth = {.domain = strdup(name),
		                 .user = strdup(slash + 1),
		                 .password = strdup(password),
		                 .workstation = "BENCH"},
		        .dn = strdup(dn),
		};
	}
	fclose(f);
	if (user_count == 0)
		fail("%s names nobody", path);
}

/* ---- One session ---- */

struct mailbox {
	struct session s;
	struct idl_context_handle cxh;
	uint32_t handles[4]; /* 0: the logon */
};

static void ask_once(struct mailbox *m, const struct buf *rops, unsigned handle_count)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf in MW_CLEANUP(buf_free) = {0}, stub MW_CLEANUP(buf_free) = {0};
	uint16_t size = (uint16_t)(2 + rops->len + handle_count * 4);
	buf_put_u16(&in, 0);
	buf_put_u16(&in, 4);
	buf_put_u16(&in, size);
	buf_put_u16(&in, size);
	buf_put_u16(&in, (uint16_t)(rops->len + 2));
	buf_put(&in, rops->data, rops->len);
	buf_put(&in, m->handles, handle_count * 4);
	struct EcDoRpcExt2_args a = {
	        .pcxh = m->cxh, .pulFlags = 3, .rgbIn = in.data, .cbIn = (uint32_t)in.len, .pcbOut = 0x8008};
	struct ndr out = ndr_encoder(NDR_20, arena, &stub);
	if (ndr_encode_args(&out, &wire_emsmdb_interface.methods[11], IDL_REQUEST, &a) < 0)
		fail("cannot encode a call");
	session_ask(&m->s, 11, stub.data, stub.len);
	struct ndr back = ndr_decoder(NDR_20, arena, cursor_of(m->s.stub.data, m->s.stub.len));
	if (ndr_decode_args(&back, &wire_emsmdb_interface.methods[11], IDL_RESPONSE, &a) < 0 || a.ReturnValue != 0)
		fail("a call failed: 0x%08X", (unsigned)a.ReturnValue);
	if (a.pcbOut < 8 + 2 + handle_count * 4)
		fail("an answer is too short");
	memcpy(m->handles, a.rgbOut + a.pcbOut - handle_count * 4, handle_count * 4);
	for (unsigned i = 0; i < handle_count; i++)
		if (i < handle_count && m->handles[i] == 0xFFFFFFFF && i == 0)
			fail("a log-on failed");
}

static void connect_to_mailbox(struct mailbox *m, uint16_t port, const struct user *u)
{
	struct arena *arena MW_CLEANUP(arena_cleanup) = arena_new(0);
	struct buf rop MW_CLEANUP(buf_free) = {0};
	struct EcDoConnectEx_args a = {
	        .szUserDN = u->dn,
	        .ulCpid = 1252,
	        .ulLcidString = 0x409,
	        .ulLcidSort = 0x409,
	        .ulIcxrLink = 0xFFFFFFFF,
	        .rgwClientVersion = {14, 0x8000 | 4760, 1000},
	        .pcbAuxOut = 0x1008,
	};
	session_open(&m->s, port, &wire_emsmdb_interface, AUTH_LEVEL_CONNECT, &u->auth);
	session_call(&m->s, 10, arena, &a);
	if (a.ReturnValue != 0)
		fail("EcDoConnectEx: 0x%08X", (unsigned)a.ReturnValue);
	m->cxh = a.pcxh;
	memset(m->handles, 0xFF, sizeof m->handles);
	buf_put(&rop, (const uint8_t[]){0xFE, 0, 0, 1}, 4);
	buf_put_u32(&rop, 0x0100040C);
	buf_put_u32(&rop, 0);
	buf_put_u16(&rop, (uint16_t)(strlen(u->dn) + 1));
	buf_put(&rop, u->dn, strlen(u->dn) + 1);
	ask_once(m, &rop, 1);
}

static void put_id(struct buf *b, uint64_t counter)
{
	buf_put_u64(b, __builtin_bswap64(counter) | 1);
}

static void put_read(struct buf *b)
{
	static const uint32_t columns[] = {0x674A0014, 0x0037001F, 0x0C1A001F, 0x0E060040,
	                                   0x0E080003, 0x0E070003, 0x00170003, 0x0E1B000B};
	buf_put(b, (const uint8_t[]){0x02, 0, 0, 1}, 4); /* RopOpenFolder */
	put_id(b, INBOX);
	buf_put_u8(b, 0);
	buf_put(b, (const uint8_t[]){0x05, 0, 1, 2, 0}, 5); /* RopGetContentsTable */
	buf_put(b, (const uint8_t[]){0x12, 0, 2, 0, 8, 0}, 6);
	buf_put(b, columns, sizeof columns);
	buf_put(b, (const uint8_t[]){0x13, 0, 2, 0, 1, 0, 0, 0, 0, 0}, 10); /* RopSortTable: newest first */
	buf_put_u32(b, 0x0E060040);
	buf_put_u8(b, 1);
	buf_put(b, (const uint8_t[]){0x15, 0, 2, 0, 1, 20, 0}, 7); /* RopQueryRows */
	buf_put(b, (const uint8_t[]){0x01, 0, 2, 0x01, 0, 1}, 6);
}

static void put_text(struct buf *b, uint32_t tag, const char *text)
{
	buf_put_u32(b, tag);
	for (; *text; text++)
		buf_put_u16(b, (uint8_t)*text);
	buf_put_u16(b, 0);
}

static void put_create(struct buf *b)
{
	buf_put(b, (const uint8_t[]){0x06, 0, 0, 1, 0xFF, 0x0F}, 6); /* RopCreateMessage */
	put_id(b, INBOX);
	buf_put_u8(b, 0);
}

static void put_save(struct buf *b)
{
	char body[1025];
	size_t at;
	for (size_t i = 0; i < sizeof body - 1; i++)
		body[i] = i % 7 == 6 ? ' ' : (char)('a' + (i * i + i / 7) % 26);
	body[sizeof body - 1] = 0;
	put_create(b);
	buf_put(b, (const uint8_t[]){0x0A, 0, 1}, 3); /* RopSetProperties */
	at = b->len;
	buf_put_u16(b, 0);
	buf_put_u16(b, 4);
	put_text(b, 0x0037001F, "A message of two kilobytes");
	put_text(b, 0x0C1A001F, "Somebody Else");
	put_text(b, 0x1000001F, body);
	buf_put_u32(b, 0x0E060040);
	buf_put_u64(b, UINT64_C(0x1DA000000000000));
	buf_poke_u16(b, at, (uint16_t)(b->len - at - 2));
	buf_put(b, (const uint8_t[]){0x0C, 0, 0, 1, 0x0A, 0x01, 0, 1}, 8); /* RopSaveChangesMessage, RopRelease */
}

/* ---- Many sessions, one call at a time each ---- */

struct slot {
	int fd;
	uint8_t *request;
	size_t request_size, answer_size, got;
	uint32_t id;
	uint8_t answer[65536];
};

static void send_again(struct slot *s)
{
	s->id++;
	s->got = 0;
	memcpy(s->request + CALL_ID, &s->id, sizeof s->id);
	send_all(s->fd, s->request, s->request_size);
}

/* True: it was the answer's end, and it was a good one. */
static bool hear(struct slot *s)
{
	static const uint8_t success[4];
	ssize_t n = recv(s->fd, s->answer + s->got, s->answer_size - s->got, 0);
	if (n == 0 || (n < 0 && errno != EINTR))
		fail("the server closed a connection");
	s->got += n > 0 ? (size_t)n : 0;
	if (s->got < s->answer_size)
		return false;
	if (memcmp(s->answer + CALL_ID, &s->id, 4) != 0 || s->answer[2] != 2 ||
	    memcmp(s->answer + s->answer_size - 4, success, 4) != 0)
		fail("a call was answered otherwise than the first one");
	return true;
}

static struct load_result run(struct slot *slots, unsigned count, double seconds)
{
	struct load_result r = {0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double start = load_now(), cpu = load_cpu();
	for (unsigned i = 0; i < count; i++) {
		struct epoll_event want = {.events = EPOLLIN, .data.ptr = &slots[i]};
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, slots[i].fd, &want) < 0)
			fail("cannot watch a socket");
		send_again(&slots[i]);
	}
	while ((r.seconds = load_now() - start) < seconds) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, 2000);
		if (n == 0)
			fail("no answer for two seconds");
		for (int i = 0; i < n; i++) {
			struct slot *s = (struct slot *)events[i].data.ptr;
			if (hear(s)) {
				r.calls++;
				send_again(s);
			}
		}
	}
	r.cpu = load_cpu() - cpu;
	close(epoll);
	return r;
}

static void run_load(uint16_t port, unsigned count, double seconds, void (*put)(struct buf *b), unsigned handles)
{
	struct slot *slots = (struct slot *)calloc(count, sizeof *slots);
	struct mailbox *all = (struct mailbox *)calloc(count, sizeof *all);
	struct buf rops MW_CLEANUP(buf_free) = {0};
	if (!slots || !all)
		fail("out of memory");
	put(&rops);
	for (unsigned i = 0; i < count; i++) {
		connect_to_mailbox(&all[i], port, &users[i % user_count]);
		uint32_t logon = all[i].handles[0];
		ask_once(&all[i], &rops, handles);
		all[i].handles[0] = logon;
		slots[i] = (struct slot){.fd = all[i].s.fd, .request_size = all[i].s.asked.len, .id = 1000};
		slots[i].request = (uint8_t *)malloc(all[i].s.asked.len);
		memcpy(slots[i].request, all[i].s.asked.data, all[i].s.asked.len);
		slots[i].answer_size = all[i].s.received.len;
		if (slots[i].answer_size > sizeof slots[i].answer)
			fail("an answer is too long");
	}
	struct load_result r = run(slots, count, seconds);
	load_print(&r, slots[0].request_size, slots[0].answer_size);
	for (unsigned i = 0; i < count; i++)
		free(slots[i].request);
	free(slots);
	free(all);
}

static void run_idle(uint16_t port, unsigned count)
{
	struct mailbox *all = (struct mailbox *)calloc(count, sizeof *all);
	struct buf rops MW_CLEANUP(buf_free) = {0};
	char c;
	buf_put(&rops, (const uint8_t[]){0x02, 0, 0, 1}, 4);
	put_id(&rops, INBOX);
	buf_put_u8(&rops, 0);
	buf_put(&rops, (const uint8_t[]){0x05, 0, 1, 2, 0}, 5);
	for (unsigned i = 0; all && i < count; i++) {
		connect_to_mailbox(&all[i], port, &users[i % user_count]);
		ask_once(&all[i], &rops, 3);
		buf_free(&all[i].s.asked);
		buf_free(&all[i].s.received);
		buf_free(&all[i].s.stub);
	}
	printf("{\"sessions\": %u}\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

/* ---- One large attachment ---- */

static void run_stream(uint16_t port, unsigned megabytes)
{
	struct mailbox m = {0};
	struct buf rops MW_CLEANUP(buf_free) = {0};
	static uint8_t bytes[CHUNK];
	size_t total = (size_t)megabytes << 20;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 131 >> 3);
	connect_to_mailbox(&m, port, &users[0]);
	put_create(&rops);
	buf_put(&rops, (const uint8_t[]){0x23, 0, 1, 2}, 4);                            /* RopCreateAttachment */
	buf_put(&rops, (const uint8_t[]){0x2B, 0, 2, 3, 0x02, 0x01, 0x01, 0x37, 2}, 9); /* RopOpenStream, create */
	ask_once(&m, &rops, 4);
	double start = load_now();
	for (size_t done = 0; done < total; done += CHUNK) {
		buf_clear(&rops);
		buf_put(&rops, (const uint8_t[]){0x2D, 0, 3}, 3); /* RopWriteStream */
		buf_put_u16(&rops, CHUNK);
		buf_put(&rops, bytes, CHUNK);
		ask_once(&m, &rops, 4);
	}
	buf_clear(&rops);
	buf_put(&rops, (const uint8_t[]){0x5D, 0, 3, 0x25, 0, 0, 2, 0x0A, 0x0C, 0, 0, 1, 0x0A, 0x01, 0, 3}, 16);
	ask_once(&m, &rops, 4);
	double written = load_now() - start;
	buf_clear(&rops);
	buf_put(&rops, (const uint8_t[]){0x2B, 0, 2, 3, 0x02, 0x01, 0x01, 0x37, 0}, 9);
	ask_once(&m, &rops, 4);
	start = load_now();
	size_t got = 0;
	for (size_t done = 0; done < total; done += CHUNK) {
		buf_clear(&rops);
		buf_put(&rops, (const uint8_t[]){0x2C, 0, 3}, 3); /* RopReadStream */
		buf_put_u16(&rops, CHUNK);
		ask_once(&m, &rops, 4);
		got += m.s.stub.len;
	}
	printf("{\"write_s\": %.3f, \"read_s\": %.3f, \"got\": %zu}\n", written, load_now() - start, got);
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	uint16_t port = argc > 3 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;
	if (argc > 4)
		read_users(argv[3]);
	unsigned count = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	if (strcmp(what, "read") == 0 && argc == 6)
		run_load(port, count, strtod(argv[5], NULL), put_read, 3);
	else if (strcmp(what, "save") == 0 && argc == 6)
		run_load(port, count, strtod(argv[5], NULL), put_save, 2);
	else if (strcmp(what, "idle") == 0 && argc == 5)
		run_idle(port, count);
	else if (strcmp(what, "stream") == 0 && argc == 5)
		run_stream(port, count);
	else {
		fputs("usage: bench-rops read|save PORT USERS SESSIONS SECONDS | idle PORT USERS SESSIONS |"
		      " stream PORT USERS MEGABYTES\n",
		      stderr);
		return 2;
	}
	return 0;
}
